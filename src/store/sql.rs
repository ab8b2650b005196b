//! Statements, rows and transactions: the thin layer between the store's methods and sqlx.

use std::future::Future;
use std::time::Duration;

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{Any, Decode, Row as _, Type};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::audit::NewEvent;
use super::changes::Change;
use super::{Store, StoreError};
use crate::time::Timestamp;

/// A statement with its values.
pub(super) type Query<'q> = sqlx::query::Query<'q, Any, AnyArguments>;

/// How long one method may take with the database: a dead one must be noticed within 3 s.
const PATIENCE: Duration = Duration::from_millis(2800);

/// A row as it came.
pub(super) struct Row(AnyRow);

/// A write under way. Dropped without [`Tx::commit`], it never happened.
pub(super) struct Tx<'s> {
    store: &'s Store,
    inner: sqlx::Transaction<'static, Any>,
    deadline: Instant,
}

/// Many reads that see one moment. Each read has its own time; the whole may take long.
pub(super) struct Snapshot(sqlx::Transaction<'static, Any>);

// === impl Row ===

impl From<AnyRow> for Row {
    fn from(row: AnyRow) -> Self {
        Self(row)
    }
}

impl Row {
    /// The first column's value, for statements that name none.
    pub(super) fn first<'r, T: Decode<'r, Any> + Type<Any>>(&'r self) -> Result<T, StoreError> {
        self.0.try_get(0).map_err(StoreError::from)
    }

    /// A column's value.
    pub(super) fn get<'r, T: Decode<'r, Any> + Type<Any>>(&'r self, column: &str) -> Result<T, StoreError> {
        self.0.try_get(column).map_err(StoreError::from)
    }

    /// A moment.
    pub(super) fn time(&self, column: &str) -> Result<Timestamp, StoreError> {
        self.get::<i64>(column).map(Timestamp::from_millis)
    }

    /// A moment, when there is one.
    pub(super) fn maybe_time(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.get::<Option<i64>>(column)?.map(Timestamp::from_millis))
    }

    /// A word or an id, read from its text.
    pub(super) fn word<T: std::str::FromStr>(&self, column: &str) -> Result<T, StoreError> {
        self.get::<String>(column)?.parse().map_err(|_| StoreError::unreadable(column))
    }

    /// A word or an id, when there is one.
    pub(super) fn maybe_word<T: std::str::FromStr>(&self, column: &str) -> Result<Option<T>, StoreError> {
        let text = self.get::<Option<String>>(column)?;
        text.map(|text| text.parse().map_err(|_| StoreError::unreadable(column))).transpose()
    }

    /// An id.
    pub(super) fn uuid(&self, column: &str) -> Result<Uuid, StoreError> {
        self.word(column)
    }

    /// Yes or no, kept as 1 or 0.
    pub(super) fn flag(&self, column: &str) -> Result<bool, StoreError> {
        Ok(self.get::<i64>(column)? != 0)
    }
}

// === impl Tx ===

impl Tx<'_> {
    /// Runs a statement: how many rows it changed.
    pub(super) async fn execute(&mut self, query: Query<'_>) -> Result<u64, StoreError> {
        let done = within(self.deadline, query.execute(&mut *self.inner)).await?;
        Ok(done.rows_affected())
    }

    /// The first row of a statement.
    pub(super) async fn row(&mut self, query: Query<'_>) -> Result<Option<Row>, StoreError> {
        Ok(within(self.deadline, query.fetch_optional(&mut *self.inner)).await?.map(Row))
    }

    /// All rows of a statement.
    pub(super) async fn rows(&mut self, query: Query<'_>) -> Result<Vec<Row>, StoreError> {
        let rows = within(self.deadline, query.fetch_all(&mut *self.inner)).await?;
        Ok(rows.into_iter().map(Row).collect())
    }

    /// Takes so much longer than a write usually may.
    pub(super) fn take_longer(&mut self, time: Duration) {
        self.deadline += time;
    }

    /// Waits for its turn among the changes that must see each other's outcome (who is the last administrator, which
    /// signing key is the first).
    pub(super) async fn take_turn(&mut self) -> Result<(), StoreError> {
        self.execute(sqlx::query("UPDATE meta SET value = value WHERE name = 'schema'")).await.map(drop)
    }

    /// Appends `events`, marks `changes`, and makes it all happen.
    pub(super) async fn commit(mut self, events: &[NewEvent], changes: &[Change]) -> Result<(), StoreError> {
        self.append(&self.store.inner.trail, events).await?;
        self.mark(&self.store.inner.engine, changes).await?;
        let Self { store, inner, deadline } = self;
        within(deadline, inner.commit()).await?;
        if !changes.is_empty() {
            store.inner.nudge.send_modify(|commits| *commits = commits.wrapping_add(1));
        }
        Ok(())
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// The first row of a statement.
    pub(super) async fn row(&mut self, query: Query<'_>) -> Result<Option<Row>, StoreError> {
        Ok(within(deadline(), query.fetch_optional(&mut *self.0)).await?.map(Row))
    }

    /// All rows of a statement.
    pub(super) async fn rows(&mut self, query: Query<'_>) -> Result<Vec<Row>, StoreError> {
        let rows = within(deadline(), query.fetch_all(&mut *self.0)).await?;
        Ok(rows.into_iter().map(Row).collect())
    }
}

// === impl Store ===

impl Store {
    /// Begins a write.
    pub(super) async fn begin(&self) -> Result<Tx<'_>, StoreError> {
        let deadline = deadline();
        let inner = within(deadline, self.inner.writer.begin_with(self.inner.engine.begin())).await?;
        Ok(Tx { store: self, inner, deadline })
    }

    /// Begins reads that see one moment.
    pub(super) async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        within(deadline(), self.inner.reader.begin_with(self.inner.engine.begin_snapshot())).await.map(Snapshot)
    }

    /// Reads the first row of a statement.
    pub(super) async fn row(&self, query: Query<'_>) -> Result<Option<Row>, StoreError> {
        Ok(within(deadline(), query.fetch_optional(&self.inner.reader)).await?.map(Row))
    }

    /// Reads all rows of a statement.
    pub(super) async fn rows(&self, query: Query<'_>) -> Result<Vec<Row>, StoreError> {
        let rows = within(deadline(), query.fetch_all(&self.inner.reader)).await?;
        Ok(rows.into_iter().map(Row).collect())
    }

    /// Runs one statement that is a whole change by itself, with neither event nor mark: how many rows it changed.
    pub(super) async fn execute(&self, query: Query<'_>) -> Result<u64, StoreError> {
        let done = within(deadline(), query.execute(&self.inner.writer)).await?;
        Ok(done.rows_affected())
    }
}

/// When a method that begins now must be over.
pub(super) fn deadline() -> Instant {
    Instant::now() + PATIENCE
}

/// Waits for the database, but not beyond `deadline`.
pub(super) async fn within<T>(
    deadline: Instant,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    timeout_at(deadline, answer).await.map_err(|_| StoreError::late())?.map_err(StoreError::from)
}

/// PostgreSQL keeps no NUL in a text: where people's own words are stored, it shows as U+FFFD.
pub(super) fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
