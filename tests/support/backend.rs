//! The backend B of the attack cases: keeps every byte it receives, counts, and misbehaves as it is told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use super::received::Received;
use super::{ANY_PORT, soon};

/// A running backend. It stops, and cuts its connections, when this is dropped.
pub struct Backend {
    addr: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinSet<()>,
}

/// How requests are answered.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// As an HTTP server would.
    Normal(Reply),
    /// The same, after this long.
    Slow(Duration, Reply),
    /// Reads the request, then closes without a word.
    CloseAfterReading,
    /// Says half of a reply, then closes.
    HalfAnswer(Reply),
    /// Reads the request, then resets the connection.
    Reset,
    /// Reads the request and never answers.
    Hang,
    /// Announces a longer body than it sends, then closes.
    WrongLength(Reply),
    /// Says exactly these bytes, then closes.
    Bytes(Vec<u8>),
    /// Says exactly these bytes, then says back whatever it is sent.
    Echo(Vec<u8>),
}

/// A well-formed answer. Its length is added.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The content.
    pub body: Vec<u8>,
}

struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

struct State {
    behaviour: Behaviour,
    /// Every byte, per connection.
    bytes: Vec<Vec<u8>>,
    requests: Vec<Received>,
}

/// What is left of a connection after an answer.
#[derive(PartialEq, Eq)]
enum Then {
    KeepAlive,
    Close,
}

// === impl Backend ===

impl Backend {
    /// Starts one that answers `200` with `ok`.
    pub async fn start() -> Self {
        Self::start_on(ANY_PORT).await
    }

    /// Starts one at `addr`: to come back where another was.
    pub async fn start_on(addr: SocketAddr) -> Self {
        let listener = TcpListener::bind(addr).await.expect("a free port");
        let addr = listener.local_addr().expect("a bound listener has an address");
        let behaviour = Behaviour::Normal(Reply::ok("ok"));
        let state = Mutex::new(State { behaviour, bytes: Vec::new(), requests: Vec::new() });
        let shared = Arc::new(Shared { state, changed: watch::Sender::new(()) });
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, Arc::clone(&shared)));
        Self { addr, shared, serving }
    }

    /// Stops listening and cuts every connection: from now on it refuses.
    pub async fn stop(mut self) {
        self.serving.shutdown().await;
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// As a site's `backends` name it.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Answers so from now on.
    pub fn answer_with(&self, behaviour: Behaviour) {
        self.shared.with(|state| state.behaviour = behaviour);
    }

    /// Every request whose head came, in order of arrival; the unfinished ones last.
    pub fn requests(&self) -> Vec<Received> {
        self.shared.with(|state| {
            let finished: Vec<_> = state.requests.clone();
            finished.into_iter().chain(state.unfinished()).collect()
        })
    }

    /// How many requests came, whole or not.
    pub fn count(&self) -> usize {
        self.requests().len()
    }

    /// The last request; there must be one.
    pub fn last(&self) -> Received {
        self.requests().pop().expect("the backend received a request")
    }

    /// Every byte received, per connection.
    pub fn bytes(&self) -> Vec<Vec<u8>> {
        self.shared.with(|state| state.bytes.clone())
    }

    /// Waits until `count` requests came.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        let mut changes = self.shared.changed.subscribe();
        soon("waiting for a request at the backend", async {
            loop {
                changes.mark_unchanged();
                let requests = self.requests();
                if requests.len() >= count {
                    return requests;
                }
                changes.changed().await.expect("the backend holds the sender");
            }
        })
        .await
    }
}

// === impl Reply ===

impl Reply {
    /// `200` with this text.
    pub fn ok(body: &str) -> Self {
        Self::new(200, body)
    }

