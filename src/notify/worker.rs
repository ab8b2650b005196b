//! Hands outbox rows to the drivers.
//!
//! ```text
//! queued ──claim──▶ sending ──▶ sent
//!    ▲                 ├──────▶ failed      refused, or its time is over
//!    │                 └──────▶ uncertain   may have been accepted: never sent again
//!    └── surely not accepted: again in 2, 4, 8 … 60 s, within its deadline
//! ```
//! A row found `sending` when the worker starts was interrupted between the two: nobody knows, so it is uncertain.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::mail::{Letter, Mail};
use super::sms::{ShortMessage, Sms};
use super::{Sent, Trouble};
use crate::audit::Origin;
use crate::secret::{Keyring, Place};
use crate::store::failure::Failure;
use crate::store::outbox::{Channel, OutboxRow, OutboxState};
use crate::store::{Store, StoreError};
use crate::test_points;
use crate::time::{Clock, Timestamp};

/// The worker.
#[derive(Debug, Clone)]
pub struct Worker {
    /// Where the rows are.
    pub store: Store,
    /// Opens them.
    pub keyring: Arc<Keyring>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The way out for SMS; none: an SMS fails, saying so.
    pub sms: Option<Arc<dyn Sms>>,
    /// The way out for mail; none: a mail fails, saying so.
    pub mail: Option<Arc<dyn Mail>>,
    /// Told when something was queued.
    pub wake: Arc<Notify>,
}

/// How a row is settled.
#[derive(Debug, PartialEq, Eq)]
struct Settlement {
    state: OutboxState,
    next_at: Timestamp,
    error: Option<Trouble>,
}

/// Messages in the hands of drivers at once.
const AT_ONCE: usize = 8;
/// Rows read at once.
const BATCH: i64 = 64;
/// The longest time between two looks.
const TICK: Duration = Duration::from_secs(1);
/// Between two tries of a row.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How often a settlement that the store did not take is tried again, a second apart: FLT-2 says the store comes back.
const SETTLE_TRIES: u32 = 30;

// === impl Worker ===

