//! Step-up: a request whose sender must first prove more lies aside meanwhile, and reaches the backend once. Many tabs, both
//! ways of stopping short, and every way in which a redirect could lead in a circle.

use std::sync::Arc;
use std::time::Duration;

use vantail::operation::{DetourId, Detours};
use vantail::policy::load::load;
use vantail::session::Presented;

use crate::support::answer::Answer;
use crate::support::backend::{Backend, Behaviour, Reply};
use crate::support::client::{Client, release_together};
use crate::support::files::write;
use crate::world::{Builder, PASSWORD, Person, World, add};

/// A password no older than five minutes, a code no older than that, a proof younger than anybody brings, and a hold.
const RULES: &str = r#"
[[rule]]
name = "fresh"
paths = ["/fresh/**"]
access = "signed-in"
fresh = "5m"

[[rule]]
name = "vault"
paths = ["/vault/**"]
access = "signed-in"
factors = 2
fresh = "5m"

[[rule]]
name = "brief"
paths = ["/brief/**"]
access = "signed-in"
fresh = "1s"

[[rule]]
name = "held when fresh"
methods = ["POST"]
paths = ["/held/**"]
access = "signed-in"
fresh = "5m"
[rule.hold]
title = { en = "Held {form.name}", fr = "Retenu {form.name}" }
"#;
const FORM: &str = "application/x-www-form-urlencoded";
const LIMIT: usize = 1 << 20;
const CONFIRM: &str = "/secure/login/confirm";
const NOT_KEPT: &str = "/secure/login/not-kept";

fn builder() -> Builder {
    World::builder().site(RULES)
}

/// `name`, signed in six minutes ago.
async fn signed_in_a_while_ago<'w>(world: &'w World, name: &'static str) -> Person<'w> {
    let person = world.signed_in(name).await;
    world.advance(Duration::from_mins(6));
    person
}

/// Asked to prove more; where the confirmation leads back to.
fn back_from(asked: &Answer) -> String {
    assert_eq!(asked.status, 303, "{}", asked.text());
    let (page, query) = asked.location().split_once('?').unwrap();
    assert_eq!(page, CONFIRM);
    let query: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap();
    query.into_iter().find(|(name, _)| name == "return_to").unwrap().1
}

/// The request lies aside; its id.
fn laid_aside(asked: &Answer) -> String {
    let back = back_from(asked);
    let id = back.strip_prefix("/secure/login/resume/").unwrap_or_else(|| panic!("not laid aside: {back}"));
    id.to_owned()
}

/// What a proof on `page` would be, but for who posts it.
fn proof(world: &World, name: &str, page: &Answer) -> Vec<(&'static str, String)> {
    assert_eq!(page.status, 200, "{}", page.text());
    let mut fields: Vec<_> = ["csrf", "need", "return_to"].map(|field| (field, page.field(field))).into();
    if page.text().contains("name=\"password\"") {
        fields.push(("password", PASSWORD.to_owned()));
    }
    if page.text().contains("name=\"code\"") {
        fields.push(("code", world.next_code(name)));
    }
    fields
}

