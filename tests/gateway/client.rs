//! A browser or a program, down to the bytes: one connection per request, cookies kept, nothing tidied, no redirect followed.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// How long an answer may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Somebody who sends requests to the gateway.
#[derive(Debug)]
pub struct Client {
    gateway: SocketAddr,
    source: IpAddr,
    host: String,
    headers: Vec<(String, String)>,
    jar: Mutex<BTreeMap<String, String>>,
    /// The gateway may be gone: then an answer is status 0, not a failed test.
    may_be_gone: bool,
}

/// An answer, as it came.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

// === impl Client ===

impl Client {
    pub fn new(gateway: SocketAddr) -> Self {
        Self {
            gateway,
            source: IpAddr::V4(Ipv4Addr::LOCALHOST),
            host: "gw.test".to_owned(),
            headers: vec![],
            jar: Mutex::default(),
            may_be_gone: false,
        }
    }

    /// Comes from another loopback address: outside every network the policy of the world names.
    pub fn coming_from(mut self, source: IpAddr) -> Self {
        self.source = source;
        self
    }

    /// The gateway may be killed at any moment.
    pub fn of_one_that_may_be_gone(mut self) -> Self {
        self.may_be_gone = true;
        self
    }

    /// Asks for another host.
    pub fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// Sends a header with every request.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As a browser navigates.
    pub fn browser(self) -> Self {
        self.with("Accept", "text/html,application/xhtml+xml")
            .with("Sec-Fetch-Mode", "navigate")
            .with("Sec-Fetch-Dest", "document")
            .with("Sec-Fetch-Site", "same-origin")
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar.lock().unwrap().get(name).cloned()
    }

    pub fn set_cookie(&self, name: &str, value: &str) {
        self.jar.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    pub fn cookies(&self) -> BTreeMap<String, String> {
        self.jar.lock().unwrap().clone()
    }

    /// The same person in the same browser, on a second connection.
    pub fn twin(&self) -> Self {
        Self {
            gateway: self.gateway,
            source: self.source,
            host: self.host.clone(),
            headers: self.headers.clone(),
            jar: Mutex::new(self.cookies()),
            may_be_gone: self.may_be_gone,
        }
    }

    pub async fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[], b"").await
    }

    pub async fn post_form(&self, target: &str, fields: &[(&str, &str)]) -> Answer {
        let body = serde_urlencoded::to_string(fields).unwrap();
        self.send("POST", target, &[("Content-Type", "application/x-www-form-urlencoded")], body.as_bytes()).await
    }

    pub async fn post_json(&self, target: &str, body: &str) -> Answer {
        self.send("POST", target, &[("Content-Type", "application/json")], body.as_bytes()).await
    }

    /// Reads the form at `page` and posts it to `action` with its anti-forgery value, as a program would.
    pub async fn fill(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
        let shown = self.get(page).await;
        assert_eq!(shown.status, 200, "{page}: {}", shown.text());
        let csrf = shown.field("csrf");
        let return_to = shown.hidden("return_to");
        let mut all = vec![("csrf", csrf.as_str())];
        if let Some(return_to) = return_to.as_deref() {
            all.push(("return_to", return_to));
        }
        all.extend_from_slice(fields);
        self.post_form(action, &all).await
    }

    pub async fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.host);
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain(headers.iter().copied()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let cookies = self.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        if !cookies.is_empty() {
            head.push_str(&format!("Cookie: {}\r\n", cookies.join("; ")));
        }
        if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        let answer = self.raw(&bytes).await;
        self.keep_cookies(&answer);
        answer
    }

    /// Sends `bytes` as they are on a fresh connection and reads one answer to its end.
    pub async fn raw(&self, bytes: &[u8]) -> Answer {
        let work = async {
            let mut stream = match self.try_connect().await {
                Ok(stream) => stream,
                Err(_) if self.may_be_gone => return Answer::parse(b""),
                Err(error) => panic!("{}: {error}", self.gateway),
            };
            // A gateway that refuses early may close before it has read all: the answer still counts.
            let _ = stream.write_all(bytes).await;
            let mut all = Vec::new();
            let mut buffer = vec![0; 16 * 1024];
            loop {
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(read) => all.extend_from_slice(&buffer[..read]),
                }
                if Answer::is_whole(&all) {
                    break;
                }
            }
            Answer::parse(&all)
        };
        tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| {
            panic!("no answer within {PATIENCE:?} to {}", String::from_utf8_lossy(&bytes[..bytes.len().min(200)]))
        })
    }

    pub async fn connect(&self) -> TcpStream {
        self.try_connect().await.unwrap()
    }

    async fn try_connect(&self) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(self.source, 0))?;
        socket.connect(self.gateway).await
    }

    fn keep_cookies(&self, answer: &Answer) {
        let mut jar = self.jar.lock().unwrap();
        for set in answer.all("set-cookie") {
            let (pair, attributes) = set.split_once(';').unwrap_or((set, ""));
            let (name, value) = pair.split_once('=').unwrap();
            if value.is_empty() || attributes.to_ascii_lowercase().contains("max-age=0") {
                jar.remove(name.trim());
            } else {
                jar.insert(name.trim().to_owned(), value.to_owned());
            }
        }
    }
}

