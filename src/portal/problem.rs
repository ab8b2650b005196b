//! Problem documents for programs (RFC 9457).

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;

use super::page;

/// `application/problem+json`. Members beyond the RFC's own are ours.
#[derive(Debug, Serialize)]
pub struct Problem<'a> {
    /// `urn:vantail:problem:` and a stable word.
    pub r#type: String,
    /// What happened, in a few words.
    pub title: &'a str,
    /// The status again, for whoever sees the document alone.
    pub status: u16,
    /// What happened and what to do next.
    pub detail: String,
    /// For support: the same id is in the log.
    pub request_id: &'a str,
    /// Where a person signs in, when that is what is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_in_url: Option<String>,
}

impl Problem<'_> {
    /// As a response.
    pub fn response(&self, status: StatusCode) -> http::Response<Bytes> {
        let body = serde_json::to_vec(self).expect("a struct of texts and a number is always JSON");
        page::text(status, "application/problem+json", body.into())
    }
}
