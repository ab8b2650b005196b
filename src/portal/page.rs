//! The frame every page shares, and how a template becomes a response.

use askama::Template;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderName, StatusCode};

use super::texts::Texts;
use super::{Visit, assets, respond};
use crate::identity::SignedIn;

/// What `base.html` shows around every page.
#[derive(Debug, Clone)]
pub struct Page {
    /// The texts.
    pub t: Texts,
    /// `en` or `fr`, for `lang`.
    pub lang: &'static str,
    /// The page's own name.
    pub title: String,
    /// Where one is: the host in the address bar.
    pub host: String,
    /// For support: the same id is in the log.
    pub request_id: String,
    /// Who is signed in.
    pub person: Option<Person>,
    /// The anti-forgery value of the page's forms; absent where a page has none.
    pub csrf: String,
    /// Address of the stylesheet.
    pub css: &'static str,
    /// Address of the script that pages do not need.
    pub js: &'static str,
    /// Address of the logo.
    pub logo: &'static str,
    /// Without script, the page asks again after so many seconds.
    pub refresh: Option<u32>,
}

/// Who is signed in, for the header.
#[derive(Debug, Clone)]
pub struct Person {
    /// The user name.
    pub name: String,
    /// First and last name, or the user name where there is none.
    pub shown: String,
}

// === impl Page ===

impl Page {
    /// The frame of `visit`'s page called `title`. Without an anti-forgery value it shows no forms.
    pub fn new(visit: &Visit, csrf: Option<&str>, title: String) -> Self {
        let person = visit.signed_in().filter(|_| csrf.is_some()).map(Person::of);
        let assets = assets::addresses();
        Self {
            t: Texts::of_language(visit.language),
            lang: visit.language.tag(),
            title,
            host: visit.host.clone(),
            request_id: visit.request_id.to_string(),
            person,
            csrf: csrf.unwrap_or_default().to_owned(),
            css: &assets.style,
            js: &assets.script,
            logo: &assets.logo,
            refresh: None,
        }
    }

    /// The same page, asking again after `seconds` where no script does.
    pub fn refreshing(self, seconds: Option<u32>) -> Self {
        Self { refresh: seconds, ..self }
    }
}

impl Person {
    fn of(signed_in: &SignedIn) -> Self {
        let user = &signed_in.user;
        let shown = if user.full_name.is_empty() { &user.name } else { &user.full_name };
        Self { name: user.name.clone(), shown: shown.clone() }
    }
}

/// A page with its status.
pub fn html(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(page) => text(status, "text/html; charset=utf-8", page.into()).map(Into::into),
        Err(error) => {
            tracing::error!(event = "portal.page_failed", %error);
            let plain = Bytes::from_static(b"This page cannot be shown. Please try again.\n");
            text(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", plain).map(Into::into)
        }
    }
}

/// A body of one type.
pub fn text(status: StatusCode, content_type: &'static str, body: Bytes) -> http::Response<Bytes> {
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// `303 See Other`: the next page is asked with GET, and reloading it sends nothing again.
pub fn see_other(location: &str) -> http::Response<Bytes> {
    let mut response = text(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", Bytes::new());
    respond::locate(&mut response, location);
    response
}

/// Adds one header line.
pub fn with<B>(mut response: http::Response<B>, name: HeaderName, value: HeaderValue) -> http::Response<B> {
    response.headers_mut().append(name, value);
    response
}
