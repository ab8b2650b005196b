//! Reading a request's body whole: for a rule that looks into it, for a hold, for a form of the portal.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{EXPECT, HeaderMap};
use pingora::ErrorType;
use pingora::protocols::http::ServerSession;
use tokio::time::timeout;

use super::framing::promised_length;
use super::room::Place;
use super::stop::Stop;
use crate::portal::Refused;

/// Unread bytes that are taken off the wire after a refusal, so that the client gets to read the answer.
const DRAINED: usize = 256 * 1024;
/// For how long that is tried.
const DRAINING: Duration = Duration::from_secs(1);

/// A body that was read whole. It keeps its place in memory as long as it lives.
#[derive(Debug)]
pub(super) struct Whole {
    /// All of it.
    pub bytes: Bytes,
    /// What it takes of the room.
    pub place: Place,
}

/// What holds for a body that is read whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// This one, bytes.
    pub one: usize,
    /// All of its kind at once, bytes.
    pub all: usize,
    /// From the head on, until it is whole: whatever the protocol, and whether or not its length was promised.
    pub within: Duration,
}

/// The whole body, within `bounds`. A longer one is refused before anything is stored; trailers are dropped.
pub(super) async fn read_whole(session: &mut ServerSession, place: Place, bounds: Bounds) -> Result<Whole, Stop> {
    let promised = promised_length(&session.req_header().headers);
    if promised.is_some_and(|length| length > bounds.one as u64) {
        return Err(too_large(bounds.one));
    }
    invite(session).await?;
    timeout(bounds.within, gather(session, place, bounds))
        .await
        .map_err(|_| Stop::new(Refused::Timeout, "the body did not arrive in time"))?
}

async fn gather(session: &mut ServerSession, mut place: Place, bounds: Bounds) -> Result<Whole, Stop> {
    let mut whole = BytesMut::new();
    while let Some(piece) = session.read_request_body().await.map_err(|error| broken(&error))? {
        if whole.len() + piece.len() > bounds.one {
            return Err(too_large(bounds.one));
        }
        place.grow(piece.len(), bounds.all)?;
        whole.extend_from_slice(&piece);
    }
    Ok(Whole { bytes: whole.freeze(), place })
}

/// Tells a client that waits for it to send the body. The backend is not asked again.
async fn invite(session: &mut ServerSession) -> Result<(), Stop> {
    if !expects_continue(&session.req_header().headers) {
        return Ok(());
    }
    session.req_header_mut().remove_header(&EXPECT);
    if session.is_http2() {
        return Ok(());
    }
    session.write_continue_response().await.map_err(|error| broken(&error))
}

fn expects_continue(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

fn too_large(limit: usize) -> Stop {
    Stop::new(Refused::PayloadTooLarge { limit }, "the body is over the limit")
}

fn broken(error: &pingora::Error) -> Stop {
    match error.etype() {
        ErrorType::ReadTimedout => Stop::new(Refused::Timeout, "the body stopped arriving"),
        _ => Stop::bad_request("the body broke off or is not framed as promised"),
    }
}

/// Takes what is left of a body off the wire before a refusal is written, or sees to it that the connection ends with the
/// answer: what was sent as a body is never read as a request.
pub(super) async fn settle(session: &mut ServerSession) {
    if session.is_body_done() {
        return;
    }
    let waits_for_us = expects_continue(&session.req_header().headers) && session.body_bytes_read() == 0;
    let drained = !waits_for_us && timeout(DRAINING, drain(session)).await.unwrap_or(false);
    if !drained {
        session.set_keepalive(None);
    }
}

async fn drain(session: &mut ServerSession) -> bool {
    let mut left = DRAINED;
    while let Ok(piece) = session.read_request_body().await {
        let Some(piece) = piece else { return true };
        let Some(rest) = left.checked_sub(piece.len()) else { return false };
        left = rest;
    }
    false
}
