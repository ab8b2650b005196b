//! WEB-2 and WEB-3: whose forms are taken, and what cookies look like.

use axum::body::Body;
use http::{Request, StatusCode};

use crate::gate::{Gate, HOST, PASSWORD};
use crate::person::Person;

/// Every address that takes a form, with what would be right in it but for the anti-forgery value.
fn forms(operation: &str) -> Vec<(String, Vec<(&'static str, String)>)> {
    let operations = |act: &str| format!("/secure/operations/{operation}/{act}");
    let one = |name, value: &str| vec![(name, value.to_owned())];
    vec![
        ("/secure/login".into(), vec![("username", "carol".into()), ("password", PASSWORD.into())]),
        ("/secure/login/second-factor".into(), one("code", "123456")),
        ("/secure/login/enrol".into(), one("code", "123456")),
        ("/secure/login/password".into(), vec![("new_password", "x".into()), ("new_password_again", "x".into())]),
        ("/secure/login/confirm".into(), one("password", PASSWORD)),
        ("/secure/logout".into(), vec![]),
        ("/secure/account/second-factor/password".into(), one("password", PASSWORD)),
        ("/secure/account/second-factor/code".into(), one("code", "123456")),
        (operations("confirm"), one("token", "K7QF-2M9X")),
        (operations("new-token"), vec![]),
        (operations("deny"), one("reason", "no")),
        (operations("cancel"), vec![]),
    ]
}

async fn refused(person: &mut Person<'_>, csrf: &str, operation: &str, headers: &[(&str, &str)], told: &str) {
    for (path, fields) in forms(operation) {
        let mut fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        fields.push(("csrf", csrf));
        let answer = person.posts_with(&path, &fields, headers).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} with {headers:?}");
        assert!(answer.body.contains(told), "{path} with {headers:?}: {}", answer.body);
        assert_eq!(answer.headers.get("set-cookie"), None, "{path} with {headers:?} set a cookie");
    }
}

#[tokio::test]
async fn web_2_forms_from_elsewhere_change_nothing() {
    let gate = Gate::new().await;
    let mut alice = gate.signed_in("alice").await;
    let mut val = gate.signed_in("val").await;
    let mut olaf = gate.signed_in("olaf").await;
    let id = gate.held_by(&alice).await;
    let elsewhere = "This form came from somewhere else";
    for person in [&mut alice, &mut val] {
        let csrf = person.opens("/secure/account").await.csrf();
        for foreign in [
            &[("origin", "https://evil")][..],
            &[("origin", "null")],
            &[("origin", "http://gw.test")],
            &[("origin", "https://gw.test.evil")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("origin", "https://gw.test"), ("sec-fetch-site", "cross-site")],
            &[("content-type", "text/plain")],
            &[("content-type", "multipart/form-data; boundary=x")],
        ] {
            refused(person, &csrf, &id, foreign, elsewhere).await;
        }
    }
    let own = [("origin", "https://gw.test"), ("sec-fetch-site", "same-origin")];
    let of_another_session = olaf.opens("/secure/account").await.csrf();
    for csrf in [of_another_session.as_str(), "", "x"] {
        refused(&mut val, csrf, &id, &own, "too old").await;
    }
    assert!(alice.is_in().await && val.is_in().await && olaf.is_in().await);
    assert!(val.opens(&format!("/secure/operations/{id}")).await.body.contains("state waiting"));
}

#[tokio::test]
async fn web_2_a_form_of_another_browser_is_not_taken() {
    let gate = Gate::new().await;
    let (mut mine, mut theirs) = (gate.stranger(), gate.stranger());
    let csrf = theirs.opens("/secure/login").await.csrf();
    mine.opens("/secure/login").await;
    let typed = [("csrf", csrf.as_str()), ("username", "carol"), ("password", PASSWORD), ("return_to", "/app/x")];
    let stale = mine.posts("/secure/login", &typed).await;
    assert_eq!(stale.status, StatusCode::FORBIDDEN);
    assert!(!mine.is_in().await);
    // It is shown again with what was typed, but for the password, and then it is taken.
    assert!(stale.body.contains("value=\"carol\"") && !stale.body.contains(PASSWORD));
    let again = mine.sends_form(&stale, "/secure/login", &[("username", "carol"), ("password", PASSWORD)]).await;
    assert_eq!(again.location(), "/app/x");
}

#[tokio::test]
async fn a_browser_without_cookies_cannot_be_signed_in_by_a_form() {
    let gate = Gate::new().await;
    let mut carol = gate.stranger();
    let csrf = carol.opens("/secure/login").await.csrf();
    carol.cookies.clear();
    let typed = [("csrf", csrf.as_str()), ("username", "carol"), ("password", PASSWORD)];
    assert_eq!(carol.posts("/secure/login", &typed).await.status, StatusCode::FORBIDDEN);
    assert!(!carol.is_in().await);
}

#[tokio::test]
async fn a_program_without_a_browsers_headers_may_fill_in_forms() {
    let gate = Gate::new().await;
    let mut carol = gate.stranger();
    let csrf = carol.opens("/secure/login").await.csrf();
    let typed = [("csrf", csrf.as_str()), ("username", "carol"), ("password", PASSWORD)];
    let done = carol.posts_with("/secure/login", &typed, &[]).await;
    assert_eq!((done.status, done.location().as_str()), (StatusCode::SEE_OTHER, "/secure/"));
}

#[tokio::test]
async fn a_form_that_is_none_or_too_long_is_refused() {
    let gate = Gate::new().await;
    let mut carol = gate.signed_in("carol").await;
    let csrf = carol.opens("/secure/account").await.csrf();
    let twice = [("csrf", csrf.as_str()), ("csrf", csrf.as_str())];
    assert_eq!(carol.posts("/secure/logout", &twice).await.status, StatusCode::BAD_REQUEST);
    let long = "x".repeat(70_000);
    let answer = carol.posts("/secure/logout", &[("csrf", csrf.as_str()), ("x", &long)]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(carol.is_in().await);
}

#[tokio::test]
async fn web_3_every_cookie_is_locked_to_this_host() {
    let gate = Gate::new().await;
    let mut carol = gate.stranger();
    let mut lines = Vec::new();
    let page = carol.opens("/secure/login").await;
    let typed = [("username", "carol"), ("password", PASSWORD)];
    let signed_in = carol.sends_form(&page, "/secure/login", &typed).await;
    let signed_out = carol.fills("/secure/logout", "/secure/logout", &[]).await;
    for answer in [&page, &signed_in, &signed_out] {
        lines.extend(answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap().to_owned()));
    }
    assert_eq!(lines.len(), 6, "{lines:?}");
    for line in lines {
        assert!(line.starts_with("__Host-vantail"), "{line}");
        for part in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
            assert!(line.contains(part), "{line} has no {part}");
        }
        assert!(!line.contains("Domain"), "{line}");
    }
}

#[tokio::test]
async fn a_method_that_an_address_does_not_take_is_said_so() {
    let gate = Gate::new().await;
    let mut carol = gate.stranger();
    let request = Request::delete("/secure/login").header("host", HOST).body(Body::empty()).unwrap();
    let answer = carol.send(request).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(answer.header("allow").contains("POST"), "{:?}", answer.headers);
}
