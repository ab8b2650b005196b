//! Held operations. Every arrow is one conditional update whose row count is checked.
use super::{Store, StoreError, audit::NewEvent, outbox::NewOutbox};
use crate::identity::{SessionId, UserId};
use crate::secret::{OperationTokenDigest, Sealed};
use crate::time::Timestamp;

/// Where an operation stands. `waiting → confirmed → sending → done`; side exits `denied expired cancelled withdrawn unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words are interface.md's")]
pub enum State { Waiting, Confirmed, Sending, Done, Denied, Expired, Cancelled, Withdrawn, Unknown }

/// The captured request, encoded by `operation::capture`, sealed.
#[derive(Debug)]
pub struct Captured;
/// The backend's answer, encoded by `operation::answer`, sealed.
#[derive(Debug)]
pub struct KeptAnswer;

/// An operation as stored.
#[derive(Debug, Clone)]
pub struct OperationRow { /// 8 digits.
    pub id: String, /// Goes up by one with every arrow; part of nothing sealed.
    pub version: i64, /// Where it stands.
    pub state: State, /// Why it stands there: a stable word (`expired`, `requester-disabled`, `rule-changed`, `seal-broken`…) or the denier's words.
    pub reason: Option<String>, /// Who asked.
    pub requester: UserId, /// In which session.
    pub session: SessionId, /// The requester's `users.epoch` when asked.
    pub requester_epoch: i64, /// Which site.
    pub site: String, /// Which rule.
    pub rule: String, /// Its version when asked.
    pub rule_version: String, /// Which backend, `http://10.0.0.5:8000`.
    pub backend: String, /// Method, for lists (the sealed copy is what counts).
    pub method: String, /// Readable names.
    pub title_en: String, /// Readable names.
    pub title_fr: String, /// How many must confirm.
    pub quorum: i64, /// When asked.
    pub created_at: Timestamp, /// When it expires.
    pub expires_at: Timestamp, /// Wrong tokens so far.
    pub tries: i64, /// The captured request (Place "operations", "captured", id); emptied when it may no longer be needed.
    pub captured: Option<Sealed<Captured>>, /// MAC over all that must not change (Purpose::OperationSeal).
    pub seal: Vec<u8>, /// RFC 9530 digest of the body, as shown.
    pub digest: String, /// When the state was last changed.
    pub changed_at: Timestamp, /// The backend's status, when done.
    pub status: Option<i64>, /// The kept answer (Place "operations", "answer", id).
    pub answer: Option<Sealed<KeptAnswer>>, /// Until when it is kept.
    pub answer_until: Option<Timestamp> }

/// A validator's own token for an operation.
#[derive(Debug, Clone)]
pub struct TokenRow { /// Whose.
    pub validator: UserId, /// What is kept of it.
    pub digest: OperationTokenDigest, /// When made.
    pub issued_at: Timestamp, /// When it ends.
    pub expires_at: Timestamp }

/// A confirmation given.
#[derive(Debug, Clone)]
pub struct Confirmation { /// By whom.
    pub validator: UserId, /// When.
    pub at: Timestamp }

/// A confirmation to be stored.
#[derive(Debug)]
pub struct NewConfirmation<'a> { /// Which operation.
    pub operation: &'a str, /// Who confirms.
    pub validator: UserId, /// The digest that was compared: stored only if it is still that validator's token (used up by it).
    pub token: OperationTokenDigest, /// Now.
    pub at: Timestamp }

/// What storing a confirmation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmed { /// Not waiting any more, or the token was used or replaced in between.
    TooLate, /// Stored; so many of the quorum so far; still waiting.
    Counted(i64), /// Stored, quorum met: the operation is `confirmed` now. Whoever gets this starts the delivery.
    Quorum }

/// An arrow.
#[derive(Debug)]
pub struct Move<'a> { /// Which operation.
    pub operation: &'a str, /// From where.
    pub from: State, /// To where.
    pub to: State, /// Why.
    pub reason: Option<&'a str>, /// Now.
    pub at: Timestamp, /// Notices in the same transaction.
    pub outbox: &'a [NewOutbox], /// Audit in the same transaction.
    pub events: &'a [NewEvent] }

