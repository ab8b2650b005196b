//! `/secure/account/second-factor/remove`: one authenticator less, or the second factor off, with the password and a code.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use uuid::Uuid;

use super::Refused;
use super::factor_field::{FactorField, With, given, nothing};
use super::forgery::{Posted, Unposted};
use super::here::{Here, Wanted};
use super::login::{SHOWN_AGAIN, next_page, sign_in_after};
use super::own_factor::{self, Authenticator};
use super::page::{self, Page};
use crate::identity::User;
use crate::secret::SecretText;
use crate::session::{LoginError, Proof};
use crate::store::second_factors::SecondFactorRow;

const PAGE: &str = "/secure/account/second-factor/remove";

/// What is to go: an authenticator, or, when none is named, all of it.
#[derive(Debug, Deserialize)]
pub struct RemoveQuery {
    #[serde(default)]
    authenticator: String,
    #[serde(default)]
    with: With,
}

/// The same with the password and a code.
#[derive(Deserialize)]
pub struct RemoveForm {
    #[serde(default)]
    authenticator: String,
    password: SecretText,
    #[serde(default = "nothing")]
    code: SecretText,
    recovery_code: Option<SecretText>,
}

#[derive(Template)]
#[template(path = "remove_factor.html")]
pub(super) struct RemovePage {
    pub page: Page,
    /// The authenticator that goes while another one stays.
    pub authenticator: Option<Authenticator>,
    /// What is posted of it.
    pub named: String,
    /// Absent where the policy asks for a second factor: nothing can be posted.
    pub field: Option<FactorField>,
    pub error: Option<&'static str>,
}

/// What will happen, and the form.
pub async fn show(here: Here, Wanted(query): Wanted<RemoveQuery>) -> Result<Response, Refused> {
    form(&here, StatusCode::OK, query, None).await
}

/// Removes it; then back to what is left.
pub async fn submit(here: Here, posted: Result<Posted<RemoveForm>, Unposted<RemoveForm>>) -> Result<Response, Refused> {
    let form_posted = posted.map_err(Unposted::into_refused)?.into_inner();
    let RemoveForm { authenticator, password, code, recovery_code } = form_posted;
    let (row, policy, with) = (here.session_row().await?, here.policy(), With::of(recovery_code.as_ref()));
    let (act, proof) = (here.sign_in(&policy), Proof { password, code: Some(given(code, recovery_code)) });
    let removed = match named(&authenticator)? {
        Some(id) => act.remove_authenticator(&row, id, &proof).await,
        None => act.switch_off(&row, &proof).await,
    };
    match removed {
        Ok(step) => Ok(next_page(&here, step, own_factor::PAGE)),
        Err(LoginError::Refused) => {
            form(&here, SHOWN_AGAIN, RemoveQuery { authenticator, with }, here.texts().of("error", "proof")).await
        }
        Err(LoginError::FactorRequired) => {
            form(&here, StatusCode::FORBIDDEN, RemoveQuery { authenticator, with }, None).await
        }
        // Gone already: what is left is shown.
        Err(LoginError::NotEnrolled) => Ok(page::see_other(own_factor::PAGE).map(Into::into)),
        // The form was sent twice most of all: the other answer's cookie may be good.
        Err(LoginError::Over) => Ok(sign_in_after("over", own_factor::PAGE)),
        Err(error) => Err(error.into()),
    }
}

async fn form(
    here: &Here,
    status: StatusCode,
    query: RemoveQuery,
    error: Option<&'static str>,
) -> Result<Response, Refused> {
    let RemoveQuery { authenticator, with } = query;
    let (user, t) = (User::clone(&here.signed_in()?.user), here.texts());
    let authenticators = here.authenticators(user.id).await?;
    let id = named(&authenticator)?;
    let chosen = authenticators.iter().find(|own| Some(own.id) == id);
    if authenticators.is_empty() || (id.is_some() && chosen.is_none()) {
        return Ok(page::see_other(own_factor::PAGE).map(Into::into));
    }
    let stays_on = chosen.is_some() && authenticators.len() > 1;
    let may_go = stays_on || !here.policy().security.second_factor.is_required(&user);
    let title = if stays_on { t.say("authenticators.remove-title") } else { t.say("authenticators.off") };
    let page = RemovePage {
        page: here.page(title),
        authenticator: chosen.filter(|_| stays_on).map(|authenticator| Authenticator::of(authenticator, t)),
        field: may_go.then(|| field(with, &authenticators, &authenticator, here)),
        named: authenticator,
        error,
    };
    Ok(page::html(status, &page))
}

fn field(with: With, authenticators: &[SecondFactorRow], authenticator: &str, here: &Here) -> FactorField {
    FactorField::new(with, authenticators, here.texts(), (PAGE, &[("authenticator", authenticator)]))
}

/// The authenticator that is meant: none is all, and what is no id is no authenticator of anybody.
fn named(authenticator: &str) -> Result<Option<Uuid>, Refused> {
    if authenticator.is_empty() {
        return Ok(None);
    }
    authenticator.parse().map(Some).map_err(|_| Refused::NotFound)
}
