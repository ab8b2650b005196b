//! The audit trail's rows. Appended inside the transaction of what they tell; chained by HMAC (Purpose::AuditChain) over the previous link and the row's canonical bytes.
use std::net::IpAddr;
use super::{Store, StoreError};
use crate::identity::UserId;
use crate::time::Timestamp;

/// An event to append. Texts name no secrets; people are named by id alone, so that anonymising a user needs no change here.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// When.
    pub at: Timestamp,
    /// Who did it; none: the gateway itself, the command line, or somebody unknown.
    pub actor: Option<UserId>,
    /// By which door: `page`, `api`, `command`, `gateway`.
    pub door: &'static str,
    /// What: a dotted stable name, `login.refused`.
    pub act: &'static str,
    /// To whom, when to a user.
    pub user: Option<UserId>,
    /// To what else: an operation's id, a session's id, a rule.
    pub target: Option<String>,
    /// `ok`, `refused` or `failed`.
    pub result: &'static str,
    /// From where.
    pub address: Option<IpAddr>,
    /// The request's id.
    pub request_id: Option<String>,
    /// The rest, a JSON object; bounded to 4 KiB by the audit module.
    pub details: serde_json::Value,
}

/// A stored event.
#[derive(Debug, Clone, serde::Serialize)]
pub struct EventRow { /// From 1, without gaps.
    pub seq: i64, /// When.
    pub at: Timestamp, /// Who.
    pub actor: Option<UserId>, /// Door.
    pub door: String, /// Act.
    pub act: String, /// Whom.
    pub user: Option<UserId>, /// What.
    pub target: Option<String>, /// Result.
    pub result: String, /// Address.
    pub address: Option<String>, /// Request id.
    pub request_id: Option<String>, /// Details, JSON text as chained.
    pub details: String, /// This row's link, 32 bytes hex.
    pub link: String }

/// The first broken place of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainState { /// Whole, so many events.
    Whole(i64), /// Broken at this sequence number, and how.
    Broken { seq: i64, what: &'static str } }

impl Store {
    /// Appends events that belong to no other change (a refused login).
    pub async fn append_events(&self, events: &[NewEvent]) -> Result<(), StoreError> { let _ = events; todo!() }
    /// Events after `after`, oldest first, at most `limit`.
    pub async fn events(&self, after: i64, limit: i64) -> Result<Vec<EventRow>, StoreError> { let _ = (after, limit); todo!() }
    /// Walks the whole chain, the head (seq and its MAC kept apart) included.
    pub async fn verify_chain(&self) -> Result<ChainState, StoreError> { todo!() }
}
