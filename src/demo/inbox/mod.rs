//! A telephone and mailbox: real receivers that keep what arrives.
//!
//! * A **message** is an SMS or a mail that was accepted.
//! * The **shelf** keeps messages in order of arrival and wakes whoever waits for one.
//! * **Conduct** is how a receiver behaves: it accepts, fails, is slow, or hangs, so that a sender can be seen to cope.
//!
//! Mails come by SMTP ([`smtp`]), SMS by HTTP ([`http`]). The same HTTP address shows everything at `/`, for people, and
//! at `/messages.json`, for programs. The demo and the tests use these same receivers, and the gateway delivers to them
//! with the drivers it uses in production.

mod authenticator;
mod http;
mod mail;
mod page;
mod shelf;
mod smtp;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::time::Timestamp;
use shelf::Shelf;

/// How long [`Inbox::wait_for`] waits before it gives up.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// Running receivers. They stop when this is dropped.
#[derive(Debug)]
pub struct Inbox {
    smtp: SocketAddr,
    http: SocketAddr,
    shelf: Arc<Shelf>,
    _receivers: JoinSet<()>,
}

/// Something that was accepted for one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Counts up from 1 in order of arrival.
    pub id: u64,
    /// By which way it came.
    pub channel: Channel,
    /// The telephone number or mail address it was sent to.
    pub to: String,
    /// The mail's sender as its `From` says; nothing for an SMS.
    pub from: Option<String>,
    /// The mail's subject; nothing for an SMS.
    pub subject: Option<String>,
    /// What a person would read.
    pub text: String,
    /// When it was accepted, in milliseconds since the epoch.
    pub at: Timestamp,
}

/// The way a message comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// A short message, by HTTP.
    Sms,
    /// A mail, by SMTP.
    Mail,
}

/// How a receiver behaves towards each message offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Conduct {
    /// Keeps it and says so.
    #[default]
    Accept,
    /// Refuses it: HTTP 500, SMTP 451. The sender may try again.
    Fail,
    /// Keeps it and says so after this long.
    Slow(Duration),
    /// Does not keep it and never answers.
    Hang,
    /// Keeps it, but the sender never hears so.
    AcceptSilently,
}

/// Nothing that was waited for came in time. Says what did.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such message within {} s; what arrived: {arrived:#?}", waited.as_secs_f32())]
pub struct NotArrived {
    /// How long was waited.
    pub waited: Duration,
    /// Everything on the shelf by then.
    pub arrived: Vec<Message>,
}

// === impl Inbox ===

impl Inbox {
    /// Starts both receivers. Port 0 takes any free port.
    pub async fn start(smtp: SocketAddr, http: SocketAddr) -> io::Result<Self> {
        let (mail_listener, http_listener) = (TcpListener::bind(smtp).await?, TcpListener::bind(http).await?);
        let (smtp, http) = (mail_listener.local_addr()?, http_listener.local_addr()?);
        let shelf = Arc::new(Shelf::default());
        let mut receivers = JoinSet::new();
        receivers.spawn(smtp::receive(mail_listener, Arc::clone(&shelf)));
        receivers.spawn(http::receive(http_listener, Arc::clone(&shelf)));
        Ok(Self { smtp, http, shelf, _receivers: receivers })
    }

    /// Where mails are received.
    pub fn smtp_addr(&self) -> SocketAddr {
        self.smtp
    }

    /// Where SMS are received and everything is shown.
    pub fn http_addr(&self) -> SocketAddr {
        self.http
    }

    /// Everything that arrived, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.shelf.messages()
    }

    /// The oldest message that `matches`, waiting up to [`PATIENCE`] for one to arrive.
    pub async fn wait_for(&self, matches: impl Fn(&Message) -> bool) -> Result<Message, NotArrived> {
        self.wait_for_within(PATIENCE, matches).await
    }

    /// [`Self::wait_for`] with a patience of one's own.
    pub async fn wait_for_within(
        &self,
        patience: Duration,
        matches: impl Fn(&Message) -> bool,
    ) -> Result<Message, NotArrived> {
        tokio::time::timeout(patience, self.shelf.first(matches))
            .await
            .map_err(|_| NotArrived { waited: patience, arrived: self.messages() })
    }

    /// How `channel` behaves from now on.
    pub fn behave(&self, channel: Channel, conduct: Conduct) {
        self.shelf.set_conduct(channel, conduct);
    }

    /// How many messages were offered on `channel`, kept or not.
    pub fn offered(&self, channel: Channel) -> u64 {
        self.shelf.offered(channel)
    }

    /// Says whose a telephone number or mail address is, so that the page can show a name.
    pub fn introduce(&self, name: &str, addresses: &[&str]) {
        self.shelf.introduce(name, addresses);
    }

    /// Shows `name`'s authenticator application on the page: the one-time code of the moment, from `seed`
    /// (RFC 6238 with SHA-1, six digits, 30 seconds).
    pub fn show_authenticator(&self, name: &str, seed: &[u8]) {
        self.shelf.show_authenticator(name, seed);
    }
}

#[cfg(test)]
mod tests;
