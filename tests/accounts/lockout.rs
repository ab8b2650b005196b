//! Guesses: AUTH-1 to AUTH-7.

use std::sync::Arc;
use std::time::{Duration, Instant};

use vantail::account::Edit;
use vantail::account::lockout::Subject;
use vantail::policy::Security;
use vantail::policy::security::{Lockout, Strangers};

use super::world::{PASSWORD, World, is_put_off, is_refused};

#[tokio::test(flavor = "multi_thread")]
async fn auth_1_a_thousand_parallel_guesses_cost_five_hashes() {
    let world = Arc::new(World::new().await);
    world.user("alice").await;
    let before = world.computed();
    let guesses = (0..1000).map(|number| {
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.try_password("alice", &format!("guess {number}")).await })
    });
    for guess in guesses.collect::<Vec<_>>() {
        let outcome = guess.await.unwrap();
        // On a slow machine the store may have no time for a guess: that is a 503, and nothing is checked either.
        assert!(is_refused(&outcome) || is_put_off(&outcome), "{outcome:?}");
    }
    assert_eq!(world.computed() - before, 5);
    assert!(is_refused(&world.try_password("alice", PASSWORD).await), "right, but locked");
    assert_eq!(world.computed() - before, 5);
    let acts = world.acts().await;
    assert_eq!(acts.iter().filter(|act| *act == "lockout.locked").count(), 1);
    let refused = acts.iter().filter(|act| *act == "login.refused").count();
    assert!((6..=1001).contains(&refused), "{refused}");
}

#[tokio::test]
async fn auth_2_all_spellings_of_one_user_share_a_counter() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let before = world.computed();
    let spellings = [
        "alice",
        "Alice",
        " alice",
        "alice ",
        "alice\0",
        "ａlice",
        "alice@example.org",
        "ALICE@EXAMPLE.ORG",
        "al\u{200b}ice",
    ];
    for spelling in spellings {
        assert!(is_refused(&world.try_password(spelling, "wrong").await));
    }
    assert_eq!(world.computed() - before, 5);
    assert_eq!(world.tries(alice.id).await, 5);
}

#[tokio::test]
async fn auth_2_a_name_of_nobody_is_counted_alike_and_not_kept_readable() {
    let world = World::new().await;
    let before = world.computed();
    for spelling in ["Marie.Secret-Name", "marie.secret-name", " MARIE.SECRET-NAME", "marie.secret-name\0"].repeat(3) {
        assert!(is_refused(&world.try_password(spelling, "wrong").await));
    }
    assert_eq!(world.computed() - before, 5);
    let stored = String::from_utf8_lossy(&world.database()).to_lowercase();
    assert!(!stored.contains("secret-name"));
}

#[tokio::test]
async fn auth_3_unknown_wrong_locked_disabled_and_expired_get_one_answer_for_one_hash() {
    let world = World::new().await;
    for name in ["wrong", "disabled", "expired", "locked"] {
        world.user(name).await;
    }
    let id = |name: &'static str| async { world.accounts().find(name).await.unwrap().user.id };
    world.accounts().disable(id("disabled").await, &world.command()).await.unwrap();
    let ended = Edit { valid_until: Some(Some(world.now())), ..Edit::default() };
    world.accounts().edit(id("expired").await, ended, &world.command()).await.unwrap();
    for _ in 0..5 {
        let _refused = world.try_password("locked", "wrong").await;
    }
    for (name, password, hashes) in [
        ("nobody", PASSWORD, 1),
        ("wrong", "wrong", 1),
        ("disabled", PASSWORD, 1),
        ("expired", PASSWORD, 1),
        ("locked", PASSWORD, 0),
    ] {
        let before = world.computed();
        let refusal = world.try_password(name, password).await.unwrap_err();
        assert_eq!(refusal.to_string(), "the name or the password is not right, or the account is locked", "{name}");
        assert_eq!(world.computed() - before, hashes, "{name}");
    }
}

#[tokio::test]
async fn auth_4_the_time_of_an_answer_tells_nothing() {
    let open = Lockout { attempts: u32::MAX, duration: Duration::from_mins(1) };
    let strangers = Strangers { attempts: 0, stuffing_names: 0, ..Strangers::default() };
    let world = World::with(Security { lockout: open, strangers, ..Security::default() }).await;
    world.user("known").await;
    let disabled = world.user("disabled").await;
    world.accounts().disable(disabled.id, &world.command()).await.unwrap();
    let mut times: [Vec<Duration>; 3] = Default::default();
    for _ in 0..500 {
        for (times, name) in times.iter_mut().zip(["known", "unknown", "disabled"]) {
            let begun = Instant::now();
            assert!(is_refused(&world.try_password(name, "wrong").await));
            times.push(begun.elapsed());
        }
    }
    let medians = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    let (least, most) = (medians.iter().min().unwrap(), medians.iter().max().unwrap());
    let apart = most.saturating_sub(*least);
    assert!(apart < Duration::from_millis(5) || apart < *most / 20, "{medians:?}");
}

