//! FLT-1: killed at random moments under a load of writes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use vantail::operation::State;
use vantail::store::Store;
use vantail::store::audit::ChainState;

use crate::READY;
use crate::crowd::Crowd;
use crate::facts::Fact;
use crate::load::Load;
use crate::process::{Installation, PASSWORD, Running};
use crate::support::client::Client;

const KILLS: u64 = 100;
/// Offered, writes a second.
const RATE: f64 = 200.0;
/// How many victims, requesters and holders of codes there are: enough for a hundred rounds.
const PEOPLE: [usize; 3] = [600, 40, 300];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flt_1_killed_at_random_moments_nothing_acknowledged_is_lost() {
    let installation = Arc::new(Installation::make().await);
    let (store, keyring) = installation.store().await;
    let load = Load::new(installation.clone(), Crowd::make(&store, &keyring, PEOPLE).await);
    store.close().await;
    let telephone = tokio::spawn(load.clone().read_messages());

    let mut gateway = Arc::new(installation.start(None).await);
    let (mut ready_after, mut under_load, mut known, mut seq) = (vec![], Duration::ZERO, 0, 0);
    for kill in 0..KILLS {
        // The moment differs from round to round; a fixed rule, so that a failing one can be repeated.
        let moment = Duration::from_millis(40 + kill * 37 % 400);
        under_load += load.offer_and_kill(&gateway, moment).await;
        gateway = Arc::new(installation.start(None).await);
        assert!(gateway.ready_after < READY, "kill {kill}: ready after {:?}", gateway.ready_after);
        ready_after.push(gateway.ready_after);
        let (store, _) = installation.store().await;
        seq = load.ledger.read_back(&store, known, seq).await;
        // Nobody but the gateway has the database open when it is killed.
        store.close().await;
        it_is_known_at_the_door(&load, &installation, &gateway, known).await;
        known = load.ledger.len();
    }
    telephone.abort();
    gateway.ask_to_stop().await;
    let (store, _) = installation.store().await;
    load.ledger.read_back(&store, 0, 0).await;
    assert!(matches!(store.verify_chain().await.unwrap(), ChainState::Whole(_)), "the trail is broken");
    what_arrived_is_what_is_recorded(&store, &installation).await;
    store.close().await;

    ready_after.sort();
    let (median, worst) = (ready_after[ready_after.len() / 2], ready_after[ready_after.len() - 1]);
    let rate = f64::from(u32::try_from(load.offered()).unwrap()) / under_load.as_secs_f64();
    println!("{} writes offered, {rate:.0}/s; {known} facts acknowledged", load.offered());
    println!("ready after {median:?} (median), {worst:?} (worst)");
    assert!(median <= Duration::from_secs(2), "ready after {median:?} as a rule");
    assert!(rate >= RATE * 0.95, "only {rate:.0} writes a second were offered");
    let kinds = load.ledger.since(0).iter().fold([0; 4], |mut kinds, fact| {
        kinds[fact.kind()] += 1;
        kinds
    });
    assert!(kinds.iter().all(|count| *count >= 50), "refusals, codes, operations, confirmations: {kinds:?}");
}

/// One of each that was acknowledged in this round is tried at the gateway's door.
async fn it_is_known_at_the_door(load: &Load, installation: &Installation, gateway: &Running, since: usize) {
    if let Some(victim) = load.ledger.locked_since(since) {
        let browser = Client::new(gateway.address).host("localhost").browser();
        let name = &load.victim(victim).name;
        let right = [("username", name.as_str()), ("password", PASSWORD)];
        let answer = browser.fill("/secure/login", "/secure/login", &right).await;
        assert_eq!(answer.status, 422, "{name} is locked no more");
    }
    let facts = load.ledger.since(since);
    if let Some(Fact::CodeUsed { holder, step }) = facts.iter().rfind(|fact| matches!(fact, Fact::CodeUsed { .. })) {
        let browser = Installation::client_with(gateway, &holder.session);
        let page = "/secure/login/confirm?need=second-factor";
        let code = holder.code(*step);
        let again = [("need", "second-factor"), ("code", code.as_str())];
        let answer = browser.fill(page, "/secure/login/confirm", &again).await;
        assert_eq!(answer.status, 422, "{}'s code is good again", holder.name);
    }
    if let Some(Fact::Confirmed(id)) = facts.iter().rfind(|fact| matches!(fact, Fact::Confirmed(_))) {
        let page = installation.client(gateway, "val").get(&format!("/secure/api/operations/{id}")).await;
        assert_eq!(page.status, 200, "{id} is gone");
        assert_ne!(page.json()["state"], "waiting", "{id} can be confirmed again");
    }
}

/// No operation arrived twice, none that is done did not arrive, none that waits did.
async fn what_arrived_is_what_is_recorded(store: &Store, installation: &Installation) {
    let requests = installation.backend.requests();
    let deliveries = requests.iter().filter_map(|request| request.header("x-vantail-operation")).fold(
        BTreeMap::<&str, usize>::new(),
        |mut counts, id| {
            *counts.entry(id).or_default() += 1;
            counts
        },
    );
    assert!(deliveries.values().all(|count| *count == 1), "{deliveries:?}");
    for row in store.operations(&[State::Done], 100_000).await.unwrap() {
        assert!(deliveries.contains_key(row.id.as_str()), "{} is done without a delivery", row.id);
    }
    for row in store.operations(&[State::Waiting, State::Withdrawn], 100_000).await.unwrap() {
        assert!(!deliveries.contains_key(row.id.as_str()), "{} arrived and is {:?}", row.id, row.state);
    }
}
