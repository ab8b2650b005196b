//! The load: the same browser-like request to every target, over connections that are kept.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Output};
use std::time::Duration;

use crate::targets::Kind;

/// Connections that ask at the same time.
pub(crate) const CONNECTIONS: usize = 64;
/// What the backend answers: 1 KiB.
pub(crate) const BODY: &str = match str::from_utf8(&[b'x'; 1024]) {
    Ok(text) => text,
    Err(_) => "",
};
/// Who is signed in while the gateway is measured.
pub(crate) const USER: (&str, &str) = ("alice", "a quiet morning by the lock");

/// Headers as a browser sends them, beside Host and Cookie.
const BROWSER: [(&str, &str); 6] = [
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "fr,fr-FR;q=0.8,en-US;q=0.5,en;q=0.3"),
    ("Accept-Encoding", "gzip, deflate, br"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Upgrade-Insecure-Requests", "1"),
];

/// A run of wrk, on core 1.
#[derive(Debug)]
pub(crate) struct Wrk(Vec<String>);

/// A kept connection that asks for the same again and again.
#[derive(Debug)]
pub(crate) struct Client {
    reader: BufReader<TcpStream>,
    request: Vec<u8>,
}

/// As many as ask at the same time.
#[derive(Debug)]
pub(crate) struct Clients(Vec<Client>);

/// What a client sends as its cookie: the session where one is needed, else an application's own of the same length.
pub(crate) fn cookie(kind: Kind, address: SocketAddr) -> io::Result<String> {
    match kind {
        Kind::SignedIn => sign_in(address),
        Kind::Bare | Kind::Open | Kind::Nginx | Kind::NginxAuthRequest => Ok(format!("visitor=vs_{}", "x".repeat(43))),
    }
}

/// The target gives the backend's answer, and the signed-in route gives it to nobody else.
pub(crate) fn answers_as_the_backend_does(address: SocketAddr, kind: Kind) -> io::Result<()> {
    let mut client = Client::connect(address, kind.path(), &cookie(kind, address)?)?;
    for _ in 0..2 {
        client.ask()?;
        client.hear()?;
    }
    if kind == Kind::SignedIn {
        let mut stranger = Client::connect(address, kind.path(), "nobody=known")?;
        stranger.ask()?;
        if stranger.hear().is_ok() {
            return Err(io::Error::other("the signed-in route answers a stranger"));
        }
    }
    Ok(())
}

/// A run of wrk for `seconds`.
pub(crate) fn wrk(address: SocketAddr, path: &str, cookie: &str, seconds: u32) -> Wrk {
    let mut words = vec!["-c".to_owned(), "1".to_owned(), "wrk".to_owned(), "-t1".to_owned()];
    words.extend([format!("-c{CONNECTIONS}"), format!("-d{seconds}s")]);
    for (name, value) in [("Host", "localhost"), ("Cookie", cookie)].iter().chain(&BROWSER) {
        words.extend(["-H".to_owned(), format!("{name}: {value}")]);
    }
    words.push(format!("http://{address}{path}"));
    Wrk(words)
}

// === impl Wrk ===

impl Wrk {
    /// How many requests were answered.
    pub(crate) fn run(self) -> io::Result<f64> {
        Self::requests(&Command::new("taskset").args(self.0).output()?)
    }

    /// Runs as the command of `tool`.
    pub(crate) fn under(self, mut tool: Command) -> io::Result<Output> {
        tool.arg("taskset").args(self.0).output()
    }

    /// How many requests were answered, all of them well.
    pub(crate) fn requests(output: &Output) -> io::Result<f64> {
        let text = String::from_utf8_lossy(&output.stdout);
        if text.contains("Non-2xx") || text.contains("Socket errors") {
            return Err(io::Error::other(format!("not every request was answered with 200:\n{text}")));
        }
        text.lines()
            .find_map(|line| line.trim().split_once(" requests in ").and_then(|(count, _)| count.parse().ok()))
            .filter(|count| *count > 0.0)
            .ok_or_else(|| io::Error::other(format!("wrk said:\n{text}")))
    }
}

// === impl Clients ===

impl Clients {
    pub(crate) fn connect(address: SocketAddr, path: &str, cookie: &str) -> io::Result<Self> {
        (0..CONNECTIONS).map(|_| Client::connect(address, path, cookie)).collect::<io::Result<_>>().map(Self)
    }

    /// One request on every connection, all at once.
    pub(crate) fn all_ask(&mut self) -> io::Result<()> {
        self.0.iter_mut().try_for_each(Client::ask)?;
        self.0.iter_mut().try_for_each(Client::hear)
    }
}

// === impl Client ===

impl Client {
    pub(crate) fn connect(address: SocketAddr, path: &str, cookie: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        stream.set_nodelay(true)?;
        let mut request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n");
        for (name, value) in BROWSER {
            request.extend([name, ": ", value, "\r\n"]);
        }
        request.push_str("\r\n");
        Ok(Self { reader: BufReader::new(stream), request: request.into_bytes() })
    }

    pub(crate) fn ask(&mut self) -> io::Result<()> {
        self.reader.get_mut().write_all(&self.request)
    }

    /// The answer must be the backend's, byte for byte.
    pub(crate) fn hear(&mut self) -> io::Result<()> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.reader.read_line(&mut head)? == 0 {
                return Err(unexpected("an answer that breaks off", &head));
            }
        }
        if !head.starts_with("HTTP/1.1 200") || !head.to_ascii_lowercase().contains("content-length: 1024\r\n") {
            return Err(unexpected("an answer", &head));
        }
        let mut body = [0; BODY.len()];
        self.reader.read_exact(&mut body)?;
        if body == *BODY.as_bytes() { Ok(()) } else { Err(unexpected("a body", &head)) }
    }
}

// === signing in ===

/// Signs in at the gateway; the session cookie, `name=value`.
fn sign_in(address: SocketAddr) -> io::Result<String> {
    let page = exchange(
        address,
        "GET /secure/login HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Mode: navigate\r\nConnection: close\r\n\r\n",
    )?;
    let csrf = between(&page, "name=\"csrf\" value=\"", "\"").ok_or_else(|| unexpected("the login page", &page))?;
    let cookies = cookies(&page).collect::<Vec<_>>().join("; ");
    let form = format!("csrf={csrf}&username={}&password={}", USER.0, USER.1.replace(' ', "+"));
    let answer = exchange(
        address,
        &format!(
            "POST /secure/login HTTP/1.1\r\nHost: localhost\r\nCookie: {cookies}\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{form}",
            form.len()
        ),
    )?;
    let session = cookies_named(&answer, "vantail=");
    session.ok_or_else(|| unexpected("the answer to the sign-in", &answer))
}

fn exchange(address: SocketAddr, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn cookies(answer: &str) -> impl Iterator<Item = &str> {
    answer
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")))
        .filter_map(|(_, value)| value.split(';').next())
}

fn cookies_named(answer: &str, name: &str) -> Option<String> {
    cookies(answer).find(|cookie| cookie.starts_with(name)).map(str::to_owned)
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.split_once(start)?.1.split_once(end).map(|(inside, _)| inside)
}

fn unexpected(what: &str, text: &str) -> io::Error {
    io::Error::other(format!("{what} is not what was expected:\n{}", text.chars().take(600).collect::<String>()))
}
