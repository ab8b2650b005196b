//! One's own account and second factor.

use std::time::Duration;

use http::StatusCode;

use crate::gate::{Gate, PASSWORD};

const SECOND_FACTOR: &str = "/secure/account/second-factor";

#[tokio::test]
async fn a_second_factor_is_set_up_after_typing_the_password_again() {
    let gate = Gate::new().await;
    let mut carol = gate.signed_in("carol").await;
    let page = carol.opens(SECOND_FACTOR).await;
    assert!(!page.body.contains("class=\"letters\""), "the secret is shown without the password");
    let password = format!("{SECOND_FACTOR}/password");
    let wrong = carol.sends_form(&page, &password, &[("password", "wrong")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    gate.later(Duration::from_secs(1));
    let right = carol.fills(SECOND_FACTOR, &password, &[("password", PASSWORD)]).await;
    assert_eq!(right.location(), SECOND_FACTOR, "{}", right.body);
    let shown = carol.opens(SECOND_FACTOR).await;
    let action = format!("{SECOND_FACTOR}/code");
    let wrong = carol.sends_form(&shown, &action, &[("code", "12345")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let letters = |page: &crate::person::Page| page.between("class=\"letters\"", "</p>").map(str::to_owned);
    assert_eq!(letters(&wrong), letters(&shown), "a wrong code changed the secret");
    let done = carol.enrols(SECOND_FACTOR, &action).await;
    assert_eq!((done.status, done.onward().as_str()), (StatusCode::OK, "/secure/account"), "{}", done.body);
    let account = carol.opens("/secure/account").await;
    assert!(account.body.contains("Second factor") && account.body.contains("state done\">On"));
    // The next sign-in asks for it.
    let mut again = gate.stranger();
    let step = again.fills("/secure/login", "/secure/login", &[("username", "carol"), ("password", PASSWORD)]).await;
    assert_eq!(step.location(), "/secure/login/second-factor");
}

#[tokio::test]
async fn a_code_posted_without_the_password_before_it_switches_nothing_on() {
    let gate = Gate::new().await;
    let mut carol = gate.signed_in("carol").await;
    let csrf = carol.opens("/secure/account").await.csrf();
    let posted = carol.posts(&format!("{SECOND_FACTOR}/code"), &[("csrf", &csrf), ("code", "123456")]).await;
    assert_eq!(posted.location(), SECOND_FACTOR);
    assert!(!carol.opens("/secure/account").await.body.contains("state done\">On"));
}

#[tokio::test]
async fn whoever_is_not_offered_a_second_factor_does_not_see_one() {
    let gate = Gate::new().await;
    gate.add("dave", "customers", &[]).await;
    let mut dave = gate.signed_in("dave").await;
    assert!(!dave.opens("/secure/account").await.body.contains(SECOND_FACTOR));
    assert!(dave.opens(SECOND_FACTOR).await.body.contains("has no second factor"));
}

#[tokio::test]
async fn a_step_up_without_a_second_factor_leads_to_setting_one_up() {
    let gate = Gate::new().await;
    let mut carol = gate.signed_in("carol").await;
    let asked = carol.opens("/secure/login/confirm?need=second-factor&return_to=/admin/").await;
    assert_eq!(asked.location(), "/secure/account/second-factor?return_to=/admin/");
    let mut alice = gate.signed_in("alice").await;
    let code = alice.next_code();
    let typed = [("code", code.as_str())];
    let done = alice
        .fills("/secure/login/confirm?need=second-factor&return_to=/admin/", "/secure/login/confirm", &typed)
        .await;
    assert_eq!(done.location(), "/admin/", "{}", done.body);
}

#[tokio::test]
async fn the_account_page_shows_ones_own_data() {
    let gate = Gate::new().await;
    let mut val = gate.signed_in("val").await;
    let page = val.opens("/secure/account").await;
    for wanted in ["val@example.org", "token validator", "strict", "This session"] {
        assert!(page.body.contains(wanted), "{wanted} is not on the page");
    }
}
