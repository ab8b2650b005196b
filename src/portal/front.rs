//! `/secure/`: the doors.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::Refused;
use super::here::Here;
use super::page::{self, Page};
use crate::identity::{Right, SignedIn};
use crate::session::Presented;

#[derive(Template)]
#[template(path = "front.html")]
pub(super) struct FrontPage {
    pub page: Page,
    /// How many operations wait for the one who is signed in; nothing for whoever is no validator.
    pub waiting: Option<usize>,
}

/// `/secure` is `/secure/`.
pub async fn add_slash() -> Response {
    page::see_other("/secure/").map(Into::into)
}

/// The doors that exist, and who is signed in.
pub async fn show(here: Here) -> Result<Response, Refused> {
    let waiting = match &here.visit.presented {
        Presented::Live(signed_in) => waiting_for(&here, signed_in).await?,
        _ => None,
    };
    let page = here.page(here.texts().say("front.title"));
    Ok(page::html(StatusCode::OK, &FrontPage { page, waiting }))
}

async fn waiting_for(here: &Here, signed_in: &SignedIn) -> Result<Option<usize>, Refused> {
    if !signed_in.user.has(Right::TokenValidator) {
        return Ok(None);
    }
    Ok(Some(here.portal.operations.waiting_for(signed_in).await?.len()))
}
