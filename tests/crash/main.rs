//! The real program, killed: HOLD-13 at every named point, FLT-1 at random moments ([`random`]). What it acknowledged must be
//! there. And what it writes while it lives, LOG-1 ([`secrets`]).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod crowd;
mod facts;
mod load;
#[path = "../support/ports.rs"]
mod ports;
mod process;
mod random;
mod secrets;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "shared by several test programs; each uses its part")]
mod support;

use std::time::{Duration, Instant};

use process::{Installation, Running};

const RUNS: usize = 25;
/// A killed gateway is ready again within two seconds; tried with a bound of three times that.
const READY: Duration = Duration::from_secs(6);
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

        let again = installation.start(None).await;
        assert!(again.ready_after < READY, "{point} {run}: ready after {:?}", again.ready_after);
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
    let end = Instant::now() + support::PATIENCE;
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
