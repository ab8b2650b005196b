//! A connection from a client: its facts, and its deadlines while no request is at hand.
//!
//! * A **wire** is what pingora reads and writes: plain TCP or TLS, buffered on the way out.
//! * A **stage** says what the wire waits for: the rest of a *head*, the next request (*idle*), or nothing of its own
//!   (*busy*: a request is at hand, and its own deadlines hold).
//!
//! pingora's deadlines start anew with every byte, so a client that sends one byte every two seconds would never meet
//! one. The wire counts from the head's first byte instead, and cuts what grows beyond any head we would accept.

use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use pingora::http::ResponseHeader;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest, UniqueID,
    UniqueIDType,
};
use pingora_rustls::ServerTlsStream;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::Deadlines;
use super::buffered::Buffered;
use super::live::Line;

/// What is known of a connection, shared by its wire and its requests.
#[derive(Debug)]
pub(super) struct Connection {
    /// Who is at the other end, as a PROXY protocol header said it where one is expected.
    pub peer: SocketAddr,
    /// Whether TLS is spoken here.
    pub tls: bool,
    /// Whether HTTP/2 was chosen.
    pub h2: bool,
    /// Where its requests go, on HTTP/1.1.
    pub line: Arc<Line>,
    busy: AtomicBool,
}

/// The bytes of a connection.
#[derive(Debug)]
pub(super) enum Transport {
    /// TCP.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<ServerTlsStream<TcpStream>>),
}

/// What pingora reads and writes.
#[derive(Debug)]
pub(super) struct Wire {
    io: Buffered<Transport>,
    fd: i32,
    connection: Arc<Connection>,
    digest: Arc<ProxyDigest>,
    deadlines: Deadlines,
    stage: Stage,
    deadline: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    head_bytes: usize,
    /// Runs while the client takes nothing of what is to be written.
    stalled: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Busy,
    Idle,
    Head,
}

/// For the end of a connection to be told.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Twice the longest head we accept: up to there the refusal is a page, beyond it a bare status.
const LONGEST_HEAD: usize = 128 * 1024;
const HEAD_TOO_LONG: &[u8] =
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

// === impl Connection ===

impl Connection {
    pub fn new(peer: SocketAddr, tls: bool, h2: bool) -> Self {
        Self { peer, tls, h2, line: Arc::default(), busy: AtomicBool::new(false) }
    }

    /// A request is at hand: its own deadlines hold.
    pub fn begin_request(&self) {
        self.busy.store(true, Ordering::Relaxed);
    }

    /// The request is over. On HTTP/2 others may go on, and pingora's own idle deadline ends the connection.
    pub fn end_request(&self) {
        if !self.h2 {
            self.busy.store(false, Ordering::Relaxed);
        }
    }
}

// === impl Wire ===

impl Wire {
    pub fn new(transport: Transport, connection: Connection, deadlines: Deadlines) -> io::Result<Self> {
        let connection = Arc::new(connection);
        // pingora carries no data of ours with a connection but here.
        let response = ResponseHeader::build(200, Some(0)).map_err(|error| io::Error::other(error.to_string()))?;
        let digest = Arc::new(ProxyDigest::new(Box::new(response), Some(Box::new(Arc::clone(&connection)))));
        Ok(Self {
            fd: transport.fd(),
            io: Buffered::new(transport),
            connection,
            digest,
            deadlines,
            stage: Stage::Head,
            deadline: Instant::now() + deadlines.head,
            timer: None,
            head_bytes: 0,
            stalled: None,
        })
    }

    /// Whether HTTP/2 is spoken on it.
    pub fn is_h2(&self) -> bool {
        self.connection.h2
    }

    /// Where its requests go, on HTTP/1.1.
    pub fn line(&self) -> &Arc<Line> {
        &self.connection.line
    }

    /// The connection a request came on.
    pub fn connection_of(digest: &ProxyDigest) -> Option<&Arc<Connection>> {
        digest.user_data.as_ref()?.downcast_ref::<Arc<Connection>>()
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.deadline = Instant::now()
            + match stage {
                Stage::Idle => self.deadlines.keep_alive,
                Stage::Busy | Stage::Head => self.deadlines.head,
            };
        self.head_bytes = 0;
    }

    /// Counts what came of a head; an error when it is longer than any we would accept.
    fn count(&mut self, bytes: usize, cx: &mut Context<'_>) -> io::Result<()> {
        if self.stage == Stage::Idle && bytes > 0 {
            self.enter(Stage::Head);
        }
        self.head_bytes += bytes;
        if self.head_bytes <= LONGEST_HEAD || self.connection.h2 {
            return Ok(());
        }
        // As much of an answer as can be given at once; the connection ends either way.
        let _ = Pin::new(&mut self.io).poll_write(cx, HEAD_TOO_LONG);
        let _ = Pin::new(&mut self.io).poll_flush(cx);
        Err(io::Error::new(io::ErrorKind::InvalidData, "the request's head is too long"))
    }

    /// Waits for the deadline of the stage. The timer is kept across requests and only ever moved closer, so that a busy
    /// connection does not touch the timer wheel.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let deadline = self.deadline;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        ready!(timer.as_mut().poll(cx));
        while Instant::now() < deadline {
            timer.as_mut().reset(deadline);
            ready!(timer.as_mut().poll(cx));
        }
        match self.stage {
            // As if the client had closed: nothing was asked.
            Stage::Idle => Poll::Ready(Ok(())),
            Stage::Busy | Stage::Head => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
        }
    }
}

impl Wire {
    /// What writing came to; an error when the client has taken nothing for too long.
    fn unless_stalled<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let bound = self.deadlines.write;
        let timer = self.stalled.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + bound)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.connection.line.is_cut() {
            // What the client has not taken by now, it does not get: without this it would be sent on for as long as it takes.
            let _ = self.io.inner().tcp().set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.connection.busy.load(Ordering::Relaxed) {
            this.stage = Stage::Busy;
            return Pin::new(&mut this.io).poll_read(cx, buf);
        }
        if this.stage == Stage::Busy {
            this.enter(Stage::Idle);
        }
        let before = buf.filled().len();
        match Pin::new(&mut this.io).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => Poll::Ready(this.count(buf.filled().len() - before, cx)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => this.poll_deadline(cx),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(cx, buf);
        this.unless_stalled(written, cx)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.io).poll_flush(cx);
        this.unless_stalled(flushed, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.io).poll_shutdown(cx);
        this.unless_stalled(shut, cx)
    }
}

#[async_trait]
impl Shutdown for Wire {
    async fn shutdown(&mut self) {
        // A client that does not take the end of its connection is cut when the wire is dropped.
        let _ = timeout(LAST_WORDS, self.io.shutdown()).await;
    }
}

impl UniqueID for Wire {
    fn id(&self) -> UniqueIDType {
        self.fd
    }
}

impl Ssl for Wire {
    fn selected_alpn_proto(&self) -> Option<ALPN> {
        Some(if self.connection.h2 { ALPN::H2 } else { ALPN::H1 })
    }
}

impl GetTimingDigest for Wire {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for Wire {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        Some(Arc::clone(&self.digest))
    }
}

impl GetSocketDigest for Wire {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        None
    }
}

impl Peek for Wire {}

// === impl Transport ===

impl Transport {
    fn fd(&self) -> i32 {
        self.tcp().as_raw_fd()
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
