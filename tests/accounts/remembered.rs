//! Remembered browsers: when one is made, what its return opens and what it never does, and how it ends. L8, SESS-4, MFA-4.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use vantail::account::Edit;
use vantail::identity::{Amr, Right, SignedIn};
use vantail::policy::Security;
use vantail::policy::security::Advanced;
use vantail::secret::{BrowserToken, RememberToken, SecretText, SessionToken, SystemRandom};
use vantail::session::{Act, Browser, Presented, Remember, Return, Step};
use vantail::store::devices::DeviceRow;
use vantail::store::sessions::Memory;

use super::world::{PASSWORD, World, browser, is_over, is_refused, proof, token_of};

const DAY: i64 = 24 * 60 * 60;

/// Signs `name` in with the box ticked; the session, and what the browser is remembered by.
async fn remembered(world: &World, name: &str) -> (SessionToken, Remember) {
    match world.act().remembering(true).password(name, SecretText::new(PASSWORD)).await.unwrap() {
        Step::Remembered(token, _, remember) => (token, remember),
        other => panic!("not remembered: {other:?}"),
    }
}

/// What a browser of the tests does next by what it is remembered by.
async fn comes_back(world: &World, token: &RememberToken) -> Return {
    world.act().return_by(token).await.unwrap()
}

/// In, and the value that takes the place of the one presented.
async fn is_let_in(world: &World, token: &RememberToken) -> (SessionToken, Arc<SignedIn>, Remember) {
    match comes_back(world, token).await {
        Return::Known(Step::SignedIn(token, signed_in), remember) => (token, signed_in, remember),
        other => panic!("not in: {other:?}"),
    }
}

async fn is_worthless(world: &World, token: &RememberToken) -> bool {
    matches!(comes_back(world, token).await, Return::Worthless)
}

/// Another browser of the same person, or of a thief.
fn elsewhere(world: &World) -> Act<'_> {
    let browser = Browser { user_agent: "another browser".into(), ..browser() };
    world.login.act(&world.security, browser, world.origin())
}

async fn devices(world: &World) -> Vec<DeviceRow> {
    world.store.devices(None, world.now()).await.unwrap()
}

#[tokio::test]
async fn mfa_4_remember_makes_nothing_before_the_last_factor() {
    let world = World::new().await;
    world.user_with_factor("alice").await;
    let step = world.act().remembering(true).password("alice", SecretText::new(PASSWORD)).await.unwrap();
    let Step::SecondFactor(pending) = step else { panic!("not asked for a code: {step:?}") };
    assert!(devices(&world).await.is_empty() && !world.acts().await.contains(&"device.remembered".to_owned()));
    let wrong = world.try_code(&pending, &world.wrong_code()).await;
    assert!(is_refused(&wrong) && devices(&world).await.is_empty());
    let step = world.try_code(&pending, &world.code()).await.unwrap();
    let Step::Remembered(_, signed_in, remember) = step else { panic!("not remembered: {step:?}") };
    assert_eq!(signed_in.factors(), 2);
    assert_eq!(remember.lasts, Duration::from_hours(30 * 24));
    assert_eq!(devices(&world).await[0].digest, remember.token.digest());
    assert!(world.acts().await.ends_with(&["login.signed-in".into(), "device.remembered".into()]));
}

#[tokio::test]
async fn nobody_is_remembered_who_does_not_wish_it_or_where_it_is_switched_off() {
    let world = World::new().await;
    world.user("alice").await;
    world.signed_in("alice").await;
    assert!(devices(&world).await.is_empty());

    let mut off = Security::default();
    off.sessions.remember = None;
    let world = World::with(off).await;
    world.user("alice").await;
    let step = world.act().remembering(true).password("alice", SecretText::new(PASSWORD)).await.unwrap();
    assert!(matches!(step, Step::SignedIn(..)) && devices(&world).await.is_empty());
}

