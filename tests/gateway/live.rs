//! What lasts ends with its session: SESS-5.

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use vantail::account::Edit;
use vantail::demo::LegacyApp;
use vantail::operation::State;

use crate::streams::signed_in_over_https;
use crate::support::backend::{Backend, Behaviour, Reply};
use crate::support::raw::Raw;
use crate::support::raw_h2::Outcome;
use crate::world::{Builder, PASSWORD, Person, World, add};

/// Three times what is promised.
const BOUND: Duration = Duration::from_secs(15);
/// The pace of what is slow.
const PACE: Duration = Duration::from_millis(20);
/// Longer than any test.
const ENDLESS: u64 = 100 * 1024 * 1024 * 1024;
const CANCEL: u32 = 8;

/// Rules are in order: these come first.
const RULES: &str = r#"
[[rule]]
name = "anybody's events"
paths = ["/events"]
query = { open = "*" }
access = "open"

[[rule]]
name = "what lasts"
paths = ["/ws", "/events", "/download", "/upload"]
access = "signed-in"
"#;

/// What somebody does for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// A WebSocket on which nobody says anything.
    Idling,
    /// One on which both say something all the time.
    Talking,
    /// An event stream on which nothing happens.
    Waiting,
    /// One on which much does.
    Listening,
    Downloading,
    Uploading,
    /// An upload that has stopped coming.
    Stalling,
}

const EVERYTHING: [Doing; 7] = [
    Doing::Idling,
    Doing::Talking,
    Doing::Waiting,
    Doing::Listening,
    Doing::Downloading,
    Doing::Uploading,
    Doing::Stalling,
];

/// A masked text frame "hi" (RFC 6455 5.3), its mask all zeroes.
const HI: [u8; 8] = [0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];
/// As the application says it back.
const HI_BACK: [u8; 4] = [0x81, 2, b'h', b'i'];
const PING: [u8; 6] = [0x89, 0x80, 0, 0, 0, 0];
const PONG: [u8; 2] = [0x8a, 0];

// === impl Doing ===

impl Doing {
    fn target(self) -> String {
        match self {
            Self::Idling | Self::Talking => "/ws".to_owned(),
            Self::Waiting => "/events?every=3600000".to_owned(),
            Self::Listening => "/events?every=20".to_owned(),
            Self::Downloading => format!("/download?bytes={ENDLESS}"),
            Self::Uploading | Self::Stalling => "/upload".to_owned(),
        }
    }

    fn is_upload(self) -> bool {
        matches!(self, Self::Uploading | Self::Stalling)
    }

    /// Asks for it, and sees to it that it has begun.
    async fn begin(self, mut connection: Raw, cookie: &str) -> Raw {
        let method = if self.is_upload() { "POST" } else { "GET" };
        let fields = match self {
            Self::Idling | Self::Talking => {
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n".to_owned()
            }
            Self::Uploading | Self::Stalling => format!("Content-Length: {ENDLESS}\r\n"),
            Self::Waiting | Self::Listening | Self::Downloading => String::new(),
        };
        let head = format!("{method} {} HTTP/1.1\r\nHost: gw.test\r\nCookie: {cookie}\r\n{fields}\r\n", self.target());
        connection.send(head).await;
        if self.is_upload() {
            connection.send([b'x'; 1000]).await;
            return connection;
        }
        let head = connection.head().await.expect("an answer");
        let expected: &[u8] = if fields.is_empty() { b"HTTP/1.1 200" } else { b"HTTP/1.1 101" };
        assert!(head.starts_with(expected), "{self:?}: {}", String::from_utf8_lossy(&head));
        if matches!(self, Self::Waiting | Self::Listening | Self::Downloading) {
            connection.exactly(20).await.expect("it begins");
        }
        connection
    }

