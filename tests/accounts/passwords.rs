//! New passwords: what they must be on every path, how often they change, how long they are good for. PWD-5, PWD-6, and what
//! SESS-3 and AUTH-6 say of a change.

use std::time::Duration;

use vantail::account::{AccountError, Addition, PasswordFault};
use vantail::identity::Right;
use vantail::policy::Security;
use vantail::policy::security::{Advanced, Changes, Passwords};
use vantail::secret::{SecretText, SessionToken};
use vantail::session::{LoginError, Presented, Step};

use super::world::{PASSWORD, World, is_over, is_refused, proof, token_of};

const DAY: Duration = Duration::from_hours(24);

fn advanced(advanced: Advanced) -> Security {
    Security { advanced, ..Security::default() }
}

fn once_a_day() -> Security {
    advanced(Advanced { changes: Some(Changes { allowed: 1, period: DAY }), ..Advanced::default() })
}

fn good_for_a_day() -> Security {
    advanced(Advanced { validity: Some(DAY), ..Advanced::default() })
}

/// The owner changes their password in the session of `token`.
async fn change(
    world: &World,
    token: &SessionToken,
    (present, code): (&str, Option<&str>),
    new: &str,
) -> Result<Step, LoginError> {
    let row = world.row(token).await;
    world.act().change_own_password(&row, proof(present, code), SecretText::new(new)).await
}

/// Whoever is at the change of a password they must change.
async fn forced(world: &World, token: &SessionToken, new: &str) -> Result<Step, LoginError> {
    let row = world.row(token).await;
    world.act().change_password(&row, SecretText::new(new)).await
}

fn faults(outcome: &Result<Step, LoginError>) -> Vec<PasswordFault> {
    match outcome {
        Err(LoginError::NewPassword(faults)) => faults.all().to_vec(),
        other => panic!("{other:?}"),
    }
}

async fn at_the_change(world: &World, name: &str, password: &str) -> SessionToken {
    match world.try_password(name, password).await.unwrap() {
        Step::ChangePassword(token) => token,
        other => panic!("not led to the change: {other:?}"),
    }
}

/// Passwords that keep the rules, each another.
const ROW: [&str; 6] = [
    PASSWORD,
    "copper zeppelin at noon",
    "nine herons over the quay",
    "a lantern in the orchard",
    "three late trains to Lyon",
    "paper boats and thunder",
];

#[tokio::test]
async fn pwd_5_the_last_four_are_refused_on_every_path() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let (mut token, _) = world.signed_in("alice").await;
    for pair in ROW[..5].windows(2) {
        token = token_of(&change(&world, &token, (pair[0], None), pair[1]).await.unwrap());
    }
    let remembered = [PasswordFault::Remembered { count: 4 }];
    for earlier in &ROW[..4] {
        assert_eq!(faults(&change(&world, &token, (ROW[4], None), earlier).await), remembered, "{earlier}");
    }
    assert_eq!(faults(&change(&world, &token, (ROW[4], None), ROW[4]).await), [PasswordFault::Unchanged]);

    // An administrator's resets push none of them out.
    for _ in 0..6 {
        world.accounts().reset_password(&world.security, alice.id, &world.command()).await.unwrap();
    }
    let temporary = world.accounts().reset_password(&world.security, alice.id, &world.command()).await.unwrap();
    let token = at_the_change(&world, "alice", temporary.expose()).await;
    assert_eq!(faults(&forced(&world, &token, temporary.expose()).await), [PasswordFault::Unchanged]);
    for earlier in &ROW[1..5] {
        assert_eq!(faults(&forced(&world, &token, earlier).await), remembered, "{earlier}");
    }
    assert!(matches!(forced(&world, &token, ROW[0]).await, Ok(Step::SignedIn(..))), "the fifth before is free again");
}

