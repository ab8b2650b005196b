//! The two engines, and the little in which they differ.

use std::fmt;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::StoreError;
use crate::secret::SecretText;

/// Where the facts are.
pub(super) enum Engine {
    /// A file of our own.
    Sqlite {
        /// Its absolute path.
        file: PathBuf,
    },
    /// A server.
    Postgres {
        /// Its address, which may hold a password.
        url: SecretText,
    },
}

/// What stays readable in a path within a URL.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

// === impl Engine ===

impl Engine {
    /// Reads `sqlite:PATH` or `postgres://…`.
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return Self::sqlite(path);
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres { url: SecretText::new(url) });
        }
        Err(StoreError::Missing(
            "the address of the database is not understood: write sqlite:PATH or postgres://user@host/name".to_owned(),
        ))
    }

    fn sqlite(path: &str) -> Result<Self, StoreError> {
        if path.is_empty() || path == ":memory:" {
            return Err(StoreError::Missing(
                "the database needs a file: write sqlite:PATH, for example sqlite:var/vantail.db".to_owned(),
            ));
        }
        let file = std::path::absolute(path).map_err(|error| StoreError::Unavailable(format!("{path}: {error}")))?;
        Ok(Self::Sqlite { file })
    }

    /// The file, when it is one.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite { file } => Some(file),
            Self::Postgres { .. } => None,
        }
    }

    /// What sqlx connects to.
    pub(super) fn url(&self) -> String {
        match self {
            Self::Sqlite { file } => sqlite_url(file),
            Self::Postgres { url } => url.expose().to_owned(),
        }
    }

    /// Begins a write. SQLite takes the right to write at once: a read that later turns into a write may be refused
    /// without waiting (SQLITE_BUSY_SNAPSHOT).
    pub(super) fn begin(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "BEGIN IMMEDIATE",
            Self::Postgres { .. } => "BEGIN",
        }
    }

    /// Begins reads that all see one moment.
    pub(super) fn begin_snapshot(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "BEGIN DEFERRED",
            Self::Postgres { .. } => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        }
    }

    /// What every new connection is told.
    pub(super) fn settings(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => {
                "PRAGMA busy_timeout = 2500; PRAGMA foreign_keys = ON; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"
            }
            Self::Postgres { .. } => {
                "SET statement_timeout = 2500; SET synchronous_commit = on; \
                 SET idle_in_transaction_session_timeout = 60000"
            }
        }
    }

    /// Lists the tables: column `name`.
    pub(super) fn tables(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "SELECT name FROM sqlite_master WHERE type = 'table'",
            Self::Postgres { .. } => {
                "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables \
                 WHERE table_schema = current_schema()"
            }
        }
    }

    /// Writes a change mark ($1 number, $2 kind, $3 id), dated by the database: processes may differ about the time.
    pub(super) fn insert_change(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => {
                "INSERT INTO change (seq, at, kind, id) VALUES ($1, unixepoch('now') * 1000, $2, $3)"
            }
            Self::Postgres { .. } => {
                "INSERT INTO change (seq, at, kind, id) VALUES \
                 ($1, CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT), $2, $3)"
            }
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { file } => f.debug_struct("Sqlite").field("file", file).finish(),
            Self::Postgres { .. } => f.write_str("Postgres(…)"),
        }
    }
}

/// The URL of a SQLite file that exists.
pub(super) fn sqlite_url(file: &Path) -> String {
    format!("sqlite://{}?mode=rw", utf8_percent_encode(&file.to_string_lossy(), PATH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_file_or_a_server() {
        assert_eq!(Engine::parse("sqlite:/var/v.db").unwrap().file(), Some(Path::new("/var/v.db")));
        assert_eq!(Engine::parse("sqlite:///var/v.db").unwrap().file(), Some(Path::new("/var/v.db")));
        assert!(Engine::parse("sqlite:var/v.db").unwrap().file().unwrap().ends_with("var/v.db"));
        assert!(Engine::parse("postgres://vantail@db/vantail").unwrap().file().is_none());
        for wrong in ["", "sqlite:", "sqlite::memory:", "mysql://db", "/var/v.db"] {
            assert!(Engine::parse(wrong).is_err(), "{wrong:?} was taken for a database");
        }
    }

    #[test]
    fn no_password_is_printed() {
        let engine = Engine::parse("postgres://vantail:hunter2@db/vantail").unwrap();
        assert!(!format!("{engine:?}").contains("hunter2"));
    }

    #[test]
    fn odd_letters_of_a_path_are_escaped() {
        assert_eq!(sqlite_url(Path::new("/a b/c?d#.db")), "sqlite:///a%20b/c%3Fd%23.db?mode=rw");
    }
}
