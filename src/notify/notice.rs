//! What there is to tell of an operation or of an account, and when.

use std::net::IpAddr;
use std::time::Duration;

use super::news::News;

use crate::secret::OperationToken;
use crate::time::Timestamp;

/// How long a mail is worth sending.
const MAIL_WORTH_SENDING: Duration = Duration::from_hours(24);

/// One notice.
#[derive(Debug, Clone)]
pub enum Notice<'a> {
    /// SMS to a validator, with their token.
    OperationAsked {
        /// The operation's id.
        operation: &'a str,
        /// Its name, in the person's language.
        title: &'a str,
        /// The requester's user name.
        requester: &'a str,
        /// The validator's own token.
        token: &'a OperationToken,
        /// How long it lives.
        minutes: u64,
    },
    /// SMS to every validator.
    OperationConfirmed {
        /// The operation's id.
        operation: &'a str,
        /// Its name, in the person's language.
        title: &'a str,
        /// The user names of those who confirmed, set apart by commas.
        confirmed_by: &'a str,
    },
    /// Mail to the requester: what became of it.
    OperationEnded {
        /// The operation's id.
        operation: &'a str,
        /// Its name, in the person's language.
        title: &'a str,
        /// The state's stable word.
        state: &'a str,
        /// A stable word, or a denier's own words.
        reason: Option<&'a str>,
    },
    /// Mail to the owner of an account.
    Account {
        /// What about it.
        news: News<'a>,
        /// When it was.
        at: Timestamp,
        /// From where; none for a command.
        address: Option<IpAddr>,
    },
}

/// When a notice is made, and after which moment it is not worth sending.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Now.
    pub now: Timestamp,
    /// Not sent after.
    pub deadline: Timestamp,
}

// === impl Times ===

impl Times {
    /// Of a mail that is made at `now`.
    pub fn of_mail(now: Timestamp) -> Self {
        Self { now, deadline: now.plus(MAIL_WORTH_SENDING) }
    }
}

// === impl Notice ===

impl Notice<'_> {
    /// The stable name of the message.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::OperationAsked { .. } => "operation-asked",
            Self::OperationConfirmed { .. } => "operation-confirmed",
            Self::OperationEnded { .. } => "operation-ended",
            Self::Account { news, .. } => news.kind(),
        }
    }

    /// The operation it is about: its id and its name.
    pub(super) fn operation(&self) -> Option<(&str, &str)> {
        match self {
            Self::OperationAsked { operation, title, .. }
            | Self::OperationConfirmed { operation, title, .. }
            | Self::OperationEnded { operation, title, .. } => Some((operation, title)),
            Self::Account { .. } => None,
        }
    }

    /// Whether a token is in it: sent once, and to one telephone.
    pub(super) fn carries_token(&self) -> bool {
        matches!(self, Self::OperationAsked { .. })
    }
}
