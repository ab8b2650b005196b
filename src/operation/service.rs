//! The acts on operations: what they take, what they give, and what they share.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::hub::Hub;
use super::sweep::Pace;
use super::{CapturedRequest, Deliver, MayNot, State};
use crate::account::Accounts;
use crate::audit::Origin;
use crate::identity::SignedIn;
use crate::notify::Notices;
use crate::policy::{Policy, Rule, Site};
use crate::store::operations::MOST_WAITING;
use crate::store::{Store, StoreError};
use crate::time::{Clock, Timestamp};

/// The service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Operations {
    pub(super) parts: Arc<Parts>,
}

/// What it is made of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) accounts: Accounts,
    pub(super) notices: Notices,
    pub(super) policy: Arc<ArcSwap<Policy>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) deliver: OnceLock<Arc<dyn Deliver>>,
    pub(super) hub: Hub,
    pub(super) pace: Mutex<Pace>,
    pub(super) answers_dropped_at: AtomicI64,
}

/// A request to hold.
#[derive(Debug)]
pub struct Ask {
    /// The site it is for.
    pub site: Arc<Site>,
    /// The rule that holds it.
    pub rule: Arc<Rule>,
    /// Who asks, in which session.
    pub requester: Arc<SignedIn>,
    /// Everything that will be sent.
    pub request: CapturedRequest,
    /// Its readable name.
    pub title_en: String,
    /// Its readable name.
    pub title_fr: String,
    /// The backend chosen when asked.
    pub backend: String,
}

/// What was stored.
#[derive(Debug, Clone)]
pub struct Asked {
    /// 8 digits.
    pub id: String,
    /// Its readable name.
    pub title_en: String,
    /// Its readable name.
    pub title_fr: String,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// No such operation, or not this person's business: the same 404.
    #[error("there is no such operation")]
    NotFound,
    /// It was handled already.
    #[error("the operation is not waiting any more: it is {}", .0.as_str())]
    NotWaiting(State),
    /// Not by this person, or not like this.
    #[error("not allowed: {0}")]
    NotAllowed(MayNot),
    /// Tokens are sent at most every 60 s.
    #[error("a new token can be asked for in {} s", .0.as_secs().max(1))]
    TooSoon(Duration),
    /// As many as may wait for one requester wait already.
    #[error("{MOST_WAITING} operations of this requester wait already")]
    TooMany,
    /// HOLD-3.
    #[error("the record was changed: it is dead")]
    SealBroken,
    /// Nothing can be looked up or stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a confirmation was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    /// As with every other act.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// Counted.
    #[error("the token is not right; {left} tries are left")]
    WrongToken {
        /// How many more may be compared.
        left: u32,
    },
    /// This was the last try, or they were used up before.
    #[error("too many wrong tokens: the operation is cancelled")]
    Dead,
    /// Over all operations.
    #[error("too many wrong tokens by this validator: try again later")]
    ValidatorLocked,
    /// The operation is their own, and the rule lets them.
    #[error("a second factor no older than 5 minutes is needed")]
    NeedsFreshSecondFactor,
}

// === impl Operations ===

impl Operations {
    /// Built once. `policy` gives the policy of the moment. Delivery is bound later (`start`), as the edge is built after.
    pub fn new(accounts: Accounts, notices: Notices, policy: Arc<ArcSwap<Policy>>, clock: Arc<dyn Clock>) -> Self {
        Self {
            parts: Arc::new(Parts {
                accounts,
                notices,
                policy,
                clock,
                deliver: OnceLock::new(),
                hub: Hub::default(),
                pace: Mutex::new(Pace::default()),
                answers_dropped_at: AtomicI64::new(0),
            }),
        }
    }

    /// A change mark said this operation moved (another process): wakes those who wait.
    pub fn moved(&self, id: &str) {
        self.parts.hub.moved(id);
    }

    pub(super) fn store(&self) -> &Store {
        &self.parts.accounts.store
    }

    pub(super) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// Where an act of the gateway's own comes from.
    pub(super) fn own_origin(&self) -> Origin {
        Origin { now: self.now(), actor: None, door: "gateway", address: None, request_id: None }
    }
}

// === impl ConfirmError ===

impl From<StoreError> for ConfirmError {
    fn from(error: StoreError) -> Self {
        Self::Operation(OperationError::Store(error))
    }
}
