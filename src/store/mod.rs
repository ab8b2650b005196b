//! The store: every fact, in one SQL database, behind whole atomic operations.
//!
//! A method here is one transaction: what it says happens whole or not at all, with the audit events that belong to it and the
//! change marks by which other processes learn of it. (Events that belong to nothing else share one: `gathered.rs`.) SQLite (WAL, `synchronous=FULL`) or PostgreSQL, one set of queries.
//!
//! * The **engine** is SQLite or PostgreSQL; `engine.rs` holds the little in which they differ.
//! * A **write** is a [`Tx`](sql::Tx): it begins by taking the right to write (SQLite) or by changing the row it is about
//!   (PostgreSQL), and its commit appends the audit events, then the change marks, in that order everywhere, so that no
//!   two writes wait for each other.
//! * A **row** is a plain struct; words and ids that cannot be read back are *damage*, never a default.
//! * Everything answers within 2.8 s or says that the database is not available.

pub mod audit;
pub mod backup;
mod chain;
pub mod changes;
mod confirm;
pub mod detours;
pub mod devices;
mod engine;
pub mod entering;
mod error;
pub mod failure;
mod gathered;
mod importing;
pub mod known_browsers;
pub mod lease;
pub mod lockouts;
mod open;
mod operation_rows;
pub mod operations;
pub mod outbox;
pub mod passwords;
pub mod recovery_codes;
mod schema;
pub mod second_factors;
pub mod sessions;
pub mod signing_keys;
mod sql;
mod sqlite;
mod user_rows;
pub mod users;

use std::sync::Arc;

use tokio::sync::watch;

pub use error::StoreError;

/// The database, open and migrated.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    engine: engine::Engine,
    /// Writes. One connection on SQLite, which has one writer anyway: waiting here is fair, waiting there is not.
    writer: sqlx::AnyPool,
    /// Reads.
    reader: sqlx::AnyPool,
    /// What the audit trail is chained with.
    trail: chain::Trail,
    /// Events that wait to be written together.
    gathered: gathered::Gathered,
    /// Says in this process that a change mark was committed.
    nudge: watch::Sender<u64>,
}

/// How to open a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// Makes and migrates a new one, migrates an old one.
    Migrate,
    /// Refuses one whose schema is not this version's.
    AsIs,
}
