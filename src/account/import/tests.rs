use super::*;

/// By htpasswd and by openssl passwd -6, of "correct horse battery".
const BCRYPT: &str = "$2y$04$Ie9UT1CBmXV.QCeJbu3fPu6XrTpcAwG..4oggPyCgGpCz2yTDET4.";
const CRYPT: &str =
    "$6$sea.salt$7bjjb9iQVlA4gFPQZHWT5Jatl3cEYOvKIF0Kqf2zitqno/nprQEJ1J34V.CSCSmePk6SoI9d1z1ZZuKkCiDhV.";

fn domain() -> Options {
    Options { email_domain: Some("example.org".into()), ..Options::default() }
}

fn read_text(format: Format, text: &str) -> Found {
    read(format, text.as_bytes(), &domain())
}

fn told(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// What was found, one a line.
fn people(found: &Found) -> String {
    assert_eq!(told(&found.faults), "");
    let line = |newcomer: &Newcomer| {
        let Newcomer { line, name, email, full_name, groups, .. } = newcomer;
        let hash = newcomer.password.as_ref().map_or("-", Foreign::algorithm);
        let phone = newcomer.phone.as_ref().map_or("-", Phone::as_str);
        format!("{line}: {name} <{email}> “{full_name}” {phone} {groups:?} {hash}")
    };
    found.newcomers.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_csv_has_its_columns_in_any_order() {
    let found = read_text(
        Format::Csv,
        &format!(
            "\u{feff}Email, name,rights,groups,full_name,phone,language,state,valid_from,valid_until,password_hash\r\n\
             alice@example.org,alice,auditor; token-validator,staff; admins,\"Martin, Alice\",+33 6 39 98 00 11,fr,active,,2027-01-31,{BCRYPT}\r\n\
             \r\n\
             ,bob,,,,,,disabled,2027-01-31T08:00:00Z,,\r\n"
        ),
    );
    insta::assert_snapshot!(people(&found), @r#"
    2: alice <alice@example.org> “Martin, Alice” +33639980011 ["staff", "admins"] bcrypt
    4: bob <bob@example.org> “bob” - [] -
    "#);
    let [alice, bob] = &found.newcomers[..] else { panic!("{found:?}") };
    assert_eq!(alice.rights, [Right::Auditor, Right::TokenValidator]);
    assert_eq!((alice.language.as_deref(), alice.state, alice.valid_from), (Some("fr"), UserState::Active, None));
    assert_eq!(alice.valid_until, Some(Timestamp::from_secs(1_801_353_600)));
    assert_eq!((bob.state, bob.valid_from), (UserState::Disabled, Some(Timestamp::from_secs(1_801_382_400))));
}

#[test]
fn every_fault_of_a_csv_is_told_with_its_line() {
    let long = "x".repeat(5000);
    let found = read(
        Format::Csv,
        format!(
            "name,email,full_name,phone,language,groups,rights,password_hash,valid_from,valid_until,state\n\
             a b,a@example.org,,,,,,,,,\n\
             bob,bob,,,,,,,,,\n\
             carol,carol@example.org,Caro\u{202e}lorac,0612,de,\"sta\u{200b}ff;a,b\",king;auditor,hunter2,soon,31/01/2027,asleep\n\
             dora,dora@example.org,,,,,,$1$abcdefgh$znAnv9M.XU2pRYfmSs46h/,,,\n\
             erin,erin@example.org\n\
             BOB,other@example.org,,,,,,,,,\n\
             frank,Dora@Example.org,,,,,,,,,\n\
             gwen,,,,,,,,,,\n\
             ,,,,,,,,,,\n\
             \"hal\",hal@example.org,{long},,,,,,,,\n\
             ivy,ivy@example.org,,,,,,$2b$31$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS,,,\n"
        )
        .as_bytes(),
        &Options::default(),
    );
    insta::assert_snapshot!(told(&found.faults), @r#"
    line 2: a user name has letters, digits, '.', '_' and '-' only; correct “a b”
    line 3: a mail address is written name@domain; correct “bob”
    line 4: a full name has 1 to 100 characters, all of them printable
    line 4: a group has 1 to 100 characters, all of them printable
    line 4: a language is en or fr
    line 4: this is no password hash of a known kind; empty it, or import such users without a password: --drop-unusable
    line 4: a phone number is written +33612345678; correct it, or leave it out
    line 4: there is no right “king”; known are: administrator, settings, token-validator, client-creator, client-manager, auditor
    line 4: “asleep” is no state; write active or disabled
    line 4: “soon” is no date; write 2027-01-31 or 2027-01-31T08:00:00Z
    line 4: “31/01/2027” is no date; write 2027-01-31 or 2027-01-31T08:00:00Z
    line 5: a hash of the kind MD5-crypt is too weak to be trusted; empty it, or import such users without a password: --drop-unusable
    line 6: there are 2 cells under 11 columns; put quotes around a comma
    line 7: “BOB” is on line 3 already; leave one of them
    line 8: “Dora@Example.org” is on line 5 already; leave one of them
    line 9: there is no mail address; give one, or a domain with --email-domain
    line 10: there is no mail address; give one, or a domain with --email-domain
    line 10: a user name has 1 to 64 characters; correct “”
    line 10: a full name has 1 to 100 characters, all of them printable
    line 11: a cell is longer than 4 KiB; is a closing quote missing?
    line 12: this bcrypt hash would take too long to check; empty it, or import such users without a password: --drop-unusable
    "#);
}

#[test]
fn a_header_with_faults_tells_them_alone() {
    for header in ["", "name;email\nx;y\n", "name,email,password,name\na,b,c,d\n"] {
        let found = read_text(Format::Csv, header);
        assert!(!found.faults.is_empty() && found.faults.iter().all(|fault| fault.line == 1), "{header}: {found:?}");
    }
    let found = read_text(Format::Csv, "name,mail,pass\u{1b}[2Jword,name\n");
    insta::assert_snapshot!(told(&found.faults), @r#"
    line 1: there is no column “mail”; remove it, known are: name, email, full_name, phone, language, groups, rights, password_hash, valid_from, valid_until, state
    line 1: there is no column “pass[2jword”; remove it, known are: name, email, full_name, phone, language, groups, rights, password_hash, valid_from, valid_until, state
    line 1: the column “name” is there twice; remove one
    line 1: the column “email” is missing; the first line names the columns, with commas
    "#);
}

#[test]
fn an_htpasswd_has_names_and_hashes() {
    let found = read_text(Format::Htpasswd, &format!("# users\n\nalice:{BCRYPT}\r\nbob:\ncarol:!\n"));
    insta::assert_snapshot!(people(&found), @r#"
    3: alice <alice@example.org> “alice” - [] bcrypt
    4: bob <bob@example.org> “bob” - [] -
    5: carol <carol@example.org> “carol” - [] -
    "#);
    let found = read_text(
        Format::Htpasswd,
        "alice:$apr1$abcdefgh$82JubPF2dQkt1tVfvLnXS.\nbob\ndora@x.org:!\ncarol:rl.3StKT.4T8M\n",
    );
    insta::assert_snapshot!(told(&found.faults), @r#"
    line 1: a hash of the kind apr1 (MD5) is too weak to be trusted; empty it, or import such users without a password: --drop-unusable
    line 2: this is not name:hash; is this an htpasswd file?
    line 3: a mail address is written name@domain; correct “dora@x.org@example.org”
    line 3: a user name has letters, digits, '.', '_' and '-' only; correct “dora@x.org”
    line 4: a hash of the kind DES-crypt is too weak to be trusted; empty it, or import such users without a password: --drop-unusable
    "#);
    let options = Options { drop_unusable: true, ..domain() };
    let found = read(Format::Htpasswd, b"alice:$apr1$abcdefgh$82JubPF2dQkt1tVfvLnXS.\n", &options);
    assert!(found.newcomers[0].password.is_none() && found.faults.is_empty());
    insta::assert_snapshot!(told(&found.dropped), @r#"line 1: “alice”: a hash of the kind apr1 (MD5) is too weak to be trusted: without a password"#);
}

const SHADOW: &str = "root:$6$sea.salt$7bjjb9iQVlA4gFPQZHWT5Jatl3cEYOvKIF0Kqf2zitqno/nprQEJ1J34V.CSCSmePk6SoI9d1z1ZZuKkCiDhV.:19000:0:99999:7:::\n\
    daemon:*:19000:0:99999:7:::\n\
    +::::::::\n\
    alice:$6$sea.salt$7bjjb9iQVlA4gFPQZHWT5Jatl3cEYOvKIF0Kqf2zitqno/nprQEJ1J34V.CSCSmePk6SoI9d1z1ZZuKkCiDhV.:0:0:99999:7::20849:\n\
    bob:!$6$sea.salt$7bjjb9iQVlA4gFPQZHWT5Jatl3cEYOvKIF0Kqf2zitqno/nprQEJ1J34V.CSCSmePk6SoI9d1z1ZZuKkCiDhV.:19000:0:99999:7:::\n";

#[test]
fn a_shadow_file_has_people_and_services() {
    let found = read_text(Format::Shadow, SHADOW);
    insta::assert_snapshot!(people(&found), @r#"
    4: alice <alice@example.org> “alice” - [] sha512-crypt
    5: bob <bob@example.org> “bob” - [] -
    "#);
    assert_eq!(found.passed_over, 3);
    let alice = &found.newcomers[0];
    assert!(alice.password_must_change, "the day of the last change is 0");
    assert_eq!(alice.valid_until.unwrap().to_string(), "2027-01-31T00:00:00Z");
    assert!(!found.newcomers[1].password_must_change);
    let found = read_text(Format::Shadow, "alice:!:1:2\nbob:$6$x:::::::\ncarol:!x:1:0:1:7::soon:\n");
    insta::assert_snapshot!(told(&found.faults), @r#"
    line 1: a line of shadow has nine fields; is this a shadow file?
    line 2: this sha512-crypt hash is damaged; empty it, or import such users without a password: --drop-unusable
    line 3: the day it expires is no number; correct the eighth field, or empty it
    "#);
}

#[test]
fn passwd_tells_full_names_and_who_is_a_person() {
    let passwd = "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/:/bin/false\n\
                  alice:x:1000:1000:Alice Martin,room 4,,:/home/alice:/bin/bash\nbob:x:999:999:Bob:/:/bin/sh\n";
    let options = Options { passwd: Some(passwd.into()), ..domain() };
    let found = read(Format::Shadow, SHADOW.as_bytes(), &options);
    insta::assert_snapshot!(people(&found), @r#"4: alice <alice@example.org> “Alice Martin” - [] sha512-crypt"#);
    assert_eq!(found.passed_over, 4);
    let options = Options { passwd: Some(b"root:x:0:0:root:/root:/bin/bash\n".to_vec()), ..domain() };
    let found = read(Format::Shadow, SHADOW.as_bytes(), &options);
    insta::assert_snapshot!(told(&found.faults), @r#"
    line 2: “daemon” is not in the passwd file; name the one that belongs to it
    line 4: “alice” is not in the passwd file; name the one that belongs to it
    line 5: “bob” is not in the passwd file; name the one that belongs to it
    "#);
}

const LDIF: &str = "version: 1\n\
    # an export\n of ours\n\
    dn: ou=people,dc=example,dc=org\nobjectClass: organizationalUnit\nou: people\n\n\
    dn: uid=alice,ou=people,dc=example,dc=org\nobjectClass: top\nobjectClass: inetOrgPerson\nuid: alice\ncn: Alice\n\
    displayName:: QWxpY2UgTcOpbm\n FyZA==\ncn;lang-fr: Autre\nmail: alice@exam\n ple.org\ntelephoneNumber: +33 1 23 45 67 89\nmobile: +33 6 39 98 00 11\n\
    memberOf: cn=staff,ou=groups,dc=example,dc=org\nMemberOf: cn=a\\2C b\\+c,dc=example\nou: Accounting\n\
    userPassword:: e1NTSEF9RzRrbVppSVUzeGgyWjg0T2tVWE1NRWsydnVWaFltTmtaV1puYUE9PQ==\njpegPhoto:: /9j/4AA=\n\n\n\
    dn:: dWlkPWJvYg==\nuid: bob\nsn: Bob\n\n\
    search: 2\nresult: 0 Success\n";

#[test]
fn an_ldif_has_people_folded_and_encoded() {
    let found = read_text(Format::Ldif, LDIF);
    insta::assert_snapshot!(people(&found), @r#"
    8: alice <alice@example.org> “Alice Ménard” +33639980011 [] ssha
    27: bob <bob@example.org> “bob” - [] -
    "#);
    assert_eq!(found.passed_over, 1);
    for (from, groups) in [(GroupsFrom::Ou, "Accounting"), (GroupsFrom::MemberOf, "staff")] {
        let options = Options { groups_from: Some(from), ..domain() };
        let text = LDIF.replace("MemberOf: cn=a\\2C b\\+c,dc=example\n", "");
        let found = read(Format::Ldif, text.as_bytes(), &options);
        assert_eq!(found.newcomers[0].groups, [groups], "{}", told(&found.faults));
    }
    let crlf = LDIF.replace('\n', "\r\n");
    assert_eq!(people(&read_text(Format::Ldif, &crlf)), people(&found));
}

#[test]
fn every_fault_of_an_ldif_is_told_with_its_line() {
    let text = " goes on\n\
        dn: uid=a\nuid: a\nuserPassword:: %%%\n\n\
        dn: uid=b\nuid: b\njpegPhoto:< file:///etc/shadow\nuserPassword:< file:///etc/shadow\n\n\
        dn: uid=c\nchangetype: modify\nuid: c\n\n\
        uid: d\n\n\
        dn: cn=e\nobjectClass: person\ncn: e\n\n\
        dn: uid=f\nuid: f\nuserPassword: {SSHA}G4kmZiIU3xh2Z84OkUXMMEk2vuVhYmNkZWZnaA==\nuserPassword: hunter2\n\n\
        dn: uid=g\nuid: g\nuserPassword: hunter2\nno colon\n\n\
        dn: uid=h\nuid:: aAA=\ncn:: /////w==\n\n\
        dn: uid=i\nuid: i\nmemberOf: cn=a\\2C b,dc=example\n";
    let options = Options { groups_from: Some(GroupsFrom::MemberOf), ..domain() };
    let found = read(Format::Ldif, text.as_bytes(), &options);
    insta::assert_snapshot!(told(&found.faults), @r#"
    line 1: a line begins with a space and goes on with nothing; remove the space
    line 4: the value is not base64; correct it
    line 9: the value stands in another file, which is not read; put it here
    line 11: this changes an entry instead of telling one; export the entries themselves
    line 15: an entry begins with dn: …; is an empty line missing, or too many?
    line 17: this person has no uid, which is the user name; add one, or remove the entry
    line 21: this person has several values of userPassword; leave one
    line 26: this is no password hash of a known kind; empty it, or import such users without a password: --drop-unusable
    line 29: this is not attribute: value; is this an LDIF file?
    line 32: there is a NUL byte in the value; remove it
    line 35: a group has no comma, and no space at its ends
    "#);
}

#[test]
fn what_is_no_fit_text_is_refused_before_it_is_read() {
    let long = [b"alice:".as_slice(), &vec![b'x'; 1 << 20]].concat();
    for (file, what) in [
        (b"alice:x\nbo\0b:x\n".as_slice(), "line 2: there is a NUL byte"),
        (b"alice:x\n\nbob:\xff\n", "line 3: this is not UTF-8"),
        (&long, "line 1: the line is longer than 64 KiB"),
        (&vec![b'\n'; LONGEST_FILE + 1], "line 1: the file is longer than 64 MiB"),
    ] {
        for format in [Format::Csv, Format::Htpasswd, Format::Shadow, Format::Ldif] {
            let found = read(format, file, &domain());
            assert!(told(&found.faults).starts_with(what) && found.newcomers.is_empty(), "{}", told(&found.faults));
        }
    }
    let many = "a:!\n".repeat(MOST_PEOPLE + 1);
    let found = read_text(Format::Htpasswd, &many);
    assert_eq!(told(&found.faults), "line 100001: there are more than 100000 people in it; import them in parts");
    let binary = Options { passwd: Some(vec![0xff]), ..domain() };
    assert_eq!(read(Format::Shadow, SHADOW.as_bytes(), &binary).faults.len(), 1);
}

#[test]
fn a_format_is_guessed_by_name_then_by_content() {
    for (name, text, format) in [
        ("users.csv", "", Some(Format::Csv)),
        ("/etc/apache2/.htpasswd", "", Some(Format::Htpasswd)),
        ("/etc/shadow", "", Some(Format::Shadow)),
        ("export.LDIF", "", Some(Format::Ldif)),
        ("export", "# c\n\nversion: 1\n", Some(Format::Ldif)),
        ("export", "dn: uid=a\n", Some(Format::Ldif)),
        ("export", "\u{feff}Email,\"Name\"\n", Some(Format::Csv)),
        ("export.txt", "alice:x\n", Some(Format::Htpasswd)),
        ("export.txt", SHADOW, Some(Format::Shadow)),
        ("export", "what is this\n", None),
        ("export", "", None),
    ] {
        assert_eq!(guess(Some(Path::new(name)), text.as_bytes()), format, "{name}: {text}");
    }
    assert_eq!(guess(None, CRYPT.as_bytes()), None);
}

#[test]
fn nothing_secret_is_printed() {
    let found = read_text(Format::Csv, &format!("name,email,phone,password_hash\na,a@b.org,+33639980011,{BCRYPT}\n"));
    let printed = format!("{found:?}");
    assert!(!printed.contains("$2y$") && !printed.contains("639980011"), "{printed}");
}
