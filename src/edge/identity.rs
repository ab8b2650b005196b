//! What a backend is told of the client, and what only the gateway may tell it.
//!
//! A **managed** header is one the gateway sets, or one that backends believe about a client: whatever a client sends in
//! such a header is removed, in every spelling. Spellings are compared *folded* (letters and digits alone, lower case),
//! because backends of many kinds read `X_Remote-User` and `X.Remote.User` alike (CVE-2025-64484, CVE-2026-54763).
//!
//! Flow: [`strip`] once, before anything is decided → [`Outgoing::write`] just before the request leaves. Forwarded
//! requests, WebSockets and confirmed operations all take these two.

use std::net::IpAddr;

use http::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue};
use pingora::http::RequestHeader;

use super::stop::Stop;
use super::{address, cookies, fields};
use crate::identity::assertion::Signed;
use crate::policy::Site;
use crate::policy::overrides::is_override_header;

/// What is said to a backend about one request.
#[derive(Debug)]
pub(super) struct Outgoing<'a> {
    /// Whose header names count.
    pub site: &'a Site,
    /// Who asks; nobody on open rules without a session.
    pub signed: Option<&'a Signed>,
    /// The operation's id, when a confirmed one is delivered.
    pub operation: Option<&'a str>,
    /// From where.
    pub client: IpAddr,
    /// `https` or `http`, as the client used it.
    pub scheme: &'static str,
    /// The host with port, as the client used it.
    pub host: &'a str,
    /// The request's id.
    pub request_id: &'a str,
}

/// The managed headers of one site.
struct Managed<'s> {
    /// The site's own, each with how it begins.
    own: Option<[([u8; 2], &'s HeaderName); 6]>,
    /// Whether method overrides are among them.
    overrides: bool,
}

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Fields that are set, at most.
const MOST_SET: usize = 10;
/// Longer names are no spelling of a managed one.
const FOLDED_LONGEST: usize = 64;

/// Whatever begins so is managed on every site. Folded, like the names.
const FAMILIES: [&[u8]; 3] = [b"xforwarded", b"xvantail", b"xoriginal"];
/// Managed on every site.
const NAMES: [&[u8]; 17] = [
    b"remoteuser",
    b"remotename",
    b"remoteemail",
    b"remotegroups",
    b"remoteaddr",
    b"forwarded",
    b"xrealip",
    b"xclientip",
    b"xclusterclientip",
    b"clientip",
    b"trueclientip",
    b"cfconnectingip",
    b"cfconnectingipv6",
    b"fastlyclientip",
    b"xrewriteurl",
    b"xrequestid",
    b"proxy",
];
/// How all of these begin, and the method overrides: what begins otherwise is not looked at further, for most headers are
/// nobody's.
const BEGINNINGS: [[u8; 2]; 15] = [
    *b"re", *b"fo", *b"xf", *b"xv", *b"xo", *b"xr", *b"xc", *b"xh", *b"xm", *b"cl", *b"tr", *b"cf", *b"fa", *b"pr",
    *b"ht",
];

/// Headers about one hop only (RFC 9110 section 7.6.1), and what frames a body.
const HOP_BY_HOP: [&str; 11] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "expect",
];

/// Removes every spelling of a managed header, and, unless the site judges them, method overrides.
pub(super) fn strip(fields: &mut HeaderMap, site: Option<&Site>) {
    let managed = Managed::of(site);
    let found: Vec<HeaderName> = fields.keys().filter(|name| managed.has(name)).cloned().collect();
    for name in found {
        fields.remove(name);
    }
}

/// Removes what is about one hop only, what `Connection` names included, and the framing: for requests that are kept or
/// sent by ourselves.
pub(super) fn strip_hop_by_hop(fields: &mut HeaderMap) {
    let named: Vec<HeaderName> = connection_options(fields).collect();
    for name in named.iter().map(HeaderName::as_str).chain(HOP_BY_HOP).chain(["content-length"]) {
        fields.remove(name);
    }
}

