//! PATH-1 to PATH-7, and what holds for any target at all.

use proptest::prelude::*;

use super::*;

fn path(raw: &str) -> Result<String, NotCanonical> {
    CanonicalTarget::parse(raw.as_bytes(), |_| false).map(|target| target.path)
}

fn keys(raw: &str) -> Vec<String> {
    let target = CanonicalTarget::parse(raw.as_bytes(), |_| false).unwrap();
    target.keys().map(str::to_owned).collect()
}

#[test]
fn path_1_dot_segments_are_resolved_before_anybody_judges() {
    for raw in ["/public/../admin/ops", "/public/%2e%2e/admin/ops", "/public/.%2e/admin/ops", "/../admin/ops"] {
        assert_eq!(path(raw).unwrap(), "/admin/ops", "{raw}");
    }
    assert!(path("/public/x/..%2f..%2fadmin/ops").is_err());
    assert_eq!(path("/public../admin/ops").unwrap(), "/public../admin/ops");
}

#[test]
fn path_2_separators_are_merged_and_a_final_slash_changes_no_key() {
    for raw in ["//admin/ops/1", "/admin//ops/1", "/./admin/ops/1", "/admin/./ops/1"] {
        assert_eq!(path(raw).unwrap(), "/admin/ops/1", "{raw}");
    }
    for raw in ["/admin/ops/1", "/admin/ops/1/", "/admin/ops/1/."] {
        assert_eq!(keys(raw), ["/admin/ops/1/"], "{raw}");
    }
}

#[test]
fn path_3_needless_escapes_are_undone() {
    for raw in ["/%61dmin/ops/1", "/adm%69n/ops/1", "/%61%64%6d%69%6e/ops/1", "/admin/%6fps/1"] {
        assert_eq!(path(raw).unwrap(), "/admin/ops/1", "{raw}");
    }
    assert_eq!(path("/caf%c3%a9").unwrap(), "/caf%C3%A9");
}

#[test]
fn path_4_encoded_separators_are_refused() {
    for raw in ["/admin%2fops%2f1", "/admin%2Fops", "/public%5c..%5cadmin", "/public\\..\\admin\\ops"] {
        assert!(path(raw).is_err(), "{raw}");
    }
}

#[test]
fn path_4_an_allowed_encoded_slash_stays_inside_its_segment() {
    let target = CanonicalTarget::parse(b"/files/a%2fb", |path| path.starts_with("/files/")).unwrap();
    assert_eq!(target.as_sent(), "/files/a%2Fb");
    assert_eq!(target.key, "/files/a%2Fb/");
    for raw in [&b"/files/..%2fadmin"[..], b"/files/%2fadmin", b"/files/x%2f.%2fy"] {
        assert!(CanonicalTarget::parse(raw, |_| true).is_err(), "{}", String::from_utf8_lossy(raw));
    }
}

#[test]
fn path_5_the_query_is_not_the_path_and_a_fragment_is_refused() {
    let target = CanonicalTarget::parse(b"/app/p?/public/health", |_| false).unwrap();
    assert_eq!((target.path(), target.query()), ("/app/p", Some("/public/health")));
    assert_eq!(path("/app/p%23/public/health").unwrap(), "/app/p%23/public/health");
    assert!(path("/app/p#/public/health").is_err());
}

#[test]
fn path_6_what_follows_a_semicolon_is_judged_and_cut() {
    assert_eq!(keys("/admin;a=1/ops/1"), ["/admin;a=1/ops/1/", "/admin/ops/1/"]);
    assert_eq!(keys("/admin%3Ba=1/ops"), ["/admin;a=1/ops/", "/admin/ops/"]);
    assert_eq!(keys("/public/..;/admin/ops"), ["/public/..;/admin/ops/", "/admin/ops/"]);
    assert_eq!(keys("/public;/../admin/ops"), ["/admin/ops/"]);
}

#[test]
fn path_7_only_a_path_or_an_http_address_is_a_target() {
    for raw in ["admin/ops", "?/admin", "*x", "*", "", "ftp://gw.test/admin/ops", "http:///admin", "http://a@b/x"] {
        assert!(path(raw).is_err(), "{raw}");
    }
    assert_eq!(path("http://gw.test/admin/ops").unwrap(), "/admin/ops");
    assert_eq!(path("HTTPS://gw.test").unwrap(), "/");
    assert_eq!(absolute_authority(b"http://gw.test:80/admin"), Some(&b"gw.test:80"[..]));
    assert_eq!(absolute_authority(b"/http://gw.test"), None);
}

#[test]
fn what_readers_read_differently_is_refused() {
    for raw in ["/a%", "/a%2", "/a%zz", "/a%00", "/a%0d%0a", "/a%7f", "/a b", "/a?b c", "/a%c0%af", "/a%e0%80%af"] {
        assert!(path(raw).is_err(), "{raw}");
    }
}

#[test]
fn a_reserved_character_meets_its_rule_in_either_spelling() {
    assert_eq!(keys("/user%3Adelete"), keys("/user:delete"));
    assert_eq!(keys("/%25%36%31"), ["/%2561/"]);
}

proptest! {
    #[test]
    fn canonical_of_canonical_is_itself(raw in "/[ -~]{0,40}", slash in any::<bool>()) {
        if let Ok(once) = CanonicalTarget::parse(raw.as_bytes(), |_| slash) {
            let twice = CanonicalTarget::parse(once.as_sent().as_bytes(), |_| slash).unwrap();
            prop_assert_eq!(&once, &twice);
        }
    }

    #[test]
    fn path_1_the_short_way_to_the_canonical_form_leads_where_the_long_one_does(raw in "/[ab./;%2F~:é-]{0,12}") {
        let short = CanonicalTarget::parse(raw.as_bytes(), |_| true);
        let long = CanonicalTarget::of_spelling(raw.as_bytes(), None, |_| true);
        prop_assert_eq!(short, long);
    }

    #[test]
    fn a_canonical_path_has_no_second_reading(raw in proptest::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(target) = CanonicalTarget::parse(&[b"/", &raw[..]].concat(), |_| false) {
            let path = target.path();
            prop_assert!(path.starts_with('/') && !path.contains("//") && path.is_ascii());
            prop_assert!(!path.split('/').any(|segment| segment == "." || segment == ".."));
            prop_assert!(!path.contains('\\') && !path.contains("%2F") && !path.contains("%5C"));
            let twice = CanonicalTarget::parse(target.as_sent().as_bytes(), |_| false).unwrap();
            prop_assert_eq!(&target, &twice);
        }
    }

    #[test]
    fn dots_and_escapes_in_any_mixture_never_climb(
        parts in proptest::collection::vec(
            prop_oneof!["[.]{1,2}", Just("%2e".to_owned()), Just("%2E%2e".to_owned()), "[a-z;]{1,3}", Just(String::new())],
            1..10,
        )
    ) {
        let raw = format!("/{}", parts.join("/"));
        if let Ok(target) = CanonicalTarget::parse(raw.as_bytes(), |_| false) {
            for key in target.keys() {
                prop_assert!(!key.split('/').any(|segment| segment == "." || segment == ".."));
                prop_assert!(!key.contains("//"));
            }
        }
    }
}
