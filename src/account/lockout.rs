//! Tries, reserved before the check, consumed by its outcome.
//!
//! One counter per user, whatever the spelling and the door; names that belong to nobody are counted alike, under a MAC of the folded name.
use crate::identity::UserId;
use crate::policy::security::Lockout;
use crate::secret::Keyring;
use crate::store::{Store, StoreError};
use crate::time::Timestamp;
/// Whose tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject(String);
/// A reserved try. It stays counted unless it is redeemed.
#[derive(Debug)]
#[must_use = "a reserved try is consumed by its outcome"]
pub struct Attempt { subject: Subject }
/// Locked: nothing is checked until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locked { /// The lock's end.
    pub until: Timestamp }
impl Subject {
    /// A user's sign-in tries.
    pub fn user(id: UserId) -> Self { Self(format!("user:{id}")) }
    /// A stranger's name.
    pub fn unknown(keyring: &Keyring, folded: &str) -> Self { let _ = (keyring, folded); todo!() }
    /// A validator's wrong operation tokens, over all operations.
    pub fn validator(id: UserId) -> Self { Self(format!("validator:{id}")) }
    /// As stored.
    pub fn as_str(&self) -> &str { &self.0 }
}
impl Attempt {
    /// Reserves a try. The audit event of the lock (`lockout.locked`) is written by the caller when `last` fails.
    pub async fn reserve(store: &Store, subject: Subject, policy: Lockout, now: Timestamp) -> Result<Result<(Self, bool), Locked>, StoreError> { let _ = (store, subject, policy, now); todo!() }
    /// The credential was right, but more is to come: this try is given back, earlier ones stay.
    pub async fn give_back(self, store: &Store) -> Result<(), StoreError> { let _ = store; todo!() }
    /// Fully signed in: the counter goes.
    pub async fn redeem(self, store: &Store) -> Result<(), StoreError> { let _ = store; todo!() }
    /// Wrong: the try stays counted.
    pub fn spend(self) {}
}
