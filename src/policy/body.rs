//! What a body says, for rules that look into it and for titles.
//!
//! Forms, multipart forms and JSON are read; everything else is *unsupported*. A body that different readers could read
//! differently is *unreadable*: also a form whose bytes read as JSON, which many a framework believes over the
//! `Content-Type`. Neither ever counts as "did not match". A condition written for a form meets the field of the
//! same name in JSON too, and the other way round, because many frameworks read both alike.

mod json;
mod multipart;

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::fields::Fields;

/// Why a body that a rule must look into says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// Malformed, or open to several readings.
    #[error("{0}")]
    Unreadable(&'static str),
    /// In a form nobody here reads.
    #[error("{0}")]
    Unsupported(&'static str),
}

/// A body, read.
#[derive(Debug, Clone, Default)]
pub struct Body {
    /// Its fields.
    pub fields: Fields,
    /// Whether a field given twice is one field too many (forms); a JSON list is not that.
    pub(super) flat: bool,
}

/// What UTF-8 text may begin with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The kinds of body that are read.
enum Kind {
    Form,
    Multipart(String),
    Json,
}

/// Reads `body` as its headers say. An empty body says nothing, whatever its headers.
pub fn read(headers: &HeaderMap, body: &[u8]) -> Result<Body, BodyFault> {
    if body.is_empty() {
        return Ok(Body::default());
    }
    refuse_coding(headers)?;
    match kind(headers)? {
        Kind::Form => {
            refuse_json(body)?;
            check_escapes(body)?;
            Ok(Body { fields: Fields::from_urlencoded(body), flat: true })
        }
        Kind::Multipart(boundary) => Ok(Body { fields: multipart::read(body, &boundary)?, flat: true }),
        Kind::Json => Ok(Body { fields: json::read(body)?, flat: false }),
    }
}

/// Whether the headers announce a form, plain or multipart.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    matches!(kind(headers), Ok(Kind::Form | Kind::Multipart(_)))
}

fn refuse_coding(headers: &HeaderMap) -> Result<(), BodyFault> {
    let plain = |value: &http::HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).iter().all(plain) {
        Ok(())
    } else {
        Err(BodyFault::Unsupported("the body is compressed, and a rule must look into it"))
    }
}

fn kind(headers: &HeaderMap) -> Result<Kind, BodyFault> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let value =
        values.next().ok_or(BodyFault::Unsupported("the body has no Content-Type, and a rule must look into it"))?;
    if values.next().is_some() {
        return Err(BodyFault::Unreadable("the request has several Content-Types"));
    }
    let value = value.to_str().map_err(|_| BodyFault::Unreadable("the Content-Type is not text"))?;
    let mut parts = value.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    let parameters: Vec<(String, &str)> =
        parts.filter(|part| !part.is_empty()).map(parameter).collect::<Result<_, _>>()?;
    check_charset(&parameters)?;
    match kind.as_str() {
        "application/x-www-form-urlencoded" => Ok(Kind::Form),
        "multipart/form-data" => boundary(&parameters).map(Kind::Multipart),
        "application/json" => Ok(Kind::Json),
        other if other.starts_with("application/") && other.ends_with("+json") => Ok(Kind::Json),
        _ => Err(BodyFault::Unsupported("the body is neither a form nor JSON, and a rule must look into it")),
    }
}

fn parameter(part: &str) -> Result<(String, &str), BodyFault> {
    let (name, value) = part.split_once('=').ok_or(BodyFault::Unreadable("the Content-Type is malformed"))?;
    let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    if value.contains(['"', '\\']) {
        return Err(BodyFault::Unreadable("the Content-Type is malformed"));
    }
    Ok((name.to_ascii_lowercase(), value))
}

/// Another charset could hide a field from us and show it to the backend.
fn check_charset(parameters: &[(String, &str)]) -> Result<(), BodyFault> {
    let known = |value: &str| value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("us-ascii");
    if parameters.iter().filter(|(name, _)| name == "charset").all(|(_, value)| known(value)) {
        Ok(())
    } else {
        Err(BodyFault::Unsupported("the body is not in UTF-8, and a rule must look into it"))
    }
}

