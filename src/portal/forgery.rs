//! Anti-forgery: a form is taken only when one of our own pages, shown in this very browser, sent it (WEB-2; ASVS 3.5.1-3.5.3).
//!
//! * The **anti-forgery value** is an HMAC over the session's digest, or, before there is a session, over a cookie that ties the
//!   browser's forms to it. * [`Posted`] is a form that passed every check; there is no other way to make one.
//! * [`Unposted`] is one that did not: foreign (refused), or **stale** (ours, of an earlier session), which a page may show again.

use std::fmt;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, ORIGIN};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::here::Here;
use super::{Portal, Refused, Visit, cookies};
use crate::secret::{Keyring, Purpose, Random, SessionToken, random_bytes};
use crate::session::Presented;

/// The longest form, bytes: a reason, a name and a password are far shorter.
const FORM_LIMIT: usize = 64 * 1024;

/// The anti-forgery value of this browser's forms.
#[derive(Debug, Clone)]
pub struct Csrf {
    value: String,
    /// The browser has no cookie yet and must be given this one with the form.
    new_cookie: Option<String>,
}

/// A form that came from our own page in this browser.
pub struct Posted<T>(T);

/// A form that did not.
pub enum Unposted<T> {
    /// Foreign, unreadable or too long.
    Refused(Refused),
    /// Ours, but of an earlier session or browser cookie. It changes nothing; what was typed (no secrets) may be shown again.
    Stale(T),
}

#[derive(Deserialize)]
struct Proof {
    #[serde(default)]
    csrf: String,
}

// === impl Csrf ===

impl Csrf {
    /// For the forms of this visit.
    pub fn of(portal: &Portal, visit: &Visit, headers: &HeaderMap) -> Self {
        match (&visit.presented, &visit.token) {
            (Presented::Live(_) | Presented::Pending { .. }, Some(token)) => Self::of_session(&portal.keyring, token),
            _ => Self::of_browser(&portal.keyring, &*portal.random, known_browser(visit, headers)),
        }
    }

    /// For the forms of the session behind `token`, on the very page that brings it.
    pub fn of_session(keyring: &Keyring, token: &SessionToken) -> Self {
        Self { value: mac(keyring, "session", token.digest().as_bytes()), new_cookie: None }
    }

    /// The value, for a hidden field.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The cookie a browser without one must get with the form.
    pub fn new_cookie(&self) -> Option<&str> {
        self.new_cookie.as_deref()
    }

    fn of_browser(keyring: &Keyring, random: &dyn Random, known: Option<&str>) -> Self {
        let fresh = || URL_SAFE_NO_PAD.encode(random_bytes::<32>(random));
        let new_cookie = known.is_none().then(fresh);
        let browser = known.or(new_cookie.as_deref()).unwrap_or_default();
        Self { value: mac(keyring, "browser", browser.as_bytes()), new_cookie }
    }

    fn is(&self, presented: &str) -> bool {
        self.new_cookie.is_none() && crate::secret::equal(self.value.as_bytes(), presented.as_bytes())
    }
}

/// The browser's own cookie, when it is one we could have made.
fn known_browser<'a>(visit: &Visit, headers: &'a HeaderMap) -> Option<&'a str> {
    let value = cookies::read(headers, cookies::csrf_cookie_name(visit.secure))?;
    URL_SAFE_NO_PAD.decode(value).is_ok_and(|bytes| bytes.len() == 32).then_some(value)
}

fn mac(keyring: &Keyring, kind: &str, over: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(keyring.mac(Purpose::AntiForgery, &[kind.as_bytes(), over]))
}

// === impl Posted ===

impl<T> Posted<T> {
    /// What was typed.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Prints nothing of what was typed.
impl<T> fmt::Debug for Posted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Posted(…)")
    }
}

impl<T: DeserializeOwned> FromRequest<Portal> for Posted<T> {
    type Rejection = Unposted<T>;

    async fn from_request(request: Request, portal: &Portal) -> Result<Self, Self::Rejection> {
        let (mut parts, body) = request.into_parts();
        let here = Here::from_request_parts(&mut parts, portal).await?;
        check_source(&here.visit, &parts.headers)?;
        let body = read(body).await?;
        let form: T = parse(&body)?;
        let proof: Proof = parse(&body)?;
        if here.csrf.is(&proof.csrf) { Ok(Self(form)) } else { Err(Unposted::Stale(form)) }
    }
}

