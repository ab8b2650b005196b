//! Reading a request's body whole: for a rule that looks into it, for a hold, for a form of the portal.

use std::time::Duration;

use bytes::Bytes;
use http::header::{EXPECT, HeaderMap};
use pingora::ErrorType;
use pingora::protocols::http::ServerSession;
use tokio::time::timeout;

use super::framing::promised_length;
use super::room::{NoRoom, Place};
use super::stop::Stop;
use crate::portal::Refused;

/// The first step in which the memory for a body grows, if the body is not shorter.
const FIRST_STEP: usize = 4 * 1024;
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
    /// From the head on, until it is whole: whatever the protocol, and whether or not its length was promised.
    pub within: Duration,
}

/// The whole body, within `bounds`, in `place`. A longer one is refused before anything is stored; trailers are dropped.
pub(super) async fn read_whole(session: &mut ServerSession, place: Place, bounds: Bounds) -> Result<Whole, Stop> {
    let promised = promised_length(&session.req_header().headers);
    if promised.is_some_and(|length| length > bounds.one as u64) {
        return Err(too_large(bounds.one));
    }
    invite(session).await?;
    // HTTP/2 need not promise: no length then reads as none.
    let expected = promised.and_then(|length| usize::try_from(length).ok()).filter(|length| *length > 0);
    timeout(bounds.within, gather(session, place, bounds.one, expected.unwrap_or(bounds.one)))
        .await
        .map_err(|_| Stop::new(Refused::Timeout, "the body did not arrive in time"))?
}

async fn gather(session: &mut ServerSession, mut place: Place, limit: usize, expected: usize) -> Result<Whole, Stop> {
    let mut whole = Vec::new();
    while let Some(piece) = session.read_request_body().await.map_err(|error| broken(&error))? {
        let length = whole.len() + piece.len();
        if length > limit {
            return Err(too_large(limit));
        }
        make_room(&mut whole, length, expected, &mut place)?;
        whole.extend_from_slice(&piece);
    }
    Ok(Whole { bytes: whole.into(), place })
}

/// Sees to it that `whole` can take `length` bytes: what memory that needs is taken of the room before it is asked for. It
/// doubles, but never beyond what is `expected`. While it is moved both are there, for no longer than that takes.
fn make_room(whole: &mut Vec<u8>, length: usize, expected: usize, place: &mut Place) -> Result<(), NoRoom> {
    if length > whole.capacity() {
        let capacity = (whole.capacity() * 2).max(FIRST_STEP).min(expected).max(length);
        place.reach(capacity)?;
        whole.reserve_exact(capacity - whole.len());
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::room::{Extent, Owner, Room};
    use super::*;

    fn place(all: usize) -> Place {
        let owner = Owner::at([127, 0, 0, 1].into());
        Arc::new(Room::default()).place(owner, Extent { all, share: all, free: 0 })
    }

    /// Pieces of `piece` bytes until `all` have come.
    fn fill(whole: &mut Vec<u8>, piece: usize, all: usize, place: &mut Place) -> Result<(), NoRoom> {
        while whole.len() < all {
            let length = (whole.len() + piece).min(all);
            make_room(whole, length, all, place)?;
            whole.resize(length, b'x');
        }
        Ok(())
    }

    #[test]
    fn a_body_takes_no_more_memory_than_it_has_of_the_room() {
        for (piece, all) in [(1, 1), (1000, 3000), (1000, 1_000_000), (65_536, 1_000_000), (1_000_000, 1_000_000)] {
            let (mut whole, mut place) = (Vec::new(), place(all));
            assert_eq!(fill(&mut whole, piece, all, &mut place), Ok(()), "{piece} {all}");
            assert_eq!(whole.capacity(), all, "{piece}");
        }
    }

    #[test]
    fn a_body_for_which_there_is_no_room_takes_no_more_memory() {
        let (mut whole, mut place) = (Vec::new(), place(100_000));
        assert!(fill(&mut whole, 1000, 1_000_000, &mut place).is_err());
        assert!(whole.capacity() <= 100_000, "{}", whole.capacity());
    }
}