fn boundary(parameters: &[(String, &str)]) -> Result<String, BodyFault> {
    let mut found = parameters.iter().filter(|(name, _)| name == "boundary");
    match (found.next(), found.next()) {
        // RFC 2046 section 5.1.1: 1 to 70 characters.
        (Some((_, boundary)), None) if (1..=70).contains(&boundary.len()) => Ok((*boundary).to_owned()),
        _ => Err(BodyFault::Unreadable("the multipart form has no single boundary")),
    }
}

/// Frameworks that parse whatever looks like JSON would see fields in it that no reader of forms sees.
fn refuse_json(body: &[u8]) -> Result<(), BodyFault> {
    let begin = body.trim_ascii_start();
    let begin = begin.strip_prefix(BYTE_ORDER_MARK).unwrap_or(begin).trim_ascii_start();
    if matches!(begin.first(), Some(b'{' | b'[' | b'"')) {
        Err(BodyFault::Unreadable("a form that reads as JSON"))
    } else {
        Ok(())
    }
}

fn check_escapes(body: &[u8]) -> Result<(), BodyFault> {
    let whole = |at: usize| body.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    let mut escapes = body.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    if escapes.all(|(at, _)| whole(at)) {
        Ok(())
    } else {
        Err(BodyFault::Unreadable("the form holds a malformed escape"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_as(content_type: &'static str, body: &str) -> Result<Body, BodyFault> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        read(&headers, body.as_bytes())
    }

    #[test]
    fn forms_and_json_are_read() {
        let form = read_as("application/x-www-form-urlencoded; charset=UTF-8", "action=del%65te&x=a+b").unwrap();
        assert_eq!((form.fields.get("action"), form.fields.get("x")), (Some("delete"), Some("a b")));
        let json = read_as("application/problem+json", r#"{"action":"delete"}"#).unwrap();
        assert_eq!(json.fields.get("action"), Some("delete"));
    }

    #[test]
    fn what_nobody_here_reads_is_unsupported_never_empty() {
        for (kind, body) in
            [("text/plain", "{}"), ("application/xml", "<a/>"), ("application/json; charset=utf-16", "{}")]
        {
            assert!(matches!(read_as(kind, body), Err(BodyFault::Unsupported(_))), "{kind}");
        }
        assert!(matches!(read(&HeaderMap::new(), b"x=1"), Err(BodyFault::Unsupported(_))));
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, "application/json".parse().unwrap());
        headers.insert(CONTENT_ENCODING, "gzip".parse().unwrap());
        assert!(matches!(read(&headers, b"{}"), Err(BodyFault::Unsupported(_))));
    }

    #[test]
    fn what_readers_could_read_differently_is_unreadable() {
        assert!(matches!(read_as("application/x-www-form-urlencoded", "a=%zz"), Err(BodyFault::Unreadable(_))));
        assert!(matches!(read_as("multipart/form-data", "--x"), Err(BodyFault::Unreadable(_))));
        let mut headers = HeaderMap::new();
        headers.append(CONTENT_TYPE, "application/json".parse().unwrap());
        headers.append(CONTENT_TYPE, "text/plain".parse().unwrap());
        assert!(matches!(read(&headers, b"{}"), Err(BodyFault::Unreadable(_))));
    }

    #[test]
    fn a_form_that_reads_as_json_is_unreadable() {
        for body in ["{\"action\":\"delete\"}", " \r\n[1]", "\u{feff}{\"a\":1}", "\u{feff} \"a\"", "{x=1&action=view"] {
            let read = read_as("application/x-www-form-urlencoded", body);
            assert!(matches!(read, Err(BodyFault::Unreadable("a form that reads as JSON"))), "{body}");
        }
        assert!(read_as("application/x-www-form-urlencoded", "a={}&b=[1]").is_ok());
    }

    #[test]
    fn an_empty_body_says_nothing() {
        assert_eq!(read(&HeaderMap::new(), b"").unwrap().fields.iter().count(), 0);
    }
}
