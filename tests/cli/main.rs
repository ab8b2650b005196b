//! The command line as an operator uses it: what it prints, what it returns, what it refuses; what a bad installation is
//! told ([`bad_input`]), and what a running gateway sees of it ([`running`]).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bad_input;
mod documented;
#[path = "../support/files.rs"]
#[expect(dead_code, reason = "shared by several test programs; each uses its part")]
mod files;
mod importing;
mod installation;
mod json;
mod log;
#[path = "../support/ports.rs"]
mod ports;
mod running;

use installation::Installation;

#[test]
fn a_user_is_made_changed_and_switched_off() {
    let here = Installation::new();
    here.ok(&["user", "add", "alice", "--email", "alice@gw.test", "--name", "Alice Moreau", "--group", "staff"]);
    here.ok(&["user", "grant", "alice", "token-validator"]);
    here.ok(&["user", "edit", "alice", "--phone", "+33 6 39 98 00 11", "--add-group", "admins"]);
    let alice = here.json(&["user", "show", "alice"]);
    assert_eq!(alice["name"], "alice");
    assert_eq!(alice["groups"], serde_json::json!(["admins", "staff"]));
    assert_eq!(alice["rights"], serde_json::json!(["token-validator"]));
    here.ok(&["user", "disable", "alice"]);
    assert_eq!(here.json(&["user", "list"])[0]["state"], "disabled");
    here.ok(&["user", "enable", "ALICE@gw.test"]);
    assert_eq!(here.json(&["user", "show", "alice"])["state"], "active");
    let failure = here.fails(&["user", "revoke", "alice", "token-validator"], 1);
    assert!(failure.contains("last token validator"), "{failure}");
}

#[test]
fn a_name_is_taken_once() {
    let here = Installation::new();
    here.ok(&["user", "add", "alice", "--email", "alice@gw.test", "--name", "Alice"]);
    for wrong in [
        ["user", "add", "Alice", "--email", "other@gw.test", "--name", "A"],
        ["user", "add", "other", "--email", "ALICE@gw.test", "--name", "A"],
    ] {
        let failure = here.fails(&wrong, 1);
        assert!(failure.contains("taken"), "{failure}");
    }
    assert!(here.fails(&["user", "add", "x y", "--email", "x@gw.test", "--name", "X"], 2).contains("name"));
    assert!(here.fails(&["user", "show", "nobody"], 1).contains("nobody"));
}

#[test]
fn pwd_5_a_password_that_breaks_the_rules_is_refused_with_all_that_is_wrong() {
    let here = Installation::new();
    here.write("policies/security.toml", "[passwords]\nrequire_all_classes = true\n");
    here.write("password", "alice-localhost\n");
    let file = here.file("password");
    let add = |file: &str| {
        here.fails(&["user", "add", "alice", "--email", "a@gw.test", "--name", "Alice", "--password-file", file], 2)
    };
    let failure = add(file.to_str().unwrap());
    for wanted in ["has no capital letter", "has no digit", "this installation's name"] {
        assert!(failure.contains(wanted), "{wanted:?}: {failure}");
    }
    assert!(!failure.contains("alice-localhost"), "{failure}");
    assert!(here.json(&["user", "list"]).as_array().unwrap().is_empty());
}

#[test]
fn a_profile_is_taken_and_an_unknown_one_is_a_fault() {
    let here = Installation::with_a_user();
    here.write("policies/security.toml", "profile = \"pci-dss\"\n");
    here.ok(&["policy", "check"]);
    let made = here.ok(&["user", "reset-password", "root"]);
    assert!(made.contains("It works once"), "{made}");
    here.write("policies/security.toml", "profile = \"pci\"\n");
    let failure = here.fails(&["policy", "check"], 2);
    assert!(
        failure.contains("security.toml:1: there is no profile called `pci`; write one of: asvs, hds, pci-dss"),
        "{failure}"
    );
    here.write("policies/security.toml", "[passwords]\nforce_change_after_reset = false\n");
    let made = here.ok(&["user", "reset-password", "root"]);
    assert!(made.contains("It works until it is changed"), "{made}");
}

#[test]
fn the_last_administrator_stays() {
    let here = Installation::new();
    here.ok(&["user", "add", "root", "--email", "root@gw.test", "--name", "Root", "--right", "administrator"]);
    let failure = here.fails(&["user", "revoke", "root", "administrator"], 1);
    assert!(failure.contains("administrator"), "{failure}");
    here.fails(&["user", "disable", "root"], 1);
}

#[test]
fn wrong_use_is_exit_2_and_says_how() {
    let here = Installation::new();
    for wrong in [&["user"][..], &["nonsense"], &["user", "add"], &["policy", "explain"]] {
        here.fails(wrong, 2);
    }
}

#[test]
fn the_trail_is_listed_verified_and_exported() {
    let here = Installation::with_a_user();
    here.ok(&["audit", "verify"]);
    let lines = here.ok(&["audit", "export", "--format", "jsonl"]);
    let events: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().any(|event| event["act"] == "user.added"), "{lines}");
    assert!(here.ok(&["audit", "export", "--format", "csv"]).lines().count() > events.len());
    assert!(here.ok(&["audit", "list"]).contains("user.added"));
}

#[test]
fn keys_are_listed_and_rotated_and_the_store_checked_and_backed_up() {
    let here = Installation::with_a_user();
    here.ok(&["key", "rotate"]);
    here.ok(&["key", "rotate"]);
    assert!(here.json(&["key", "list"]).as_array().unwrap().len() >= 2);
    here.ok(&["store", "check"]);
    let copy = here.file("copy.db");
    here.ok(&["store", "backup", copy.to_str().unwrap()]);
    assert!(copy.exists());
    here.fails(&["store", "backup", copy.to_str().unwrap()], 1);
    here.ok(&["store", "migrate"]);
    assert!(here.ok_with_input(&["hash-password"], "a long enough password").starts_with("$argon2id$"));
}

#[test]
fn the_policy_is_explained_and_tested() {
    let here = Installation::with_a_user();
    here.ok(&["policy", "check"]);
    let explained = here.ok(&["policy", "explain", "--site", "gw", "--user", "root", "GET", "/app/x"]);
    assert!(explained.contains("everything"), "{explained}");
    here.ok(&["policy", "test"]);
    here.ok(&["config", "check"]);
    assert!(here.ok(&["config", "show"]).contains("data/vantail.db"));
    assert!(here.ok(&["config", "schema"]).contains("trusted_proxies"));
}
