//! *Remember me*, and the lists of one's sessions and remembered browsers.

use std::time::Duration;

use http::StatusCode;
use vantail::portal::Language;
use vantail::time::Clock as _;

use crate::gate::{Gate, PASSWORD};
use crate::person::{Page, Person};

const SESSION: &str = "__Host-vantail";
const REMEMBER: &str = "__Host-vantail-remember";
const BROWSER: &str = "__Host-vantail-browser";
const SESSIONS: &str = "/secure/account/sessions";
const DEVICES: &str = "/secure/account/devices";

/// `name`, signed in with the box ticked.
async fn remembered<'g>(gate: &'g Gate, name: &str) -> Person<'g> {
    let mut person = gate.stranger();
    let typed = [("username", name), ("password", PASSWORD), ("remember", "yes")];
    let done = person.fills("/secure/login?return_to=/app/", "/secure/login", &typed).await;
    assert_eq!((done.location().as_str(), person.cookies.contains_key(REMEMBER)), ("/app/", true), "{}", done.body);
    person
}

/// A day passes: the session is over.
fn a_day_later(gate: &Gate) {
    gate.later(Duration::from_hours(24));
}

/// The cookie `name` that a page sets, whole.
fn set(page: &Page, name: &str) -> Option<String> {
    let lines = page.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap().to_owned());
    lines.into_iter().find(|line| line.starts_with(&format!("{name}=")))
}

/// The ids behind the forms of a list, in its order.
fn ids(page: &Page, list: &str) -> Vec<String> {
    let action = format!("action=\"{list}/");
    let forms = page.body.split(&action).skip(1);
    forms.filter_map(|form| form.split('"').next()?.strip_suffix("/end").map(str::to_owned)).collect()
}

#[tokio::test]
async fn the_box_says_for_how_long_in_both_languages_and_stays_ticked() {
    let gate = Gate::new().await;
    let mut carol = gate.stranger();
    let page = carol.opens("/secure/login").await;
    assert!(page.body.contains("Remember me for 30 days") && !page.body.contains("checked"));
    let typed = [("username", "carol"), ("password", "wrong"), ("remember", "yes")];
    let again = carol.sends_form(&page, "/secure/login", &typed).await;
    assert!(again.body.contains("value=\"yes\" aria-describedby=\"remember-hint\" checked"), "{}", again.body);
    carol.language = Language::Fr;
    assert!(carol.opens("/secure/login").await.body.contains("Se souvenir de moi pendant 30 jours"));
}

#[tokio::test]
async fn web_3_remember_the_cookie_has_the_attributes_of_ours_and_lasts_what_remains() {
    let gate = Gate::new().await;
    let mut carol = gate.stranger();
    let typed = [("username", "carol"), ("password", PASSWORD), ("remember", "yes")];
    let done = carol.fills("/secure/login", "/secure/login", &typed).await;
    let cookie = set(&done, REMEMBER).expect("a cookie");
    assert!(cookie.starts_with("__Host-vantail-remember=vr_"), "{cookie}");
    let attributes: Vec<_> = cookie.split("; ").skip(1).collect();
    assert_eq!(attributes, ["Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=2592000", "Secure"]);
    a_day_later(&gate);
    let back = carol.opens("/secure/login?return_to=/app/").await;
    assert!(set(&back, REMEMBER).unwrap().contains("Max-Age=2505600; Secure"), "29 days remain");
    assert!(!set(&back, SESSION).unwrap().contains("Max-Age"));

    let mut near = gate.stranger();
    (near.secure, near.loopback) = (false, true);
    near.fills("/secure/login", "/secure/login", &typed).await;
    assert!(near.cookies["vantail-remember"].starts_with("vr_"));
    a_day_later(&gate);
    assert_eq!(near.opens("/secure/login?return_to=/app/").await.location(), "/app/");
}

#[tokio::test]
async fn web_3_remember_two_different_values_are_none_and_are_taken_away() {
    let gate = Gate::new().await;
    let mut carol = remembered(&gate, "carol").await;
    a_day_later(&gate);
    let value = carol.cookies[REMEMBER].clone();
    for planted in [format!("{value}; {REMEMBER}=vr_planted"), "vr_planted".into(), String::new()] {
        carol.cookies.insert(REMEMBER.into(), planted.clone());
        let page = carol.opens("/secure/login").await;
        assert_eq!((page.status, set(&page, REMEMBER).is_some()), (StatusCode::OK, true), "{planted}");
        assert!(!carol.cookies.contains_key(REMEMBER));
    }
    carol.cookies.insert(REMEMBER.into(), value);
    assert_eq!(carol.opens("/secure/login").await.status, StatusCode::SEE_OTHER, "it was not used up");
}

