//! `/secure/logout`: a button, and the end of the session behind it, with the device it belongs to. Opening the address ends
//! nothing.

use askama::Template;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use http::header::SET_COOKIE;
use serde::Deserialize;

use super::forgery::{Posted, Unposted};
use super::here::Here;
use super::page::{self, Page};
use super::{Refused, cookies};

/// Nothing but the anti-forgery value.
#[derive(Debug, Deserialize)]
pub struct Nothing {}

#[derive(Template)]
#[template(path = "logout.html")]
pub(super) struct LogoutPage {
    pub page: Page,
}

/// The button.
pub async fn show(here: Here) -> Result<Response, Refused> {
    here.signed_in().map_err(|_| Refused::SignIn { return_to: String::new() })?;
    let page = here.page(here.texts().say("logout.title"));
    Ok(page::html(StatusCode::OK, &LogoutPage { page }))
}

/// Ends the session; pressing it twice does no harm.
pub async fn submit(here: Here, posted: Result<Posted<Nothing>, Unposted<Nothing>>) -> Result<Response, Refused> {
    posted.map_err(Unposted::into_refused)?.into_inner();
    signed_out(&here).await
}

/// Signs out whoever is here.
pub async fn signed_out(here: &Here) -> Result<Response, Refused> {
    if let Some(token) = &here.visit.token {
        here.portal.login.sign_out(token, &here.origin()).await?;
    }
    Ok(after_sign_out(here))
}

/// To the sign-in, and the browser's cookies go.
pub fn after_sign_out(here: &Here) -> Response {
    without_cookies(here, page::see_other("/secure/login?notice=signed-out"))
}

/// With the session's cookie taken away, and the value by which the browser was remembered.
pub fn without_cookies(here: &Here, response: http::Response<Bytes>) -> Response {
    let response = page::with(response, SET_COOKIE, cookies::no_session(&here.visit));
    page::with(response, SET_COOKIE, cookies::no_remember(&here.visit)).map(Into::into)
}
