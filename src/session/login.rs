//! The sign-in: name and password, then the second factor (or a change of password, or enrolment), then in.
//!
//! A **step** is what comes next, with the browser's new token. Every step reserves a **try** before it looks at anything,
//! reads the user again, and tells the audit trail; one **refusal** answers all that was wrong, and only the trail knows
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

use std::sync::Arc;

use self::act::Act;
use crate::account::totp::Enrolment;
use crate::account::{Accounts, Busy};
use crate::audit::Origin;
use crate::identity::SignedIn;
use crate::policy::Security;
use crate::secret::{DoesNotOpen, SecretText, SessionToken};
use crate::session::Sessions;
use crate::store::StoreError;
use crate::store::sessions::SessionRow;

/// The service. Cheap to clone.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "plain parts")]
pub struct Login {
    pub accounts: Accounts,
    pub sessions: Sessions,
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
    /// The password was set by somebody else, or the sign-in ended, while a new one was chosen: nothing was changed.
    #[error("the account was changed meanwhile: sign in with the newest password")]
    Overtaken,
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
}

// === impl Login ===

impl Login {
    /// Name and password. Same work and same answer for unknown, wrong, disabled, expired and a temporary password that has
    /// begun a sign-in before; the same time for locked.
    pub async fn password(
        &self,
        security: &Security,
        name: &str,
        password: SecretText,
        browser: &Browser,
        origin: &Origin,
    ) -> Result<Step, LoginError> {
        self.act(security, browser, origin).password(name, password).await
    }

    /// The code, for a pending session. Wrong or locked: `Refused` (the pending session stays until its 10 minutes are
    /// over).
    pub async fn second_factor(
        &self,
        security: &Security,
        pending: &SessionRow,
        code: &str,
        browser: &Browser,
        origin: &Origin,
    ) -> Result<Step, LoginError> {
        self.act(security, browser, origin).second_factor(pending, code).await
    }

    /// What to show while enrolling: makes the seed, or shows this session's unconfirmed one again. For a pending session of
    /// stage `Enrol`, or for a live one after `reauthenticate`. A seed belongs to the session that asked for it: what one
    /// browser was shown is never shown to, nor confirmed by, another.
    pub async fn enrolment(
        &self,
        session: &SessionRow,
        issuer: &str,
        origin: &Origin,
    ) -> Result<Enrolment, LoginError> {
        factor::enrolment(&self.accounts, session, issuer, origin.now).await
    }

    /// The first right code: active from now on. A pending session becomes live; a live one gets its second factor. All
    /// other sessions of the user end. A live session must have proven itself within the last ten minutes, else `Over`.
    pub async fn confirm_enrolment(
        &self,
        security: &Security,
        session: &SessionRow,
        code: &str,
        browser: &Browser,
        origin: &Origin,
    ) -> Result<Step, LoginError> {
        self.act(security, browser, origin).confirm_enrolment(session, code).await
    }

    /// The new password, for a pending session of stage `ChangePassword` (any other: `Over`). All other sessions of the
    /// user end. `Overtaken` when the user was changed meanwhile, by an administrator's reset for example: that stands.
    pub async fn change_password(
        &self,
        security: &Security,
        session: &SessionRow,
        new: SecretText,
        browser: &Browser,
        origin: &Origin,
    ) -> Result<Step, LoginError> {
        self.act(security, browser, origin).change_password(session, new).await
    }

    /// Password (and code where enrolled) again, in a live session: `auth_time` and `second_factor_at` are now; the token
    /// is rotated. The session's absolute end stays where it was.
    pub async fn reauthenticate(
        &self,
        security: &Security,
        session: &SessionRow,
        proof: Proof,
        browser: &Browser,
        origin: &Origin,
    ) -> Result<Step, LoginError> {
        self.act(security, browser, origin).reauthenticate(session, proof).await
    }

    /// A code alone, in a live session with one factor or a stale one (step-up).
    pub async fn step_up(
        &self,
        security: &Security,
        session: &SessionRow,
        code: &str,
        browser: &Browser,
        origin: &Origin,
    ) -> Result<Step, LoginError> {
        self.act(security, browser, origin).step_up(session, code).await
    }

    /// Ends the session.
    pub async fn sign_out(&self, token: &SessionToken, origin: &Origin) -> Result<(), LoginError> {
        let Some(row) = self.sessions.row(token).await? else { return Ok(()) };
        progress::end(self, &row, "signed out", origin).await?;
        Ok(())
    }

    fn act<'a>(&'a self, security: &'a Security, browser: &'a Browser, origin: &'a Origin) -> Act<'a> {
        Act { login: self, security, browser, origin }
    }
}
