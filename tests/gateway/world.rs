//! A whole gateway in process: real store, real receivers for SMS and mail, a backend that keeps every byte, a clock the
//! test owns. The people, rules and limits are those of the attack cases.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use totp_rs::{Algorithm, Builder as Totp};
use vantail::account::Addition;
use vantail::app::{App, BoundTo, Means, Tools};
use vantail::audit::Origin;
use vantail::config::Config;
use vantail::demo::inbox::{Channel, Inbox, Message};
use vantail::identity::{Right, User};
use vantail::policy::Security;
use vantail::secret::{Place, Random, SecretText, SystemRandom, random_bytes};
use vantail::store::second_factors::SecondFactorRow;
use vantail::time::{Clock, SettableClock, Timestamp};

use crate::support::answer::Answer;
use crate::support::backend::Backend;
use crate::support::client::Client;
use crate::support::files::{Configuration, write, write_certificate};
use crate::support::raw_h2::RawH2;

/// When every world begins.
pub const BEGIN: Timestamp = Timestamp::from_secs(1_772_366_400);
/// Everybody's password: strong, and the same, so that tests read well.
pub const PASSWORD: &str = "seven swans by the lock gate";

/// The gateway, what is behind it and what is around it.
pub struct World {
    pub clock: Arc<SettableClock>,
    pub backend: Backend,
    pub inbox: Inbox,
    pub tools: Tools,
    pub gateway: SocketAddr,
    /// Where TLS is spoken, and the certificate to trust.
    tls: Option<(SocketAddr, String)>,
    operations: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    served: Option<JoinHandle<()>>,
    folder: TempDir,
}

/// How a world differs from the usual one.
#[derive(Debug, Clone)]
pub struct Builder {
    site: String,
    security: String,
    listen: String,
    hold: &'static str,
    backends: Option<String>,
    tls: bool,
    random: Arc<dyn Random>,
}

/// Somebody with an account, in a browser or program of their own.
pub struct Person<'a> {
    pub world: &'a World,
    pub name: &'static str,
    pub client: Client,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            site: String::new(),
            security: String::new(),
            listen: "trusted_proxies = [\"127.0.0.9/32\"]".to_owned(),
            hold: "",
            backends: None,
            tls: false,
            random: Arc::new(SystemRandom),
        }
    }
}

impl Builder {
    /// More site settings, above the rules.
    pub fn site(mut self, text: &str) -> Self {
        self.site.push_str(text);
        self.site.push('\n');
        self
    }

    /// Other backends than the recording one: the whole line.
    pub fn backends(mut self, line: &str) -> Self {
        self.backends = Some(line.to_owned());
        self
    }

    /// Keys of `[listen]` instead of the usual ones.
    pub fn listen(mut self, keys: &str) -> Self {
        keys.clone_into(&mut self.listen);
        self
    }

    /// A TLS listener too, with a certificate of its own for `gw.test`.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// More of `security.toml`.
    pub fn security(mut self, text: &str) -> Self {
        self.security.push_str(text);
        self.security.push('\n');
        self
    }

    /// More keys of `[rule.hold]`.
    pub fn hold(mut self, keys: &'static str) -> Self {
        self.hold = keys;
        self
    }

    /// Where the gateway's randomness comes from.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// The site's backend is this one instead of the recording one.
    pub fn in_front_of(mut self, backend: SocketAddr) -> Self {
        self.backends = Some(format!("backends = [\"http://{backend}\"]"));
        self
    }

    pub async fn start(self) -> World {
        let folder = tempfile::tempdir().unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let backend = Backend::start().await;
        let inbox = Inbox::start(any, any).await.unwrap();
        self.write_policies(folder.path(), &backend);
        write(folder.path(), "vantail.toml", &self.configuration(&inbox).text());
        let certificate = self.tls.then(|| write_certificate(folder.path(), "gw.test"));
        let file = folder.path().join("vantail.toml");

        let clock = SettableClock::at(BEGIN);
        let tools = open(&file, clock.clone(), self.random.clone()).await;
        people(&tools).await;
        let listeners = BoundTo::configured(&tools.config.listen).await.unwrap();
        let (gateway, tls) = (listeners.first_address().unwrap(), listeners.first_tls_address());
        let operations = listeners.operations_address();
        let (stop, served) = serve(tools.clone(), listeners).await;
        World {
            clock,
            backend,
            inbox,
            tools,
            gateway,
            tls: tls.zip(certificate),
            operations,
            stop,
            served: Some(served),
            folder,
        }
    }

    fn configuration(&self, inbox: &Inbox) -> Configuration {
        let plain = Configuration::at("https://gw.test").listen(PLAIN).listen(&self.listen);
        let listening = if self.tls { plain.listen(TLS) } else { plain };
        listening.sms(inbox.http_addr()).mail(inbox.smtp_addr())
    }

