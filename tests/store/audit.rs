//! The audit trail: appended, chained, found, exported, and every tampering noticed (LOG-3).

use std::sync::Arc;

use serde_json::Value;
use vantail::audit::export::{Export, Format};
use vantail::audit::{ChainState, EventFilter, NewEvent, Origin};
use vantail::store::StoreError;

use crate::base::{Base, at_once, both};
use crate::made::{NOW, event, minutes, store_user};

both!(
    log_3_events_are_numbered_without_gaps_under_load,
    log_3_every_tampering_is_found_at_its_place,
    log_3_a_trail_cut_off_at_the_end_is_not_continued,
    log_2_what_strangers_write_is_kept_on_one_line,
    events_are_found_by_person_act_time_address_target_and_result,
    names_are_those_of_today,
    an_export_is_whole_however_long,
    a_change_that_fails_leaves_no_event,
);

async fn append(base: &Base, count: usize) {
    for _ in 0..count {
        base.store.append_events(&[event("login.ok")]).await.unwrap();
    }
}

async fn log_3_events_are_numbered_without_gaps_under_load(base: Arc<Base>) {
    let other = base.another().await;
    let stores = [base.store.clone(), other.clone()];
    at_once(100, |number| {
        let store = stores[number % 2].clone();
        async move { store.append_events(&[event("login.refused"), event("lock.set")]).await.unwrap() }
    })
    .await;
    let seqs: Vec<i64> = base.store.events(0, 1000).await.unwrap().into_iter().map(|row| row.seq).collect();
    assert_eq!(seqs, (1..=200).collect::<Vec<_>>());
    assert_eq!(base.store.verify_chain().await.unwrap(), ChainState::Whole(200));
    assert_eq!(base.store.events(198, 1).await.unwrap()[0].seq, 199);
    other.close().await;
}

async fn log_3_every_tampering_is_found_at_its_place(base: Arc<Base>) {
    const SAVE: &str = "CREATE TABLE saved AS SELECT * FROM audit; CREATE TABLE saved_head AS SELECT * FROM audit_head";
    const RESTORE: &str = "DELETE FROM audit; INSERT INTO audit SELECT * FROM saved; \
                           DELETE FROM audit_head; INSERT INTO audit_head SELECT * FROM saved_head";
    const COPY: &str = "INSERT INTO audit SELECT 8, at, actor, door, act, subject, target, result, address, request_id, \
                        details, link FROM audit WHERE seq = 7";
    append(&base, 7).await;
    base.tamper(SAVE).await;
    let cases = [
        ("UPDATE audit SET act = 'logout' WHERE seq = 3", 3),
        ("UPDATE audit SET at = at + 1 WHERE seq = 1", 1),
        ("UPDATE audit SET actor = '00000000-0000-0000-0000-000000000000' WHERE seq = 4", 4),
        ("UPDATE audit SET actor = 'x' WHERE seq = 4", 4),
        ("UPDATE audit SET target = '' WHERE seq = 5", 5),
        ("UPDATE audit SET details = '{} ' WHERE seq = 6", 6),
        ("UPDATE audit SET address = NULL WHERE seq = 2", 2),
        ("DELETE FROM audit WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq = 2; UPDATE audit SET seq = seq - 1 WHERE seq = 3", 2),
        (
            "UPDATE audit SET seq = 99 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = 99",
            3,
        ),
        ("DELETE FROM audit WHERE seq = 7", 7),
        ("DELETE FROM audit WHERE seq > 4", 5),
        ("DELETE FROM audit", 1),
        (COPY, 8),
        ("UPDATE audit_head SET seq = 6", 0),
        (
            "DELETE FROM audit WHERE seq = 7; UPDATE audit_head SET seq = 6, link = (SELECT link FROM audit WHERE seq = 6)",
            0,
        ),
        ("DELETE FROM audit_head", 0),
        ("UPDATE audit_head SET mac = link", 0),
    ];
    for (sql, place) in cases {
        base.tamper(sql).await;
        let found = base.store.verify_chain().await.unwrap();
        assert!(matches!(found, ChainState::Broken { seq, .. } if seq == place), "{sql}: {found:?}");
        base.tamper(RESTORE).await;
        assert_eq!(base.store.verify_chain().await.unwrap(), ChainState::Whole(7), "{sql}: not restored");
    }
}

async fn log_3_a_trail_cut_off_at_the_end_is_not_continued(base: Arc<Base>) {
    append(&base, 3).await;
    base.tamper(
        "DELETE FROM audit WHERE seq = 3; UPDATE audit_head SET seq = 2, link = (SELECT link FROM audit WHERE seq = 2)",
    )
    .await;
    let refused = base.store.append_events(&[event("login.ok")]).await;
    assert!(matches!(refused, Err(StoreError::Damaged(_))), "the cut was covered: {refused:?}");
}

