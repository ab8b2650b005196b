//! The configuration: what the file and the environment said (`file`), and what it means (here).
//!
//! Later wins: built-in defaults, the file, `VANTAIL_` variables. Nothing past start-up parses a string.

use crate::secret::SecretText;
use ipnet::IpNet;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The configuration, checked. Relative paths are resolved against the folder of the file... see `load`.
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
#[derive(Debug, Clone)]
pub struct Store {
    /// `sqlite:PATH` (made absolute) or `postgres://…`.
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

pub mod document;
pub mod fault;
pub mod file;
mod schema_check;
pub mod units;
pub use fault::ConfigFault;

impl Config {
    /// Reads `file` (or the default places) and the environment. All faults at once.
    pub fn load(file: Option<&std::path::Path>) -> Result<Self, Vec<ConfigFault>> {
        let _ = file;
        todo!()
    }
}
