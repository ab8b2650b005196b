//! Commands beside a running gateway: what they take away or give is seen within a second (SESS-3).

use std::time::{Duration, Instant};

use crate::installation::{Installation, Serving};

/// Within a second, tried with a bound of three times that, `target` answers with `status`.
fn answers_soon(gateway: &Serving, cookie: &str, (target, status): (&str, u16), after: &[&str]) {
    let begin = Instant::now();
    loop {
        let answered = gateway.status(target, cookie);
        if answered == status {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(3), "{after:?}: {target} still answers {answered}");
    }
}

#[test]
fn sess_3_what_a_command_ends_is_refused_within_a_second() {
    let here = Installation::with_a_user();
    here.ok(&["user", "add", "alice", "--email", "alice@gw.test", "--name", "Alice", "--group", "staff"]);
    let gateway = here.serve();
    for command in [
        &["session", "end", "ID"][..],
        &["session", "end", "--user", "alice"],
        &["user", "disable", "alice"],
        &["user", "edit", "alice", "--valid-until", "2020-01-01"],
        &["user", "reset-password", "alice"],
    ] {
        let [alice, root] = ["alice", "root"].map(|name| gateway.sign_in(name));
        assert_eq!(gateway.status("/app/x", &alice), 502, "{command:?}: signed in; there is no backend");
        let sessions = here.json(&["session", "list", "--user", "alice"]);
        let id = sessions[0]["id"].as_str().unwrap();
        let arguments: Vec<_> = command.iter().map(|word| if *word == "ID" { id } else { word }).collect();
        here.ok(&arguments);
        answers_soon(&gateway, &alice, ("/app/x", 401), &arguments);
        assert_eq!(gateway.status("/app/x", &root), 502, "{command:?} ended somebody else's session");
        here.ok(&["user", "enable", "alice"]);
        here.ok(&["user", "edit", "alice", "--valid-until", "none"]);
    }
}

#[test]
fn sess_3_remember_a_device_is_listed_and_ended_by_command() {
    let here = Installation::with_a_user();
    let gateway = here.serve();
    let root = gateway.sign_in_remembered("root");
    assert_eq!(gateway.status("/app/x", &root), 502, "signed in; there is no backend");
    let devices = here.json(&["session", "list", "--devices", "--user", "root"]);
    let (device, session) = (&devices[0], &here.json(&["session", "list"])[0]);
    assert_eq!(
        (&device["user"], &session["level"], &session["device"]),
        (&"root".into(), &"password".into(), &device["id"])
    );
    for key in ["auth_time", "created_at", "last_seen", "expires_at", "address", "user_agent"] {
        assert!(device.get(key).is_some(), "{key}: {device}");
    }
    let id = device["id"].as_str().unwrap();
    assert!(here.ok(&["session", "list", "--devices"]).contains(id));
    let arguments = ["session", "end", "--device", id];
    assert_eq!(here.ok(&arguments).trim(), "ended 1");
    answers_soon(&gateway, &root, ("/app/x", 401), &arguments);
    let failure = here.fails(&arguments, 1);
    assert!(failure.contains("vantail session list --devices"), "{failure}");
    assert_eq!(here.json(&["session", "list", "--devices"]).as_array().map(Vec::len), Some(0));
}

#[test]
fn sess_3_a_right_given_or_taken_counts_within_a_second() {
    let here = Installation::with_a_user();
    here.ok(&["user", "add", "alice", "--email", "alice@gw.test", "--name", "Alice", "--group", "staff"]);
    // The last token validator's right cannot be taken.
    here.ok(&["user", "grant", "root", "token-validator"]);
    let gateway = here.serve();
    let alice = gateway.sign_in("alice");
    for (command, shown) in [("grant", true), ("revoke", false)] {
        let arguments = ["user", command, "alice", "token-validator"];
        here.ok(&arguments);
        let begin = Instant::now();
        while gateway.page("/secure/operations", &alice).contains("id=\"waiting\"") != shown {
            assert!(begin.elapsed() < Duration::from_secs(3), "{arguments:?} is not seen");
        }
    }
}