fn borrowed<'f>(fields: &'f [(&'static str, String)]) -> Vec<(&'static str, &'f str)> {
    fields.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// Proves what `asked` asks for.
async fn proves(person: &Person<'_>, asked: &Answer) -> Answer {
    let page = person.client.get(asked.location()).await;
    let fields = proof(person.world, person.name, &page);
    person.client.post_form(CONFIRM, &borrowed(&fields)).await
}

/// Goes where `answer` leads, until it leads nowhere; the last page, and every address on the way.
async fn follow(client: &Client, mut answer: Answer) -> (Answer, Vec<String>) {
    let mut way = Vec::new();
    while answer.status == 303 {
        assert!(way.len() < 10, "a circle: {way:?}");
        way.push(answer.location().to_owned());
        answer = client.get(answer.location()).await;
    }
    (answer, way)
}

/// Sends, proves what is asked for, and goes on to the end.
async fn sends_and_proves(person: &Person<'_>, target: &str, content_type: &str, body: &[u8]) -> (Answer, Vec<String>) {
    let asked = person.client.send("POST", target, &[("Content-Type", content_type)], body).await;
    let proven = proves(person, &asked).await;
    follow(&person.client, proven).await
}

/// How many requests of `name` lie aside.
async fn aside(world: &World, name: &str) -> i64 {
    let user = world.user(name).await.id;
    world.tools.store.count_detours(user, world.now()).await.unwrap()
}

/// Waits until `client` is heard to be signed out.
async fn is_out(client: &Client) {
    let begun = std::time::Instant::now();
    while client.get("/app/x").await.status == 200 {
        assert!(begun.elapsed() < crate::support::PATIENCE, "still in");
        tokio::task::yield_now().await;
    }
}

/// Changes the rules while the gateway runs.
fn change_rules(world: &World, from: &str, to: &str) {
    let policies = world.folder().join("policies");
    let rules = std::fs::read_to_string(policies.join("sites/gw.toml")).unwrap();
    assert!(rules.contains(from), "{from}");
    write(&policies, "sites/gw.toml", &rules.replace(from, to));
    world.tools.policy.store(Arc::new(load(&policies).unwrap().0));
}

fn multipart() -> Vec<u8> {
    let head = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\r\n".to_vec();
    let binary: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    [head, binary, b"\r\n--b--\r\n".to_vec()].concat()
}

#[tokio::test]
async fn whatever_was_posted_comes_back_after_the_detour_and_reaches_the_backend_once() {
    let world = builder().start().await;
    let alice = world.signed_in("alice").await;
    let bodies: [(&str, Vec<u8>); 7] = [
        (FORM, b"name=42&note=%C3%A9t%C3%A9+%26".to_vec()),
        ("multipart/form-data; boundary=b", multipart()),
        ("text/plain", b"{\"json\"=:\"as a form sends it\"}\r\n".to_vec()),
        ("application/json", br#"{"name":"42"}"#.to_vec()),
        ("application/octet-stream", (0..=255).collect()),
        (FORM, Vec::new()),
        ("text/plain", vec![b'x'; LIMIT]),
    ];
    for (number, (content_type, body)) in bodies.into_iter().enumerate() {
        world.advance(Duration::from_mins(6));
        let target = format!("/vault/customers/{number}?note=a%20b&note=c");
        let (page, way) = sends_and_proves(&alice, &target, content_type, &body).await;
        assert_eq!((page.status, page.text().as_str()), (200, "ok"), "{content_type}");
        assert_eq!(way.last().unwrap(), &target, "the answer is shown at the address of the request");
        assert!(way.len() < 3, "with the first, three redirects: {way:?}");
        assert_eq!(world.backend.count(), number + 1, "{content_type}");
        let received = world.backend.last();
        assert_eq!((received.method.as_str(), received.target.as_str()), ("POST", target.as_str()));
        assert_eq!(received.header("content-type"), Some(content_type));
        assert!(received.body == body, "{content_type}: {} bytes of {}", received.body.len(), body.len());
        assert_eq!(received.header("remote-user"), Some("alice"));
        assert_eq!(received.header("host"), Some("gw.test"));
        assert!(received.header("x-vantail-assertion").is_some() && received.header("cookie").is_none());
    }
    assert_eq!(aside(&world, "alice").await, 0);
    let acts = world.acts().await;
    let count = |wanted: &str| acts.iter().filter(|act| *act == wanted).count();
    assert_eq!((count("request.laid-aside ok"), count("request.resumed ok")), (7, 7));
}

#[tokio::test]
async fn one_byte_over_the_limit_is_refused_before_anything_is_stored() {
    let world = builder().start().await;
    let alice = signed_in_a_while_ago(&world, "alice").await;
    let body = vec![b'x'; LIMIT + 1];
    let refused = alice.client.send("POST", "/vault/x", &[("Content-Type", "text/plain")], &body).await;
    assert_eq!(refused.status, 413, "{}", refused.text());
    assert_eq!((aside(&world, "alice").await, world.backend.count()), (0, 0));
}

#[tokio::test]
async fn any_unsafe_method_comes_back_as_what_it_was() {
    let world = builder().start().await;
    let alice = world.signed_in("alice").await;
    for method in ["PUT", "PATCH", "DELETE"] {
        world.advance(Duration::from_mins(6));
        let asked = alice.client.send(method, "/vault/1", &[("Content-Type", "text/plain")], b"body").await;
        let proven = proves(&alice, &asked).await;
        assert_eq!(follow(&alice.client, proven).await.0.status, 200);
        let received = world.backend.last();
        assert_eq!((received.method.as_str(), &received.body[..]), (method, &b"body"[..]));
    }
    assert_eq!(world.backend.count(), 3);
}

#[tokio::test]
async fn the_answer_is_the_backends_own_of_whatever_length_and_reloading_sends_nothing_again() {
    let world = builder().start().await;
    let carol = signed_in_a_while_ago(&world, "carol").await;
    let long = "long ".repeat(700_000);
    let reply = Reply::new(422, &long)
        .with("Content-Type", "text/html")
        .with("Set-Cookie", "app=2; Path=/")
        .with("Set-Cookie", "vantail=forged; Path=/")
        .with("Cache-Control", "max-age=3600");
    world.backend.answer_with(Behaviour::Normal(reply));
    carol.client.set_cookie("app", "1");
    let asked = carol.client.send("POST", "/fresh/x", &[("Content-Type", FORM)], b"a=1").await;
    // Another tab of the application moved its session on meanwhile.
    carol.client.set_cookie("app", "1b");
    let proven = proves(&carol, &asked).await;
    let (page, _) = follow(&carol.client, proven).await;
    assert_eq!((page.status, page.text() == long), (422, true));
    assert_eq!(page.header("content-type"), Some("text/html"));
    assert_eq!(page.all("cache-control"), ["no-store"], "a POST's answer is not kept as a GET's");
    assert_eq!(carol.client.cookie("app").as_deref(), Some("2"));
    assert_ne!(carol.client.cookie("vantail").as_deref(), Some("forged"));
    assert_eq!(world.backend.last().all("cookie"), ["app=1b"]);
    assert!(carol.client.cookies().keys().all(|name| !name.contains("resume")), "the ticket is taken back");

    let reloaded = carol.client.get("/fresh/x").await;
    assert_eq!(reloaded.status, 422);
    let methods: Vec<_> = world.backend.requests().into_iter().map(|request| request.method).collect();
    assert_eq!(methods, ["POST", "GET"]);
}

#[tokio::test]
async fn a_redirect_of_the_backends_is_followed_as_after_any_post() {
    let world = builder().start().await;
    let carol = signed_in_a_while_ago(&world, "carol").await;
    world.backend.answer_with(Behaviour::Normal(Reply::new(303, "").with("Location", "/fresh/list")));
    let asked = carol.client.send("POST", "/fresh/list", &[("Content-Type", FORM)], b"a=1").await;
    let proven = proves(&carol, &asked).await;
    let shown = carol.client.get(carol.client.get(proven.location()).await.location()).await;
    assert_eq!((shown.status, shown.location()), (303, "/fresh/list"));
    world.backend.answer_with(Behaviour::Normal(Reply::ok("the list")));
    assert_eq!(carol.client.get("/fresh/list").await.text(), "the list", "the same address, asked for as it is");
    assert_eq!(world.backend.count(), 2);
}

#[tokio::test]
async fn a_backend_that_wants_it_sent_elsewhere_or_does_not_answer_gets_it_once_and_the_page_says_so() {
    let world = builder().start().await;
    let carol = signed_in_a_while_ago(&world, "carol").await;
    let elsewhere = Reply::new(308, "").with("Location", "/fresh/x/");
    for (number, behaviour) in
        [Behaviour::Normal(elsewhere), Behaviour::CloseAfterReading, Behaviour::Reset].into_iter().enumerate()
    {
        world.backend.answer_with(behaviour);
        let asked = carol.client.send("POST", "/fresh/x", &[("Content-Type", FORM)], b"a=1").await;
        let proven = proves(&carol, &asked).await;
        let (page, way) = follow(&carol.client, proven).await;
        assert_eq!(page.status, 502, "{}", page.text());
        assert!(page.text().contains("may or may not have taken effect"), "{}", page.text());
        assert_eq!(world.backend.count(), number + 1, "it is never sent again");
        let again = carol.client.get(&way[0]).await;
        assert_eq!(again.status, 409, "{}", again.text());
        world.advance(Duration::from_mins(6));
    }
}

#[tokio::test]
async fn nothing_is_lost_while_no_backend_can_be_reached() {
    let app = Backend::start().await;
    let address = app.addr();
    let world = builder().in_front_of(address).start().await;
    let carol = signed_in_a_while_ago(&world, "carol").await;
    app.stop().await;
    let (page, way) = sends_and_proves(&carol, "/fresh/x", FORM, b"a=1").await;
    assert_eq!(page.status, 502, "{}", page.text());
    assert_eq!(aside(&world, "carol").await, 1, "nothing was sent");
    let app = Backend::start_on(address).await;
    let reloaded = carol.client.get(way.last().unwrap()).await;
    assert_eq!((reloaded.status, reloaded.text().as_str()), (200, "ok"));
    assert_eq!((app.last().method.as_str(), &app.last().body[..], app.count()), ("POST", &b"a=1"[..], 1));
}

#[tokio::test]
async fn sess_1_a_confirmation_pressed_twice_sends_once() {
    let world = builder().start().await;
    let alice = signed_in_a_while_ago(&world, "alice").await;
    let asked = alice.client.send("POST", "/vault/x", &[("Content-Type", FORM)], b"a=1").await;
    let page = alice.client.get(asked.location()).await;
    let fields = proof(&world, "alice", &page);
    let first = alice.client.post_form(CONFIRM, &borrowed(&fields)).await;
    // The second press arrives with the cookie of before, and its answer is the one that the browser shows.
    let late = alice.client.twin();
    late.set_cookie("vantail", "vs_of-before");
    let second = late.post_form(CONFIRM, &borrowed(&fields)).await;
    assert_eq!((first.status, second.status), (303, 303), "{}", second.text());
    assert!(second.all("set-cookie").iter().all(|cookie| !cookie.starts_with("vantail=")), "the session is not lost");
    assert_eq!(second.location(), first.location());
    let (page, _) = follow(&alice.client, second).await;
    assert_eq!((page.status, page.text().as_str()), (200, "ok"));
    let (again, _) = follow(&alice.client, first).await;
    assert_eq!(again.status, 409, "{}", again.text());
    assert_eq!(world.backend.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_confirmations_and_fifty_returns_at_once_one_sends() {
    let world = builder().start().await;
    let alice = signed_in_a_while_ago(&world, "alice").await;
    let asked = alice.client.send("POST", "/vault/x", &[("Content-Type", FORM)], b"a=1").await;
    let page = alice.client.get(asked.location()).await;
    let fields = proof(&world, "alice", &page);
    let mut prepared = Vec::new();
    for _ in 0..50 {
        prepared.push(alice.client.prepare_form(CONFIRM, &borrowed(&fields)).await);
    }
    let answers = release_together(prepared).await;
    let is_in = |answer: &&Answer| answer.all("set-cookie").iter().any(|cookie| cookie.starts_with("vantail="));
    let won: Vec<_> = answers.iter().filter(is_in).collect();
    assert_eq!(won.len(), 1, "one code, one proof");
    assert_eq!(won[0].status, 303);
    for answer in &answers {
        assert!(matches!(answer.status, 303 | 422 | 503), "{}: {}", answer.status, answer.text());
    }
    let cookie = won[0].all("set-cookie")[0].split(['=', ';']).nth(1).unwrap().to_owned();
    alice.client.set_cookie("vantail", &cookie);
    let ticket = alice.client.get(won[0].location()).await;
    assert_eq!((ticket.status, ticket.location()), (303, "/vault/x"));
    let returns: Vec<_> = (0..50)
        .map(|_| {
            let tab = alice.client.twin();
            tokio::spawn(async move { tab.get("/vault/x").await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for one in returns {
        statuses.push(one.await.unwrap());
    }
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 409)), "{statuses:?}");
    assert_eq!(world.backend.requests().iter().map(|one| one.method.as_str()).collect::<Vec<_>>(), ["POST"]);
}

#[tokio::test]
async fn tabs_do_not_disturb_each_other() {
    let world = builder().start().await;
    let alice = signed_in_a_while_ago(&world, "alice").await;
    let mut tabs = Vec::new();
    for number in 0..4 {
        let body = format!("tab={number}");
        let asked = alice.client.send("POST", "/vault/x", &[("Content-Type", FORM)], body.as_bytes()).await;
        laid_aside(&asked);
        tabs.push(asked);
    }
    // The second tab shows its form before the first one proves anything.
    let shown = alice.client.get(tabs[1].location()).await;
    let stale: Vec<_> = ["csrf", "need", "return_to"].map(|field| (field, shown.field(field))).into();
    let proven = proves(&alice, &tabs[0]).await;
    // Both are on their way back at the same moment.
    let typed = [borrowed(&stale), vec![("code", "123456")]].concat();
    let second = alice.client.post_form(CONFIRM, &typed).await;
    assert_eq!(second.location(), back_from(&tabs[1]), "a form of before another tab's proof is not needed");
    let (first, second) = (alice.client.get(proven.location()).await, alice.client.get(second.location()).await);
    for answer in [first, second] {
        assert_eq!(follow(&alice.client, answer).await.0.text(), "ok");
    }
    // The others go on at once, to what each of them sent.
    for tab in &tabs[2..] {
        let (page, way) = follow(&alice.client, tab.clone()).await;
        assert_eq!((page.text().as_str(), way.len()), ("ok", 3), "{way:?}");
    }
    let mut bodies: Vec<_> =
        world.backend.requests().iter().map(|one| String::from_utf8(one.body.clone()).unwrap()).collect();
    bodies.sort_unstable();
    assert_eq!(bodies, ["tab=0", "tab=1", "tab=2", "tab=3"]);
}

#[tokio::test]
async fn web_2_what_comes_from_elsewhere_is_not_kept_and_the_page_asks_to_send_it_again() {
    let world = builder().start().await;
    let plain = |person: &Person<'_>| {
        let client = world.program().with("Accept", "text/html");
        for (name, value) in &person.client.cookies() {
            client.set_cookie(name, value);
        }
        client
    };
    let foreign: [&[(&str, &str)]; 6] = [
        &[],
        &[("Origin", "https://evil.test")],
        &[("Origin", "null")],
        &[("Origin", "http://gw.test"), ("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Origin", "https://evil.test"), ("Sec-Fetch-Site", "same-origin")],
    ];
    for headers in foreign {
        let carol = signed_in_a_while_ago(&world, "carol").await;
        let headers = [&[("Content-Type", FORM), ("Referer", "http://gw.test/fresh/form?x=1")], headers].concat();
        let asked = plain(&carol).send("POST", "/fresh/x", &headers, b"a=1").await;
        assert_eq!(back_from(&asked), format!("{NOT_KEPT}?from=/fresh/form%3Fx%3D1"), "{headers:?}");
        assert_eq!(aside(&world, "carol").await, 0, "{headers:?}");
        let (page, way) = follow(&carol.client, proves(&carol, &asked).await).await;
        assert_eq!((page.status, way.len()), (200, 1));
        assert!(page.text().contains("send it again") && page.text().contains("href=\"/fresh/form?x=1\""));
    }
    for (own, referer) in [
        (("Origin", "http://gw.test"), "https://evil.test/form"),
        (("Sec-Fetch-Site", "same-origin"), "http://gw.test/fresh/form"),
    ] {
        let carol = signed_in_a_while_ago(&world, "carol").await;
        let headers = [("Content-Type", FORM), ("Referer", referer), own];
        laid_aside(&plain(&carol).send("POST", "/fresh/x", &headers, b"a=1").await);
        assert_eq!(aside(&world, "carol").await, 1);
        world.tools.store.forget_dead_detours(world.now().plus(Duration::from_mins(11))).await.unwrap();
    }
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn web_2_without_a_session_nothing_is_kept_and_nothing_posted_is_opened() {
    let world = builder().start().await;
    let carol = world.person("carol");
    let headers = [("Content-Type", FORM), ("Referer", "https://evil.test/")];
    let asked = carol.client.send("POST", "/fresh/x", &headers, b"a=1").await;
    assert_eq!(asked.location(), format!("/secure/login?return_to={NOT_KEPT}"));
    let fields = [("username", "carol"), ("password", PASSWORD)];
    let signed_in = carol.client.fill(asked.location(), "/secure/login", &fields).await;
    let (page, way) = follow(&carol.client, signed_in).await;
    assert_eq!(way, [NOT_KEPT]);
    assert!(page.text().contains("send it again") && page.text().contains("href=\"/\""), "{}", page.text());
    assert_eq!((aside(&world, "carol").await, world.backend.count()), (0, 0));
}

#[tokio::test]
async fn programs_are_told_what_is_missing_and_nothing_is_kept() {
    let world = builder().start().await;
    let carol = signed_in_a_while_ago(&world, "carol").await;
    let program = world.program().with("Sec-Fetch-Site", "same-origin").with("Sec-Fetch-Mode", "cors");
    program.set_cookie("vantail", &carol.client.cookie("vantail").unwrap());
    let told = program.post_json("/fresh/x", "{}").await;
    assert_eq!((told.status, told.json()["type"].as_str()), (401, Some("urn:vantail:problem:step-up")));
    assert!(told.header("www-authenticate").unwrap().contains("max_age=\"300\""));
    assert_eq!((aside(&world, "carol").await, world.backend.count()), (0, 0));
}

#[tokio::test]
async fn no_more_than_twenty_of_one_person_lie_aside() {
    let world = builder().start().await;
    let carol = signed_in_a_while_ago(&world, "carol").await;
    for _ in 0..20 {
        laid_aside(&carol.client.send("POST", "/fresh/x", &[("Content-Type", FORM)], b"a=1").await);
    }
    let one_more = carol.client.send("POST", "/fresh/x", &[("Content-Type", FORM)], b"a=1").await;
    assert_eq!(back_from(&one_more), NOT_KEPT);
    assert_eq!(aside(&world, "carol").await, 20);
    let alice = signed_in_a_while_ago(&world, "alice").await;
    laid_aside(&alice.client.send("POST", "/fresh/x", &[("Content-Type", FORM)], b"a=1").await);
}

#[tokio::test]
async fn what_lies_aside_longer_than_ten_minutes_is_not_sent() {
    let world = builder().start().await;
    let carol = signed_in_a_while_ago(&world, "carol").await;
    let asked = carol.client.send("POST", "/fresh/x", &[("Content-Type", FORM)], b"a=1").await;
    world.advance(Duration::from_mins(10));
    let (page, _) = follow(&carol.client, asked).await;
    assert_eq!(page.status, 404, "no proof is asked for nothing: {}", page.text());
    assert!(page.text().contains("Not kept any more"), "{}", page.text());
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn what_a_remembered_browser_posts_waits_for_the_password_however_lately_it_signed_in() {
    let world = builder().start().await;
    let carol = world.person("carol");
    let fields = [("username", "carol"), ("password", PASSWORD), ("remember", "yes")];
    assert_eq!(carol.client.fill("/secure/login", "/secure/login", &fields).await.status, 303);
    // The browser lost its session a minute after the sign-in.
    world.advance(Duration::from_mins(1));
    carol.client.set_cookie("vantail", "");
    let asked = carol.client.get("/app/x").await;
    let (page, way) = follow(&carol.client, asked).await;
    assert_eq!((page.status, way.len()), (200, 2), "in, and asked for nothing: {way:?}");

    let asked = carol.client.send("POST", "/fresh/x", &[("Content-Type", FORM)], b"a=1").await;
    assert!(asked.location().contains("need=sign-in"), "{}", asked.location());
    let early = carol.client.get(&format!("/secure/login/resume/{}", laid_aside(&asked))).await;
    assert_eq!(early.location(), asked.location(), "its address alone opens nothing");
    let proven = proves(&carol, &asked).await;
    assert_eq!(follow(&carol.client, proven).await.0.status, 200);
    let sent: Vec<_> = world.backend.requests().into_iter().filter(|one| one.target == "/fresh/x").collect();
    assert_eq!((sent.len(), sent[0].method.as_str(), &sent[0].body[..]), (1, "POST", &b"a=1"[..]));
}

#[tokio::test]
async fn sess_3_what_was_sent_in_a_session_that_ended_is_not_sent_in_another() {
    let world = builder().start().await;
    let carol = signed_in_a_while_ago(&world, "carol").await;
    let asked = carol.client.send("POST", "/fresh/x", &[("Content-Type", FORM)], b"a=1").await;
    let resume = back_from(&asked);
    world.operator_ends_sessions_of("carol").await;
    is_out(&carol.client).await;
    let (login, _) = follow(&carol.client, asked).await;
    assert_eq!(login.field("return_to"), resume, "the sign-in leads back to it");
    let fields = [("csrf", login.field("csrf")), ("return_to", resume), ("username", "carol".into())];
    let fields = [borrowed(&fields), vec![("password", PASSWORD)]].concat();
    let signed_in = carol.client.post_form("/secure/login", &fields).await;
    let (page, _) = follow(&carol.client, signed_in).await;
    assert_eq!(page.status, 404, "{}", page.text());
    assert!(page.text().contains("send it again"), "{}", page.text());
    assert!(world.backend.requests().iter().all(|one| one.target == "/app/x"));
}

#[tokio::test]
async fn sess_3_a_session_that_ends_with_the_ticket_in_hand_sends_nothing() {
    let world = builder().start().await;
    let carol = signed_in_a_while_ago(&world, "carol").await;
    let asked = carol.client.send("POST", "/fresh/x", &[("Content-Type", FORM)], b"a=1").await;
    let proven = proves(&carol, &asked).await;
    let ticket = carol.client.get(proven.location()).await;
    assert_eq!(ticket.location(), "/fresh/x");
    world.operator_ends_sessions_of("carol").await;
    let signed_out = carol.client.get("/fresh/x").await;
    assert_eq!(signed_out.status, 404, "neither sent, nor opened with GET: {}", signed_out.text());
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn sess_3_somebody_disabled_meanwhile_sends_nothing() {
    let world = builder().start().await;
    let carol = signed_in_a_while_ago(&world, "carol").await;
    let asked = carol.client.send("POST", "/fresh/x", &[("Content-Type", FORM)], b"a=1").await;
    let ticket = carol.client.get(proves(&carol, &asked).await.location()).await;
    assert_eq!(ticket.location(), "/fresh/x");
    let id = world.user("carol").await.id;
    world.tools.accounts.disable(id, &world.operator()).await.unwrap();
    // At once, whether or not this process has heard of it yet.
    let refused = carol.client.get("/fresh/x").await;
    assert_eq!(refused.status, 404, "{}", refused.text());
    is_out(&carol.client).await;
    let (page, _) = follow(&carol.client, asked).await;
    assert!(page.text().contains("name=\"username\""), "{}", page.text());
    assert!(world.backend.requests().iter().all(|one| one.target == "/app/x"));
}

#[tokio::test]
async fn a_rule_that_denies_it_meanwhile_denies_it() {
    let world = builder().start().await;
    let carol = signed_in_a_while_ago(&world, "carol").await;
    let asked = carol.client.send("POST", "/fresh/x", &[("Content-Type", FORM)], b"a=1").await;
    change_rules(
        &world,
        "paths = [\"/fresh/**\"]\naccess = \"signed-in\"\nfresh = \"5m\"",
        "paths = [\"/fresh/**\"]\naccess = \"denied\"",
    );
    let (page, way) = follow(&carol.client, proves(&carol, &asked).await).await;
    assert_eq!(page.status, 403, "{}", page.text());
    assert_eq!((aside(&world, "carol").await, world.backend.count()), (0, 0));
    assert_eq!(carol.client.get(&way[0]).await.status, 404, "it is gone");
}

#[tokio::test]
async fn a_rule_that_asks_for_more_meanwhile_is_met_before_anything_is_sent() {
    let world = builder().start().await;
    let alice = signed_in_a_while_ago(&world, "alice").await;
    let asked = alice.client.send("POST", "/fresh/x", &[("Content-Type", FORM)], b"a=1").await;
    assert!(asked.location().contains("need=sign-in"));
    let proven = proves(&alice, &asked).await;
    world.advance(Duration::from_mins(1));
    change_rules(
        &world,
        "paths = [\"/fresh/**\"]\naccess = \"signed-in\"\nfresh = \"5m\"",
        "paths = [\"/fresh/**\"]\naccess = \"signed-in\"\nfactors = 2\nfresh = \"30s\"",
    );
    let (form, way) = follow(&alice.client, proven).await;
    assert_eq!(way.len(), 3, "{way:?}");
    assert!(form.text().contains("name=\"code\"") && !form.text().contains("name=\"password\""), "{}", form.text());
    assert_eq!(world.backend.count(), 0);
    let fields = proof(&world, "alice", &form);
    let proven = alice.client.post_form(CONFIRM, &borrowed(&fields)).await;
    assert_eq!(follow(&alice.client, proven).await.0.text(), "ok");
    assert_eq!(world.backend.count(), 1);
}

#[tokio::test]
async fn what_is_held_is_held_after_the_step_up() {
    let world = builder().start().await;
    let (carol, val) = (signed_in_a_while_ago(&world, "carol").await, world.signed_in("val").await);
    let (page, way) = sends_and_proves(&carol, "/held/x", FORM, b"name=42").await;
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(page.text().contains("Held 42"), "{}", page.text());
    assert_eq!(world.backend.count(), 0);
    let wait = way.last().unwrap();
    let id = wait.split('/').nth(3).unwrap().to_owned();
    assert!(wait.ends_with("/wait"), "{way:?}");
    let token = val.token(&id).await;
    assert_eq!(val.confirms(&id, &token).await.status, 303);
    carol.sees(&id, "done").await;
    let received = world.backend.last();
    assert_eq!((&received.body[..], received.header("x-vantail-operation")), (&b"name=42"[..], Some(id.as_str())));
    // The address is an ordinary one again.
    assert_ne!(carol.client.get("/held/x").await.status, 409);
    assert_eq!(world.backend.requests().iter().filter(|one| one.method == "POST").count(), 1);
}

#[tokio::test]
async fn what_lies_aside_survives_a_restart() {
    let mut world = builder().start().await;
    let (asked, cookies) = {
        let carol = signed_in_a_while_ago(&world, "carol").await;
        let asked = carol.client.send("POST", "/fresh/x", &[("Content-Type", FORM)], b"a=1").await;
        (asked, carol.client.cookies())
    };
    world.restart().await;
    let carol = world.person("carol");
    for (name, value) in &cookies {
        carol.client.set_cookie(name, value);
    }
    let (page, _) = follow(&carol.client, proves(&carol, &asked).await).await;
    assert_eq!((page.text().as_str(), &world.backend.last().body[..]), ("ok", &b"a=1"[..]));
    assert_eq!(world.backend.count(), 1);
}

#[tokio::test]
async fn hold_13_whatever_breaks_off_after_it_was_used_loses_it_and_the_page_says_so() {
    let world = builder().start().await;
    let carol = signed_in_a_while_ago(&world, "carol").await;
    let asked = carol.client.send("POST", "/fresh/x", &[("Content-Type", FORM)], b"a=1").await;
    let id = DetourId::parse(&laid_aside(&asked)).unwrap();
    let proven = proves(&carol, &asked).await;
    let ticket = carol.client.get(proven.location()).await;
    assert_eq!(ticket.location(), "/fresh/x");
    // As a process that ends just before the first byte leaves it.
    let token = vantail::secret::SessionToken::parse(&carol.client.cookie("vantail").unwrap()).unwrap();
    let limits = world.tools.policy.load().security.sessions;
    let presented = world.tools.sessions.look_up(&token, &limits, world.now(), true).await.unwrap();
    let Presented::Live(me) = presented else { panic!("{presented:?}") };
    let detours = Detours::of(&world.tools.accounts);
    let detour = detours.find(&id, &me, world.now()).await.unwrap().unwrap();
    let request = detours.request(&detour, &me, world.now()).await.unwrap().unwrap();
    assert!(detours.take(&detour, &request, &me, &world.operator()).await.unwrap());
    let page = carol.client.get("/fresh/x").await;
    assert_eq!(page.status, 409, "{}", page.text());
    assert!(page.text().contains("Look in the application"), "{}", page.text());
    assert_eq!(world.backend.count(), 0, "neither sent nor opened with GET");
    assert!(detours.request(&detour, &me, world.now()).await.unwrap().is_none(), "what was used is empty");
}

#[tokio::test]
async fn another_persons_request_is_not_there_whatever_is_tried() {
    let world = builder().start().await;
    let carol = signed_in_a_while_ago(&world, "carol").await;
    let asked = carol.client.send("POST", "/fresh/x", &[("Content-Type", FORM)], b"a=1").await;
    let resume = back_from(&asked);
    let proven = proves(&carol, &asked).await;
    carol.client.get(proven.location()).await;
    let alice = world.signed_in("alice").await;
    for (name, value) in carol.client.cookies().into_iter().filter(|(name, _)| name.contains("resume")) {
        alice.client.set_cookie(&name, &value);
    }
    let nowhere = "/secure/login/resume/AAAAAAAAAAAAAAAAAAAAAA";
    let [known, unknown] = [alice.client.get(&resume).await, alice.client.get(nowhere).await];
    assert_eq!((known.status, unknown.status), (404, 404));
    let shown = |page: &Answer| page.text().replace(page.header("x-request-id").unwrap(), "");
    assert_eq!(shown(&known), shown(&unknown), "nothing tells them apart");
    assert_eq!(alice.client.get("/secure/login/resume/x").await.status, 404);
    assert_eq!(alice.client.get("/fresh/x").await.status, 404, "not with the ticket either");
    assert_eq!((aside(&world, "carol").await, world.backend.count()), (1, 0));
    assert_eq!(carol.client.get("/fresh/x").await.text(), "ok", "its own sender goes on");
    assert_eq!(world.backend.count(), 1);
}

#[tokio::test]
async fn a_request_moved_to_another_session_or_changed_is_dead() {
    for change in [
        "session_id = (SELECT id FROM sessions WHERE user_id = (SELECT id FROM users WHERE name = 'alice')), \
         user_id = (SELECT id FROM users WHERE name = 'alice')",
        "request = zeroblob(length(request))",
        "target = zeroblob(length(target))",
    ] {
        let world = builder().start().await;
        let carol = signed_in_a_while_ago(&world, "carol").await;
        let asked = carol.client.send("POST", "/fresh/x", &[("Content-Type", FORM)], b"a=1").await;
        let proven = proves(&carol, &asked).await;
        let (alice, ticket) = (world.signed_in("alice").await, carol.client.get(proven.location()).await);
        assert_eq!(ticket.location(), "/fresh/x");
        world.tamper(&format!("UPDATE detours SET {change}")).await;
        for (name, value) in carol.client.cookies().into_iter().filter(|(name, _)| name.contains("resume")) {
            alice.client.set_cookie(&name, &value);
        }
        for person in [&carol, &alice] {
            assert_eq!(person.client.get("/fresh/x").await.status, 404, "{change}");
        }
        assert_eq!(world.backend.count(), 0, "{change}");
    }
}

#[tokio::test]
async fn a_ticket_is_good_for_its_own_address_alone_and_a_forged_one_for_none() {
    let world = builder().start().await;
    let carol = signed_in_a_while_ago(&world, "carol").await;
    let asked = carol.client.send("POST", "/fresh/x", &[("Content-Type", FORM)], b"a=1").await;
    let id = laid_aside(&asked);
    let forged = carol.client.twin();
    forged.set_cookie(&format!("vantail-resume-{id}"), &"A".repeat(43));
    assert!(forged.get("/fresh/x").await.location().starts_with(CONFIRM), "an ordinary GET, judged as one");
    carol.client.get(proves(&carol, &asked).await.location()).await;
    for target in ["/fresh/y", "/fresh/x?a=1", "/fresh/x/"] {
        assert_eq!(carol.client.get(target).await.status, 200);
        assert_eq!(world.backend.last().method, "GET", "{target}");
    }
    let program = world.program().with("Accept", "text/html").with("Sec-Fetch-Mode", "cors");
    for (name, value) in carol.client.cookies() {
        program.set_cookie(&name, &value);
    }
    program.get("/fresh/x").await;
    assert!(world.backend.requests().iter().all(|one| one.method != "POST"), "for a navigation alone");
    assert_eq!(carol.client.get("/fresh/x").await.status, 200);
    assert_eq!(world.backend.last().method, "POST");
}

#[tokio::test]
async fn a_rule_younger_than_any_proof_is_explained_and_leads_in_no_circle() {
    let world = builder().start().await;
    let carol = world.signed_in("carol").await;
    world.advance(Duration::from_mins(1));
    let asked = carol.client.get("/brief/x").await;
    assert_eq!(back_from(&asked), "/brief/x");
    let proven = proves(&carol, &asked).await;
    world.advance(Duration::from_secs(2));
    let (page, way) = follow(&carol.client, proven).await;
    assert_eq!((page.status, way.len()), (403, 1), "{way:?}");
    assert!(page.text().contains("lead in a circle") && page.text().contains(CONFIRM), "{}", page.text());

    world.advance(Duration::from_mins(1));
    let asked = carol.client.send("POST", "/brief/x", &[("Content-Type", FORM)], b"a=1").await;
    laid_aside(&asked);
    let proven = proves(&carol, &asked).await;
    world.advance(Duration::from_secs(2));
    let (page, way) = follow(&carol.client, proven).await;
    assert_eq!((page.status, way.len()), (403, 1), "{way:?}");
    assert_eq!((aside(&world, "carol").await, world.backend.count()), (1, 0), "it is still there");
    // Once more, and faster.
    world.advance(Duration::from_secs(30));
    let (page, way) = follow(&carol.client, proves(&carol, &asked).await).await;
    assert_eq!((page.text().as_str(), way.len()), ("ok", 2), "{way:?}");
    assert_eq!(world.backend.count(), 1);
}

#[tokio::test]
async fn a_proof_that_grows_old_on_the_last_step_is_explained_there() {
    let world = builder().start().await;
    let carol = world.signed_in("carol").await;
    world.advance(Duration::from_mins(1));
    let asked = carol.client.send("POST", "/brief/x", &[("Content-Type", FORM)], b"a=1").await;
    let ticket = carol.client.get(proves(&carol, &asked).await.location()).await;
    assert_eq!(ticket.location(), "/brief/x");
    world.advance(Duration::from_secs(2));
    let page = carol.client.get("/brief/x").await;
    assert_eq!((page.status, world.backend.count()), (403, 0), "{}", page.text());
    assert_eq!(aside(&world, "carol").await, 1);
}

#[tokio::test]
async fn a_clock_that_is_set_back_leads_in_no_circle() {
    let world = builder().start().await;
    let carol = world.signed_in("carol").await;
    world.advance(Duration::from_mins(10));
    let asked = carol.client.get("/fresh/x").await;
    let proven = proves(&carol, &asked).await;
    world.clock.set(world.now().minus(Duration::from_mins(5)));
    let (page, way) = follow(&carol.client, proven).await;
    assert_eq!((page.status, way.len()), (403, 1), "{way:?} {}", page.text());
    let again = page.text().split("href=\"").find(|rest| rest.starts_with(CONFIRM)).unwrap().to_owned();
    let again = again.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
    let form = carol.client.get(&again).await;
    let fields = proof(&world, "carol", &form);
    let proven = carol.client.post_form(CONFIRM, &borrowed(&fields)).await;
    assert_eq!(follow(&carol.client, proven).await.0.text(), "ok");
}

#[tokio::test]
async fn who_has_no_second_factor_sets_one_up_and_goes_on_or_is_told_to_whom_to_turn() {
    let world = builder().security("[second_factor]\nhidden = [\"group:guests\"]").start().await;
    add(&world.tools, &world.operator(), ("gus", &["guests"], &[], None, false)).await;
    let gus = world.signed_in("gus").await;
    let asked = gus.client.send("POST", "/vault/x", &[("Content-Type", FORM)], b"a=1").await;
    laid_aside(&asked);
    let (page, way) = follow(&gus.client, asked).await;
    assert_eq!((page.status, way.len()), (403, 1), "{way:?} {}", page.text());
    assert!(page.text().contains("Ask your administrator"), "{}", page.text());
    let read = gus.client.get("/vault/x").await;
    assert_eq!(follow(&gus.client, read).await.0.status, 403);

    let carol = world.signed_in("carol").await;
    let asked = carol.client.send("POST", "/vault/x", &[("Content-Type", FORM)], b"a=1").await;
    let resume = back_from(&asked);
    let (page, way) = follow(&carol.client, asked).await;
    assert_eq!((page.status, way.len()), (200, 2), "{way:?}");
    assert_eq!(page.field("return_to"), resume, "setting one up leads back to it");
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn what_was_read_by_a_rule_already_is_laid_aside_as_it_is() {
    let judged = r#"
[[rule]]
name = "deletions"
methods = ["POST"]
paths = ["/looked/**"]
form = { act = "delete" }
access = "signed-in"
fresh = "5m"

[[rule]]
name = "the rest"
paths = ["/looked/**"]
access = "signed-in"
"#;
    let world = World::builder().site(judged).start().await;
    let carol = signed_in_a_while_ago(&world, "carol").await;
    let body = format!("act=delete&padding={}", "x".repeat(100_000));
    let (page, _) = sends_and_proves(&carol, "/looked/x", FORM, body.as_bytes()).await;
    assert_eq!(page.text(), "ok");
    assert_eq!(world.backend.last().body, body.as_bytes());
    assert_eq!(world.backend.count(), 1);
}
