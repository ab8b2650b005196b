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
mod progress;
pub mod remembered;

use std::sync::Arc;

pub use self::act::Act;
pub use self::remembered::{Remember, Return, still_remembered};
use crate::account::{Accounts, Busy};
use crate::audit::Origin;
use crate::identity::SignedIn;
use crate::notify::Notices;
use crate::policy::Security;
use crate::secret::{DoesNotOpen, RememberToken, SecretText, SessionToken};
use crate::session::Sessions;
use crate::store::StoreError;

/// The service. Cheap to clone.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "plain parts")]
pub struct Login {
    pub accounts: Accounts,
    pub sessions: Sessions,
    pub notices: Notices,
}

/// What the next page is. The token is the browser's new cookie; the earlier one is dead.
#[derive(Debug)]
pub enum Step {
    /// Ask for a code.
    SecondFactor(SessionToken),
    /// Show the enrolment.
    Enrol(SessionToken),
    /// Ask for a new password: the one given was temporary.
    ChangePassword(SessionToken),
    /// In.
    SignedIn(SessionToken, Arc<SignedIn>),
    /// In, and the browser is remembered from now on.
    Remembered(SessionToken, Arc<SignedIn>, Remember),
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
    /// The temporary password has been replaced already, by this sign-in's form sent twice most of all: this one was not
    /// taken, and nothing is wrong.
    #[error("the new password is set already: sign in with it")]
    PasswordSet,
    /// The new password cannot be taken.
    #[error(transparent)]
    NewPassword(#[from] NewPasswordFault),
    /// There is a confirmed second factor already: it must be reset first.
    #[error("a second factor is enrolled already")]
    AlreadyEnrolled,
    /// Hashing queue is full.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// Nothing can be checked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A sealed seed did not open.
    #[error(transparent)]
    Sealed(#[from] DoesNotOpen),
}

/// What is wrong with a new password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NewPasswordFault {
    /// Fewer characters than `passwords.minimum_length`.
    #[error("the new password is too short: it needs at least {minimum} characters")]
    TooShort {
        /// Characters, at least.
        minimum: usize,
    },
    /// More than 1024 bytes.
    #[error("the new password is too long: at most 1024 bytes")]
    TooLong,
    /// The temporary one again.
    #[error("the new password is the temporary one: choose another")]
    Unchanged,
}

/// What is given to prove it again.
#[derive(Debug)]
pub struct Proof {
    /// The password.
    pub password: SecretText,
    /// The code, where a second factor is enrolled.
    pub code: Option<String>,
}

/// Where the browser is.
#[derive(Debug, Clone)]
pub struct Browser {
    /// Its own words.
    pub user_agent: String,
    /// Whatever session cookie it held before: ended by a sign-in.
    pub presented: Option<SessionToken>,
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
}
