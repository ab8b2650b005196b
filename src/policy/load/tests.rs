use super::*;
use crate::policy::Security;

const HEAD: &str = "name = \"s\"\nhosts = [\"s.test\"]\nbackends = [\"http://127.0.0.1:9\"]\n";
const NETWORKS: &str = "office = [\"192.0.2.0/24\"]\nhome = [\"198.51.100.0/24\"]\nnobody = []\n";

fn texts(sites: &[&str], security: &str) -> Texts {
    let site = |(index, text): (usize, &&str)| (PathBuf::from(format!("s{index}.toml")), (*text).to_owned());
    Texts {
        networks: Some(("networks.toml".into(), NETWORKS.to_owned())),
        security: Some(("security.toml".into(), security.to_owned())),
        sites: sites.iter().enumerate().map(site).collect(),
        ..Texts::default()
    }
}

/// The faults of a site whose lines from 4 on are `rules`.
fn faults(rules: &str) -> String {
    let text = format!("{HEAD}{rules}");
    told(&check(&texts(&[&text], "")).unwrap_err())
}

fn told(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn sound(rules: &str) -> (Policy, Vec<Warning>) {
    check(&texts(&[&format!("{HEAD}{rules}")], "")).unwrap_or_else(|faults| panic!("{}", told(&faults)))
}

#[test]
fn every_fault_of_a_rule_is_told_at_once_with_line_and_remedy() {
    let found = faults(
        r#"[[rule]]
name = "one"
methods = ["get", "CONNECT", "PURGE"]
paths = ["static/**", "/x{id}"]
acces = "open"
networks = ["ofice"]
[[rule]]
name = "two"
paths = ["/two"]
access = "open"
groups = ["admins"]
factors = 3
fresh = "soon"
[rule.hold]
title = { en = "Two {id}", de = "Zwei" }
confirmations = 0
expires = 0
[[rule]]
name = "two"
paths = ["/three"]
access = "signed-in"
networks = ["nobody"]
form = { action = "{a" }
"#,
    );
    insta::assert_snapshot!(found, @r#"
    s0.toml:4: `access` is missing; add `access`: `open`: anybody; `signed-in`: a live session; `denied`: nobody.
    s0.toml:6: unknown method `get`; write one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, in capitals
    s0.toml:6: CONNECT is never forwarded; remove it: such requests are refused with 405
    s0.toml:6: unknown method `PURGE`; write one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, in capitals
    s0.toml:7: a path pattern starts with `/`; write the whole path, as in "/admin/**"
    s0.toml:7: braces stand for a whole segment; write {name} alone between two `/`, letters, digits and _
    s0.toml:8: unknown key `acces`; did you mean `access`?
    s0.toml:9: there is no network called `ofice`; add it to networks.toml, or use one of: home, nobody, office
    s0.toml:14: `groups` says who among those signed in, and the rule asks nobody to sign in; write access = "signed-in", or remove it
    s0.toml:15: `factors` cannot be 3; write a number from 1 to 2
    s0.toml:16: this is not a duration; write a duration like "90s", "15m", "12h" or "30d"
    s0.toml:16: `fresh` says who among those signed in, and the rule asks nobody to sign in; write access = "signed-in", or remove it
    s0.toml:17: an open rule cannot hold: nobody is known to have asked; write access = "signed-in", or remove [rule.hold]
    s0.toml:18: unknown key `de`; remove it; known here: en, fr
    s0.toml:18: the title uses {id}, which none of the rule's paths names; write {id} as a segment of a path, or take it out of the title
    s0.toml:19: `confirmations` cannot be 0; write a number from 1 to 20
    s0.toml:20: `expires` cannot be off; write a duration like "15m"
    s0.toml:22: the rule's name `two` is taken by a rule before it; give each rule of the site a name of its own
    s0.toml:25: these networks hold no address, so nobody could ever come in; leave `networks` out, or name some
    s0.toml:26: the glob `{a` cannot be read: error parsing glob '{a': unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?); use `*`, `?`, `{a,b}`, `[abc]`
    "#);
}

#[test]
fn every_fault_of_a_site_is_told() {
    let text = "name = \"a b\"\nhosts = [\"http://s.test\", \"s.test:80\", \"é.test\"]\nbackends = [\"10.0.0.1:80\", \"http://h/x\", \"ftp://h\"]\n\
        networks = [\"nowhere\"]\nencoded_slash = [\"x\"]\n[headers]\nuser = \"Host\"\nname = \"Remote_Email\"\n";
    insta::assert_snapshot!(told(&check(&texts(&[text], "")).unwrap_err()), @r#"
    s0.toml: the site has no rule, so every request is refused; add a [[rule]]
    s0.toml:1: the site's name is empty or holds blanks; give it a short name, like "crm"
    s0.toml:2: `http://s.test` is not a host name; write the name alone, without http://, port or path
    s0.toml:2: `s.test:80` is not a host name; write the name alone, without http://, port or path
    s0.toml:2: `é.test` is not a host name; write it as the browser sends it, in its xn-- form
    s0.toml:3: `10.0.0.1:80` is not a backend's address; write it like "http://10.0.0.5:8000", without a path
    s0.toml:3: `http://h/x` is not a backend's address; write it like "http://10.0.0.5:8000", without a path
    s0.toml:3: `ftp://h` is not a backend's address; write it like "http://10.0.0.5:8000", without a path
    s0.toml:4: there is no network called `nowhere`; add it to networks.toml, or use one of: home, nobody, office
    s0.toml:5: a path pattern starts with `/`; write the whole path, as in "/admin/**"
    s0.toml:6: two identity headers have the same name; give each its own; `-` and `_` do not tell them apart
    s0.toml:7: `host` is a header of HTTP itself; choose another name, like "Remote-User"
    "#);
}

#[test]
fn a_rule_that_can_never_match_is_a_fault() {
    let found = faults(
        "[[rule]]\nname = \"all\"\npaths = [\"/**\"]\naccess = \"signed-in\"\n\
         [[rule]]\nname = \"late\"\nmethods = [\"POST\"]\npaths = [\"/admin/{id}\"]\naccess = \"denied\"\n",
    );
    insta::assert_snapshot!(
        found,
        @"s0.toml:11: the rule `late` can never match: `all` match everything it would; move it before them, or remove it"
    );
}

#[test]
fn rules_that_together_leave_nothing_are_seen() {
    let found = faults(
        "[[rule]]\nname = \"reads\"\nmethods = [\"GET\", \"OPTIONS\"]\npaths = [\"/a/**\"]\naccess = \"signed-in\"\n\
         [[rule]]\nname = \"writes\"\nmethods = [\"POST\", \"PUT\", \"PATCH\", \"DELETE\"]\npaths = [\"/a/**\"]\naccess = \"signed-in\"\n\
         [[rule]]\nname = \"late\"\npaths = [\"/a/b\"]\naccess = \"denied\"\n",
    );
    assert!(found.contains("`reads`, `writes` match everything it would"), "{found}");
}

#[test]
fn a_rule_with_other_conditions_or_that_only_reports_is_in_nobodys_way() {
    sound(
        "[[rule]]\nname = \"some\"\npaths = [\"/a\"]\nquery = { x = \"1\" }\naccess = \"signed-in\"\n\
         [[rule]]\nname = \"tried\"\npaths = [\"/**\"]\naccess = \"denied\"\nreport_only = true\n\
         [[rule]]\nname = \"rest\"\npaths = [\"/a\"]\naccess = \"signed-in\"\n",
    );
}

#[test]
fn a_path_that_can_never_match_is_a_warning() {
    let (_, warnings) = sound(
        "[[rule]]\nname = \"a\"\npaths = [\"/a/**\"]\naccess = \"signed-in\"\n\
         [[rule]]\nname = \"b\"\npaths = [\"/a/x\", \"/b\"]\naccess = \"denied\"\n",
    );
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].0.line, 10);
    assert!(warnings[0].0.what.contains("`/a/x`"), "{}", warnings[0]);
}

