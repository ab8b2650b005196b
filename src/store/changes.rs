//! How processes on one database learn of each other's changes.
use super::{Store, StoreError};
use crate::identity::{SessionId, UserId};
/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change { /// A session ended or was rotated.
    Session(SessionId), /// A user, their rights, groups, state, factors.
    User(UserId), /// An operation moved.
    Operation(String), /// A message was queued.
    Outbox, /// Signing keys.
    Keys }
/// Follows the `change` table from where it stands now.
#[derive(Debug)]
pub struct Changes {}
impl Store {
    /// Starts following.
    pub async fn follow_changes(&self) -> Result<Changes, StoreError> { todo!() }
    /// Deletes marks nobody follows any more (older than an hour).
    pub async fn forget_old_changes(&self, before: crate::time::Timestamp) -> Result<u64, StoreError> { let _ = before; todo!() }
}
impl Changes {
    /// Waits for the next marks: `PRAGMA data_version` every 200 ms on SQLite plus an in-process nudge at every own commit; the table every 200 ms on PostgreSQL (LISTEN wakes it sooner where it can). An error means: the caller must not trust caches until the next success.
    pub async fn next(&mut self) -> Result<Vec<Change>, StoreError> { todo!() }
}
