//! The policy from the outside: a golden matrix of decisions, the attack cases that are decided here, and what ships.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use http::HeaderMap;
use proptest::prelude::*;
use vantail::identity::Caller;
use vantail::policy::decide::reports;
use vantail::policy::explain::explain;
use vantail::policy::probe::{NoProbe, Probe, caller, person};
use vantail::policy::{
    BodyFacts, CanonicalTarget, Changed, Decision, Facts, Policy, Refusal, cases, decide, decide_confirmed, lint, load,
};
use vantail::time::Timestamp;

const NOW: Timestamp = Timestamp::from_secs(1_772_366_400);

fn policy() -> Policy {
    load::load(Path::new("tests/golden/policy")).expect("the sample policy is sound").0
}

fn probe(policy: &Policy, request: &str) -> Result<Probe, NoProbe> {
    let (method, url) = request.split_once(' ').unwrap();
    let site = if url.starts_with("http") { None } else { Some("gw") };
    let mut probe = Probe::new(policy, site, method, url)?;
    probe.client = "10.9.0.1".parse().unwrap();
    Ok(probe)
}

fn nobody() -> Caller {
    Caller::Anonymous
}

fn admin(factors: u8) -> Caller {
    caller(Some(person("alice", &["admins".to_owned()])), factors, Duration::ZERO, NOW)
}

/// What becomes of a request, in one word; `400` when its target is refused before any rule.
fn word(policy: &Policy, request: &str, caller: &Caller) -> String {
    match probe(policy, request) {
        Ok(probe) => explain(policy, &probe.site, &probe.facts(), caller, NOW).decision.to_owned(),
        Err(NoProbe::Target(_)) => "400".to_owned(),
        Err(other) => panic!("{request}: {other}"),
    }
}

/// Everybody who asks in the matrix: name, caller, address.
fn everybody() -> Vec<(&'static str, Caller, &'static str)> {
    let carol = || Some(person("carol", &["customers".to_owned()]));
    let alice = || Some(person("Alice", &["admins".to_owned()]));
    let signed_in = |user, factors, minutes: u64| caller(user, factors, Duration::from_secs(minutes * 60), NOW);
    vec![
        ("nobody", nobody(), "10.9.0.1"),
        ("carol", signed_in(carol(), 1, 0), "10.9.0.1"),
        ("alice-1", signed_in(alice(), 1, 0), "10.9.0.1"),
        ("alice-2", signed_in(alice(), 2, 0), "10.9.0.1"),
        ("alice-2-old", signed_in(alice(), 2, 16), "10.9.0.1"),
        ("alice-2-away", signed_in(alice(), 2, 0), "203.0.113.5"),
        ("alice-2-far", signed_in(alice(), 2, 0), "198.51.100.1"),
    ]
}

