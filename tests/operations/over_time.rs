//! What time and other people's acts do to a waiting operation.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use vantail::account::Edit;
use vantail::identity::Right;
use vantail::operation::{ConfirmError, MayNot, OperationError, Operations, State};
use vantail::store::entering::Entry;
use vantail::store::sessions::{Memory, SessionRow, Stage};
use vantail::time::{Clock, Timestamp};

use crate::installation::{BEGIN, Installation, MINUTE, Wish};

#[tokio::test]
async fn hold_8_a_confirmation_in_time_is_taken() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let id = gate.ask(&alice).await.id;
    let token = gate.token(&id, &val).await;
    gate.clock.advance(14 * MINUTE + Duration::from_secs(59));
    gate.operations.sweep().await.unwrap();
    assert_eq!(gate.confirm(&id, &val, &token).await.unwrap(), State::Confirmed);
}

#[tokio::test]
async fn hold_8_a_late_confirmation_is_refused_before_any_sweep_and_expired_stays_expired() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let id = gate.ask(&alice).await.id;
    let token = gate.token(&id, &val).await;
    gate.clock.advance(15 * MINUTE + Duration::from_secs(1));
    let late = gate.confirm(&id, &val, &token).await.unwrap_err();
    assert!(matches!(late, ConfirmError::Operation(OperationError::NotWaiting(State::Expired))), "{late}");
    gate.clock.set(BEGIN.plus(MINUTE));
    let revived = gate.confirm(&id, &val, &token).await.unwrap_err();
    assert!(matches!(revived, ConfirmError::Operation(OperationError::NotWaiting(State::Expired))), "{revived}");
    let renewed = gate.operations.new_token(&id, &val, &gate.origin()).await.unwrap_err();
    assert!(matches!(renewed, OperationError::NotWaiting(State::Expired)), "{renewed}");
    assert_eq!(gate.mails(&id).await.len(), 1);
    assert_eq!(gate.backend.count(), 0);
}

#[tokio::test]
async fn hold_8_the_sweep_expires_what_nobody_confirmed_and_tells_the_requester() {
    let gate = Installation::new().await;
    let alice = gate.signed_in("alice").await;
    let id = gate.ask(&alice).await.id;
    gate.clock.advance(15 * MINUTE);
    gate.operations.sweep().await.unwrap();
    assert_eq!(gate.state(&id).await, (State::Expired, Some("expired".to_owned())));
    assert!(gate.mails(&id).await[0].text.contains("Start it again if it is still needed."));
}

#[tokio::test]
async fn hold_8_a_clock_set_back_before_the_asking_ends_the_waiting() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let id = gate.ask(&alice).await.id;
    let token = gate.token(&id, &val).await;
    gate.clock.set(BEGIN.minus(60 * MINUTE));
    let refused = gate.confirm(&id, &val, &token).await.unwrap_err();
    assert!(matches!(refused, ConfirmError::Operation(OperationError::NotWaiting(State::Expired))), "{refused}");
    assert_eq!(gate.state(&id).await.1.as_deref(), Some("clock-set-back"));
}

#[tokio::test]
async fn hold_8_after_a_restart_a_waiting_operation_can_still_be_confirmed() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let id = gate.ask(&alice).await.id;
    let token = gate.token(&id, &val).await;
    let backend = gate.backend.clone();
    let gate = gate.restarted(backend.clone());
    gate.operations.start(backend).await.unwrap();
    gate.confirm(&id, &val, &token).await.unwrap();
    assert_eq!(gate.operations.wait(&id, &alice, MINUTE).await.unwrap(), State::Done);
    assert_eq!(gate.backend.count(), 1);
}

#[tokio::test]
async fn hold_8_a_new_token_comes_after_a_minute_and_ends_the_old_one() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let id = gate.ask(&alice).await.id;
    let old = gate.token(&id, &val).await;
    gate.clock.advance(Duration::from_secs(20));
    let soon = gate.operations.new_token(&id, &val, &gate.origin()).await.unwrap_err();
    assert!(matches!(soon, OperationError::TooSoon(left) if left == Duration::from_secs(40)), "{soon}");
    gate.clock.advance(MINUTE);
    gate.operations.new_token(&id, &val, &gate.origin()).await.unwrap();
    let new = gate.token(&id, &val).await;
    assert_ne!(new, old);
    assert!(matches!(gate.confirm(&id, &val, &old).await, Err(ConfirmError::WrongToken { .. })));
    assert_eq!(gate.confirm(&id, &val, &new).await.unwrap(), State::Confirmed);
}

