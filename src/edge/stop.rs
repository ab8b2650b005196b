//! The end of a request that is not forwarded: what the client is told, and what the log is told.
//!
//! Everything on the request's path that says no returns a [`Stop`]; one place (`Gateway::refuse`) turns it into a page
//! or a problem document. The two messages differ on purpose: the client learns what to do, the log learns why.

use std::borrow::Cow;

use super::room::NoRoom;
use crate::operation::{DetourError, OperationError};
use crate::policy::{NotCanonical, Refusal};
use crate::portal::Refused;
use crate::store::StoreError;

/// Why a request goes no further.
#[derive(Debug)]
pub(super) struct Stop {
    /// What the client is told.
    pub told: Refused,
    /// What the log is told.
    pub because: Cow<'static, str>,
}

/// What to try again after, in seconds, when the store is away or no room is left.
const RETRY_AFTER: u32 = 5;

// === impl Stop ===

impl Stop {
    pub fn new(told: Refused, because: impl Into<Cow<'static, str>>) -> Self {
        Self { told, because: because.into() }
    }

    /// 400, with the reason in the page too: it is about the client's own bytes.
    pub fn bad_request(because: &'static str) -> Self {
        Self::new(Refused::BadRequest(because), because)
    }

    pub fn not_found(because: &'static str) -> Self {
        Self::new(Refused::NotFound, because)
    }

    pub fn internal(because: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Refused::Internal, because)
    }

    pub fn unavailable(because: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Refused::Unavailable { retry_after: RETRY_AFTER }, because)
    }
}

impl From<NotCanonical> for Stop {
    fn from(error: NotCanonical) -> Self {
        Self::bad_request(error.0)
    }
}

impl From<NoRoom> for Stop {
    fn from(error: NoRoom) -> Self {
        Self::unavailable(error.to_string())
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::unavailable(format!("the store: {error}"))
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoRule => Self::new(Refused::Forbidden, "no rule of the site matches"),
            Refusal::Denied { rule } => Self::new(Refused::Forbidden, format!("rule \"{rule}\" denies it")),
            Refusal::Network { rule: None } => Self::new(Refused::Forbidden, "outside the site's networks"),
            Refusal::Network { rule: Some(rule) } => {
                Self::new(Refused::Forbidden, format!("outside the networks of rule \"{rule}\""))
            }
            Refusal::NotAllowed { rule } => {
                Self::new(Refused::Forbidden, format!("rule \"{rule}\" is for other users or groups"))
            }
            Refusal::UnreadableBody(why) => Self::bad_request(why),
            Refusal::UnsupportedBody(why) => Self::new(Refused::UnsupportedMediaType(why), why),
        }
    }
}

impl From<DetourError> for Stop {
    fn from(error: DetourError) -> Self {
        match error {
            DetourError::Store(error) => error.into(),
            DetourError::SealBroken => Self::new(Refused::NotKept, error.to_string()),
        }
    }
}

impl From<OperationError> for Stop {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::Store(error) => error.into(),
            OperationError::NotFound => Self::not_found("no such operation for this person"),
            OperationError::TooMany => Self::new(Refused::TooManyRequests { retry_after: 60 }, error.to_string()),
            OperationError::NotAllowed(why) => Self::new(Refused::Forbidden, why.as_str()),
            other => Self::internal(other.to_string()),
        }
    }
}
