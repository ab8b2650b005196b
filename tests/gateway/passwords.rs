//! Passwords changed on a whole gateway: PWD-5, PWD-6, SESS-3, AUTH-6.

use std::time::{Duration, Instant};

use vantail::demo::inbox::Channel;

use crate::accounts::{guess, hashes};
use crate::support::answer::Answer;
use crate::world::{PASSWORD, Person, World};

const PAGE: &str = "/secure/password";
const NEW: &str = "copper zeppelin at noon";

async fn changes(person: &Person<'_>, present: &str, new: &str) -> Answer {
    let fields = [("current_password", present), ("new_password", new), ("new_password_again", new)];
    person.client.fill(PAGE, PAGE, &fields).await
}

/// Waits until a mail to `name` came, and gives what was written.
async fn mail_to(world: &World, name: &str) -> String {
    let address = format!("{name}@gw.test");
    let matches = |message: &vantail::demo::inbox::Message| message.channel == Channel::Mail && message.to == address;
    world.inbox.wait_for(matches).await.unwrap_or_else(|error| panic!("{error}"));
    world.inbox.messages().into_iter().rev().find(matches).unwrap().text
}

#[tokio::test]
async fn sess_3_change_password_ends_all_other_sessions_within_a_second_and_a_mail_tells_the_owner() {
    let world = World::start().await;
    let (here, elsewhere) = (world.signed_in("carol").await, world.signed_in("carol").await);
    let stolen = here.client.twin();
    assert_eq!(elsewhere.client.get("/app/x").await.status, 200);
    let done = changes(&here, PASSWORD, NEW).await;
    assert_eq!(done.status, 303, "{}", done.text());
    let begun = Instant::now();
    while elsewhere.client.get("/app/x").await.status == 200 {
        assert!(begun.elapsed() < Duration::from_secs(3), "the other session is still in");
        tokio::task::yield_now().await;
    }
    assert!(stolen.get("/app/x").await.asks_for_sign_in(), "the earlier cookie still opens something");
    assert_eq!(here.client.get("/app/x").await.status, 200);
    assert_eq!(guess(&world, "carol", PASSWORD).await.status, 422);
    assert_eq!(guess(&world, "carol", NEW).await.status, 303);
    let mail = mail_to(&world, "carol").await;
    for wanted in ["carol", "2026-03-01", "127.0.0.1", "If it was not you"] {
        assert!(mail.contains(wanted), "{wanted} is not in {mail}");
    }
    assert!(!mail.contains(NEW));
    let acts = world.acts().await;
    assert!(acts.contains(&"password.changed ok".to_owned()), "{acts:?}");
}

#[tokio::test]
async fn auth_6_guesses_through_a_change_of_password_share_the_lock() {
    let world = World::start().await;
    let carol = world.signed_in("carol").await;
    // The session was carried off to a browser that nobody knows.
    carol.client.set_cookie("vantail-browser", "another");
    let before = hashes(&world);
    for _ in 0..4 {
        assert_eq!(changes(&carol, "not the password", NEW).await.status, 422);
    }
    for _ in 0..3 {
        assert_eq!(guess(&world, "carol", "not the password").await.status, 422);
    }
    assert_eq!(changes(&carol, PASSWORD, NEW).await.status, 422, "locked");
    assert_eq!(guess(&world, "carol", PASSWORD).await.status, 422, "locked");
    assert_eq!(hashes(&world) - before, 5);
}

#[tokio::test]
async fn pwd_5_the_last_four_a_megabyte_and_the_installations_name_are_refused() {
    let world = World::start().await;
    let carol = world.signed_in("carol").await;
    let row = [PASSWORD, NEW, "nine herons over the quay", "a lantern in the orchard", "three late trains to Lyon"];
    for pair in row.windows(2) {
        assert_eq!(changes(&carol, pair[0], pair[1]).await.status, 303, "{}", pair[1]);
    }
    for earlier in &row[..4] {
        assert_eq!(changes(&carol, row[4], earlier).await.status, 422, "{earlier}");
    }
    let before = hashes(&world);
    for own in ["gw.test.gw.test", "vantailvantail1", "localhost-localhost"] {
        assert_eq!(changes(&carol, row[4], own).await.status, 422, "{own}");
    }
    let csrf = carol.client.get(PAGE).await.field("csrf");
    let megabyte = "x".repeat(1 << 20);
    let fields = [
        ("csrf", csrf.as_str()),
        ("current_password", row[4]),
        ("new_password", &megabyte),
        ("new_password_again", "x"),
    ];
    assert_eq!(carol.client.post_form(PAGE, &fields).await.status, 413);
    assert_eq!(hashes(&world), before);
    let through_login = [("csrf", csrf.as_str()), ("username", "carol"), ("password", &megabyte)];
    assert_eq!(world.stranger().post_form("/secure/login", &through_login).await.status, 413);
    assert_eq!(hashes(&world), before);
}

#[tokio::test]
async fn pwd_6_changes_are_limited_and_an_old_password_leads_to_the_change_alone() {
    let advanced = "[advanced]\npassword_validity_days = 2\nchanges_allowed = 1\nchanges_period_days = 1\n";
    let world = World::builder().security(advanced).start().await;
    let carol = world.signed_in("carol").await;
    assert_eq!(changes(&carol, PASSWORD, NEW).await.status, 303);
    let refused = changes(&carol, NEW, "nine herons over the quay").await;
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("as often as is allowed") && refused.text().contains("2 March 2026"));

    world.advance(Duration::from_hours(48));
    let carol = world.person("carol");
    assert_eq!(carol.give_password(NEW).await.location(), "/secure/login/password");
    for closed in ["/app/x", PAGE, "/secure/account"] {
        assert!(carol.client.get(closed).await.is_not_forwarded(), "{closed}");
    }
    assert_eq!(world.backend.count(), 0);
    let page = carol.client.get("/secure/login/password").await;
    assert!(page.text().contains("older than passwords may be"), "{}", page.text());
    let new = "a lantern in the orchard";
    let fields = [("new_password", new), ("new_password_again", new)];
    let done = carol.client.fill("/secure/login/password", "/secure/login/password", &fields).await;
    assert_eq!(done.status, 303, "{}", done.text());
    assert_eq!(carol.client.get("/app/x").await.status, 200);
}

#[tokio::test]
async fn pwd_6_at_the_end_date_a_session_and_what_it_asked_for_stop() {
    let world = World::start().await;
    let (alice, val) = (world.signed_in("alice").await, world.signed_in("val").await);
    let id = alice.asks("POST", "/admin/ops/1", "{}").await;
    let token = val.token(&id).await;
    let until = world.now().plus(Duration::from_mins(2));
    let edit = vantail::account::Edit { valid_until: Some(Some(until)), ..Default::default() };
    world.tools.accounts.edit(world.user("alice").await.id, edit, &world.operator()).await.unwrap();
    world.advance(Duration::from_secs(119));
    assert_eq!(alice.client.get("/app/x").await.status, 200, "a second before");
    world.advance(Duration::from_secs(1));
    assert!(alice.client.get("/app/x").await.is_not_forwarded());
    assert_eq!(guess(&world, "alice", PASSWORD).await.status, 422);
    let forwarded = world.backend.count();
    val.confirms_raw(&id, &token).await;
    val.sees(&id, "withdrawn").await;
    assert_eq!(world.backend.count(), forwarded);
}