#[test]
fn networks_without_a_common_address_are_a_fault() {
    let found = faults(
        "networks = [\"office\"]\n[[rule]]\nname = \"a\"\npaths = [\"/a\"]\naccess = \"signed-in\"\nnetworks = [\"home\"]\n",
    );
    assert!(found.starts_with("s0.toml:9: the rule's networks and the site's have no address in common"), "{found}");
}

#[test]
fn names_and_hosts_are_taken_once() {
    let rule = "[[rule]]\nname = \"a\"\naccess = \"signed-in\"\n";
    let one = format!("{HEAD}{rule}");
    let other = format!("name = \"s\"\nhosts = [\"S.test.\"]\nbackends = [\"http://127.0.0.1:9\"]\n{rule}");
    insta::assert_snapshot!(told(&check(&texts(&[&one, &other], "")).unwrap_err()), @r#"
    s1.toml:1: the site's name `s` is taken by s0.toml; give each site a name of its own
    s1.toml:2: the host `s.test` is served already, by s0.toml; list each host in one site, once
    "#);
}

#[test]
fn a_site_without_rules_and_a_folder_without_sites_are_faults() {
    assert!(faults("").contains("the site has no rule"));
    let folder = tempfile::tempdir().unwrap();
    assert!(load(folder.path()).is_err());
    std::fs::create_dir(folder.path().join("sites")).unwrap();
    assert!(told(&load(folder.path()).unwrap_err()).contains("there is no site"));
}

#[test]
fn security_has_its_defaults_and_zero_is_off() {
    let security = |text: &str| {
        check(&texts(&[&format!("{HEAD}[[rule]]\nname = \"a\"\naccess = \"signed-in\"\n")], text))
            .map(|loaded| loaded.0.security)
    };
    let default = security("").unwrap();
    assert_eq!((default.lockout.attempts, default.passwords.minimum_length), (5, 12));
    assert_eq!(default.sessions.idle, Some(std::time::Duration::from_mins(15)));
    let month = Some(std::time::Duration::from_hours(30 * 24));
    assert_eq!((default.sessions.remember, default.sessions.remembered_idle), (month, month));
    let off = security(
        "[lockout]\nminutes = 0\n[sessions]\nidle = 0\nremember = 0\nremembered_idle = \"0s\"\nmaximum_per_user = 0\n[second_factor]\nrequired = []\n",
    )
    .unwrap();
    assert_eq!((off.lockout.attempts, off.sessions.idle, off.sessions.maximum_per_user), (0, None, None));
    assert_eq!((off.sessions.remember, off.sessions.remembered_idle), (None, None));
    let wrong = security(
        "profile = \"pci-dss\"\n[reset]\nforgot_password = true\n[sessions]\nlifetime = 0\nremembers = \"30d\"\n\
         [second_factor]\nrequired = [\"right:boss\", \"admins\", \"group:a\"]\nhidden = [\"group:a\"]\n\
         [holding]\ntoken_attempts = 0\nbody_limit = \"1TB\"\nanswer_limit = \"1GiB\"\nmemory = \"1000KiB\"\n",
    );
    insta::assert_snapshot!(told(&wrong.unwrap_err()), @r#"
    security.toml:2: unknown key `reset`; remove it; known here: profile, passwords, advanced, lockout, sessions, second_factor, holding
    security.toml:5: `lifetime` cannot be off; write a duration like "15m"
    security.toml:6: unknown key `remembers`; did you mean `remember`?
    security.toml:8: there is no right `boss`; write "right:administrator", "right:token-validator" or "group:NAME"
    security.toml:8: `admins` is neither a right nor a group; write "right:administrator", "right:token-validator" or "group:NAME"
    security.toml:9: a second factor is both required and hidden; take it out of `hidden`, or out of `required`
    security.toml:11: `token_attempts` cannot be off; write a number like 5
    security.toml:12: this is not a size; write a size like "64KiB" or "1MiB", or a number of bytes
    security.toml:13: this is larger than the database should hold; write 64MiB or less
    security.toml:14: `memory` has no room for one body of `body_limit`; write a size like "256MiB"
    "#);
}

/// The security of a sound site.
fn security(text: &str, profiles: &[(&str, &str)]) -> Result<Security, String> {
    let site = format!("{HEAD}[[rule]]\nname = \"a\"\naccess = \"signed-in\"\n");
    let profiles = profiles.iter().map(|(file, text)| (PathBuf::from(file), (*text).to_owned())).collect();
    let texts = Texts { profiles, ..texts(&[&site], text) };
    check(&texts).map(|loaded| loaded.0.security).map_err(|faults| told(&faults))
}

#[test]
fn the_block_of_advanced_settings_is_switched_off_as_one() {
    let days = |count: u64| Some(std::time::Duration::from_hours(24 * count));
    let all = "password_validity_days = 90\nremembered_passwords = 6\nchanges_allowed = 2\nchanges_period_days = 7\n";
    let on = security(&format!("[advanced]\n{all}"), &[]).unwrap().advanced;
    assert_eq!((on.validity, on.remembered), (days(90), 6));
    assert_eq!(on.changes.map(|limit| (limit.allowed, Some(limit.period))), Some((2, days(7))));
    let off = security(&format!("[advanced]\nenabled = false\n{all}"), &[]).unwrap().advanced;
    assert_eq!((off.validity, off.remembered, off.changes), (None, 0, None));
    let default = security("[advanced]\nenabled = true\n", &[]).unwrap().advanced;
    assert_eq!((default.validity, default.remembered, default.changes), (None, 4, None));
    let zero = security("[advanced]\nchanges_allowed = 3\nchanges_period_days = 0\n", &[]).unwrap().advanced;
    assert_eq!(zero.changes, None);
}

#[test]
fn a_profile_stands_in_the_place_of_the_defaults_and_below_what_the_file_says() {
    let pci =
        security("profile = \"pci-dss\"\n[passwords]\nminimum_length = 16\n[lockout]\nattempts = 6\n", &[]).unwrap();
    assert_eq!((pci.passwords.minimum_length, pci.passwords.require_all_classes), (16, true));
    assert_eq!((pci.lockout.attempts, pci.lockout.duration), (6, std::time::Duration::from_mins(30)));
    assert_eq!(pci.advanced.validity, Some(std::time::Duration::from_hours(24 * 90)));
    assert_eq!(pci.sessions.remember, None);
    let own = ("profiles/ours.toml", "[passwords]\nminimum_length = 20\n[second_factor]\nhidden = [\"group:a\"]\n");
    let ours = security("profile = \"ours\"\n[second_factor]\nhidden = []\n", &[own]).unwrap();
    assert_eq!((ours.passwords.minimum_length, ours.second_factor.hidden.len()), (20, 0));
    let replaced = security("profile = \"asvs\"\n", &[("profiles/asvs.toml", "[lockout]\nattempts = 3\n")]).unwrap();
    assert_eq!(
        (replaced.lockout.attempts, replaced.passwords.minimum_length),
        (3, 12),
        "the own file, not the shipped"
    );
}

#[test]
fn every_shipped_profile_is_sound_and_differs_from_the_defaults() {
    for name in ["pci-dss", "hds", "asvs"] {
        let profiled = security(&format!("profile = \"{name}\"\n"), &[]).unwrap_or_else(|faults| panic!("{faults}"));
        assert_ne!(format!("{profiled:?}"), format!("{:?}", security("", &[]).unwrap()), "{name}");
    }
}

#[test]
fn what_is_wrong_with_a_profile_is_told_where_it_stands() {
    let unknown = security("profile = \"pci\"\n", &[("profiles/ours.toml", "")]).unwrap_err();
    insta::assert_snapshot!(
        unknown,
        @"security.toml:1: there is no profile called `pci`; write one of: asvs, hds, ours, pci-dss; or add profiles/pci.toml"
    );
    let text = "profile = \"hds\"\n[lockout]\nattemps = 3\n[sessions]\nlifetime = 0\n";
    let wrong = security("\nprofile = \"ours\"\n", &[("profiles/ours.toml", text)]).unwrap_err();
    insta::assert_snapshot!(wrong, @r#"
    profiles/ours.toml:1: a profile names no other profile; take the line out
    profiles/ours.toml:3: unknown key `attemps`; did you mean `attempts`?
    profiles/ours.toml:5: `lifetime` cannot be off; write a duration like "15m"
    "#);
}

#[test]
fn a_policy_knows_what_it_is_called() {
    let policy = sound("[[rule]]\nname = \"a\"\naccess = \"signed-in\"\n").0;
    assert_eq!(policy.security.passwords.installation, ["s", "s.test"]);
}

#[test]
fn the_version_of_a_rule_changes_with_whatever_bears_on_it_and_with_nothing_else() {
    let rule = "[[rule]]\nname = \"a\"\npaths = [\"/a\"]\naccess = \"signed-in\"\n[rule.hold]\n";
    let version = |text: &str| check(&texts(&[text], "")).unwrap().0.sites[0].rules[0].version.clone();
    let plain = version(&format!("{HEAD}{rule}"));
    assert_eq!(plain, version(&format!("# a remark\n{HEAD}networks = [\"office\"]\n{rule}")));
    for changed in [
        format!("{HEAD}{rule}confirmations = 2\n"),
        format!("{HEAD}path_case = \"insensitive\"\n{rule}"),
        format!("{HEAD}method_override = true\n{rule}"),
        format!("{}{rule}", HEAD.replace(":9", ":10")),
        format!("{HEAD}{}", rule.replace("\"/a\"", "\"/a\", \"/b\"")),
    ] {
        assert_ne!(plain, version(&changed), "{changed}");
    }
}

#[test]
fn a_policy_of_many_rules_is_read_and_decides() {
    let rule = |n| {
        format!("[[rule]]\nname = \"r{n}\"\npaths = [\"/part{n}/**\", \"/x/{{id}}/y{n}\"]\naccess = \"signed-in\"\n")
    };
    let text = HEAD.to_owned() + &(0..200).map(rule).collect::<Vec<_>>().concat();
    let policy = check(&texts(&[&text], "")).unwrap().0;
    let found: Vec<&str> = policy.sites[0].candidates("/x/7/y199/").map(|rule| rule.name.as_str()).collect();
    assert_eq!(found, ["r199"]);
}

#[test]
fn hashing_is_as_strong_as_owasp_asks_and_no_dearer_than_a_sign_in_may_be() {
    let read = |hashing: &str| {
        let site = format!("{HEAD}[[rule]]\nname = \"all\"\npaths = [\"/**\"]\naccess = \"signed-in\"\n");
        check(&texts(&[&site], &format!("[passwords.hashing]\n{hashing}\n")))
            .map(|(policy, _)| policy.security.passwords.hashing)
    };
    for (hashing, expected) in [
        ("", (19_456, 2, 1)),
        ("memory = \"46MiB\"\npasses = 1", (47_104, 1, 1)),
        ("memory = \"12MiB\"\npasses = 3", (12_288, 3, 1)),
        ("memory = \"7MiB\"\npasses = 5\nlanes = 4", (7_168, 5, 4)),
        ("memory = \"7MiB\"\npasses = 32", (7_168, 32, 1)),
        ("memory = \"256MiB\"\npasses = 4", (262_144, 4, 1)),
    ] {
        let strength = read(hashing).unwrap_or_else(|faults| panic!("{hashing}: {}", told(&faults)));
        assert_eq!((strength.memory, strength.passes, strength.lanes), expected, "{hashing}");
    }
    let refused = [
        "memory = \"19455KiB\"",
        "passes = 1",
        "memory = \"8MiB\"\npasses = 4",
        "passes = 0",
        "passes = 33",
        "lanes = 0",
        "memory = \"257MiB\"",
        "memory = \"256MiB\"\npasses = 5",
        "memory = \"much\"",
    ];
    let all: Vec<_> = refused.iter().map(|hashing| told(&read(hashing).unwrap_err())).collect();
    insta::assert_snapshot!(all.join("\n"), @r#"
    security.toml:2: passwords hashed so are guessed too fast: it is below what OWASP asks for; write memory = "19MiB" or more with passes = 2, or leave both out
    security.toml:1: passwords hashed so are guessed too fast: it is below what OWASP asks for; write memory = "46MiB" or more with passes = 1, or leave both out
    security.toml:2: passwords hashed so are guessed too fast: it is below what OWASP asks for; write memory = "9MiB" or more with passes = 4, or leave both out
    security.toml:2: `passes` cannot be 0; write a number from 1 to 32
    security.toml:2: `passes` cannot be 33; write a number from 1 to 32
    security.toml:2: `lanes` cannot be 0; write a number from 1 to 16
    security.toml:2: a sign-in would take too much memory or time; write at most "256MiB" of memory, and so few passes that memory times passes is 1GiB or less
    security.toml:2: a sign-in would take too much memory or time; write at most "256MiB" of memory, and so few passes that memory times passes is 1GiB or less
    security.toml:2: this is not a size; write a size like "64KiB" or "1MiB", or a number of bytes
    "#);
}
