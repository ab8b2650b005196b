//! Sessions known in process.
use std::sync::Arc;
use crate::identity::{SessionId, SignedIn, UserId};
use crate::policy::security;
use crate::secret::SessionToken;
use crate::store::{Store, StoreError, sessions::{SessionRow, Stage}};
use crate::time::Timestamp;
/// What a session cookie stood for.
#[derive(Debug, Clone)]
pub enum Presented { /// No cookie of ours.
    Nothing, /// A cookie, of no session that lives.
    Dead, /// A sign-in on its way: opens nothing but its own next page.
    Pending { /// The row.
        row: Arc<SessionRow> }, /// A live session.
    Live(Arc<SignedIn>) }
/// The cache over the store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sessions {}
impl Sessions {
    /// Over `store`.
    pub fn new(store: Store) -> Self { let _ = store; todo!() }
    /// Looks a cookie up: in process (about 60 ns), else in the store. `counts` says whether this is use (polling is not): then the idle end moves. Users that may not act any more: `Dead`. While changes cannot be followed, asks the store every time.
    pub async fn look_up(&self, token: &SessionToken, limits: &security::Sessions, now: Timestamp, counts: bool) -> Result<Presented, StoreError> { let _ = (token, limits, now, counts, Stage::Live); todo!() }
    /// Forgets a session (it ended or was rotated), wherever the news comes from; cancels what is tied to it.
    pub fn forget(&self, session: SessionId) { let _ = session; }
    /// Forgets all of a user's.
    pub fn forget_user(&self, user: UserId) { let _ = user; }
    /// Forgets all and asks the store each time until `trust(true)`.
    pub fn trust(&self, trusted: bool) { let _ = trusted; }
    /// Writes the last uses that are not written yet. Called every few seconds and at the end.
    pub async fn write_last_seen(&self) -> Result<(), StoreError> { todo!() }
    /// How many are known in process.
    pub fn known(&self) -> usize { 0 }
    /// Resolves when the session ends (forgotten because ended, or its absolute/idle end passes at the next look): live connections race it.
    pub async fn ended(&self, session: SessionId) { let _ = session; todo!() }
}
