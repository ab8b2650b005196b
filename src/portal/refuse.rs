//! How the gateway says no: the one place where a refusal becomes a page or a problem document.

use std::time::Duration;

use askama::Template;
use bytes::Bytes;
use http::StatusCode;
use http::header::{ALLOW, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};

use super::page::{self, Page};
use super::problem::Problem;
use super::return_to::{encoded, with_return};
use super::texts::Texts;
use super::{Portal, Refused, Visit, respond};
use crate::policy::StepUp;
use crate::session::Presented;

/// What is offered to press on a refusal's page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// Where it leads.
    pub href: String,
    /// What it says.
    pub label: &'static str,
}

#[derive(Template)]
#[template(path = "refusal.html")]
pub(super) struct RefusalPage {
    pub page: Page,
    pub status: u16,
    pub what: String,
    pub next: &'static str,
    pub way: Option<Way>,
}

/// Whoever proved it within so long and is asked again is told why, not led to prove it again: no redirect may lead in a
/// circle, not even where a rule asks for a proof younger than any browser can bring.
const JUST_NOW: Duration = Duration::from_secs(10);

/// A refusal as page or RFC 9457 document, security headers and request id included. The one place.
pub fn refusal(portal: &Portal, visit: &Visit, refused: &Refused) -> http::Response<Bytes> {
    let _ = portal;
    let explained = explained(visit, refused);
    let refused = explained.as_ref().unwrap_or(refused);
    let response = match sign_in_address(visit, refused) {
        Some(address) if visit.wants_page => page::see_other(&address),
        _ if visit.wants_page => shown(visit, refused),
        _ => document(visit, refused),
    };
    respond::secured(with_headers(response, refused), visit)
}

/// Where to go when only a sign-in (or a surer one) is missing.
fn sign_in_address(visit: &Visit, refused: &Refused) -> Option<String> {
    match refused {
        Refused::SignIn { return_to } => Some(with_return(next_sign_in_page(visit), return_to)),
        Refused::StepUp { step_up, return_to } => Some(step_up_address(*step_up, return_to)),
        _ => None,
    }
}

/// What to say instead of asking a browser for what it brought just now. A clock that was set back since counts as just now.
fn explained(visit: &Visit, refused: &Refused) -> Option<Refused> {
    let Refused::StepUp { step_up, return_to } = refused else { return None };
    let proven = step_up.proven_at(visit.signed_in()?)?;
    let again = || Refused::ProofTooOld { again: step_up_address(*step_up, return_to) };
    (visit.wants_page && visit.now.since(proven) < JUST_NOW).then(again)
}

/// A sign-in on its way goes on where it stands; else it begins.
fn next_sign_in_page(visit: &Visit) -> &'static str {
    match &visit.presented {
        Presented::Pending { row } => super::login::page_of(row.stage),
        _ => "/secure/login",
    }
}

fn step_up_address(step_up: StepUp, return_to: &str) -> String {
    let need = if step_up.factors >= 2 { "second-factor" } else { "sign-in" };
    format!("/secure/login/confirm?need={need}&return_to={}", encoded(return_to))
}

/// The refusal's page.
pub(super) fn shown(visit: &Visit, refused: &Refused) -> http::Response<Bytes> {
    let texts = Texts::of_language(visit.language);
    let page = RefusalPage {
        page: Page::new(visit, None, refused.title(texts).to_owned()),
        status: refused.status().as_u16(),
        what: refused.what(texts),
        next: refused.next(texts),
        way: refused.way(texts),
    };
    let body = page.render().unwrap_or_else(|_| page.page.title.clone());
    page::text(refused.status(), "text/html; charset=utf-8", body.into())
}

fn document(visit: &Visit, refused: &Refused) -> http::Response<Bytes> {
    let texts = Texts::of_language(visit.language);
    let sign_in = sign_in_address(visit, refused).map(|address| format!("{}{address}", visit.own_origin()));
    let problem = Problem {
        r#type: format!("urn:vantail:problem:{}", refused.word()),
        title: refused.title(texts),
        status: refused.status().as_u16(),
        detail: format!("{} {}", refused.what(texts), refused.next(texts)),
        request_id: &visit.request_id,
        sign_in_url: sign_in,
    };
    problem.response(refused.status())
}

