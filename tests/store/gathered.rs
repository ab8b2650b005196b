//! Events that belong to no other change: written together, whoever else writes, stays or leaves.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Waker};

use sqlx::{AnyConnection, Connection as _};
use vantail::audit::ChainState;
use vantail::store::StoreError;

use crate::base::{Base, both};
use crate::made::event;

both!(
    a_flood_of_refusals_is_few_commits,
    however_long_a_flood_lasts_one_task_writes,
    a_caller_who_leaves_takes_nobodys_events_along,
    what_cannot_be_written_is_told_to_everybody,
);

/// Somebody else's write under way: ours wait until it is over.
struct OtherWriter(AnyConnection);

impl OtherWriter {
    async fn begin(base: &Base) -> Self {
        let mut connection = AnyConnection::connect(&base.url).await.unwrap();
        let begin = if base.is_sqlite() { "BEGIN IMMEDIATE" } else { "BEGIN; UPDATE audit_head SET seq = seq" };
        sqlx::raw_sql(begin).execute(&mut connection).await.unwrap();
        Self(connection)
    }

    async fn end(mut self) {
        sqlx::raw_sql("ROLLBACK").execute(&mut self.0).await.unwrap();
        self.0.close().await.unwrap();
    }
}

/// The pool has a task for a connection that comes back; all may come back at once.
const CONNECTIONS_AND_WRITER: usize = 10 + 1 + 1;

type Appending<'a> = Pin<Box<dyn Future<Output = Result<(), StoreError>> + 'a>>;

/// So many callers, each of whom has handed in two events and waits.
fn callers(base: &Base, count: usize) -> Vec<Appending<'_>> {
    let append = |_| {
        let mut appending: Appending<'_> =
            Box::pin(async { base.store.append_events(&[event("login.refused"), event("lockout.locked")]).await });
        let waits = pin!(&mut appending).poll(&mut Context::from_waker(Waker::noop())).is_pending();
        assert!(waits, "nothing is written while somebody else writes");
        appending
    };
    (0..count).map(append).collect()
}

/// How many commits wrote the events that are there.
async fn commits(base: &Base) -> usize {
    if base.is_sqlite() {
        return wal_commits(&std::fs::read(base.file().with_extension("db-wal")).unwrap());
    }
    let mut connection = AnyConnection::connect(&base.url).await.unwrap();
    let counted = sqlx::query_scalar::<_, i64>("SELECT count(DISTINCT CAST(xmin AS TEXT)) FROM audit");
    let count = counted.fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    usize::try_from(count).unwrap()
}

/// The frames that end a transaction (sqlite.org/fileformat.html section 4.1): those with the size of the database.
fn wal_commits(wal: &[u8]) -> usize {
    let (header, frames) = wal.split_at(32);
    let page = usize::try_from(u32::from_be_bytes(header[8..12].try_into().unwrap())).unwrap();
    let of_this_log = |frame: &&[u8]| frame[8..16] == header[16..24];
    frames.chunks_exact(24 + page).take_while(of_this_log).filter(|frame| frame[4..8] != [0; 4]).count()
}

async fn a_flood_of_refusals_is_few_commits(base: Arc<Base>) {
    base.store.append_events(&[event("login.ok")]).await.unwrap();
    let before = commits(&base).await;
    let other = OtherWriter::begin(&base).await;
    let callers = callers(&base, 200);
    other.end().await;
    for caller in callers {
        caller.await.unwrap();
    }
    assert!(commits(&base).await - before <= 5, "the one under way, and one for every 64 of the others");
    let acts: Vec<_> = base.store.events(1, 1000).await.unwrap().into_iter().map(|row| row.act).collect();
    assert_eq!(acts, ["login.refused", "lockout.locked"].repeat(200));
    assert_eq!(base.store.verify_chain().await.unwrap(), ChainState::Whole(401));
}

async fn however_long_a_flood_lasts_one_task_writes(base: Arc<Base>) {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let stranger = async || {
        for _ in 0..100 {
            base.store.append_events(&[event("login.refused")]).await.unwrap();
            assert!(tasks() <= before + CONNECTIONS_AND_WRITER, "{} tasks after {before}", tasks());
        }
    };
    futures_util::future::join_all((0..20).map(|_| stranger())).await;
    assert_eq!(base.store.verify_chain().await.unwrap(), ChainState::Whole(2000));
}

async fn a_caller_who_leaves_takes_nobodys_events_along(base: Arc<Base>) {
    let other = OtherWriter::begin(&base).await;
    let mut callers = callers(&base, 10);
    // The first is the one for whom the writing began.
    drop(callers.remove(0));
    other.end().await;
    for caller in callers {
        caller.await.unwrap();
    }
    assert_eq!(
        base.store.events(0, 1000).await.unwrap().len(),
        20,
        "a guess is in the trail, whoever made it stays or not"
    );
}

async fn what_cannot_be_written_is_told_to_everybody(base: Arc<Base>) {
    base.tamper("UPDATE audit_head SET mac = link").await;
    let other = OtherWriter::begin(&base).await;
    let callers = callers(&base, 10);
    other.end().await;
    for caller in callers {
        assert!(matches!(caller.await, Err(StoreError::Damaged(_))));
    }
}
