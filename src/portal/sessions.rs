//! `/secure/account/sessions`: where one is signed in, and ending it.
//!
//! An id that is somebody else's, or nobody's, is the same 404.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::Refused;
use super::forgery::{Posted, Unposted};
use super::here::{Here, Id, Wanted};
use super::logout::{Nothing, signed_out};
use super::page::{self, Page};
use super::said;
use super::show::Moment;
use super::texts::Texts;
use crate::identity::SessionId;
use crate::session::Agent;
use crate::store::sessions::SessionRow;

const SESSIONS: &str = "/secure/account/sessions";

/// What was done just now.
#[derive(Debug, Deserialize)]
pub struct NoticeQuery {
    #[serde(default)]
    pub(super) notice: String,
}

/// A session, ready to be shown.
#[derive(Debug)]
pub(super) struct SessionCard {
    pub id: SessionId,
    pub is_this: bool,
    pub browser: String,
    pub level: &'static str,
    pub is_remembered: bool,
    pub address: String,
    pub since: Moment,
    pub seen: Moment,
}

#[derive(Template)]
#[template(path = "sessions.html")]
pub(super) struct SessionsPage {
    pub page: Page,
    pub cards: Vec<SessionCard>,
    pub notice: Option<&'static str>,
}

/// One's own live sessions, this one first.
pub async fn show(here: Here, Wanted(query): Wanted<NoticeQuery>) -> Result<Response, Refused> {
    let me = here.signed_in()?;
    let (this, now) = (me.session, here.visit.now);
    let idle = here.policy().security.sessions.idle;
    let rows = here.portal.login.accounts.store.sessions(Some(me.user.id)).await?;
    let lives = |row: &SessionRow| row.id == this || row.is_live(now, idle.map(|idle| now.minus(idle)));
    let mut cards: Vec<_> =
        rows.iter().filter(|row| lives(row)).map(|row| SessionCard::of(row, this, here.texts())).collect();
    cards.sort_by_key(|card| !card.is_this);
    let page = here.page(here.texts().say("sessions.title"));
    let notice = here.texts().of("notice", &query.notice);
    Ok(page::html(StatusCode::OK, &SessionsPage { page, cards, notice }))
}

/// Ends one. This one's end is a sign-out.
pub async fn end(
    here: Here,
    Id(session): Id<SessionId>,
    posted: Result<Posted<Nothing>, Unposted<Nothing>>,
) -> Result<Response, Refused> {
    let me = here.signed_in()?;
    posted.map_err(Unposted::into_refused)?.into_inner();
    if session == me.session {
        return signed_out(&here).await;
    }
    let ended = here.portal.operations.end_own_session(me.user.id, session, &here.origin()).await?;
    if ended { Ok(back_with("session-ended")) } else { Err(Refused::NotFound) }
}

/// Ends all but this one, with every other remembered browser: nobody comes back without a sign-in.
pub async fn end_others(here: Here, posted: Result<Posted<Nothing>, Unposted<Nothing>>) -> Result<Response, Refused> {
    let me = here.signed_in()?;
    posted.map_err(Unposted::into_refused)?.into_inner();
    here.portal.operations.end_other_sessions(me.user.id, me.session, &here.origin()).await?;
    Ok(back_with("sessions-ended"))
}

/// The address of a form, opened: on to its page.
pub async fn back() -> Response {
    page::see_other(SESSIONS).map(Into::into)
}

fn back_with(notice: &str) -> Response {
    page::see_other(&format!("{SESSIONS}?notice={notice}")).map(Into::into)
}

/// A browser in words that people know; else in its own, cut short.
pub fn browser_in_words(said: &str, t: Texts) -> String {
    /// Of words nobody knows, characters shown.
    const LONGEST: usize = 60;
    let agent = Agent::of(said);
    if !agent.is_unknown() {
        return agent.to_string();
    }
    let own: String = said.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect();
    if own.trim().is_empty() { t.say("sessions.unknown-browser").to_owned() } else { own }
}

// === impl SessionCard ===

impl SessionCard {
    pub(super) fn of(row: &SessionRow, this: SessionId, t: Texts) -> Self {
        Self {
            id: row.id,
            is_this: row.id == this,
            browser: browser_in_words(&row.user_agent, t),
            level: said::level(row.level(), t),
            is_remembered: row.memory.device().is_some(),
            address: row.address.map_or_else(|| "–".to_owned(), |address| address.to_string()),
            since: Moment::of(row.created_at, t),
            seen: Moment::of(row.last_seen, t),
        }
    }
}
