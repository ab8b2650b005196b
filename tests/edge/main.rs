//! The edge by itself: deadlines, bounds, bodies, backends that fail, listeners, and stopping. On loopback, with raw bytes,
//! with deadlines short enough to be waited for.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "shared by several test programs; each uses its part")]
mod support;

mod world;

mod backends;
mod bodies;
mod deadlines;
mod listeners;
mod operations_port;
mod stopping;
