//! Held operations, their tokens and confirmations.

use std::sync::Arc;

use vantail::identity::UserId;
use vantail::store::changes::Change;
use vantail::store::failure::Failure;
use vantail::store::lockouts::Settled;
use vantail::store::operations::{
    Confirmed, Inserted, MOST_WAITING, Move, NewConfirmation, OperationRow, Outcome, State, TokenRow,
};
use vantail::store::outbox::OutboxState;
use vantail::time::Timestamp;

use crate::base::{Base, at_once, both, keyring};
use crate::made::{self, NOW, event, message, minutes, operation, sealed, token};

both!(
    an_operation_is_found_as_it_was_stored,
    an_id_is_taken_once,
    lists_are_newest_first_and_leave_the_large_out,
    hold_6_of_1000_wrong_tokens_at_once_five_are_compared,
    a_right_token_gives_its_try_back,
    hold_7_of_100_confirmations_at_once_one_meets_the_quorum,
    hold_7_of_100_confirmations_by_100_validators_one_meets_a_quorum_of_two,
    a_quorum_counts_each_validator_once,
    hold_5_a_token_of_another_operation_or_validator_confirms_nothing,
    hold_8_nothing_is_confirmed_when_its_time_is_over,
    hold_8_a_new_token_ends_the_old_one_and_keeps_the_count_of_tries,
    a_token_is_replaced_at_most_once_at_a_time,
    who_became_a_validator_later_gets_a_token_too_and_of_many_at_once_one,
    hold_5_who_has_confirmed_gets_no_token_any_more,
    an_arrow_is_walked_once_and_only_from_where_it_begins,
    leaving_the_waiting_state_ends_tokens_and_their_unsent_messages,
    a_delivery_is_finished_once_and_keeps_the_answer_for_its_time,
    an_answer_ticket_is_used_once_of_many,
    the_overdue_are_named,
    of_one_requester_no_more_than_so_many_wait,
);

/// Stores an operation with tokens for so many validators.
async fn held(base: &Base, id: &str, quorum: i64, validators: usize) -> (OperationRow, Vec<TokenRow>) {
    let row = operation(id, quorum);
    let tokens: Vec<_> = (0..validators).map(|_| token(id, UserId(made::id()), NOW)).collect();
    let inserted = base.store.insert_operation(&row, &tokens, &[], &[event("operation.asked")]).await.unwrap();
    assert_eq!(inserted, Inserted::Stored);
    (row, tokens)
}

fn confirmation<'a>(operation: &'a str, token: &TokenRow, at: Timestamp) -> NewConfirmation<'a> {
    NewConfirmation { operation, validator: token.validator, token: token.digest, at, mac: [7; 32] }
}

fn arrow(operation: &str, from: State, to: State) -> Move<'_> {
    Move { operation, from, to, reason: Some("because"), at: NOW, outbox: &[], events: &[] }
}

async fn state(base: &Base, id: &str) -> State {
    base.store.operation(id).await.unwrap().unwrap().state
}

async fn an_operation_is_found_as_it_was_stored(base: Arc<Base>) {
    let (row, tokens) = held(&base, "48271935", 2, 1).await;
    let found = base.store.operation("48271935").await.unwrap().unwrap();
    assert_eq!((found.state, found.version, found.quorum, found.tries), (State::Waiting, 1, 2, 0));
    assert_eq!((found.requester, found.session, found.requester_epoch), (row.requester, row.session, 1));
    assert_eq!(
        (found.site, found.rule, found.rule_version, found.backend),
        (row.site, row.rule, row.rule_version, row.backend)
    );
    assert_eq!((found.title_en, found.title_fr, found.method), (row.title_en, row.title_fr, row.method));
    assert_eq!(
        (found.created_at, found.expires_at, found.changed_at),
        (row.created_at, row.expires_at, row.changed_at)
    );
    assert_eq!((found.seal, found.digest), (row.seal, row.digest));
    assert_eq!(found.captured.unwrap().as_bytes(), row.captured.unwrap().as_bytes());
    assert!(found.answer.is_none() && found.status.is_none() && found.reason.is_none());
    let kept = base.store.operation_token("48271935", tokens[0].validator).await.unwrap().unwrap();
    assert_eq!((kept.digest, kept.issued_at, kept.expires_at), (tokens[0].digest, NOW, NOW.plus(minutes(15))));
    assert!(base.store.operation("00000000").await.unwrap().is_none());
}