    /// A status with this text.
    pub fn new(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    /// The same with one more header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// On the wire, announcing `length` bytes.
    fn bytes(&self, method: &str, length: usize) -> Vec<u8> {
        let lines: Vec<_> = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let fields = lines.concat();
        let head = format!("HTTP/1.1 {} Said\r\n{fields}Content-Length: {length}\r\n\r\n", self.status);
        let mut bytes = head.into_bytes();
        if method != "HEAD" {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

// === impl Shared ===

impl Shared {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().expect("no holder of this lock panics"))
    }

    fn open(&self) -> usize {
        self.with(|state| {
            state.bytes.push(Vec::new());
            state.bytes.len() - 1
        })
    }

    fn record(&self, connection: usize, bytes: &[u8]) {
        self.with(|state| state.bytes[connection].extend_from_slice(bytes));
        self.changed.send_replace(());
    }

    /// Files the next whole request of `connection`, with how to answer it.
    fn next_whole(&self, connection: usize) -> Option<(Received, Behaviour)> {
        self.with(|state| {
            let (request, _) = state.next(connection).filter(|(request, _)| request.complete)?;
            state.requests.push(request.clone());
            Some((request, state.behaviour.clone()))
        })
    }
}

// === impl State ===

impl State {
    /// What follows the requests filed already.
    fn next(&self, connection: usize) -> Option<(Received, usize)> {
        let filed = self.requests.iter().filter(|request| request.connection == connection);
        let begin: usize = filed.map(|request| request.raw.len()).sum();
        Received::read(connection, &self.bytes[connection][begin..])
    }

    fn unfinished(&self) -> Vec<Received> {
        (0..self.bytes.len()).filter_map(|connection| Some(self.next(connection)?.0)).collect()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(serve(stream, Arc::clone(&shared)));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let connection = shared.open();
    while read_some(&mut stream, &shared, connection).await {
        while let Some((request, behaviour)) = shared.next_whole(connection) {
            // A gateway that hung up meanwhile is not this backend's concern.
            let then = answer(&mut stream, &request.method, behaviour, (&shared, connection)).await;
            if !matches!(then, Ok(Then::KeepAlive)) {
                return;
            }
        }
    }
}

/// Whether anything came.
async fn read_some(stream: &mut TcpStream, shared: &Shared, connection: usize) -> bool {
    let mut buffer = vec![0; 64 * 1024];
    match stream.read(&mut buffer).await {
        Ok(0) | Err(_) => false,
        Ok(length) => {
            shared.record(connection, &buffer[..length]);
            true
        }
    }
}

async fn answer(
    stream: &mut TcpStream,
    method: &str,
    behaviour: Behaviour,
    (shared, connection): (&Shared, usize),
) -> std::io::Result<Then> {
    match behaviour {
        Behaviour::Normal(reply) => return say(stream, method, &reply).await,
        Behaviour::Slow(delay, reply) => {
            tokio::time::sleep(delay).await;
            return say(stream, method, &reply).await;
        }
        Behaviour::CloseAfterReading => {}
        Behaviour::HalfAnswer(reply) => {
            let bytes = reply.bytes(method, reply.body.len());
            stream.write_all(&bytes[..bytes.len() / 2]).await?;
        }
        Behaviour::Reset => stream.set_zero_linger()?,
        Behaviour::Hang => while read_some(stream, shared, connection).await {},
        Behaviour::WrongLength(reply) => stream.write_all(&reply.bytes(method, reply.body.len() + 100)).await?,
        Behaviour::Bytes(bytes) => stream.write_all(&bytes).await?,
        Behaviour::Echo(bytes) => {
            stream.write_all(&bytes).await?;
            echo(stream).await?;
        }
    }
    Ok(Then::Close)
}

async fn say(stream: &mut TcpStream, method: &str, reply: &Reply) -> std::io::Result<Then> {
    stream.write_all(&reply.bytes(method, reply.body.len())).await?;
    Ok(Then::KeepAlive)
}

async fn echo(stream: &mut TcpStream) -> std::io::Result<()> {
    let (mut from, mut to) = stream.split();
    tokio::io::copy(&mut from, &mut to).await.map(drop)
}