// === impl Answer ===

impl Answer {
    /// Whether `bytes` hold a whole answer already (a final head, and a body of the length it says).
    fn is_whole(bytes: &[u8]) -> bool {
        let Some((status, headers, rest)) = split(bytes) else { return false };
        if status < 200 {
            return status == 101;
        }
        let header =
            |name: &str| headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        if let Some(length) = header("content-length").and_then(|value| value.parse::<usize>().ok()) {
            return rest.len() >= length;
        }
        if header("transfer-encoding").is_some() {
            return rest.ends_with(b"0\r\n\r\n");
        }
        status == 204 || status == 304
    }

    /// Reads an answer; a connection closed without a word is status 0.
    pub fn parse(bytes: &[u8]) -> Self {
        let Some((status, headers, rest)) = split(bytes) else {
            return Self { status: 0, headers: vec![], body: bytes.to_vec() };
        };
        if (100..200).contains(&status) && status != 101 {
            return Self::parse(rest);
        }
        let chunked = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding"));
        let body = if chunked { unchunk(rest) } else { rest.to_vec() };
        Self { status, headers, body }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        let own = self.headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        own.map(|(_, value)| value.as_str()).collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn location(&self) -> &str {
        self.header("location").unwrap_or_else(|| panic!("no Location: {} {}", self.status, self.text()))
    }

    /// The value of the form's hidden or shown field `name`; it must be there.
    pub fn field(&self, name: &str) -> String {
        self.hidden(name).unwrap_or_else(|| panic!("no field {name:?} on: {} {}", self.status, self.text()))
    }

    pub fn hidden(&self, name: &str) -> Option<String> {
        let text = self.text();
        let tag = text.split('<').find(|tag| tag.starts_with("input") && tag.contains(&format!("name=\"{name}\"")))?;
        let value = tag.split_once("value=\"")?.1.split_once('"')?.0;
        Some(value.replace("&#38;", "&").replace("&amp;", "&").replace("&#x2F;", "/").replace("&#47;", "/"))
    }

    /// Sends the person to sign in, or tells a program to: what a request without a session gets.
    pub fn asks_for_sign_in(&self) -> bool {
        self.status == 401 || (self.status == 303 && self.location().contains("/secure/login"))
    }

    /// Any answer of the gateway that is not the backend's: a refusal, a sign-in, a hold.
    pub fn is_not_forwarded(&self) -> bool {
        self.status == 0 || self.asks_for_sign_in() || (400..600).contains(&self.status)
    }
}

/// Status, headers, and what follows the head.
type Split<'a> = (u16, Vec<(String, String)>, &'a [u8]);

fn split(bytes: &[u8]) -> Option<Split<'_>> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    Some((status, headers, &bytes[end + 4..]))
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line) = rest.windows(2).position(|window| window == b"\r\n") {
        let Ok(length) = usize::from_str_radix(String::from_utf8_lossy(&rest[..line]).trim(), 16) else { break };
        if length == 0 || rest.len() < line + 2 + length {
            break;
        }
        body.extend_from_slice(&rest[line + 2..line + 2 + length]);
        rest = rest.get(line + 2 + length + 2..).unwrap_or_default();
    }
    body
}
