//! What is shown, and to whom.

use std::time::Duration;

use vantail::account::Edit;
use vantail::identity::Right;
use vantail::operation::view::{Body, Piece};
use vantail::operation::{MayNot, OperationError, State};

use crate::installation::{Installation, MINUTE, TARGET, Wish};

fn text(words: &str) -> Vec<Piece> {
    vec![Piece::Text(words.to_owned())]
}

#[tokio::test]
async fn hold_1_a_validator_sees_exactly_what_will_be_sent() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let id = gate.ask(&alice).await.id;
    let view = gate.operations.view(&id, &val).await.unwrap();
    assert_eq!((view.method.as_str(), view.scheme.as_str(), view.host.as_str()), ("POST", "https", "crm.example.org"));
    assert_eq!(view.target, text(TARGET));
    assert_eq!(view.body, Body::Fields(vec![(text("reason"), text("\"asked for\""))]));
    assert_eq!(view.requester.unwrap().name, "alice");
    assert_eq!((view.client.as_str(), view.created_at), ("192.0.2.7", crate::installation::BEGIN));
    assert_eq!((view.may_confirm, view.may_cancel), (Ok(()), false));
    let mut told: Vec<_> = view.notices.into_iter().map(|notice| (notice.channel.as_str(), notice.to)).collect();
    told.sort();
    assert_eq!(told, [("sms", "bob".to_owned()), ("sms", "val".to_owned())]);
    let token = gate.token(&id, &val).await;
    gate.confirm(&id, &val, &token).await.unwrap();
    gate.operations.wait(&id, &alice, MINUTE).await.unwrap();
    assert_eq!(gate.backend.received.lock().unwrap()[0].0.digest(), view.digest, "the digest shown is the digest sent");
}

#[tokio::test]
async fn looking_changes_nothing() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let id = gate.ask(&alice).await.id;
    let before = gate.store.operation(&id).await.unwrap().unwrap().version;
    for _ in 0..3 {
        gate.operations.view(&id, &val).await.unwrap();
        gate.operations.body(&id, &val).await.unwrap();
    }
    assert_eq!(gate.store.operation(&id).await.unwrap().unwrap().version, before);
}

#[tokio::test]
async fn a_stranger_cannot_tell_an_operation_from_none() {
    let gate = Installation::new().await;
    let (alice, carol) = (gate.signed_in("alice").await, gate.signed_in("carol").await);
    let id = gate.ask(&alice).await.id;
    for id in [id.as_str(), "00000000", "x", "1234567890", "' OR 1=1"] {
        assert!(matches!(gate.operations.view(id, &carol).await, Err(OperationError::NotFound)), "{id}");
        assert!(matches!(gate.operations.state(id, &carol).await, Err(OperationError::NotFound)), "{id}");
        assert!(matches!(gate.operations.body(id, &carol).await, Err(OperationError::NotFound)), "{id}");
    }
}

#[tokio::test]
async fn masked_fields_are_shown_to_nobody_and_the_body_is_not_given_out() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let wish = Wish {
        target: "/admin/passwords",
        content_type: "application/x-www-form-urlencoded",
        body: b"user=carol&password=hunter2".to_vec(),
        ..Wish::default()
    };
    let id = gate.ask_for(&alice, wish).await.unwrap().id;
    let view = gate.operations.view(&id, &val).await.unwrap();
    assert_eq!(view.body, Body::Fields(vec![(text("user"), text("carol")), (text("password"), vec![Piece::Masked])]));
    assert!(view.masked && view.digest.is_empty());
    assert!(!format!("{:?}", gate.operations.view(&id, &val).await.unwrap()).contains("hunter2"));
    assert!(matches!(gate.operations.body(&id, &val).await, Err(OperationError::NotAllowed(MayNot::Masked))));
    let token = gate.token(&id, &val).await;
    gate.confirm(&id, &val, &token).await.unwrap();
    gate.operations.wait(&id, &alice, MINUTE).await.unwrap();
    assert_eq!(gate.backend.received.lock().unwrap()[0].0.body, b"user=carol&password=hunter2");
}

#[tokio::test]
async fn what_waits_for_a_validator_is_listed_newest_first() {
    let gate = Installation::new().await;
    let (alice, val, bob) = (gate.signed_in("alice").await, gate.signed_in("val").await, gate.signed_in("bob").await);
    let first = gate.ask(&alice).await.id;
    gate.clock.advance(Duration::from_secs(1));
    let leads = gate.ask_for(&alice, Wish { target: "/admin/leads", ..Wish::default() }).await.unwrap().id;
    let ids = |views: Vec<vantail::operation::View>| views.into_iter().map(|view| view.id).collect::<Vec<_>>();
    assert_eq!(ids(gate.operations.waiting_for(&val).await.unwrap()), [leads, first.clone()]);
    let list = gate.operations.waiting_for(&bob).await.unwrap();
    assert_eq!(list[0].notices.len(), 2, "the list says how telling went");
    assert_eq!(ids(list), [first]);
    assert!(gate.operations.waiting_for(&alice).await.unwrap().is_empty());
}

