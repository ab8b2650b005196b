//! How a decision comes about.
//!
//! A request has one or more *readings*: its path with and without what follows `;`, its method and every method it names as
//! an override. For each reading the first rule that matches has an *outcome*. Outcomes have an order; among readings the
//! stricter wins, and a condition that may be met or not, depending on who reads, is taken both ways.
//!
//! ```text
//! forward < hold < read the body < step up < sign in < refuse
//! ```
//!
//! Hold comes before step-up in that order because it is only reached once everything required is met: whoever must step up is
//! told so first, and is held afterwards.

use std::cell::OnceCell;
use std::sync::Arc;

use http::{HeaderMap, Method};

use super::body::{self, Body, BodyFault};
use super::decide::{BodyFacts, Facts, Refusal, Report, StepUp};
use super::fields::{Answer, Condition, Fields};
use super::rule::{Access, Rule};
use super::{Site, overrides};
use crate::identity::{Caller, SignedIn, User};
use crate::time::Timestamp;

/// A proof dated later than now by no more than this counts as fresh: gateways' clocks differ a little.
const CLOCK_SLACK: std::time::Duration = std::time::Duration::from_mins(1);

/// Who asks, and whether address, factors and freshness are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asker<'a> {
    /// Whoever sent the request at hand.
    Now(&'a Caller),
    /// The requester of a confirmed operation: their address, factors and freshness were judged when they asked.
    Earlier(&'a SignedIn),
}

/// What one reading of a request comes to.
#[derive(Debug, Clone)]
pub(super) enum Outcome<'a> {
    Forward(&'a Arc<Rule>),
    Hold(&'a Arc<Rule>),
    ReadBody,
    StepUp(StepUp),
    SignIn,
    Refuse(Refusal),
}

/// Whether a rule matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Matched {
    Hit,
    Miss,
    /// Depends on who reads.
    Either,
    /// Depends on a body that is not read yet.
    NeedsBody,
    /// Depends on a body that says nothing certain.
    Refused(Refusal),
}

/// One request before one site.
pub(super) struct Judge<'a> {
    site: &'a Site,
    facts: &'a Facts<'a>,
    asker: Asker<'a>,
    now: Timestamp,
    query: OnceCell<Fields>,
    body: OnceCell<Result<Body, BodyFault>>,
}

// === impl Judge ===

impl<'a> Judge<'a> {
    pub(super) fn new(site: &'a Site, facts: &'a Facts<'a>, asker: Asker<'a>, now: Timestamp) -> Self {
        Self { site, facts, asker, now, query: OnceCell::new(), body: OnceCell::new() }
    }

