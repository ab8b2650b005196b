//! What administrators do, by command and later by page.

use std::time::Duration;

use vantail::account::{AccountError, Addition, Edit};
use vantail::identity::Right;
use vantail::secret::SecretText;
use vantail::store::StoreError;

use super::world::{PASSWORD, World, is_refused};

fn addition(name: &str) -> Addition {
    Addition {
        name: name.into(),
        full_name: "Somebody".into(),
        email: format!("{name}@example.org"),
        phone: Some("+33 6 12 34 56 78".into()),
        language: Some("fr".into()),
        groups: vec!["staff".into(), "accounting".into(), "staff".into()],
        rights: vec![Right::Auditor],
        password: Some(SecretText::new(PASSWORD)),
        temporary: false,
    }
}

#[tokio::test]
async fn a_user_is_found_by_name_and_address_in_any_spelling() {
    let world = World::new().await;
    let (added, temporary) = world.accounts().add(&world.security, addition("Élodie"), &world.command()).await.unwrap();
    assert!(temporary.is_none());
    assert_eq!(added.groups, ["accounting", "staff"]);
    for spelling in ["Élodie", "élodie", "E\u{301}LODIE", " élodie@EXAMPLE.org "] {
        let row = world.accounts().find(spelling).await.unwrap();
        assert_eq!(row.user, added, "{spelling}");
        assert_eq!(world.accounts().phone(&row).unwrap().unwrap().as_str(), "+33612345678");
    }
    assert!(matches!(world.accounts().find("elodie").await, Err(AccountError::NoSuchUser(_))));
}

#[tokio::test]
async fn names_and_addresses_are_taken_in_every_spelling() {
    let world = World::new().await;
    world.accounts().add(&world.security, addition("alice"), &world.command()).await.unwrap();
    let same_name = Addition { email: "other@example.org".into(), ..addition("ALICE") };
    let same_mail = Addition { email: "Alice@Example.ORG".into(), ..addition("other") };
    for taken in [same_name, same_mail] {
        let error = world.accounts().add(&world.security, taken, &world.command()).await.unwrap_err();
        assert!(matches!(error, AccountError::Store(StoreError::Taken(_))), "{error}");
    }
}

#[tokio::test]
async fn the_last_administrator_and_the_last_validator_stay() {
    let world = World::new().await;
    let both = [Right::Administrator, Right::TokenValidator];
    let (first, _) = world.user_with("first", &both, Some(PASSWORD)).await;
    let command = world.command();
    let accounts = world.accounts();
    for right in both {
        let refused = accounts.revoke(first.id, right, &command).await;
        assert!(matches!(refused, Err(AccountError::LastOne(_))), "{right}: {refused:?}");
    }
    assert!(matches!(accounts.disable(first.id, &command).await, Err(AccountError::LastOne(_))));
    let (second, _) = world.user_with("second", &both, Some(PASSWORD)).await;
    for right in both {
        accounts.revoke(first.id, right, &command).await.unwrap();
    }
    assert!(accounts.find("first").await.unwrap().user.rights.is_empty());
    accounts.grant(first.id, Right::Administrator, &command).await.unwrap();
    accounts.disable(second.id, &command).await.unwrap();
    accounts.enable(second.id, &command).await.unwrap();
}

#[tokio::test]
async fn what_is_taken_away_raises_the_epoch() {
    let world = World::new().await;
    let alice = world.accounts().add(&world.security, addition("alice"), &world.command()).await.unwrap().0;
    let epoch = || async { world.accounts().find("alice").await.unwrap().epoch };
    let begin = epoch().await;
    let (accounts, command) = (world.accounts(), world.command());
    accounts.grant(alice.id, Right::ClientCreator, &command).await.unwrap();
    let more = Edit { add_groups: vec!["board".into()], full_name: Some("Alice".into()), ..Edit::default() };
    accounts.edit(alice.id, more, &command).await.unwrap();
    assert_eq!(epoch().await, begin);
    let less = Edit { remove_groups: vec!["staff".into()], ..Edit::default() };
    accounts.edit(alice.id, less, &command).await.unwrap();
    accounts.revoke(alice.id, Right::ClientCreator, &command).await.unwrap();
    accounts.disable(alice.id, &command).await.unwrap();
    accounts.enable(alice.id, &command).await.unwrap();
    accounts.reset_password(&world.security, alice.id, &command).await.unwrap();
    assert_eq!(epoch().await, begin + 4);
}

#[tokio::test]
async fn a_reset_second_factor_is_gone_and_so_are_the_sessions() {
    let world = World::new().await;
    let alice = world.user_with_factor("alice").await;
    let (bob, command) = (world.user("bob").await, world.command());
    let told = || world.login.notices.factor_reset(&command);
    let nothing = world.accounts().reset_second_factor(bob.id, told(), &command).await;
    assert!(matches!(nothing, Err(AccountError::Invalid(_))));
    world.accounts().reset_second_factor(alice.id, told(), &command).await.unwrap();
    assert_eq!(world.store.recovery_codes_left(alice.id).await.unwrap(), 0);
    assert_eq!(world.mails().await, ["factor-changed", "factor-changed"], "one of the enrolment, one of the reset");
    assert!(world.store.sessions(Some(alice.id)).await.unwrap().is_empty());
    world.signed_in("alice").await;
}

#[tokio::test]
async fn dates_are_kept_and_emptied() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let tomorrow = world.after(Duration::from_hours(24));
    let edit = |from| Edit { valid_from: Some(from), ..Edit::default() };
    world.accounts().edit(alice.id, edit(Some(tomorrow)), &world.command()).await.unwrap();
    assert!(is_refused(&world.try_password("alice", PASSWORD).await));
    world.accounts().edit(alice.id, edit(None), &world.command()).await.unwrap();
    world.signed_in("alice").await;
}

#[tokio::test]
async fn a_number_or_an_address_that_is_none_changes_nothing() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    for edit in [
        Edit { phone: Some(Some("12".into())), ..Edit::default() },
        Edit { email: Some("alice".into()), ..Edit::default() },
        Edit { add_groups: vec!["a,b".into()], ..Edit::default() },
        Edit { language: Some(Some("xx".into())), ..Edit::default() },
    ] {
        assert!(matches!(world.accounts().edit(alice.id, edit, &world.command()).await, Err(AccountError::Invalid(_))));
    }
    assert_eq!(world.accounts().find("alice").await.unwrap().user, alice);
}
