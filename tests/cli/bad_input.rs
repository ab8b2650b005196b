//! What a bad installation is told: which fault, where, and what to do; and that nothing is started or made.

use crate::installation::{self, Installation};

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
    let (certificate, key) = (one.cert.pem(), one.signing_key.serialize_pem());
    for (chain, key, named, remedy) in [
        (None, Some(&key), "chain.pem", "name a PEM file"),
        (Some(&certificate), None, "key.pem", "name a PEM file"),
        (Some(&"no PEM".to_owned()), Some(&key), "chain.pem", "name a PEM file"),
        (Some(&certificate), Some(&"no PEM".to_owned()), "key.pem", "name a PEM file"),
        (Some(&key), Some(&key), "chain.pem", "name a PEM file"),
        (Some(&other.cert.pem()), Some(&key), "chain.pem", "name the key that the certificate was made for"),
    ] {
        for (file, content) in [("chain.pem", chain), ("key.pem", key)] {
            let _ = std::fs::remove_file(here.file(file));
            if let Some(content) = content {
                here.write(file, content);
            }
        }
        for command in [&["serve"][..], &["config", "check"]] {
            let failure = here.fails(command, 2);
            assert!(failure.contains(named) && failure.contains(remedy), "{failure}");
            assert_eq!(failure.lines().count(), 1, "{failure}");
        }
    }
    here.write("chain.pem", &certificate);
    here.write("key.pem", &key);
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

/// Nothing was made, and nobody listens.
fn nothing_began(here: &Installation, why: &str) {
    assert!(!here.file("data").exists(), "{why}: something was made");
    assert!(std::net::TcpStream::connect(here.address()).is_err(), "{why}: somebody listens");
}

#[test]
fn a_configuration_that_cannot_be_read_is_named() {
    let here = Installation::new();
    let file = here.file("vantail.toml");
    for what in ["missing", "a folder", "no text", "no TOML"] {
        let kept = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        match what {
            "a folder" => std::fs::create_dir(&file).unwrap(),
            "no text" => std::fs::write(&file, [0xff, 0xfe, 0x00]).unwrap(),
            "no TOML" => std::fs::write(&file, "listen = [\n").unwrap(),
            _ => {}
        }
        let failure = here.fails(&["serve"], 2);
        assert!(failure.contains("vantail.toml"), "{what}: {failure}");
        assert_eq!(failure.lines().count(), 1, "{what}: {failure}");
        let _ = std::fs::remove_file(&file);
        let _ = std::fs::remove_dir(&file);
        std::fs::write(&file, kept).unwrap();
        nothing_began(&here, what);
    }
}

#[test]
fn a_policy_that_cannot_be_read_is_named() {
    for (what, named) in [("folder", "policies"), ("site", "gw.toml"), ("networks", "networks.toml")] {
        let here = Installation::new();
        match what {
            "folder" => std::fs::remove_dir_all(here.file("policies")).unwrap(),
            "site" => std::fs::write(here.file("policies/sites/gw.toml"), [0xff, 0xfe]).unwrap(),
            _ => here.write("policies/networks.toml", "office = [\"10.0.0.0/33\"]\n"),
        }
        let failure = here.fails(&["serve"], 2);
        assert!(failure.contains(named), "{what}: {failure}");
        assert_eq!(failure.lines().count(), 1, "{what}: {failure}");
        nothing_began(&here, what);
    }
}

