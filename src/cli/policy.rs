//! `vantail policy check | test | explain`

use std::fmt;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::config::print_json;
use super::output::Failure;
use crate::config::Config;
use crate::identity::User;
use crate::policy::explain::explain;
use crate::policy::probe::{Probe, caller, person};
use crate::policy::{Fault, Policy, Warning, cases, lint, load};
use crate::time::Timestamp;

/// `vantail policy …`
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Tell every mistake of the policy, and what somebody should know about it.
    Check {
        /// Where the policy is.
        #[command(flatten)]
        place: Place,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Run policies/tests/*.toml: what must be allowed, held and refused.
    Test {
        /// Where the policy is.
        #[command(flatten)]
        place: Place,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Tell what becomes of a request, rule by rule.
    Explain(ExplainArguments),
}

/// Where the policy is.
#[derive(Debug, Args)]
pub struct Place {
    /// The policy's folder; default: as the configuration says.
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
}

/// `vantail policy explain …`
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// Where the policy is.
    #[command(flatten)]
    place: Place,
    /// The site's name; not needed when URL has a host.
    #[arg(long)]
    site: Option<String>,
    /// Who asks; nobody, when neither --user nor --group is given.
    #[arg(long)]
    user: Option<String>,
    /// A group the user is in, besides those the user database says.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// The client's address; default: some address that the site lets in.
    #[arg(long)]
    ip: Option<IpAddr>,
    /// How the user signed in: 1 with a password, 2 with a second factor besides.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    factors: u8,
    /// For programs.
    #[arg(long)]
    json: bool,
    /// Like GET.
    method: String,
    /// A path, or a whole address.
    url: String,
}

/// What these commands ask of the user database.
pub struct People<'a> {
    /// The user of this name.
    pub user: &'a dyn Fn(&str) -> Result<Option<User>, String>,
    /// The holders of the right token-validator, and whether each has a telephone.
    pub holders: &'a dyn Fn() -> Result<Vec<(User, bool)>, String>,
}

/// Runs the command.
pub fn run(command: PolicyCommand, config: Option<&Path>, people: &People<'_>, now: Timestamp) -> Result<(), Failure> {
    match command {
        PolicyCommand::Check { place, json } => check(&place.directory(config)?, people, now, json),
        PolicyCommand::Test { place, json } => test(&place.directory(config)?, now, json),
        PolicyCommand::Explain(arguments) => arguments.run(config, people, now),
    }
}

fn check(directory: &Path, people: &People<'_>, now: Timestamp, json: bool) -> Result<(), Failure> {
    let loaded = load::load(directory);
    let (faults, warnings, notes) = match &loaded {
        Err(faults) => (faults.as_slice(), Vec::new(), Vec::new()),
        Ok((policy, warnings)) => {
            let (today, note) = unconfirmable(policy, people, now);
            let all = warnings.iter().cloned().chain(lint::spellings(policy)).chain(today).collect();
            (&[][..], all, note.into_iter().collect())
        }
    };
    if json {
        let warnings: Vec<Told<'_>> = warnings.iter().map(|warning| Told::of(&warning.0)).collect();
        let faults: Vec<Told<'_>> = faults.iter().map(Told::of).collect();
        print_json(&json!({ "faults": faults, "warnings": warnings, "notes": notes }))?;
    } else {
        say(&warnings, &notes, loaded.as_ref().ok().map(|(policy, _)| policy))?;
    }
    loaded.map(|_| ()).map_err(Failure::faults)
}

fn say(warnings: &[Warning], notes: &[String], policy: Option<&Policy>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for warning in warnings {
        writeln!(out, "warning: {warning}")?;
    }
    for note in notes {
        writeln!(out, "note: {note}")?;
    }
    if let Some(policy) = policy {
        let rules: usize = policy.sites.iter().map(|site| site.rules.len()).sum();
        writeln!(out, "the policy is sound: {} site(s), {rules} rule(s)", policy.sites.len())?;
    }
    Ok(())
}

/// Holds that nobody could confirm today, or a note that this could not be looked up.
fn unconfirmable(policy: &Policy, people: &People<'_>, now: Timestamp) -> (Vec<Warning>, Option<String>) {
    if policy.sites.iter().all(|site| site.rules.iter().all(|rule| rule.hold.is_none())) {
        return (Vec::new(), None);
    }
    match (people.holders)() {
        Ok(holders) => (lint::unconfirmable(policy, &holders, now), None),
        Err(why) => (Vec::new(), Some(format!("whether somebody could confirm today was not looked up: {why}"))),
    }
}

fn test(directory: &Path, now: Timestamp, json: bool) -> Result<(), Failure> {
    let (policy, _) = load::load(directory).map_err(Failure::faults)?;
    let results = cases::run(&policy, directory, now).map_err(Failure::faults)?;
    let failed = results.iter().filter(|result| !result.passed).count();
    if json {
        print_json(&json!(results))?;
    } else {
        let mut out = io::stdout().lock();
        for result in results.iter().filter(|result| !result.passed) {
            let place = format!("{}:{}", result.file.display(), result.line);
            let expected = serde_json::to_value(result.expected).unwrap_or_default();
            writeln!(out, "{place}: `{}`: expected {expected}, got {}", result.name, result.got)?;
        }
        writeln!(out, "{} case(s), {failed} failed", results.len())?;
    }
    if failed == 0 {
        Ok(())
    } else {
        Err(Failure::failed(format!("{failed} of {} policy tests failed", results.len())))
    }
}

// === impl Place ===

impl Place {
    fn directory(&self, config: Option<&Path>) -> Result<PathBuf, Failure> {
        match &self.policies {
            Some(directory) => Ok(directory.clone()),
            None => Config::load(config).map(|config| config.policies).map_err(Failure::faults),
        }
    }
}

// === impl ExplainArguments ===

impl ExplainArguments {
    fn run(&self, config: Option<&Path>, people: &People<'_>, now: Timestamp) -> Result<(), Failure> {
        let (policy, _) = load::load(&self.place.directory(config)?).map_err(Failure::faults)?;
        let mut probe = Probe::new(&policy, self.site.as_deref(), &self.method, &self.url).map_err(wrong)?;
        probe.client = self.ip.unwrap_or(probe.client);
        let caller = caller(self.person(people)?, self.factors, Duration::ZERO, now);
        let facts = crate::policy::Facts { body: crate::policy::BodyFacts::Unread, ..probe.facts() };
        let told = explain(&policy, &probe.site, &facts, &caller, now);
        if self.json {
            return print_json(&json!(told));
        }
        Ok(writeln!(io::stdout().lock(), "{told}")?)
    }

    /// The user, as the database knows them, with the groups given here besides.
    fn person(&self, people: &People<'_>) -> Result<Option<User>, Failure> {
        let Some(name) = &self.user else {
            return Ok((!self.groups.is_empty()).then(|| person("somebody", &self.groups)));
        };
        match (people.user)(name) {
            Ok(Some(mut user)) => {
                user.groups.extend(self.groups.iter().cloned());
                Ok(Some(user))
            }
            _ if !self.groups.is_empty() => Ok(Some(person(name, &self.groups))),
            Ok(None) => Err(Failure::failed(format!("there is no user `{name}`; name one, or give --group"))),
            Err(why) => Err(Failure::failed(format!("the user `{name}` was not looked up: {why}; or give --group"))),
        }
    }
}

fn wrong(error: impl fmt::Display) -> Failure {
    Failure::wrong(error.to_string())
}

/// A fault or warning, for programs.
#[derive(serde::Serialize)]
struct Told<'a> {
    file: &'a Path,
    line: usize,
    what: &'a str,
    remedy: &'a str,
}

// === impl Told ===

impl<'a> Told<'a> {
    fn of(fault: &'a Fault) -> Self {
        Self { file: &fault.file, line: fault.line, what: &fault.what, remedy: &fault.remedy }
    }
}
