//! What a signed-in request costs beyond its decision: the session behind the cookie, and the assertion for the backend.

use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use uuid::Uuid;
use vantail::identity::assertion::Assertions;
use vantail::identity::keys::KeyRing;
use vantail::identity::{Amr, Right, SessionId, SignedIn, User, UserId, UserState};
use vantail::policy::security;
use vantail::secret::{Keyring, SessionToken, SystemRandom};
use vantail::session::{Presented, Sessions};
use vantail::store::entering::Entry;
use vantail::store::sessions::{Memory, SessionRow, Stage};
use vantail::store::users::{NewUser, UserRow};
use vantail::store::{Open, Store};
use vantail::time::Timestamp;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const SESSIONS_PER_USER: usize = 4;

/// A store with signed-in people, all of them known in process.
struct Crowd {
    // Gone with its files when dropped.
    _folder: TempDir,
    store: Store,
    sessions: Sessions,
    tokens: Vec<SessionToken>,
}

impl Crowd {
    async fn of(size: usize) -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let url = format!("sqlite:{}", folder.path().join("vantail.db").display());
        let store = Store::open(&url, &Keyring::new(&[1; 32]), Open::Migrate).await.expect("a new store opens");
        let mut tokens = Vec::with_capacity(size);
        for number in 0..size {
            let user = UserId(Uuid::from_u128((number / SESSIONS_PER_USER) as u128));
            if number % SESSIONS_PER_USER == 0 {
                store.insert_user(&new_user(user), &[]).await.expect("a user is stored");
            }
            let token = SessionToken::generate(&SystemRandom);
            let row = session(&token, user, number);
            assert!(
                store
                    .insert_session(&Entry::of(&row, new_user(user).row.epoch), &[])
                    .await
                    .expect("a session is stored")
                    .is_in()
            );
            tokens.push(token);
        }
        let crowd = Self { _folder: folder, sessions: Sessions::new(store.clone()), store, tokens };
        crowd.sessions.trust(true);
        for token in &crowd.tokens {
            crowd.look_up(token).await;
        }
        crowd
    }

    async fn look_up(&self, token: &SessionToken) -> Arc<SignedIn> {
        let presented = self.sessions.look_up(token, &security::Sessions::default(), NOW, true).await;
        let Ok(Presented::Live(signed_in)) = presented else { panic!("the session does not live") };
        signed_in
    }
}

fn new_user(id: UserId) -> NewUser {
    let name = format!("user-{}", id.0.as_u128());
    let user = User {
        id,
        name: name.clone(),
        full_name: "Somebody of the Crowd".into(),
        email: format!("{name}@example.org"),
        language: Some("en".into()),
        groups: vec!["admins".into(), "staff".into()],
        rights: vec![Right::TokenValidator],
        state: UserState::Active,
        valid_from: None,
        valid_until: None,
    };
    NewUser {
        name_folded: name,
        email_folded: user.email.clone(),
        row: UserRow {
            user,
            phone: None,
            phone_mac: None,
            password_hash: None,
            password_set_at: None,
            password_must_change: false,
            password_spent: false,
            created_at: NOW,
            last_login_at: None,
            epoch: 0,
        },
    }
}

fn session(token: &SessionToken, user: UserId, number: usize) -> SessionRow {
    SessionRow {
        digest: token.digest(),
        id: SessionId(Uuid::from_u128(number as u128)),
        user,
        stage: Stage::Live,
        amr: vec![Amr::Pwd, Amr::Otp],
        auth_time: NOW,
        second_factor_at: Some(NOW),
        created_at: NOW,
        last_seen: NOW,
        expires_at: NOW.plus(Duration::from_hours(12)),
        memory: Memory::None,
        address: Some(IpAddr::from([192, 0, 2, 1])),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".into(),
    }
}

fn look_ups(c: &mut Criterion) {
    let runtime = Runtime::new().expect("there are threads");
    let mut group = c.benchmark_group("session");
    for size in [1_000, 10_000] {
        let crowd = runtime.block_on(Crowd::of(size));
        let mut turn = 0;
        group.bench_function(BenchmarkId::new("known, of", size), |b| {
            b.iter(|| {
                turn = (turn + 7919) % size;
                futures_util::FutureExt::now_or_never(crowd.look_up(black_box(&crowd.tokens[turn])))
            });
        });
    }
    let crowd = runtime.block_on(Crowd::of(100));
    crowd.sessions.trust(false);
    group.bench_function("read from the store", |b| {
        b.to_async(&runtime).iter(|| crowd.look_up(black_box(&crowd.tokens[50])));
    });
    group.bench_function("digest of a cookie", |b| {
        let cookie = crowd.tokens[50].expose();
        b.iter(|| SessionToken::parse(black_box(&cookie)).map(|token| token.digest()));
    });
    group.finish();
}

fn assertions(c: &mut Criterion) {
    let runtime = Runtime::new().expect("there are threads");
    let crowd = runtime.block_on(Crowd::of(100));
    let keyring = Keyring::new(&[1; 32]);
    let ring = runtime.block_on(KeyRing::load(&crowd.store, &keyring, &SystemRandom, NOW)).expect("a key is made");
    let assertions = Assertions::new("https://gate.example.org".into(), ring, Arc::new(SystemRandom));
    let signed_in = runtime.block_on(crowd.look_up(&crowd.tokens[0]));
    let mut group = c.benchmark_group("assertion");
    group.bench_function("reused", |b| b.iter(|| assertions.for_site(black_box(&signed_in), "crm", NOW)));
    let mut now = NOW;
    group.bench_function("signed", |b| {
        b.iter(|| {
            now = now.plus(Duration::from_mins(1));
            assertions.for_site(black_box(&signed_in), "crm", now)
        });
    });
    group.finish();
}

criterion_group!(benches, look_ups, assertions);
criterion_main!(benches);
