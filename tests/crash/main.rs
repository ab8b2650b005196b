//! The real program, killed: HOLD-13 at every named point, FLT-1 at random moments. What it acknowledged must be there.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../gateway/client.rs"]
#[expect(dead_code, reason = "shared with the tests of whole gateways")]
mod client;
#[path = "../support/ports.rs"]
mod ports;
mod process;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "shared by several test programs; each uses its part")]
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use process::{Installation, Running};
use vantail::operation::State;
use vantail::store::audit::ChainState;

use client::Client;

const RUNS: usize = 25;
const HELD: &str = "/admin/ops/1?name=1";

/// Asks, confirms, as far as the gateway lives. What was acknowledged: the operation's id, and whether the confirmation was.
async fn ask_and_confirm(gateway: &Running, installation: &Installation) -> (Option<String>, bool) {
    let (alice, val) = (installation.client(gateway, "alice"), installation.client(gateway, "val"));
    let asked = alice.send("POST", HELD, &[("Content-Type", "application/json")], b"{}").await;
    if asked.status != 303 {
        return (None, false);
    }
    let id = asked.location().split('/').nth(3).unwrap().to_owned();
    let Some(token) = installation.token(gateway, &id).await else { return (Some(id), false) };
    let page = val.get(&format!("/secure/operations/{id}")).await;
    let Some(csrf) = page.hidden("csrf") else { return (Some(id), false) };
    let confirmed =
        val.post_form(&format!("/secure/operations/{id}/confirm"), &[("csrf", &csrf), ("token", &token)]).await;
    (Some(id), confirmed.status == 303)
}

async fn killed_at(point: &'static str) {
    let template = Installation::make().await;
    for run in 0..RUNS {
        let installation = template.copy().await;
        let mut gateway = installation.start(Some(point)).await;
        let (id, acknowledged) = ask_and_confirm(&gateway, &installation).await;
        gateway.ended(point).await;
        let deliveries = installation.backend.count();

        let begin = Instant::now();
        let again = installation.start(None).await;
        assert!(begin.elapsed() < Duration::from_secs(6), "{point} {run}: ready after {:?}", begin.elapsed());
        let Some(id) = id else {
            again.kill();
            assert!(installation.backend.count() == 0, "{point} {run}: nothing was acknowledged, something was sent");
            continue;
        };
        let state = settled(&again, &installation, &id).await;
        let count = installation.backend.count();
        assert!(count <= 1 && count >= deliveries, "{point} {run}: {count} deliveries");
        match state.as_str() {
            "waiting" => assert!(count == 0 && !acknowledged, "{point} {run}: confirmed and waiting again"),
            "done" => assert_eq!(count, 1, "{point} {run}"),
            "withdrawn" => assert_eq!(count, 0, "{point} {run}"),
            "unknown" => {}
            other => panic!("{point} {run}: {other}"),
        }
        again.kill();
    }
}

/// The state once nothing moves any more.
async fn settled(gateway: &Running, installation: &Installation, id: &str) -> String {
    let end = Instant::now() + client::PATIENCE;
    loop {
        let answer = installation.client(gateway, "alice").get(&format!("/secure/api/operations/{id}")).await;
        assert_eq!(answer.status, 200, "an acknowledged operation is gone: {}", answer.text());
        let state = answer.json()["state"].as_str().unwrap().to_owned();
        if !matches!(state.as_str(), "confirmed" | "sending") {
            return state;
        }
        assert!(Instant::now() < end, "{id} stays {state}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hold_13_killed_after_the_operation_was_stored() {
    killed_at("operation-stored").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hold_13_killed_after_the_sms_was_sent() {
    killed_at("sms-sent").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hold_13_killed_after_the_confirmation_was_stored() {
    killed_at("confirm-stored").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hold_13_killed_before_dispatch() {
    killed_at("before-dispatch").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hold_13_killed_after_dispatch() {
    killed_at("after-dispatch").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hold_13_killed_with_the_answer_unrecorded() {
    killed_at("answer-before-recording").await;
}

/// Everything that was acknowledged before the end came.
#[derive(Debug, Default)]
struct Acknowledged {
    operations: BTreeMap<String, bool>,
    refused_logins: usize,
}

async fn mixed_writes(gateway: Arc<Running>, installation: Arc<Installation>, stop: Arc<AtomicBool>) -> Acknowledged {
    let mut facts = Acknowledged::default();
    while !stop.load(Ordering::SeqCst) {
        let stranger = Client::new(gateway.address).host("localhost").browser().of_one_that_may_be_gone();
        let page = stranger.get("/secure/login").await;
        if let Some(csrf) = page.hidden("csrf") {
            let fields = [("csrf", csrf.as_str()), ("username", "carol"), ("password", "wrong")];
            facts.refused_logins += usize::from(stranger.post_form("/secure/login", &fields).await.status == 422);
        }
        if let (Some(id), confirmed) = ask_and_confirm(&gateway, &installation).await {
            facts.operations.insert(id, confirmed);
        }
    }
    facts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flt_1_killed_at_random_moments_nothing_acknowledged_is_lost() {
    let template = Installation::make().await;
    for run in 0_u64..100 {
        let installation = Arc::new(template.copy().await);
        let gateway = Arc::new(installation.start(None).await);
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..4 {
            writers.spawn(mixed_writes(gateway.clone(), installation.clone(), stop.clone()));
        }
        // The moment differs from run to run; a fixed rule, so that a failing run can be repeated.
        tokio::time::sleep(Duration::from_millis(40 + run * 37 % 400)).await;
        gateway.kill();
        stop.store(true, Ordering::SeqCst);
        let facts = writers.join_all().await;
        let begin = Instant::now();
        let again = installation.start(None).await;
        assert!(begin.elapsed() < Duration::from_secs(6), "run {run}: ready after {:?}", begin.elapsed());
        let alice = installation.client(&again, "alice");
        let asked = facts.iter().flat_map(|facts| &facts.operations).count();
        for (id, confirmed) in facts.iter().flat_map(|facts| &facts.operations) {
            let answer = alice.get(&format!("/secure/api/operations/{id}")).await;
            assert_eq!(answer.status, 200, "run {run}: {id} of {asked} is gone");
            let state = answer.json()["state"].as_str().unwrap().to_owned();
            assert!(!confirmed || state != "waiting", "run {run}: a confirmation of {id} is gone");
        }
        let deliveries: BTreeMap<String, usize> = installation
            .backend
            .requests()
            .iter()
            .filter_map(|request| request.header("x-vantail-operation").map(str::to_owned))
            .fold(BTreeMap::new(), |mut counts, id| {
                *counts.entry(id).or_default() += 1;
                counts
            });
        assert!(deliveries.values().all(|count| *count == 1), "run {run}: {deliveries:?}");
        again.kill();
        let store = installation.store().await;
        assert!(matches!(store.verify_chain().await.unwrap(), ChainState::Whole(_)), "run {run}: the trail is broken");
        let trail = store.events(0, 1_000_000).await.unwrap();
        let refused = trail.iter().filter(|event| event.act == "login.refused").count();
        let acknowledged: usize = facts.iter().map(|facts| facts.refused_logins).sum();
        assert!(refused >= acknowledged, "run {run}: {refused} refusals in the trail, {acknowledged} told");
        for row in store.operations(&[State::Done], 10_000).await.unwrap() {
            assert!(deliveries.contains_key(&row.id), "run {run}: done without a delivery");
        }
        store.close().await;
    }
}
