//! `/secure/password`: whoever is signed in changes their own password.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::Refused;
use super::factor_field::{FactorField, With, given, nothing};
use super::forgery::{Posted, Unposted};
use super::here::{Here, Wanted};
use super::login::{SHOWN_AGAIN, allowed_here, next_page, sign_in_after};
use super::page::{self, Page};
use super::password::{Rule, faults_in_words};
use super::return_to::with_return;
use crate::secret::SecretText;
use crate::session::LoginError;
use crate::session::login::Proof;

const HERE: &str = "/secure/password";

/// Where a change leads when nothing else was asked for.
const DONE: &str = "/secure/account?notice=password-changed";

/// What was posted.
#[derive(Deserialize)]
pub struct OwnPasswordForm {
    current_password: SecretText,
    #[serde(default = "nothing")]
    code: SecretText,
    recovery_code: Option<SecretText>,
    new_password: SecretText,
    new_password_again: SecretText,
    #[serde(default)]
    return_to: String,
}

/// With what, and where to go afterwards.
#[derive(Debug, Deserialize)]
pub struct OwnPasswordQuery {
    #[serde(default)]
    with: With,
    #[serde(default)]
    return_to: String,
}

#[derive(Template)]
#[template(path = "own_password.html")]
pub(super) struct OwnPasswordPage {
    pub page: Page,
    pub username: String,
    /// Asked for where a second factor is on.
    pub field: Option<FactorField>,
    pub rule: Rule,
    pub return_to: String,
    pub errors: Vec<String>,
}

/// The form.
pub async fn show(here: Here, Wanted(query): Wanted<OwnPasswordQuery>) -> Result<Response, Refused> {
    allowed_here(&here)?;
    form(&here, StatusCode::OK, query, Vec::new()).await
}

/// The proof and the new password, twice: changed, and on; or the form again with all that is wrong.
pub async fn submit(
    here: Here,
    posted: Result<Posted<OwnPasswordForm>, Unposted<OwnPasswordForm>>,
) -> Result<Response, Refused> {
    allowed_here(&here)?;
    let OwnPasswordForm { current_password, code, recovery_code, new_password, new_password_again, return_to } =
        posted.map_err(Unposted::into_refused)?.into_inner();
    let (row, t) = (here.session_row().await?, here.texts());
    let again = OwnPasswordQuery { with: With::of(recovery_code.as_ref()), return_to };
    if new_password.expose() != new_password_again.expose() {
        return form(&here, SHOWN_AGAIN, again, vec![t.say("error.passwords-differ").to_owned()]).await;
    }
    let proof = Proof { password: current_password, code: Some(given(code, recovery_code)) };
    let policy = here.policy();
    match here.sign_in(&policy).change_own_password(&row, proof, new_password).await {
        Ok(step) => Ok(next_page(&here, step, if again.return_to.is_empty() { DONE } else { &again.return_to })),
        Err(LoginError::NewPassword(faults)) => form(&here, SHOWN_AGAIN, again, faults_in_words(&faults, t)).await,
        Err(LoginError::Refused) => {
            let with_factor = !here.authenticators(row.user).await?.is_empty();
            let wrong = if with_factor { t.say("error.present-proof") } else { t.say("error.password") };
            form(&here, SHOWN_AGAIN, again, vec![wrong.to_owned()]).await
        }
        // The form was sent twice most of all: the other answer's cookie may be good.
        Err(LoginError::Over) => Ok(sign_in_after("over", &with_return(HERE, &again.return_to))),
        Err(error) => Err(error.into()),
    }
}

/// Nothing that was typed is kept: all of it is passwords and codes.
async fn form(
    here: &Here,
    status: StatusCode,
    query: OwnPasswordQuery,
    errors: Vec<String>,
) -> Result<Response, Refused> {
    let OwnPasswordQuery { with, return_to } = query;
    let (user, t) = (&here.signed_in()?.user, here.texts());
    let authenticators = here.authenticators(user.id).await?;
    let page = OwnPasswordPage {
        page: here.page(here.texts().say("password.own-title")),
        username: user.name.clone(),
        field: (!authenticators.is_empty())
            .then(|| field(FactorField::new(with, &authenticators, t, (HERE, &[("return_to", &return_to)])))),
        rule: Rule::of(here),
        return_to,
        errors,
    };
    Ok(page::html(status, &page))
}

/// The new password comes after it: it does not send itself.
pub(super) fn field(mut field: FactorField) -> FactorField {
    field.code.sends_at = None;
    field
}
