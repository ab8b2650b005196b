//! The one canonical form of a request target.
//!
//! A **target** is what stands on the request line: a path and perhaps a query. Many spellings mean the same to some
//! backend; only one of them, the *canonical* one, is judged, and exactly that one is forwarded. What has no canonical
//! form is refused with 400, because whoever reads it later might read it differently.
//!
//! Canonical means: unreserved characters are not escaped (RFC 3986 section 6.2.2.2), other escapes are upper case, no
//! `//`, no dot segments, no encoded separators but where the site allows `%2F`.
//!
//! Rules are compared with the target's **key**: its path once more decoded, so that `%3A` meets a rule that says `:`,
//! and with a final `/`, so that patterns match with and without one. A path with `;` has a second key without what
//! follows `;` in each segment; [`decide`](super::decide) judges both and lets the stricter answer win.

mod escapes;
mod segments;

use std::borrow::Cow;

use self::escapes::{ascii_query, canonical_already, decoded, has_escape, unescape};
use self::segments::{check_encoded_slash, cut_parameters, resolve};

/// A request target in canonical form. The very bytes that are judged are the bytes that are forwarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalTarget {
    path: String,
    query: Option<String>,
    /// The path as rules compare it.
    key: String,
    /// The same with every segment cut at `;`, where that makes a difference.
    cut_key: Option<String>,
}

/// Why a target has no canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request target has no canonical form: {0}")]
pub struct NotCanonical(pub &'static str);

// === impl CanonicalTarget ===

impl CanonicalTarget {
    /// From the raw bytes of the request line's target: origin form, or absolute form whose authority the caller checks
    /// (see [`absolute_authority`]). `encoded_slash` says whether the site lets `%2F` stay in this path.
    pub fn parse(raw: &[u8], encoded_slash: impl Fn(&str) -> bool) -> Result<Self, NotCanonical> {
        if raw.iter().any(|byte| *byte <= b' ' || *byte == 0x7f) {
            return Err(NotCanonical("it holds a space or a control character"));
        }
        if raw.contains(&b'#') {
            return Err(NotCanonical("it holds a fragment"));
        }
        let origin = origin_form(raw)?;
        let (path, query) = match origin.iter().position(|byte| *byte == b'?') {
            Some(at) => (&origin[..at], Some(&origin[at + 1..])),
            None => (&origin[..], None),
        };
        let query = query.map(ascii_query);
        if let Some(path) = canonical_already(path) {
            let key = if path.ends_with('/') { path.to_owned() } else { [path, "/"].concat() };
            return Ok(Self { path: path.to_owned(), query, key, cut_key: None });
        }
        Self::of_spelling(path, query, encoded_slash)
    }

    /// From a path that may be spelled in several ways.
    fn of_spelling(
        path: &[u8],
        query: Option<String>,
        encoded_slash: impl Fn(&str) -> bool,
    ) -> Result<Self, NotCanonical> {
        let path = resolve(&unescape(path)?);
        if has_escape(&path, "%2F") {
            check_encoded_slash(&path, encoded_slash)?;
        }
        let key = key_of(&path);
        let cut_key = cut_parameters(&path).map(|cut| key_of(&cut)).filter(|cut| *cut != key);
        Ok(Self { path, query, key, cut_key })
    }

    /// The canonical path, starting with `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query as it came, without `?` (bytes outside ASCII are escaped).
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Path and query, exactly as sent to the backend.
    pub fn as_sent(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// What rules are compared with: the path as it is, and without what follows `;` when there is some.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.key.as_str()).chain(self.cut_key.as_deref())
    }
}

/// The authority of a target in absolute form (`http://gw.test/x`: `gw.test`), for the caller to compare with `Host`
/// (RFC 9112 section 3.2.2). Nothing for other forms.
pub fn absolute_authority(raw: &[u8]) -> Option<&[u8]> {
    let rest = after_scheme(raw)?;
    Some(&rest[..authority_length(rest)])
}

/// A path or pattern as rules compare it: decoded where that cannot add a separator, with a final `/`.
pub(super) fn key_of(path: &str) -> String {
    let mut key = decoded(path).into_owned();
    if !key.ends_with('/') {
        key.push('/');
    }
    key
}

fn after_scheme(raw: &[u8]) -> Option<&[u8]> {
    [&b"http://"[..], b"https://"].iter().find_map(|scheme| {
        let (start, rest) = raw.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

fn authority_length(rest: &[u8]) -> usize {
    rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len())
}

fn origin_form(raw: &[u8]) -> Result<Cow<'_, [u8]>, NotCanonical> {
    if raw.first() == Some(&b'/') {
        return Ok(Cow::Borrowed(raw));
    }
    let rest = after_scheme(raw).ok_or(NotCanonical("it is neither a path nor an http address"))?;
    let authority = authority_length(rest);
    if authority == 0 || rest[..authority].iter().any(|byte| matches!(byte, b'@' | b'\\')) {
        return Err(NotCanonical("the address on the request line names no plain host"));
    }
    let rest = &rest[authority..];
    if rest.first() == Some(&b'/') { Ok(Cow::Borrowed(rest)) } else { Ok(Cow::Owned([b"/", rest].concat())) }
}

#[cfg(test)]
mod tests;
