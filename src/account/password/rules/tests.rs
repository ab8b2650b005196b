use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::account::Strength;
use crate::identity::{UserId, UserState};
use crate::secret::SystemRandom;

fn alice() -> User {
    User {
        id: UserId(Uuid::from_u128(1)),
        name: "amartin".into(),
        full_name: "Alice Éléonore Martin".into(),
        email: "a.martin+gate@example.org".into(),
        language: None,
        groups: Vec::new(),
        rights: Vec::new(),
        state: UserState::Active,
        valid_from: None,
        valid_until: None,
    }
}

fn passwords() -> Passwords {
    let installation = vec!["customer-care".into(), "crm.riverbank.org".into(), "gw".into()];
    Passwords { installation, ..Passwords::default() }
}

fn pool() -> HashPool {
    HashPool::start(1, 16, Strength { memory: 64, passes: 1, lanes: 1 }, Arc::new(SystemRandom)).unwrap()
}

async fn faults_of(passwords: &Passwords, new: &str) -> Vec<PasswordFault> {
    let pool = pool();
    let checked = Rules::of(passwords, &alice()).check(&pool, SecretText::new(new)).await.unwrap();
    assert_eq!(pool.computed(), 0, "something was hashed");
    checked.err().map_or_else(Vec::new, |faults| faults.all().to_vec())
}

#[tokio::test]
async fn pwd_5_length_counts_characters_after_composing() {
    let short = [PasswordFault::TooShort { minimum: 12 }];
    assert_eq!(faults_of(&passwords(), "gH7#kq9!vZp").await, short, "11 characters");
    assert_eq!(faults_of(&passwords(), "gH7#kq9!vZp2").await, [], "12");
    let decomposed = "e\u{301}".repeat(6) + "gH7#k";
    assert_eq!(decomposed.chars().count(), 17);
    assert_eq!(faults_of(&passwords(), &decomposed).await, short, "11 for a reader");
}

#[tokio::test]
async fn pwd_5_long_ones_are_taken_whole_up_to_1024_bytes() {
    let phrase = "seven swans by the lock gate, ";
    for length in [64, 128, 1024] {
        let long: String = phrase.chars().cycle().take(length).collect();
        assert_eq!(faults_of(&passwords(), &long).await, [], "{length}");
    }
    let long: String = phrase.chars().cycle().take(1025).collect();
    assert_eq!(faults_of(&passwords(), &long).await, [PasswordFault::TooLong]);
}

#[tokio::test]
async fn pwd_5_a_megabyte_is_refused_at_once() {
    let megabyte = SecretText::new("é".repeat(1 << 19));
    let (passwords, alice, pool) = (passwords(), alice(), pool());
    let begun = Instant::now();
    let refused = Rules::of(&passwords, &alice).check(&pool, megabyte).await.unwrap().unwrap_err();
    assert!(begun.elapsed() < Duration::from_millis(50), "{:?}", begun.elapsed());
    assert_eq!(refused.all(), [PasswordFault::TooLong]);
}

#[tokio::test]
async fn every_kind_of_signs_is_asked_for_where_that_is_set() {
    let all = Passwords { require_all_classes: true, ..passwords() };
    let missing = |classes: &[Class]| classes.iter().map(|class| PasswordFault::Missing(*class)).collect::<Vec<_>>();
    for (new, without) in [
        ("sevenswansbythelockgate", &[Class::Capital, Class::Digit, Class::Other][..]),
        ("Seven swans by the lock gate", &[Class::Digit]),
        ("ÉTÉS À LA RIVIÈRE 42", &[Class::Small]),
        ("SevenSwansByThe7LockGates", &[Class::Other]),
        ("Seven swans by the lock gate 7", &[]),
    ] {
        assert_eq!(faults_of(&all, new).await, missing(without), "{new}");
        assert_eq!(faults_of(&passwords(), new).await, [], "{new}, where it is not");
    }
}

#[tokio::test]
async fn pwd_5_names_of_the_person_the_installation_and_the_product_are_no_passwords() {
    for own in [
        "amartin-amartin-1",
        "Alice.Martin!1",
        "martinalice2026",
        "Éléonore-Éléonore",
        "E\u{301}LE\u{301}ONORE-alice",
        "a.martin+gate@example.org",
        "customer-care-1",
        "Customer Care!!!",
        "crm.riverbank.org",
        "riverbankriverbank",
        "Vantail-vantail-1",
        "ｖａｎｔａｉｌ.vantail",
    ] {
        assert!(faults_of(&passwords(), own).await.contains(&PasswordFault::Own), "{own} was taken");
    }
    for fine in ["Alice rides a copper zeppelin", "my vantail is 7 doors from here", "seven swans by the lock gate"] {
        assert_eq!(faults_of(&passwords(), fine).await, [], "{fine}");
    }
    let lenient = Passwords { refuse_known_bad: false, ..passwords() };
    for taken in ["amartin-amartin-1", "password1234"] {
        assert_eq!(faults_of(&lenient, taken).await, [], "{taken}: not looked at where it is switched off");
    }
}

#[tokio::test]
async fn pwd_5_all_that_is_wrong_is_told_at_once() {
    let all = Passwords { require_all_classes: true, ..passwords() };
    assert_eq!(
        faults_of(&all, "Martin").await,
        [
            PasswordFault::TooShort { minimum: 12 },
            PasswordFault::Missing(Class::Digit),
            PasswordFault::Missing(Class::Other),
            PasswordFault::Own
        ]
    );
    assert_eq!(faults_of(&passwords(), "password1234").await, [PasswordFault::Known]);
    let told = PasswordFaults(vec![PasswordFault::TooLong, PasswordFault::Missing(Class::Digit)]).to_string();
    assert_eq!(told, "the password is too long: at most 1024 bytes; the password has no digit: add one");
}

#[tokio::test]
async fn a_fit_password_is_composed() {
    let (passwords, alice, pool) = (passwords(), alice(), pool());
    let rules = Rules::of(&passwords, &alice);
    let fit = rules.check(&pool, SecretText::new("cafe\u{301} noir sur la colline")).await.unwrap().unwrap();
    assert_eq!(fit.secret().expose(), "café noir sur la colline");
}

proptest! {
    #[test]
    fn whoever_types_only_their_names_is_told_so(names in proptest::collection::vec(0_usize..5, 1..5), between in "[-_. !0]{0,2}") {
        let known = ["amartin", "Alice", "MARTIN", "riverbank", "Vantail"];
        let typed = names.iter().map(|name| known[*name]).collect::<Vec<_>>().join(&between);
        let passwords = passwords();
        let found = Rules::of(&passwords, &alice()).faults(&typed);
        prop_assert!(found.contains(&PasswordFault::Own), "{typed}: {found:?}");
    }

    #[test]
    fn the_number_of_characters_alone_decides_what_is_short(typed in "\\PC{0,30}") {
        let passwords = passwords();
        let composed = composed(&SecretText::new(typed.as_str())).unwrap();
        let found = Rules::of(&passwords, &alice()).faults(composed.expose());
        let short = composed.expose().chars().count() < 12;
        prop_assert_eq!(found.contains(&PasswordFault::TooShort { minimum: 12 }), short);
    }
}
