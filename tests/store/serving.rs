//! What a serving process does with the store as a whole: lease, readiness, backup, check, speed of failing.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use vantail::secret::Keyring;
use vantail::store::operations::State;
use vantail::store::passwords::NewPassword;
use vantail::store::{Open, Store, StoreError};

use crate::base::{Base, both, keyring};
use crate::made::{NOW, event, message, operation, store_user, user};

both!(
    one_process_serves_at_a_time,
    it_answers_until_it_is_closed,
    check_finds_a_whole_store_whole,
    check_names_a_seal_that_does_not_open,
    a_held_database_is_reported_within_three_seconds,
    what_was_stored_is_there_after_opening_again,
    a_caller_who_gives_up_leaves_nothing_half_done_and_blocks_nobody,
);

async fn one_process_serves_at_a_time(base: Arc<Base>) {
    let mut lease = base.store.take_lease(NOW).await.unwrap();
    let other = base.another().await;
    let refused = other.take_lease(NOW).await.unwrap_err();
    let pid = format!("pid {}", std::process::id());
    assert!(matches!(&refused, StoreError::Missing(text) if text.contains(&pid)), "{refused}");
    // Renewed for longer than a silent holder would be left alone.
    let renewed = timeout(Duration::from_secs(7), lease.lost()).await;
    assert!(renewed.is_err(), "the lease was lost");
    assert!(other.take_lease(NOW).await.is_err());
    drop(lease);
    let taken = timeout(Duration::from_secs(5), async {
        while other.take_lease(NOW).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    taken.await.expect("a lease given back is free");
    other.close().await;
}

async fn it_answers_until_it_is_closed(base: Arc<Base>) {
    base.store.ping().await.unwrap();
    let other = base.another().await;
    other.close().await;
    let closed = other.ping().await;
    assert!(matches!(closed, Err(StoreError::Unavailable(_))), "{closed:?}");
    base.store.ping().await.unwrap();
}

async fn full(base: &Base) {
    let mut alice = user("alice");
    let row = alice.row.user.id.to_string();
    alice.row.phone = Some(crate::made::sealed(&keyring(), "users", "phone", &row));
    base.store.insert_user(&alice, &[event("user.added")]).await.unwrap();
    let notice = message(alice.row.user.id, Some("1"), false);
    base.store.insert_operation(&operation("1", 1), &[], &[notice], &[event("operation.asked")]).await.unwrap();
}

async fn check_finds_a_whole_store_whole(base: Arc<Base>) {
    full(&base).await;
    assert_eq!(base.store.check(&keyring()).await.unwrap(), Vec::<String>::new());
    let wrong = base.store.check(&Keyring::new(&[8; 32])).await.unwrap();
    assert_eq!(wrong.len(), 3, "{wrong:?}");
}

async fn check_names_a_seal_that_does_not_open(base: Arc<Base>) {
    full(&base).await;
    base.store.insert_operation(&operation("2", 1), &[], &[], &[]).await.unwrap();
    base.tamper("UPDATE operations SET captured = (SELECT captured FROM operations WHERE id = '1') WHERE id = '2'")
        .await;
    base.tamper("UPDATE audit SET act = 'nothing' WHERE seq = 2").await;
    let found = base.store.check(&keyring()).await.unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("audit: at event 2"), "{found:?}");
    assert_eq!(found[1], "operations 2: the sealed captured does not open");
}

async fn a_held_database_is_reported_within_three_seconds(base: Arc<Base>) {
    use sqlx::Connection as _;
    let user = store_user(&base.store, "alice").await;
    let mut other = sqlx::AnyConnection::connect(&base.url).await.unwrap();
    let begin = if base.is_sqlite() { "BEGIN IMMEDIATE" } else { "BEGIN" };
    let mut hold = other.begin_with(begin).await.unwrap();
    sqlx::query("UPDATE users SET epoch = epoch").execute(&mut *hold).await.unwrap();
    let begun = Instant::now();
    let late = base.store.set_password(user, &NewPassword::of("hash", NOW), &[]).await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(base.store.user(user).await.unwrap().is_some(), "reading needs no turn");
    hold.rollback().await.unwrap();
    assert!(base.store.set_password(user, &NewPassword::of("hash", NOW), &[]).await.unwrap());
    other.close().await.unwrap();
}

async fn what_was_stored_is_there_after_opening_again(base: Arc<Base>) {
    full(&base).await;
    base.store.close().await;
    let again = base.another().await;
    assert_eq!(again.operation("1").await.unwrap().unwrap().state, State::Waiting);
    assert_eq!(again.events(0, 9).await.unwrap().len(), 2);
    again.append_events(&[event("login.ok")]).await.unwrap();
    assert_eq!(again.events(2, 9).await.unwrap()[0].seq, 3);
    again.close().await;
}

async fn a_caller_who_gives_up_leaves_nothing_half_done_and_blocks_nobody(base: Arc<Base>) {
    for round in 0..300 {
        let (id, row_events) = (round.to_string(), [event("operation.asked")]);
        let row = operation(&id, 1);
        let storing = base.store.insert_operation(&row, &[], &[], &row_events);
        drop(timeout(Duration::from_micros(round * 20), storing).await);
    }
    base.store.append_events(&[event("login.ok")]).await.unwrap();
    let stored = base.store.operations(&[], 1000).await.unwrap().len();
    let told = base.store.events(0, 1000).await.unwrap().len();
    assert_eq!(told, stored + 1);
    assert!(stored < 300, "nobody gave up: the test shows nothing");
    assert_eq!(base.store.check(&keyring()).await.unwrap(), Vec::<String>::new());
}

/// As on a full disk: SQLite ends the transaction by itself in the middle of it.
#[test]
fn flt_2_writing_goes_on_after_sqlite_gave_a_transaction_up() {
    crate::base::run(Base::sqlite(), async |base: Arc<Base>| {
        base.tamper(
            "CREATE TRIGGER full BEFORE INSERT ON audit WHEN new.act = 'disk.full' \
             BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END",
        )
        .await;
        for _ in 0..3 {
            let row = operation("1", 1);
            let refused = base.store.insert_operation(&row, &[], &[], &[event("disk.full")]).await;
            assert!(refused.unwrap_err().to_string().contains("disk is full"));
            assert!(base.store.operation("1").await.unwrap().is_none(), "half of it was done");
        }
        base.store.append_events(&[event("login.ok")]).await.unwrap();
        assert_eq!(base.store.events(0, 9).await.unwrap().len(), 1);
    });
}

#[test]
fn a_backup_is_whole_private_and_made_once() {
    crate::base::run(Base::sqlite(), async |base: Arc<Base>| {
        full(&base).await;
        let to = base.folder.path().join("copy.db");
        base.store.backup(&to).await.unwrap();
        assert_eq!(std::fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
        let again = base.store.backup(&to).await;
        assert!(matches!(again, Err(StoreError::Missing(_))), "{again:?}");
        let copy = Store::open(&format!("sqlite:{}", to.display()), &keyring(), Open::AsIs).await.unwrap();
        assert_eq!(copy.check(&keyring()).await.unwrap(), Vec::<String>::new());
        assert_eq!(copy.events(0, 9).await.unwrap().len(), 2);
        copy.close().await;
    });
}

#[test]
fn a_postgresql_store_is_backed_up_by_its_own_tools() {
    crate::base::run(Base::postgres(), async |base: Arc<Base>| {
        let refused = base.store.backup(&base.folder.path().join("copy.db")).await.unwrap_err();
        assert!(refused.to_string().contains("pg_dump"), "{refused}");
    });
}
