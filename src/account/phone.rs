//! Phone numbers, E.164.
use crate::secret::{Keyring, Random, Sealed};
use crate::identity::UserId;
use crate::store::users::PhoneText;
/// A phone number: `+` and 8 to 15 digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Phone(String);
impl Phone {
    /// Reads what a person typed: spaces, dots, hyphens and a leading `00` are put right.
    pub fn parse(typed: &str) -> Option<Self> { let _ = typed; todo!() }
    /// E.164.
    pub fn as_str(&self) -> &str { &self.0 }
    /// `+33 ••• •• 78`, for pages and logs of those concerned.
    pub fn masked(&self) -> String { todo!() }
    /// Sealed for the user's row, and the MAC by which a shared number is seen.
    pub fn seal(&self, keyring: &Keyring, random: &dyn Random, user: UserId) -> (Sealed<PhoneText>, Vec<u8>) { let _ = (keyring, random, user); todo!() }
    /// Opens a user's.
    pub fn open(keyring: &Keyring, user: UserId, sealed: &Sealed<PhoneText>) -> Result<Self, crate::secret::DoesNotOpen> { let _ = (keyring, user, sealed); todo!() }
}
impl std::fmt::Debug for Phone { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("Phone(…)") } }
