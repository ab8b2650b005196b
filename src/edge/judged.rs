//! Forwarding a request whose body was read whole, because a rule looks into it, and is longer than pingora would send
//! again: by a connection of our own, with the same headers and identity, the answer streamed back.

use std::sync::Arc;

use bytes::Bytes;
use http::Version;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v1::client::HttpSession;

use super::body::Whole;
use super::exchange;
use super::forward::{Forward, told, without_permit};
use super::stop::Stop;
use super::usage::Usage;
use super::{Context, Gateway, Way, cookies, fields, identity, respond};
use crate::portal::{Refused, Visit};

/// Backends that are tried for a connection.
const TRIES: usize = 3;

impl Gateway {
    /// Sends it once, and streams the answer back.
    pub(super) async fn send_judged(
        &self,
        session: &mut ServerSession,
        ctx: &mut Context,
        mut forward: Forward,
        content: Whole,
    ) -> Result<Way, Stop> {
        let visit = ctx.visit.as_ref().ok_or_else(|| Stop::internal("a request without a visit"))?;
        let header = judged_header(session, visit, &forward, content.bytes.len())?;
        // It keeps its place until a backend has taken it; how many such places one has is bounded (`room`).
        let mut answering = self.connect(ctx, &mut forward).await?;
        exchange::send(&mut answering, header, &content.bytes).await.map_err(|error| failed(&error.into_up()))?;
        // Sent: its place is for another.
        drop(content);
        exchange::answer(&mut answering).await.map_err(|error| failed(&error.into_up()))?;
        Ok(Way::written(self.pass_on(session, ctx, &mut answering, |_| Ok(())).await))
    }

    /// A fresh connection to a backend. An error means that nothing was sent.
    pub(super) async fn connect(&self, ctx: &mut Context, forward: &mut Forward) -> Result<HttpSession, Stop> {
        let mut last = failed(&without_permit().into_up());
        for _ in 0..TRIES {
            let Some(target) = forward.next(self) else { break };
            ctx.record.backend = Some(Arc::clone(&target));
            let connected = match target.peer(&self.parts.deadlines).await {
                Ok(peer) => self.exchange.connect(&peer).await.map_err(|error| failed(&error.into_up())),
                Err(why) => Err(Stop::new(Refused::BadGateway, why)),
            };
            match connected {
                Ok(answering) => {
                    target.connected();
                    return Ok(answering);
                }
                Err(stop) => {
                    target.failed();
                    last = stop;
                }
            }
        }
        Err(last)
    }

    /// Streams the answer, its head changed by `change`.
    pub(super) async fn pass_on(
        &self,
        session: &mut ServerSession,
        ctx: &mut Context,
        answering: &mut HttpSession,
        change: impl FnOnce(&mut ResponseHeader) -> pingora::Result<()>,
    ) -> pingora::Result<()> {
        let header = answering.resp_header().ok_or_else(without_permit)?;
        ctx.usage = Usage::of(header);
        let mut header = passed_header(header)?;
        change(&mut header)?;
        respond::begin(session, header).await?;
        if respond::has_content(session) {
            while let Some(piece) = answering.read_body_bytes().await? {
                if ctx.usage.is_taking(&piece) {
                    self.used(ctx);
                }
                session.write_response_body(piece, false).await?;
            }
        }
        session.write_response_body(Bytes::new(), true).await
    }
}

fn failed(error: &pingora::Error) -> Stop {
    told(error).unwrap_or_else(|| Stop::new(Refused::BadGateway, "the backend failed"))
}

fn judged_header(
    session: &ServerSession,
    visit: &Visit,
    forward: &Forward,
    length: usize,
) -> Result<RequestHeader, Stop> {
    let refuse = |_| Stop::bad_request("a request that cannot be passed on");
    let mut header = session.req_header().clone();
    fields::change(&mut header, identity::strip_hop_by_hop);
    header.set_version(Version::HTTP_11);
    header.set_raw_path(forward.as_sent().as_bytes()).map_err(refuse)?;
    header.insert_header(CONTENT_LENGTH, length.to_string()).map_err(refuse)?;
    forward.outgoing(visit).write(&mut header)?;
    Ok(header)
}

fn passed_header(answer: &ResponseHeader) -> pingora::Result<ResponseHeader> {
    let mut header = answer.clone();
    for name in answer.headers.keys().filter(|name| identity::is_hop_by_hop(name)) {
        header.remove_header(name);
    }
    cookies::strip_own_from_answer(&mut header);
    header.set_version(Version::HTTP_11);
    if !header.headers.contains_key(CONTENT_LENGTH) {
        header.insert_header(TRANSFER_ENCODING, "chunked")?;
    }
    Ok(header)
}
