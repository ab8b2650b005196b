//! Confirming: who may, with which token, how often.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use vantail::account::Edit;
use vantail::identity::Right;
use vantail::operation::{ConfirmError, MayNot, OperationError, State};

use crate::installation::{Installation, MINUTE, Wish};

#[tokio::test]
async fn a_right_token_confirms_and_the_request_is_sent_as_it_was_captured() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let (id, state) = gate.whole(&alice, &val).await;
    assert_eq!(state, State::Done);
    let (request, claim) = gate.backend.received.lock().unwrap().pop().unwrap();
    assert_eq!(request.body, Wish::default().body);
    assert_eq!((claim.id.as_str(), claim.digest), (id.as_str(), request.digest()));
    assert_eq!(claim.confirmed_by, ["val"]);
    assert_eq!(gate.acts(&id).await, ["operation.asked", "operation.confirmed", "operation.sent", "operation.done"]);
    let told: Vec<_> = gate.sms(&id).await;
    let expected = |name: &str| {
        (name.to_owned(), format!("{name}: \"Delete customer 42\" (operation {id}) was confirmed by val."))
    };
    assert_eq!(told, [expected("bob"), expected("val")]);
    let mails = gate.mails(&id).await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, "alice@example.org");
    assert!(mails[0].subject.contains("was confirmed and carried out"), "{}", mails[0].subject);
}

#[tokio::test]
async fn a_token_is_read_however_it_is_typed() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let id = gate.ask(&alice).await.id;
    let typed = gate.token(&id, &val).await.to_lowercase().replace('-', " ");
    assert_eq!(gate.confirm(&id, &val, &typed).await.unwrap(), State::Confirmed);
}

#[tokio::test]
async fn hold_4_the_requester_and_kin_are_refused_by_the_server() {
    let gate = Installation::new().await;
    let alice = gate.signed_in("alice").await;
    gate.accounts.grant(alice.user.id, Right::TokenValidator, &gate.origin()).await.unwrap();
    gate.add("twin", "+33600000001", &[], &[Right::TokenValidator]).await;
    let id = gate.ask(&alice).await.id;
    let other_session = gate.signed_in("alice").await;
    let twin = gate.signed_in("twin").await;
    for (who, why) in [(&alice, MayNot::Requester), (&other_session, MayNot::Requester), (&twin, MayNot::SharesPhone)] {
        let token = gate.token(&id, &gate.signed_in("val").await).await;
        let refused = gate.confirm(&id, who, &token).await.unwrap_err();
        assert!(
            matches!(refused, ConfirmError::Operation(OperationError::NotAllowed(said)) if said == why),
            "{refused}"
        );
    }
    let carol = gate.signed_in("carol").await;
    let refused = gate.confirm(&id, &carol, "AAAA-AAAA").await.unwrap_err();
    assert!(matches!(refused, ConfirmError::Operation(OperationError::NotFound)), "{refused}");
    assert_eq!((gate.state(&id).await.0, gate.backend.count()), (State::Waiting, 0));
}

#[tokio::test]
async fn a_validator_who_must_have_a_second_factor_confirms_with_one() {
    let gate = Installation::new().await;
    let (alice, mut val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let id = gate.ask(&alice).await.id;
    let token = gate.token(&id, &val).await;
    val.second_factor_at = None;
    let refused = gate.confirm(&id, &val, &token).await.unwrap_err();
    assert!(
        matches!(refused, ConfirmError::Operation(OperationError::NotAllowed(MayNot::NeedsSecondFactor))),
        "{refused}"
    );
}

#[tokio::test]
async fn a_validator_who_lost_the_right_is_refused_whatever_their_session_remembers() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let id = gate.ask(&alice).await.id;
    let token = gate.token(&id, &val).await;
    gate.accounts.revoke(val.user.id, Right::TokenValidator, &gate.origin()).await.unwrap();
    let refused = gate.confirm(&id, &val, &token).await.unwrap_err();
    assert!(matches!(refused, ConfirmError::Operation(OperationError::NotFound)), "{refused}");
}