/// A request of the matrix: method, address, content type and body.
const REQUESTS: &[(&str, &str, &str, &str)] = &[
    ("GET", "http://gw.test/public/x", "", ""),
    ("POST", "http://gw.test/public/x", "", ""),
    ("GET", "http://gw.test/app/x", "", ""),
    ("POST", "http://gw.test/app/x", "", ""),
    ("GET", "http://gw.test/admin", "", ""),
    ("GET", "http://gw.test/admin/ops/1", "", ""),
    ("POST", "http://gw.test/admin/ops/1", "", ""),
    ("DELETE", "http://gw.test/admin/ops/1", "", ""),
    ("GET", "http://gw.test/admin/ops/1?_method=DELETE", "", ""),
    ("GET", "http://gw.test/elsewhere", "", ""),
    ("GET", "http://kinds.test/tried/x", "", ""),
    ("GET", "http://kinds.test/INTERNAL/x", "", ""),
    ("GET", "http://kinds.test/q?action=delete&id=4", "", ""),
    ("GET", "http://kinds.test/q?action=view", "", ""),
    ("GET", "http://kinds.test/q?action=view&action=remove", "", ""),
    ("POST", "http://kinds.test/f/1", "application/x-www-form-urlencoded", "action=delete"),
    ("POST", "http://kinds.test/f/1", "application/x-www-form-urlencoded", "action=view"),
    ("POST", "http://kinds.test/f/1", "application/x-www-form-urlencoded", "action=view&action=delete"),
    ("POST", "http://kinds.test/f/1", "application/json", r#"{"action":"delete"}"#),
    ("POST", "http://kinds.test/f/1", "text/plain", "action=delete"),
    ("POST", "http://kinds.test/j", "application/json", r#"{"order":{"kind":"refund"}}"#),
    ("POST", "http://kinds.test/j", "application/json", r#"{"order":{"kind":"view"}}"#),
    ("POST", "http://kinds.test/j", "application/json", r#"{"order":{"kind":"view","kind":"refund"}}"#),
    ("GET", "http://kinds.test/h", "", ""),
    ("GET", "http://kinds.test/h", "x-mode: administrator", ""),
    ("DELETE", "http://kinds.test/m/1", "", ""),
    ("POST", "http://kinds.test/m/1", "application/x-www-form-urlencoded", "_method=delete"),
    ("GET", "http://kinds.test/files/a%2Fb", "", ""),
    ("GET", "http://kinds.test/fresh/x", "", ""),
    ("GET", "http://kinds.test/fresh2/x", "", ""),
    ("GET", "http://kinds.test/who", "", ""),
    ("PUT", "http://kinds.test/anything", "", ""),
];

fn request(policy: &Policy, (method, url, kind, body): &(&str, &str, &str, &str)) -> Probe {
    let mut probe = Probe::new(policy, None, method, url).unwrap();
    match kind.split_once(": ") {
        Some(("x-mode", value)) => {
            probe.headers.insert("x-mode", value.parse().unwrap());
        }
        _ if !kind.is_empty() => {
            probe.headers.insert("content-type", kind.parse().unwrap());
        }
        _ => {}
    }
    probe.body = body.as_bytes().to_vec();
    probe
}

#[test]
fn the_golden_matrix_of_decisions() {
    let policy = policy();
    let mut table = String::new();
    for line in REQUESTS {
        writeln!(table, "{} {} {} {}", line.0, line.1, line.2, line.3).unwrap();
        for (name, caller, address) in everybody() {
            let mut probe = request(&policy, line);
            probe.client = address.parse().unwrap();
            let told = explain(&policy, &probe.site, &probe.facts(), &caller, NOW);
            let rule = told.rule.unwrap_or_else(|| "-".to_owned());
            let why = told.why.map(|why| format!("  ({why})")).unwrap_or_default();
            writeln!(table, "    {name:<13} {:<8} {rule}{why}", told.decision).unwrap();
        }
    }
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("decisions", table);
    });
}

#[test]
fn every_rule_of_the_sample_policy_is_in_the_matrix() {
    let policy = policy();
    let mut decided = Vec::new();
    for line in REQUESTS {
        for (_, caller, _) in everybody() {
            let probe = request(&policy, line);
            decided.extend(explain(&policy, &probe.site, &probe.facts(), &caller, NOW).rule);
            decided.extend(reports(&probe.site, &probe.facts(), &caller, NOW).into_iter().map(|report| report.rule));
        }
    }
    for rule in policy.sites.iter().flat_map(|site| &site.rules) {
        assert!(decided.contains(&rule.name), "no request of the matrix is decided by the rule `{}`", rule.name);
    }
}

#[test]
fn path_1_nobody_climbs_out_of_the_open_part() {
    let policy = policy();
    for path in [
        "/public/../admin/ops",
        "/public/%2e%2e/admin/ops",
        "/public/.%2e/admin/ops",
        "/public/x/..%2f..%2fadmin/ops",
        "/public../admin/ops",
    ] {
        let became = word(&policy, &format!("GET {path}"), &nobody());
        assert!(["400", "sign-in", "refuse"].contains(&became.as_str()), "{path}: {became}");
    }
}

#[test]
fn path_5_rules_look_at_the_path_only() {
    let policy = policy();
    for path in ["/app/p?x=/public/health", "/app/p?/public/health", "/app/p%23/public/health"] {
        assert_eq!(word(&policy, &format!("GET {path}"), &nobody()), "sign-in", "{path}");
    }
    assert_eq!(word(&policy, "GET /app/p#/public/health", &nobody()), "400");
}

#[test]
fn path_6_what_follows_a_semicolon_weakens_nothing() {
    let policy = policy();
    for path in ["/public/..;/admin/ops", "/public/..;x=1/admin/ops", "/public/..%3B/admin/ops"] {
        assert_eq!(word(&policy, &format!("GET {path}"), &nobody()), "sign-in", "{path}");
    }
    assert_eq!(word(&policy, "POST /public/..;/admin/ops/1", &admin(2)), "hold");
}

#[test]
fn path_7_other_forms_are_no_target() {
    for raw in ["admin/ops", "?/admin", "*x", "ftp://gw.test/admin/ops"] {
        assert!(CanonicalTarget::parse(raw.as_bytes(), |_| false).is_err(), "{raw}");
    }
    let policy = policy();
    let probe = probe(&policy, "GET http://gw.test/admin/ops").unwrap();
    assert_eq!(probe.target.as_sent(), "/admin/ops");
}

#[test]
fn hold_14_every_spelling_of_a_held_path_is_held_or_refused() {
    let policy = policy();
    let spellings = [
        "/admin/ops/1",
        "//admin/ops/1",
        "/admin//ops/1",
        "/./admin/ops/1",
        "/admin/./ops/1",
        "/admin/ops/1/",
        "/admin/ops/1/.",
        "/%61dmin/ops/1",
        "/adm%69n/ops/1",
        "/%61%64%6d%69%6e/ops/1",
        "/admin/%6fps/1",
        "/public/../admin/ops/1",
        "/public/%2e%2e/admin/ops/1",
        "/admin%2fops%2f1",
        "/public%5c..%5cadmin/ops/1",
        "/admin;a=1/ops/1",
        "/admin/ops;x/1",
        "/public;/../admin/ops/1",
        "http://gw.test/admin/ops/1",
        "/admin/ops",
        "/app/../admin/ops/1?x=/public/",
    ];
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        for path in spellings {
            let became = word(&policy, &format!("{method} {path}"), &admin(2));
            assert!(["hold", "refuse", "400"].contains(&became.as_str()), "{method} {path}: {became}");
        }
    }
}

#[test]
fn hdr_8_every_method_a_request_names_is_judged() {
    let policy = policy();
    let mut overridden = Probe::new(&policy, None, "GET", "http://kinds.test/m/1").unwrap();
    assert!(matches!(decide(&policy, &overridden.site, &overridden.facts(), &carol(), NOW), Decision::Forward(_)));
    for header in ["x-http-method-override", "x-http-method", "x-method-override", "x_http_method"] {
        overridden.headers = HeaderMap::new();
        overridden.headers.insert(header, "delete".parse().unwrap());
        let decision = decide(&policy, &overridden.site, &overridden.facts(), &carol(), NOW);
        assert!(matches!(decision, Decision::Refuse(Refusal::NotAllowed { .. })), "{header}: {decision:?}");
    }
    assert_eq!(word(&policy, "GET /admin/ops/1?_method=DELETE", &admin(2)), "hold");
    assert_eq!(word(&policy, "GET /admin/ops/1?%5Fmethod=delete", &admin(2)), "hold");
}

#[test]
fn a_field_called_method_that_names_none_is_the_applications_own() {
    let policy = policy();
    assert_eq!(word(&policy, "GET /app/x?_method=view&method=post", &carol()), "forward");
}

/// As `docs/policies.md` orders answers: the stricter one is greater.
fn strictness(word: &str) -> usize {
    let order = ["forward", "hold", "read-body", "step-up", "sign-in", "refuse", "400"];
    order.iter().position(|known| *known == word).unwrap()
}

static POLICY: LazyLock<Policy> = LazyLock::new(policy);

proptest! {
    #[test]
    fn path_6_no_parameter_anywhere_makes_an_answer_weaker(
        segments in proptest::collection::vec(prop_oneof!["public", "admin", "ops", "app", "1", "\\.\\."], 1..6),
        at in any::<prop::sample::Index>(),
        factors in 0u8..3,
    ) {
        let caller = if factors == 0 { nobody() } else { admin(factors) };
        let mut with = segments.clone();
        let at = at.index(with.len());
        with[at].push_str(";x=1");
        let with = format!("POST /{}", with.join("/"));
        // What is forwarded, as a server reads it that knows parameters.
        let sent = probe(&POLICY, &with).unwrap().target.as_sent();
        let read = format!("POST {}", sent.replace(";x=1", ""));
        prop_assert!(
            strictness(&word(&POLICY, &with, &caller)) >= strictness(&word(&POLICY, &read, &caller)),
            "{with} is judged less strictly than {read}"
        );
    }
}

fn carol() -> Caller {
    caller(Some(person("carol", &[])), 1, Duration::ZERO, NOW)
}

#[test]
fn a_body_is_asked_for_only_from_those_who_could_pass() {
    let policy = policy();
    let probe = Probe::new(&policy, None, "POST", "http://kinds.test/f/1").unwrap();
    let unread = Facts { body: BodyFacts::Unread, ..probe.facts() };
    assert!(matches!(decide(&policy, &probe.site, &unread, &nobody(), NOW), Decision::SignIn));
    assert!(matches!(decide(&policy, &probe.site, &unread, &carol(), NOW), Decision::ReadBody));
}

#[test]
fn a_rule_that_only_reports_decides_nothing() {
    let policy = policy();
    let probe = Probe::new(&policy, None, "GET", "http://kinds.test/tried/x").unwrap();
    assert!(matches!(decide(&policy, &probe.site, &probe.facts(), &carol(), NOW), Decision::Forward(_)));
    let told = reports(&probe.site, &probe.facts(), &carol(), NOW);
    assert_eq!(
        told.iter().map(|report| (report.rule.as_str(), report.would)).collect::<Vec<_>>(),
        [("tried", "refuse")]
    );
}

#[test]
fn a_confirmed_operation_needs_its_own_rule_and_its_requesters_groups_and_nothing_else() {
    let policy = policy();
    let mut held = probe(&policy, "POST /admin/ops/1").unwrap();
    let Decision::Hold(rule) = decide(&policy, &held.site, &held.facts(), &admin(2), NOW) else { panic!("not held") };
    // Address, factors and freshness are those of the asking.
    held.client = "198.51.100.1".parse().unwrap();
    let requester = |groups: &[String]| match caller(Some(person("alice", groups)), 1, Duration::ZERO, NOW) {
        Caller::User(signed_in) => signed_in,
        Caller::Anonymous => unreachable!("somebody is signed in"),
    };
    let admins = ["admins".to_owned()];
    let permit = decide_confirmed(&held.site, &held.facts(), &requester(&admins), &rule.version, NOW).unwrap();
    assert_eq!(permit.rule().name, "held");
    let refused =
        |requester, version: &str| decide_confirmed(&held.site, &held.facts(), &requester, version, NOW).unwrap_err();
    assert_eq!(refused(requester(&[]), &rule.version), Changed::RequesterNotAllowed);
    assert_eq!(refused(requester(&admins), "another"), Changed::Rule);
    let mut disabled = (*requester(&admins)).clone();
    disabled.user = std::sync::Arc::new(vantail::identity::User {
        state: vantail::identity::UserState::Disabled,
        ..person("alice", &admins)
    });
    assert_eq!(refused(std::sync::Arc::new(disabled), &rule.version), Changed::RequesterNotAllowed);
}

#[test]
fn a_title_is_made_of_the_requests_own_parts() {
    let policy = policy();
    let probe = Probe::new(&policy, None, "GET", "http://kinds.test/Q?action=delete&id=a%E2%80%AEb").unwrap();
    let Decision::Hold(rule) = decide(&policy, &probe.site, &probe.facts(), &carol(), NOW) else { panic!("not held") };
    assert_eq!(rule.title("en", &probe.facts()), "delete ab");
    assert_eq!(rule.title("fr", &probe.facts()), "delete ab");
    assert_eq!(rule.hold.as_ref().unwrap().expires, Duration::from_mins(20));
}

#[test]
fn the_policy_that_ships_loads_cleanly_and_passes_its_own_tests() {
    let directory = Path::new("policies");
    let (policy, warnings) = load::load(directory).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(lint::spellings(&policy), []);
    let results = cases::run(&policy, directory, NOW).unwrap();
    assert!(results.len() >= 10, "the shipped policy has tests");
    let failed: Vec<_> = results.iter().filter(|result| !result.passed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn the_configuration_that_ships_loads_cleanly() {
    let config = vantail::config::Config::load_with(Some(Path::new("config/vantail.toml")), []).unwrap();
    assert_eq!(config.policies, std::path::absolute("policies").unwrap());
}
