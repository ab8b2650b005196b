//! What is told to people: SMS and mails, from outbox rows.
//!
//! * A **message** is a text with `${tags}` ([`template`]), in English and French ([`catalogue`]).
//! * A **notice** is one message filled for one person, in their language, sealed into an outbox row ([`Notices`]). The row
//!   is stored in the transaction of what it tells of: nothing is told that did not happen, nothing happens untold.
//! * A **driver** ([`sms`], [`mail`]) hands one message to a provider and says what became of it ([`Sent`]).
//! * The **worker** claims a row, hands it to its driver, settles the row. It tries again what was surely not accepted,
//!   and never what may have been.
//!
//! Neither numbers nor addresses nor texts are ever logged: they carry tokens. What a provider answered is logged, and shown
//! to nobody: people read a [`Failure`] in their own language.

pub mod catalogue;
pub mod html;
pub mod mail;
pub mod messages;
pub mod news;
pub mod notice;
mod plain;
pub mod sms;
pub mod template;
pub mod worker;

pub use catalogue::Catalogue;
pub use messages::Notices;
pub use news::{FactorNews, News};
pub use notice::{Notice, Times};
pub use worker::Worker;

use std::borrow::Cow;

use crate::store::failure::Failure;

/// What a driver's try came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// Accepted by the provider.
    Accepted,
    /// Surely not accepted: try again later.
    NotNow(Trouble),
    /// Surely not accepted, and will not be.
    Refused(Trouble),
    /// May have been accepted: never sent again.
    Unknown(Trouble),
}

/// What went wrong with a try: a word for people, and the provider's own answer for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What is stored and shown, in the reader's language.
    pub failure: Failure,
    /// What the log is told; it names no number and no payload.
    pub detail: Cow<'static, str>,
}

// === impl Trouble ===

impl Trouble {
    /// Of both.
    pub fn new(failure: Failure, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { failure, detail: detail.into() }
    }
}
