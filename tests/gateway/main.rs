//! Whole gateways under attack and under use. Ids of the attack cases are in the tests' names.

#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "shared by several test programs; each uses its part")]
mod support;

mod client;
mod world;

mod accounts;
mod framing;
mod headers;
mod hold;
mod identity;
mod logs;
mod paths;
mod sessions;
mod streams;
mod web;
