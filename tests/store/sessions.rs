//! Sessions.

use std::sync::Arc;

use vantail::identity::SessionId;
use vantail::store::changes::Change;
use vantail::store::entering::{Entered, Entry, Room};
use vantail::store::passwords::{Changed, NewPassword};
use vantail::store::sessions::{SessionRow, Stage};
use vantail::store::users::UserChange;

use crate::base::{Base, at_once, both};
use crate::made::{NOW, event, minutes, session, store_user, user};
use crate::second_factors::factor;

both!(
    a_session_is_found_as_it_was_stored,
    sess_1_of_many_rotations_at_once_one_happens_and_the_old_token_is_dead,
    beyond_the_maximum_the_oldest_live_ones_end,
    of_many_sign_ins_at_once_exactly_the_maximum_live,
    the_one_that_rises_stays_though_it_began_first,
    a_sign_in_under_way_makes_no_room,
    ending_a_session_happens_once_and_is_marked,
    all_sessions_of_a_user_end_but_the_one_to_keep,
    last_seen_moves_forward_only,
    sess_2_dead_sessions_are_deleted_and_named,
    whoever_is_out_of_time_and_has_a_session_is_named_once,
    a_session_needs_its_user,
    sess_3_a_sign_in_that_overlaps_a_reset_does_not_survive_it,
    a_temporary_password_is_changed_only_while_it_is_the_one_it_was,
    a_temporary_password_is_changed_once_of_many_at_once,
    a_temporary_password_begins_one_session_of_many_at_once,
    a_changed_temporary_password_ends_the_others_and_raises_the_epoch,
    mfa_4_a_sign_in_that_overlaps_an_enrolment_needs_the_factor,
);

