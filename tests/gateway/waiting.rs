//! While an operation waits: how many may, who waits with it, and what changes in between.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::Notify;
use vantail::account::Edit;
use vantail::demo::inbox::Message;
use vantail::identity::Right;
use vantail::operation::State;
use vantail::secret::{Random, SystemRandom};

use crate::hold::{DELETE, TOKEN_FIELD, delivered, held};
use crate::support::PATIENCE;
use crate::support::answer::Answer;
use crate::support::backend::{Behaviour, Reply};
use crate::support::client::Client;
use crate::support::raw::Raw;
use crate::support::soon;
use crate::world::{PASSWORD, Person, World, add};

/// How many operations of one requester wait at once (docs/holding.md).
const MOST: usize = 20;

/// A program in somebody's name.
fn program_of(person: &Person<'_>) -> Client {
    let program = Client::new(person.world.gateway);
    person.client.cookies().iter().for_each(|(name, value)| program.set_cookie(name, value));
    program
}

/// As they stand in a request.
fn cookies_of(client: &Client) -> String {
    client.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
}

/// The head of a request that will be held, with a million bytes to come.
fn upload_of(person: &Person<'_>, more: &str) -> String {
    let cookies = cookies_of(&person.client);
    format!(
        "POST {DELETE} HTTP/1.1\r\nHost: gw.test\r\nCookie: {cookies}\r\n{more}Content-Type: \
         text/plain\r\nContent-Length: 1000000\r\n\r\n"
    )
}

/// The operation that the first SMS with a token is about.
async fn first_asked(world: &World) -> String {
    let sms = world.inbox.wait_for(|sms| sms.text.contains("Token: ")).await.unwrap();
    sms.text.split_once("(operation ").unwrap().1[..8].to_owned()
}

/// `vantail …` beside the running gateway, on its folder.
async fn command(world: &World, arguments: &[&str]) {
    let config = world.folder().join("vantail.toml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_vantail"));
    let done = command.args(arguments).arg("--config").arg(config).output().await.unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test]
async fn of_one_requester_twenty_wait_and_one_more_is_429_for_a_browser_and_for_a_program() {
    let world = World::start().await;
    let (alice, bob) = (world.signed_in("alice").await, world.signed_in("bob").await);
    let mut ids = Vec::new();
    for _ in 0..MOST {
        ids.push(alice.asks("POST", DELETE, "{}").await);
    }
    for (language, words) in [
        ("en", "Wait until some are confirmed or denied, or cancel those you no longer need."),
        ("fr", "Attendez que certaines soient confirmées ou refusées"),
    ] {
        let page = alice.client.send("POST", DELETE, &[("Accept-Language", language)], b"{}").await;
        assert_eq!((page.status, page.header("retry-after")), (429, Some("60")), "{}", page.text());
        assert!(page.text().contains(words), "{}", page.text());
        assert!(page.text().contains("href=\"/secure/operations\""), "the way to those that wait: {}", page.text());
    }
    let program = program_of(&alice);
    let refused = program.send("DELETE", DELETE, &[("Prefer", "wait=15")], b"").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("60")), "{}", refused.text());
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    let problem = refused.json();
    assert_eq!((&problem["type"], &problem["status"]), (&"urn:vantail:problem:too-many-requests".into(), &429.into()));
    assert!(problem["detail"].as_str().unwrap().contains("cancel those you no longer need"), "{problem}");
    assert!(problem["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{problem}");

    let waiting = world.tools.store.count_operations(State::Waiting).await.unwrap();
    assert_eq!(usize::try_from(waiting).unwrap(), MOST, "nothing more was stored");
    bob.asks("POST", DELETE, "{}").await;
    let wait = format!("/secure/operations/{}/wait", ids[0]);
    let cancelled = alice.client.fill(&wait, &format!("/secure/operations/{}/cancel", ids[0]), &[]).await;
    assert_eq!(cancelled.status, 303, "{}", cancelled.text());
    alice.asks("POST", DELETE, "{}").await;
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn who_has_twenty_waiting_is_told_before_their_body_is_asked_for() {
    let world = World::start().await;
    let alice = world.signed_in("alice").await;
    for _ in 0..MOST {
        alice.asks("POST", DELETE, "{}").await;
    }
    let mut client = Raw::connect(world.gateway).await;
    client.send(upload_of(&alice, "Expect: 100-continue\r\n")).await;
    let refused = soon("a refusal", client.answer()).await.unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("60")), "{}", refused.text());
}

