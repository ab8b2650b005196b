//! TOTP enrolments.

use std::sync::Arc;

use uuid::Uuid;
use vantail::identity::UserId;
use vantail::store::changes::Change;
use vantail::store::entering::{Entered, Entry};
use vantail::store::lockouts::Settled;
use vantail::store::second_factors::{Code, SecondFactorRow};
use vantail::store::sessions::SessionRow;

use crate::base::{Base, at_once, both, keyring};
use crate::made::{self, NOW, event, minutes, sealed, session, store_user};

both!(
    an_enrolment_replaces_one_that_was_never_confirmed,
    an_enrolment_is_confirmed_once,
    mfa_1_a_step_is_used_once_of_many_and_none_before_it,
    mfa_1_a_code_that_opened_nothing_is_not_used,
    an_enrolment_is_confirmed_by_the_session_it_raises_and_ends_the_others,
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

/// Whether the code of `step` opens a session.
async fn opens(base: &Base, factor: &SecondFactorRow, step: i64) -> bool {
    let new = session(factor.user);
    let code = Some(Code::Used { factor: factor.id, step });
    base.store.insert_session(&Entry { code, ..Entry::of(&new, 1) }, &[]).await.unwrap().is_in()
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
    assert!(!opens(&base, &row, 99).await, "an enrolment that was never confirmed opened something");
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
    assert!(!opens(&base, &row, 100).await, "the confirming code worked again");
}

async fn mfa_1_a_step_is_used_once_of_many_and_none_before_it(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let row = confirmed(&base, alice).await;
    let results = at_once(100, |_| {
        let (base, row) = (Arc::clone(&base), row.clone());
        async move { opens(&base, &row, 101).await }
    })
    .await;
    assert_eq!(results.into_iter().filter(|used| *used).count(), 1);
    assert!(!opens(&base, &row, 100).await);
    assert!(opens(&base, &row, 103).await);
    assert!(!opens(&base, &row, 102).await);
    assert_eq!(base.store.sessions(Some(alice)).await.unwrap().len(), 2, "no session without a code of its own");
}

async fn mfa_1_a_code_that_opened_nothing_is_not_used(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let row = confirmed(&base, alice).await;
    base.store.reserve_try("user:alice", 5, minutes(30), NOW).await.unwrap();
    let new = session(alice);
    let overtaken = Entry {
        code: Some(Code::Used { factor: row.id, step: 101 }),
        tries: Some(Settled::Clear("user:alice".to_owned())),
        ..Entry::of(&new, 7)
    };
    assert_eq!(base.store.insert_session(&overtaken, &[event("login")]).await.unwrap(), Entered::Overtaken);
    let gone = Entry { epoch: 1, ..overtaken };
    assert_eq!(base.store.rotate_session(new.digest, &gone, &[event("login")]).await.unwrap(), Entered::Overtaken);
    assert_eq!(base.store.lockout("user:alice").await.unwrap().unwrap().tries, 1, "a try was settled for nothing");
    assert!(base.store.events(0, 9).await.unwrap().is_empty());
    assert!(opens(&base, &row, 101).await, "the code was lost");
}

async fn an_enrolment_is_confirmed_by_the_session_it_raises_and_ends_the_others(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let row = factor(alice);
    base.store.put_second_factor(&row).await.unwrap();
    let (begun, other) = (session(alice), session(alice));
    for session in [&begun, &other] {
        assert!(base.store.insert_session(&Entry::of(session, 1), &[]).await.unwrap().is_in());
    }
    let results = at_once(10, |_| {
        let (base, old, id, factor) = (Arc::clone(&base), begun.digest, begun.id, row.id);
        async move {
            let new = SessionRow { id, ..session(alice) };
            let code = Some(Code::Enrols { factor, step: 100, at: NOW });
            let entry = Entry { code, signed_in_at: Some(NOW), ..Entry::of(&new, 1) };
            base.store.rotate_session(old, &entry, &[event("second-factor.enrolled")]).await.unwrap().is_in()
        }
    })
    .await;
    assert_eq!(results.into_iter().filter(|enrolled| *enrolled).count(), 1);
    let left = base.store.sessions(Some(alice)).await.unwrap();
    assert_eq!(left.iter().map(|row| row.id).collect::<Vec<_>>(), [begun.id]);
    assert_eq!(base.store.second_factors(alice).await.unwrap()[0].confirmed_at, Some(NOW));
    assert_eq!(base.store.user(alice).await.unwrap().unwrap().last_login_at, Some(NOW));
    assert_eq!(base.store.events(0, 9).await.unwrap().len(), 1);
}

async fn a_reset_removes_all_ends_the_sessions_and_raises_the_epoch(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    confirmed(&base, alice).await;
    base.store.put_second_factor(&factor(alice)).await.unwrap();
    assert!(base.store.insert_session(&Entry::of(&session(alice), 1), &[]).await.unwrap().is_in());
    assert_eq!(base.store.remove_second_factors(alice, &[], &[event("second-factor.reset")]).await.unwrap(), 1);
    assert!(ids(&base, alice).await.is_empty());
    assert!(base.store.sessions(Some(alice)).await.unwrap().is_empty());
    assert_eq!(base.store.user(alice).await.unwrap().unwrap().epoch, 2);
}
