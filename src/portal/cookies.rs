//! The portal's cookies: their names, how they are set, how they are read.
//!
//! Over https all carry `__Host-` and Secure (RFC 6265bis 4.1.3.2); on loopback over plain HTTP browsers would not keep those,
//! so the same names go without. None has a Domain; all are HttpOnly, `SameSite=Lax`, `Path=/` (WEB-3).

use http::HeaderMap;
use http::header::{COOKIE, HeaderValue};

use super::Visit;
use crate::operation::DetourId;
use crate::secret::{BrowserToken, SessionToken};
use crate::session::Remember;

/// How long a browser is known by its cookie, seconds: 400 days, the most browsers keep one (RFC 6265bis section 5.5).
const BROWSER_SECONDS: u32 = 400 * 24 * 3600;
/// How long the ticket for a kept answer, or for a request that goes on, is good for, seconds: one redirect.
const ANSWER_SECONDS: u32 = 60;

/// Name of the session cookie for this visit: `__Host-vantail`, or `vantail` on loopback over plain HTTP.
pub fn session_cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-vantail" } else { "vantail" }
}

/// Name of the cookie by which a browser is remembered.
pub fn remember_cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-vantail-remember" } else { "vantail-remember" }
}

/// Name of the one-use answer cookie.
pub fn answer_cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-vantail-answer" } else { "vantail-answer" }
}

/// How the name of the cookie begins by which a request laid aside goes on. Its id follows: each tab has its own.
pub fn resume_cookie_prefix(secure: bool) -> &'static str {
    if secure { "__Host-vantail-resume-" } else { "vantail-resume-" }
}

/// Name of the cookie that ties the forms of a browser without session to that browser.
pub fn csrf_cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-vantail-csrf" } else { "vantail-csrf" }
}

/// Name of the cookie by which a browser is known to whoever signed in from it.
pub fn browser_cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-vantail-browser" } else { "vantail-browser" }
}

/// Whether a cookie of this name is the gateway's own or looks like it: in any case, with any prefix.
pub fn is_own(name: &[u8]) -> bool {
    let begins = |prefix: &[u8]| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    begins(b"__host-vantail") || begins(b"__secure-vantail") || begins(b"vantail")
}

/// Whether this `Set-Cookie` value sets a cookie of ours. One without a name (`=__Host-vantail=x`) counts by its value, since
/// browsers send that alone, and it then reads as a name and a value (RFC 6265bis section 5.7).
pub fn sets_own(set_cookie: &[u8]) -> bool {
    let pair = set_cookie.split(|byte| *byte == b';').next().unwrap_or_default();
    let unnamed = |byte: &u8| *byte == b'=' || byte.is_ascii_whitespace();
    let from = pair.iter().position(|byte| !unnamed(byte)).unwrap_or(pair.len());
    is_own(pair[from..].split(|byte| *byte == b'=').next().unwrap_or_default())
}

/// Sets the session's token. It ends with the browser: what outlives that is the value by which it is remembered.
pub fn session(visit: &Visit, token: &SessionToken) -> HeaderValue {
    set(visit, session_cookie_name(visit.secure), &token.expose(), None)
}

/// Takes the session's token away.
pub fn no_session(visit: &Visit) -> HeaderValue {
    set(visit, session_cookie_name(visit.secure), "", Some(0))
}

/// Sets the value by which the browser is remembered, for as long as it is.
pub fn remember(visit: &Visit, by: &Remember) -> HeaderValue {
    let seconds = u32::try_from(by.lasts.as_secs()).unwrap_or(u32::MAX);
    set(visit, remember_cookie_name(visit.secure), &by.token.expose(), Some(seconds))
}

/// Takes that value away.
pub fn no_remember(visit: &Visit) -> HeaderValue {
    set(visit, remember_cookie_name(visit.secure), "", Some(0))
}

/// Sets the ticket for one showing of a kept answer.
pub fn answer(visit: &Visit, ticket: &str) -> HeaderValue {
    set(visit, answer_cookie_name(visit.secure), ticket, Some(ANSWER_SECONDS))
}

/// Sets the ticket by which the request laid aside as `id` goes on.
pub fn resume(visit: &Visit, id: &DetourId, ticket: &str) -> HeaderValue {
    set(visit, &resume_cookie_name(visit, id), ticket, Some(ANSWER_SECONDS))
}

/// Takes that ticket back.
pub fn spent_resume(visit: &Visit, id: &DetourId) -> HeaderValue {
    set(visit, &resume_cookie_name(visit, id), "", Some(0))
}

/// Ties this browser's forms to it.
pub fn csrf(visit: &Visit, value: &str) -> HeaderValue {
    set(visit, csrf_cookie_name(visit.secure), value, None)
}

/// What this browser may be known by, once somebody has signed in from it: until then it ends with the browser.
pub fn new_browser(visit: &Visit, token: &BrowserToken) -> HeaderValue {
    set(visit, browser_cookie_name(visit.secure), &token.expose(), None)
}

/// What this browser is known by from now on.
pub fn known_browser(visit: &Visit, token: &BrowserToken) -> HeaderValue {
    set(visit, browser_cookie_name(visit.secure), &token.expose(), Some(BROWSER_SECONDS))
}

/// The value of the cookie `name`. The same name with two different values is no cookie at all (WEB-3).
pub fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = values(headers, name);
    let first = values.next()?;
    values.all(|other| other == first).then_some(first)
}

/// Whether there is a cookie `name`, with whatever values.
pub fn has(headers: &HeaderMap, name: &str) -> bool {
    values(headers, name).next().is_some()
}

fn values<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim_start_matches(' ').split_once('='));
    pairs.filter(move |(own, _)| *own == name).map(|(_, value)| value.trim_end_matches(' '))
}

fn resume_cookie_name(visit: &Visit, id: &DetourId) -> String {
    format!("{}{id}", resume_cookie_prefix(visit.secure))
}

fn set(visit: &Visit, name: &str, value: &str, max_age: Option<u32>) -> HeaderValue {
    let age = max_age.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    let secure = if visit.secure { "; Secure" } else { "" };
    let line = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{age}{secure}");
    HeaderValue::try_from(line).expect("names and values are of our own making, in visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, HeaderValue::from_str(line).unwrap())).collect()
    }

    #[test]
    fn web_3_no_set_cookie_of_a_backend_becomes_a_cookie_of_ours() {
        for ours in [
            "__Host-vantail=vs_x; Path=/",
            "__HOST-Vantail-Answer=x",
            "__Secure-vantail=x",
            " vantail =x",
            "vantail",
            "=__Host-vantail=vs_x; Path=/",
            " = __Host-vantail=vs_x",
            "==vantail=vs_x",
            "=vantail-answer",
        ] {
            assert!(sets_own(ours.as_bytes()), "{ours}");
        }
        for theirs in ["a=vantail", "a=1; vantail=2", "=a=vantail", "", "=", "xvantail=1"] {
            assert!(!sets_own(theirs.as_bytes()), "{theirs}");
        }
    }

    #[test]
    fn web_3_two_values_of_one_name_are_none_and_look_alikes_are_ignored() {
        assert_eq!(read(&headers(&["a=1; b=2"]), "b"), Some("2"));
        assert_eq!(read(&headers(&["a=1; a=1"]), "a"), Some("1"));
        assert_eq!(read(&headers(&["a=1", "a=2"]), "a"), None);
        assert_eq!(
            read(&headers(&["__host-vantail=x; \t__Host-vantail=y; __Host-vantail =z"]), "__Host-vantail"),
            None
        );
    }
}
