//! `/secure/account`: one's own data, and one's own second factor.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use std::time::Duration;

use super::Refused;
use super::enrol::{Frame, enrolment};
use super::forgery::{Posted, Unposted};
use super::here::{Here, Wanted};
use super::login::{SHOWN_AGAIN, begin_again, next_page};
use super::page::{self, Page};
use super::return_to::with_return;
use super::second_factor::{CodeForm, ReturnQuery};
use super::show::Moment;
use crate::identity::User;
use crate::secret::SecretText;
use crate::session::LoginError;
use crate::session::login::Proof;
use crate::store::sessions::SessionRow;

const SECOND_FACTOR: &str = "/secure/account/second-factor";

/// How long after typing the password again the new secret is shown.
const ENROLMENT_WINDOW: Duration = Duration::from_mins(10);

/// The password, typed again.
#[derive(Deserialize)]
pub struct PasswordForm {
    password: SecretText,
    #[serde(default)]
    return_to: String,
}

/// What to say first.
#[derive(Debug, Deserialize)]
pub struct NoticeQuery {
    #[serde(default)]
    notice: String,
}

/// Where one's own second factor stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Factor {
    /// On, since then.
    On(Moment),
    /// Off, and can be switched on.
    Offered,
    /// Not offered to this user.
    Hidden,
}

#[derive(Template)]
#[template(path = "account.html")]
pub(super) struct AccountPage {
    pub page: Page,
    pub notice: Option<&'static str>,
    pub user: User,
    pub rights: Vec<&'static str>,
    pub factor: Factor,
    pub signed_in: Moment,
    pub ends: Moment,
}

#[derive(Template)]
#[template(path = "account_second_factor.html")]
pub(super) struct SecondFactorPage {
    pub page: Page,
    pub factor: Factor,
    pub return_to: String,
    pub error: Option<&'static str>,
}

/// One's own data.
pub async fn show(here: Here, Wanted(query): Wanted<NoticeQuery>) -> Result<Response, Refused> {
    let user = User::clone(&here.signed_in()?.user);
    let row = here.session_row().await?;
    let t = here.texts();
    let page = AccountPage {
        page: here.page(t.say("account.title")),
        notice: t.of("notice", &query.notice),
        rights: user.rights.iter().map(|right| t.of("right", right.as_str()).unwrap_or(right.as_str())).collect(),
        factor: Factor::of(&here, &user).await?,
        signed_in: Moment::of(row.auth_time, t),
        ends: Moment::of(row.expires_at, t),
        user,
    };
    Ok(page::html(StatusCode::OK, &page))
}

/// The second factor: on, or the way to it. The new secret is shown only after the password was typed again (L3).
pub async fn second_factor(here: Here, Wanted(query): Wanted<ReturnQuery>) -> Result<Response, Refused> {
    let user = User::clone(&here.signed_in()?.user);
    let factor = Factor::of(&here, &user).await?;
    let row = here.session_row().await?;
    if factor == Factor::Offered && is_proven_again(&here, &row) {
        return enrolment(&here, &row, frame(&here, query.return_to, None)).await;
    }
    Ok(page::html(StatusCode::OK, &SecondFactorPage { factor, ..blank(&here, query.return_to) }))
}

/// The password, typed again: on to the new secret.
pub async fn password(
    here: Here,
    posted: Result<Posted<PasswordForm>, Unposted<PasswordForm>>,
) -> Result<Response, Refused> {
    let PasswordForm { password, return_to } = posted.map_err(Unposted::into_refused)?.into_inner();
    let row = here.session_row().await?;
    let policy = here.policy();
    match here.sign_in(&policy).reauthenticate(&row, Proof { password, code: None }).await {
        Ok(step) => Ok(next_page(&here, step, &with_return(SECOND_FACTOR, &return_to))),
        Err(LoginError::Refused) => {
            let error = here.texts().of("error", "password");
            Ok(page::html(SHOWN_AGAIN, &SecondFactorPage { error, ..blank(&here, return_to) }))
        }
        Err(LoginError::Over) => Ok(begin_again(&here, SECOND_FACTOR)),
        Err(error) => Err(error.into()),
    }
}

/// The first right code: the second factor is on.
pub async fn code(here: Here, posted: Result<Posted<CodeForm>, Unposted<CodeForm>>) -> Result<Response, Refused> {
    let CodeForm { code, return_to } = posted.map_err(Unposted::into_refused)?.into_inner();
    let row = here.session_row().await?;
    if !is_proven_again(&here, &row) {
        return Ok(page::see_other(&with_return(SECOND_FACTOR, &return_to)).map(Into::into));
    }
    let policy = here.policy();
    match here.sign_in(&policy).confirm_enrolment(&row, &code).await {
        Ok(step) => Ok(next_page(&here, step, if return_to.is_empty() { "/secure/account" } else { &return_to })),
        Err(LoginError::Refused) => {
            let error = here.texts().of("error", "first-code");
            enrolment(&here, &row, frame(&here, return_to, error)).await
        }
        Err(LoginError::Over) => Ok(begin_again(&here, SECOND_FACTOR)),
        Err(error) => Err(error.into()),
    }
}

/// The address of a form, opened: on to its page.
pub async fn back() -> Response {
    page::see_other(SECOND_FACTOR).map(Into::into)
}

/// Whether the password was typed again in this session, and not long ago: signing in is not typing it again.
fn is_proven_again(here: &Here, row: &SessionRow) -> bool {
    row.auth_time > row.created_at && here.visit.now.since(row.auth_time) <= ENROLMENT_WINDOW
}

fn frame(here: &Here, return_to: String, error: Option<&'static str>) -> Frame {
    let why = here.texts().say("enrol.offered");
    Frame { action: "/secure/account/second-factor/code", why, return_to, error }
}

fn blank(here: &Here, return_to: String) -> SecondFactorPage {
    let page = here.page(here.texts().say("account.second-factor"));
    SecondFactorPage { page, factor: Factor::Offered, return_to, error: None }
}

// === impl Factor ===

impl Factor {
    async fn of(here: &Here, user: &User) -> Result<Self, Refused> {
        let since = here.enrolled_since(user.id).await?;
        Ok(match since {
            Some(at) => Self::On(Moment::of(at, here.texts())),
            None if here.policy().security.second_factor.is_offered(user) => Self::Offered,
            None => Self::Hidden,
        })
    }
}
