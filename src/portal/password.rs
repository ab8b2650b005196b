//! `/secure/login/password`: whoever signed in with a password that cannot stay chooses another before anything else. And what
//! both pages that take a new password say of it.

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
use super::show::Moment;
use super::texts::Texts;
use crate::account::{PasswordFault, PasswordFaults};
use crate::policy::security::Passwords;
use crate::secret::SecretText;
use crate::session::LoginError;
use crate::session::login::Forced;
use crate::store::sessions::{SessionRow, Stage};

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
    pub why: &'static str,
    pub rule: Rule,
    pub return_to: String,
    pub errors: Vec<String>,
}

/// What a new password must be, said before one is typed.
#[derive(Debug)]
pub(super) struct Rule {
    pub minimum: usize,
    pub text: String,
}

/// The form, for a sign-in at this very step.
pub async fn show(here: Here, Wanted(query): Wanted<ReturnQuery>) -> Result<Response, Refused> {
    match here.pending(Stage::ChangePassword) {
        Some(row) => form(&here, row, StatusCode::OK, query.return_to, Vec::new()).await,
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
        let differ = here.texts().say("error.passwords-differ").to_owned();
        return form(&here, row, SHOWN_AGAIN, return_to, vec![differ]).await;
    }
    let policy = here.policy();
    match here.sign_in(&policy).change_password(row, new_password).await {
        Ok(step) => Ok(next_page(&here, step, &return_to)),
        Err(LoginError::NewPassword(faults)) => {
            form(&here, row, SHOWN_AGAIN, return_to, faults_in_words(&faults, here.texts())).await
        }
        Err(LoginError::Over) => Ok(begin_again(&here, &return_to)),
        Err(LoginError::Overtaken) => Ok(begin_again_after(&here, "overtaken", &return_to)),
        Err(LoginError::PasswordSet) => Ok(sign_in_after("password-set", &return_to)),
        Err(error) => Err(error.into()),
    }
}

/// All that is wrong with a new password, one sentence each.
pub(super) fn faults_in_words(faults: &PasswordFaults, t: Texts) -> Vec<String> {
    faults.all().iter().map(|fault| fault_in_words(*fault, t)).collect()
}

fn fault_in_words(fault: PasswordFault, t: Texts) -> String {
    match fault {
        PasswordFault::TooShort { minimum } => t.say_with("error.password-short", &[("n", &minimum.to_string())]),
        PasswordFault::TooLong => t.say("error.password-long").to_owned(),
        PasswordFault::Missing(class) => t.of("password-missing", class.as_str()).unwrap_or_default().to_owned(),
        PasswordFault::Own => t.say("error.password-own").to_owned(),
        PasswordFault::Known => t.say("error.password-known").to_owned(),
        PasswordFault::Unchanged => t.say("error.password-unchanged").to_owned(),
        PasswordFault::Remembered { count } => t.say_with("error.password-remembered", &[("n", &count.to_string())]),
        PasswordFault::TooManyChanges { until } => {
            t.say_with("error.password-changes", &[("at", &Moment::of(until, t).text)])
        }
    }
}

/// The form, and why it is here. A sign-in that went on meanwhile, or is over, has no form.
async fn form(
    here: &Here,
    row: &SessionRow,
    status: StatusCode,
    return_to: String,
    errors: Vec<String>,
) -> Result<Response, Refused> {
    let t = here.texts();
    let why = match here.sign_in(&here.policy()).forced(row).await {
        Ok(Some(Forced::Temporary)) => t.say("password.why-temporary"),
        Ok(Some(Forced::TooOld)) => t.say("password.why-too-old"),
        Ok(None) => return Ok(sign_in_after("password-set", &return_to)),
        Err(LoginError::Over) => return Ok(begin_again(here, &return_to)),
        Err(error) => return Err(error.into()),
    };
    let page = here.page(t.say("password.title"));
    Ok(page::html(status, &NewPasswordPage { page, why, rule: Rule::of(here), return_to, errors }))
}

// === impl Rule ===

impl Rule {
    /// The rule of the moment.
    pub(super) fn of(here: &Here) -> Self {
        Self::new(&here.policy().security.passwords, here.texts())
    }

    pub(super) fn new(passwords: &Passwords, t: Texts) -> Self {
        let minimum = passwords.minimum_length;
        let length = t.say_with("password.rule", &[("n", &minimum.to_string())]);
        let classes = passwords.require_all_classes.then(|| t.say("password.rule-classes"));
        let known = passwords.refuse_known_bad.then(|| t.say("password.rule-known"));
        let text = std::iter::once(length.as_str()).chain(classes).chain(known).collect::<Vec<_>>().join(" ");
        Self { minimum, text }
    }
}
