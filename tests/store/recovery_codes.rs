//! Recovery codes, and changes of factors with the session that makes them.

use std::sync::Arc;

use vantail::identity::{Amr, UserId};
use vantail::secret::{RecoveryCode, RecoveryDigest, SystemRandom};
use vantail::store::entering::{Entered, Entry};
use vantail::store::second_factors::{Code, FactorChange, SecondFactorRow};
use vantail::store::sessions::SessionRow;

use crate::base::{Base, at_once, both, keyring};
use crate::made::{NOW, event, message, session, store_user};
use crate::second_factors::factor;

both!(
    mfa_1_one_of_a_hundred_parallel_uses_of_a_recovery_code_is_accepted,
    a_recovery_code_that_opened_nothing_is_not_used,
    a_new_set_ends_the_one_before_and_all_other_sessions,
    recovery_codes_go_with_the_last_authenticator_and_not_before,
    what_is_gone_already_is_not_removed_again,
    a_session_without_the_factor_that_stays_changes_nothing,
    a_reset_removes_recovery_codes_and_stores_its_message,
);

fn set(user: UserId) -> Vec<RecoveryDigest> {
    (0..8).map(|_| RecoveryCode::generate(&SystemRandom).digest(&keyring(), &user.to_string())).collect()
}

async fn left(base: &Base, user: UserId) -> u64 {
    base.store.recovery_codes_left(user).await.unwrap()
}

async fn confirmed(base: &Base, user: UserId) -> SecondFactorRow {
    let row = factor(user);
    base.store.put_second_factor(&row).await.unwrap();
    assert!(base.store.confirm_second_factor(row.id, 100, NOW, &[]).await.unwrap());
    row
}

/// A live session.
async fn begun(base: &Base, user: UserId) -> SessionRow {
    let row = session(user);
    let epoch = base.store.user(user).await.unwrap().unwrap().epoch;
    assert!(base.store.insert_session(&Entry::of(&row, epoch), &[]).await.unwrap().is_in());
    row
}

/// A change, made by a session that gets another token; that session.
async fn changes(base: &Base, old: &SessionRow, change: FactorChange) -> Result<SessionRow, Entered> {
    changes_to(base, old, change, session(old.user)).await
}

async fn changes_to(
    base: &Base,
    old: &SessionRow,
    change: FactorChange,
    new: SessionRow,
) -> Result<SessionRow, Entered> {
    let new = SessionRow { id: old.id, ..new };
    let epoch = base.store.user(old.user).await.unwrap().unwrap().epoch;
    let entry = Entry { change: Some(change), ..Entry::of(&new, epoch) };
    match base.store.rotate_session(old.digest, &entry, &[]).await.unwrap() {
        Entered::In => Ok(new),
        other => Err(other),
    }
}

async fn mfa_1_one_of_a_hundred_parallel_uses_of_a_recovery_code_is_accepted(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    confirmed(&base, alice).await;
    let begun = begun(&base, alice).await;
    // Eight codes a set: the fifty runs take seven sets.
    let mut codes = set(alice);
    let mut holder = changes(&base, &begun, FactorChange::Recovery(codes.clone())).await.unwrap();
    for run in 0..50 {
        let Some(code) = codes.pop() else { panic!("run {run} has no code") };
        let results = at_once(100, |_| {
            let base = Arc::clone(&base);
            async move {
                let new = session(alice);
                let entry = Entry { code: Some(Code::Recovery(code)), ..Entry::of(&new, 1) };
                base.store.insert_session(&entry, &[]).await.unwrap()
            }
        })
        .await;
        let accepted = results.iter().filter(|entered| entered.is_in()).count();
        let used = results.iter().filter(|entered| **entered == Entered::CodeUsed).count();
        assert_eq!((accepted, used), (1, 99), "run {run}");
        assert_eq!(left(&base, alice).await, codes.len() as u64);
        if codes.is_empty() {
            codes = set(alice);
            holder = changes(&base, &holder, FactorChange::Recovery(codes.clone())).await.unwrap();
        }
    }
}