/// Whether an answer's header is about one hop only.
pub(super) fn is_hop_by_hop(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(&name.as_str())
}

fn connection_options(fields: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    fields
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok())
        .filter(|name| name != HOST)
}

/// Letters and digits of `name` (header names are lower case already), the first of them where there are more than any
/// managed name has.
fn fold<'b>(name: &str, buffer: &'b mut [u8; FOLDED_LONGEST]) -> &'b [u8] {
    let mut length = 0;
    for (place, letter) in buffer.iter_mut().zip(name.bytes().filter(u8::is_ascii_alphanumeric)) {
        *place = letter;
        length += 1;
    }
    &buffer[..length]
}

fn folds_to(name: &HeaderName, folded: &[u8]) -> bool {
    name.as_str().bytes().filter(u8::is_ascii_alphanumeric).eq(folded.iter().copied())
}

/// The first two letters or digits of `name`.
fn beginning(name: &str) -> [u8; 2] {
    if let [first, second, ..] = name.as_bytes()
        && first.is_ascii_alphanumeric()
        && second.is_ascii_alphanumeric()
    {
        return [*first, *second];
    }
    let mut letters = name.bytes().filter(u8::is_ascii_alphanumeric);
    [letters.next(), letters.next()].map(Option::unwrap_or_default)
}

// === impl Managed ===

impl<'s> Managed<'s> {
    /// Those of a site.
    fn of(site: Option<&'s Site>) -> Self {
        let own = site.map(|site| {
            let names = &site.headers;
            let own = [&names.user, &names.name, &names.email, &names.groups, &names.assertion, &names.operation];
            own.map(|name| (beginning(name.as_str()), name))
        });
        Self { own, overrides: !site.is_some_and(|site| site.method_override) }
    }

    /// Whether `name` is a spelling of one.
    fn has(&self, name: &HeaderName) -> bool {
        let begins = beginning(name.as_str());
        let own = self.own.iter().flatten().filter(|(own, _)| *own == begins);
        if own.clone().next().is_none() && !BEGINNINGS.contains(&begins) {
            return false;
        }
        let mut buffer = [0; FOLDED_LONGEST];
        let folded = fold(name.as_str(), &mut buffer);
        FAMILIES.iter().any(|family| folded.starts_with(family))
            || NAMES.contains(&folded)
            // Where overrides are judged, those that nobody judges go all the same.
            || (is_method_override(folded) && (self.overrides || !is_override_header(name)))
            || own.into_iter().any(|(_, own)| folds_to(own, folded))
    }
}

fn is_method_override(folded: &[u8]) -> bool {
    folded.starts_with(b"xhttpmethod") || folded == b"xmethodoverride" || folded == b"httpmethodoverride"
}

// === impl Outgoing ===

impl Outgoing<'_> {
    /// Sets host, identity and origin on a request that [`strip`] has been over, and takes out the gateway's cookies.
    pub fn write(&self, header: &mut RequestHeader) -> Result<(), Stop> {
        fields::change(header, |fields| self.write_fields(fields))
    }

    fn write_fields(&self, fields: &mut HeaderMap) -> Result<(), Stop> {
        cookies::strip_own(fields);
        if !is_for(fields, self.host) {
            set(fields, &HOST, value(self.host)?)?;
        }
        fields.reserve(MOST_SET);
        let names = &self.site.headers;
        if let Some(signed) = self.signed {
            let plain = signed.plain();
            set(fields, &names.user, plain.user.clone())?;
            set(fields, &names.name, plain.name.clone())?;
            set(fields, &names.email, plain.email.clone())?;
            set(fields, &names.groups, plain.groups.clone())?;
            set(fields, &names.assertion, signed.field().clone())?;
        }
        if let Some(operation) = self.operation {
            set(fields, &names.operation, value(operation)?)?;
        }
        let client = HeaderValue::try_from(address::text(self.client)).map_err(unsendable)?;
        set(fields, &X_FORWARDED_FOR, client)?;
        let host = fields.get(HOST).cloned().ok_or_else(|| Stop::internal("a request without a host"))?;
        set(fields, &X_FORWARDED_PROTO, HeaderValue::from_static(self.scheme))?;
        set(fields, &X_FORWARDED_HOST, host)?;
        set(fields, &X_REQUEST_ID, value(self.request_id)?)
    }
}

