//! Sessions that somebody else ends: what was asked in them loses its ground (H10, HOLD-9).
//!
//! A requester's own logout or time-out is not one of these, unless the rule says `session_needed`.

use super::{Cause, Operations, State};
use crate::audit::Origin;
use crate::identity::{SessionId, UserId};
use crate::store::StoreError;

/// More operations of one user than these do not wait.
const LOOKED_AT: i64 = 20_000;

impl Operations {
    /// Ends a user's sessions in the name of `origin` (an administrator, the command line): all, or `only` one. What was
    /// asked in them is withdrawn first, so that nothing is confirmed in between. How many ended.
    pub async fn end_sessions(
        &self,
        user: UserId,
        only: Option<SessionId>,
        origin: &Origin,
    ) -> Result<u64, StoreError> {
        for row in self.store().operations_of(user, LOOKED_AT).await? {
            if row.state == State::Waiting && only.is_none_or(|session| session == row.session) {
                let whole = self.store().operation(&row.id).await?;
                if let Some(row) = whole.filter(|row| row.state == State::Waiting) {
                    self.withdraw(&row, Cause::SessionEnded, origin).await?;
                }
            }
        }
        let event = origin.event("session.ended", "ok").about(user).with("reason", "ended by an administrator");
        match only {
            Some(session) => {
                let event = event.on(session.to_string());
                Ok(u64::from(self.store().end_session(session, &[event]).await?))
            }
            None => self.store().end_sessions_of(user, None, &[event.on("all")]).await,
        }
    }
}
