//! Vantail: a reverse-proxy authentication gateway that **holds** a sensitive request until a token validator confirms it.
#[macro_use]
mod words;

pub mod account;
pub mod app;
pub mod audit;
pub mod cli;
pub mod config;
pub mod demo;
pub mod edge;
pub mod identity;
pub mod notify;
pub mod operation;
pub mod policy;
pub mod portal;
pub mod secret;
pub mod session;
pub mod store;
pub mod test_points;
pub mod time;