/// Whether `host` is the one host it names.
fn is_for(fields: &HeaderMap, host: &str) -> bool {
    let mut named = fields.get_all(HOST).iter();
    matches!((named.next(), named.next()), (Some(one), None) if one.as_bytes() == host.as_bytes())
}

fn value(text: &str) -> Result<HeaderValue, Stop> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(unsendable)
}

fn unsendable(_: InvalidHeaderValue) -> Stop {
    Stop::internal("a header value that cannot be sent")
}

fn set(fields: &mut HeaderMap, name: &HeaderName, value: HeaderValue) -> Result<(), Stop> {
    match fields.try_insert(name, value) {
        Ok(_earlier) => Ok(()),
        Err(error) => Err(Stop::internal(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::edge::testing;
    use crate::identity::{User, UserId, UserState};

    fn site(more: &str) -> Arc<Site> {
        site_with(more, "X-Gate-User")
    }

    fn site_with(more: &str, user: &str) -> Arc<Site> {
        let text = "name = \"crm\"\nhosts = [\"crm.test\"]\nbackends = [\"http://127.0.0.1:1\"]\n";
        testing::site(&format!("{text}{more}\n[headers]\nuser = \"{user}\"\n"))
    }

    fn request(fields: &[(&str, &'static str)]) -> HeaderMap {
        let field = |(name, value): &(&str, &'static str)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_static(value))
        };
        fields.iter().map(field).collect()
    }

    fn names(fields: &HeaderMap) -> Vec<String> {
        fields.keys().map(ToString::to_string).collect()
    }

    fn user() -> User {
        User {
            id: UserId(uuid::Uuid::nil()),
            name: "alice".into(),
            full_name: "Zoë\nMüller".into(),
            email: "alice@example.org".into(),
            language: None,
            groups: vec!["admins".into(), "a,root".into(), "staff".into()],
            rights: Vec::new(),
            state: UserState::Active,
            valid_from: None,
            valid_until: None,
        }
    }

    #[test]
    fn hdr_1_hdr_2_every_spelling_of_a_managed_header_is_removed() {
        for name in [
            "X-Gate-User",
            "X_Gate_User",
            "x_gate-user",
            "X.Gate.User",
            "XGATEUSER",
            "Remote-User",
            "Remote_Groups",
            "X-Vantail-Assertion",
            "X_Vantail_Operation",
            "X-Vantail-Anything",
            "X-Forwarded-For",
            "X_Forwarded_Host",
            "X-Forwarded-Uri",
            "X-Forwarded-Prefix",
            "Forwarded",
            "X-Real-IP",
            "True-Client-IP",
            "CF-Connecting-IP",
            "X-Original-URL",
            "X-Rewrite-URL",
            "X-Request-Id",
            "Proxy",
            "X-HTTP-Method-Override",
            "X-HTTP-Method",
            "X-Method-Override",
        ] {
            let mut header = request(&[(name, "root"), (name, "again"), ("X-Own", "kept")]);
            strip(&mut header, Some(&site("")));
            assert_eq!(names(&header), ["x-own"], "{name}");
        }
    }

    #[test]
    fn hdr_2_no_managed_name_is_passed_over_for_how_it_begins() {
        let families = FAMILIES.iter().map(|family| [*family, b"anything"].concat());
        let overrides = [b"xhttpmethod".to_vec(), b"xmethodoverride".to_vec(), b"httpmethodoverride".to_vec()];
        for name in NAMES.iter().map(|name| name.to_vec()).chain(families).chain(overrides) {
            let name = HeaderName::from_bytes(&name).unwrap();
            assert!(Managed::of(None).has(&name), "{name}");
            assert!(Managed::of(Some(&site(""))).has(&name), "{name}");
        }
        let own = site("").headers.user.clone();
        for spelling in ["_remote-user", "-x-forwarded-for", "x--gate.user", own.as_str(), "re-mote-user"] {
            let name = HeaderName::from_bytes(spelling.as_bytes()).unwrap();
            assert!(Managed::of(Some(&site(""))).has(&name), "{name}");
        }
        let long = HeaderName::try_from(format!("x-vantail-{}", "x".repeat(100))).unwrap();
        assert!(Managed::of(None).has(&long), "however long");
        for name in ["host", "cookie", "accept", "content-type", "x", "-", "re", "priority"] {
            assert!(!Managed::of(Some(&site(""))).has(&HeaderName::from_static(name)), "{name}");
        }
    }

    #[test]
    fn hdr_2_a_sites_own_name_may_be_short_or_begin_with_a_digit() {
        for (own, spellings) in [("x", ["X-", "_x", "x"]), ("1-Id", ["1_id", "-1id", "1.I.D"])] {
            let site = site_with("", own);
            for spelling in spellings {
                let name = HeaderName::from_bytes(spelling.to_ascii_lowercase().as_bytes()).unwrap();
                assert!(Managed::of(Some(&site)).has(&name), "{name} for {own}");
            }
        }
    }

    #[test]
    fn hdr_8_a_site_that_judges_method_overrides_gets_them() {
        let site = site("method_override = true");
        let mut header = request(&[
            ("X-HTTP-Method-Override", "DELETE"),
            ("HTTP-Method-Override", "DELETE"),
            ("X-HTTP-Method-Name", "DELETE"),
        ]);
        strip(&mut header, Some(&site));
        assert_eq!(names(&header), ["x-http-method-override", "http-method-override"], "what nobody judges is removed");
    }

    #[test]
    fn identity_replaces_and_a_name_can_neither_break_a_line_nor_smuggle_a_group() {
        let (site, signed) = (site(""), Signed::new("signed".to_owned(), &user()));
        let mut header = request(&[("Host", "crm.test")]);
        let outgoing = Outgoing {
            site: &site,
            signed: Some(&signed),
            operation: None,
            client: "203.0.113.5".parse().unwrap(),
            scheme: "https",
            host: "crm.test",
            request_id: "r1",
        };
        outgoing.write_fields(&mut header).unwrap();
        outgoing.write_fields(&mut header).unwrap();
        let wire: Vec<String> = header
            .iter()
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
            .collect();
        assert_eq!(
            wire,
            [
                "host: crm.test",
                "x-gate-user: alice",
                "remote-name: Zoë Müller",
                "remote-email: alice@example.org",
                "remote-groups: admins,staff",
                "x-vantail-assertion: signed",
                "x-forwarded-for: 203.0.113.5",
                "x-forwarded-proto: https",
                "x-forwarded-host: crm.test",
                "x-request-id: r1",
            ]
        );
    }

    #[test]
    fn hold_11_nothing_about_one_hop_is_kept() {
        let mut header = request(&[
            ("Connection", "close, X-Once"),
            ("X-Once", "1"),
            ("Keep-Alive", "timeout=5"),
            ("Transfer-Encoding", "chunked"),
            ("TE", "trailers"),
            ("Trailer", "X-End"),
            ("Expect", "100-continue"),
            ("Content-Length", "3"),
            ("Content-Type", "text/plain"),
        ]);
        strip_hop_by_hop(&mut header);
        assert_eq!(names(&header), ["content-type"]);
    }
}
