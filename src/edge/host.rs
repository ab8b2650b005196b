//! The host a request names, and the bytes of its target.

use http::header::HOST;
use pingora::http::RequestHeader;

use super::stop::Stop;
use crate::policy::canonical::absolute_authority;

/// The host a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    /// Lower case, with the port as it was sent.
    pub full: String,
    name_length: usize,
}

/// A host name, at most (RFC 1035), and a port.
const LONGEST: usize = 253 + 6;

/// The one host of a request. Two, none, or something that is no host: refused (RFC 9112 section 3.2).
pub(super) fn host(header: &RequestHeader) -> Result<Host, Stop> {
    let mut fields = header.headers.get_all(HOST).iter();
    let field = fields.next().map(http::HeaderValue::as_bytes);
    if fields.next().is_some() {
        return Err(Stop::bad_request("more than one Host"));
    }
    let authority = header.uri.authority().map(|authority| authority.as_str().as_bytes());
    match (field, authority) {
        (Some(one), Some(other)) if one != other => Err(Stop::bad_request("two different hosts")),
        (Some(one), _) | (None, Some(one)) => {
            Host::parse(one).ok_or_else(|| Stop::bad_request("a Host that is no host"))
        }
        (None, None) => Err(Stop::bad_request("no Host")),
    }
}

/// The target as it stood on the request line; with an authority of its own, it must be the `Host`'s (RFC 9112 section
/// 3.2.2). `raw_head` is the head's bytes on HTTP/1, where pingora's own copy has lost what follows a `#`.
pub(super) fn target<'h>(header: &'h RequestHeader, raw_head: &'h [u8], host: &Host) -> Result<&'h [u8], Stop> {
    let raw = request_line_target(raw_head).unwrap_or_else(|| header.raw_path());
    match absolute_authority(raw) {
        Some(authority) if !authority.eq_ignore_ascii_case(host.full.as_bytes()) => {
            Err(Stop::bad_request("a request target for another host"))
        }
        _ => Ok(raw),
    }
}

fn request_line_target(head: &[u8]) -> Option<&[u8]> {
    let line = head.split(|byte| matches!(byte, b'\r' | b'\n')).find(|line| !line.is_empty())?;
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    words.nth(1)
}

// === impl Host ===

impl Host {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?.to_ascii_lowercase();
        if text.is_empty() || text.len() > LONGEST {
            return None;
        }
        let name_length = name_of(&text).len();
        let (name, port) = text.split_at(name_length);
        let port_is_one = port.is_empty()
            || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok_and(|_| is_digits(port)));
        (is_name(name) && port_is_one).then_some(Self { name_length, full: text })
    }

    /// Without port: what sites are found by.
    pub fn name(&self) -> &str {
        &self.full[..self.name_length]
    }
}

/// The name in `host:port`.
pub(super) fn name_of(authority: &str) -> &str {
    let end = if authority.starts_with('[') { authority.find(']').map(|at| at + 1) } else { authority.find(':') };
    &authority[..end.unwrap_or(authority.len())]
}

fn is_digits(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_name(name: &str) -> bool {
    if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_compared_in_lower_case_and_without_its_port() {
        let host = Host::parse(b"CRM.Example.org:8443").unwrap();
        assert_eq!((host.name(), host.full.as_str()), ("crm.example.org", "crm.example.org:8443"));
        assert_eq!(Host::parse(b"[2001:db8::1]:80").unwrap().name(), "[2001:db8::1]");
    }

    #[test]
    fn http_9_what_is_no_host_is_refused() {
        for bad in ["", "a b", "a/b", "a@b", "a:b", "a:", "a:+80", "a:99999", "[::1", "[x]", "a\u{e9}", "a,b"] {
            assert_eq!(Host::parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    fn target_of(line: &str) -> Result<String, String> {
        let host = Host::parse(b"gw.test").unwrap();
        let header = RequestHeader::build("GET", b"/pingora-has-it", None).unwrap();
        let head = format!("{line}\r\nHost: gw.test\r\n\r\n");
        target(&header, head.as_bytes(), &host)
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .map_err(|stop| stop.because.into_owned())
    }

    #[test]
    fn path_7_an_absolute_target_is_for_the_host_that_is_named() {
        assert_eq!(target_of("GET /admin/ops HTTP/1.1").unwrap(), "/admin/ops");
        assert_eq!(target_of("GET HTTP://GW.TEST/x HTTP/1.1").unwrap(), "HTTP://GW.TEST/x");
        assert!(target_of("GET http://other.test/admin/ops HTTP/1.1").is_err());
        assert!(target_of("GET http://gw.test@other.test/x HTTP/1.1").is_err());
    }

    #[test]
    fn path_5_what_follows_a_hash_is_not_lost() {
        assert_eq!(target_of("GET /app/p#/public/health HTTP/1.1").unwrap(), "/app/p#/public/health");
    }
}
