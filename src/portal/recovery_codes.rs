//! `/secure/account/recovery-codes`: how many are left, and others in their place. Codes are shown once, on the answer to the form
//! that made them.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, HeaderValue, LOCATION, SET_COOKIE};
use serde::Deserialize;

use super::Refused;
use super::factor_field::{FactorField, With, given, nothing};
use super::forgery::{Posted, Unposted};
use super::here::{Here, Wanted};
use super::login::{SHOWN_AGAIN, next_page, sign_in_after};
use super::page::{self, Page};
use super::return_to::{or_front, with_return};
use super::second_factor::TabQuery;
use super::texts::Texts;
use crate::account::recovery::{self, RecoveryCodes};
use crate::secret::{RecoveryCode, SecretText};
use crate::session::{Enrolled, LoginError, Proof};

/// Where they are.
pub const PAGE: &str = "/secure/account/recovery-codes";

/// The password and a code, for others.
#[derive(Deserialize)]
pub struct RenewForm {
    password: SecretText,
    #[serde(default = "nothing")]
    code: SecretText,
    recovery_code: Option<SecretText>,
    #[serde(default)]
    return_to: String,
}

/// The codes that the page shows, to be kept as a file.
#[derive(Deserialize)]
pub struct CodesForm {
    codes: SecretText,
}

/// How many are left, and the form for others.
#[derive(Template)]
#[template(path = "recovery_codes.html")]
pub(super) struct RecoveryPage {
    pub page: Page,
    pub left: String,
    pub warning: Option<&'static str>,
    /// Absent without a second factor: there is nothing to recover then.
    pub field: Option<FactorField>,
    /// Where one was going.
    pub onward: Option<String>,
    pub return_to: String,
    pub error: Option<&'static str>,
}

/// The codes themselves.
#[derive(Template)]
#[template(path = "recovery_shown.html")]
pub(super) struct ShownPage {
    pub page: Page,
    pub codes: Vec<String>,
    pub onward: String,
}

/// How many are left.
pub async fn show(here: Here, Wanted(query): Wanted<TabQuery>) -> Result<Response, Refused> {
    form(&here, query, None).await
}

/// Others: those before are dead, and these are shown.
pub async fn renew(here: Here, posted: Result<Posted<RenewForm>, Unposted<RenewForm>>) -> Result<Response, Refused> {
    let RenewForm { password, code, recovery_code, return_to } = posted.map_err(Unposted::into_refused)?.into_inner();
    let (row, policy, with) = (here.session_row().await?, here.policy(), With::of(recovery_code.as_ref()));
    let proof = Proof { password, code: Some(given(code, recovery_code)) };
    match here.sign_in(&policy).renew_recovery_codes(&row, &proof).await {
        Ok(enrolled) => Ok(shown_once(&here, enrolled, or_account(&return_to))),
        Err(LoginError::Refused) => form(&here, TabQuery { with, return_to }, here.texts().of("error", "proof")).await,
        Err(LoginError::NotEnrolled) => Ok(page::see_other(PAGE).map(Into::into)),
        // The form was sent twice most of all: the other answer's cookie may be good.
        Err(LoginError::Over) => Ok(sign_in_after("over", PAGE)),
        Err(error) => Err(error.into()),
    }
}

/// What the page shows, as a file. Nothing of it is looked up: the codes come from the page, and are put into letters anew.
pub async fn download(here: Here, posted: Result<Posted<CodesForm>, Unposted<CodesForm>>) -> Result<Response, Refused> {
    let name = &here.signed_in()?.user.name;
    let form = posted.map_err(Unposted::into_refused)?.into_inner();
    let codes: Option<Vec<_>> = form.codes.expose().split_whitespace().map(RecoveryCode::parse).collect();
    let codes = codes.filter(|codes| codes.len() == recovery::COUNT).ok_or(Refused::BadRequest("form"))?;
    let lines: Vec<_> = codes.iter().map(RecoveryCode::expose).collect();
    let head = here.texts().say_with("recovery.file", &[("user", name), ("host", &here.visit.host)]);
    let text = format!("{head}\r\n\r\n{}\r\n", lines.join("\r\n"));
    let response = page::text(StatusCode::OK, "text/plain; charset=utf-8", text.into());
    let name = HeaderValue::from_static("attachment; filename=\"recovery-codes.txt\"");
    Ok(page::with(response, CONTENT_DISPOSITION, name).map(Into::into))
}

/// The address of a form, opened: on to the page.
pub async fn back() -> Response {
    page::see_other(PAGE).map(Into::into)
}

/// The step that was taken: with codes to show, their page, which brings the new cookie and leads on; else on at once.
pub fn shown_once(here: &Here, enrolled: Enrolled, return_to: &str) -> Response {
    let Enrolled { step, recovery } = enrolled;
    let there = here.after(&step);
    let moved = next_page(here, step, return_to);
    let Some(codes) = recovery else { return moved };
    let onward = moved.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("/secure/");
    let mut response = page::html(StatusCode::OK, &shown(&there, &codes, onward.to_owned()));
    for cookie in moved.headers().get_all(SET_COOKIE) {
        response.headers_mut().append(SET_COOKIE, cookie.clone());
    }
    response
}

/// What is said when few are left.
pub fn warning(left: u64, t: Texts) -> Option<&'static str> {
    match left {
        0 => Some(t.say("recovery.none")),
        1..=recovery::FEW => Some(t.say("recovery.few")),
        _ => None,
    }
}

/// Where to go when an address may not have been given at all: then the account.
pub fn or_account(return_to: &str) -> &str {
    if return_to.is_empty() { "/secure/account" } else { return_to }
}

fn shown(there: &Here, codes: &RecoveryCodes, onward: String) -> ShownPage {
    ShownPage { page: there.page(there.texts().say("recovery.shown")), codes: codes.expose(), onward }
}

async fn form(here: &Here, query: TabQuery, error: Option<&'static str>) -> Result<Response, Refused> {
    let TabQuery { with, return_to } = query;
    let (user, t) = (here.signed_in()?.user.id, here.texts());
    let (authenticators, left) = (here.authenticators(user).await?, here.recovery_codes_left(user).await?);
    let field = FactorField::new(with, &authenticators, t, (PAGE, &[("return_to", &return_to)]));
    let is_on = !authenticators.is_empty();
    let page = RecoveryPage {
        page: here.page(t.say("recovery.title")),
        left: t.say_with("recovery.left", &[("left", &left.to_string())]),
        warning: warning(left, t).filter(|_| is_on),
        field: is_on.then_some(field),
        onward: (!return_to.is_empty()).then(|| or_front(&return_to)),
        return_to,
        error,
    };
    let status = if error.is_some() { SHOWN_AGAIN } else { StatusCode::OK };
    Ok(page::html(status, &page))
}

/// The page, on the way to `return_to`.
pub fn on_the_way_to(return_to: &str) -> String {
    with_return(PAGE, return_to)
}
