//! The configuration: what the file and the environment said (`file`), and what it means (here).
//!
//! Later wins: built-in defaults, the file, `VANTAIL_` variables. Nothing past start-up parses a string. Relative paths
//! start at the folder that holds the file; a folder called `config` counts as part of the file's name, so that
//! `config/vantail.toml` and `policies/` can stand side by side.

mod check;
pub mod document;
mod environment;
pub mod fault;
pub mod file;
mod schema_check;
mod show;
pub mod units;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::secret::SecretText;
pub use fault::ConfigFault;

/// The configuration, checked. All paths are absolute.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[listen]`
    pub listen: Listen,
    /// `[portal]`
    pub portal: Portal,
    /// `[store]`
    pub store: Store,
    /// `[keys]`
    pub keys: Keys,
    /// `[mail]`; absent: mails are logged as unsent.
    pub mail: Option<Mail>,
    /// `[sms]`; absent: SMS are logged as unsent.
    pub sms: Option<Sms>,
    /// `policies.directory`
    pub policies: PathBuf,
}

/// Where the gateway listens.
#[derive(Debug, Clone)]
pub struct Listen {
    /// Plain HTTP.
    pub http: Vec<SocketAddr>,
    /// TLS, each with its certificate.
    pub https: Vec<Tls>,
    /// Whether every connection begins with a PROXY protocol header (v1 or v2), from trusted proxies only.
    pub proxy_protocol: bool,
    /// Whose `X-Forwarded-For`/`-Proto` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// `/livez /readyz /metrics`; absent: not served.
    pub operations: Option<SocketAddr>,
    /// Drops peers outside every network named anywhere at accept.
    pub drop_strangers: bool,
}

/// One TLS listener.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Where.
    pub address: SocketAddr,
    /// PEM chain.
    pub certificate: PathBuf,
    /// PEM key.
    pub key: PathBuf,
}

/// The portal's own settings.
#[derive(Debug, Clone)]
pub struct Portal {
    /// Its address without trailing slash, used in links and as `iss`; absent: https on the first host of the first site.
    pub url: Option<String>,
    /// Names of the networks that may see `/secure/`; absent: those of the site it is asked on.
    pub networks: Option<Vec<String>>,
    /// `en` or `fr`, when neither the person nor the browser says.
    pub language: String,
}

/// Where facts are kept.
#[derive(Clone)]
pub struct Store {
    /// `sqlite:PATH` (made absolute) or `postgres://…`. May hold a password: `Debug` and `config show` mask it.
    pub database: String,
}

/// Where the sealing key is.
#[derive(Debug, Clone)]
pub enum Keys {
    /// A folder of ours, made on first start with mode 0700; the key is `sealing.key` in it.
    Directory(PathBuf),
    /// A file a secret manager wrote: 32 bytes, or their base64 or hex.
    SealingKeyFile(PathBuf),
}

/// The SMTP server.
#[derive(Debug, Clone)]
pub struct Mail {
    /// `smtp://host:port`, `smtps://user@host`.
    pub url: String,
    /// From `password` or `password_file`.
    pub password: Option<SecretText>,
    /// `Gate <gate@example.org>`.
    pub from: String,
}

/// The SMS provider's HTTP interface.
#[derive(Debug, Clone)]
pub struct Sms {
    /// Where.
    pub url: String,
    /// `POST` or `GET`.
    pub method: http::Method,
    /// Header templates.
    pub headers: Vec<(String, String)>,
    /// Body template with `${to}` and `${text}`.
    pub body: String,
    /// What `${secret}` stands for.
    pub secret: Option<SecretText>,
}

/// Where a configuration is looked for when none is named.
pub const DEFAULT_PLACES: [&str; 2] = ["config/vantail.toml", "/etc/vantail/vantail.toml"];

// === impl Config ===

impl Config {
    /// Reads `file` (or the default places) and the environment. All faults at once.
    pub fn load(file: Option<&Path>) -> Result<Self, Vec<ConfigFault>> {
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::load_with(file, variables)
    }

    /// The same with `variables` for the environment.
    pub fn load_with(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<ConfigFault>> {
        let file = match file {
            Some(file) => file.to_owned(),
            None => default_file().ok_or_else(|| vec![nowhere()])?,
        };
        let text = std::fs::read_to_string(&file).map_err(|error| {
            vec![ConfigFault::of_file(
                &file,
                format!("the configuration cannot be read: {error}; name another with --config"),
            )]
        })?;
        check::check(&file, &text, variables)
    }

    /// Everything as it is meant, defaults filled in and secrets masked.
    pub fn shown(&self) -> serde_json::Value {
        show::show(self)
    }
}

// === impl Store ===

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("database", &show::masked_address(&self.database)).finish()
    }
}

fn default_file() -> Option<PathBuf> {
    DEFAULT_PLACES.iter().map(PathBuf::from).find(|file| file.exists())
}

fn nowhere() -> ConfigFault {
    let [here, there] = DEFAULT_PLACES;
    ConfigFault {
        place: here.to_owned(),
        what: format!(
            "there is no configuration, nor at {there}; write one (see docs/configuration.md), name one with --config, or try `vantail demo`"
        ),
    }
}

#[cfg(test)]
mod tests;
