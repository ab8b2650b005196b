//! `/secure/login/confirm`: whoever is signed in proves it again, because what comes next asks for it.
//!
//! Two needs: `sign-in` (password, and the code where a second factor is on) and `second-factor` (the code alone). A recovery code
//! serves as the code. The request that asked for it is come back to. What asks for no proof any more is gone on to at once: it
//! was given in another tab.

use std::time::Duration;

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::factor_field::{FactorField, With, given, nothing};
use super::forgery::{Posted, Unposted};
use super::here::{Here, Wanted};
use super::login::{SHOWN_AGAIN, allowed_here, next_page, sign_in_after};
use super::page::{self, Page};
use super::return_to::{encoded, safe_return, with_return};
use super::{Refused, Visit, resume};
use crate::identity::SignedIn;
use crate::secret::SecretText;
use crate::session::login::Proof;
use crate::session::{Given, LoginError, Step};

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
    with: With,
    #[serde(default)]
    return_to: String,
}

/// What was posted.
#[derive(Deserialize)]
pub struct ProofForm {
    #[serde(default)]
    need: Need,
    password: Option<SecretText>,
    #[serde(default = "nothing")]
    code: SecretText,
    recovery_code: Option<SecretText>,
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
    /// Asked for where a second factor is on.
    pub field: Option<FactorField>,
    pub return_to: String,
    pub error: Option<&'static str>,
}

/// The form with what is needed. Without a second factor to give, one is set up first.
pub async fn show(here: Here, Wanted(query): Wanted<NeedQuery>) -> Result<Response, Refused> {
    allowed_here(&here)?;
    if resume::waits_for_nothing(&here, &query.return_to).await? {
        return Ok(back_to(&query.return_to));
    }
    form(&here, StatusCode::OK, query, None).await
}

/// The proof; then back to where it was asked for. A form from before another tab's proof proves nothing, and need not: what
/// it led to says whether anything is still missing.
pub async fn submit(here: Here, posted: Result<Posted<ProofForm>, Unposted<ProofForm>>) -> Result<Response, Refused> {
    allowed_here(&here)?;
    let ProofForm { need, password, code, recovery_code, return_to } = match posted {
        Ok(posted) => posted.into_inner(),
        Err(Unposted::Stale(typed)) if !typed.return_to.is_empty() => return Ok(back_to(&typed.return_to)),
        Err(unposted) => return Err(unposted.into_refused()),
    };
    let with = With::of(recovery_code.as_ref());
    match prove(&here, need, password, given(code, recovery_code)).await {
        Ok(step) => Ok(next_page(&here, step, &return_to)),
        // Pressed twice, or two tabs at once: the other one may just have brought a new cookie, which is not to be taken away.
        Err(Failed::Login(LoginError::Over) | Failed::Refused(Refused::SignIn { .. })) => {
            Ok(sign_in_after("over", &return_to))
        }
        Err(Failed::Login(LoginError::Refused)) => {
            form(&here, SHOWN_AGAIN, NeedQuery { need, with, return_to }, here.texts().of("error", "proof")).await
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

fn back_to(return_to: &str) -> Response {
    page::see_other(&safe_return(return_to)).map(Into::into)
}

enum Failed {
    Login(LoginError),
    Refused(Refused),
}

async fn prove(here: &Here, need: Need, password: Option<SecretText>, given: Given) -> Result<Step, Failed> {
    let row = here.session_row().await.map_err(Failed::Refused)?;
    let policy = here.policy();
    let act = here.sign_in(&policy);
    let step = match need {
        Need::SecondFactor => act.step_up(&row, given).await,
        Need::SignIn => {
            let password = password.unwrap_or_else(|| SecretText::new(""));
            act.reauthenticate(&row, Proof { password, code: Some(given) }).await
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
    let NeedQuery { need, with, return_to } = query;
    let user = &here.signed_in().map_err(|_| Refused::SignIn { return_to: return_to.clone() })?.user;
    let authenticators = here.authenticators(user.id).await?;
    if need == Need::SecondFactor && authenticators.is_empty() {
        if !here.policy().security.second_factor.is_offered(user) {
            return Err(Refused::NoSecondFactor);
        }
        return Ok(page::see_other(&with_return("/secure/account/second-factor", &return_to)).map(Into::into));
    }
    let query = [("need", need.word()), ("return_to", return_to.as_str())];
    let field = FactorField::new(with, &authenticators, here.texts(), ("/secure/login/confirm", &query));
    let field = if need == Need::SecondFactor { field.first() } else { field };
    let page = ProofPage {
        page: here.page(here.texts().say("reauthenticate.title")),
        username: user.name.clone(),
        need: need.word(),
        asks_password: need == Need::SignIn,
        field: (!authenticators.is_empty()).then_some(field),
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
