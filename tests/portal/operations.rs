//! Seeing, confirming and denying what is held, and the requester's side of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::StatusCode;
use vantail::operation::State;
use vantail::portal::Language;
use vantail::store::failure::Failure;
use vantail::store::outbox::OutboxState;
use vantail::time::Clock as _;

use crate::gate::{Gate, PASSWORD};

fn page_of(id: &str) -> String {
    format!("/secure/operations/{id}")
}

#[tokio::test]
async fn hold_1_the_validator_sees_what_will_be_sent_and_looking_changes_nothing() {
    let gate = Gate::new().await;
    let alice = gate.signed_in("alice").await;
    let mut val = gate.signed_in("val").await;
    let id = gate.held_by(&alice).await;
    let token = gate.token(&id, "val").await;
    let mut robot = gate.stranger();
    for path in [
        page_of(&id),
        format!("{}/confirm", page_of(&id)),
        format!("{}/wait", page_of(&id)),
        format!("{}/answer", page_of(&id)),
    ] {
        robot.opens(&path).await;
        robot.asks_head(&path).await;
        val.asks_head(&path).await;
        val.opens(&path).await;
    }
    let page = val.opens(&page_of(&id)).await;
    assert_eq!(page.status, StatusCode::OK);
    for wanted in [
        "Delete customer 42",
        &id,
        "alice",
        "POST",
        "https://gw.test",
        "/admin/customers/42/delete?force=1",
        "duplicate",
        "10.9.0.1",
        "state waiting",
        "name=\"token\"",
    ] {
        assert!(page.body.contains(wanted), "{wanted} is not on the page");
    }
    assert!(!page.body.contains("<script>alert") && !page.body.contains(&token));
    let row = gate.store.operation(&id).await.unwrap().unwrap();
    assert!(page.body.contains(&row.digest), "the digest is not on the page");
    assert_eq!((row.state, row.tries), (State::Waiting, 0));
}

