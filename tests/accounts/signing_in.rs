//! From nothing to signed in: tokens, temporary passwords, what ends on the way, what the trail says.

use std::collections::HashSet;

use vantail::account::PasswordFault;
use vantail::identity::Right;
use vantail::secret::{SecretText, SessionToken};
use vantail::session::{Browser, LoginError, Presented, Step};
use vantail::store::passwords::NewPassword;

use super::world::{PASSWORD, World, browser, is_refused, token_of};

#[tokio::test]
async fn sess_1_every_level_has_its_own_token_and_the_earlier_is_dead() {
    let world = World::new().await;
    world.user_with_factor("alice").await;
    let before = SessionToken::generate(&vantail::secret::SystemRandom);
    let after_password = world.pending("alice").await;
    let after_code = token_of(&world.try_code(&after_password, &world.code()).await.unwrap());
    assert!(world.lives(&after_code).await, "known in process now");
    world.wait(60);
    let again = token_of(&world.prove_again(&after_code, PASSWORD, Some(&world.code())).await.unwrap());
    let all = [&before, &after_password, &after_code, &again].map(SessionToken::expose);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 4);
    for dead in [&before, &after_password, &after_code] {
        assert!(matches!(world.presents(dead).await, Presented::Dead));
    }
    assert!(world.lives(&again).await);
}

#[tokio::test]
async fn a_sign_in_ends_the_session_the_browser_held() {
    let world = World::new().await;
    world.user("alice").await;
    world.user("bob").await;
    let (held, _) = world.signed_in("alice").await;
    assert!(world.lives(&held).await);
    let browser = Browser { presented: Some(held.clone()), ..browser() };
    let password = || SecretText::new(PASSWORD);
    let act = world.login.act(&world.security, browser, world.origin());
    let wrong = act.password("bob", SecretText::new("x")).await;
    assert!(is_refused(&wrong) && world.lives(&held).await, "a refused sign-in ends nothing");
    act.password("bob", password()).await.unwrap();
    assert!(!world.lives(&held).await);
}

#[tokio::test]
async fn signing_out_ends_the_session_at_once() {
    let world = World::new().await;
    world.user("alice").await;
    let (token, _) = world.signed_in("alice").await;
    assert!(world.lives(&token).await);
    world.login.sign_out(&token, &world.origin()).await.unwrap();
    assert!(!world.lives(&token).await);
    world.login.sign_out(&token, &world.origin()).await.unwrap();
}

#[tokio::test]
async fn a_temporary_password_leads_to_change_password_and_nowhere_else() {
    let world = World::new().await;
    let (alice, temporary) = world.user_with("alice", &[], None).await;
    let temporary = temporary.unwrap();
    let Ok(Step::ChangePassword(token)) = world.try_password("alice", temporary.expose()).await else {
        panic!("not asked to change it")
    };
    assert!(matches!(world.presents(&token).await, Presented::Pending { .. }));
    let row = world.row(&token).await;
    let change = |new: &str| {
        let new = SecretText::new(new);
        let (world, row) = (&world, &row);
        async move { world.act().change_password(row, new).await }
    };
    let fault = |outcome| match outcome {
        Err(LoginError::NewPassword(faults)) => faults.all().to_vec(),
        other => panic!("{other:?}"),
    };
    assert_eq!(fault(change("short").await), [PasswordFault::TooShort { minimum: 12 }]);
    assert_eq!(fault(change(temporary.expose()).await), [PasswordFault::Unchanged]);
    assert_eq!(fault(change(&"x".repeat(1025)).await), [PasswordFault::TooLong]);
    let Ok(Step::SignedIn(live, _)) = change("a new and longer one").await else { panic!("not in") };
    assert!(world.lives(&live).await);
    assert!(matches!(world.presents(&token).await, Presented::Dead));
    assert!(is_refused(&world.try_password("alice", temporary.expose()).await), "it works no more");
    assert!(world.try_password("alice", "a new and longer one").await.is_ok());
    assert!(matches!(change("another one again").await, Err(LoginError::PasswordSet)), "the stage is behind");
    assert!(!world.accounts().find("alice").await.unwrap().password_must_change);
    assert_eq!(alice.name, "alice");
}

