//! Events that belong to no other change, written together.
//!
//! Every commit costs the disk a flush, and SQLite has one writer. Were each refused sign-in a commit of its own, a flood of
//! them would keep everybody else from writing. So events that arrive while others are being written wait for these, and
//! go into the trail with the next commit, all of them: however many there are, two commits are in their way.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;
use tokio::time::timeout_at;

use super::audit::NewEvent;
use super::sql::deadline;
use super::{Store, StoreError};

/// How many callers' events go into one commit, at most: it must be over in its time.
const TOGETHER: usize = 256;

/// Events that wait for their commit.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    waiting: Mutex<Vec<Waiting>>,
    /// Held by whoever writes.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Waiting {
    events: Vec<NewEvent>,
    told: oneshot::Sender<Result<(), StoreError>>,
}

// === impl Store ===

impl Store {
    /// Appends events that belong to no other change (a refused login). In order, and together: those of one call are in
    /// the trail all or none.
    pub async fn append_events(&self, events: &[NewEvent]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let until = deadline();
        let (told, written) = oneshot::channel();
        if self.inner.gathered.is_first(Waiting { events: events.to_vec(), told }) {
            // A task of its own: a caller that leaves must not take the others' events along.
            tokio::spawn(self.clone().write_gathered());
        }
        match timeout_at(until, written).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(StoreError::late()),
        }
    }

    async fn write_gathered(self) {
        let _turn = self.inner.gathered.turn.lock().await;
        loop {
            let group = self.inner.gathered.next();
            if group.is_empty() {
                return;
            }
            let events: Vec<_> = group.iter().flat_map(|one| one.events.iter().cloned()).collect();
            let outcome = self.write_events(&events).await;
            for one in group {
                // Whoever is not there any more was told that it came too late.
                drop(one.told.send(outcome.clone()));
            }
        }
    }

    async fn write_events(&self, events: &[NewEvent]) -> Result<(), StoreError> {
        self.begin().await?.commit(events, &[]).await
    }
}

// === impl Gathered ===

impl Gathered {
    /// Puts it behind the others; whether there were none, so that nobody is going to write them yet.
    fn is_first(&self, one: Waiting) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(one);
        waiting.len() == 1
    }

    /// The next to be written, without those that nobody waits for any more: their callers were told that it failed.
    fn next(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|one| !one.told.is_closed());
        let count = waiting.len().min(TOGETHER);
        waiting.drain(..count).collect()
    }
}
