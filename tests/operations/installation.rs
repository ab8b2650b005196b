//! An installation of a test's own, and the people in it.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use tempfile::TempDir;
use vantail::account::{Accounts, Addition, Edit, HashPool, Strength};
use vantail::audit::Origin;
use vantail::identity::assertion::OperationClaim;
use vantail::identity::{Amr, Right, SessionId, SignedIn, User};
use vantail::notify::Notices;
use vantail::notify::mail::Letter;
use vantail::notify::sms::ShortMessage;
use vantail::operation::{
    Answer, Ask, Asked, CapturedRequest, ConfirmError, Deliver, Delivered, OperationError, Operations, State,
};
use vantail::policy::{BodyFacts, CanonicalTarget, Facts, Permit, Policy, load};
use vantail::secret::{Keyring, Place, Random, SecretText, SystemRandom, random_bytes};
use vantail::store::outbox::{Channel, OutboxRow};
use vantail::store::{Open, Store};
use vantail::time::{Clock, SettableClock, Timestamp};

/// When every test begins.
pub const BEGIN: Timestamp = Timestamp::from_secs(1_790_000_000);
pub const MINUTE: Duration = Duration::from_mins(1);
pub const TARGET: &str = "/admin/customers/42/delete?force=1";
const SITE: &str = include_str!("crm.toml");

/// A gateway without its edge and portal.
pub struct Installation {
    pub store: Store,
    pub keyring: Arc<Keyring>,
    pub accounts: Accounts,
    pub clock: Arc<SettableClock>,
    pub policy: Arc<ArcSwap<Policy>>,
    pub operations: Operations,
    pub notices: Notices,
    pub backend: Arc<CountingBackend>,
    folder: TempDir,
}

/// The way out: counts, and answers as it is told.
#[derive(Debug, Default)]
pub struct CountingBackend {
    pub received: Mutex<Vec<(CapturedRequest, OperationClaim)>>,
    replies: Mutex<VecDeque<Delivered>>,
    /// Deliveries wait for this when it is set.
    pub gate: Option<tokio::sync::Semaphore>,
}

/// What to ask for; the rest is as the rule says.
pub struct Wish {
    pub method: &'static str,
    pub target: &'static str,
    pub content_type: &'static str,
    pub body: Vec<u8>,
}

// === impl Installation ===

impl Installation {
    /// With alice (asks), val and bob (validators), all with phones, and carol, who is nobody.
    pub async fn new() -> Self {
        Self::with_backend(CountingBackend::default()).await
    }

    pub async fn with_backend(backend: CountingBackend) -> Self {
        let installation = Self::cold(Arc::new(backend)).await;
        installation.add("alice", "+33600000001", &["admins"], &[]).await;
        installation.add("val", "+33600000002", &["leads"], &[Right::TokenValidator]).await;
        installation.add("bob", "+33600000003", &[], &[Right::TokenValidator]).await;
        installation.add("carol", "+33600000004", &[], &[]).await;
        installation.operations.start(installation.backend.clone()).await.unwrap();
        installation
    }

    /// Nobody there, nothing started.
    pub async fn cold(backend: Arc<CountingBackend>) -> Self {
        static LOG: Once = Once::new();
        LOG.call_once(|| drop(rustls::crypto::aws_lc_rs::default_provider().install_default()));
        let folder = tempfile::tempdir().unwrap();
        let keyring = Arc::new(Keyring::new(&[7; 32]));
        let url = format!("sqlite:{}", folder.path().join("vantail.db").display());
        let store = Store::open(&url, &keyring, Open::Migrate).await.unwrap();
        let policy = Arc::new(ArcSwap::from_pointee(policy(folder.path(), SITE)));
        let clock = SettableClock::at(BEGIN);
        let parts = Parts { store, keyring, policy, clock, backend, folder };
        parts.build()
    }

    /// Another process on the same database, as after a restart. Nothing of the first one goes on in it.
    pub fn restarted(self, backend: Arc<CountingBackend>) -> Self {
        let Self { store, keyring, policy, clock, folder, .. } = self;
        Parts { store, keyring, policy, clock, backend, folder }.build()
    }

    pub async fn add(&self, name: &str, phone: &str, groups: &[&str], rights: &[Right]) -> User {
        let addition = Addition {
            name: name.to_owned(),
            full_name: format!("{name} of the test"),
            email: format!("{name}@example.org"),
            phone: (!phone.is_empty()).then(|| phone.to_owned()),
            language: None,
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            rights: rights.to_vec(),
            password: None,
            temporary: false,
        };
        self.accounts.add(&self.policy.load().security, addition, &self.origin()).await.unwrap().0
    }

