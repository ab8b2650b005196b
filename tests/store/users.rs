//! Users.

use std::sync::Arc;

use vantail::identity::{Right, UserState};
use vantail::store::StoreError;
use vantail::store::audit::ChainState;
use vantail::store::changes::Change;
use vantail::store::entering::Entry;
use vantail::store::passwords::NewPassword;
use vantail::store::users::UserChange;

use crate::base::{Base, at_once, both, keyring};
use crate::made::{NOW, event, minutes, sealed, session, store_administrator, store_user, user};

both!(
    a_user_is_found_by_id_name_and_address_with_groups_and_rights,
    a_name_that_is_another_ones_address_is_taken,
    a_name_or_address_is_given_once_of_many_at_once,
    the_address_may_be_changed_and_the_old_one_is_free_then,
    what_is_not_named_in_a_change_stays,
    a_change_that_ends_sessions_ends_them_all_and_says_so,
    the_last_administrator_stays,
    two_administrators_cannot_remove_each_other_at_once,
    an_administrator_whose_time_is_over_does_not_count,
    a_new_password_ends_all_sessions_and_raises_the_epoch,
    a_hash_is_replaced_only_while_it_is_the_old_one,
    holders_are_listed_by_name,
    a_nul_in_a_name_finds_nobody,
    many_users_are_made_at_once_or_none,
);

async fn a_user_is_found_by_id_name_and_address_with_groups_and_rights(base: Arc<Base>) {
    let mut new = user("Alice");
    new.row.user.groups = vec!["staff".to_owned(), "admins".to_owned()];
    new.row.user.rights = vec![Right::Auditor, Right::Administrator];
    new.row.user.valid_until = Some(NOW.plus(minutes(5)));
    new.row.phone = Some(sealed(&keyring(), "users", "phone", &new.row.user.id.to_string()));
    new.row.phone_mac = Some(vec![3; 32]);
    base.store.insert_user(&new, &[event("user.added")]).await.unwrap();
    store_user(&base.store, "bob").await;

    let found = base.store.user(new.row.user.id).await.unwrap().unwrap();
    assert_eq!(found.user.groups, ["admins", "staff"]);
    assert_eq!(found.user.rights, [Right::Administrator, Right::Auditor]);
    assert_eq!((found.user.name.as_str(), found.user.email.as_str()), ("Alice", "Alice@Example.org"));
    assert_eq!(found.user.valid_until, new.row.user.valid_until);
    assert_eq!(found.phone.unwrap().as_bytes(), new.row.phone.unwrap().as_bytes());
    assert_eq!((found.phone_mac, found.password_set_at, found.epoch), (Some(vec![3; 32]), Some(NOW), 1));
    for login in ["alice", "alice@example.org"] {
        assert_eq!(base.store.user_by_login(login).await.unwrap().unwrap().user, found.user, "{login}");
    }
    assert!(base.store.user_by_login("Alice").await.unwrap().is_none(), "folding is the caller's");
    assert_eq!(base.store.count_users().await.unwrap(), 2);
    let everybody = base.store.users().await.unwrap();
    assert_eq!(everybody.iter().map(|row| row.user.name.as_str()).collect::<Vec<_>>(), ["Alice", "bob"]);
}

async fn a_name_that_is_another_ones_address_is_taken(base: Arc<Base>) {
    store_user(&base.store, "alice").await;
    let mut same_name = user("alice");
    same_name.email_folded = "other@example.org".into();
    assert!(matches!(base.store.insert_user(&same_name, &[]).await, Err(StoreError::Taken("user name"))));

    let mut same_address = user("bob");
    same_address.email_folded = "alice@example.org".into();
    assert!(matches!(base.store.insert_user(&same_address, &[]).await, Err(StoreError::Taken("mail address"))));

    let mut named_like_an_address = user("carol");
    named_like_an_address.name_folded = "alice@example.org".into();
    assert!(matches!(base.store.insert_user(&named_like_an_address, &[]).await, Err(StoreError::Taken("user name"))));

    let mut own_address = user("dora");
    own_address.name_folded = "dora@example.org".into();
    base.store.insert_user(&own_address, &[]).await.unwrap();
    assert_eq!(base.store.count_users().await.unwrap(), 2, "what was refused left something behind");
}

async fn a_name_or_address_is_given_once_of_many_at_once(base: Arc<Base>) {
    let results = at_once(20, |_| {
        let base = Arc::clone(&base);
        async move { base.store.insert_user(&user("alice"), &[event("user.added")]).await.is_ok() }
    })
    .await;
    assert_eq!(results.into_iter().filter(|made| *made).count(), 1);
    assert_eq!(base.store.events(0, 100).await.unwrap().len(), 1, "an event of what did not happen");
}