    fn write_policies(&self, folder: &Path, backend: &Backend) {
        write(folder, "policies/networks.toml", "ops = [\"10.9.0.0/16\", \"127.0.0.1/32\"]\n");
        write(folder, "policies/security.toml", &self.security);
        let site = format!(
            r#"
name = "gw"
hosts = ["gw.test", "localhost", "127.0.0.1"]
{backends}
{site}

[[rule]]
name = "public"
paths = ["/public/**"]
access = "open"

[[rule]]
name = "application"
paths = ["/app/**"]
access = "signed-in"

[[rule]]
name = "operations"
methods = ["POST", "PUT", "PATCH", "DELETE"]
paths = ["/admin/ops/**"]
access = "signed-in"
groups = ["admins"]
factors = 2
networks = ["ops"]
[rule.hold]
title = {{ en = "Operation on {{query.name}}", fr = "Opération sur {{query.name}}" }}
{hold}

[[rule]]
name = "administration"
paths = ["/admin/**"]
access = "signed-in"
factors = 2
networks = ["ops"]
"#,
            backends = self.backends.clone().unwrap_or_else(|| format!("backends = [\"{}\"]", backend.url())),
            site = self.site,
            hold = self.hold,
        );
        write(folder, "policies/sites/gw.toml", &site);
    }
}

const PLAIN: &str = "http = [\"127.0.0.1:0\"]";
const TLS: &str = r#"https = [{ address = "127.0.0.1:0", certificate = "certificate.pem", key = "key.pem" }]"#;

async fn open(config: &Path, clock: Arc<SettableClock>, random: Arc<dyn Random>) -> Tools {
    let config = Config::load(Some(config)).unwrap_or_else(|faults| panic!("{faults:?}"));
    let means = Means { clock, random, ..Means::of(&config).unwrap() };
    Tools::open(config, means).await.unwrap_or_else(|error| panic!("{error}: {error:?}"))
}

async fn serve(tools: Tools, listeners: BoundTo) -> (watch::Sender<bool>, JoinHandle<()>) {
    let (stop, mut stopped) = watch::channel(false);
    let app = App::build(tools).await.unwrap();
    let served = tokio::spawn(async move {
        let asked = async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        app.serve(listeners, asked).await.unwrap();
    });
    (stop, served)
}

