//! An installation of a test's own.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use axum::Router;
use vantail::account::{Accounts, Addition, HashPool, Strength};
use vantail::audit::Origin;
use vantail::identity::assertion::OperationClaim;
use vantail::identity::keys::KeyRing;
use vantail::identity::{Right, SignedIn, User};
use vantail::notify::Notices;
use vantail::operation::{Answer, Ask, CapturedRequest, Deliver, Delivered, Operations, State};
use vantail::policy::load::{Texts, check};
use vantail::policy::{Permit, Policy};
use vantail::portal::{Language, Portal};
use vantail::secret::{Keyring, Place, SecretText, SystemRandom};
use vantail::session::{Login, Sessions};
use vantail::store::{Open, Store};
use vantail::time::{Clock as _, SettableClock, Timestamp};

use crate::person::Person;

/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery";
/// Where people come.
pub const HOST: &str = "gw.test";

const START: Timestamp = Timestamp::from_secs(1_772_366_400);

/// Alice may ask for what is held; val, bob and olaf confirm; carol is an ordinary user without second factor.
const SITE: &str = r#"
name = "crm"
hosts = ["gw.test", "localhost"]
backends = ["http://127.0.0.1:9"]

[[rule]]
name = "delete a customer"
methods = ["POST"]
paths = ["/admin/customers/{id}/delete"]
access = "signed-in"
[rule.hold]
title = { en = "Delete customer {id}", fr = "Supprimer le client {id}" }

[[rule]]
name = "everything else"
paths = ["/**"]
access = "signed-in"
"#;

const SECURITY: &str = "[second_factor]\nrequired = [\"group:strict\"]\nhidden = [\"group:customers\"]\n";

/// The installation.
pub struct Gate {
    pub router: Router,
    pub portal: Portal,
    pub store: Store,
    pub sessions: Sessions,
    pub clock: Arc<SettableClock>,
    pub policy: Arc<Policy>,
    pub backend: Arc<Backend>,
    keyring: Arc<Keyring>,
    _folder: tempfile::TempDir,
}

/// The other end of deliveries.
#[derive(Debug, Default)]
pub struct Backend {
    /// What arrived.
    pub received: Mutex<Vec<CapturedRequest>>,
    /// Whether its answers are longer than what is kept.
    pub talkative: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl Deliver for Backend {
    async fn deliver(&self, _: Permit, request: &CapturedRequest, _: &OperationClaim, _: &str, _: usize) -> Delivered {
        self.received.lock().unwrap().push(request.clone());
        let headers = vec![
            ("content-type".to_owned(), b"text/html".to_vec()),
            ("set-cookie".to_owned(), b"app=1; Path=/".to_vec()),
        ];
        let talkative = self.talkative.load(std::sync::atomic::Ordering::SeqCst);
        let body = (!talkative).then(|| b"<h1>Customer 42 is gone</h1>".to_vec());
        Delivered::Answered(Answer { status: 200, headers, body })
    }
}

impl Gate {
    /// With everybody in it.
    pub async fn new() -> Self {
        let gate = Self::empty().await;
        gate.add("alice", "strict", &[]).await;
        for validator in ["val", "bob"] {
            gate.add(validator, "strict", &[Right::TokenValidator]).await;
        }
        gate.add("olaf", "staff", &[Right::TokenValidator]).await;
        gate.add("carol", "staff", &[]).await;
        gate
    }

