//! TOTP enrolments.
use super::{Store, StoreError, audit::NewEvent};
use crate::identity::UserId;
use crate::secret::Sealed;
use crate::time::Timestamp;
use uuid::Uuid;
/// A TOTP seed's bytes.
#[derive(Debug)]
pub struct Seed;
/// One enrolment. Parameters are stored with it.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "named as in RFC 6238")]
pub struct SecondFactorRow { pub id: Uuid, pub user: UserId, /// Place table "second_factors", column "seed", row = id.
    pub seed: Sealed<Seed>, pub algorithm: String, pub digits: i64, pub period_secs: i64, pub created_at: Timestamp, /// None: waiting for its first right code.
    pub confirmed_at: Option<Timestamp>, /// The last step a code was accepted for; never again at or before it.
    pub last_step: i64 }
impl Store {
    /// Stores an unconfirmed enrolment, replacing an unconfirmed earlier one.
    pub async fn put_second_factor(&self, row: &SecondFactorRow) -> Result<(), StoreError> { let _ = row; todo!() }
    /// Confirms it by the code of `step`; false when already confirmed or gone.
    pub async fn confirm_second_factor(&self, id: Uuid, step: i64, at: Timestamp, events: &[NewEvent]) -> Result<bool, StoreError> { let _ = (id, step, at, events); todo!() }
    /// All of a user's, confirmed or not.
    pub async fn second_factors(&self, user: UserId) -> Result<Vec<SecondFactorRow>, StoreError> { let _ = user; todo!() }
    /// Uses the code of `step` once: true for exactly one caller per step, and never for a step at or before the last used.
    pub async fn use_step(&self, id: Uuid, step: i64) -> Result<bool, StoreError> { let _ = (id, step); todo!() }
    /// Removes all, ends the user's sessions, raises the epoch; how many were confirmed.
    pub async fn remove_second_factors(&self, user: UserId, events: &[NewEvent]) -> Result<u64, StoreError> { let _ = (user, events); todo!() }
}
