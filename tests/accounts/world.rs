//! A store of one's own, a clock that is set, and people in it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use totp_rs::{Algorithm, Builder, Secret};
use vantail::account::strangers::Strangers;
use vantail::account::{Accounts, Addition, HashPool, Strength};
use vantail::audit::{EventRow, Origin};
use vantail::identity::{Right, SignedIn, User, UserId};
use vantail::notify::Notices;
use vantail::policy::Security;
use vantail::secret::{BrowserToken, Keyring, SecretText, SessionToken, SystemRandom};
use vantail::session::{Act, Browser, Enrolled, Given, Login, LoginError, Presented, Proof, Sessions, Step};
use vantail::store::sessions::SessionRow;
use vantail::store::{Open, Store, StoreError};
use vantail::time::Timestamp;

/// A second in the middle of a step of codes.
pub const BEGIN: i64 = 1_800_000_015;

pub const PASSWORD: &str = "correct horse battery";

pub struct World {
    folder: TempDir,
    now: AtomicI64,
    pub security: Security,
    pub store: Store,
    pub login: Login,
    /// The seed of the last enrolment, in letters.
    seed: Mutex<Option<String>>,
    /// The recovery codes that were shown last.
    recovery: Mutex<Vec<String>>,
}

impl World {
    pub async fn new() -> Self {
        Self::with(Security::default()).await
    }

