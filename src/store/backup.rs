//! Backup and check.
use std::path::Path;
use super::{Store, StoreError};
impl Store {
    /// A whole, consistent copy of a SQLite store at `to` (`VACUUM INTO`), which must not exist. PostgreSQL: says to use pg_dump.
    pub async fn backup(&self, to: &Path) -> Result<(), StoreError> { let _ = to; todo!() }
    /// Integrity: engine's own check, chain of audit, seals that open; what was found, a line each; empty: whole.
    pub async fn check(&self) -> Result<Vec<String>, StoreError> { todo!() }
}
