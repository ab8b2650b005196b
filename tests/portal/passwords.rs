//! The pages on which passwords are changed.

use std::time::{Duration, Instant};

use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use vantail::portal::Language;

use crate::gate::{Gate, PASSWORD};

const PAGE: &str = "/secure/password";
const NEW: &str = "copper zeppelin at noon";

fn typed<'a>(present: &'a str, new: &'a str) -> [(&'static str, &'a str); 3] {
    [("current_password", present), ("new_password", new), ("new_password_again", new)]
}

#[tokio::test]
async fn a_password_is_changed_from_the_account_page() {
    let gate = Gate::new().await;
    let mut carol = gate.signed_in("carol").await;
    assert!(carol.opens("/secure/account").await.body.contains("href=\"/secure/password\""));
    let cookie = carol.cookies["__Host-vantail"].clone();
    let page = carol.opens(PAGE).await;
    assert!(page.body.contains("At least 12 characters.") && !page.body.contains("name=\"code\""));
    let done = carol.sends_form(&page, PAGE, &typed(PASSWORD, NEW)).await;
    assert_eq!(done.location(), "/secure/account?notice=password-changed", "{}", done.body);
    assert_ne!(carol.cookies["__Host-vantail"], cookie);
    assert!(carol.opens(&done.location()).await.body.contains("Your password is changed."));
    gate.stranger().signs_in("carol", NEW).await;
}

#[tokio::test]
async fn all_that_is_wrong_is_said_at_once_in_both_languages_and_no_password_is_kept() {
    let gate = Gate::new().await;
    let mut carol = gate.signed_in("carol").await;
    for (language, wanted) in [
        (Language::En, ["at least 12 characters", "mostly your own name"]),
        (Language::Fr, ["au moins 12 caractères", "se compose surtout de votre nom"]),
    ] {
        carol.language = language;
        let again = carol.fills(PAGE, PAGE, &typed("my-present-one", "Carol-7")).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
        for words in wanted {
            assert!(again.body.contains(words), "{words} is not on the page: {}", again.body);
        }
        assert!(!again.body.contains("my-present-one") && !again.body.contains("Carol-7"));
    }
    carol.language = Language::En;
    for (present, new, other, told) in [
        (PASSWORD, NEW, "copper zeppelin at dawn", "not the same"),
        (PASSWORD, "password1234", "password1234", "too easy to guess"),
        (PASSWORD, "vantail-vantail", "vantail-vantail", "name of this gateway"),
        (PASSWORD, "crm-crm-crm-crm", "crm-crm-crm-crm", "name of this gateway"),
        (PASSWORD, PASSWORD, PASSWORD, "the one you have already"),
        ("wrong", NEW, NEW, "The password is not right"),
    ] {
        let fields = [("current_password", present), ("new_password", new), ("new_password_again", other)];
        let again = carol.fills(&format!("{PAGE}?return_to=/app/"), PAGE, &fields).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "{told}");
        assert!(again.body.contains(told), "{told:?} is not said: {}", again.body);
        assert!(again.body.contains("value=\"/app/\""), "where one wanted to go is kept");
    }
    let done = carol.fills(&format!("{PAGE}?return_to=/app/"), PAGE, &typed(PASSWORD, NEW)).await;
    assert_eq!(done.location(), "/app/");
    let earlier = carol.fills(PAGE, PAGE, &typed(NEW, PASSWORD)).await;
    assert!(earlier.body.contains("one of the last 4"), "{}", earlier.body);
}

#[tokio::test]
async fn where_a_second_factor_is_on_its_code_is_asked_for() {
    let gate = Gate::new().await;
    let mut alice = gate.signed_in("alice").await;
    let page = alice.opens(PAGE).await;
    assert!(page.body.contains("name=\"code\""));
    let without = alice.sends_form(&page, PAGE, &typed(PASSWORD, NEW)).await;
    assert!(without.body.contains("The present password or the code is not right"), "{}", without.body);
    let code = alice.next_code();
    let fields = [&typed(PASSWORD, NEW)[..], &[("code", code.as_str())]].concat();
    let done = alice.fills(PAGE, PAGE, &fields).await;
    assert_eq!(done.location(), "/secure/account?notice=password-changed", "{}", done.body);
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_asked_to_sign_in_and_a_form_from_elsewhere_changes_nothing() {
    let gate = Gate::new().await;
    let anonymous = gate.stranger().opens(PAGE).await;
    assert_eq!(anonymous.location(), "/secure/login?return_to=/secure/password");
    let mut carol = gate.signed_in("carol").await;
    let csrf = carol.opens(PAGE).await.csrf();
    let fields = [&typed(PASSWORD, NEW)[..], &[("csrf", csrf.as_str())]].concat();
    let foreign = carol.posts_with(PAGE, &fields, &[("origin", "https://evil.example")]).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    let without = carol.posts(PAGE, &typed(PASSWORD, NEW)).await;
    assert_eq!(without.status, StatusCode::FORBIDDEN);
    gate.stranger().signs_in("carol", PASSWORD).await;
}

#[tokio::test]
async fn pwd_5_a_megabyte_is_refused_unhashed_and_at_once() {
    let gate = Gate::new().await;
    let mut carol = gate.signed_in("carol").await;
    let csrf = carol.opens(PAGE).await.csrf();
    let hashed = gate.portal.login.accounts.hashing.computed();
    let megabyte = "x".repeat(1 << 20);
    let body = format!("csrf={csrf}&current_password=x&new_password={megabyte}&new_password_again={megabyte}");
    let mut quickest = Duration::MAX;
    for _ in 0..3 {
        let mut request = Request::post(PAGE).body(Body::from(body.clone())).unwrap();
        request.headers_mut().insert(CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap());
        let begun = Instant::now();
        let refused = carol.send(request).await;
        quickest = quickest.min(begun.elapsed());
        assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
    assert!(quickest < Duration::from_millis(50), "{quickest:?}");
    // What is shorter than a form may be, and longer than a password may be, is told so.
    let long = "seven swans ".repeat(100);
    let again = carol.fills(PAGE, PAGE, &typed(PASSWORD, &long)).await;
    assert!(again.body.contains("The new password is too long"), "{}", again.body);
    assert_eq!(gate.portal.login.accounts.hashing.computed(), hashed);
}

#[tokio::test]
async fn the_page_of_a_forced_change_says_why_and_keeps_the_same_rules() {
    let gate = Gate::new().await;
    let (_, temporary) = gate.add_with("newcomer", "staff", &[], true).await;
    let temporary = temporary.unwrap();
    let mut newcomer = gate.stranger();
    let step = newcomer
        .fills("/secure/login", "/secure/login", &[("username", "newcomer"), ("password", temporary.expose())])
        .await;
    assert!(newcomer.opens(&step.location()).await.body.contains("was temporary and works only once"));
    for (new, told) in [("password1234", "too easy to guess"), ("newcomer-newcomer", "mostly your own name")] {
        let typed = [("new_password", new), ("new_password_again", new)];
        let again = newcomer.fills("/secure/login/password", "/secure/login/password", &typed).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(again.body.contains(told), "{told:?} is not said: {}", again.body);
    }
}
