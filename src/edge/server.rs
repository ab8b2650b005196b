//! Serving: accept, greet (PROXY protocol, TLS), hand over to pingora; and stopping without losing a request.
//!
//! Connections are accepted by ourselves rather than by pingora's `Server`, so that a stranger is dropped before a byte is
//! read, every step has a deadline from accept on, and stopping waits exactly until the last request is done.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pingora::apps::{HttpServerApp, HttpServerOptions, ServerApp};
use pingora::protocols::http::v2::server::{H2Options, default_h2_options};
use pingora::proxy::http_proxy;
use pingora::server::configuration::ServerConf;
use pingora_rustls::TlsAcceptor;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::connection::{Connection, Transport, Wire};
use super::grounds::CurrentGrounds;
use super::live::{Follower, Live};
use super::operations_port::OperationsPort;
use super::stream::{Watched, unless};
use super::{Deadlines, Gateway, Listeners, Parts, address, proxy_protocol};
use crate::config::Listen;

/// What every accept loop works with. Cheap to clone.
#[derive(Clone)]
struct Door {
    proxy: Arc<Watched>,
    grounds: Arc<CurrentGrounds>,
    live: Arc<Live>,
    listen: Arc<Listen>,
    deadlines: Deadlines,
    /// True once the gateway is stopping.
    stopping: watch::Receiver<bool>,
    /// Held by every connection: when the last is gone, the gateway is drained.
    alive: mpsc::Sender<()>,
}

/// Tries of one request: the first, and others only where that is safe.
const TRIES: usize = 3;
/// When the machine has no more sockets, accepting waits for some to be closed.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(50);

/// Serves on `listeners` until `shutdown` resolves and what is in flight is done (or its time is over).
pub async fn serve(parts: Parts, listeners: Listeners, shutdown: impl Future<Output = ()> + Send) {
    let (stop, stopping) = watch::channel(false);
    let (alive, mut all_gone) = mpsc::channel(1);
    let deadlines = parts.deadlines;
    let watcher = tokio::spawn(parts.backends.clone().watch(Arc::clone(&parts.portal.policy), deadlines));
    let port =
        OperationsPort { metrics: parts.metrics.clone(), ready: Arc::clone(&parts.ready), stopping: stopping.clone() };
    let follower = Follower { sessions: parts.portal.login.sessions.clone(), policy: Arc::clone(&parts.portal.policy) };
    let door = Door::new(parts, stopping.clone(), alive);
    let proxy = Arc::clone(&door.proxy);
    let looking = tokio::spawn(Arc::clone(&door.live).look_after(follower));
    let loops = door.open(listeners, Arc::new(port));

    shutdown.await;
    tracing::info!("stopping: no new connections, waiting for requests in flight");
    for accepting in &loops.gateway {
        accepting.abort();
    }
    stop.send_replace(true);
    // Connections between two requests are closed at once.
    proxy.http_cleanup().await;
    if timeout(deadlines.drain, all_gone.recv()).await.is_err() {
        tracing::warn!("some requests were still in flight when their time was over");
    }
    watcher.abort();
    looking.abort();
    loops.operations.iter().for_each(tokio::task::JoinHandle::abort);
}

/// The accept loops.
struct Loops {
    gateway: Vec<tokio::task::JoinHandle<()>>,
    operations: Option<tokio::task::JoinHandle<()>>,
}

// === impl Door ===

impl Door {
    fn new(parts: Parts, stopping: watch::Receiver<bool>, alive: mpsc::Sender<()>) -> Self {
        let listen = Arc::new(parts.config.listen.clone());
        let deadlines = parts.deadlines;
        let gateway = Gateway::new(parts);
        let (grounds, live) = (Arc::clone(&gateway.grounds), Arc::clone(&gateway.live));
        let mut proxy = http_proxy(&Arc::new(proxy_settings()), gateway);
        proxy.server_options = Some(server_options(&deadlines));
        proxy.h2_options = Some(h2_options());
        let proxy = Arc::new(Watched::new(Arc::new(proxy), &deadlines));
        Self { proxy, grounds, live, listen, deadlines, stopping, alive }
    }

