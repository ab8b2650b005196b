use std::sync::Arc;

use super::super::threads::Meter;
use super::super::{Strength, Typed};
use super::*;
use crate::secret::SecretText;

const PASSWORD: &str = "correct horse battery";

/// Hashes of [`PASSWORD`], each by another program than this one.
const KNOWN: [(&str, &str); 24] = [
    // Python 3.11, crypt.crypt (libxcrypt 4.4).
    ("bcrypt", "$2a$04$./ABCDEFGHIJKLMNOPQRSu6.CoYiC9xmBMtak65s8wI8OcmeqR65K"),
    ("bcrypt", "$2b$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS"),
    ("bcrypt", "$2y$05$ABCDEFGHIJKLMNOPQRSTUuDyBlISSAGNGitxXMC6JMYeCBaTqRY0W"),
    // Apache 2.4, htpasswd -nbB -C 4.
    ("bcrypt", "$2y$04$Ie9UT1CBmXV.QCeJbu3fPu6XrTpcAwG..4oggPyCgGpCz2yTDET4."),
    // Python 3.11, crypt.crypt (libxcrypt 4.4).
    ("sha256-crypt", "$5$saltstring$Ei5pjI5XWclFQjLDfGOMwlNh9NsZierSPwLy2XgJds6"),
    ("sha256-crypt", "$5$rounds=1000$saltstring$HtDZT8yvklgh8iHEUqaCvT10vnIkaC0O7gM/AACxuaC"),
    (
        "sha512-crypt",
        "$6$rounds=1234$sixteencharacter$sodtmWlD7IyKJMjg3M08UgwcCXh816MZnVAnjnQBEH3xto/pL1hCJvvnpfISxx1unMAB9FHW0ELcgL0P7nq6./",
    ),
    // OpenSSL 3.0, openssl passwd -5 and -6.
    ("sha256-crypt", "$5$sea.salt$66vUhllpRrUDojlXOwlN8fxHzZfV2QWs/YUPzyMNlp7"),
    (
        "sha512-crypt",
        "$6$sea.salt$7bjjb9iQVlA4gFPQZHWT5Jatl3cEYOvKIF0Kqf2zitqno/nprQEJ1J34V.CSCSmePk6SoI9d1z1ZZuKkCiDhV.",
    ),
    // passlib 1.7.4: ldap_sha512_crypt, pbkdf2_sha256, pbkdf2_sha512, django_pbkdf2_sha256, ldap_salted_sha1, _sha256, _sha512.
    (
        "sha512-crypt",
        "{CRYPT}$6$rounds=1000$abcdefgh$V9yg9CDircrFWO79QHX15LDFbL.3X3FUMs1Ly1PFTq2bjDEvewR0qQTaYLbAkZFGt4LXLyA7KgHzYWniYsQXZ0",
    ),
    ("pbkdf2-sha256", "$pbkdf2-sha256$1000$cGFzc2xpYi1zYWx0$Ipjbm7SZVbDrRexuNvW6IJYj8QlNuX0RSOFepPx6TnU"),
    (
        "pbkdf2-sha512",
        "$pbkdf2-sha512$1000$cGFzc2xpYi1zYWx0$MuRfp8XHlWxHghE.pVh8l1QtvMU8sVsM/2qu5hLgl9UH0.ghvOE4dvjprbPxZhjYGd38WqxNw51Ul7jYQAOaUg",
    ),
    ("pbkdf2-sha256", "pbkdf2_sha256$1000$djangosalt$aX1Qi394+UFj0FScT2DL29ff7Z2hVGgCTFAQ5VTBv6w="),
    ("ssha", "{SSHA}G4kmZiIU3xh2Z84OkUXMMEk2vuVhYmNkZWZnaA=="),
    ("ssha256", "{SSHA256}4txFqgnlGQaU0ZaXElgrRL+xo9PGTjPsk7q82PORF+BhYmNkZWZnaA=="),
    (
        "ssha512",
        "{SSHA512}+PLxmo+ngsPz+SHBy1jGP/7/SlxKVpp+2PkNSkHC2se/AAR1HQQ8ol55umxc2k1iAfJCX/tzT/Fk5eyAm7OQU2FiY2RlZmdo",
    ),
    // Python 3.11, hashlib.pbkdf2_hmac, written as OpenLDAP's pw-pbkdf2 writes it.
    ("pbkdf2-sha256", "{PBKDF2-SHA256}1000$AAECAwQFBgcICQoLDA0ODw$AhaeZ02AwPxykuhhDI8XvhQN8GKvmqM.qF6qvs/98I0"),
    (
        "pbkdf2-sha512",
        "{PBKDF2-SHA512}1000$AAECAwQFBgcICQoLDA0ODw$ToxFUi5y3fprZRW/V6CupR2uIDYfuy5rlsF9Z4E648lE68lw5lzmucru/HdPvmBJDSLroVh1Q2xCvjqd8NI/6Q",
    ),
    // The C reference, argon2 somesalt -i|-d|-id -t 2 -m 8 -p 1 -l 32 -e; the last with -t 3 -p 2 -l 24 -v 10.
    ("argon2i", "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$RAquK13ermzOjNSOG3E5+qbxCgyCUqgHKHV2D6E4/IY"),
    ("argon2d", "$argon2d$v=19$m=256,t=2,p=1$c29tZXNhbHQ$wf+3Cl90adPA65mnf1BbD9O5odMxesHcQAhEfspLl0A"),
    ("argon2id", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$zyGkcknq0tngfkqn9yjGnrZeJOb3Za8uvhBvofDKuoE"),
    ("argon2i", "$argon2i$v=16$m=256,t=3,p=2$c29tZXNhbHQ$ppH+TYpKu7tLpMTx2dBTe0ph8l9+S7eF"),
    // The same as OpenLDAP and Django write it.
    ("argon2id", "{ARGON2}$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$zyGkcknq0tngfkqn9yjGnrZeJOb3Za8uvhBvofDKuoE"),
    ("argon2id", "argon2$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$zyGkcknq0tngfkqn9yjGnrZeJOb3Za8uvhBvofDKuoE"),
];

fn is_of(hash: &str, password: &str) -> bool {
    let mut bench = Bench::new(Strength { memory: 64, passes: 1, lanes: 1 }, Arc::new(Meter::new()));
    let typed = Typed::of(&SecretText::new(password)).unwrap();
    Foreign::read(hash).unwrap_or_else(|why| panic!("{hash}: {why}")).is_of(&typed, &mut bench)
}

fn why(hash: &str) -> Unusable {
    Foreign::read(hash).err().unwrap_or_else(|| panic!("{hash} was taken"))
}

#[test]
fn every_kind_is_that_of_other_programs() {
    for (algorithm, hash) in KNOWN {
        assert!(is_of(hash, PASSWORD), "{hash}");
        for wrong in ["correct horse batterz", "Correct horse battery", "correct horse battery ", ""] {
            assert!(!is_of(hash, wrong), "{wrong:?} is right for {hash}");
        }
        assert_eq!(Foreign::read(hash).unwrap().algorithm(), algorithm, "{hash}");
    }
}

#[test]
fn what_is_stored_is_read_again_and_is_none_of_our_own() {
    for (algorithm, hash) in KNOWN {
        let stored = Foreign::read(hash).unwrap().stored().to_owned();
        let again = Foreign::read(&stored).unwrap();
        assert_eq!((again.stored(), again.algorithm()), (stored.as_str(), algorithm));
        assert!(super::super::phc::Phc::parse(&stored).is_none(), "{stored} would be taken for our own");
        assert!(is_of(&stored, PASSWORD), "{stored}");
    }
}

#[test]
fn a_scheme_is_written_in_any_case() {
    assert!(is_of("{ssha}G4kmZiIU3xh2Z84OkUXMMEk2vuVhYmNkZWZnaA==", PASSWORD));
    assert!(is_of("{crypt}$5$sea.salt$66vUhllpRrUDojlXOwlN8fxHzZfV2QWs/YUPzyMNlp7", PASSWORD));
    assert!(is_of("bcrypt$$2b$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS", PASSWORD));
}

#[test]
fn bcrypt_reads_72_bytes() {
    // Python 3.11, crypt.crypt of 72 x and a tail (libxcrypt 4.4).
    let hash = "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i";
    for tail in ["", "tail", "another tail"] {
        assert!(is_of(hash, &format!("{}{tail}", "x".repeat(72))), "{tail:?}");
    }
    assert!(!is_of(hash, &"x".repeat(71)));
}

#[test]
fn a_nul_makes_no_other_password_of_it() {
    // bcrypt of "a" (jBCrypt's test vectors), whose bytes repeat to those of "a\0a".
    let hash = "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe";
    assert!(is_of(hash, "a"));
    for wrong in ["a\0a", "a\0", "a\0b"] {
        assert!(!is_of(hash, wrong), "{wrong:?}");
    }
    assert!(!is_of("$5$saltstring$Ei5pjI5XWclFQjLDfGOMwlNh9NsZierSPwLy2XgJds6", &format!("{PASSWORD}\0")));
}

#[test]
fn a_long_password_is_read_whole_where_the_kind_does() {
    // Python 3.11, crypt.crypt of 200 y (libxcrypt 4.4).
    let hash = "$6$rounds=1000$saltstring$wV80J5XdTmQjIg0RLKOG58TQOs1ZqgjT7xAQYUhnbtx7evcxOnOIAg5aUbyl2G6aXpWp.MJ2jEnvcPIfSlgDV1";
    assert!(is_of(hash, &"y".repeat(200)));
    assert!(!is_of(hash, &"y".repeat(199)));
}

#[test]
fn a_password_is_tried_as_typed_and_composed() {
    // Python 3.11, crypt.crypt of "cafe", U+0301, " au lait" (libxcrypt 4.4).
    let decomposed = "$6$rounds=1000$saltstring$NhksWvQF.ilrGxNq7fU6jSUHYt/9On8k/UFZhIKct3xoQLLM4QOweWKjguhZ4Ofb6ShYZ.WV6gxbk6zQ4Rwpx.";
    assert!(is_of(decomposed, "cafe\u{301} au lait"));
    // Python 3.11, hashlib: SHA-1 of "caf", U+00E9, "abcdefgh".
    let composed = "{SSHA}kGUShazLBP/HhjhfhXI7doWkwZJhYmNkZWZnaA==";
    assert!(is_of(composed, "caf\u{e9}"), "as it was typed");
    assert!(is_of(composed, "cafe\u{301}"), "as another keyboard types it");
}

#[test]
fn what_would_take_too_long_is_refused() {
    for (hash, algorithm) in [
        ("$2b$15$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS", "bcrypt"),
        ("$2b$31$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS", "bcrypt"),
        ("pbkdf2_sha256$2147483648$djangosalt$aX1Qi394+UFj0FScT2DL29ff7Z2hVGgCTFAQ5VTBv6w=", "pbkdf2-sha256"),
        ("pbkdf2_sha256$1500001$djangosalt$aX1Qi394+UFj0FScT2DL29ff7Z2hVGgCTFAQ5VTBv6w=", "pbkdf2-sha256"),
        ("$5$rounds=999999999$saltstring$HtDZT8yvklgh8iHEUqaCvT10vnIkaC0O7gM/AACxuaC", "sha256-crypt"),
        ("$argon2i$v=19$m=262144,t=5,p=1$c29tZXNhbHQ$RAquK13ermzOjNSOG3E5+qbxCgyCUqgHKHV2D6E4/IY", "argon2i"),
        ("$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$RAquK13ermzOjNSOG3E5+qbxCgyCUqgHKHV2D6E4/IY", "argon2id"),
    ] {
        assert_eq!(why(hash), Unusable::TooCostly(algorithm), "{hash}");
    }
    // Many rounds with a short password are well; each round reads the password.
    let many = "$6$rounds=700000$saltstring$wV80J5XdTmQjIg0RLKOG58TQOs1ZqgjT7xAQYUhnbtx7evcxOnOIAg5aUbyl2G6aXpWp.MJ2jEnvcPIfSlgDV1";
    let begun = std::time::Instant::now();
    assert!(!is_of(many, &"y".repeat(1024)));
    assert!(begun.elapsed() < std::time::Duration::from_millis(100), "it was computed");
}

#[test]
fn what_is_too_weak_locked_or_unknown_is_never_checked() {
    for (hash, expected) in [
        ("", Unusable::Absent),
        ("{CRYPT}", Unusable::Absent),
        ("!", Unusable::Locked),
        ("*", Unusable::Locked),
        ("!$6$sea.salt$7bjjb9iQVlA4gFPQ", Unusable::Locked),
        ("{CRYPT}!!", Unusable::Locked),
        ("x", Unusable::Locked),
        ("$1$abcdefgh$znAnv9M.XU2pRYfmSs46h/", Unusable::TooWeak("MD5-crypt")),
        ("$apr1$abcdefgh$82JubPF2dQkt1tVfvLnXS.", Unusable::TooWeak("apr1 (MD5)")),
        ("{CRYPT}$1$abcdefgh$znAnv9M.XU2pRYfmSs46h/", Unusable::TooWeak("MD5-crypt")),
        ("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", Unusable::TooWeak("SHA-1 without salt")),
        ("{MD5}X03MO1qnZdYdgyfeuILPmQ==", Unusable::TooWeak("MD5")),
        ("rl.3StKT.4T8M", Unusable::TooWeak("DES-crypt")),
        ("5f4dcc3b5aa765d61d8327deb882cf99", Unusable::TooWeak("MD5 or NT")),
        ("$y$j9T$abcdefgh$0123456789", Unusable::Unsupported("yescrypt")),
        ("hunter2", Unusable::Unknown),
        ("correct horse battery", Unusable::Unknown),
        ("{SSHA384}AAAA", Unusable::Unknown),
    ] {
        assert_eq!(why(hash), expected, "{hash}");
        assert!(hash.is_empty() || !why(hash).to_string().contains("hunter2"), "what may be a password is not told");
    }
    assert_eq!(why(&format!("{{SSHA}}{}", "A".repeat(2000))), Unusable::Unknown);
}

#[test]
fn what_is_damaged_is_never_checked() {
    for (algorithm, hash) in KNOWN {
        for cut in 1..12 {
            let letters = hash.trim_end_matches('=');
            let short = &letters[..letters.len() - cut];
            if let Ok(read) = Foreign::read(short) {
                // Base64 and salts of any length leave some that could be whole: they are another password's.
                assert!(!is_of(short, PASSWORD), "{short} ({})", read.algorithm());
            }
        }
        let wider = hash.replace("rounds=", "rounds=+");
        assert!(wider == hash || why(&wider) == Unusable::Damaged(algorithm), "{wider}");
    }
    for damaged in [
        "$2b$03$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS",
        "$2b$4$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS",
        "$2b$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoO",
        "$2b$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQ\u{e9}",
        "$pbkdf2-sha256$0$cGFzc2xpYi1zYWx0$Ipjbm7SZVbDrRexuNvW6IJYj8QlNuX0RSOFepPx6TnU",
        "$pbkdf2-sha256$1000$$Ipjbm7SZVbDrRexuNvW6IJYj8QlNuX0RSOFepPx6TnU",
        "$pbkdf2-sha256$1000$cGFzc2xpYi1zYWx0$Ipjb",
        "$5$rounds=999$saltstring$HtDZT8yvklgh8iHEUqaCvT10vnIkaC0O7gM/AACxuaC",
        "$5$rounds=01000$saltstring$HtDZT8yvklgh8iHEUqaCvT10vnIkaC0O7gM/AACxuaC",
        "$6$saltstring$",
        "{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
        "$argon2i$v=19$m=256,t=2$c29tZXNhbHQ$RAquK13ermzOjNSOG3E5+qbxCgyCUqgHKHV2D6E4/IY",
    ] {
        assert!(matches!(why(damaged), Unusable::Damaged(_)), "{damaged}: {:?}", why(damaged));
    }
}