#[tokio::test]
async fn a_temporary_password_does_not_get_past_the_second_factor() {
    let world = World::new().await;
    let alice = world.user_with_factor("alice").await;
    let temporary = world.accounts().reset_password(&world.security, alice.id, &world.command()).await.unwrap();
    let Ok(Step::SecondFactor(pending)) = world.try_password("alice", temporary.expose()).await else {
        panic!("not asked for the code")
    };
    let Ok(Step::ChangePassword(token)) = world.try_code(&pending, &world.code()).await else {
        panic!("not asked to change it")
    };
    let (row, new) = (world.row(&token).await, SecretText::new("a new and longer one"));
    let step = world.act().change_password(&row, new).await.unwrap();
    let Step::SignedIn(_, signed_in) = step else { panic!("not in") };
    assert_eq!(signed_in.factors(), 2);
}

#[tokio::test]
async fn a_validator_with_a_temporary_password_changes_it_then_enrols() {
    let world = World::new().await;
    let (_, temporary) = world.user_with("val", &[Right::TokenValidator], None).await;
    let Ok(Step::ChangePassword(token)) = world.try_password("val", temporary.unwrap().expose()).await else {
        panic!("not asked to change it")
    };
    let (row, new) = (world.row(&token).await, SecretText::new("a new and longer one"));
    let step = world.act().change_password(&row, new).await.unwrap();
    assert!(matches!(step, Step::Enrol(_)));
    let live = world.enrol(&token_of(&step)).await;
    assert!(world.lives(&live).await);
}

