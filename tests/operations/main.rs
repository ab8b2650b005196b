//! Held operations over a real store: from asking to delivery, and every way out in between.
//!
//! Real parts: SQLite, policy files, accounts, sealing, notices, the worker. A test owns the clock, and the way out towards
//! the backend, which counts.

mod asking;
mod confirming;
mod delivering;
mod installation;
mod looking;
mod outbox;
mod over_time;
