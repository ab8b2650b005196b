//! One's own second factor and recovery codes, and the page that asks for them.

use std::time::Duration;

use http::StatusCode;
use vantail::portal::Language;

use crate::gate::{Gate, PASSWORD};
use crate::person::{Page, Person};

const SECOND_FACTOR: &str = "/secure/account/second-factor";
const ADD: &str = "/secure/account/second-factor/add";
const REMOVE: &str = "/secure/account/second-factor/remove";
const CODES: &str = "/secure/account/recovery-codes";
const LOGIN: &str = "/secure/login/second-factor";

/// Sets the first authenticator up under the account; the page with the recovery codes.
async fn sets_up(gate: &Gate, person: &mut Person<'_>) -> Page {
    gate.later(Duration::from_secs(1));
    let password = format!("{SECOND_FACTOR}/password");
    person.fills(SECOND_FACTOR, &password, &[("password", PASSWORD)]).await;
    person.enrols(SECOND_FACTOR, &format!("{SECOND_FACTOR}/code")).await
}

/// Gives the password in another browser: at the second step.
async fn at_second_step<'g>(gate: &'g Gate, name: &str) -> Person<'g> {
    let mut person = gate.stranger();
    let typed = [("username", name), ("password", PASSWORD)];
    let step = person.fills("/secure/login?return_to=/app/", "/secure/login", &typed).await;
    assert_eq!(step.location(), format!("{LOGIN}?return_to=/app/"));
    person
}

async fn gives_recovery(person: &mut Person<'_>, code: &str) -> Page {
    let page = format!("{LOGIN}?return_to=/app/&with=recovery");
    person.fills(&page, LOGIN, &[("recovery_code", code)]).await
}

#[tokio::test]
async fn recovery_codes_are_shown_once_with_a_download_and_a_way_on() {
    for (language, wanted) in [(Language::En, "shown only now"), (Language::Fr, "ne s’affichent que maintenant")] {
        let gate = Gate::new().await;
        let mut carol = gate.signed_in("carol").await;
        carol.language = language;
        let before = carol.cookies["__Host-vantail"].clone();
        let shown = sets_up(&gate, &mut carol).await;
        assert_eq!((shown.status, shown.header("cache-control")), (StatusCode::OK, "no-store"));
        assert!(shown.body.contains(wanted), "{}", shown.body);
        let codes = shown.recovery_codes();
        assert_eq!(codes.len(), 8, "{}", shown.body);
        assert!(codes.iter().all(|code| code.len() == 11 && code.as_bytes()[5] == b'-'), "{codes:?}");
        assert_eq!(shown.onward(), "/secure/account");
        assert_ne!(before, carol.cookies["__Host-vantail"]);
        // The forms of the very page belong to the new session.
        let download = format!("{CODES}/download");
        let file = carol.sends_form(&shown, &download, &[]).await;
        assert_eq!(file.status, StatusCode::OK, "{}", file.body);
        assert_eq!(file.header("content-disposition"), "attachment; filename=\"recovery-codes.txt\"");
        assert!(codes.iter().all(|code| file.body.contains(code.as_str())), "{}", file.body);
        let out = carol.sends_form(&shown, "/secure/logout", &[]).await;
        assert_eq!(out.location(), "/secure/login?notice=signed-out");
        let mut carol = at_second_step(&gate, "carol").await;
        assert_eq!(gives_recovery(&mut carol, &codes[0]).await.location(), "/app/");
        for page in [CODES, SECOND_FACTOR, "/secure/account"] {
            let page = carol.opens(page).await;
            assert_eq!(page.status, StatusCode::OK);
            assert!(codes.iter().all(|code| !page.body.contains(code.as_str())), "shown again");
        }
    }
}

#[tokio::test]
async fn a_file_is_made_of_codes_and_nothing_else() {
    let gate = Gate::new().await;
    let mut carol = gate.signed_in("carol").await;
    let csrf = carol.opens("/secure/account").await.csrf();
    for codes in ["", "K7QF2-M9XAB", "<script>", &"K7QF2-M9XAB ".repeat(9)] {
        let file = carol.posts(&format!("{CODES}/download"), &[("csrf", &csrf), ("codes", codes)]).await;
        assert_eq!(file.status, StatusCode::BAD_REQUEST, "{codes:?}");
    }
}

