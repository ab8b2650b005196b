//! `/secure/login/enrol`: whoever must have a second factor sets it up before the sign-in is whole.

use askama::Template;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;

use super::Refused;
use super::forgery::{Posted, Unposted};
use super::here::{Here, Wanted};
use super::login::{SHOWN_AGAIN, begin_again};
use super::page::{self, Page};
use super::recovery_codes::shown_once;
use super::second_factor::{CodeForm, ReturnQuery, elsewhere};
use crate::account::totp::Enrolment;
use crate::session::LoginError;
use crate::store::sessions::{SessionRow, Stage};

/// A new second factor: what to scan, what to type instead, and the first code.
#[derive(Template)]
#[template(path = "enrol.html")]
pub(super) struct EnrolPage {
    pub page: Page,
    pub why: &'static str,
    pub action: &'static str,
    pub qr: String,
    pub letters: String,
    pub uri: String,
    pub return_to: String,
    pub error: Option<&'static str>,
    /// Within a sign-in, which can be cancelled.
    pub is_sign_in: bool,
}

/// What surrounds an enrolment: the two doors to it differ in this alone.
#[derive(Debug)]
pub struct Frame {
    /// Where the first code is posted to.
    pub action: &'static str,
    /// Why one is here.
    pub why: &'static str,
    /// Where to go afterwards.
    pub return_to: String,
    /// What was wrong with the code, when it is shown again.
    pub error: Option<&'static str>,
    /// Whether it is a step of a sign-in.
    pub is_sign_in: bool,
}

/// The new secret, for a sign-in at this very step. Reloading shows the same one.
pub async fn show(here: Here, Wanted(query): Wanted<ReturnQuery>) -> Result<Response, Refused> {
    let Some(row) = here.pending(Stage::Enrol) else { return elsewhere(&here, query.return_to) };
    enrolment(&here, row, forced(&here, query.return_to, None)).await
}

/// The first right code: the second factor is on, and the sign-in is whole.
pub async fn submit(here: Here, posted: Result<Posted<CodeForm>, Unposted<CodeForm>>) -> Result<Response, Refused> {
    let CodeForm { code, return_to } = posted.map_err(Unposted::into_refused)?.into_inner();
    let Some(row) = here.pending(Stage::Enrol) else { return elsewhere(&here, return_to) };
    let policy = here.policy();
    match here.sign_in(&policy).confirm_enrolment(row, &code).await {
        Ok(enrolled) => Ok(shown_once(&here, enrolled, &return_to)),
        Err(LoginError::Refused) => {
            let error = here.texts().of("error", "first-code");
            enrolment(&here, row, forced(&here, return_to, error)).await
        }
        Err(LoginError::Over) => Ok(begin_again(&here, &return_to)),
        Err(error) => Err(error.into()),
    }
}

/// The enrolment's page inside `frame`.
pub async fn enrolment(here: &Here, session: &SessionRow, frame: Frame) -> Result<Response, Refused> {
    let enrolment = match here.sign_in(&here.policy()).enrolment(session, here.issuer()).await {
        Ok(enrolment) => enrolment,
        Err(LoginError::Over) => return Ok(begin_again(here, &frame.return_to)),
        Err(error) => return Err(error.into()),
    };
    let status = if frame.error.is_some() { SHOWN_AGAIN } else { StatusCode::OK };
    Ok(page::html(status, &filled(here.page(here.texts().say("enrol.title")), &enrolment, frame)))
}

/// The page's parts. The QR code is a picture of its own, so that nothing of it is markup of ours.
pub(super) fn filled(page: Page, enrolment: &Enrolment, frame: Frame) -> EnrolPage {
    let qr = format!("data:image/svg+xml;base64,{}", STANDARD.encode(&enrolment.qr_svg));
    let Frame { action, why, return_to, error, is_sign_in } = frame;
    EnrolPage {
        page,
        why,
        action,
        qr,
        letters: enrolment.letters.clone(),
        uri: enrolment.uri.clone(),
        return_to,
        error,
        is_sign_in,
    }
}

fn forced(here: &Here, return_to: String, error: Option<&'static str>) -> Frame {
    Frame { action: "/secure/login/enrol", why: here.texts().say("enrol.required"), return_to, error, is_sign_in: true }
}
