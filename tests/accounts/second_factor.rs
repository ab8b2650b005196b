//! Codes: MFA-1, MFA-3, MFA-4, and enrolment. MFA-2 is beside the code it is about.

use std::sync::Arc;

use vantail::identity::{Amr, Right};
use vantail::session::{LoginError, Presented, Step};
use vantail::store::sessions::Stage;

use super::world::{PASSWORD, World, is_over, is_put_off, is_refused, token_of};

#[tokio::test(flavor = "multi_thread")]
async fn mfa_1_one_of_a_hundred_parallel_uses_of_a_code_is_accepted() {
    let mut world = World::new().await;
    world.security.lockout.attempts = 1000;
    world.security.strangers.attempts = 0;
    let world = Arc::new(world);
    world.user_with_factor("alice").await;
    let mut pending = Vec::new();
    for _ in 0..100 {
        pending.push(world.pending("alice").await);
    }
    let code = world.code();
    let tries: Vec<_> = pending
        .into_iter()
        .map(|token| {
            let (world, code) = (Arc::clone(&world), code.clone());
            tokio::spawn(async move { world.try_code(&token, &code).await.is_ok() })
        })
        .collect();
    let mut accepted = 0;
    for outcome in tries {
        accepted += usize::from(outcome.await.unwrap());
    }
    assert_eq!(accepted, 1);
    world.wait(30);
    let pending = world.pending("alice").await;
    assert!(is_refused(&world.try_code(&pending, &code).await), "in the next step's tolerance");
    assert!(world.try_code(&pending, &world.code()).await.is_ok());
}

#[tokio::test]
async fn mfa_1_a_code_given_to_a_sign_in_that_has_ended_is_told_and_not_lost() {
    let world = World::new().await;
    let alice = world.user_with_factor("alice").await;
    let pending = world.row(&world.pending("alice").await).await;
    assert!(world.accounts().store.end_session(pending.id, &[]).await.unwrap());
    assert!(is_over(&world.act().second_factor(&pending, &world.code()).await));
    let last = world.trail().await.pop().unwrap();
    assert_eq!((last.act.as_str(), last.user), ("login.refused", Some(alice.id)));
    assert!(last.details.contains("the sign-in ended"), "{}", last.details);
    let pending = world.pending("alice").await;
    assert!(world.try_code(&pending, &world.code()).await.is_ok(), "it opened nothing, so that it still opens this");
}

#[tokio::test(flavor = "multi_thread")]
async fn mfa_3_a_thousand_wrong_codes_are_five_and_a_lock() {
    let world = Arc::new(World::new().await);
    world.user_with_factor("alice").await;
    let pending = world.pending("alice").await;
    let tries: Vec<_> = (0..1000)
        .map(|_| {
            let (world, token, code) = (Arc::clone(&world), pending.clone(), world.wrong_code());
            tokio::spawn(async move { world.try_code(&token, &code).await })
        })
        .collect();
    for outcome in tries {
        let outcome = outcome.await.unwrap();
        assert!(is_refused(&outcome) || is_put_off(&outcome), "{outcome:?}");
    }
    let trail = world.trail().await;
    let compared = trail.iter().filter(|event| event.details.contains("wrong or used code")).count();
    assert_eq!(compared, 5);
    assert!(is_refused(&world.try_code(&pending, &world.code()).await), "right, but locked");
}

#[tokio::test]
async fn mfa_3_a_fresh_password_sign_in_between_codes_helps_nobody() {
    let world = World::new().await;
    world.user_with_factor("alice").await;
    let mut refused = 0;
    'guessing: for _ in 0..10 {
        let Ok(Step::SecondFactor(pending)) = world.try_password("alice", PASSWORD).await else { break };
        for _ in 0..4 {
            assert!(is_refused(&world.try_code(&pending, &world.wrong_code()).await));
            refused += 1;
            if refused > 10 {
                break 'guessing;
            }
        }
    }
    let trail = world.trail().await;
    assert_eq!(trail.iter().filter(|event| event.details.contains("wrong or used code")).count(), 5);
    assert!(is_refused(&world.try_password("alice", PASSWORD).await), "locked");
}

#[tokio::test]
async fn mfa_4_after_the_password_alone_nothing_opens_but_the_next_step() {
    let world = World::new().await;
    world.user_with_factor("alice").await;
    let pending = world.pending("alice").await;
    let Presented::Pending { row } = world.presents(&pending).await else { panic!("it opens more than its own step") };
    assert_eq!((row.stage, row.amr.as_slice()), (Stage::SecondFactor, &[Amr::Pwd][..]));
    assert!(is_over(&world.act().step_up(&row, &world.code()).await));
    assert!(is_over(&world.act().confirm_enrolment(&row, &world.code()).await));
    assert!(is_over(&world.act().change_password(&row, "another good one".into_secret()).await));
    assert!(is_over(&world.prove_again(&pending, PASSWORD, Some(&world.code())).await));
    assert!(matches!(world.act().enrolment(&row, "gate").await, Err(LoginError::AlreadyEnrolled)));
    assert!(world.try_code(&pending, &world.code()).await.is_ok());
}