#[tokio::test]
async fn pwd_5_every_path_keeps_the_rules() {
    let passwords = Passwords { installation: vec!["riverbank".into()], ..Passwords::default() };
    let world = World::with(Security { passwords, ..Security::default() }).await;
    let wrong = [
        ("alice".repeat(3), PasswordFault::Own),
        ("riverbank-2026".to_owned(), PasswordFault::Own),
        ("vantail-vantail".to_owned(), PasswordFault::Own),
        ("password1234".to_owned(), PasswordFault::Known),
        ("gH7#kq9!vZp".to_owned(), PasswordFault::TooShort { minimum: 12 }),
        ("seven swans ".repeat(100), PasswordFault::TooLong),
    ];
    let (_, temporary) = world.user_with("alice", &[], None).await;
    let token = at_the_change(&world, "alice", temporary.unwrap().expose()).await;
    let before = world.computed();
    for (new, fault) in &wrong {
        assert!(faults(&forced(&world, &token, new).await).contains(fault), "{new}: forced");
    }
    let token = token_of(&forced(&world, &token, PASSWORD).await.unwrap());
    let hashed = world.computed();
    for (new, fault) in &wrong {
        assert!(faults(&change(&world, &token, (PASSWORD, None), new).await).contains(fault), "{new}: own");
        let addition = Addition {
            name: "alice2".into(),
            full_name: "Alice of the tests".into(),
            email: "alice2@example.org".into(),
            phone: None,
            language: None,
            groups: Vec::new(),
            rights: Vec::new(),
            password: Some(SecretText::new(new.as_str())),
            temporary: false,
        };
        let added = world.accounts().add(&world.security, addition, &world.command()).await;
        let Err(AccountError::Password(faults)) = added else { panic!("{new}: added: {added:?}") };
        assert!(faults.all().contains(fault), "{new}: added");
    }
    assert_eq!(world.computed(), hashed, "hashed though it was refused at first sight");
    assert_eq!(hashed - before, 2, "compared with the temporary one, and hashed");
}

#[tokio::test]
async fn pwd_5_whole_passwords_count_and_accents_are_one() {
    let world = World::new().await;
    world.user("alice").await;
    let (token, _) = world.signed_in("alice").await;
    let same: String = "copper zeppelin, ".chars().cycle().take(72).collect();
    let (one, other) = (format!("{same} north"), format!("{same} south"));
    let token = token_of(&change(&world, &token, (PASSWORD, None), &one).await.unwrap());
    assert!(is_refused(&world.try_password("alice", &other).await), "a different tail");
    assert!(is_refused(&world.try_password("alice", &same).await), "no tail");
    assert!(world.try_password("alice", &one).await.is_ok());

    let long: String = "nine herons over the quay; ".chars().cycle().take(128).collect();
    let token = token_of(&change(&world, &token, (&one, None), &long).await.unwrap());
    assert!(is_refused(&world.try_password("alice", &long[..127]).await));
    assert!(world.try_password("alice", &long).await.is_ok());

    let (composed, decomposed) =
        ("\u{e9}t\u{e9} \u{e0} la rivi\u{e8}re", "e\u{301}te\u{301} a\u{300} la rivie\u{300}re");
    let token = token_of(&change(&world, &token, (&long, None), decomposed).await.unwrap());
    assert!(world.try_password("alice", composed).await.is_ok());
    assert_eq!(faults(&change(&world, &token, (composed, None), composed).await), [PasswordFault::Unchanged]);
}

#[tokio::test]
async fn sess_3_change_password_ends_the_other_sessions_and_tells_the_owner() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let (other, _) = world.signed_in("alice").await;
    let (token, signed_in) = world.signed_in("alice").await;
    assert!(world.lives(&other).await && world.lives(&token).await);
    let step = change(&world, &token, (PASSWORD, None), ROW[1]).await.unwrap();
    let Step::SignedIn(next, now) = step else { panic!("not in") };
    assert_ne!(now.session, signed_in.session, "what was open in the earlier session ends with it");
    assert!(matches!(world.presents(&token).await, Presented::Dead));
    assert!(matches!(world.presents(&other).await, Presented::Dead));
    assert!(world.lives(&next).await);
    assert!(is_refused(&world.try_password("alice", PASSWORD).await));
    assert!(world.try_password("alice", ROW[1]).await.is_ok());

    let mails = world.store.due_messages(world.now(), 9).await.unwrap();
    assert_eq!(
        mails.iter().map(|mail| (mail.kind.as_str(), mail.user)).collect::<Vec<_>>(),
        [("password-changed", alice.id)]
    );
    let told: Vec<_> = world.trail().await.into_iter().filter(|event| event.act == "password.changed").collect();
    let [told] = &told[..] else { panic!("{told:?}") };
    assert_eq!((told.result.as_str(), told.user, told.actor), ("ok", Some(alice.id), Some(alice.id)));
}

#[tokio::test]
async fn a_forced_change_tells_the_owner_too() {
    let world = World::new().await;
    let (_, temporary) = world.user_with("alice", &[], None).await;
    let token = at_the_change(&world, "alice", temporary.unwrap().expose()).await;
    forced(&world, &token, PASSWORD).await.unwrap();
    let mails = world.store.due_messages(world.now(), 9).await.unwrap();
    assert_eq!(mails.iter().map(|mail| mail.kind.as_str()).collect::<Vec<_>>(), ["password-changed"]);
}

