//! The portal: every page and API under `/secure/`, and the pages by which the gateway says no.
//!
//! The only folder with axum handlers. The edge hands a request over with a [`Visit`] in its extensions.
use std::net::IpAddr;
use std::sync::Arc;
use arc_swap::ArcSwap;
use bytes::Bytes;
use crate::audit::Origin;
use crate::identity::keys::KeyRing;
use crate::operation::{Asked, Operations};
use crate::policy::{Policy, Site, StepUp};
use crate::secret::{Keyring, Random, SessionToken};
use crate::session::{Login, Presented};
use crate::time::{Clock, Timestamp};

/// What the portal is made of. Cheap to clone.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "plain parts")]
pub struct Portal { pub login: Login, pub operations: Operations, pub keys: KeyRing, pub policy: Arc<ArcSwap<Policy>>, pub keyring: Arc<Keyring>, pub random: Arc<dyn Random>, pub clock: Arc<dyn Clock>, /// `portal.url`, without trailing slash.
    pub url: Arc<str>, /// `portal.language`.
    pub language: Language }

/// `en` or `fr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "plain")]
pub enum Language { #[default] En, Fr }

/// What the edge knows of a request it hands over, and of one it refuses.
#[derive(Debug, Clone)]
pub struct Visit { /// The request's id, in pages and log.
    pub request_id: Arc<str>, /// Now.
    pub now: Timestamp, /// The client's address.
    pub address: IpAddr, /// Whether the client came by https (TLS here, or a trusted proxy says so).
    pub secure: bool, /// Whether the client is on this very machine (loopback): sign-in over plain HTTP is allowed then, with cookies without `__Host-` and Secure.
    pub loopback: bool, /// Host header, lower case, with port.
    pub host: String, /// The site; none on a host nobody knows.
    pub site: Option<Arc<Site>>, /// What the session cookie stood for.
    pub presented: Presented, /// The cookie itself.
    pub token: Option<SessionToken>, /// The person's (when signed in), else the browser's, else the portal's.
    pub language: Language, /// A navigation (a page is wanted) rather than a program (a problem document is).
    pub wants_page: bool }

/// A refusal, as the client is told.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it; interface.md gives the statuses")]
pub enum Refused { /// 303 to login (page) or 401.
    SignIn { return_to: String }, /// 303 to step-up (page) or 401 with `WWW-Authenticate`.
    StepUp { step_up: StepUp, return_to: String }, BadRequest(&'static str), Forbidden, NotFound, MethodNotAllowed, NotImplemented, Misdirected, PayloadTooLarge { limit: usize }, UnsupportedMediaType(&'static str), HeadersTooLarge, UriTooLong, Timeout, BadGateway, GatewayTimeout, Unavailable { retry_after: u32 }, Internal }

/// The portal's routes.
pub fn router(portal: Portal) -> axum::Router { let _ = portal; todo!() }
/// A refusal as page or RFC 9457 document, security headers and request id included. The one place.
pub fn refusal(portal: &Portal, visit: &Visit, refused: &Refused) -> http::Response<Bytes> { let _ = (portal, visit, refused); todo!() }
/// The answer to a request just held: 303 to the waiting page, or 202 with the operation document.
pub fn held(portal: &Portal, visit: &Visit, asked: &Asked) -> http::Response<Bytes> { let _ = (portal, visit, asked); todo!() }
/// Name of the session cookie for this visit: `__Host-vantail`, or `vantail` on loopback over plain HTTP.
pub fn session_cookie_name(secure: bool) -> &'static str { if secure { "__Host-vantail" } else { "vantail" } }
/// Name of the one-use answer cookie.
pub fn answer_cookie_name(secure: bool) -> &'static str { if secure { "__Host-vantail-answer" } else { "vantail-answer" } }
impl Language {
    /// From a person's choice, else `Accept-Language` (RFC 9110 12.5.4), else `default`.
    pub fn choose(chosen: Option<&str>, accept: Option<&str>, default: Self) -> Self { let _ = (chosen, accept, default); todo!() }
}
impl Visit {
    /// Where an act of this visit comes from.
    pub fn origin(&self, door: &'static str) -> Origin { let _ = door; todo!() }
}