async fn log_2_what_strangers_write_is_kept_on_one_line(base: Arc<Base>) {
    let name = "x\r\n{\"event\":\"login_ok\"}\u{1b}[31m\0";
    let origin = Origin { now: NOW, actor: None, door: "page", address: None, request_id: Some(name.to_owned()) };
    base.store.append_events(&[origin.event("login.refused", "refused").on(name).with("name", name)]).await.unwrap();
    base.store.append_events(&[event("login.ok")]).await.unwrap();
    assert_eq!(base.store.verify_chain().await.unwrap(), ChainState::Whole(2));
    for (format, lines) in [(Format::Jsonl, 2), (Format::Csv, 3)] {
        let text = exported(&base, format).await;
        assert_eq!(text.lines().count(), lines, "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains('\0'));
    }
}

async fn events_are_found_by_person_act_time_address_target_and_result(base: Arc<Base>) {
    let (alice, bob) = (store_user(&base.store, "alice").await, store_user(&base.store, "bob").await);
    let event = |minute, act: &'static str| NewEvent { at: NOW.plus(minutes(minute)), ..event(act) };
    let mut events = [event(0, "login.ok"), event(1, "login.refused"), event(2, "loginx"), event(3, "user.edited")];
    events[0].actor = Some(alice);
    events[1].address = "2001:db8::9".parse().ok();
    events[2].target = Some("48271935".to_owned());
    events[3].actor = Some(bob);
    events[3].user = Some(alice);
    events[3].result = "refused";
    base.store.append_events(&events).await.unwrap();
    let all = EventFilter::default();
    let found = async |filter: EventFilter| {
        let rows = base.store.find_events(&filter, 0, 9).await.unwrap();
        assert_eq!(base.store.last_events(&filter, 9).await.unwrap().len(), rows.len());
        rows.into_iter().map(|row| row.seq).collect::<Vec<_>>()
    };
    assert_eq!(found(EventFilter { person: Some(alice), ..all.clone() }).await, [1, 4]);
    assert_eq!(found(EventFilter { person: Some(bob), ..all.clone() }).await, [4]);
    assert_eq!(found(EventFilter { act: Some("login".to_owned()), ..all.clone() }).await, [1, 2]);
    assert_eq!(found(EventFilter { act: Some("login.ok".to_owned()), ..all.clone() }).await, [1]);
    assert_eq!(found(EventFilter { act: Some("%".to_owned()), ..all.clone() }).await, [] as [i64; 0]);
    let some_time = EventFilter { from: Some(NOW.plus(minutes(1))), until: Some(NOW.plus(minutes(3))), ..all.clone() };
    assert_eq!(found(some_time).await, [2, 3]);
    assert_eq!(found(EventFilter { address: "2001:db8::9".parse().ok(), ..all.clone() }).await, [2]);
    assert_eq!(found(EventFilter { target: Some("48271935".to_owned()), ..all.clone() }).await, [3]);
    assert_eq!(found(EventFilter { result: Some("refused".to_owned()), ..all.clone() }).await, [4]);
    let last: Vec<_> = base.store.last_events(&all, 2).await.unwrap().into_iter().map(|row| row.seq).collect();
    assert_eq!(last, [3, 4]);
}

async fn names_are_those_of_today(base: Arc<Base>) {
    let alice = store_user(&base.store, "alice").await;
    base.store.append_events(&[event("user.edited").about(alice)]).await.unwrap();
    let read = async || serde_json::from_str::<Value>(&exported(&base, Format::Jsonl).await).unwrap();
    assert_eq!(read().await["user_name"], "alice");
    base.tamper("UPDATE users SET name = 'former-1'").await;
    assert_eq!(read().await["user_name"], "former-1");
    assert_eq!(read().await["user"], alice.to_string());
}

async fn exported(base: &Base, format: Format) -> String {
    let filter = EventFilter::default();
    let mut export = Export::begin(&base.store, &filter, format).await.unwrap();
    let mut text = String::new();
    while let Some(piece) = export.piece().await.unwrap() {
        assert!(piece.ends_with('\n'), "a line was cut in two");
        text.push_str(&piece);
    }
    text
}

async fn an_export_is_whole_however_long(base: Arc<Base>) {
    assert_eq!(exported(&base, Format::Csv).await.lines().count(), 1, "the heading of an empty trail");
    assert_eq!(exported(&base, Format::Jsonl).await, "");
    base.store.append_events(&vec![event("login.ok"); 1100]).await.unwrap();
    assert_eq!(exported(&base, Format::Csv).await.lines().count(), 1101);
    assert_eq!(exported(&base, Format::Jsonl).await.lines().count(), 1100);
    assert_eq!(base.store.verify_chain().await.unwrap(), ChainState::Whole(1100));
}

async fn a_change_that_fails_leaves_no_event(base: Arc<Base>) {
    store_user(&base.store, "alice").await;
    let again = base.store.insert_user(&crate::made::user("alice"), &[event("user.added")]).await;
    assert!(again.is_err());
    assert!(base.store.events(0, 9).await.unwrap().is_empty());
    assert_eq!(base.store.verify_chain().await.unwrap(), ChainState::Whole(0));
}