#[tokio::test]
async fn auth_6_guesses_at_a_change_of_password_are_counted_with_all_others() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let (token, _) = world.signed_in("alice").await;
    let before = world.computed();
    for _ in 0..3 {
        assert!(is_refused(&change(&world, &token, ("wrong", None), ROW[1]).await));
    }
    assert!(is_refused(&world.try_password("alice", "wrong").await));
    assert_eq!(world.tries(alice.id).await, 4);
    assert!(is_refused(&change(&world, &token, ("wrong", None), ROW[1]).await));
    assert_eq!(world.computed() - before, 5);
    assert!(is_refused(&change(&world, &token, (PASSWORD, None), ROW[1]).await), "locked, and right");
    assert!(is_refused(&world.try_password("alice", PASSWORD).await));
    assert_eq!(world.computed() - before, 5, "looked at though locked");
    assert!(world.lives(&token).await, "the session goes on");
    world.wait(30 * 60);
    let (token, _) = world.signed_in("alice").await;
    assert!(is_refused(&change(&world, &token, ("wrong", None), ROW[1]).await));
    change(&world, &token, (PASSWORD, None), ROW[1]).await.unwrap();
    assert_eq!(world.tries(alice.id).await, 0, "whoever proves everything is back at none");
}

#[tokio::test]
async fn where_a_second_factor_is_on_a_change_takes_its_code_once() {
    let world = World::new().await;
    let alice = world.user_with_factor("alice").await;
    let pending = world.pending("alice").await;
    let token = token_of(&world.try_code(&pending, &world.code()).await.unwrap());
    world.wait(60);
    for code in [None, Some(world.wrong_code())] {
        assert!(is_refused(&change(&world, &token, (PASSWORD, code.as_deref()), ROW[1]).await), "{code:?}");
    }
    assert_eq!(world.tries(alice.id).await, 2);
    let code = world.code();
    let refused = change(&world, &token, (PASSWORD, Some(&code)), PASSWORD).await;
    assert_eq!(faults(&refused), [PasswordFault::Unchanged]);
    assert_eq!(world.tries(alice.id).await, 2, "right, and given back");
    let Ok(Step::SignedIn(token, now)) = change(&world, &token, (PASSWORD, Some(&code)), ROW[1]).await else {
        panic!("the code was not left for the next try")
    };
    assert_eq!((now.factors(), now.second_factor_at, now.auth_time), (2, Some(world.now()), world.now()));
    assert!(is_refused(&change(&world, &token, (ROW[1], Some(&code)), ROW[2]).await), "used");
}

#[tokio::test]
async fn pwd_6_five_changes_in_a_minute_do_not_push_out_what_is_remembered() {
    let world = World::with(once_a_day()).await;
    let alice = world.user("alice").await;
    let (token, _) = world.signed_in("alice").await;
    let token = token_of(&change(&world, &token, (PASSWORD, None), ROW[1]).await.unwrap());
    let until = world.after(DAY);
    let before = world.computed();
    for _ in 0..4 {
        world.wait(12);
        let refused = change(&world, &token, (ROW[1], None), ROW[2]).await;
        assert_eq!(faults(&refused), [PasswordFault::TooManyChanges { until }]);
    }
    assert_eq!((world.computed(), world.tries(alice.id).await), (before, 0), "nothing was guessed at");
    let told = world.trail().await.into_iter().filter(|event| event.act == "password.changed");
    assert_eq!(told.filter(|event| event.result == "refused").count(), 4);

    // Neither a reset nor the change it forces is held up, and neither counts.
    let temporary = world.accounts().reset_password(&world.security, alice.id, &world.command()).await.unwrap();
    let pending = at_the_change(&world, "alice", temporary.expose()).await;
    let token = token_of(&forced(&world, &pending, ROW[3]).await.unwrap());
    assert_eq!(
        faults(&change(&world, &token, (ROW[3], None), ROW[4]).await),
        [PasswordFault::TooManyChanges { until }]
    );
    world.wait(24 * 3600 - 48 - 1);
    let again = world.try_password("alice", ROW[3]).await.unwrap();
    assert_eq!(faults(&change(&world, &token_of(&again), (ROW[3], None), ROW[4]).await).len(), 1, "a second early");
    world.wait(1);
    change(&world, &token_of(&again), (ROW[3], None), ROW[4]).await.unwrap();
}

