//! The SQLite file: made whole or not at all, never mistaken for a new one (FLT-3).
//!
//! A new database is made under another name and linked into its place when it is whole: a process killed in between
//! leaves no empty file behind that could be taken for a database that lost its content.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sqlx::AnyConnection;
use sqlx::Connection as _;

use super::engine::Engine;
use super::schema;
use super::sql::Row;
use super::{Open, StoreError, open};
use crate::secret::{Keyring, SystemRandom, random_bytes};

/// How every SQLite file begins (sqlite.org/fileformat.html section 1.3).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The lock of the serving process. Made with the database, it stays when the database is lost, and tells of it.
pub(super) const LOCK: &str = ".lock";

/// Sees that `file` is a database, or makes one where none ever was.
pub(super) async fn find_or_make(file: &Path, keyring: &Keyring, how: Open) -> Result<(), StoreError> {
    match File::open(file) {
        Ok(mut opened) => look_at(file, &mut opened),
        Err(error) if error.kind() == ErrorKind::NotFound => make(file, keyring, how).await,
        Err(error) => Err(failed(file, &error)),
    }
}

/// Whether the pages fit together.
pub(super) async fn quick_check(connection: &mut AnyConnection, file: &Path) -> Result<(), StoreError> {
    let found = complaints(connection, "PRAGMA quick_check(5)").await?;
    if found.is_empty() {
        return Ok(());
    }
    Err(StoreError::Damaged(format!("{}: {}: restore a backup", file.display(), found.join("; "))))
}

/// What SQLite's own check complains of, a line each.
pub(super) async fn complaints(connection: &mut AnyConnection, check: &'static str) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    for row in sqlx::query(check).fetch_all(connection).await? {
        let line: String = Row::from(row).first()?;
        if line != "ok" {
            found.push(line);
        }
    }
    Ok(found)
}

/// The name of `file` with `more` behind it.
pub(super) fn beside(file: &Path, more: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(more);
    PathBuf::from(name)
}

/// Makes a file for us alone. It must not exist.
pub(super) fn make_private(file: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)
}

/// A failure of the file system, told with the file's name.
pub(super) fn failed(file: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Unavailable(format!("{}: {error}", file.display()))
}

fn look_at(file: &Path, opened: &mut File) -> Result<(), StoreError> {
    let mut beginning = [0; MAGIC.len()];
    match opened.read_exact(&mut beginning) {
        Ok(()) if beginning == *MAGIC => Ok(()),
        Ok(()) => Err(StoreError::Damaged(format!("{} is no SQLite database: restore a backup", file.display()))),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Err(StoreError::Damaged(format!("{} is empty or cut off: restore a backup", file.display())))
        }
        Err(error) => Err(failed(file, &error)),
    }
}

async fn make(file: &Path, keyring: &Keyring, how: Open) -> Result<(), StoreError> {
    refuse_lost(file)?;
    if how == Open::AsIs {
        return Err(StoreError::Missing(format!(
            "there is no database at {}: make one with `vantail store migrate`",
            file.display()
        )));
    }
    let folder = file.parent().unwrap_or(Path::new("/"));
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| failed(folder, &error))?;
    let draft = beside(file, &format!(".new-{}", hex::encode(random_bytes::<8>(&SystemRandom))));
    let made = make_at(&draft, file, keyring).await;
    // A draft that is left behind does no harm; what went wrong before says more than what goes wrong here.
    drop(fs::remove_file(&draft));
    made?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(folder, &error))
}

/// A database that has been here leaves its lock or its log behind: starting anew would open an empty system.
fn refuse_lost(file: &Path) -> Result<(), StoreError> {
    for trace in [LOCK, "-wal"] {
        let trace = beside(file, trace);
        if trace.exists() {
            return Err(StoreError::Missing(format!(
                "the database {} is gone, though there was one ({} is still there): restore a backup, \
                 or remove that file to begin anew with nothing",
                file.display(),
                trace.display()
            )));
        }
    }
    Ok(())
}

async fn make_at(draft: &Path, file: &Path, keyring: &Keyring) -> Result<(), StoreError> {
    make_private(draft).map_err(|error| failed(draft, &error))?;
    let engine = Engine::Sqlite { file: draft.to_owned() };
    let mut connection = open::single(&engine, &engine.url()).await?;
    let begun = schema::begin_new(&mut connection, &engine, keyring).await;
    let closed = connection.close().await;
    begun?;
    closed?;
    File::open(draft).and_then(|draft| draft.sync_all()).map_err(|error| failed(draft, &error))?;
    match fs::hard_link(draft, file) {
        Ok(()) => make_private(&beside(file, LOCK)).map(drop).or_else(|error| unless_there(file, &error)),
        // Another process was first: its database is as good.
        Err(error) => unless_there(file, &error),
    }
}

fn unless_there(file: &Path, error: &std::io::Error) -> Result<(), StoreError> {
    if error.kind() == ErrorKind::AlreadyExists { Ok(()) } else { Err(failed(file, error)) }
}
