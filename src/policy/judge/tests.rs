use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::header::CONTENT_TYPE;

use crate::identity::{Amr, Caller, SessionId, SignedIn};
use crate::policy::load::{Texts, check};
use crate::policy::probe::{Probe, caller, person};
use crate::policy::{BodyFacts, Decision, Facts, Policy, Refusal, decide};
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp::from_secs(1_772_366_400);
const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=x";

fn policy(rules: &str) -> Policy {
    let site = format!("name = \"s\"\nhosts = [\"s.test\"]\nbackends = [\"http://127.0.0.1:9\"]\n{rules}");
    check(&Texts { sites: vec![("s.toml".into(), site)], ..Texts::default() }).unwrap().0
}

/// What carol's `POST` of a `kind` of body comes to, before and after the body is read.
fn posted(policy: &Policy, path: &str, kind: &'static str, body: &str) -> [String; 2] {
    let mut probe = Probe::new(policy, Some("s"), "POST", path).unwrap();
    probe.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    probe.body = body.as_bytes().to_vec();
    let carol = caller(Some(person("carol", &[])), 1, Duration::ZERO, NOW);
    let unread = Facts { body: BodyFacts::Unread, ..probe.facts() };
    [unread, probe.facts()].map(|facts| match decide(policy, &Arc::clone(&probe.site), &facts, &carol, NOW) {
        Decision::Forward(permit) => permit.rule().name.clone(),
        Decision::Hold(rule) => rule.name.clone(),
        Decision::ReadBody => "read".to_owned(),
        Decision::Refuse(Refusal::UnreadableBody(why)) => why.to_owned(),
        other => format!("{other:?}"),
    })
}

const DELETION: &str = "[[rule]]\nname = \"deletion\"\npaths = [\"/x\"]\nform = { action = \"delete\" }\naccess = \"signed-in\"\n[rule.hold]\n\
    [[rule]]\nname = \"rest\"\npaths = [\"/**\"]\naccess = \"signed-in\"\n";

#[test]
fn a_field_moved_to_the_query_is_still_looked_at() {
    let policy = policy(DELETION);
    for (path, body, rule) in [
        ("/x", "action=delete", "deletion"),
        ("/x", "action=view", "rest"),
        ("/x?action=delete", "action=view", "deletion"),
        ("/x?Action[]=delete", "", "deletion"),
        ("/x?action=view", "action=delete", "deletion"),
        ("/x?action=view", "action=view", "rest"),
    ] {
        assert_eq!(posted(&policy, path, FORM, body)[1], rule, "{path} {body}");
        assert_eq!(posted(&policy, path, FORM, body)[0], "read");
    }
}

#[test]
fn a_query_that_says_otherwise_does_not_make_a_weaker_rule_the_only_one() {
    let policy = policy(
        "[[rule]]\nname = \"views\"\npaths = [\"/x\"]\nform = { action = \"view\" }\naccess = \"signed-in\"\n\
         [[rule]]\nname = \"rest\"\npaths = [\"/**\"]\naccess = \"signed-in\"\n[rule.hold]\n",
    );
    assert_eq!(posted(&policy, "/x", FORM, "action=view")[1], "views");
    assert_eq!(posted(&policy, "/x?action=delete", FORM, "action=view")[1], "rest");
    assert_eq!(posted(&policy, "/x", FORM, "{\"action\":1}&action=view")[1], "a form that reads as JSON");
}

const METHODS: &str = "[[rule]]\nname = \"alike\"\npaths = [\"/alike/**\"]\naccess = \"signed-in\"\n\
    [[rule]]\nname = \"deletion\"\nmethods = [\"DELETE\"]\npaths = [\"/**\"]\naccess = \"signed-in\"\n[rule.hold]\n\
    [[rule]]\nname = \"rest\"\npaths = [\"/**\"]\naccess = \"signed-in\"\n";

#[test]
fn hdr_8_a_method_named_in_a_posted_form_is_judged_where_it_would_be_stricter() {
    let policy = policy(METHODS);
    let part = "--x\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\ndelete\r\n--x--\r\n";
    for (kind, body, rule) in [
        (FORM, "_method=DELETE", "deletion"),
        (FORM, "a=1&%5Fmethod=delete", "deletion"),
        (MULTIPART, part, "deletion"),
        (FORM, "_method=put", "rest"),
        (FORM, "method=delete", "rest"),
        (FORM, "_method=%zz", "the form holds a malformed escape"),
    ] {
        assert_eq!(posted(&policy, "/y", kind, body), ["read", rule], "{body}");
    }
}

#[test]
fn hdr_8_no_form_is_read_where_no_rule_tells_the_methods_apart() {
    let policy = policy(METHODS);
    assert_eq!(posted(&policy, "/alike/y", FORM, "_method=DELETE"), ["alike", "alike"]);
    assert_eq!(posted(&policy, "/y", "application/json", "{\"_method\":\"DELETE\"}"), ["rest", "rest"]);
}

#[test]
fn a_remembered_session_is_one_factor_and_never_fresh_however_lately_it_was_made() {
    let rule = |name: &str, demand: &str| {
        format!("[[rule]]\nname = \"{name}\"\npaths = [\"/{name}\"]\naccess = \"signed-in\"\n{demand}\n")
    };
    let rules = [rule("any", ""), rule("fresh", "fresh = \"1h\""), rule("two", "factors = 2")].concat();
    let policy = policy(&(rules + &rule("both", "factors = 2\nfresh = \"1h\"")));
    let signed_in = |amr: &[Amr], second_factor_at| {
        Caller::User(Arc::new(SignedIn {
            session: SessionId(uuid::Uuid::nil()),
            user: Arc::new(person("carol", &[])),
            amr: amr.to_vec(),
            auth_time: NOW,
            second_factor_at,
        }))
    };
    let passes = |caller: &Caller| {
        ["/any", "/fresh", "/two", "/both"].map(|path| {
            let probe = Probe::new(&policy, Some("s"), "GET", path).unwrap();
            let decision = decide(&policy, &Arc::clone(&probe.site), &probe.facts(), caller, NOW);
            assert!(matches!(decision, Decision::Forward(_) | Decision::StepUp(_)), "{path}: {decision:?}");
            matches!(decision, Decision::Forward(_))
        })
    };
    assert_eq!(passes(&signed_in(&[Amr::Pwd], None)), [true, true, false, false]);
    assert_eq!(passes(&signed_in(&[Amr::Rmb], None)), [true, false, false, false]);
    // A code given now is a second factor, and as fresh as it is.
    assert_eq!(passes(&signed_in(&[Amr::Rmb, Amr::Otp], Some(NOW))), [true, true, true, true]);
    let stale = NOW.minus(Duration::from_hours(2));
    assert_eq!(passes(&signed_in(&[Amr::Rmb, Amr::Otp], Some(stale))), [true, false, true, false]);
}
