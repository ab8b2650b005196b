//! The audit trail: one event per act, chained, provable.
//!
//! Domain code builds a [`NewEvent`] here and hands it to the store method that makes the change, so that no act is without its line.
pub mod export;
pub use crate::store::audit::{EventRow, NewEvent};
use std::net::IpAddr;
use crate::identity::UserId;
use crate::time::Timestamp;

/// Where an act comes from: who, by which door, from where, when. Passed down from edge, portal or command line.
#[derive(Debug, Clone)]
pub struct Origin {
    /// When.
    pub now: Timestamp,
    /// Who acts; none when not known yet or the command line.
    pub actor: Option<UserId>,
    /// `page`, `api`, `command`, `gateway`.
    pub door: &'static str,
    /// From where.
    pub address: Option<IpAddr>,
    /// The request's id.
    pub request_id: Option<String>,
}

impl Origin {
    /// An event of this origin. Add to it with the builder methods of [`NewEvent`].
    pub fn event(&self, act: &'static str, result: &'static str) -> NewEvent { let _ = (act, result); todo!() }
}
impl NewEvent {
    /// About a user.
    pub fn about(mut self, user: UserId) -> Self { self.user = Some(user); self }
    /// About something else.
    pub fn on(mut self, target: impl Into<String>) -> Self { self.target = Some(target.into()); self }
    /// With a detail; values are cut to 200 characters.
    pub fn with(self, key: &'static str, value: impl Into<serde_json::Value>) -> Self { let _ = (key, value.into()); todo!() }
}
