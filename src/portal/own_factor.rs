//! `/secure/account/second-factor`: one's own second factor: off and the way to it, or on, with its authenticators.
//!
//! A new secret is shown only to whoever typed the password again (L3), and, for a second authenticator, a code of the first.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use std::time::Duration;

use super::Refused;
use super::enrol::{Frame, enrolment};
use super::factor_field::{FactorField, With, given, nothing};
use super::forgery::{Posted, Unposted};
use super::here::{Here, Wanted};
use super::login::{SHOWN_AGAIN, next_page, sign_in_after};
use super::page::{self, Page};
use super::recovery_codes::{or_account, shown_once, warning};
use super::return_to::with_return;
use super::second_factor::{CodeForm, TabQuery};
use super::show::Moment;
use super::texts::Texts;
use crate::identity::User;
use crate::secret::SecretText;
use crate::session::LoginError;
use crate::session::login::{MOST_AUTHENTICATORS, Proof};
use crate::store::second_factors::SecondFactorRow;
use crate::store::sessions::SessionRow;

/// Where it is.
pub const PAGE: &str = "/secure/account/second-factor";
/// Where another authenticator is added.
const ADD: &str = "/secure/account/second-factor/add";

/// How long after typing the password again the new secret is shown.
const ENROLMENT_WINDOW: Duration = Duration::from_mins(10);

/// The password, typed again; with a code where there is an authenticator already.
#[derive(Deserialize)]
pub struct PasswordForm {
    password: SecretText,
    #[serde(default = "nothing")]
    code: SecretText,
    recovery_code: Option<SecretText>,
    #[serde(default)]
    return_to: String,
}

/// An authenticator, ready to be shown.
#[derive(Debug)]
pub struct Authenticator {
    /// For the address of its removal.
    pub id: String,
    /// When it became active.
    pub added: Moment,
    /// When a code of it was last used.
    pub used: Moment,
}

/// Off: not offered, or the password that leads to the new secret; on: the same for another authenticator.
#[derive(Template)]
#[template(path = "account_second_factor.html")]
pub(super) struct SecondFactorPage {
    pub page: Page,
    pub hidden: bool,
    /// Asked for where there is an authenticator already.
    pub field: Option<FactorField>,
    pub return_to: String,
    pub error: Option<&'static str>,
}

/// On: the authenticators and what can be done about them.
#[derive(Template)]
#[template(path = "authenticators.html")]
pub(super) struct AuthenticatorsPage {
    pub page: Page,
    pub authenticators: Vec<Authenticator>,
    pub may_add: bool,
    /// Whether the policy lets the last one go.
    pub may_go: bool,
    pub left: String,
    pub warning: Option<&'static str>,
}

/// The second factor: on, or the way to it.
pub async fn show(here: Here, Wanted(query): Wanted<TabQuery>) -> Result<Response, Refused> {
    let user = User::clone(&here.signed_in()?.user);
    let authenticators = here.authenticators(user.id).await?;
    if authenticators.is_empty() {
        return way_to_it(&here, &user, &authenticators, query).await;
    }
    let (t, policy) = (here.texts(), here.policy());
    let left = here.recovery_codes_left(user.id).await?;
    let page = AuthenticatorsPage {
        page: here.page(t.say("account.second-factor")),
        may_add: authenticators.len() < MOST_AUTHENTICATORS && policy.security.second_factor.is_offered(&user),
        may_go: !policy.security.second_factor.is_required(&user),
        authenticators: authenticators.iter().map(|authenticator| Authenticator::of(authenticator, t)).collect(),
        left: t.say_with("recovery.left", &[("left", &left.to_string())]),
        warning: warning(left, t),
    };
    Ok(page::html(StatusCode::OK, &page))
}

/// Another authenticator.
pub async fn add(here: Here, Wanted(query): Wanted<TabQuery>) -> Result<Response, Refused> {
    let user = User::clone(&here.signed_in()?.user);
    let authenticators = here.authenticators(user.id).await?;
    if authenticators.is_empty() || authenticators.len() >= MOST_AUTHENTICATORS {
        return Ok(page::see_other(PAGE).map(Into::into));
    }
    way_to_it(&here, &user, &authenticators, query).await
}

