//! A visit, as a handler sees it.

use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use http::header::USER_AGENT;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::forgery::Csrf;
use super::page::Page;
use super::remembered::Remembered;
use super::texts::Texts;
use super::{Portal, Refused, Visit, cookies};
use crate::audit::Origin;
use crate::identity::{SignedIn, UserId};
use crate::policy::Policy;
use crate::secret::BrowserToken;
use crate::session::{Act, Browser, Presented, Step};
use crate::store::StoreError;
use crate::store::second_factors::SecondFactorRow;
use crate::store::sessions::{SessionRow, Stage};

/// Longest word of a browser about itself that is kept, bytes.
const LONGEST_USER_AGENT: usize = 200;

/// The visit with everything a handler needs of it.
#[derive(Debug, Clone)]
pub struct Here {
    /// The portal.
    pub portal: Portal,
    /// What the edge knows.
    pub visit: Visit,
    /// The anti-forgery value of this browser's forms.
    pub csrf: Csrf,
    /// Path and query of this request, to come back to.
    pub target: String,
    /// What this browser may be known by.
    pub browser_token: Option<BrowserToken>,
    /// What the browser is remembered by.
    pub remembered: Remembered,
    user_agent: String,
}

/// The query, read; what is not there has its default.
#[derive(Debug)]
pub struct Wanted<T>(pub T);

/// Another id out of the path: one that cannot be read is of nothing that exists.
#[derive(Debug)]
pub struct Id<T>(pub T);

/// An operation's id out of the path: eight digits, or there is no such page.
#[derive(Debug)]
pub struct OperationId(pub String);

// === impl Here ===

impl Here {
    /// The texts in the visit's language.
    pub fn texts(&self) -> Texts {
        Texts::of_language(self.visit.language)
    }

    /// The frame of a page called `title`.
    pub fn page(&self, title: impl Into<String>) -> Page {
        Page::new(&self.visit, Some(self.csrf.value()), title.into())
    }

    /// Where an act of a page comes from.
    pub fn origin(&self) -> Origin {
        self.visit.origin("page")
    }

    /// Where the browser is, for a sign-in.
    pub fn browser(&self) -> Browser {
        Browser {
            user_agent: self.user_agent.clone(),
            presented: self.visit.token.clone(),
            token: self.browser_token.clone(),
            remember: self.remembered.token().cloned(),
        }
    }

    /// What this browser may do next to sign in.
    pub fn sign_in<'a>(&'a self, policy: &'a Policy) -> Act<'a> {
        self.portal.login.act(&policy.security, self.browser(), self.origin())
    }

    /// The policy of the moment.
    pub fn policy(&self) -> Arc<Policy> {
        self.portal.policy.load_full()
    }

    /// Who is signed in; nobody else gets past this.
    pub fn signed_in(&self) -> Result<&Arc<SignedIn>, Refused> {
        match &self.visit.presented {
            Presented::Live(signed_in) => Ok(signed_in),
            _ => Err(Refused::SignIn { return_to: self.target.clone() }),
        }
    }

    /// The sign-in on its way, when it is at `stage`.
    pub fn pending(&self, stage: Stage) -> Option<&Arc<SessionRow>> {
        match &self.visit.presented {
            Presented::Pending { row } if row.stage == stage => Some(row),
            _ => None,
        }
    }

    /// The stored row of the live session.
    pub async fn session_row(&self) -> Result<SessionRow, Refused> {
        self.signed_in()?;
        let token = self.visit.token.as_ref().ok_or(Refused::Internal)?;
        let row = self.portal.login.accounts.store.session(token.digest()).await?;
        row.ok_or_else(|| Refused::SignIn { return_to: self.target.clone() })
    }

    /// The authenticators of the user's second factor, oldest first; none where it is off.
    pub async fn authenticators(&self, id: UserId) -> Result<Vec<SecondFactorRow>, Refused> {
        let rows = self.portal.login.accounts.store.second_factors(id).await?;
        Ok(rows.into_iter().filter(|row| row.confirmed_at.is_some()).collect())
    }

