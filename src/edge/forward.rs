//! Forwarding by pingora: to which backend, in whose name, and what may be tried again.
//!
//! A request is tried again in two cases alone: no connection could be made, so that nothing was sent; or a connection
//! kept from earlier turned out closed, and the request is safe to repeat (RFC 9110 section 9.2.1) and has no body. Left to
//! itself, pingora sent one DELETE sixteen times (HOLD-12).

use std::sync::Arc;

use http::Method;
use http::header::ACCEPT;
use pingora::protocols::http::ServerSession;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType};

use super::backend::Target;
use super::body::Whole;
use super::framing::promised_length;
use super::hold::scheme;
use super::identity::Outgoing;
use super::stop::Stop;
use super::{Context, Gateway, Way};
use crate::identity::assertion::Signed;
use crate::policy::Permit;
use crate::portal::{Refused, Visit};

/// A request on its way to a backend.
#[derive(Debug)]
pub(super) struct Forward {
    permit: Permit,
    /// Path and query, as judged.
    as_sent: String,
    signed: Option<Signed>,
    /// Backends that got a try.
    tried: Vec<Arc<Target>>,
}

// === impl Forward ===

impl Forward {
    /// What is said to the backend.
    pub fn outgoing<'a>(&'a self, visit: &'a Visit) -> Outgoing<'a> {
        Outgoing {
            site: self.permit.site(),
            signed: self.signed.as_ref(),
            operation: None,
            client: visit.address,
            scheme: scheme(visit),
            host: &visit.host,
            request_id: &visit.request_id,
        }
    }

    /// Path and query, as judged.
    pub fn as_sent(&self) -> &str {
        &self.as_sent
    }

    /// The backend whose turn it is.
    pub fn next(&mut self, gateway: &Gateway) -> Option<Arc<Target>> {
        let target = gateway.parts.backends.choose(self.permit.site(), &self.tried)?;
        self.tried.push(Arc::clone(&target));
        Some(target)
    }
}

// === impl Gateway ===

impl Gateway {
    /// Sends a permitted request on its way. What was read of its body and is too long for pingora to send again goes by
    /// our own connection.
    pub(super) async fn forward(
        &self,
        session: &mut ServerSession,
        ctx: &mut Context,
        permit: Permit,
        as_sent: String,
        content: Option<Whole>,
    ) -> Result<Way, Stop> {
        let forward = self.prepare(permit, as_sent)?;
        if let Some(content) = content
            && session.retry_buffer_truncated()
        {
            return Box::pin(self.send_judged(session, ctx, forward, content)).await;
        }
        let header = session.req_header_mut();
        if header.uri.authority().is_some() || header.raw_path() != forward.as_sent.as_bytes() {
            header
                .set_raw_path(forward.as_sent.as_bytes())
                .map_err(|_| Stop::bad_request("a target that is no address"))?;
        }
        ctx.forward = Some(forward);
        Ok(Way::Forward)
    }

    /// What is permitted, in the name of whoever the permit names.
    pub(super) fn prepare(&self, permit: Permit, as_sent: String) -> Result<Forward, Stop> {
        let now = self.parts.portal.clock.now();
        let signed = match permit.identity() {
            Some(signed_in) => Some(
                self.parts
                    .assertions
                    .for_site(signed_in, &permit.site().name, now)
                    .map_err(|error| Stop::unavailable(error.to_string()))?,
            ),
            None => None,
        };
        Ok(Forward { permit, as_sent, signed, tried: Vec::new() })
    }

    /// The peer for the next try.
    pub(super) async fn choose_peer(
        &self,
        session: &ServerSession,
        ctx: &mut Context,
    ) -> pingora::Result<Box<HttpPeer>> {
        let forward = ctx.forward.as_mut().ok_or_else(without_permit)?;
        let target = forward.next(self).ok_or_else(without_permit)?;
        ctx.record.backend = Some(Arc::clone(&target));
        let mut peer = target.peer(&self.parts.deadlines).await.map_err(|why| {
            target.failed();
            Error::explain(ErrorType::ConnectNoRoute, why).into_up()
        })?;
        peer.options.read_timeout = Some(self.patience(session));
        Ok(peer)
    }

    /// How long the backend may be silent.
    fn patience(&self, session: &ServerSession) -> std::time::Duration {
        let deadlines = &self.parts.deadlines;
        let headers = &session.req_header().headers;
        let streams = headers.get_all(ACCEPT).iter().any(|accept| accept.as_bytes().starts_with(b"text/event-stream"));
        if streams || session.is_upgrade_req() {
            return deadlines.long_lived;
        }
        let length =
            if session.is_http2() && promised_length(headers) == Some(0) && !is_safe(&session.req_header().method) {
                // HTTP/2 frames a body without promising its length.
                None
            } else {
                promised_length(headers)
            };
        deadlines.answer_to(length)
    }
}

/// Nothing is forwarded without a permit; that there is none here would be a fault of ours.
#[expect(clippy::unnecessary_box_returns, reason = "pingora boxes its errors")]
pub(super) fn without_permit() -> Box<Error> {
    Error::explain(ErrorType::InternalError, "a request to be forwarded without a permit or a backend")
}

/// Nothing was sent: another backend, or the name's next address, may have it.
pub(super) fn failed_to_connect(ctx: &Context, error: &mut Error) {
    if let Some(target) = &ctx.record.backend {
        target.failed();
    }
    let elsewhere = ctx.forward.as_ref().is_some_and(|forward| {
        forward.permit.site().backends.len() > 1
            || forward.tried.last().is_some_and(|target| target.has_more_addresses())
    });
    error.set_retry(elsewhere);
}

/// Something may have arrived: only what is safe to repeat is.
pub(super) fn failed_on_the_way(session: &mut ServerSession, error: &mut Error, reused: bool) {
    if is_safe(&session.req_header().method) && session.is_body_empty() && session.response_written().is_none() {
        error.retry.decide_reuse(reused);
    } else {
        error.set_retry(false);
    }
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// What a failure means to the client; nothing when it is the client that failed.
pub(super) fn told(error: &Error) -> Option<Stop> {
    let because = format!("{} {}", error.esource().as_str(), error.etype().as_str());
    let told = match (error.esource(), error.etype()) {
        (
            ErrorSource::Upstream,
            ErrorType::ConnectTimedout
            | ErrorType::ReadTimedout
            | ErrorType::WriteTimedout
            | ErrorType::TLSHandshakeTimedout,
        ) => Refused::GatewayTimeout,
        (ErrorSource::Upstream, _) => Refused::BadGateway,
        (ErrorSource::Downstream, ErrorType::ReadTimedout) => Refused::Timeout,
        (ErrorSource::Downstream, ErrorType::InvalidHTTPHeader) => {
            Refused::BadRequest("the request's head cannot be passed on")
        }
        (ErrorSource::Downstream, _) => return None,
        (ErrorSource::Internal | ErrorSource::Unset, _) => Refused::Internal,
    };
    Some(Stop::new(told, because))
}
