//! `/secure/login/second-factor`: the code, after the password; on its other tab a recovery code.
//!
//! `Cancel` is a form of its own: it ends the sign-in on its way, and nothing of it stays alive.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::Refused;
use super::factor_field::{FactorField, With, given, nothing};
use super::forgery::{Posted, Unposted};
use super::here::{Here, Wanted};
use super::login::{SHOWN_AGAIN, begin_again, next_page};
use super::logout::without_cookies;
use super::page::{self, Page};
use super::recovery_codes::on_the_way_to;
use super::return_to::{or_front, with_return};
use crate::account::recovery;
use crate::secret::SecretText;
use crate::session::{LoginError, Presented, Step};
use crate::store::sessions::{SessionRow, Stage};

const PAGE: &str = "/secure/login/second-factor";

/// A code that was posted. Codes are no secrets for long, but are not printed either.
#[derive(Deserialize)]
pub struct CodeForm {
    #[serde(default)]
    pub(super) code: String,
    #[serde(default)]
    pub(super) return_to: String,
}

/// What was posted here.
#[derive(Deserialize)]
pub struct FactorForm {
    #[serde(default = "nothing")]
    code: SecretText,
    recovery_code: Option<SecretText>,
    #[serde(default)]
    return_to: String,
}

/// Where from.
#[derive(Debug, Deserialize)]
pub struct ReturnQuery {
    #[serde(default)]
    pub(super) return_to: String,
}

/// Where from, and which tab.
#[derive(Debug, Deserialize)]
pub struct TabQuery {
    #[serde(default)]
    pub(super) with: With,
    #[serde(default)]
    pub(super) return_to: String,
}

#[derive(Template)]
#[template(path = "second_factor.html")]
pub(super) struct CodePage {
    pub page: Page,
    pub field: FactorField,
    pub return_to: String,
    pub error: Option<&'static str>,
}

/// The form, for a sign-in at this very step.
pub async fn show(here: Here, Wanted(query): Wanted<TabQuery>) -> Result<Response, Refused> {
    let Some(row) = here.pending(Stage::SecondFactor) else { return elsewhere(&here, query.return_to) };
    form(&here, row, query, None).await
}

/// The sign-in's second step.
pub async fn submit(here: Here, posted: Result<Posted<FactorForm>, Unposted<FactorForm>>) -> Result<Response, Refused> {
    let FactorForm { code, recovery_code, return_to } = posted.map_err(Unposted::into_refused)?.into_inner();
    let Some(row) = here.pending(Stage::SecondFactor) else { return elsewhere(&here, return_to) };
    let (policy, with) = (here.policy(), With::of(recovery_code.as_ref()));
    match here.sign_in(&policy).second_factor(row, given(code, recovery_code)).await {
        Ok(step) => Ok(arrived(&here, step, with, &return_to).await),
        Err(LoginError::Refused) => {
            let error = here.texts().of("error", with.error());
            form(&here, row, TabQuery { with, return_to }, error).await
        }
        Err(LoginError::Over) => Ok(begin_again(&here, &return_to)),
        Err(error) => Err(error.into()),
    }
}

/// `Cancel`: the sign-in on its way ends, and another can begin. One that a remembered browser began takes its device
/// along: whoever cancels is somebody else, or wants to be.
pub async fn cancel(
    here: Here,
    posted: Result<Posted<ReturnQuery>, Unposted<ReturnQuery>>,
) -> Result<Response, Refused> {
    let ReturnQuery { return_to } = posted.map_err(Unposted::into_refused)?.into_inner();
    let (Presented::Pending { .. }, Some(token)) = (&here.visit.presented, &here.visit.token) else {
        return elsewhere(&here, return_to);
    };
    here.portal.login.cancel(token, &here.origin()).await?;
    Ok(without_cookies(&here, page::see_other(&with_return("/secure/login", &return_to))))
}

/// The address of `Cancel`, opened: nothing ends by that.
pub async fn cancel_back(here: Here) -> Result<Response, Refused> {
    elsewhere(&here, String::new())
}

/// Not at this step: on to where they wanted when signed in, else to the step they are at.
pub fn elsewhere(here: &Here, return_to: String) -> Result<Response, Refused> {
    match here.visit.presented {
        Presented::Live(_) => Ok(page::see_other(&or_front(&return_to)).map(Into::into)),
        _ => Err(Refused::SignIn { return_to }),
    }
}

/// On to the next step; by way of the recovery codes, when they are running out.
async fn arrived(here: &Here, step: Step, with: With, return_to: &str) -> Response {
    let warned = match &step {
        Step::SignedIn(_, me) | Step::Remembered(_, me, _) if with == With::Recovery => {
            here.recovery_codes_left(me.user.id).await
        }
        _ => return next_page(here, step, return_to),
    };
    // Whoever is in stays in, whether or not the store answers to this.
    match warned {
        Ok(0..=recovery::FEW) => next_page(here, step, &on_the_way_to(return_to)),
        _ => next_page(here, step, return_to),
    }
}

async fn form(
    here: &Here,
    row: &SessionRow,
    query: TabQuery,
    error: Option<&'static str>,
) -> Result<Response, Refused> {
    let TabQuery { with, return_to } = query;
    let authenticators = here.authenticators(row.user).await?;
    let field = FactorField::new(with, &authenticators, here.texts(), (PAGE, &[("return_to", &return_to)])).first();
    let page = here.page(here.texts().say("second-factor.title"));
    let status = if error.is_some() { SHOWN_AGAIN } else { StatusCode::OK };
    Ok(page::html(status, &CodePage { page, field, return_to, error }))
}
