//! What arrived, in order, and who is to be told.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::watch;

use super::authenticator::Authenticator;
use super::{Channel, Conduct, Message};
use crate::time::{Clock, SystemClock};

/// How many messages are kept; older ones go.
const CAPACITY: usize = 10_000;

/// Shared by both receivers, the page and the [`super::Inbox`].
#[derive(Debug)]
pub(super) struct Shelf {
    content: Mutex<Content>,
    /// The id of the newest message; a change wakes whoever waits.
    newest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Content {
    messages: std::collections::VecDeque<Message>,
    conducts: HashMap<Channel, Conduct>,
    offered: HashMap<Channel, u64>,
    names: HashMap<String, String>,
    authenticators: Vec<Authenticator>,
}

/// A message as it was received, before it has a place on the shelf.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) channel: Channel,
    pub(super) to: String,
    pub(super) from: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) text: String,
}

/// What a sender is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Kept,
    Refused,
}

// === impl Shelf ===

impl Default for Shelf {
    fn default() -> Self {
        Self { content: Mutex::default(), newest: watch::Sender::new(0) }
    }
}

impl Shelf {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().expect("no holder of this lock panics")
    }

    /// Behaves towards one message (for one or several recipients) as `channel` was told to: keeps it or not, answers
    /// at once, late, or never.
    pub(super) async fn offer(&self, channel: Channel, arrivals: Vec<Arrival>) -> Answer {
        match self.count_offer(channel) {
            Conduct::Fail => return Answer::Refused,
            Conduct::Hang => return std::future::pending().await,
            Conduct::AcceptSilently => {
                self.keep_all(arrivals);
                return std::future::pending().await;
            }
            Conduct::Slow(delay) => tokio::time::sleep(delay).await,
            Conduct::Accept => {}
        }
        self.keep_all(arrivals);
        Answer::Kept
    }

    fn count_offer(&self, channel: Channel) -> Conduct {
        let mut content = self.content();
        *content.offered.entry(channel).or_default() += 1;
        content.conducts.get(&channel).copied().unwrap_or_default()
    }

    fn keep_all(&self, arrivals: Vec<Arrival>) {
        for arrival in arrivals {
            self.keep(arrival);
        }
    }

    /// Keeps `arrival` and wakes whoever waits.
    fn keep(&self, arrival: Arrival) {
        let mut content = self.content();
        let id = content.messages.back().map_or(0, |last| last.id) + 1;
        let Arrival { channel, to, from, subject, text } = arrival;
        content.messages.push_back(Message { id, channel, to, from, subject, text, at: SystemClock.now() });
        if content.messages.len() > CAPACITY {
            content.messages.pop_front();
        }
        drop(content);
        self.newest.send_replace(id);
    }

    pub(super) fn messages(&self) -> Vec<Message> {
        self.content().messages.iter().cloned().collect()
    }

    /// The oldest message that `matches`, as soon as there is one.
    pub(super) async fn first(&self, matches: impl Fn(&Message) -> bool) -> Message {
        let mut arrivals = self.newest.subscribe();
        loop {
            arrivals.mark_unchanged();
            if let Some(found) = self.content().messages.iter().find(|message| matches(message)) {
                return found.clone();
            }
            arrivals.changed().await.expect("the shelf holds the sender");
        }
    }

    pub(super) fn set_conduct(&self, channel: Channel, conduct: Conduct) {
        self.content().conducts.insert(channel, conduct);
    }

    pub(super) fn offered(&self, channel: Channel) -> u64 {
        self.content().offered.get(&channel).copied().unwrap_or(0)
    }

    pub(super) fn introduce(&self, name: &str, addresses: &[&str]) {
        let mut content = self.content();
        for address in addresses {
            content.names.insert((*address).to_owned(), name.to_owned());
        }
    }

    /// Whose `address` is, when somebody said.
    pub(super) fn name_of(&self, address: &str) -> Option<String> {
        self.content().names.get(address).cloned()
    }

    pub(super) fn show_authenticator(&self, name: &str, seed: &[u8]) {
        let mut content = self.content();
        content.authenticators.retain(|known| known.name() != name);
        content.authenticators.push(Authenticator::new(name, seed));
    }

    pub(super) fn authenticators(&self) -> Vec<Authenticator> {
        self.content().authenticators.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn sms(text: &str) -> Arrival {
        Arrival { channel: Channel::Sms, to: "+33639980001".into(), from: None, subject: None, text: text.into() }
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_by_the_message_they_wait_for() {
        let shelf = std::sync::Arc::new(Shelf::default());
        let waiting = tokio::spawn({
            let shelf = std::sync::Arc::clone(&shelf);
            async move { shelf.first(|message| message.text == "second").await }
        });
        shelf.keep(sms("first"));
        shelf.keep(sms("second"));
        let found = tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
        assert_eq!((found.id, found.text.as_str()), (2, "second"));
    }

    #[tokio::test]
    async fn what_came_before_is_found_at_once() {
        let shelf = Shelf::default();
        shelf.keep(sms("early"));
        assert_eq!(shelf.first(|_| true).await.text, "early");
    }
}