#[tokio::test]
async fn hold_1_a_token_is_of_no_use_without_its_own_validators_sign_in() {
    let gate = Gate::new().await;
    let mut alice = gate.signed_in("alice").await;
    let id = gate.held_by(&alice).await;
    let token = gate.token(&id, "val").await;
    let mut olaf = gate.signed_in("olaf").await;
    let mut carol = gate.signed_in("carol").await;
    let action = format!("{}/confirm", page_of(&id));
    let wrong = olaf.fills(&page_of(&id), &action, &[("token", &token)]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("Tries left: 4"), "{}", wrong.body);
    for (person, status) in [(&mut alice, StatusCode::CONFLICT), (&mut carol, StatusCode::NOT_FOUND)] {
        let csrf = person.opens("/secure/account").await.csrf();
        let answer = person.posts(&action, &[("csrf", &csrf), ("token", &token)]).await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    assert_eq!(gate.store.operation(&id).await.unwrap().unwrap().state, State::Waiting);
    assert!(gate.backend.received.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_confirmed_operation_leads_its_requester_to_the_answer_at_the_address_asked() {
    let gate = Gate::new().await;
    let mut alice = gate.signed_in("alice").await;
    let mut val = gate.signed_in("val").await;
    let id = gate.held_by(&alice).await;
    let wait = format!("{}/wait", page_of(&id));
    let waiting = alice.opens(&wait).await;
    assert!(waiting.body.contains("<noscript><meta http-equiv=\"refresh\""), "it does not move on without script");
    let token = gate.token(&id, "val").await;
    let done =
        val.fills(&page_of(&id), &format!("{}/confirm", page_of(&id)), &[("token", &token.to_lowercase())]).await;
    assert_eq!(done.location(), page_of(&id), "{}", done.body);
    assert_eq!(gate.ended(&id, &alice).await, State::Done);
    assert!(val.opens(&page_of(&id)).await.body.contains("state done"));
    let moved = alice.opens(&wait).await;
    assert_eq!(moved.location(), format!("{}/answer", page_of(&id)));
    let ticket = alice.opens(&moved.location()).await;
    assert_eq!(
        (ticket.status, ticket.location().as_str()),
        (StatusCode::SEE_OTHER, "/admin/customers/42/delete?force=1")
    );
    let line = ticket.header("set-cookie");
    assert!(
        line.starts_with("__Host-vantail-answer=") && line.contains("; Max-Age=60") && line.contains("; Secure"),
        "{line}"
    );
    let session = alice.session().await;
    let (cookie, target) = (&alice.cookies["__Host-vantail-answer"], ticket.location());
    let kept = gate.portal.operations.redeem_ticket(cookie, &target, &session);
    assert_eq!(kept.await.unwrap().unwrap().body.unwrap(), b"<h1>Customer 42 is gone</h1>");
    // The answer is the requester's alone.
    let others = val.opens(&format!("{}/answer", page_of(&id))).await;
    assert_eq!(others.status, StatusCode::NOT_FOUND);
    assert_eq!(gate.backend.received.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_answer_too_long_to_keep_is_said_so() {
    let gate = Gate::new().await;
    gate.backend.talkative.store(true, Ordering::SeqCst);
    let mut alice = gate.signed_in("alice").await;
    let mut val = gate.signed_in("val").await;
    let id = gate.held_by(&alice).await;
    let token = gate.token(&id, "val").await;
    val.fills(&page_of(&id), &format!("{}/confirm", page_of(&id)), &[("token", &token)]).await;
    gate.ended(&id, &alice).await;
    let answer = alice.opens(&format!("{}/answer", page_of(&id))).await;
    assert_eq!(answer.status, StatusCode::GONE);
    assert!(answer.body.contains("too long to be kept") && answer.body.contains("<b>200</b>"), "{}", answer.body);
}

#[tokio::test]
async fn a_denial_needs_a_reason_and_the_requester_reads_it() {
    let gate = Gate::new().await;
    let mut alice = gate.signed_in("alice").await;
    let mut val = gate.signed_in("val").await;
    let id = gate.held_by(&alice).await;
    let action = format!("{}/deny", page_of(&id));
    let without = val.fills(&page_of(&id), &action, &[("reason", "  ")]).await;
    assert_eq!(without.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(without.body.contains("Please say why"));
    let denied = val.fills(&page_of(&id), &action, &[("reason", "<b>Ask</b> first")]).await;
    assert_eq!(denied.location(), page_of(&id), "{}", denied.body);
    let told = alice.opens(&format!("{}/wait", page_of(&id))).await;
    for wanted in ["state denied", "&#60;b&#62;Ask&#60;/b&#62; first", "Nothing was sent", "ask again"] {
        assert!(told.body.contains(wanted), "{wanted} is not on the page: {}", told.body);
    }
    assert!(!told.body.contains("http-equiv=\"refresh\""), "a page that will not change asks again");
    assert!(gate.backend.received.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_requester_cancels_and_a_later_confirmation_is_told_so() {
    let gate = Gate::new().await;
    let mut alice = gate.signed_in("alice").await;
    let mut val = gate.signed_in("val").await;
    let id = gate.held_by(&alice).await;
    let token = gate.token(&id, "val").await;
    let opened = val.opens(&page_of(&id)).await;
    let cancelled = alice.fills(&format!("{}/wait", page_of(&id)), &format!("{}/cancel", page_of(&id)), &[]).await;
    assert_eq!(cancelled.location(), format!("{}/wait", page_of(&id)));
    assert!(alice.opens(&cancelled.location()).await.body.contains("state cancelled"));
    let late = val.sends_form(&opened, &format!("{}/confirm", page_of(&id)), &[("token", &token)]).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.body.contains("not waiting any more"), "{}", late.body);
}

#[tokio::test]
async fn a_new_token_ends_the_old_one_and_cannot_be_had_at_once_again() {
    let gate = Gate::new().await;
    let alice = gate.signed_in("alice").await;
    let mut val = gate.signed_in("val").await;
    let id = gate.held_by(&alice).await;
    let old = gate.token(&id, "val").await;
    let action = format!("{}/new-token", page_of(&id));
    let soon = val.fills(&page_of(&id), &action, &[]).await;
    assert_eq!(soon.status, StatusCode::CONFLICT);
    assert!(soon.body.contains("A new token can be asked for in"), "{}", soon.body);
    gate.later(Duration::from_secs(61));
    assert_eq!(val.fills(&page_of(&id), &action, &[]).await.location(), page_of(&id));
    let confirm = format!("{}/confirm", page_of(&id));
    assert_eq!(val.fills(&page_of(&id), &confirm, &[("token", &old)]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let new = gate.token(&id, "val").await;
    assert_eq!(val.fills(&page_of(&id), &confirm, &[("token", &new)]).await.location(), page_of(&id));
}

#[tokio::test]
async fn on_a_host_shared_with_an_application_a_confirmation_asks_for_a_recent_sign_in() {
    let gate = Gate::new().await;
    let mut val = gate.signed_in("val").await;
    let alice = gate.signed_in("alice").await;
    let id = gate.held_by(&alice).await;
    let token = gate.token(&id, "val").await;
    let opened = val.opens(&page_of(&id)).await;
    gate.later(Duration::from_secs(301));
    for (act, typed) in [("confirm", ("token", token.as_str())), ("deny", ("reason", "no"))] {
        let action = format!("{}/{act}", page_of(&id));
        let fields = [("csrf", opened.csrf()), (typed.0, typed.1.to_owned())];
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let asked = val.posts(&action, &fields).await;
        assert_eq!(asked.location(), format!("/secure/login/confirm?need=sign-in&return_to={}", page_of(&id)));
    }
    let page = val.opens(&page_of(&id)).await;
    assert!(page.body.contains("/secure/login/confirm?need=sign-in") && !page.body.contains("name=\"token\""));
    assert_eq!(gate.store.operation(&id).await.unwrap().unwrap().state, State::Waiting);
    let code = val.next_code();
    let prove = format!("/secure/login/confirm?need=sign-in&return_to={}", page_of(&id));
    let wrong = val.fills(&prove, "/secure/login/confirm", &[("password", "wrong"), ("code", &code)]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let code = val.next_code();
    let proven = val.fills(&prove, "/secure/login/confirm", &[("password", PASSWORD), ("code", &code)]).await;
    assert_eq!(proven.location(), page_of(&id), "{}", proven.body);
    let done = val.fills(&page_of(&id), &format!("{}/confirm", page_of(&id)), &[("token", &token)]).await;
    assert_eq!(done.location(), page_of(&id), "{}", done.body);
}

#[tokio::test]
async fn operations_are_listed_for_whom_they_wait_and_for_whom_asked() {
    let gate = Gate::new().await;
    let mut alice = gate.signed_in("alice").await;
    let mut val = gate.signed_in("val").await;
    let id = gate.held_by(&alice).await;
    let list = val.opens("/secure/operations").await;
    assert!(list.body.contains("Waiting for you") && list.body.contains(&page_of(&id)));
    let own = alice.opens("/secure/operations").await;
    assert!(own.body.contains(&format!("{}/wait", page_of(&id))) && own.body.contains("for token validators"));
    assert!(val.opens("/secure/").await.body.contains("Waiting for you: <b>1</b>"));
    let spaced = format!("/secure/operations?operation={}+{}", &id[..4], &id[4..]);
    assert_eq!(val.opens(&spaced).await.location(), page_of(&id));
    let wrong = val.opens("/secure/operations?operation=12x").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("eight digits") && wrong.body.contains("value=\"12x\""));
}

#[tokio::test]
async fn what_is_nobodys_business_is_not_there() {
    let gate = Gate::new().await;
    let alice = gate.signed_in("alice").await;
    let mut carol = gate.signed_in("carol").await;
    let id = gate.held_by(&alice).await;
    let absent = if id == "00000000" { "00000001" } else { "00000000" };
    for path in ["", "/body", "/wait", "/answer"] {
        let there = carol.opens(&format!("{}{path}", page_of(&id))).await;
        let nowhere = carol.opens(&format!("{}{path}", page_of(absent))).await;
        assert_eq!((there.status, &there.body), (StatusCode::NOT_FOUND, &nowhere.body), "{path}");
    }
}

#[tokio::test]
async fn a_validator_downloads_the_very_bytes() {
    let gate = Gate::new().await;
    let alice = gate.signed_in("alice").await;
    let mut val = gate.signed_in("val").await;
    let id = gate.held_by(&alice).await;
    let body = val.opens(&format!("{}/body", page_of(&id))).await;
    assert_eq!(body.body, "reason=duplicate&note=%3Cscript%3Ealert(1)%3C%2Fscript%3E");
    assert!(body.header("content-disposition").starts_with("attachment"));
    assert_eq!(body.header("content-type"), "application/octet-stream");
}

#[tokio::test]
async fn a_french_validator_reads_the_french_name() {
    let gate = Gate::new().await;
    let alice = gate.signed_in("alice").await;
    let mut val = gate.signed_in("val").await;
    let id = gate.held_by(&alice).await;
    val.language = Language::Fr;
    let page = val.opens(&page_of(&id)).await;
    assert!(page.body.contains("Supprimer le client 42") && page.body.contains("Confirmer l’opération"));
}

#[tokio::test]
async fn why_an_sms_did_not_arrive_is_said_in_the_readers_language() {
    let gate = Gate::new().await;
    let mut alice = gate.signed_in("alice").await;
    let mut val = gate.signed_in("val").await;
    let id = gate.held_by(&alice).await;
    let sms = gate.store.messages_of(&id).await.unwrap().remove(0);
    let now = gate.clock.now();
    assert!(gate.store.claim_message(sms.id, now).await.unwrap());
    gate.store.settle_message(sms.id, OutboxState::Failed, now, Some(Failure::NotConfigured)).await.unwrap();
    for (language, words) in [
        (Language::En, "was not delivered (sending is not set up here: tell an administrator)"),
        (Language::Fr, "n’a pas été remis (l’envoi n’est pas configuré ici\u{a0}: prévenez un administrateur)"),
    ] {
        (alice.language, val.language) = (language, language);
        for page in [alice.opens(&format!("{}/wait", page_of(&id))).await, val.opens(&page_of(&id)).await] {
            assert!(page.body.contains(words), "{words} is not on the page: {}", page.body);
            assert!(!page.body.contains("not-configured"), "{}", page.body);
        }
    }
}