async fn a_session_is_found_as_it_was_stored(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let mut row = session(alice);
    row.user_agent = "ü".repeat(300);
    row.stage = Stage::ChangePassword;
    row.second_factor_at = None;
    assert!(base.store.insert_session(&Entry::of(&row, 1), &[event("session.begun")]).await.unwrap().is_in());
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
    assert!(base.store.insert_session(&Entry::of(&old, 1), &[]).await.unwrap().is_in());
    let results = at_once(50, |_| {
        let base = Arc::clone(&base);
        let mut new = session(alice);
        new.id = old.id;
        let old = old.digest;
        async move {
            let entry = Entry::of(&new, 1);
            let entered = base.store.rotate_session(old, &entry, &[event("session.rotated")]).await.unwrap();
            entered.is_in().then_some(new.digest)
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
    assert!(
        base.store
            .insert_session(&Entry { room: Some(room(2)), ..Entry::of(&session(bob), 1) }, &[])
            .await
            .unwrap()
            .is_in()
    );
    let mut pending = session(alice);
    pending.stage = Stage::SecondFactor;
    assert!(
        base.store.insert_session(&Entry { room: Some(room(2)), ..Entry::of(&pending, 1) }, &[]).await.unwrap().is_in()
    );
    let mut made = Vec::new();
    for minute in 0..4 {
        let mut row = session(alice);
        row.created_at = NOW.plus(minutes(minute));
        assert!(
            base.store.insert_session(&Entry { room: Some(room(2)), ..Entry::of(&row, 1) }, &[]).await.unwrap().is_in()
        );
        made.push(row.id);
    }
    let left: Vec<SessionId> = base.store.sessions(Some(alice)).await.unwrap().iter().map(|row| row.id).collect();
    assert!(left.contains(&pending.id), "a sign-in under way was ended");
    assert_eq!(left.into_iter().filter(|id| *id != pending.id).collect::<Vec<_>>(), [made[3], made[2]]);
    assert_eq!(base.store.sessions(None).await.unwrap().len(), 4);
}

/// Room for so many.
fn room(maximum: u32) -> Room {
    Room { maximum, ended: event("session.ended") }
}

/// Alice's live sessions.
async fn live(base: &Base, user: vantail::identity::UserId) -> Vec<SessionRow> {
    let all = base.store.sessions(Some(user)).await.unwrap();
    all.into_iter().filter(|row| row.stage == Stage::Live).collect()
}

async fn of_many_sign_ins_at_once_exactly_the_maximum_live(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let mut pending = Vec::new();
    for _ in 0..10 {
        let row = SessionRow { stage: Stage::SecondFactor, ..session(alice) };
        assert!(base.store.insert_session(&Entry::of(&row, 1), &[]).await.unwrap().is_in());
        pending.push(row);
    }
    let results = at_once(20, |number| {
        let (base, begun) = (Arc::clone(&base), pending.get(number).cloned());
        async move {
            let new = session(alice);
            let entered = match begun {
                None => {
                    base.store.insert_session(&Entry { room: Some(room(3)), ..Entry::of(&new, 1) }, &[]).await.unwrap()
                }
                Some(begun) => {
                    let new = SessionRow { id: begun.id, ..new };
                    let entry = Entry { room: Some(room(3)), ..Entry::of(&new, 1) };
                    base.store.rotate_session(begun.digest, &entry, &[]).await.unwrap()
                }
            };
            entered.is_in() && live(&base, alice).await.len() <= 3
        }
    })
    .await;
    assert!(results.into_iter().all(|fine| fine), "more than the maximum lived for a moment");
    assert_eq!(live(&base, alice).await.len(), 3);
    let told = base.store.events(0, 100).await.unwrap();
    assert_eq!(told.iter().filter(|event| event.act == "session.ended").count(), 17, "each end has its line");
    let named: std::collections::HashSet<_> = told.into_iter().map(|event| event.target).collect();
    assert_eq!(named.len(), 17);
}

async fn the_one_that_rises_stays_though_it_began_first(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let first = SessionRow { stage: Stage::SecondFactor, ..session(alice) };
    assert!(base.store.insert_session(&Entry::of(&first, 1), &[]).await.unwrap().is_in());
    let second = SessionRow { created_at: NOW.plus(minutes(1)), ..session(alice) };
    assert!(
        base.store.insert_session(&Entry { room: Some(room(1)), ..Entry::of(&second, 1) }, &[]).await.unwrap().is_in()
    );
    let new = SessionRow { stage: Stage::Live, digest: session(alice).digest, ..first.clone() };
    let entry = Entry { room: Some(room(1)), ..Entry::of(&new, 1) };
    assert!(base.store.rotate_session(first.digest, &entry, &[]).await.unwrap().is_in());
    assert_eq!(live(&base, alice).await.iter().map(|row| row.id).collect::<Vec<_>>(), [first.id]);
    assert_eq!(base.store.events(0, 9).await.unwrap()[0].target, Some(second.id.to_string()));
}

async fn a_sign_in_under_way_makes_no_room(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    for _ in 0..2 {
        assert!(base.store.insert_session(&Entry::of(&session(alice), 1), &[]).await.unwrap().is_in());
    }
    let pending = SessionRow { stage: Stage::SecondFactor, ..session(alice) };
    assert!(
        base.store.insert_session(&Entry { room: Some(room(1)), ..Entry::of(&pending, 1) }, &[]).await.unwrap().is_in()
    );
    assert_eq!(live(&base, alice).await.len(), 2, "a password alone ends nobody's session");
}

async fn ending_a_session_happens_once_and_is_marked(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let row = session(alice);
    assert!(base.store.insert_session(&Entry::of(&row, 1), &[]).await.unwrap().is_in());
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
        assert!(base.store.insert_session(&Entry::of(row, 1), &[]).await.unwrap().is_in());
    }
    assert_eq!(base.store.end_sessions_of(alice, Some(kept.id), &[]).await.unwrap(), 2);
    assert_eq!(base.store.sessions(Some(alice)).await.unwrap().len(), 1);
    assert_eq!(base.store.end_sessions_of(alice, None, &[]).await.unwrap(), 1);
    assert_eq!(base.store.sessions(None).await.unwrap().len(), 1);
}

async fn last_seen_moves_forward_only(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let row = session(alice);
    assert!(base.store.insert_session(&Entry::of(&row, 1), &[]).await.unwrap().is_in());
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
        assert!(base.store.insert_session(&Entry::of(row, 1), &[]).await.unwrap().is_in());
    }
    assert_eq!(base.store.delete_dead_sessions(NOW, None).await.unwrap(), [over.id]);
    assert_eq!(base.store.delete_dead_sessions(NOW, Some(NOW.minus(minutes(15)))).await.unwrap(), [idle.id]);
    assert_eq!(base.store.sessions(None).await.unwrap().len(), 1);
}

async fn whoever_is_out_of_time_and_has_a_session_is_named_once(base: Arc<Base>) {
    let mut named = Vec::new();
    for (name, from, until, sessions, is_named) in [
        ("alice", None, None, 1, false),
        ("bob", Some(NOW), Some(NOW.plus(minutes(1))), 1, false),
        ("carol", None, Some(NOW), 2, true),
        ("dave", Some(NOW.plus(minutes(1))), None, 1, true),
        ("erin", None, None, 1, true),
        ("frank", None, Some(NOW), 0, false),
    ] {
        let mut user = user(name);
        (user.row.user.valid_from, user.row.user.valid_until) = (from, until);
        base.store.insert_user(&user, &[]).await.unwrap();
        for _ in 0..sessions {
            let row = session(user.row.user.id);
            assert!(base.store.insert_session(&Entry::of(&row, 1), &[]).await.unwrap().is_in(), "{name}");
        }
        if is_named {
            named.push(user.row.user.id);
        }
    }
    base.tamper("UPDATE users SET state = 'disabled' WHERE name = 'erin'").await;
    let mut found = base.store.users_out_of_time(NOW).await.unwrap();
    found.sort_unstable();
    named.sort_unstable();
    assert_eq!(found, named);
}

async fn a_session_needs_its_user(base: Arc<Base>) {
    let nobody = vantail::identity::UserId(crate::made::id());
    let refused = base.store.insert_session(&Entry::of(&session(nobody), 1), &[]).await;
    assert_eq!(refused.unwrap(), Entered::Overtaken);
}

async fn sess_3_a_sign_in_that_overlaps_a_reset_does_not_survive_it(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let mut pending = session(alice);
    pending.stage = Stage::SecondFactor;
    assert!(base.store.insert_session(&Entry::of(&pending, 1), &[]).await.unwrap().is_in());
    let read = base.store.user(alice).await.unwrap().unwrap();
    let reset = UserChange { raise_epoch: true, ..UserChange::default() };
    base.store.change_user(alice, &reset, NOW, &[]).await.unwrap();
    assert!(
        !base.store.insert_session(&Entry::of(&session(alice), read.epoch), &[event("login")]).await.unwrap().is_in()
    );
    let new = session(alice);
    let entry = Entry::of(&new, read.epoch);
    assert!(!base.store.rotate_session(pending.digest, &entry, &[event("login")]).await.unwrap().is_in());
    let left: Vec<SessionId> = base.store.sessions(Some(alice)).await.unwrap().iter().map(|row| row.id).collect();
    assert_eq!((left, base.store.events(0, 9).await.unwrap().len()), (vec![pending.id], 0));
    assert!(base.store.insert_session(&Entry::of(&session(alice), read.epoch + 1), &[]).await.unwrap().is_in());
}

fn own(hash: &str) -> NewPassword<'_> {
    NewPassword::of(hash, NOW)
}

