//! Sessions, by digest.
use super::{Store, StoreError, audit::NewEvent};
use crate::identity::{Amr, SessionId, UserId};
use crate::secret::SessionDigest;
use crate::time::Timestamp;
use std::net::IpAddr;
/// How far a sign-in has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage { /// Password given, second factor still to come: opens nothing but its own page.
    SecondFactor, /// Password given, must enrol a second factor first.
    Enrol, /// Proven, but the password is a temporary one: it must be changed first. As text `change-password`.
    ChangePassword, /// Signed in.
    Live }
/// A session as stored.
#[derive(Debug, Clone)]
pub struct SessionRow { /// What the cookie digests to.
    pub digest: SessionDigest, /// Public id; stays the same when the token is rotated.
    pub id: SessionId, /// Whose.
    pub user: UserId, /// How far.
    pub stage: Stage, /// Proofs, in order.
    pub amr: Vec<Amr>, /// When proven from the start.
    pub auth_time: Timestamp, /// Second factor's moment.
    pub second_factor_at: Option<Timestamp>, /// Made.
    pub created_at: Timestamp, /// Last use that counts (kept by `touch_sessions`, in batches).
    pub last_seen: Timestamp, /// Ends then, whatever happens.
    pub expires_at: Timestamp, /// From where it was made.
    pub address: Option<IpAddr>, /// The browser's own words, cut to 200 characters.
    pub user_agent: String }
impl Store {
    /// Stores a new session; beyond `maximum` live ones of that user the oldest end in the same transaction (change marks written).
    pub async fn insert_session(&self, row: &SessionRow, maximum: Option<u32>, events: &[NewEvent]) -> Result<(), StoreError> { let _ = (row, maximum, events); todo!() }
    /// Puts `new` in the place of the session with digest `old`, in one step; false when `old` is gone (nothing is stored then).
    pub async fn rotate_session(&self, old: SessionDigest, new: &SessionRow, events: &[NewEvent]) -> Result<bool, StoreError> { let _ = (old, new, events); todo!() }
    /// By digest.
    pub async fn session(&self, digest: SessionDigest) -> Result<Option<SessionRow>, StoreError> { let _ = digest; todo!() }
    /// By public id.
    pub async fn session_by_id(&self, id: SessionId) -> Result<Option<SessionRow>, StoreError> { let _ = id; todo!() }
    /// A user's, newest first; everybody's when none is named.
    pub async fn sessions(&self, user: Option<UserId>) -> Result<Vec<SessionRow>, StoreError> { let _ = user; todo!() }
    /// Ends one; false when it was gone. Writes a change mark.
    pub async fn end_session(&self, id: SessionId, events: &[NewEvent]) -> Result<bool, StoreError> { let _ = (id, events); todo!() }
    /// Ends a user's, all but `keep`; how many.
    pub async fn end_sessions_of(&self, user: UserId, keep: Option<SessionId>, events: &[NewEvent]) -> Result<u64, StoreError> { let _ = (user, keep, events); todo!() }
    /// Moves `last_seen` forward (never back).
    pub async fn touch_sessions(&self, seen: &[(SessionId, Timestamp)]) -> Result<(), StoreError> { let _ = seen; todo!() }
    /// Deletes those past `expires_at` or not seen since `idle_since`; their ids.
    pub async fn delete_dead_sessions(&self, now: Timestamp, idle_since: Option<Timestamp>) -> Result<Vec<SessionId>, StoreError> { let _ = (now, idle_since); todo!() }
}
