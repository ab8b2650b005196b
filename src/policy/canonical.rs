//! Contract: see below. One canonical form of a request target; what has none is refused (400).

/// A request target in canonical form: no dot segments, no `//`, no encoded unreserved characters, no encoded separators but
/// where the site allows `%2F`. The very bytes that are judged are the bytes that are forwarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalTarget {
    path: String,
    query: Option<String>,
}

/// Why a target has no canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request target has no canonical form: {0}")]
pub struct NotCanonical(pub &'static str);

impl CanonicalTarget {
    /// From the raw bytes of the request line's target (origin form; or absolute form whose authority was checked by the caller).
    /// `encoded_slash` says whether the site lets `%2F` stay in this path.
    pub fn parse(raw: &[u8], encoded_slash: impl Fn(&str) -> bool) -> Result<Self, NotCanonical> {
        let _ = (raw, encoded_slash);
        todo!()
    }
    /// The canonical path, starting with `/`.
    pub fn path(&self) -> &str { &self.path }
    /// The query as it came, without `?`.
    pub fn query(&self) -> Option<&str> { self.query.as_deref() }
    /// Path and query, exactly as sent to the backend.
    pub fn as_sent(&self) -> String {
        match &self.query { Some(query) => format!("{}?{query}", self.path), None => self.path.clone() }
    }
}
