//! Recovery codes, several authenticators, and switching a second factor off: MFA-1, MFA-3, AUTH-6.

use std::sync::Arc;

use uuid::Uuid;
use vantail::identity::{Amr, Right};
use vantail::policy::Security;
use vantail::policy::security::Who;
use vantail::secret::{Place, SecretText, SessionToken};
use vantail::session::{Given, LoginError, Proof, Step};

use super::world::{PASSWORD, World, is_over, is_put_off, is_refused, proof, token_of};

/// Somebody in, with a second factor.
async fn in_with_factor(world: &World, name: &str) -> SessionToken {
    world.user_with_factor(name).await;
    let pending = world.pending(name).await;
    let token = token_of(&world.try_code(&pending, &world.code()).await.unwrap());
    world.wait(60);
    token
}

fn with_recovery(code: &str) -> Proof {
    Proof { password: SecretText::new(PASSWORD), code: Some(Given::Recovery(SecretText::new(code))) }
}

async fn switch_off(world: &World, token: &SessionToken, proof: &Proof) -> Result<Step, LoginError> {
    let row = world.row(token).await;
    world.act().switch_off(&row, proof).await
}

async fn authenticator(world: &World, name: &str) -> Uuid {
    let user = world.store.user_by_login(name).await.unwrap().unwrap().user.id;
    world.store.second_factors(user).await.unwrap().last().unwrap().id
}

#[tokio::test]
async fn recovery_codes_come_with_the_first_authenticator_and_are_kept_as_digests_alone() {
    let world = World::new().await;
    let alice = world.user_with_factor("alice").await;
    let codes = world.recovery_codes();
    assert_eq!((codes.len(), world.store.recovery_codes_left(alice.id).await.unwrap()), (8, 8));
    let stored = world.database();
    for code in &codes {
        for written in [code.clone(), code.replace('-', "")] {
            assert!(!stored.windows(10).any(|window| window == &written.as_bytes()[..10]), "{written} is stored");
        }
    }
    assert!(world.trail().await.iter().all(|event| codes.iter().all(|code| !event.details.contains(code))));
}

