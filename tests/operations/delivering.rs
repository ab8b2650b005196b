//! The delivery: once, or not at all, or unknown; never twice.

use std::sync::Arc;

use vantail::account::Edit;
use vantail::identity::Right;
use vantail::operation::{Delivered, State};

use crate::installation::{CountingBackend, Installation, MINUTE, Wish, answer};

#[tokio::test]
async fn what_surely_was_not_sent_is_withdrawn() {
    let backend = CountingBackend::answering([Delivered::NotSent("connection refused".to_owned())]);
    let gate = Installation::with_backend(backend).await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let (id, state) = gate.whole(&alice, &val).await;
    assert_eq!(state, State::Withdrawn);
    assert_eq!(gate.state(&id).await.1.as_deref(), Some("not-sent"));
}

#[tokio::test]
async fn hold_12_what_may_have_arrived_is_unknown_and_never_sent_again() {
    let backend = CountingBackend::answering([Delivered::Unknown("closed without answering".to_owned())]);
    let gate = Installation::with_backend(backend).await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let (id, state) = gate.whole(&alice, &val).await;
    assert_eq!(state, State::Unknown);
    let backend = gate.backend.clone();
    let gate = gate.restarted(backend.clone());
    gate.operations.start(backend).await.unwrap();
    gate.operations.sweep().await.unwrap();
    assert_eq!((gate.state(&id).await.0, gate.backend.count()), (State::Unknown, 1));
    assert!(gate.mails(&id).await[0].text.contains("never sent again by itself"));
}

#[tokio::test]
async fn hold_11_a_redirect_is_recorded_and_not_followed() {
    let backend = CountingBackend::answering([Delivered::Answered(answer(302, b""))]);
    let gate = Installation::with_backend(backend).await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let (id, state) = gate.whole(&alice, &val).await;
    assert_eq!(state, State::Done);
    assert_eq!(gate.operations.answer(&id, &alice).await.unwrap(), Some(answer(302, b"")));
    assert_eq!(gate.backend.count(), 1);
}

#[tokio::test]
async fn hold_13_what_was_confirmed_before_a_crash_is_delivered_after_it() {
    let gate = Installation::cold(Arc::new(CountingBackend::default())).await;
    gate.add("alice", "+33600000001", &["admins"], &[]).await;
    gate.add("val", "+33600000002", &[], &[Right::TokenValidator]).await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let id = gate.ask(&alice).await.id;
    let token = gate.token(&id, &val).await;
    // Nothing is bound yet: confirming is all that happens.
    assert_eq!(gate.confirm(&id, &val, &token).await.unwrap(), State::Confirmed);
    assert_eq!(gate.backend.count(), 0);
    let backend = gate.backend.clone();
    let gate = gate.restarted(backend.clone());
    gate.operations.start(backend).await.unwrap();
    assert_eq!(gate.operations.wait(&id, &alice, MINUTE).await.unwrap(), State::Done);
    assert_eq!(gate.backend.count(), 1);
}

#[tokio::test]
async fn hold_13_what_was_being_sent_at_a_crash_is_unknown_after_it() {
    let gate = Installation::with_backend(CountingBackend::gated()).await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let id = gate.ask(&alice).await.id;
    let token = gate.token(&id, &val).await;
    gate.confirm(&id, &val, &token).await.unwrap();
    while gate.state(&id).await.0 != State::Sending {
        tokio::task::yield_now().await;
    }
    let before = gate.backend.clone();
    let after = Arc::new(CountingBackend::default());
    let gate = gate.restarted(after.clone());
    gate.operations.start(after.clone()).await.unwrap();
    assert_eq!(gate.state(&id).await, (State::Unknown, Some("interrupted".to_owned())));
    // The old process turns out to live, and to have been slow: the record stays as it is.
    before.gate.as_ref().unwrap().add_permits(1);
    gate.operations.sweep().await.unwrap();
    assert_eq!(gate.state(&id).await.0, State::Unknown);
    assert_eq!((before.count(), after.count()), (1, 0));
    assert!(gate.acts(&id).await.contains(&"operation.unknown".to_owned()));
}

#[tokio::test]
async fn hold_9_rights_lost_after_the_confirmation_withdraw_it_before_it_is_sent() {
    let gate = Installation::cold(Arc::new(CountingBackend::default())).await;
    gate.add("alice", "+33600000001", &["admins"], &[]).await;
    gate.add("val", "+33600000002", &[], &[Right::TokenValidator]).await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let id = gate.ask(&alice).await.id;
    let token = gate.token(&id, &val).await;
    gate.confirm(&id, &val, &token).await.unwrap();
    gate.accounts.disable(alice.user.id, &gate.origin()).await.unwrap();
    gate.operations.start(gate.backend.clone()).await.unwrap();
    assert_eq!(gate.operations.wait(&id, &val, MINUTE).await.unwrap(), State::Withdrawn);
    assert_eq!((gate.state(&id).await.1.as_deref(), gate.backend.count()), (Some("requester-disabled"), 0));
}

#[tokio::test]
async fn hold_3_a_state_written_into_the_database_is_no_confirmation() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let id = gate.ask(&alice).await.id;
    gate.tamper(format!("UPDATE operations SET state = 'confirmed' WHERE id = '{id}'")).await;
    gate.operations.sweep().await.unwrap();
    assert_eq!(gate.operations.wait(&id, &val, MINUTE).await.unwrap(), State::Withdrawn);
    assert_eq!((gate.state(&id).await.1.as_deref(), gate.backend.count()), (Some("seal-broken"), 0));
}

