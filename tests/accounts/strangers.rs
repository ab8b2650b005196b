//! Strangers are counted apart from browsers their owner is known in, and over all accounts.

use std::sync::Arc;

use vantail::account::strangers::TooMany;
use vantail::policy::Security;
use vantail::policy::security::{Lockout, Strangers};
use vantail::secret::{BrowserToken, SecretText, SystemRandom};
use vantail::session::{LoginError, Step};

use super::world::{PASSWORD, World, is_put_off, is_refused};

const HOME: [u8; 4] = [192, 0, 2, 1];
const ELSEWHERE: [u8; 4] = [198, 51, 100, 7];

/// A browser of one's own: what it may be known by.
fn browser() -> BrowserToken {
    BrowserToken::generate(&SystemRandom)
}

impl World {
    async fn types(
        &self,
        address: [u8; 4],
        browser: Option<&BrowserToken>,
        (name, password): (&str, &str),
    ) -> Result<Step, LoginError> {
        self.act_at(address, browser).password(name, SecretText::new(password)).await
    }
}

fn is_too_many(outcome: &Result<Step, LoginError>) -> bool {
    matches!(outcome, Err(LoginError::TooMany(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_1_strangers_lock_the_name_and_not_the_owners_known_browser() {
    let world = Arc::new(World::new().await);
    world.user("alice").await;
    let own = browser();
    assert!(world.types(HOME, Some(&own), ("alice", PASSWORD)).await.is_ok());
    let before = world.computed();
    let guesses = (0..1000).map(|number| {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let strange = browser();
            let strange = (number % 2 == 0).then_some(&strange);
            world.types(ELSEWHERE, strange, ("alice", &format!("guess {number}"))).await
        })
    });
    for guess in guesses.collect::<Vec<_>>() {
        let outcome = guess.await.unwrap();
        assert!(is_refused(&outcome) || is_put_off(&outcome), "{outcome:?}");
    }
    assert_eq!(world.computed() - before, 5, "strangers together");
    assert!(
        is_refused(&world.types(HOME, None, ("alice", PASSWORD)).await),
        "in another browser the owner is a stranger"
    );
    assert!(world.types(HOME, Some(&own), ("alice", PASSWORD)).await.is_ok());
}

#[tokio::test]
async fn auth_1_a_known_browser_has_tries_of_its_own_and_no_more() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let own = browser();
    assert!(world.types(HOME, Some(&own), ("alice", PASSWORD)).await.is_ok());
    let before = world.computed();
    for _ in 0..8 {
        assert!(is_refused(&world.types(HOME, Some(&own), ("alice", "wrong")).await));
    }
    assert_eq!(world.computed() - before, 5);
    assert_eq!(world.tries(alice.id).await, 0, "strangers have theirs");
    assert!(is_refused(&world.types(HOME, Some(&own), ("alice", PASSWORD)).await), "locked in it");
    assert!(world.accounts().unlock(alice.id, &world.command()).await.unwrap());
    assert!(world.types(HOME, Some(&own), ("alice", PASSWORD)).await.is_ok(), "unlocked by an administrator");
}

#[tokio::test]
async fn a_browser_is_known_after_the_last_factor_and_to_that_user_alone() {
    let world = World::new().await;
    let alice = world.user_with_factor("alice").await;
    world.user("mallory").await;
    let (own, other) = (browser(), browser());
    let step = world.types(HOME, Some(&other), ("alice", PASSWORD)).await.unwrap();
    assert!(matches!(step, Step::SecondFactor(_)));
    assert!(!world.store.knows_browser(alice.id, other.digest()).await.unwrap(), "the password alone");
    let Step::SecondFactor(pending) = world.types(HOME, Some(&own), ("alice", PASSWORD)).await.unwrap() else {
        panic!("alice has a second factor")
    };
    let (row, code) = (world.row(&pending).await, world.code());
    assert!(world.act_at(HOME, Some(&own)).second_factor(&row, &code).await.is_ok());
    assert!(world.store.knows_browser(alice.id, own.digest()).await.unwrap());
    assert!(world.types(HOME, Some(&own), ("mallory", PASSWORD)).await.is_ok());
    for _ in 0..5 {
        let _refused = world.types(ELSEWHERE, Some(&other), ("alice", "wrong")).await;
    }
    assert!(is_refused(&world.types(ELSEWHERE, Some(&other), ("alice", PASSWORD)).await));
}

#[tokio::test]
async fn a_reset_makes_every_browser_a_stranger_again() {
    let world = World::new().await;
    let alice = world.user("alice").await;
    let own = browser();
    assert!(world.types(HOME, Some(&own), ("alice", PASSWORD)).await.is_ok());
    world.accounts().reset_password(&world.security, alice.id, &world.command()).await.unwrap();
    assert!(!world.store.knows_browser(alice.id, own.digest()).await.unwrap());
}

#[tokio::test]
async fn one_address_is_wrong_a_hundred_times_over_all_names_and_then_waits() {
    let world = World::new().await;
    world.user("alice").await;
    let own = browser();
    assert!(world.types(ELSEWHERE, Some(&own), ("alice", PASSWORD)).await.is_ok());
    let before = world.computed();
    for number in 0..100 {
        assert!(is_refused(&world.types(ELSEWHERE, None, (&format!("name {number}"), "Summer2026")).await));
    }
    let late = world.types(ELSEWHERE, None, ("alice", PASSWORD)).await;
    assert!(matches!(late, Err(LoginError::TooMany(TooMany { retry_after: 900 }))), "{late:?}");
    assert_eq!(world.computed() - before, 100);
    assert!(world.types(ELSEWHERE, Some(&own), ("alice", PASSWORD)).await.is_ok(), "no stranger");
    assert!(world.types(HOME, None, ("alice", PASSWORD)).await.is_ok(), "from elsewhere");
    world.wait(15 * 60);
    assert!(world.types(ELSEWHERE, None, ("alice", PASSWORD)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_guesses_at_once_from_one_address_so_many_are_checked() {
    let strangers = Strangers { attempts: 10, ..Strangers::default() };
    let world = Arc::new(World::with(Security { strangers, ..Security::default() }).await);
    let before = world.computed();
    let guesses = (0..200).map(|number| {
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.types(ELSEWHERE, None, (&format!("name {number}"), "wrong")).await })
    });
    let mut refused = 0;
    for guess in guesses.collect::<Vec<_>>() {
        let outcome = guess.await.unwrap();
        assert!(is_refused(&outcome) || is_too_many(&outcome) || is_put_off(&outcome), "{outcome:?}");
        refused += usize::from(is_refused(&outcome));
    }
    assert_eq!((world.computed() - before, refused), (10, 10));
}

#[tokio::test]
async fn a_right_password_does_not_set_back_what_its_address_did_wrong() {
    let strangers = Strangers { attempts: 5, ..Strangers::default() };
    let world = World::with(Security { strangers, ..Security::default() }).await;
    world.user("mallory").await;
    for number in 0..4 {
        assert!(is_refused(&world.types(ELSEWHERE, None, (&format!("name {number}"), "wrong")).await));
    }
    for _ in 0..5 {
        assert!(world.types(ELSEWHERE, None, ("mallory", PASSWORD)).await.is_ok());
    }
    assert!(is_refused(&world.types(ELSEWHERE, None, ("name 5", "wrong")).await));
    assert!(is_too_many(&world.types(ELSEWHERE, None, ("mallory", PASSWORD)).await));
}

#[tokio::test]
async fn names_that_fail_one_after_the_other_are_stuffing_and_the_trail_says_so_once() {
    let strangers = Strangers { attempts: 50, stuffing_names: 30, ..Strangers::default() };
    let world = World::with(Security { strangers, ..Security::default() }).await;
    world.user("alice").await;
    for number in 0..30_u8 {
        let outcome = world.types([203, 0, 113, number], None, (&format!("name {number}"), "Summer2026")).await;
        assert!(is_refused(&outcome));
    }
    let stuffing = |acts: Vec<String>| acts.iter().filter(|act| *act == "login.stuffing").count();
    assert_eq!(stuffing(world.acts().await), 1);
    for number in 0..10 {
        assert!(is_refused(&world.types(ELSEWHERE, None, (&format!("next {number}"), "Summer2026")).await));
    }
    assert!(is_too_many(&world.types(ELSEWHERE, None, ("alice", PASSWORD)).await), "a fifth of fifty");
    assert_eq!(stuffing(world.acts().await), 1);
    world.wait(10 * 60);
    assert!(world.types(ELSEWHERE, None, ("alice", PASSWORD)).await.is_ok());
}

#[tokio::test]
async fn guesses_at_a_locked_name_use_up_nobodys_address() {
    let lockout = Lockout { attempts: 3, ..Lockout::default() };
    let strangers = Strangers { attempts: 5, ..Strangers::default() };
    let world = World::with(Security { lockout, strangers, ..Security::default() }).await;
    world.user("alice").await;
    for _ in 0..20 {
        assert!(is_refused(&world.types(ELSEWHERE, None, ("nobody", "wrong")).await));
    }
    assert!(world.types(ELSEWHERE, None, ("alice", PASSWORD)).await.is_ok());
}
