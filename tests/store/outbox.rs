//! Messages to be sent.

use std::sync::Arc;

use vantail::identity::UserId;
use vantail::store::changes::Change;
use vantail::store::failure::Failure;
use vantail::store::outbox::OutboxState;

use crate::base::{Base, at_once, both};
use crate::made::{self, NOW, message, minutes};

both!(
    a_message_is_due_from_the_beginning_and_oldest_first,
    a_message_is_claimed_once_of_many,
    a_retry_waits_and_counts,
    what_is_over_is_emptied,
    what_a_dead_process_was_sending_is_uncertain_and_never_sent_again,
);

async fn a_message_is_due_from_the_beginning_and_oldest_first(base: Arc<Base>) {
    let mut changes = base.store.follow_changes().await.unwrap();
    let user = UserId(made::id());
    let (mut newer, older) = (message(user, None, false), message(user, Some("1"), true));
    newer.created_at = NOW.plus(minutes(1));
    base.store.queue_messages(&[newer.clone(), older.clone()]).await.unwrap();
    assert_eq!(changes.next().await.unwrap(), [Change::Outbox]);

    let due = base.store.due_messages(NOW, 9).await.unwrap();
    assert_eq!(due.iter().map(|row| row.id).collect::<Vec<_>>(), [older.id]);
    let row = &due[0];
    assert_eq!((row.channel, row.kind.as_str(), row.user), (older.channel, older.kind, user));
    assert_eq!((row.operation.as_deref(), row.carries_token, row.attempts), (Some("1"), true, 0));
    assert_eq!((row.deadline, row.created_at, row.state), (older.deadline, NOW, OutboxState::Queued));
    assert_eq!(row.message.as_ref().unwrap().as_bytes(), older.message.as_bytes());
    let due = base.store.due_messages(NOW.plus(minutes(1)), 9).await.unwrap();
    assert_eq!(due.iter().map(|row| row.id).collect::<Vec<_>>(), [older.id, newer.id]);
    assert_eq!(base.store.due_messages(NOW.plus(minutes(1)), 1).await.unwrap().len(), 1);
}

async fn a_message_is_claimed_once_of_many(base: Arc<Base>) {
    let new = message(UserId(made::id()), None, false);
    base.store.queue_messages(std::slice::from_ref(&new)).await.unwrap();
    let results = at_once(50, |_| {
        let base = Arc::clone(&base);
        async move { base.store.claim_message(new.id, NOW).await.unwrap() }
    })
    .await;
    assert_eq!(results.into_iter().filter(|claimed| *claimed).count(), 1);
    assert!(base.store.due_messages(NOW, 9).await.unwrap().is_empty());
}

async fn a_retry_waits_and_counts(base: Arc<Base>) {
    let new = message(UserId(made::id()), Some("1"), false);
    base.store.queue_messages(std::slice::from_ref(&new)).await.unwrap();
    for attempt in 1..4 {
        let at = NOW.plus(minutes(attempt));
        assert!(base.store.claim_message(new.id, at).await.unwrap());
        base.store.settle_message(new.id, OutboxState::Queued, at.plus(minutes(1)), Some(Failure::Busy)).await.unwrap();
        assert!(base.store.due_messages(at, 9).await.unwrap().is_empty());
        let due = base.store.due_messages(at.plus(minutes(1)), 9).await.unwrap();
        assert_eq!((due[0].attempts, due[0].error), (i64::try_from(attempt).unwrap(), Some(Failure::Busy)));
    }
}

async fn what_is_over_is_emptied(base: Arc<Base>) {
    for state in [OutboxState::Sent, OutboxState::Failed, OutboxState::Uncertain] {
        let new = message(UserId(made::id()), Some(state.as_str()), false);
        base.store.queue_messages(std::slice::from_ref(&new)).await.unwrap();
        base.store.settle_message(new.id, state, NOW, None).await.unwrap();
        assert_eq!(
            base.store.messages_of(state.as_str()).await.unwrap()[0].state,
            OutboxState::Queued,
            "not claimed yet"
        );
        base.store.claim_message(new.id, NOW).await.unwrap();
        base.store.settle_message(new.id, state, NOW, None).await.unwrap();
        let row = base.store.messages_of(state.as_str()).await.unwrap().remove(0);
        assert_eq!((row.state, row.message.is_none()), (state, true));
    }
}

async fn what_a_dead_process_was_sending_is_uncertain_and_never_sent_again(base: Arc<Base>) {
    let new = message(UserId(made::id()), Some("1"), false);
    base.store.queue_messages(&[new.clone(), message(new.user, Some("2"), false)]).await.unwrap();
    base.store.claim_message(new.id, NOW).await.unwrap();
    let after_restart = base.another().await;
    assert_eq!(after_restart.settle_interrupted_messages().await.unwrap(), 1);
    let row = after_restart.messages_of("1").await.unwrap().remove(0);
    assert_eq!(
        (row.state, row.message.is_none(), row.error),
        (OutboxState::Uncertain, true, Some(Failure::Interrupted))
    );
    assert_eq!(after_restart.due_messages(NOW.plus(minutes(60)), 9).await.unwrap().len(), 1);
    assert!(!after_restart.claim_message(new.id, NOW).await.unwrap());
    after_restart.close().await;
}
