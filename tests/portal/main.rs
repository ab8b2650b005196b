//! The portal as people and programs meet it: its router over real parts on a SQLite store, with a clock that the tests own.
//!
//! * [`gate::Gate`] is an installation: users, policy, operations, portal. * [`person::Person`] is somebody at a browser: keeps
//!   cookies, reads forms, fills them in. What the edge does is done here as the edge does it: the session cookie is looked up
//!   and handed over as a `Visit`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod account;
mod devices;
#[path = "../support/elsewhere.rs"]
#[expect(dead_code, reason = "the whole list is tried on whole gateways")]
mod elsewhere;
mod forgery;
mod gate;
mod headers;
mod operations;
mod own_factor;
mod passwords;
mod person;
mod programs;
mod sign_in;
