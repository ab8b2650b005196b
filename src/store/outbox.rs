//! SMS and mails to be sent: rows of the same transaction as the change they tell of.
use super::{Store, StoreError};
use crate::secret::Sealed;
use crate::time::Timestamp;
use crate::identity::UserId;
use uuid::Uuid;
/// The encoded message with its address, sealed (Place "outbox", "message", id).
#[derive(Debug)]
pub struct Message;
/// By which channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "plain")]
pub enum Channel { Sms, Mail }
/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OutboxState { /// To be sent at `next_at`.
    Queued, /// Handed to the provider, no word yet; found so at start-up: uncertain.
    Sending, /// The provider accepted it.
    Sent, /// Given up: refused, or its time is over.
    Failed, /// May or may not have been accepted; never sent again by itself.
    Uncertain }
/// A message to be stored.
#[derive(Debug, Clone)]
pub struct NewOutbox { /// UUID v7, text form is the row of the seal.
    pub id: Uuid, /// Channel.
    pub channel: Channel, /// Which message: `operation-asked`, `operation-confirmed`…
    pub kind: &'static str, /// To whom.
    pub user: UserId, /// About which operation.
    pub operation: Option<String>, /// Whether it carries a token (dropped when the operation leaves `waiting` or the token is replaced).
    pub carries_token: bool, /// Sealed.
    pub message: Sealed<Message>, /// Now.
    pub created_at: Timestamp, /// Not sent after.
    pub deadline: Timestamp }
/// A stored message. `message` is emptied once it is final.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "as in NewOutbox")]
pub struct OutboxRow { pub id: Uuid, pub channel: Channel, pub kind: String, pub user: UserId, pub operation: Option<String>, pub carries_token: bool, pub message: Option<Sealed<Message>>, pub state: OutboxState, pub attempts: i64, pub next_at: Timestamp, pub deadline: Timestamp, pub created_at: Timestamp, /// The last failure, for people; no numbers, no payload.
    pub error: Option<String> }
impl Store {
    /// Stores messages that belong to no other change.
    pub async fn queue_messages(&self, messages: &[NewOutbox]) -> Result<(), StoreError> { let _ = messages; todo!() }
    /// Queued and due, oldest first.
    pub async fn due_messages(&self, now: Timestamp, limit: i64) -> Result<Vec<OutboxRow>, StoreError> { let _ = (now, limit); todo!() }
    /// `queued → sending`; true for exactly one caller.
    pub async fn claim_message(&self, id: Uuid, at: Timestamp) -> Result<bool, StoreError> { let _ = (id, at); todo!() }
    /// From `sending` to wherever it ended; `next_at` matters for `Queued` (a retry) only. Final states empty the message.
    pub async fn settle_message(&self, id: Uuid, state: OutboxState, next_at: Timestamp, error: Option<&str>) -> Result<(), StoreError> { let _ = (id, state, next_at, error); todo!() }
    /// At start-up: `sending → uncertain`; how many.
    pub async fn settle_interrupted_messages(&self) -> Result<u64, StoreError> { todo!() }
    /// About one operation, oldest first.
    pub async fn messages_of(&self, operation: &str) -> Result<Vec<OutboxRow>, StoreError> { let _ = operation; todo!() }
}