/// A person of the cases: name, groups, rights, phone, whether enrolled.
type Cast = (&'static str, &'static [&'static str], &'static [Right], Option<&'static str>, bool);

const CAST: [Cast; 6] = [
    ("alice", &["admins"], &[], Some("+33639980011"), true),
    ("bob", &["admins"], &[Right::Administrator], Some("+33639980012"), true),
    ("val", &["staff"], &[Right::TokenValidator], Some("+33639980013"), true),
    ("carol", &["customers"], &[], None, false),
    ("dave", &["admins"], &[], None, false),
    ("erin", &["admins"], &[], None, false),
];

async fn people(tools: &Tools) {
    let origin = Origin { now: BEGIN, actor: None, door: "command", address: None, request_id: None };
    for cast in CAST {
        add(tools, &origin, cast).await;
    }
    let accounts = &tools.accounts;
    let id = |name: &'static str| async move { accounts.find(name).await.unwrap().user.id };
    accounts.disable(id("dave").await, &origin).await.unwrap();
    let ended = vantail::account::Edit { valid_until: Some(Some(BEGIN)), ..Default::default() };
    accounts.edit(id("erin").await, ended, &origin).await.unwrap();
}

pub async fn add(tools: &Tools, origin: &Origin, (name, groups, rights, phone, enrolled): Cast) -> User {
    let addition = Addition {
        name: name.to_owned(),
        full_name: format!("{name} of the cases"),
        email: format!("{name}@gw.test"),
        phone: phone.map(str::to_owned),
        language: None,
        groups: groups.iter().map(ToString::to_string).collect(),
        rights: rights.to_vec(),
        password: Some(SecretText::new(PASSWORD)),
        temporary: false,
    };
    let (user, _) = tools.accounts.add(&tools.policy.load().security, addition, origin).await.unwrap();
    if enrolled {
        enrol(tools, origin, &user).await;
    }
    user
}

async fn enrol(tools: &Tools, origin: &Origin, user: &User) {
    let id = uuid::Builder::from_unix_timestamp_millis(1, &random_bytes(&SystemRandom)).into_uuid();
    let place = Place { table: "second_factors", column: "seed", row: &id.to_string() };
    let row = SecondFactorRow {
        id,
        user: user.id,
        seed: tools.keyring.seal(&SystemRandom, place, &seed_of(&user.name)),
        algorithm: "SHA1".to_owned(),
        digits: 6,
        period_secs: 30,
        created_at: origin.now,
        confirmed_at: None,
        last_step: 0,
    };
    tools.store.put_second_factor(&row).await.unwrap();
    assert!(tools.store.confirm_second_factor(id, 1, origin.now, &[]).await.unwrap());
}

fn seed_of(name: &str) -> Vec<u8> {
    format!("{name:-<20}").into_bytes()
}

/// The code of `name`'s authenticator at `now`.
pub fn code_at(name: &str, now: Timestamp) -> String {
    let totp = Totp::new().with_algorithm(Algorithm::SHA1).with_secret(seed_of(name)).build().unwrap();
    totp.generate(u64::try_from(now.as_secs()).unwrap()).to_string()
}

impl World {
    /// The usual world.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    pub fn builder() -> Builder {
        Builder::default()
    }

    pub fn tls_address(&self) -> SocketAddr {
        self.tls.as_ref().expect("a world with tls").0
    }

    /// Where the machine room looks.
    pub fn operations_address(&self) -> SocketAddr {
        self.operations.expect("a world with an operations port")
    }

    pub fn certificate(&self) -> &str {
        &self.tls.as_ref().expect("a world with tls").1
    }

    /// A fresh HTTP/2 connection.
    pub async fn h2(&self) -> RawH2 {
        RawH2::connect(self.tls_address(), "gw.test", self.certificate()).await
    }

    /// A browser that nobody has signed in with.
    pub fn stranger(&self) -> Client {
        Client::new(self.gateway).browser()
    }

    /// A program that nobody has signed in with.
    pub fn program(&self) -> Client {
        Client::new(self.gateway)
    }

    /// `name` in a browser, not signed in.
    pub fn person(&self, name: &'static str) -> Person<'_> {
        Person { world: self, name, client: self.stranger() }
    }

    /// `name`, signed in as far as they can be.
    pub async fn signed_in(&self, name: &'static str) -> Person<'_> {
        let person = self.person(name);
        person.sign_in().await;
        person
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// The next code of `name`: time moves on by a step, so that no code is asked for twice.
    pub fn next_code(&self, name: &str) -> String {
        self.advance(Duration::from_secs(30));
        code_at(name, self.now())
    }

    /// The command line beside the gateway: a process of its own, as far as the gateway can tell.
    pub async fn command(&self) -> Tools {
        open(&self.folder.path().join("vantail.toml"), self.clock.clone(), Arc::new(SystemRandom)).await
    }

    pub async fn user(&self, name: &str) -> User {
        self.tools.accounts.find(name).await.unwrap().user
    }

    /// The policy's `security.toml` of the moment.
    pub fn security(&self) -> Security {
        self.tools.policy.load().security.clone()
    }

    /// Where acts of the command line come from.
    pub fn operator(&self) -> Origin {
        Origin { now: self.now(), actor: None, door: "command", address: None, request_id: None }
    }

    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// SMS that arrived so far.
    pub fn sms(&self) -> Vec<Message> {
        self.inbox.messages().into_iter().filter(|message| message.channel == Channel::Sms).collect()
    }

    /// Stops the gateway as an operator would, and starts it again on the same folder and port.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.tools = open(&self.folder.path().join("vantail.toml"), self.clock.clone(), Arc::new(SystemRandom)).await;
        let listeners = BoundTo::http(self.gateway).await.unwrap();
        let (stop, served) = serve(self.tools.clone(), listeners).await;
        self.stop = stop;
        self.served = Some(served);
    }

    pub async fn stop(&mut self) {
        self.stop.send_replace(true);
        if let Some(served) = self.served.take() {
            served.await.unwrap();
        }
    }

    /// Cancels what waits, as the command line does: everybody may ask again.
    pub async fn cancel_all(&self) {
        let waiting = [vantail::operation::State::Waiting];
        for row in self.tools.store.operations(&waiting, 100).await.unwrap() {
            self.tools.operations.cancel(&row.id, None, &self.operator()).await.unwrap();
        }
    }

    /// Ends somebody's sessions as the command line does.
    pub async fn operator_ends_sessions_of(&self, name: &str) {
        let user = self.user(name).await.id;
        self.tools.operations.end_sessions(user, None, &self.operator()).await.unwrap();
    }

    /// Changes the database behind the gateway's back, as somebody with the file could.
    pub async fn tamper(&self, sql: &str) {
        assert_eq!(self.alter(sql).await, 1, "{sql}");
    }

    /// The same, whatever it concerns; how many rows.
    pub async fn alter(&self, sql: &str) -> u64 {
        let url = format!("sqlite:{}", self.folder.path().join("data/vantail.db").display());
        sqlx::any::install_default_drivers();
        let pool = sqlx::AnyPool::connect(&url).await.unwrap();
        let done = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&pool).await.unwrap();
        pool.close().await;
        done.rows_affected()
    }

    /// Every audit event so far, `act result`, oldest first.
    pub async fn acts(&self) -> Vec<String> {
        let events = self.tools.store.events(0, 100_000).await.unwrap();
        events.into_iter().map(|event| format!("{} {}", event.act, event.result)).collect()
    }
}

impl Person<'_> {
    /// Name and password, then the code where one is asked for.
    pub async fn sign_in(&self) {
        let answer = self.give_password(PASSWORD).await;
        assert_eq!(answer.status, 303, "{}: {}", self.name, answer.text());
        if answer.location().contains("second-factor") {
            let answer = self.give_code(&self.world.next_code(self.name)).await;
            assert_eq!(answer.status, 303, "{}: {}", self.name, answer.text());
        }
    }

    pub async fn give_password(&self, password: &str) -> Answer {
        let fields = [("username", self.name), ("password", password)];
        self.client.fill("/secure/login", "/secure/login", &fields).await
    }

    /// Signs in again, password and code, in the session that lives.
    pub async fn proves_again(&self) {
        let code = self.world.next_code(self.name);
        let fields = [("password", PASSWORD), ("code", code.as_str())];
        let answer = self.client.fill("/secure/login/confirm", "/secure/login/confirm", &fields).await;
        assert_eq!(answer.status, 303, "{}: {}", self.name, answer.text());
    }

    pub async fn give_code(&self, code: &str) -> Answer {
        self.client.fill("/secure/login/second-factor", "/secure/login/second-factor", &[("code", code)]).await
    }

    /// Asks for something that is held; the operation's id.
    pub async fn asks(&self, method: &str, target: &str, body: &str) -> String {
        let headers = [("Content-Type", "application/json")];
        let answer = self.client.send(method, target, &headers, body.as_bytes()).await;
        assert_eq!(answer.status, 303, "not held: {} {}", answer.status, answer.text());
        let id = answer.location().split('/').nth(3).unwrap().to_owned();
        assert!(answer.location().ends_with(&format!("/secure/operations/{id}/wait")), "{}", answer.location());
        id
    }

    /// The token of the newest SMS about `operation` to this person's phone.
    pub async fn token(&self, operation: &str) -> String {
        let phone = CAST.iter().find(|cast| cast.0 == self.name).and_then(|cast| cast.3).unwrap();
        let matches = |message: &Message| {
            message.to == phone
                && message.text.contains(&format!("operation {operation}"))
                && message.text.contains("Token: ")
        };
        self.world.inbox.wait_for(matches).await.unwrap_or_else(|error| panic!("{error}"));
        let newest = self.world.inbox.messages().into_iter().rev().find(matches).unwrap();
        newest.text.split_once("Token: ").unwrap().1.chars().take(9).collect()
    }

    pub async fn confirms(&self, operation: &str, token: &str) -> Answer {
        let page = format!("/secure/operations/{operation}");
        self.client.fill(&page, &format!("{page}/confirm"), &[("token", token)]).await
    }

    /// Posts a token without looking at the page first.
    pub async fn confirms_raw(&self, operation: &str, token: &str) -> Answer {
        let csrf = self.client.get("/secure/operations").await.field("csrf");
        self.client
            .post_form(&format!("/secure/operations/{operation}/confirm"), &[("csrf", &csrf), ("token", token)])
            .await
    }

    pub async fn denies(&self, operation: &str, reason: &str) -> Answer {
        let page = format!("/secure/operations/{operation}");
        self.client.fill(&page, &format!("{page}/deny"), &[("reason", reason)]).await
    }

    /// What the API says of an operation.
    pub async fn state(&self, operation: &str) -> serde_json::Value {
        let answer = self.client.get(&format!("/secure/api/operations/{operation}")).await;
        assert_eq!(answer.status, 200, "{}: {:?} {}", self.name, answer.header("location"), answer.text());
        answer.json()
    }

    /// Waits until an operation stands at `state`; time on the wall, not on the world's clock.
    pub async fn sees(&self, operation: &str, state: &str) -> serde_json::Value {
        let end = std::time::Instant::now() + crate::support::PATIENCE;
        loop {
            let seen = self.state(operation).await;
            if seen["state"] == state {
                return seen;
            }
            assert!(std::time::Instant::now() < end, "{operation} should be {state}: {seen}");
            tokio::task::yield_now().await;
        }
    }
}
