//! One serving process at a time: a file lock beside the SQLite file, a row renewed each second on PostgreSQL.
use super::{Store, StoreError};
/// Held while serving; ends with the process.
#[derive(Debug)]
pub struct Lease {}
impl Store {
    /// Takes the lease. `Missing("another vantail (pid …) serves from this database: …")` when one is held.
    pub async fn take_lease(&self, now: crate::time::Timestamp) -> Result<Lease, StoreError> { let _ = now; todo!() }
}