async fn an_id_is_taken_once(base: Arc<Base>) {
    let results = at_once(20, |_| {
        let base = Arc::clone(&base);
        let notice = message(UserId(made::id()), Some("1"), false);
        async move {
            base.store.insert_operation(&operation("1", 1), &[], &[notice], &[event("operation.asked")]).await.unwrap()
        }
    })
    .await;
    assert_eq!(results.into_iter().filter(|inserted| *inserted == Inserted::Stored).count(), 1);
    assert_eq!(base.store.messages_of("1").await.unwrap().len(), 1);
    assert_eq!(base.store.events(0, 100).await.unwrap().len(), 1);
}

async fn lists_are_newest_first_and_leave_the_large_out(base: Arc<Base>) {
    let requester = UserId(made::id());
    for minute in 0..4 {
        let mut row = operation(&minute.to_string(), 1);
        row.requester = requester;
        row.created_at = NOW.plus(minutes(minute));
        base.store.insert_operation(&row, &[], &[], &[]).await.unwrap();
    }
    held(&base, "foreign", 1, 0).await;
    base.store.move_operation(&arrow("1", State::Waiting, State::Denied)).await.unwrap();
    let ids = |rows: Vec<OperationRow>| {
        assert!(rows.iter().all(|row| row.captured.is_none()));
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(base.store.operations_of(requester, 3).await.unwrap()), ["3", "2", "1"]);
    assert_eq!(ids(base.store.operations(&[State::Waiting], 2).await.unwrap()), ["3", "2"]);
    assert_eq!(ids(base.store.operations(&[State::Denied, State::Done], 9).await.unwrap()), ["1"]);
    assert_eq!(ids(base.store.operations(&[], 4).await.unwrap()), ["3", "2", "1", "foreign"]);
}

async fn hold_6_of_1000_wrong_tokens_at_once_five_are_compared(base: Arc<Base>) {
    held(&base, "1", 1, 1).await;
    let results = at_once(1000, |_| {
        let base = Arc::clone(&base);
        async move { base.store.reserve_token_try("1", 5).await.unwrap() }
    })
    .await;
    let mut tries: Vec<_> = results.into_iter().flatten().collect();
    tries.sort_unstable();
    assert_eq!(tries, [1, 2, 3, 4, 5]);
}

async fn a_right_token_gives_its_try_back(base: Arc<Base>) {
    held(&base, "1", 1, 1).await;
    assert_eq!(base.store.reserve_token_try("1", 1).await.unwrap(), Some(1));
    assert_eq!(base.store.reserve_token_try("1", 1).await.unwrap(), None);
    base.store.settle_token_try("1", &Settled::Clear("validator:val".to_owned())).await.unwrap();
    base.store.settle_token_try("1", &Settled::Clear("validator:val".to_owned())).await.unwrap();
    assert_eq!(base.store.reserve_token_try("1", 1).await.unwrap(), Some(1));
    base.store.move_operation(&arrow("1", State::Waiting, State::Denied)).await.unwrap();
    assert_eq!(base.store.reserve_token_try("1", 9).await.unwrap(), None);
}

async fn hold_7_of_100_confirmations_at_once_one_meets_the_quorum(base: Arc<Base>) {
    let (_, tokens) = held(&base, "1", 1, 1).await;
    let given = tokens[0].clone();
    let results = at_once(100, |_| {
        let (base, token) = (Arc::clone(&base), given.clone());
        async move {
            let notice = message(token.validator, Some("1"), false);
            let on_quorum = (&[notice][..], &[event("operation.confirmed")][..]);
            base.store
                .confirm_operation(&confirmation("1", &token, NOW), &[event("confirmation.given")], on_quorum)
                .await
                .unwrap()
        }
    })
    .await;
    assert_eq!(results.iter().filter(|result| **result == Confirmed::Quorum).count(), 1);
    assert_eq!(results.iter().filter(|result| **result == Confirmed::TooLate).count(), 99);
    let row = base.store.operation("1").await.unwrap().unwrap();
    assert_eq!((row.state, row.version), (State::Confirmed, 2));
    assert!(row.captured.is_some(), "what is to be delivered is gone");
    assert_eq!(base.store.confirmations("1").await.unwrap().len(), 1);
    assert_eq!(base.store.messages_of("1").await.unwrap().len(), 1);
    let acts: Vec<_> = base.store.events(0, 300).await.unwrap().into_iter().map(|event| event.act).collect();
    assert_eq!(acts, ["operation.asked", "confirmation.given", "operation.confirmed"]);
}

