//! Sessions that somebody else ends: what was asked in them loses its ground (H10, HOLD-9).
//!
//! A requester's own logout or time-out is not one of these, unless the rule says `session_needed`. That they end *another*
//! session of theirs is: most often because they do not know whose it is.

use super::{Cause, Operations, State};
use crate::audit::{NewEvent, Origin};
use crate::identity::{DeviceId, SessionId, UserId};
use crate::store::StoreError;
use crate::store::devices::Forgetting;

/// Why, in the trail.
const BY_ADMINISTRATOR: &str = "ended by an administrator";
/// The same, of one's own.
const BY_OWNER: &str = "ended by its owner";

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
        self.withdraw_asked_in(user, |session| only.is_none_or(|only| only == session), origin).await?;
        if let Some(session) = only {
            return Ok(u64::from(self.end_one(user, session, BY_ADMINISTRATOR, origin).await?));
        }
        let event = ended(user, BY_ADMINISTRATOR, origin).on("all");
        self.store().end_sessions_of(user, None, &[event]).await
    }

    /// Ends one of a user's own sessions in the name of the user, with the device it belongs to; false when it was gone, or is
    /// somebody else's.
    pub async fn end_own_session(&self, user: UserId, session: SessionId, origin: &Origin) -> Result<bool, StoreError> {
        if self.store().session_by_id(session).await?.is_none_or(|row| row.user != user) {
            return Ok(false);
        }
        self.withdraw_asked_in(user, |asked_in| asked_in == session, origin).await?;
        self.end_one(user, session, BY_OWNER, origin).await
    }

    /// Ends all of a user's own sessions but `keep`, and forgets all devices but the one it belongs to; how many sessions
    /// ended.
    pub async fn end_other_sessions(&self, user: UserId, keep: SessionId, origin: &Origin) -> Result<u64, StoreError> {
        self.withdraw_asked_in(user, |session| session != keep, origin).await?;
        let event = ended(user, BY_OWNER, origin).on("all others");
        self.store().end_sessions_of(user, Some(keep), &[event]).await
    }

    /// Forgets a user's remembered device and ends its sessions, in the name of `origin`: its owner when somebody acts, else
    /// an administrator; false when it was gone, or is somebody else's.
    pub async fn forget_device(&self, user: UserId, device: DeviceId, origin: &Origin) -> Result<bool, StoreError> {
        let belongs = |of: Option<DeviceId>| of == Some(device);
        self.withdraw_asked_on(user, belongs, origin).await?;
        let reason = if origin.actor.is_some() { BY_OWNER } else { BY_ADMINISTRATOR };
        let forgotten = [forgotten(user, reason, origin).on(device.to_string())];
        let forgetting = Forgetting { forgotten: &forgotten, ended: ended(user, reason, origin), outbox: &[] };
        Ok(self.store().forget_device(user, device, &forgetting).await?.is_some())
    }

    /// Forgets a user's devices but `keep`, and ends their sessions, in the name of the user; how many were forgotten.
    pub async fn forget_other_devices(
        &self,
        user: UserId,
        keep: Option<DeviceId>,
        origin: &Origin,
    ) -> Result<u64, StoreError> {
        self.withdraw_asked_on(user, |of| of.is_some() && of != keep, origin).await?;
        let forgotten = [forgotten(user, BY_OWNER, origin).on("all others")];
        let forgetting = Forgetting { forgotten: &forgotten, ended: ended(user, BY_OWNER, origin), outbox: &[] };
        self.store().forget_devices_of(user, keep, &forgetting).await
    }

    /// Withdraws what a user asked for, and nobody has confirmed yet, in sessions that `ends` says are lost.
    pub async fn withdraw_asked_in(
        &self,
        user: UserId,
        ends: impl Fn(SessionId) -> bool,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        for row in self.store().operations_of(user, LOOKED_AT).await? {
            if row.state == State::Waiting && ends(row.session) {
                let whole = self.store().operation(&row.id).await?;
                if let Some(row) = whole.filter(|row| row.state == State::Waiting) {
                    self.withdraw(&row, Cause::SessionEnded, origin).await?;
                }
            }
        }
        Ok(())
    }

    async fn withdraw_asked_on(
        &self,
        user: UserId,
        ends: impl Fn(Option<DeviceId>) -> bool,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        let sessions = self.store().sessions(Some(user)).await?;
        let lost: Vec<_> = sessions.iter().filter(|row| ends(row.memory.device())).map(|row| row.id).collect();
        self.withdraw_asked_in(user, |session| lost.contains(&session), origin).await
    }

    async fn end_one(
        &self,
        user: UserId,
        session: SessionId,
        reason: &'static str,
        origin: &Origin,
    ) -> Result<bool, StoreError> {
        let row = self.store().session_by_id(session).await?;
        let device = row.and_then(|row| row.memory.device());
        let device = device.map(|device| forgotten(user, reason, origin).on(device.to_string()));
        let events: Vec<_> = [ended(user, reason, origin).on(session.to_string())].into_iter().chain(device).collect();
        self.store().end_session(session, &events).await
    }
}

fn ended(user: UserId, reason: &'static str, origin: &Origin) -> NewEvent {
    origin.event("session.ended", "ok").about(user).with("reason", reason)
}

fn forgotten(user: UserId, reason: &'static str, origin: &Origin) -> NewEvent {
    origin.event("device.forgotten", "ok").about(user).with("reason", reason)
}
