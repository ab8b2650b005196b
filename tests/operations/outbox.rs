//! The worker over a real store: what was accepted is never sent twice, what was not is tried again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use vantail::notify::sms::Sms;
use vantail::notify::{Sent, Trouble, Worker};
use vantail::store::failure::Failure;
use vantail::store::outbox::{Channel, OutboxState};

use crate::installation::{Installation, MINUTE};

/// A provider that says what it is told to, and keeps what it accepted or may have.
#[derive(Debug, Default)]
struct Provider {
    says: Mutex<VecDeque<Sent>>,
    received: Mutex<Vec<String>>,
}

#[async_trait]
impl Sms for Provider {
    async fn send(&self, to: &str, _text: &str) -> Sent {
        self.received.lock().unwrap().push(to.to_owned());
        self.says.lock().unwrap().pop_front().unwrap_or(Sent::Accepted)
    }
}

impl Provider {
    fn saying(says: impl IntoIterator<Item = Sent>) -> Arc<Self> {
        Arc::new(Self { says: Mutex::new(says.into_iter().collect()), ..Self::default() })
    }

    fn received(&self) -> Vec<String> {
        let mut received = self.received.lock().unwrap().clone();
        received.sort();
        received
    }
}

/// A worker at work; stopped when told so.
struct AtWork {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

fn worker(gate: &Installation, sms: Option<Arc<dyn Sms>>) -> Worker {
    Worker {
        store: gate.store.clone(),
        keyring: gate.keyring.clone(),
        clock: gate.clock.clone(),
        sms,
        mail: None,
        wake: gate.notices.wake(),
    }
}

fn at_work(gate: &Installation, sms: Option<Arc<dyn Sms>>) -> AtWork {
    let (stop, stopped) = oneshot::channel();
    let worker = worker(gate, sms);
    let task = tokio::spawn(worker.run(async { drop(stopped.await) }));
    AtWork { stop, task }
}

impl AtWork {
    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }
}

/// Waits until no SMS about `id` is queued or being sent.
async fn settled(gate: &Installation, id: &str) -> Vec<(OutboxState, i64, Option<Failure>)> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let rows = gate.store.messages_of(id).await.unwrap();
        let sms: Vec<_> = rows.into_iter().filter(|row| row.channel == Channel::Sms).collect();
        if sms.iter().all(|row| row.state.is_final()) {
            return sms.into_iter().map(|row| (row.state, row.attempts, row.error)).collect();
        }
        assert!(tokio::time::Instant::now() < deadline, "not settled: {sms:?}");
        gate.clock.advance(Duration::from_millis(100));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn every_validator_gets_one_sms_however_many_workers_there_are() {
    let gate = Installation::new().await;
    let provider = Provider::saying([]);
    let workers = [at_work(&gate, Some(provider.clone())), at_work(&gate, Some(provider.clone()))];
    let id = gate.ask(&gate.signed_in("alice").await).await.id;
    let states = settled(&gate, &id).await;
    for worker in workers {
        worker.stop().await;
    }
    assert_eq!(provider.received(), ["+33600000002", "+33600000003"]);
    assert_eq!(states, vec![(OutboxState::Sent, 1, None); 2]);
    let sent = gate.acts(&id).await.into_iter().filter(|act| act == "operation.token-sent").count();
    assert_eq!(sent, 2);
    let rows = gate.store.messages_of(&id).await.unwrap();
    assert!(rows.iter().all(|row| row.message.is_none()), "a text that was sent is not kept");
}

#[tokio::test]
async fn what_was_surely_not_accepted_is_tried_again_until_it_is() {
    let gate = Installation::new().await;
    let busy = || Sent::NotNow(Trouble::new(Failure::Busy, "the provider answered 503"));
    let provider = Provider::saying([busy(), busy(), busy()]);
    let worker = at_work(&gate, Some(provider.clone()));
    let id = gate.ask(&gate.signed_in("alice").await).await.id;
    let states = settled(&gate, &id).await;
    worker.stop().await;
    assert!(states.iter().all(|(state, ..)| *state == OutboxState::Sent), "{states:?}");
    assert_eq!(provider.received().len(), 5);
}

#[tokio::test]
async fn what_may_have_been_accepted_is_never_sent_again() {
    let gate = Installation::new().await;
    let lost = || Sent::Unknown(Trouble::new(Failure::NoAnswer, "the provider did not answer in time"));
    let provider = Provider::saying([lost(), lost()]);
    let worker = at_work(&gate, Some(provider.clone()));
    let id = gate.ask(&gate.signed_in("alice").await).await.id;
    let states = settled(&gate, &id).await;
    worker.stop().await;
    assert!(states.iter().all(|(state, ..)| *state == OutboxState::Uncertain), "{states:?}");
    assert_eq!(provider.received().len(), 2);
    assert_eq!(gate.state(&id).await.0, vantail::operation::State::Waiting, "the operation stays");
}

#[tokio::test]
async fn without_a_provider_it_is_said_that_nothing_was_sent() {
    let gate = Installation::new().await;
    let worker = at_work(&gate, None);
    let id = gate.ask(&gate.signed_in("alice").await).await.id;
    let states = settled(&gate, &id).await;
    worker.stop().await;
    let failed = (OutboxState::Failed, 1, Some(Failure::NotConfigured));
    assert_eq!(states, vec![failed; 2]);
}

#[tokio::test]
async fn what_an_earlier_process_was_sending_is_uncertain() {
    let gate = Installation::new().await;
    let id = gate.ask(&gate.signed_in("alice").await).await.id;
    let claimed = gate.store.messages_of(&id).await.unwrap()[0].id;
    assert!(gate.store.claim_message(claimed, gate.origin().now).await.unwrap());
    let provider = Provider::saying([]);
    let worker = at_work(&gate, Some(provider.clone()));
    let states = settled(&gate, &id).await;
    worker.stop().await;
    assert_eq!(states.iter().filter(|(state, ..)| *state == OutboxState::Uncertain).count(), 1, "{states:?}");
    assert_eq!(provider.received().len(), 1);
}

#[tokio::test]
async fn a_token_that_is_worth_nothing_any_more_is_not_sent() {
    let gate = Installation::new().await;
    let alice = gate.signed_in("alice").await;
    let id = gate.ask(&alice).await.id;
    gate.operations.cancel(&id, Some(&alice), &gate.origin()).await.unwrap();
    let late = gate.ask(&alice).await.id;
    gate.clock.advance(15 * MINUTE);
    let provider = Provider::saying([]);
    let worker = at_work(&gate, Some(provider.clone()));
    let states = settled(&gate, &late).await;
    worker.stop().await;
    assert!(states.iter().all(|(state, ..)| *state == OutboxState::Failed), "{states:?}");
    assert_eq!(provider.received(), Vec::<String>::new());
}
