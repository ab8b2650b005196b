//! The edge: where requests come in and go out. The only folder that names pingora.
//!
//! * A **gateway** is pingora's proxy with our path in it: each phase of pingora's is one call here, and the path itself is
//!   [`path`], on one screen.
//! * A **visit** is what is known of a request, from its first byte on; enough to refuse it.
//! * A **stop** is a refusal; one place turns it into a page or a problem document.
//! * A **permit** is what the policy gave; without one nothing is forwarded and nothing delivered.
//! * **Outgoing** is what a backend is told of who asks; every way to a backend takes it.
//!
//! Flow: [`listen`] binds, [`server`] accepts and greets, `connection` keeps the deadlines, `inbound` reads, `path` decides,
//! pingora forwards (or `judged`, `hold`, `detour`, `resume` and `bridge` answer), `access_log` and [`metrics`] tell. What
//! lasts ends with its session (`live`). [`deliver`] sends what was confirmed, by the same backends, header rules and identity.

mod access_log;
mod address;
pub mod backend;
mod body;
mod bridge;
mod buffered;
mod connection;
mod cookies;
mod deadlines;
pub mod deliver;
mod detour;
mod exchange;
mod fields;
mod forward;
mod framing;
mod grounds;
mod hold;
mod host;
mod identity;
mod inbound;
mod judged;
pub mod listen;
mod live;
pub mod metrics;
mod operations_port;
mod path;
mod proxy_protocol;
mod request_id;
mod respond;
mod resume;
mod room;
pub mod server;
mod stop;
mod stream;
#[cfg(test)]
mod testing;
pub mod tls;
mod upload;
mod usage;

pub use backend::Backends;
pub use deadlines::Deadlines;
pub use deliver::Delivery;
pub use listen::{ListenError, Listeners};
pub use metrics::Metrics;
pub use operations_port::Readiness;
pub use server::serve;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::HeaderValue;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::protocols::Digest;
use pingora::protocols::http::ServerSession;
use pingora::proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType, Result};
use tokio::sync::Semaphore;

use self::access_log::{Outcome, Record};
use self::connection::{Connection, Wire};
use self::exchange::Exchange;
use self::forward::Forward;
use self::grounds::CurrentGrounds;
use self::live::{Entered, Line, Live};
use self::request_id::RequestIds;
use self::room::Room;
use self::stop::Stop;
use self::stream::Stream;
use self::usage::Usage;
use crate::config::Config;
use crate::identity::assertion::Assertions;
use crate::portal::{self, Portal, Refused, Visit};

/// What the gateway is made of. Built by `app.rs`.
#[derive(Clone)]
pub struct Parts {
    /// The portal and, in it, sessions, operations, policy, clock and randomness.
    pub portal: Portal,
    /// `portal::router(portal)`.
    pub router: axum::Router,
    /// The configuration.
    pub config: Arc<Config>,
    /// Who signs identities.
    pub assertions: Assertions,
    /// The same that [`Delivery`] got, so that both know which backends live.
    pub backends: Backends,
    /// What is counted.
    pub metrics: Metrics,
    /// What `/readyz` says.
    pub ready: Readiness,
    /// How long anything may take.
    pub deadlines: Deadlines,
}

/// The proxy. Made by [`serve`].
pub(crate) struct Gateway {
    parts: Parts,
    grounds: Arc<CurrentGrounds>,
    exchange: Exchange,
    live: Arc<Live>,
    request_ids: RequestIds,
    /// For bodies that are held, or that a rule looks into.
    held: Arc<Room>,
    /// For the portal's forms.
    forms: Arc<Room>,
    /// Turns at storing what is held.
    storing: Semaphore,
    /// The host of `portal.url`, which may be no site's.
    portal_host: String,
}

/// What is known of one request, from head to log line.
pub(crate) struct Context {
    started: Instant,
    connection: Option<Arc<Connection>>,
    visit: Option<Visit>,
    record: Record,
    forward: Option<Forward>,
    /// On HTTP/2.
    stream: Option<Arc<Stream>>,
    /// While it is in somebody's session.
    entered: Option<Entered>,
    usage: Usage,
    /// Takes back the one-use cookie that was used up, whatever is answered.
    spent: Option<HeaderValue>,
    metrics: Metrics,
    is_told: bool,
}

/// How the path ended.
#[derive(Debug)]
enum Way {
    /// pingora forwards it, as `Context::forward` says.
    Forward,
    /// It was answered here.
    Answered,
    /// An answer broke off: the client must not take it for whole.
    Broken(Box<Error>),
}

// === impl Gateway ===