async fn hold_7_of_100_confirmations_by_100_validators_one_meets_a_quorum_of_two(base: Arc<Base>) {
    let (_, tokens) = held(&base, "1", 2, 100).await;
    let results = at_once(100, |number| {
        let (base, token) = (Arc::clone(&base), tokens[number].clone());
        async move { base.store.confirm_operation(&confirmation("1", &token, NOW), &[], (&[], &[])).await.unwrap() }
    })
    .await;
    assert_eq!(results.iter().filter(|result| **result == Confirmed::Counted(1)).count(), 1);
    assert_eq!(results.iter().filter(|result| **result == Confirmed::Quorum).count(), 1);
    assert_eq!(base.store.confirmations("1").await.unwrap().len(), 2);
}

async fn a_quorum_counts_each_validator_once(base: Arc<Base>) {
    let (_, tokens) = held(&base, "1", 2, 2).await;
    let confirm = async |token| {
        base.store.confirm_operation(&confirmation("1", token, NOW), &[], (&[], &[event("quorum")])).await.unwrap()
    };
    assert_eq!(confirm(&tokens[0]).await, Confirmed::Counted(1));
    assert_eq!(confirm(&tokens[0]).await, Confirmed::TooLate);
    assert_eq!(base.store.events(0, 9).await.unwrap().len(), 1, "the quorum was told before it was met");
    assert_eq!(confirm(&tokens[1]).await, Confirmed::Quorum);
    let given: Vec<_> = base.store.confirmations("1").await.unwrap().into_iter().map(|given| given.validator).collect();
    assert!(base.store.confirmations("1").await.unwrap().iter().all(|given| given.mac == [7; 32]));
    assert!(given.len() == 2 && given.contains(&tokens[0].validator) && given.contains(&tokens[1].validator));
}

async fn hold_5_a_token_of_another_operation_or_validator_confirms_nothing(base: Arc<Base>) {
    let (_, first) = held(&base, "1", 1, 2).await;
    held(&base, "2", 1, 1).await;
    let confirm = async |operation, validator, digest| {
        let new = NewConfirmation { operation, validator, token: digest, at: NOW, mac: [7; 32] };
        base.store.confirm_operation(&new, &[], (&[], &[])).await.unwrap()
    };
    assert_eq!(confirm("2", first[0].validator, first[0].digest).await, Confirmed::TooLate);
    assert_eq!(confirm("1", first[1].validator, first[0].digest).await, Confirmed::TooLate);
    assert_eq!((state(&base, "1").await, state(&base, "2").await), (State::Waiting, State::Waiting));
}

async fn hold_8_nothing_is_confirmed_when_its_time_is_over(base: Arc<Base>) {
    for (id, after, expected) in [("1", 14 * 60 + 59, Confirmed::Quorum), ("2", 15 * 60, Confirmed::TooLate)] {
        let (_, tokens) = held(&base, id, 1, 1).await;
        let at = NOW.plus(std::time::Duration::from_secs(after));
        let confirmed = base.store.confirm_operation(&confirmation(id, &tokens[0], at), &[], (&[], &[])).await.unwrap();
        assert_eq!(confirmed, expected);
    }
}

async fn hold_8_a_new_token_ends_the_old_one_and_keeps_the_count_of_tries(base: Arc<Base>) {
    let (_, tokens) = held(&base, "1", 1, 1).await;
    let validator = tokens[0].validator;
    let asked = message(validator, Some("1"), true);
    let told = message(validator, Some("1"), false);
    base.store.queue_messages(&[asked.clone(), told.clone()]).await.unwrap();
    base.store.reserve_token_try("1", 5).await.unwrap();

    let later = NOW.plus(minutes(1));
    let new = token("1", validator, later);
    let resent = message(validator, Some("1"), true);
    assert!(
        base.store
            .replace_token("1", &new, later, std::slice::from_ref(&resent), &[event("token.replaced")])
            .await
            .unwrap()
    );
    let left: Vec<_> = base.store.messages_of("1").await.unwrap().into_iter().map(|row| row.id).collect();
    assert!(left.len() == 2 && left.contains(&told.id) && left.contains(&resent.id), "the old token is still sent");
    let old = base.store.confirm_operation(&confirmation("1", &tokens[0], later), &[], (&[], &[])).await.unwrap();
    assert_eq!(old, Confirmed::TooLate);
    assert_eq!(base.store.reserve_token_try("1", 5).await.unwrap(), Some(2));
    let confirmed = base.store.confirm_operation(&confirmation("1", &new, later), &[], (&[], &[])).await.unwrap();
    assert_eq!(confirmed, Confirmed::Quorum);
}

