//! An installation in a folder of its own, and the real program running on it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;
use vantail::demo::inbox::{Channel, Inbox, Message};
use vantail::secret::Keyring;
use vantail::store::{Open, Store};

use crate::ports::free_address;
use crate::support::backend::Backend;
use crate::support::client::Client;
use crate::support::files::{Configuration, write};
use crate::support::{ANY_PORT, PATIENCE};

/// Everybody's.
pub const PASSWORD: &str = "seven swans by the lock gate";
/// val's.
pub const PHONE: &str = "+33639980013";
const PROGRAM: &str = env!("CARGO_BIN_EXE_vantail");

/// Files, backend and telephone; alice and val have live sessions.
pub struct Installation {
    folder: TempDir,
    pub backend: Backend,
    inbox: Inbox,
    cookies: BTreeMap<&'static str, BTreeMap<String, String>>,
    pub sends_mail: bool,
}

/// The program, serving.
pub struct Running {
    child: Mutex<Child>,
    pub address: SocketAddr,
    /// Its operations port.
    pub operations: SocketAddr,
    /// From its start to its word that it is ready.
    pub ready_after: Duration,
}

impl Installation {
    /// Makes users with the command line and signs two of them in.
    pub async fn make() -> Self {
        let mut installation = Self::empty().await;
        installation.add("alice", &["--group", "admins"]);
        installation.add("val", &["--right", "token-validator", "--phone", PHONE]);
        installation.add("carol", &[]);
        let gateway = installation.start(None).await;
        for name in ["alice", "val"] {
            let client = Client::new(gateway.address).host("localhost").browser();
            let fields = [("username", name), ("password", PASSWORD)];
            let answer = client.fill("/secure/login", "/secure/login", &fields).await;
            assert_eq!(answer.status, 303, "{}", answer.text());
            installation.cookies.insert(name, client.cookies());
        }
        gateway.ask_to_stop().await;
        installation
    }

