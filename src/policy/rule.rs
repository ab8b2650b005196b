//! One rule of a site.
use std::time::Duration;

/// A rule, compiled. (Matchers are private to `policy`.)
#[derive(Debug)]
pub struct Rule {
    /// Its name in the file, unique in its site.
    pub name: String,
    /// What it asks of the caller.
    pub access: Access,
    /// What it holds.
    pub hold: Option<Hold>,
    /// Hex SHA-256 over everything this rule and its site say that bears on a held request (rule text, site name, backends,
    /// path_case, encoded_slash, method_override): sealed into an operation; changed in between, the operation is withdrawn.
    pub version: String,
}

/// What a rule asks of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Access { /// Anybody.
    Open, /// A live session.
    SignedIn, /// Nobody.
    Denied }

/// `[rule.hold]`, with the defaults of `security.toml` filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The readable name, per language.
    pub title: Title,
    /// How many validators must confirm; at least 1.
    pub confirmations: u32,
    /// Narrows the holders of the right to these groups; empty: all of them.
    pub validators: Vec<String>,
    /// Names of form or JSON fields that are masked.
    pub redact: Vec<String>,
    /// Whether the requester may confirm their own.
    pub self_confirm: SelfConfirm,
    /// How long the operation waits.
    pub expires: Duration,
    /// How long a token lives.
    pub token_lifetime: Duration,
    /// Whether the requester's logout or time-out withdraws it.
    pub session_needed: bool,
}

/// Title templates: `Delete customer {id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title { /// English.
    pub en: String, /// French.
    pub fr: String }

/// Whether a requester may confirm their own operation; then with a second factor no older than 5 minutes besides the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SelfConfirm { /// Never.
    Never, /// Only when no other validator could.
    WhenAlone, /// Yes.
    Allowed }

impl Rule {
    /// The operation's readable name in `language` (`en` or `fr`), made from the request's own parts: `{name}` path segments, `{query.x}`,
    /// `{form.x}`, `{json.x}`, each cut to 40 characters, control and bidirectional characters removed, addresses defused.
    pub fn title(&self, language: &str, facts: &super::Facts<'_>) -> String { let _ = (language, facts); todo!() }
}