#[tokio::test]
async fn a_changed_temporary_password_ends_the_other_sessions() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let (other, _) = world.signed_in("alice").await;
    assert!(world.lives(&other).await);
    let temporary = world.accounts().reset_password(&world.security, alice.id, &world.command()).await.unwrap();
    world.sessions().forget_user(alice.id);
    assert!(!world.lives(&other).await, "the reset ended it");
    let Ok(Step::ChangePassword(token)) = world.try_password("alice", temporary.expose()).await else { panic!() };
    let (row, new) = (world.row(&token).await, SecretText::new("a new and longer one"));
    let step = world.act().change_password(&row, new).await.unwrap();
    assert!(world.lives(&token_of(&step)).await);
    assert_eq!(world.store.sessions(Some(alice.id)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_temporary_password_works_once_and_is_a_wrong_one_then() {
    let world = World::new().await;
    let (alice, temporary) = world.user_with("alice", &[], None).await;
    let temporary = temporary.unwrap();
    let Ok(Step::ChangePassword(token)) = world.try_password("alice", temporary.expose()).await else {
        panic!("not asked to change it")
    };
    assert_eq!(world.tries(alice.id).await, 0);
    assert!(is_refused(&world.try_password("alice", temporary.expose()).await));
    assert_eq!(world.tries(alice.id).await, 1, "counted like a wrong one");
    let told = world.trail().await.pop().unwrap();
    assert_eq!((told.act.as_str(), told.result.as_str()), ("login.refused", "refused"));
    assert!(told.details.contains("temporary password used already"), "{}", told.details);

    // The sign-in that it began goes on; left for too long, it is over, and the password with it.
    assert!(matches!(world.presents(&token).await, Presented::Pending { .. }));
    world.wait(600);
    assert!(matches!(world.presents(&token).await, Presented::Dead));
    assert!(is_refused(&world.try_password("alice", temporary.expose()).await));
    let another = world.accounts().reset_password(&world.security, alice.id, &world.command()).await.unwrap();
    assert!(matches!(world.try_password("alice", another.expose()).await, Ok(Step::ChangePassword(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_sign_ins_with_one_temporary_password_one_begins() {
    let mut world = World::new().await;
    world.security.lockout.attempts = 0;
    let (_, temporary) = world.user_with("alice", &[], None).await;
    let (world, temporary) = (std::sync::Arc::new(world), temporary.unwrap());
    let tries: Vec<_> = (0..20)
        .map(|_| {
            let (world, temporary) = (std::sync::Arc::clone(&world), temporary.clone());
            tokio::spawn(async move { world.try_password("alice", temporary.expose()).await })
        })
        .collect();
    let (mut begun, mut refused) = (0, 0);
    for outcome in tries {
        match outcome.await.unwrap() {
            Ok(Step::ChangePassword(_)) => begun += 1,
            outcome if is_refused(&outcome) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((begun, refused), (1, 19));
}

#[tokio::test]
async fn a_reset_of_the_same_moment_stands_whoever_was_first() {
    let world = World::new().await;
    let (alice, temporary) = world.user_with("alice", &[], None).await;
    let mut temporary = temporary.unwrap();
    let mut overtaken = 0;
    for _ in 0..30 {
        let Ok(Step::ChangePassword(token)) = world.try_password("alice", temporary.expose()).await else {
            panic!("the administrator's latest password does not work")
        };
        let (row, new) = (world.row(&token).await, SecretText::new("a new and longer one"));
        let (act, command) = (world.act(), world.command());
        let (changed, reset) = tokio::join!(
            act.change_password(&row, new),
            world.accounts().reset_password(&world.security, alice.id, &command),
        );
        temporary = reset.unwrap();
        match changed {
            // The change came first; the reset has ended what it began.
            Ok(step) => assert!(!world.lives(&token_of(&step)).await),
            Err(LoginError::Overtaken) => overtaken += 1,
            Err(other) => panic!("{other:?}"),
        }
        assert!(world.accounts().find("alice").await.unwrap().password_must_change, "the reset was overwritten");
    }
    let refusals = world.trail().await.into_iter().filter(|event| event.act == "password.changed");
    let refusals = refusals.filter(|event| event.result == "refused").count();
    assert_eq!(refusals, overtaken, "each refusal has its line in the trail, and nothing else has");
}

#[tokio::test]
async fn a_change_begun_before_a_reset_is_refused_and_the_trail_says_so() {
    let world = World::new().await;
    let (alice, temporary) = world.user_with("alice", &[], None).await;
    let Ok(Step::ChangePassword(token)) = world.try_password("alice", temporary.unwrap().expose()).await else {
        panic!("not asked to change it")
    };
    let row = world.row(&token).await;
    let reset = world.accounts().reset_password(&world.security, alice.id, &world.command()).await.unwrap();
    let new = SecretText::new("a new and longer one");
    let refused = world.act().change_password(&row, new).await;
    assert!(matches!(refused, Err(LoginError::Overtaken)), "{refused:?}");
    let last = world.trail().await.pop().unwrap();
    assert_eq!((last.act.as_str(), last.result.as_str(), last.user), ("password.changed", "refused", Some(alice.id)));
    assert_eq!(world.tries(alice.id).await, 0, "nothing was guessed");
    assert!(is_refused(&world.try_password("alice", "a new and longer one").await));
    assert!(matches!(world.try_password("alice", reset.expose()).await, Ok(Step::ChangePassword(_))));
}

#[tokio::test]
async fn a_new_password_sent_twice_is_set_once_and_nothing_is_refused() {
    let world = World::new().await;
    let (_, temporary) = world.user_with("alice", &[], None).await;
    let Ok(Step::ChangePassword(token)) = world.try_password("alice", temporary.unwrap().expose()).await else {
        panic!("not asked to change it")
    };
    let row = world.row(&token).await;
    let act = world.act();
    let change = || act.change_password(&row, SecretText::new("a new and longer one"));
    let (one, other) = tokio::join!(change(), change());
    let (first, second) = if one.is_ok() { (one, other) } else { (other, one) };
    assert!(matches!(second, Err(LoginError::PasswordSet)), "{second:?}");
    assert!(world.lives(&token_of(&first.unwrap())).await);
    let told: Vec<_> = world.trail().await.into_iter().filter(|event| event.act == "password.changed").collect();
    assert_eq!(told.iter().map(|event| event.result.as_str()).collect::<Vec<_>>(), ["ok"]);
}

#[tokio::test]
async fn auth_7_strangers_who_lock_the_account_do_not_waste_a_temporary_password() {
    let world = World::new().await;
    let (val, temporary) = world.user_with("val", &[Right::TokenValidator], None).await;
    let Ok(Step::ChangePassword(token)) = world.try_password("val", temporary.unwrap().expose()).await else {
        panic!("not asked to change it")
    };
    for _ in 0..5 {
        assert!(is_refused(&world.try_password("val", "wrong").await));
    }
    let row = world.row(&token).await;
    let step = world.act().change_password(&row, SecretText::new("a new and longer one")).await.unwrap();
    assert!(matches!(step, Step::Enrol(_)));
    let live = world.enrol(&token_of(&step)).await;
    assert!(world.lives(&live).await);
    assert_eq!(world.tries(val.id).await, 5, "the lock has its end");
    assert!(is_refused(&world.try_password("val", "a new and longer one").await));
    world.wait(30 * 60);
    assert!(world.try_password("val", "a new and longer one").await.is_ok());
}

#[tokio::test]
async fn a_new_password_sets_the_count_of_tries_to_nothing() {
    let world = World::new().await;
    let (alice, temporary) = world.user_with("alice", &[], None).await;
    assert!(is_refused(&world.try_password("alice", "wrong").await));
    let Ok(Step::ChangePassword(token)) = world.try_password("alice", temporary.unwrap().expose()).await else {
        panic!("not asked to change it")
    };
    assert_eq!(world.tries(alice.id).await, 1, "more is to come");
    let row = world.row(&token).await;
    world.act().change_password(&row, SecretText::new("a new and longer one")).await.unwrap();
    assert_eq!(world.tries(alice.id).await, 0);
}

#[tokio::test]
async fn a_temporary_password_sent_again_goes_on_in_the_browser_it_began_in_alone() {
    let world = World::new().await;
    let (alice, temporary) = world.user_with("alice", &[], None).await;
    let temporary = temporary.unwrap();
    let Ok(Step::ChangePassword(token)) = world.try_password("alice", temporary.expose()).await else {
        panic!("not asked to change it")
    };
    world.user("bob").await;
    let (bobs, _) = world.signed_in("bob").await;
    let again = |presented: Option<&SessionToken>, password: &str| {
        let browser = Browser { presented: presented.cloned(), ..browser() };
        let (world, password) = (&world, SecretText::new(password));
        async move { world.login.act(&world.security, browser, world.origin()).password("alice", password).await }
    };
    let Ok(Step::ChangePassword(same)) = again(Some(&token), temporary.expose()).await else { panic!("not led on") };
    assert_eq!(same.expose(), token.expose());
    assert_eq!(world.store.sessions(Some(alice.id)).await.unwrap().len(), 1, "no second session");
    assert_eq!(world.tries(alice.id).await, 0);
    assert!(is_refused(&again(Some(&token), "wrong").await));
    assert!(is_refused(&again(Some(&bobs), temporary.expose()).await), "somebody else's session");
    assert!(is_refused(&again(None, temporary.expose()).await));
    assert_eq!(world.tries(alice.id).await, 3);
    world.wait(600);
    assert!(is_refused(&again(Some(&token), temporary.expose()).await), "that sign-in is over");
}

#[tokio::test]
async fn beyond_the_limit_the_oldest_sessions_end() {
    let mut world = World::new().await;
    world.security.sessions.maximum_per_user = Some(2);
    world.user_with_factor("alice").await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        world.wait(60);
        let pending = world.pending("alice").await;
        tokens.push(token_of(&world.try_code(&pending, &world.code()).await.unwrap()));
    }
    let mut alive = Vec::new();
    for token in &tokens {
        alive.push(world.lives(token).await);
    }
    assert_eq!(alive, [false, true, true]);
}

#[tokio::test]
async fn an_older_weaker_hash_is_made_stronger_when_its_password_is_given() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let weak = vantail::account::HashPool::start(
        1,
        1,
        vantail::account::Strength { memory: 8, passes: 1, lanes: 1 },
        world.accounts().random.clone(),
    )
    .unwrap();
    let hash = weak.hash(SecretText::new(PASSWORD)).await.unwrap();
    world.store.set_password(alice.id, &NewPassword::of(&hash, world.now()), &[]).await.unwrap();
    let stored = || async { world.accounts().find("alice").await.unwrap().password_hash.unwrap() };
    assert!(is_refused(&world.try_password("alice", "wrong").await));
    assert_eq!(stored().await, hash);
    world.signed_in("alice").await;
    assert_ne!(stored().await, hash);
    world.signed_in("alice").await;
}

#[tokio::test]
async fn log_3_the_trail_tells_one_line_for_every_act_and_no_secret() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let begin = world.acts().await.len();
    let _refused = world.try_password("alice", "marked-wrong-password").await;
    let _refused = world.try_password("no-one-of-that-name", "marked-wrong-password").await;
    let (token, _) = world.signed_in("alice").await;
    let token = world.enrol(&token).await;
    let code = world.code();
    world.login.sign_out(&token, &world.origin()).await.unwrap();
    assert_eq!(
        world.acts().await[begin..],
        [
            "login.refused",
            "login.refused",
            "login.password",
            "login.signed-in",
            "second-factor.enrolled",
            "session.ended",
            "session.ended"
        ]
    );
    let trail = world.trail().await;
    let refused = &trail[begin];
    assert_eq!((refused.user, refused.actor, refused.result.as_str()), (Some(alice.id), None, "refused"));
    assert_eq!(refused.address.as_deref(), Some("127.0.0.1"));
    assert!(trail[begin + 1].target.as_deref().unwrap().starts_with("unknown:"));
    let told = serde_json::to_string(&trail).unwrap();
    for secret in ["marked-wrong-password", PASSWORD, &code, &token.expose(), "no-one-of-that-name"] {
        assert!(!told.contains(secret), "{secret} is in the trail");
    }
    let stored = String::from_utf8_lossy(&world.database()).into_owned();
    for secret in ["marked-wrong-password", PASSWORD, &token.expose()] {
        assert!(!stored.contains(secret), "{secret} is in the database");
    }
}
