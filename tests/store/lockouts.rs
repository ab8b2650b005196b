//! Reserved tries.

use std::sync::Arc;

use vantail::store::entering::Entry;
use vantail::store::lockouts::{Reserved, Settled};

use crate::base::{Base, at_once, both};
use crate::made::{NOW, event, minutes, session, store_user};

both!(
    auth_1_of_1000_guesses_at_once_five_are_tried,
    auth_7_a_lock_ends_when_it_was_said_to_and_guessing_does_not_lengthen_it,
    a_right_credential_gives_its_try_back_and_takes_its_lock_along,
    an_unlock_clears_the_counter,
    a_session_settles_the_tries_it_was_opened_with,
    a_limit_of_zero_never_locks,
    locks_in_force_are_listed_and_old_counters_of_strangers_forgotten,
);

const HALF_AN_HOUR: std::time::Duration = minutes(30);

async fn auth_1_of_1000_guesses_at_once_five_are_tried(base: Arc<Base>) {
    let reserved = at_once(1000, |_| {
        let base = Arc::clone(&base);
        async move { base.store.reserve_try("user:alice", 5, HALF_AN_HOUR, NOW).await.unwrap() }
    })
    .await;
    let mut tries: Vec<_> = reserved
        .iter()
        .filter_map(|reserved| match reserved {
            Reserved::Try { tries, last } => Some((*tries, *last)),
            Reserved::Locked { until } => {
                assert_eq!(*until, NOW.plus(HALF_AN_HOUR));
                None
            }
        })
        .collect();
    tries.sort_unstable();
    assert_eq!(tries, [(1, false), (2, false), (3, false), (4, false), (5, true)]);
}

async fn auth_7_a_lock_ends_when_it_was_said_to_and_guessing_does_not_lengthen_it(base: Arc<Base>) {
    let reserve = |after| base.store.reserve_try("user:alice", 2, HALF_AN_HOUR, NOW.plus(after));
    reserve(minutes(0)).await.unwrap();
    assert_eq!(reserve(minutes(1)).await.unwrap(), Reserved::Try { tries: 2, last: true });
    let until = NOW.plus(minutes(31));
    for minute in 2..31 {
        assert_eq!(reserve(minutes(minute)).await.unwrap(), Reserved::Locked { until });
    }
    assert_eq!(reserve(minutes(31)).await.unwrap(), Reserved::Try { tries: 1, last: false });
}

async fn a_right_credential_gives_its_try_back_and_takes_its_lock_along(base: Arc<Base>) {
    let reserve = || base.store.reserve_try("user:alice", 2, HALF_AN_HOUR, NOW);
    reserve().await.unwrap();
    assert_eq!(reserve().await.unwrap(), Reserved::Try { tries: 2, last: true });
    base.store.give_back_try("user:alice").await.unwrap();
    let row = base.store.lockout("user:alice").await.unwrap().unwrap();
    assert_eq!((row.tries, row.locked_until), (1, None));
    assert_eq!(reserve().await.unwrap(), Reserved::Try { tries: 2, last: true });
    assert!(matches!(reserve().await.unwrap(), Reserved::Locked { .. }));
}

async fn an_unlock_clears_the_counter(base: Arc<Base>) {
    base.store.reserve_try("user:alice", 5, HALF_AN_HOUR, NOW).await.unwrap();
    assert!(base.store.clear_tries("user:alice", &[event("lockout.unlocked")]).await.unwrap());
    assert!(!base.store.clear_tries("user:alice", &[event("lockout.unlocked")]).await.unwrap());
    assert_eq!(base.store.lockout("user:alice").await.unwrap(), None);
    assert_eq!(base.store.events(0, 10).await.unwrap().len(), 2, "an unlock is told whether there were tries or not");
}

async fn a_session_settles_the_tries_it_was_opened_with(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let settle = async |tries| {
        let new = session(alice);
        let entry = Entry { tries: Some(tries), ..Entry::of(&new, 1) };
        assert!(base.store.insert_session(&entry, &[]).await.unwrap().is_in());
        base.store.lockout("user:alice").await.unwrap().map(|row| (row.tries, row.locked_until))
    };
    let subject = || "user:alice".to_owned();
    for _ in 0..2 {
        base.store.reserve_try("user:alice", 2, HALF_AN_HOUR, NOW).await.unwrap();
    }
    let until = NOW.plus(HALF_AN_HOUR);
    let in_force = settle(Settled::ClearUnlocked(subject(), NOW)).await;
    assert_eq!(in_force, Some((2, Some(until))), "AUTH-7: a lock in force has its end");
    assert_eq!(settle(Settled::GiveBack(subject())).await, Some((1, None)));
    assert_eq!(settle(Settled::ClearUnlocked(subject(), NOW)).await, None);
    for _ in 0..2 {
        base.store.reserve_try("user:alice", 2, HALF_AN_HOUR, NOW).await.unwrap();
    }
    assert_eq!(settle(Settled::ClearUnlocked(subject(), until)).await, None, "a lock that is over");
    for _ in 0..2 {
        base.store.reserve_try("user:alice", 2, HALF_AN_HOUR, NOW).await.unwrap();
    }
    assert_eq!(settle(Settled::Clear(subject())).await, None, "the last try was the right one");
}

async fn a_limit_of_zero_never_locks(base: Arc<Base>) {
    for tries in 1..20 {
        let reserved = base.store.reserve_try("user:alice", 0, HALF_AN_HOUR, NOW).await.unwrap();
        assert_eq!(reserved, Reserved::Try { tries, last: false });
    }
}

async fn locks_in_force_are_listed_and_old_counters_of_strangers_forgotten(base: Arc<Base>) {
    let reserve = async |subject, limit| {
        base.store.reserve_try(subject, limit, HALF_AN_HOUR, NOW).await.unwrap();
    };
    reserve("unknown:aa", 5).await;
    reserve("unknown:bb", 1).await;
    reserve("user:alice", 1).await;
    let locked =
        |rows: Vec<vantail::store::lockouts::LockoutRow>| rows.into_iter().map(|row| row.subject).collect::<Vec<_>>();
    assert_eq!(locked(base.store.locks(NOW).await.unwrap()), ["unknown:bb", "user:alice"]);
    assert_eq!(base.store.forget_old_tries(NOW.plus(minutes(1))).await.unwrap(), 1, "a lock in force was forgotten");
    assert_eq!(base.store.forget_old_tries(NOW.plus(minutes(60))).await.unwrap(), 1);
    assert_eq!(locked(base.store.locks(NOW).await.unwrap()), ["user:alice"]);
    assert!(base.store.locks(NOW.plus(HALF_AN_HOUR)).await.unwrap().is_empty());
}
