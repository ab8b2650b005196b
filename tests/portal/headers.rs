//! WEB-4: what every page and every refusal carries.

use std::collections::BTreeMap;

use http::StatusCode;

use crate::gate::Gate;
use crate::person::Page;

fn check(path: &str, page: &Page) {
    let policy: BTreeMap<_, _> = page
        .header("content-security-policy")
        .split(';')
        .filter_map(|directive| directive.trim().split_once(' '))
        .collect();
    for none in ["default-src", "frame-ancestors", "object-src", "base-uri"] {
        assert_eq!(policy.get(none), Some(&"'none'"), "{path}: {none}");
    }
    for own in ["script-src", "style-src", "form-action"] {
        assert_eq!(policy.get(own), Some(&"'self'"), "{path}: {own}");
    }
    assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
    assert_eq!(page.header("referrer-policy"), "same-origin", "{path}");
    assert_eq!(page.header("cross-origin-opener-policy"), "same-origin", "{path}");
    assert_eq!(page.header("cache-control"), "no-store", "{path}");
    let age = page.header("strict-transport-security").strip_prefix("max-age=").expect("HSTS");
    assert!(age.parse::<u64>().unwrap() >= 31_536_000, "{path}");
}

#[tokio::test]
async fn web_4_every_page_and_every_refusal_is_locked_down() {
    let gate = Gate::new().await;
    let alice = gate.signed_in("alice").await;
    let mut val = gate.signed_in("val").await;
    let id = gate.held_by(&alice).await;
    let mut alice = alice;
    let mut checked = Vec::new();
    for path in [
        "/secure/",
        "/secure/operations",
        "/secure/operations/12",
        "/secure/account",
        "/secure/account/second-factor",
        "/secure/login/confirm",
        "/secure/logout",
        "/secure/nothing",
        "/secure/login",
        "/secure/api/openapi.json",
    ] {
        let page = val.opens(path).await;
        check(path, &page);
        checked.push(page.status);
    }
    for path in [
        format!("/secure/operations/{id}"),
        format!("/secure/operations/{id}/wait"),
        format!("/secure/api/operations/{id}"),
    ] {
        let page = alice.opens(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        check(&path, &page);
    }
    let mut stranger = gate.stranger();
    for path in ["/secure/", "/secure/login", "/secure/operations", "/secure/nothing"] {
        check(path, &stranger.opens(path).await);
    }
    let mut program = stranger.program();
    let refused = program.opens("/secure/operations").await;
    check("a problem document", &refused);
    assert!(checked.contains(&StatusCode::OK) && checked.contains(&StatusCode::NOT_FOUND));
}

#[tokio::test]
async fn assets_are_kept_for_a_year_under_the_name_of_their_content() {
    let gate = Gate::new().await;
    let mut stranger = gate.stranger();
    let page = stranger.opens("/secure/login").await;
    for before in ["<link rel=\"stylesheet\" href=\"", "<script src=\"", "<img src=\""] {
        let address = page.between(before, "\"").unwrap();
        let asset = stranger.opens(address).await;
        assert_eq!(asset.status, StatusCode::OK, "{address}");
        assert!(
            asset.header("cache-control").contains("immutable") && asset.header("x-content-type-options") == "nosniff"
        );
        let other = stranger.opens(&address.replace('-', "-0")).await;
        assert_eq!(other.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn hsts_is_not_promised_over_plain_http() {
    let gate = Gate::new().await;
    let mut near = gate.stranger();
    (near.secure, near.loopback) = (false, true);
    assert_eq!(near.opens("/secure/login").await.headers.get("strict-transport-security"), None);
}
