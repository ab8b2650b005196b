//! The sealing key's file: made on first start, read ever after.
//!
//! A new key is written as `sealing.key.new` before the store is sealed with it and renamed once the store is open, so
//! that no crash leaves a store whose key is lost, and no key replaces the one a store was sealed with.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::secret::{Random, random_bytes};

/// The sealing key cannot be had. Says which file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read or written.
    #[error("{}: {error}; the gateway needs to read and write it", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the machine said.
        error: io::Error,
    },
    /// It is not a key.
    #[error("{}: not a sealing key: 32 bytes, or their hex or base64, are expected; put the right key back", .0.display())]
    NotAKey(PathBuf),
    /// A store without its key.
    #[error(
        "{}: there is no sealing key, but the database {database} exists: put back the key it was sealed with, or start with a new database",
        path.display()
    )]
    Lost {
        /// Where the key is expected.
        path: PathBuf,
        /// Which database.
        database: String,
    },
    /// Others may read it.
    #[error("{}: others may read the sealing key (mode {mode:o}); run: chmod 600 {}", path.display(), path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

/// A sealing key, and whether it still has to be kept.
#[derive(Debug)]
pub(super) struct SealingKey {
    bytes: Zeroizing<[u8; 32]>,
    /// From where to where it is renamed once the store is open.
    rename: Option<(PathBuf, PathBuf)>,
    /// Our own, kept by an earlier start.
    used: bool,
}

// === impl SealingKey ===

impl SealingKey {
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// Whether an earlier start sealed a store with it.
    pub(super) fn was_used(&self) -> bool {
        self.used
    }

    /// The store is open with it: from now on it is the key.
    pub(super) fn keep(self) -> Result<(), KeyFileError> {
        let Some((from, to)) = self.rename else { return Ok(()) };
        fs::rename(&from, &to).map_err(|error| KeyFileError::Io { path: to.clone(), error })?;
        sync_folder(&to)
    }
}

/// The key in our own folder; made there when neither it nor the database exists.
pub(super) fn in_directory(directory: &Path, database: &str, random: &dyn Random) -> Result<SealingKey, KeyFileError> {
    let path = directory.join("sealing.key");
    let fresh = directory.join("sealing.key.new");
    if path.exists() {
        return Ok(SealingKey { bytes: read(&path)?, rename: None, used: true });
    }
    if fresh.exists() {
        return Ok(SealingKey { bytes: read(&fresh)?, rename: Some((fresh, path)), used: false });
    }
    if database.strip_prefix("sqlite:").is_some_and(|file| Path::new(file).exists()) {
        return Err(KeyFileError::Lost { path, database: database.to_owned() });
    }
    let bytes = make(directory, &fresh, random)?;
    Ok(SealingKey { bytes, rename: Some((fresh, path)), used: false })
}

/// The key a secret manager wrote. Never made, never changed.
pub(super) fn from_secret_manager(path: &Path) -> Result<SealingKey, KeyFileError> {
    Ok(SealingKey { bytes: read(path)?, rename: None, used: false })
}

fn make(directory: &Path, path: &Path, random: &dyn Random) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let bytes = Zeroizing::new(random_bytes::<32>(random));
    let write = || -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        fs::set_permissions(directory, Permissions::from_mode(0o700))?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(STANDARD.encode(bytes.as_slice()).as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| KeyFileError::Io { path: path.to_owned(), error })?;
    sync_folder(path)?;
    Ok(bytes)
}

fn read(path: &Path) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let io = |error| KeyFileError::Io { path: path.to_owned(), error };
    let mode = fs::metadata(path).map_err(io)?.permissions().mode() & 0o777;
    if mode & 0o007 != 0 {
        return Err(KeyFileError::Exposed { path: path.to_owned(), mode });
    }
    let content = Zeroizing::new(fs::read(path).map_err(io)?);
    parse(&content).ok_or_else(|| KeyFileError::NotAKey(path.to_owned()))
}

fn parse(content: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    if let Ok(raw) = <[u8; 32]>::try_from(content) {
        return Some(Zeroizing::new(raw));
    }
    let text = std::str::from_utf8(content).ok()?.trim();
    let decoded = Zeroizing::new(hex::decode(text).ok().or_else(|| STANDARD.decode(text).ok())?);
    <[u8; 32]>::try_from(decoded.as_slice()).ok().map(Zeroizing::new)
}

/// A rename or a new file is on disk only once its folder is.
fn sync_folder(path: &Path) -> Result<(), KeyFileError> {
    let Some(folder) = path.parent() else { return Ok(()) };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| KeyFileError::Io { path: folder.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SystemRandom;

    #[test]
    fn the_first_start_makes_a_key_and_the_second_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        let first = in_directory(&keys, "sqlite:/nowhere/x.db", &SystemRandom).unwrap();
        let bytes = *first.bytes();
        assert!(!keys.join("sealing.key").exists(), "kept only once the store is open");
        first.keep().unwrap();
        assert_eq!(in_directory(&keys, "sqlite:/nowhere/x.db", &SystemRandom).unwrap().bytes(), &bytes);
        assert_eq!(fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(keys.join("sealing.key")).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_start_that_broke_off_goes_on_with_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = *in_directory(folder.path(), "sqlite:/nowhere/x.db", &SystemRandom).unwrap().bytes();
        let again = in_directory(folder.path(), "sqlite:/nowhere/x.db", &SystemRandom).unwrap();
        assert_eq!(again.bytes(), &bytes);
    }

    #[test]
    fn flt_3_a_database_without_its_key_gets_no_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("vantail.db");
        fs::write(&database, b"x").unwrap();
        let url = format!("sqlite:{}", database.display());
        let error = in_directory(&folder.path().join("keys"), &url, &SystemRandom).unwrap_err();
        assert!(matches!(error, KeyFileError::Lost { .. }), "{error}");
        assert!(!folder.path().join("keys").exists());
    }

    #[test]
    fn a_key_is_read_as_bytes_hex_or_base64_and_nothing_else() {
        assert!(parse(&[7; 32]).is_some());
        assert!(parse(hex::encode([7; 32]).as_bytes()).is_some());
        assert!(parse(format!("{}\n", STANDARD.encode([7; 32])).as_bytes()).is_some());
        for wrong in [&b""[..], b"short", &[7; 31], &[7; 33]] {
            assert!(parse(wrong).is_none());
        }
    }
}
