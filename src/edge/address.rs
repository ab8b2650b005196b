//! Where a request comes from: the client's address and scheme, as trusted proxies tell them, and nobody else.

use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;

/// Some of what a trusted proxy said cannot be read: the request is refused, because guessing would let a client choose its
/// own address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// The client's address: the peer, or what trusted proxies say it is: the right-most entry of `X-Forwarded-For` that is
/// not a trusted proxy itself (CVE-2026-57210).
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Result<IpAddr, Unreadable> {
    let mut client = peer.to_canonical();
    if !is_trusted(client, trusted) {
        return Ok(client);
    }
    let mut said = Vec::new();
    for field in headers.get_all("x-forwarded-for") {
        let text = field.to_str().map_err(|_| Unreadable)?;
        for entry in text.split(',') {
            said.push(entry.trim().parse::<IpAddr>().map_err(|_| Unreadable)?.to_canonical());
        }
    }
    for address in said.into_iter().rev() {
        client = address;
        if !is_trusted(client, trusted) {
            break;
        }
    }
    Ok(client)
}

/// Whether the client came by https: over TLS here, or by the word of a trusted proxy.
pub(super) fn is_secure(peer: IpAddr, tls: bool, headers: &HeaderMap, trusted: &[IpNet]) -> bool {
    if !is_trusted(peer.to_canonical(), trusted) {
        return tls;
    }
    let said = headers.get_all("x-forwarded-proto").iter().next_back();
    said.map_or(tls, |value| {
        value
            .as_bytes()
            .rsplit(|byte| *byte == b',')
            .next()
            .is_some_and(|last| last.trim_ascii().eq_ignore_ascii_case(b"https"))
    })
}

/// As text, as `Display` would write it: log and backends are told with every request, and most addresses are these.
pub(super) fn text(address: IpAddr) -> String {
    let IpAddr::V4(address) = address else { return address.to_string() };
    let mut text = String::with_capacity("255.255.255.255".len());
    for (place, octet) in address.octets().into_iter().enumerate() {
        if place > 0 {
            text.push('.');
        }
        for (unit, least) in [(100, 100), (10, 10), (1, 0)] {
            if octet >= least {
                text.push(char::from(b'0' + octet / unit % 10));
            }
        }
    }
    text
}

/// Whether `address` is one of the trusted proxies.
pub(super) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "10.0.0.1";

    #[test]
    fn an_address_reads_as_everywhere() {
        for octet in 0..=255 {
            let address = IpAddr::from([octet, 0, 255, octet]);
            assert_eq!(text(address), address.to_string());
        }
        assert_eq!(text("2001:db8::1".parse().unwrap()), "2001:db8::1");
    }

    fn seen(peer: &str, fields: &[&str]) -> Result<String, Unreadable> {
        let trusted = ["10.0.0.0/24".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append("x-forwarded-for", field.parse().unwrap());
        }
        client(peer.parse().unwrap(), &headers, &trusted).map(|address| address.to_string())
    }

    #[test]
    fn hdr_4_a_stranger_cannot_choose_its_address() {
        assert_eq!(seen("203.0.113.9", &["10.9.0.1"]).unwrap(), "203.0.113.9");
    }

    #[test]
    fn hdr_6_the_client_is_the_right_most_entry_that_is_no_proxy_of_ours() {
        assert_eq!(seen(PROXY, &["10.9.0.1, 203.0.113.5"]).unwrap(), "203.0.113.5");
        assert_eq!(seen(PROXY, &["10.9.0.1, 203.0.113.5, 10.0.0.7"]).unwrap(), "203.0.113.5");
        assert_eq!(seen(PROXY, &["10.9.0.1", "203.0.113.5"]).unwrap(), "203.0.113.5");
        assert_eq!(seen(PROXY, &[&["10.9.0.1"; 500].join(", ")]).unwrap(), "10.9.0.1");
        assert_eq!(seen(PROXY, &[]).unwrap(), PROXY);
    }

    #[test]
    fn hdr_6_what_cannot_be_read_is_refused() {
        for field in [
            "10.9.0.1, unknown",
            "unknown, 203.0.113.5",
            "10.9.0.1,,10.9.0.1",
            "\"10.9.0.1\"",
            "",
            "10.9.0.1,",
            "10.9.0.1:80",
            "010.9.0.1",
        ] {
            assert_eq!(seen(PROXY, &[field]), Err(Unreadable), "{field:?}");
        }
    }

    #[test]
    fn hdr_6_hdr_7_a_mapped_address_is_the_ipv4_address() {
        assert_eq!(seen(PROXY, &["::ffff:10.9.0.1"]).unwrap(), "10.9.0.1");
        assert_eq!(seen("::ffff:10.0.0.1", &["203.0.113.5"]).unwrap(), "203.0.113.5");
    }

    #[test]
    fn hdr_5_only_a_trusted_proxy_says_https() {
        let trusted = ["10.0.0.0/24".parse().unwrap()];
        let mut headers = HeaderMap::new();
        let proxy = PROXY.parse().unwrap();
        let stranger = "203.0.113.9".parse().unwrap();
        assert!(!is_secure(proxy, false, &headers, &trusted));
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        assert!(is_secure(proxy, false, &headers, &trusted));
        assert!(!is_secure(stranger, false, &headers, &trusted));
        headers.insert("x-forwarded-proto", "http".parse().unwrap());
        assert!(is_secure(stranger, true, &headers, &trusted));
        assert!(!is_secure(proxy, true, &headers, &trusted));
    }
}
