//! The decision, pure: policy, facts, caller and time in, what is to be done out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method};

use super::judge::{Asker, Judge, Outcome};
use super::{CanonicalTarget, Policy, Rule, Site};
use crate::identity::{Caller, SignedIn};
use crate::time::Timestamp;

/// What the request says.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The method on the request line.
    pub method: &'a Method,
    /// The canonical target.
    pub target: &'a CanonicalTarget,
    /// The client's address, as trusted proxies tell it.
    pub client: IpAddr,
    /// Headers as they came (managed headers already removed).
    pub headers: &'a HeaderMap,
    /// The body, where it was read.
    pub body: BodyFacts<'a>,
}

/// What is known of the body.
#[derive(Debug, Clone, Copy)]
pub enum BodyFacts<'a> {
    /// Not read: a rule that must look into it answers [`Decision::ReadBody`].
    Unread,
    /// Read whole.
    Read(&'a [u8]),
}

/// What is to be done with a request.
#[derive(Debug)]
pub enum Decision {
    /// Send it on.
    Forward(Permit),
    /// A candidate rule looks into the body: read it (up to `holding.body_limit`) and decide again.
    ReadBody,
    /// Nobody is signed in and the rule asks for somebody.
    SignIn,
    /// Signed in, not surely or freshly enough.
    StepUp(StepUp),
    /// Hold it: everything required is met, and a validator must confirm.
    Hold(Arc<Rule>),
    /// No.
    Refuse(Refusal),
}

/// What a rule asks for beyond the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepUp {
    /// At least so many factors.
    pub factors: u8,
    /// A second factor (or sign-in when the rule asks for one factor) no older than this.
    pub fresh: Option<Duration>,
}

/// A proof dated later than now by no more than this counts as fresh: gateways' clocks differ a little.
const CLOCK_SLACK: Duration = Duration::from_mins(1);

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No rule of the site matches.
    NoRule,
    /// The rule says `denied`.
    Denied {
        /// Its name.
        rule: String,
    },
    /// The site's or the rule's networks do not hold the client's address.
    Network {
        /// The rule's name; nothing when it is the site's networks.
        rule: Option<String>,
    },
    /// Signed in, but in none of the rule's users or groups.
    NotAllowed {
        /// Its name.
        rule: String,
    },
    /// A body (or method override) that a rule must look into is unreadable: malformed, duplicate keys (400).
    UnreadableBody(&'static str),
    /// A body that a rule must look into is in a form nobody here reads: compressed, unknown type (415).
    UnsupportedBody(&'static str),
}

/// Leave to forward one request. Only this module makes one.
#[derive(Debug, Clone)]
pub struct Permit {
    site: Arc<Site>,
    rule: Arc<Rule>,
    identity: Option<Arc<SignedIn>>,
}

/// What a rule that only reports would have done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The rule's name.
    pub rule: String,
    /// `forward`, `hold`, `read-body`, `step-up`, `sign-in`, `refuse`.
    pub would: &'static str,
}

// === impl StepUp ===

impl StepUp {
    /// Whether `signed_in` has nothing more to prove at `now`.
    pub fn is_met_by(self, signed_in: &SignedIn, now: Timestamp) -> bool {
        self.is_sure_enough(signed_in) && self.is_fresh_enough(signed_in, now)
    }

    /// When `signed_in` last proved what counts here; nothing when they never did, as in a session that a remembered device
    /// opened.
    pub fn proven_at(self, signed_in: &SignedIn) -> Option<Timestamp> {
        if self.factors >= 2 {
            signed_in.second_factor_at
        } else {
            signed_in.second_factor_at.max(signed_in.proven_at())
        }
    }

    pub(super) fn is_sure_enough(self, signed_in: &SignedIn) -> bool {
        signed_in.factors() >= self.factors
    }

    pub(super) fn is_fresh_enough(self, signed_in: &SignedIn, now: Timestamp) -> bool {
        let Some(fresh) = self.fresh else { return true };
        self.proven_at(signed_in).is_some_and(|at| at <= now.plus(CLOCK_SLACK) && now.since(at) <= fresh)
    }
}

// === impl Permit ===

impl Permit {
    /// The site whose backends may get it.
    pub fn site(&self) -> &Arc<Site> {
        &self.site
    }

    /// The rule that decided.
    pub fn rule(&self) -> &Arc<Rule> {
        &self.rule
    }

    /// Who is to be named to the backend; on an open rule only when a live session was presented.
    pub fn identity(&self) -> Option<&Arc<SignedIn>> {
        self.identity.as_ref()
    }
}

/// Why a request that was held is not sent as it was decided then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// Its requester would be refused now.
    RequesterNotAllowed,
    /// Another rule matches it, or the same with other words.
    Rule,
}

/// Decides. `site` is one of `policy`'s own: what one generation of the policy looked up is never judged under another.
pub fn decide(policy: &Policy, site: &Arc<Site>, facts: &Facts<'_>, caller: &Caller, now: Timestamp) -> Decision {
    debug_assert!(policy.sites.iter().any(|own| Arc::ptr_eq(own, site)), "the site is of another policy");
    match Judge::new(site, facts, Asker::Now(caller), now).outcome() {
        Outcome::Forward(rule) => {
            let identity = match caller {
                Caller::Anonymous => None,
                Caller::User(signed_in) => Some(Arc::clone(signed_in)),
            };
            Decision::Forward(Permit { site: Arc::clone(site), rule: Arc::clone(rule), identity })
        }
        Outcome::Hold(rule) => Decision::Hold(Arc::clone(rule)),
        Outcome::ReadBody => Decision::ReadBody,
        Outcome::StepUp(asked) => Decision::StepUp(asked),
        Outcome::SignIn => Decision::SignIn,
        Outcome::Refuse(why) => Decision::Refuse(why),
    }
}

/// Decides again, at dispatch, for an operation whose quorum is met: the rule that matches now must be the sealed one (same
/// version), and the requester (read fresh) must still meet `access`, `users`, `groups`; address, factors and freshness are
/// those of the asking (H10). Called only by `operation::dispatch` with proof of the quorum.
///
pub fn decide_confirmed(
    site: &Arc<Site>,
    facts: &Facts<'_>,
    requester: &Arc<SignedIn>,
    rule_version: &str,
    now: Timestamp,
) -> Result<Permit, Changed> {
    match Judge::new(site, facts, Asker::Earlier(requester), now).outcome() {
        Outcome::Hold(rule) if rule.version == rule_version => {
            Ok(Permit { site: Arc::clone(site), rule: Arc::clone(rule), identity: Some(Arc::clone(requester)) })
        }
        Outcome::Refuse(Refusal::NotAllowed { .. }) => Err(Changed::RequesterNotAllowed),
        _ => Err(Changed::Rule),
    }
}

/// What the rules with `report_only` would have done with this request, for the log.
pub fn reports(site: &Arc<Site>, facts: &Facts<'_>, caller: &Caller, now: Timestamp) -> Vec<Report> {
    if site.has_reports() { Judge::new(site, facts, Asker::Now(caller), now).reports() } else { Vec::new() }
}
