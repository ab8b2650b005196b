//! The store's suite: every test runs on SQLite and on a real PostgreSQL.
//!
//! Each test has a database of its own. `both!` makes two tests of one function that takes a [`Base`].

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

#[path = "../support/postgres.rs"]
mod postgres;

mod audit;
mod base;
mod changes;
mod damage;
mod detours;
mod devices;
mod gathered;
mod known_browsers;
mod lockouts;
mod made;
mod migrating;
mod operations;
mod outbox;
mod passwords;
mod recovery_codes;
mod second_factors;
mod serving;
mod sessions;
mod signing_keys;
mod users;