    /// Goes on with it until the gateway has had enough.
    async fn go_on(self, mut connection: Raw) {
        match self {
            Self::Idling | Self::Waiting | Self::Stalling | Self::Listening => {
                connection.rest().await;
            }
            Self::Talking => while echoes(&mut connection).await {},
            Self::Downloading => {
                while connection.exactly(20_000).await.is_some() {
                    tokio::time::sleep(PACE).await;
                }
            }
            Self::Uploading => {
                while connection.can_send([b'x'; 1000]).await {
                    tokio::time::sleep(PACE).await;
                }
            }
        }
    }
}

/// Whether what is said on a WebSocket comes back.
async fn echoes(socket: &mut Raw) -> bool {
    socket.can_send(HI).await && socket.exactly(HI_BACK.len()).await.is_some_and(|back| back == HI_BACK)
}

fn cookie_of(person: &Person<'_>) -> String {
    format!("vantail={}", person.client.cookie("vantail").unwrap())
}

async fn socket(world: &World, cookie: &str) -> Raw {
    Doing::Idling.begin(Raw::connect(world.gateway).await, cookie).await
}

/// Within the bound, and not without a reason.
async fn is_cut(what: &str, going_on: JoinHandle<()>) {
    let cut = tokio::time::timeout(BOUND, going_on).await;
    cut.unwrap_or_else(|_| panic!("{what}: goes on")).unwrap_or_else(|error| panic!("{what}: {error}"));
}

/// Waits until so many sessions have something that lasts.
async fn until_watched(world: &World, sessions: usize) {
    let begin = Instant::now();
    while world.tools.sessions.watched() != sessions {
        assert!(begin.elapsed() < BOUND, "{} sessions have something that lasts", world.tools.sessions.watched());
        tokio::task::yield_now().await;
    }
}

/// A world in front of the demo's application.
async fn before_an_application(build: impl FnOnce(Builder) -> Builder) -> (LegacyApp, World) {
    let app = LegacyApp::start(crate::support::ANY_PORT).await.unwrap();
    let world = build(World::builder().in_front_of(app.addr()).site(RULES)).start().await;
    (app, world)
}

#[tokio::test]
async fn sess_5_whatever_lasts_over_http_1_is_cut_and_nobody_elses_is() {
    let (_app, world) = before_an_application(Builder::tls).await;
    for over_tls in [false, true] {
        let connect = || async {
            if over_tls {
                Raw::connect_tls(world.tls_address(), "gw.test", world.certificate(), &[b"http/1.1"]).await
            } else {
                Raw::connect(world.gateway).await
            }
        };
        let (carol, alice) = if over_tls {
            let [carol, alice] = [signed_in_over_https(&world, "carol"), signed_in_over_https(&world, "alice")];
            (format!("__Host-vantail={}", carol.await), format!("__Host-vantail={}", alice.await))
        } else {
            (cookie_of(&world.signed_in("carol").await), cookie_of(&world.signed_in("alice").await))
        };
        let mut bystander = Doing::Idling.begin(connect().await, &alice).await;
        let mut all = Vec::new();
        for doing in EVERYTHING {
            let connection = doing.begin(connect().await, &carol).await;
            all.push((doing, tokio::spawn(doing.go_on(connection))));
        }
        until_watched(&world, 2).await;
        assert!(all.iter().all(|(_, going_on)| !going_on.is_finished()), "cut without a reason: {all:?}");

        world.operator_ends_sessions_of("carol").await;
        for (doing, going_on) in all {
            is_cut(&format!("{doing:?}, tls: {over_tls}"), going_on).await;
        }
        until_watched(&world, 1).await;
        assert!(echoes(&mut bystander).await, "alice's goes on");
        world.operator_ends_sessions_of("alice").await;
        is_cut("the other's", tokio::spawn(Doing::Idling.go_on(bystander))).await;
        until_watched(&world, 0).await;
    }
}

#[tokio::test]
async fn sess_5_a_client_that_takes_nothing_is_cut_too() {
    let (_app, world) = before_an_application(|builder| builder).await;
    let carol = world.signed_in("carol").await;
    let mut connection = Doing::Downloading.begin(Raw::connect(world.gateway).await, &cookie_of(&carol)).await;
    until_watched(&world, 1).await;
    world.operator_ends_sessions_of("carol").await;
    until_watched(&world, 0).await;
    assert!((connection.rest().await.len() as u64) < ENDLESS);
}

