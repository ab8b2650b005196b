//! `/secure/login`: name and password.
//!
//! A remembered browser gets past it without being asked ([`remembered`](super::remembered)). One message for every failure
//! (L1): unknown, wrong, locked, disabled and expired are the same page with the same status.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use http::header::SET_COOKIE;
use serde::Deserialize;

use super::forgery::{Posted, Unposted};
use super::here::{Here, Wanted};
use super::page::{self, Page};
use super::remembered::{ComesBack, come_back};
use super::return_to::{or_front, with_return};
use super::show::lasting;
use super::{Refused, cookies};
use crate::identity::SignedIn;
use crate::secret::{BrowserToken, SecretText, SessionToken};
use crate::session::{LoginError, Presented, Step};
use crate::store::sessions::Stage;

/// The status of every form that is shown again with what was wrong in it.
pub const SHOWN_AGAIN: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

/// What was posted.
#[derive(Debug, Deserialize)]
pub struct LoginForm {
    #[serde(default)]
    username: String,
    password: SecretText,
    remember: Option<String>,
    #[serde(default)]
    return_to: String,
}

/// Where from, and what to say first.
#[derive(Debug, Deserialize)]
pub struct LoginQuery {
    #[serde(default)]
    return_to: String,
    #[serde(default)]
    notice: String,
}

#[derive(Template)]
#[template(path = "login.html")]
pub(super) struct LoginPage {
    pub page: Page,
    pub username: String,
    pub return_to: String,
    pub notice: Option<&'static str>,
    pub error: Option<&'static str>,
    /// What the box says; nothing where no browser is remembered.
    pub remember: Option<String>,
    /// Whether it is ticked.
    pub ticked: bool,
}

/// The form. Whoever is signed in already, or remembered, goes on to where they wanted.
pub async fn show(here: Here, Wanted(query): Wanted<LoginQuery>) -> Result<Response, Refused> {
    allowed_here(&here)?;
    if matches!(here.visit.presented, Presented::Live(_)) {
        return Ok(page::see_other(&or_front(&query.return_to)).map(Into::into));
    }
    let notice = match come_back(&here, &query.return_to).await? {
        ComesBack::On(response) => return Ok(response),
        ComesBack::Form => None,
        ComesBack::Forgotten(notice) => Some(notice),
    };
    let shown = here.texts().of("notice", notice.flatten().unwrap_or(&query.notice));
    let response = form(&here, StatusCode::OK, &LoginPage { notice: shown, ..blank(&here, query.return_to) });
    Ok(if notice.is_some() { page::with(response, SET_COOKIE, cookies::no_remember(&here.visit)) } else { response })
}

/// The sign-in's first step.
pub async fn submit(here: Here, posted: Result<Posted<LoginForm>, Unposted<LoginForm>>) -> Result<Response, Refused> {
    allowed_here(&here)?;
    let typed = match posted {
        Ok(posted) => posted.into_inner(),
        Err(Unposted::Refused(refused)) => return Err(refused),
        Err(Unposted::Stale(typed)) => return Ok(again(&here, typed, "stale-form", StatusCode::FORBIDDEN)),
    };
    let policy = here.policy();
    let act = here.sign_in(&policy).remembering(typed.remember.is_some());
    match act.password(&typed.username, typed.password.clone()).await {
        Ok(step) => Ok(in_the_place_of_what_was(&here, step, &typed.return_to)),
        Err(LoginError::Refused) => Ok(again(&here, typed, "sign-in", SHOWN_AGAIN)),
        Err(error) => Err(error.into()),
    }
}

/// Nobody types a password over a wire that others can read.
pub fn allowed_here(here: &Here) -> Result<(), Refused> {
    if here.visit.may_sign_in() { Ok(()) } else { Err(Refused::InsecureConnection) }
}

/// The page a sign-in on its way is at.
pub const fn page_of(stage: Stage) -> &'static str {
    match stage {
        Stage::SecondFactor => "/secure/login/second-factor",
        Stage::Enrol => "/secure/login/enrol",
        Stage::ChangePassword => "/secure/login/password",
        Stage::Live => "/secure/",
    }
}

/// On to the next step, with the new cookie: the token changes at every change of level (SESS-1).
pub fn next_page(here: &Here, step: Step, return_to: &str) -> Response {
    let (token, location) = match step {
        Step::SecondFactor(token) => (token, with_return(page_of(Stage::SecondFactor), return_to)),
        Step::Enrol(token) => (token, with_return(page_of(Stage::Enrol), return_to)),
        Step::ChangePassword(token) => (token, with_return(page_of(Stage::ChangePassword), return_to)),
        Step::SignedIn(token, me) => return signed_in(here, &token, &me, return_to),
        Step::Remembered(token, me, remember) => {
            let response = signed_in(here, &token, &me, return_to);
            return page::with(response, SET_COOKIE, cookies::remember(&here.visit, &remember));
        }
    };
    page::with(page::see_other(&location), SET_COOKIE, cookies::session(&here.visit, &token)).map(Into::into)
}

