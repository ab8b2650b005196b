//! The sign-in: name and password, then the second factor (or a change of password, or enrolment), then in.
//!
//! An **act** is what a browser does to get in: one of the methods of [`Act`], made by [`Login::act`]. It leads to a **step**:
//! what comes next, with the browser's new token. Every step at which something can be guessed reserves a **try** before it
//! looks at anything; every step reads the user again, and tells the audit trail; one **refusal** answers all that was wrong, and only the trail knows
//! which. Only the full sign-in sets the count of tries back to nothing; a right password with more to come gives back its
//! own try alone.
//!
//! The answer to a locked name is kept back for what a hash usually takes ([`HashPool::usual`]): nothing is computed, and
//! the time does not tell.
//!
//! [`HashPool::usual`]: crate::account::HashPool::usual

mod act;
mod again;
mod factor;
mod own_factor;
mod password;
mod progress;
pub mod remembered;

use std::sync::Arc;

pub use self::act::Act;
pub use self::factor::MOST_AUTHENTICATORS;
pub use self::password::Forced;
pub use self::remembered::{Remember, Return, still_remembered};
use crate::account::recovery::RecoveryCodes;
use crate::account::strangers::{Strangers, TooMany};
use crate::account::totp::Unusable;
use crate::account::{Accounts, Busy, PasswordFaults};
use crate::audit::Origin;
use crate::identity::SignedIn;
use crate::notify::Notices;
use crate::policy::Security;
use crate::secret::{BrowserToken, DoesNotOpen, RememberToken, SecretText, SessionToken};
use crate::session::Sessions;
use crate::store::StoreError;
use crate::store::sessions::Stage;

/// The service. Cheap to clone.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "plain parts")]
pub struct Login {
    pub accounts: Accounts,
    pub sessions: Sessions,
    pub notices: Notices,
    pub strangers: Strangers,
}

/// What the next page is. The token is the browser's new cookie; the earlier one is dead.
#[derive(Debug)]
pub enum Step {
    /// Ask for a code.
    SecondFactor(SessionToken),
    /// Show the enrolment.
    Enrol(SessionToken),
    /// Ask for a new password: the one given was temporary, or is too old.
    ChangePassword(SessionToken),
    /// In.
    SignedIn(SessionToken, Arc<SignedIn>),
    /// In, and the browser is remembered from now on.
    Remembered(SessionToken, Arc<SignedIn>, Remember),
}

/// A step that left its owner with new recovery codes: shown now, or never.
#[derive(Debug)]
pub struct Enrolled {
    /// In, with the new token.
    pub step: Step,
    /// None: those from before go on working.
    pub recovery: Option<RecoveryCodes>,
}

/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// One answer for unknown, wrong, locked, disabled, expired.
    #[error("the name or the password is not right, or the account is locked")]
    Refused,
    /// The sign-in on its way is gone (timed out, used, ended, or not at this step): begin again.
    #[error("this sign-in is over; begin again")]
    Over,
    /// Somebody else gave the user another temporary password, or the sign-in ended, while a new one was chosen: nothing
    /// was changed.
    #[error("the account was changed meanwhile: sign in with the newest password")]
    Overtaken,
    /// The password that had to be changed has been replaced already, by this sign-in's form sent twice most of all: this one was not
    /// taken, and nothing is wrong.
    #[error("the new password is set already: sign in with it")]
    PasswordSet,
    /// The new password cannot be taken.
    #[error(transparent)]
    NewPassword(#[from] PasswordFaults),
    /// There are as many confirmed devices as there may be, or this is no moment to add one.
    #[error("a second factor is enrolled already")]
    AlreadyEnrolled,
    /// There is no such device, or no second factor at all.
    #[error("there is no such second factor")]
    NotEnrolled,
    /// The policy does not offer this user a second factor.
    #[error("this user is not offered a second factor")]
    NotOffered,
    /// The policy requires of this user what would be removed.
    #[error("this user must have a second factor")]
    FactorRequired,
    /// Too many wrong sign-ins from this network: nothing was checked.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// Hashing queue is full.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// Nothing can be checked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored second factor cannot be used.
    #[error(transparent)]
    Factor(#[from] Unusable),
    /// The session of a return, kept for those who join it, does not open.
    #[error("the session that a remembered browser got: {0}")]
    Returned(#[from] DoesNotOpen),
}

/// What is given to prove it again.
#[derive(Debug)]
pub struct Proof {
    /// The password.
    pub password: SecretText,
    /// What proves the second factor, where one is enrolled.
    pub code: Option<Given>,
}

/// What is given for a second factor, as it was typed.
#[derive(Debug, Clone)]
pub enum Given {
    /// What the authenticator shows.
    Code(SecretText),
    /// One of the codes kept for the day it is lost.
    Recovery(SecretText),
}

/// Where the browser is.
#[derive(Debug, Clone)]
pub struct Browser {
    /// Its own words.
    pub user_agent: String,
    /// Whatever session cookie it held before: ended by a sign-in.
    pub presented: Option<SessionToken>,
    /// What it may be known by.
    pub token: Option<BrowserToken>,
    /// Whatever it was remembered by before: forgotten by a sign-in.
    pub remember: Option<RememberToken>,
}

// === impl Login ===

impl Login {
    /// What `browser` may do next to sign in, by the rules of `security`.
    pub fn act<'a>(&'a self, security: &'a Security, browser: Browser, origin: Origin) -> Act<'a> {
        Act { login: self, security, browser, origin, wish: false }
    }

    /// Ends the session, and with it the device it belongs to.
    pub async fn sign_out(&self, token: &SessionToken, origin: &Origin) -> Result<(), LoginError> {
        let Some(row) = self.sessions.row(token).await? else { return Ok(()) };
        progress::end(self, &row, "signed out", origin).await?;
        Ok(())
    }

    /// Ends a sign-in on its way. A live session is none, and stays.
    pub async fn cancel(&self, token: &SessionToken, origin: &Origin) -> Result<(), LoginError> {
        let pending = self.sessions.row(token).await?.filter(|row| row.stage != Stage::Live);
        let Some(row) = pending else { return Ok(()) };
        progress::end(self, &row, "sign-in cancelled", origin).await?;
        Ok(())
    }
}

// === impl Given ===

impl From<&str> for Given {
    /// A code of the authenticator.
    fn from(code: &str) -> Self {
        Self::Code(SecretText::new(code))
    }
}

impl From<&String> for Given {
    fn from(code: &String) -> Self {
        code.as_str().into()
    }
}
