//! `vantail store`: make, check and back up the database.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use super::Failure;
use super::console::Console;
use crate::audit::Origin;
use crate::secret::Keyring;
use crate::store::{Store, StoreError};

/// What to do with the database.
#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Make the database, or bring an older one to this version. Back it up before.
    Migrate {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Look the whole database over: pages, audit trail, seals. Exit 1 when something is wrong.
    Check {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Copy a SQLite database to a new file while it is in use.
    Backup {
        /// The new file. The sealing key is not in it: keep it elsewhere.
        to: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs `command` on a store that was opened, and so migrated.
pub(super) async fn run(
    command: StoreCommand,
    store: &Store,
    keyring: &Keyring,
    origin: &Origin,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    match command {
        StoreCommand::Migrate { json } => {
            let version = store.schema_version();
            if json {
                return console.json(&json!({ "schema_version": version }));
            }
            console.say(format_args!("the database is of schema version {version}"))
        }
        StoreCommand::Check { json } => check(json, store, keyring, console).await,
        StoreCommand::Backup { to, json } => back_up(&to, json, store, origin, console).await,
    }
}

async fn back_up(
    to: &Path,
    json: bool,
    store: &Store,
    origin: &Origin,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    store.backup(to).await?;
    let event = origin.event("store.backed-up", "ok").with("file", to.display().to_string());
    store.append_events(&[event]).await?;
    if json {
        return console.json(&json!({ "file": to }));
    }
    let file = to.display();
    console.say(format_args!("copied to {file}; its secrets open with this installation's sealing key only"))
}

async fn check(json: bool, store: &Store, keyring: &Keyring, console: &mut Console<'_>) -> Result<(), Failure> {
    let found = store.check(keyring).await?;
    if json {
        console.json(&json!({ "whole": found.is_empty(), "found": found }))?;
    } else {
        found.iter().try_for_each(|line| console.say(line))?;
    }
    match found.len() {
        0 if json => Ok(()),
        0 => console.say("the database is whole"),
        faults => {
            Err(Failure::failed(format!("the database has {faults} faults: restore a backup, keep this one aside")))
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::failed(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Open;
    use crate::time::Timestamp;

    fn keyring() -> Keyring {
        Keyring::new(&[7; 32])
    }

    async fn ran(store: &Store, command: StoreCommand, keyring: &Keyring) -> (String, Result<(), Failure>) {
        let now = Timestamp::from_secs(1_772_366_400);
        let origin = Origin { now, actor: None, door: "command", address: None, request_id: None };
        let mut output = Vec::new();
        let done = run(command, store, keyring, &origin, &mut Console::over(b"", &mut output)).await;
        (String::from_utf8(output).unwrap(), done)
    }

    #[tokio::test]
    async fn a_store_is_made_checked_and_backed_up() {
        let folder = tempfile::tempdir().unwrap();
        let url = |file: &str| format!("sqlite:{}", folder.path().join(file).display());
        let store = Store::open(&url("vantail.db"), &keyring(), Open::Migrate).await.unwrap();
        let (shown, done) = ran(&store, StoreCommand::Migrate { json: false }, &keyring()).await;
        let version = store.schema_version();
        assert_eq!((shown, done), (format!("the database is of schema version {version}\n"), Ok(())));
        let (shown, done) = ran(&store, StoreCommand::Check { json: false }, &keyring()).await;
        assert_eq!((shown.as_str(), done), ("the database is whole\n", Ok(())));

        let to = folder.path().join("copy.db");
        let (_, done) = ran(&store, StoreCommand::Backup { to: to.clone(), json: false }, &keyring()).await;
        assert_eq!(done, Ok(()));
        let (_, again) = ran(&store, StoreCommand::Backup { to, json: false }, &keyring()).await;
        assert!(again.unwrap_err().to_string().contains("exists already"));
        let copy = Store::open(&url("copy.db"), &keyring(), Open::AsIs).await.unwrap();
        assert_eq!(copy.check(&keyring()).await.unwrap(), Vec::<String>::new());
        let acts: Vec<_> = store.events(0, 9).await.unwrap().into_iter().map(|event| event.act).collect();
        assert_eq!(acts, ["store.backed-up"], "what was refused was told as done");
        store.close().await;
        copy.close().await;
    }
}
