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

use std::borrow::Cow;
use std::fmt::Write as _;

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

/// What an escape in a path becomes.
enum Escape {
    /// It was not needed: the character itself.
    Plain(u8),
    /// It stays, in upper case.
    Kept(u8),
}

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
        let path = resolve(&unescape(path)?);
        if path.contains("%2F") {
            check_encoded_slash(&path, encoded_slash)?;
        }
        let key = key_of(&path);
        let cut_key = cut_parameters(&path).map(|cut| key_of(&cut)).filter(|cut| *cut != key);
        Ok(Self { path, query: query.map(ascii_query), key, cut_key })
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

/// Undoes the escapes that were not needed, escapes what must be, refuses what is read differently by different readers.
fn unescape(path: &[u8]) -> Result<String, NotCanonical> {
    let mut clean = String::with_capacity(path.len() + 1);
    let mut decoded = Vec::new();
    let mut at = 0;
    while let Some(&byte) = path.get(at) {
        at += 1;
        match byte {
            b'\\' => return Err(NotCanonical("the path holds a backslash")),
            b'%' => {
                let value = escape(path.get(at..at + 2)).ok_or(NotCanonical("the path holds a malformed escape"))?;
                at += 2;
                decoded.push(value);
                match judge_escape(value)? {
                    Escape::Plain(value) => clean.push(char::from(value)),
                    Escape::Kept(value) => push_escaped(&mut clean, value),
                }
            }
            plain if is_path_character(plain) => {
                decoded.push(plain);
                clean.push(char::from(plain));
            }
            other => {
                decoded.push(other);
                push_escaped(&mut clean, other);
            }
        }
    }
    if has_overlong(&decoded) {
        return Err(NotCanonical("the path holds an overlong UTF-8 sequence"));
    }
    Ok(clean)
}

fn judge_escape(value: u8) -> Result<Escape, NotCanonical> {
    match value {
        b'\\' => Err(NotCanonical("the path holds an encoded backslash")),
        0..0x20 | 0x7f => Err(NotCanonical("the path holds an encoded control character")),
        value if is_unreserved(value) => Ok(Escape::Plain(value)),
        value => Ok(Escape::Kept(value)),
    }
}

fn escape(digits: Option<&[u8]>) -> Option<u8> {
    let digits = digits?;
    let high = char::from(digits[0]).to_digit(16)?;
    let low = char::from(digits[1]).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

fn push_escaped(text: &mut String, byte: u8) {
    write!(text, "%{byte:02X}").expect("writing to a string does not fail");
}

/// RFC 3986 section 2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// `pchar` of RFC 3986 section 3.3, or the separator.
const fn is_path_character(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'/' | b':' | b'@' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
        )
}

/// Whether the bytes hold a UTF-8 sequence longer than needed (`C0 AF` for `/`), which lenient decoders still read.
fn has_overlong(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| {
        matches!((pair[0], pair[1]), (0xc0 | 0xc1, 0x80..=0xbf) | (0xe0, 0x80..=0x9f) | (0xf0, 0x80..=0x8f))
    })
}

