//! `/secure/login/second-factor`: the code, after the password.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::Refused;
use super::forgery::{Posted, Unposted};
use super::here::{Here, Wanted};
use super::login::{SHOWN_AGAIN, begin_again, next_page};
use super::page::{self, Page};
use super::return_to::or_front;
use crate::session::{LoginError, Presented};
use crate::store::sessions::Stage;

/// What was posted. Codes are no secrets for long, but are not printed either.
#[derive(Deserialize)]
pub struct CodeForm {
    #[serde(default)]
    pub(super) code: String,
    #[serde(default)]
    pub(super) return_to: String,
}

/// Where from.
#[derive(Debug, Deserialize)]
pub struct ReturnQuery {
    #[serde(default)]
    pub(super) return_to: String,
}

#[derive(Template)]
#[template(path = "second_factor.html")]
pub(super) struct CodePage {
    pub page: Page,
    pub return_to: String,
    pub error: Option<&'static str>,
}

/// The form, for a sign-in at this very step.
pub async fn show(here: Here, Wanted(query): Wanted<ReturnQuery>) -> Result<Response, Refused> {
    match here.pending(Stage::SecondFactor) {
        Some(_) => Ok(form(&here, StatusCode::OK, query.return_to, None)),
        None => elsewhere(&here, query.return_to),
    }
}

/// The sign-in's second step.
pub async fn submit(here: Here, posted: Result<Posted<CodeForm>, Unposted<CodeForm>>) -> Result<Response, Refused> {
    let CodeForm { code, return_to } = posted.map_err(Unposted::into_refused)?.into_inner();
    let Some(row) = here.pending(Stage::SecondFactor) else { return elsewhere(&here, return_to) };
    let policy = here.policy();
    match here.sign_in(&policy).second_factor(row, &code).await {
        Ok(step) => Ok(next_page(&here, step, &return_to)),
        Err(LoginError::Refused) => Ok(form(&here, SHOWN_AGAIN, return_to, here.texts().of("error", "code"))),
        Err(LoginError::Over) => Ok(begin_again(&here, &return_to)),
        Err(error) => Err(error.into()),
    }
}

/// Not at this step: on to where they wanted when signed in, else to the step they are at.
pub fn elsewhere(here: &Here, return_to: String) -> Result<Response, Refused> {
    match here.visit.presented {
        Presented::Live(_) => Ok(page::see_other(&or_front(&return_to)).map(Into::into)),
        _ => Err(Refused::SignIn { return_to }),
    }
}

fn form(here: &Here, status: StatusCode, return_to: String, error: Option<&'static str>) -> Response {
    let page = here.page(here.texts().say("second-factor.title"));
    page::html(status, &CodePage { page, return_to, error })
}
