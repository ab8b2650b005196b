//! `/secure/login/password`: whoever signed in with a temporary password chooses one of their own before anything else.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::Refused;
use super::forgery::{Posted, Unposted};
use super::here::{Here, Wanted};
use super::login::{SHOWN_AGAIN, begin_again, begin_again_after, next_page, sign_in_after};
use super::page::{self, Page};
use super::second_factor::{ReturnQuery, elsewhere};
use super::texts::Texts;
use crate::secret::SecretText;
use crate::session::LoginError;
use crate::session::login::NewPasswordFault;
use crate::store::sessions::Stage;

/// The new password, twice.
#[derive(Deserialize)]
pub struct NewPasswordForm {
    new_password: SecretText,
    new_password_again: SecretText,
    #[serde(default)]
    return_to: String,
}

#[derive(Template)]
#[template(path = "password.html")]
pub(super) struct NewPasswordPage {
    pub page: Page,
    pub rule: String,
    pub minimum: usize,
    pub return_to: String,
    pub error: Option<String>,
}

/// The form, for a sign-in at this very step.
pub async fn show(here: Here, Wanted(query): Wanted<ReturnQuery>) -> Result<Response, Refused> {
    match here.pending(Stage::ChangePassword) {
        Some(_) => Ok(form(&here, StatusCode::OK, query.return_to, None)),
        None => elsewhere(&here, query.return_to),
    }
}

/// The new password; then the sign-in goes on.
pub async fn submit(
    here: Here,
    posted: Result<Posted<NewPasswordForm>, Unposted<NewPasswordForm>>,
) -> Result<Response, Refused> {
    let NewPasswordForm { new_password, new_password_again, return_to } =
        posted.map_err(Unposted::into_refused)?.into_inner();
    let Some(row) = here.pending(Stage::ChangePassword) else { return elsewhere(&here, return_to) };
    if new_password.expose() != new_password_again.expose() {
        return Ok(form(&here, SHOWN_AGAIN, return_to, Some(here.texts().say("error.passwords-differ").to_owned())));
    }
    let policy = here.policy();
    match here.sign_in(&policy).change_password(row, new_password).await {
        Ok(step) => Ok(next_page(&here, step, &return_to)),
        Err(LoginError::NewPassword(fault)) => {
            Ok(form(&here, SHOWN_AGAIN, return_to, Some(fault_words(fault, here.texts()))))
        }
        Err(LoginError::Over) => Ok(begin_again(&here, &return_to)),
        Err(LoginError::Overtaken) => Ok(begin_again_after(&here, "overtaken", &return_to)),
        Err(LoginError::PasswordSet) => Ok(sign_in_after("password-set", &return_to)),
        Err(error) => Err(error.into()),
    }
}

fn fault_words(fault: NewPasswordFault, t: Texts) -> String {
    match fault {
        NewPasswordFault::TooShort { minimum } => t.say_with("error.password-short", &[("n", &minimum.to_string())]),
        NewPasswordFault::TooLong => t.say("error.password-long").to_owned(),
        NewPasswordFault::Unchanged => t.say("error.password-unchanged").to_owned(),
    }
}

fn form(here: &Here, status: StatusCode, return_to: String, error: Option<String>) -> Response {
    let t = here.texts();
    let minimum = here.policy().security.passwords.minimum_length;
    let rule = t.say_with("password.rule", &[("n", &minimum.to_string())]);
    let page = here.page(t.say("password.title"));
    page::html(status, &NewPasswordPage { page, rule, minimum, return_to, error })
}
