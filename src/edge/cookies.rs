//! The gateway's cookies among those a request carries.

use http::HeaderMap;
use http::header::COOKIE;

/// Two different values under one name: somebody planted one of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ambiguous;

/// The value of the cookie called exactly `name`. Names that only look like it are other cookies; the same value twice
/// is one.
pub(super) fn value<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Ambiguous> {
    let mut found = None;
    let pairs = headers.get_all(COOKIE).iter().flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    for pair in pairs.map(<[u8]>::trim_ascii) {
        let Some(value) = pair.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"=")) else { continue };
        match found {
            Some(earlier) if earlier != value => return Err(Ambiguous),
            _ => found = Some(value),
        }
    }
    // A value that is not text is none we have ever made.
    Ok(found.map(|value| std::str::from_utf8(value).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(fields: &[&str]) -> Result<Option<String>, Ambiguous> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(COOKIE, field.parse().unwrap());
        }
        value(&headers, "__Host-vantail").map(|found| found.map(str::to_owned))
    }

    #[test]
    fn web_3_the_session_cookie_is_found_among_others() {
        assert_eq!(find(&["a=1; __Host-vantail=vs_1; b=2"]), Ok(Some("vs_1".into())));
        assert_eq!(find(&["a=1", "__Host-vantail=vs_1"]), Ok(Some("vs_1".into())));
        assert_eq!(find(&["__Host-vantail=vs_1; __Host-vantail=vs_1"]), Ok(Some("vs_1".into())));
        assert_eq!(find(&["a=1"]), Ok(None));
    }

    #[test]
    fn web_3_look_alikes_are_ignored() {
        for cookie in ["__host-vantail=x", "__Host-vantail-browser=x", "__Host-vantail =x", "x__Host-vantail=x"] {
            assert_eq!(find(&[cookie]), Ok(None), "{cookie}");
        }
    }

    #[test]
    fn web_3_two_different_values_are_refused() {
        assert_eq!(find(&["__Host-vantail=vs_1; __Host-vantail=vs_2"]), Err(Ambiguous));
        assert_eq!(find(&["__Host-vantail=vs_1", " __Host-vantail=vs_2"]), Err(Ambiguous));
    }
}
