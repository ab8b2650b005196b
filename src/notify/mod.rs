//! What is told to people: SMS and mails, from outbox rows.
//!
//! A **message** is a template filled in the person's language. It becomes an outbox row in the transaction of what it tells; the **worker** hands rows to the **drivers**, retries what
//! was surely not accepted, and never sends again what may have been.
pub mod mail;
pub mod messages;
pub mod sms;
pub mod worker;
pub use messages::{Notice, Notices};
pub use worker::Worker;

/// What a driver's try came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent { /// Accepted by the provider.
    Accepted, /// Surely not accepted: try again later.
    NotNow(String), /// Surely not accepted, and will not be.
    Refused(String), /// May have been accepted.
    Unknown(String) }
