//! What can go wrong with the store, and which failure of the database is which.

use sqlx::error::DatabaseError;

/// What can go wrong with the store.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// It does not answer, is locked or full: try again later (503). The text is for the log.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// It answers, and what it says cannot be.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// Written by a newer version.
    #[error(
        "the database is of schema version {found}, this program knows up to {known}: start the newer program, or restore a backup"
    )]
    Newer {
        /// The schema version it has.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// The sealing key is not the one the database was made with.
    #[error("the sealing key is not the one this database was sealed with: put the right key in its place ({0})")]
    WrongKey(String),
    /// Not there, where it must be.
    #[error("{0}")]
    Missing(String),
    /// A name or an address is taken.
    #[error("{0} is already taken")]
    Taken(&'static str),
}

// === impl StoreError ===

impl StoreError {
    /// It did not answer within its time.
    pub(super) fn late() -> Self {
        Self::Unavailable("it did not answer in time".to_owned())
    }

    /// A stored value that cannot be.
    pub(super) fn unreadable(column: &str) -> Self {
        Self::Damaged(format!("the column {column} holds a value this program cannot read"))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error;
        match error {
            Error::Database(told) => of_database(told.as_ref()),
            Error::ColumnDecode { .. }
            | Error::Decode(_)
            | Error::ColumnNotFound(_)
            | Error::ColumnIndexOutOfBounds { .. }
            | Error::TypeNotFound { .. }
            | Error::RowNotFound
            | Error::AnyDriverError(_) => Self::Damaged(error.to_string()),
            Error::PoolTimedOut => Self::Unavailable("no connection became free in time".to_owned()),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

fn of_database(error: &dyn DatabaseError) -> StoreError {
    let code = error.code().unwrap_or_default().into_owned();
    if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
        // Extended codes carry the primary one in their lowest byte (sqlite.org/rescode.html).
        return of_sqlite(code.parse::<i32>().unwrap_or(1) & 0xff, error.message());
    }
    of_postgres(&code, error.message())
}

fn of_sqlite(code: i32, message: &str) -> StoreError {
    match code {
        5 | 6 => StoreError::Unavailable(format!("another process holds it ({message})")),
        8 => StoreError::Unavailable(format!(
            "its file or folder cannot be written: look at owner and mount ({message})"
        )),
        10 => StoreError::Unavailable(format!("the disk reports an error ({message})")),
        11 | 26 => StoreError::Damaged(format!("{message}: restore a backup")),
        13 => StoreError::Unavailable(format!("the disk is full: make room ({message})")),
        14 => StoreError::Unavailable(format!("its file cannot be opened: look at owner and folder ({message})")),
        19 => StoreError::Damaged(format!("it refuses what does not fit together: {message}")),
        _ => StoreError::Unavailable(message.to_owned()),
    }
}

/// Classes of PostgreSQL's appendix A: 23 is a broken constraint, XX an internal error (corrupted data or index).
fn of_postgres(code: &str, message: &str) -> StoreError {
    match code.get(..2) {
        Some("23") => StoreError::Damaged(format!("it refuses what does not fit together: {message}")),
        Some("XX") => StoreError::Damaged(format!("{message}: restore a backup")),
        Some("53") => StoreError::Unavailable(format!("it is out of room: {message}")),
        _ => StoreError::Unavailable(format!("{message} ({code})")),
    }
}
