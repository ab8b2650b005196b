//! Asking: what is stored, who is told.

use vantail::identity::Right;
use vantail::operation::{MayNot, OperationError, State};
use vantail::store::operations::MOST_WAITING;

use crate::installation::{Installation, Wish};

#[tokio::test]
async fn a_held_request_is_stored_and_each_validator_told_with_a_token_of_their_own() {
    let gate = Installation::new().await;
    let alice = gate.signed_in("alice").await;
    let asked = gate.ask(&alice).await;
    assert_eq!((asked.title_en.as_str(), asked.title_fr.as_str()), ("Delete customer 42", "Supprimer le client 42"));
    assert!(asked.id.len() == 8 && asked.id.bytes().all(|byte| byte.is_ascii_digit()), "{}", asked.id);
    assert_eq!(gate.state(&asked.id).await, (State::Waiting, None));
    let sms = gate.sms(&asked.id).await;
    let told: Vec<_> = sms.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(told, ["bob", "val"]);
    for (name, text) in &sms {
        assert!(text.starts_with(&format!("{name}: confirm \"Delete customer 42\" (operation {}", asked.id)), "{text}");
        assert!(text.contains("asked by alice"), "{text}");
        let link = text.split_whitespace().find(|word| word.starts_with("https://")).unwrap();
        assert_eq!(link, format!("https://gate.example.org/secure/operations/{}", asked.id));
    }
    let (val, bob) = (gate.signed_in("val").await, gate.signed_in("bob").await);
    assert_ne!(gate.token(&asked.id, &val).await, gate.token(&asked.id, &bob).await);
    assert_eq!(gate.acts(&asked.id).await, ["operation.asked"]);
}

#[tokio::test]
async fn nothing_of_it_is_readable_in_the_database() {
    let gate = Installation::new().await;
    let alice = gate.signed_in("alice").await;
    let wish = Wish {
        target: "/admin/passwords",
        content_type: "application/x-www-form-urlencoded",
        body: b"user=carol&password=marked-secret-1".to_vec(),
        ..Wish::default()
    };
    let asked = gate.ask_for(&alice, wish).await.unwrap();
    let token = gate.token(&asked.id, &gate.signed_in("val").await).await;
    let row = gate.store.operation(&asked.id).await.unwrap().unwrap();
    let printed = format!("{row:?} {}", String::from_utf8_lossy(row.captured.as_ref().unwrap().as_bytes()));
    assert!(!printed.contains("marked-secret-1"), "{printed}");
    assert_eq!(row.digest, "", "a digest would let the password be guessed");
    assert_eq!(row.title_en, "set a password", "the title names a masked field");
    for message in gate.store.messages_of(&asked.id).await.unwrap() {
        let stored = String::from_utf8_lossy(message.message.unwrap().as_bytes()).into_owned();
        assert!(!stored.contains(&token) && !stored.contains("+336"), "{stored}");
    }
}

#[tokio::test]
async fn a_rule_that_names_groups_tells_only_their_validators() {
    let gate = Installation::new().await;
    let alice = gate.signed_in("alice").await;
    let asked = gate.ask_for(&alice, Wish { target: "/admin/leads", ..Wish::default() }).await.unwrap();
    let told: Vec<_> = gate.sms(&asked.id).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(told, ["val"]);
    let bob = gate.signed_in("bob").await;
    assert!(matches!(gate.operations.view(&asked.id, &bob).await, Err(OperationError::NotFound)));
}

#[tokio::test]
async fn with_nobody_to_confirm_it_is_held_all_the_same_and_said_loudly() {
    let gate = Installation::new().await;
    for name in ["val", "bob"] {
        let validator = gate.signed_in(name).await;
        gate.accounts.disable(validator.user.id, &gate.origin()).await.unwrap();
    }
    let alice = gate.signed_in("alice").await;
    let asked = gate.ask(&alice).await;
    assert_eq!(gate.state(&asked.id).await.0, State::Waiting);
    assert_eq!(gate.sms(&asked.id).await, []);
    assert_eq!(gate.acts(&asked.id).await, ["operation.asked", "operation.nobody-can-confirm"]);
}

#[tokio::test]
async fn hold_4_neither_the_requester_nor_who_shares_their_phone_gets_a_token() {
    let gate = Installation::new().await;
    let alice = gate.signed_in("alice").await;
    gate.accounts.grant(alice.user.id, Right::TokenValidator, &gate.origin()).await.unwrap();
    gate.add("twin", "+33600000001", &[], &[Right::TokenValidator]).await;
    gate.add("tess", "+33600000009", &[], &[Right::TokenValidator]).await;
    let asked = gate.ask(&alice).await;
    let told: Vec<_> = gate.sms(&asked.id).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(told, ["bob", "tess", "val"]);
}

#[tokio::test]
async fn who_was_switched_off_meanwhile_asks_for_nothing() {
    let gate = Installation::new().await;
    let alice = gate.signed_in("alice").await;
    gate.accounts.disable(alice.user.id, &gate.origin()).await.unwrap();
    let refused = gate.ask_for(&alice, Wish::default()).await;
    assert!(matches!(refused, Err(OperationError::NotAllowed(MayNot::RightsLost))), "{refused:?}");
}

#[tokio::test]
async fn a_requester_has_no_more_than_so_many_waiting() {
    let gate = Installation::new().await;
    let alice = gate.signed_in("alice").await;
    for _ in 0..MOST_WAITING {
        gate.ask(&alice).await;
    }
    let refused = gate.ask_for(&alice, Wish::default()).await.unwrap_err();
    assert!(matches!(refused, OperationError::TooMany), "{refused}");
}