#[tokio::test]
async fn sess_5_over_http_2_the_stream_ends_and_the_connection_goes_on() {
    let (_app, world) = before_an_application(Builder::tls).await;
    let carol = format!("__Host-vantail={}", signed_in_over_https(&world, "carol").await);
    let alice = format!("__Host-vantail={}", signed_in_over_https(&world, "alice").await);
    let mut connection = world.h2().await;
    connection.widen(1024 * 1024).await;
    let mut streams = Vec::new();
    for doing in [Doing::Waiting, Doing::Listening, Doing::Downloading, Doing::Stalling] {
        let target = doing.target();
        let stream = connection.begin(&asking(doing, &target, &carol)).await;
        connection.piece(stream, if doing.is_upload() { b"x" } else { b"" }, !doing.is_upload()).await;
        streams.push(stream);
    }
    let target = Doing::Listening.target();
    let bystander = connection.begin(&asking(Doing::Listening, &target, &alice)).await;
    connection.piece(bystander, b"", true).await;
    until_watched(&world, 2).await;

    world.operator_ends_sessions_of("carol").await;
    let ends = tokio::time::timeout(BOUND, connection.resets(&streams)).await.expect("they end");
    assert_eq!(ends, [Some(CANCEL); 4]);
    assert!(connection.answer_piece(bystander).await.is_some(), "alice's stream goes on");
    let target = "/app/x";
    let more = connection.ask(&asking(Doing::Waiting, target, &alice), None).await;
    assert_eq!(more, Outcome::Answered(404), "and so does the connection");
    assert_eq!(connection.ask(&asking(Doing::Waiting, target, &carol), None).await, Outcome::Answered(401));
    until_watched(&world, 1).await;
}

fn asking<'a>(doing: Doing, target: &'a str, cookie: &'a str) -> [(&'a str, &'a str); 5] {
    let method = if doing.is_upload() { "POST" } else { "GET" };
    [(":method", method), (":scheme", "https"), (":authority", "gw.test"), (":path", target), ("cookie", cookie)]
}

/// How a session ends.
#[derive(Debug, Clone, Copy)]
enum End {
    SignOut,
    SignInAgain,
    OneTooMany,
    Administrator,
    CommandLine,
    Disabled,
    PasswordReset,
    SecondFactorReset,
    Lifetime,
    ValidUntil,
}

const ENDS: [(End, &str); 10] = [
    (End::SignOut, "carol"),
    (End::SignInAgain, "carol"),
    (End::OneTooMany, "carol"),
    (End::Administrator, "carol"),
    (End::CommandLine, "carol"),
    (End::Lifetime, "carol"),
    (End::ValidUntil, "carol"),
    (End::PasswordReset, "alice"),
    (End::SecondFactorReset, "bob"),
    (End::Disabled, "val"),
];

// === impl End ===

impl End {
    async fn happen(self, world: &World, person: &Person<'_>) {
        let (accounts, operator) = (&world.tools.accounts, world.operator());
        let user = world.user(person.name).await.id;
        match self {
            Self::SignOut => {
                let answer = person.client.fill("/secure/logout", "/secure/logout", &[]).await;
                assert_eq!(answer.status, 303, "who signs out is told so: {}", answer.text());
            }
            Self::SignInAgain => {
                // From a form that was open before.
                let fields = [("username", person.name), ("password", PASSWORD)];
                let answer = person.client.fill("/secure/logout", "/secure/login", &fields).await;
                assert_eq!(answer.status, 303, "{}", answer.text());
            }
            Self::OneTooMany => drop(world.signed_in(person.name).await),
            Self::Administrator => world.operator_ends_sessions_of(person.name).await,
            Self::CommandLine => {
                world.command().await.operations.end_sessions(user, None, &operator).await.unwrap();
            }
            Self::Disabled => accounts.disable(user, &operator).await.unwrap(),
            Self::PasswordReset => drop(accounts.reset_password(&world.security(), user, &operator).await.unwrap()),
            Self::SecondFactorReset => {
                let told = world.tools.notices.factor_reset(&operator);
                accounts.reset_second_factor(user, told, &operator).await.unwrap();
            }
            Self::Lifetime => world.advance(Duration::from_hours(12)),
            Self::ValidUntil => {
                let end = world.now().plus(Duration::from_mins(1));
                let edit = Edit { valid_until: Some(Some(end)), ..Edit::default() };
                accounts.edit(user, edit, &operator).await.unwrap();
                world.advance(Duration::from_mins(1));
            }
        }
    }
}