async fn the_address_may_be_changed_and_the_old_one_is_free_then(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    store_user(&base.store, "bob").await;
    let to =
        |folded: &str| UserChange { email: Some((folded.to_uppercase(), folded.to_owned())), ..UserChange::default() };

    let taken = base.store.change_user(alice, &to("bob@example.org"), NOW, &[]).await;
    assert!(matches!(taken, Err(StoreError::Taken("mail address"))));
    assert!(base.store.user_by_login("alice@example.org").await.unwrap().is_some());

    assert!(base.store.change_user(alice, &to("new@example.org"), NOW, &[]).await.unwrap());
    let found = base.store.user_by_login("new@example.org").await.unwrap().unwrap();
    assert_eq!((found.user.id, found.user.email.as_str()), (alice, "NEW@EXAMPLE.ORG"));
    assert!(base.store.user_by_login("alice@example.org").await.unwrap().is_none());
    assert!(base.store.user_by_login("alice").await.unwrap().is_some());
}

async fn what_is_not_named_in_a_change_stays(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let before = base.store.user(alice).await.unwrap().unwrap();
    let change = UserChange {
        language: Some(Some("fr".to_owned())),
        add_groups: vec!["admins".to_owned(), "staff".to_owned()],
        grant: vec![Right::TokenValidator],
        valid_from: Some(Some(NOW)),
        ..UserChange::default()
    };
    assert!(base.store.change_user(alice, &change, NOW, &[event("user.edited")]).await.unwrap());
    let after = base.store.user(alice).await.unwrap().unwrap();
    assert_eq!(after.user.language.as_deref(), Some("fr"));
    assert_eq!(after.user.groups, ["admins", "staff"]);
    assert_eq!(after.user.rights, [Right::TokenValidator]);
    assert_eq!(after.user.valid_from, Some(NOW));
    assert_eq!((after.user.full_name, after.epoch), (before.user.full_name, before.epoch));

    let change = UserChange {
        language: Some(None),
        remove_groups: vec!["staff".to_owned()],
        revoke: vec![Right::TokenValidator],
        valid_from: Some(None),
        state: Some(UserState::Disabled),
        raise_epoch: true,
        ..UserChange::default()
    };
    assert!(base.store.change_user(alice, &change, NOW, &[]).await.unwrap());
    let after = base.store.user(alice).await.unwrap().unwrap();
    assert_eq!((after.user.language, after.user.valid_from), (None, None));
    assert_eq!((after.user.groups, after.user.rights), (vec!["admins".to_owned()], vec![]));
    assert_eq!((after.user.state, after.epoch), (UserState::Disabled, before.epoch + 1));
    let nobody = vantail::identity::UserId(crate::made::id());
    assert!(!base.store.change_user(nobody, &change, NOW, &[event("user.edited")]).await.unwrap());
    assert_eq!(base.store.events(0, 10).await.unwrap().len(), 1);
}

async fn a_change_that_ends_sessions_ends_them_all_and_says_so(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let own = session(alice);
    assert!(base.store.insert_session(&Entry::of(&own, 1), &[]).await.unwrap().is_in());
    let mut changes = base.store.follow_changes().await.unwrap();
    let change = UserChange { end_sessions: true, ..UserChange::default() };
    assert!(base.store.change_user(alice, &change, NOW, &[]).await.unwrap());
    assert_eq!(changes.next().await.unwrap(), [Change::Session(own.id), Change::User(alice)]);
    assert!(base.store.sessions(Some(alice)).await.unwrap().is_empty());
}

async fn the_last_administrator_stays(base: Arc<Base>) {
    let admin = store_administrator(&base.store, "admin").await;
    let alice = store_user(&base.store, "alice").await;
    let disabled = UserChange { state: Some(UserState::Disabled), ..UserChange::default() };
    let revoked = UserChange { revoke: vec![Right::Administrator], ..UserChange::default() };
    for change in [&disabled, &revoked] {
        let refused = base.store.change_user(admin, change, NOW, &[event("user.edited")]).await;
        assert!(matches!(refused, Err(StoreError::Missing(_))), "{refused:?}");
    }
    let still = base.store.user(admin).await.unwrap().unwrap();
    assert_eq!((still.user.state, still.user.rights), (UserState::Active, vec![Right::Administrator]));
    assert!(base.store.events(0, 10).await.unwrap().is_empty());

    assert!(base.store.change_user(alice, &disabled, NOW, &[]).await.unwrap(), "others may go");
    store_administrator(&base.store, "second").await;
    assert!(base.store.change_user(admin, &disabled, NOW, &[]).await.unwrap());
}

