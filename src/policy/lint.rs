//! What is no fault, but somebody should know: spellings that meet a weaker rule, holds that nobody could confirm today.

use std::collections::BTreeMap;

use http::Method;

use super::canonical::CanonicalTarget;
use super::rule::{METHODS, Origin};
use super::{Access, Fault, Hold, Policy, Rule, Site, Warning};
use crate::identity::{Right, User};
use crate::time::Timestamp;

/// A way in which some backend reads two spellings alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Alike {
    DecodedAgain,
    CutAtSemicolon,
    MergedSlashes,
    EncodedSlash,
    OtherCase,
}

/// Holds that nobody could confirm `now`: too few of `holders` hold the right, are in the rule's groups, may act and have a
/// telephone (the second of each pair).
pub fn unconfirmable(policy: &Policy, holders: &[(User, bool)], now: Timestamp) -> Vec<Warning> {
    let rules = policy.sites.iter().flat_map(|site| site.rules.iter().map(move |rule| (site, rule)));
    let acting: Vec<&(User, bool)> = holders.iter().filter(|(user, _)| user.may_act(now)).collect();
    rules.filter_map(|(site, rule)| unconfirmable_rule(site, rule, rule.hold.as_ref()?, &acting)).collect()
}

/// Rules that a spelling gets around which some backend reads like the one they are for.
pub fn spellings(policy: &Policy) -> Vec<Warning> {
    policy.sites.iter().flat_map(|site| site_spellings(site)).collect()
}

fn unconfirmable_rule(site: &Site, rule: &Rule, hold: &Hold, acting: &[&(User, bool)]) -> Option<Warning> {
    let could = |user: &User| {
        user.has(Right::TokenValidator)
            && (hold.validators.is_empty() || hold.validators.iter().any(|group| user.is_in(group)))
    };
    let able = acting.iter().filter(|(user, _)| could(user)).count();
    let reachable = acting.iter().filter(|(user, phone)| *phone && could(user)).count();
    let needed = hold.confirmations as usize;
    if reachable >= needed {
        return None;
    }
    let groups = if hold.validators.is_empty() { String::new() } else { format!(" in {}", hold.validators.join(", ")) };
    let what = format!(
        "nobody could confirm what `{}` of {} holds: it needs {needed} token validator(s){groups} with a phone, and there are {reachable}",
        rule.name, site.name
    );
    let remedy = if able > reachable {
        "give a phone number to those who hold the right"
    } else {
        "grant the right token-validator to more people, with a phone number"
    };
    Some(warning(&rule.origin, what, remedy))
}

fn site_spellings(site: &Site) -> Vec<Warning> {
    let mut around: BTreeMap<Alike, (Vec<&str>, String, &Origin)> = BTreeMap::new();
    for rule in site.rules.iter().filter(|rule| !rule.report_only && rule.access != Access::Open) {
        let Some(method) = METHODS.iter().find(|method| rule.matcher.takes(method)) else { continue };
        for plain in rule.matcher.paths.iter().map(super::pattern::PathPattern::sample) {
            let Some(strength) = strength(site, method, &plain) else { continue };
            for (alike, spelling) in respelled(&plain) {
                if self::strength(site, method, &spelling).is_some_and(|weaker| weaker < strength) {
                    let found = around.entry(alike).or_insert_with(|| (Vec::new(), spelling, &rule.origin));
                    if !found.0.contains(&rule.name.as_str()) {
                        found.0.push(&rule.name);
                    }
                }
            }
        }
    }
    around.into_iter().map(|(alike, (rules, example, origin))| alike.warning(&rules, &example, origin)).collect()
}

/// How much stands in the way of `path`: of the rules that could decide, the one that asks least. Nothing when the path is
/// refused in any case.
fn strength(site: &Site, method: &Method, path: &str) -> Option<u32> {
    let target = CanonicalTarget::parse(path.as_bytes(), |path| site.allows_encoded_slash(path)).ok()?;
    let of_key = |key: &str| {
        let mut candidates = site.candidates(key).filter(|rule| !rule.report_only && rule.matcher.takes(method));
        candidates.find(|rule| rule.matcher.is_unconditional()).map_or(STRONGEST, |rule| weight(rule))
    };
    target.keys().map(of_key).max()
}

/// What no rule or a denial weighs.
const STRONGEST: u32 = 1000;

/// The more a rule asks, the more it weighs.
fn weight(rule: &Rule) -> u32 {
    let demand = &rule.demand;
    let asks = [
        (rule.hold.is_some(), 100),
        (!demand.users.is_empty() || !demand.groups.is_empty(), 20),
        (demand.factors > 1, 10),
        (demand.networks.is_some(), 5),
        (demand.fresh.is_some(), 2),
    ];
    let network = if demand.networks.is_some() { 5 } else { 0 };
    match rule.access {
        Access::Open => network,
        Access::Denied => STRONGEST,
        Access::SignedIn => 200 + asks.iter().filter(|(asked, _)| *asked).map(|(_, weight)| weight).sum::<u32>(),
    }
}

/// `path` in spellings that some backend reads like it.
fn respelled(path: &str) -> Vec<(Alike, String)> {
    let mut spellings = vec![
        (Alike::OtherCase, path.to_uppercase()),
        (Alike::CutAtSemicolon, format!("{path};x=1")),
        (Alike::MergedSlashes, path.replacen('/', "//", 1)),
    ];
    if let Some(at) = path.rfind('/').filter(|at| *at > 0) {
        spellings.push((Alike::EncodedSlash, format!("{}%2F{}", &path[..at], &path[at + 1..])));
        spellings.push((Alike::DecodedAgain, format!("{}%252F{}", &path[..at], &path[at + 1..])));
    }
    let letters = path.char_indices().filter(|(at, c)| c.is_ascii_alphabetic() && path[..*at].ends_with('/'));
    spellings.extend(letters.map(|(at, c)| {
        (Alike::DecodedAgain, format!("{}%25{:02X}{}", &path[..at], u32::from(c), &path[at + c.len_utf8()..]))
    }));
    spellings
}

