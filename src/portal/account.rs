//! `/secure/account`: one's own data.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::Refused;
use super::here::{Here, Wanted};
use super::page::{self, Page};
use super::recovery_codes::warning;
use super::show::Moment;
use crate::identity::User;

/// What to say first.
#[derive(Debug, Deserialize)]
pub struct NoticeQuery {
    #[serde(default)]
    notice: String,
}

/// Where one's own second factor stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Factor {
    /// On, since then.
    On(Moment),
    /// Off, and can be switched on.
    Offered,
    /// Not offered to this user.
    Hidden,
}

#[derive(Template)]
#[template(path = "account.html")]
pub(super) struct AccountPage {
    pub page: Page,
    pub notice: Option<&'static str>,
    pub user: User,
    pub rights: Vec<&'static str>,
    pub factor: Factor,
    /// What must be said of the recovery codes.
    pub warning: Option<&'static str>,
    pub signed_in: Moment,
    pub ends: Moment,
}

/// One's own data.
pub async fn show(here: Here, Wanted(query): Wanted<NoticeQuery>) -> Result<Response, Refused> {
    let user = User::clone(&here.signed_in()?.user);
    let row = here.session_row().await?;
    let t = here.texts();
    let factor = Factor::of(&here, &user).await?;
    let left = here.recovery_codes_left(user.id).await?;
    let page = AccountPage {
        page: here.page(t.say("account.title")),
        notice: t.of("notice", &query.notice),
        rights: user.rights.iter().map(|right| t.of("right", right.as_str()).unwrap_or(right.as_str())).collect(),
        warning: warning(left, t).filter(|_| matches!(factor, Factor::On(_))),
        factor,
        signed_in: Moment::of(row.auth_time, t),
        ends: Moment::of(row.expires_at, t),
        user,
    };
    Ok(page::html(StatusCode::OK, &page))
}

// === impl Factor ===

impl Factor {
    async fn of(here: &Here, user: &User) -> Result<Self, Refused> {
        let authenticators = here.authenticators(user.id).await?;
        Ok(match authenticators.iter().find_map(|authenticator| authenticator.confirmed_at) {
            Some(at) => Self::On(Moment::of(at, here.texts())),
            None if here.policy().security.second_factor.is_offered(user) => Self::Offered,
            None => Self::Hidden,
        })
    }
}
