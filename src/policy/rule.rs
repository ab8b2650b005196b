//! One rule of a site: what it matches, then what it requires.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::NetworkSet;
use super::decide::StepUp;
use super::fields::Condition;
use super::pattern::PathPattern;
use super::title;

/// The methods this gateway knows. `TRACE` and `CONNECT` are never forwarded; any other is unknown (501).
pub const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

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
    /// Decides nothing: what it would have done is logged (see [`reports`](super::decide::reports)).
    pub report_only: bool,
    pub(super) matcher: Matcher,
    pub(super) demand: Demand,
    pub(super) origin: Origin,
}

/// What a rule asks of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Anybody.
    Open,
    /// A live session.
    SignedIn,
    /// Nobody.
    Denied,
}

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
pub struct Title {
    /// English.
    pub en: String,
    /// French.
    pub fr: String,
}

/// Whether a requester may confirm their own operation; then with a second factor no older than 5 minutes besides the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SelfConfirm {
    /// Never.
    #[default]
    Never,
    /// Only when no other validator could.
    WhenAlone,
    /// Yes.
    Allowed,
}

/// What a rule matches on besides the path, which the site looks up for all its rules at once.
#[derive(Debug, Default)]
pub(super) struct Matcher {
    /// Empty: any.
    pub methods: Vec<Method>,
    /// At least one.
    pub paths: Vec<PathPattern>,
    pub query: Vec<Condition>,
    pub form: Vec<Condition>,
    pub json: Vec<Condition>,
    pub headers: Vec<Condition>,
}

/// What a rule requires once it matched.
#[derive(Debug, Default)]
pub(super) struct Demand {
    /// User names in lower case; with `groups`: either is enough. Both empty: anybody signed in.
    pub users: Vec<String>,
    pub groups: Vec<String>,
    pub networks: Option<NetworkSet>,
    /// 1 or 2.
    pub factors: u8,
    pub fresh: Option<Duration>,
}

/// Where a rule or site was written.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub file: Arc<Path>,
    pub line: usize,
}

// === impl Rule ===

impl Rule {
    /// The operation's readable name in `language` (`en` or `fr`), made from the request's own parts: `{name}` path segments,
    /// `{query.x}`, `{form.x}`, `{json.x}`, each cut to 40 characters, control and bidirectional characters removed,
    /// addresses defused.
    pub fn title(&self, language: &str, facts: &super::Facts<'_>) -> String {
        let template = match (&self.hold, language) {
            (Some(hold), "fr") => &hold.title.fr,
            (Some(hold), _) => &hold.title.en,
            (None, _) => &self.name,
        };
        title::render(template, &self.matcher.paths, facts)
    }

    /// What it asks for beyond the session.
    pub(super) fn step_up(&self) -> StepUp {
        StepUp { factors: self.demand.factors, fresh: self.demand.fresh }
    }
}

// === impl Matcher ===

impl Matcher {
    /// Whether `method` is one of its own. A rule for `GET` is one for `HEAD` too: backends answer both with the same code.
    pub(super) fn takes(&self, method: &Method) -> bool {
        self.methods.is_empty()
            || self.methods.contains(method)
            || (*method == Method::HEAD && self.methods.contains(&Method::GET))
    }

    /// Whether methods and paths are all it looks at.
    pub(super) fn is_unconditional(&self) -> bool {
        [&self.query, &self.form, &self.json, &self.headers].iter().all(|conditions| conditions.is_empty())
    }

    /// Whether its conditions are all among those of `other`: then it matches whatever `other` matches, but for method and
    /// path.
    pub(super) fn asks_no_more_than(&self, other: &Self) -> bool {
        let among = |own: &[Condition], theirs: &[Condition]| own.iter().all(|condition| theirs.contains(condition));
        among(&self.query, &other.query)
            && among(&self.form, &other.form)
            && among(&self.json, &other.json)
            && among(&self.headers, &other.headers)
    }
}
