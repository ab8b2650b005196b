//! Many at the same moment: AUTH-1, MFA-1, MFA-3, HOLD-6, HOLD-7. Connections are opened first, and all but the spraying are
//! run fifty times.
//!
//! Where a flood may put the store off (503), nobody gets further by it.

use std::time::Duration;

use tokio::sync::Mutex;
use vantail::account::lockout::Subject;
use vantail::store::audit::EventFilter;

use crate::accounts::{guess, hashes, pending, ready};
use crate::hold::DELETE;
use crate::support::client::{Client, release_together};
use crate::world::{PASSWORD, World, add, code_at};

/// One flood at a time: two would only slow each other, and whatever is tested beside them.
static ALONE: Mutex<()> = Mutex::const_new(());

/// How often a race is run, and how many take part: a thousand in the first, a hundred in the others.
fn rounds() -> impl Iterator<Item = (usize, usize)> {
    (0..50).map(|round| (round, if round == 0 { 1000 } else { 100 }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn auth_1_of_a_thousand_parallel_guesses_exactly_five_are_checked() {
    let _alone = ALONE.lock().await;
    let world = World::start().await;
    let (client, csrf) = ready(&world).await;
    let fields = [("csrf", csrf.as_str()), ("username", "carol"), ("password", "not the password")];
    for (round, count) in rounds() {
        let mut guesses = Vec::new();
        for _ in 0..count {
            guesses.push(client.prepare_form("/secure/login", &fields).await);
        }
        let before = hashes(&world);
        let statuses: Vec<_> = release_together(guesses).await.iter().map(|answer| answer.status).collect();
        assert!(statuses.iter().all(|status| matches!(status, 422 | 503)), "round {round}: {statuses:?}");
        assert_eq!(hashes(&world) - before, 5, "round {round}");
        assert_eq!(guess(&world, "carol", PASSWORD).await.status, 422, "the right password waits for the lock's end");
        assert_eq!(hashes(&world) - before, 5, "round {round}");
        world.advance(Duration::from_mins(30));
    }
    assert_eq!(guess(&world, "carol", PASSWORD).await.status, 303);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mfa_1_one_code_opens_one_login() {
    let _alone = ALONE.lock().await;
    let world = World::builder().security("[lockout]\nattempts = 0\naddress_attempts = 0").start().await;
    let mut logins: Vec<(Client, String)> = Vec::new();
    for round in 0..50 {
        // A round takes half a minute of the world's time, and a login may wait ten.
        if round % 17 == 0 {
            logins.clear();
        }
        let missing = 100 - logins.len();
        logins.extend(pending(&world, missing).await);
        let code = world.next_code("alice");
        let mut submissions = Vec::new();
        for (client, csrf) in &logins {
            let fields = [("csrf", csrf.as_str()), ("code", &code)];
            submissions.push(client.prepare_form("/secure/login/second-factor", &fields).await);
        }
        let statuses: Vec<_> = release_together(submissions).await.iter().map(|answer| answer.status).collect();
        let winners: Vec<_> = (0..100).filter(|index| statuses[*index] == 303).collect();
        assert_eq!(winners.len(), 1, "round {round}: {statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 303 | 422 | 503)), "round {round}: {statuses:?}");
        logins.remove(winners[0]);
    }
    let used = code_at("alice", world.now());
    world.advance(Duration::from_secs(30));
    let (client, csrf) = pending(&world, 1).await.remove(0);
    let answer = client.post_form("/secure/login/second-factor", &[("csrf", &csrf), ("code", &used)]).await;
    assert_eq!(answer.status, 422, "within the tolerance, but used");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mfa_3_of_a_thousand_parallel_codes_exactly_five_are_compared() {
    let _alone = ALONE.lock().await;
    let world = World::start().await;
    let alice = world.user("alice").await.id;
    for (round, count) in rounds() {
        let (client, csrf) = pending(&world, 1).await.remove(0);
        let fields = [("csrf", csrf.as_str()), ("code", "000000")];
        let mut submissions = Vec::new();
        for _ in 0..count {
            submissions.push(client.prepare_form("/secure/login/second-factor", &fields).await);
        }
        let before = compared(&world).await;
        let statuses: Vec<_> = release_together(submissions).await.iter().map(|answer| answer.status).collect();
        assert!(statuses.iter().all(|status| matches!(status, 422 | 503)), "round {round}: {statuses:?}");
        // A flood may put the store off: then a comparison has been counted, and its line is missing.
        assert!((1..=5).contains(&(compared(&world).await - before)), "round {round}");
        let counter = world.tools.store.lockout(Subject::user(alice).as_str()).await.unwrap().unwrap();
        assert_eq!(counter.tries, 5, "round {round}");
        assert_eq!(guess(&world, "alice", PASSWORD).await.status, 422, "the account is locked");
        world.advance(Duration::from_mins(30));
    }
}

/// How many codes were compared and found wrong.
async fn compared(world: &World) -> usize {
    let refused = EventFilter { act: Some("login.refused".to_owned()), ..EventFilter::default() };
    let events = world.tools.store.find_events(&refused, 0, 1_000_000).await.unwrap();
    events.iter().filter(|event| event.details.contains("wrong or used code")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hold_6_a_thousand_parallel_guesses_are_five_comparisons() {
    let _alone = ALONE.lock().await;
    let world = World::builder().security("[lockout]\nattempts = 0\naddress_attempts = 0").start().await;
    let (alice, val) = (world.signed_in("alice").await, world.signed_in("val").await);
    for (round, count) in rounds() {
        let id = alice.asks("POST", DELETE, "{}").await;
        let token = val.token(&id).await;
        let confirm = format!("/secure/operations/{id}/confirm");
        let csrf = val.client.get(&format!("/secure/operations/{id}")).await.field("csrf");
        let mut guesses = Vec::new();
        for _ in 0..count {
            guesses.push(val.client.prepare_form(&confirm, &[("csrf", &csrf), ("token", "ZZZZ-ZZZZ")]).await);
        }
        let statuses: Vec<_> = release_together(guesses).await.iter().map(|answer| answer.status).collect();
        assert!(statuses.iter().all(|status| *status >= 400), "round {round}: {statuses:?}");
        let row = world.tools.store.operation(&id).await.unwrap().unwrap();
        assert_eq!(row.tries, 5, "round {round}");
        assert_eq!(wrong_tokens(&world, &id).await, 5, "round {round}: more than five were compared");
        let answer = val.client.post_form(&confirm, &[("csrf", &csrf), ("token", &token)]).await;
        assert!(answer.status >= 400, "round {round}: the operation is dead");
    }
    assert_eq!(world.backend.count(), 0);
}

/// How many tokens for `operation` were compared and found wrong.
async fn wrong_tokens(world: &World, operation: &str) -> usize {
    let wrong = EventFilter {
        act: Some("operation.token-wrong".to_owned()),
        target: Some(operation.to_owned()),
        ..EventFilter::default()
    };
    world.tools.store.find_events(&wrong, 0, 10_000).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hold_6_spraying_one_guess_on_many_operations_stops_too() {
    let _alone = ALONE.lock().await;
    let world = World::start().await;
    let mut ids = Vec::new();
    for name in ["ada", "ben", "cora", "dan", "eva"] {
        add(&world.tools, &world.operator(), (name, &["admins"], &[], None, true)).await;
        let requester = world.signed_in(name).await;
        for _ in 0..20 {
            ids.push(requester.asks("POST", DELETE, "{}").await);
        }
    }
    let val = world.signed_in("val").await;
    let csrf = val.client.get("/secure/operations").await.field("csrf");
    let confirm = |id: &str| format!("/secure/operations/{id}/confirm");
    let mut guesses = Vec::new();
    for id in &ids {
        guesses.push(val.client.prepare_form(&confirm(id), &[("csrf", &csrf), ("token", "ZZZZ-ZZZZ")]).await);
    }
    assert!(release_together(guesses).await.iter().all(|answer| answer.status >= 400));
    let wrong = world.acts().await.iter().filter(|act| act.starts_with("operation.token-wrong")).count();
    assert_eq!(wrong, 5, "a validator's guesses are counted over all operations");
    let last = ids.last().unwrap();
    let fields = [("csrf", csrf.as_str()), ("token", &val.token(last).await)];
    assert!(
        val.client.post_form(&confirm(last), &fields).await.status >= 400,
        "the right one waits for the lock's end"
    );
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hold_7_a_hundred_parallel_confirmations_are_one_delivery() {
    let _alone = ALONE.lock().await;
    let world = World::start().await;
    let (alice, val) = (world.signed_in("alice").await, world.signed_in("val").await);
    for round in 0..50 {
        let id = alice.asks("POST", DELETE, "{}").await;
        let token = val.token(&id).await;
        let page = format!("/secure/operations/{id}");
        let csrf = val.client.get(&page).await.field("csrf");
        let mut confirmations = Vec::new();
        for _ in 0..100 {
            let fields = [("csrf", csrf.as_str()), ("token", &token)];
            confirmations.push(val.client.prepare_form(&format!("{page}/confirm"), &fields).await);
        }
        let statuses: Vec<_> = release_together(confirmations).await.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "round {round}: {statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 99, "round {round}: {statuses:?}");
        alice.sees(&id, "done").await;
        assert_eq!(world.backend.count(), round + 1, "round {round}");
        assert_eq!(wrong_tokens(&world, &id).await, 0, "round {round}: a late confirmation is no guess");
    }
}