#[tokio::test]
async fn a_temporary_password_remembers_only_once_it_is_changed() {
    let world = World::new().await;
    let (_, temporary) = world.user_with("alice", &[], None).await;
    let step = world.act().remembering(true).password("alice", temporary.unwrap()).await.unwrap();
    let Step::ChangePassword(pending) = step else { panic!("not asked for a password: {step:?}") };
    assert!(devices(&world).await.is_empty());
    let row = world.row(&pending).await;
    let step = world.act().change_password(&row, SecretText::new("a new and longer one")).await.unwrap();
    let Step::Remembered(_, _, remember) = step else { panic!("not remembered: {step:?}") };
    is_let_in(&world, &remember.token).await;
}

#[tokio::test]
async fn a_return_has_the_usual_times_and_another_value() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let (first, remember) = remembered(&world, "alice").await;
    world.wait(3 * DAY);
    assert!(!world.lives(&first).await);
    let (token, signed_in, next) = is_let_in(&world, &remember.token).await;
    assert_ne!(next.token.digest(), remember.token.digest());
    assert_eq!(next.lasts, Duration::from_hours(27 * 24), "what remains");
    assert_eq!(signed_in.user.id, alice.id);
    let row = world.row(&token).await;
    assert_eq!(row.expires_at, world.after(Duration::from_hours(12)));
    assert_eq!(world.store.user(alice.id).await.unwrap().unwrap().last_login_at, Some(world.now()));
    let acts = world.acts().await;
    assert!(acts.ends_with(&["device.returned".into(), "login.signed-in".into(), "session.ended".into()]), "{acts:?}");
    world.wait(14 * 60);
    assert!(world.lives(&token).await);
    world.wait(15 * 60 + 1);
    assert!(!world.lives(&token).await);
    is_let_in(&world, &next.token).await;
}

#[tokio::test]
async fn a_browser_is_forgotten_after_its_time_and_when_it_is_not_used() {
    let world = World::new().await;
    world.user("alice").await;
    let (_, remember) = remembered(&world, "alice").await;
    world.wait(30 * DAY);
    assert!(is_worthless(&world, &remember.token).await);

    let mut security = Security::default();
    security.sessions.remembered_idle = Some(Duration::from_hours(1));
    let world = World::with(security).await;
    world.user("alice").await;
    let (token, remember) = remembered(&world, "alice").await;
    for _ in 0..10 {
        world.wait(10 * 60);
        assert!(world.lives(&token).await);
        world.sessions().write_last_seen().await.unwrap();
    }
    world.wait(59 * 60);
    let (_, _, next) = is_let_in(&world, &remember.token).await;
    world.wait(60 * 60);
    assert!(is_worthless(&world, &next.token).await, "its session's use is its own; then an hour without");
}

#[tokio::test]
async fn what_is_remembered_is_never_a_second_factor_and_never_fresh() {
    let world = World::new().await;
    world.user_with_factor("alice").await;
    let step = world.act().remembering(true).password("alice", SecretText::new(PASSWORD)).await.unwrap();
    let step = world.try_code(&token_of(&step), &world.code()).await.unwrap();
    let Step::Remembered(_, whole, remember) = step else { panic!("not remembered") };
    world.wait(60);
    // A minute after both factors were given.
    let (token, signed_in, _) = is_let_in(&world, &remember.token).await;
    assert_eq!((signed_in.factors(), signed_in.second_factor_at, signed_in.proven_at()), (1, None, None));
    assert_eq!((&*signed_in.amr, signed_in.auth_time), ([Amr::Rmb].as_slice(), whole.auth_time));
    // A code makes it two factors; it does not make it a sign-in.
    let row = world.row(&token).await;
    let Step::SignedIn(token, risen) = world.act().step_up(&row, &world.code()).await.unwrap() else {
        panic!("not in")
    };
    assert_eq!((risen.factors(), risen.proven_at(), risen.auth_time), (2, None, whole.auth_time));
    world.wait(30);
    // The password does.
    let step = world.prove_again(&token, PASSWORD, Some(&world.code())).await.unwrap();
    let Step::SignedIn(_, proven) = step else { panic!("not in: {step:?}") };
    assert_eq!((proven.proven_at(), &*proven.amr), (Some(world.now()), [Amr::Pwd, Amr::Otp].as_slice()));
}

