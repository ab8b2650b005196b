//! A folder with a configuration, and the real program run on it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::files::{Configuration, write};
pub(crate) use crate::ports::free_address;

const PROGRAM: &str = env!("CARGO_BIN_EXE_vantail");
const PASSWORD: &str = "seven swans by the lock gate";
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Installation(TempDir);

/// `vantail serve`, ended when dropped.
pub(crate) struct Serving {
    child: Child,
    address: SocketAddr,
}

impl Installation {
    pub(crate) fn new() -> Self {
        let here = Self(tempfile::tempdir().unwrap());
        here.configure(free_address(), "");
        here.write("policies/networks.toml", "");
        here.write("policies/security.toml", "[second_factor]\nrequired = []\n");
        here.write(
            "policies/sites/gw.toml",
            "name = \"gw\"\nhosts = [\"localhost\"]\nbackends = [\"http://127.0.0.1:1\"]\n[[rule]]\nname = \"everything\"\npaths = [\"/**\"]\naccess = \"signed-in\"\n",
        );
        here
    }

    pub(crate) fn with_a_user() -> Self {
        let here = Self::new();
        here.ok(&["user", "add", "root", "--email", "root@gw.test", "--name", "Root", "--right", "administrator"]);
        here
    }

    pub(crate) fn configure(&self, address: SocketAddr, more: &str) {
        self.write("vantail.toml", &format!("{}{more}", Configuration::on(address).text()));
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        write(self.0.path(), name, text);
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.started_by(Command::new(PROGRAM), arguments)
    }

    fn started_by(&self, mut command: Command, arguments: &[&str]) -> Command {
        command.args(arguments).current_dir(self.0.path());
        if !arguments.contains(&"--config") {
            command.arg("--config").arg(self.file("vantail.toml"));
        }
        command
    }

    /// Runs it to its end, which must not be long in coming: `timeout` ends what would serve instead of failing.
    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut bounded = Command::new("timeout");
        bounded.args(["60", PROGRAM]);
        let mut child = self
            .started_by(bounded, arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that reads nothing may be gone before it is told.
        let _ = writeln!(child.stdin.take().unwrap(), "{input}");
        child.wait_with_output().unwrap()
    }

    pub(crate) fn ok_with_input(&self, arguments: &[&str], input: &str) -> String {
        let output = self.run(arguments, input);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        self.ok_with_input(arguments, PASSWORD)
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let arguments: Vec<_> = arguments.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.ok(&arguments)).unwrap()
    }

    /// What it says on standard error, and that it says something.
    pub(crate) fn fails(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments, PASSWORD);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {said}{}",
            String::from_utf8_lossy(&output.stdout)
        );
        assert!(!said.trim().is_empty() && !said.contains("panicked"), "{arguments:?}: {said}");
        said
    }

    /// Where it listens, or would.
    pub(crate) fn address(&self) -> SocketAddr {
        let text = std::fs::read_to_string(self.file("vantail.toml")).unwrap();
        let line = text.lines().find(|line| line.starts_with("http = ")).unwrap();
        line.split('"').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn serve(&self) -> Serving {
        self.serve_by(self.command(&["serve"]).stdout(Stdio::null()))
    }

    /// The same, by a command of the test's own.
    pub(crate) fn serve_by(&self, command: &mut Command) -> Serving {
        let address = self.address();
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let end = Instant::now() + PATIENCE;
        // Its port is bound before it serves: only an answer says that it does.
        while !answers(address) {
            assert!(child.try_wait().unwrap().is_none() && Instant::now() < end, "it does not serve");
            std::thread::sleep(Duration::from_millis(10));
        }
        Serving { child, address }
    }
}

fn answers(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let asked = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    asked.is_ok() && stream.read(&mut [0; 1]).is_ok_and(|read| read > 0)
}

impl Serving {
    fn exchange(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Sends so much and no more, and waits until the gateway gives up.
    pub(crate) fn breaks_off_after(&self, begun: &str) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(begun.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    }

    /// Signs in by the form; the session cookie.
    pub(crate) fn sign_in(&self, name: &str) -> String {
        self.sign_in_with(name, "")
    }

    /// The same with the box ticked by which the browser is remembered.
    pub(crate) fn sign_in_remembered(&self, name: &str) -> String {
        self.sign_in_with(name, "&remember=yes")
    }

    fn sign_in_with(&self, name: &str, more: &str) -> String {
        let page = self.exchange(
            "GET /secure/login HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Mode: navigate\r\nConnection: close\r\n\r\n",
        );
        let csrf = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let cookie = cookies(&page).join("; ");
        let form = format!("csrf={csrf}&username={name}{more}&password={}", PASSWORD.replace(' ', "+"));
        let answer = self.exchange(&format!(
            "POST /secure/login HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{form}",
            form.len()
        ));
        cookies(&answer).into_iter().find(|cookie| cookie.starts_with("vantail=")).unwrap_or_else(|| panic!("{answer}"))
    }

    /// Posts an empty form, as a page of the site does; where the answer leads.
    pub(crate) fn post(&self, target: &str, cookie: &str) -> String {
        let answer = self.exchange(&format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ));
        let header =
            answer.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("location: ").map(str::to_owned));
        header.unwrap_or_else(|| panic!("{answer}"))
    }

    /// An answer as it came.
    pub(crate) fn page(&self, target: &str, cookie: &str) -> String {
        self.exchange(&format!(
            "GET {target} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
        ))
    }

    pub(crate) fn status(&self, target: &str, cookie: &str) -> u16 {
        self.page(target, cookie).split(' ').nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cookies(answer: &str) -> Vec<String> {
    let headers = answer.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(": "));
    let set = headers.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
    set.map(|(_, value)| value.split(';').next().unwrap().to_owned()).collect()
}
