//! Remembered browsers in front of an application: SESS-3, SESS-4, WEB-3.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use vantail::demo::inbox::{Channel, Message};

use crate::support::client::Client;
use crate::world::{PASSWORD, Person, World};

const SESSION: &str = "vantail";
const REMEMBER: &str = "vantail-remember";

/// Signs in with the box ticked.
async fn signs_in(person: &Person<'_>) {
    let fields = [("username", person.name), ("password", PASSWORD), ("remember", "yes")];
    let answer = person.client.fill("/secure/login", "/secure/login", &fields).await;
    assert_eq!(answer.status, 303, "{}: {}", person.name, answer.text());
    if answer.location().contains("second-factor") {
        assert_eq!(person.client.cookie(REMEMBER), None, "before the last factor");
        person.give_code(&person.world.next_code(person.name)).await;
    }
    assert!(person.client.cookie(REMEMBER).is_some(), "{} is not remembered", person.name);
}

/// Asks for a page as a browser does, which goes wherever it is sent; the last status.
async fn browses(client: &Client, target: &str) -> u16 {
    let mut answer = client.get(target).await;
    for _ in 0..5 {
        if answer.status != 303 {
            return answer.status;
        }
        answer = client.get(answer.location()).await;
    }
    panic!("{target} leads in circles: {}", answer.location());
}

/// Whether a remembered browser is let in: it sees the page, and not the form.
async fn is_let_in(client: &Client) -> bool {
    browses(client, "/app/x").await == 200 && client.get("/app/x").await.status == 200
}

