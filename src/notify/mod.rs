//! What is told to people: SMS and mails, from outbox rows.
//!
//! * A **message** is a text with `${tags}` ([`template`]), in English and French ([`catalogue`]).
//! * A **notice** is one message filled for one person, in their language, sealed into an outbox row ([`Notices`]). The row
//!   is stored in the transaction of what it tells of: nothing is told that did not happen, nothing happens untold.
//! * A **driver** ([`sms`], [`mail`]) hands one message to a provider and says what became of it ([`Sent`]).
//! * The **worker** claims a row, hands it to its driver, settles the row. It tries again what was surely not accepted,
//!   and never what may have been.
//!
//! Neither numbers nor addresses nor texts are ever logged: they carry tokens.

pub mod catalogue;
pub mod html;
pub mod mail;
pub mod messages;
pub mod sms;
pub mod template;
pub mod worker;

pub use catalogue::Catalogue;
pub use messages::{Notice, Notices};
pub use worker::Worker;

/// What a driver's try came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// Accepted by the provider.
    Accepted,
    /// Surely not accepted: try again later. The text names no number and no payload.
    NotNow(String),
    /// Surely not accepted, and will not be.
    Refused(String),
    /// May have been accepted: never sent again.
    Unknown(String),
}