impl<T> Unposted<T> {
    /// The refusal, for pages that have nothing to keep.
    pub fn into_refused(self) -> Refused {
        match self {
            Self::Refused(refused) => refused,
            Self::Stale(_) => Refused::StaleForm,
        }
    }
}

impl<T> From<Refused> for Unposted<T> {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl<T> IntoResponse for Unposted<T> {
    fn into_response(self) -> Response {
        self.into_refused().into_response()
    }
}

/// The browser's own word on where the form comes from (Fetch Metadata; RFC 6454), and the one type our forms have.
/// A program sends neither header; it still needs the anti-forgery value.
fn check_source(visit: &Visit, headers: &HeaderMap) -> Result<(), Refused> {
    let told = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    let own_site = told("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    let own_origin = told(ORIGIN.as_str()).is_none_or(|origin| visit.is_own_origin(origin));
    if own_site && own_origin && is_form(headers) { Ok(()) } else { Err(Refused::ForeignForm) }
}

/// Whether the browser says that a request comes from a page of this very origin: by `Origin` or by `Sec-Fetch-Site`, and
/// neither says otherwise. A page that lets no address of its own out sends `Origin: null`, which says nothing.
pub fn is_from_own_page(visit: &Visit, headers: &HeaderMap) -> bool {
    let told = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    let origin = told(ORIGIN.as_str()).filter(|origin| *origin != "null").map(|origin| visit.is_own_origin(origin));
    let site = told("sec-fetch-site");
    let by_site = site == Some("same-origin");
    let contradicted = origin == Some(false) || !matches!(site, None | Some("same-origin" | "none"));
    !contradicted && (origin == Some(true) || by_site)
}

fn is_form(headers: &HeaderMap) -> bool {
    let named = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = named.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

async fn read(body: Body) -> Result<bytes::Bytes, Refused> {
    to_bytes(body, FORM_LIMIT).await.map_err(|_| Refused::PayloadTooLarge { limit: FORM_LIMIT })
}

/// A field given twice, or not at all where it must be, is no form of ours.
fn parse<F: DeserializeOwned>(body: &[u8]) -> Result<F, Refused> {
    serde_urlencoded::from_bytes(body).map_err(|_| Refused::BadRequest("form"))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::super::Language;
    use super::*;
    use crate::time::Timestamp;

    fn from_own_page(fields: &[(&'static str, &'static str)]) -> bool {
        let visit = Visit {
            request_id: "r-1".into(),
            now: Timestamp::from_secs(1),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            secure: true,
            loopback: false,
            host: "gw.test:443".into(),
            site: None,
            presented: Presented::Nothing,
            token: None,
            language: Language::En,
            wants_page: true,
        };
        let headers = fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        is_from_own_page(&visit, &headers)
    }

    #[test]
    fn web_2_a_page_is_our_own_when_the_browser_says_so_and_nothing_says_otherwise() {
        for own in [
            &[("origin", "https://gw.test")][..],
            &[("origin", "https://gw.test"), ("sec-fetch-site", "same-origin")],
            &[("origin", "https://gw.test"), ("sec-fetch-site", "none")],
            &[("sec-fetch-site", "same-origin")],
            &[("origin", "null"), ("sec-fetch-site", "same-origin")],
        ] {
            assert!(from_own_page(own), "{own:?}");
        }
        for foreign in [
            &[][..],
            &[("origin", "null")],
            &[("origin", "https://evil.test")],
            &[("origin", "http://gw.test")],
            &[("origin", "https://gw.test:8443")],
            &[("origin", "https://gw.test.evil.test")],
            &[("origin", "https://evil.test"), ("sec-fetch-site", "same-origin")],
            &[("origin", "https://gw.test"), ("sec-fetch-site", "cross-site")],
            &[("origin", "https://gw.test"), ("sec-fetch-site", "same-site")],
            &[("origin", "null"), ("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
        ] {
            assert!(!from_own_page(foreign), "{foreign:?}");
        }
    }
}
