//! `vantail demo`: everything on one machine, to try it.
//!
//! * The **application** ([`app`]) is the protected backend, an old one.
//! * The **inbox** ([`inbox`]) is everybody's telephone and mailbox: real receivers, with a page that shows what arrived.
//! * The **people** ([`people`]) have accounts with known passwords; two of them have an authenticator on the inbox's page.
//! * The **files** ([`files`]) are the configuration and the policy the demo's gateway reads, written into its data folder.
//!
//! The gateway in between is the ordinary one: it reads these files as any other, and delivers SMS and mails with the
//! drivers production uses.

pub mod app;
pub mod files;
pub mod inbox;
mod people;
pub mod seed;

pub use app::LegacyApp;
pub use files::{Addresses, write_configuration, write_policies};
pub use inbox::Inbox;
pub use people::{Person, people};