async fn a_token_is_replaced_at_most_once_at_a_time(base: Arc<Base>) {
    let (_, tokens) = held(&base, "1", 1, 1).await;
    let validator = tokens[0].validator;
    let later = NOW.plus(minutes(1));
    let results = at_once(20, |_| {
        let base = Arc::clone(&base);
        async move { base.store.replace_token("1", &token("1", validator, later), later, &[], &[]).await.unwrap() }
    })
    .await;
    assert_eq!(results.into_iter().filter(|replaced| *replaced).count(), 1);
    let expired = token("1", validator, NOW.plus(minutes(15)));
    assert!(!base.store.replace_token("1", &expired, expired.issued_at, &[], &[]).await.unwrap());
}

async fn who_became_a_validator_later_gets_a_token_too_and_of_many_at_once_one(base: Arc<Base>) {
    held(&base, "1", 1, 1).await;
    base.store.reserve_token_try("1", 5).await.unwrap();
    let newcomer = UserId(made::id());
    let results = at_once(20, |_| {
        let base = Arc::clone(&base);
        async move {
            let given = token("1", newcomer, NOW);
            let sms = message(newcomer, Some("1"), true);
            let renewed = [event("token.renewed")];
            let stored = base.store.replace_token("1", &given, NOW, &[sms], &renewed).await.unwrap();
            stored.then_some(given)
        }
    })
    .await;
    let given: Vec<_> = results.into_iter().flatten().collect();
    assert_eq!(given.len(), 1, "one token, one SMS");
    assert_eq!(base.store.messages_of("1").await.unwrap().len(), 1);
    assert_eq!(base.store.operation("1").await.unwrap().unwrap().tries, 1, "the count of tries stays");
    let confirmed = base.store.confirm_operation(&confirmation("1", &given[0], NOW), &[], (&[], &[])).await.unwrap();
    assert_eq!(confirmed, Confirmed::Quorum);
    let late = token("1", UserId(made::id()), NOW);
    assert!(!base.store.replace_token("1", &late, NOW, &[], &[]).await.unwrap(), "it waits no more");
}

async fn hold_5_who_has_confirmed_gets_no_token_any_more(base: Arc<Base>) {
    let (_, tokens) = held(&base, "1", 2, 2).await;
    let confirmed = base.store.confirm_operation(&confirmation("1", &tokens[0], NOW), &[], (&[], &[])).await.unwrap();
    assert_eq!(confirmed, Confirmed::Counted(1));
    let again = token("1", tokens[0].validator, NOW.plus(minutes(2)));
    assert!(!base.store.replace_token("1", &again, again.issued_at, &[], &[]).await.unwrap());
    assert!(base.store.operation_token("1", tokens[0].validator).await.unwrap().is_none());
}

async fn an_arrow_is_walked_once_and_only_from_where_it_begins(base: Arc<Base>) {
    held(&base, "1", 1, 0).await;
    assert!(!base.store.move_operation(&arrow("1", State::Confirmed, State::Sending)).await.unwrap());
    base.store.move_operation(&arrow("1", State::Waiting, State::Confirmed)).await.unwrap();
    let mut changes = base.store.follow_changes().await.unwrap();
    let results = at_once(50, |_| {
        let base = Arc::clone(&base);
        async move {
            let sending = [event("operation.sending")];
            let arrow = Move { events: &sending, ..arrow("1", State::Confirmed, State::Sending) };
            base.store.move_operation(&arrow).await.unwrap()
        }
    })
    .await;
    assert_eq!(results.into_iter().filter(|walked| *walked).count(), 1);
    assert_eq!(changes.next().await.unwrap(), [Change::Operation("1".to_owned())]);
    let row = base.store.operation("1").await.unwrap().unwrap();
    assert_eq!((row.state, row.version, row.reason.as_deref()), (State::Sending, 3, Some("because")));
    assert!(row.captured.is_some());
    assert_eq!(base.store.events(0, 100).await.unwrap().len(), 2);
}

async fn leaving_the_waiting_state_ends_tokens_and_their_unsent_messages(base: Arc<Base>) {
    for (id, to) in [("1", State::Denied), ("2", State::Expired), ("3", State::Withdrawn), ("4", State::Cancelled)] {
        let (_, tokens) = held(&base, id, 1, 2).await;
        let messages = [0, 1].map(|index: usize| message(tokens[index].validator, Some(id), true));
        base.store.queue_messages(&messages).await.unwrap();
        assert!(base.store.claim_message(messages[0].id, NOW).await.unwrap());
        assert!(base.store.move_operation(&arrow(id, State::Waiting, to)).await.unwrap());
        assert!(base.store.operation(id).await.unwrap().unwrap().captured.is_none());
        assert!(base.store.operation_token(id, tokens[1].validator).await.unwrap().is_none());
        let left = base.store.messages_of(id).await.unwrap();
        assert_eq!(
            left.iter().map(|row| (row.id, row.state)).collect::<Vec<_>>(),
            [(messages[0].id, OutboxState::Sending)]
        );
        base.store.settle_message(messages[0].id, OutboxState::Queued, NOW, Some(Failure::Busy)).await.unwrap();
        assert!(base.store.messages_of(id).await.unwrap().is_empty(), "a worthless token is tried again");
    }
}

