//! Sessions.

use std::sync::Arc;

use vantail::identity::SessionId;
use vantail::store::changes::Change;
use vantail::store::sessions::Stage;

use crate::base::{Base, at_once, both};
use crate::made::{NOW, event, minutes, session, store_user};
use crate::second_factors::factor;

both!(
    a_session_is_found_as_it_was_stored,
    sess_1_of_many_rotations_at_once_one_happens_and_the_old_token_is_dead,
    beyond_the_maximum_the_oldest_live_ones_end,
    ending_a_session_happens_once_and_is_marked,
    all_sessions_of_a_user_end_but_the_one_to_keep,
    last_seen_moves_forward_only,
    sess_2_dead_sessions_are_deleted_and_named,
    a_session_needs_its_user,
    sess_3_a_sign_in_that_overlaps_a_reset_does_not_survive_it,
    mfa_4_a_sign_in_that_overlaps_an_enrolment_needs_the_factor,
);

async fn a_session_is_found_as_it_was_stored(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let mut row = session(alice);
    row.user_agent = "ü".repeat(300);
    row.stage = Stage::ChangePassword;
    row.second_factor_at = None;
    base.store.insert_session(&row, 1, None, &[event("session.begun")]).await.unwrap();
    for found in [base.store.session(row.digest).await, base.store.session_by_id(row.id).await] {
        let found = found.unwrap().unwrap();
        assert_eq!((found.digest, found.id, found.user, found.stage), (row.digest, row.id, alice, row.stage));
        assert_eq!((found.amr, found.address, found.second_factor_at), (row.amr.clone(), row.address, None));
        assert_eq!((found.last_seen, found.expires_at), (row.last_seen, row.expires_at));
        assert_eq!(found.user_agent, "ü".repeat(200));
    }
    assert!(base.store.session(session(alice).digest).await.unwrap().is_none());
}

async fn sess_1_of_many_rotations_at_once_one_happens_and_the_old_token_is_dead(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let old = session(alice);
    base.store.insert_session(&old, 1, None, &[]).await.unwrap();
    let results = at_once(50, |_| {
        let base = Arc::clone(&base);
        let mut new = session(alice);
        new.id = old.id;
        let old = old.digest;
        async move {
            base.store.rotate_session(old, &new, 1, &[event("session.rotated")]).await.unwrap().then_some(new.digest)
        }
    })
    .await;
    let rotated: Vec<_> = results.into_iter().flatten().collect();
    assert_eq!(rotated.len(), 1);
    assert!(base.store.session(old.digest).await.unwrap().is_none());
    assert_eq!(base.store.session(rotated[0]).await.unwrap().unwrap().id, old.id);
    assert_eq!(base.store.events(0, 100).await.unwrap().len(), 1);
}

async fn beyond_the_maximum_the_oldest_live_ones_end(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let bob = store_user(&base.store, "bob").await;
    base.store.insert_session(&session(bob), 1, Some(2), &[]).await.unwrap();
    let mut pending = session(alice);
    pending.stage = Stage::SecondFactor;
    base.store.insert_session(&pending, 1, Some(2), &[]).await.unwrap();
    let mut made = Vec::new();
    for minute in 0..4 {
        let mut row = session(alice);
        row.created_at = NOW.plus(minutes(minute));
        base.store.insert_session(&row, 1, Some(2), &[]).await.unwrap();
        made.push(row.id);
    }
    let left: Vec<SessionId> = base.store.sessions(Some(alice)).await.unwrap().iter().map(|row| row.id).collect();
    assert!(left.contains(&pending.id), "a sign-in under way was ended");
    assert_eq!(left.into_iter().filter(|id| *id != pending.id).collect::<Vec<_>>(), [made[3], made[2]]);
    assert_eq!(base.store.sessions(None).await.unwrap().len(), 4);
}

async fn ending_a_session_happens_once_and_is_marked(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let row = session(alice);
    base.store.insert_session(&row, 1, None, &[]).await.unwrap();
    let mut changes = base.store.follow_changes().await.unwrap();
    let results = at_once(20, |_| {
        let (base, id) = (Arc::clone(&base), row.id);
        async move { base.store.end_session(id, &[event("session.ended")]).await.unwrap() }
    })
    .await;
    assert_eq!(results.into_iter().filter(|ended| *ended).count(), 1);
    assert_eq!(changes.next().await.unwrap(), [Change::Session(row.id)]);
    assert_eq!(base.store.events(0, 100).await.unwrap().len(), 1);
}

