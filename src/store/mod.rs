//! The store: every fact, in one SQL database, behind whole atomic operations.
//!
//! A method here is one transaction: what it says happens whole or not at all, with the audit events that belong to it and the
//! change marks by which other processes learn of it. SQLite (WAL, `synchronous=FULL`) or PostgreSQL, one set of queries.

pub mod audit;
pub mod changes;
pub mod lockouts;
pub mod operations;
pub mod outbox;
pub mod second_factors;
pub mod sessions;
pub mod signing_keys;
pub mod users;
pub mod lease;
pub mod backup;

use std::sync::Arc;
use crate::secret::{Keyring};

/// The database, open and migrated.
#[derive(Debug, Clone)]
pub struct Store { inner: Arc<Inner> }
#[derive(Debug)]
struct Inner {}

/// What can go wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It does not answer, is locked or full: try again later (503). The text is for the log.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// It answers, and what it says cannot be.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// Written by a newer version.
    #[error("the database is of schema version {found}, this program knows up to {known}: start the newer program, or restore a backup")]
    Newer { found: i64, known: i64 },
    /// The sealing key is not the one the database was made with.
    #[error("the sealing key is not the one this database was sealed with: put the right key in its place ({0})")]
    WrongKey(String),
    /// Not there, where it must be.
    #[error("{0}")]
    Missing(String),
    /// A name or an address is taken.
    #[error("{0} is already taken")]
    Taken(&'static str),
}

/// How to open a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// Makes and migrates a new one, migrates an old one.
    Migrate,
    /// Refuses one whose schema is not this version's.
    AsIs,
}

impl Store {
    /// Opens `url` (`sqlite:PATH` or `postgres://…`), checks schema, integrity (SQLite `quick_check`) and sealing key (stored check value), sets pragmas.
    /// A fresh database (no `users` table, file absent or empty made by us) is initialised; an existing *empty or foreign file* beside an existing key directory is refused (FLT-3).
    pub async fn open(url: &str, keyring: &Keyring, how: Open) -> Result<Self, StoreError> { let _ = (url, keyring, how); todo!() }
    /// Whether it answers (readiness), within 2 s.
    pub async fn ping(&self) -> Result<(), StoreError> { todo!() }
    /// Closes the pool; the last thing a process does.
    pub async fn close(&self) {}
}
