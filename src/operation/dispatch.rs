//! The way out for a confirmed operation.

use async_trait::async_trait;

use super::{Answer, CapturedRequest};
use crate::identity::assertion::OperationClaim;
use crate::policy::Permit;

/// How a delivery ended.
#[derive(Debug)]
pub enum Delivered {
    /// The backend answered.
    Answered(Answer),
    /// Surely nothing was sent (no connection could be made).
    NotSent(String),
    /// May or may not have arrived.
    Unknown(String),
}

/// Sends a confirmed request: implemented by `edge::deliver` with the same backend choice, header rules and identity as every forwarded request.
#[async_trait]
pub trait Deliver: Send + Sync + std::fmt::Debug {
    /// Sends once, never again. `backend` is the sealed one. `answer_limit` bytes of answer are kept.
    async fn deliver(
        &self,
        permit: Permit,
        request: &CapturedRequest,
        claim: &OperationClaim,
        backend: &str,
        answer_limit: usize,
    ) -> Delivered;
}
