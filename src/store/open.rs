//! Opening: find the database, see that it is whole, ours, and of this version, then connect.

use std::path::Path;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, ConnectOptions as _, Connection as _};
use tokio::sync::watch;

use super::engine::Engine;
use super::gathered::Gathered;
use super::schema::{self, Ready};
use super::{Inner, Open, Store, StoreError, sqlite};
use crate::secret::Keyring;

/// How long a caller waits for a connection.
const ACQUIRE: Duration = Duration::from_millis(2500);

/// How long the first connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// Readers on SQLite: a read takes microseconds, more connections only cost memory.
const SQLITE_READERS: u32 = 4;

/// What a reader on SQLite is told: it must not write, whatever the statement.
const READER: &str = "PRAGMA busy_timeout = 2500; PRAGMA query_only = ON";

/// Connections to PostgreSQL, reads and writes together.
const POSTGRES_CONNECTIONS: u32 = 10;

impl Store {
    /// Opens `url` (`sqlite:PATH` or `postgres://…`), checks integrity (SQLite `quick_check`), schema and sealing key
    /// (stored check value), sets pragmas.
    ///
    /// A database that is not there is made with [`Open::Migrate`] only, and not where one has been before. An existing
    /// file that is empty or no database is damage, never a new beginning (FLT-3).
    pub async fn open(url: &str, keyring: &Keyring, how: Open) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let engine = Engine::parse(url)?;
        if let Some(file) = engine.file() {
            sqlite::find_or_make(file, keyring, how).await?;
        }
        let ready = prepare(&engine, keyring, how).await?;
        Self::connect(engine, ready).await
    }

    /// Whether it answers (readiness), within 2.8 s.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.row(sqlx::query("SELECT value FROM meta WHERE name = 'schema'")).await.map(drop)
    }

    /// The schema version of every store that is open.
    pub const fn schema_version(&self) -> i64 {
        schema::KNOWN
    }

    /// Closes the pools; the last thing a process does.
    pub async fn close(&self) {
        self.inner.reader.close().await;
        self.inner.writer.close().await;
    }

    async fn connect(engine: Engine, ready: Ready) -> Result<Self, StoreError> {
        let (writer, reader) = match engine {
            Engine::Sqlite { .. } => {
                (pool(&engine, 1, engine.settings()).await?, pool(&engine, SQLITE_READERS, READER).await?)
            }
            Engine::Postgres { .. } => {
                let both = pool(&engine, POSTGRES_CONNECTIONS, engine.settings()).await?;
                (both.clone(), both)
            }
        };
        let nudge = watch::Sender::new(0);
        Ok(Self {
            inner: Inner { engine, writer, reader, trail: ready.trail, gathered: Gathered::default(), nudge }.into(),
        })
    }
}

/// Looks the database over on a connection of its own, and brings its schema up to date.
async fn prepare(engine: &Engine, keyring: &Keyring, how: Open) -> Result<Ready, StoreError> {
    let mut connection = single(engine, &engine.url()).await?;
    let ready = look_over(&mut connection, engine, keyring, how).await;
    // The result counts, not how well the farewell went.
    drop(connection.close().await);
    ready
}

async fn look_over(
    connection: &mut AnyConnection,
    engine: &Engine,
    keyring: &Keyring,
    how: Open,
) -> Result<Ready, StoreError> {
    if let Some(file) = engine.file() {
        sqlite::quick_check(connection, file).await?;
    }
    schema::prepare(connection, engine, keyring, how).await
}

/// A connection outside the pools, with the engine's settings.
pub(super) async fn single(engine: &Engine, url: &str) -> Result<AnyConnection, StoreError> {
    let connecting = async {
        let mut connection = options(url)?.connect().await?;
        sqlx::raw_sql(engine.settings()).execute(&mut connection).await?;
        Ok(connection)
    };
    tokio::time::timeout(CONNECT, connecting).await.map_err(|_| StoreError::late())?
}

/// A connection outside the pools to the file of a SQLite store; for what takes long.
pub(super) async fn single_file(engine: &Engine, file: &Path) -> Result<AnyConnection, StoreError> {
    single(engine, &super::engine::sqlite_url(file)).await
}

fn options(url: &str) -> Result<AnyConnectOptions, StoreError> {
    let options: AnyConnectOptions = url
        .parse()
        .map_err(|error| StoreError::Missing(format!("the address of the database is not understood: {error}")))?;
    Ok(options.disable_statement_logging())
}

/// Whether a connection that comes back to the pool has ended its transaction. After a full disk SQLite has rolled back by
/// itself, and sqlx, whose own rollback then failed, believes to be within a transaction for ever.
async fn is_usable(connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    // Waits until a rollback that a dropped transaction asked for is through.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

async fn pool(engine: &Engine, size: u32, settings: &'static str) -> Result<AnyPool, StoreError> {
    let connecting = AnyPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(ACQUIRE)
        // A file does not go away between two statements; a server's connection may.
        .test_before_acquire(engine.file().is_none())
        .after_release(|connection, _| Box::pin(is_usable(connection)))
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(move |connection, _| {
            Box::pin(async move { sqlx::raw_sql(settings).execute(connection).await.map(drop) })
        })
        .connect_with(options(&engine.url())?);
    tokio::time::timeout(CONNECT, connecting).await.map_err(|_| StoreError::late())?.map_err(StoreError::from)
}
