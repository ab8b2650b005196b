//! What the callers of one process share: who waits for which operation, who is confirming, what is being delivered.
//!
//! Nothing here decides anything: the store does. It keeps callers of one process from racing each other for nothing.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Notify, OwnedMutexGuard};

use crate::identity::UserId;

/// One per process.
#[derive(Debug, Default)]
pub(super) struct Hub {
    waiting: Mutex<HashMap<String, Weak<Notify>>>,
    validators: Turns<UserId>,
    operations: Turns<String>,
    delivering: Mutex<HashSet<String>>,
}

/// One turn at a time for each key.
#[derive(Debug)]
struct Turns<K> {
    locks: Mutex<HashMap<K, Weak<tokio::sync::Mutex<()>>>>,
}

/// The turn of one confirmation.
#[derive(Debug)]
pub(super) struct Turn {
    _operation: OwnedMutexGuard<()>,
    _validator: OwnedMutexGuard<()>,
}

/// An operation is being delivered by this process until this is dropped.
#[derive(Debug)]
pub(super) struct Delivering<'a> {
    hub: &'a Hub,
    operation: String,
}

/// From how many entries on those that nobody uses any more are dropped.
const SWEPT_FROM: usize = 64;

// === impl Hub ===

impl Hub {
    /// What is told when `operation` moves. Hold on to it, register, then read the state.
    pub(super) fn moves_of(&self, operation: &str) -> Arc<Notify> {
        shared(&self.waiting, operation.to_owned())
    }

    /// `operation` moved: whoever waits looks again.
    pub(super) fn moved(&self, operation: &str) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(notify) = waiting.get(operation).and_then(Weak::upgrade) {
            notify.notify_waiters();
        }
    }

    /// One confirmation at a time per validator and per operation. Always in this order, so that no two wait for each other.
    pub(super) async fn turn(&self, validator: UserId, operation: &str) -> Turn {
        let validator = self.validators.next(validator).await;
        let operation = self.operations.next(operation.to_owned()).await;
        Turn { _operation: operation, _validator: validator }
    }

    /// Marks `operation` as being delivered; nothing when it is already.
    pub(super) fn deliver(&self, operation: &str) -> Option<Delivering<'_>> {
        let new = self.delivering.lock().unwrap_or_else(PoisonError::into_inner).insert(operation.to_owned());
        new.then(|| Delivering { hub: self, operation: operation.to_owned() })
    }
}

// === impl Turns ===

impl<K: Hash + Eq> Turns<K> {
    async fn next(&self, key: K) -> OwnedMutexGuard<()> {
        shared(&self.locks, key).lock_owned().await
    }
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self { locks: Mutex::new(HashMap::new()) }
    }
}

// === impl Delivering ===

impl Drop for Delivering<'_> {
    fn drop(&mut self) {
        self.hub.delivering.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.operation);
    }
}

/// The value everybody who asks for `key` at this time shares; it goes with the last of them.
fn shared<K: Hash + Eq, V: Default>(map: &Mutex<HashMap<K, Weak<V>>>, key: K) -> Arc<V> {
    let mut map = map.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(value) = map.get(&key).and_then(Weak::upgrade) {
        return value;
    }
    if map.len() >= SWEPT_FROM && map.len() == map.capacity() {
        map.retain(|_, value| value.strong_count() > 0);
    }
    let value = Arc::new(V::default());
    map.insert(key, Arc::downgrade(&value));
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_delivered_by_one_task_at_a_time() {
        let hub = Hub::default();
        let first = hub.deliver("48271935");
        assert!(first.is_some() && hub.deliver("48271935").is_none() && hub.deliver("1").is_some());
        drop(first);
        assert!(hub.deliver("48271935").is_some());
    }

    #[test]
    fn what_nobody_waits_for_any_more_is_forgotten() {
        let hub = Hub::default();
        for operation in 0..10_000 {
            drop(hub.moves_of(&operation.to_string()));
        }
        assert!(hub.waiting.lock().unwrap().len() < 500);
    }
}