#[tokio::test]
async fn the_answer_is_the_requesters_alone_and_its_ticket_works_once_in_one_place() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let (id, _) = gate.whole(&alice, &val).await;
    assert!(gate.operations.answer(&id, &val).await.is_err());
    let (ticket, target) = gate.operations.answer_ticket(&id, &alice).await.unwrap();
    assert_eq!(target, crate::installation::TARGET);
    let redeem = |target: &'static str, who| {
        let (operations, ticket) = (gate.operations.clone(), ticket.clone());
        async move { operations.redeem_ticket(&ticket, target, who).await.unwrap() }
    };
    let other_session = gate.signed_in("alice").await;
    assert_eq!(redeem("/admin/customers/42/delete", &alice).await, None);
    assert_eq!(redeem(crate::installation::TARGET, &other_session).await, None);
    assert_eq!(redeem(crate::installation::TARGET, &val).await, None);
    assert_eq!(redeem(crate::installation::TARGET, &alice).await, Some(answer(200, b"deleted")));
    assert_eq!(redeem(crate::installation::TARGET, &alice).await, None);
}

#[tokio::test]
async fn the_answer_goes_when_its_time_is_over() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let (id, _) = gate.whole(&alice, &val).await;
    gate.clock.advance(24 * 60 * MINUTE);
    assert_eq!(gate.operations.answer(&id, &alice).await.unwrap(), None);
    gate.operations.sweep().await.unwrap();
    assert!(gate.store.operation(&id).await.unwrap().unwrap().answer.is_none());
}

#[tokio::test]
async fn hold_3_confirmations_written_into_the_database_are_none() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let (genuine, _) = gate.whole(&alice, &val).await;
    let from = "FROM operation_confirmations WHERE operation";
    for mac in ["zeroblob(32)", "x''", "mac"] {
        let id = gate.ask(&alice).await.id;
        gate.tamper(format!(
            "INSERT INTO operation_confirmations (operation, validator, at, mac) \
             SELECT '{id}', validator, at, {mac} {from} = '{genuine}'; \
             UPDATE operations SET state = 'confirmed' WHERE id = '{id}'"
        ))
        .await;
        gate.operations.sweep().await.unwrap();
        assert_eq!(gate.operations.wait(&id, &val, MINUTE).await.unwrap(), State::Withdrawn, "{mac}");
        assert_eq!(gate.state(&id).await.1.as_deref(), Some("seal-broken"), "{mac}");
        assert!(gate.acts(&id).await.contains(&"operation.seal-broken".to_owned()), "{mac}");
    }
    assert_eq!(gate.backend.count(), 1, "the genuine one alone");
}

#[tokio::test]
async fn hold_12_a_state_set_back_in_the_database_sends_nothing_twice() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let id = gate.ask(&alice).await.id;
    let captured = gate.store.operation(&id).await.unwrap().unwrap().captured.unwrap();
    let token = gate.token(&id, &val).await;
    gate.confirm(&id, &val, &token).await.unwrap();
    assert_eq!(gate.operations.wait(&id, &alice, MINUTE).await.unwrap(), State::Done);
    let captured = hex::encode(captured.as_bytes());
    gate.tamper(format!("UPDATE operations SET state = 'confirmed', captured = x'{captured}' WHERE id = '{id}'")).await;
    gate.operations.sweep().await.unwrap();
    assert_eq!(gate.operations.wait(&id, &alice, MINUTE).await.unwrap(), State::Withdrawn);
    assert_eq!((gate.state(&id).await.1.as_deref(), gate.backend.count()), (Some("seal-broken"), 1));
    assert!(gate.acts(&id).await.contains(&"operation.seal-broken".to_owned()));
}

#[tokio::test]
async fn hold_9_an_earlier_confirmer_who_may_no_longer_confirm_withdraws_it() {
    let gate = Installation::new().await;
    let (alice, val, bob) = (gate.signed_in("alice").await, gate.signed_in("val").await, gate.signed_in("bob").await);
    let id = gate.ask_for(&alice, Wish { target: "/admin/both", ..Wish::default() }).await.unwrap().id;
    let token = gate.token(&id, &val).await;
    gate.confirm(&id, &val, &token).await.unwrap();
    gate.accounts.disable(val.user.id, &gate.origin()).await.unwrap();
    let token = gate.token(&id, &bob).await;
    gate.confirm(&id, &bob, &token).await.unwrap();
    assert_eq!(gate.operations.wait(&id, &alice, MINUTE).await.unwrap(), State::Withdrawn);
    assert_eq!((gate.state(&id).await.1.as_deref(), gate.backend.count()), (Some("validator-lost-right"), 0));
}

#[tokio::test]
async fn hold_4_confirmers_who_turn_out_to_be_one_person_are_counted_as_one() {
    let gate = Installation::cold(Arc::new(CountingBackend::default())).await;
    gate.add("alice", "+33600000001", &["admins"], &[]).await;
    gate.add("val", "+33600000002", &[], &[Right::TokenValidator]).await;
    gate.add("bob", "+33600000003", &[], &[Right::TokenValidator]).await;
    let alice = gate.signed_in("alice").await;
    let id = gate.ask_for(&alice, Wish { target: "/admin/both", ..Wish::default() }).await.unwrap().id;
    for name in ["val", "bob"] {
        let validator = gate.signed_in(name).await;
        let token = gate.token(&id, &validator).await;
        gate.confirm(&id, &validator, &token).await.unwrap();
    }
    let same = Edit { phone: Some(Some("+33600000002".to_owned())), ..Edit::default() };
    gate.edit(&gate.signed_in("bob").await, same).await;
    gate.operations.start(gate.backend.clone()).await.unwrap();
    assert_eq!(gate.operations.wait(&id, &alice, MINUTE).await.unwrap(), State::Withdrawn);
    assert_eq!((gate.state(&id).await.1.as_deref(), gate.backend.count()), (Some("validators-are-one"), 0));
}
