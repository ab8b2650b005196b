//! The command line as an operator uses it: what it prints, what it returns, what it refuses, and what a bad installation
//! is told.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../support/files.rs"]
#[expect(dead_code, reason = "shared by several test programs; each uses its part")]
mod files;
mod installation;
mod json;
#[path = "../support/ports.rs"]
mod ports;

use std::time::{Duration, Instant};

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
fn every_fault_of_a_configuration_is_one_line_and_nothing_starts() {
    let here = Installation::new();
    here.write("vantail.toml", "[listen]\nhttp = [\"nowhere\"]\nhtpps = []\n[portal]\nlanguage = \"de\"\n[policies]\ndirectory = \"policies\"\n");
    let failure = here.fails(&["serve"], 2);
    let lines: Vec<_> = failure.lines().collect();
    assert_eq!(lines.len(), 3, "{failure}");
    for expected in ["vantail.toml:2", "vantail.toml:3", "vantail.toml:5"] {
        assert!(failure.contains(expected), "{expected}: {failure}");
    }
    assert!(!here.file("data").exists(), "nothing was made");
    let missing = here.fails(&["serve", "--config", "/nowhere/vantail.toml"], 2);
    assert!(missing.contains("/nowhere/vantail.toml"), "{missing}");
}

#[test]
fn every_fault_of_a_policy_is_one_line_with_its_place() {
    let here = Installation::new();
    here.write(
        "policies/sites/gw.toml",
        "name = \"gw\"\nhosts = [\"localhost\"]\nbackends = [\"http://127.0.0.1:1\"]\nnetworks = [\"nowhere\"]\n[[rule]]\nname = \"a\"\npaths = [\"/**\"]\naccess = \"open\"\n[[rule]]\nname = \"b\"\npaths = [\"/x\"]\naccess = \"signed-in\"\n",
    );
    let failure = here.fails(&["policy", "check"], 2);
    assert!(failure.contains("gw.toml:4") && failure.contains("nowhere"), "{failure}");
    assert!(failure.contains("gw.toml:11"), "the unreachable rule: {failure}");
    here.fails(&["serve"], 2);
}

#[test]
fn serve_without_users_says_how_to_make_the_first() {
    let here = Installation::new();
    let failure = here.fails(&["serve"], 1);
    assert!(failure.contains("vantail user add"), "{failure}");
}

#[test]
fn flt_3_a_damaged_foreign_or_missing_database_is_never_started_on() {
    for (what, damage) in [
        ("empty", Vec::new()),
        ("foreign", b"this is no database at all, whatever its name says".repeat(100)),
        ("truncated", vec![]),
    ] {
        let here = Installation::with_a_user();
        let database = here.file("data/vantail.db");
        let bytes = std::fs::read(&database).unwrap();
        let damaged = if what == "truncated" { bytes[..bytes.len() / 2].to_vec() } else { damage };
        for aside in ["data/vantail.db-wal", "data/vantail.db-shm"] {
            let _ = std::fs::remove_file(here.file(aside));
        }
        std::fs::write(&database, damaged).unwrap();
        let failure = here.fails(&["serve"], 1);
        assert!(failure.contains("database"), "{what}: {failure}");
    }
    let here = Installation::with_a_user();
    std::fs::remove_file(here.file("data/vantail.db")).unwrap();
    let failure = here.fails(&["serve"], 1);
    assert!(failure.contains("vantail.db"), "{failure}");
}

#[test]
fn a_wrong_or_lost_sealing_key_is_named() {
    let here = Installation::with_a_user();
    let key = here.file("data/keys/sealing.key");
    let kept = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    assert!(here.fails(&["user", "list"], 1).contains("sealing.key"));
    std::fs::write(&key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let failure = here.fails(&["serve"], 1);
    assert!(failure.contains("key"), "{failure}");
    std::fs::write(&key, kept).unwrap();
    here.ok(&["user", "list"]);
}

/// Puts `line` at the end of a section of `vantail.toml`.
fn configured_with(section: &str, line: &str) -> Installation {
    let here = Installation::with_a_user();
    let text = std::fs::read_to_string(here.file("vantail.toml")).unwrap();
    here.write("vantail.toml", &text.replace(section, &format!("{section}\n{line}")));
    here
}

#[test]
fn a_portal_network_that_is_none_stops_the_start() {
    let here = configured_with("[portal]", "networks = [\"nowhere\"]");
    for command in [&["serve"][..], &["config", "check"]] {
        let failure = here.fails(command, 2);
        assert!(failure.contains("there is no network called `nowhere`; add it to networks.toml"), "{failure}");
    }
}

#[test]
fn a_certificate_that_cannot_be_used_stops_the_start() {
    let tls = "https = [{ address = \"127.0.0.1:0\", certificate = \"chain.pem\", key = \"key.pem\" }]";
    let here = configured_with("[listen]", tls);
    let [one, other] = [1, 2].map(|_| rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap());
    for (chain, remedy) in [("no PEM".to_owned(), "name a PEM file"), (other.cert.pem(), "name the key")] {
        here.write("chain.pem", &chain);
        here.write("key.pem", &one.signing_key.serialize_pem());
        for command in [&["serve"][..], &["config", "check"]] {
            let failure = here.fails(command, 2);
            assert!(failure.contains("chain.pem") && failure.contains(remedy), "{failure}");
        }
    }
    here.write("chain.pem", &one.cert.pem());
    here.ok(&["config", "check"]);
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let here = Installation::with_a_user();
    here.configure(taken.local_addr().unwrap(), "");
    let failure = here.fails(&["serve"], 1);
    assert!(failure.contains(&taken.local_addr().unwrap().to_string()), "{failure}");
}

#[test]
fn a_second_gateway_on_one_database_is_refused() {
    let here = Installation::with_a_user();
    let first = here.serve();
    here.configure(installation::free_address(), "");
    let failure = here.fails(&["serve"], 1);
    assert!(failure.contains("another"), "{failure}");
    drop(first);
    here.serve();
}

#[test]
fn a_command_is_seen_by_a_running_gateway_within_a_second() {
    let here = Installation::with_a_user();
    let gateway = here.serve();
    let browser = gateway.sign_in("root");
    assert_eq!(gateway.status("/app/x", &browser), 502, "signed in; there is no backend");
    here.ok(&["session", "list"]);
    let sessions = here.json(&["session", "list"]);
    here.ok(&["session", "end", sessions[0]["id"].as_str().unwrap()]);
    let begin = Instant::now();
    while gateway.status("/app/x", &browser) != 401 {
        assert!(begin.elapsed() < Duration::from_secs(3), "the ended session still opens");
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
