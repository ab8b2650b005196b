//! The people of FLT-1, put into the store directly: a thousand sign-ins through the door would take longer than the test.

use std::time::Duration;

use totp_rs::{Algorithm, Builder};
use uuid::Uuid;
use vantail::account::{HashPool, Strength};
use vantail::identity::{Amr, SessionId, User, UserId, UserState};
use vantail::secret::{Keyring, Place, SecretText, SessionToken, SystemRandom, random_bytes};
use vantail::store::Store;
use vantail::store::entering::Entry;
use vantail::store::second_factors::SecondFactorRow;
use vantail::store::sessions::{Memory, SessionRow, Stage};
use vantail::store::users::{NewUser, UserRow};
use vantail::time::{Clock as _, SystemClock};

use crate::process::PASSWORD;

/// Everybody, by what they do.
pub struct Crowd {
    /// Their passwords are guessed.
    pub victims: Vec<Somebody>,
    /// They ask for what is held.
    pub requesters: Vec<Somebody>,
    /// They give codes.
    pub holders: Vec<Somebody>,
}

/// One of them.
#[derive(Debug, Clone)]
pub struct Somebody {
    pub id: UserId,
    pub name: String,
    /// The cookie of their session; empty for victims.
    pub session: String,
}

// === impl Crowd ===

impl Crowd {
    /// Makes so many of each.
    pub async fn make(store: &Store, keyring: &Keyring, [victims, requesters, holders]: [usize; 3]) -> Self {
        let mut crowd = Self { victims: vec![], requesters: vec![], holders: vec![] };
        let hash = cheap_hash().await;
        for number in 0..victims {
            crowd.victims.push(add(store, &format!("victim{number}"), &hash).await);
        }
        for number in 0..requesters {
            crowd.requesters.push(signed_in(store, add(store, &format!("asker{number}"), &hash).await).await);
        }
        for number in 0..holders {
            let somebody = add(store, &format!("holder{number}"), &hash).await;
            enrol(store, keyring, &somebody).await;
            crowd.holders.push(signed_in(store, somebody).await);
        }
        crowd
    }
}

// === impl Somebody ===

impl Somebody {
    /// The code of their authenticator in the step counted from the epoch.
    pub fn code(&self, step: i64) -> String {
        let totp = Builder::new().with_algorithm(Algorithm::SHA1).with_secret(self.seed()).build().unwrap();
        totp.generate(u64::try_from(step * 30).unwrap()).to_string()
    }

    fn seed(&self) -> Vec<u8> {
        format!("{:-<20}", self.name).into_bytes()
    }
}

/// A hash of everybody's password that costs next to nothing: what is tried here is the store, not Argon2.
async fn cheap_hash() -> String {
    let pool =
        HashPool::start(1, 1, Strength { memory: 8, passes: 1, lanes: 1 }, std::sync::Arc::new(SystemRandom)).unwrap();
    pool.hash(SecretText::new(PASSWORD)).await.unwrap()
}

async fn add(store: &Store, name: &str, hash: &str) -> Somebody {
    let (now, id) = (SystemClock.now(), UserId(any_id()));
    let email = format!("{name}@gw.test");
    let user = User {
        id,
        name: name.to_owned(),
        full_name: name.to_owned(),
        email: email.clone(),
        language: None,
        groups: vec!["admins".to_owned()],
        rights: vec![],
        state: UserState::Active,
        valid_from: None,
        valid_until: None,
    };
    let row = UserRow {
        user,
        phone: None,
        phone_mac: None,
        password_hash: Some(hash.to_owned()),
        password_set_at: Some(now),
        password_must_change: false,
        password_spent: false,
        created_at: now,
        last_login_at: None,
        epoch: 1,
    };
    store.insert_user(&NewUser { row, name_folded: name.to_owned(), email_folded: email }, &[]).await.unwrap();
    Somebody { id, name: name.to_owned(), session: String::new() }
}

async fn signed_in(store: &Store, somebody: Somebody) -> Somebody {
    let (now, token) = (SystemClock.now(), SessionToken::generate(&SystemRandom));
    let row = SessionRow {
        digest: token.digest(),
        id: SessionId(any_id()),
        user: somebody.id,
        stage: Stage::Live,
        amr: vec![Amr::Pwd, Amr::Otp],
        auth_time: now,
        second_factor_at: Some(now),
        created_at: now,
        last_seen: now,
        expires_at: now.plus(Duration::from_hours(12)),
        memory: Memory::None,
        address: None,
        user_agent: String::new(),
    };
    assert!(store.insert_session(&Entry::of(&row, 1), &[]).await.unwrap().is_in());
    Somebody { session: token.expose(), ..somebody }
}

async fn enrol(store: &Store, keyring: &Keyring, somebody: &Somebody) {
    let (now, id) = (SystemClock.now(), any_id());
    let place = Place { table: "second_factors", column: "seed", row: &id.to_string() };
    let row = SecondFactorRow {
        id,
        user: somebody.id,
        seed: keyring.seal(&SystemRandom, place, &somebody.seed()),
        algorithm: "SHA1".to_owned(),
        digits: 6,
        period_secs: 30,
        created_at: now,
        confirmed_at: None,
        last_step: 0,
    };
    store.put_second_factor(&row).await.unwrap();
    assert!(store.confirm_second_factor(id, 1, now, &[]).await.unwrap());
}

fn any_id() -> Uuid {
    uuid::Builder::from_random_bytes(random_bytes(&SystemRandom)).into_uuid()
}
