//! A request's fields, without pingora's record of how each name was spelled.
//!
//! In which letters a client writes a name says nothing (RFC 9110 section 5.1), HTTP/2 has small ones alone, and what is
//! held keeps none: so a backend sees the same names whichever way a request took. Keeping a second map of spellings beside
//! the fields would cost a tenth of what forwarding costs.

use http::HeaderMap;
use http::request::Parts;
use pingora::http::RequestHeader;

/// Changes the fields. The spellings are forgotten, and nothing else.
pub(super) fn change<T>(header: &mut RequestHeader, change: impl FnOnce(&mut HeaderMap) -> T) -> T {
    let target = unusual_target(header);
    let (nothing, ()) = http::Request::new(()).into_parts();
    let mut parts: Parts = std::mem::replace(header, nothing.into()).into();
    let outcome = change(&mut parts.headers);
    *header = parts.into();
    if let Some(target) = target {
        header.set_raw_path(&target).expect("it is the target that was there");
    }
    outcome
}

/// The target, where it is not what the parsed address says: pingora keeps it beside that.
fn unusual_target(header: &RequestHeader) -> Option<Vec<u8>> {
    let usual = header.uri.path_and_query().map_or("", |usual| usual.as_str());
    (header.raw_path() != usual.as_bytes()).then(|| header.raw_path().to_vec())
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Method, Version};

    use super::*;

    #[test]
    fn everything_but_the_spelling_stays() {
        let targets: [&[u8]; 6] =
            [b"/a?b=c", "/caf\u{e9}?x".as_bytes(), b"/caf\xe9?x", b"*", b"/a#b", b"http://crm.test/a?b"];
        for target in targets {
            let mut header = RequestHeader::build(Method::PATCH, target, None).unwrap();
            header.set_version(Version::HTTP_10);
            header.append_header("X-Two", "1").unwrap();
            header.append_header("X-Two", "2").unwrap();
            let before = header.raw_path().to_vec();
            change(&mut header, |fields| fields.insert("x-more", HeaderValue::from_static("3")));
            assert_eq!(header.raw_path(), before, "{}", target.escape_ascii());
            assert_eq!((&header.method, header.version), (&Method::PATCH, Version::HTTP_10));
            let mut wire = Vec::new();
            header.header_to_h1_wire(&mut wire);
            assert_eq!(String::from_utf8(wire).unwrap(), "x-two: 1\r\nx-two: 2\r\nx-more: 3\r\n");
        }
    }
}
