//! One protected application.

use std::borrow::Cow;
use std::sync::Arc;

use globset::{Candidate, GlobBuilder, GlobSet, GlobSetBuilder};

use super::canonical::key_of;
use super::pattern::PathPattern;
use super::{NetworkSet, Rule};

/// A site, checked.
#[derive(Debug)]
pub struct Site {
    /// Its name: the `aud` of its assertions.
    pub name: String,
    /// Host names without port, lower case.
    pub hosts: Vec<String>,
    /// Where requests go; at least one.
    pub backends: Vec<Backend>,
    /// Who may see it at all; absent: from anywhere.
    pub networks: Option<NetworkSet>,
    /// In order; the first that matches decides.
    pub rules: Vec<Arc<Rule>>,
    /// Whether method-override headers and `_method` are judged and forwarded.
    pub method_override: bool,
    /// The names of the identity headers towards this site's backends.
    pub headers: HeaderNames,
    pub(super) paths: PathTable,
    pub(super) encoded_slash: GlobSet,
}

/// A backend's address: `http://10.0.0.5:8000` or `https://…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// Whether TLS is spoken to it.
    pub tls: bool,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// The names of the headers the gateway sets (configurable per site, `[headers]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderNames {
    /// `Remote-User`
    pub user: http::HeaderName,
    /// `Remote-Name`
    pub name: http::HeaderName,
    /// `Remote-Email`
    pub email: http::HeaderName,
    /// `Remote-Groups`
    pub groups: http::HeaderName,
    /// `X-Vantail-Assertion`
    pub assertion: http::HeaderName,
    /// `X-Vantail-Operation`
    pub operation: http::HeaderName,
}

/// All path patterns of a site in one matcher: which rules a path is a candidate for costs one pass over the path.
#[derive(Debug)]
pub(super) struct PathTable {
    globs: GlobSet,
    /// The rule each glob belongs to; globs stand in the order of the rules.
    rule_of: Vec<usize>,
    /// Whether the site compares without regard to case.
    fold: bool,
}

// === impl Site ===

impl Site {
    /// Whether `%2F` may stay in `path`.
    pub fn allows_encoded_slash(&self, path: &str) -> bool {
        let key = key_of(path);
        self.encoded_slash.is_match_candidate(&Candidate::from_bytes(&*self.paths.folded(&key)))
    }

    /// Whether some rule only reports: then [`reports`](super::decide::reports) has something to say.
    pub fn has_reports(&self) -> bool {
        self.rules.iter().any(|rule| rule.report_only)
    }

    /// The rules one of whose patterns matches `key`, in order.
    pub(super) fn candidates(&self, key: &str) -> impl Iterator<Item = &Arc<Rule>> {
        self.paths.matching(key).into_iter().filter_map(|index| self.rules.get(index))
    }
}

// === impl PathTable ===

impl PathTable {
    /// From the patterns of each rule, in order.
    pub(super) fn new<'p>(rules: impl Iterator<Item = &'p [PathPattern]>, fold: bool) -> Result<Self, globset::Error> {
        let mut builder = GlobSetBuilder::new();
        let mut rule_of = Vec::new();
        for (index, patterns) in rules.enumerate() {
            for pattern in patterns {
                builder.add(glob(pattern)?);
                rule_of.push(index);
            }
        }
        Ok(Self { globs: builder.build()?, rule_of, fold })
    }

    fn matching(&self, key: &str) -> Vec<usize> {
        let mut found = Vec::new();
        self.globs.matches_candidate_into(&Candidate::from_bytes(&*self.folded(key)), &mut found);
        for index in &mut found {
            *index = self.rule_of[*index];
        }
        found.dedup();
        found
    }

    fn folded<'k>(&self, key: &'k str) -> Cow<'k, str> {
        if self.fold { Cow::Owned(key.to_lowercase()) } else { Cow::Borrowed(key) }
    }
}

/// Patterns as one set.
pub(super) fn glob_set(patterns: &[PathPattern]) -> Result<GlobSet, globset::Error> {
    let mut builder = GlobSetBuilder::new();
    for pattern in patterns {
        builder.add(glob(pattern)?);
    }
    builder.build()
}

fn glob(pattern: &PathPattern) -> Result<globset::Glob, globset::Error> {
    GlobBuilder::new(&pattern.glob()).literal_separator(true).build()
}

// === impl Backend ===

/// As it is written in the file.
impl std::fmt::Display for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

// === impl HeaderNames ===

impl Default for HeaderNames {
    fn default() -> Self {
        Self {
            user: http::HeaderName::from_static("remote-user"),
            name: http::HeaderName::from_static("remote-name"),
            email: http::HeaderName::from_static("remote-email"),
            groups: http::HeaderName::from_static("remote-groups"),
            assertion: http::HeaderName::from_static("x-vantail-assertion"),
            operation: http::HeaderName::from_static("x-vantail-operation"),
        }
    }
}
