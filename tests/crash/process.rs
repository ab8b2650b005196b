//! An installation in a folder of its own, and the real program running on it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;
use vantail::demo::inbox::{Inbox, Message};
use vantail::secret::Keyring;
use vantail::store::{Open, Store};

use crate::client::Client;
use crate::ports::free_address;
use crate::support::ANY_PORT;
use crate::support::backend::Backend;

const PASSWORD: &str = "seven swans by the lock gate";
const PHONE: &str = "+33639980013";
const PROGRAM: &str = env!("CARGO_BIN_EXE_vantail");

/// Files, backend and telephone; alice and val have live sessions.
pub struct Installation {
    folder: TempDir,
    pub backend: Backend,
    inbox: Inbox,
    cookies: BTreeMap<&'static str, BTreeMap<String, String>>,
}

/// The program, serving.
pub struct Running {
    child: Mutex<Child>,
    pub address: SocketAddr,
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
        let installation = Self { folder, backend, inbox, cookies: BTreeMap::new() };
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
        let write = |name: &str, text: String| {
            let file = self.folder.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        };
        write("policies/networks.toml", String::new());
        write("policies/security.toml", "[second_factor]\nrequired = []\n[lockout]\nattempts = 0\n".to_owned());
        write("policies/sites/gw.toml", site(&self.backend.url()));
        std::fs::create_dir_all(self.folder.path().join("data")).unwrap();
    }

    fn write_configuration(&self, address: SocketAddr) -> PathBuf {
        let file = self.folder.path().join("vantail.toml");
        std::fs::write(&file, configuration(address, self.inbox.http_addr())).unwrap();
        file
    }

    fn add(&self, name: &str, more: &[&str]) {
        let config = self.write_configuration(free_address());
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

    /// Starts the program and waits until it answers; with an abort point armed where one is named.
    pub async fn start(&self, abort_at: Option<&str>) -> Running {
        let address = free_address();
        let config = self.write_configuration(address);
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let mut command = Command::new(PROGRAM);
        command
            .arg("serve")
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        if let Some(point) = abort_at {
            command.env("VANTAIL_ABORT_AT", point);
        }
        let child = command.spawn().unwrap();
        let running = Running { child: Mutex::new(child), address };
        running.answers(&self.folder.path().join("log")).await;
        running
    }

    pub fn client(&self, gateway: &Running, name: &str) -> Client {
        let client = Client::new(gateway.address).host("localhost").browser().of_one_that_may_be_gone();
        for (cookie, value) in &self.cookies[name] {
            client.set_cookie(cookie, value);
        }
        client
    }

    /// The token of the SMS about `operation`; none when the gateway died before it was sent.
    pub async fn token(&self, gateway: &Running, operation: &str) -> Option<String> {
        let about = |message: &Message| {
            message.text.contains(&format!("operation {operation}")) && message.text.contains("Token: ")
        };
        let end = Instant::now() + crate::client::PATIENCE;
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

    /// The store, opened beside nobody.
    pub async fn store(&self) -> Store {
        let data = self.folder.path().join("data");
        let key = STANDARD.decode(std::fs::read_to_string(data.join("keys/sealing.key")).unwrap().trim()).unwrap();
        let keyring = Keyring::new(&key.try_into().unwrap());
        Store::open(&format!("sqlite:{}", data.join("vantail.db").display()), &keyring, Open::AsIs).await.unwrap()
    }
}

impl Running {
    async fn answers(&self, log: &Path) {
        let end = Instant::now() + crate::client::PATIENCE;
        while tokio::net::TcpStream::connect(self.address).await.is_err() {
            assert!(!self.is_over() && Instant::now() < end, "{}", std::fs::read_to_string(log).unwrap_or_default());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn is_over(&self) -> bool {
        self.child.lock().unwrap().try_wait().unwrap().is_some()
    }

    /// Waits until the armed point has ended it.
    pub async fn ended(&mut self, point: &str) {
        let end = Instant::now() + crate::client::PATIENCE;
        while !self.is_over() {
            assert!(Instant::now() < end, "{point} was never reached");
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
        let end = Instant::now() + crate::client::PATIENCE;
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

fn configuration(address: SocketAddr, sms: SocketAddr) -> String {
    format!(
        r#"
[listen]
http = ["{address}"]
[portal]
url = "http://localhost:{port}"
[store]
database = "sqlite:data/vantail.db"
[keys]
directory = "data/keys"
[sms]
provider = "http"
url = "http://{sms}/send"
method = "POST"
headers = {{ Content-Type = "application/json" }}
body = '{{"to":"${{to}}","text":"${{text}}"}}'
[policies]
directory = "policies"
"#,
        port = address.port()
    )
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