impl Gateway {
    fn new(parts: Parts) -> Self {
        let networks = parts.config.portal.networks.clone();
        let grounds = Arc::new(CurrentGrounds::new(Arc::clone(&parts.portal.policy), networks));
        let authority = parts.portal.url.split_once("://").map_or(&*parts.portal.url, |(_, rest)| rest);
        let portal_host = host::name_of(authority).to_owned();
        let (held, forms) = (Arc::default(), Arc::default());
        let storing = Semaphore::new(hold::STORED_AT_ONCE);
        let request_ids = RequestIds::new(Arc::clone(&parts.portal.random));
        let (exchange, live) = (Exchange::new(parts.deadlines), Arc::default());
        Self { parts, grounds, exchange, live, request_ids, held, forms, storing, portal_host }
    }

    /// Takes up a request: its connection is busy from now on, and every read and write has its bound.
    fn take_up(&self, session: &mut ServerSession, ctx: &mut Context) -> Result<Arc<Connection>> {
        let digest = session.digest().and_then(|digest| digest.proxy_digest.as_deref());
        let connection = digest.and_then(Wire::connection_of).cloned();
        let connection = connection
            .ok_or_else(|| Error::explain(ErrorType::InternalError, "a request on a connection that is not ours"))?;
        connection.begin_request();
        let deadlines = &self.parts.deadlines;
        session.set_read_timeout(Some(deadlines.body));
        session.set_write_timeout(Some(deadlines.write));
        session.set_total_drain_timeout(Some(deadlines.proxy_header));
        ctx.record.first_sight(session.req_header());
        ctx.visit = Some(self.first_sight(session.req_header(), &connection));
        ctx.connection = Some(Arc::clone(&connection));
        Ok(connection)
    }

    /// What goes on in the request is use of its session.
    fn used(&self, ctx: &Context) {
        if let Some(entered) = &ctx.entered {
            entered.used(|| self.parts.portal.clock.now());
        }
    }

    /// The one place where a refusal becomes an answer.
    async fn refuse(&self, session: &mut ServerSession, ctx: &mut Context, stop: Stop) -> Result<()> {
        ctx.record.refused(&stop);
        let Some(visit) = &ctx.visit else { return session.respond_error(500).await };
        if matches!(stop.told, Refused::Internal) {
            tracing::error!(request_id = %visit.request_id, because = %stop.because, "a request failed here");
        }
        if session.response_written().is_some_and(|header| !header.status.is_informational()) {
            return Err(Error::explain(ErrorType::InternalError, "an answer broke off"));
        }
        let response = portal::refusal(&self.parts.portal, visit, &stop.told);
        respond::whole(session, respond::taking_back(response, ctx.spent.take())).await
    }
}

#[async_trait]
impl ProxyHttp for Gateway {
    // Boxed: pingora moves it, within its futures, several times per request.
    type CTX = Box<Context>;

    fn new_ctx(&self) -> Box<Context> {
        Box::new(Context {
            started: Instant::now(),
            connection: None,
            visit: None,
            record: Record::default(),
            forward: None,
            stream: Stream::current(),
            entered: None,
            usage: Usage::default(),
            spent: None,
            metrics: self.parts.metrics.clone(),
            is_told: false,
        })
    }

    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn request_filter(&self, session: &mut Session, ctx: &mut Box<Context>) -> Result<bool> {
        let session = &mut *session.downstream_session;
        let connection = self.take_up(session, ctx)?;
        // A panic costs its request, not the connections and requests beside it (FLT-7).
        let walked = AssertUnwindSafe(self.walk(session, &connection, ctx)).catch_unwind().await;
        let stop = match walked {
            Ok(Ok(Way::Forward)) => {
                if let Some(stream) = ctx.stream.as_ref().filter(|_| !session.is_body_done()) {
                    stream.upload.begins();
                }
                return Ok(false);
            }
            Ok(Ok(Way::Answered)) => return Ok(true),
            Ok(Ok(Way::Broken(error))) => return Err(error),
            Ok(Err(stop)) => stop,
            Err(_panic) => Stop::internal("a panic on the request's path"),
        };
        Box::pin(self.refuse(session, ctx, stop)).await?;
        Ok(true)
    }