#[tokio::test]
async fn hold_5_a_token_of_one_operation_or_validator_is_wrong_on_another() {
    let gate = Installation::new().await;
    let alice = gate.signed_in("alice").await;
    let (val, bob) = (gate.signed_in("val").await, gate.signed_in("bob").await);
    let (first, second) = (gate.ask(&alice).await.id, gate.ask(&alice).await.id);
    for token in [gate.token(&first, &val).await, gate.token(&second, &bob).await] {
        let refused = gate.confirm(&second, &val, &token).await.unwrap_err();
        assert!(matches!(refused, ConfirmError::WrongToken { .. }), "{refused}");
    }
    let row = gate.store.operation(&second).await.unwrap().unwrap();
    assert_eq!((row.state, row.tries), (State::Waiting, 2));
    assert_eq!(gate.acts(&second).await, ["operation.asked", "operation.token-wrong", "operation.token-wrong"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hold_6_a_thousand_wrong_tokens_at_once_are_five_comparisons() {
    let gate = Arc::new(Installation::new().await);
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let bob = gate.signed_in("bob").await;
    let id = gate.ask(&alice).await.id;
    let right = gate.token(&id, &bob).await;
    let mut guesses = JoinSet::new();
    for _ in 0..1000 {
        let (gate, val, id) = (gate.clone(), val.clone(), id.clone());
        guesses.spawn(async move { gate.confirm(&id, &val, "0000-0000").await.unwrap_err() });
    }
    let mut compared = 0;
    while let Some(refused) = guesses.join_next().await {
        match refused.unwrap() {
            ConfirmError::WrongToken { .. } | ConfirmError::Dead => compared += 1,
            ConfirmError::Operation(OperationError::NotWaiting(State::Cancelled)) | ConfirmError::ValidatorLocked => {}
            other => panic!("{other}"),
        }
    }
    assert_eq!(compared, 5);
    assert_eq!(gate.state(&id).await, (State::Cancelled, Some("too-many-tries".to_owned())));
    let refused = gate.confirm(&id, &bob, &right).await.unwrap_err();
    assert!(matches!(refused, ConfirmError::Operation(OperationError::NotWaiting(State::Cancelled))), "{refused}");
    let wrong = gate.acts(&id).await.into_iter().filter(|act| act == "operation.token-wrong").count();
    assert_eq!((wrong, gate.backend.count()), (5, 0));
}

#[tokio::test]
async fn hold_6_one_wrong_token_on_each_of_many_operations_locks_the_validator() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    for _ in 0..5 {
        let id = gate.ask(&alice).await.id;
        assert!(matches!(gate.confirm(&id, &val, "0000-0000").await, Err(ConfirmError::WrongToken { left: 4 })));
    }
    let id = gate.ask(&alice).await.id;
    let token = gate.token(&id, &val).await;
    assert!(matches!(gate.confirm(&id, &val, &token).await, Err(ConfirmError::ValidatorLocked)));
    let row = gate.store.operation(&id).await.unwrap().unwrap();
    assert_eq!((row.state, row.tries), (State::Waiting, 0));
    let bob = gate.signed_in("bob").await;
    let token = gate.token(&id, &bob).await;
    assert_eq!(gate.confirm(&id, &bob, &token).await.unwrap(), State::Confirmed);
}

#[tokio::test]
async fn hold_6_a_new_token_never_resets_the_count() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let id = gate.ask(&alice).await.id;
    for left in [4, 3] {
        assert!(
            matches!(gate.confirm(&id, &val, "0000-0000").await, Err(ConfirmError::WrongToken { left: now }) if now == left)
        );
    }
    gate.clock.advance(MINUTE + Duration::from_millis(1));
    gate.operations.new_token(&id, &val, &gate.origin()).await.unwrap();
    assert!(matches!(gate.confirm(&id, &val, "0000-0000").await, Err(ConfirmError::WrongToken { left: 2 })));
}

#[tokio::test]
async fn a_right_token_gives_its_try_back() {
    let gate = Installation::new().await;
    let (alice, val, bob) = (gate.signed_in("alice").await, gate.signed_in("val").await, gate.signed_in("bob").await);
    let id = gate.ask_for(&alice, Wish { target: "/admin/both", ..Wish::default() }).await.unwrap().id;
    let token = gate.token(&id, &val).await;
    assert_eq!(gate.confirm(&id, &val, &token).await.unwrap(), State::Waiting);
    gate.clock.advance(MINUTE);
    assert_eq!(gate.store.operation(&id).await.unwrap().unwrap().tries, 0);
    let again = gate.confirm(&id, &val, &token).await.unwrap_err();
    assert!(matches!(again, ConfirmError::Operation(OperationError::NotAllowed(MayNot::AlreadyConfirmed))), "{again}");
    let token = gate.token(&id, &bob).await;
    assert_eq!(gate.confirm(&id, &bob, &token).await.unwrap(), State::Confirmed);
    assert_eq!(gate.operations.wait(&id, &alice, MINUTE).await.unwrap(), State::Done);
    let claim = gate.backend.received.lock().unwrap().pop().unwrap().1;
    assert_eq!(claim.confirmed_by, ["val", "bob"]);
    assert!(gate.sms(&id).await.iter().any(|(_, text)| text.ends_with("was confirmed by val, bob.")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hold_7_a_hundred_confirmations_at_once_are_one_delivery() {
    let gate = Arc::new(Installation::new().await);
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let id = gate.ask(&alice).await.id;
    let token = gate.token(&id, &val).await;
    let mut confirmations = JoinSet::new();
    for _ in 0..100 {
        let (gate, val, id, token) = (gate.clone(), val.clone(), id.clone(), token.clone());
        confirmations.spawn(async move { gate.confirm(&id, &val, &token).await });
    }
    let (mut taken, mut handled) = (0, 0);
    while let Some(result) = confirmations.join_next().await {
        match result.unwrap() {
            Ok(State::Confirmed) => taken += 1,
            Err(ConfirmError::Operation(OperationError::NotWaiting(_))) => handled += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((taken, handled), (1, 99));
    assert_eq!(gate.operations.wait(&id, &alice, MINUTE).await.unwrap(), State::Done);
    assert_eq!(gate.backend.count(), 1);
}

#[tokio::test]
async fn a_sole_validator_confirms_their_own_with_a_fresh_second_factor() {
    let gate = Installation::new().await;
    let alice = gate.signed_in("alice").await;
    gate.accounts.grant(alice.user.id, Right::TokenValidator, &gate.origin()).await.unwrap();
    let wish = || Wish { target: "/admin/alone", ..Wish::default() };
    let with_others = gate.ask_for(&alice, wish()).await.unwrap().id;
    for name in ["val", "bob"] {
        let other = gate.signed_in(name).await;
        gate.accounts.disable(other.user.id, &gate.origin()).await.unwrap();
    }
    assert!(!gate.sms(&with_others).await.iter().any(|(name, _)| name == "alice"));
    let id = gate.ask_for(&alice, wish()).await.unwrap().id;
    let token = gate.token(&id, &alice).await;
    gate.clock.advance(5 * MINUTE + Duration::from_secs(1));
    let refused = gate.confirm(&id, &alice, &token).await.unwrap_err();
    assert!(matches!(refused, ConfirmError::NeedsFreshSecondFactor), "{refused}");
    assert!(gate.operations.view(&id, &alice).await.unwrap().needs_fresh_second_factor);
    let fresh = gate.signed_in("alice").await;
    assert_eq!(gate.confirm(&id, &fresh, &token).await.unwrap(), State::Confirmed);
}

#[tokio::test]
async fn one_denial_is_final_and_the_requester_reads_why() {
    let gate = Installation::new().await;
    let (alice, val, bob) = (gate.signed_in("alice").await, gate.signed_in("val").await, gate.signed_in("bob").await);
    let id = gate.ask(&alice).await.id;
    let token = gate.token(&id, &bob).await;
    let missing = gate.operations.deny(&id, &val, " \n", &gate.origin()).await.unwrap_err();
    assert!(matches!(missing, OperationError::NotAllowed(MayNot::ReasonMissing)), "{missing}");
    gate.operations.deny(&id, &val, "wrong customer", &gate.origin()).await.unwrap();
    assert_eq!(gate.state(&id).await, (State::Denied, Some("wrong customer".to_owned())));
    let refused = gate.confirm(&id, &bob, &token).await.unwrap_err();
    assert!(matches!(refused, ConfirmError::Operation(OperationError::NotWaiting(State::Denied))), "{refused}");
    assert!(gate.mails(&id).await[0].text.contains("wrong customer"));
    assert_eq!(gate.sms(&id).await, [], "tokens that were not sent yet are worth nothing any more");
}

#[tokio::test]
async fn the_requester_cancels_and_nobody_else() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let id = gate.ask(&alice).await.id;
    let refused = gate.operations.cancel(&id, Some(&val), &gate.origin()).await.unwrap_err();
    assert!(matches!(refused, OperationError::NotAllowed(_)), "{refused}");
    gate.operations.cancel(&id, Some(&alice), &gate.origin()).await.unwrap();
    assert_eq!(gate.state(&id).await, (State::Cancelled, Some("cancelled".to_owned())));
    assert_eq!(gate.mails(&id).await.len(), 0, "nobody is told by mail what they did themselves");
    let id = gate.ask(&alice).await.id;
    gate.operations.cancel(&id, None, &gate.origin()).await.unwrap();
    assert_eq!(gate.mails(&id).await.len(), 1);
}

#[tokio::test]
async fn hold_3_a_changed_record_is_refused_dead_and_alarming() {
    let changes = [
        "title_en = 'Look at customer 42'",
        "requester = (SELECT id FROM users WHERE name = 'carol')",
        "expires_at = expires_at + 1",
        "created_at = created_at - 1",
        "method = 'GET'",
        "backend = 'http://127.0.0.1:8'",
        "captured = CAST(substr(captured, 1, 40) || x'00' || substr(captured, 42) AS BLOB)",
        "seal = x'00'",
    ];
    for change in changes {
        let gate = Installation::new().await;
        let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
        let id = gate.ask(&alice).await.id;
        let token = gate.token(&id, &val).await;
        gate.tamper(format!("UPDATE operations SET {change} WHERE id = '{id}'")).await;
        let refused = gate.confirm(&id, &val, &token).await.unwrap_err();
        assert!(matches!(refused, ConfirmError::Operation(OperationError::SealBroken)), "{change}: {refused}");
        assert_eq!(gate.state(&id).await, (State::Withdrawn, Some("seal-broken".to_owned())), "{change}");
        assert!(gate.acts(&id).await.contains(&"operation.seal-broken".to_owned()), "{change}");
        assert_eq!(gate.backend.count(), 0, "{change}");
    }
}

#[tokio::test]
async fn hold_4_one_person_with_two_accounts_confirms_once() {
    let gate = Installation::new().await;
    gate.add("twin", "+33600000002", &[], &[Right::TokenValidator]).await;
    let (alice, val, twin) = (gate.signed_in("alice").await, gate.signed_in("val").await, gate.signed_in("twin").await);
    let id = gate.ask_for(&alice, Wish { target: "/admin/both", ..Wish::default() }).await.unwrap().id;
    let (first, second) = (gate.token(&id, &val).await, gate.token(&id, &twin).await);
    assert_eq!(gate.confirm(&id, &val, &first).await.unwrap(), State::Waiting);
    let refused = gate.confirm(&id, &twin, &second).await.unwrap_err();
    assert!(matches!(refused, ConfirmError::Operation(OperationError::NotAllowed(MayNot::KinConfirmed))), "{refused}");
    assert_eq!((gate.state(&id).await.0, gate.backend.count()), (State::Waiting, 0));
}

#[tokio::test]
async fn who_becomes_a_validator_after_the_asking_gets_a_token_and_confirms() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    gate.add("pat", "", &[], &[Right::TokenValidator]).await;
    let id = gate.ask_for(&alice, Wish { target: "/admin/both", ..Wish::default() }).await.unwrap().id;
    assert!(matches!(gate.confirm(&id, &val, "0000-0000").await, Err(ConfirmError::WrongToken { left: 4 })));

    let (carol, pat) = (gate.signed_in("carol").await, gate.signed_in("pat").await);
    let renew = async |who| gate.operations.new_token(&id, who, &gate.origin()).await;
    assert!(matches!(renew(&carol).await, Err(OperationError::NotFound)));
    assert!(matches!(renew(&pat).await, Err(OperationError::NotAllowed(MayNot::NoPhone))));
    gate.accounts.grant(carol.user.id, Right::TokenValidator, &gate.origin()).await.unwrap();
    gate.edit(&pat, Edit { phone: Some(Some("+33600000009".to_owned())), ..Edit::default() }).await;
    for (who, state) in [(&carol, State::Waiting), (&pat, State::Confirmed)] {
        let missing = gate.confirm(&id, who, "AAAA-AAAA").await.unwrap_err();
        assert!(matches!(missing, ConfirmError::Operation(OperationError::NotAllowed(MayNot::NoToken))), "{missing}");
        renew(who).await.unwrap();
        assert!(matches!(renew(who).await, Err(OperationError::TooSoon(_))), "one token a minute");
        let token = gate.token(&id, who).await;
        assert_eq!(gate.confirm(&id, who, &token).await.unwrap(), state);
    }
    assert_eq!(gate.store.operation(&id).await.unwrap().unwrap().tries, 1, "the count of tries stays");
}

#[tokio::test]
async fn who_may_not_confirm_gets_no_new_token() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    gate.add("kin", "+33600000002", &[], &[Right::TokenValidator]).await;
    gate.add("twin", "+33600000001", &[], &[Right::TokenValidator]).await;
    let id = gate.ask_for(&alice, Wish { target: "/admin/both", ..Wish::default() }).await.unwrap().id;
    let token = gate.token(&id, &val).await;
    gate.confirm(&id, &val, &token).await.unwrap();
    gate.clock.advance(2 * MINUTE);
    for (name, why) in [("val", MayNot::AlreadyConfirmed), ("kin", MayNot::KinConfirmed), ("twin", MayNot::SharesPhone)]
    {
        let person = gate.signed_in(name).await;
        let refused = gate.operations.new_token(&id, &person, &gate.origin()).await.unwrap_err();
        assert!(matches!(refused, OperationError::NotAllowed(said) if said == why), "{name}: {refused}");
    }
}
