//! How processes on one database learn of each other's changes.
//!
//! Every commit that others must know of writes **marks** into the table `change`, numbered in the order of the commits
//! and without gaps. A follower reads on from the last number it saw. It is woken by this process's own commits, on
//! PostgreSQL by NOTIFY, and looks by itself every 200 ms.

use std::time::Duration;

use sqlx::AnyConnection;
use sqlx::postgres::PgListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::engine::Engine;
use super::open::single;
use super::sql::{Row, Tx, deadline, within};
use super::{Store, StoreError};
use crate::identity::{SessionId, UserId};
use crate::time::Timestamp;

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A session ended or was rotated.
    Session(SessionId),
    /// A user, their rights, groups, state, factors.
    User(UserId),
    /// An operation moved.
    Operation(String),
    /// A message was queued.
    Outbox,
    /// Signing keys.
    Keys,
}

/// Follows the `change` table from where it stands now.
#[derive(Debug)]
pub struct Changes {
    store: Store,
    /// The last mark seen.
    seen: i64,
    /// Nothing was heard since the last failure: the next answer is given even when it is empty.
    deaf: bool,
    /// There is more to read, as far as is known.
    news: bool,
    nudged: watch::Receiver<u64>,
    watch: Option<Watch>,
    listener: Option<Listener>,
}

/// A connection that tells whether others committed anything to the SQLite file.
#[derive(Debug)]
struct Watch {
    connection: AnyConnection,
    version: i64,
}

/// The task that hears PostgreSQL's notices; ends with its follower.
#[derive(Debug)]
struct Listener(AbortHandle);

/// How often a follower looks by itself.
const POLL: Duration = Duration::from_millis(200);

/// PostgreSQL's channel.
const CHANNEL: &str = "vantail_change";

/// How many marks are read at once.
const PAGE: i64 = 500;

// === impl Store ===

impl Store {
    /// Starts following.
    pub async fn follow_changes(&self) -> Result<Changes, StoreError> {
        let nudged = self.inner.nudge.subscribe();
        let seen = self.last_mark().await?;
        let listener = match &self.inner.engine {
            Engine::Sqlite { .. } => None,
            Engine::Postgres { url } => Some(Listener::start(url.expose().to_owned(), self.inner.nudge.clone())),
        };
        Ok(Changes { store: self.clone(), seen, deaf: false, news: false, nudged, watch: None, listener })
    }

    /// Deletes marks nobody follows any more (older than an hour).
    pub async fn forget_old_changes(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.execute(sqlx::query("DELETE FROM change WHERE at < $1").bind(before.as_millis())).await
    }

    async fn last_mark(&self) -> Result<i64, StoreError> {
        let row = self.row(sqlx::query("SELECT seq FROM change_head WHERE id = 1")).await?;
        row.ok_or_else(|| StoreError::unreadable("change_head"))?.get("seq")
    }
}

// === impl Tx ===

impl Tx<'_> {
    /// Writes marks. Taking their numbers is taking turns: marks become visible in the order of their numbers.
    pub(super) async fn mark(&mut self, engine: &Engine, changes: &[Change]) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let count = i64::try_from(changes.len()).expect("a change has few marks");
        let taken = sqlx::query("UPDATE change_head SET seq = seq + $1 WHERE id = 1 RETURNING seq - $1 AS seq");
        let row = self.row(taken.bind(count)).await?;
        let mut seq: i64 = row.ok_or_else(|| StoreError::unreadable("change_head"))?.get("seq")?;
        for change in changes {
            seq += 1;
            let insert = sqlx::query(engine.insert_change());
            self.execute(insert.bind(seq).bind(change.kind()).bind(change.id())).await?;
        }
        if engine.file().is_none() {
            self.row(sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL)).await?;
        }
        Ok(())
    }
}

// === impl Change ===

impl Change {
    fn kind(&self) -> &'static str {
        match self {
            Self::Session(_) => "session",
            Self::User(_) => "user",
            Self::Operation(_) => "operation",
            Self::Outbox => "outbox",
            Self::Keys => "keys",
        }
    }

    fn id(&self) -> String {
        match self {
            Self::Session(id) => id.to_string(),
            Self::User(id) => id.to_string(),
            Self::Operation(id) => id.clone(),
            Self::Outbox | Self::Keys => String::new(),
        }
    }

    fn read(row: &Row) -> Result<Self, StoreError> {
        match row.get::<String>("kind")?.as_str() {
            "session" => row.word("id").map(Self::Session),
            "user" => row.word("id").map(Self::User),
            "operation" => row.get("id").map(Self::Operation),
            "outbox" => Ok(Self::Outbox),
            "keys" => Ok(Self::Keys),
            _ => Err(StoreError::unreadable("change.kind")),
        }
    }
}

