use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::identity::{Amr, UserState};
use crate::secret::{SessionToken, SystemRandom};
use crate::store::sessions::{Memory, Stage};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const LIMITS: security::Sessions = security::Sessions {
    idle: Some(Duration::from_mins(15)),
    lifetime: Duration::from_hours(12),
    remember: None,
    remembered_idle: None,
    maximum_per_user: None,
};

fn entry(user: u128, session: u128) -> Arc<Entry> {
    let user = User {
        id: UserId(Uuid::from_u128(user)),
        name: "alice".into(),
        full_name: "Alice".into(),
        email: "alice@example.org".into(),
        language: None,
        groups: Vec::new(),
        rights: Vec::new(),
        state: UserState::Active,
        valid_from: None,
        valid_until: Some(NOW.plus(Duration::from_hours(6))),
    };
    Arc::new(Entry::new(&row(user.id.0.as_u128(), session), user))
}

fn row(user: u128, session: u128) -> SessionRow {
    SessionRow {
        digest: SessionToken::generate(&SystemRandom).digest(),
        id: SessionId(Uuid::from_u128(session)),
        user: UserId(Uuid::from_u128(user)),
        stage: Stage::Live,
        amr: vec![Amr::Pwd],
        auth_time: NOW,
        second_factor_at: None,
        created_at: NOW,
        last_seen: NOW,
        expires_at: NOW.plus(LIMITS.lifetime),
        memory: Memory::None,
        address: None,
        user_agent: String::new(),
    }
}

fn kept(known: &Known, entry: &Arc<Entry>) {
    known.keep(known.epoch(), entry);
}

fn trusted() -> Known {
    let known = Known::with_capacity(100);
    known.trust(true);
    known
}

fn after(secs: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(secs))
}

#[test]
fn sess_2_a_session_ends_when_idle_and_at_its_users_end() {
    let entry = entry(1, 1);
    assert!(entry.lives(&LIMITS, after(14 * 60 + 59)));
    assert!(!entry.lives(&LIMITS, after(15 * 60)));
    entry.touch(after(6 * 3600 - 1));
    assert!(entry.lives(&LIMITS, after(6 * 3600 - 1)));
    assert!(!entry.lives(&LIMITS, after(6 * 3600)), "the user's own end has come");
}

#[test]
fn the_last_use_is_noted_once_until_it_is_written() {
    let entry = entry(1, 1);
    assert!(!entry.touch(NOW), "no later than what is stored");
    assert!(entry.touch(after(1)));
    assert!(!entry.touch(after(2)));
    assert_eq!(entry.written(), after(2));
    assert!(entry.touch(after(3)));
}

#[test]
fn a_forgotten_session_is_read_again_and_others_are_not() {
    let known = trusted();
    let (one, two, other) = (entry(1, 1), entry(1, 2), entry(2, 3));
    for entry in [&one, &two, &other] {
        kept(&known, entry);
    }
    known.forget(one.signed_in.session);
    assert!(known.get(&one.digest).is_none() && known.get(&two.digest).is_some());
    known.forget_user(two.signed_in.user.id);
    assert!(known.get(&two.digest).is_none() && known.get(&other.digest).is_some());
    assert_eq!(known.owner(other.signed_in.session), Some(other.signed_in.user.id));
    assert_eq!(known.owner(two.signed_in.session), None);
}

#[test]
fn a_session_read_twice_at_once_is_forgotten_as_one() {
    let known = trusted();
    let first = entry(1, 1);
    let row = SessionRow { digest: first.digest, ..row(1, 1) };
    let second = Arc::new(Entry::new(&row, (*first.signed_in.user).clone()));
    for entry in [&first, &second] {
        kept(&known, entry);
    }
    known.forget(first.signed_in.session);
    assert!(known.get(&first.digest).is_none());
}

#[test]
fn what_was_read_before_a_change_is_not_kept_after_it() {
    let known = trusted();
    let read = entry(1, 1);
    let epoch = known.epoch();
    known.forget_user(read.signed_in.user.id);
    known.keep(epoch, &read);
    assert!(known.get(&read.digest).is_none());
}

#[test]
fn what_is_not_trusted_knows_nothing() {
    let known = trusted();
    let entry = entry(1, 1);
    kept(&known, &entry);
    known.trust(false);
    assert!(known.get(&entry.digest).is_none());
    kept(&known, &entry);
    assert!(known.get(&entry.digest).is_none());
    known.trust(true);
    kept(&known, &entry);
    assert!(known.get(&entry.digest).is_some());
}

#[test]
fn until_changes_are_followed_nothing_is_kept_and_what_came_before_is_forgotten() {
    let known = Known::with_capacity(100);
    let entry = entry(1, 1);
    kept(&known, &entry);
    assert!(known.get(&entry.digest).is_none(), "nobody follows changes yet");
    known.trust(true);
    kept(&known, &entry);
    known.trust(true);
    assert!(known.get(&entry.digest).is_none(), "changes may have been missed before they are followed again");
}

#[test]
fn a_rotated_session_is_known_by_its_new_token_alone() {
    let known = trusted();
    let (before, after) = (entry(1, 1), entry(1, 1));
    kept(&known, &before);
    known.forget(before.signed_in.session);
    kept(&known, &after);
    assert!(known.get(&before.digest).is_none());
    known.forget(after.signed_in.session);
    assert!(known.get(&after.digest).is_none());
    assert_eq!(known.len(), 0);
}

#[test]
fn memory_is_bounded_index_and_all() {
    let known = trusted();
    for session in 0..10_000 {
        kept(&known, &entry(session % 7, session));
    }
    let index = known.index();
    assert!(known.len() <= 128, "{} are known", known.len());
    assert_eq!(index.by_session.len(), known.len());
    assert_eq!(index.by_user.values().map(Vec::len).sum::<usize>(), known.len());
}
