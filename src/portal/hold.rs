//! The answer to a request just held, and the document programs get about an operation.

use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use serde::Serialize;

use super::{Language, Portal, Visit, page, respond};
use crate::operation::{Asked, State};
use crate::time::Timestamp;

/// How often a program should ask, seconds.
const ASK_AGAIN: u32 = 2;

/// What a program is told about an operation (interface.md, *Held*).
#[derive(Debug, Serialize)]
pub struct OperationDocument<'a> {
    operation: &'a str,
    title: &'a str,
    state: State,
    reason: Option<&'a str>,
    expires_at: String,
    status_url: String,
    answer_url: String,
}

/// The parts of an operation that a program is told.
#[derive(Debug)]
pub struct Told<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its readable name, in the visit's language.
    pub title: &'a str,
    /// Where it stands.
    pub state: State,
    /// Why it stands there.
    pub reason: Option<&'a str>,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// The answer to a request just held: 303 to the waiting page, or 202 with the operation document.
pub fn held(portal: &Portal, visit: &Visit, asked: &Asked) -> http::Response<Bytes> {
    let _ = portal;
    if visit.wants_page {
        return respond::secured(page::see_other(&format!("/secure/operations/{}/wait", asked.id)), visit);
    }
    let title = in_language(visit.language, &asked.title_en, &asked.title_fr);
    let told = Told { id: &asked.id, title, state: State::Waiting, reason: None, expires_at: asked.expires_at };
    let mut response = document(StatusCode::ACCEPTED, visit, &told);
    respond::locate(&mut response, &format!("/secure/operations/{}", asked.id));
    respond::secured(response, visit)
}

/// The operation document as a response; with `Retry-After` while there is something to wait for.
pub fn document(status: StatusCode, visit: &Visit, told: &Told<'_>) -> http::Response<Bytes> {
    let origin = visit.own_origin();
    let document = OperationDocument {
        operation: told.id,
        title: told.title,
        state: told.state,
        reason: told.reason,
        expires_at: told.expires_at.to_string(),
        status_url: format!("{origin}/secure/api/operations/{}", told.id),
        answer_url: format!("{origin}/secure/operations/{}/answer", told.id),
    };
    let body = serde_json::to_vec(&document).expect("a struct of texts is always JSON");
    let mut response = page::text(status, "application/json", body.into());
    if is_moving(told.state) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(ASK_AGAIN));
    }
    response
}

/// Whether the state is still to change.
pub const fn is_moving(state: State) -> bool {
    matches!(state, State::Waiting | State::Confirmed | State::Sending)
}

/// The one of two texts that is in `language`.
pub fn in_language<'a>(language: Language, english: &'a str, french: &'a str) -> &'a str {
    match language {
        Language::En => english,
        Language::Fr => french,
    }
}
