//! Who the application thinks is visiting: whoever the identity headers name.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A visitor, as the headers say.
#[derive(Debug, Default)]
pub(super) struct Visitor {
    /// `Remote-User`; nothing when nobody signed in.
    pub(super) user: Option<String>,
    /// `Remote-Name`
    pub(super) name: Option<String>,
    /// `Remote-Email`
    pub(super) email: Option<String>,
    /// `Remote-Groups`
    pub(super) groups: Option<String>,
}

// === impl Visitor ===

impl Visitor {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        Self {
            user: text("remote-user"),
            name: text("remote-name"),
            email: text("remote-email"),
            groups: text("remote-groups"),
        }
    }
}

/// The confirmed operation this request is, when it is one.
pub(super) fn operation(headers: &HeaderMap) -> Option<String> {
    headers.get("x-vantail-operation")?.to_str().ok().map(ToOwned::to_owned)
}

/// The claims of the signed assertion, laid out to be read. The application shows them; it does not check them.
pub(super) fn claims(headers: &HeaderMap) -> Option<String> {
    let assertion = headers.get("x-vantail-assertion")?.to_str().ok()?;
    let payload = URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1)?).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    serde_json::to_string_pretty(&claims).ok()
}

/// Whether whoever asks would rather read a page than plain text.
pub(super) fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}