/// A clock at whose second reading something happens: after what is asked for was looked at, before it is stored.
struct Between {
    readings: AtomicUsize,
    before: Timestamp,
    after: Timestamp,
    what: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Between {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Between").finish_non_exhaustive()
    }
}

impl Clock for Between {
    fn now(&self) -> Timestamp {
        match self.readings.fetch_add(1, Ordering::SeqCst) {
            0 => return self.before,
            1 => (self.what)(),
            _ => {}
        }
        self.after
    }
}

/// The same gateway by another clock.
fn by(gate: &Installation, clock: Between) -> Operations {
    Operations::new(gate.accounts.clone(), gate.notices.clone(), gate.policy.clone(), Arc::new(clock))
}

#[tokio::test]
async fn hold_8_who_asks_for_a_token_as_the_time_runs_out_is_told_that_it_is_over() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let id = gate.ask(&alice).await.id;
    let after = BEGIN.plus(15 * MINUTE);
    let before = after.minus(Duration::from_secs(1));
    let clock = Between { readings: AtomicUsize::new(0), before, after, what: Box::new(|| {}) };
    let refused = by(&gate, clock).new_token(&id, &val, &gate.origin()).await.unwrap_err();
    assert!(matches!(refused, OperationError::NotWaiting(State::Expired)), "{refused}");
    assert_eq!(gate.state(&id).await.0, State::Expired);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_confirms_in_one_tab_and_asks_for_a_token_in_another_is_told_that_they_confirmed() {
    let gate = Arc::new(Installation::new().await);
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let id = gate.ask_for(&alice, Wish { target: "/admin/both", ..Wish::default() }).await.unwrap().id;
    let token = gate.token(&id, &val).await;
    let what = {
        let (gate, id, val) = (Arc::clone(&gate), id.clone(), val.clone());
        Box::new(move || {
            let confirm = async { gate.confirm(&id, &val, &token).await };
            let state = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(confirm));
            assert_eq!(state.unwrap(), State::Waiting, "another confirmation is missing");
        })
    };
    let now = BEGIN.plus(2 * MINUTE);
    let clock = Between { readings: AtomicUsize::new(0), before: now, after: now, what };
    let refused = by(&gate, clock).new_token(&id, &val, &gate.origin()).await.unwrap_err();
    assert!(matches!(refused, OperationError::NotAllowed(MayNot::AlreadyConfirmed)), "{refused}");
}

#[tokio::test]
async fn a_token_that_ran_out_is_not_taken_and_costs_no_try() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let id = gate.ask_for(&alice, Wish { target: "/admin/short", ..Wish::default() }).await.unwrap().id;
    let token = gate.token(&id, &val).await;
    gate.clock.advance(2 * MINUTE);
    let late = gate.confirm(&id, &val, &token).await.unwrap_err();
    assert!(matches!(late, ConfirmError::Operation(OperationError::NotAllowed(MayNot::TokenExpired))), "{late}");
    gate.operations.new_token(&id, &val, &gate.origin()).await.unwrap();
    let token = gate.token(&id, &val).await;
    assert_eq!(gate.confirm(&id, &val, &token).await.unwrap(), State::Confirmed);
}

/// What takes away what an operation was asked with, and the word for it.
async fn taken_away(gate: &Installation, what: &str) -> &'static str {
    let alice = gate.signed_in("alice").await;
    let origin = gate.origin();
    match what {
        "disabled" => {
            gate.accounts.disable(alice.user.id, &origin).await.unwrap();
            "requester-disabled"
        }
        "group lost" => {
            gate.edit(&alice, Edit { remove_groups: vec!["admins".to_owned()], ..Edit::default() }).await;
            "requester-changed"
        }
        "password reset" => {
            gate.accounts.reset_password(&gate.policy.load().security, alice.user.id, &origin).await.unwrap();
            "requester-changed"
        }
        "end date reached" => {
            let edit = Edit { valid_until: Some(Some(origin.now)), ..Edit::default() };
            gate.edit(&alice, edit).await;
            "requester-expired"
        }
        "rule changed" => {
            gate.reload(|site| site.replace("groups  = [\"admins\"]", "groups  = [\"admins\", \"others\"]"));
            "rule-changed"
        }
        "backend changed" => {
            gate.reload(|site| site.replace("127.0.0.1:9", "127.0.0.1:8"));
            "rule-changed"
        }
        other => panic!("{other}"),
    }
}

