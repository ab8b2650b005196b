//! Methods a request names besides its own.
//!
//! Some frameworks take the method from `X-HTTP-Method-Override` and its like, or from a field `_method`. The headers are
//! removed before the backend unless the site says `method_override`; `_method` cannot be removed, so it is always judged in
//! a query, and in a posted form wherever a method it could name would be answered more strictly than the post itself:
//! elsewhere no form is read for it.

use http::{HeaderMap, Method};

use super::body;
use super::decide::{BodyFacts, Refusal};
use super::judge::Judge;
use super::rule::METHODS;

/// The field that names a method.
const FIELD: &str = "_method";

/// The methods that frameworks let a posted form name.
const NAMED_BY_FORMS: [Method; 3] = [Method::PUT, Method::PATCH, Method::DELETE];

/// The headers that name one, by their letters alone: `X_HTTP_Method` is read as `X-HTTP-Method` by CGI.
const HEADERS: [&str; 4] = ["xhttpmethodoverride", "xhttpmethod", "xmethodoverride", "httpmethodoverride"];

/// More different methods than this in one request is no request.
const MOST: usize = 8;

/// What a request names.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// Each once, without the request's own.
    pub methods: Vec<Method>,
    /// Whether a body that is not read yet may name more.
    pub more_in_body: bool,
}

/// Whether `name` is a header by which a client names another method. Removed from requests unless the site says
/// `method_override`.
pub fn is_override_header(name: &http::HeaderName) -> bool {
    let letters = name.as_str().bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase());
    HEADERS.iter().any(|header| letters.clone().eq(header.bytes()))
}

/// Everything the request names as its method.
pub(super) fn named(judge: &Judge<'_>) -> Result<Named, Refusal> {
    let mut named = Named::default();
    let facts = judge.facts();
    let own = facts.method;
    let is_asked = facts.target.query().is_some_and(may_name_a_method);
    if !judge.site().method_override {
        if is_asked {
            judge.query().alike(FIELD).for_each(|value| named.add_known(value, own));
        }
        if *own == Method::POST && body::is_form(facts.headers) && judge.would_be_stricter_with(&NAMED_BY_FORMS) {
            match judge.body() {
                None => named.more_in_body = true,
                Some(body) => body?.fields.alike(FIELD).for_each(|value| named.add_known(value, own)),
            }
        }
        return Ok(named);
    }
    if is_asked {
        judge.query().alike(FIELD).try_for_each(|value| named.add(value, own))?;
    }
    header_values(facts.headers).try_for_each(|value| named.add(value, own))?;
    if matches!(*own, Method::GET | Method::HEAD) || !body::is_form(facts.headers) {
        return Ok(named);
    }
    match (facts.body, judge.body()) {
        (BodyFacts::Unread, _) | (_, None) => named.more_in_body = true,
        (_, Some(body)) => body?.fields.alike(FIELD).try_for_each(|value| named.add(value, own))?,
    }
    Ok(named)
}

// === impl Named ===

impl Named {
    /// Where overrides are none of the site's business, a `_method` that is no method is the application's own field.
    fn add_known(&mut self, value: &str, own: &Method) {
        let known = METHODS.iter().find(|method| method.as_str().eq_ignore_ascii_case(value.trim()));
        if let Some(method) = known.filter(|method| *method != own && !self.methods.contains(method)) {
            self.methods.push(method.clone());
        }
    }

    fn add(&mut self, value: &str, own: &Method) -> Result<(), Refusal> {
        for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let method = Method::from_bytes(name.to_ascii_uppercase().as_bytes())
                .map_err(|_| Refusal::UnreadableBody("the request names a method that is none"))?;
            if method != *own && !self.methods.contains(&method) {
                self.methods.push(method);
            }
        }
        if self.methods.len() > MOST {
            Err(Refusal::UnreadableBody("the request names too many methods"))
        } else {
            Ok(())
        }
    }
}

fn header_values(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers.iter().filter(|(name, _)| is_override_header(name)).map(|(_, value)| value.to_str().unwrap_or("\0"))
}

/// A cheap look before the query is taken apart.
fn may_name_a_method(query: &str) -> bool {
    query.contains('%') || query.as_bytes().windows(6).any(|letters| letters.eq_ignore_ascii_case(b"method"))
}