    /// The strictest outcome of all readings.
    pub(super) fn outcome(&self) -> Outcome<'a> {
        if !self.is_near_enough() {
            return Outcome::Refuse(Refusal::Network { rule: None });
        }
        let named = match overrides::named(self) {
            Ok(named) => named,
            Err(refusal) => return Outcome::Refuse(refusal),
        };
        let mut strictest = if named.more_in_body { Some(Outcome::ReadBody) } else { None };
        for key in self.facts.target.keys() {
            for method in std::iter::once(self.facts.method).chain(&named.methods) {
                strictest = Some(with(strictest, self.first_match(key, method), Outcome::stricter));
            }
        }
        strictest.unwrap_or(Outcome::Refuse(Refusal::NoRule))
    }

    /// What the rules that only report would have done, each once, as far as they come before the one that decides.
    pub(super) fn reports(&self) -> Vec<Report> {
        let mut told: Vec<Report> = Vec::new();
        for key in self.facts.target.keys() {
            for rule in self.site.candidates(key) {
                let matched = self.matches(rule, self.facts.method);
                match (rule.report_only, matched) {
                    (true, Matched::Hit | Matched::Either) if told.iter().all(|report| report.rule != rule.name) => {
                        told.push(Report { rule: rule.name.clone(), would: self.require(rule).word() });
                    }
                    (false, Matched::Hit) => break,
                    _ => {}
                }
            }
        }
        told
    }

    /// Whether the request, had it come with one of `methods`, would be answered more strictly. Costs one look at the rules
    /// where none of them tells the methods apart.
    pub(super) fn would_be_stricter_with(&self, methods: &[Method]) -> bool {
        let own = self.facts.method;
        let tells_apart =
            |rule: &Arc<Rule>, method| !rule.report_only && rule.matcher.takes(method) != rule.matcher.takes(own);
        let others: Vec<&Method> =
            methods.iter().filter(|method| self.site.rules.iter().any(|rule| tells_apart(rule, method))).collect();
        !others.is_empty()
            && self.facts.target.keys().any(|key| {
                let outcome = self.first_match(key, own);
                others.iter().any(|method| self.first_match(key, method).is_stricter_than(&outcome))
            })
    }

    pub(super) fn site(&self) -> &'a Site {
        self.site
    }

    pub(super) fn facts(&self) -> &'a Facts<'a> {
        self.facts
    }

    /// The query's fields.
    pub(super) fn query(&self) -> &Fields {
        self.query.get_or_init(|| Fields::from_urlencoded(self.facts.target.query().unwrap_or_default().as_bytes()))
    }

    /// The body's fields; nothing while it is unread.
    pub(super) fn body(&self) -> Option<Result<&Body, Refusal>> {
        let BodyFacts::Read(bytes) = self.facts.body else { return None };
        let body = self.body.get_or_init(|| body::read(self.facts.headers, bytes));
        Some(body.as_ref().map_err(|fault| Refusal::from(*fault)))
    }

    /// Whether the site's own networks let the client in.
    pub(super) fn is_near_enough(&self) -> bool {
        match (&self.asker, &self.site.networks) {
            (Asker::Now(_), Some(networks)) => networks.contains(self.facts.client),
            _ => true,
        }
    }

    /// One reading: the first rule that matches decides. Where that depends on a body not read yet, the body is asked for,
    /// unless every possible rule wants more of the caller first.
    fn first_match(&self, key: &str, method: &Method) -> Outcome<'a> {
        let mut either: Option<Outcome<'a>> = None;
        let mut by_body: Option<Outcome<'a>> = None;
        let mut decided = Outcome::Refuse(Refusal::NoRule);
        for rule in self.site.candidates(key).filter(|rule| !rule.report_only) {
            match self.matches(rule, method) {
                Matched::Miss => {}
                Matched::Either => either = Some(with(either, self.require(rule), Outcome::stricter)),
                Matched::NeedsBody => by_body = Some(with(by_body, self.require(rule), Outcome::weaker)),
                Matched::Refused(refusal) => {
                    decided = Outcome::Refuse(refusal);
                    break;
                }
                Matched::Hit => {
                    decided = self.require(rule);
                    break;
                }
            }
        }
        if let Some(by_body) = by_body {
            let least = Outcome::weaker(by_body, decided);
            decided = if least.rank() > Outcome::ReadBody.rank() { least } else { Outcome::ReadBody };
        }
        with(either, decided, Outcome::stricter)
    }

    /// Whether `rule` matches, its path aside.
    pub(super) fn matches(&self, rule: &Rule, method: &Method) -> Matched {
        let matcher = &rule.matcher;
        if !matcher.takes(method) {
            return Matched::Miss;
        }
        let answers = [self.look_at_query(&matcher.query), self.look_at_headers(&matcher.headers)];
        if answers.contains(&Answer::Miss) {
            return Matched::Miss;
        }
        let body = self.look_at_body(matcher.form.iter().chain(&matcher.json));
        match body {
            Matched::Hit if answers.contains(&Answer::Either) => Matched::Either,
            body => body,
        }
    }

    /// How the query meets `conditions`.
    pub(super) fn look_at_query(&self, conditions: &[Condition]) -> Answer {
        if conditions.is_empty() { Answer::Hit } else { all_of(conditions.iter().map(|one| one.look(self.query()))) }
    }

    /// How the headers meet `conditions`.
    pub(super) fn look_at_headers(&self, conditions: &[Condition]) -> Answer {
        if conditions.is_empty() {
            return Answer::Hit;
        }
        let fields = header_fields(self.facts.headers);
        all_of(conditions.iter().map(|one| one.look(&fields)))
    }

    /// How the body meets `conditions`. Older backends read query and body alike, so the query has a say too.
    pub(super) fn look_at_body<'c>(&self, conditions: impl Iterator<Item = &'c Condition> + Clone) -> Matched {
        if conditions.clone().next().is_none() {
            return Matched::Hit;
        }
        let body = match self.body() {
            None => return Matched::NeedsBody,
            Some(Err(refusal)) => return Matched::Refused(refusal),
            Some(Ok(body)) => body,
        };
        if body.flat && conditions.clone().any(|one| one.is_doubled(&body.fields)) {
            return Matched::Refused(Refusal::UnreadableBody("the form gives a field twice that a rule looks at"));
        }
        match all_of(conditions.map(|one| one.look_beside(&body.fields, self.query()))) {
            Answer::Hit => Matched::Hit,
            Answer::Miss => Matched::Miss,
            Answer::Either => Matched::Either,
        }
    }

    /// What a rule that matched comes to.
    pub(super) fn require(&self, rule: &'a Arc<Rule>) -> Outcome<'a> {
        if rule.access == Access::Denied {
            return Outcome::Refuse(Refusal::Denied { rule: rule.name.clone() });
        }
        if !self.is_near_enough_for(rule) {
            return Outcome::Refuse(Refusal::Network { rule: Some(rule.name.clone()) });
        }
        if rule.access == Access::Open {
            return Outcome::Forward(rule);
        }
        let signed_in = match self.asker {
            Asker::Now(Caller::Anonymous) => return Outcome::SignIn,
            Asker::Now(Caller::User(signed_in)) => signed_in,
            Asker::Earlier(signed_in) => signed_in,
        };
        if !self.is_allowed(rule, &signed_in.user) {
            return Outcome::Refuse(Refusal::NotAllowed { rule: rule.name.clone() });
        }
        if !self.is_sure_enough(rule, signed_in) || !self.is_fresh_enough(rule, signed_in) {
            return Outcome::StepUp(StepUp { factors: rule.demand.factors, fresh: rule.demand.fresh });
        }
        if rule.hold.is_some() { Outcome::Hold(rule) } else { Outcome::Forward(rule) }
    }

    pub(super) fn is_near_enough_for(&self, rule: &Rule) -> bool {
        match (&self.asker, &rule.demand.networks) {
            (Asker::Now(_), Some(networks)) => networks.contains(self.facts.client),
            _ => true,
        }
    }

    pub(super) fn is_allowed(&self, rule: &Rule, user: &User) -> bool {
        let demand = &rule.demand;
        let anybody = demand.users.is_empty() && demand.groups.is_empty();
        user.may_act(self.now)
            && (anybody
                || demand.groups.iter().any(|group| user.is_in(group))
                || (!demand.users.is_empty() && demand.users.contains(&user.name.to_lowercase())))
    }

    pub(super) fn is_sure_enough(&self, rule: &Rule, signed_in: &SignedIn) -> bool {
        matches!(self.asker, Asker::Earlier(_)) || signed_in.factors() >= rule.demand.factors
    }

    pub(super) fn is_fresh_enough(&self, rule: &Rule, signed_in: &SignedIn) -> bool {
        let Some(fresh) = rule.demand.fresh else { return true };
        let proven = if rule.demand.factors >= 2 {
            signed_in.second_factor_at
        } else {
            signed_in.second_factor_at.max(signed_in.proven_at())
        };
        matches!(self.asker, Asker::Earlier(_))
            || proven.is_some_and(|at| at <= self.now.plus(CLOCK_SLACK) && self.now.since(at) <= fresh)
    }
}

