//! `vantail key`: the keys that sign identity.

use clap::Subcommand;
use serde_json::{Value, json};

use super::Failure;
use super::console::Console;
use crate::account::{AccountError, Accounts};
use crate::audit::Origin;
use crate::identity::keys::{PUBLISHED_BEFORE_USE, rotate};
use crate::store::signing_keys::SigningKeyRow;
use crate::time::Timestamp;

/// What to do with signing keys.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(super) enum KeyCommand {
    /// List the published keys, the newest first.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a new key. It is published at once and signs after ten minutes; the others stay published for a day after.
    Rotate {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs `command`.
pub(super) async fn run(
    command: KeyCommand,
    accounts: &Accounts,
    origin: &Origin,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    match command {
        KeyCommand::List { json } => list(accounts, json, origin.now, console).await,
        KeyCommand::Rotate { json } => {
            let kid = rotate(&accounts.store, &accounts.keyring, &*accounts.random, origin).await;
            let kid = kid.map_err(AccountError::from)?;
            let from = origin.now.plus(PUBLISHED_BEFORE_USE);
            if json {
                return console.json(&json!({ "kid": kid, "signs_from": from.to_string() }));
            }
            console.say(format_args!("{kid} is published now and signs from {from}"))
        }
    }
}

async fn list(accounts: &Accounts, json: bool, now: Timestamp, console: &mut Console<'_>) -> Result<(), Failure> {
    let keys = accounts.store.signing_keys(now).await.map_err(AccountError::from)?;
    if json {
        return console.json(&keys.iter().map(shown).collect());
    }
    let until = |key: &SigningKeyRow| key.published_until.map_or_else(|| "-".into(), |until| until.to_string());
    let rows: Vec<_> = keys.iter().map(|key| [key.kid.clone(), key.signs_from.to_string(), until(key)]).collect();
    console.table(["KEY", "SIGNS FROM", "PUBLISHED UNTIL"], &rows)
}

fn shown(key: &SigningKeyRow) -> Value {
    json!({
        "kid": key.kid,
        "created_at": key.created_at.to_string(),
        "signs_from": key.signs_from.to_string(),
        "published_until": key.published_until.map(|until| until.to_string()),
        "public": serde_json::from_str::<Value>(&key.public_jwk).unwrap_or_default(),
    })
}