/// How a delivery ended.
#[derive(Debug)]
pub struct Outcome<'a> { /// Which operation.
    pub operation: &'a str, /// Status.
    pub status: i64, /// Kept answer; none when over the limit.
    pub answer: Option<&'a Sealed<KeptAnswer>>, /// Until when.
    pub answer_until: Timestamp, /// Now.
    pub at: Timestamp, /// Notices.
    pub outbox: &'a [NewOutbox], /// Audit.
    pub events: &'a [NewEvent] }

impl Store {
    /// Stores an operation with its tokens and notices. False when the id is taken (try another).
    pub async fn insert_operation(&self, row: &OperationRow, tokens: &[TokenRow], outbox: &[NewOutbox], events: &[NewEvent]) -> Result<bool, StoreError> { let _ = (row, tokens, outbox, events); todo!() }
    /// By id.
    pub async fn operation(&self, id: &str) -> Result<Option<OperationRow>, StoreError> { let _ = id; todo!() }
    /// In any of `states` (all when empty), newest first, at most `limit`; without captured bytes and answers.
    pub async fn operations(&self, states: &[State], limit: i64) -> Result<Vec<OperationRow>, StoreError> { let _ = (states, limit); todo!() }
    /// A requester's, newest first, likewise.
    pub async fn operations_of(&self, requester: UserId, limit: i64) -> Result<Vec<OperationRow>, StoreError> { let _ = (requester, limit); todo!() }
    /// One validator's token.
    pub async fn operation_token(&self, operation: &str, validator: UserId) -> Result<Option<TokenRow>, StoreError> { let _ = (operation, validator); todo!() }
    /// Confirmations given, oldest first.
    pub async fn confirmations(&self, operation: &str) -> Result<Vec<Confirmation>, StoreError> { let _ = operation; todo!() }
    /// Reserves a try while it waits: the number of this try, or none when it does not wait or all `limit` are used.
    pub async fn reserve_token_try(&self, operation: &str, limit: u32) -> Result<Option<u32>, StoreError> { let _ = (operation, limit); todo!() }
    /// Gives back the try of a right token.
    pub async fn give_back_token_try(&self, operation: &str) -> Result<(), StoreError> { let _ = operation; todo!() }
    /// Puts a new token in the place of a validator's old one, while the operation waits; keeps the count of tries. At most one per `not_before` (the last `issued_at` must be before it).
    pub async fn replace_token(&self, operation: &str, token: &TokenRow, not_before: Timestamp, outbox: &[NewOutbox], events: &[NewEvent]) -> Result<bool, StoreError> { let _ = (operation, token, not_before, outbox, events); todo!() }
    /// Stores a confirmation; the token row goes with it. `on_quorum` notices and events are stored only when the quorum is met by this one.
    pub async fn confirm_operation(&self, new: &NewConfirmation<'_>, events: &[NewEvent], on_quorum: (&[NewOutbox], &[NewEvent])) -> Result<Confirmed, StoreError> { let _ = (new, events, on_quorum); todo!() }
    /// Walks an arrow; false when it was not in `from`. Tokens go when it leaves `waiting`; unsent notices that carry tokens are dropped too. Captured bytes go on final states.
    pub async fn move_operation(&self, arrow: &Move<'_>) -> Result<bool, StoreError> { let _ = arrow; todo!() }
    /// `sending → done`.
    pub async fn finish_operation(&self, outcome: &Outcome<'_>) -> Result<bool, StoreError> { let _ = outcome; todo!() }
    /// Ids that wait past their time.
    pub async fn overdue_operations(&self, now: Timestamp) -> Result<Vec<String>, StoreError> { let _ = now; todo!() }
    /// Sets the one-use ticket for the kept answer (a MAC'd value's digest).
    pub async fn set_answer_ticket(&self, operation: &str, ticket: &[u8]) -> Result<bool, StoreError> { let _ = (operation, ticket); todo!() }
    /// Uses it: true for exactly one caller.
    pub async fn use_answer_ticket(&self, operation: &str, ticket: &[u8]) -> Result<bool, StoreError> { let _ = (operation, ticket); todo!() }
    /// Drops answers kept long enough.
    pub async fn drop_old_answers(&self, now: Timestamp) -> Result<u64, StoreError> { let _ = now; todo!() }
}
