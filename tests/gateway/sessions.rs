//! Sessions: SESS-1 to SESS-3.

use std::time::{Duration, Instant};

use vantail::account::Edit;
use vantail::time::Clock as _;

use crate::support::client::Client;
use crate::world::{PASSWORD, World};

/// Within a second, tried with a bound of three times that, `client` is refused.
pub async fn is_out_within_a_second(client: &Client, what: &str) {
    let begin = Instant::now();
    while client.get("/app/x").await.status == 200 {
        assert!(begin.elapsed() < Duration::from_secs(3), "{what}: still in");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn sess_1_every_change_of_level_changes_the_session_and_kills_the_old() {
    let world = World::start().await;
    let alice = world.person("alice");
    let mut seen = vec![];
    alice.client.get("/secure/login").await;
    seen.push(alice.client.cookie("vantail"));
    alice.give_password(PASSWORD).await;
    seen.push(alice.client.cookie("vantail"));
    alice.give_code(&world.next_code("alice")).await;
    seen.push(alice.client.cookie("vantail"));
    let code = world.next_code("alice");
    let fields = [("password", PASSWORD), ("code", code.as_str())];
    let answer = alice.client.fill("/secure/login/confirm", "/secure/login/confirm", &fields).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    seen.push(alice.client.cookie("vantail"));
    for (index, one) in seen.iter().enumerate() {
        for other in &seen[index + 1..] {
            assert_ne!(one, other);
        }
    }
    assert_eq!(alice.client.get("/app/x").await.status, 200);
    for old in seen[..3].iter().flatten() {
        let thief = world.stranger();
        thief.set_cookie("vantail", old);
        assert!(thief.get("/app/x").await.asks_for_sign_in(), "an earlier session still lives");
    }
}

#[tokio::test]
async fn sess_2_idle_and_absolute_ends_hold() {
    let world = World::start().await;
    let carol = world.signed_in("carol").await;
    world.advance(Duration::from_secs(14 * 60 + 59));
    assert_eq!(carol.client.get("/app/x").await.status, 200, "14:59");
    world.advance(Duration::from_secs(15 * 60 + 1));
    assert!(carol.client.get("/app/x").await.asks_for_sign_in(), "15:01");

    let carol = world.signed_in("carol").await;
    for _ in 0..(12 * 60 / 14) {
        world.advance(Duration::from_mins(14));
        assert_eq!(carol.client.get("/app/x").await.status, 200, "steady use");
    }
    world.advance(Duration::from_mins(14));
    assert!(carol.client.get("/app/x").await.asks_for_sign_in(), "past the absolute end");
}

#[tokio::test]
async fn sess_2_polling_is_not_use() {
    let world = World::builder().hold("expires = \"2h\"").start().await;
    let alice = world.signed_in("alice").await;
    let id = alice.asks("POST", "/admin/ops/1", "{}").await;
    for _ in 0..3 {
        world.advance(Duration::from_mins(4));
        alice.client.get(&format!("/secure/operations/{id}/wait")).await;
        alice.state(&id).await;
    }
    world.advance(Duration::from_mins(4));
    assert!(alice.client.get("/app/x").await.asks_for_sign_in(), "only polling for 16 minutes");
}

#[tokio::test]
async fn sess_3_logout_ends_the_session_at_once() {
    let world = World::start().await;
    let carol = world.signed_in("carol").await;
    let stolen = carol.client.twin();
    let answer = carol.client.fill("/secure/logout", "/secure/logout", &[]).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert!(stolen.get("/app/x").await.asks_for_sign_in());
}

#[tokio::test]
async fn sess_3_whatever_an_administrator_does_ends_sessions_within_a_second() {
    let world = World::start().await;
    let accounts = &world.tools.accounts;
    let id = world.user("alice").await.id;

    let alice = world.signed_in("alice").await;
    accounts.reset_password(&world.security(), id, &world.operator()).await.unwrap();
    is_out_within_a_second(&alice.client, "password reset").await;

    let bob = world.signed_in("bob").await;
    let bob_id = world.user("bob").await.id;
    let operator = world.operator();
    accounts.reset_second_factor(bob_id, world.tools.notices.factor_reset(&operator), &operator).await.unwrap();
    is_out_within_a_second(&bob.client, "second factor reset").await;

    let carol = world.signed_in("carol").await;
    let carol_id = world.user("carol").await.id;
    accounts.disable(carol_id, &world.operator()).await.unwrap();
    is_out_within_a_second(&carol.client, "disabled").await;
    accounts.enable(carol_id, &world.operator()).await.unwrap();

    let carol = world.signed_in("carol").await;
    let session = world.tools.store.sessions(Some(carol_id)).await.unwrap()[0].id;
    assert!(world.tools.store.end_session(session, &[]).await.unwrap());
    is_out_within_a_second(&carol.client, "ended by an administrator").await;

    let carol = world.signed_in("carol").await;
    let end = world.clock.now().plus(Duration::from_mins(1));
    let edit = Edit { valid_until: Some(Some(end)), ..Edit::default() };
    accounts.edit(carol_id, edit, &world.operator()).await.unwrap();
    world.advance(Duration::from_mins(1));
    is_out_within_a_second(&carol.client, "past the end date").await;
}

#[tokio::test]
async fn a_session_survives_a_restart() {
    let mut world = World::start().await;
    let cookies = {
        let carol = world.signed_in("carol").await;
        carol.client.cookies()
    };
    world.restart().await;
    let carol = world.stranger();
    for (name, value) in cookies {
        carol.set_cookie(&name, &value);
    }
    assert_eq!(carol.get("/app/x").await.status, 200);
}
