//! What time does to operations: they expire, lose their standing, and their answers are dropped.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::leave::Exit;
use super::{Cause, Operations, State};
use crate::identity::SessionId;
use crate::store::StoreError;
use crate::store::operations::OperationRow;
use crate::store::users::UserRow;
use crate::time::Timestamp;

/// How often standing is looked at: looking may take a twentieth of the time, so that ten thousand waiting operations slow
/// nothing down.
#[derive(Debug, Default)]
pub(super) struct Pace {
    next: Option<Instant>,
}

/// Clocks of gateways that share a store may differ by less than this.
const SKEW: Duration = Duration::from_mins(1);
/// Most waiting operations that are looked at.
const LOOKED_AT: i64 = 20_000;
/// Between two droppings of old answers.
const DROP_EVERY: Duration = Duration::from_mins(1);
/// Looking may take one in so many parts of the time.
const SHARE: u32 = 20;

/// Why `row`'s time is over, when it is. A clock that stands before the asking
/// was set back: how long the operation waited is not known any more, so it has waited long enough (HOLD-8).
pub(super) fn over(row: &OperationRow, now: Timestamp) -> Option<Cause> {
    if now >= row.expires_at {
        Some(Cause::Expired)
    } else if now.plus(SKEW) < row.created_at {
        Some(Cause::ClockSetBack)
    } else {
        None
    }
}

// === impl Operations ===

impl Operations {
    /// Expires what is over, withdraws what lost its rights, drops old answers, takes up what is confirmed and not on its way.
    /// Called every second.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        self.expire().await?;
        self.resume().await?;
        if self.is_time_to_look() {
            let begun = Instant::now();
            let looked = self.withdraw_unfounded().await;
            self.pace_by(begun);
            looked?;
        }
        self.drop_answers().await
    }

    /// A session ended by logout or time-out: withdraws what needs it.
    pub async fn session_ended(&self, session: SessionId) -> Result<(), StoreError> {
        if !self.some_rule_needs_sessions() {
            return Ok(());
        }
        for row in self.store().operations(&[State::Waiting], LOOKED_AT).await? {
            if row.session == session {
                self.withdraw_if_unfounded(&row, self.now()).await?;
            }
        }
        Ok(())
    }

    fn some_rule_needs_sessions(&self) -> bool {
        let policy = self.parts.policy.load();
        let mut holds = policy.sites.iter().flat_map(|site| &site.rules).filter_map(|rule| rule.hold.as_ref());
        holds.any(|hold| hold.session_needed)
    }

    async fn expire(&self) -> Result<(), StoreError> {
        let origin = self.own_origin();
        for id in self.store().overdue_operations(self.now()).await? {
            if let Some(row) = self.store().operation(&id).await?.filter(|row| row.state == State::Waiting) {
                self.leave(&row, Exit::told(State::Expired, Cause::Expired), &origin).await?;
            }
        }
        Ok(())
    }

    /// Requesters are read once, however many operations they wait for.
    async fn withdraw_unfounded(&self) -> Result<(), StoreError> {
        let now = self.now();
        let mut requesters: HashMap<_, Option<UserRow>> = HashMap::new();
        for row in self.store().operations(&[State::Waiting], LOOKED_AT).await? {
            let requester = match requesters.entry(row.requester) {
                Entry::Occupied(known) => known.get().clone(),
                Entry::Vacant(unknown) => unknown.insert(self.store().user(row.requester).await?).clone(),
            };
            let stands = super::standing::stands(&self.parts.policy.load(), &row, requester, now);
            let needs_session = stands
                .as_ref()
                .is_ok_and(|standing| standing.rule.hold.as_ref().is_some_and(|hold| hold.session_needed));
            if stands.is_err() || needs_session || over(&row, now).is_some() {
                self.withdraw_if_unfounded(&row, now).await?;
            }
        }
        Ok(())
    }

    async fn withdraw_if_unfounded(&self, row: &OperationRow, now: Timestamp) -> Result<(), StoreError> {
        let origin = self.own_origin();
        if let Some(cause) = over(row, now) {
            self.leave(row, Exit::told(State::Expired, cause), &origin).await?;
        } else if let Err(why) = self.standing(row, now).await? {
            self.withdraw(row, why, &origin).await?;
        }
        Ok(())
    }

    async fn drop_answers(&self) -> Result<(), StoreError> {
        let now = self.now();
        let last = Timestamp::from_millis(self.parts.answers_dropped_at.load(Ordering::Relaxed));
        if now.since(last) < DROP_EVERY && last <= now {
            return Ok(());
        }
        self.store().drop_old_answers(now).await?;
        self.parts.answers_dropped_at.store(now.as_millis(), Ordering::Relaxed);
        Ok(())
    }

    fn is_time_to_look(&self) -> bool {
        let pace = self.parts.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.next.is_none_or(|next| Instant::now() >= next)
    }

    fn pace_by(&self, begun: Instant) {
        let mut pace = self.parts.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.next = Some(Instant::now() + begun.elapsed() * SHARE);
    }
}