fn temporary(hash: &str) -> NewPassword<'_> {
    NewPassword { must_change: true, ..own(hash) }
}

/// A sign-in of `user` that is to change its temporary password, and what it becomes.
async fn changing(base: &Base, user: vantail::identity::UserId) -> (SessionRow, SessionRow) {
    let begun = SessionRow { stage: Stage::ChangePassword, ..session(user) };
    assert!(base.store.insert_session(&Entry::of(&begun, 1), &[]).await.unwrap().is_in());
    let becomes = SessionRow { stage: Stage::Live, digest: session(user).digest, ..begun.clone() };
    (begun, becomes)
}

async fn a_temporary_password_is_changed_only_while_it_is_the_one_it_was(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let (begun, becomes) = changing(&base, alice).await;
    let change = async |epoch| {
        let entry = Entry::of(&becomes, epoch);
        let told = [event("password.changed")];
        base.store.change_password(begun.digest, &entry, &own("$argon2id$own"), &told).await.unwrap()
    };
    // The administrator's reset comes in between.
    assert!(base.store.set_password(alice, &temporary("$argon2id$reset"), &[]).await.unwrap());
    assert_eq!(change(1).await, Changed::Session(Entered::Overtaken));
    let row = base.store.user(alice).await.unwrap().unwrap();
    assert_eq!((row.password_hash.as_deref(), row.password_must_change), (Some("$argon2id$reset"), true));
    assert!(base.store.sessions(Some(alice)).await.unwrap().is_empty());

    // A session that was ended changes nothing, though the user is the one that was read.
    assert_eq!(change(row.epoch).await, Changed::Session(Entered::Overtaken));
    let row = base.store.user(alice).await.unwrap().unwrap();
    assert_eq!((row.password_hash.as_deref(), row.epoch), (Some("$argon2id$reset"), 2));
    assert!(base.store.events(0, 9).await.unwrap().is_empty());
}

