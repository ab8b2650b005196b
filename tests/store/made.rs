//! Rows as the tests need them.

use std::time::Duration;

use uuid::Uuid;
use vantail::audit::{NewEvent, Origin};
use vantail::identity::{Amr, Right, SessionId, User, UserId, UserState};
use vantail::secret::{Keyring, OperationToken, Place, Sealed, SessionToken, SystemRandom, random_bytes};
use vantail::store::Store;
use vantail::store::operations::{OperationRow, State, TokenRow};
use vantail::store::outbox::{Channel, NewOutbox};
use vantail::store::sessions::{Memory, SessionRow, Stage};
use vantail::store::users::{NewUser, UserRow};
use vantail::time::Timestamp;

use crate::base::keyring;

/// The moment at which most tests take place.
pub const NOW: Timestamp = Timestamp::from_secs(1_772_366_400);

/// So many minutes.
pub const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// An id nobody else has.
pub fn id() -> Uuid {
    uuid::Builder::from_random_bytes(random_bytes(&SystemRandom)).into_uuid()
}

/// An event.
pub fn event(act: &'static str) -> NewEvent {
    Origin {
        now: NOW,
        actor: None,
        door: "page",
        address: "192.0.2.7".parse().ok(),
        request_id: Some("r-1".to_owned()),
    }
    .event(act, "ok")
}

/// A user to be made.
pub fn user(name: &str) -> NewUser {
    let user = User {
        id: UserId(id()),
        name: name.to_owned(),
        full_name: format!("{name} Example"),
        email: format!("{name}@Example.org"),
        language: None,
        groups: vec!["staff".to_owned()],
        rights: vec![],
        state: UserState::Active,
        valid_from: None,
        valid_until: None,
    };
    let row = UserRow {
        user,
        phone: None,
        phone_mac: None,
        password_hash: Some("$argon2id$old".to_owned()),
        password_set_at: Some(NOW),
        password_must_change: false,
        password_spent: false,
        created_at: NOW,
        last_login_at: None,
        epoch: 1,
    };
    NewUser { row, name_folded: name.to_lowercase(), email_folded: format!("{}@example.org", name.to_lowercase()) }
}

/// Stores a user.
pub async fn store_user(store: &Store, name: &str) -> UserId {
    let new = user(name);
    store.insert_user(&new, &[]).await.unwrap();
    new.row.user.id
}

/// Stores an administrator.
pub async fn store_administrator(store: &Store, name: &str) -> UserId {
    let mut new = user(name);
    new.row.user.rights = vec![Right::Administrator];
    store.insert_user(&new, &[]).await.unwrap();
    new.row.user.id
}

/// A live session of `user`.
pub fn session(user: UserId) -> SessionRow {
    SessionRow {
        digest: SessionToken::generate(&SystemRandom).digest(),
        id: SessionId(id()),
        user,
        stage: Stage::Live,
        amr: vec![Amr::Pwd, Amr::Otp],
        auth_time: NOW,
        second_factor_at: Some(NOW),
        created_at: NOW,
        last_seen: NOW,
        expires_at: NOW.plus(minutes(720)),
        memory: Memory::None,
        address: "2001:db8::7".parse().ok(),
        user_agent: "Mozilla/5.0".to_owned(),
    }
}

/// A waiting operation.
pub fn operation(id: &str, quorum: i64) -> OperationRow {
    let place = Place { table: "operations", column: "captured", row: id };
    OperationRow {
        id: id.to_owned(),
        version: 1,
        state: State::Waiting,
        reason: None,
        requester: UserId(self::id()),
        session: SessionId(self::id()),
        requester_epoch: 1,
        site: "crm".to_owned(),
        rule: "delete a customer".to_owned(),
        rule_version: "v1".to_owned(),
        backend: "http://10.0.0.5:8000".to_owned(),
        method: "POST".to_owned(),
        title_en: "Delete customer 42".to_owned(),
        title_fr: "Supprimer le client 42".to_owned(),
        quorum,
        created_at: NOW,
        expires_at: NOW.plus(minutes(15)),
        tries: 0,
        captured: Some(keyring().seal(&SystemRandom, place, b"POST /admin/customers/42/delete")),
        seal: vec![1; 32],
        digest: "sha-256=:AA==:".to_owned(),
        changed_at: NOW,
        status: None,
        answer: None,
        answer_until: None,
    }
}

/// A token of `operation` for `validator`.
pub fn token(operation: &str, validator: UserId, issued_at: Timestamp) -> TokenRow {
    let token = OperationToken::generate(&SystemRandom);
    TokenRow {
        validator,
        digest: token.digest(&keyring(), operation, &validator.to_string()),
        issued_at,
        expires_at: issued_at.plus(minutes(15)),
    }
}

/// An SMS to `user` about `operation`.
pub fn message(user: UserId, operation: Option<&str>, carries_token: bool) -> NewOutbox {
    let id = id();
    NewOutbox {
        id,
        channel: Channel::Sms,
        kind: "operation-asked",
        user,
        operation: operation.map(str::to_owned),
        carries_token,
        message: sealed(&keyring(), "outbox", "message", &id.to_string()),
        created_at: NOW,
        deadline: NOW.plus(minutes(15)),
    }
}

/// Something sealed in its place.
pub fn sealed<T>(keyring: &Keyring, table: &'static str, column: &'static str, row: &str) -> Sealed<T> {
    keyring.seal(&SystemRandom, Place { table, column, row }, b"what is inside")
}
