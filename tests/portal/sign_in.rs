//! Signing in and out.

use std::time::Duration;

use http::StatusCode;
use vantail::portal::{Language, safe_return};

use crate::elsewhere::KNOWN;
use crate::gate::{Gate, PASSWORD};

#[tokio::test]
async fn whoever_signs_in_comes_back_to_the_page_they_asked_for() {
    let gate = Gate::new().await;
    let mut carol = gate.stranger();
    let refused = carol.opens("/secure/operations").await;
    assert_eq!(
        (refused.status, refused.location().as_str()),
        (StatusCode::SEE_OTHER, "/secure/login?return_to=/secure/operations")
    );
    let typed = [("username", "carol"), ("password", PASSWORD)];
    let done = carol.fills(&refused.location(), "/secure/login", &typed).await;
    assert_eq!(done.location(), "/secure/operations");
    assert!(carol.opens("/secure/operations").await.body.contains("What I asked for"));
}

#[tokio::test]
async fn web_1_a_return_address_elsewhere_leads_home() {
    let gate = Gate::new().await;
    for wanted in KNOWN.iter().copied().filter(|wanted| !wanted.is_empty()) {
        let mut carol = gate.stranger();
        let page = carol.opens("/secure/login").await;
        let fields = [
            ("csrf", page.csrf()),
            ("username", "carol".into()),
            ("password", PASSWORD.into()),
            ("return_to", wanted.into()),
        ];
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let done = carol.posts("/secure/login", &fields).await;
        assert_eq!((done.status, done.location()), (StatusCode::SEE_OTHER, safe_return(wanted)), "{wanted}");
        assert_eq!(done.location(), "/", "{wanted}");
    }
}

#[tokio::test]
async fn sess_1_every_change_of_level_has_a_session_id_of_its_own_and_the_earlier_ones_are_dead() {
    let gate = Gate::new().await;
    let cookie = "__Host-vantail";
    let mut alice = gate.signed_in("alice").await;
    let mut seen = vec![alice.cookies[cookie].clone()];
    // Signs in again in the same browser: password, then code.
    let typed = [("username", "alice"), ("password", PASSWORD)];
    let fields = alice.fills("/secure/account", "/secure/logout", &[]).await;
    assert_eq!(fields.status, StatusCode::SEE_OTHER);
    let step = alice.fills("/secure/login", "/secure/login", &typed).await;
    seen.push(alice.cookies[cookie].clone());
    alice.gives_code(&step.location()).await;
    seen.push(alice.cookies[cookie].clone());
    let code = alice.next_code();
    let proof = [("password", PASSWORD), ("code", code.as_str())];
    let proven = alice.fills("/secure/login/confirm", "/secure/login/confirm", &proof).await;
    assert_eq!(proven.status, StatusCode::SEE_OTHER, "{}", proven.body);
    assert!(alice.is_in().await);
    for earlier in seen {
        assert_ne!(earlier, alice.cookies[cookie]);
        let mut thief = gate.stranger();
        thief.cookies.insert(cookie.into(), earlier);
        assert!(!thief.is_in().await && thief.opens("/secure/account").await.status == StatusCode::SEE_OTHER);
    }
}

#[tokio::test]
async fn mfa_4_a_password_alone_opens_nothing_but_the_next_step() {
    let gate = Gate::new().await;
    drop(gate.signed_in("alice").await);
    let mut alice = gate.stranger();
    let step = alice.fills("/secure/login", "/secure/login", &[("username", "alice"), ("password", PASSWORD)]).await;
    assert_eq!(step.location(), "/secure/login/second-factor");
    assert!(!alice.cookies.keys().any(|name| name.contains("remember")), "{:?}", alice.cookies);
    for closed in [
        "/secure/operations",
        "/secure/operations/48271935",
        "/secure/account",
        "/secure/account/second-factor",
        "/secure/logout",
    ] {
        let page = alice.opens(closed).await;
        assert!(page.location().starts_with("/secure/login/second-factor"), "{closed} leads to {}", page.location());
    }
    let mut program = alice.program();
    assert_eq!(program.opens("/secure/api/operations/48271935").await.status, StatusCode::UNAUTHORIZED);
    // Another step's page, and somebody switched off in between.
    assert!(alice.opens("/secure/login/enrol").await.location().starts_with("/secure/login/second-factor"));
    let user = gate.store.user_by_login("alice").await.unwrap().unwrap().user;
    gate.portal.login.accounts.disable(user.id, &gate.origin()).await.unwrap();
    let code = alice.opens("/secure/login/second-factor").await;
    assert_eq!(code.status, StatusCode::SEE_OTHER);
    assert!(!alice.is_in().await);
}