// === impl Alike ===

impl Alike {
    fn warning(self, rules: &[&str], example: &str, origin: &Origin) -> Warning {
        let (who, remedy) = match self {
            Self::DecodedAgain => (
                "a backend that decodes twice",
                "put a rule with paths = [\"/**/*%25*/**\"] and access = \"denied\" first, unless the backend decodes once",
            ),
            Self::CutAtSemicolon => ("a backend with path parameters", "name the path with `;` in a stricter rule"),
            Self::MergedSlashes => ("a backend that merges slashes", "write the rule for the merged path"),
            Self::EncodedSlash => ("a backend that decodes %2F", "take the path out of encoded_slash"),
            Self::OtherCase => (
                "a backend that ignores case",
                "write path_case = \"insensitive\" for such a backend; for one that tells cases apart, nothing is wrong",
            ),
        };
        let names: Vec<String> = rules.iter().map(|name| format!("`{name}`")).collect();
        let what =
            format!("{who} would read {example} as a path of {}, but a weaker rule decides it", names.join(", "));
        warning(origin, what, remedy)
    }
}

fn warning(origin: &Origin, what: String, remedy: &str) -> Warning {
    Warning(Fault::new(&origin.file, origin.line, what, remedy))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::identity::UserState;
    use crate::policy::load::{Texts, check};
    use crate::policy::probe::person;

    fn policy(rules: &str) -> Policy {
        let site = format!("name = \"s\"\nhosts = [\"s.test\"]\nbackends = [\"http://127.0.0.1:9\"]\n{rules}");
        check(&Texts { sites: vec![("s.toml".into(), site)], ..Texts::default() }).unwrap().0
    }

    fn told(policy: &Policy) -> Vec<String> {
        spellings(policy).iter().map(ToString::to_string).collect()
    }

    const NOW: Timestamp = Timestamp::from_secs(1_772_366_400);

    const GUARDED: &str = "[[rule]]\nname = \"admin\"\npaths = [\"/admin/**\"]\naccess = \"signed-in\"\ngroups = [\"admins\"]\n\
        [[rule]]\nname = \"rest\"\npaths = [\"/**\"]\naccess = \"signed-in\"\n";

    fn validator(groups: &[&str]) -> User {
        let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        User { rights: vec![Right::TokenValidator], ..person("val", &groups) }
    }

    #[test]
    fn spellings_that_get_around_a_rule_are_told() {
        let found = told(&policy(GUARDED));
        assert_eq!(found.len(), 2, "{found:#?}");
        assert!(found[0].starts_with("s.toml:4: a backend that decodes twice would read /admin%252Fx"), "{}", found[0]);
        assert!(found[1].contains("a backend that ignores case would read /ADMIN/X"), "{}", found[1]);
    }

    #[test]
    fn a_policy_that_closes_them_is_quiet() {
        let twice = "[[rule]]\nname = \"twice\"\npaths = [\"/**/*%25*/**\"]\naccess = \"denied\"\n";
        assert_eq!(told(&policy(&format!("path_case = \"insensitive\"\n{twice}{GUARDED}"))), Vec::<String>::new());
    }

    #[test]
    fn an_encoded_slash_that_gets_around_a_rule_is_told() {
        let found = told(&policy(&format!("path_case = \"insensitive\"\nencoded_slash = [\"/**\"]\n{GUARDED}")));
        assert!(found.iter().any(|warning| warning.contains("a backend that decodes %2F")), "{found:#?}");
    }

    #[test]
    fn a_rule_that_is_stricter_for_the_other_spelling_is_no_news() {
        let open = "[[rule]]\nname = \"open\"\npaths = [\"/shop/**\"]\naccess = \"open\"\n";
        assert_eq!(told(&policy(open)), Vec::<String>::new());
    }

    #[test]
    fn a_hold_that_nobody_could_confirm_is_told() {
        let held = policy(
            "[[rule]]\nname = \"held\"\npaths = [\"/x\"]\naccess = \"signed-in\"\n[rule.hold]\nconfirmations = 2\nvalidators = [\"leads\"]\n",
        );
        let enough = [(validator(&["leads"]), true), (validator(&["leads"]), true)];
        assert_eq!(unconfirmable(&held, &enough, NOW), []);
        let no_phone = [(validator(&["leads"]), true), (validator(&["leads"]), false)];
        let found = unconfirmable(&held, &no_phone, NOW);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].0.what.contains("it needs 2 token validator(s) in leads with a phone, and there are 1"),
            "{}",
            found[0]
        );
        assert_eq!(found[0].0.remedy, "give a phone number to those who hold the right");
        let elsewhere = [(validator(&["leads"]), true), (validator(&["others"]), true)];
        assert_eq!(
            unconfirmable(&held, &elsewhere, NOW)[0].0.remedy,
            "grant the right token-validator to more people, with a phone number"
        );
        let disabled = User { state: UserState::Disabled, ..validator(&["leads"]) };
        let over = User { valid_until: Some(NOW), ..validator(&["leads"]) };
        let to_come = User { valid_from: Some(NOW.plus(Duration::from_secs(1))), ..validator(&["leads"]) };
        for second in [disabled, over, to_come] {
            assert_eq!(unconfirmable(&held, &[(validator(&["leads"]), true), (second, true)], NOW).len(), 1);
        }
    }
}
