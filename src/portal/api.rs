//! For programs: the published keys, the state of an operation, and the description of both.

use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};

use super::answer::document;
use super::here::{Here, OperationId};
use super::{Refused, page};

const DESCRIPTION: &str = include_str!("assets/openapi.json");

/// The public halves of the signing keys (RFC 7517). A verifier may keep them for five minutes: a new key is published long
/// before it signs.
pub async fn jwks(here: Here) -> Response {
    let keys = here.portal.keys.jwks(here.visit.now);
    let response = page::text(StatusCode::OK, "application/jwk-set+json", Bytes::copy_from_slice(keys.as_bytes()));
    page::with(response, CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")).map(Into::into)
}

/// Where an operation stands, for its requester and its validators. Asking is no use of the session and changes nothing.
pub async fn operation(mut here: Here, id: OperationId) -> Result<Response, Refused> {
    here.visit.wants_page = false;
    let view = here.portal.operations.view(&id.0, here.signed_in()?).await?;
    Ok(document(&here, StatusCode::OK, &view))
}

/// What there is for programs, and what it answers (OpenAPI 3.1).
pub async fn openapi() -> Response {
    page::text(StatusCode::OK, "application/json", Bytes::from_static(DESCRIPTION.as_bytes())).map(Into::into)
}
