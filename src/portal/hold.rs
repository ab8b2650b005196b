//! The answer to a request just held, and the document programs get about an operation.

use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use serde::Serialize;

use super::{Language, Visit, page, respond};
use crate::operation::{Asked, State, View};
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

/// The answer to a request just held, whose operation stands at `state`: 303 to the waiting page, or 202 with the operation
/// document.
pub fn held(visit: &Visit, asked: &Asked, state: State) -> http::Response<Bytes> {
    if visit.wants_page {
        return respond::secured(page::see_other(&format!("/secure/operations/{}/wait", asked.id)), visit);
    }
    let title = in_language(visit.language, &asked.title_en, &asked.title_fr);
    let told = Told { id: &asked.id, title, state, reason: None, expires_at: asked.expires_at };
    let mut response = document(StatusCode::ACCEPTED, visit, &told);
    respond::locate(&mut response, &format!("/secure/operations/{}", asked.id));
    respond::secured(response, visit)
}

/// The answer to a program that waited, when there is no answer of the backend's to give: the operation document with 409,
/// or, where it is done and its answer is not kept, with 410.
pub fn ended(visit: &Visit, view: &View) -> http::Response<Bytes> {
    let status = if view.state == State::Done { StatusCode::GONE } else { StatusCode::CONFLICT };
    respond::secured(document(status, visit, &Told::of(view, visit.language)), visit)
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

// === impl Told ===

impl<'a> Told<'a> {
    /// What `view` says, in `language`.
    pub fn of(view: &'a View, language: Language) -> Self {
        Self {
            id: &view.id,
            title: in_language(language, &view.title_en, &view.title_fr),
            state: view.state,
            reason: view.reason.as_deref(),
            expires_at: view.expires_at,
        }
    }
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
