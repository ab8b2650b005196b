//! Held operations over a real store: from asking to delivery, and every way out in between.
//!
//! Real parts: SQLite, policy files, accounts, sealing, notices, the worker. A test owns the clock, and the way out towards
//! the backend, which counts.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod asking;
mod confirming;
mod delivering;
mod installation;
mod looking;
mod outbox;
mod over_time;