/// Merges separators and removes dot segments; above the root there is nothing (RFC 3986 section 5.2.4).
fn resolve(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut folder = true;
    for segment in path.split('/') {
        folder = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let mut clean = String::with_capacity(path.len() + 1);
    for segment in &kept {
        clean.push('/');
        clean.push_str(segment);
    }
    if folder || kept.is_empty() {
        clean.push('/');
    }
    clean
}

fn check_encoded_slash(path: &str, allowed: impl Fn(&str) -> bool) -> Result<(), NotCanonical> {
    if !allowed(path) {
        return Err(NotCanonical("the path holds an encoded slash"));
    }
    let climbs =
        |segment: &str| segment.contains("%2F") && segment.split("%2F").any(|part| matches!(part, "" | "." | ".."));
    if path.split('/').any(climbs) {
        return Err(NotCanonical("the path holds dot segments or empty ones behind an encoded slash"));
    }
    Ok(())
}

/// The path with each segment cut at its first `;`, as servers with path parameters read it; nothing when there is none.
fn cut_parameters(path: &str) -> Option<String> {
    if !path.contains(';') && !path.contains("%3B") {
        return None;
    }
    let cut: Vec<&str> = path
        .split('/')
        .map(|segment| segment.split(';').next().unwrap_or(segment))
        .map(|segment| segment.split("%3B").next().unwrap_or(segment))
        .collect();
    Some(resolve(&cut.join("/")))
}

/// Decodes all escapes but `%25` and `%2F`, which would read as something else, and those that are not UTF-8.
fn decoded(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let bytes = path.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let value = if byte == b'%' { escape(bytes.get(at + 1..at + 3)) } else { None };
        match value {
            Some(value) if !matches!(value, b'%' | b'/') => {
                plain.push(value);
                at += 3;
            }
            _ => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    let mut text = String::with_capacity(plain.len());
    for chunk in plain.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            push_escaped(&mut text, *byte);
        }
    }
    Cow::Owned(text)
}

