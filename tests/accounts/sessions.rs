//! Sessions known in process: their ends, and how they learn of them. SESS-2, SESS-3.

use std::time::Duration;

use vantail::account::Edit;
use vantail::identity::SessionId;
use vantail::secret::SessionToken;
use vantail::session::Presented;
use vantail::store::changes::Change;

use super::world::{PASSWORD, World, token_of};

/// How long a connection may take to learn of its session's end.
const SOON: Duration = Duration::from_secs(5);

async fn polls(world: &World, token: &SessionToken) -> bool {
    let presented = world.sessions().look_up(token, &world.security.sessions, world.now(), false).await.unwrap();
    matches!(presented, Presented::Live(_))
}

/// Tells the sessions of `world` what the store's other users changed, as the gateway's task does.
async fn follow(world: &World, changes: &mut vantail::store::changes::Changes) {
    for change in changes.next().await.unwrap() {
        match change {
            Change::Session(session) => world.sessions().forget(session),
            Change::User(user) => world.sessions().forget_user(user),
            _ => {}
        }
    }
}

#[tokio::test]
async fn sess_2_fourteen_minutes_fifty_nine_work_and_fifteen_do_not() {
    let world = World::new().await;
    world.user("alice").await;
    let (token, _) = world.signed_in("alice").await;
    for _ in 0..5 {
        world.wait(14 * 60 + 59);
        assert!(world.lives(&token).await);
    }
    world.wait(15 * 60 + 1);
    assert!(!world.lives(&token).await);
}

#[tokio::test]
async fn sess_2_steady_use_does_not_move_the_absolute_end() {
    let world = World::new().await;
    world.user("alice").await;
    let (token, _) = world.signed_in("alice").await;
    for _ in 0..12 * 6 - 1 {
        world.wait(600);
        assert!(world.lives(&token).await);
    }
    let token = token_of(&world.prove_again(&token, PASSWORD, None).await.unwrap());
    world.wait(599);
    assert!(world.lives(&token).await);
    world.wait(1);
    assert!(!world.lives(&token).await, "twelve hours, though proven again in between");
}

#[tokio::test]
async fn sess_2_polling_is_no_use() {
    let world = World::new().await;
    world.user("alice").await;
    let (token, _) = world.signed_in("alice").await;
    for _ in 0..14 {
        world.wait(60);
        assert!(polls(&world, &token).await);
    }
    world.wait(60);
    assert!(!polls(&world, &token).await);
}

#[tokio::test]
async fn a_session_survives_a_restart_with_its_last_use() {
    let world = World::new().await;
    world.user("alice").await;
    let (token, _) = world.signed_in("alice").await;
    world.wait(14 * 60);
    assert!(world.lives(&token).await);
    world.sessions().write_last_seen().await.unwrap();
    world.wait(14 * 60);
    let restarted = world.another_process().await;
    let presented = restarted.sessions.look_up(&token, &world.security.sessions, world.now(), true).await.unwrap();
    assert!(matches!(presented, Presented::Live(_)));
}

#[tokio::test]
async fn a_use_not_written_yet_is_not_forgotten_with_the_session() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let (token, _) = world.signed_in("alice").await;
    world.wait(14 * 60);
    assert!(world.lives(&token).await);
    world.sessions().forget_user(alice.id);
    world.wait(14 * 60);
    assert!(world.lives(&token).await);
}

#[tokio::test]
async fn sess_3_what_another_process_ends_is_refused_once_told() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let other = world.another_process().await;
    let mut changes = world.store.follow_changes().await.unwrap();
    let command = world.command();

    let (token, signed_in) = world.signed_in("alice").await;
    assert!(world.lives(&token).await);
    other.accounts.store.end_session(signed_in.session, &[]).await.unwrap();
    tokio::time::timeout(Duration::from_secs(1), follow(&world, &mut changes)).await.expect("told within a second");
    assert!(!world.lives(&token).await);

    let (token, _) = world.signed_in("alice").await;
    assert!(world.lives(&token).await);
    other.accounts.reset_password(&world.security, alice.id, &command).await.unwrap();
    tokio::time::timeout(Duration::from_secs(1), follow(&world, &mut changes)).await.expect("told within a second");
    assert!(!world.lives(&token).await);
}

