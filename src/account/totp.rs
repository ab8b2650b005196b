//! Time-based codes (RFC 6238).
use crate::identity::UserId;
use crate::secret::{DoesNotOpen, Keyring, Random};
use crate::store::second_factors::SecondFactorRow;
use crate::time::Timestamp;
/// A new enrolment as shown once to its owner.
#[derive(Debug)]
pub struct Enrolment { /// To store.
    pub row: SecondFactorRow, /// Base 32 in groups of four.
    pub letters: String, /// `otpauth://` address.
    pub uri: String, /// The QR code, inline SVG.
    pub qr_svg: String }
impl Enrolment {
    /// Makes a seed of 20 bytes, SHA-1, 6 digits, 30 s (what apps can read).
    pub fn generate(keyring: &Keyring, random: &dyn Random, user: UserId, account_name: &str, issuer: &str, now: Timestamp) -> Self { let _ = (keyring, random, user, account_name, issuer, now); todo!() }
    /// Shows a stored, unconfirmed one again.
    pub fn reopen(keyring: &Keyring, row: SecondFactorRow, account_name: &str, issuer: &str) -> Result<Self, DoesNotOpen> { let _ = (keyring, row, account_name, issuer); todo!() }
}
/// The step `code` is right for (one step of skew each way), if any and later than the last used. Only exactly six ASCII digits are compared (MFA-2).
pub fn matching_step(keyring: &Keyring, row: &SecondFactorRow, code: &str, now: Timestamp) -> Result<Option<i64>, DoesNotOpen> { let _ = (keyring, row, code, now); todo!() }