#[tokio::test]
async fn mfa_4_another_users_code_opens_nothing() {
    let world = World::new().await;
    world.user_with_factor("bob").await;
    let bobs_pending = world.pending("bob").await;
    world.user_with_factor("alice").await;
    // The code is alice's, who enrolled last.
    assert!(is_refused(&world.try_code(&bobs_pending, &world.code()).await));
}

#[tokio::test]
async fn mfa_4_a_user_disabled_at_the_second_step_gets_no_further() {
    let world = World::new().await;
    let alice = world.user_with_factor("alice").await;
    let pending = world.pending("alice").await;
    let row = world.row(&pending).await;
    world.accounts().disable(alice.id, &world.command()).await.unwrap();
    let outcome = world.act().second_factor(&row, &world.code()).await;
    assert!(is_over(&outcome));
    assert!(matches!(world.presents(&pending).await, Presented::Dead));
}

#[tokio::test]
async fn a_sign_in_on_its_way_lasts_ten_minutes() {
    let world = World::new().await;
    world.user_with_factor("alice").await;
    let pending = world.pending("alice").await;
    world.wait(599);
    assert!(matches!(world.presents(&pending).await, Presented::Pending { .. }));
    world.wait(1);
    assert!(matches!(world.presents(&pending).await, Presented::Dead));
    assert!(is_over(&world.try_code(&pending, &world.code()).await));
}

#[tokio::test]
async fn whoever_must_have_a_second_factor_enrols_before_anything_else() {
    let world = World::new().await;
    world.user_with("val", &[Right::TokenValidator], Some(PASSWORD)).await;
    let Ok(Step::Enrol(token)) = world.try_password("val", PASSWORD).await else { panic!("not asked to enrol") };
    assert!(matches!(world.presents(&token).await, Presented::Pending { .. }));
    let row = world.row(&token).await;
    world.act().enrolment(&row, "gate").await.unwrap();
    for _ in 0..8 {
        let outcome = world.act().confirm_enrolment(&row, "000000").await;
        assert!(is_refused(&outcome));
    }
    let token = world.enrol(&token).await;
    let Presented::Live(signed_in) = world.presents(&token).await else { panic!("not in") };
    assert_eq!((signed_in.factors(), signed_in.amr.as_slice()), (2, &[Amr::Pwd, Amr::Otp][..]));
    assert!(matches!(world.try_password("val", PASSWORD).await, Ok(Step::SecondFactor(_))));
}

#[tokio::test]
async fn enrolling_ends_all_other_sessions() {
    let world = World::new().await;
    world.user("alice").await;
    let (other, _) = world.signed_in("alice").await;
    let (token, _) = world.signed_in("alice").await;
    assert!(world.lives(&other).await);
    let token = world.enrol(&token).await;
    assert!(!world.lives(&other).await);
    assert!(world.lives(&token).await);
}

#[tokio::test]
async fn a_seed_shown_to_one_browser_is_never_shown_to_nor_confirmed_by_another() {
    let world = World::new().await;
    world.user("alice").await;
    let (thief, _) = world.signed_in("alice").await;
    let (owner, _) = world.signed_in("alice").await;
    let (thief, owner) = (world.row(&thief).await, world.row(&owner).await);
    let show = async |row| world.act().enrolment(row, "gate").await.unwrap().letters;
    let stolen = show(&thief).await;
    let own = show(&owner).await;
    assert_ne!(stolen, own);
    assert_eq!(show(&owner).await, own, "reloading shows the same");
    assert_ne!(show(&thief).await, own);
    let outcome = world.act().confirm_enrolment(&owner, "123456").await;
    assert!(is_over(&outcome), "the thief's replaced the owner's: it is shown anew, not confirmed blindly");
}

#[tokio::test]
async fn a_stale_session_enrols_nothing() {
    let world = World::new().await;
    world.user("alice").await;
    let (token, _) = world.signed_in("alice").await;
    world.wait(601);
    let row = world.row(&token).await;
    let _shown = world.act().enrolment(&row, "gate").await.unwrap();
    let outcome = world.act().confirm_enrolment(&row, "123456").await;
    assert!(is_over(&outcome));
    let token = token_of(&world.prove_again(&token, PASSWORD, None).await.unwrap());
    let token = world.enrol(&token).await;
    assert!(world.lives(&token).await);
}

#[tokio::test]
async fn stepping_up_renews_the_factor_and_leaves_other_tries_counted() {
    let world = World::new().await;
    let alice = world.user_with_factor("alice").await;
    let pending = world.pending("alice").await;
    let token = token_of(&world.try_code(&pending, &world.code()).await.unwrap());
    world.wait(300);
    assert!(is_refused(&world.try_password("alice", "wrong").await));
    let row = world.row(&token).await;
    let step = world.act().step_up(&row, &world.code()).await.unwrap();
    let Step::SignedIn(fresh, signed_in) = step else { panic!("not in") };
    assert_eq!(signed_in.second_factor_at, Some(world.now()));
    assert_ne!(signed_in.auth_time, world.now());
    assert!(!world.lives(&token).await && world.lives(&fresh).await);
    assert_eq!(world.tries(alice.id).await, 1);
}

/// A text that must not be shown.
trait IntoSecret {
    fn into_secret(self) -> vantail::secret::SecretText;
}

impl IntoSecret for &str {
    fn into_secret(self) -> vantail::secret::SecretText {
        vantail::secret::SecretText::new(self)
    }
}
