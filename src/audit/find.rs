//! Reading the trail: events with the names people have today.

use std::collections::HashMap;

use super::{EventFilter, EventRow};
use crate::identity::UserId;
use crate::store::{Store, StoreError};

/// Names for ids, as of now: the trail itself holds ids alone, so that a person made anonymous is anonymous there too.
#[derive(Debug, Clone, Default)]
pub struct Names(HashMap<UserId, String>);

/// Events as they come from the store, page by page, oldest first.
#[derive(Debug)]
pub struct Events<'a> {
    store: &'a Store,
    filter: &'a EventFilter,
    after: i64,
}

/// How many events are read at once.
const PAGE: i64 = 500;

// === impl Names ===

impl Names {
    /// Reads them.
    pub async fn read(store: &Store) -> Result<Self, StoreError> {
        Ok(Self(store.user_names().await?.into_iter().collect()))
    }

    /// The name of `id`, when there is such a user still.
    pub fn of(&self, id: Option<UserId>) -> Option<&str> {
        self.0.get(&id?).map(String::as_str)
    }
}

// === impl Events ===

impl<'a> Events<'a> {
    /// All events that fit `filter`, from the first.
    pub fn matching(store: &'a Store, filter: &'a EventFilter) -> Self {
        Self { store, filter, after: 0 }
    }

    /// The next ones; empty at the end.
    pub async fn page(&mut self) -> Result<Vec<EventRow>, StoreError> {
        let page = self.store.find_events(self.filter, self.after, PAGE).await?;
        if let Some(last) = page.last() {
            self.after = last.seq;
        }
        Ok(page)
    }
}