async fn a_recovery_code_that_opened_nothing_is_not_used(base: Arc<Base>) {
    let (alice, bob) = (store_user(&base.store, "alice").await, store_user(&base.store, "bob").await);
    confirmed(&base, alice).await;
    let codes = set(alice);
    changes(&base, &begun(&base, alice).await, FactorChange::Recovery(codes.clone())).await.unwrap();
    assert!(base.store.has_recovery_code(alice, codes[0]).await.unwrap());
    assert!(!base.store.has_recovery_code(bob, codes[0]).await.unwrap());
    let tell = [message(alice, None, false)];
    let opens = async |user, epoch| {
        let new = session(user);
        let code = Some(Code::Recovery(codes[0]));
        let entry = Entry { code, outbox: &tell, ..Entry::of(&new, epoch) };
        base.store.insert_session(&entry, &[event("login")]).await.unwrap()
    };
    assert_eq!(opens(alice, 7).await, Entered::Overtaken);
    assert_eq!(opens(bob, 1).await, Entered::CodeUsed, "another user's code opened something");
    assert_eq!(left(&base, alice).await, 8);
    assert!(base.store.events(0, 9).await.unwrap().is_empty());
    assert!(base.store.due_messages(NOW, 9).await.unwrap().is_empty(), "told of nothing");
    assert_eq!(opens(alice, 1).await, Entered::In);
    assert_eq!((left(&base, alice).await, base.store.due_messages(NOW, 9).await.unwrap().len()), (7, 1));
}

async fn a_new_set_ends_the_one_before_and_all_other_sessions(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    confirmed(&base, alice).await;
    let (own, _other) = (begun(&base, alice).await, begun(&base, alice).await);
    let (first, second) = (set(alice), set(alice));
    let own = changes(&base, &own, FactorChange::Recovery(first.clone())).await.unwrap();
    let live: Vec<_> = base.store.sessions(Some(alice)).await.unwrap().into_iter().map(|row| row.digest).collect();
    assert_eq!(live, [own.digest], "the others live on, or the old token does");
    changes(&base, &own, FactorChange::Recovery(second.clone())).await.unwrap();
    assert_eq!(left(&base, alice).await, 8);
    for code in first {
        assert!(!base.store.has_recovery_code(alice, code).await.unwrap(), "an old code lives");
    }
    assert!(base.store.has_recovery_code(alice, second[7]).await.unwrap());
    assert_eq!(base.store.user(alice).await.unwrap().unwrap().epoch, 1, "nothing was taken away");
}

async fn recovery_codes_go_with_the_last_authenticator_and_not_before(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let (one, other) = (confirmed(&base, alice).await, confirmed(&base, alice).await);
    let own = begun(&base, alice).await;
    let own = changes(&base, &own, FactorChange::Recovery(set(alice))).await.unwrap();
    let own = changes(&base, &own, FactorChange::Remove(one.id)).await.unwrap();
    assert_eq!(left(&base, alice).await, 8);
    assert_eq!(base.store.user(alice).await.unwrap().unwrap().epoch, 2);
    let bare = SessionRow { amr: vec![Amr::Pwd], second_factor_at: None, ..session(alice) };
    changes_to(&base, &own, FactorChange::Remove(other.id), bare).await.unwrap();
    assert_eq!(left(&base, alice).await, 0);
    assert!(base.store.second_factors(alice).await.unwrap().is_empty());
    assert_eq!(base.store.sessions(Some(alice)).await.unwrap().len(), 1, "the session that did it goes on");
}

async fn what_is_gone_already_is_not_removed_again(base: Arc<Base>) {
    let (alice, bob) = (store_user(&base.store, "alice").await, store_user(&base.store, "bob").await);
    let (_, bobs) = (confirmed(&base, alice).await, confirmed(&base, bob).await);
    let own = begun(&base, alice).await;
    assert_eq!(changes(&base, &own, FactorChange::Remove(bobs.id)).await.unwrap_err(), Entered::Overtaken);
    assert_eq!(base.store.second_factors(bob).await.unwrap().len(), 1, "another user's authenticator was removed");
    assert_eq!(base.store.session(own.digest).await.unwrap().map(|row| row.id), Some(own.id));
}

async fn a_session_without_the_factor_that_stays_changes_nothing(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let (one, _) = (confirmed(&base, alice).await, confirmed(&base, alice).await);
    let own = begun(&base, alice).await;
    let bare = SessionRow { second_factor_at: None, ..session(alice) };
    let outcome = changes_to(&base, &own, FactorChange::Remove(one.id), bare).await;
    assert_eq!(outcome.unwrap_err(), Entered::Overtaken);
    assert_eq!(base.store.second_factors(alice).await.unwrap().len(), 2);
}

async fn a_reset_removes_recovery_codes_and_stores_its_message(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    confirmed(&base, alice).await;
    changes(&base, &begun(&base, alice).await, FactorChange::Recovery(set(alice))).await.unwrap();
    let tell = [message(alice, None, false)];
    assert_eq!(base.store.remove_second_factors(alice, &tell, &[]).await.unwrap(), 1);
    assert_eq!(left(&base, alice).await, 0);
    assert_eq!(base.store.due_messages(NOW, 9).await.unwrap().len(), 1);
}
