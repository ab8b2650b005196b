//! `/secure/login/confirm`: whoever is signed in proves it again, because what comes next asks for it.
//!
//! Two needs: `sign-in` (password, and the code where a second factor is on) and `second-factor` (the code alone). The request
//! that asked for it is come back to.

use std::time::Duration;

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::forgery::{Posted, Unposted};
use super::here::{Here, Wanted};
use super::login::{SHOWN_AGAIN, allowed_here, begin_again, next_page};
use super::page::{self, Page};
use super::return_to::{encoded, with_return};
use super::{Refused, Visit};
use crate::identity::SignedIn;
use crate::secret::SecretText;
use crate::session::login::Proof;
use crate::session::{LoginError, Step};

/// How old a sign-in may be for a confirmation on a host shared with an application (interface.md, *Several hosts*).
const RECENT: Duration = Duration::from_mins(5);

/// What is to be proven again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// Everything a sign-in asks for.
    #[default]
    SignIn,
    /// The second factor alone.
    SecondFactor,
}

/// What for, and where to go back to.
#[derive(Debug, Deserialize)]
pub struct NeedQuery {
    #[serde(default)]
    need: Need,
    #[serde(default)]
    return_to: String,
}

/// What was posted.
#[derive(Deserialize)]
pub struct ProofForm {
    #[serde(default)]
    need: Need,
    password: Option<SecretText>,
    #[serde(default)]
    code: String,
    #[serde(default)]
    return_to: String,
}

#[derive(Template)]
#[template(path = "reauthenticate.html")]
pub(super) struct ProofPage {
    pub page: Page,
    pub username: String,
    pub need: &'static str,
    pub asks_password: bool,
    pub asks_code: bool,
    pub return_to: String,
    pub error: Option<&'static str>,
}

/// The form with what is needed. Without a second factor to give, one is set up first.
pub async fn show(here: Here, Wanted(query): Wanted<NeedQuery>) -> Result<Response, Refused> {
    allowed_here(&here)?;
    form(&here, StatusCode::OK, query, None).await
}

/// The proof; then back to where it was asked for.
pub async fn submit(here: Here, posted: Result<Posted<ProofForm>, Unposted<ProofForm>>) -> Result<Response, Refused> {
    allowed_here(&here)?;
    let ProofForm { need, password, code, return_to } = posted.map_err(Unposted::into_refused)?.into_inner();
    match prove(&here, need, password, &code).await {
        Ok(step) => Ok(next_page(&here, step, &return_to)),
        Err(Failed::Login(LoginError::Over)) => Ok(begin_again(&here, &return_to)),
        Err(Failed::Login(LoginError::Refused)) => {
            form(&here, SHOWN_AGAIN, NeedQuery { need, return_to }, here.texts().of("error", "proof")).await
        }
        Err(Failed::Login(error)) => Err(error.into()),
        Err(Failed::Refused(refused)) => Err(refused),
    }
}

/// Whether `signed_in` proved itself recently enough to confirm or deny on this host. On a host that no application shares, the
/// session is enough: no foreign script can run there.
pub fn is_recent(visit: &Visit, signed_in: &SignedIn) -> bool {
    let recent = |at| visit.now.since(at) <= RECENT;
    visit.site.is_none() || (signed_in.proven_at().is_some_and(recent) && signed_in.second_factor_at.is_none_or(recent))
}

/// Where to prove `need` before coming back to `return_to`.
pub fn address(need: Need, return_to: &str) -> String {
    format!("/secure/login/confirm?need={}&return_to={}", need.word(), encoded(return_to))
}

enum Failed {
    Login(LoginError),
    Refused(Refused),
}

async fn prove(here: &Here, need: Need, password: Option<SecretText>, code: &str) -> Result<Step, Failed> {
    let row = here.session_row().await.map_err(Failed::Refused)?;
    let policy = here.policy();
    let act = here.sign_in(&policy);
    let step = match need {
        Need::SecondFactor => act.step_up(&row, code).await,
        Need::SignIn => {
            let password = password.unwrap_or_else(|| SecretText::new(""));
            let code = Some(code.to_owned()).filter(|code| !code.is_empty());
            act.reauthenticate(&row, Proof { password, code }).await
        }
    };
    step.map_err(Failed::Login)
}

async fn form(
    here: &Here,
    status: StatusCode,
    query: NeedQuery,
    error: Option<&'static str>,
) -> Result<Response, Refused> {
    let NeedQuery { need, return_to } = query;
    let user = &here.signed_in().map_err(|_| Refused::SignIn { return_to: return_to.clone() })?.user;
    let has_code = here.enrolled_since(user.id).await?.is_some();
    if need == Need::SecondFactor && !has_code {
        return Ok(page::see_other(&with_return("/secure/account/second-factor", &return_to)).map(Into::into));
    }
    let page = ProofPage {
        page: here.page(here.texts().say("reauthenticate.title")),
        username: user.name.clone(),
        need: need.word(),
        asks_password: need == Need::SignIn,
        asks_code: has_code,
        return_to,
        error,
    };
    Ok(page::html(status, &page))
}

// === impl Need ===

impl Need {
    /// As in the address.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::SecondFactor => "second-factor",
        }
    }
}