/// Within a second, tried with a bound of three times that, `client` is refused.
async fn is_out_within_a_second(client: &Client, what: &str) {
    let begin = Instant::now();
    while client.get("/app/x").await.status == 200 {
        assert!(begin.elapsed() < Duration::from_secs(3), "{what}: still in");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_remembered_browser_sees_its_page_and_the_application_nothing_of_it() {
    let world = World::start().await;
    let carol = world.person("carol");
    signs_in(&carol).await;
    world.advance(Duration::from_hours(24));
    let asked = carol.client.get("/app/x?y=1").await;
    assert_eq!((asked.status, asked.location()), (303, "/secure/login?return_to=/app/x%3Fy%3D1"));
    let back = carol.client.get(asked.location()).await;
    assert_eq!((back.status, back.location()), (303, "/app/x?y=1"));
    assert_eq!(carol.client.get("/app/x?y=1").await.status, 200);
    assert!(!world.backend.last().text().to_ascii_lowercase().contains("vantail-remember"));
    // A program with the same cookies is told to sign in; nothing of it is used up.
    world.advance(Duration::from_hours(24));
    let program = world.program();
    program.set_cookie(REMEMBER, &carol.client.cookie(REMEMBER).unwrap());
    assert_eq!(program.get("/app/x").await.status, 401);
    assert!(is_let_in(&carol.client).await);
}

#[tokio::test]
async fn what_is_remembered_steps_up_like_one_factor() {
    let world = World::start().await;
    let alice = world.person("alice");
    signs_in(&alice).await;
    assert_eq!(alice.client.get("/admin/x").await.status, 200);
    world.advance(Duration::from_mins(1));
    alice.client.set_cookie(SESSION, "");
    assert!(is_let_in(&alice.client).await);
    let asked = alice.client.get("/admin/x").await;
    assert!(asked.location().starts_with("/secure/login/confirm?need=second-factor"), "{}", asked.location());
    let code = world.next_code("alice");
    let fields = [("need", "second-factor"), ("code", code.as_str())];
    let done = alice.client.fill(asked.location(), "/secure/login/confirm", &fields).await;
    assert_eq!(done.location(), "/admin/x");
    assert_eq!(alice.client.get("/admin/x").await.status, 200);
}

#[tokio::test]
async fn web_3_remember_the_cookie_is_ours_alone() {
    let world = World::start().await;
    let carol = world.person("carol");
    let fields = [("username", "carol"), ("password", PASSWORD), ("remember", "yes")];
    let answer = carol.client.fill("/secure/login", "/secure/login", &fields).await;
    let set = answer.all("set-cookie").into_iter().find(|line| line.starts_with("vantail-remember=")).unwrap();
    let attributes: Vec<_> = set.split("; ").skip(1).collect();
    assert_eq!(attributes, ["Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=2592000"], "plain HTTP on loopback");
}

#[tokio::test]
async fn sess_4_an_old_value_ends_the_family_and_its_owner_reads_it_in_a_mail() {
    let world = World::start().await;
    let carol = world.person("carol");
    signs_in(&carol).await;
    world.advance(Duration::from_hours(24));
    let thief = carol.client.twin().with("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:135.0) Firefox/135.0");
    assert!(is_let_in(&thief).await);
    world.advance(Duration::from_secs(11));
    assert!(carol.client.get("/app/x").await.asks_for_sign_in());
    let page = carol.client.get("/secure/login").await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("had been used before"), "{}", page.text());
    assert_eq!(carol.client.cookie(REMEMBER), None);
    is_out_within_a_second(&thief, "the thief").await;
    assert_eq!(browses(&thief, "/secure/login").await, 200);
    assert_eq!(thief.cookie(REMEMBER), None);
    let told = |message: &Message| message.channel == Channel::Mail && message.to.contains("carol@gw.test");
    world.inbox.wait_for(told).await.unwrap_or_else(|error| panic!("{error}"));
    let mails: Vec<_> = world.inbox.messages().into_iter().filter(told).collect();
    assert_eq!(mails.len(), 1);
    for wanted in ["somebody has used an old one", "From: 127.0.0.1", "/secure/account/sessions"] {
        assert!(mails[0].text.contains(wanted), "{wanted}: {}", mails[0].text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sess_4_fifty_requests_of_one_browser_get_one_value_and_one_session() {
    let world = World::start().await;
    let carol = world.person("carol");
    signs_in(&carol).await;
    world.advance(Duration::from_hours(24));
    let twins: Vec<Client> = (0..50).map(|_| carol.client.twin()).collect();
    let answers = join_all(twins.iter().map(|twin| twin.get("/secure/login?return_to=/app/x"))).await;
    for answer in &answers {
        assert_eq!((answer.status, answer.location()), (303, "/app/x"), "{}", answer.text());
    }
    let held = carol.client.cookie(REMEMBER);
    let rotated: Vec<_> = twins.iter().filter(|twin| twin.cookie(REMEMBER) != held).collect();
    assert_eq!(rotated.len(), 1, "one value");
    let mut sessions: Vec<_> = twins.iter().map(|twin| twin.cookie(SESSION).unwrap()).collect();
    sessions.sort_unstable();
    sessions.dedup();
    assert_eq!(sessions.len(), 1, "one session");
    assert_eq!(twins[0].get("/app/x").await.status, 200);
    assert_eq!(
        world.acts().await.iter().filter(|act| act.starts_with("device.")).count(),
        2,
        "made, and returned once"
    );
    world.advance(Duration::from_hours(24));
    assert!(is_let_in(rotated[0]).await);
}

#[tokio::test]
async fn sess_3_remember_what_is_ended_stays_out_within_a_second() {
    let world = World::start().await;
    let (accounts, operator) = (&world.tools.accounts, world.operator());
    let id = world.user("carol").await.id;
    for what in ["signed out", "ended by the operator", "device ended", "reset"] {
        let carol = world.person("carol");
        signs_in(&carol).await;
        let stolen = carol.client.twin();
        match what {
            "signed out" => drop(carol.client.fill("/secure/logout", "/secure/logout", &[]).await),
            "ended by the operator" => world.operator_ends_sessions_of("carol").await,
            "device ended" => {
                let device = world.tools.store.devices(Some(id), world.now()).await.unwrap()[0].id;
                assert!(world.tools.operations.forget_device(id, device, &operator).await.unwrap());
            }
            _ => drop(accounts.reset_password(&world.tools.policy.load().security, id, &operator).await.unwrap()),
        }
        is_out_within_a_second(&stolen, what).await;
        let page = stolen.get("/secure/login").await;
        assert_eq!((page.status, stolen.cookie(REMEMBER)), (200, None), "{what}");
    }
}

#[tokio::test]
async fn a_remembered_browser_survives_a_restart() {
    let mut world = World::start().await;
    let cookies = {
        let carol = world.person("carol");
        signs_in(&carol).await;
        carol.client.cookies()
    };
    world.advance(Duration::from_hours(24));
    world.restart().await;
    let carol = world.stranger();
    for (name, value) in cookies {
        carol.set_cookie(&name, &value);
    }
    assert!(is_let_in(&carol).await);
}