const TAKEN: [&str; 6] =
    ["disabled", "group lost", "password reset", "end date reached", "rule changed", "backend changed"];

#[tokio::test]
async fn hold_9_a_requester_who_lost_what_they_asked_with_has_it_withdrawn_by_the_sweep() {
    for what in TAKEN {
        let gate = Installation::new().await;
        let alice = gate.signed_in("alice").await;
        let id = gate.ask(&alice).await.id;
        let word = taken_away(&gate, what).await;
        gate.operations.sweep().await.unwrap();
        assert_eq!(gate.state(&id).await, (State::Withdrawn, Some(word.to_owned())), "{what}");
        assert_eq!(gate.mails(&id).await.len(), 1, "{what}");
    }
}

#[tokio::test]
async fn hold_9_and_when_confirmed_before_any_sweep() {
    for what in TAKEN {
        let gate = Installation::new().await;
        let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
        let id = gate.ask(&alice).await.id;
        let token = gate.token(&id, &val).await;
        taken_away(&gate, what).await;
        let refused = gate.confirm(&id, &val, &token).await.unwrap_err();
        assert!(
            matches!(refused, ConfirmError::Operation(OperationError::NotWaiting(State::Withdrawn))),
            "{what}: {refused}"
        );
        assert_eq!(gate.backend.count(), 0, "{what}");
    }
}

#[tokio::test]
async fn hold_9_logging_out_leaves_it_waiting_unless_the_rule_needs_the_session() {
    let gate = Installation::new().await;
    let alice = gate.signed_in("alice").await;
    let session = SessionRow {
        digest: vantail::secret::SessionToken::generate(&vantail::secret::SystemRandom).digest(),
        id: alice.session,
        user: alice.user.id,
        stage: Stage::Live,
        amr: alice.amr.clone(),
        auth_time: BEGIN,
        second_factor_at: Some(BEGIN),
        created_at: BEGIN,
        last_seen: BEGIN,
        expires_at: BEGIN.plus(720 * MINUTE),
        memory: Memory::None,
        address: None,
        user_agent: String::new(),
    };
    let epoch = gate.store.user(alice.user.id).await.unwrap().unwrap().epoch;
    assert!(gate.store.insert_session(&Entry::of(&session, epoch), &[]).await.unwrap().is_in());
    let usual = gate.ask(&alice).await.id;
    let bound = gate.ask_for(&alice, Wish { target: "/admin/session", ..Wish::default() }).await.unwrap().id;
    gate.operations.session_ended(alice.session).await.unwrap();
    assert_eq!(gate.state(&bound).await.0, State::Waiting, "the session lives: somebody was mistaken");
    gate.store.end_session(alice.session, &[]).await.unwrap();
    gate.operations.session_ended(alice.session).await.unwrap();
    assert_eq!(gate.state(&usual).await.0, State::Waiting);
    assert_eq!(gate.state(&bound).await, (State::Withdrawn, Some("session-ended".to_owned())));
}

#[tokio::test]
async fn hold_9_a_session_that_an_administrator_ends_takes_what_was_asked_in_it_along() {
    let gate = Installation::new().await;
    let (one, other) = (gate.signed_in("alice").await, gate.signed_in("alice").await);
    let (ended, untouched) = (gate.ask(&one).await.id, gate.ask(&other).await.id);
    gate.operations.end_sessions(one.user.id, Some(one.session), &gate.origin()).await.unwrap();
    assert_eq!(gate.state(&ended).await, (State::Withdrawn, Some("session-ended".to_owned())));
    assert_eq!(gate.state(&untouched).await.0, State::Waiting);
    gate.operations.end_sessions(one.user.id, None, &gate.origin()).await.unwrap();
    assert_eq!(gate.state(&untouched).await.0, State::Withdrawn);
}

#[tokio::test]
async fn what_strangers_can_cause_withdraws_nothing() {
    let gate = Installation::new().await;
    let alice = gate.signed_in("alice").await;
    let id = gate.ask(&alice).await.id;
    let subject = format!("user:{}", alice.user.id);
    for _ in 0..5 {
        gate.store.reserve_try(&subject, 5, 30 * MINUTE, BEGIN).await.unwrap();
    }
    gate.edit(&alice, Edit { add_groups: vec!["more".to_owned()], ..Edit::default() }).await;
    gate.accounts.grant(alice.user.id, Right::Auditor, &gate.origin()).await.unwrap();
    gate.operations.sweep().await.unwrap();
    assert_eq!(gate.state(&id).await.0, State::Waiting);
}