#[tokio::test]
async fn auth_3_unknown_wrong_locked_disabled_and_expired_get_one_answer() {
    let gate = Gate::new().await;
    gate.add("gonzo", "staff", &[]).await;
    let gone = gate.store.user_by_login("gonzo").await.unwrap().unwrap().user;
    gate.portal.login.accounts.disable(gone.id, &gate.origin()).await.unwrap();
    gate.add("pasha", "staff", &[]).await;
    let past = gate.store.user_by_login("pasha").await.unwrap().unwrap().user;
    let edit = vantail::account::Edit { valid_until: Some(Some(gate.origin().now)), ..Default::default() };
    gate.portal.login.accounts.edit(past.id, edit, &gate.origin()).await.unwrap();
    gate.add("locke", "staff", &[]).await;
    for _ in 0..6 {
        gate.stranger().fills("/secure/login", "/secure/login", &[("username", "locke"), ("password", "wrong")]).await;
    }
    let mut answers = Vec::new();
    for (name, password) in
        [("ghost", "wrong"), ("carol", "wrong"), ("locke", PASSWORD), ("gonzo", PASSWORD), ("pasha", PASSWORD)]
    {
        let mut person = gate.stranger();
        let answer =
            person.fills("/secure/login", "/secure/login", &[("username", name), ("password", password)]).await;
        let body = answer.body.replace(&format!("value=\"{name}\""), "value=\"…\"").replace(&answer.csrf(), "…");
        let headers: Vec<_> = answer.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
        answers.push((answer.status, headers, body));
    }
    assert_eq!(answers[0].0, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answers[0].2.contains("The name or the password is not right, or the account is locked."));
    for (index, answer) in answers.iter().enumerate() {
        assert_eq!(answer, &answers[0], "answer {index} can be told apart");
    }
}

#[tokio::test]
async fn what_was_typed_is_kept_but_for_the_password() {
    let gate = Gate::new().await;
    let mut carol = gate.stranger();
    let again =
        carol.fills("/secure/login", "/secure/login", &[("username", "carol"), ("password", "hunter2-wrong")]).await;
    assert!(again.body.contains("value=\"carol\"") && !again.body.contains("hunter2-wrong"));
}

#[tokio::test]
async fn nobody_signs_in_over_a_wire_that_others_can_read_except_on_this_machine() {
    let gate = Gate::new().await;
    let mut far = gate.stranger();
    far.secure = false;
    let refused = far.opens("/secure/login").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(
        refused.body.contains("plain HTTP")
            && refused.body.contains("https")
            && !refused.body.contains("name=\"password\"")
    );
    let posted = far.posts("/secure/login", &[("username", "carol"), ("password", PASSWORD)]).await;
    assert_eq!((posted.status, posted.headers.get("set-cookie")), (StatusCode::FORBIDDEN, None));
    let mut near = gate.stranger();
    (near.secure, near.loopback) = (false, true);
    near.signs_in("carol", PASSWORD).await;
    assert!(near.cookies.contains_key("vantail") && near.is_in().await);
}

#[tokio::test]
async fn opening_the_sign_out_page_ends_nothing_and_its_button_does() {
    let gate = Gate::new().await;
    let mut carol = gate.signed_in("carol").await;
    assert_eq!(carol.opens("/secure/logout").await.status, StatusCode::OK);
    assert!(carol.is_in().await);
    let stolen = carol.cookies.clone();
    let out = carol.fills("/secure/logout", "/secure/logout", &[]).await;
    assert_eq!(out.location(), "/secure/login?notice=signed-out");
    assert!(carol.opens(&out.location()).await.body.contains("You are signed out."));
    carol.cookies = stolen;
    assert!(!carol.is_in().await, "the session outlived the sign-out");
}

