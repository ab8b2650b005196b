//! `vantail user import`: every format, every kind of fault, and that a fault or a dry run changes nothing.

use serde_json::json;

use crate::installation::Installation;

/// By htpasswd -nbB -C 4 and crypt(3), of "correct horse battery".
const BCRYPT: &str = "$2y$04$Ie9UT1CBmXV.QCeJbu3fPu6XrTpcAwG..4oggPyCgGpCz2yTDET4.";
const CRYPT: &str = "$5$rounds=1000$saltstring$HtDZT8yvklgh8iHEUqaCvT10vnIkaC0O7gM/AACxuaC";

fn names(here: &Installation) -> Vec<String> {
    let users = here.json(&["user", "list"]);
    users.as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_csv_is_imported_and_the_summary_says_who_may_administer() {
    let here = Installation::with_a_user();
    here.write(
        "people.csv",
        &format!(
            "name,email,full_name,phone,groups,rights,password_hash\n\
             alice,alice@gw.test,\"Moreau, Alice\",+33 6 39 98 00 11,staff;admins,administrator;auditor,{BCRYPT}\n\
             bob,bob@gw.test,,,,,{CRYPT}\n\
             carol,carol@gw.test,,,,,\n"
        ),
    );
    let said = here.ok(&["user", "import", "people.csv"]);
    for line in ["added: 3", "without a password: 1", "bcrypt, until they sign in: 1", "administrator: 1 (alice)"] {
        assert!(said.lines().any(|own| own == line), "{line}: {said}");
    }
    assert!(!said.contains("$2y$"), "{said}");
    assert_eq!(names(&here), ["alice", "bob", "carol", "root"]);
    let alice = here.json(&["user", "show", "alice"]);
    assert_eq!((&alice["full_name"], &alice["phone"]), (&json!("Moreau, Alice"), &json!("+33639980011")));
    assert_eq!((&alice["weak_hash"], &alice["rights"]), (&json!("bcrypt"), &json!(["administrator", "auditor"])));
    assert_eq!(here.json(&["user", "show", "root"])["weak_hash"], json!(null));

    let weak = here.json(&["user", "list", "--weak"]);
    let weak: Vec<_> = weak.as_array().unwrap().iter().map(|user| (&user["name"], &user["weak_hash"])).collect();
    assert_eq!(weak, [(&json!("alice"), &json!("bcrypt")), (&json!("bob"), &json!("sha256-crypt"))]);
    let table = here.ok(&["user", "list", "--weak"]);
    assert!(table.contains("sha256-crypt") && !table.contains("carol"), "{table}");
    let trail = here.ok(&["audit", "export", "--format", "jsonl"]);
    assert_eq!(trail.matches("\"because\":\"import\"").count(), 3, "{trail}");
    assert!(!trail.contains("$2y$") && !trail.contains("saltstring"), "{trail}");
    here.ok(&["audit", "verify"]);
}

#[test]
fn a_dry_run_says_the_same_and_writes_nothing() {
    let here = Installation::with_a_user();
    here.write(".htpasswd", &format!("alice:{BCRYPT}\nbob:!\nroot:{BCRYPT}\n"));
    let added = || here.json(&["audit", "list", "--act", "user.added"]);
    let trail = added();
    let arguments = ["user", "import", ".htpasswd", "--email-domain", "gw.test", "--skip-existing", "--json"];
    let dry: Vec<_> = arguments.iter().copied().chain(["--dry-run"]).collect();
    let mut said: serde_json::Value = serde_json::from_str(&here.ok(&dry)).unwrap();
    assert_eq!((names(&here), added()), (vec!["root".to_owned()], trail));
    assert_eq!(
        said,
        json!({
            "dry_run": true, "added": 2, "skipped": ["root"], "passed_over": 0, "without_password": 1, "dropped": [],
            "weak": { "bcrypt": 1 }, "rights": {},
        })
    );
    let done: serde_json::Value = serde_json::from_str(&here.ok(&arguments)).unwrap();
    said["dry_run"] = json!(false);
    assert_eq!(done, said);
    assert_eq!(names(&here), ["alice", "bob", "root"]);
}

#[test]
fn a_shadow_file_and_an_ldif_are_imported() {
    let here = Installation::with_a_user();
    here.write("shadow", &format!("root:*:1:0:9:7:::\nalice:{CRYPT}:1:0:9:7:::\nwww-data:*:1:0:9:7:::\n"));
    here.write("passwd", "root:x:0:0::/:\nalice:x:1000:1000:Alice Moreau,,,:/:\nwww-data:x:33:33::/:\n");
    let shadow = ["user", "import", "shadow", "--passwd", "passwd", "--email-domain", "gw.test"];
    assert!(here.ok(&shadow).contains("no people, passed over: 2"));
    assert_eq!(here.json(&["user", "show", "alice"])["full_name"], "Alice Moreau");
    let ldif = "dn: uid=bob,dc=gw\nobjectClass: inetOrgPerson\nuid: bob\ncn: Bob\nmail: bob@gw.test\nmemberOf: cn=staff,dc=gw\n\
                userPassword: {SSHA}G4kmZiIU3xh2Z84OkUXMMEk2vuVhYmNkZWZnaA==\n";
    let said = here.ok_with_input(&["user", "import", "-", "--groups-from", "memberOf"], ldif);
    assert!(said.contains("ssha, until they sign in: 1"), "{said}");
    assert_eq!(here.json(&["user", "show", "bob"])["groups"], json!(["staff"]));
}

#[test]
fn one_fault_is_enough_that_nobody_is_imported_and_all_are_told() {
    let here = Installation::with_a_user();
    here.write(
        "people.csv",
        "name,email,password_hash\nalice,alice@gw.test,\nROOT,other@gw.test,\nbob,ROOT@gw.test,hunter2\nalice,a2@gw.test,\nx y,x@gw.test,\n",
    );
    let failure = here.fails(&["user", "import", "people.csv"], 1);
    for line in [
        "people.csv: line 3: there is a user “ROOT” already",
        "people.csv: line 4: there is a user with the address “ROOT@gw.test” already",
        "people.csv: line 4: this is no password hash of a known kind",
        "people.csv: line 5: “alice” is on line 2 already",
        "people.csv: line 6: a user name has letters",
        "nobody was imported: 5 fault(s)",
    ] {
        assert!(failure.contains(line), "{line}: {failure}");
    }
    assert!(!failure.contains("hunter2"), "what may be a password is told: {failure}");
    assert_eq!(names(&here), ["root"]);
}

#[test]
fn hashes_that_cannot_be_used_are_dropped_when_asked() {
    let here = Installation::with_a_user();
    here.write("old.htpasswd", "alice:$apr1$abcdefgh$82JubPF2dQkt1tVfvLnXS.\n");
    let arguments = ["user", "import", "old.htpasswd", "--email-domain", "gw.test"];
    assert!(here.fails(&arguments, 1).contains("line 1: a hash of the kind apr1 (MD5) is too weak"));
    let said = here.ok(&[arguments.as_slice(), &["--drop-unusable"]].concat());
    assert!(
        said.contains("line 1: “alice”: a hash of the kind apr1") && said.contains("without a password: 1"),
        "{said}"
    );
    assert_eq!(here.json(&["user", "show", "alice"])["password"], false);
}

#[test]
fn a_use_that_makes_no_sense_is_exit_2() {
    let here = Installation::with_a_user();
    here.write("people.csv", "name,email\nalice,alice@gw.test\n");
    here.write("people", "whatever this is\n");
    here.write("some.htpasswd", "alice:!\n");
    for (arguments, told) in [
        (&["nowhere.csv"][..], "cannot be read"),
        (&["people"], "say it with --format"),
        (&["some.htpasswd"], "--email-domain DOMAIN"),
        (&["some.htpasswd", "--email-domain", "no domain"], "is no domain"),
        (&["people.csv", "--passwd", "people"], "--passwd goes with a shadow file only"),
        (&["people.csv", "--groups-from", "ou"], "--groups-from goes with an LDIF only"),
        (&["people.csv", "--format", "xml"], "csv, htpasswd, shadow, ldif"),
    ] {
        let failure = here.fails(&[&["user", "import"], arguments].concat(), 2);
        assert!(failure.contains(told), "{told}: {failure}");
    }
    let odd = [b"alice:\xff\n".as_slice(), &vec![b'x'; 1 << 20]].concat();
    std::fs::write(here.file("odd.htpasswd"), odd).unwrap();
    let failure = here.fails(&["user", "import", "odd.htpasswd", "--email-domain", "gw.test"], 1);
    assert!(
        failure.contains("line 1: this is not UTF-8") && failure.contains("line 2: the line is longer"),
        "{failure}"
    );
    assert_eq!(names(&here), ["root"]);
}

#[test]
fn ten_thousand_users_are_imported_at_once() {
    let here = Installation::with_a_user();
    let rows = (0..10_000).map(|number| format!("u{number},u{number}@gw.test,staff,{BCRYPT}\n"));
    here.write(
        "many.csv",
        &["name,email,groups,password_hash\n".to_owned()].into_iter().chain(rows).collect::<String>(),
    );
    let begun = std::time::Instant::now();
    let said = here.ok(&["user", "import", "many.csv"]);
    assert!(said.contains("added: 10000"), "{said}");
    assert!(begun.elapsed().as_secs() < 50, "it took {:?}", begun.elapsed());
    here.ok(&["audit", "verify"]);
}

#[test]
fn a_hash_is_made_as_strong_as_configured() {
    let here = Installation::with_a_user();
    let security = "[second_factor]\nrequired = []\n[passwords.hashing]\nmemory = \"24MiB\"\npasses = 3\n";
    here.write("policies/security.toml", security);
    let hash = here.ok_with_input(&["hash-password"], "a long enough password");
    assert!(hash.starts_with("$argon2id$v=19$m=24576,t=3,p=1$"), "{hash}");
    assert_eq!(here.json(&["user", "list", "--weak"])[0]["weak_hash"], "argon2id", "the strength was raised");
    here.write("policies/security.toml", "[second_factor]\nrequired = []\n\n[passwords.hashing]\nmemory = \"8MiB\"\n");
    for command in [&["serve"][..], &["hash-password"], &["policy", "check"]] {
        let failure = here.fails(command, 2);
        assert!(failure.contains("security.toml:5: ") && failure.contains("write memory = \"19MiB\""), "{failure}");
    }
}
