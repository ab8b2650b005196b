//! Sessions known in process.
//!
//! A session is **looked up** by its cookie: in process ([`known`]), else in the store. Whoever changes a session or a user
//! has it **forgotten**, so that the next look-up reads the store; while nobody can tell this process of changes, it is not
//! **trusted** and every look-up does. The last use is kept here ([`unwritten`]) and written in batches. Live connections
//! **watch** their session's end ([`watched`]).

mod known;
mod unwritten;
mod watched;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use self::known::{Entry, Known};
use self::unwritten::Unwritten;
use self::watched::{News, Watched};
use crate::identity::{SessionId, SignedIn, UserId};
use crate::policy::security;
use crate::secret::{SessionDigest, SessionToken};
use crate::store::sessions::{SessionRow, Stage};
use crate::store::{Store, StoreError};
use crate::time::Timestamp;

/// What a session cookie stood for.
#[derive(Debug, Clone)]
pub enum Presented {
    /// No cookie of ours.
    Nothing,
    /// A cookie, of no session that lives.
    Dead,
    /// A sign-in on its way: opens nothing but its own next page.
    Pending {
        /// The row.
        row: Arc<SessionRow>,
    },
    /// A live session.
    Live(Arc<SignedIn>),
}

/// The cache over the store. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    known: Known,
    unwritten: Unwritten,
    watched: Watched,
    /// Live connections that ask the store take turns, so that thousands of them do not keep everybody else waiting.
    turns: Semaphore,
}

/// What the store said of a cookie.
enum Loaded {
    Live(Arc<Entry>),
    Pending(SessionRow),
    Nothing,
}

/// How many live connections ask the store at once.
const TURNS: usize = 4;
/// For how long a live connection goes on while the store does not answer: a restart of the database ends none.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a store that did not answer is left alone.
const PAUSE: Duration = Duration::from_millis(500);

// === impl Sessions ===

impl Sessions {
    /// Over `store`.
    pub fn new(store: Store) -> Self {
        let (known, unwritten, watched) = (Known::default(), Unwritten::default(), Watched::default());
        let turns = Semaphore::new(TURNS);
        Self { inner: Arc::new(Inner { store, known, unwritten, watched, turns }) }
    }

    /// Looks a cookie up: in process (about 60 ns beside the digest), else in the store. `counts` says whether this is use
    /// (polling is not): then the idle end moves. Users that may not act any more: `Dead`. While changes cannot be
    /// followed, asks the store every time.
    pub async fn look_up(
        &self,
        token: &SessionToken,
        limits: &security::Sessions,
        now: Timestamp,
        counts: bool,
    ) -> Result<Presented, StoreError> {
        let digest = token.digest();
        let entry = match self.inner.known.get(&digest) {
            Some(entry) => entry,
            None => match Box::pin(self.load(digest, now)).await? {
                Loaded::Live(entry) => entry,
                Loaded::Pending(row) => return Ok(Presented::Pending { row: Arc::new(row) }),
                Loaded::Nothing => return Ok(Presented::Dead),
            },
        };
        Ok(self.used(&entry, limits, now, counts))
    }

    fn used(&self, entry: &Arc<Entry>, limits: &security::Sessions, now: Timestamp, counts: bool) -> Presented {
        if !entry.lives(limits, now) {
            self.inner.known.forget(entry.signed_in.session);
            self.inner.watched.tell(entry.signed_in.session, News::Over);
            return Presented::Dead;
        }
        if counts && entry.touch(now) {
            self.inner.unwritten.put(entry);
        }
        Presented::Live(Arc::clone(&entry.signed_in))
    }

    /// A live connection of `session` was used at `at`: as a request at that moment would have been.
    pub async fn note_use(
        &self,
        session: SessionId,
        limits: &security::Sessions,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let entry = if let Some(entry) = self.inner.known.by_session(session) {
            entry
        } else {
            let Some(row) = self.inner.store.session_by_id(session).await? else { return Ok(()) };
            let Loaded::Live(entry) = self.load(row.digest, at).await? else { return Ok(()) };
            entry
        };
        self.used(&entry, limits, at, true);
        Ok(())
    }