#[tokio::test]
async fn the_recovery_tab_works_without_scripts_and_stays_when_the_code_is_wrong() {
    for (language, tab, fault) in [
        (Language::En, "Recovery code</a>", "The recovery code is not right"),
        (Language::Fr, "Code de secours</a>", "Le code de secours est inexact"),
    ] {
        let gate = Gate::new().await;
        drop(gate.signed_in("alice").await);
        let mut alice = at_second_step(&gate, "alice").await;
        alice.language = language;
        let code = alice.opens(&format!("{LOGIN}?return_to=/app/")).await;
        assert!(
            code.body.contains(tab)
                && code.body.contains("name=\"code\"")
                && !code.body.contains("name=\"recovery_code\"")
        );
        assert!(code.body.contains("data-sends-at=\"6\"") && code.body.contains("pattern=\"[0-9]{6}\""));
        assert!(code.body.contains(&format!("href=\"{LOGIN}?return_to=/app/&#38;with=recovery\"")), "{}", code.body);
        let wrong = gives_recovery(&mut alice, "00000-00000").await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(wrong.body.contains(fault) && wrong.body.contains("name=\"recovery_code\""), "{}", wrong.body);
        assert!(!wrong.body.contains("00000-00000"), "what was typed is shown again");
    }
}

#[tokio::test]
async fn whoever_has_few_recovery_codes_left_is_warned_after_signing_in_and_on_the_account_page() {
    let gate = Gate::new().await;
    let mut carol = gate.signed_in("carol").await;
    let codes = sets_up(&gate, &mut carol).await.recovery_codes();
    for (used, code) in codes.iter().enumerate() {
        let mut person = at_second_step(&gate, "carol").await;
        let done = gives_recovery(&mut person, code).await;
        let left = codes.len() - used - 1;
        let account = person.opens("/secure/account").await.body;
        if left > 2 {
            assert_eq!(done.location(), "/app/");
            assert!(!account.contains("Few recovery codes") && !account.contains("no recovery codes left"));
            continue;
        }
        assert_eq!(done.location(), format!("{CODES}?return_to=/app/"));
        let page = person.opens(&done.location()).await;
        let warning = if left == 0 { "no recovery codes left" } else { "Few recovery codes are left" };
        assert!(page.body.contains(warning) && page.body.contains(&format!("Codes left: {left}")), "{}", page.body);
        assert!(page.body.contains("href=\"/app/\">Continue"), "{}", page.body);
        assert!(account.contains(warning) && person.opens(SECOND_FACTOR).await.body.contains(warning));
    }
    let carol = gate.store.user_by_login("carol").await.unwrap().unwrap().user;
    let mails = gate.store.due_messages(gate.origin().now, 100).await.unwrap();
    let used = mails.iter().filter(|mail| mail.user == carol.id && mail.kind == "recovery-code-used").count();
    assert_eq!(used, 8);
}

#[tokio::test]
async fn cancelling_ends_the_sign_in_on_its_way() {
    let gate = Gate::new().await;
    drop(gate.signed_in("alice").await);
    let mut alice = at_second_step(&gate, "alice").await;
    let stolen = alice.cookies.clone();
    assert!(alice.opens("/secure/login/cancel").await.location().starts_with(LOGIN), "opening it ended something");
    let done = alice.fills(&format!("{LOGIN}?return_to=/app/"), "/secure/login/cancel", &[]).await;
    assert_eq!(done.location(), "/secure/login?return_to=/app/");
    assert!(!alice.cookies.contains_key("__Host-vantail"));
    assert!(alice.opens(&done.location()).await.body.contains("name=\"password\""));
    alice.cookies = stolen;
    assert_eq!(alice.opens(LOGIN).await.location(), "/secure/login", "the sign-in lives on");
    let mut carol = gate.signed_in("carol").await;
    let csrf = carol.opens("/secure/account").await.csrf();
    carol.posts("/secure/login/cancel", &[("csrf", &csrf)]).await;
    assert!(carol.is_in().await, "a live session was cancelled");
}

