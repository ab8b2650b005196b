//! A remembered browser that comes to the sign-in page goes on to where it wanted, without one.
//!
//! Every navigation without a session leads to `/secure/login`, so that this one door is enough: requests to applications need
//! to know nothing of it. A value that opens nothing is taken away and the form is shown; nobody is sent in circles.

use axum::response::Response;
use http::HeaderMap;
use http::header::SET_COOKIE;

use super::here::Here;
use super::login::next_page;
use super::{Refused, Visit, cookies, page};
use crate::secret::{Keyring, RememberToken};
use crate::session::{Presented, Return};

/// What a browser is remembered by.
#[derive(Debug, Clone)]
pub enum Remembered {
    /// It is not.
    Nothing,
    /// A cookie that is none of ours, or several that differ.
    Unreadable,
    /// A value this gateway has made.
    Token(RememberToken),
}

/// What it comes to.
pub enum ComesBack {
    /// On its way to where it wanted.
    On(Response),
    /// The form; what it holds stays.
    Form,
    /// The form; what it holds is taken away. With the reason, a key of the notices, where there is one to tell.
    Forgotten(Option<&'static str>),
}

/// Lets a remembered browser in. Programs and whoever has a session, or a sign-in on its way, are not concerned: `Cancel`
/// leads to the form, where somebody else may sign in.
pub async fn come_back(here: &Here, return_to: &str) -> Result<ComesBack, Refused> {
    let without_session = matches!(here.visit.presented, Presented::Nothing | Presented::Dead);
    let token = match &here.remembered {
        Remembered::Token(token) if without_session && here.visit.wants_page => token,
        Remembered::Unreadable => return Ok(ComesBack::Forgotten(None)),
        Remembered::Nothing | Remembered::Token(_) => return Ok(ComesBack::Form),
    };
    let policy = here.policy();
    Ok(match here.sign_in(&policy).return_by(token).await? {
        Return::Known(step, remember) => {
            let response = next_page(here, step, return_to);
            ComesBack::On(page::with(response, SET_COOKIE, cookies::remember(&here.visit, &remember)))
        }
        Return::Joined(step) => ComesBack::On(next_page(here, step, return_to)),
        Return::SignIn => ComesBack::Form,
        Return::Worthless => ComesBack::Forgotten(None),
        Return::Reused(user, sessions) => {
            let lost = |session| sessions.contains(&session);
            here.portal.operations.withdraw_asked_in(user, lost, &here.origin()).await?;
            ComesBack::Forgotten(Some("reused"))
        }
    })
}

// === impl Remembered ===

impl Remembered {
    /// What this request brought.
    pub fn of(keyring: &Keyring, visit: &Visit, headers: &HeaderMap) -> Self {
        let name = cookies::remember_cookie_name(visit.secure);
        if !cookies::has(headers, name) {
            return Self::Nothing;
        }
        let value = cookies::read(headers, name);
        value.and_then(|text| RememberToken::parse(keyring, text)).map_or(Self::Unreadable, Self::Token)
    }

    /// The value, when it is one.
    pub fn token(&self) -> Option<&RememberToken> {
        match self {
            Self::Token(token) => Some(token),
            Self::Nothing | Self::Unreadable => None,
        }
    }

    /// Whether there is a cookie at all.
    pub fn is_there(&self) -> bool {
        !matches!(self, Self::Nothing)
    }
}