fn ascii_query(query: &[u8]) -> String {
    let mut text = String::with_capacity(query.len());
    for byte in query {
        if byte.is_ascii() { text.push(char::from(*byte)) } else { push_escaped(&mut text, *byte) }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(raw: &str) -> Result<String, NotCanonical> {
        CanonicalTarget::parse(raw.as_bytes(), |_| false).map(|target| target.path)
    }

    fn keys(raw: &str) -> Vec<String> {
        let target = CanonicalTarget::parse(raw.as_bytes(), |_| false).unwrap();
        target.keys().map(str::to_owned).collect()
    }

    #[test]
    fn path_1_dot_segments_are_resolved_before_anybody_judges() {
        for raw in ["/public/../admin/ops", "/public/%2e%2e/admin/ops", "/public/.%2e/admin/ops", "/../admin/ops"] {
            assert_eq!(path(raw).unwrap(), "/admin/ops", "{raw}");
        }
        assert!(path("/public/x/..%2f..%2fadmin/ops").is_err());
        assert_eq!(path("/public../admin/ops").unwrap(), "/public../admin/ops");
    }

    #[test]
    fn path_2_separators_are_merged_and_a_final_slash_changes_no_key() {
        for raw in ["//admin/ops/1", "/admin//ops/1", "/./admin/ops/1", "/admin/./ops/1"] {
            assert_eq!(path(raw).unwrap(), "/admin/ops/1", "{raw}");
        }
        for raw in ["/admin/ops/1", "/admin/ops/1/", "/admin/ops/1/."] {
            assert_eq!(keys(raw), ["/admin/ops/1/"], "{raw}");
        }
    }

    #[test]
    fn path_3_needless_escapes_are_undone() {
        for raw in ["/%61dmin/ops/1", "/adm%69n/ops/1", "/%61%64%6d%69%6e/ops/1", "/admin/%6fps/1"] {
            assert_eq!(path(raw).unwrap(), "/admin/ops/1", "{raw}");
        }
        assert_eq!(path("/caf%c3%a9").unwrap(), "/caf%C3%A9");
    }

    #[test]
    fn path_4_encoded_separators_are_refused() {
        for raw in ["/admin%2fops%2f1", "/admin%2Fops", "/public%5c..%5cadmin", "/public\\..\\admin\\ops"] {
            assert!(path(raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn path_4_an_allowed_encoded_slash_stays_inside_its_segment() {
        let target = CanonicalTarget::parse(b"/files/a%2fb", |path| path.starts_with("/files/")).unwrap();
        assert_eq!(target.as_sent(), "/files/a%2Fb");
        assert_eq!(target.key, "/files/a%2Fb/");
        for raw in [&b"/files/..%2fadmin"[..], b"/files/%2fadmin", b"/files/x%2f.%2fy"] {
            assert!(CanonicalTarget::parse(raw, |_| true).is_err(), "{}", String::from_utf8_lossy(raw));
        }
    }

    #[test]
    fn path_5_the_query_is_not_the_path_and_a_fragment_is_refused() {
        let target = CanonicalTarget::parse(b"/app/p?/public/health", |_| false).unwrap();
        assert_eq!((target.path(), target.query()), ("/app/p", Some("/public/health")));
        assert_eq!(path("/app/p%23/public/health").unwrap(), "/app/p%23/public/health");
        assert!(path("/app/p#/public/health").is_err());
    }

    #[test]
    fn path_6_what_follows_a_semicolon_is_judged_and_cut() {
        assert_eq!(keys("/admin;a=1/ops/1"), ["/admin;a=1/ops/1/", "/admin/ops/1/"]);
        assert_eq!(keys("/admin%3Ba=1/ops"), ["/admin;a=1/ops/", "/admin/ops/"]);
        assert_eq!(keys("/public/..;/admin/ops"), ["/public/..;/admin/ops/", "/admin/ops/"]);
        assert_eq!(keys("/public;/../admin/ops"), ["/admin/ops/"]);
    }

    #[test]
    fn path_7_only_a_path_or_an_http_address_is_a_target() {
        for raw in ["admin/ops", "?/admin", "*x", "*", "", "ftp://gw.test/admin/ops", "http:///admin", "http://a@b/x"] {
            assert!(path(raw).is_err(), "{raw}");
        }
        assert_eq!(path("http://gw.test/admin/ops").unwrap(), "/admin/ops");
        assert_eq!(path("HTTPS://gw.test").unwrap(), "/");
        assert_eq!(absolute_authority(b"http://gw.test:80/admin"), Some(&b"gw.test:80"[..]));
        assert_eq!(absolute_authority(b"/http://gw.test"), None);
    }

    #[test]
    fn what_readers_read_differently_is_refused() {
        for raw in ["/a%", "/a%2", "/a%zz", "/a%00", "/a%0d%0a", "/a%7f", "/a b", "/a?b c", "/a%c0%af", "/a%e0%80%af"] {
            assert!(path(raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn a_reserved_character_meets_its_rule_in_either_spelling() {
        assert_eq!(keys("/user%3Adelete"), keys("/user:delete"));
        assert_eq!(keys("/%25%36%31"), ["/%2561/"]);
    }

    proptest! {
        #[test]
        fn canonical_of_canonical_is_itself(raw in "/[ -~]{0,40}", slash in any::<bool>()) {
            if let Ok(once) = CanonicalTarget::parse(raw.as_bytes(), |_| slash) {
                let twice = CanonicalTarget::parse(once.as_sent().as_bytes(), |_| slash).unwrap();
                prop_assert_eq!(&once, &twice);
            }
        }

        #[test]
        fn a_canonical_path_has_no_second_reading(raw in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(target) = CanonicalTarget::parse(&[b"/", &raw[..]].concat(), |_| false) {
                let path = target.path();
                prop_assert!(path.starts_with('/') && !path.contains("//") && path.is_ascii());
                prop_assert!(!path.split('/').any(|segment| segment == "." || segment == ".."));
                prop_assert!(!path.contains('\\') && !path.contains("%2F") && !path.contains("%5C"));
                let twice = CanonicalTarget::parse(target.as_sent().as_bytes(), |_| false).unwrap();
                prop_assert_eq!(&target, &twice);
            }
        }

        #[test]
        fn dots_and_escapes_in_any_mixture_never_climb(
            parts in proptest::collection::vec(
                prop_oneof!["[.]{1,2}", Just("%2e".to_owned()), Just("%2E%2e".to_owned()), "[a-z;]{1,3}", Just(String::new())],
                1..10,
            )
        ) {
            let raw = format!("/{}", parts.join("/"));
            if let Ok(target) = CanonicalTarget::parse(raw.as_bytes(), |_| false) {
                for key in target.keys() {
                    prop_assert!(!key.split('/').any(|segment| segment == "." || segment == ".."));
                    prop_assert!(!key.contains("//"));
                }
            }
        }
    }
}