#[tokio::test]
async fn however_much_one_person_begins_others_are_held_and_can_sign_in() {
    let world = World::builder().security("[holding]\nmemory = \"2MiB\"").start().await;
    let (alice, bob) = (world.signed_in("alice").await, world.signed_in("bob").await);
    let mut uploads = Vec::new();
    for _ in 0..4 {
        let mut client = Raw::connect(world.gateway).await;
        client.send(upload_of(&alice, "")).await;
        client.send(vec![b'x'; 900_000]).await;
        uploads.push(client);
    }
    let answers = uploads.iter_mut().map(|client| Box::pin(client.answer()));
    let (refused, _, others) = soon("a refusal", futures_util::future::select_all(answers)).await;
    drop(others);
    let refused = refused.unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")), "{}", refused.text());
    assert_eq!(world.tools.store.count_operations(State::Waiting).await.unwrap(), 0, "nothing of it is stored");
    let held = program_of(&bob).send("POST", DELETE, &[], &vec![b'x'; 1_000_000]).await;
    assert_eq!(held.status, 202, "{}", held.text());
    world.signed_in("carol").await;
}

#[tokio::test]
async fn forms_that_never_come_to_their_end_keep_nobody_from_signing_in() {
    let world = World::start().await;
    let form = |length: usize| {
        format!(
            "POST /secure/login HTTP/1.1\r\nHost: gw.test\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {length}\r\n\r\n"
        )
    };
    let mut stalled = Vec::new();
    for _ in 0..64 {
        let mut client = Raw::connect(world.gateway).await;
        client.send(form(65_536)).await;
        client.send(vec![b'x'; 65_535]).await;
        stalled.push(client);
    }
    let answers = stalled.iter_mut().map(|client| Box::pin(client.answer()));
    let (refused, ..) = soon("a refusal", futures_util::future::select_all(answers)).await;
    assert_eq!(refused.unwrap().status, 503, "one address takes no more than its share");

    world.signed_in("alice").await;
    let long = form(60_000) + &"x".repeat(60_000);
    let mut elsewhere = Raw::connect_from(Ipv4Addr::new(127, 0, 0, 2), world.gateway).await;
    let answer = elsewhere.ask(&long).await.unwrap();
    assert!((400..500).contains(&answer.status), "read whole, and no sign-in: {}", answer.status);
    let elsewhere = Client::new(world.gateway).browser().coming_from([127, 0, 0, 2].into());
    let bob = Person { world: &world, name: "bob", client: elsewhere };
    bob.sign_in().await;
}

#[tokio::test]
async fn who_waits_for_an_answer_takes_no_room_of_those_who_still_ask() {
    let world = World::builder().security("[holding]\nmemory = \"1MiB\"").start().await;
    let alice = world.signed_in("alice").await;
    let mut waiting = Vec::new();
    for asked in 1..=3 {
        let program = program_of(&alice);
        waiting.push(tokio::spawn(async move {
            program.send("POST", DELETE, &[("Prefer", "wait=60")], &vec![b'x'; 900_000]).await.status
        }));
        let stored = || async { world.tools.store.count_operations(State::Waiting).await.unwrap() };
        soon("being held", async { while stored().await < asked {} }).await;
    }
    world.cancel_all().await;
    for waited in waiting {
        assert_eq!(waited.await.unwrap(), 409);
    }
}

#[tokio::test]
async fn h9_prefer_wait_gives_the_backends_own_answer_on_the_same_connection() {
    let world = World::start().await;
    let (alice, val) = (world.signed_in("alice").await, world.signed_in("val").await);
    let reply = Reply::new(201, "{\"gone\":42}").with("Content-Type", "application/json").with("X-App", "own");
    world.backend.answer_with(Behaviour::Normal(reply));
    let program = program_of(&alice);
    let waiting = tokio::spawn(async move { program.send("DELETE", DELETE, &[("Prefer", "wait=60")], b"").await });
    let id = first_asked(&world).await;
    assert_eq!(val.confirms(&id, &val.token(&id).await).await.status, 303);
    let answer: Answer = waiting.await.unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (201, "{\"gone\":42}"));
    assert_eq!((answer.header("content-type"), answer.header("x-app")), (Some("application/json"), Some("own")));
    let received = world.backend.last();
    assert_eq!((received.header("prefer"), world.backend.count()), (None, 1), "the gateway is who was asked to wait");
}

