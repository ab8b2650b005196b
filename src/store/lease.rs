//! One serving process at a time: a file lock beside the SQLite file, a row renewed each second on PostgreSQL.
//!
//! A lock ends with its process, however that ends. A row's holder is dead when the database has not heard of it for
//! five seconds by its own clock; one who finds that another has taken the row has *lost* the lease and must stop.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::engine::Engine;
use super::sqlite::{LOCK, beside, failed};
use super::{Store, StoreError};
use crate::secret::{SystemRandom, random_bytes};
use crate::time::Timestamp;

/// Held while serving; ends with the process, or when it is dropped.
#[derive(Debug)]
pub struct Lease {
    held: Held,
}

#[derive(Debug)]
enum Held {
    /// The lock is in the open file.
    File { _locked: File },
    /// A task renews the row; it gives the row back when this side of `_release` is dropped.
    Row { lost: watch::Receiver<bool>, _release: oneshot::Sender<()> },
}

/// How often the row is renewed.
const RENEW: Duration = Duration::from_secs(1);

/// $1 holder, $2 description, $3 when taken by the gateway's clock. Takes the row when it is free or its holder silent.
const TAKE: &str = "INSERT INTO lease (id, holder, description, taken_at, seen_at) \
     VALUES (1, $1, $2, $3, CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)) \
     ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, description = excluded.description, \
     taken_at = excluded.taken_at, seen_at = excluded.seen_at WHERE lease.seen_at < excluded.seen_at - 5000";

const SEEN: &str = "UPDATE lease SET seen_at = CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) \
     WHERE id = 1 AND holder = $1";

// === impl Store ===

impl Store {
    /// Takes the lease. `Missing("another vantail (pid …) serves from this database: …")` when one is held.
    pub async fn take_lease(&self, now: Timestamp) -> Result<Lease, StoreError> {
        let held = match &self.inner.engine {
            Engine::Sqlite { file } => lock(file)?,
            Engine::Postgres { .. } => self.take_row(now).await?,
        };
        Ok(Lease { held })
    }

    async fn take_row(&self, now: Timestamp) -> Result<Held, StoreError> {
        let holder = hex::encode(random_bytes::<16>(&SystemRandom));
        let take = sqlx::query(TAKE).bind(holder.clone()).bind(description()).bind(now.as_millis());
        if self.execute(take).await? == 0 {
            let row = self.row(sqlx::query("SELECT description FROM lease WHERE id = 1")).await?;
            let other = row.map(|row| row.get::<String>("description")).transpose()?;
            return Err(taken(&other.unwrap_or_default()));
        }
        let (release, released) = oneshot::channel();
        let (losing, lost) = watch::channel(false);
        tokio::spawn(renew(self.clone(), holder, losing, released));
        Ok(Held::Row { lost, _release: release })
    }
}

// === impl Lease ===

impl Lease {
    /// Waits until the lease is lost to another process: then this one must stop serving. A file lock is never lost.
    pub async fn lost(&mut self) {
        match &mut self.held {
            Held::File { .. } => std::future::pending().await,
            // The task goes away without having lost it only together with the runtime.
            Held::Row { lost, .. } => drop(lost.wait_for(|lost| *lost).await),
        }
    }
}

/// Renews the row until the lease is given back or lost. A database that does not answer is asked again: whoever takes
/// the row meanwhile is found in it afterwards.
async fn renew(store: Store, holder: String, losing: watch::Sender<bool>, mut released: oneshot::Receiver<()>) {
    while tokio::time::timeout(RENEW, &mut released).await.is_err() {
        if let Ok(0) = store.execute(sqlx::query(SEEN).bind(holder.clone())).await {
            losing.send_replace(true);
            return;
        }
    }
    // Best effort: a row that stays is silent, and free in five seconds.
    drop(store.execute(sqlx::query("DELETE FROM lease WHERE holder = $1").bind(holder)).await);
}

fn lock(database: &Path) -> Result<Held, StoreError> {
    let path = beside(database, LOCK);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|error| failed(&path, &error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(taken(&written(&mut file))),
        Err(TryLockError::Error(error)) => return Err(failed(&path, &error)),
    }
    let note = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(description().as_bytes())
    };
    note(&mut file).map_err(|error| failed(&path, &error))?;
    Ok(Held::File { _locked: file })
}

/// What the holder wrote about itself. The lock is what counts: unreadable is as good as empty.
fn written(file: &mut File) -> String {
    let mut text = String::new();
    drop(file.take(200).read_to_string(&mut text));
    text
}

fn description() -> String {
    format!("pid {}", std::process::id())
}

fn taken(by: &str) -> StoreError {
    let by = if by.is_empty() { "pid unknown" } else { by };
    StoreError::Missing(format!("another vantail ({by}) serves from this database: stop it, or use another database"))
}
