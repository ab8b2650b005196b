//! Which rules can never match, because earlier ones match everything they would.

use std::sync::Arc;

use http::Method;

use super::Rule;
use super::pattern::PathPattern;
use super::rule::METHODS;

/// What is in the way of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// It never matches.
    Never {
        /// The earlier rules.
        because: String,
    },
    /// One of its paths never does.
    Partly {
        /// The path.
        path: String,
        /// The earlier rules.
        because: String,
    },
}

/// What earlier rules leave nothing of, by the index of the rule. Rules that only report are in nobody's way.
pub(super) fn unreachable(rules: &[Arc<Rule>]) -> Vec<(usize, Finding)> {
    let mut found = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let before: Vec<&Rule> = rules[..index].iter().map(Arc::as_ref).filter(|other| !other.report_only).collect();
        let hidden: Vec<(&PathPattern, Vec<&str>)> =
            rule.matcher.paths.iter().filter_map(|path| Some((path, hiders(rule, path, &before)?))).collect();
        if hidden.len() == rule.matcher.paths.len() {
            let names: Vec<&str> = hidden.iter().flat_map(|(_, names)| names.iter().copied()).collect();
            found.push((index, Finding::Never { because: list(names) }));
        } else {
            let partly = |(path, names): (&PathPattern, Vec<&str>)| {
                (index, Finding::Partly { path: path.text().to_owned(), because: list(names) })
            };
            found.extend(hidden.into_iter().map(partly));
        }
    }
    found
}

/// The rules that take every request `rule` would take under `path`; nothing when some method is left to it.
fn hiders<'r>(rule: &Rule, path: &PathPattern, before: &[&'r Rule]) -> Option<Vec<&'r str>> {
    let own: Vec<&Method> = METHODS.iter().filter(|method| rule.matcher.takes(method)).collect();
    own.into_iter()
        .map(|method| before.iter().find(|other| hides(other, rule, path, method)).map(|other| other.name.as_str()))
        .collect()
}

fn hides(other: &Rule, rule: &Rule, path: &PathPattern, method: &Method) -> bool {
    other.matcher.takes(method)
        && other.matcher.asks_no_more_than(&rule.matcher)
        && other.matcher.paths.iter().any(|wide| wide.covers(path))
}

fn list(mut names: Vec<&str>) -> String {
    names.sort_unstable();
    names.dedup();
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