    async fn request_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        ctx: &mut Box<Context>,
    ) -> Result<()> {
        if let Some(stream) = &ctx.stream {
            stream.upload.goes_on(end_of_stream);
        }
        if body.as_ref().is_some_and(|piece| ctx.usage.is_sending(piece)) {
            self.used(ctx);
        }
        Ok(())
    }

    async fn upstream_peer(&self, session: &mut Session, ctx: &mut Box<Context>) -> Result<Box<HttpPeer>> {
        self.choose_peer(&session.downstream_session, ctx).await
    }

    async fn connected_to_upstream(
        &self,
        _session: &mut Session,
        reused: bool,
        _peer: &HttpPeer,
        _fd: std::os::fd::RawFd,
        _digest: Option<&Digest>,
        ctx: &mut Box<Context>,
    ) -> Result<()> {
        if let (false, Some(target)) = (reused, ctx.record.backend.as_ref()) {
            target.connected();
        }
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        _session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut Box<Context>,
    ) -> Result<()> {
        let (Some(forward), Some(visit)) = (&ctx.forward, &ctx.visit) else { return Err(forward::without_permit()) };
        forward
            .outgoing(visit)
            .write(request)
            .map_err(|stop| Error::explain(ErrorType::InternalError, stop.because.into_owned()))
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Box<Context>,
    ) -> Result<()> {
        cookies::strip_own_from_answer(response);
        ctx.usage = Usage::of(response);
        if session.is_process_shutting_down() {
            session.downstream_session.set_keepalive(None);
        }
        if response.status == http::StatusCode::SWITCHING_PROTOCOLS {
            if !session.downstream_session.is_upgrade_req() {
                // Whoever asked for nothing else than HTTP cannot read what follows (FLT-7).
                let error = Error::explain(ErrorType::InvalidHTTPHeader, "switched protocols without being asked");
                return Err(error.into_up());
            }
            session.downstream_session.set_read_timeout(Some(self.parts.deadlines.long_lived));
        }
        Ok(())
    }

    fn response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        _end_of_stream: bool,
        ctx: &mut Box<Context>,
    ) -> Result<Option<Duration>> {
        if body.as_ref().is_some_and(|piece| ctx.usage.is_taking(piece)) {
            self.used(ctx);
        }
        Ok(None)
    }

    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        ctx: &mut Box<Context>,
        mut error: Box<Error>,
    ) -> Box<Error> {
        forward::failed_to_connect(ctx, &mut error);
        error
    }

    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        _ctx: &mut Box<Context>,
        reused: bool,
    ) -> Box<Error> {
        forward::failed_on_the_way(&mut session.downstream_session, &mut error, reused);
        error
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, ctx: &mut Box<Context>) -> FailToProxy {
        let session = &mut *session.downstream_session;
        if let Some(stop) = forward::told(error) {
            // A client that is gone by now cannot be told.
            let _ = self.refuse(session, ctx, stop).await;
        } else {
            ctx.record.client_gone();
        }
        FailToProxy {
            error_code: session.response_written().map_or(0, |header| header.status.as_u16()),
            can_reuse_downstream: false,
        }
    }

    async fn logging(&self, session: &mut Session, _error: Option<&Error>, ctx: &mut Box<Context>) {
        ctx.tell(Outcome {
            status: session.response_written().map_or(0, |header| header.status.as_u16()),
            received: session.body_bytes_read(),
            sent: session.body_bytes_sent(),
            took: ctx.started.elapsed(),
        });
    }

    // Our own line says it, once, without bytes of the client's in it.
    fn suppress_error_log(&self, _session: &Session, _ctx: &Box<Context>, _error: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _session: &Session,
        _ctx: &Box<Context>,
        _error: &Error,
        _about: ProxyWarnLogContext,
    ) -> bool {
        true
    }
}

// === impl Context ===

impl Context {
    /// Where the request goes.
    fn line<'a>(stream: Option<&'a Stream>, connection: &'a Connection) -> &'a Arc<Line> {
        stream.map_or(&connection.line, |stream| &stream.line)
    }

    /// Why it was cut off by us, if it was.
    fn note_why_cut_off(&mut self) {
        let stream = self.stream.as_deref();
        if stream.is_some_and(|stream| stream.upload.has_stopped()) {
            self.record.upload_stopped();
        }
        if self.connection.as_deref().is_some_and(|connection| Self::line(stream, connection).is_cut()) {
            self.record.session_ended();
        }
    }

    /// Writes the request's line, once, and counts it.
    fn tell(&mut self, outcome: Outcome) {
        self.is_told = true;
        if let Some(visit) = &self.visit {
            self.record.write(visit, outcome);
            self.metrics.count(Record::site_name(visit.site.as_deref()), self.record.decision, outcome);
        }
        if let Some(connection) = &self.connection {
            connection.end_request();
        }
    }
}

impl Drop for Context {
    /// A request that is cut off, rather than come to an end, has its line too.
    fn drop(&mut self) {
        if self.is_told {
            return;
        }
        self.note_why_cut_off();
        self.tell(Outcome { status: 0, received: 0, sent: 0, took: self.started.elapsed() });
    }
}

// === impl Way ===

impl Way {
    /// From the writing of an answer.
    fn written(result: Result<()>) -> Self {
        match result {
            Ok(()) => Self::Answered,
            Err(error) => Self::Broken(error),
        }
    }
}