#[tokio::test]
async fn sess_5_every_end_of_a_session_is_the_end_of_what_lasts_in_it() {
    let security = "[sessions]\nidle = \"0s\"\nmaximum_per_user = 1";
    let (_app, world) = before_an_application(|builder| builder.security(security)).await;
    for (end, name) in ENDS {
        let person = world.signed_in(name).await;
        let going_on = tokio::spawn(Doing::Idling.go_on(socket(&world, &cookie_of(&person)).await));
        until_watched(&world, 1).await;
        end.happen(&world, &person).await;
        is_cut(&format!("{end:?}"), going_on).await;
        until_watched(&world, 0).await;
    }
}

#[tokio::test]
async fn sess_5_what_is_no_end_cuts_nothing() {
    let (_app, world) = before_an_application(|builder| builder).await;
    let (alice, carol) = (world.signed_in("alice").await, world.signed_in("carol").await);
    let mut mine = socket(&world, &cookie_of(&alice)).await;
    let others = socket(&world, &cookie_of(&carol)).await;
    until_watched(&world, 2).await;
    alice.proves_again().await;
    let edit = Edit { full_name: Some("Alice of the cases, renamed".to_owned()), ..Edit::default() };
    world.tools.accounts.edit(world.user("alice").await.id, edit, &world.operator()).await.unwrap();
    // Changes are followed in their order: what came before this one had its effect.
    world.operator_ends_sessions_of("carol").await;
    is_cut("the other's", tokio::spawn(Doing::Idling.go_on(others))).await;
    assert!(echoes(&mut mine).await, "a rotated token and a changed user");
    world.operator_ends_sessions_of("alice").await;
    is_cut("with a rotated token", tokio::spawn(Doing::Idling.go_on(mine))).await;
}

#[tokio::test]
async fn sess_5_on_an_open_route_a_session_counts_and_nobodys_does_not() {
    let (_app, world) = before_an_application(|builder| builder).await;
    let carol = world.signed_in("carol").await;
    let ask = async |cookie: String| {
        let mut connection = Raw::connect(world.gateway).await;
        let target = "/events?every=20&open=1";
        connection.send(format!("GET {target} HTTP/1.1\r\nHost: gw.test\r\n{cookie}\r\n")).await;
        assert!(connection.head().await.expect("an answer").starts_with(b"HTTP/1.1 200"));
        connection
    };
    let mut anonymous = ask(String::new()).await;
    let hers = ask(format!("Cookie: {}\r\n", cookie_of(&carol))).await;
    until_watched(&world, 1).await;
    world.operator_ends_sessions_of("carol").await;
    is_cut("in her name", tokio::spawn(Doing::Listening.go_on(hers))).await;
    assert!(anonymous.exactly(1000).await.is_some(), "in nobody's");
}

#[tokio::test]
async fn sess_5_a_form_that_comes_slowly_is_cut_and_does_nothing() {
    let world = World::start().await;
    let carol = world.signed_in("carol").await;
    let mut form = Raw::connect(world.gateway).await;
    let fields = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000";
    let cookie = cookie_of(&carol);
    form.send(format!("POST /secure/logout HTTP/1.1\r\nHost: gw.test\r\nCookie: {cookie}\r\n{fields}\r\n\r\ncsrf="))
        .await;
    until_watched(&world, 1).await;
    world.operator_ends_sessions_of("carol").await;
    is_cut("a form", tokio::spawn(async move { assert!(form.answer().await.is_none(), "cut, not answered") })).await;
    until_watched(&world, 0).await;
}

