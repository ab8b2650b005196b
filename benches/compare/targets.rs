//! The proxies that are compared, each as one process with one worker.

use std::fs;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::meter;

/// What stands between client and backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bare,
    Open,
    SignedIn,
    Nginx,
    NginxAuthRequest,
}

/// A running process, ended when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// Where this comparison keeps its files, and what it runs.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    /// The release binary of the gateway.
    pub(crate) vantail: PathBuf,
}

// === impl Kind ===

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Bare, Self::Open, Self::SignedIn, Self::Nginx, Self::NginxAuthRequest];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare pingora",
            Self::Open => "vantail, open route",
            Self::SignedIn => "vantail, signed in",
            Self::Nginx => "nginx plain",
            Self::NginxAuthRequest => "nginx auth_request",
        }
    }

    pub(crate) fn path(self) -> &'static str {
        if self == Self::Open { "/open/page" } else { "/app/page" }
    }

    /// The command that serves this kind on `listen` in front of `backend`.
    pub(crate) fn command(self, place: &Place, listen: SocketAddr, backend: SocketAddr) -> io::Result<Command> {
        match self {
            Self::Bare => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["bare", &listen.to_string(), &backend.to_string()]);
                Ok(command)
            }
            Self::Open | Self::SignedIn => vantail(place, listen, backend),
            Self::Nginx => nginx(place, "plain", &plain(listen, backend)),
            Self::NginxAuthRequest => nginx(place, "auth", &auth_request(listen, backend, free_address()?)),
        }
    }
}

// === impl Running ===

impl Running {
    /// Starts `command` on core `core`, or unpinned under a tool, and waits until it answers.
    pub(crate) fn start(command: &Command, core: Option<u32>, address: SocketAddr) -> io::Result<Self> {
        let mut pinned = if let Some(core) = core {
            let mut taskset = Command::new("taskset");
            taskset.args(["-c", &core.to_string()]).arg(command.get_program()).args(command.get_args());
            taskset
        } else {
            let mut plain = Command::new(command.get_program());
            plain.args(command.get_args());
            plain
        };
        if let Some(folder) = command.get_current_dir() {
            pinned.current_dir(folder);
        }
        let child = pinned.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut running = Self { child, address };
        running.wait_until_it_listens()?;
        Ok(running)
    }

    fn wait_until_it_listens(&mut self) -> io::Result<()> {
        let end = Instant::now() + Duration::from_mins(1);
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("a target ended at once: {status}")));
            }
            if Instant::now() > end {
                return Err(io::Error::other(format!("nothing listens at {}", self.address)));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    pub(crate) fn pids(&self) -> Vec<u32> {
        let mut pids = vec![self.child.id()];
        pids.extend(meter::children(self.child.id()));
        pids
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end and waits: callgrind writes its file then.
    pub(crate) fn end(mut self) -> io::Result<()> {
        Command::new("kill").args(["-INT", &self.child.id().to_string()]).status()?;
        let end = Instant::now() + Duration::from_mins(2);
        while self.child.try_wait()?.is_none() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for pid in meter::children(self.child.id()) {
            let _ = Command::new("kill").arg(pid.to_string()).status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// === the servers' settings ===

/// A loopback address nobody listens on.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// The backend: nginx answering 1 KiB from memory.
pub(crate) fn backend(place: &Place, listen: SocketAddr) -> io::Result<Command> {
    let body = "x".repeat(1024);
    nginx(place, "backend", &format!("server {{ listen {listen}; location / {{ return 200 '{body}'; }} }}"))
}

fn plain(listen: SocketAddr, backend: SocketAddr) -> String {
    format!(
        "upstream backend {{ server {backend}; keepalive 64; }}
         server {{ listen {listen}; location / {{ proxy_http_version 1.1; proxy_set_header Connection ''; proxy_pass http://backend; }} }}"
    )
}

fn auth_request(listen: SocketAddr, backend: SocketAddr, stub: SocketAddr) -> String {
    format!(
        "upstream backend {{ server {backend}; keepalive 64; }}
         upstream stub {{ server {stub}; keepalive 64; }}
         server {{ listen {stub}; location / {{ return 204; }} }}
         server {{ listen {listen};
           location / {{ auth_request /auth; proxy_http_version 1.1; proxy_set_header Connection ''; proxy_pass http://backend; }}
           location = /auth {{ internal; proxy_http_version 1.1; proxy_set_header Connection ''; proxy_pass_request_body off; proxy_set_header Content-Length ''; proxy_pass http://stub; }} }}"
    )
}

fn nginx(place: &Place, name: &str, servers: &str) -> io::Result<Command> {
    let folder = place.folder.join(format!("nginx-{name}"));
    fs::create_dir_all(&folder)?;
    let conf = folder.join("nginx.conf");
    fs::write(
        &conf,
        format!(
            "daemon off; worker_processes 1; pid {0}/pid; error_log {0}/error.log;
             events {{ worker_connections 8192; }}
             http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 600;
               client_body_temp_path {0}; proxy_temp_path {0}; fastcgi_temp_path {0}; uwsgi_temp_path {0}; scgi_temp_path {0};
               {servers} }}",
            folder.display()
        ),
    )?;
    let mut command = Command::new("nginx");
    command.arg("-c").arg(conf).arg("-p").arg(folder);
    Ok(command)
}

fn vantail(place: &Place, listen: SocketAddr, backend: SocketAddr) -> io::Result<Command> {
    let folder = place.folder.join(format!("vantail-{}", listen.port()));
    fs::create_dir_all(folder.join("policies/sites"))?;
    fs::write(folder.join("policies/networks.toml"), "")?;
    fs::write(folder.join("policies/security.toml"), "[second_factor]\nrequired = []\n")?;
    fs::write(folder.join("policies/sites/bench.toml"), site(backend))?;
    let config = folder.join("vantail.toml");
    fs::write(&config, configuration(&folder, listen))?;
    add_user(place, &config)?;
    let mut command = Command::new(&place.vantail);
    command.arg("serve").arg("--config").arg(config).current_dir(folder);
    Ok(command)
}

fn configuration(folder: &Path, listen: SocketAddr) -> String {
    format!(
        "[listen]\nhttp = [\"{listen}\"]\n[portal]\nurl = \"http://localhost:{}\"\n[store]\ndatabase = \"sqlite:{}\"\n[keys]\ndirectory = \"{}\"\n[policies]\ndirectory = \"{}\"\n",
        listen.port(),
        folder.join("vantail.db").display(),
        folder.join("keys").display(),
        folder.join("policies").display()
    )
}

fn site(backend: SocketAddr) -> String {
    format!(
        "name = \"bench\"\nhosts = [\"localhost\", \"127.0.0.1\"]\nbackends = [\"http://{backend}\"]\n
         [[rule]]\nname = \"open\"\npaths = [\"/open/**\"]\naccess = \"open\"\n
         [[rule]]\nname = \"signed in\"\npaths = [\"/app/**\"]\naccess = \"signed-in\"\n"
    )
}

/// Who is signed in while the gateway is measured.
pub(crate) const USER: (&str, &str) = ("alice", "a quiet morning by the lock");

fn add_user(place: &Place, config: &Path) -> io::Result<()> {
    let mut child = Command::new(&place.vantail)
        .args(["user", "add", USER.0, "--email", "alice@example.org", "--name", "Alice", "--config"])
        .arg(config)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        writeln!(stdin, "{}", USER.1)?;
    }
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("vantail user add: {status}"))) }
}
