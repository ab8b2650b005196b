//! What the files of `policies/` say, before anybody checked what it means. The JSON schemas are made from these types.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Access, SelfConfirm};
use crate::config::units::Quantity;

/// `networks.toml`: named networks. Each name stands for a list of prefixes, IPv4 and IPv6.
pub type NetworksFile = BTreeMap<String, Vec<String>>;

/// `sites/*.toml`: one protected site.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteFile {
    /// Its name: in the log, in the audit trail and the `aud` of its assertions.
    pub name: String,
    /// Host names, compared without port, lower-cased.
    pub hosts: Vec<String>,
    /// Where requests go, like `"http://10.0.0.5:8000"`.
    pub backends: Vec<String>,
    /// Named networks that may see it; absent: from anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub networks: Option<Vec<String>>,
    /// Whether the backend tells `/Admin` from `/admin`.
    #[serde(default)]
    pub path_case: PathCase,
    /// Path globs where `%2F` is allowed, stays in its segment and is forwarded unchanged.
    #[serde(default)]
    pub encoded_slash: Vec<String>,
    /// Whether method overrides (`X-HTTP-Method-Override`, `_method`) reach the backend and are judged too.
    #[serde(default)]
    pub method_override: bool,
    /// Other names for the identity headers.
    #[serde(default)]
    pub headers: HeadersFile,
    /// Rules in order: the first that matches decides.
    #[serde(default)]
    pub rule: Vec<RuleFile>,
}

/// Whether case matters in paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PathCase {
    /// `/Admin` is not `/admin`.
    #[default]
    Sensitive,
    /// They are the same.
    Insensitive,
}

/// `[headers]` of a site: the names of the identity headers towards its backends.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeadersFile {
    /// Instead of `Remote-User`.
    pub user: Option<String>,
    /// Instead of `Remote-Name`.
    pub name: Option<String>,
    /// Instead of `Remote-Email`.
    pub email: Option<String>,
    /// Instead of `Remote-Groups`.
    pub groups: Option<String>,
    /// Instead of `X-Vantail-Assertion`.
    pub assertion: Option<String>,
    /// Instead of `X-Vantail-Operation`.
    pub operation: Option<String>,
}

/// `[[rule]]`: matches on the first six, then requires the rest.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// Its name, unique in the site.
    pub name: String,
    /// Methods it matches; absent: any. `GET` stands for `HEAD` too.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Paths it matches: `*` one segment, `**` any number, `{name}` one segment and a name for titles; absent: any.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Query field → glob.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Form field → glob.
    #[serde(default)]
    pub form: BTreeMap<String, String>,
    /// JSON field (`customer.id`) → glob.
    #[serde(default)]
    pub json: BTreeMap<String, String>,
    /// Header → glob.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// `open`: anybody; `signed-in`: a live session; `denied`: nobody.
    pub access: Access,
    /// User names; with `groups`: either is enough.
    #[serde(default)]
    pub users: Vec<String>,
    /// Groups; with `users`: either is enough.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Named networks it may be asked from, besides the site's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub networks: Option<Vec<String>>,
    /// 1: a password; 2: a second factor besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2))]
    pub factors: Option<u8>,
    /// The second factor (with `factors = 1`: the sign-in) is no older than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh: Option<Quantity>,
    /// Decide nothing, log what the rule would have done.
    #[serde(default)]
    pub report_only: bool,
    /// Hold the request until validators have confirmed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldFile>,
}

/// `[rule.hold]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldFile {
    /// What validators read; absent: the rule's name.
    #[serde(default)]
    pub title: TitleFile,
    /// How many validators must confirm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 20))]
    pub confirmations: Option<u32>,
    /// Groups to which the holders of the right are narrowed; absent: all of them.
    #[serde(default)]
    pub validators: Vec<String>,
    /// Form or JSON fields that are masked and never stored readable.
    #[serde(default)]
    pub redact: Vec<String>,
    /// Whether the requester may confirm their own: `never`, `when-alone` (no other validator could), `allowed`.
    #[serde(default)]
    pub self_confirm: SelfConfirm,
    /// How long the operation waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Quantity>,
    /// How long a token lives; a validator can ask for a new one while the operation waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_lifetime: Option<Quantity>,
    /// Whether the requester's logout or time-out withdraws it.
    #[serde(default)]
    pub session_needed: bool,
}

/// A title in the languages of the pages.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TitleFile {
    /// English.
    pub en: Option<String>,
    /// French.
    pub fr: Option<String>,
}

/// `security.toml`. Left out: the default. `0`: that limit is off, where it can be.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SecurityFile {
    /// The values of this profile stand in the place of the defaults: `pci-dss`, `hds`, `asvs`, or the name of a file of your
    /// own in `profiles/`.
    pub profile: Option<String>,
    /// Passwords.
    pub passwords: PasswordsFile,
    /// More about passwords; the whole block may be switched off.
    pub advanced: AdvancedFile,
    /// Failed tries.
    pub lockout: LockoutFile,
    /// How long people stay signed in.
    pub sessions: SessionsFile,
    /// Who must, and who cannot, have a second factor.
    pub second_factor: SecondFactorFile,
    /// Held requests.
    pub holding: HoldingFile,
}