/// Sessions that are idle after four seconds, so that use is noted every second.
const SOON_IDLE: &str = "[sessions]\nidle = \"4s\"";
const MOST_OF_IT: Duration = Duration::from_secs(3);

/// Waits until the last use of `name` is the present; `act` is what may be use.
async fn until_used(world: &World, name: &str, mut act: impl AsyncFnMut()) {
    let (user, begin) = (world.user(name).await.id, Instant::now());
    loop {
        world.tools.sessions.write_last_seen().await.unwrap();
        if world.tools.store.sessions(Some(user)).await.unwrap()[0].last_seen == world.now() {
            return;
        }
        assert!(begin.elapsed() < BOUND, "{name}: no use");
        act().await;
    }
}

#[tokio::test]
async fn sess_5_messages_on_a_web_socket_are_use_and_pings_are_not() {
    let (_app, world) = before_an_application(|builder| builder.security(SOON_IDLE)).await;
    let carol = world.signed_in("carol").await;
    let mut socket = socket(&world, &cookie_of(&carol)).await;
    until_watched(&world, 1).await;
    world.advance(MOST_OF_IT);
    until_used(&world, "carol", async || assert!(echoes(&mut socket).await)).await;
    world.advance(MOST_OF_IT);
    let limits = world.tools.policy.load().security.sessions;
    assert!(world.tools.sessions.sweep(&limits, world.now()).await.unwrap().is_empty(), "used three seconds ago");
    socket.send(PING).await;
    assert_eq!(socket.exactly(PONG.len()).await.as_deref(), Some(&PONG[..]), "it goes on");
    world.advance(MOST_OF_IT);
    let pings = tokio::spawn(async move {
        while socket.can_send(PING).await && socket.exactly(PONG.len()).await.is_some() {
            tokio::time::sleep(PACE).await;
        }
    });
    is_cut("pings alone", pings).await;
}

#[tokio::test]
async fn sess_5_transfers_are_use_and_event_streams_are_not() {
    let (_app, world) = before_an_application(|builder| builder.security(SOON_IDLE)).await;
    // Whoever has a second factor takes half a minute to sign in, in which the others are idle.
    for name in ["frank", "grace"] {
        add(&world.tools, &world.operator(), (name, &["customers"], &[], None, false)).await;
    }
    let [frank, grace, carol] = ["frank", "grace", "carol"].map(|name| world.signed_in(name));
    let (frank, grace, carol) = (frank.await, grace.await, carol.await);
    let connect = || Raw::connect(world.gateway);
    let mut download = Doing::Downloading.begin(connect().await, &cookie_of(&frank)).await;
    let mut upload = Doing::Uploading.begin(connect().await, &cookie_of(&grace)).await;
    let events = Doing::Listening.begin(connect().await, &cookie_of(&carol)).await;
    let events = tokio::spawn(Doing::Listening.go_on(events));
    until_watched(&world, 3).await;
    world.advance(MOST_OF_IT);
    until_used(&world, "frank", async || assert!(download.exactly(100_000).await.is_some())).await;
    until_used(&world, "grace", async || assert!(upload.can_send([b'x'; 1000]).await)).await;
    world.advance(MOST_OF_IT);
    is_cut("events alone", events).await;
    until_watched(&world, 2).await;
    assert!(download.exactly(1000).await.is_some() && upload.can_send(b"x").await);
}

