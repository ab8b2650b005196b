//! Reserved tries: a try is counted before the check it is for.
use super::{Store, StoreError, audit::NewEvent};
use crate::time::Timestamp;
use std::time::Duration;
/// What a reservation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved { /// Go and check; this was try number `tries`. When it was the last, the lock is already set.
    Try { tries: u32, last: bool }, /// Locked until then: check nothing.
    Locked { until: Timestamp } }
/// A subject's counter as stored. Subjects: `user:<id>`, `unknown:<mac hex>`, `validator:<id>`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[expect(missing_docs, reason = "plain")]
pub struct LockoutRow { pub subject: String, pub tries: i64, pub locked_until: Option<Timestamp> }
impl Store {
    /// Reserves a try in one conditional statement: exactly `limit` reservations succeed until success, lock end or unlock, however many arrive at once. A lock that has ended starts again at 1. The lock's end is fixed when it is set.
    pub async fn reserve_try(&self, subject: &str, limit: u32, lock: Duration, now: Timestamp) -> Result<Reserved, StoreError> { let _ = (subject, limit, lock, now); todo!() }
    /// Gives one try back (the credential was right, but the sign-in is not whole yet).
    pub async fn give_back_try(&self, subject: &str) -> Result<(), StoreError> { let _ = subject; todo!() }
    /// Full sign-in or unlock: the counter goes. True when there was a lock in force or tries.
    pub async fn clear_tries(&self, subject: &str, events: &[NewEvent]) -> Result<bool, StoreError> { let _ = (subject, events); todo!() }
    /// One counter.
    pub async fn lockout(&self, subject: &str) -> Result<Option<LockoutRow>, StoreError> { let _ = subject; todo!() }
    /// Locks in force.
    pub async fn locks(&self, now: Timestamp) -> Result<Vec<LockoutRow>, StoreError> { let _ = now; todo!() }
    /// Forgets counters of unknown names untouched since `before`.
    pub async fn forget_old_tries(&self, before: Timestamp) -> Result<u64, StoreError> { let _ = before; todo!() }
}
