//! `/secure/operations/{id}/wait`: the requester's page. It moves on by itself, with or without script.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::here::{Here, OperationId};
use super::hold::{in_language, is_moving};
use super::operation::{ShownNotice, is_requester};
use super::page::{self, Page};
use super::said;
use super::show::{Moment, span};
use super::texts::Texts;
use super::{Refused, Visit};
use crate::operation::{State, View};

/// How soon the page asks again without script, seconds.
const AGAIN: u32 = 4;

#[derive(Template)]
#[template(path = "wait.html")]
pub(super) struct WaitPage {
    pub page: Page,
    pub id: String,
    pub state: (&'static str, &'static str),
    /// What happened, and what to do next.
    pub what: &'static str,
    pub why: Option<String>,
    pub asked: Moment,
    pub left: String,
    pub left_secs: u64,
    pub is_moving: bool,
    pub confirmed: Vec<(String, Moment)>,
    pub notices: Vec<ShownNotice>,
    pub may_cancel: bool,
}

/// Where the requester's operation stands; when it is done, on to the answer. A validator sees the operation's own page.
pub async fn show(here: Here, id: OperationId) -> Result<Response, Refused> {
    let me = here.signed_in()?;
    let view = here.portal.operations.view(&id.0, me).await?;
    if !is_requester(&view, Some(me)) {
        return Ok(page::see_other(&id.path()).map(Into::into));
    }
    if view.state == State::Done {
        return Ok(page::see_other(&format!("{}/answer", id.path())).map(Into::into));
    }
    Ok(page::html(StatusCode::OK, &WaitPage::of(&here.visit, here.csrf.value(), view)))
}

// === impl WaitPage ===

impl WaitPage {
    /// From what the requester may see.
    pub fn of(visit: &Visit, csrf: &str, view: View) -> Self {
        let t = Texts::of_language(visit.language);
        let moving = is_moving(view.state);
        let title = in_language(t.language(), &view.title_en, &view.title_fr);
        let state = (view.state.as_str(), said::state(view.state, t));
        Self {
            page: Page::new(visit, Some(csrf), title.to_owned()).refreshing(moving.then_some(AGAIN)),
            what: said::wait(view.state, t),
            state,
            why: view.reason.as_deref().map(|reason| said::reason(view.state, reason, t)),
            asked: Moment::of(view.created_at, t),
            left: span(view.expires_at.since(visit.now)),
            left_secs: view.expires_at.since(visit.now).as_secs(),
            is_moving: moving,
            confirmed: view.confirmed_by.into_iter().map(|(name, at)| (name, Moment::of(at, t))).collect(),
            notices: view.notices.iter().map(|notice| ShownNotice::of(notice, t)).collect(),
            may_cancel: view.may_cancel,
            id: view.id,
        }
    }
}