// === impl Changes ===

impl Changes {
    /// Waits for the next marks.
    ///
    /// An error means: what was cached may be stale and must not be trusted (forget it) until the next success, which
    /// comes as soon as the database answers again, with an empty list when nothing was marked meanwhile. Waiting may
    /// be given up at any point; nothing is missed.
    pub async fn next(&mut self) -> Result<Vec<Change>, StoreError> {
        loop {
            let heard = self.look().await;
            match heard {
                Ok(changes) if changes.is_empty() && !self.deaf => self.wait().await,
                Ok(changes) => {
                    self.deaf = false;
                    return Ok(changes);
                }
                Err(error) => {
                    let again = std::mem::replace(&mut self.deaf, true);
                    self.watch = None;
                    if again {
                        // The failure was told before: the next attempt must not be a storm.
                        tokio::time::sleep(POLL).await;
                    }
                    return Err(error);
                }
            }
        }
    }

    async fn wait(&mut self) {
        // The store holds the sender, so that this ends with a nudge or with time.
        drop(tokio::time::timeout(POLL, self.nudged.changed()).await);
    }

    async fn look(&mut self) -> Result<Vec<Change>, StoreError> {
        if !self.news && !self.others_committed().await? {
            return Ok(Vec::new());
        }
        // Stays set when this is given up half-way.
        self.news = true;
        let last = self.store.last_mark().await?;
        if last == self.seen {
            self.news = false;
            return Ok(Vec::new());
        }
        let rows = sqlx::query("SELECT seq, kind, id FROM change WHERE seq > $1 ORDER BY seq LIMIT $2");
        let rows = self.store.rows(rows.bind(self.seen).bind(PAGE)).await?;
        self.take(&rows, last)
    }

    /// Takes note of `rows`, read after the last mark was `last`. A gap means that marks were forgotten unseen.
    fn take(&mut self, rows: &[Row], last: i64) -> Result<Vec<Change>, StoreError> {
        let count = i64::try_from(rows.len()).expect("a page is short");
        match rows.last() {
            Some(row) if row.get::<i64>("seq")? - self.seen == count => self.seen += count,
            _ => return self.missed(last),
        }
        self.news = self.seen < last;
        rows.iter().map(Change::read).collect()
    }

    fn missed(&mut self, last: i64) -> Result<Vec<Change>, StoreError> {
        self.seen = last;
        Err(StoreError::Unavailable("change marks were forgotten before this process saw them".to_owned()))
    }

    /// Whether anybody may have committed since the last look. On SQLite this is known without reading the database.
    async fn others_committed(&mut self) -> Result<bool, StoreError> {
        if self.listener.is_some() {
            return Ok(true);
        }
        let mut watch = match self.watch.take() {
            Some(watch) => watch,
            None => Watch::start(&self.store).await?,
        };
        let news = watch.look().await?;
        self.watch = Some(watch);
        Ok(news)
    }
}

// === impl Watch ===

impl Watch {
    async fn start(store: &Store) -> Result<Self, StoreError> {
        let engine = &store.inner.engine;
        Ok(Self { connection: single(engine, &engine.url()).await?, version: -1 })
    }

    /// Whether another connection committed since the last look.
    async fn look(&mut self) -> Result<bool, StoreError> {
        let row = within(deadline(), sqlx::query("PRAGMA data_version").fetch_one(&mut self.connection)).await?;
        let version = Row::from(row).first()?;
        Ok(std::mem::replace(&mut self.version, version) != version)
    }
}

// === impl Listener ===

impl Listener {
    fn start(url: String, nudge: watch::Sender<u64>) -> Self {
        let hearing = tokio::spawn(async move {
            loop {
                // The follower looks by itself too: not hearing costs 200 ms, and is tried again.
                drop(listen(&url, &nudge).await);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        Self(hearing.abort_handle())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn listen(url: &str, nudge: &watch::Sender<u64>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect(url).await?;
    listener.listen(CHANNEL).await?;
    while listener.try_recv().await?.is_some() {
        nudge.send_modify(|commits| *commits = commits.wrapping_add(1));
    }
    Ok(())
}
