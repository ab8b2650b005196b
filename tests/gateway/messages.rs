//! SMS that cannot be sent, and what is too long to be held: nothing is lost, nothing is sent twice, nothing is stored.

use std::time::{Duration, Instant};

use vantail::demo::inbox::{Channel, Conduct};
use vantail::operation::State;
use vantail::store::outbox::OutboxState;

use crate::hold::{DELETE, delivered};
use crate::support::PATIENCE;
use crate::world::{Person, World};

/// Waits until what `person` reads at `target` contains `words`.
async fn reads(person: &Person<'_>, target: &str, words: &str) {
    reads_or_not(person, target, words, true).await;
}

/// Waits until what `person` reads at `target` contains `words`, or contains them no more.
async fn reads_or_not(person: &Person<'_>, target: &str, words: &str, shown: bool) {
    let end = Instant::now() + PATIENCE;
    loop {
        let page = person.client.get(target).await.text();
        if page.contains(words) == shown {
            return;
        }
        assert!(Instant::now() < end, "{target}: {words:?} should be shown: {shown}; {page}");
        tokio::task::yield_now().await;
    }
}

/// Waits until the SMS about `id` failed so often and waits for its next try.
async fn failed(world: &World, id: &str, times: i64) {
    let end = Instant::now() + PATIENCE;
    loop {
        let row = world.tools.store.messages_of(id).await.unwrap().remove(0);
        if row.state == OutboxState::Queued && row.attempts == times {
            return;
        }
        assert!(Instant::now() < end, "{row:?}");
        tokio::task::yield_now().await;
    }
}

fn tokens(world: &World, id: &str) -> usize {
    world.sms().iter().filter(|sms| sms.text.contains(id) && sms.text.contains("Token: ")).count()
}

#[tokio::test]
async fn an_sms_that_cannot_be_sent_is_shown_and_tried_again_until_it_is() {
    let world = World::start().await;
    world.inbox.behave(Channel::Sms, Conduct::Fail);
    let (alice, val) = (world.signed_in("alice").await, world.signed_in("val").await);
    let id = alice.asks("POST", DELETE, "{}").await;
    failed(&world, &id, 1).await;
    reads(&alice, &format!("/secure/operations/{id}/wait"), "the provider was too busy").await;
    reads(&val, "/secure/operations", "an SMS was not delivered").await;
    assert_eq!(alice.state(&id).await["state"], "waiting");
    world.advance(Duration::from_secs(61));
    failed(&world, &id, 2).await;
    world.inbox.behave(Channel::Sms, Conduct::Accept);
    world.advance(Duration::from_secs(61));
    let token = val.token(&id).await;
    reads_or_not(&val, "/secure/operations", "an SMS was not delivered", false).await;
    delivered(&alice, &val, &id, &token).await;
    assert_eq!(tokens(&world, &id), 1, "accepted once, sent once");
}

#[tokio::test]
async fn an_sms_is_tried_no_longer_than_its_token_lives() {
    let world = World::builder().hold("expires = \"1h\"\ntoken_lifetime = \"5m\"").start().await;
    world.inbox.behave(Channel::Sms, Conduct::Fail);
    let (alice, val) = (world.signed_in("alice").await, world.signed_in("val").await);
    let id = alice.asks("POST", DELETE, "{}").await;
    failed(&world, &id, 1).await;
    world.advance(Duration::from_mins(5));
    reads(&val, &format!("/secure/operations/{id}"), "was not delivered").await;
    let tried = world.inbox.offered(Channel::Sms);
    world.inbox.behave(Channel::Sms, Conduct::Accept);
    for _ in 0..3 {
        world.advance(Duration::from_secs(61));
        world.tools.operations.sweep().await.unwrap();
    }
    assert_eq!((world.inbox.offered(Channel::Sms), tokens(&world, &id)), (tried, 0), "its token is worth nothing");
    assert_eq!(alice.state(&id).await["state"], "waiting", "the operation stays");
    val.proves_again().await;
    let page = format!("/secure/operations/{id}");
    let renewed = val.client.fill(&page, &format!("{page}/new-token"), &[]).await;
    assert_eq!(renewed.status, 303, "{}", renewed.text());
    let token = val.token(&id).await;
    delivered(&alice, &val, &id, &token).await;
}

#[tokio::test]
async fn an_sms_that_the_provider_may_have_accepted_is_never_sent_again() {
    let world = World::start().await;
    world.inbox.behave(Channel::Sms, Conduct::AcceptSilently);
    let (alice, val) = (world.signed_in("alice").await, world.signed_in("val").await);
    let id = alice.asks("POST", DELETE, "{}").await;
    reads(&alice, &format!("/secure/operations/{id}/wait"), "may not have been delivered").await;
    reads(&val, "/secure/operations", "an SMS was not delivered").await;
    world.inbox.behave(Channel::Sms, Conduct::Accept);
    world.advance(Duration::from_secs(61));
    let token = val.token(&id).await;
    delivered(&alice, &val, &id, &token).await;
    assert_eq!(tokens(&world, &id), 1, "the phone got it once");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_anything_is_stored() {
    let world = World::builder().security("[holding]\nbody_limit = \"64KiB\"").start().await;
    let alice = world.signed_in("alice").await;
    let before = world.acts().await.len();
    let long = "x".repeat(64 * 1024 + 1);
    let answer = alice.client.send("POST", DELETE, &[("Content-Type", "text/plain")], long.as_bytes()).await;
    assert_eq!(answer.status, 413);
    assert!(answer.text().contains("64\u{a0}KiB"), "{}", answer.text());
    let cookie = format!("vantail={}", alice.client.cookie("vantail").unwrap());
    let head = format!("POST {DELETE} HTTP/1.1\r\nHost: gw.test\r\nCookie: {cookie}\r\nContent-Type: text/plain\r\n");
    let chunks = format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
    let announced = "Content-Length: 9999999\r\nExpect: 100-continue\r\n\r\n";
    for rest in [chunks.as_str(), announced] {
        assert_eq!(alice.client.raw(format!("{head}{rest}").as_bytes()).await.status, 413);
    }
    let states = [State::Waiting, State::Cancelled, State::Withdrawn];
    assert!(world.tools.store.operations(&states, 10).await.unwrap().is_empty(), "an operation was stored");
    assert_eq!(world.acts().await.len(), before, "{:?}", world.acts().await);
    assert!(world.inbox.messages().is_empty());
    let exact = "x".repeat(64 * 1024);
    let answer = alice.client.send("POST", DELETE, &[("Content-Type", "text/plain")], exact.as_bytes()).await;
    assert_eq!(answer.status, 303, "a body of exactly the limit is held");
    assert_eq!(world.backend.count(), 0);
}
