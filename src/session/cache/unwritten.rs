//! Last uses that the store does not know yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::known::Entry;
use crate::identity::SessionId;
use crate::time::Timestamp;

/// Sessions used since the last batch was written.
#[derive(Default)]
pub(super) struct Unwritten {
    entries: Mutex<HashMap<SessionId, Arc<Entry>>>,
}

// === impl Unwritten ===

impl Unwritten {
    /// To be written. The same session read twice is one: its latest use counts.
    pub(super) fn put(&self, entry: &Arc<Entry>) {
        let mut entries = self.entries();
        let earlier = entries.insert(entry.signed_in.session, Arc::clone(entry));
        if let Some(earlier) = earlier {
            entry.touch(earlier.last_seen());
        }
    }

    /// The last use of a session that is not known any more, but not written either.
    pub(super) fn last_seen(&self, session: SessionId) -> Option<Timestamp> {
        self.entries().get(&session).map(|entry| entry.last_seen())
    }

    /// Everything, to be written now.
    pub(super) fn take(&self) -> Vec<Arc<Entry>> {
        std::mem::take(&mut *self.entries()).into_values().collect()
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