    async fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("vantail.db").display());
        let keyring = Arc::new(Keyring::new(&[7; 32]));
        let store = Store::open(&url, &keyring, Open::Migrate).await.unwrap();
        let (clock, random) = (SettableClock::at(START), Arc::new(SystemRandom));
        let policy = Arc::new(policy());
        let current = Arc::new(ArcSwap::new(Arc::clone(&policy)));
        let weak = Strength { memory: 64, passes: 1 };
        let hashing = HashPool::start(2, 64, weak, random.clone()).unwrap();
        let accounts =
            Accounts { store: store.clone(), keyring: Arc::clone(&keyring), random: random.clone(), hashing };
        let sessions = Sessions::new(store.clone());
        sessions.trust(true);
        let none = PathBuf::from("/nonexistent");
        let (address, language) = (format!("https://{HOST}"), "en".to_owned());
        let notices = Notices::new(Arc::clone(&keyring), random.clone(), address.clone(), language, &none).unwrap();
        let operations = Operations::new(accounts.clone(), notices.clone(), Arc::clone(&current), clock.clone());
        let backend = Arc::new(Backend::default());
        operations.start(backend.clone()).await.unwrap();
        let portal = Portal {
            login: Login { accounts, sessions: sessions.clone(), notices },
            operations,
            keys: KeyRing::load(&store, &keyring, &SystemRandom, START).await.unwrap(),
            policy: current,
            keyring: Arc::clone(&keyring),
            random,
            clock: clock.clone(),
            url: address.into(),
            language: Language::En,
        };
        let router = vantail::portal::router(portal.clone());
        Self { router, portal, store, sessions, clock, policy, backend, keyring, _folder: folder }
    }

    /// Adds somebody with the common password and a telephone of their own.
    pub async fn add(&self, name: &str, group: &str, rights: &[Right]) -> User {
        self.add_with(name, group, rights, false).await.0
    }

    /// Adds somebody; with a temporary password when asked for.
    pub async fn add_with(
        &self,
        name: &str,
        group: &str,
        rights: &[Right],
        temporary: bool,
    ) -> (User, Option<SecretText>) {
        let number = name.bytes().fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % 100_000_000;
        let addition = Addition {
            name: name.to_owned(),
            full_name: format!("{name} Example"),
            email: format!("{name}@example.org"),
            phone: Some(format!("+336{number:08}")),
            language: None,
            groups: vec![group.to_owned()],
            rights: rights.to_vec(),
            password: (!temporary).then(|| SecretText::new(PASSWORD)),
            temporary,
        };
        self.portal.login.accounts.add(&self.policy.security, addition, &self.origin()).await.unwrap()
    }

    /// Where the tests' own acts come from.
    pub fn origin(&self) -> Origin {
        Origin { now: self.clock.now(), actor: None, door: "command", address: None, request_id: None }
    }

    /// Somebody who is not known yet, coming by https.
    pub fn stranger(&self) -> Person<'_> {
        Person::new(self)
    }

    /// Somebody who has signed in whole; whoever must enrol a second factor has done so.
    pub async fn signed_in(&self, name: &str) -> Person<'_> {
        let mut person = self.stranger();
        person.signs_in(name, PASSWORD).await;
        person
    }

    /// Lets time pass.
    pub fn later(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Holds the deletion of a customer, as `person` asked for it; the operation's id.
    pub async fn held_by(&self, person: &Person<'_>) -> String {
        self.asked(person.session().await, b"reason=duplicate&note=%3Cscript%3Ealert(1)%3C%2Fscript%3E").await
    }

    async fn asked(&self, requester: Arc<SignedIn>, body: &[u8]) -> String {
        let site = Arc::clone(self.policy.site("crm").unwrap());
        let request = CapturedRequest {
            method: "POST".into(),
            target: "/admin/customers/42/delete?force=1".into(),
            scheme: "https".into(),
            host: HOST.into(),
            headers: vec![("content-type".into(), b"application/x-www-form-urlencoded".to_vec())],
            body: body.to_vec(),
            client: IpAddr::V4(Ipv4Addr::new(10, 9, 0, 1)),
            amr: requester.amr.clone(),
            auth_time: requester.auth_time,
            second_factor_at: requester.second_factor_at,
            request_id: "request-1".into(),
        };
        let ask = Ask {
            rule: Arc::clone(&site.rules[0]),
            backend: "http://127.0.0.1:9".into(),
            title_en: "Delete customer 42".into(),
            title_fr: "Supprimer le client 42".into(),
            site,
            requester,
            request,
        };
        self.portal.operations.ask(ask, &self.origin()).await.unwrap().id
    }

    /// The newest token sent to `name` for `operation`.
    pub async fn token(&self, operation: &str, name: &str) -> String {
        let rows = self.store.messages_of(operation).await.unwrap();
        let texts = rows.into_iter().rev().filter_map(|row| {
            let place = Place { table: "outbox", column: "message", row: &row.id.to_string() };
            let opened = self.keyring.open(place, &row.message?).unwrap();
            let message: serde_json::Value = serde_json::from_slice(&opened).unwrap();
            Some(message["text"].as_str()?.to_owned())
        });
        let text =
            texts.into_iter().find(|text| text.starts_with(&format!("{name}: confirm"))).expect("an SMS with a token");
        text.split("Token: ").nth(1).unwrap()[..9].to_owned()
    }

    /// Waits until `operation` has ended.
    pub async fn ended(&self, operation: &str, viewer: &Person<'_>) -> State {
        let session = viewer.session().await;
        self.portal.operations.wait(operation, &session, Duration::from_secs(20)).await.unwrap()
    }
}

fn policy() -> Policy {
    let texts = Texts {
        security: Some(("security.toml".into(), SECURITY.into())),
        sites: vec![("sites/crm.toml".into(), SITE.into())],
        ..Texts::default()
    };
    check(&texts).unwrap().0
}