#[tokio::test]
async fn who_waits_is_told_when_it_is_over_and_not_before() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let id = gate.ask(&alice).await.id;
    let nothing = gate.operations.wait(&id, &alice, Duration::from_millis(1)).await.unwrap();
    assert_eq!(nothing, State::Waiting);
    let waiting = tokio::spawn({
        let (operations, id, alice) = (gate.operations.clone(), id.clone(), alice.clone());
        async move { operations.wait(&id, &alice, MINUTE).await.unwrap() }
    });
    gate.operations.deny(&id, &val, "no", &gate.origin()).await.unwrap();
    assert_eq!(waiting.await.unwrap(), State::Denied);
}

#[tokio::test]
async fn when_it_is_over_the_request_is_gone_and_the_story_stays() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let (id, _) = gate.whole(&alice, &val).await;
    let view = gate.operations.view(&id, &val).await.unwrap();
    assert!(!view.kept && view.body == Body::Empty);
    assert_eq!((view.status, view.title_en.as_str()), (Some(200), "Delete customer 42"));
    assert_eq!(view.confirmed_by.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), ["val"]);
    assert!(matches!(gate.operations.body(&id, &val).await, Err(OperationError::NotWaiting(State::Done))));
}

#[tokio::test]
async fn who_may_not_confirm_sees_why() {
    let gate = Installation::new().await;
    let origin = gate.origin();
    gate.accounts.grant(gate.signed_in("alice").await.user.id, Right::TokenValidator, &origin).await.unwrap();
    gate.add("twin", "+33600000001", &[], &[Right::TokenValidator]).await;
    let second = gate.add("second", "+33600000005", &[], &[Right::TokenValidator]).await;
    let mail = Edit { email: Some("alice+work@example.org".to_owned()), ..Edit::default() };
    gate.accounts.edit(second.id, mail, &origin).await.unwrap();
    gate.add("kin", "+33600000002", &[], &[Right::TokenValidator]).await;
    gate.add("pat", "", &[], &[Right::TokenValidator]).await;
    let (alice, val, bob) = (gate.signed_in("alice").await, gate.signed_in("val").await, gate.signed_in("bob").await);
    let id = gate.ask_for(&alice, Wish { target: "/admin/both", ..Wish::default() }).await.unwrap().id;
    gate.add("late", "+33600000006", &[], &[Right::TokenValidator]).await;
    let token = gate.token(&id, &val).await;
    gate.confirm(&id, &val, &token).await.unwrap();
    let no = |why| (Err(why), Err(why), Err(why));
    for (name, sees) in [
        ("bob", (Ok(()), Ok(()), Ok(()))),
        ("alice", no(MayNot::Requester)),
        ("twin", no(MayNot::SharesPhone)),
        ("second", no(MayNot::SharesMail)),
        ("val", (Err(MayNot::AlreadyConfirmed), Err(MayNot::AlreadyConfirmed), Ok(()))),
        ("kin", (Err(MayNot::KinConfirmed), Err(MayNot::KinConfirmed), Ok(()))),
        ("pat", (Err(MayNot::NoPhone), Err(MayNot::NoPhone), Ok(()))),
        ("late", (Err(MayNot::NoToken), Ok(()), Ok(()))),
    ] {
        let view = gate.operations.view(&id, &gate.signed_in(name).await).await.unwrap();
        assert_eq!((view.may_confirm, view.may_renew, view.may_deny), sees, "{name}");
    }
    let mut weak = bob.clone();
    weak.second_factor_at = None;
    assert_eq!(gate.operations.view(&id, &weak).await.unwrap().may_confirm, Err(MayNot::NeedsSecondFactor));
    gate.clock.advance(15 * MINUTE);
    assert_eq!(gate.operations.view(&id, &bob).await.unwrap().may_confirm, Err(MayNot::NotWaiting));
}

#[tokio::test]
async fn a_rule_that_names_groups_is_nobody_elses_business_but_the_requesters() {
    let gate = Installation::new().await;
    let (val, bob) = (gate.signed_in("val").await, gate.signed_in("bob").await);
    let id = gate.ask_for(&bob, Wish { target: "/admin/leads", ..Wish::default() }).await.unwrap().id;
    assert_eq!(gate.operations.view(&id, &bob).await.unwrap().may_confirm, Err(MayNot::WrongGroup));
    assert_eq!(gate.operations.view(&id, &val).await.unwrap().may_confirm, Ok(()));
    gate.add("olaf", "+33600000007", &["staff"], &[Right::TokenValidator]).await;
    let olaf = gate.signed_in("olaf").await;
    assert!(matches!(gate.operations.view(&id, &olaf).await, Err(OperationError::NotFound)));
}

#[tokio::test]
async fn a_token_that_ran_out_is_said_before_it_is_typed() {
    let gate = Installation::new().await;
    let (alice, val) = (gate.signed_in("alice").await, gate.signed_in("val").await);
    let id = gate.ask_for(&alice, Wish { target: "/admin/short", ..Wish::default() }).await.unwrap().id;
    gate.clock.advance(2 * MINUTE);
    let view = gate.operations.view(&id, &val).await.unwrap();
    assert_eq!((view.may_confirm, view.may_renew), (Err(MayNot::TokenExpired), Ok(())));
}