    /// Starts one accept loop per socket. The operations port holds nothing alive.
    fn open(self, listeners: Listeners, port: Arc<OperationsPort>) -> Loops {
        let (deadlines, stopping) = (self.deadlines, self.stopping.clone());
        let operations = listeners.operations.map(|listener| {
            tokio::spawn(accept(listener, move |stream, peer| {
                let (port, stopping) = (Arc::clone(&port), stopping.clone());
                async move {
                    if let Ok(wire) =
                        Wire::new(Transport::Plain(stream), Connection::new(peer, false, false), deadlines)
                    {
                        port.process_new(Box::new(wire), &stopping).await;
                    }
                }
            }))
        });
        let plain = listeners.http.into_iter().map(|listener| (listener, None));
        let tls = listeners.https.into_iter().map(|(listener, certificate)| (listener, Some(certificate.acceptor())));
        let gateway = plain.chain(tls).map(|(listener, acceptor)| self.clone().start(listener, acceptor)).collect();
        Loops { gateway, operations }
    }

    fn start(self, listener: TcpListener, acceptor: Option<TlsAcceptor>) -> tokio::task::JoinHandle<()> {
        tokio::spawn(accept(listener, move |stream, peer| {
            let (door, acceptor) = (self.clone(), acceptor.clone());
            async move {
                let _alive = &door.alive;
                match door.greet(stream, peer, acceptor).await {
                    Ok(Some(wire)) if wire.is_h2() => {
                        door.proxy.process_new(Box::new(wire), &door.stopping).await;
                    }
                    Ok(Some(wire)) => {
                        let line = Arc::clone(wire.line());
                        let handled = door.proxy.unwatched().process_new(Box::new(wire), &door.stopping);
                        unless(line.until_cut(), handled).await;
                    }
                    Ok(None) => {}
                    Err(error) => tracing::debug!(%peer, %error, "a connection that never asked"),
                }
            }
        }))
    }

    /// Everything before the first request. Nothing: the peer is none we talk to.
    async fn greet(
        &self,
        mut stream: TcpStream,
        peer: SocketAddr,
        acceptor: Option<TlsAcceptor>,
    ) -> io::Result<Option<Wire>> {
        stream.set_nodelay(true)?;
        let peer = if self.listen.proxy_protocol {
            if !address::is_trusted(peer.ip().to_canonical(), &self.listen.trusted_proxies) {
                return Ok(None);
            }
            let said = timeout(self.deadlines.proxy_header, proxy_protocol::read(&mut stream)).await??;
            said.unwrap_or(peer)
        } else {
            peer
        };
        // Of whoever was announced: that the proxy is trusted says nothing about its clients.
        let trusted = address::is_trusted(peer.ip().to_canonical(), &self.listen.trusted_proxies);
        if self.listen.drop_strangers && !trusted && self.grounds.load().is_stranger(peer.ip().to_canonical()) {
            return Ok(None);
        }
        let Some(acceptor) = acceptor else {
            return Wire::new(Transport::Plain(stream), Connection::new(peer, false, false), self.deadlines).map(Some);
        };
        let stream = timeout(self.deadlines.handshake, acceptor.accept(stream)).await??;
        let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Wire::new(Transport::Tls(Box::new(stream)), Connection::new(peer, true, h2), self.deadlines).map(Some)
    }
}

/// Accepts for ever; each connection gets a task of its own, so that a panic costs no other.
async fn accept<F, C>(listener: TcpListener, connected: F)
where
    F: Fn(TcpStream, SocketAddr) -> C,
    C: Future<Output = ()> + Send + 'static,
{
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                tokio::spawn(connected(stream, peer));
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(OUT_OF_SOCKETS).await;
            }
        }
    }
}

fn proxy_settings() -> ServerConf {
    ServerConf {
        threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        max_retries: TRIES,
        ..ServerConf::default()
    }
}

fn server_options(deadlines: &Deadlines) -> HttpServerOptions {
    let mut options = HttpServerOptions::default();
    options.h2_idle_timeout = Some(deadlines.keep_alive);
    options
}

/// pingora's bounds on header lists and streams, and ours on what resets and windows may cost (CVE-2023-44487).
fn h2_options() -> H2Options {
    let mut options = default_h2_options();
    options
        .max_pending_accept_reset_streams(20)
        .max_concurrent_reset_streams(20)
        .initial_window_size(256 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .max_send_buffer_size(256 * 1024);
    options
}