#[tokio::test]
async fn h9_prefer_wait_runs_out_into_202_and_the_operation_goes_on_waiting() {
    let world = World::start().await;
    let (alice, val) = (world.signed_in("alice").await, world.signed_in("val").await);
    let program = program_of(&alice);
    let answer = program.send("DELETE", DELETE, &[("Prefer", "wait=1")], b"").await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert!(answer.header("retry-after").is_some());
    let document = answer.json();
    let id = document["operation"].as_str().unwrap();
    assert_eq!((&document["state"], answer.location()), (&"waiting".into(), &*format!("/secure/operations/{id}")));
    world.backend.answer_with(Behaviour::Normal(Reply::new(200, "gone")));
    delivered(&alice, &val, id, &val.token(id).await).await;
    let path = document["answer_url"].as_str().unwrap().trim_start_matches("https://gw.test");
    assert_eq!(program.get(path).await.text(), "gone");
}

#[tokio::test]
async fn h9_a_client_that_leaves_while_it_waits_leaves_its_operation() {
    let world = World::start().await;
    let (alice, val) = (world.signed_in("alice").await, world.signed_in("val").await);
    world.backend.answer_with(Behaviour::Normal(Reply::new(200, "gone")));
    let program = program_of(&alice);
    let cookies =
        program.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
    let mut connection = program.connect().await;
    let request = format!("DELETE {DELETE} HTTP/1.1\r\nHost: gw.test\r\nCookie: {cookies}\r\nPrefer: wait=120\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let id = first_asked(&world).await;
    drop(connection);
    assert_eq!(val.state(&id).await["state"], "waiting");
    delivered(&alice, &val, &id, &val.token(&id).await).await;
    assert_eq!(program.get(&format!("/secure/operations/{id}/answer")).await.text(), "gone");
    assert_eq!(world.backend.count(), 1);
}

#[tokio::test]
async fn h9_prefer_wait_tells_a_program_that_it_was_denied() {
    let world = World::start().await;
    let (alice, val) = (world.signed_in("alice").await, world.signed_in("val").await);
    let program = program_of(&alice);
    let waiting = tokio::spawn(async move { program.send("DELETE", DELETE, &[("Prefer", "Wait=15")], b"").await });
    let id = first_asked(&world).await;
    assert_eq!(val.denies(&id, "no").await.status, 303);
    let answer: Answer = waiting.await.unwrap();
    assert_eq!(answer.status, 409, "{}", answer.text());
    let document = answer.json();
    assert_eq!((&document["operation"], &document["state"]), (&id.as_str().into(), &"denied".into()));
    assert!(document["reason"].as_str().unwrap().contains("no"), "{document}");
    assert_eq!(answer.header("retry-after"), None);
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn who_becomes_a_validator_while_it_waits_presses_new_token_and_confirms() {
    let world = World::start().await;
    let (alice, _val, id, _token) = held(&world).await;
    add(&world.tools, &world.operator(), ("pat", &["staff"], &[Right::TokenValidator], None, true)).await;
    let (bob, pat) = (world.signed_in("bob").await, world.signed_in("pat").await);
    let page = format!("/secure/operations/{id}");
    assert_eq!(bob.client.get(&page).await.status, 404, "not a validator yet");
    let phoneless = pat.client.get(&page).await;
    assert!(phoneless.text().contains("You have no phone number"), "{}", phoneless.text());
    world.tools.accounts.grant(world.user("bob").await.id, Right::TokenValidator, &world.operator()).await.unwrap();
    let phone = Edit { phone: Some(Some("+33639980015".to_owned())), ..Edit::default() };
    world.tools.accounts.edit(world.user("pat").await.id, phone, &world.operator()).await.unwrap();
    for (person, phone) in [(&pat, "+33639980015"), (&bob, "+33639980012")] {
        let shown = person.client.get(&page).await;
        assert!(shown.text().contains("You have no token for this operation yet"), "{}", shown.text());
        assert!(!shown.text().contains(TOKEN_FIELD), "there is nothing to type");
        let pressed = person.client.fill(&page, &format!("{page}/new-token"), &[]).await;
        assert_eq!(pressed.status, 303, "{}", pressed.text());
        let told = |sms: &Message| sms.to == phone && sms.text.contains(&id) && sms.text.contains("Token: ");
        let sms = world.inbox.wait_for(told).await.unwrap();
        assert!(sms.text.starts_with(&format!("{}: confirm", person.name)), "{}", sms.text);
    }
    let sms = world.sms().into_iter().rfind(|sms| sms.to == "+33639980012").unwrap();
    let token: String = sms.text.split_once("Token: ").unwrap().1.chars().take(9).collect();
    delivered(&alice, &bob, &id, &token).await;
    assert_eq!(world.backend.count(), 1);
}

#[tokio::test]
async fn hold_9_a_password_reset_by_the_command_line_withdraws_what_waits() {
    let world = World::start().await;
    let (alice, val, id, token) = held(&world).await;
    command(&world, &["user", "reset-password", "alice"]).await;
    let seen = val.sees(&id, "withdrawn").await;
    assert_eq!(seen["reason"], "requester-changed", "{seen}");
    assert!(val.confirms_raw(&id, &token).await.status >= 400);
    world.inbox.wait_for(|mail| mail.to == "alice@gw.test" && mail.text.contains(&id)).await.unwrap();
    assert!(alice.client.get("/app/x").await.asks_for_sign_in(), "the session ended too");
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn hold_9_confirmed_in_the_moment_after_the_reset_it_is_withdrawn_all_the_same() {
    let world = World::start().await;
    let (_alice, val, id, token) = held(&world).await;
    let page = format!("/secure/operations/{id}");
    let csrf = val.client.get(&page).await.field("csrf");
    command(&world, &["user", "reset-password", "alice"]).await;
    let answer = val.client.post_form(&format!("{page}/confirm"), &[("csrf", &csrf), ("token", &token)]).await;
    assert_eq!(answer.status, 409, "{}", answer.text());
    assert_eq!(val.state(&id).await["state"], "withdrawn");
    assert_eq!(world.backend.count(), 0);
}

/// Randomness that stops whoever draws the token of a session, once it is armed, until it is told to go on.
#[derive(Debug)]
struct Turnstile {
    armed: AtomicBool,
    reached: Notify,
    go_on: Mutex<Receiver<()>>,
}

impl Turnstile {
    fn new() -> (Arc<Self>, Sender<()>) {
        let (open, go_on) = channel();
        let turnstile = Self { armed: AtomicBool::new(false), reached: Notify::new(), go_on: Mutex::new(go_on) };
        (Arc::new(turnstile), open)
    }
}

impl Random for Turnstile {
    fn fill(&self, buffer: &mut [u8]) {
        SystemRandom.fill(buffer);
        // Sessions' tokens alone are that long once the browser has its anti-forgery value.
        if buffer.len() == 32 && self.armed.swap(false, Ordering::SeqCst) {
            self.reached.notify_one();
            self.go_on.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hold_9_a_sign_in_that_a_reset_overlaps_opens_nothing() {
    for stage in ["password", "code"] {
        let (turnstile, open) = Turnstile::new();
        let world = World::builder().random(turnstile.clone()).start().await;
        let name = if stage == "password" { "carol" } else { "alice" };
        let person = world.person(name);
        person.client.get("/secure/login").await;
        if stage == "code" {
            assert_eq!(person.give_password(PASSWORD).await.status, 303);
        }
        let code = world.next_code(name);
        turnstile.armed.store(true, Ordering::SeqCst);
        let signing_in = async {
            if stage == "password" { person.give_password(PASSWORD).await } else { person.give_code(&code).await }
        };
        let reset = async {
            // Everything the person typed was found right by now; only the session is still to be stored.
            turnstile.reached.notified().await;
            command(&world, &["user", "reset-password", name]).await;
            open.send(()).unwrap();
        };
        let (answer, ()) = tokio::join!(signing_in, reset);
        let opened = person.client.get("/app/x").await;
        assert!(opened.asks_for_sign_in(), "{stage}: {} then {}", answer.status, opened.status);
        assert_eq!(world.tools.store.sessions(Some(world.user(name).await.id)).await.unwrap().len(), 0, "{stage}");
        assert_eq!(world.backend.count(), 0);
    }
}