#[tokio::test]
async fn a_stolen_value_sets_up_no_second_factor() {
    let world = World::new().await;
    world.user("alice").await;
    let (_, remember) = remembered(&world, "alice").await;
    world.wait(60);
    let (token, _, _) = is_let_in(&world, &remember.token).await;
    let row = world.row(&token).await;
    world.act().enrolment(&row, "gate.example.org").await.unwrap();
    assert!(is_over(&world.act().confirm_enrolment(&row, "000000").await), "a minute after the sign-in");
}

#[tokio::test]
async fn whoever_must_have_a_second_factor_gives_it_before_anything_opens() {
    let world = World::new().await;
    let alice = world.user_with_factor("alice").await;
    let step = world.act().remembering(true).password("alice", SecretText::new(PASSWORD)).await.unwrap();
    let step = world.try_code(&token_of(&step), &world.code()).await.unwrap();
    let Step::Remembered(_, _, remember) = step else { panic!("not remembered") };
    world.accounts().grant(alice.id, Right::Administrator, &world.command()).await.unwrap();
    world.wait(DAY);
    assert!(is_refused(&world.try_password("alice", "wrong").await));
    let returned = comes_back(&world, &remember.token).await;
    let Return::Known(Step::SecondFactor(pending), next) = returned else { panic!("{returned:?}") };
    assert!(matches!(world.presents(&pending).await, Presented::Pending { .. }));
    assert!(is_refused(&world.try_code(&pending, &world.wrong_code()).await));
    let step = world.try_code(&pending, &world.code()).await.unwrap();
    let Step::SignedIn(token, signed_in) = step else { panic!("not in: {step:?}") };
    assert_eq!((signed_in.factors(), signed_in.proven_at()), (2, None));
    assert_eq!(signed_in.amr, [Amr::Rmb, Amr::Otp]);
    assert!(world.lives(&token).await);
    assert_eq!(world.tries(alice.id).await, 2, "guesses stay counted: this was no whole sign-in");
    world.wait(DAY);
    assert!(matches!(comes_back(&world, &next.token).await, Return::Known(Step::SecondFactor(_), _)));
}

