//! The portal: every page and API under `/secure/`, and the pages by which the gateway says no.
//!
//! * A **visit** is what the edge knows of a request; it hands one over in the request's extensions. * [`here::Here`] is the
//!   visit as a handler sees it: with the portal, the anti-forgery value and the texts. * A **page** is an askama template
//!   around [`page::Page`]. * A [`Refused`] is a typed refusal; [`refuse::refusal`] alone makes a page or a problem document of it.
//! * A form exists twice: [`forgery::Posted`] is what was sent, and cannot be built without the anti-forgery checks; the page's
//!   own struct is how it is shown again.
//!
//! Flow: edge → [`router`] → [`respond::finish`] (refusals, security headers) → one handler, one file per page or group.
//! The only folder with axum handlers.

mod account;
mod acts;
mod answer;
mod api;
mod assets;
mod cookies;
mod devices;
mod enrol;
mod factor_field;
mod forgery;
mod front;
mod here;
mod hold;
mod language;
mod login;
mod logout;
mod not_kept;
mod operation;
mod operations;
mod own_factor;
mod own_password;
mod page;
mod password;
mod polling;
mod problem;
mod reauthenticate;
mod recovery_codes;
mod refuse;
mod remembered;
mod remove_factor;
mod request;
mod respond;
mod resume;
mod return_to;
mod said;
mod second_factor;
mod sessions;
mod show;
mod texts;
mod wait;

#[cfg(test)]
mod samples;

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::audit::Origin;
use crate::identity::SignedIn;
use crate::identity::keys::KeyRing;
use crate::operation::Operations;
use crate::policy::{Policy, Site, StepUp};
use crate::secret::{Keyring, Random, SessionToken};
use crate::session::{Login, Presented};
use crate::time::{Clock, Timestamp};

pub use cookies::{
    answer_cookie_name, csrf_cookie_name, is_own, remember_cookie_name, resume_cookie_prefix, session_cookie_name,
    sets_own, spent_resume,
};
pub use forgery::is_from_own_page;
pub use hold::{ended, held};
pub use language::Language;
pub use not_kept::address as not_kept_address;
pub use polling::is_polling;
pub use refuse::refusal;
pub use resume::address as resume_address;
pub use return_to::safe_return;
pub use said::failure_in_english;

/// What the portal is made of. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Portal {
    /// Signing in, and the sessions behind it.
    pub login: Login,
    /// What is held.
    pub operations: Operations,
    /// The signing keys whose public halves are published.
    pub keys: KeyRing,
    /// The policy of the moment.
    pub policy: Arc<ArcSwap<Policy>>,
    /// The installation's keys, for anti-forgery values.
    pub keyring: Arc<Keyring>,
    /// For the anti-forgery cookie of a browser that is not signed in.
    pub random: Arc<dyn Random>,
    /// What time it is, for the parts that outlive a visit.
    pub clock: Arc<dyn Clock>,
    /// `portal.url`, without trailing slash.
    pub url: Arc<str>,
    /// `portal.language`.
    pub language: Language,
}

/// What the edge knows of a request it hands over, and of one it refuses.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The request's id, in pages and log.
    pub request_id: Arc<str>,
    /// Now.
    pub now: Timestamp,
    /// The client's address.
    pub address: IpAddr,
    /// Whether the client came by https (TLS here, or a trusted proxy says so).
    pub secure: bool,
    /// Whether the client is on this very machine (loopback): sign-in over plain HTTP is allowed then, with cookies without `__Host-` and Secure.
    pub loopback: bool,
    /// Host header, lower case, with port.
    pub host: String,
    /// The site; none on a host nobody knows.
    pub site: Option<Arc<Site>>,
    /// What the session cookie stood for.
    pub presented: Presented,
    /// The cookie itself.
    pub token: Option<SessionToken>,
    /// The person's (when signed in), else the browser's, else the portal's.
    pub language: Language,
    /// A navigation (a page is wanted) rather than a program (a problem document is).
    pub wants_page: bool,
}