    async fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let backend = Backend::start().await;
        let inbox = Inbox::start(ANY_PORT, ANY_PORT).await.unwrap();
        let installation = Self { folder, backend, inbox, cookies: BTreeMap::new(), sends_mail: false };
        installation.write_files();
        installation
    }

    /// The same users and sessions in a new folder, with a backend and a telephone of its own.
    pub async fn copy(&self) -> Self {
        let mut copy = Self::empty().await;
        copy_folder(&self.folder.path().join("data"), &copy.folder.path().join("data"));
        copy.cookies.clone_from(&self.cookies);
        copy
    }

    fn write_files(&self) {
        write(self.folder.path(), "policies/networks.toml", "");
        write(self.folder.path(), "policies/security.toml", "[second_factor]\nrequired = []\n");
        write(self.folder.path(), "policies/sites/gw.toml", &site(&self.backend.url()));
    }

    fn write_configuration(&self, address: SocketAddr, operations: SocketAddr) -> PathBuf {
        let operations = format!("operations = \"{operations}\"");
        let configuration = Configuration::on(address).listen(&operations).sms(self.inbox.http_addr());
        let configuration = if self.sends_mail { configuration.mail(self.inbox.smtp_addr()) } else { configuration };
        write(self.folder.path(), "vantail.toml", &configuration.text());
        self.folder.path().join("vantail.toml")
    }

    /// Makes a user with the command line.
    pub fn add(&self, name: &str, more: &[&str]) {
        let config = self.write_configuration(free_address(), free_address());
        let password = self.folder.path().join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        let done = Command::new(PROGRAM)
            .args(["user", "add", name, "--email", &format!("{name}@gw.test"), "--name", name])
            .args(more)
            .arg("--password-file")
            .arg(password)
            .arg("--config")
            .arg(config)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Starts the program, with an abort point armed where one is named, and waits until it says that it is ready.
    pub async fn start(&self, abort_at: Option<&str>) -> Running {
        let armed = abort_at.map(|point| ("VANTAIL_ABORT_AT", point));
        self.start_with(armed.as_slice()).await
    }

    /// The same, with variables of the environment.
    pub async fn start_with(&self, environment: &[(&str, &str)]) -> Running {
        let (address, operations) = (free_address(), free_address());
        let config = self.write_configuration(address, operations);
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let mut command = Command::new("sh");
        // Were it to leave a core file, nothing would stop it here.
        command
            .args(["-c", "ulimit -c unlimited; exec \"$0\" \"$@\"", PROGRAM, "serve", "--config"])
            .arg(config)
            .current_dir(self.folder.path())
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let begin = Instant::now();
        let child = command.spawn().unwrap();
        let mut running = Running { child: Mutex::new(child), address, operations, ready_after: Duration::ZERO };
        running.says_it_is_ready(self).await;
        running.ready_after = begin.elapsed();
        running
    }

    /// Everything the program that runs now, or ran last, wrote to its standard output and error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Every file there is.
    pub fn files(&self) -> Vec<PathBuf> {
        files(self.folder.path())
    }

    /// Everything that came by SMS and mail.
    pub fn messages(&self) -> Vec<Message> {
        self.inbox.messages()
    }

    /// Who must have a second factor, from the next start on.
    pub fn requires_second_factor_of(&self, whom: &str) {
        let security = format!("[second_factor]\nrequired = [\"{whom}\"]\n");
        write(self.folder.path(), "policies/security.toml", &security);
    }

    /// `name` in their browser; the gateway may be gone.
    pub fn client(&self, gateway: &Running, name: &str) -> Client {
        let client = Client::new(gateway.address).host("localhost").browser().of_one_that_may_be_gone();
        for (cookie, value) in &self.cookies[name] {
            client.set_cookie(cookie, value);
        }
        client
    }

    /// Whoever's session this is, in their browser.
    pub fn client_with(gateway: &Running, session: &str) -> Client {
        let client = Client::new(gateway.address).host("localhost").browser().of_one_that_may_be_gone();
        client.set_cookie("vantail", session);
        client
    }

    /// The first SMS with a token after message number `after`, however long it takes.
    pub async fn next_token_sms(&self, after: u64) -> Message {
        let is_next = |message: &Message| message.id > after && message.text.contains("Token: ");
        loop {
            if let Ok(sms) = self.inbox.wait_for(is_next).await {
                return sms;
            }
        }
    }

    /// The token of the SMS about `operation`; none when the gateway died before it was sent.
    pub async fn token(&self, gateway: &Running, operation: &str) -> Option<String> {
        let about = |message: &Message| {
            message.text.contains(&format!("operation {operation}")) && message.text.contains("Token: ")
        };
        let end = Instant::now() + PATIENCE;
        loop {
            if let Ok(sms) = self.inbox.wait_for_within(Duration::from_millis(50), about).await {
                return Some(sms.text.split_once("Token: ")?.1.chars().take(9).collect());
            }
            if gateway.is_over() {
                return None;
            }
            assert!(Instant::now() < end, "no SMS about {operation}");
        }
    }

    /// Waits for a mail with this word in its subject or text.
    pub async fn mail_about(&self, word: &str) -> Message {
        let is_it = |mail: &Message| {
            mail.channel == Channel::Mail && format!("{:?} {}", mail.subject, mail.text).contains(word)
        };
        self.inbox.wait_for(is_it).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// The sealing key, as its file says it.
    pub fn sealing_key(&self) -> String {
        let file = self.folder.path().join("data/keys/sealing.key");
        std::fs::read_to_string(file).unwrap().trim().to_owned()
    }

    /// The store, opened as a command opens it, and its keys.
    pub async fn store(&self) -> (Store, Keyring) {
        let data = self.folder.path().join("data");
        let key = STANDARD.decode(self.sealing_key()).unwrap();
        let keyring = Keyring::new(&key.try_into().unwrap());
        let url = format!("sqlite:{}", data.join("vantail.db").display());
        (Store::open(&url, &keyring, Open::AsIs).await.unwrap(), keyring)
    }
}

impl Running {
    async fn says_it_is_ready(&self, installation: &Installation) {
        let end = Instant::now() + PATIENCE;
        let asking = Client::new(self.operations).of_one_that_may_be_gone();
        while asking.get("/readyz").await.status != 200 {
            assert!(!self.is_over() && Instant::now() < end, "{}", installation.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What `/metrics` says.
    pub async fn metrics(&self) -> String {
        Client::new(self.operations).get("/metrics").await.text()
    }

    pub fn is_over(&self) -> bool {
        self.child.lock().unwrap().try_wait().unwrap().is_some()
    }

    /// Waits until the armed point has ended it.
    pub async fn ended(&mut self, point: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.is_over() {
            assert!(Instant::now() < end, "{point} was never reached");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends it by a signal that usually leaves a core file; whether the machine says that it did.
    pub async fn crash(&self) -> bool {
        let pid = self.child.lock().unwrap().id();
        assert!(Command::new("kill").args(["-ABRT", &pid.to_string()]).status().unwrap().success());
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.lock().unwrap().try_wait().unwrap() {
                return status.core_dumped();
            }
            assert!(Instant::now() < end, "it does not end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// `kill -9`.
    pub fn kill(&self) {
        let mut child = self.child.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub async fn ask_to_stop(&self) {
        let pid = self.child.lock().unwrap().id();
        assert!(Command::new("kill").args(["-TERM", &pid.to_string()]).status().unwrap().success());
        let end = Instant::now() + PATIENCE;
        while !self.is_over() {
            assert!(Instant::now() < end, "it does not stop");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn site(backend: &str) -> String {
    format!(
        r#"
name = "gw"
hosts = ["localhost"]
backends = ["{backend}"]
[[rule]]
name = "operations"
methods = ["POST"]
paths = ["/admin/ops/**"]
access = "signed-in"
groups = ["admins"]
[rule.hold]
title = {{ en = "Operation on {{query.name}}", fr = "Opération sur {{query.name}}" }}
"#
    )
}