async fn a_temporary_password_is_changed_once_of_many_at_once(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let (begun, _) = changing(&base, alice).await;
    let results = at_once(20, |number| {
        let (base, old) = (Arc::clone(&base), begun.digest);
        async move {
            let new = session(alice);
            let hash = format!("$argon2id${number}");
            let told = [event("password.changed")];
            let changed = base.store.change_password(old, &Entry::of(&new, 1), &own(&hash), &told).await;
            changed.unwrap().is_in().then_some((hash, new.id))
        }
    })
    .await;
    let changed: Vec<_> = results.into_iter().flatten().collect();
    let [(hash, id)] = &changed[..] else { panic!("changed {} times", changed.len()) };
    assert_eq!(base.store.user(alice).await.unwrap().unwrap().password_hash.as_ref(), Some(hash));
    assert_eq!(live(&base, alice).await.iter().map(|row| row.id).collect::<Vec<_>>(), [*id]);
    assert_eq!(base.store.events(0, 9).await.unwrap().len(), 1);
}

async fn a_temporary_password_begins_one_session_of_many_at_once(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    assert!(base.store.set_password(alice, &temporary("$argon2id$temporary"), &[]).await.unwrap());
    let results = at_once(20, |_| {
        let base = Arc::clone(&base);
        async move {
            let row = SessionRow { stage: Stage::ChangePassword, ..session(alice) };
            base.store.insert_session(&Entry::of(&row, 2), &[event("login.password")]).await.unwrap()
        }
    })
    .await;
    assert_eq!(results.into_iter().filter(|begun| begun.is_in()).count(), 1);
    assert_eq!(base.store.sessions(Some(alice)).await.unwrap().len(), 1);
    assert_eq!(base.store.events(0, 100).await.unwrap().len(), 1);
    assert!(base.store.user(alice).await.unwrap().unwrap().password_spent);

    assert!(base.store.set_password(alice, &temporary("$argon2id$another"), &[]).await.unwrap());
    let (begun, becomes) = (session(alice), session(alice));
    assert!(
        base.store.insert_session(&Entry::of(&begun, 3), &[]).await.unwrap().is_in(),
        "another one begins another sign-in"
    );
    let entry = Entry::of(&becomes, 3);
    assert!(base.store.change_password(begun.digest, &entry, &own("$argon2id$own"), &[]).await.unwrap().is_in());
    for _ in 0..2 {
        assert!(
            base.store.insert_session(&Entry::of(&session(alice), 4), &[]).await.unwrap().is_in(),
            "their own works each time"
        );
    }
}

async fn a_changed_temporary_password_ends_the_others_and_raises_the_epoch(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let (begun, becomes) = changing(&base, alice).await;
    let other = session(alice);
    assert!(base.store.insert_session(&Entry::of(&other, 1), &[]).await.unwrap().is_in());
    let mut changes = base.store.follow_changes().await.unwrap();
    let entry = Entry::of(&becomes, 1);
    assert!(base.store.change_password(begun.digest, &entry, &own("$argon2id$own"), &[]).await.unwrap().is_in());
    let row = base.store.user(alice).await.unwrap().unwrap();
    assert_eq!((row.password_must_change, row.password_set_at, row.epoch), (false, Some(NOW), 2));
    assert_eq!(live(&base, alice).await.iter().map(|row| row.digest).collect::<Vec<_>>(), [becomes.digest]);
    let marks = changes.next().await.unwrap();
    for mark in [Change::Session(begun.id), Change::Session(other.id), Change::User(alice)] {
        assert!(marks.contains(&mark), "{mark:?} is not told");
    }
}

async fn mfa_4_a_sign_in_that_overlaps_an_enrolment_needs_the_factor(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let mut row = session(alice);
    row.second_factor_at = None;
    let factor = factor(alice);
    base.store.put_second_factor(&factor).await.unwrap();
    assert!(
        base.store.insert_session(&Entry::of(&row, 1), &[]).await.unwrap().is_in(),
        "an enrolment under way is no factor yet"
    );
    base.store.confirm_second_factor(factor.id, 1, NOW, &[]).await.unwrap();
    let mut late = session(alice);
    late.second_factor_at = None;
    assert!(!base.store.insert_session(&Entry::of(&late, 1), &[]).await.unwrap().is_in());
    assert!(base.store.insert_session(&Entry::of(&session(alice), 1), &[]).await.unwrap().is_in(), "with the factor");
}
