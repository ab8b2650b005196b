//! The policy: which requests pass, which ask for more, which are held, which are refused.
//!
//! * A **network** is a named list of addresses. A **site** is one protected application: hosts, backends, rules.
//! * A **rule** *matches* (methods, paths, query, form, json, headers), then *requires* (access, users, groups, networks,
//!   factors, freshness). The first rule that matches decides alone; none: refused.
//! * **Facts** are what the request says, already canonical. [`decide::decide`] is a pure function of policy, facts, caller
//!   and time.
//! * A **permit** says that a request may be forwarded. Only this module makes one, and forwarding takes one.
//!
//! Flow: `load` reads the files into a checked [`Policy`] or a list of faults → `decide` per request → `explain`, `lint`
//! and `cases` (policy tests) are the same decision, told.

pub mod body;
pub mod canonical;
pub mod cases;
pub mod decide;
pub mod explain;
pub mod fault;
pub mod fields;
pub mod file;
pub mod fit;
mod judge;
pub mod lint;
pub mod load;
pub mod networks;
pub mod overrides;
mod pattern;
pub mod probe;
mod reach;
pub mod rule;
pub mod security;
pub mod site;
pub mod title;

pub use canonical::{CanonicalTarget, NotCanonical};
pub use decide::{BodyFacts, Changed, Decision, Facts, Permit, Refusal, StepUp, decide, decide_confirmed};
pub use fault::{Fault, Warning};
pub use networks::{NetworkSet, Networks};
pub use rule::{Access, Hold, Rule, SelfConfirm, Title};
pub use security::Security;
pub use site::{Backend, HeaderNames, Site};

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

/// Everything `policies/` says, checked. Immutable: a reload makes a new one and swaps. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Named networks.
    pub networks: Networks,
    /// In file-name order.
    pub sites: Vec<Arc<Site>>,
    /// `security.toml`.
    pub security: Security,
    /// Of our own keys, so that nobody chooses what collides.
    by_host: Arc<HashMap<String, Arc<Site>, RandomState>>,
}

// === impl Policy ===

impl Policy {
    pub(super) fn new(networks: Networks, sites: Vec<Arc<Site>>, mut security: Security) -> Self {
        let names = sites.iter().flat_map(|site| std::iter::once(&site.name).chain(&site.hosts));
        security.passwords.installation = names.cloned().collect();
        let hosts = sites.iter().flat_map(|site| site.hosts.iter().map(|host| (host.clone(), Arc::clone(site))));
        let by_host = Arc::new(hosts.collect());
        Self { networks, sites, security, by_host }
    }

    /// The site that answers to `host` (no port, lower case); nothing for a stranger's host.
    pub fn site_for_host(&self, host: &str) -> Option<&Arc<Site>> {
        self.by_host.get(host)
    }

    /// The site called `name`.
    pub fn site(&self, name: &str) -> Option<&Arc<Site>> {
        self.sites.iter().find(|site| site.name == name)
    }
}
