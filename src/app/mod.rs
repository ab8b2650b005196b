//! The application: built once from [`Config`]; the only place that chooses implementations.
//!
//! * [`Means`] are what is passed in: time, randomness, the ways out for SMS and mail. Tests bring their own.
//! * [`Tools`] are the services every command needs: store, accounts, sessions, operations. Building them starts nothing.
//! * [`App`] is a serving gateway: tools, portal, edge, and the tasks beside the requests (`tasks`).

mod keyfile;
mod serve;
mod tasks;

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::account::{Accounts, HashPool, Strength};
use crate::config::{Config, ConfigFault, Keys};
use crate::edge::ListenError;
use crate::notify::mail::Mail;
use crate::notify::sms::Sms;
use crate::notify::{self, Notices};
use crate::operation::Operations;
use crate::policy::{self, Fault, Policy, Warning};
use crate::secret::{Keyring, Random, SystemRandom};
use crate::session::{Login, Sessions};
use crate::store::{Open, Store, StoreError};
use crate::time::{Clock, SystemClock};

pub use keyfile::KeyFileError;
use keyfile::SealingKey;
pub use serve::{App, BoundTo};

/// What a gateway is given from outside.
#[derive(Debug, Clone)]
pub struct Means {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub random: Arc<dyn Random>,
    /// The way out for SMS; none: logged as unsent.
    pub sms: Option<Arc<dyn Sms>>,
    /// The way out for mail; none: logged as unsent.
    pub mail: Option<Arc<dyn Mail>>,
}

/// Why a command or a gateway did not start. Nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The policy has faults.
    #[error("the policy has {} fault(s)", .0.len())]
    Policy(Vec<Fault>),
    /// The configuration asks of the policy what is not there.
    #[error("configuration and policy do not fit: {} fault(s)", .0.len())]
    Misfit(Vec<ConfigFault>),
    /// The sealing key cannot be had.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A driver's settings make no sense.
    #[error("{0}")]
    Driver(String),
    /// Listeners that cannot be had.
    #[error("{} listener(s) cannot be had", .0.len())]
    Listen(Vec<ListenError>),
    /// Threads or files the machine does not give.
    #[error("{0}")]
    Machine(#[from] std::io::Error),
    /// There is nobody who could sign in.
    #[error(
        "there are no users yet; make the first administrator with: vantail user add NAME --email E --name \"Full Name\" --phone +33… --right administrator --right token-validator"
    )]
    NoUsers,
}

/// The services, over an open store. Cheap to clone.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "plain parts")]
pub struct Tools {
    pub config: Arc<Config>,
    pub policy: Arc<ArcSwap<Policy>>,
    pub warnings: Arc<Vec<Warning>>,
    pub means: Means,
    pub store: Store,
    pub keyring: Arc<Keyring>,
    pub accounts: Accounts,
    pub sessions: Sessions,
    pub login: Login,
    pub operations: Operations,
    pub notices: Notices,
    /// `portal.url`, or https on the first host of the first site.
    pub portal_url: Arc<str>,
}

// === impl Means ===

impl Means {
    /// What production uses: the machine's clock and randomness, the configured drivers.
    pub fn of(config: &Config) -> Result<Self, StartError> {
        // One TLS provider for the whole process; an earlier caller may have installed the same one.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Ok(Self {
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            sms: notify::sms::driver(config.sms.as_ref()).map_err(StartError::Driver)?,
            mail: notify::mail::driver(config.mail.as_ref()).map_err(StartError::Driver)?,
        })
    }
}

// === impl Tools ===

impl Tools {
    /// Opens everything a command needs. Nothing is started but the hashing threads.
    pub async fn open(config: Config, means: Means) -> Result<Self, StartError> {
        Self::open_with(config, means, false).await
    }

    /// The same, for `vantail store migrate`: an older store is brought to this version, a missing one is made.
    pub async fn open_and_migrate(config: Config, means: Means) -> Result<Self, StartError> {
        Self::open_with(config, means, true).await
    }

    async fn open_with(config: Config, means: Means, migrate: bool) -> Result<Self, StartError> {
        let (policy, warnings) = policy::load::load(&config.policies).map_err(StartError::Policy)?;
        let misfits = policy::fit::misfits(&config, &policy);
        if !misfits.is_empty() {
            return Err(StartError::Misfit(misfits));
        }
        let (store, keyring) = open_store(&config, means.random.as_ref(), migrate).await?;
        let portal_url: Arc<str> = portal_url(&config, &policy).into();
        let hashing = HashPool::start(hashing_threads(), HASHING_QUEUE, Strength::default(), means.random.clone())?;
        let accounts =
            Accounts { store: store.clone(), keyring: keyring.clone(), random: means.random.clone(), hashing };
        let sessions = Sessions::new(store.clone());
        let notices = Notices::new(
            keyring.clone(),
            means.random.clone(),
            portal_url.to_string(),
            config.portal.language.clone(),
            &config.policies.join("messages"),
        )
        .map_err(StartError::Driver)?;
        let policy = Arc::new(ArcSwap::from_pointee(policy));
        Ok(Self {
            login: Login { accounts: accounts.clone(), sessions: sessions.clone(), notices: notices.clone() },
            operations: Operations::new(accounts.clone(), notices.clone(), policy.clone(), means.clock.clone()),
            notices,
            config: Arc::new(config),
            policy,
            warnings: Arc::new(warnings),
            means,
            store,
            keyring,
            accounts,
            sessions,
            portal_url,
        })
    }
}

/// Opens the configured store with the sealing key that belongs to it; on the very first start both are made, the key
/// kept before anything is sealed with it.
async fn open_store(config: &Config, random: &dyn Random, migrate: bool) -> Result<(Store, Arc<Keyring>), StartError> {
    let key = match &config.keys {
        Keys::Directory(directory) => keyfile::in_directory(directory, &config.store.database, random)?,
        Keys::SealingKeyFile(file) => keyfile::from_secret_manager(file)?,
    };
    let keyring = Arc::new(Keyring::new(key.bytes()));
    let store = Store::open(&config.store.database, &keyring, how_to_open(&key, migrate)).await?;
    key.keep()?;
    Ok((store, keyring))
}

/// A key of our own that has been used before belongs to a store that is there: an empty one is a loss, not a beginning
/// (FLT-3). A secret manager's key is there before the store is.
fn how_to_open(key: &SealingKey, migrate: bool) -> Open {
    if key.was_used() && !migrate { Open::AsIs } else { Open::Migrate }
}

/// How many sign-ins may wait for a hash before the next is told to come back.
const HASHING_QUEUE: usize = 64;

/// One hashing thread less than there are cores, so that proxying goes on under a flood of sign-ins.
fn hashing_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).saturating_sub(1).max(1)
}

fn portal_url(config: &Config, policy: &Policy) -> String {
    let first_host = || policy.sites.first().and_then(|site| site.hosts.first());
    match (&config.portal.url, first_host()) {
        (Some(url), _) => url.trim_end_matches('/').to_owned(),
        (None, Some(host)) => format!("https://{host}"),
        (None, None) => "https://localhost".to_owned(),
    }
}