/// All must hit; one miss is a miss.
fn all_of(answers: impl Iterator<Item = Answer>) -> Answer {
    let mut all = Answer::Hit;
    for answer in answers {
        match answer {
            Answer::Miss => return Answer::Miss,
            Answer::Either => all = Answer::Either,
            Answer::Hit => {}
        }
    }
    all
}

fn header_fields(headers: &HeaderMap) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in headers {
        fields.push(name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned(), true);
    }
    fields
}

// === impl Outcome ===

impl Outcome<'_> {
    const fn rank(&self) -> u8 {
        match self {
            Self::Forward(_) => 0,
            Self::Hold(_) => 1,
            Self::ReadBody => 2,
            Self::StepUp(_) => 3,
            Self::SignIn => 4,
            Self::Refuse(_) => 5,
        }
    }

    /// As the log and `explain` name it.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Forward(_) => "forward",
            Self::Hold(_) => "hold",
            Self::ReadBody => "read-body",
            Self::StepUp(_) => "step-up",
            Self::SignIn => "sign-in",
            Self::Refuse(_) => "refuse",
        }
    }

    /// The stricter of two; of two that ask for more, what both ask; of two that hold, the one with more confirmations.
    fn stricter(one: Self, other: Self) -> Self {
        match (&one, &other) {
            (Self::StepUp(a), Self::StepUp(b)) => Self::StepUp(StepUp {
                factors: a.factors.max(b.factors),
                fresh: [a.fresh, b.fresh].into_iter().flatten().min(),
            }),
            (Self::Hold(a), Self::Hold(b)) if confirmations(b) > confirmations(a) => other,
            _ if other.rank() > one.rank() => other,
            _ => one,
        }
    }

    fn is_stricter_than(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::StepUp(a), Self::StepUp(b)) => {
                a.factors > b.factors || a.fresh.is_some_and(|fresh| b.fresh.is_none_or(|other| fresh < other))
            }
            (Self::Hold(a), Self::Hold(b)) => confirmations(a) > confirmations(b),
            _ => self.rank() > other.rank(),
        }
    }

    fn weaker(one: Self, other: Self) -> Self {
        if one.rank() <= other.rank() { one } else { other }
    }
}

/// `one` and `other` by `choose`; where there is no `one` yet, `other`.
fn with<'a>(
    one: Option<Outcome<'a>>,
    other: Outcome<'a>,
    choose: fn(Outcome<'a>, Outcome<'a>) -> Outcome<'a>,
) -> Outcome<'a> {
    match one {
        Some(one) => choose(one, other),
        None => other,
    }
}

fn confirmations(rule: &Rule) -> u32 {
    rule.hold.as_ref().map_or(0, |hold| hold.confirmations)
}

impl From<BodyFault> for Refusal {
    fn from(fault: BodyFault) -> Self {
        match fault {
            BodyFault::Unreadable(why) => Self::UnreadableBody(why),
            BodyFault::Unsupported(why) => Self::UnsupportedBody(why),
        }
    }
}

#[cfg(test)]
mod tests;