#[tokio::test]
async fn sess_3_a_disabled_user_is_out_and_so_is_one_whose_time_is_over() {
    let world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let (of_alice, _) = world.signed_in("alice").await;
    let (of_bob, _) = world.signed_in("bob").await;
    let mut changes = world.store.follow_changes().await.unwrap();
    world.accounts().disable(alice.id, &world.command()).await.unwrap();
    let until = Edit { valid_until: Some(Some(world.after(Duration::from_mins(1)))), ..Edit::default() };
    world.accounts().edit(bob.id, until, &world.command()).await.unwrap();
    follow(&world, &mut changes).await;
    world.sessions().forget_user(bob.id);
    assert!(!world.lives(&of_alice).await);
    assert!(world.lives(&of_bob).await);
    world.wait(60);
    assert!(!world.lives(&of_bob).await, "known in process, and its end came");
}

#[tokio::test]
async fn while_changes_cannot_be_followed_the_store_is_asked_each_time() {
    let world = World::new().await;
    world.user("alice").await;
    let (token, signed_in) = world.signed_in("alice").await;
    world.sessions().trust(false);
    assert!(world.lives(&token).await);
    assert_eq!(world.sessions().known(), 0);
    world.store.end_session(signed_in.session, &[]).await.unwrap();
    assert!(!world.lives(&token).await, "without having been told");
}

#[tokio::test]
async fn a_live_connection_learns_of_its_sessions_end_and_of_nothing_less() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let (token, signed_in) = world.signed_in("alice").await;
    let token = token_of(&world.prove_again(&token, PASSWORD, None).await.unwrap());
    let mut ended = Box::pin(world.sessions().ended(signed_in.session));
    assert!(futures_util::poll!(&mut ended).is_pending());
    let token = token_of(&world.prove_again(&token, PASSWORD, None).await.unwrap());
    world.sessions().forget_user(alice.id);
    let still = tokio::time::timeout(Duration::from_millis(300), &mut ended).await;
    assert!(still.is_err(), "a rotated token and a changed user end no session");
    world.login.sign_out(&token, &world.origin()).await.unwrap();
    tokio::time::timeout(SOON, ended).await.expect("it is told");
}

#[tokio::test]
async fn a_live_connection_ends_at_the_idle_end_and_at_its_users_end() {
    let world = World::new().await;
    world.user("idle").await;
    let until = world.user("until").await;
    let end = Edit { valid_until: Some(Some(world.after(Duration::from_mins(1)))), ..Edit::default() };
    world.accounts().edit(until.id, end, &world.command()).await.unwrap();
    let (_, idle) = world.signed_in("idle").await;
    let (_, until) = world.signed_in("until").await;
    let (idle, until) = (world.sessions().ended(idle.session), world.sessions().ended(until.session));
    let (mut idle, mut until) = (Box::pin(idle), Box::pin(until));
    assert!(tokio::time::timeout(Duration::from_millis(100), &mut idle).await.is_err());
    assert!(tokio::time::timeout(Duration::from_millis(100), &mut until).await.is_err());
    world.wait(60);
    world.sessions().sweep(&world.security.sessions, world.now()).await.unwrap();
    tokio::time::timeout(SOON, until).await.expect("its user's end");
    world.wait(15 * 60);
    assert_eq!(world.sessions().sweep(&world.security.sessions, world.now()).await.unwrap().len(), 2);
    tokio::time::timeout(SOON, idle).await.expect("its idle end");
}

#[tokio::test]
async fn a_session_nobody_has_is_ended() {
    let world = World::new().await;
    let nobodys = SessionId(uuid::Uuid::from_u128(1));
    tokio::time::timeout(SOON, world.sessions().ended(nobodys)).await.expect("at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ended_under_load_is_never_known_again() {
    let world = std::sync::Arc::new(World::new().await);
    world.user("alice").await;
    for _ in 0..20 {
        let (token, signed_in) = world.signed_in("alice").await;
        let readers: Vec<_> = (0..8)
            .map(|_| {
                let (world, token) = (std::sync::Arc::clone(&world), token.clone());
                tokio::spawn(async move {
                    for _ in 0..20 {
                        world.lives(&token).await;
                    }
                })
            })
            .collect();
        world.sessions().forget(signed_in.session);
        world.store.end_session(signed_in.session, &[]).await.unwrap();
        world.sessions().forget(signed_in.session);
        assert!(!world.lives(&token).await);
        for reader in readers {
            reader.await.unwrap();
        }
        assert!(!world.lives(&token).await);
    }
}
