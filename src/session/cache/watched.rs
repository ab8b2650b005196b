//! Sessions that live connections depend on: web sockets, event streams, long downloads.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::identity::{SessionId, UserId};

/// What a connection is told of its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// Something happened to it: see whether it still lives.
    LookAgain,
    /// It is over.
    Over,
}

/// The sessions watched, each with as many connections as it has.
#[derive(Default)]
pub(super) struct Watched {
    sessions: Mutex<HashMap<SessionId, Watch>>,
}

struct Watch {
    user: UserId,
    sender: watch::Sender<News>,
}

/// One connection's watch. The last one's end is the end of watching.
pub(super) struct Watching<'a> {
    watched: &'a Watched,
    session: SessionId,
    receiver: Option<watch::Receiver<News>>,
}

// === impl Watched ===

impl Watched {
    pub(super) fn watch(&self, session: SessionId, user: UserId) -> Watching<'_> {
        let mut sessions = self.sessions();
        let watch =
            sessions.entry(session).or_insert_with(|| Watch { user, sender: watch::Sender::new(News::LookAgain) });
        Watching { watched: self, session, receiver: Some(watch.sender.subscribe()) }
    }

    pub(super) fn tell(&self, session: SessionId, news: News) {
        if let Some(watch) = self.sessions().get(&session) {
            watch.sender.send_replace(news);
        }
    }

    pub(super) fn tell_users(&self, users: &HashSet<UserId>, news: News) {
        for watch in self.sessions().values().filter(|watch| users.contains(&watch.user)) {
            watch.sender.send_replace(news);
        }
    }

    pub(super) fn tell_all(&self, news: News) {
        for watch in self.sessions().values() {
            watch.sender.send_replace(news);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.sessions().len()
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<SessionId, Watch>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Watching ===

impl Watching<'_> {
    /// The next news. A watch that is gone is news of the end.
    pub(super) async fn news(&mut self) -> News {
        let Some(receiver) = &mut self.receiver else { return News::Over };
        match receiver.changed().await {
            Ok(()) => *receiver.borrow_and_update(),
            Err(_) => News::Over,
        }
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        let mut sessions = self.watched.sessions();
        self.receiver = None;
        if sessions.get(&self.session).is_some_and(|watch| watch.sender.receiver_count() == 0) {
            sessions.remove(&self.session);
        }
    }
}