#[tokio::test]
async fn auth_4_a_locked_name_is_answered_as_late_as_an_open_one() {
    let world = World::new().await;
    world.user("alice").await;
    for _ in 0..5 {
        let _refused = world.try_password("alice", "wrong").await;
    }
    let usual = world.accounts().hashing.usual();
    let begun = Instant::now();
    assert!(is_refused(&world.try_password("alice", PASSWORD).await));
    assert!(begun.elapsed() >= usual, "{:?} is less than the usual {usual:?}", begun.elapsed());
}

#[tokio::test]
async fn auth_5_nothing_a_stranger_can_do_sets_the_counter_back() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    world.user("mallory").await;
    for _ in 0..4 {
        let _refused = world.try_password("alice", "wrong").await;
    }
    let (token, _) = world.signed_in("mallory").await;
    world.login.sign_out(&token, &world.origin()).await.unwrap();
    world.wait(60);
    assert_eq!(world.tries(alice.id).await, 4);
    assert!(is_refused(&world.try_password("alice", "wrong").await));
    assert!(is_refused(&world.try_password("alice", PASSWORD).await), "the fifth locked");
}

#[tokio::test]
async fn auth_5_a_right_password_gives_back_its_own_try_alone() {
    let world = World::new().await;
    let alice = world.user_with_factor("alice").await;
    for _ in 0..4 {
        let _refused = world.try_password("alice", "wrong").await;
    }
    for _ in 0..3 {
        world.pending("alice").await;
        assert_eq!(world.tries(alice.id).await, 4);
    }
    let pending = world.pending("alice").await;
    world.try_code(&pending, &world.code()).await.unwrap();
    assert_eq!(world.tries(alice.id).await, 0, "only the full sign-in does");
}

#[tokio::test]
async fn auth_6_all_doors_share_the_counter() {
    let world = World::new().await;
    let alice = world.user_with_factor("alice").await;
    let pending = world.pending("alice").await;
    let token = super::world::token_of(&world.try_code(&pending, &world.code()).await.unwrap());
    world.wait(60);
    let pending = world.pending("alice").await;

    assert!(is_refused(&world.try_password("alice", "wrong").await));
    assert!(is_refused(&world.prove_again(&token, "wrong", None).await));
    assert!(is_refused(&world.prove_again(&token, PASSWORD, Some(&world.wrong_code())).await));
    assert!(is_refused(&world.try_code(&pending, &world.wrong_code()).await));
    assert_eq!(world.tries(alice.id).await, 4);
    let row = world.row(&token).await;
    let step_up = world.act().step_up(&row, &world.wrong_code()).await;
    assert!(is_refused(&step_up));

    let before = world.computed();
    assert!(is_refused(&world.try_password("alice", PASSWORD).await));
    assert!(is_refused(&world.prove_again(&token, PASSWORD, Some(&world.code())).await));
    assert!(is_refused(&world.try_code(&pending, &world.code()).await));
    assert_eq!(world.computed(), before, "nothing is computed while it is locked");
}

#[tokio::test]
async fn auth_7_a_lock_has_a_fixed_end_and_leaves_the_owners_session_alone() {
    let world = World::new().await;
    world.user("alice").await;
    let (token, _) = world.signed_in("alice").await;
    for _ in 0..5 {
        let _refused = world.try_password("alice", "wrong").await;
    }
    for _ in 0..3 {
        world.wait(10 * 60 - 1);
        assert!(world.lives(&token).await, "the owner goes on working");
        assert!(is_refused(&world.try_password("alice", "wrong").await));
    }
    world.wait(2);
    assert!(is_refused(&world.try_password("alice", PASSWORD).await), "29:59");
    world.wait(1);
    assert!(world.try_password("alice", PASSWORD).await.is_ok(), "30:00, for all the guesses in between");
}

#[tokio::test]
async fn auth_7_an_administrator_unlocks_and_the_trail_says_so() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    assert!(!world.accounts().unlock(alice.id, &world.command()).await.unwrap());
    for _ in 0..5 {
        let _refused = world.try_password("alice", "wrong").await;
    }
    assert!(world.accounts().unlock(alice.id, &world.command()).await.unwrap());
    assert!(world.try_password("alice", PASSWORD).await.is_ok());
    assert_eq!(world.acts().await.iter().filter(|act| *act == "lockout.unlocked").count(), 1);
}

#[tokio::test]
async fn a_sign_in_clears_what_was_counted_even_where_nothing_is_counted_any_more() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    for _ in 0..3 {
        assert!(is_refused(&world.try_password("alice", "wrong").await));
    }
    world.security.lockout.attempts = 0;
    assert!(world.try_password("alice", PASSWORD).await.is_ok());
    let subject = Subject::user(alice.id);
    assert_eq!(world.accounts().store.lockout(subject.as_str()).await.unwrap(), None);
}

#[tokio::test]
async fn without_a_limit_nobody_is_locked() {
    let off = Lockout { attempts: 0, duration: Duration::from_mins(30) };
    let world = World::with(Security { lockout: off, ..Security::default() }).await;
    world.user("alice").await;
    for _ in 0..20 {
        let _refused = world.try_password("alice", "wrong").await;
    }
    assert!(world.try_password("alice", PASSWORD).await.is_ok());
}