/// The password, typed again: on to the new secret.
pub async fn password(
    here: Here,
    posted: Result<Posted<PasswordForm>, Unposted<PasswordForm>>,
) -> Result<Response, Refused> {
    let form = posted.map_err(Unposted::into_refused)?.into_inner();
    let PasswordForm { password, code, recovery_code, return_to } = form;
    let (row, policy, with) = (here.session_row().await?, here.policy(), With::of(recovery_code.as_ref()));
    let authenticators = here.authenticators(row.user).await?;
    let proof = Proof { password, code: Some(given(code, recovery_code)) };
    match here.sign_in(&policy).reauthenticate(&row, proof).await {
        Ok(step) => Ok(next_page(&here, step, &with_return(secret_page(&authenticators), &return_to))),
        Err(LoginError::Refused) => {
            let error = if authenticators.is_empty() { "password" } else { "proof" };
            let error = here.texts().of("error", error);
            let query = TabQuery { with, return_to };
            Ok(page::html(SHOWN_AGAIN, &SecondFactorPage { error, ..blank(&here, &authenticators, query) }))
        }
        // The form was sent twice most of all: the other answer's cookie may be good.
        Err(LoginError::Over) => Ok(sign_in_after("over", PAGE)),
        Err(error) => Err(error.into()),
    }
}

/// The first right code: the authenticator counts from now on.
pub async fn code(here: Here, posted: Result<Posted<CodeForm>, Unposted<CodeForm>>) -> Result<Response, Refused> {
    let CodeForm { code, return_to } = posted.map_err(Unposted::into_refused)?.into_inner();
    let row = here.session_row().await?;
    let authenticators = here.authenticators(row.user).await?;
    if !may_see_a_secret(&here, &row, &authenticators) {
        return Ok(page::see_other(&with_return(secret_page(&authenticators), &return_to)).map(Into::into));
    }
    let policy = here.policy();
    match here.sign_in(&policy).confirm_enrolment(&row, &code).await {
        Ok(enrolled) => Ok(shown_once(&here, enrolled, or_account(&return_to))),
        Err(LoginError::Refused) => {
            let error = here.texts().of("error", "first-code");
            enrolment(&here, &row, frame(&here, return_to, error)).await
        }
        // The form was sent twice most of all: the other answer's cookie may be good.
        Err(LoginError::Over) => Ok(sign_in_after("over", PAGE)),
        Err(error) => Err(error.into()),
    }
}

/// The address of a form, opened: on to its page.
pub async fn back() -> Response {
    page::see_other(PAGE).map(Into::into)
}

/// The new secret for whoever has just proven themselves; else the form to do so; nothing where none is offered.
async fn way_to_it(
    here: &Here,
    user: &User,
    authenticators: &[SecondFactorRow],
    query: TabQuery,
) -> Result<Response, Refused> {
    if !here.policy().security.second_factor.is_offered(user) {
        return Ok(page::html(
            StatusCode::OK,
            &SecondFactorPage { hidden: true, ..blank(here, authenticators, query) },
        ));
    }
    let row = here.session_row().await?;
    if may_see_a_secret(here, &row, authenticators) {
        return enrolment(here, &row, frame(here, query.return_to, None)).await;
    }
    Ok(page::html(StatusCode::OK, &blank(here, authenticators, query)))
}

/// Whether the password was typed again in this session, and not long ago, and a code where there is an authenticator:
/// signing in is not typing it again.
fn may_see_a_secret(here: &Here, row: &SessionRow, authenticators: &[SecondFactorRow]) -> bool {
    let lately = |at| here.visit.now.since(at) < ENROLMENT_WINDOW;
    let typed_again = row.proven_at().is_some_and(|at| at > row.created_at && lately(at));
    typed_again && (authenticators.is_empty() || row.second_factor_at.is_some_and(lately))
}

/// Where the new secret is shown.
const fn secret_page(authenticators: &[SecondFactorRow]) -> &'static str {
    if authenticators.is_empty() { PAGE } else { ADD }
}

fn frame(here: &Here, return_to: String, error: Option<&'static str>) -> Frame {
    let why = here.texts().say("enrol.offered");
    Frame { action: "/secure/account/second-factor/code", why, return_to, error, is_sign_in: false }
}

fn blank(here: &Here, authenticators: &[SecondFactorRow], query: TabQuery) -> SecondFactorPage {
    let t = here.texts();
    let TabQuery { with, return_to } = query;
    let title = if authenticators.is_empty() { t.say("account.second-factor") } else { t.say("authenticators.add") };
    let field = FactorField::new(with, authenticators, t, (secret_page(authenticators), &[("return_to", &return_to)]));
    let field = (!authenticators.is_empty()).then_some(field);
    SecondFactorPage { page: here.page(title), hidden: false, field, return_to, error: None }
}

// === impl Authenticator ===

impl Authenticator {
    /// As it is shown.
    pub fn of(row: &SecondFactorRow, t: Texts) -> Self {
        Self {
            id: row.id.to_string(),
            added: Moment::of(row.confirmed_at.unwrap_or(row.created_at), t),
            used: Moment::of(row.last_used().unwrap_or(row.created_at), t),
        }
    }
}
