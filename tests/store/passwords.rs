//! Passwords that take the place of others, what is kept of those, and how often that may be.

use std::sync::Arc;
use std::time::Duration;

use vantail::identity::UserId;
use vantail::store::entering::{Entered, Entry};
use vantail::store::passwords::{ChangeLimit, Changed, NewPassword};
use vantail::store::sessions::SessionRow;
use vantail::time::Timestamp;

use crate::base::{Base, at_once, both};
use crate::made::{NOW, event, message, minutes, session, store_user};

both!(
    pwd_5_the_last_few_are_kept_and_no_more,
    a_temporary_password_pushes_none_of_those_people_chose_out,
    pwd_6_of_fifty_changes_at_once_as_many_happen_as_are_allowed,
    pwd_6_the_next_change_is_possible_when_an_earlier_one_is_long_enough_ago,
    pwd_6_resets_and_forced_changes_are_not_counted,
    a_change_brings_its_message_and_a_refused_one_none,
    what_is_kept_of_somebody_goes_with_them,
);

const DAY: Duration = Duration::from_hours(24);

fn limited(hash: &str, at: Timestamp, allowed: u32) -> NewPassword<'_> {
    NewPassword { limit: Some(ChangeLimit { allowed, period: DAY }), ..NewPassword::of(hash, at) }
}

/// A live session of `user`, stored.
async fn begun(base: &Base, user: UserId) -> (SessionRow, i64) {
    loop {
        let (row, epoch) = (session(user), base.store.user(user).await.unwrap().unwrap().epoch);
        // Another change may have come between.
        if base.store.insert_session(&Entry::of(&row, epoch), &[]).await.unwrap().is_in() {
            return (row, epoch);
        }
    }
}

/// Changes the password as its owner does, in a session of their own.
async fn change(base: &Base, user: UserId, new: NewPassword<'_>) -> Changed {
    loop {
        let (old, epoch) = begun(base, user).await;
        let next = SessionRow { digest: session(user).digest, ..old.clone() };
        let told = [event("password.changed")];
        let changed = base.store.change_password(old.digest, &Entry::of(&next, epoch), &new, &told).await.unwrap();
        if changed != Changed::Session(Entered::Overtaken) {
            return changed;
        }
    }
}

async fn pwd_5_the_last_few_are_kept_and_no_more(base: Arc<Base>) {
    let (alice, bob) = (store_user(&base.store, "alice").await, store_user(&base.store, "bob").await);
    for hash in ["one", "two", "three", "four"] {
        assert!(change(&base, alice, NewPassword { remembered: 3, ..NewPassword::of(hash, NOW) }).await.is_in());
    }
    assert_eq!(base.store.earlier_passwords(alice, 9).await.unwrap(), ["three", "two", "one"]);
    assert_eq!(base.store.earlier_passwords(alice, 2).await.unwrap(), ["three", "two"]);
    let set = NewPassword { remembered: 2, ..NewPassword::of("five", NOW) };
    assert!(base.store.set_password(alice, &set, &[]).await.unwrap());
    assert_eq!(base.store.earlier_passwords(alice, 9).await.unwrap(), ["four", "three"]);
    assert!(base.store.earlier_passwords(bob, 9).await.unwrap().is_empty());
    assert!(base.store.set_password(alice, &NewPassword::of("six", NOW), &[]).await.unwrap());
    assert!(base.store.earlier_passwords(alice, 9).await.unwrap().is_empty(), "none where none are remembered");
}

async fn a_temporary_password_pushes_none_of_those_people_chose_out(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let remembered = |hash| NewPassword { remembered: 2, ..NewPassword::of(hash, NOW) };
    assert!(change(&base, alice, remembered("chosen")).await.is_in());
    for hash in ["reset-1", "reset-2", "reset-3"] {
        let reset = NewPassword { must_change: true, ..remembered(hash) };
        assert!(base.store.set_password(alice, &reset, &[]).await.unwrap());
    }
    assert!(base.store.set_password(alice, &remembered("own"), &[]).await.unwrap());
    assert_eq!(base.store.earlier_passwords(alice, 9).await.unwrap(), ["chosen", "$argon2id$old"]);
}