    pub async fn with(security: Security) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        let login = login(store.clone());
        Self {
            folder,
            now: AtomicI64::new(BEGIN),
            security,
            store,
            login,
            seed: Mutex::default(),
            recovery: Mutex::default(),
        }
    }

    /// The same store in another process: nothing known, another pool of threads.
    pub async fn another_process(&self) -> Login {
        login(open(&self.folder).await)
    }

    pub fn accounts(&self) -> &Accounts {
        &self.login.accounts
    }

    pub fn sessions(&self) -> &Sessions {
        &self.login.sessions
    }

    pub fn computed(&self) -> u64 {
        self.accounts().hashing.computed()
    }

    // --- time ---

    pub fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.now.load(Ordering::SeqCst))
    }

    pub fn wait(&self, secs: i64) {
        self.now.fetch_add(secs, Ordering::SeqCst);
    }

    pub fn after(&self, time: Duration) -> Timestamp {
        self.now().plus(time)
    }

    pub fn origin(&self) -> Origin {
        let address = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Origin { now: self.now(), actor: None, door: "page", address, request_id: Some("r-1".into()) }
    }

    pub fn command(&self) -> Origin {
        Origin { now: self.now(), actor: None, door: "command", address: None, request_id: None }
    }

    // --- people ---

    /// Somebody with [`PASSWORD`].
    pub async fn user(&self, name: &str) -> User {
        self.user_with(name, &[], Some(PASSWORD)).await.0
    }

    pub async fn user_with(&self, name: &str, rights: &[Right], password: Option<&str>) -> (User, Option<SecretText>) {
        let addition = Addition {
            name: name.into(),
            full_name: format!("{name} of the tests"),
            email: format!("{name}@example.org"),
            phone: None,
            language: None,
            groups: Vec::new(),
            rights: rights.to_vec(),
            password: password.map(SecretText::new),
            temporary: password.is_none(),
        };
        self.accounts().add(&self.security, addition, &self.command()).await.unwrap()
    }

    /// Somebody with [`PASSWORD`] and a confirmed second factor.
    pub async fn user_with_factor(&self, name: &str) -> User {
        let user = self.user(name).await;
        let (token, _) = self.signed_in(name).await;
        self.enrol(&token).await;
        self.wait(60);
        user
    }

    /// Enrols in a live or enrolling session; the session's new token.
    pub async fn enrol(&self, token: &SessionToken) -> SessionToken {
        let row = self.row(token).await;
        let shown = self.act().enrolment(&row, "gate.example.org").await.unwrap();
        *self.seed.lock().unwrap() = Some(shown.letters);
        let code = self.code();
        let enrolled = self.act().confirm_enrolment(&row, &code).await.unwrap();
        self.keeps(enrolled)
    }

    /// Keeps the recovery codes that are shown; the session's new token.
    pub fn keeps(&self, enrolled: Enrolled) -> SessionToken {
        if let Some(codes) = enrolled.recovery {
            *self.recovery.lock().unwrap() = codes.expose();
        }
        token_of(&enrolled.step)
    }

    /// The recovery codes that were shown last.
    pub fn recovery_codes(&self) -> Vec<String> {
        self.recovery.lock().unwrap().clone()
    }

    /// What the authenticator of the last enrolment shows now.
    pub fn code(&self) -> String {
        let letters = self.seed.lock().unwrap().clone().expect("somebody has enrolled").replace(' ', "");
        let totp = Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_secret(Secret::try_from_base32(letters).unwrap())
            .build_noncompliant();
        totp.generate(u64::try_from(self.now().as_secs()).unwrap()).to_string()
    }

    /// A code that is right neither now nor a step away.
    pub fn wrong_code(&self) -> String {
        let right: u32 = self.code().parse().unwrap();
        format!("{:06}", (right + 500_000) % 1_000_000)
    }

    // --- signing in ---

    /// What a browser of the tests does next.
    pub fn act(&self) -> Act<'_> {
        self.login.act(&self.security, browser(), self.origin())
    }

    /// What somebody at `address` does, in a browser that holds `token`.
    pub fn act_at(&self, address: [u8; 4], token: Option<&BrowserToken>) -> Act<'_> {
        let browser = Browser { token: token.cloned(), ..browser() };
        self.login.act(&self.security, browser, Origin { address: Some(address.into()), ..self.origin() })
    }

    pub async fn try_password(&self, name: &str, password: &str) -> Result<Step, LoginError> {
        let password = SecretText::new(password);
        self.act().password(name, password).await
    }

    pub async fn try_code(&self, pending: &SessionToken, code: &str) -> Result<Step, LoginError> {
        let row = self.row(pending).await;
        self.act().second_factor(&row, code).await
    }

    pub async fn try_recovery(&self, pending: &SessionToken, code: &str) -> Result<Step, LoginError> {
        let row = self.row(pending).await;
        self.act().second_factor(&row, Given::Recovery(SecretText::new(code))).await
    }

    pub async fn prove_again(
        &self,
        token: &SessionToken,
        password: &str,
        code: Option<&str>,
    ) -> Result<Step, LoginError> {
        let proof = proof(password, code);
        let row = self.row(token).await;
        self.act().reauthenticate(&row, proof).await
    }

    /// Signs in somebody without a second factor.
    pub async fn signed_in(&self, name: &str) -> (SessionToken, Arc<SignedIn>) {
        match self.try_password(name, PASSWORD).await.unwrap() {
            Step::SignedIn(token, signed_in) => (token, signed_in),
            other => panic!("not in: {other:?}"),
        }
    }

    pub async fn pending(&self, name: &str) -> SessionToken {
        match self.try_password(name, PASSWORD).await.unwrap() {
            Step::SecondFactor(token) => token,
            other => panic!("not asked for a code: {other:?}"),
        }
    }

    pub async fn row(&self, token: &SessionToken) -> SessionRow {
        self.sessions().row(token).await.unwrap().expect("the session is stored")
    }

    /// What a cookie opens, as a request that counts as use.
    pub async fn presents(&self, token: &SessionToken) -> Presented {
        self.sessions().look_up(token, &self.security.sessions, self.now(), true).await.unwrap()
    }

    pub async fn lives(&self, token: &SessionToken) -> bool {
        matches!(self.presents(token).await, Presented::Live(_))
    }

    // --- what is stored ---

    /// The kinds of the mails that wait to be sent, oldest first.
    pub async fn mails(&self) -> Vec<String> {
        let due = self.store.due_messages(self.now(), 1000).await.unwrap();
        due.into_iter().map(|message| message.kind).collect()
    }

    pub async fn tries(&self, user: UserId) -> i64 {
        self.store.lockout(&format!("user:{user}")).await.unwrap().map_or(0, |counter| counter.tries)
    }

    pub async fn trail(&self) -> Vec<EventRow> {
        self.store.events(0, 100_000).await.unwrap()
    }

    /// The acts of the trail, oldest first.
    pub async fn acts(&self) -> Vec<String> {
        self.trail().await.into_iter().map(|event| event.act).collect()
    }

    /// Puts the seed of one user's authenticator into that of another, behind the store's back.
    pub async fn moves_seed(&self, from: &str, to: &str) {
        let query =
            "UPDATE second_factors SET seed = (SELECT seed FROM second_factors WHERE user_id = $1) WHERE user_id = $2";
        self.tampers(query, from, to).await;
    }

    /// Makes one user's authenticator another's, behind the store's back.
    pub async fn moves_authenticator(&self, from: &str, to: &str) {
        self.tampers("UPDATE second_factors SET user_id = $2 WHERE user_id = $1", from, to).await;
    }

    async fn tampers(&self, query: &'static str, from: &str, to: &str) {
        use sqlx::Connection as _;
        let id = async |name| self.store.user_by_login(name).await.unwrap().unwrap().user.id.to_string();
        let (from, to) = (id(from).await, id(to).await);
        let url = format!("sqlite:{}", self.folder.path().join("vantail.db").display());
        let mut connection = sqlx::AnyConnection::connect(&url).await.unwrap();
        let changed = sqlx::query(query).bind(from).bind(to).execute(&mut connection).await.unwrap();
        assert_eq!(changed.rows_affected(), 1);
        connection.close().await.unwrap();
    }

    /// The whole database file, its write-ahead log included.
    pub fn database(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
    }
}