    /// How many recovery codes the user has left.
    pub async fn recovery_codes_left(&self, id: UserId) -> Result<u64, Refused> {
        Ok(self.portal.login.accounts.store.recovery_codes_left(id).await?)
    }

    /// The same visit in the session that `step` led to, for a page that is shown with the new cookie and not after it.
    pub fn after(&self, step: &Step) -> Self {
        let (Step::SignedIn(token, signed_in) | Step::Remembered(token, signed_in, _)) = step else {
            return self.clone();
        };
        let mut there = self.clone();
        there.csrf = Csrf::of_session(&self.portal.keyring, token);
        there.visit.presented = Presented::Live(Arc::clone(signed_in));
        there.visit.token = Some(token.clone());
        there
    }

    /// The host of `portal.url`: the name under which an authenticator app lists the account.
    pub fn issuer(&self) -> &str {
        let url = &self.portal.url;
        url.split_once("://").map_or(&**url, |(_, host)| host)
    }
}

impl FromRequestParts<Portal> for Here {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, portal: &Portal) -> Result<Self, Refused> {
        let visit = parts.extensions.get::<Visit>().cloned().ok_or(Refused::Internal)?;
        let csrf = Csrf::of(portal, &visit, &parts.headers);
        let target = parts.uri.path_and_query().map_or("/secure/", |target| target.as_str()).to_owned();
        let user_agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let user_agent = user_agent.chars().take(LONGEST_USER_AGENT).collect();
        let browser_token = cookies::read(&parts.headers, cookies::browser_cookie_name(visit.secure));
        let browser_token = browser_token.and_then(BrowserToken::parse);
        let remembered = Remembered::of(&portal.keyring, &visit, &parts.headers);
        Ok(Self { portal: portal.clone(), visit, csrf, target, browser_token, remembered, user_agent })
    }
}

// === impl Wanted, Id, OperationId ===

impl<T: DeserializeOwned> FromRequestParts<Portal> for Wanted<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &Portal) -> Result<Self, Refused> {
        let query = parts.uri.query().unwrap_or_default();
        serde_urlencoded::from_str(query).map(Self).map_err(|_| Refused::BadRequest("query"))
    }
}

impl<T: FromStr> FromRequestParts<Portal> for Id<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, portal: &Portal) -> Result<Self, Refused> {
        let Path(text) = Path::<String>::from_request_parts(parts, portal).await.map_err(|_| Refused::NotFound)?;
        text.parse().map(Self).map_err(|_| Refused::NotFound)
    }
}

impl OperationId {
    /// Reads an id as people type it: spaces and hyphens do not matter.
    pub fn parse(typed: &str) -> Option<Self> {
        let digits: String = typed.chars().filter(|letter| !letter.is_whitespace() && *letter != '-').collect();
        (digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(Self(digits))
    }

    /// The operation's page.
    pub fn path(&self) -> String {
        format!("/secure/operations/{}", self.0)
    }
}

impl FromRequestParts<Portal> for OperationId {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, portal: &Portal) -> Result<Self, Refused> {
        let Path(text) = Path::<String>::from_request_parts(parts, portal).await.map_err(|_| Refused::NotFound)?;
        Self::parse(&text).filter(|id| id.0 == text).ok_or(Refused::NotFound)
    }
}

// === errors of the layers below, as the client is told; the log has the rest ===

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        tracing::error!(event = "portal.store_failed", %error);
        Self::Unavailable { retry_after: 5 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_id_is_read_as_people_type_it() {
        assert_eq!(OperationId::parse(" 4827 1935 ").unwrap().0, "48271935");
        assert_eq!(OperationId::parse("4827-1935").unwrap().path(), "/secure/operations/48271935");
        for wrong in ["", "4827193", "482719355", "4827193x", "٤٨٢٧١٩٣٥", "../48271"] {
            assert!(OperationId::parse(wrong).is_none(), "{wrong:?} was read as an id");
        }
    }
}