async fn all_sessions_of_a_user_end_but_the_one_to_keep(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let bob = store_user(&base.store, "bob").await;
    let kept = session(alice);
    for row in [&kept, &session(alice), &session(alice), &session(bob)] {
        base.store.insert_session(row, 1, None, &[]).await.unwrap();
    }
    assert_eq!(base.store.end_sessions_of(alice, Some(kept.id), &[]).await.unwrap(), 2);
    assert_eq!(base.store.sessions(Some(alice)).await.unwrap().len(), 1);
    assert_eq!(base.store.end_sessions_of(alice, None, &[]).await.unwrap(), 1);
    assert_eq!(base.store.sessions(None).await.unwrap().len(), 1);
}

async fn last_seen_moves_forward_only(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let row = session(alice);
    base.store.insert_session(&row, 1, None, &[]).await.unwrap();
    let later = NOW.plus(minutes(5));
    base.store.touch_sessions(&[(row.id, later), (SessionId(crate::made::id()), later)]).await.unwrap();
    base.store.touch_sessions(&[(row.id, NOW)]).await.unwrap();
    base.store.touch_sessions(&[]).await.unwrap();
    assert_eq!(base.store.session_by_id(row.id).await.unwrap().unwrap().last_seen, later);
}

async fn sess_2_dead_sessions_are_deleted_and_named(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let mut over = session(alice);
    over.expires_at = NOW;
    let mut idle = session(alice);
    idle.last_seen = NOW.minus(minutes(16));
    let live = session(alice);
    for row in [&over, &idle, &live] {
        base.store.insert_session(row, 1, None, &[]).await.unwrap();
    }
    assert_eq!(base.store.delete_dead_sessions(NOW, None).await.unwrap(), [over.id]);
    assert_eq!(base.store.delete_dead_sessions(NOW, Some(NOW.minus(minutes(15)))).await.unwrap(), [idle.id]);
    assert_eq!(base.store.sessions(None).await.unwrap().len(), 1);
}

async fn a_session_needs_its_user(base: Arc<Base>) {
    let nobody = vantail::identity::UserId(crate::made::id());
    let refused = base.store.insert_session(&session(nobody), 1, None, &[]).await;
    assert!(!refused.unwrap());
}

async fn sess_3_a_sign_in_that_overlaps_a_reset_does_not_survive_it(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let mut pending = session(alice);
    pending.stage = Stage::SecondFactor;
    assert!(base.store.insert_session(&pending, 1, None, &[]).await.unwrap());
    let read = base.store.user(alice).await.unwrap().unwrap();
    base.store.set_password(alice, "$argon2id$new", false, NOW, Some(pending.id), &[]).await.unwrap();
    assert!(!base.store.insert_session(&session(alice), read.epoch, None, &[event("login")]).await.unwrap());
    assert!(!base.store.rotate_session(pending.digest, &session(alice), read.epoch, &[event("login")]).await.unwrap());
    let left: Vec<SessionId> = base.store.sessions(Some(alice)).await.unwrap().iter().map(|row| row.id).collect();
    assert_eq!((left, base.store.events(0, 9).await.unwrap().len()), (vec![pending.id], 0));
    assert!(base.store.insert_session(&session(alice), read.epoch + 1, None, &[]).await.unwrap());
}

async fn mfa_4_a_sign_in_that_overlaps_an_enrolment_needs_the_factor(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let mut row = session(alice);
    row.second_factor_at = None;
    let factor = factor(alice);
    base.store.put_second_factor(&factor).await.unwrap();
    assert!(base.store.insert_session(&row, 1, None, &[]).await.unwrap(), "an enrolment under way is no factor yet");
    base.store.confirm_second_factor(factor.id, 1, NOW, &[]).await.unwrap();
    let mut late = session(alice);
    late.second_factor_at = None;
    assert!(!base.store.insert_session(&late, 1, None, &[]).await.unwrap());
    assert!(base.store.insert_session(&session(alice), 1, None, &[]).await.unwrap(), "with the factor");
}