#[tokio::test]
async fn whoever_must_set_one_up_signs_in_from_the_start() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let (_, remember) = remembered(&world, "alice").await;
    world.accounts().grant(alice.id, Right::TokenValidator, &world.command()).await.unwrap();
    world.wait(DAY);
    for _ in 0..2 {
        assert!(matches!(comes_back(&world, &remember.token).await, Return::SignIn));
    }
    assert!(matches!(world.try_password("alice", PASSWORD).await.unwrap(), Step::Enrol(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn sess_4_of_fifty_that_present_one_value_one_gets_another_and_the_others_join_its_session() {
    let world = World::new().await;
    world.user("alice").await;
    for _ in 0..10 {
        let (_, remember) = remembered(&world, "alice").await;
        world.wait(DAY);
        let returns = join_all((0..50).map(|_| comes_back(&world, &remember.token))).await;
        let (mut values, mut sessions) = (Vec::new(), Vec::new());
        for returned in returns {
            match returned {
                Return::Known(step, remember) => {
                    values.push(remember.token);
                    sessions.push(token_of(&step).digest());
                }
                Return::Joined(step) => sessions.push(token_of(&step).digest()),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((values.len(), sessions.len()), (1, 50));
        sessions.dedup();
        assert_eq!(sessions.len(), 1, "one session for all");
        world.wait(DAY);
        is_let_in(&world, &values[0]).await;
    }
    assert!(world.mails().await.is_empty());
}

#[tokio::test]
async fn sess_4_an_old_value_ends_the_family_and_its_owner_is_told_once() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let (_, other) = remembered(&world, "alice").await;
    let (_, first) = remembered(&world, "alice").await;
    world.wait(DAY);
    let (_, _, second) = is_let_in(&world, &first.token).await;
    world.wait(DAY);
    let (token, signed_in, third) = is_let_in(&world, &second.token).await;
    assert!(world.lives(&token).await);
    world.wait(11);
    // The oldest of all: every value the device ever had is known again.
    let Return::Reused(user, ended) = comes_back(&world, &first.token).await else { panic!("not noticed") };
    assert_eq!((user, &*ended), (alice.id, [signed_in.session].as_slice()));
    assert!(!world.lives(&token).await);
    assert!(is_worthless(&world, &third.token).await, "the thief's or the owner's: nobody can tell");
    assert!(is_worthless(&world, &first.token).await);
    assert_eq!(world.mails().await, ["device-reused"]);
    let reused = world.trail().await.into_iter().find(|event| event.act == "device.reused").unwrap();
    assert_eq!((reused.user, &*reused.result, reused.actor), (Some(alice.id), "refused", None));
    is_let_in(&world, &other.token).await;
}

#[tokio::test]
async fn sess_4_only_the_same_browser_joins_and_only_for_ten_seconds() {
    let world = World::new().await;
    world.user("alice").await;
    let (_, remember) = remembered(&world, "alice").await;
    world.wait(DAY);
    let (token, ..) = is_let_in(&world, &remember.token).await;
    world.wait(9);
    let joined = comes_back(&world, &remember.token).await;
    let Return::Joined(step) = joined else { panic!("{joined:?}") };
    assert_eq!(token_of(&step).digest(), token.digest());
    world.wait(1);
    assert!(matches!(comes_back(&world, &remember.token).await, Return::Reused(..)), "ten seconds are over");

    let (_, remember) = remembered(&world, "alice").await;
    world.wait(DAY);
    is_let_in(&world, &remember.token).await;
    let stolen = elsewhere(&world).return_by(&remember.token).await.unwrap();
    assert!(matches!(stolen, Return::Reused(..)), "another browser");

    let (_, remember) = remembered(&world, "alice").await;
    world.wait(DAY);
    is_let_in(&world, &remember.token).await;
    let mut origin = world.origin();
    origin.address = "203.0.113.9".parse().ok();
    let stolen = world.login.act(&world.security, browser(), origin).return_by(&remember.token).await.unwrap();
    assert!(matches!(stolen, Return::Reused(..)), "another address");
}

#[tokio::test]
async fn sess_4_a_session_that_moved_on_is_not_joined_and_nothing_is_ended() {
    let world = World::new().await;
    world.user("alice").await;
    let (_, remember) = remembered(&world, "alice").await;
    world.wait(DAY);
    let (token, _, next) = is_let_in(&world, &remember.token).await;
    world.wait(1);
    let token = token_of(&world.prove_again(&token, PASSWORD, None).await.unwrap());
    assert!(matches!(comes_back(&world, &remember.token).await, Return::SignIn));
    assert!(world.lives(&token).await);
    world.store.wipe_returns(world.after(Duration::from_secs(10))).await.unwrap();
    world.wait(DAY);
    is_let_in(&world, &next.token).await;
}

#[tokio::test]
async fn sess_3_remember_whatever_ends_the_sessions_ends_the_devices() {
    let world = World::new().await;
    for what in ["reset", "disabled", "group", "until", "signed out", "all sessions", "second factor"] {
        let name = what.replace(' ', "-");
        let user = world.user(&name).await;
        let with = Edit { add_groups: vec!["staff".into()], ..Edit::default() };
        world.accounts().edit(user.id, with, &world.command()).await.unwrap();
        let (token, remember) = remembered(&world, &name).await;
        let (accounts, command) = (world.accounts(), world.command());
        match what {
            "reset" => drop(accounts.reset_password(&world.security, user.id, &command).await.unwrap()),
            "disabled" => {
                accounts.disable(user.id, &command).await.unwrap();
                accounts.enable(user.id, &command).await.unwrap();
            }
            "group" => {
                let without = Edit { remove_groups: vec!["staff".into()], ..Edit::default() };
                accounts.edit(user.id, without, &command).await.unwrap();
            }
            "until" => {
                let until = Edit { valid_until: Some(Some(world.now())), ..Edit::default() };
                accounts.edit(user.id, until, &command).await.unwrap();
                let again = Edit { valid_until: Some(None), ..Edit::default() };
                accounts.edit(user.id, again, &command).await.unwrap();
            }
            "signed out" => world.login.sign_out(&token, &world.origin()).await.unwrap(),
            "all sessions" => drop(world.store.end_sessions_of(user.id, None, &[]).await.unwrap()),
            _ => {
                world.wait(1);
                let token = token_of(&world.prove_again(&token, PASSWORD, None).await.unwrap());
                let token = world.enrol(&token).await;
                assert!(world.lives(&token).await);
                assert_eq!(world.row(&token).await.memory.device(), None);
            }
        }
        assert!(is_worthless(&world, &remember.token).await, "{what}");
    }
}

#[tokio::test]
async fn sess_3_remember_whoever_changes_what_proves_them_is_remembered_nowhere() {
    let world = World::new().await;
    world.user("carol").await;
    let (_, elsewhere) = remembered(&world, "carol").await;
    let (token, here) = remembered(&world, "carol").await;
    let row = world.row(&token).await;
    let new = SecretText::new("copper zeppelin at noon");
    let step = world.act().change_own_password(&row, proof(PASSWORD, None), new).await.unwrap();
    let Step::SignedIn(token, _) = step else { panic!("not in, or remembered: {step:?}") };
    assert_eq!((world.lives(&token).await, world.row(&token).await.memory), (true, Memory::None));
    assert!(is_worthless(&world, &here.token).await && is_worthless(&world, &elsewhere.token).await);

    world.user_with_factor("alice").await;
    let step = world.act().remembering(true).password("alice", SecretText::new(PASSWORD)).await.unwrap();
    let step = world.try_code(&token_of(&step), &world.code()).await.unwrap();
    let Step::Remembered(token, _, here) = step else { panic!("not remembered: {step:?}") };
    world.wait(30);
    let row = world.row(&token).await;
    let renewed = world.act().renew_recovery_codes(&row, &proof(PASSWORD, Some(&world.code()))).await.unwrap();
    let token = world.keeps(renewed);
    assert_eq!((world.lives(&token).await, world.row(&token).await.memory), (true, Memory::None));
    assert!(is_worthless(&world, &here.token).await);
}

#[tokio::test]
async fn whoever_must_choose_another_password_signs_in_from_the_start() {
    let advanced = Advanced { validity: Some(Duration::from_hours(24)), ..Advanced::default() };
    let world = World::with(Security { advanced, ..Security::default() }).await;
    world.user("bob").await;
    let alice = world.user_with_factor("alice").await;
    world.accounts().grant(alice.id, Right::Administrator, &world.command()).await.unwrap();
    let (_, bobs) = remembered(&world, "bob").await;
    let step = world.act().remembering(true).password("alice", SecretText::new(PASSWORD)).await.unwrap();
    let step = world.try_code(&token_of(&step), &world.code()).await.unwrap();
    let Step::Remembered(_, _, alices) = step else { panic!("not remembered: {step:?}") };
    // A minute before the passwords are too old, and a minute after.
    world.wait(DAY - 120);
    let Return::Known(Step::SecondFactor(pending), alices) = comes_back(&world, &alices.token).await else {
        panic!("not asked for a code")
    };
    world.wait(120);
    assert!(is_over(&world.try_code(&pending, &world.code()).await), "nobody chooses one without the one before");
    for _ in 0..2 {
        assert!(matches!(comes_back(&world, &bobs.token).await, Return::SignIn));
        assert!(matches!(comes_back(&world, &alices.token).await, Return::SignIn));
    }
    assert!(matches!(world.try_password("bob", PASSWORD).await.unwrap(), Step::ChangePassword(_)));
}

#[tokio::test]
async fn a_return_makes_no_browser_known_not_even_in_the_second_of_the_sign_in() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let (_, remember) = remembered(&world, "alice").await;
    let browser = BrowserToken::generate(&SystemRandom);
    let returned = world.act_at([127, 0, 0, 1], Some(&browser)).return_by(&remember.token).await.unwrap();
    assert!(matches!(returned, Return::Known(Step::SignedIn(..), _)), "{returned:?}");
    assert!(!world.store.knows_browser(alice.id, browser.digest()).await.unwrap());
}

#[tokio::test]
async fn people_who_are_remembered_hide_nobody_who_tries_a_list() {
    let mut world = World::new().await;
    world.security.strangers.stuffing_names = 20;
    let mut browsers = Vec::new();
    for number in 0..6 {
        let name = format!("user{number}");
        world.user(&name).await;
        browsers.push(remembered(&world, &name).await.1);
    }
    world.wait(DAY);
    for remember in &browsers {
        is_let_in(&world, &remember.token).await;
    }
    let failed =
        |name: &u32| world.login.strangers.failed(&format!("name {name}"), world.security.strangers, world.now());
    assert_eq!((0..20).filter(failed).count(), 1, "six sign-ins would make it a busy morning");
}

#[tokio::test]
async fn pwd_6_remember_at_the_end_date_a_remembered_browser_stops_in_the_same_second() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let until = Edit { valid_until: Some(Some(world.after(Duration::from_hours(1)))), ..Edit::default() };
    world.accounts().edit(alice.id, until, &world.command()).await.unwrap();
    let (_, remember) = remembered(&world, "alice").await;
    world.wait(60 * 60);
    assert!(is_worthless(&world, &remember.token).await);
}

#[tokio::test]
async fn a_sign_in_in_the_same_browser_takes_the_place_of_what_it_was_remembered_for() {
    let world = World::new().await;
    world.user("alice").await;
    world.user("bob").await;
    let (_, remember) = remembered(&world, "alice").await;
    world.wait(DAY);
    let held = Browser { remember: Some(remember.token.clone()), ..browser() };
    let act = world.login.act(&world.security, held, world.origin());
    assert!(is_refused(&act.password("bob", SecretText::new("wrong")).await));
    assert_eq!(devices(&world).await.len(), 1, "a guess forgets nothing");
    act.password("bob", SecretText::new(PASSWORD)).await.unwrap();
    assert!(devices(&world).await.is_empty() && is_worthless(&world, &remember.token).await);
}

#[tokio::test]
async fn a_return_makes_room_like_every_sign_in() {
    let mut security = Security::default();
    security.sessions.maximum_per_user = Some(1);
    let world = World::with(security).await;
    world.user("alice").await;
    let (_, remember) = remembered(&world, "alice").await;
    world.wait(60);
    let (elsewhere, _) = world.signed_in("alice").await;
    world.wait(60);
    let (token, ..) = is_let_in(&world, &remember.token).await;
    assert!(world.lives(&token).await && !world.lives(&elsewhere).await);
}

#[tokio::test]
async fn no_token_by_which_a_browser_is_remembered_is_in_the_database() {
    let world = World::new().await;
    world.user("alice").await;
    let (_, remember) = remembered(&world, "alice").await;
    world.wait(DAY);
    let (token, _, next) = is_let_in(&world, &remember.token).await;
    let file = world.database();
    for secret in [remember.token.expose(), next.token.expose(), token.expose()] {
        for part in [secret.as_bytes(), &secret.as_bytes()[secret.len() - 20..]] {
            assert!(!file.windows(part.len()).any(|window| window == part), "a secret stands in the database");
        }
    }
}
