//! Passwords on the command line: never an argument, which every user of the machine can see.

use std::path::Path;

use zeroize::Zeroizing;

use super::Failure;
use super::console::{self, Console};
use crate::account::HashPool;
use crate::secret::SecretText;

/// A password from `file`, else from standard input.
pub(super) fn read(file: Option<&Path>, console: &mut Console<'_>) -> Result<SecretText, Failure> {
    let Some(file) = file else { return console.secret("password") };
    let content = std::fs::read_to_string(file).map(Zeroizing::new);
    let content = content.map_err(|error| {
        Failure::wrong(format!("{}: the password cannot be read: {error}; name a file you may read", file.display()))
    })?;
    console::secret(&content)
}

/// `vantail hash-password`: what the store would keep of it.
pub(super) async fn hash(hashing: &HashPool, json: bool, console: &mut Console<'_>) -> Result<(), Failure> {
    let password = read(None, console)?;
    let hash = hashing.hash(password).await.map_err(|busy| Failure::failed(busy.to_string()))?;
    if json { console.json(&serde_json::json!({ "hash": hash })) } else { console.say(hash) }
}
