//! Change marks between processes.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use vantail::identity::SessionId;
use vantail::store::StoreError;
use vantail::store::changes::Change;
use vantail::store::entering::Entry;
use vantail::store::outbox::NewOutbox;
use vantail::time::Timestamp;

use crate::base::{Base, at_once, both};
use crate::made::{self, message, session, store_user};

both!(
    another_process_sees_a_session_end_within_a_second,
    marks_come_in_order_and_none_is_missed_under_load,
    waiting_may_be_given_up_without_missing_anything,
    marks_forgotten_unseen_are_told_and_hearing_goes_on,
    a_follower_sees_nothing_from_before_it_began,
);

const A_SECOND: Duration = Duration::from_secs(1);

fn notice() -> NewOutbox {
    message(vantail::identity::UserId(made::id()), None, false)
}

async fn another_process_sees_a_session_end_within_a_second(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let other = base.another().await;
    let mut changes = other.follow_changes().await.unwrap();
    for _ in 0..3 {
        let row = session(alice);
        assert!(base.store.insert_session(&Entry::of(&row, 1), &[]).await.unwrap().is_in());
        base.store.end_session(row.id, &[]).await.unwrap();
        let seen = timeout(A_SECOND, changes.next()).await.expect("seen within a second").unwrap();
        assert_eq!(seen, [Change::Session(row.id)]);
    }
    drop(changes);
    other.close().await;
}

async fn marks_come_in_order_and_none_is_missed_under_load(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    let other = base.another().await;
    let mut changes = other.follow_changes().await.unwrap();
    let rows: Vec<_> = (0..700).map(|_| session(alice)).collect();
    for row in &rows {
        assert!(base.store.insert_session(&Entry::of(row, 1), &[]).await.unwrap().is_in());
    }
    let mut expected: Vec<SessionId> = rows.iter().map(|row| row.id).collect();
    // More marks in one change than a follower reads at once, and then many changes at once.
    let (one, many) = expected.split_at(600);
    let (one, many) = (one.to_vec(), many.to_vec());
    base.store.touch_sessions(&one.iter().map(|id| (*id, made::NOW.plus(A_SECOND))).collect::<Vec<_>>()).await.unwrap();
    let results = at_once(100, |number| {
        let (base, id) = (Arc::clone(&base), many[number]);
        async move { base.store.end_session(id, &[]).await.unwrap() }
    })
    .await;
    assert!(results.into_iter().all(|ended| ended));
    assert_eq!(base.store.end_sessions_of(alice, None, &[]).await.unwrap(), 600);

    let mut seen = Vec::new();
    while seen.len() < 700 {
        let more = timeout(5 * A_SECOND, changes.next()).await.expect("more marks").unwrap();
        seen.extend(more.into_iter().map(|change| match change {
            Change::Session(id) => id,
            other => panic!("{other:?} was not marked"),
        }));
    }
    seen.sort_unstable();
    expected.sort_unstable();
    assert_eq!(seen, expected);
    drop(changes);
    other.close().await;
}

async fn waiting_may_be_given_up_without_missing_anything(base: Arc<Base>) {
    let other = base.another().await;
    let mut changes = other.follow_changes().await.unwrap();
    let mut seen = 0;
    for round in 0..100 {
        base.store.queue_messages(&[notice()]).await.unwrap();
        if let Ok(more) = timeout(Duration::from_micros(round * 100), changes.next()).await {
            seen += more.unwrap().len();
        }
    }
    while seen < 100 {
        seen += timeout(A_SECOND, changes.next()).await.expect("what was missed").unwrap().len();
    }
    assert_eq!(seen, 100);
    drop(changes);
    other.close().await;
}

async fn marks_forgotten_unseen_are_told_and_hearing_goes_on(base: Arc<Base>) {
    let mut changes = base.store.follow_changes().await.unwrap();
    base.store.queue_messages(&[notice()]).await.unwrap();
    let the_end_of_time = Timestamp::from_millis(i64::MAX);
    assert_eq!(base.store.forget_old_changes(Timestamp::from_secs(0)).await.unwrap(), 0);
    assert_eq!(base.store.forget_old_changes(the_end_of_time).await.unwrap(), 1);
    let missed = changes.next().await;
    assert!(matches!(missed, Err(StoreError::Unavailable(_))), "{missed:?}");
    assert_eq!(changes.next().await.unwrap(), [], "that all is well again is told at once");
    base.store.queue_messages(&[notice()]).await.unwrap();
    assert_eq!(changes.next().await.unwrap(), [Change::Outbox]);
}

async fn a_follower_sees_nothing_from_before_it_began(base: Arc<Base>) {
    base.store.queue_messages(&[notice()]).await.unwrap();
    let mut changes = base.store.follow_changes().await.unwrap();
    assert!(timeout(A_SECOND, changes.next()).await.is_err());
}
