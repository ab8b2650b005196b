//! What there is to tell, and when.

use crate::secret::OperationToken;
use crate::time::Timestamp;

/// One notice: most are about an operation.
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
    /// Mail to the owner of a remembered device: an old value of it was used, and it has ended.
    DeviceReused {
        /// When.
        at: Timestamp,
        /// From where; empty when nobody knows.
        address: &'a str,
        /// The browser that used it, in words.
        browser: &'a str,
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

// === impl Notice ===

impl Notice<'_> {
    /// The stable name of the message.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::OperationAsked { .. } => "operation-asked",
            Self::OperationConfirmed { .. } => "operation-confirmed",
            Self::OperationEnded { .. } => "operation-ended",
            Self::DeviceReused { .. } => "device-reused",
        }
    }

    /// The operation it is about.
    pub(super) fn operation(&self) -> Option<&str> {
        match self {
            Self::OperationAsked { operation, .. }
            | Self::OperationConfirmed { operation, .. }
            | Self::OperationEnded { operation, .. } => Some(operation),
            Self::DeviceReused { .. } => None,
        }
    }

    /// That one's name; empty where there is none.
    pub(super) fn title(&self) -> &str {
        match self {
            Self::OperationAsked { title, .. }
            | Self::OperationConfirmed { title, .. }
            | Self::OperationEnded { title, .. } => title,
            Self::DeviceReused { .. } => "",
        }
    }

    /// Whether a token is in it: sent once, and to one telephone.
    pub(super) fn carries_token(&self) -> bool {
        matches!(self, Self::OperationAsked { .. })
    }
}
