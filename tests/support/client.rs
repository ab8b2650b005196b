//! A browser or a program, down to the bytes: one connection per request, cookies kept, nothing tidied, no redirect followed.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Barrier;

use super::answer::Answer;
use super::raw::Raw;

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

/// A request that lacks its last byte.
pub struct Prepared {
    connection: Raw,
    last: u8,
}

/// Completes all requests at one moment; the answers, in the same order.
pub async fn release_together(prepared: Vec<Prepared>) -> Vec<Answer> {
    let start = Arc::new(Barrier::new(prepared.len()));
    let tasks: Vec<_> = prepared
        .into_iter()
        .map(|Prepared { mut connection, last }| {
            let start = start.clone();
            tokio::spawn(async move {
                start.wait().await;
                connection.ask([last]).await.unwrap_or_default()
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.expect("an answer"));
    }
    answers
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
        let answer = self.raw(&self.request(method, target, headers, body)).await;
        self.keep_cookies(&answer);
        answer
    }

    /// A form on a connection of its own, sent but for its last byte: [`release_together`] sends that.
    pub async fn prepare_form(&self, target: &str, fields: &[(&str, &str)]) -> Prepared {
        let body = serde_urlencoded::to_string(fields).unwrap();
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        let mut bytes = self.request("POST", target, &headers, body.as_bytes());
        let last = bytes.pop().unwrap();
        let mut connection = Raw::over(self.connect().await);
        connection.send(&bytes).await;
        Prepared { connection, last }
    }

    fn request(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.host);
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain(headers.iter().copied()) {
            head.extend([name, ": ", value, "\r\n"]);
        }
        let cookies = self.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        if !cookies.is_empty() {
            head.extend(["Cookie: ", &cookies.join("; "), "\r\n"]);
        }
        if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
            head.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]);
        }
        head.push_str("\r\n");
        [head.into_bytes(), body.to_vec()].concat()
    }

    /// Sends `bytes` as they are on a fresh connection and reads one answer to its end; a connection closed before that is
    /// status 0.
    pub async fn raw(&self, bytes: &[u8]) -> Answer {
        let stream = match self.try_connect().await {
            Ok(stream) => stream,
            Err(_) if self.may_be_gone => return Answer::default(),
            Err(error) => panic!("{}: {error}", self.gateway),
        };
        let mut connection = Raw::over(stream);
        connection.send(bytes).await;
        let method = if bytes.starts_with(b"HEAD ") { "HEAD" } else { "GET" };
        connection.answer_to(method).await.unwrap_or_default()
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