    /// `name`, signed in just now with two factors, in a session of their own.
    pub async fn signed_in(&self, name: &str) -> SignedIn {
        let row = self.accounts.find(name).await.unwrap();
        SignedIn {
            session: SessionId(uuid::Builder::from_random_bytes(random_bytes(&SystemRandom)).into_uuid()),
            user: Arc::new(row.user),
            amr: vec![Amr::Pwd, Amr::Otp],
            auth_time: self.clock.now(),
            second_factor_at: Some(self.clock.now()),
        }
    }

    pub fn origin(&self) -> Origin {
        Origin {
            now: self.clock.now(),
            actor: None,
            door: "page",
            address: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))),
            request_id: None,
        }
    }

    /// `who` asks for the deletion of customer 42.
    pub async fn ask(&self, who: &SignedIn) -> Asked {
        self.ask_for(who, Wish::default()).await.unwrap()
    }

    pub async fn ask_for(&self, who: &SignedIn, wish: Wish) -> Result<Asked, OperationError> {
        let policy = self.policy.load();
        let site = policy.site("crm").unwrap().clone();
        let target = CanonicalTarget::parse(wish.target.as_bytes(), |_| false).unwrap();
        let method = wish.method.parse().unwrap();
        let headers = [(http::header::CONTENT_TYPE, wish.content_type.parse().unwrap())].into_iter().collect();
        let facts = Facts {
            method: &method,
            target: &target,
            client: "192.0.2.7".parse().unwrap(),
            headers: &headers,
            body: BodyFacts::Read(&wish.body),
        };
        let caller = vantail::identity::Caller::User(Arc::new(who.clone()));
        let decision = vantail::policy::decide(&policy, &site, &facts, &caller, self.clock.now());
        let vantail::policy::Decision::Hold(rule) = decision else { panic!("not held: {decision:?}") };
        let ask = Ask {
            title_en: rule.title("en", &facts),
            title_fr: rule.title("fr", &facts),
            rule,
            site,
            requester: Arc::new(who.clone()),
            request: wish.captured(who),
            backend: "http://127.0.0.1:9".to_owned(),
        };
        self.operations.ask(ask, &self.origin()).await
    }

    pub async fn confirm(&self, id: &str, who: &SignedIn, token: &str) -> Result<State, ConfirmError> {
        self.operations.confirm(id, who, &SecretText::new(token), &self.origin()).await
    }

    /// Asks, confirms, and waits until it is over.
    pub async fn whole(&self, requester: &SignedIn, validator: &SignedIn) -> (String, State) {
        let id = self.ask(requester).await.id;
        let token = self.token(&id, validator).await;
        self.confirm(&id, validator, &token).await.unwrap();
        let state = self.operations.wait(&id, requester, MINUTE).await.unwrap();
        (id, state)
    }

    /// The SMS about an operation, by user name: to whom, and their text.
    pub async fn sms(&self, id: &str) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for row in self.messages(id, Channel::Sms).await {
            let message: ShortMessage = serde_json::from_slice(&self.opened(&row)).unwrap();
            all.push((self.store.user(row.user).await.unwrap().unwrap().user.name, message.text));
        }
        // The rows come in the order of their making: a stable sort keeps it for each person.
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all
    }

    /// The mails about an operation.
    pub async fn mails(&self, id: &str) -> Vec<Letter> {
        let rows = self.messages(id, Channel::Mail).await;
        rows.iter().map(|row| serde_json::from_slice(&self.opened(row)).unwrap()).collect()
    }

    /// The token in the last SMS to `validator`.
    pub async fn token(&self, id: &str, validator: &SignedIn) -> String {
        let own = |(to, text): &(String, String)| *to == validator.user.name && text.contains("Token: ");
        let (_, text) = self.sms(id).await.into_iter().rfind(own).expect("an SMS with a token");
        text.split_once("Token: ").unwrap().1[..9].to_owned()
    }

    pub async fn state(&self, id: &str) -> (State, Option<String>) {
        let row = self.store.operation(id).await.unwrap().unwrap();
        (row.state, row.reason)
    }

    /// The acts in the audit trail about `id`, in their order.
    pub async fn acts(&self, id: &str) -> Vec<String> {
        let events = self.store.events(0, 10_000).await.unwrap();
        events.into_iter().filter(|event| event.target.as_deref() == Some(id)).map(|event| event.act).collect()
    }

    /// Changes the database behind the gateway's back.
    pub async fn tamper(&self, sql: String) {
        use sqlx::Connection as _;
        let url = format!("sqlite:{}", self.folder.path().join("vantail.db").display());
        let mut connection = sqlx::AnyConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Changes the site's policy, as a reload does.
    pub fn reload(&self, change: impl Fn(String) -> String) {
        self.policy.store(Arc::new(policy(self.folder.path(), &change(SITE.to_owned()))));
    }

    pub async fn edit(&self, who: &SignedIn, edit: Edit) {
        self.accounts.edit(who.user.id, edit, &self.origin()).await.unwrap();
    }

    async fn messages(&self, id: &str, channel: Channel) -> Vec<OutboxRow> {
        let rows = self.store.messages_of(id).await.unwrap();
        rows.into_iter().filter(|row| row.channel == channel && row.message.is_some()).collect()
    }

    fn opened(&self, row: &OutboxRow) -> Vec<u8> {
        let id = row.id.to_string();
        let place = Place { table: "outbox", column: "message", row: &id };
        self.keyring.open(place, row.message.as_ref().unwrap()).unwrap()
    }
}

