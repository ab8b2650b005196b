//! What the commands need, opened for them: configuration, policy, store, services.

use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::audit::{self, AuditCommand};
use super::console::Console;
use super::key::{self, KeyCommand};
use super::operation::{self, Held, OperationCommand};
use super::output::Failure;
use super::password;
use super::policy::{self, People, PolicyCommand};
use super::serve::start_failure;
use super::session::{self, SessionCommand};
use super::store::{self, StoreCommand};
use super::user::{self, UserCommand};
use crate::account::{AccountError, HashPool, Strength};
use crate::app::{Means, Tools};
use crate::audit::Origin;
use crate::config::{Config, DEFAULT_PLACES};
use crate::identity::{Right, User};
use crate::secret::SystemRandom;
use crate::time::{Clock as _, SystemClock};

/// Opens the store with its services, as the configuration says.
pub(super) async fn open(config: Option<&Path>) -> Result<Tools, Failure> {
    let config = Config::load(config).map_err(Failure::faults)?;
    let means = Means::of(&config).map_err(start_failure)?;
    Tools::open(config, means).await.map_err(start_failure)
}

/// Who acts when a command does: the machine's operator, by the command door.
pub(super) fn origin(tools: &Tools) -> Origin {
    Origin { now: tools.means.clock.now(), actor: None, door: "command", address: None, request_id: None }
}

pub(super) async fn user(command: UserCommand, config: Option<&Path>) -> Result<(), Failure> {
    let tools = open(config).await?;
    let security = tools.policy.load().security.clone();
    let done =
        user::run(command, (&tools.accounts, &tools.notices), &security, &origin(&tools), &mut Console::standard())
            .await;
    tools.store.close().await;
    done
}

pub(super) async fn session(command: SessionCommand, config: Option<&Path>) -> Result<(), Failure> {
    let tools = open(config).await?;
    let done = session::run(command, &tools, &origin(&tools), &mut Console::standard()).await;
    tools.store.close().await;
    done
}

pub(super) async fn operation(command: OperationCommand, config: Option<&Path>) -> Result<(), Failure> {
    let tools = open(config).await?;
    let held = Held { operations: &tools.operations, accounts: &tools.accounts };
    let done = operation::run(command, held, &origin(&tools), &mut Console::standard()).await;
    tools.store.close().await;
    done
}

pub(super) async fn key(command: KeyCommand, config: Option<&Path>) -> Result<(), Failure> {
    let tools = open(config).await?;
    let done = key::run(command, &tools.accounts, &origin(&tools), &mut Console::standard()).await;
    tools.store.close().await;
    done
}

pub(super) async fn audit(command: AuditCommand, config: Option<&Path>) -> Result<(), Failure> {
    let tools = open(config).await?;
    let done = audit::run(command, &tools.store, &origin(&tools), &mut Console::standard()).await;
    tools.store.close().await;
    done
}

pub(super) async fn store(command: StoreCommand, config: Option<&Path>) -> Result<(), Failure> {
    let config = Config::load(config).map_err(Failure::faults)?;
    let means = Means::of(&config).map_err(start_failure)?;
    let tools = match command {
        StoreCommand::Migrate { .. } => Tools::open_and_migrate(config, means).await,
        _ => Tools::open(config, means).await,
    };
    let tools = tools.map_err(start_failure)?;
    let done = store::run(command, &tools.store, &tools.keyring, &origin(&tools), &mut Console::standard()).await;
    tools.store.close().await;
    done
}

/// Asks the user database only for what a command needs of it, and never makes one.
pub(super) fn policy(command: PolicyCommand, config: Option<&Path>) -> Result<(), Failure> {
    let user = |name: &str| {
        let Some(tools) = existing(config)? else { return Ok(None) };
        match block_in_place(|| Handle::current().block_on(tools.accounts.find(name))) {
            Ok(row) => Ok(Some(row.user)),
            Err(AccountError::NoSuchUser(_)) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    };
    let holders = || holders(config);
    policy::run(command, config, &People { user: &user, holders: &holders }, SystemClock.now())
}

fn holders(config: Option<&Path>) -> Result<Vec<(User, bool)>, String> {
    let Some(tools) = existing(config)? else { return Err("there is no user database yet".to_owned()) };
    block_in_place(|| Handle::current().block_on(tools.store.holders(Right::TokenValidator)))
        .map(|rows| rows.into_iter().map(|row| (row.user, row.phone.is_some())).collect())
        .map_err(|error| error.to_string())
}

/// The services over a store that is there; nothing when it was not made yet.
fn existing(config: Option<&Path>) -> Result<Option<Tools>, String> {
    let settings = Config::load(config).map_err(|faults| Failure::faults(faults).to_string())?;
    let file = settings.store.database.strip_prefix("sqlite:");
    if file.is_some_and(|file| !Path::new(file).exists()) {
        return Ok(None);
    }
    block_in_place(|| Handle::current().block_on(open(config))).map(Some).map_err(|failure| failure.to_string())
}

/// With the strength that is configured; without a configuration, with the default.
pub(super) async fn hash_password(json: bool, config: Option<&Path>) -> Result<(), Failure> {
    let is_configured = config.is_some() || DEFAULT_PLACES.iter().any(|place| Path::new(place).exists());
    let strength = if is_configured { configured_strength(config)? } else { Strength::default() };
    let hashing = HashPool::start(1, 1, strength, Arc::new(SystemRandom))
        .map_err(|error| Failure::failed(format!("no thread to hash with: {error}")))?;
    password::hash(&hashing, json, &mut Console::standard()).await
}

fn configured_strength(config: Option<&Path>) -> Result<Strength, Failure> {
    let config = Config::load(config).map_err(Failure::faults)?;
    let (policy, _) = crate::policy::load::load(&config.policies).map_err(Failure::faults)?;
    Ok(policy.security.passwords.hashing)
}