async fn a_delivery_is_finished_once_and_keeps_the_answer_for_its_time(base: Arc<Base>) {
    held(&base, "1", 1, 0).await;
    let answer = sealed(&keyring(), "operations", "answer", "1");
    let until = NOW.plus(minutes(60));
    let outcome = Outcome {
        operation: "1",
        status: 302,
        answer: Some(&answer),
        answer_until: until,
        at: NOW,
        outbox: &[],
        events: &[event("operation.done")],
    };
    assert!(!base.store.finish_operation(&outcome).await.unwrap(), "nothing was sent yet");
    for (from, to) in [(State::Waiting, State::Confirmed), (State::Confirmed, State::Sending)] {
        assert!(base.store.move_operation(&arrow("1", from, to)).await.unwrap());
    }
    assert!(base.store.finish_operation(&outcome).await.unwrap());
    assert!(!base.store.finish_operation(&outcome).await.unwrap());
    let row = base.store.operation("1").await.unwrap().unwrap();
    assert_eq!((row.state, row.status, row.answer_until), (State::Done, Some(302), Some(until)));
    assert!(row.captured.is_none());
    assert_eq!(row.answer.unwrap().as_bytes(), answer.as_bytes());
    assert_eq!(base.store.drop_old_answers(NOW).await.unwrap(), 0);
    assert_eq!(base.store.drop_old_answers(until).await.unwrap(), 1);
    assert!(base.store.operation("1").await.unwrap().unwrap().answer.is_none());
    assert!(!base.store.set_answer_ticket("1", b"ticket").await.unwrap());
}

async fn an_answer_ticket_is_used_once_of_many(base: Arc<Base>) {
    let mut row = operation("1", 1);
    row.state = State::Done;
    row.answer = Some(sealed(&keyring(), "operations", "answer", "1"));
    base.store.insert_operation(&row, &[], &[], &[]).await.unwrap();
    assert!(base.store.set_answer_ticket("1", b"ticket").await.unwrap());
    assert!(!base.store.use_answer_ticket("1", b"other").await.unwrap());
    let results = at_once(50, |_| {
        let base = Arc::clone(&base);
        async move { base.store.use_answer_ticket("1", b"ticket").await.unwrap() }
    })
    .await;
    assert_eq!(results.into_iter().filter(|used| *used).count(), 1);
}

async fn the_overdue_are_named(base: Arc<Base>) {
    held(&base, "1", 1, 0).await;
    held(&base, "2", 1, 0).await;
    base.store.move_operation(&arrow("2", State::Waiting, State::Confirmed)).await.unwrap();
    assert!(base.store.overdue_operations(NOW.plus(minutes(14))).await.unwrap().is_empty());
    assert_eq!(base.store.overdue_operations(NOW.plus(minutes(15))).await.unwrap(), ["1"]);
}

async fn of_one_requester_no_more_than_so_many_wait(base: Arc<Base>) {
    let alice = crate::made::store_user(&base.store, "alice").await;
    let results = at_once(30, |number| {
        let base = Arc::clone(&base);
        let mut row = operation(&number.to_string(), 1);
        row.requester = alice;
        async move { base.store.insert_operation(&row, &[], &[], &[event("operation.asked")]).await.unwrap() }
    })
    .await;
    let stored = results.iter().filter(|inserted| **inserted == Inserted::Stored).count();
    assert_eq!(i64::try_from(stored).unwrap(), MOST_WAITING);
    assert_eq!(results.iter().filter(|inserted| **inserted == Inserted::TooMany).count(), 30 - stored);
    assert_eq!(base.store.count_operations(State::Waiting).await.unwrap(), MOST_WAITING);
    held(&base, "another's", 1, 0).await;
    let mut row = operation("later", 1);
    row.requester = alice;
    let one = base.store.operations_of(alice, 1).await.unwrap().remove(0).id;
    base.store.move_operation(&arrow(&one, State::Waiting, State::Denied)).await.unwrap();
    assert_eq!(base.store.insert_operation(&row, &[], &[], &[]).await.unwrap(), Inserted::Stored);
}
