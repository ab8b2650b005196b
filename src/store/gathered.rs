//! Events that belong to no other change, written together.
//!
//! Every commit costs the disk a flush, and SQLite has one writer. Were each refused sign-in a commit of its own, a flood of
//! them would keep everybody else from writing. So events that arrive while others are being written wait for these, and
//! go into the trail with the next commit, many at once.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::audit::NewEvent;
use super::sql::deadline;
use super::{Store, StoreError};

/// How many callers' events go into one commit, at most: whoever else writes waits as long for their turn.
const TOGETHER: usize = 64;

/// Events that wait for their commit.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    /// Whether somebody is writing, and will look here again.
    is_written: bool,
}

#[derive(Debug)]
struct Waiting {
    events: Vec<NewEvent>,
    /// When its caller is told that it came too late.
    until: Instant,
    told: oneshot::Sender<Result<(), StoreError>>,
}

/// The one who writes.
struct Writer {
    store: Store,
    /// Nothing is left to write.
    is_done: bool,
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
        let begins = self.queue().put(Waiting { events: events.to_vec(), until, told });
        if begins {
            // A task of its own: a caller that leaves must not take the others' events along.
            tokio::spawn(Writer { store: self.clone(), is_done: false }.write());
        }
        match timeout_at(until, written).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(StoreError::late()),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.inner.gathered.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write_events(&self, events: &[NewEvent]) -> Result<(), StoreError> {
        self.begin().await?.commit(events, &[]).await
    }
}

// === impl Queue ===

impl Queue {
    /// Puts it behind the others; whether somebody has to begin writing.
    fn put(&mut self, one: Waiting) -> bool {
        self.waiting.push_back(one);
        !std::mem::replace(&mut self.is_written, true)
    }

    /// The next to be written, without those that were told that they came too late. With none left, nobody is writing.
    fn next(&mut self, now: Instant) -> Vec<Waiting> {
        let before = self.waiting.len();
        self.waiting.retain(|one| now < one.until);
        if self.waiting.len() < before {
            tracing::error!(
                callers = before - self.waiting.len(),
                "events were not written in time, and are not in the trail"
            );
        }
        let count = self.waiting.len().min(TOGETHER);
        self.is_written = count > 0;
        self.waiting.drain(..count).collect()
    }
}

// === impl Writer ===

impl Writer {
    /// Writes until nothing waits.
    async fn write(mut self) {
        loop {
            let group = self.store.queue().next(Instant::now());
            if group.is_empty() {
                // Whoever came since has a writer of their own.
                self.is_done = true;
                return;
            }
            let events: Vec<_> = group.iter().flat_map(|one| one.events.iter().cloned()).collect();
            let outcome = self.store.write_events(&events).await;
            for one in group {
                // A caller that left needs no answer.
                drop(one.told.send(outcome.clone()));
            }
        }
    }
}

impl Drop for Writer {
    /// Cut off in the middle, or by a panic: whoever still waits is told that it is late, and the next one begins anew.
    fn drop(&mut self) {
        if !self.is_done {
            *self.store.queue() = Queue::default();
        }
    }
}
