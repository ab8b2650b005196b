//! `/secure/operations`: what waits for me, and what I asked for.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::Refused;
use super::here::{Here, OperationId, Wanted};
use super::hold::in_language;
use super::login::SHOWN_AGAIN;
use super::page::{self, Page};
use super::said;
use super::show::{Moment, span};
use super::texts::Texts;
use crate::identity::{Right, SignedIn};
use crate::operation::view::NoticeState;
use crate::operation::{OperationError, View};
use crate::store::operations::OperationRow;
use crate::time::Timestamp;

/// How many of one's own requests are listed.
const OWN: i64 = 20;

/// `Load operation`.
#[derive(Debug, Deserialize)]
pub struct LoadQuery {
    operation: Option<String>,
}

/// One line of a list.
#[derive(Debug)]
pub struct Line {
    /// Eight digits.
    pub id: String,
    /// Its page.
    pub href: String,
    /// Its readable name.
    pub title: String,
    /// Who asked; empty among one's own.
    pub who: String,
    /// When it was asked.
    pub at: Moment,
    /// How long it still waits; empty when it does not.
    pub left: String,
    /// The stable word of its state, and how the page says it.
    pub state: (&'static str, &'static str),
    /// Whether somebody who should have been told was not.
    pub untold: bool,
}

#[derive(Template)]
#[template(path = "operations.html")]
pub(super) struct OperationsPage {
    pub page: Page,
    pub is_validator: bool,
    pub waiting: Vec<Line>,
    pub own: Vec<Line>,
    pub typed: String,
    pub error: Option<&'static str>,
}

/// The lists; with an id, on to its page.
pub async fn show(here: Here, Wanted(query): Wanted<LoadQuery>) -> Result<Response, Refused> {
    let signed_in = here.signed_in()?;
    let Some(typed) = query.operation else { return lists(&here, signed_in, String::new(), None).await };
    match OperationId::parse(&typed) {
        Some(id) => Ok(page::see_other(&id.path()).map(Into::into)),
        None => lists(&here, signed_in, typed, here.texts().of("error", "operation-id")).await,
    }
}

async fn lists(here: &Here, me: &SignedIn, typed: String, error: Option<&'static str>) -> Result<Response, Refused> {
    let (texts, now) = (here.texts(), here.visit.now);
    let is_validator = me.user.has(Right::TokenValidator);
    let waiting = if is_validator { here.portal.operations.waiting_for(me).await? } else { Vec::new() };
    let own = here.portal.login.accounts.store.operations_of(me.user.id, OWN).await?;
    let page = OperationsPage {
        page: here.page(texts.say("operations.title")),
        is_validator,
        waiting: waiting.iter().map(|view| Line::waiting(view, texts, now)).collect(),
        own: own.iter().map(|row| Line::own(row, texts, now)).collect(),
        typed,
        error,
    };
    Ok(page::html(if error.is_some() { SHOWN_AGAIN } else { StatusCode::OK }, &page))
}

// === impl Line ===

impl Line {
    /// Of what waits for a validator.
    pub fn waiting(view: &View, texts: Texts, now: Timestamp) -> Self {
        Self {
            id: view.id.clone(),
            href: format!("/secure/operations/{}", view.id),
            title: in_language(texts.language(), &view.title_en, &view.title_fr).to_owned(),
            who: view.requester.as_ref().map_or_else(String::new, |user| user.name.clone()),
            at: Moment::of(view.created_at, texts),
            left: span(view.expires_at.since(now)),
            state: (view.state.as_str(), said::state(view.state, texts)),
            untold: view.notices.iter().any(NoticeState::is_amiss),
        }
    }

    /// Of what one asked for oneself: its page is the waiting page, which goes on to the answer.
    pub fn own(row: &OperationRow, texts: Texts, now: Timestamp) -> Self {
        let waits = row.state == crate::operation::State::Waiting;
        Self {
            id: row.id.clone(),
            href: format!("/secure/operations/{}/wait", row.id),
            title: in_language(texts.language(), &row.title_en, &row.title_fr).to_owned(),
            who: String::new(),
            at: Moment::of(row.created_at, texts),
            left: if waits { span(row.expires_at.since(now)) } else { String::new() },
            state: (row.state.as_str(), said::state(row.state, texts)),
            untold: false,
        }
    }
}

// === errors, as the client is told ===

impl From<OperationError> for Refused {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::NotFound => Self::NotFound,
            OperationError::NotAllowed(_) => Self::Forbidden,
            OperationError::NotWaiting(_) | OperationError::TooSoon(_) => Self::Conflict,
            OperationError::TooMany => Self::TooManyRequests { retry_after: 60 },
            OperationError::SealBroken => {
                tracing::error!(event = "portal.operation_seal_broken", %error);
                Self::Conflict
            }
            OperationError::Store(error) => error.into(),
        }
    }
}