async fn open(folder: &TempDir) -> Store {
    let url = format!("sqlite:{}", folder.path().join("vantail.db").display());
    Store::open(&url, &Keyring::new(&[1; 32]), Open::Migrate).await.unwrap()
}

fn login(store: Store) -> Login {
    let random = Arc::new(SystemRandom);
    let hashing = HashPool::start(2, 64, Strength { memory: 64, passes: 1, lanes: 1 }, random.clone()).unwrap();
    let sessions = Sessions::new(store.clone());
    sessions.trust(true);
    let keyring = Arc::new(Keyring::new(&[1; 32]));
    let (url, none) = ("https://gate.example.org".to_owned(), Path::new("/nonexistent"));
    let notices = Notices::new(keyring.clone(), random.clone(), url, "en".to_owned(), none).unwrap();
    let accounts = Accounts { store, keyring, random, hashing };
    Login { accounts, sessions, notices, strangers: Strangers::default() }
}

/// What is typed to prove it again.
pub fn proof(password: &str, code: Option<&str>) -> Proof {
    Proof { password: SecretText::new(password), code: code.map(Given::from) }
}

pub fn browser() -> Browser {
    Browser { user_agent: "tests".into(), presented: None, token: None, remember: None }
}

pub fn token_of(step: &Step) -> SessionToken {
    match step {
        Step::SecondFactor(token)
        | Step::Enrol(token)
        | Step::ChangePassword(token)
        | Step::SignedIn(token, _)
        | Step::Remembered(token, ..) => token.clone(),
    }
}

pub fn is_refused<T: std::fmt::Debug>(outcome: &Result<T, LoginError>) -> bool {
    matches!(outcome, Err(LoginError::Refused))
}

/// Told to come back: the store had no time.
pub fn is_put_off<T: std::fmt::Debug>(outcome: &Result<T, LoginError>) -> bool {
    matches!(outcome, Err(LoginError::Store(StoreError::Unavailable(_))))
}

pub fn is_over<T: std::fmt::Debug>(outcome: &Result<T, LoginError>) -> bool {
    matches!(outcome, Err(LoginError::Over))
}