/// The same after a right password: whatever the browser was remembered by is forgotten, so that it is taken away too.
fn in_the_place_of_what_was(here: &Here, step: Step, return_to: &str) -> Response {
    let stale = here.remembered.is_there() && !matches!(step, Step::Remembered(..));
    let response = next_page(here, step, return_to);
    if stale { page::with(response, SET_COOKIE, cookies::no_remember(&here.visit)) } else { response }
}

/// In: this browser is known to them from now on, unless nobody signed in but what it is remembered by.
fn signed_in(here: &Here, token: &SessionToken, me: &SignedIn, return_to: &str) -> Response {
    let response = page::see_other(&or_front(return_to));
    let response = page::with(response, SET_COOKIE, cookies::session(&here.visit, token));
    let response = match here.browser_token.as_ref().filter(|_| me.proven_at().is_some()) {
        Some(browser) => page::with(response, SET_COOKIE, cookies::known_browser(&here.visit, browser)),
        None => response,
    };
    response.map(Into::into)
}

/// A sign-in that is over begins again, and says so.
pub fn begin_again(here: &Here, return_to: &str) -> Response {
    begin_again_after(here, "over", return_to)
}

/// The same, and says why: `notice` is a key of the texts.
pub fn begin_again_after(here: &Here, notice: &'static str, return_to: &str) -> Response {
    let response = page::see_other(&with_notice(notice, return_to));
    page::with(response, SET_COOKIE, cookies::no_session(&here.visit)).map(Into::into)
}

/// To the sign-in, with a notice. The cookie stays: another answer may just have brought a live one, and whoever holds it
/// goes on from there.
pub fn sign_in_after(notice: &'static str, return_to: &str) -> Response {
    page::see_other(&with_notice(notice, return_to)).map(Into::into)
}

fn with_notice(notice: &'static str, return_to: &str) -> String {
    let separator = if return_to.is_empty() { '?' } else { '&' };
    format!("{}{separator}notice={notice}", with_return("/secure/login", return_to))
}

/// What was typed is kept, but for the password.
fn again(here: &Here, typed: LoginForm, error: &str, status: StatusCode) -> Response {
    let error = here.texts().of("error", error);
    let ticked = typed.remember.is_some();
    let page = LoginPage { username: typed.username, error, ticked, ..blank(here, typed.return_to) };
    form(here, status, &page)
}

fn blank(here: &Here, return_to: String) -> LoginPage {
    let t = here.texts();
    let longest = here.policy().security.sessions.remember;
    let remember = longest.map(|longest| t.say_with("login.remember", &[("time", &lasting(longest, t))]));
    let page = here.page(t.say("login.title"));
    LoginPage { page, username: String::new(), return_to, notice: None, error: None, remember, ticked: false }
}

/// The page, with the cookies that tie its form to this browser, and by which it may be known, where there are none yet.
fn form(here: &Here, status: StatusCode, page: &LoginPage) -> Response {
    let mut response = page::html(status, page);
    if here.browser_token.is_none() {
        let token = BrowserToken::generate(&*here.portal.random);
        response = page::with(response, SET_COOKIE, cookies::new_browser(&here.visit, &token));
    }
    match here.csrf.new_cookie() {
        Some(value) => page::with(response, SET_COOKIE, cookies::csrf(&here.visit, value)),
        None => response,
    }
}

// === errors, as the client is told ===

impl From<LoginError> for Refused {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Refused | LoginError::NewPassword(_) | LoginError::NotOffered | LoginError::FactorRequired => {
                Self::Forbidden
            }
            LoginError::NotEnrolled => Self::NotFound,
            LoginError::AlreadyEnrolled | LoginError::Overtaken | LoginError::PasswordSet => Self::Conflict,
            LoginError::Over => Self::SignIn { return_to: String::new() },
            LoginError::TooMany(too_many) => Self::TooManyTries { retry_after: too_many.retry_after },
            LoginError::Busy(busy) => Self::Unavailable { retry_after: busy.retry_after },
            LoginError::Store(error) => error.into(),
            LoginError::Factor(error) => {
                tracing::error!(event = "portal.second_factor_unreadable", %error);
                Self::Internal
            }
            LoginError::Returned(error) => {
                tracing::error!(event = "portal.return_unreadable", %error);
                Self::Internal
            }
        }
    }
}