#[tokio::test]
async fn sess_5_a_database_that_is_away_for_a_moment_cuts_nothing_and_one_that_stays_away_does() {
    let (_app, world) = before_an_application(|builder| builder).await;
    let carol = world.signed_in("carol").await;
    let mut socket = socket(&world, &cookie_of(&carol)).await;
    until_watched(&world, 1).await;
    until_known(&world, true, &carol).await;
    for table in ["sessions", "change_head"] {
        world.alter(&format!("ALTER TABLE {table} RENAME TO {table}_away")).await;
    }
    until_known(&world, false, &carol).await;
    assert!(echoes(&mut socket).await, "nobody can vouch for it");
    for table in ["change_head", "sessions"] {
        world.alter(&format!("ALTER TABLE {table}_away RENAME TO {table}")).await;
    }
    until_known(&world, true, &carol).await;
    assert!(echoes(&mut socket).await, "it was but a moment");

    world.alter("ALTER TABLE sessions RENAME TO sessions_away").await;
    world.alter("ALTER TABLE change_head RENAME TO change_head_away").await;
    until_known(&world, false, &carol).await;
    let away = Instant::now();
    is_cut("nobody vouches for it", tokio::spawn(Doing::Idling.go_on(socket))).await;
    assert!(away.elapsed() > Duration::from_secs(5), "not at once: {:?}", away.elapsed());
}

/// Waits until the gateway trusts what it knows of sessions, or does not.
async fn until_known(world: &World, known: bool, person: &Person<'_>) {
    let begin = Instant::now();
    while (world.tools.sessions.known() > 0) != known {
        assert!(begin.elapsed() < BOUND, "should be known: {known}");
        person.client.get("/public/x").await;
    }
}

#[tokio::test]
async fn sess_5_who_waits_for_an_operation_is_cut_and_the_operation_is_not() {
    let world = World::start().await;
    let alice = world.signed_in("alice").await;
    let mut waiting = Raw::connect(world.gateway).await;
    let fields = "Prefer: wait=100\r\nContent-Type: application/json\r\nContent-Length: 2";
    let cookie = cookie_of(&alice);
    waiting
        .send(format!("POST /admin/ops/1 HTTP/1.1\r\nHost: gw.test\r\nCookie: {cookie}\r\n{fields}\r\n\r\n{{}}"))
        .await;
    until_watched(&world, 1).await;
    let [row] = world.tools.store.operations(&[State::Waiting], 10).await.unwrap().try_into().unwrap();
    let waiting = tokio::spawn(async move { assert!(waiting.answer().await.is_none(), "cut, not answered") });
    End::SignOut.happen(&world, &alice).await;
    is_cut("waiting", waiting).await;

    world.backend.answer_with(Behaviour::Slow(Duration::from_secs(3), Reply::ok("done at last")));
    let val = world.signed_in("val").await;
    let token = val.token(&row.id).await;
    let confirmed = val.confirms(&row.id, &token).await;
    assert_eq!(confirmed.status, 303, "{}", confirmed.text());
    world.backend.wait_for(1).await;
    world.operator_ends_sessions_of("val").await;
    let begin = Instant::now();
    loop {
        let state = world.tools.store.operation(&row.id).await.unwrap().unwrap().state;
        if state == State::Done {
            break;
        }
        assert!(matches!(state, State::Confirmed | State::Sending), "{state:?}");
        assert!(begin.elapsed() < BOUND, "still {state:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn sess_5_what_is_over_leaves_nothing_behind_however_it_ended() {
    let silent = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n";
    let backend = Backend::start().await;
    backend.answer_with(Behaviour::Echo(silent.to_vec()));
    let world = World::builder().in_front_of(backend.addr()).start().await;
    let carol = world.signed_in("carol").await;
    let cookie = cookie_of(&carol);
    let ask = || async {
        let mut connection = Raw::connect(world.gateway).await;
        connection.send(format!("GET /app/x HTTP/1.1\r\nHost: gw.test\r\nCookie: {cookie}\r\n\r\n")).await;
        connection.head().await.expect("an answer");
        connection
    };
    let gone: Vec<_> = vec![ask().await, ask().await];
    until_watched(&world, 1).await;
    drop(gone);
    until_watched(&world, 0).await;

    let _left = ask().await;
    until_watched(&world, 1).await;
    backend.stop().await;
    until_watched(&world, 0).await;
}
