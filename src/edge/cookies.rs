//! Cookies: the gateway's own among a request's, which never reach a backend, and which no backend sets.

use bytes::BytesMut;
use http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use memchr::{memchr, memchr_iter};
use pingora::http::ResponseHeader;

use crate::portal::{is_own, sets_own};

/// Two different values under one name: somebody planted one of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ambiguous;

/// The values of the cookies called exactly as `names` say. Names that only look like it are other cookies; the same value
/// twice is one.
pub(super) fn values<'h, const N: usize>(
    headers: &'h HeaderMap,
    names: [&str; N],
) -> Result<[Option<&'h str>; N], Ambiguous> {
    let mut found: [Option<&[u8]>; N] = [None; N];
    for pair in headers.get_all(COOKIE).iter().flat_map(pairs) {
        for (name, found) in names.iter().zip(&mut found) {
            let rest = pair.strip_prefix(name.as_bytes());
            let Some(value) = rest.and_then(|rest| rest.strip_prefix(b"=")) else { continue };
            if found.replace(value).is_some_and(|earlier| earlier != value) {
                return Err(Ambiguous);
            }
        }
    }
    // A value that is not text is none we have ever made.
    Ok(found.map(|found| found.map(|value| std::str::from_utf8(value).unwrap_or_default())))
}

/// The cookies whose names begin with `prefix`: what follows it, and the value.
pub(super) fn beginning_with<'h>(headers: &'h HeaderMap, prefix: &str) -> impl Iterator<Item = (&'h str, &'h str)> {
    let pairs = headers.get_all(COOKIE).iter().flat_map(pairs);
    let found = pairs.filter_map(move |pair| std::str::from_utf8(pair.strip_prefix(prefix.as_bytes())?).ok());
    found.filter_map(|rest| rest.split_once('='))
}

/// Takes the gateway's cookies out of `Cookie`, and leaves the others byte for byte (several fields become one, as RFC 9113
/// section 8.2.3 asks towards HTTP/1.1).
pub(super) fn strip_own(fields: &mut HeaderMap) {
    let (mut kept, mut changes) = (BytesMut::new(), false);
    for (number, field) in fields.get_all(COOKIE).iter().enumerate() {
        changes |= number > 0;
        for pair in pairs(field) {
            if is_own(cookie_name(pair)) {
                changes = true;
                continue;
            }
            if !kept.is_empty() {
                kept.extend_from_slice(b"; ");
            }
            kept.extend_from_slice(pair);
        }
    }
    if !changes {
        return;
    }
    match HeaderValue::from_maybe_shared(kept.freeze()) {
        Ok(value) if !value.is_empty() => drop(fields.insert(COOKIE, value)),
        _ => drop(fields.remove(COOKIE)),
    }
}

fn pairs(field: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let field = field.as_bytes();
    let mut begin = 0;
    let ends = memchr_iter(b';', field).chain([field.len()]);
    let pairs = ends.map(move |end| &field[std::mem::replace(&mut begin, end + 1)..end]);
    pairs.map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty())
}

fn cookie_name(pair: &[u8]) -> &[u8] {
    memchr(b'=', pair).map_or(pair, |end| &pair[..end]).trim_ascii()
}

/// A backend never sets a cookie of ours.
pub(super) fn strip_own_from_answer(header: &mut ResponseHeader) {
    if !header.headers.get_all(SET_COOKIE).iter().any(|value| sets_own(value.as_bytes())) {
        return;
    }
    let kept: Vec<HeaderValue> =
        header.headers.get_all(SET_COOKIE).iter().filter(|value| !sets_own(value.as_bytes())).cloned().collect();
    header.remove_header(&SET_COOKIE);
    for value in kept {
        header.append_header(SET_COOKIE, value).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(fields: &[&str]) -> Result<Option<String>, Ambiguous> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(COOKIE, field.parse().unwrap());
        }
        values(&headers, ["__Host-vantail", "other"]).map(|[found, _]| found.map(str::to_owned))
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
    fn web_3_two_cookies_are_told_apart_though_one_name_begins_like_the_other() {
        let names = ["__Host-vantail", "__Host-vantail-answer"];
        let find = |field: &'static str| {
            values(&request(&[field]), names).map(|found| found.map(|one| one.map(str::to_owned)))
        };
        assert_eq!(find("__Host-vantail-answer=2"), Ok([None, Some("2".into())]));
        assert_eq!(find("__Host-vantail-answer=2; __Host-vantail=1"), Ok([Some("1".into()), Some("2".into())]));
        assert_eq!(find("__Host-vantail-answer=2; __Host-vantail=1; __Host-vantail-answer=3"), Err(Ambiguous));
    }

    #[test]
    fn cookies_of_one_family_are_found_by_how_their_names_begin() {
        let headers = request(&["a=1; vantail-resume-x=1;vantail-resume-y=2", "vantail-resume=3; vantail-resume-=4"]);
        let found: Vec<_> = beginning_with(&headers, "vantail-resume-").collect();
        assert_eq!(found, [("x", "1"), ("y", "2"), ("", "4")]);
    }

    #[test]
    fn web_3_two_different_values_are_refused() {
        assert_eq!(find(&["__Host-vantail=vs_1; __Host-vantail=vs_2"]), Err(Ambiguous));
        assert_eq!(find(&["__Host-vantail=vs_1", " __Host-vantail=vs_2"]), Err(Ambiguous));
    }

    fn request(cookies: &[&str]) -> HeaderMap {
        cookies.iter().map(|value| (COOKIE, HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn gateway_cookies_go_and_the_others_stay_byte_for_byte() {
        let mut header = request(&["a=1; __Host-vantail=vs_secret;b=\"x y\" ; vantail-browser=z; c==2"]);
        strip_own(&mut header);
        assert_eq!(header[COOKIE], "a=1; b=\"x y\"; c==2");

        let mut untouched = request(&["a=1;b=2;  c=3"]);
        strip_own(&mut untouched);
        assert_eq!(untouched[COOKIE], "a=1;b=2;  c=3");

        let mut only_ours = request(&["__HOST-Vantail=vs_secret"]);
        strip_own(&mut only_ours);
        assert_eq!(only_ours.get(COOKIE), None);
    }

    #[test]
    fn several_cookie_fields_become_one() {
        let mut header = request(&["a=1", "vantail=vs_x", "b=2"]);
        strip_own(&mut header);
        let all: Vec<_> = header.get_all(COOKIE).iter().collect();
        assert_eq!(all, ["a=1; b=2"]);
    }

    #[test]
    fn a_backend_cannot_set_a_cookie_of_ours() {
        let mut header = ResponseHeader::build(200, None).unwrap();
        for value in
            ["a=1; Path=/", "__Host-vantail=vs_forged; Path=/", " Vantail-Answer=x", "=__Host-vantail=x", "b=2"]
        {
            header.append_header(SET_COOKIE, value).unwrap();
        }
        strip_own_from_answer(&mut header);
        let all: Vec<_> = header.headers.get_all(SET_COOKIE).iter().collect();
        assert_eq!(all, ["a=1; Path=/", "b=2"]);
    }
}
