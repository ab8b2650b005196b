//! Live sessions by digest, and the ways by which they are forgotten.
//!
//! A look-up touches one shard of one map. Everything else goes through the **index** under one lock, and every forgetting
//! raises the **epoch**: a row that was read before it is not kept after it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, UnitWeighter};

use crate::identity::{SessionId, SignedIn, User, UserId};
use crate::policy::security;
use crate::secret::SessionDigest;
use crate::store::sessions::SessionRow;
use crate::time::Timestamp;

/// How many sessions are known at most; beyond, those not used for long are read again when they come back. Less than
/// 1 KiB each.
const MOST: usize = 1_000_000;

/// A live session.
pub(super) struct Entry {
    pub(super) digest: SessionDigest,
    pub(super) signed_in: Arc<SignedIn>,
    expires_at: Timestamp,
    last_seen: AtomicI64,
    /// Whether `last_seen` waits to be written.
    unwritten: AtomicBool,
}

/// The sessions known.
pub(super) struct Known {
    entries: Cache<SessionDigest, Arc<Entry>, UnitWeighter, DefaultHashBuilder, Collect>,
    index: Mutex<Index>,
    epoch: AtomicU64,
}

/// The other ways to an entry.
struct Index {
    by_session: HashMap<SessionId, (SessionDigest, UserId)>,
    by_user: HashMap<UserId, Vec<SessionDigest>>,
    trusted: bool,
}

/// Gathers what an insertion pushes out, so that it leaves the index too.
#[derive(Debug, Clone, Copy, Default)]
struct Collect;

// === impl Entry ===

impl Entry {
    pub(super) fn new(row: &SessionRow, user: User) -> Self {
        Self {
            digest: row.digest,
            signed_in: Arc::new(crate::session::signed_in(row, user)),
            expires_at: row.expires_at,
            last_seen: AtomicI64::new(row.last_seen.as_millis()),
            unwritten: AtomicBool::new(false),
        }
    }

    /// Before its absolute end (ASVS 7.3.2), its idle end (ASVS 7.3.1, PCI DSS 8.2.8) and its user's own.
    pub(super) fn lives(&self, limits: &security::Sessions, now: Timestamp) -> bool {
        now < self.expires_at
            && limits.idle.is_none_or(|idle| now.since(self.last_seen()) < idle)
            && self.signed_in.user.may_act(now)
    }

    pub(super) fn last_seen(&self) -> Timestamp {
        Timestamp::from_millis(self.last_seen.load(Ordering::Relaxed))
    }

    /// Used now; true when this use is the first since the last was written.
    pub(super) fn touch(&self, now: Timestamp) -> bool {
        if self.last_seen.load(Ordering::Relaxed) >= now.as_millis() {
            return false;
        }
        self.last_seen.fetch_max(now.as_millis(), Ordering::Relaxed);
        !self.unwritten.load(Ordering::Relaxed) && self.unwritten()
    }

    /// To be written; true when it was not before.
    pub(super) fn unwritten(&self) -> bool {
        !self.unwritten.swap(true, Ordering::AcqRel)
    }

    /// What is written now: a use after this call is written the next time.
    pub(super) fn written(&self) -> Timestamp {
        self.unwritten.store(false, Ordering::Release);
        self.last_seen()
    }
}

// === impl Known ===

impl Known {
    pub(super) fn with_capacity(most: usize) -> Self {
        let entries = Cache::with(most, most as u64, UnitWeighter, DefaultHashBuilder::default(), Collect);
        let index = Index { by_session: HashMap::new(), by_user: HashMap::new(), trusted: false };
        Self { entries, index: Mutex::new(index), epoch: AtomicU64::new(0) }
    }

    pub(super) fn get(&self, digest: &SessionDigest) -> Option<Arc<Entry>> {
        self.entries.get(digest)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// To be taken before the store is read.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Keeps what was read since `epoch`, unless something was forgotten in the meantime.
    pub(super) fn keep(&self, epoch: u64, entry: &Arc<Entry>) {
        let mut index = self.index();
        if !index.trusted || self.epoch() != epoch {
            return;
        }
        let mut pushed_out = Vec::new();
        self.entries.insert_with_lifecycle(entry.digest, Arc::clone(entry), &mut pushed_out);
        // What it replaces is among them, under the same digest: the index forgets first and learns last, for a session that
        // is known without being in the index could never be forgotten.
        for gone in &pushed_out {
            index.remove(gone);
        }
        index.add(entry);
    }

    pub(super) fn forget(&self, session: SessionId) {
        let mut index = self.raised();
        let digest = index.by_session.get(&session).map(|(digest, _)| *digest);
        self.drop_all(&mut index, digest);
    }

    pub(super) fn forget_user(&self, user: UserId) {
        let mut index = self.raised();
        let digests = index.by_user.get(&user).cloned().unwrap_or_default();
        self.drop_all(&mut index, digests);
    }

    /// Not trusted (as at first): knows nothing and keeps nothing. Either way all that was known before is forgotten.
    pub(super) fn trust(&self, trusted: bool) {
        let mut index = self.raised();
        index.trusted = trusted;
        index.by_session.clear();
        index.by_user.clear();
        self.entries.clear();
    }

    /// Whose session this is, when it is known.
    pub(super) fn owner(&self, session: SessionId) -> Option<UserId> {
        self.index().by_session.get(&session).map(|(_, user)| *user)
    }

    /// By its public id, when it is known.
    pub(super) fn by_session(&self, session: SessionId) -> Option<Arc<Entry>> {
        let digest = self.index().by_session.get(&session).map(|(digest, _)| *digest)?;
        self.entries.get(&digest)
    }

    fn drop_all(&self, index: &mut Index, digests: impl IntoIterator<Item = SessionDigest>) {
        for digest in digests {
            if let Some((_, entry)) = self.entries.remove(&digest) {
                index.remove(&entry);
            }
        }
    }

    /// The index, with a new epoch: what was read before is not kept any more.
    fn raised(&self) -> MutexGuard<'_, Index> {
        let index = self.index();
        self.epoch.fetch_add(1, Ordering::SeqCst);
        index
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Known {
    fn default() -> Self {
        Self::with_capacity(MOST)
    }
}

// === impl Index ===

impl Index {
    fn add(&mut self, entry: &Entry) {
        let user = entry.signed_in.user.id;
        self.by_session.insert(entry.signed_in.session, (entry.digest, user));
        let digests = self.by_user.entry(user).or_default();
        if !digests.contains(&entry.digest) {
            digests.push(entry.digest);
        }
    }

    fn remove(&mut self, entry: &Entry) {
        let (session, user) = (entry.signed_in.session, entry.signed_in.user.id);
        // A rotated session's new digest may stand there by now: that one stays.
        if self.by_session.get(&session).is_some_and(|(digest, _)| *digest == entry.digest) {
            self.by_session.remove(&session);
        }
        if let Some(digests) = self.by_user.get_mut(&user) {
            digests.retain(|digest| *digest != entry.digest);
            if digests.is_empty() {
                self.by_user.remove(&user);
            }
        }
    }
}

// === impl Collect ===

impl Lifecycle<SessionDigest, Arc<Entry>> for Collect {
    type RequestState = Vec<Arc<Entry>>;

    fn on_evict(&self, gone: &mut Self::RequestState, _: SessionDigest, entry: Arc<Entry>) {
        gone.push(entry);
    }
}

#[cfg(test)]
mod tests;
