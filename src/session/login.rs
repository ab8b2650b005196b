//! The sign-in: name and password, then the second factor (or its enrolment), then in.
use std::sync::Arc;
use crate::account::{Accounts, Busy};
use crate::account::totp::Enrolment;
use crate::audit::Origin;
use crate::identity::SignedIn;
use crate::policy::Security;
use crate::secret::{SecretText, SessionToken};
use crate::session::Sessions;
use crate::store::{StoreError, sessions::SessionRow};
/// The service. Cheap to clone.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "plain parts")]
pub struct Login { pub accounts: Accounts, pub sessions: Sessions }
/// What the next page is. The token is the browser's new cookie; the earlier one is dead.
#[derive(Debug)]
pub enum Step { /// Ask for a code.
    SecondFactor(SessionToken), /// Show the enrolment.
    Enrol(SessionToken), /// Ask for a new password: the one given was temporary.
    ChangePassword(SessionToken), /// In.
    SignedIn(SessionToken, Arc<SignedIn>) }
/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum LoginError { /// One answer for unknown, wrong, locked, disabled, expired.
    #[error("the name or the password is not right, or the account is locked")] Refused, /// The sign-in on its way is gone (timed out, used, ended): begin again.
    #[error("this sign-in is over; begin again")] Over, /// The new password cannot be taken.
    #[error(transparent)] NewPassword(#[from] NewPasswordFault), /// There is a confirmed second factor already: it must be reset first.
    #[error("a second factor is enrolled already")] AlreadyEnrolled, /// Hashing queue is full.
    #[error(transparent)] Busy(#[from] Busy), /// Nothing can be checked.
    #[error(transparent)] Store(#[from] StoreError), /// A sealed seed did not open.
    #[error(transparent)] Sealed(#[from] crate::secret::DoesNotOpen) }
/// What is wrong with a new password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NewPasswordFault { /// Fewer characters than `passwords.minimum_length`.
    #[error("the new password is too short: it needs at least {minimum} characters")] TooShort { #[expect(missing_docs, reason = "the message says it")] minimum: usize }, /// More than 1024 bytes.
    #[error("the new password is too long: at most 1024 bytes")] TooLong, /// The temporary one again.
    #[error("the new password is the temporary one: choose another")] Unchanged }
/// What is given to prove it again.
#[derive(Debug)]
pub struct Proof { /// The password.
    pub password: SecretText, /// The code, where a second factor is enrolled.
    pub code: Option<String> }
/// Where the browser is.
#[derive(Debug, Clone)]
pub struct Browser { /// Its own words.
    pub user_agent: String, /// Whatever session cookie it held before: ended by a sign-in.
    pub presented: Option<SessionToken> }
impl Login {
    /// Name and password. Same work and same answer for unknown, wrong and locked.
    pub async fn password(&self, security: &Security, name: &str, password: SecretText, browser: &Browser, origin: &Origin) -> Result<Step, LoginError> { let _ = (security, name, password, browser, origin); todo!() }
    /// The code, for a pending session. Wrong or locked: `Refused` (the pending session stays until its 10 minutes are over).
    pub async fn second_factor(&self, security: &Security, pending: &SessionRow, code: &str, browser: &Browser, origin: &Origin) -> Result<Step, LoginError> { let _ = (security, pending, code, browser, origin); todo!() }
    /// What to show while enrolling: makes the seed, or shows the unconfirmed one again. For a pending session of stage `Enrol`, or for a live one after `reauthenticate`.
    pub async fn enrolment(&self, user: &crate::identity::User, issuer: &str, origin: &Origin) -> Result<Enrolment, LoginError> { let _ = (user, issuer, origin); todo!() }
    /// The first right code: active from now on. A pending session becomes live; a live one gets its second factor. All other sessions of the user end.
    pub async fn confirm_enrolment(&self, security: &Security, session: &SessionRow, code: &str, browser: &Browser, origin: &Origin) -> Result<Step, LoginError> { let _ = (security, session, code, browser, origin); todo!() }
    /// Password (and code where enrolled) again, in a live session: `auth_time` and `second_factor_at` are now; the token is rotated.
    pub async fn reauthenticate(&self, security: &Security, session: &SessionRow, proof: Proof, browser: &Browser, origin: &Origin) -> Result<Step, LoginError> { let _ = (security, session, proof, browser, origin); todo!() }
    /// The new password, for a pending session of stage `ChangePassword` (any other: `Over`). All other sessions of the user end.
    pub async fn change_password(&self, security: &Security, session: &SessionRow, new: SecretText, browser: &Browser, origin: &Origin) -> Result<Step, LoginError> { let _ = (security, session, new, browser, origin); todo!() }
    /// A code alone, in a live session with one factor or a stale one (step-up).
    pub async fn step_up(&self, security: &Security, session: &SessionRow, code: &str, browser: &Browser, origin: &Origin) -> Result<Step, LoginError> { let _ = (security, session, code, browser, origin); todo!() }
    /// Ends the session.
    pub async fn sign_out(&self, token: &SessionToken, origin: &Origin) -> Result<(), LoginError> { let _ = (token, origin); todo!() }
}