/// A refusal, as the client is told. Statuses are those of interface.md; why exactly is in the log, not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Nobody is signed in: 303 to login for a page, 401 for a program.
    SignIn {
        /// Path and query to come back to.
        return_to: String,
    },
    /// Signed in, not surely or freshly enough: 303 to the confirmation of the sign-in, or 401 with what is missing.
    StepUp {
        /// What is missing.
        step_up: StepUp,
        /// Path and query to come back to.
        return_to: String,
    },
    /// 403: it was proven just now, and the rule asks for a proof all the same. Another redirect would lead in a circle.
    ProofTooOld {
        /// Where to prove it once more, for whoever wants to.
        again: String,
    },
    /// 403: a second factor is needed, and this user has none and is not offered one.
    NoSecondFactor,
    /// 404: what was sent does not lie aside, or not for this session; the same whichever it is.
    NotKept,
    /// 409: what lay aside was sent already, or is held.
    SentAlready,
    /// 502: what lay aside was sent, and no answer can be shown.
    NoAnswer,
    /// 400, with a stable word for what is wrong.
    BadRequest(&'static str),
    /// 403: not with this account, or not from here.
    Forbidden,
    /// 403: a form that does not come from our own pages (WEB-2).
    ForeignForm,
    /// 403: a form of ours, from before a sign-in, a sign-out or too long ago.
    StaleForm,
    /// 403: sign-in over plain HTTP from another machine.
    InsecureConnection,
    /// 404: not there, or not to be known.
    NotFound,
    /// 405.
    MethodNotAllowed,
    /// 409: the operation has moved on; the page shows where it stands.
    Conflict,
    /// 501: a method nobody here knows.
    NotImplemented,
    /// 421: no site answers to this host.
    Misdirected,
    /// 413.
    PayloadTooLarge {
        /// The limit, bytes.
        limit: usize,
    },
    /// 415, with a stable word for what is not read here.
    UnsupportedMediaType(&'static str),
    /// 431.
    HeadersTooLarge,
    /// 414.
    UriTooLong,
    /// 408.
    Timeout,
    /// 502: the backend cannot be reached, or spoke nonsense.
    BadGateway,
    /// 504: the backend was silent.
    GatewayTimeout,
    /// 429: as much as one person may have waiting waits already.
    TooManyRequests {
        /// Seconds.
        retry_after: u32,
    },
    /// 429: too many wrong sign-ins from this network.
    TooManyTries {
        /// Seconds.
        retry_after: u32,
    },
    /// 503: cannot be answered now.
    Unavailable {
        /// Seconds.
        retry_after: u32,
    },
    /// 500.
    Internal,
}

/// The portal's routes. Every request must carry a [`Visit`] in its extensions.
pub fn router(portal: Portal) -> Router {
    Router::new()
        .merge(sign_in_routes())
        .merge(operation_routes())
        .merge(own_factor_routes())
        .merge(session_routes())
        .route("/secure", get(front::add_slash))
        .route("/secure/", get(front::show))
        .route("/secure/password", get(own_password::show).post(own_password::submit))
        .route("/secure/account", get(account::show))
        .route("/secure/assets/{name}", get(assets::serve))
        .route("/secure/jwks.json", get(api::jwks))
        .route("/secure/api/openapi.json", get(api::openapi))
        .route("/secure/api/operations/{id}", get(api::operation))
        .fallback(async || Refused::NotFound)
        .method_not_allowed_fallback(async || Refused::MethodNotAllowed)
        .layer(from_fn_with_state(portal.clone(), respond::finish))
        .with_state(portal)
}

/// From nothing to signed in, and out again.
fn sign_in_routes() -> Router<Portal> {
    Router::new()
        .route("/secure/login", get(login::show).post(login::submit))
        .route("/secure/login/second-factor", get(second_factor::show).post(second_factor::submit))
        .route("/secure/login/cancel", post(second_factor::cancel).get(second_factor::cancel_back))
        .route("/secure/login/enrol", get(enrol::show).post(enrol::submit))
        .route("/secure/login/password", get(password::show).post(password::submit))
        .route("/secure/login/confirm", get(reauthenticate::show).post(reauthenticate::submit))
        .route("/secure/login/resume/{id}", get(resume::show))
        .route("/secure/login/not-kept", get(not_kept::show))
        .route("/secure/logout", get(logout::show).post(logout::submit))
}

/// One's own second factor and recovery codes.
fn own_factor_routes() -> Router<Portal> {
    Router::new()
        .route("/secure/account/second-factor", get(own_factor::show))
        .route("/secure/account/second-factor/add", get(own_factor::add))
        .route("/secure/account/second-factor/password", post(own_factor::password).get(own_factor::back))
        .route("/secure/account/second-factor/code", post(own_factor::code).get(own_factor::back))
        .route("/secure/account/second-factor/remove", get(remove_factor::show).post(remove_factor::submit))
        .route("/secure/account/recovery-codes", get(recovery_codes::show).post(recovery_codes::renew))
        .route("/secure/account/recovery-codes/download", post(recovery_codes::download).get(recovery_codes::back))
}

/// One's own sessions and remembered browsers.
fn session_routes() -> Router<Portal> {
    Router::new()
        .route("/secure/account/sessions", get(sessions::show))
        .route("/secure/account/sessions/others", post(sessions::end_others).get(sessions::back))
        .route("/secure/account/sessions/{id}/end", post(sessions::end).get(sessions::back))
        .route("/secure/account/devices", get(devices::show))
        .route("/secure/account/devices/others", post(devices::end_others).get(devices::back))
        .route("/secure/account/devices/{id}/end", post(devices::end).get(devices::back))
}

/// What is held: seen, decided, waited for, answered.
fn operation_routes() -> Router<Portal> {
    Router::new()
        .route("/secure/operations", get(operations::show))
        .route("/secure/operations/{id}", get(operation::show))
        .route("/secure/operations/{id}/body", get(operation::body))
        .route("/secure/operations/{id}/confirm", post(acts::confirm).get(acts::back))
        .route("/secure/operations/{id}/new-token", post(acts::new_token).get(acts::back))
        .route("/secure/operations/{id}/deny", post(acts::deny).get(acts::back))
        .route("/secure/operations/{id}/cancel", post(acts::cancel).get(acts::back))
        .route("/secure/operations/{id}/wait", get(wait::show))
        .route("/secure/operations/{id}/answer", get(answer::show))
}

// === impl Visit ===

impl Visit {
    /// Where an act of this visit comes from.
    pub fn origin(&self, door: &'static str) -> Origin {
        let actor = self.signed_in().map(|signed_in| signed_in.user.id);
        Origin {
            now: self.now,
            actor,
            door,
            address: Some(self.address),
            request_id: Some(self.request_id.to_string()),
        }
    }

    /// Who is signed in.
    pub fn signed_in(&self) -> Option<&SignedIn> {
        match &self.presented {
            Presented::Live(signed_in) => Some(signed_in),
            _ => None,
        }
    }

    /// The browser's own word on where a request comes from, read by [`is_from_own_page`], is compared with this.
    fn is_own_origin(&self, origin: &str) -> bool {
        let own = self.own_origin();
        // A browser leaves the scheme's own port out, a `Host` header may carry it.
        let default_port = if self.secure { ":443" } else { ":80" };
        origin == own.strip_suffix(default_port).unwrap_or(&own)
    }

    /// Whether anybody may sign in over this connection: by https, or on this very machine.
    pub fn may_sign_in(&self) -> bool {
        self.secure || self.loopback
    }

    /// Scheme and authority as the browser sees them: `https://gate.example.org`.
    pub fn own_origin(&self) -> String {
        format!("{}://{}", if self.secure { "https" } else { "http" }, self.host)
    }
}