#[test]
fn what_contradicts_itself_is_one_fault_each() {
    let here = Installation::new();
    let text = std::fs::read_to_string(here.file("vantail.toml")).unwrap();
    let sms = "[sms]\nprovider = \"http\"\nurl = \"http://127.0.0.1:1/?to=${to}&text=${text}\"\nsecret = \"s3cr3t\"\nsecret_file = \"secret\"\n";
    let keys = "[keys]\nsealing_key_file = \"sealing.key\"";
    here.write("vantail.toml", &format!("{}{sms}", text.replace("[keys]", keys)));
    here.write("secret", "s3cr3t");
    let failure = here.fails(&["serve"], 2);
    assert_eq!(failure.matches("given twice").count(), 2, "{failure}");
    assert_eq!(failure.lines().count(), 2, "{failure}");
    assert!(!failure.contains("s3cr3t"), "{failure}");
    nothing_began(&here, "configuration");

    let here = Installation::new();
    here.write(
        "policies/sites/gw.toml",
        "name = \"gw\"\nhosts = [\"localhost\"]\nbackends = [\"http://127.0.0.1:1\"]\n[[rule]]\nname = \"a\"\npaths = \
         [\"/a\"]\naccess = \"open\"\n[rule.hold]\ntitle = { en = \"A\", fr = \"A\" }\n[[rule]]\nname = \"b\"\npaths = \
         [\"/b\"]\naccess = \"denied\"\nfactors = 2\n",
    );
    let failure = here.fails(&["serve"], 2);
    assert_eq!(failure.lines().count(), 2, "{failure}");
    for place in ["gw.toml:4", "gw.toml:10"] {
        assert!(failure.lines().any(|line| line.contains(&place[..7])), "{place}: {failure}");
    }
    nothing_began(&here, "policy");
}

#[test]
fn every_port_in_use_is_named() {
    let here = Installation::with_a_user();
    let taken = [1, 2].map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let [http, operations] = taken.each_ref().map(|listener| listener.local_addr().unwrap());
    here.configure(http, "");
    let text = std::fs::read_to_string(here.file("vantail.toml")).unwrap();
    here.write("vantail.toml", &text.replace("[listen]", &format!("[listen]\noperations = \"{operations}\"")));
    let failure = here.fails(&["serve"], 1);
    for address in [http, operations] {
        let line = failure.lines().find(|line| line.contains(&address.to_string())).unwrap_or_default();
        assert!(line.contains("another program has that port"), "{address}: {failure}");
    }
    assert_eq!(failure.lines().count(), 2, "{failure}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    // Whoever runs the tests may be allowed to write anywhere; a file in a folder's place stops everybody.
    for (setting, value, named) in [
        ("sqlite:data/vantail.db", "sqlite:blocked/vantail.db", "blocked"),
        ("directory = \"data/keys\"", "directory = \"blocked/keys\"", "blocked"),
    ] {
        let here = Installation::new();
        here.write("blocked", "a file");
        let text = std::fs::read_to_string(here.file("vantail.toml")).unwrap();
        here.write("vantail.toml", &text.replace(setting, value));
        for command in [&["serve"][..], &["user", "list"]] {
            let failure = here.fails(command, 1);
            assert!(failure.contains(named), "{setting}: {failure}");
            assert_eq!(failure.lines().count(), 1, "{setting}: {failure}");
        }
        assert!(!here.file("data/vantail.db").exists(), "{setting}: a database was made");
        assert!(std::net::TcpStream::connect(here.address()).is_err(), "{setting}: somebody listens");
    }
}

#[test]
fn flt_3_a_database_of_a_newer_version_is_named() {
    let here = Installation::with_a_user();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        sqlx::any::install_default_drivers();
        let url = format!("sqlite:{}", here.file("data/vantail.db").display());
        let pool = sqlx::AnyPool::connect(&url).await.unwrap();
        let newer = sqlx::query("UPDATE meta SET value = '9999' WHERE name = 'schema'").execute(&pool).await.unwrap();
        assert_eq!(newer.rows_affected(), 1);
        pool.close().await;
    });
    for command in [&["serve"][..], &["user", "list"], &["store", "migrate"]] {
        let failure = here.fails(command, 1);
        assert!(failure.contains("9999") && failure.contains("newer"), "{command:?}: {failure}");
        assert_eq!(failure.lines().count(), 1, "{command:?}: {failure}");
    }
}