#[tokio::test]
async fn a_temporary_password_leads_to_a_new_one_and_nowhere_else() {
    let gate = Gate::new().await;
    let (_, temporary) = gate.add_with("newcomer", "staff", &[], true).await;
    let temporary = temporary.unwrap();
    let mut newcomer = gate.stranger();
    let typed = [("username", "newcomer"), ("password", temporary.expose())];
    let step = newcomer.fills("/secure/login?return_to=/app/", "/secure/login", &typed).await;
    assert_eq!(step.location(), "/secure/login/password?return_to=/app/");
    assert!(newcomer.opens("/secure/account").await.location().starts_with("/secure/login/password"));
    for (one, other, told) in [
        ("a new long password", "another long password", "not the same"),
        ("short", "short", "at least 12 characters"),
        (temporary.expose(), temporary.expose(), "the one you have already"),
    ] {
        let typed = [("new_password", one), ("new_password_again", other)];
        let again = newcomer.fills(&step.location(), "/secure/login/password", &typed).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(again.body.contains(told), "{told:?} is not said");
    }
    let typed = [("new_password", "a new long password"), ("new_password_again", "a new long password")];
    let done = newcomer.fills(&step.location(), "/secure/login/password", &typed).await;
    assert_eq!(done.location(), "/app/", "{}", done.body);
    assert!(newcomer.is_in().await);
}

#[tokio::test]
async fn what_is_sent_twice_on_the_way_in_wastes_nothing_and_signs_nobody_out() {
    let gate = Gate::new().await;
    let (_, temporary) = gate.add_with("newcomer", "staff", &[], true).await;
    let temporary = temporary.unwrap();
    let mut newcomer = gate.stranger();
    let typed = [("username", "newcomer"), ("password", temporary.expose())];
    for _ in 0..2 {
        let step = newcomer.fills("/secure/login", "/secure/login", &typed).await;
        assert_eq!(step.location(), "/secure/login/password", "{}", step.body);
    }
    let form = newcomer.opens("/secure/login/password").await;
    let typed = [("new_password", "a new long password"), ("new_password_again", "a new long password")];
    let same_moment = newcomer.presented("/secure/login/password").await;
    let first = newcomer.sends_form(&form, "/secure/login/password", &typed).await;
    assert!(first.headers.contains_key("set-cookie"), "{}", first.body);
    newcomer.found = Some(same_moment);
    let second = newcomer.sends_form(&form, "/secure/login/password", &typed).await;
    assert_eq!(second.location(), "/secure/login?notice=password-set", "{}", second.body);
    assert_eq!(second.headers.get("set-cookie"), None, "the cookie of the first answer is left alone");
    let said = gate.stranger().opens(&second.location()).await;
    assert!(said.body.contains("The new password of your account is set already."));
    assert!(newcomer.is_in().await);
}

#[tokio::test]
async fn a_sign_in_that_took_too_long_begins_again() {
    let gate = Gate::new().await;
    drop(gate.signed_in("alice").await);
    let mut alice = gate.stranger();
    let step = alice
        .fills("/secure/login?return_to=/app/", "/secure/login", &[("username", "alice"), ("password", PASSWORD)])
        .await;
    gate.later(Duration::from_mins(11));
    let over = alice.opens(&step.location()).await;
    assert_eq!(over.location(), "/secure/login?return_to=/app/");
}

#[tokio::test]
async fn french_pages_are_french() {
    let gate = Gate::new().await;
    let mut carole = gate.stranger();
    carole.language = Language::Fr;
    let page = carole.opens("/secure/login").await;
    for wanted in ["<html lang=\"fr\">", "Mot de passe", "Nom d’utilisateur"] {
        assert!(page.body.contains(wanted), "{wanted} is not on the page");
    }
}
