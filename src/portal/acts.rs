//! What is done about an operation: confirm, ask for a new token, deny, cancel.
//!
//! Each is a POST from the operation's own page and goes back to it. On a host shared with an application a confirmation and a
//! denial ask for a recent sign-in: a script injected there could press the button, but not prove itself.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::Refused;
use super::forgery::{Posted, Unposted};
use super::here::{Here, OperationId};
use super::login::SHOWN_AGAIN;
use super::operation::{Fault, look};
use super::page;
use super::reauthenticate::{self, Need};
use super::said;
use super::show::span;
use crate::operation::{ConfirmError, OperationError};
use crate::secret::SecretText;

/// Longest reason that is kept, characters.
const LONGEST_REASON: usize = 500;

/// The token, as it was typed.
#[derive(Deserialize)]
pub struct TokenForm {
    token: SecretText,
}

/// Why not.
#[derive(Debug, Deserialize)]
pub struct ReasonForm {
    #[serde(default)]
    reason: String,
}

/// Nothing but the anti-forgery value.
#[derive(Debug, Deserialize)]
pub struct Nothing {}

type Form<T> = Result<Posted<T>, Unposted<T>>;

/// The address of an act, opened: on to the operation's page.
pub async fn back(id: OperationId) -> Response {
    to_page(&id)
}

/// `Confirm operation`.
pub async fn confirm(here: Here, id: OperationId, posted: Form<TokenForm>) -> Result<Response, Refused> {
    let me = here.signed_in()?;
    let form = posted.map_err(Unposted::into_refused)?.into_inner();
    if !reauthenticate::is_recent(&here.visit, me) {
        return Ok(prove_again(&id, Need::SignIn));
    }
    match here.portal.operations.confirm(&id.0, me, &form.token, &here.origin()).await {
        Ok(_) => Ok(to_page(&id)),
        Err(ConfirmError::NeedsFreshSecondFactor) => Ok(prove_again(&id, Need::SecondFactor)),
        Err(ConfirmError::Operation(error)) => not_done(&here, &id, error).await,
        Err(ConfirmError::WrongToken { left }) => {
            let error = here.texts().say_with("error.token", &[("left", &left.to_string())]);
            again(&here, &id, SHOWN_AGAIN, error).await
        }
        Err(ConfirmError::Dead) => {
            again(&here, &id, SHOWN_AGAIN, here.texts().say("error.token-dead").to_owned()).await
        }
        Err(ConfirmError::ValidatorLocked) => {
            again(&here, &id, StatusCode::TOO_MANY_REQUESTS, here.texts().say("error.validator-locked").to_owned())
                .await
        }
    }
}

/// `New token`: the old one ends, the tries stay counted.
pub async fn new_token(here: Here, id: OperationId, posted: Form<Nothing>) -> Result<Response, Refused> {
    let me = here.signed_in()?;
    posted.map_err(Unposted::into_refused)?.into_inner();
    match here.portal.operations.new_token(&id.0, me, &here.origin()).await {
        Ok(()) => Ok(to_page(&id)),
        Err(error) => not_done(&here, &id, error).await,
    }
}

/// `Deny`, with a reason the requester will read.
pub async fn deny(here: Here, id: OperationId, posted: Form<ReasonForm>) -> Result<Response, Refused> {
    let me = here.signed_in()?;
    let typed = posted.map_err(Unposted::into_refused)?.into_inner().reason;
    let reason: String = typed.trim().chars().take(LONGEST_REASON).collect();
    if !reauthenticate::is_recent(&here.visit, me) {
        return Ok(prove_again(&id, Need::SignIn));
    }
    if reason.is_empty() {
        return again(&here, &id, SHOWN_AGAIN, here.texts().say("error.reason").to_owned()).await;
    }
    match here.portal.operations.deny(&id.0, me, &reason, &here.origin()).await {
        Ok(()) => Ok(to_page(&id)),
        Err(error) => not_done(&here, &id, error).await,
    }
}

/// `Cancel`, by whoever asked.
pub async fn cancel(here: Here, id: OperationId, posted: Form<Nothing>) -> Result<Response, Refused> {
    let me = here.signed_in()?;
    posted.map_err(Unposted::into_refused)?.into_inner();
    match here.portal.operations.cancel(&id.0, Some(me), &here.origin()).await {
        Ok(()) => Ok(page::see_other(&format!("{}/wait", id.path())).map(Into::into)),
        Err(error) => not_done(&here, &id, error).await,
    }
}

/// What could not be done, said on the page, which shows where the operation stands now.
async fn not_done(here: &Here, id: &OperationId, error: OperationError) -> Result<Response, Refused> {
    let t = here.texts();
    let words = match &error {
        OperationError::NotWaiting(_) => t.say("error.not-waiting").to_owned(),
        OperationError::TooSoon(wait) => t.say_with("error.too-soon", &[("time", &span(*wait))]),
        OperationError::NotAllowed(why) => said::may_not(*why, t).to_owned(),
        OperationError::NotFound | OperationError::TooMany | OperationError::SealBroken | OperationError::Store(_) => {
            return Err(error.into());
        }
    };
    again(here, id, StatusCode::CONFLICT, words).await
}

async fn again(here: &Here, id: &OperationId, status: StatusCode, error: String) -> Result<Response, Refused> {
    look(here, id, status, Fault { error: Some(error), reason: String::new() }).await
}

fn prove_again(id: &OperationId, need: Need) -> Response {
    page::see_other(&reauthenticate::address(need, &id.path())).map(Into::into)
}

fn to_page(id: &OperationId) -> Response {
    page::see_other(&id.path()).map(Into::into)
}
