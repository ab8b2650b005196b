//! A decision, told: every rule of the site with what hits and what misses, and the first full match.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::decide::{Decision, Facts, Refusal, decide};
use super::fields::{Answer, Condition};
use super::judge::{Asker, Judge, Matched};
use super::{Access, Policy, Rule, Site, overrides};
use crate::config::units::show_duration;
use crate::identity::Caller;
use crate::time::Timestamp;

/// A decision, told.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The site's name.
    pub site: String,
    /// The method on the request line.
    pub method: String,
    /// The canonical target, as it would be forwarded.
    pub target: String,
    /// The client's address.
    pub client: String,
    /// The user's name.
    pub user: Option<String>,
    /// Whether the site's own networks hold the address.
    pub site_networks: Verdict,
    /// Every rule, in order.
    pub rules: Vec<Row>,
    /// `forward`, `hold`, `read-body`, `step-up`, `sign-in`, `refuse`.
    pub decision: &'static str,
    /// Why, where there is more to say.
    pub why: Option<String>,
    /// The rule that decides.
    pub rule: Option<String>,
}

/// One rule.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Its name.
    pub rule: String,
    /// Whether it is the first that fully matches.
    pub first: bool,
    /// Whether it only reports.
    pub report_only: bool,
    /// What it matches on, then what it requires.
    pub columns: Vec<Column>,
}

/// One thing a rule looks at.
#[derive(Debug, Clone, Serialize)]
pub struct Column {
    /// As the file calls it.
    pub name: &'static str,
    /// How the request stands to it.
    pub verdict: Verdict,
}

/// How a request stands to one thing a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is met.
    Hit,
    /// It is not.
    Miss,
    /// It depends on who reads, on a body not given here, or on who signs in.
    May,
    /// The rule says nothing of it.
    Unused,
}

/// How many columns speak of matching; the rest of requiring.
const MATCHING: usize = 6;

/// Explains what becomes of a request.
pub fn explain(policy: &Policy, site: &Arc<Site>, facts: &Facts<'_>, caller: &Caller, now: Timestamp) -> Explanation {
    let judge = Judge::new(site, facts, Asker::Now(caller), now);
    let mut rules: Vec<Row> = site.rules.iter().map(|rule| row(&judge, rule, caller)).collect();
    let first = rules.iter_mut().find(|row| !row.report_only && row.matches());
    let first = first.map(|row| {
        row.first = true;
        row.rule.clone()
    });
    let decision = decide(policy, site, facts, caller, now);
    let (word, why, named) = tell(&decision);
    // Sign-in and step-up are asked for by the first match; a refusal names its rule itself, or comes before any.
    let asked = matches!(decision, Decision::SignIn | Decision::StepUp(_));
    Explanation {
        site: site.name.clone(),
        method: facts.method.to_string(),
        target: facts.target.as_sent(),
        client: facts.client.to_string(),
        user: caller.user().map(|user| user.name.clone()),
        site_networks: if site.networks.is_none() { Verdict::Unused } else { judge.is_near_enough().into() },
        rules,
        decision: word,
        why,
        rule: named.or(first.filter(|_| asked)),
    }
}

fn row(judge: &Judge<'_>, rule: &Arc<Rule>, caller: &Caller) -> Row {
    let matcher = &rule.matcher;
    let used = |used: bool, verdict: Verdict| if used { verdict } else { Verdict::Unused };
    let body = |conditions: &[Condition]| match judge.look_at_body(conditions.iter()) {
        Matched::Hit => Verdict::Hit,
        Matched::Miss => Verdict::Miss,
        _ => Verdict::May,
    };
    let demand = &rule.demand;
    let signed_in = match caller {
        Caller::Anonymous => None,
        Caller::User(signed_in) => Some(signed_in),
    };
    let if_signed_in = |verdict: Option<bool>| verdict.map_or(Verdict::May, Verdict::from);
    let allowed = signed_in.map(|signed_in| judge.is_allowed(rule, &signed_in.user));
    let column = |name, verdict| Column { name, verdict };
    let columns = vec![
        column("methods", used(!matcher.methods.is_empty(), method(judge, rule))),
        column("paths", path(judge, rule)),
        column("query", used(!matcher.query.is_empty(), judge.look_at_query(&matcher.query).into())),
        column("form", used(!matcher.form.is_empty(), body(&matcher.form))),
        column("json", used(!matcher.json.is_empty(), body(&matcher.json))),
        column("headers", used(!matcher.headers.is_empty(), judge.look_at_headers(&matcher.headers).into())),
        column("access", access(rule, signed_in.is_some())),
        column("users", used(!demand.users.is_empty(), if_signed_in(allowed))),
        column("groups", used(!demand.groups.is_empty(), if_signed_in(allowed))),
        column("networks", used(demand.networks.is_some(), judge.is_near_enough_for(rule).into())),
        column("factors", used(demand.factors > 1, if_signed_in(signed_in.map(|s| judge.is_sure_enough(rule, s))))),
        column("fresh", used(demand.fresh.is_some(), if_signed_in(signed_in.map(|s| judge.is_fresh_enough(rule, s))))),
    ];
    Row { rule: rule.name.clone(), first: false, report_only: rule.report_only, columns }
}

