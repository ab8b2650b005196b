//! The last word on every response of the portal: refusals become pages, and the security headers go on.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, LOCATION};
use http::header::{
    CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

use super::{Portal, Refused, Visit, refusal};

/// Nothing but our own stylesheet, script and pictures; nobody may frame a page (WEB-4, ASVS 3.4.3).
const CONTENT_SECURITY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'";
/// A year and a bit, as ASVS 3.4.1 asks at least a year. Subdomains are not ours to speak for.
const TRANSPORT_SECURITY: &str = "max-age=31622400";

/// Marks a response that is the backend's own and must leave as it is.
#[derive(Debug, Clone, Copy)]
pub struct Untouched;

/// Turns a [`Refused`] that a handler left into its page, and adds what every page carries.
pub async fn finish(State(portal): State<Portal>, request: Request, next: Next) -> Response {
    let visit = request.extensions().get::<Visit>().cloned();
    let response = next.run(request).await;
    let Some(visit) = visit else { return http::StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    if response.extensions().get::<Untouched>().is_some() {
        return response;
    }
    match response.extensions().get::<Refused>().cloned() {
        Some(refused) => told(&portal, &visit, &refused, &response),
        None => secured(response, &visit),
    }
}

/// A handler's refusal leaves as a mark; [`finish`] makes the page, as only it knows portal and visit.
impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(self);
        response
    }
}

/// The refusal's page, with the methods that would have been allowed.
fn told(portal: &Portal, visit: &Visit, refused: &Refused, marked: &Response) -> Response {
    if refused.status().is_server_error() {
        tracing::warn!(event = "portal.refused", request_id = %visit.request_id, refused = refused.word());
    }
    let mut response = refusal(portal, visit, refused).map(Body::from);
    if let Some(allowed) = marked.headers().get(ALLOW) {
        response.headers_mut().insert(ALLOW, allowed.clone());
    }
    response
}

/// Adds the headers every page carries; what a handler set already (an asset's long life) stays.
pub fn secured<B>(mut response: http::Response<B>, visit: &Visit) -> http::Response<B> {
    let headers = response.headers_mut();
    keep_or_set(headers, CACHE_CONTROL, "no-store");
    keep_or_set(headers, CONTENT_SECURITY_POLICY, CONTENT_SECURITY);
    keep_or_set(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
    keep_or_set(headers, X_FRAME_OPTIONS, "DENY");
    // `no-referrer` would make browsers send `Origin: null` with our own forms, which could not be told from a foreign one.
    keep_or_set(headers, REFERRER_POLICY, "same-origin");
    keep_or_set(headers, HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    keep_or_set(headers, HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    keep_or_set(headers, VARY, "Cookie, Accept-Language");
    // What the page shows and the log has: who asks for help need only read it out.
    if let Ok(id) = HeaderValue::from_str(&visit.request_id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    if visit.secure {
        keep_or_set(headers, STRICT_TRANSPORT_SECURITY, TRANSPORT_SECURITY);
    }
    response
}

/// Sets `Location`; an address that is no header value leads to the front page.
pub fn locate<B>(response: &mut http::Response<B>, location: &str) {
    let value = HeaderValue::try_from(location).unwrap_or(HeaderValue::from_static("/secure/"));
    response.headers_mut().insert(LOCATION, value);
}

fn keep_or_set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}
