//! TOTP enrolments.

use std::sync::Arc;

use uuid::Uuid;
use vantail::identity::UserId;
use vantail::store::changes::Change;
use vantail::store::second_factors::SecondFactorRow;

use crate::base::{Base, at_once, both, keyring};
use crate::made::{self, NOW, event, sealed, session, store_user};

both!(
    an_enrolment_replaces_one_that_was_never_confirmed,
    an_enrolment_is_confirmed_once,
    mfa_1_a_step_is_used_once_of_many_and_none_before_it,
    a_reset_removes_all_ends_the_sessions_and_raises_the_epoch,
);

/// An enrolment that waits for its first code.
pub fn factor(user: UserId) -> SecondFactorRow {
    let id = made::id();
    SecondFactorRow {
        id,
        user,
        seed: sealed(&keyring(), "second_factors", "seed", &id.to_string()),
        algorithm: "SHA1".to_owned(),
        digits: 6,
        period_secs: 30,
        created_at: NOW,
        confirmed_at: None,
        last_step: 0,
    }
}

async fn ids(base: &Base, user: UserId) -> Vec<Uuid> {
    base.store.second_factors(user).await.unwrap().into_iter().map(|row| row.id).collect()
}

async fn confirmed(base: &Base, user: UserId) -> SecondFactorRow {
    let row = factor(user);
    base.store.put_second_factor(&row).await.unwrap();
    assert!(base.store.confirm_second_factor(row.id, 100, NOW, &[]).await.unwrap());
    row
}

async fn an_enrolment_replaces_one_that_was_never_confirmed(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let (first, second) = (factor(alice), factor(alice));
    base.store.put_second_factor(&first).await.unwrap();
    base.store.put_second_factor(&second).await.unwrap();
    assert_eq!(ids(&base, alice).await, [second.id]);
    base.store.confirm_second_factor(second.id, 100, NOW, &[]).await.unwrap();
    base.store.put_second_factor(&first).await.unwrap();
    let mut both = ids(&base, alice).await;
    both.sort_unstable();
    let mut expected = [first.id, second.id];
    expected.sort_unstable();
    assert_eq!(both, expected);
}

async fn an_enrolment_is_confirmed_once(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let row = factor(alice);
    base.store.put_second_factor(&row).await.unwrap();
    assert!(!base.store.use_step(row.id, 99).await.unwrap(), "an enrolment that was never confirmed opened something");
    let mut changes = base.store.follow_changes().await.unwrap();
    let results =
        at_once(20, |_| {
            let base = Arc::clone(&base);
            async move {
                base.store.confirm_second_factor(row.id, 100, NOW, &[event("second-factor.enrolled")]).await.unwrap()
            }
        })
        .await;
    assert_eq!(results.into_iter().filter(|confirmed| *confirmed).count(), 1);
    assert_eq!(changes.next().await.unwrap(), [Change::User(alice)]);
    let stored = base.store.second_factors(alice).await.unwrap().remove(0);
    assert_eq!((stored.confirmed_at, stored.last_step), (Some(NOW), 100));
    assert_eq!((stored.algorithm.as_str(), stored.digits, stored.period_secs), ("SHA1", 6, 30));
    assert_eq!(base.store.events(0, 9).await.unwrap().len(), 1);
    assert!(!base.store.use_step(row.id, 100).await.unwrap(), "the confirming code worked again");
}

async fn mfa_1_a_step_is_used_once_of_many_and_none_before_it(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let row = confirmed(&base, alice).await;
    let results = at_once(100, |_| {
        let base = Arc::clone(&base);
        async move { base.store.use_step(row.id, 101).await.unwrap() }
    })
    .await;
    assert_eq!(results.into_iter().filter(|used| *used).count(), 1);
    assert!(!base.store.use_step(row.id, 100).await.unwrap());
    assert!(base.store.use_step(row.id, 103).await.unwrap());
    assert!(!base.store.use_step(row.id, 102).await.unwrap());
}

async fn a_reset_removes_all_ends_the_sessions_and_raises_the_epoch(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    confirmed(&base, alice).await;
    base.store.put_second_factor(&factor(alice)).await.unwrap();
    base.store.insert_session(&session(alice), 1, None, &[]).await.unwrap();
    assert_eq!(base.store.remove_second_factors(alice, &[event("second-factor.reset")]).await.unwrap(), 1);
    assert!(ids(&base, alice).await.is_empty());
    assert!(base.store.sessions(Some(alice)).await.unwrap().is_empty());
    assert_eq!(base.store.user(alice).await.unwrap().unwrap().epoch, 2);
}