fn method(judge: &Judge<'_>, rule: &Rule) -> Verdict {
    if rule.matcher.takes(judge.facts().method) {
        return Verdict::Hit;
    }
    let named = overrides::named(judge).unwrap_or_default();
    if named.methods.iter().any(|method| rule.matcher.takes(method)) { Verdict::May } else { Verdict::Miss }
}

fn path(judge: &Judge<'_>, rule: &Arc<Rule>) -> Verdict {
    let mut keys = judge.facts().target.keys();
    let matches = |key: &str| judge.site().candidates(key).any(|candidate| Arc::ptr_eq(candidate, rule));
    if keys.next().is_some_and(matches) {
        Verdict::Hit
    } else if keys.any(matches) {
        Verdict::May
    } else {
        Verdict::Miss
    }
}

fn access(rule: &Rule, signed_in: bool) -> Verdict {
    match rule.access {
        Access::Open => Verdict::Hit,
        Access::Denied => Verdict::Miss,
        Access::SignedIn => signed_in.into(),
    }
}

/// The decision's word, why, and the rule it names.
fn tell(decision: &Decision) -> (&'static str, Option<String>, Option<String>) {
    match decision {
        Decision::Forward(permit) => ("forward", None, Some(permit.rule().name.clone())),
        Decision::Hold(rule) => {
            let confirmations = rule.hold.as_ref().map_or(1, |hold| hold.confirmations);
            ("hold", Some(format!("confirmations needed: {confirmations}")), Some(rule.name.clone()))
        }
        Decision::ReadBody => ("read-body", Some("it depends on the body".to_owned()), None),
        Decision::SignIn => ("sign-in", Some("nobody is signed in".to_owned()), None),
        Decision::StepUp(asked) => {
            let fresh = asked.fresh.map(|fresh| format!(" no older than {}", show_duration(fresh))).unwrap_or_default();
            ("step-up", Some(format!("factors needed: {}{fresh}", asked.factors)), None)
        }
        Decision::Refuse(refusal) => {
            let (why, rule) = tell_refusal(refusal);
            ("refuse", Some(why), rule)
        }
    }
}

fn tell_refusal(refusal: &Refusal) -> (String, Option<String>) {
    match refusal {
        Refusal::NoRule => ("no rule matches".to_owned(), None),
        Refusal::Denied { rule } => ("the rule denies it to everybody".to_owned(), Some(rule.clone())),
        Refusal::Network { rule: None } => ("the address is in none of the site's networks".to_owned(), None),
        Refusal::Network { rule } => ("the address is in none of the rule's networks".to_owned(), rule.clone()),
        Refusal::NotAllowed { rule } => {
            ("the user is none of the rule's users or groups".to_owned(), Some(rule.clone()))
        }
        Refusal::UnreadableBody(why) | Refusal::UnsupportedBody(why) => ((*why).to_owned(), None),
    }
}

// === impl Verdict ===

impl From<bool> for Verdict {
    fn from(met: bool) -> Self {
        if met { Self::Hit } else { Self::Miss }
    }
}

impl From<Answer> for Verdict {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Hit => Self::Hit,
            Answer::Miss => Self::Miss,
            Answer::Either => Self::May,
        }
    }
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::May => "may",
            Self::Unused => "-",
        }
    }
}

// === impl Row ===

impl Row {
    fn matches(&self) -> bool {
        self.columns[..MATCHING].iter().all(|column| matches!(column.verdict, Verdict::Hit | Verdict::Unused))
    }
}

/// A table for people: `*` marks the first rule that fully matches, columns nobody uses are left out.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {} on site {} from {}", self.method, self.target, self.site, self.client)?;
        writeln!(f, "user: {}", self.user.as_deref().unwrap_or("nobody"))?;
        writeln!(f, "site's networks: {}\n", self.site_networks.word())?;
        let width = self.rules.iter().map(|row| row.rule.chars().count()).max().unwrap_or(0).max(4);
        let is_used = |at: &usize| self.rules.iter().any(|row| row.columns[*at].verdict != Verdict::Unused);
        let used: Vec<usize> = (0..self.rules.first().map_or(0, |row| row.columns.len())).filter(is_used).collect();
        if let Some(first) = self.rules.first() {
            write!(f, "  {:width$}", "rule")?;
            used.iter().try_for_each(|at| write!(f, "  {}", first.columns[*at].name))?;
            writeln!(f)?;
        }
        for row in &self.rules {
            write!(f, "{} {:width$}", if row.first { '*' } else { ' ' }, row.rule)?;
            for at in &used {
                let column = &row.columns[*at];
                write!(f, "  {:1$}", column.verdict.word(), column.name.len())?;
            }
            writeln!(f, "{}", if row.report_only { "  (only reports)" } else { "" })?;
        }
        write!(f, "\ndecision: {}", self.decision)?;
        if let Some(rule) = &self.rule {
            write!(f, ", by the rule `{rule}`")?;
        }
        self.why.as_ref().map_or(Ok(()), |why| write!(f, ": {why}"))
    }
}
