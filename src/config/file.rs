//! What the file said, before anybody checked what it means. The JSON schema is made from these types.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::secret::SecretText;

/// `vantail.toml`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConfigFile {
    /// Where the gateway listens.
    pub listen: ListenFile,
    /// The portal's own settings.
    pub portal: PortalFile,
    /// Where facts are kept.
    pub store: StoreFile,
    /// Where the sealing key is.
    pub keys: KeysFile,
    /// The SMTP server; absent: mails are logged as unsent.
    pub mail: Option<MailFile>,
    /// The SMS provider; absent: SMS are logged as unsent.
    pub sms: Option<SmsFile>,
    /// Where the policy is.
    pub policies: PoliciesFile,
}

/// `[listen]`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ListenFile {
    /// Plain HTTP, like `["0.0.0.0:8080"]`, which is the default when `https` is absent too.
    pub http: Option<Vec<String>>,
    /// TLS.
    pub https: Option<Vec<TlsFile>>,
    /// Every connection begins with a PROXY protocol header; from trusted proxies only.
    pub proxy_protocol: bool,
    /// Networks whose `X-Forwarded-For` and `-Proto` are believed. Default nobody.
    pub trusted_proxies: Vec<String>,
    /// `/livez /readyz /metrics`, like `"127.0.0.1:9901"`; absent: not served.
    pub operations: Option<String>,
    /// Drop peers outside every network named anywhere at accept, without a page.
    pub drop_strangers: bool,
}

/// One TLS listener.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsFile {
    /// Like `"0.0.0.0:8443"`.
    pub address: String,
    /// File with the certificate and its chain, PEM.
    pub certificate: String,
    /// File with the private key, PEM.
    pub key: String,
}

/// `[portal]`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PortalFile {
    /// Used in links and as `iss`; absent: https on the first host of the first site.
    pub url: Option<String>,
    /// Named networks that may see `/secure/`; absent: those of the site it is asked on.
    pub networks: Option<Vec<String>>,
    /// When neither the person nor the browser says. Default `en`.
    pub language: Language,
}

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// French.
    Fr,
}

/// `[store]`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StoreFile {
    /// `sqlite:PATH` or `postgres://user@host/db`. Default `sqlite:var/vantail.db`.
    pub database: Option<String>,
}

/// `[keys]`: one of the two.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeysFile {
    /// A folder of the gateway's own, made on first start. Default `var/keys`.
    pub directory: Option<String>,
    /// A file from a secret manager: 32 bytes, or their base64 or hex.
    pub sealing_key_file: Option<String>,
}

/// `[mail]`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailFile {
    /// `smtp://host:port` or `smtps://user@host`.
    pub url: String,
    /// The password of the user in `url`.
    #[schemars(with = "Option<String>")]
    pub password: Option<SecretText>,
    /// A file with it.
    pub password_file: Option<String>,
    /// The sender, like `"Gate <gate@example.org>"`.
    pub from: String,
}

/// `[sms]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmsFile {
    /// Whose interface.
    pub provider: Provider,
    /// Where.
    pub url: String,
    /// How. Default `POST`.
    #[serde(default)]
    pub method: SmsMethod,
    /// Headers; `${secret}` stands for the secret.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Body with `${to}` and `${text}`, escaped for its content type.
    #[serde(default)]
    pub body: String,
    /// What `${secret}` stands for.
    #[schemars(with = "Option<String>")]
    pub secret: Option<SecretText>,
    /// A file with it.
    pub secret_file: Option<String>,
}

/// Whose SMS interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Any HTTP interface, as `url`, `method`, `headers` and `body` say.
    Http,
}

/// How the SMS interface is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum SmsMethod {
    /// `POST`
    #[default]
    Post,
    /// `GET`, with `${to}` and `${text}` in `url`.
    Get,
}

/// `[policies]`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PoliciesFile {
    /// The folder. Default `policies`.
    pub directory: Option<String>,
}