/// `[passwords]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordsFile {
    /// Characters, at least. Default 12.
    #[schemars(range(max = 128))]
    pub minimum_length: Option<u32>,
    /// A small letter, a capital, a digit and another sign, each at least once. Default false.
    pub require_all_classes: Option<bool>,
    /// Refuse what is easily guessed, and what is mostly the person's own names or this installation's. Default true.
    pub refuse_known_bad: Option<bool>,
    /// A password that an administrator's reset made must be changed by the sign-in it begins. Default true.
    pub force_change_after_reset: Option<bool>,
    /// How passwords are hashed.
    #[serde(default)]
    pub hashing: HashingFile,
}

/// `[advanced]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdvancedFile {
    /// Whether any of this block applies. Default true.
    pub enabled: Option<bool>,
    /// Days a password is good for. Default 0: for ever.
    #[schemars(range(max = 3650))]
    pub password_validity_days: Option<u32>,
    /// So many passwords before the present one cannot be chosen again. Default 4.
    #[schemars(range(max = 24))]
    pub remembered_passwords: Option<u32>,
    /// So often people may change their own password in `changes_period_days`. Default 0: as often as they like.
    #[schemars(range(max = 1000))]
    pub changes_allowed: Option<u32>,
    /// The days in which `changes_allowed` counts. Default 1.
    #[schemars(range(max = 3650))]
    pub changes_period_days: Option<u32>,
}

/// `[passwords.hashing]`: Argon2id.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HashingFile {
    /// Memory one hash takes. Default "19MiB".
    pub memory: Option<Quantity>,
    /// How often that memory is filled. Default 2.
    #[schemars(range(min = 1, max = 32))]
    pub passes: Option<u32>,
    /// Lanes. Default 1.
    #[schemars(range(min = 1, max = 16))]
    pub lanes: Option<u32>,
}

/// `[lockout]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LockoutFile {
    /// Failed tries before the lock. Default 5.
    #[schemars(range(max = 1000))]
    pub attempts: Option<u32>,
    /// Minutes the lock lasts. Default 30.
    #[schemars(range(max = 525_600))]
    pub minutes: Option<u32>,
    /// Wrong sign-ins of one address, over all accounts, before it has to wait. Default 100.
    #[schemars(range(max = 1_000_000))]
    pub address_attempts: Option<u32>,
    /// Minutes for which they count. Default 15.
    #[schemars(range(max = 525_600))]
    pub address_minutes: Option<u32>,
    /// So many names that fail within ten minutes are credential stuffing. Default 200.
    #[schemars(range(max = 100_000))]
    pub stuffing_names: Option<u32>,
}

/// `[sessions]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionsFile {
    /// Ends after so long without use. Default "15m".
    pub idle: Option<Quantity>,
    /// Ends so long after sign-in. Default "12h".
    pub lifetime: Option<Quantity>,
    /// A browser is remembered for so long at most; 0: the box is not offered. Default "30d".
    pub remember: Option<Quantity>,
    /// A remembered browser unused for so long is forgotten. Default "30d".
    pub remembered_idle: Option<Quantity>,
    /// At most so many per user; the oldest ends. Default 0: any number.
    pub maximum_per_user: Option<u32>,
}

/// `[second_factor]`: lists of `right:…` and `group:…`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactorFile {
    /// Who must have one. Default: administrators and token validators.
    pub required: Option<Vec<String>>,
    /// Who is not offered one. Default: nobody.
    pub hidden: Option<Vec<String>>,
}

/// `[holding]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldingFile {
    /// How long an operation waits, for rules that say none. Default "15m".
    pub expires: Option<Quantity>,
    /// How long a token lives, for rules that say none. Default "15m".
    pub token_lifetime: Option<Quantity>,
    /// Wrong tokens before the operation is dead. Default 5.
    #[schemars(range(max = 100))]
    pub token_attempts: Option<u32>,
    /// Largest body that is held or looked into. Default "1MiB".
    pub body_limit: Option<Quantity>,
    /// All bodies that are read at once, to be held or looked into. Default "256MiB".
    pub memory: Option<Quantity>,
    /// Largest answer that is kept. Default "1MiB".
    pub answer_limit: Option<Quantity>,
    /// How long an answer is kept. Default "24h".
    pub keep_answer: Option<Quantity>,
}

/// `tests/*.toml`: what must be allowed, held and refused.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CasesFile {
    /// The cases.
    #[serde(default)]
    pub case: Vec<CaseFile>,
}

/// `[[case]]`: one request and what must become of it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// Its name.
    pub name: String,
    /// The site's name; absent: the site of the host in `url`.
    pub site: Option<String>,
    /// The method. Default `GET`.
    pub method: Option<String>,
    /// Path and query, or a whole address.
    pub url: String,
    /// Who asks; without `user`, `groups` and `factors`: nobody.
    pub user: Option<String>,
    /// Their groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// How they signed in: 1 or 2.
    #[schemars(range(min = 1, max = 2))]
    pub factors: Option<u8>,
    /// How long ago they last proved who they are. Default "0s".
    pub age: Option<Quantity>,
    /// The client's address; absent: some address of the site's networks.
    pub ip: Option<String>,
    /// Request headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The request's body.
    pub body: Option<String>,
    /// What must become of it.
    pub expect: Expect,
    /// The rule that must decide.
    pub rule: Option<String>,
}

/// What must become of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// It is sent on.
    Allowed,
    /// It waits for validators.
    Held,
    /// It is refused (a target without canonical form, too).
    Refused,
    /// The caller is asked to sign in.
    SignIn,
    /// The caller is asked for more or fresher proof.
    StepUp,
}
