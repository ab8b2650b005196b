//! The request as it came in: read once, checked, and turned into facts. What can be read in two ways is refused.

use std::sync::Arc;

use http::header::{ACCEPT, ACCEPT_LANGUAGE, HeaderMap, HeaderName};
use http::{HeaderValue, Method};
use pingora::http::RequestHeader;
use pingora::protocols::http::ServerSession;

use super::connection::Connection;
use super::grounds::Grounds;
use super::stop::Stop;
use super::{Gateway, address, cookies, fields, framing, host, identity};
use crate::policy::{CanonicalTarget, Site};
use crate::portal::{Language, Refused, Visit, answer_cookie_name, resume_cookie_prefix, session_cookie_name};
use crate::secret::SessionToken;
use crate::session::Presented;

static SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// What a request says, beyond the [`Visit`].
#[derive(Debug)]
pub(super) struct Inbound {
    /// The policy it is judged by, from beginning to end.
    pub grounds: Arc<Grounds>,
    /// The method.
    pub method: Method,
    /// The target: what is judged is what is forwarded.
    pub target: CanonicalTarget,
    /// The one-use ticket for a kept answer.
    pub ticket: Option<String>,
    /// Tickets by which requests laid aside go on: ids and values, as a browser's navigation brings them.
    pub resuming: Vec<(String, String)>,
    /// What the session cookie says.
    pub credential: Credential,
}

/// The session cookie. A bad one is not none (see [`Presented`]).
#[derive(Debug)]
pub(super) enum Credential {
    /// None was sent.
    Nothing,
    /// Something that is no token of ours.
    Unreadable,
    /// A token.
    Token(SessionToken),
}

// === impl Gateway ===

impl Gateway {
    /// What can be said of any request, however malformed: enough to refuse it politely.
    pub(super) fn first_sight(&self, header: &RequestHeader, connection: &Connection) -> Visit {
        let portal = &self.parts.portal;
        let now = portal.clock.now();
        let peer = connection.peer.ip().to_canonical();
        Visit {
            request_id: self.request_ids.next(now),
            now,
            address: peer,
            secure: connection.tls,
            loopback: peer.is_loopback(),
            host: String::new(),
            site: None,
            presented: Presented::Nothing,
            token: None,
            language: Language::choose(None, text(&header.headers, &ACCEPT_LANGUAGE), portal.language),
            wants_page: wants_page(&header.headers),
        }
    }

    /// Reads the request and completes the visit. After this, no header that only the gateway may set is left in it.
    pub(super) fn read(
        &self,
        session: &mut ServerSession,
        connection: &Connection,
        visit: &mut Visit,
    ) -> Result<Inbound, Stop> {
        let raw_head = if session.is_http2() { bytes::Bytes::new() } else { session.to_h1_raw() };
        let header = session.req_header_mut();
        let host = host::host(header)?;
        visit.host.clone_from(&host.full);
        let target = host::target(header, &raw_head, &host)?.to_vec();
        framing::check(header, &target)?;
        self.read_origin(&header.headers, connection, visit)?;

        let grounds = self.grounds.load();
        visit.site = grounds.policy.site_for_host(host.name()).cloned();
        if visit.site.is_none() && host.name() != self.portal_host {
            return Err(Stop::new(Refused::Misdirected, "no site answers to this host"));
        }
        let site = visit.site.as_deref();
        let target = CanonicalTarget::parse(&target, |path| site.is_some_and(|site| site.allows_encoded_slash(path)))?;
        let names = [session_cookie_name(visit.secure), answer_cookie_name(visit.secure)];
        let [session, ticket] = cookies::values(&header.headers, names)
            .map_err(|cookies::Ambiguous| Stop::bad_request("one cookie with two values"))?;
        let (credential, ticket) = (Credential::of(session), ticket.map(str::to_owned));
        let resuming =
            if visit.wants_page && header.method == Method::GET { resuming(header, visit) } else { Vec::new() };
        fields::change(header, |fields| identity::strip(fields, site));
        Ok(Inbound { grounds, method: header.method.clone(), target, ticket, resuming, credential })
    }

    fn read_origin(&self, headers: &HeaderMap, connection: &Connection, visit: &mut Visit) -> Result<(), Stop> {
        let peer = connection.peer.ip();
        let trusted = &self.parts.config.listen.trusted_proxies;
        visit.address = address::client(peer, headers, trusted).map_err(|address::Unreadable| {
            Stop::bad_request("a trusted proxy sent an X-Forwarded-For that cannot be read")
        })?;
        visit.secure = address::is_secure(peer, connection.tls, headers, trusted);
        visit.loopback = peer.to_canonical().is_loopback() && visit.address.is_loopback();
        Ok(())
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).map(HeaderValue::to_str)?.ok()
}

fn resuming(header: &RequestHeader, visit: &Visit) -> Vec<(String, String)> {
    let found = cookies::beginning_with(&header.headers, resume_cookie_prefix(visit.secure));
    found.map(|(id, ticket)| (id.to_owned(), ticket.to_owned())).collect()
}

/// Whether a person's browser navigates (Fetch Metadata says so), or, of older browsers, whether a page is accepted.
fn wants_page(headers: &HeaderMap) -> bool {
    match headers.get(&SEC_FETCH_MODE) {
        Some(mode) => mode.as_bytes() == b"navigate",
        None => {
            text(headers, &ACCEPT).is_some_and(|accept| accept.contains("text/html"))
                && !headers.contains_key("x-requested-with")
                && !headers.contains_key("upgrade")
        }
    }
}

// === impl Credential ===

impl Credential {
    /// What stands in the session cookie.
    fn of(cookie: Option<&str>) -> Self {
        match cookie {
            None => Self::Nothing,
            Some(text) => SessionToken::parse(text).map_or(Self::Unreadable, Self::Token),
        }
    }
}

// === impl Inbound ===

impl Inbound {
    /// Whether the portal is asked for, not the application.
    pub fn asks_portal(&self) -> bool {
        let path = self.target.path();
        path == "/secure" || path.starts_with("/secure/")
    }

    /// Whether this is use of the session. A waiting page that asks again by itself is not.
    pub fn counts_as_use(&self) -> bool {
        !crate::portal::is_polling(self.target.path())
    }

    /// Whether it can be asked for again without harm.
    pub fn is_repeatable(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }
}

/// The site a request is for; the portal's own host has nothing but the portal.
pub(super) fn site_of(visit: &Visit) -> Result<Arc<Site>, Stop> {
    visit.site.clone().ok_or_else(|| Stop::not_found("the portal's own host has nothing but the portal"))
}