async fn pwd_6_of_fifty_changes_at_once_as_many_happen_as_are_allowed(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    for (allowed, at) in [(1, NOW), (3, NOW.plus(DAY))] {
        let before = base.store.events(0, 100).await.unwrap().len();
        let results = at_once(50, |number| {
            let base = Arc::clone(&base);
            async move { change(&base, alice, limited(&format!("hash-{number}"), at, allowed)).await }
        })
        .await;
        let done = results.iter().filter(|changed| changed.is_in()).count();
        assert_eq!(done, allowed as usize);
        let refused = Changed::TooMany { until: at.plus(DAY) };
        assert_eq!(results.iter().filter(|changed| **changed == refused).count(), 50 - done);
        assert_eq!(base.store.events(0, 100).await.unwrap().len() - before, done);
    }
}

async fn pwd_6_the_next_change_is_possible_when_an_earlier_one_is_long_enough_ago(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let limit = ChangeLimit { allowed: 2, period: DAY };
    let next = async |at| base.store.next_change(alice, limit, at).await.unwrap();
    assert_eq!(next(NOW).await, None);
    assert!(change(&base, alice, limited("one", NOW, 2)).await.is_in());
    let later = NOW.plus(minutes(60));
    assert_eq!(next(later).await, None);
    assert!(change(&base, alice, limited("two", later, 2)).await.is_in());
    let free = NOW.plus(DAY);
    assert_eq!(next(later).await, Some(free));
    let last_moment = free.minus(Duration::from_millis(1));
    assert_eq!(change(&base, alice, limited("three", last_moment, 2)).await, Changed::TooMany { until: free });
    assert_eq!(base.store.user(alice).await.unwrap().unwrap().password_hash.as_deref(), Some("two"));
    assert!(change(&base, alice, limited("three", free, 2)).await.is_in());
    assert_eq!(next(free).await, Some(later.plus(DAY)));
    let stricter = ChangeLimit { allowed: 1, period: DAY };
    assert_eq!(base.store.next_change(alice, stricter, free).await.unwrap(), Some(free.plus(DAY)));
}

async fn pwd_6_resets_and_forced_changes_are_not_counted(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    for hash in ["one", "two"] {
        assert!(base.store.set_password(alice, &NewPassword::of(hash, NOW), &[]).await.unwrap());
        assert!(change(&base, alice, NewPassword::of(hash, NOW)).await.is_in());
    }
    assert!(change(&base, alice, limited("own", NOW, 1)).await.is_in());
    assert_eq!(change(&base, alice, limited("own", NOW, 1)).await, Changed::TooMany { until: NOW.plus(DAY) });
    assert!(base.store.set_password(alice, &NewPassword::of("reset", NOW), &[]).await.unwrap());
    assert!(change(&base, alice, NewPassword::of("forced", NOW)).await.is_in());
}

async fn a_change_brings_its_message_and_a_refused_one_none(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    for (hash, happens) in [("one", true), ("two", false)] {
        let (old, epoch) = begun(&base, alice).await;
        let next = SessionRow { digest: session(alice).digest, ..old.clone() };
        let told = [message(alice, None, false)];
        let new = limited(hash, NOW, 1);
        let changed = base
            .store
            .change_password(old.digest, &Entry { outbox: &told, ..Entry::of(&next, epoch) }, &new, &[])
            .await
            .unwrap();
        assert_eq!(changed.is_in(), happens);
        assert_eq!(base.store.due_messages(NOW, 9).await.unwrap().len(), 1);
        let left = if happens { next.digest } else { old.digest };
        assert!(base.store.session(left).await.unwrap().is_some(), "a refused change ends nothing");
    }
}

async fn what_is_kept_of_somebody_goes_with_them(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    assert!(change(&base, alice, NewPassword { remembered: 4, ..limited("one", NOW, 1) }).await.is_in());
    base.tamper("DELETE FROM users").await;
    assert!(base.store.earlier_passwords(alice, 9).await.unwrap().is_empty());
    let limit = ChangeLimit { allowed: 1, period: DAY };
    assert_eq!(base.store.next_change(alice, limit, NOW).await.unwrap(), None);
}