impl Worker {
    /// Works until `stop` resolves: on every wake and at least each second; several messages at once, bounded. What is in a
    /// driver's hands then is waited for.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        tokio::pin!(stop);
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut busy = JoinSet::new();
        let mut begun = false;
        loop {
            match self.round(&mut begun, &places, &mut busy).await {
                Ok(()) => {}
                Err(error) => warn!(event = "outbox.unreadable", %error, "messages wait until the database is back"),
            }
            while busy.try_join_next().is_some() {}
            tokio::select! {
                () = &mut stop => break,
                () = self.wake.notified() => {}
                () = tokio::time::sleep(TICK) => {}
            }
        }
        while busy.join_next().await.is_some() {}
    }

    /// One look: every row that is due is claimed and handed to a task of its own.
    async fn round(&self, begun: &mut bool, places: &Arc<Semaphore>, busy: &mut JoinSet<()>) -> Result<(), StoreError> {
        if !*begun {
            let interrupted = self.store.settle_interrupted_messages().await?;
            *begun = true;
            if interrupted > 0 {
                warn!(
                    event = "outbox.interrupted",
                    interrupted, "messages may or may not have been accepted; they are not sent again"
                );
            }
        }
        let free = i64::try_from(places.available_permits()).unwrap_or(BATCH);
        for row in self.store.due_messages(self.clock.now(), free.min(BATCH)).await? {
            let Ok(place) = places.clone().try_acquire_owned() else { return Ok(()) };
            if self.store.claim_message(row.id, self.clock.now()).await? {
                let worker = self.clone();
                busy.spawn(async move {
                    worker.send_and_settle(row).await;
                    drop(place);
                    // There may be more than there were places.
                    worker.wake.notify_one();
                });
            }
        }
        Ok(())
    }

    async fn send_and_settle(&self, row: OutboxRow) {
        let sent = if self.clock.now() >= row.deadline {
            refused(Failure::TimeOver, "its time was over before it could be sent")
        } else {
            self.hand_over(&row).await
        };
        if sent == Sent::Accepted {
            test_points::reach("sms-sent");
        }
        let settlement = settlement(sent, &row, self.clock.now());
        Self::log(&row, &settlement);
        self.settle(&row, &settlement).await;
    }

    async fn hand_over(&self, row: &OutboxRow) -> Sent {
        let Some(payload) = self.open(row) else {
            return refused(Failure::SealBroken, "its seal is broken");
        };
        match row.channel {
            Channel::Sms => match (&self.sms, serde_json::from_slice::<ShortMessage>(&payload)) {
                (None, _) => refused(Failure::NotConfigured, "no SMS provider is configured"),
                (Some(sms), Ok(message)) => sms.send(&message.to, &message.text).await,
                (Some(_), Err(_)) => unreadable(),
            },
            Channel::Mail => match (&self.mail, serde_json::from_slice::<Letter>(&payload)) {
                (None, _) => refused(Failure::NotConfigured, "no mail server is configured"),
                (Some(mail), Ok(letter)) => mail.send(&letter).await,
                (Some(_), Err(_)) => unreadable(),
            },
        }
    }

    fn open(&self, row: &OutboxRow) -> Option<Vec<u8>> {
        let id = row.id.to_string();
        let place = Place { table: "outbox", column: "message", row: &id };
        self.keyring.open(place, row.message.as_ref()?).ok()
    }

    /// The row must not stay `sending`: the store is asked again for a while.
    async fn settle(&self, row: &OutboxRow, settlement: &Settlement) {
        for _ in 0..SETTLE_TRIES {
            let error = settlement.error.as_ref().map(|trouble| trouble.failure);
            let settled = self.store.settle_message(row.id, settlement.state, settlement.next_at, error).await;
            match settled {
                Ok(()) => return self.record(row, settlement).await,
                Err(error) => warn!(event = "outbox.unsettled", message = %row.id, %error, "tried again"),
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// A token that left, or could not, is part of the operation's story.
    async fn record(&self, row: &OutboxRow, settlement: &Settlement) {
        let result = match settlement.state {
            OutboxState::Sent => "ok",
            OutboxState::Failed | OutboxState::Uncertain => "failed",
            OutboxState::Queued | OutboxState::Sending => return,
        };
        let (true, Some(operation)) = (row.carries_token, &row.operation) else { return };
        let origin = Origin { now: self.clock.now(), actor: None, door: "gateway", address: None, request_id: None };
        let mut event = origin.event("operation.token-sent", result).about(row.user).on(operation.clone());
        if let Some(error) = &settlement.error {
            event = event.with("error", error.failure.as_str());
        }
        if let Err(error) = self.store.append_events(&[event]).await {
            warn!(event = "audit.unwritten", %error, "the sending of a token is not in the audit trail");
        }
    }

    fn log(row: &OutboxRow, settlement: &Settlement) {
        let (kind, user) = (&row.kind, row.user);
        let error = settlement.error.as_ref().map(|trouble| &*trouble.detail);
        match settlement.state {
            OutboxState::Sent => info!(event = "message.sent", %kind, %user),
            OutboxState::Queued => info!(event = "message.delayed", %kind, %user, error),
            OutboxState::Failed => warn!(event = "message.unsent", %kind, %user, error),
            OutboxState::Uncertain | OutboxState::Sending => warn!(event = "message.uncertain", %kind, %user, error),
        }
    }
}

fn unreadable() -> Sent {
    refused(Failure::OtherVersion, "it was written by another version")
}

fn refused(failure: Failure, detail: &'static str) -> Sent {
    Sent::Refused(Trouble::new(failure, detail))
}

/// What becomes of a row after a try.
fn settlement(sent: Sent, row: &OutboxRow, now: Timestamp) -> Settlement {
    let (state, error) = match sent {
        Sent::Accepted => (OutboxState::Sent, None),
        Sent::Refused(error) => (OutboxState::Failed, Some(error)),
        Sent::Unknown(error) => (OutboxState::Uncertain, Some(error)),
        Sent::NotNow(error) => {
            let next_at = now.plus(pause(row.attempts));
            let state = if next_at < row.deadline { OutboxState::Queued } else { OutboxState::Failed };
            return Settlement { state, next_at, error: Some(error) };
        }
    };
    Settlement { state, next_at: now, error }
}

/// 2 s after the first try, then twice as long each time, at most 60 s. `before` counts the tries before this one.
fn pause(before: i64) -> Duration {
    let doublings = u32::try_from(before.clamp(0, 16)).unwrap_or(0);
    (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::UserId;
    use crate::secret::Sealed;
    use uuid::Uuid;

    const NOW: Timestamp = Timestamp::from_secs(100);

    fn row(attempts: i64, deadline: i64) -> OutboxRow {
        OutboxRow {
            id: Uuid::from_u128(1),
            channel: Channel::Sms,
            kind: "operation-asked".to_owned(),
            user: UserId(Uuid::from_u128(2)),
            operation: Some("48271935".to_owned()),
            carries_token: true,
            message: Some(Sealed::from_stored(Vec::new())),
            state: OutboxState::Sending,
            attempts,
            next_at: NOW,
            deadline: Timestamp::from_secs(deadline),
            created_at: NOW,
            error: None,
        }
    }

    fn busy() -> Trouble {
        Trouble::new(Failure::Busy, "the provider answered 500")
    }

    #[test]
    fn what_was_surely_not_accepted_is_tried_again_later_and_later() {
        let next = |attempts| {
            let settled = settlement(Sent::NotNow(busy()), &row(attempts, 1_000), NOW);
            assert_eq!(settled.state, OutboxState::Queued);
            settled.next_at.since(NOW).as_secs()
        };
        assert_eq!([0, 1, 2, 4, 5, 60].map(next), [2, 4, 8, 32, 60, 60]);
    }

    #[test]
    fn nothing_is_tried_again_after_its_deadline() {
        let settled = settlement(Sent::NotNow(busy()), &row(3, 110), NOW);
        assert_eq!(settled.state, OutboxState::Failed);
    }

    #[test]
    fn what_may_have_been_accepted_is_never_tried_again() {
        let settled = settlement(Sent::Unknown(busy()), &row(0, 1_000), NOW);
        assert_eq!(settled.state, OutboxState::Uncertain);
    }
}
