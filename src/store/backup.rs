//! Backup and check.

use std::fs::{self, File};
use std::path::Path;

use sqlx::Connection as _;

use super::audit::ChainState;
use super::engine::Engine;
use super::open::single_file;
use super::sqlite::{complaints, failed, make_private};
use super::{Store, StoreError};
use crate::secret::{Keyring, Place, Sealed};

/// A column that holds sealed values.
struct SealedColumn {
    table: &'static str,
    column: &'static str,
    /// The rows after $1, in the order of their keys, as `key` and `sealed`; at most $2.
    page: &'static str,
}

/// Rows looked at together.
const PAGE: i64 = 200;

macro_rules! sealed_column {
    ($table:literal, $column:literal, $key:literal) => {
        SealedColumn {
            table: $table,
            column: $column,
            page: concat!(
                "SELECT ",
                $key,
                " AS key, ",
                $column,
                " AS sealed FROM ",
                $table,
                " WHERE ",
                $key,
                " > $1 AND ",
                $column,
                " IS NOT NULL ORDER BY ",
                $key,
                " LIMIT $2"
            ),
        }
    };
}

/// Every column that holds sealed values.
const SEALED: [SealedColumn; 8] = [
    sealed_column!("users", "phone", "id"),
    sealed_column!("second_factors", "seed", "id"),
    sealed_column!("operations", "captured", "id"),
    sealed_column!("operations", "answer", "id"),
    sealed_column!("detours", "target", "id"),
    sealed_column!("detours", "request", "id"),
    sealed_column!("outbox", "message", "id"),
    sealed_column!("signing_keys", "private", "kid"),
];

// === impl Store ===

impl Store {
    /// A whole, consistent copy of a SQLite store at `to` (`VACUUM INTO`), which must not exist, readable by its owner
    /// alone. It is made while others read and write. PostgreSQL: says to use pg_dump.
    pub async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let Some(file) = self.inner.engine.file() else {
            return Err(StoreError::Missing(
                "a PostgreSQL database is backed up by its own tools: use pg_dump, and keep the sealing key apart"
                    .to_owned(),
            ));
        };
        let to = std::path::absolute(to).map_err(|error| failed(to, &error))?;
        // SQLite fills an empty file that is there; made by us, it is ours alone from the first byte.
        make_private(&to).map_err(|error| not_made(&to, &error))?;
        let copied = self.copy(file, &to).await;
        if copied.is_err() {
            drop(fs::remove_file(&to));
        }
        copied
    }

    /// Integrity: engine's own check, chain of audit, seals that open; what was found, a line each; empty: whole.
    pub async fn check(&self, keyring: &Keyring) -> Result<Vec<String>, StoreError> {
        let mut found = self.check_engine().await?;
        if let ChainState::Broken { seq, what } = self.verify_chain().await? {
            found.push(format!("audit: at event {seq}: {what}"));
        }
        for column in &SEALED {
            self.check_seals(keyring, column, &mut found).await?;
        }
        Ok(found)
    }

    async fn copy(&self, file: &Path, to: &Path) -> Result<(), StoreError> {
        let mut connection = single_file(&self.inner.engine, file).await?;
        let copied =
            sqlx::query("VACUUM INTO $1").bind(to.to_string_lossy().into_owned()).execute(&mut connection).await;
        drop(connection.close().await);
        copied?;
        File::open(to).and_then(|file| file.sync_all()).map_err(|error| failed(to, &error))
    }

    /// PostgreSQL watches over its own pages; there, reading every row of what is sealed and chained is the check.
    async fn check_engine(&self) -> Result<Vec<String>, StoreError> {
        let Engine::Sqlite { file } = &self.inner.engine else {
            return Ok(Vec::new());
        };
        let mut connection = single_file(&self.inner.engine, file).await?;
        let mut found = complaints(&mut connection, "PRAGMA integrity_check").await?;
        let astray = complaints(&mut connection, "PRAGMA foreign_key_check").await?;
        found.extend(astray.into_iter().map(|table| format!("{table}: a row belongs to nothing")));
        drop(connection.close().await);
        Ok(found)
    }

    async fn check_seals(
        &self,
        keyring: &Keyring,
        column: &SealedColumn,
        found: &mut Vec<String>,
    ) -> Result<(), StoreError> {
        let SealedColumn { table, column, page } = column;
        let mut after = String::new();
        loop {
            let rows = self.rows(sqlx::query(*page).bind(after.clone()).bind(PAGE)).await?;
            for row in &rows {
                after = row.get("key")?;
                let sealed: Sealed<()> = Sealed::from_stored(row.get("sealed")?);
                if keyring.open(Place { table, column, row: &after }, &sealed).is_err() {
                    found.push(format!("{table} {after}: the sealed {column} does not open"));
                }
            }
            if rows.is_empty() {
                return Ok(());
            }
        }
    }
}

fn not_made(to: &Path, error: &std::io::Error) -> StoreError {
    if error.kind() == std::io::ErrorKind::AlreadyExists {
        return StoreError::Missing(format!("{} exists already: name a file that does not", to.display()));
    }
    failed(to, error)
}