/// What survives a restart.
struct Parts {
    store: Store,
    keyring: Arc<Keyring>,
    policy: Arc<ArcSwap<Policy>>,
    clock: Arc<SettableClock>,
    backend: Arc<CountingBackend>,
    folder: TempDir,
}

impl Parts {
    fn build(self) -> Installation {
        let Self { store, keyring, policy, clock, backend, folder } = self;
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let hashing = HashPool::start(1, 4, Strength { memory: 64, passes: 1, lanes: 1 }, random.clone()).unwrap();
        let accounts = Accounts { store: store.clone(), keyring: keyring.clone(), random: random.clone(), hashing };
        let url = "https://gate.example.org".to_owned();
        let messages = folder.path().join("messages");
        let notices = Notices::new(keyring.clone(), random, url, "en".to_owned(), &messages).unwrap();
        let operations = Operations::new(accounts.clone(), notices.clone(), policy.clone(), clock.clone());
        Installation { store, keyring, accounts, clock, policy, operations, notices, backend, folder }
    }
}

fn policy(folder: &Path, site: &str) -> Policy {
    std::fs::create_dir_all(folder.join("sites")).unwrap();
    std::fs::write(folder.join("sites/crm.toml"), site).unwrap();
    load::load(folder).unwrap().0
}

// === impl CountingBackend ===

impl CountingBackend {
    /// Answers with these, in their order; with 200 afterwards.
    pub fn answering(replies: impl IntoIterator<Item = Delivered>) -> Self {
        Self { replies: Mutex::new(replies.into_iter().collect()), ..Self::default() }
    }

    /// Answers nothing before the gate is opened.
    pub fn gated() -> Self {
        Self { gate: Some(tokio::sync::Semaphore::new(0)), ..Self::default() }
    }

    pub fn count(&self) -> usize {
        self.received.lock().unwrap().len()
    }
}

#[async_trait]
impl Deliver for CountingBackend {
    async fn deliver(
        &self,
        _permit: Permit,
        request: &CapturedRequest,
        claim: &OperationClaim,
        _backend: &str,
        _answer_limit: usize,
    ) -> Delivered {
        self.received.lock().unwrap().push((request.clone(), claim.clone()));
        if let Some(gate) = &self.gate {
            drop(gate.acquire().await.unwrap());
        }
        let reply = self.replies.lock().unwrap().pop_front();
        reply.unwrap_or_else(|| Delivered::Answered(answer(200, b"deleted")))
    }
}

pub fn answer(status: u16, body: &[u8]) -> Answer {
    Answer { status, headers: vec![("content-type".to_owned(), b"text/plain".to_vec())], body: Some(body.to_vec()) }
}

// === impl Wish ===

impl Wish {
    fn captured(&self, who: &SignedIn) -> CapturedRequest {
        CapturedRequest {
            method: self.method.to_owned(),
            target: self.target.to_owned(),
            scheme: "https".to_owned(),
            host: "crm.example.org".to_owned(),
            headers: vec![("content-type".to_owned(), self.content_type.as_bytes().to_vec())],
            body: self.body.clone(),
            client: "192.0.2.7".parse().unwrap(),
            amr: who.amr.clone(),
            auth_time: who.auth_time,
            second_factor_at: who.second_factor_at,
            request_id: "r-1".to_owned(),
        }
    }
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            method: "POST",
            target: TARGET,
            content_type: "application/json",
            body: br#"{"reason":"asked for"}"#.to_vec(),
        }
    }
}
