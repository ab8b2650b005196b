//! Vantail: a reverse-proxy authentication gateway that **holds** a sensitive request until a token validator confirms it.
pub mod audit;
pub mod config;
pub mod identity;
pub mod policy;
pub mod secret;
pub mod store;
pub mod time;
