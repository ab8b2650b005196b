//! Policy tests: `tests/*.toml` say what must be allowed, held and refused, and this says whether it is.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use http::{HeaderName, HeaderValue};
use serde::Serialize;

use super::decide::{Decision, decide};
use super::explain::explain;
use super::file::{CaseFile, CasesFile, Expect};
use super::load::read_if_there;
use super::probe::{NoProbe, Probe, caller, person};
use super::{Fault, Policy};
use crate::config::document::Document;
use crate::identity::Caller;
use crate::time::Timestamp;

/// What became of one case.
#[derive(Debug, Clone, Serialize)]
pub struct CaseResult {
    /// Which file.
    pub file: PathBuf,
    /// Which line.
    pub line: usize,
    /// The case's name.
    pub name: String,
    /// What must become of the request.
    pub expected: Expect,
    /// What becomes of it, in words.
    pub got: String,
    /// Whether that is the same, and the rule the one named.
    pub passed: bool,
}

/// Runs every case under `directory/tests`. What cannot be run is a fault.
pub fn run(policy: &Policy, directory: &Path, now: Timestamp) -> Result<Vec<CaseResult>, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut results = Vec::new();
    for (file, text) in texts(&directory.join("tests"), &mut faults) {
        match run_text(policy, &file, &text, now) {
            Ok(more) => results.extend(more),
            Err(more) => faults.extend(more),
        }
    }
    if faults.is_empty() { Ok(results) } else { Err(faults) }
}

/// Runs the cases of one file.
pub fn run_text(policy: &Policy, file: &Path, text: &str, now: Timestamp) -> Result<Vec<CaseResult>, Vec<Fault>> {
    let (mut document, mut mistakes) = Document::parse(text);
    let (said, more) = document.read::<CasesFile>();
    mistakes.extend(more);
    let mut faults: Vec<Fault> = mistakes.into_iter().map(|mistake| Fault::of(file, mistake)).collect();
    let mut results = Vec::new();
    if faults.is_empty() {
        for (index, case) in said.case.iter().enumerate() {
            let line = document.line(&format!("/case/{index}"));
            match run_case(policy, case, now) {
                Ok((got, passed)) => {
                    let (file, name) = (file.to_owned(), case.name.clone());
                    results.push(CaseResult { file, line, name, expected: case.expect, got, passed });
                }
                Err((what, remedy)) => faults.push(Fault::new(file, line, what, remedy)),
            }
        }
    }
    if faults.is_empty() { Ok(results) } else { Err(faults) }
}

fn texts(directory: &Path, faults: &mut Vec<Fault>) -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|file| file.extension().is_some_and(|end| end == "toml")).collect();
    files.sort();
    files.into_iter().filter_map(|file| read_if_there(file, faults)).collect()
}

/// What becomes of the case's request, in words, and whether that is as expected.
fn run_case(policy: &Policy, case: &CaseFile, now: Timestamp) -> Result<(String, bool), (String, String)> {
    let probe = match probe(policy, case)? {
        Ok(probe) => probe,
        Err(refused) => {
            return Ok((format!("refused: {refused}"), case.expect == Expect::Refused && case.rule.is_none()));
        }
    };
    let caller = asker(case, now)?;
    let facts = probe.facts();
    let became = expectation(&decide(policy, &probe.site, &facts, &caller, now));
    let told = explain(policy, &probe.site, &facts, &caller, now);
    let rule_fits = case.rule.is_none() || case.rule == told.rule;
    let rule = told.rule.map(|rule| format!(" by the rule `{rule}`")).unwrap_or_default();
    let why = told.why.map(|why| format!(": {why}")).unwrap_or_default();
    Ok((format!("{}{rule}{why}", told.decision), became == Some(case.expect) && rule_fits))
}

/// The case's request; inside, why its target is refused before any rule is asked.
fn probe(policy: &Policy, case: &CaseFile) -> Result<Result<Probe, String>, (String, String)> {
    let method = case.method.as_deref().unwrap_or("GET");
    let mut probe = match Probe::new(policy, case.site.as_deref(), method, &case.url) {
        Ok(probe) => probe,
        Err(NoProbe::Target(why)) => return Ok(Err(why.to_string())),
        Err(why) => return Err((why.to_string(), "correct the case".to_owned())),
    };
    if let Some(ip) = &case.ip {
        let wrong = || (format!("`{ip}` is not an address"), "write it like \"192.0.2.7\"".to_owned());
        probe.client = ip.parse::<IpAddr>().map_err(|_| wrong())?;
    }
    for (name, value) in &case.headers {
        let wrong = || (format!("the header `{name}` cannot be sent"), "use letters, digits and `-`".to_owned());
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        probe.headers.append(header, HeaderValue::from_str(value).map_err(|_| wrong())?);
    }
    probe.body = case.body.clone().unwrap_or_default().into_bytes();
    Ok(Ok(probe))
}

fn asker(case: &CaseFile, now: Timestamp) -> Result<Caller, (String, String)> {
    let age = case.age.as_ref().map_or(Ok(std::time::Duration::ZERO), crate::config::units::Quantity::duration);
    let age = age.map_err(|expected| ("`age` is not a duration".to_owned(), expected.to_owned()))?;
    let anybody = case.user.is_some() || !case.groups.is_empty() || case.factors.is_some();
    let user = anybody.then(|| person(case.user.as_deref().unwrap_or("somebody"), &case.groups));
    Ok(caller(user, case.factors.unwrap_or(1), age, now))
}

fn expectation(decision: &Decision) -> Option<Expect> {
    match decision {
        Decision::Forward(_) => Some(Expect::Allowed),
        Decision::Hold(_) => Some(Expect::Held),
        Decision::Refuse(_) => Some(Expect::Refused),
        Decision::SignIn => Some(Expect::SignIn),
        Decision::StepUp(_) => Some(Expect::StepUp),
        Decision::ReadBody => None,
    }
}
