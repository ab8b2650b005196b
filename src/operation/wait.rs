//! The state of an operation, and waiting for it to change.

use std::time::Duration;

use super::{OperationError, Operations, State};
use crate::identity::SignedIn;
use crate::time::Timestamp;

/// The longest time between two looks at an operation somebody waits for: change marks are faster.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

// === impl Operations ===

impl Operations {
    /// The state alone, for the requester (polling; wait page; status URL).
    pub async fn state(
        &self,
        id: &str,
        viewer: &SignedIn,
    ) -> Result<(State, Option<String>, Timestamp), OperationError> {
        let row = self.involved(id, viewer).await?.row;
        Ok((row.state, row.reason, row.expires_at))
    }

    /// Waits until the operation has reached a final state or `most` is over; the state then.
    pub async fn wait(&self, id: &str, viewer: &SignedIn, most: Duration) -> Result<State, OperationError> {
        let row = self.involved(id, viewer).await?.row;
        if row.state.is_final() {
            return Ok(row.state);
        }
        self.until_moved(id, most, State::is_final).await
    }

    /// Waits until `enough` of the state, or `most` is over; the state then.
    pub(super) async fn until_moved(
        &self,
        id: &str,
        most: Duration,
        enough: impl Fn(State) -> bool,
    ) -> Result<State, OperationError> {
        let moves = self.parts.hub.moves_of(id);
        let over = tokio::time::sleep(most);
        tokio::pin!(over);
        loop {
            // Registered before the state is read: a move in between is not missed.
            let moved = moves.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            let state = self.store().operation(id).await?.ok_or(OperationError::NotFound)?.state;
            if enough(state) {
                return Ok(state);
            }
            tokio::select! {
                () = &mut over => return Ok(state),
                () = moved => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }
}
