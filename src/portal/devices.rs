//! `/secure/account/devices`: the browsers that are remembered, and forgetting them.
//!
//! An id that is somebody else's, or nobody's, is the same 404.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::Refused;
use super::forgery::{Posted, Unposted};
use super::here::{Here, Id, Wanted};
use super::logout::{Nothing, after_sign_out};
use super::page::{self, Page};
use super::sessions::{NoticeQuery, browser_in_words};
use super::show::Moment;
use super::texts::Texts;
use crate::identity::DeviceId;
use crate::session::still_remembered;
use crate::store::devices::DeviceRow;

const DEVICES: &str = "/secure/account/devices";

/// A device, ready to be shown.
#[derive(Debug)]
pub(super) struct DeviceCard {
    pub id: DeviceId,
    pub is_this: bool,
    pub browser: String,
    pub address: String,
    pub since: Moment,
    pub seen: Moment,
    pub until: Moment,
}

#[derive(Template)]
#[template(path = "devices.html")]
pub(super) struct DevicesPage {
    pub page: Page,
    pub cards: Vec<DeviceCard>,
    pub notice: Option<&'static str>,
}

/// One's own remembered browsers, this one first.
pub async fn show(here: Here, Wanted(query): Wanted<NoticeQuery>) -> Result<Response, Refused> {
    let user = here.signed_in()?.user.id;
    let this = here.session_row().await?.memory.device();
    let (policy, now) = (here.policy(), here.visit.now);
    let rows = here.portal.login.accounts.store.devices(Some(user), now).await?;
    let worth = rows.iter().filter(|row| still_remembered(row, &policy.security.sessions, now));
    let mut cards: Vec<_> = worth.map(|row| DeviceCard::of(row, this, here.texts())).collect();
    cards.sort_by_key(|card| !card.is_this);
    let page = here.page(here.texts().say("devices.title"));
    let notice = here.texts().of("notice", &query.notice);
    Ok(page::html(StatusCode::OK, &DevicesPage { page, cards, notice }))
}

/// Forgets one, and ends what it opened: with this one's, this session.
pub async fn end(
    here: Here,
    Id(device): Id<DeviceId>,
    posted: Result<Posted<Nothing>, Unposted<Nothing>>,
) -> Result<Response, Refused> {
    let user = here.signed_in()?.user.id;
    posted.map_err(Unposted::into_refused)?.into_inner();
    let is_this = here.session_row().await?.memory.device() == Some(device);
    if !here.portal.operations.forget_device(user, device, &here.origin()).await? {
        return Err(Refused::NotFound);
    }
    Ok(if is_this { after_sign_out(&here) } else { back_with("device-forgotten") })
}

/// Forgets all but this one.
pub async fn end_others(here: Here, posted: Result<Posted<Nothing>, Unposted<Nothing>>) -> Result<Response, Refused> {
    let user = here.signed_in()?.user.id;
    posted.map_err(Unposted::into_refused)?.into_inner();
    let this = here.session_row().await?.memory.device();
    here.portal.operations.forget_other_devices(user, this, &here.origin()).await?;
    Ok(back_with("devices-forgotten"))
}

/// The address of a form, opened: on to its page.
pub async fn back() -> Response {
    page::see_other(DEVICES).map(Into::into)
}

fn back_with(notice: &str) -> Response {
    page::see_other(&format!("{DEVICES}?notice={notice}")).map(Into::into)
}

// === impl DeviceCard ===

impl DeviceCard {
    pub(super) fn of(row: &DeviceRow, this: Option<DeviceId>, t: Texts) -> Self {
        Self {
            id: row.id,
            is_this: Some(row.id) == this,
            browser: browser_in_words(&row.user_agent, t),
            address: row.address.map_or_else(|| "–".to_owned(), |address| address.to_string()),
            since: Moment::of(row.created_at, t),
            seen: Moment::of(row.last_seen, t),
            until: Moment::of(row.expires_at, t),
        }
    }
}