#[tokio::test]
async fn a_second_authenticator_is_added_with_password_and_code_and_one_is_removed() {
    let gate = Gate::new().await;
    let mut carol = gate.signed_in("carol").await;
    let codes = sets_up(&gate, &mut carol).await.recovery_codes();
    let list = carol.opens(SECOND_FACTOR).await;
    assert!(list.body.contains(ADD) && list.body.contains("Codes left: 8") && list.body.contains("Last used"));
    assert!(!list.body.contains("remove?authenticator="), "one authenticator is removed by switching off");
    gate.later(Duration::from_mins(11));
    let asked = carol.opens(ADD).await;
    assert!(!asked.body.contains("class=\"letters\"") && asked.body.contains("name=\"code\""), "{}", asked.body);
    let password = format!("{SECOND_FACTOR}/password");
    let wrong = carol.sends_form(&asked, &password, &[("password", PASSWORD), ("code", "000000")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let code = carol.next_code();
    let proven = carol.sends_form(&asked, &password, &[("password", PASSWORD), ("code", &code)]).await;
    assert_eq!(proven.location(), ADD, "{}", proven.body);
    gate.later(Duration::from_secs(30));
    let done = carol.enrols(ADD, &format!("{SECOND_FACTOR}/code")).await;
    assert_eq!(done.location(), "/secure/account", "no other recovery codes: {}", done.body);
    let list = carol.opens(SECOND_FACTOR).await;
    assert_eq!(list.body.matches("remove?authenticator=").count(), 2);
    assert!(!list.body.contains(ADD), "a third is offered");
    assert_eq!(carol.opens(ADD).await.location(), SECOND_FACTOR);
    // The first of the list goes: the one that was lost.
    let address = format!("{REMOVE}?authenticator={}", list.between("remove?authenticator=", "\"").unwrap());
    let tab = format!("{address}&with=recovery");
    let done = carol.fills(&tab, REMOVE, &[("password", PASSWORD), ("recovery_code", &codes[5])]).await;
    assert_eq!(done.location(), SECOND_FACTOR, "{}", done.body);
    assert!(carol.opens(SECOND_FACTOR).await.body.contains("Codes left: 7"));
    assert_eq!(carol.opens(&address).await.location(), SECOND_FACTOR, "it is gone");
    let mut again = at_second_step(&gate, "carol").await;
    let code = carol.next_code();
    assert_eq!(again.fills(LOGIN, LOGIN, &[("code", &code)]).await.location(), "/secure/");
}

#[tokio::test]
async fn signing_in_with_a_code_is_not_typing_the_password_again() {
    let gate = Gate::new().await;
    let mut carol = gate.signed_in("carol").await;
    sets_up(&gate, &mut carol).await;
    gate.later(Duration::from_mins(1));
    let mut again = at_second_step(&gate, "carol").await;
    gate.later(Duration::from_secs(1));
    let code = carol.next_code();
    assert_eq!(again.fills(LOGIN, LOGIN, &[("code", &code)]).await.location(), "/secure/");
    let asked = again.opens(ADD).await;
    assert!(!asked.body.contains("class=\"letters\"") && asked.body.contains("name=\"password\""), "{}", asked.body);
}

#[tokio::test]
async fn a_second_factor_is_switched_off_with_password_and_code_and_ends_the_other_sessions() {
    let gate = Gate::new().await;
    let mut carol = gate.signed_in("carol").await;
    let codes = sets_up(&gate, &mut carol).await.recovery_codes();
    let mut other = at_second_step(&gate, "carol").await;
    gives_recovery(&mut other, &codes[0]).await;
    assert!(other.is_in().await);
    let page = carol.opens(REMOVE).await;
    assert!(page.body.contains("your password alone opens your account"), "{}", page.body);
    let code = carol.next_code();
    for typed in [[("password", "wrong"), ("code", code.as_str())], [("password", PASSWORD), ("code", "000000")]] {
        let wrong = carol.sends_form(&page, REMOVE, &typed).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let done = carol.sends_form(&page, REMOVE, &[("password", PASSWORD), ("code", &code)]).await;
    assert_eq!(done.location(), SECOND_FACTOR, "{}", done.body);
    assert!(carol.is_in().await && !other.is_in().await);
    assert!(carol.opens(CODES).await.body.contains("come with a second factor"));
    gate.stranger().signs_in("carol", PASSWORD).await;
}

#[tokio::test]
async fn whoever_must_have_a_second_factor_is_told_why_it_stays() {
    for (language, reason) in
        [(Language::En, "must have a second factor"), (Language::Fr, "doit avoir un second facteur")]
    {
        let gate = Gate::new().await;
        let mut alice = gate.signed_in("alice").await;
        alice.language = language;
        assert!(alice.opens(SECOND_FACTOR).await.body.contains(reason));
        let page = alice.opens(REMOVE).await;
        assert!(page.body.contains(reason) && !page.body.contains("name=\"password\""), "{}", page.body);
        let (csrf, code) = (page.csrf(), alice.next_code());
        let typed = [("csrf", csrf.as_str()), ("password", PASSWORD), ("code", &code)];
        let refused = alice.posts(REMOVE, &typed).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(refused.body.contains(reason));
        assert!(alice.opens(SECOND_FACTOR).await.body.contains("state done"));
    }
}

#[tokio::test]
async fn recovery_codes_are_renewed_with_password_and_code() {
    let gate = Gate::new().await;
    let mut alice = gate.signed_in("alice").await;
    let page = alice.opens(CODES).await;
    assert!(page.body.contains("Codes left: 8"), "{}", page.body);
    let wrong = alice.sends_form(&page, CODES, &[("password", PASSWORD), ("code", "000000")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let code = alice.next_code();
    let shown = alice.sends_form(&page, CODES, &[("password", PASSWORD), ("code", &code)]).await;
    assert_eq!((shown.status, shown.recovery_codes().len()), (StatusCode::OK, 8), "{}", shown.body);
    assert!(alice.is_in().await);
    let again = alice.sends_form(&page, CODES, &[("password", PASSWORD), ("code", &code)]).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN, "the form of the session before made others");
}

#[tokio::test]
async fn a_recovery_code_serves_where_a_sign_in_is_confirmed() {
    let gate = Gate::new().await;
    let mut carol = gate.signed_in("carol").await;
    let codes = sets_up(&gate, &mut carol).await.recovery_codes();
    let confirm = "/secure/login/confirm";
    let page = format!("{confirm}?need=second-factor&return_to=/admin/&with=recovery");
    let done = carol.fills(&page, confirm, &[("recovery_code", &codes[0])]).await;
    assert_eq!(done.location(), "/admin/", "{}", done.body);
    let page = format!("{confirm}?need=sign-in&return_to=/admin/&with=recovery");
    let used = carol.fills(&page, confirm, &[("password", PASSWORD), ("recovery_code", &codes[0])]).await;
    assert_eq!(used.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(used.body.contains("name=\"recovery_code\""));
    let done = carol.sends_form(&used, confirm, &[("password", PASSWORD), ("recovery_code", &codes[1])]).await;
    assert_eq!(done.location(), "/admin/", "{}", done.body);
}

#[tokio::test]
async fn whoever_is_not_offered_a_second_factor_gets_none_by_any_of_its_addresses() {
    let gate = Gate::new().await;
    gate.add("dave", "customers", &[]).await;
    let mut dave = gate.signed_in("dave").await;
    for page in [ADD, REMOVE] {
        assert_eq!(dave.opens(page).await.location(), SECOND_FACTOR, "{page}");
    }
    gate.later(Duration::from_secs(1));
    let csrf = dave.opens("/secure/account").await.csrf();
    let password = format!("{SECOND_FACTOR}/password");
    dave.posts(&password, &[("csrf", &csrf), ("password", PASSWORD)]).await;
    let page = dave.opens(SECOND_FACTOR).await;
    assert!(page.body.contains("has no second factor") && !page.body.contains("class=\"letters\""), "{}", page.body);
    assert_eq!(dave.opens(&format!("{REMOVE}?authenticator=x")).await.status, StatusCode::NOT_FOUND);
}