async fn two_administrators_cannot_remove_each_other_at_once(base: Arc<Base>) {
    for round in 0..10 {
        let one = store_administrator(&base.store, &format!("one{round}")).await;
        let other = store_administrator(&base.store, &format!("other{round}")).await;
        let results = at_once(2, |number| {
            let (base, id) = (Arc::clone(&base), [one, other][number]);
            let change = UserChange { revoke: vec![Right::Administrator], ..UserChange::default() };
            async move { base.store.change_user(id, &change, NOW, &[]).await.is_ok() }
        })
        .await;
        assert_eq!(results.into_iter().filter(|gone| *gone).count(), 1);
        assert_eq!(base.store.holders(Right::Administrator).await.unwrap().len(), 1);
        base.tamper("DELETE FROM user_rights").await;
    }
}

async fn an_administrator_whose_time_is_over_does_not_count(base: Arc<Base>) {
    let admin = store_administrator(&base.store, "admin").await;
    let former = store_administrator(&base.store, "former").await;
    let over = UserChange { valid_until: Some(Some(NOW)), ..UserChange::default() };
    assert!(base.store.change_user(former, &over, NOW, &[]).await.unwrap());
    let refused = base.store.change_user(admin, &over, NOW, &[]).await;
    assert!(matches!(refused, Err(StoreError::Missing(_))), "{refused:?}");
}

async fn a_new_password_ends_all_sessions_and_raises_the_epoch(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    for row in [session(alice), session(alice)] {
        assert!(base.store.insert_session(&Entry::of(&row, 1), &[]).await.unwrap().is_in());
    }
    let new = NewPassword { must_change: true, ..NewPassword::of("$argon2id$new", NOW) };
    assert!(base.store.set_password(alice, &new, &[event("password.set")]).await.unwrap());
    let row = base.store.user(alice).await.unwrap().unwrap();
    assert_eq!((row.password_hash.as_deref(), row.password_must_change, row.epoch), (Some("$argon2id$new"), true, 2));
    assert!(base.store.sessions(Some(alice)).await.unwrap().is_empty());
}

async fn a_hash_is_replaced_only_while_it_is_the_old_one(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    assert!(base.store.rehash_password(alice, "$argon2id$old", "$argon2id$strong").await.unwrap());
    assert!(!base.store.rehash_password(alice, "$argon2id$old", "$argon2id$other").await.unwrap());
    let row = base.store.user(alice).await.unwrap().unwrap();
    assert_eq!((row.password_hash.as_deref(), row.epoch), (Some("$argon2id$strong"), 1));
}

async fn holders_are_listed_by_name(base: Arc<Base>) {
    for name in ["Zoe", "adam"] {
        let mut new = user(name);
        new.row.user.rights = vec![Right::TokenValidator, Right::Auditor];
        base.store.insert_user(&new, &[]).await.unwrap();
    }
    store_user(&base.store, "mid").await;
    let holders = base.store.holders(Right::TokenValidator).await.unwrap();
    assert_eq!(holders.iter().map(|row| row.user.name.as_str()).collect::<Vec<_>>(), ["adam", "Zoe"]);
    assert_eq!(holders[0].user.rights, [Right::TokenValidator, Right::Auditor]);
}

async fn a_nul_in_a_name_finds_nobody(base: Arc<Base>) {
    assert!(base.store.user_by_login("alice\0").await.unwrap().is_none());
}

async fn many_users_are_made_at_once_or_none(base: Arc<Base>) {
    store_user(&base.store, "known").await;
    let many: Vec<_> = (0..1200).map(|number| user(&format!("u{number}"))).collect();
    let events: Vec<_> = many.iter().map(|_| event("user.added")).collect();
    let mut changes = base.store.follow_changes().await.unwrap();
    let mut with_known = many.clone();
    with_known.push(user("known"));
    let refused = base.store.insert_users(&with_known, &events, &mut |_| {}).await;
    assert!(matches!(refused, Err(StoreError::Taken("user name"))), "{refused:?}");
    assert_eq!(base.store.count_users().await.unwrap(), 1);
    assert!(base.store.events(0, 9).await.unwrap().is_empty());

    let mut told = Vec::new();
    base.store.insert_users(&many, &events, &mut |made| told.push(made)).await.unwrap();
    assert_eq!(told, [500, 1000]);
    assert_eq!(base.store.count_users().await.unwrap(), 1201);
    assert_eq!(base.store.logins().await.unwrap().len(), 2402);
    let found = base.store.user_by_login("u1199@example.org").await.unwrap().unwrap();
    assert_eq!((found.user.id, found.user.groups), (many[1199].row.user.id, vec!["staff".to_owned()]));
    assert!(matches!(base.store.verify_chain().await.unwrap(), ChainState::Whole(1200)));
    let mut marks = Vec::new();
    while marks.len() < many.len() {
        marks.extend(changes.next().await.unwrap());
    }
    assert_eq!(marks[0], Change::User(many[0].row.user.id));
}
