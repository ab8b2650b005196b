//! A real PostgreSQL of one's own, on a free port and in a folder that goes with it.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// A running server. It stops when this is dropped.
pub struct PostgresServer {
    server: Child,
    port: u16,
    programs: PathBuf,
    databases: AtomicU32,
    _folder: tempfile::TempDir,
}

/// The server all tests of this process share, while any of them holds it.
static SHARED: Mutex<Weak<PostgresServer>> = Mutex::new(Weak::new());

// === impl PostgresServer ===

impl PostgresServer {
    /// The server shared with the other tests of this process; started when nobody has one.
    pub fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start());
            *shared = Arc::downgrade(&server);
            server
        })
    }

    /// Starts one. Panics with the reason when it cannot.
    pub fn start() -> Self {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("vantail-postgres-").tempdir().expect("a temporary folder");
        give_to_server(folder.path());
        let data = folder.path().join("data");
        run(as_server(&programs.join("initdb")).arg("-D").arg(&data).args([
            "--username=vantail",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-sync",
        ]));
        let port = free_port();
        let mut server = as_server(&programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path())
            .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-F", "-N", "200"])
            .stderr(Stdio::piped())
            .spawn()
            .expect("postgres starts");
        wait_until_ready(server.stderr.take().expect("piped above"));
        Self { server, port, programs, databases: AtomicU32::new(0), _folder: folder }
    }

    /// Makes a database that nobody else uses, and gives its address.
    pub fn new_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::SeqCst));
        let port = self.port.to_string();
        run(Command::new(self.programs.join("createdb")).args([
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            "vantail",
            &name,
        ]));
        format!("postgres://vantail@127.0.0.1:{port}/{name}")
    }
}

impl Drop for PostgresServer {
    /// SIGINT is PostgreSQL's fast shutdown; the folder goes after it has ended.
    fn drop(&mut self) {
        let asked = Command::new("kill").args(["-INT", &self.server.id().to_string()]).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _killed = self.server.kill();
        }
        let _ended = self.server.wait();
    }
}

/// Where Debian keeps the newest version's programs, else wherever `PATH` finds them.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let folders = versions.map(|version| version.path().join("bin")).filter(|folder| folder.join("initdb").exists());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let newest = folders.max_by_key(|folder| folder.components().nth(4).and_then(version_number));
    newest
        .or_else(|| std::env::split_paths(&path).find(|folder| folder.join("initdb").exists()))
        .expect("PostgreSQL is installed: apt-get install postgresql")
}

fn version_number(component: std::path::Component<'_>) -> Option<u32> {
    component.as_os_str().to_str()?.parse().ok()
}

fn is_root() -> bool {
    output(Command::new("id").arg("-u")).trim() == "0"
}

/// PostgreSQL refuses to run as root: then it runs as the user its package made.
fn as_server(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    command
}

fn give_to_server(folder: &Path) {
    if is_root() {
        let id = |kind| output(Command::new("id").args([kind, "postgres"])).trim().parse().ok();
        chown(folder, id("-u"), id("-g")).expect("root may give a folder away");
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("a bound listener has an address").port()
}

/// Reads the log until it says so, and goes on reading it, so that the server never waits for a reader.
fn wait_until_ready(log: ChildStderr) {
    let mut lines = BufReader::new(log).lines().map_while(Result::ok);
    let mut said = Vec::new();
    let ready =
        lines.by_ref().inspect(|line| said.push(line.clone())).any(|line| line.contains("ready to accept connections"));
    assert!(ready, "postgres ended:\n{}", said.join("\n"));
    std::thread::spawn(move || lines.for_each(drop));
}

fn run(command: &mut Command) {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn output(command: &mut Command) -> String {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    String::from_utf8_lossy(&done.stdout).into_owned()
}
