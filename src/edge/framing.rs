//! What a request's head must be like before anybody looks at what it says: method, size, and how its body is framed.
//!
//! pingora refuses much of the malformed by itself; what it lets through is refused here (RFC 9112 sections 3.2 and 6).

use http::header::{CONTENT_LENGTH, COOKIE, HeaderMap, TRANSFER_ENCODING};
use http::{Method, Version};
use pingora::http::RequestHeader;

use super::stop::Stop;
use crate::portal::Refused;

/// Header fields in one request, at most.
const MOST_FIELDS: usize = 100;
/// Bytes of names and values in one request, at most.
const LONGEST_HEAD: usize = 64 * 1024;
/// Bytes of cookies in one request, at most: browsers keep to 4 KiB each.
const LONGEST_COOKIES: usize = 12 * 1024;
/// Bytes of a request target, at most.
const LONGEST_TARGET: usize = 16 * 1024;

/// Refuses what is too large, of an unknown method, or framed in more than one way.
pub(super) fn check(header: &mut RequestHeader, target: &[u8]) -> Result<(), Stop> {
    check_method(&header.method)?;
    if target.len() > LONGEST_TARGET {
        return Err(Stop::new(Refused::UriTooLong, "the request target is too long"));
    }
    check_size(&header.headers)?;
    check_transfer_encoding(header.version, &header.headers)?;
    fold_content_length(header)
}

fn check_method(method: &Method) -> Result<(), Stop> {
    match *method {
        Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::PATCH | Method::DELETE | Method::OPTIONS => {
            Ok(())
        }
        Method::TRACE | Method::CONNECT => {
            Err(Stop::new(Refused::MethodNotAllowed, "TRACE and CONNECT are never allowed"))
        }
        _ => Err(Stop::new(Refused::NotImplemented, "a method the gateway does not know")),
    }
}

fn check_size(headers: &HeaderMap) -> Result<(), Stop> {
    let total: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let cookies: usize = headers.get_all(COOKIE).iter().map(http::HeaderValue::len).sum();
    if headers.len() > MOST_FIELDS || total > LONGEST_HEAD || cookies > LONGEST_COOKIES {
        return Err(Stop::new(Refused::HeadersTooLarge, "too many or too long header fields"));
    }
    Ok(())
}

fn check_transfer_encoding(version: Version, headers: &HeaderMap) -> Result<(), Stop> {
    let mut fields = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(field) = fields.next() else { return Ok(()) };
    let alone = fields.next().is_none() && field.as_bytes().eq_ignore_ascii_case(b"chunked");
    if alone && version == Version::HTTP_11 {
        Ok(())
    } else {
        Err(Stop::bad_request("a Transfer-Encoding other than chunked"))
    }
}

/// Several fields with one and the same length become one; anything else is refused (RFC 9110 section 8.6).
fn fold_content_length(header: &mut RequestHeader) -> Result<(), Stop> {
    let faulty = || Stop::bad_request("a Content-Length that is not one number");
    let mut fields = header.headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = fields.next() else { return Ok(()) };
    let length = number(first.as_bytes()).ok_or_else(faulty)?;
    let mut told_again = false;
    for field in fields {
        if number(field.as_bytes()) != Some(length) {
            return Err(faulty());
        }
        told_again = true;
    }
    if told_again {
        header.insert_header(CONTENT_LENGTH, length.to_string()).map_err(|_| faulty())?;
    }
    Ok(())
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The length a request's head promises; none with chunks.
pub(super) fn promised_length(headers: &HeaderMap) -> Option<u64> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return None;
    }
    Some(headers.get(CONTENT_LENGTH).and_then(|value| number(value.as_bytes())).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(method: &str, fields: &[(&str, &str)]) -> Option<String> {
        let mut header = RequestHeader::build(method, b"/", None).unwrap();
        for (name, value) in fields {
            header.append_header((*name).to_owned(), (*value).to_owned()).unwrap();
        }
        check(&mut header, b"/").err().map(|stop| format!("{:?}", stop.told))
    }

    #[test]
    fn http_9_methods_that_are_never_allowed_and_methods_nobody_knows() {
        assert_eq!(refused("TRACE", &[]).as_deref(), Some("MethodNotAllowed"));
        assert_eq!(refused("CONNECT", &[]).as_deref(), Some("MethodNotAllowed"));
        assert_eq!(refused("get", &[]).as_deref(), Some("NotImplemented"));
        assert_eq!(refused("FOO", &[]).as_deref(), Some("NotImplemented"));
        assert_eq!(refused("DELETE", &[]), None);
    }

    #[test]
    fn http_4_only_one_number_is_a_length() {
        for bad in ["+5", "-1", "0x5", "5 5", "", "18446744073709551616", "5, 5", "5, 6", "5,", "５"] {
            assert!(refused("POST", &[("Content-Length", bad)]).is_some(), "{bad:?}");
        }
        assert!(refused("POST", &[("Content-Length", "5"), ("Content-Length", "6")]).is_some());
    }

    #[test]
    fn http_4_equal_lengths_become_one() {
        let mut header = RequestHeader::build("POST", b"/", None).unwrap();
        header.append_header("Content-Length", "5").unwrap();
        header.append_header("Content-Length", "05").unwrap();
        check(&mut header, b"/").unwrap();
        let all: Vec<_> = header.headers.get_all(CONTENT_LENGTH).iter().collect();
        assert_eq!(all, ["5"]);
    }

    #[test]
    fn http_5_chunked_alone_is_a_coding() {
        assert_eq!(refused("POST", &[("Transfer-Encoding", "chunked")]), None);
        for bad in ["xchunked", "chunked, identity", "gzip, chunked", "identity", "chunked,", ""] {
            assert!(refused("POST", &[("Transfer-Encoding", bad)]).is_some(), "{bad:?}");
        }
        assert!(refused("POST", &[("Transfer-Encoding", "identity"), ("Transfer-Encoding", "chunked")]).is_some());
    }

    #[test]
    fn load_2_a_head_has_a_bound() {
        let many: Vec<(String, String)> = (0..101).map(|n| (format!("x-{n}"), "1".to_owned())).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(refused("GET", &many).as_deref(), Some("HeadersTooLarge"));
        assert_eq!(refused("GET", &[("X-Long", &"x".repeat(65 * 1024))]).as_deref(), Some("HeadersTooLarge"));
        assert_eq!(refused("GET", &[("Cookie", &"x".repeat(16 * 1024))]).as_deref(), Some("HeadersTooLarge"));
        let mut header = RequestHeader::build("GET", b"/", None).unwrap();
        let told = check(&mut header, "/".repeat(64 * 1024).as_bytes()).unwrap_err().told;
        assert!(matches!(told, Refused::UriTooLong));
    }
}
