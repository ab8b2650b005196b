//! Whole gateways under attack and under use. Ids of the attack cases are in the tests' names.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "shared by several test programs; each uses its part")]
mod support;

mod world;

mod accounts;
mod floods;
mod framing;
mod headers;
mod hold;
mod identity;
mod live;
mod logs;
mod messages;
mod operations_port;
mod passwords;
mod paths;
mod remembered;
mod second_factor;
mod sessions;
mod stepup;
mod streams;
mod waiting;
mod web;
