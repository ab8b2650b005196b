//! The decision, pure.
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use http::{HeaderMap, Method};
use super::{CanonicalTarget, Policy, Rule, Site};
use crate::identity::{Caller, SignedIn, User};
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

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No rule of the site matches.
    NoRule,
    /// The rule says `denied`.
    Denied { rule: String },
    /// The site's or the rule's networks do not hold the client's address.
    Network { rule: Option<String> },
    /// Signed in, but in none of the rule's users or groups.
    NotAllowed { rule: String },
    /// A body that a rule must look into is unreadable: malformed, duplicate keys (400).
    UnreadableBody(&'static str),
    /// A body that a rule must look into is in a form nobody here reads: compressed, unknown type (415).
    UnsupportedBody(&'static str),
}

/// Leave to forward one request. Only this module makes one.
#[derive(Debug)]
pub struct Permit {
    site: Arc<Site>,
    rule: Arc<Rule>,
    identity: Option<Arc<SignedIn>>,
}

impl Permit {
    /// The site whose backends may get it.
    pub fn site(&self) -> &Arc<Site> { &self.site }
    /// The rule that decided.
    pub fn rule(&self) -> &Arc<Rule> { &self.rule }
    /// Who is to be named to the backend; on an open rule only when a live session was presented.
    pub fn identity(&self) -> Option<&Arc<SignedIn>> { self.identity.as_ref() }
}

/// Decides.
pub fn decide(policy: &Policy, site: &Arc<Site>, facts: &Facts<'_>, caller: &Caller, now: Timestamp) -> Decision {
    let _ = (policy, site, facts, caller, now);
    todo!()
}

/// Decides again, at dispatch, for an operation whose quorum is met: the rule that matches now must be the sealed one (same
/// version), and the requester (read fresh) must still meet `access`, `users`, `groups`; address, factors and freshness are those of the asking (H10).
/// Called only by `operation::dispatch` with proof of the quorum.
pub fn decide_confirmed(site: &Arc<Site>, facts: &Facts<'_>, requester: &Arc<SignedIn>, rule_version: &str, now: Timestamp) -> Result<Permit, &'static str> {
    let _ = (site, facts, requester, rule_version, now, Option::<User>::None);
    todo!()
}