    async fn load(&self, digest: SessionDigest, now: Timestamp) -> Result<Loaded, StoreError> {
        let epoch = self.inner.known.epoch();
        let Some(mut row) = self.inner.store.session(digest).await? else { return Ok(Loaded::Nothing) };
        let Some(user) = self.inner.store.user(row.user).await? else { return Ok(Loaded::Nothing) };
        if row.stage != Stage::Live {
            let lives = now < row.expires_at && user.user.may_act(now);
            return Ok(if lives { Loaded::Pending(row) } else { Loaded::Nothing });
        }
        row.last_seen = self.inner.unwritten.last_seen(row.id).map_or(row.last_seen, |seen| seen.max(row.last_seen));
        let entry = Arc::new(Entry::new(&row, user.user));
        self.inner.known.keep(epoch, &entry);
        Ok(Loaded::Live(entry))
    }

    /// The stored session a cookie stands for, for whoever takes a sign-in further.
    pub async fn row(&self, token: &SessionToken) -> Result<Option<SessionRow>, StoreError> {
        self.inner.store.session(token.digest()).await
    }

    /// Forgets a session (it ended or was rotated), wherever the news comes from; live connections of one that ended are
    /// told.
    pub fn forget(&self, session: SessionId) {
        self.inner.known.forget(session);
        self.inner.watched.tell(session, News::LookAgain);
    }

    /// Forgets all of a user's.
    pub fn forget_user(&self, user: UserId) {
        self.inner.known.forget_user(user);
        self.inner.watched.tell_users(&HashSet::from([user]), News::LookAgain);
    }

    /// `false` (as at first): forgets all and asks the store each time, until `true`, which forgets all too.
    pub fn trust(&self, trusted: bool) {
        self.inner.known.trust(trusted);
        // What ended while nobody could tell us is found now; while nobody can, the store must vouch for each.
        self.inner.watched.tell_all(News::LookAgain);
    }

    /// Writes the last uses that are not written yet. Called every few seconds and at the end.
    pub async fn write_last_seen(&self) -> Result<(), StoreError> {
        let taken = self.inner.unwritten.take();
        if taken.is_empty() {
            return Ok(());
        }
        let seen: Vec<_> = taken.iter().map(|entry| (entry.signed_in.session, entry.written())).collect();
        let outcome = self.inner.store.touch_sessions(&seen).await;
        if outcome.is_err() {
            for entry in taken.iter().filter(|entry| entry.unwritten()) {
                self.inner.unwritten.put(entry);
            }
        }
        outcome
    }

    /// Deletes the sessions whose idle or absolute end has passed, and ends live connections of users whose own end has.
    /// Called every few seconds; those that were deleted.
    pub async fn sweep(&self, limits: &security::Sessions, now: Timestamp) -> Result<Vec<SessionId>, StoreError> {
        self.write_last_seen().await?;
        let idle_since = limits.idle.map(|idle| now.minus(idle));
        let dead = self.inner.store.delete_dead_sessions(now, idle_since).await?;
        for session in &dead {
            self.inner.known.forget(*session);
            self.inner.watched.tell(*session, News::Over);
        }
        if self.watched() > 0 {
            let over = self.inner.store.users_out_of_time(now).await?.into_iter().collect();
            self.inner.watched.tell_users(&over, News::Over);
        }
        Ok(dead)
    }

    /// How many are known in process.
    pub fn known(&self) -> usize {
        self.inner.known.len()
    }

    /// How many live connections depend on.
    pub fn watched(&self) -> usize {
        self.inner.watched.len()
    }

    /// Resolves when the session ends: ended by anybody, or found past its idle or absolute end by a look-up or the next
    /// [`Self::sweep`]. A rotated token does not end it. Live connections race it.
    pub async fn ended(&self, session: SessionId) {
        let Some(user) = self.owner(session).await else { return };
        let mut watching = self.inner.watched.watch(session, user);
        while self.owner(session).await.is_some() {
            if watching.news().await == News::Over {
                return;
            }
        }
    }

    /// Whose live session this is. When the store has not answered for [`PATIENCE`], nobody's: a connection nobody can vouch
    /// for ends.
    async fn owner(&self, session: SessionId) -> Option<UserId> {
        if let Some(user) = self.inner.known.owner(session) {
            return Some(user);
        }
        let row = timeout(PATIENCE, self.stored(session)).await.ok()??;
        (row.stage == Stage::Live).then_some(row.user)
    }

    /// The session as stored, once the store answers.
    async fn stored(&self, session: SessionId) -> Option<SessionRow> {
        loop {
            let turn = self.inner.turns.acquire().await.ok()?;
            if let Ok(row) = self.inner.store.session_by_id(session).await {
                return row;
            }
            drop(turn);
            sleep(PAUSE).await;
        }
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("known", &self.known()).finish_non_exhaustive()
    }
}