#[tokio::test]
async fn a_remembered_browser_comes_back_to_where_it_wanted() {
    let gate = Gate::new().await;
    let mut carol = remembered(&gate, "carol").await;
    a_day_later(&gate);
    let asked = carol.opens("/secure/operations").await;
    let back = carol.opens(&asked.location()).await;
    assert_eq!((back.status, back.location().as_str()), (StatusCode::SEE_OTHER, "/secure/operations"));
    assert_eq!(set(&back, BROWSER), None, "nobody signed in: it is not known for longer");
    assert_eq!(carol.opens("/secure/operations").await.status, StatusCode::OK);
    // A program with the same cookies is asked to sign in, and uses nothing up.
    a_day_later(&gate);
    let mut program = carol.program();
    assert_eq!(program.opens("/secure/operations").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(program.opens("/secure/login").await.status, StatusCode::OK);
    assert_eq!(carol.opens("/secure/login").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_value_that_opens_nothing_is_taken_away_and_leads_nobody_in_circles() {
    let gate = Gate::new().await;
    let mut carol = remembered(&gate, "carol").await;
    let user = carol.session().await.user.id;
    let security = &gate.policy.security;
    gate.portal.login.accounts.reset_password(security, user, &gate.origin()).await.unwrap();
    a_day_later(&gate);
    let page = carol.opens("/secure/login?return_to=/app/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("name=\"password\"") && !carol.cookies.contains_key(REMEMBER));
}

#[tokio::test]
async fn mfa_4_remember_no_cookie_before_the_last_factor_and_a_code_at_every_return() {
    let gate = Gate::new().await;
    let mut alice = gate.signed_in("alice").await;
    alice.fills("/secure/logout", "/secure/logout", &[]).await;
    let typed = [("username", "alice"), ("password", PASSWORD), ("remember", "yes")];
    let step = alice.fills("/secure/login", "/secure/login", &typed).await;
    assert!(!alice.cookies.contains_key(REMEMBER) && step.location() == "/secure/login/second-factor");
    let done = alice.gives_code(&step.location()).await;
    assert!(set(&done, REMEMBER).is_some() && alice.cookies.contains_key(REMEMBER));
    a_day_later(&gate);
    // Her group must have two factors: nothing opens before the code.
    let back = alice.opens("/secure/login?return_to=/secure/account").await;
    assert_eq!(back.location(), "/secure/login/second-factor?return_to=/secure/account");
    let closed = alice.opens("/secure/account").await;
    assert!(closed.location().starts_with("/secure/login/second-factor"), "{}", closed.location());
    assert_eq!(alice.opens("/secure/login").await.status, StatusCode::OK, "somebody else may sign in");
    let done = alice.gives_code(&back.location()).await;
    assert_eq!(done.location(), "/secure/account");
    assert!(alice.opens(SESSIONS).await.body.contains("Two factors"));
}

#[tokio::test]
async fn whoever_cancels_a_return_gets_the_form_and_the_browser_is_forgotten() {
    let gate = Gate::new().await;
    let mut alice = gate.signed_in("alice").await;
    alice.fills("/secure/logout", "/secure/logout", &[]).await;
    let typed = [("username", "alice"), ("password", PASSWORD), ("remember", "yes")];
    let step = alice.fills("/secure/login", "/secure/login", &typed).await;
    alice.gives_code(&step.location()).await;
    a_day_later(&gate);
    let back = alice.opens("/secure/login").await;
    assert_eq!((back.location().as_str(), alice.cookies.contains_key(REMEMBER)), ("/secure/login/second-factor", true));
    let cancelled = alice.fills(&back.location(), "/secure/login/cancel", &[]).await;
    assert_eq!((cancelled.location().as_str(), alice.cookies.contains_key(REMEMBER)), ("/secure/login", false));
    assert!(alice.opens("/secure/login").await.body.contains("name=\"password\""));
    assert!(gate.store.devices(None, gate.clock.now()).await.unwrap().is_empty());
}

#[tokio::test]
async fn sess_4_a_thief_and_the_owner_are_both_out_and_the_page_says_why() {
    let gate = Gate::new().await;
    let mut carol = remembered(&gate, "carol").await;
    let mut thief = gate.stranger();
    thief.cookies = carol.cookies.clone();
    a_day_later(&gate);
    assert_eq!(thief.opens("/secure/login").await.status, StatusCode::SEE_OTHER);
    assert!(thief.is_in().await);
    gate.later(Duration::from_secs(11));
    let page = carol.opens("/secure/login?return_to=/app/").await;
    assert!(page.body.contains("had been used before"), "{}", page.body);
    assert!(!carol.cookies.contains_key(REMEMBER) && !thief.is_in().await);
    let out = thief.opens("/secure/login").await;
    assert_eq!((out.status, thief.cookies.contains_key(REMEMBER)), (StatusCode::OK, false));
}

#[tokio::test]
async fn sess_4_what_was_asked_for_in_a_session_of_an_ended_family_is_withdrawn() {
    let gate = Gate::new().await;
    let mut carol = remembered(&gate, "carol").await;
    let mut thief = gate.stranger();
    thief.cookies = carol.cookies.clone();
    a_day_later(&gate);
    thief.opens("/secure/login").await;
    let operation = gate.held_by(&thief).await;
    gate.later(Duration::from_secs(11));
    carol.opens("/secure/login").await;
    let row = gate.store.operation(&operation).await.unwrap().unwrap();
    assert_eq!((row.state.as_str(), row.reason.as_deref()), ("withdrawn", Some("session-ended")));
}

#[tokio::test]
async fn a_remembered_session_proves_nothing_that_asks_for_a_recent_sign_in() {
    let gate = Gate::new().await;
    let mut carol = remembered(&gate, "carol").await;
    // The browser lost its session a minute after the sign-in.
    gate.later(Duration::from_mins(1));
    carol.cookies.remove(SESSION);
    carol.opens("/secure/login").await;
    assert!(carol.opens(SESSIONS).await.body.contains("Remembered browser"));
    let page = carol.opens("/secure/account/second-factor").await;
    assert!(page.body.contains("name=\"password\"") && !page.body.contains("class=\"letters\""));
    // A host shared with an application: confirming and denying ask for a sign-in no older than five minutes.
    let alice = gate.signed_in("alice").await;
    let address = format!("/secure/operations/{}", gate.held_by(&alice).await);
    let mut olaf = remembered(&gate, "olaf").await;
    let confirms = format!("action=\"{address}/confirm\"");
    assert!(olaf.opens(&address).await.body.contains(&confirms));
    olaf.cookies.remove(SESSION);
    olaf.opens("/secure/login").await;
    let shown = olaf.opens(&address).await;
    assert!(shown.body.contains("/secure/login/confirm") && !shown.body.contains(&confirms), "{}", shown.body);
}

#[tokio::test]
async fn ones_sessions_are_listed_and_ended() {
    let gate = Gate::new().await;
    let mut carol = remembered(&gate, "carol").await;
    gate.later(Duration::from_mins(1));
    let mut elsewhere = gate.signed_in("carol").await;
    let mut bob = gate.signed_in("bob").await;
    assert!(carol.opens("/secure/account").await.body.contains(SESSIONS));
    let list = carol.opens(SESSIONS).await;
    assert!(list.body.contains("This session") && list.body.contains("Unknown browser"), "{}", list.body);
    let own = ids(&list, SESSIONS);
    assert_eq!(own.len(), 2);
    let bobs = ids(&bob.opens(SESSIONS).await, SESSIONS);
    assert_eq!(bobs.len(), 1, "one's own alone");
    // Somebody else's id, nobody's, and none at all: one answer.
    let csrf = list.csrf();
    let mut answers = Vec::new();
    for id in [bobs[0].as_str(), "0199c3a2-0000-7000-8000-000000000000", "nonsense"] {
        let answer = carol.posts(&format!("{SESSIONS}/{id}/end"), &[("csrf", &csrf)]).await;
        answers.push((answer.status, answer.body));
    }
    assert_eq!(answers[0].0, StatusCode::NOT_FOUND);
    assert!(answers.iter().all(|answer| *answer == answers[0]) && bob.is_in().await);
    let unforged = carol.posts(&format!("{SESSIONS}/{}/end", own[1]), &[("csrf", "x")]).await;
    assert_eq!((unforged.status, elsewhere.is_in().await), (StatusCode::FORBIDDEN, true));
    assert_eq!(
        carol.opens(&format!("{SESSIONS}/{}/end", own[1])).await.location(),
        SESSIONS,
        "opened, it ends nothing"
    );
    assert!(elsewhere.is_in().await);

    let operation = gate.held_by(&elsewhere).await;
    let ended = carol.fills(SESSIONS, &format!("{SESSIONS}/{}/end", own[1]), &[]).await;
    assert_eq!(ended.location(), "/secure/account/sessions?notice=session-ended");
    assert!(carol.opens(&ended.location()).await.body.contains("The session has ended."));
    gate.sessions.trust(true);
    assert!(!elsewhere.is_in().await && carol.is_in().await);
    assert_eq!(elsewhere.opens(SESSIONS).await.status, StatusCode::SEE_OTHER);
    let row = gate.store.operation(&operation).await.unwrap().unwrap();
    assert_eq!(row.state.as_str(), "withdrawn", "whose session it was is not known");

    // This one's end is a sign-out, and nobody comes back.
    let out = carol.fills(SESSIONS, &format!("{SESSIONS}/{}/end", own[0]), &[]).await;
    assert_eq!(out.location(), "/secure/login?notice=signed-out");
    assert!(!carol.is_in().await && !carol.cookies.contains_key(REMEMBER));
}

#[tokio::test]
async fn sess_3_remember_all_others_end_with_one_button() {
    let gate = Gate::new().await;
    let mut carol = remembered(&gate, "carol").await;
    let mut lost = remembered(&gate, "carol").await;
    let mut other = gate.signed_in("carol").await;
    let done = carol.fills(SESSIONS, &format!("{SESSIONS}/others"), &[]).await;
    assert_eq!(done.location(), "/secure/account/sessions?notice=sessions-ended");
    gate.sessions.trust(true);
    assert!(carol.is_in().await && !lost.is_in().await && !other.is_in().await);
    assert_eq!(lost.opens("/secure/login").await.status, StatusCode::OK, "it is remembered no more");
    assert_eq!(other.opens("/secure/login").await.status, StatusCode::OK);
    a_day_later(&gate);
    assert_eq!(carol.opens("/secure/login").await.status, StatusCode::SEE_OTHER, "this one is");
}

#[tokio::test]
async fn ones_remembered_browsers_are_listed_and_forgotten() {
    let gate = Gate::new().await;
    let mut carol = remembered(&gate, "carol").await;
    gate.later(Duration::from_secs(1));
    let (mut lost, mut other) = (remembered(&gate, "carol").await, remembered(&gate, "carol").await);
    let mut bob = gate.signed_in("bob").await;
    assert!(bob.opens(DEVICES).await.body.contains("No browser is remembered."));
    let list = carol.opens(DEVICES).await;
    let own = ids(&list, DEVICES);
    assert_eq!((own.len(), list.body.matches("This browser<").count()), (3, 1), "{}", list.body);
    let csrf = bob.opens(SESSIONS).await.csrf();
    let foreign = bob.posts(&format!("{DEVICES}/{}/end", own[0]), &[("csrf", &csrf)]).await;
    let nobodys = format!("{DEVICES}/0199c3a2-0000-7000-8000-000000000000/end");
    let nobodys = bob.posts(&nobodys, &[("csrf", &csrf)]).await;
    assert_eq!((foreign.status, &foreign.body), (StatusCode::NOT_FOUND, &nobodys.body));

    let of_lost = ids(&lost.opens(DEVICES).await, DEVICES).remove(0);
    let done = carol.fills(DEVICES, &format!("{DEVICES}/{of_lost}/end"), &[]).await;
    assert_eq!(done.location(), "/secure/account/devices?notice=device-forgotten");
    assert!(carol.opens(&done.location()).await.body.contains("The browser is forgotten"));
    gate.sessions.trust(true);
    assert!(!lost.is_in().await && lost.opens("/secure/login").await.status == StatusCode::OK);
    assert!(other.is_in().await);

    carol.language = Language::Fr;
    assert!(carol.opens(DEVICES).await.body.contains("Navigateurs mémorisés"));
    carol.fills(DEVICES, &format!("{DEVICES}/others"), &[]).await;
    gate.sessions.trust(true);
    assert!(carol.is_in().await && !other.is_in().await);
    assert_eq!(other.opens("/secure/login").await.status, StatusCode::OK);

    let out = carol.fills(DEVICES, &format!("{DEVICES}/{}/end", own[0]), &[]).await;
    assert_eq!(out.location(), "/secure/login?notice=signed-out");
    gate.sessions.trust(true);
    assert!(!carol.is_in().await && !carol.cookies.contains_key(REMEMBER));
}

#[tokio::test]
async fn sess_3_remember_signing_out_forgets_the_browser() {
    let gate = Gate::new().await;
    let mut carol = remembered(&gate, "carol").await;
    let mut stolen = gate.stranger();
    stolen.cookies = carol.cookies.clone();
    carol.fills("/secure/logout", "/secure/logout", &[]).await;
    assert!(!carol.cookies.contains_key(REMEMBER));
    let page = stolen.opens("/secure/login").await;
    assert_eq!((page.status, stolen.cookies.contains_key(REMEMBER)), (StatusCode::OK, false));
}