/// The headers a status asks for (RFC 9110 10.2.3, 10.2.1, 11.6.1; RFC 9470).
fn with_headers(mut response: http::Response<Bytes>, refused: &Refused) -> http::Response<Bytes> {
    let is_unauthorized = response.status() == StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    match refused {
        Refused::Unavailable { retry_after }
        | Refused::TooManyRequests { retry_after }
        | Refused::TooManyTries { retry_after } => {
            drop(headers.insert(RETRY_AFTER, HeaderValue::from(*retry_after)));
        }
        Refused::MethodNotAllowed => drop(headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST"))),
        Refused::SignIn { .. } | Refused::StepUp { .. } if is_unauthorized => {
            headers.insert(WWW_AUTHENTICATE, challenge(refused));
        }
        _ => {}
    }
    response
}

fn challenge(refused: &Refused) -> HeaderValue {
    let Refused::StepUp { step_up, .. } = refused else {
        return HeaderValue::from_static("Session realm=\"vantail\"");
    };
    let age = step_up.fresh.map(|fresh| format!(", max_age=\"{}\"", fresh.as_secs())).unwrap_or_default();
    let line = format!(
        "Session realm=\"vantail\", error=\"insufficient_user_authentication\", factors=\"{}\"{age}",
        step_up.factors
    );
    HeaderValue::try_from(line).expect("numbers and our own words are visible ASCII")
}

// === impl Refused ===

impl Refused {
    /// The status (interface.md, *A rule matches, then requires*).
    pub fn status(&self) -> StatusCode {
        match self {
            Self::SignIn { .. } | Self::StepUp { .. } => StatusCode::UNAUTHORIZED,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Forbidden
            | Self::ForeignForm
            | Self::StaleForm
            | Self::InsecureConnection
            | Self::ProofTooOld { .. }
            | Self::NoSecondFactor => StatusCode::FORBIDDEN,
            Self::NotFound | Self::NotKept => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict | Self::SentAlready => StatusCode::CONFLICT,
            Self::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::PayloadTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::BadGateway | Self::NoAnswer => StatusCode::BAD_GATEWAY,
            Self::GatewayTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::TooManyRequests { .. } | Self::TooManyTries { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The stable word: in the problem's type and in the catalogues.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::SignIn { .. } => "sign-in",
            Self::StepUp { .. } => "step-up",
            Self::ProofTooOld { .. } => "proof-too-old",
            Self::NoSecondFactor => "no-second-factor",
            Self::NotKept => "not-kept",
            Self::SentAlready => "sent-already",
            Self::NoAnswer => "no-answer",
            Self::BadRequest(_) => "bad-request",
            Self::Forbidden => "forbidden",
            Self::ForeignForm => "foreign-form",
            Self::StaleForm => "stale-form",
            Self::InsecureConnection => "insecure-connection",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::Conflict => "conflict",
            Self::NotImplemented => "not-implemented",
            Self::Misdirected => "misdirected",
            Self::PayloadTooLarge { .. } => "payload-too-large",
            Self::UnsupportedMediaType(_) => "unsupported-media-type",
            Self::HeadersTooLarge => "headers-too-large",
            Self::UriTooLong => "uri-too-long",
            Self::Timeout => "timeout",
            Self::BadGateway => "bad-gateway",
            Self::GatewayTimeout => "gateway-timeout",
            Self::TooManyRequests { .. } => "too-many-requests",
            Self::TooManyTries { .. } => "too-many-tries",
            Self::Unavailable { .. } => "unavailable",
            Self::Internal => "internal",
        }
    }

    fn title(&self, texts: Texts) -> &'static str {
        texts.of("refusal-title", self.word()).unwrap_or(texts.say("refusal-title.internal"))
    }

    fn what(&self, texts: Texts) -> String {
        let what = texts.of("refusal-what", self.word()).unwrap_or_default();
        let detail = match self {
            Self::BadRequest(word) | Self::UnsupportedMediaType(word) => texts.of("bad-request", word).unwrap_or(word),
            Self::PayloadTooLarge { limit } => return format!("{what} {}", super::show::size(*limit, texts)),
            _ => return what.to_owned(),
        };
        format!("{what} {detail}")
    }

    fn next(&self, texts: Texts) -> &'static str {
        texts.of("refusal-next", self.word()).unwrap_or_default()
    }

    /// The way on, where there is one other than the browser's own *back*.
    fn way(&self, texts: Texts) -> Option<Way> {
        let (href, label) = match self {
            Self::StaleForm => ("/secure/login", texts.say("refusal.to-login")),
            Self::ProofTooOld { again } => return Some(Way { href: again.clone(), label: texts.say("refusal.prove") }),
            Self::NotFound
            | Self::Forbidden
            | Self::NoSecondFactor
            | Self::NotKept
            | Self::SentAlready
            | Self::NoAnswer => ("/", texts.say("refusal.to-start")),
            Self::TooManyRequests { .. } => ("/secure/operations", texts.say("refusal.to-operations")),
            _ => return None,
        };
        Some(Way { href: href.to_owned(), label })
    }
}
