//! Where a browser goes after signing in: a path on this very origin, and nowhere else (WEB-1).

use percent_encoding::percent_decode_str;

/// Longest address kept through a sign-in.
const LONGEST: usize = 4096;

/// `wanted` when it is a path (with query) on the origin that shows it, in a spelling every browser reads alike; else `/`.
///
/// Browsers drop tabs and line ends, read `\` as `/` and fold dot segments; what would need any of that is refused,
/// percent-encoded as well and however often.
pub fn safe_return(wanted: &str) -> String {
    if is_plain_path(wanted) { wanted.to_owned() } else { "/".to_owned() }
}

/// Where to go when an address may not have been given at all: then the portal's own front page.
pub fn or_front(wanted: &str) -> String {
    if wanted.is_empty() { "/secure/".to_owned() } else { safe_return(wanted) }
}

/// `path?return_to=…`, or the bare path when there is nothing to come back to.
pub fn with_return(path: &str, return_to: &str) -> String {
    with_query(path, "return_to", return_to)
}

/// `path?name=…`, or the bare path when there is nothing to say.
pub fn with_query(path: &str, name: &str, value: &str) -> String {
    if value.is_empty() { path.to_owned() } else { format!("{path}?{name}={}", encoded(value)) }
}

/// For a query value.
pub fn encoded(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEEP: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(text, KEEP).to_string()
}

fn is_plain_path(wanted: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    let path = wanted.split(['?', '#']).next().unwrap_or_default();
    wanted.len() <= LONGEST && wanted.starts_with('/') && wanted.bytes().all(plain) && stays_plain(path)
}

/// Whether `path` is free of dot segments, empty segments, backslashes and control characters in every depth of decoding.
fn stays_plain(path: &str) -> bool {
    let mut path = path.to_owned();
    loop {
        if path.contains("//") || path.contains('\\') || path.chars().any(char::is_control) || has_dot_segment(&path) {
            return false;
        }
        let Ok(decoded) = percent_decode_str(&path).decode_utf8() else { return false };
        if decoded == path {
            return true;
        }
        path = decoded.into_owned();
    }
}

/// A segment of dots alone, with or without parameters behind a `;`.
fn has_dot_segment(path: &str) -> bool {
    path.split('/').any(|segment| matches!(segment.split(';').next(), Some("." | "..")))
}

#[cfg(test)]
#[path = "../../tests/support/elsewhere.rs"]
mod elsewhere;

#[cfg(test)]
mod tests {
    use super::elsewhere::corpus;
    use super::*;

    #[test]
    fn web_1_every_spelling_of_another_place_leads_home() {
        let corpus = corpus();
        assert!(corpus.len() > 500, "the corpus has {} spellings", corpus.len());
        for wanted in corpus {
            assert_eq!(safe_return(&wanted), "/", "{wanted:?} was taken");
        }
    }

    #[test]
    fn a_path_of_our_own_is_kept_with_its_query() {
        for wanted in [
            "/",
            "/app/",
            "/secure/operations/48271935",
            "/a/b%20c?x=//evil&y=%5c",
            "/%C3%A9t%C3%A9?n=1#part",
            "/a;v=1/b",
        ] {
            assert_eq!(safe_return(wanted), wanted);
        }
    }

    #[test]
    fn what_is_taken_resolves_to_our_own_origin_as_a_browser_resolves_it() {
        let base = reqwest::Url::parse("https://gw.test/secure/login").unwrap();
        for wanted in corpus().iter().map(String::as_str).chain(["/a?b=c", "/a#//evil", "/%41"]) {
            let landed = base.join(&safe_return(wanted)).unwrap();
            assert_eq!(landed.origin(), base.origin(), "{wanted:?} led to {landed}");
        }
    }

    #[test]
    fn an_address_longer_than_any_browser_keeps_is_not_kept() {
        assert_eq!(safe_return(&format!("/{}", "a".repeat(LONGEST))), "/");
    }

    #[test]
    fn an_address_survives_its_query_value() {
        assert_eq!(with_return("/secure/login", "/a?b=c&d"), "/secure/login?return_to=/a%3Fb%3Dc%26d");
        assert_eq!(with_return("/secure/login", ""), "/secure/login");
    }
}