#[tokio::test]
async fn a_recovery_code_opens_a_sign_in_once_in_any_spelling_and_its_owner_is_told() {
    let world = World::new().await;
    let alice = world.user_with_factor("alice").await;
    let code = world.recovery_codes().remove(3);
    let pending = world.pending("alice").await;
    let typed = format!(" {} ", code.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l"));
    let Step::SignedIn(token, me) = world.try_recovery(&pending, &typed).await.unwrap() else { panic!("not in") };
    assert_eq!((me.factors(), me.amr.as_slice()), (2, &[Amr::Pwd, Amr::Otp][..]));
    assert!(world.lives(&token).await);
    assert_eq!(world.store.recovery_codes_left(alice.id).await.unwrap(), 7);
    assert_eq!(world.mails().await.last().map(String::as_str), Some("recovery-code-used"));
    let used = world.trail().await.into_iter().find(|event| event.act == "second-factor.recovery-code-used").unwrap();
    assert_eq!((used.user, used.details.as_str()), (Some(alice.id), r#"{"left":7}"#));
    let pending = world.pending("alice").await;
    assert!(is_refused(&world.try_recovery(&pending, &code).await), "it worked twice");
    assert!(is_refused(&world.try_recovery(&pending, "").await));
    assert!(
        is_refused(&world.try_code(&pending, &world.recovery_codes()[0]).await),
        "it is no code of an authenticator"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn mfa_1_one_of_a_hundred_parallel_uses_of_a_recovery_code_is_accepted() {
    let mut world = World::new().await;
    world.security.lockout.attempts = 1000;
    let world = Arc::new(world);
    let alice = world.user_with_factor("alice").await;
    let mut pending = Vec::new();
    for _ in 0..100 {
        pending.push(world.pending("alice").await);
    }
    let code = world.recovery_codes().remove(0);
    let tries: Vec<_> = pending
        .into_iter()
        .map(|token| {
            let (world, code) = (Arc::clone(&world), code.clone());
            tokio::spawn(async move { world.try_recovery(&token, &code).await.is_ok() })
        })
        .collect();
    let mut accepted = 0;
    for outcome in tries {
        accepted += usize::from(outcome.await.unwrap());
    }
    assert_eq!((accepted, world.store.recovery_codes_left(alice.id).await.unwrap()), (1, 7));
    assert_eq!(world.mails().await.iter().filter(|kind| *kind == "recovery-code-used").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn mfa_3_guesses_at_recovery_codes_and_at_codes_share_five_tries_and_the_lock() {
    let world = Arc::new(World::new().await);
    world.user_with_factor("alice").await;
    let pending = world.pending("alice").await;
    let tries: Vec<_> = (0..200)
        .map(|number| {
            let (world, token, code) = (Arc::clone(&world), pending.clone(), world.wrong_code());
            tokio::spawn(async move {
                if number % 2 == 0 {
                    world.try_recovery(&token, "00000-00000").await
                } else {
                    world.try_code(&token, &code).await
                }
            })
        })
        .collect();
    for outcome in tries {
        let outcome = outcome.await.unwrap();
        assert!(is_refused(&outcome) || is_put_off(&outcome), "{outcome:?}");
    }
    let compared = world.trail().await.iter().filter(|event| event.details.contains("wrong or used code")).count();
    assert_eq!(compared, 5);
    let right = world.recovery_codes().remove(0);
    assert!(is_refused(&world.try_recovery(&pending, &right).await), "right, but locked");
    world.wait(30 * 60);
    let pending = world.pending("alice").await;
    assert!(world.try_recovery(&pending, &right).await.is_ok(), "it was not used while it was locked");
}

#[tokio::test]
async fn another_users_recovery_code_opens_nothing() {
    let world = World::new().await;
    world.user_with_factor("bob").await;
    let bobs = world.recovery_codes().remove(0);
    world.user_with_factor("alice").await;
    let pending = world.pending("alice").await;
    assert!(is_refused(&world.try_recovery(&pending, &bobs).await));
}

#[tokio::test]
async fn auth_6_second_factor_removal_shares_the_counter() {
    let world = World::new().await;
    let token = in_with_factor(&world, "alice").await;
    let alice = world.store.user_by_login("alice").await.unwrap().unwrap().user.id;
    let (id, code) = (authenticator(&world, "alice").await, world.code());
    let guesses = [proof("wrong", Some(&code)), proof(PASSWORD, Some(&world.wrong_code())), proof(PASSWORD, None)];
    for guess in &guesses {
        assert!(is_refused(&switch_off(&world, &token, guess).await));
    }
    let row = world.row(&token).await;
    assert!(is_refused(&world.act().remove_authenticator(&row, id, &with_recovery("00000-00000")).await));
    assert_eq!(world.tries(alice).await, 4);
    assert!(is_refused(&world.act().renew_recovery_codes(&row, &guesses[0]).await));
    let before = world.computed();
    assert!(is_refused(&switch_off(&world, &token, &proof(PASSWORD, Some(&code))).await), "right, but locked");
    assert!(is_refused(&world.try_password("alice", PASSWORD).await));
    assert_eq!(world.computed(), before, "nothing is computed while it is locked");
    assert!(world.lives(&token).await && world.store.recovery_codes_left(alice).await.unwrap() == 8);
}

#[tokio::test]
async fn switching_off_ends_the_other_sessions_lowers_this_one_and_is_told() {
    let world = World::new().await;
    let token = in_with_factor(&world, "alice").await;
    let pending = world.pending("alice").await;
    let other = token_of(&world.try_code(&pending, &world.code()).await.unwrap());
    world.wait(60);
    let alice = world.store.user_by_login("alice").await.unwrap().unwrap();
    let Step::SignedIn(after, me) = switch_off(&world, &token, &proof(PASSWORD, Some(&world.code()))).await.unwrap()
    else {
        panic!("not in")
    };
    assert_eq!((me.factors(), me.amr.as_slice()), (1, &[Amr::Pwd][..]));
    assert!(!world.lives(&token).await && !world.lives(&other).await && world.lives(&after).await);
    assert_eq!(world.store.recovery_codes_left(alice.user.id).await.unwrap(), 0);
    assert_eq!(world.store.user(alice.user.id).await.unwrap().unwrap().epoch, alice.epoch + 1);
    assert!(world.acts().await.contains(&"second-factor.switched-off".to_owned()));
    assert_eq!(world.mails().await.last().map(String::as_str), Some("factor-changed"));
    world.signed_in("alice").await;
    let row = world.row(&after).await;
    let nothing = world.act().renew_recovery_codes(&row, &proof(PASSWORD, None)).await;
    assert!(matches!(nothing, Err(LoginError::NotEnrolled)), "{nothing:?}");
    assert_eq!(world.tries(alice.user.id).await, 0, "the try was not given back");
}

#[tokio::test]
async fn whoever_must_have_a_second_factor_keeps_the_last_authenticator_and_may_change_it() {
    let world = World::new().await;
    world.user_with("val", &[Right::TokenValidator], Some(PASSWORD)).await;
    let Ok(Step::Enrol(token)) = world.try_password("val", PASSWORD).await else { panic!("not asked to enrol") };
    let token = world.enrol(&token).await;
    let first = authenticator(&world, "val").await;
    let row = world.row(&token).await;
    for refused in [
        world.act().switch_off(&row, &proof("wrong", None)).await,
        world.act().remove_authenticator(&row, first, &proof("wrong", None)).await,
    ] {
        assert!(matches!(refused, Err(LoginError::FactorRequired)), "{refused:?}");
    }
    let val = row.user;
    assert_eq!(world.tries(val).await, 0, "nothing was looked at");
    world.wait(60);
    let token = world.enrol(&token).await;
    world.wait(60);
    let row = world.row(&token).await;
    // The authenticator of the tests is the second one now.
    let removed = world.act().remove_authenticator(&row, first, &proof(PASSWORD, Some(&world.code()))).await.unwrap();
    assert_eq!(world.store.second_factors(val).await.unwrap().len(), 1);
    assert_eq!(world.store.recovery_codes_left(val).await.unwrap(), 8);
    let Step::SignedIn(_, me) = removed else { panic!("not in") };
    assert_eq!(me.factors(), 2);
    assert!(world.acts().await.contains(&"second-factor.removed".to_owned()));
}

#[tokio::test]
async fn a_second_authenticator_needs_a_fresh_code_of_the_first_and_there_is_no_third() {
    let world = World::new().await;
    let token = in_with_factor(&world, "alice").await;
    world.wait(599);
    let row = world.row(&token).await;
    assert!(is_over(&world.act().enrolment(&row, "gate").await), "the code was ten minutes ago");
    let first = world.code();
    let token = token_of(&world.prove_again(&token, PASSWORD, Some(&first)).await.unwrap());
    let codes = world.recovery_codes();
    let token = world.enrol(&token).await;
    assert_eq!(world.recovery_codes(), codes, "those from before go on working");
    assert!(world.lives(&token).await);
    let row = world.row(&token).await;
    assert!(matches!(world.act().enrolment(&row, "gate").await, Err(LoginError::AlreadyEnrolled)));
    world.wait(60);
    let pending = world.pending("alice").await;
    assert!(world.try_code(&pending, &world.code()).await.is_ok(), "the second authenticator opens nothing");
    let pending = world.pending("alice").await;
    assert!(world.try_recovery(&pending, &codes[0]).await.is_ok());
}

#[tokio::test]
async fn new_recovery_codes_kill_the_old_ones_at_once() {
    let world = World::new().await;
    let token = in_with_factor(&world, "alice").await;
    let pending = world.pending("alice").await;
    let other = token_of(&world.try_code(&pending, &world.code()).await.unwrap());
    world.wait(60);
    let old = world.recovery_codes();
    let row = world.row(&token).await;
    let renewed = world.act().renew_recovery_codes(&row, &with_recovery(&old[0])).await.unwrap();
    let after = world.keeps(renewed);
    assert!(world.lives(&after).await && !world.lives(&token).await && !world.lives(&other).await);
    assert_eq!(world.store.recovery_codes_left(row.user).await.unwrap(), 8);
    let pending = world.pending("alice").await;
    assert!(is_refused(&world.try_recovery(&pending, &old[1]).await), "an old code lives");
    assert!(world.try_recovery(&pending, &world.recovery_codes()[0]).await.is_ok());
    assert!(world.acts().await.contains(&"second-factor.recovery-codes-renewed".to_owned()));
}

#[tokio::test]
async fn a_recovery_code_proves_it_again_and_steps_up() {
    let world = World::new().await;
    let token = in_with_factor(&world, "alice").await;
    let codes = world.recovery_codes();
    let row = world.row(&token).await;
    let step = world.act().step_up(&row, Given::Recovery(SecretText::new(codes[0].as_str()))).await.unwrap();
    let token = token_of(&step);
    let row = world.row(&token).await;
    let step = world.act().reauthenticate(&row, with_recovery(&codes[1])).await.unwrap();
    let row = world.row(&token_of(&step)).await;
    assert!(is_refused(&world.act().step_up(&row, Given::Recovery(SecretText::new(codes[0].as_str()))).await));
    assert_eq!(world.mails().await.iter().filter(|kind| *kind == "recovery-code-used").count(), 2);
}

#[tokio::test]
async fn whoever_is_not_offered_a_second_factor_enrols_none() {
    let mut security = Security::default();
    security.second_factor.hidden = vec![Who::Group("customers".to_owned())];
    let world = World::with(security).await;
    let dave = world.user("dave").await;
    let edit = vantail::account::Edit { add_groups: vec!["customers".to_owned()], ..Default::default() };
    world.accounts().edit(dave.id, edit, &world.command()).await.unwrap();
    let (token, _) = world.signed_in("dave").await;
    let row = world.row(&token).await;
    assert!(matches!(world.act().enrolment(&row, "gate").await, Err(LoginError::NotOffered)));
}

#[tokio::test]
async fn a_seed_moved_to_another_row_or_user_does_not_open_and_is_no_wrong_code() {
    let world = World::new().await;
    world.user_with_factor("bob").await;
    let bobs = authenticator(&world, "bob").await;
    world.user_with_factor("alice").await;
    let alices = world.store.second_factors(world.store.user_by_login("alice").await.unwrap().unwrap().user.id).await;
    let seed = &alices.unwrap()[0].seed;
    let keyring = &world.accounts().keyring;
    let place = |row| Place { table: "second_factors", column: "seed", row };
    assert!(keyring.open(place(&bobs.to_string()), seed).is_err(), "it opened in another row");
    world.moves_seed("alice", "bob").await;
    let pending = world.pending("bob").await;
    let outcome = world.try_code(&pending, &world.code()).await;
    assert!(matches!(outcome, Err(LoginError::Factor(_))), "{outcome:?}");
    world.moves_authenticator("alice", "bob").await;
    let outcome = world.try_code(&pending, &world.code()).await;
    assert!(matches!(outcome, Err(LoginError::Factor(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_cancelled_sign_in_is_dead_and_a_live_session_is_not_cancelled() {
    let world = World::new().await;
    world.user_with_factor("alice").await;
    let pending = world.pending("alice").await;
    world.login.cancel(&pending, &world.origin()).await.unwrap();
    assert!(!matches!(world.presents(&pending).await, vantail::session::Presented::Pending { .. }));
    world.user("carol").await;
    let (token, _) = world.signed_in("carol").await;
    world.login.cancel(&token, &world.origin()).await.unwrap();
    assert!(world.lives(&token).await);
}