#[tokio::test]
async fn pwd_6_an_expired_password_reaches_the_change_and_nothing_else() {
    let world = World::with(good_for_a_day()).await;
    world.user("alice").await;
    world.wait(24 * 3600 - 1);
    let (token, _) = world.signed_in("alice").await;
    world.wait(1);
    assert!(world.lives(&token).await, "a session that lives goes on");
    for _ in 0..3 {
        let pending = at_the_change(&world, "alice", PASSWORD).await;
        assert!(
            matches!(world.presents(&pending).await, Presented::Pending { .. }),
            "and it may be left and begun again"
        );
    }
    let pending = at_the_change(&world, "alice", PASSWORD).await;
    let row = world.row(&pending).await;
    assert!(is_over(&world.act().change_own_password(&row, proof(PASSWORD, None), SecretText::new(ROW[1])).await));
    assert!(is_over(&world.act().step_up(&row, "123456").await));
    assert_eq!(faults(&forced(&world, &pending, PASSWORD).await), [PasswordFault::Unchanged]);
    let Ok(Step::SignedIn(token, _)) = forced(&world, &pending, ROW[1]).await else { panic!("not in") };
    assert!(world.lives(&token).await);
    assert!(matches!(world.try_password("alice", ROW[1]).await, Ok(Step::SignedIn(..))));
    let told = world.trail().await.into_iter().find(|event| event.act == "password.changed").unwrap();
    assert!(told.details.contains("older than passwords may be"), "{}", told.details);
}

#[tokio::test]
async fn pwd_6_an_expired_password_does_not_get_past_the_second_factor_nor_the_enrolment() {
    let world = World::with(good_for_a_day()).await;
    world.user_with_factor("alice").await;
    world.user_with("val", &[Right::TokenValidator], Some(PASSWORD)).await;
    world.wait(24 * 3600);
    let pending = world.pending("alice").await;
    let Ok(Step::ChangePassword(token)) = world.try_code(&pending, &world.code()).await else { panic!() };
    let Ok(Step::SignedIn(_, signed_in)) = forced(&world, &token, ROW[1]).await else { panic!("not in") };
    assert_eq!(signed_in.factors(), 2);
    let token = at_the_change(&world, "val", PASSWORD).await;
    assert!(matches!(forced(&world, &token, ROW[1]).await, Ok(Step::Enrol(_))));
}

#[tokio::test]
async fn a_rule_that_changed_forces_nobody_and_one_that_went_lets_go() {
    let mut world = World::with(good_for_a_day()).await;
    world.user("alice").await;
    world.wait(24 * 3600);
    let pending = at_the_change(&world, "alice", PASSWORD).await;
    world.security = Security {
        passwords: Passwords { minimum_length: 40, require_all_classes: true, ..Passwords::default() },
        ..Security::default()
    };
    assert!(is_over(&forced(&world, &pending, ROW[1]).await), "nothing to be changed any more");
    let (token, _) = world.signed_in("alice").await;
    let refused = faults(&change(&world, &token, (PASSWORD, None), ROW[1]).await);
    assert!(refused.contains(&PasswordFault::TooShort { minimum: 40 }) && refused.len() == 3, "{refused:?}");
}

#[tokio::test]
async fn a_reset_password_may_stay_where_the_policy_says_so() {
    let passwords = Passwords { force_change_after_reset: false, ..Passwords::default() };
    let world = World::with(Security { passwords, ..Security::default() }).await;
    let alice = world.user("alice").await;
    let made = world.accounts().reset_password(&world.security, alice.id, &world.command()).await.unwrap();
    for _ in 0..2 {
        assert!(matches!(world.try_password("alice", made.expose()).await, Ok(Step::SignedIn(..))));
    }
    let (_, temporary) = world.user_with("bob", &[], None).await;
    at_the_change(&world, "bob", temporary.unwrap().expose()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_sent_many_times_at_once_happens_once() {
    let world = std::sync::Arc::new(World::new().await);
    world.user("alice").await;
    let (token, _) = world.signed_in("alice").await;
    let row = world.row(&token).await;
    let tries: Vec<_> = (0..4)
        .map(|number| {
            let (world, row) = (std::sync::Arc::clone(&world), row.clone());
            tokio::spawn(async move {
                let new = SecretText::new(ROW[number + 1]);
                world.act().change_own_password(&row, proof(PASSWORD, None), new).await
            })
        })
        .collect();
    let mut done = 0;
    for outcome in tries {
        match outcome.await.unwrap() {
            Ok(Step::SignedIn(token, _)) => {
                assert!(world.lives(&token).await);
                done += 1;
            }
            // Read before the other's change, or after it.
            outcome if is_over(&outcome) || is_refused(&outcome) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(done, 1);
    let told = world.trail().await.into_iter().filter(|event| event.act == "password.changed" && event.result == "ok");
    assert_eq!(told.count(), 1);
    assert_eq!(world.store.due_messages(world.now(), 9).await.unwrap().len(), 1);
}
