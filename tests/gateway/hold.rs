//! Held operations: HOLD-1 to HOLD-12 (HOLD-13 kills processes, in `tests/crash`; HOLD-14 is with the paths). What happens
//! while one waits is in `waiting`, many at once are in `floods`.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use vantail::account::Edit;
use vantail::demo::inbox::Channel;
use vantail::identity::Right;

use crate::support::backend::{Behaviour, Reply};
use crate::world::{PASSWORD, Person, World, add};

/// What is held, for whoever may ask.
pub const DELETE: &str = "/admin/ops/1?name=42";
/// Where a page takes a token.
pub const TOKEN_FIELD: &str = "name=\"token\"";

/// The `Content-Digest` of a body (RFC 9530).
fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(vantail::secret::sha256(body)))
}

/// alice asked, val's token came.
pub async fn held(world: &World) -> (Person<'_>, Person<'_>, String, String) {
    let (alice, val) = (world.signed_in("alice").await, world.signed_in("val").await);
    let id = alice.asks("POST", DELETE, r#"{"because":"duplicate"}"#).await;
    let token = val.token(&id).await;
    (alice, val, id, token)
}

/// val confirms, and it is done.
pub async fn delivered(alice: &Person<'_>, val: &Person<'_>, id: &str, token: &str) {
    let answer = val.confirms(id, token).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    alice.sees(id, "done").await;
}

#[tokio::test]
async fn hold_1_what_is_shown_is_what_is_sent() {
    let world = World::start().await;
    let (alice, val) = (world.signed_in("alice").await, world.signed_in("val").await);
    let body = r#"{"because":"duplicate","count":2}"#;
    let id = alice.asks("POST", "/admin/ops/1?force=1&name=42", body).await;
    let page = val.client.get(&format!("/secure/operations/{id}")).await;
    let text = page.text();
    let digest = content_digest(body.as_bytes());
    for shown in
        ["POST", "gw.test", "/admin/ops/1?force=1&amp;name=42", "because", "duplicate", "alice", &id, "Operation on 42"]
    {
        let escaped = shown.replace("&amp;", "&#38;");
        assert!(text.contains(shown) || text.contains(&escaped), "{shown:?} is not shown:\n{text}");
    }
    assert!(text.contains(digest.trim_start_matches("sha-256=:").trim_end_matches(':')), "the digest is not shown");
    let token = val.token(&id).await;
    delivered(&alice, &val, &id, &token).await;
    let received = world.backend.last();
    assert_eq!((received.method.as_str(), received.target.as_str()), ("POST", "/admin/ops/1?force=1&name=42"));
    assert_eq!(content_digest(&received.body), digest);
}

#[tokio::test]
async fn hold_1_the_sms_names_everything_and_its_link_does_nothing() {
    let world = World::start().await;
    let (_alice, val, id, token) = held(&world).await;
    let sms = world.sms().into_iter().find(|sms| sms.text.contains(&token)).unwrap().text;
    insta::assert_snapshot!(sms.replace(&id, "48271935").replace(&token, "K7QF-2M9X"), @r#"
    val: confirm "Operation on 42" (operation 48271935, asked by alice). Token: K7QF-2M9X, valid 15 min. https://gw.test/secure/operations/48271935
    @gw.test #K7QF-2M9X
    "#);
    let link = format!("/secure/operations/{id}");
    for _ in 0..3 {
        world.stranger().get(&link).await;
        world.program().with("User-Agent", "WhatsApp/2.0").get(&link).await;
        val.client.get(&link).await;
        val.client.send("HEAD", &link, &[], b"").await;
        val.client.get(&format!("{link}?token={token}")).await;
    }
    assert_eq!(val.state(&id).await["state"], "waiting");
    let stranger = world.stranger().post_form(&format!("{link}/confirm"), &[("token", &token)]).await;
    assert!(stranger.is_not_forwarded());
    assert_eq!(val.state(&id).await["state"], "waiting");
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn hold_1_a_token_is_of_no_use_from_outside_the_networks() {
    let world = World::builder().site("networks = [\"ops\"]").start().await;
    let (_alice, val, id, _token) = held(&world).await;
    let outside = val.client.twin().coming_from(IpAddr::from([127, 0, 0, 2]));
    for target in ["/secure/", "/secure/login", "/secure/operations", &format!("/secure/operations/{id}")] {
        let answer = outside.get(target).await;
        assert!(matches!(answer.status, 403 | 404), "{target}: {}", answer.status);
        assert!(!answer.text().contains("Operation"), "{target} shows something");
    }
}

#[tokio::test]
async fn hold_2_hidden_and_deceiving_text_is_shown_as_what_it_is() {
    let world = World::start().await;
    let (alice, val) = (world.signed_in("alice").await, world.signed_in("val").await);
    let blanks = " ".repeat(10_000);
    let body = format!(
        "{{\"note\":\"ab\u{202e}cd\u{200b}ef <script>alert(1)</script> \u{1b}[31mred{blanks}END\",\"p\u{0430}y\":1}}"
    );
    let id = alice.asks("POST", DELETE, &body).await;
    let page = val.client.get(&format!("/secure/operations/{id}")).await;
    let text = page.text();
    for code_point in ["U+202E", "U+200B", "U+0430"] {
        assert!(text.contains(code_point), "{code_point} is not shown");
    }
    assert!(text.contains("END") && text.len() < 60_000, "blanks are collapsed, and what follows is shown");
    assert!(!text.contains("<script>alert") && !text.contains('\u{202e}') && !text.contains('\u{1b}'));
}

#[tokio::test]
async fn hold_2_doubled_keys_gzip_binary_and_a_mebibyte_are_shown_or_marked() {
    let world = World::start().await;
    let (alice, val) = (world.signed_in("alice").await, world.signed_in("val").await);
    let doubled = alice.asks("POST", DELETE, r#"{"amount":1,"amount":9999}"#).await;
    let text = val.client.get(&format!("/secure/operations/{doubled}")).await.text();
    assert_eq!(text.matches("amount").count(), 2, "both are shown: {text}");
    assert!(text.contains("9999"));

    let ask = |content_type: &'static str, encoding: Option<&'static str>, body: Vec<u8>| {
        let client = &alice.client;
        async move {
            let mut headers = vec![("Content-Type", content_type)];
            headers.extend(encoding.map(|encoding| ("Content-Encoding", encoding)));
            let answer = client.send("POST", DELETE, &headers, &body).await;
            assert_eq!(answer.status, 303, "{content_type}: {}", answer.text());
            answer.location().split('/').nth(3).unwrap().to_owned()
        }
    };
    for id in [
        ask("application/json", Some("gzip"), vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]).await,
        ask("application/octet-stream", None, (0..=255).collect()).await,
        ask("text/plain", None, vec![b'x'; 1024 * 1024]).await,
    ] {
        let page = val.client.get(&format!("/secure/operations/{id}")).await;
        assert_eq!(page.status, 200);
        assert!(page.body.len() < 200_000, "a page a phone can show");
        let whole = val.client.get(&format!("/secure/operations/{id}/body")).await;
        assert_eq!(whole.status, 200, "{}", whole.text());
    }
    let over = alice.client.send("POST", DELETE, &[("Content-Type", "text/plain")], &vec![b'x'; 1024 * 1024 + 1]).await;
    assert_eq!(over.status, 413);
}

#[tokio::test]
async fn hold_3_a_changed_record_is_dead() {
    for (column, change) in [
        ("captured", "captured = zeroblob(length(captured))"),
        ("rule_version", "rule_version = 'x' || substr(rule_version, 2)"),
        ("backend", "backend = 'http://127.0.0.1:1'"),
        ("requester", "requester = (SELECT id FROM users WHERE name = 'bob')"),
        ("expires_at", "expires_at = expires_at + 1"),
        ("title_en", "title_en = 'Harmless'"),
        ("quorum", "quorum = 2"),
        ("method", "method = 'GET'"),
        ("seal", "seal = zeroblob(32)"),
    ] {
        let world = World::start().await;
        let (_alice, val, id, token) = held(&world).await;
        let page = format!("/secure/operations/{id}");
        let csrf = val.client.get(&page).await.field("csrf");
        world.tamper(&format!("UPDATE operations SET {change} WHERE id = '{id}'")).await;
        let answer = val.client.post_form(&format!("{page}/confirm"), &[("csrf", &csrf), ("token", &token)]).await;
        assert!(answer.status >= 400, "{column}: {}", answer.status);
        let row = world.tools.store.operation(&id).await.unwrap().unwrap();
        assert_ne!(row.state, vantail::operation::State::Done, "{column}");
        assert_ne!(row.state, vantail::operation::State::Waiting, "{column}: still alive");
        let acts = world.acts().await;
        assert!(acts.iter().any(|act| act.contains("seal")), "{column}: no alarm in {acts:?}");
        assert_eq!(world.backend.count(), 0, "{column}");
    }
}

#[tokio::test]
async fn hold_4_nobody_confirms_their_own() {
    let world = World::start().await;
    let origin = world.operator();
    let accounts = &world.tools.accounts;
    // bob asks and is a validator too; nina shares bob's phone, and is a validator.
    let bob_id = world.user("bob").await.id;
    accounts.grant(bob_id, Right::TokenValidator, &origin).await.unwrap();
    add(&world.tools, &origin, ("nina", &["staff"], &[Right::TokenValidator], Some("+33639980012"), true)).await;
    let bob = world.signed_in("bob").await;
    let id = bob.asks("POST", DELETE, "{}").await;
    let val = world.signed_in("val").await;
    val.token(&id).await;
    let told: Vec<_> = world.sms().into_iter().filter(|sms| sms.text.contains(&id)).map(|sms| sms.to).collect();
    assert_eq!(told, ["+33639980013"], "only val is told");
    for (person, why) in
        [(bob, "You asked for this yourself"), (world.signed_in("nina").await, "You share a phone number")]
    {
        let page = person.client.get(&format!("/secure/operations/{id}")).await;
        assert!(!page.text().contains(TOKEN_FIELD), "{} is shown the form", person.name);
        assert!(page.text().contains(why), "{}: {}", person.name, page.text());
        let csrf = page.hidden("csrf").unwrap_or_default();
        let token = val.token(&id).await;
        let target = format!("/secure/operations/{id}/confirm");
        let answer = person.client.post_form(&target, &[("csrf", &csrf), ("token", &token)]).await;
        assert!(answer.status >= 400, "{}: {}", person.name, answer.status);
    }
    assert_eq!(val.state(&id).await["state"], "waiting");
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn hold_4_one_person_with_two_accounts_is_told_why_they_do_not_confirm_twice() {
    let world = World::builder().hold("confirmations = 2").start().await;
    let twin = ("vic", &["staff"][..], &[Right::TokenValidator][..], Some("+33639980013"), true);
    add(&world.tools, &world.operator(), twin).await;
    let (_alice, val, id, _either) = held(&world).await;
    let vic = world.signed_in("vic").await;
    let to_val = format!("val: confirm \"Operation on 42\" (operation {id}");
    let sms = world.inbox.wait_for(|sms| sms.text.starts_with(&to_val)).await.unwrap();
    let token: String = sms.text.split_once("Token: ").unwrap().1.chars().take(9).collect();
    let page = format!("/secure/operations/{id}");
    assert!(vic.client.get(&page).await.text().contains(TOKEN_FIELD));
    assert_eq!(val.confirms(&id, &token).await.status, 303);
    for (person, why) in [(&val, "You have confirmed it already"), (&vic, "Somebody who shares your phone number")] {
        let shown = person.client.get(&page).await;
        assert!(!shown.text().contains(TOKEN_FIELD) && shown.text().contains(why), "{}: {}", person.name, shown.text());
        assert!(!shown.text().contains("/new-token"), "{} is offered a token", person.name);
    }
    assert_eq!(val.state(&id).await["state"], "waiting");
}

#[tokio::test]
async fn hold_5_a_token_of_one_operation_is_wrong_for_another() {
    let world = World::start().await;
    let (alice, val, first, token) = held(&world).await;
    let second = alice.asks("POST", DELETE, r#"{"because":"duplicate"}"#).await;
    val.token(&second).await;
    assert!(val.confirms(&second, &token).await.status >= 400);
    assert_eq!(val.state(&second).await["state"], "waiting");
    let row = world.tools.store.operation(&second).await.unwrap().unwrap();
    assert_eq!(row.tries, 1, "counted as a wrong guess");
    delivered(&alice, &val, &first, &token).await;
    assert_eq!(world.backend.count(), 1);
}

#[tokio::test]
async fn hold_8_an_operation_is_confirmed_in_time_or_not_at_all() {
    let world = World::start().await;
    let (alice, val, id, token) = held(&world).await;
    world.advance(Duration::from_secs(14 * 60 + 29 - 30));
    val.proves_again().await;
    delivered(&alice, &val, &id, &token).await;

    let world = World::start().await;
    let (_alice, val, id, token) = held(&world).await;
    let page = format!("/secure/operations/{id}");
    world.advance(Duration::from_mins(14));
    val.proves_again().await;
    let csrf = val.client.get(&page).await.field("csrf");
    world.advance(Duration::from_secs(31));
    let confirm = |token: String| {
        let (client, target, csrf) = (&val.client, format!("{page}/confirm"), csrf.clone());
        async move { client.post_form(&target, &[("csrf", &csrf), ("token", &token)]).await.status }
    };
    assert!(confirm(token.clone()).await >= 400, "15:01");
    val.sees(&id, "expired").await;
    world.clock.set(crate::world::BEGIN.plus(Duration::from_mins(2)));
    assert!(confirm(token).await >= 400, "the clock set back revives nothing");
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn hold_8_a_new_token_ends_the_old_one_and_keeps_the_count() {
    let world = World::start().await;
    let (alice, val, id, first) = held(&world).await;
    let page = format!("/secure/operations/{id}");
    assert!(val.confirms(&id, "ZZZZ-ZZZZ").await.status >= 400);
    let early = val.client.fill(&page, &format!("{page}/new-token"), &[]).await;
    assert!(early.status >= 400, "at most one a minute: {}", early.status);
    world.advance(Duration::from_secs(61));
    let asked = val.client.fill(&page, &format!("{page}/new-token"), &[]).await;
    assert_eq!(asked.status, 303, "{}", asked.text());
    world
        .inbox
        .wait_for(|sms| sms.text.contains(&id) && !sms.text.contains(&first) && sms.text.contains("Token"))
        .await
        .unwrap();
    let second = val.token(&id).await;
    assert_ne!(first, second);
    assert!(val.confirms(&id, &first).await.status >= 400, "the old one is dead");
    let row = world.tools.store.operation(&id).await.unwrap().unwrap();
    assert_eq!(row.tries, 2, "the count is kept");
    delivered(&alice, &val, &id, &second).await;
}

#[tokio::test]
async fn hold_8_a_waiting_operation_survives_a_restart() {
    let mut world = World::start().await;
    let (id, token, alice, val) = {
        let (alice, val, id, token) = held(&world).await;
        (id, token, alice.client.cookies(), val.client.cookies())
    };
    world.restart().await;
    let back = |name: &'static str, cookies: std::collections::BTreeMap<String, String>| {
        let person = world.person(name);
        for (name, value) in &cookies {
            person.client.set_cookie(name, value);
        }
        person
    };
    let (alice, val) = (back("alice", alice), back("val", val));
    delivered(&alice, &val, &id, &token).await;
    assert_eq!(world.backend.count(), 1);
}

async fn withdrawn(world: &World, alice: &Person<'_>, val: &Person<'_>, id: &str, token: &str, what: &str) {
    let page = format!("/secure/operations/{id}");
    let csrf = val.client.get(&page).await.hidden("csrf").unwrap_or_default();
    let answer = val.client.post_form(&format!("{page}/confirm"), &[("csrf", &csrf), ("token", token)]).await;
    let seen = val.sees(id, "withdrawn").await;
    assert!(seen["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{what}: {seen}");
    assert_eq!(world.backend.count(), 0, "{what}: {}", answer.status);
    let _ = alice;
}

#[tokio::test]
async fn hold_9_a_requester_who_lost_what_they_asked_with_is_withdrawn() {
    for what in
        ["disabled", "lost the group", "password reset", "second factor reset", "session ended", "past the end date"]
    {
        let world = World::start().await;
        let (alice, val, id, token) = held(&world).await;
        let accounts = &world.tools.accounts;
        let requester = world.user("alice").await.id;
        let origin = world.operator();
        match what {
            "disabled" => accounts.disable(requester, &origin).await.unwrap(),
            "lost the group" => {
                let edit = Edit { remove_groups: vec!["admins".to_owned()], ..Edit::default() };
                accounts.edit(requester, edit, &origin).await.unwrap();
            }
            "password reset" => drop(accounts.reset_password(&world.security(), requester, &origin).await.unwrap()),
            "second factor reset" => {
                accounts
                    .reset_second_factor(requester, world.tools.notices.factor_reset(&origin), &origin)
                    .await
                    .unwrap();
            }
            "past the end date" => {
                let edit = Edit { valid_until: Some(Some(world.now())), ..Edit::default() };
                accounts.edit(requester, edit, &origin).await.unwrap();
            }
            _ => world.operator_ends_sessions_of("alice").await,
        }
        withdrawn(&world, &alice, &val, &id, &token, what).await;
    }
}

#[tokio::test]
async fn hold_9_the_requesters_own_logout_or_time_out_changes_nothing() {
    let world = World::start().await;
    let (alice, val, id, token) = held(&world).await;
    alice.client.fill("/secure/logout", "/secure/logout", &[]).await;
    assert_eq!(val.confirms(&id, &token).await.status, 303);
    val.sees(&id, "done").await;
    assert_eq!(world.backend.count(), 1);
}

#[tokio::test]
async fn hold_9_unless_the_rule_needs_the_session() {
    let world = World::builder().hold("session_needed = true").start().await;
    let (alice, val, id, token) = held(&world).await;
    alice.client.fill("/secure/logout", "/secure/logout", &[]).await;
    withdrawn(&world, &alice, &val, &id, &token, "logged out").await;
}

#[tokio::test]
async fn hold_10_the_backend_is_told_who_asked_and_who_confirmed() {
    let world = World::start().await;
    let (alice, val, id, token) = held(&world).await;
    world.advance(Duration::from_mins(5));
    val.client.get("/app/x").await;
    delivered(&alice, &val, &id, &token).await;
    let received = world.backend.last();
    assert_eq!(received.all("x-vantail-operation"), [id.as_str()]);
    assert_eq!(received.all("idempotency-key"), [id.as_str()]);
    assert_eq!(received.all("remote-user"), ["alice"]);
    assert!(!received.text().contains("vantail="), "gateway cookies are not sent: {}", received.text());
    let keys = format!("http://{}/secure/jwks.json", world.gateway);
    let expected = crate::support::python::Expected { keys: &keys, audience: "gw", issuer: "https://gw.test" };
    let claims = crate::identity::claims_at_any_time(received.header("x-vantail-assertion").unwrap(), expected).await;
    assert_eq!(claims["preferred_username"], "alice");
    assert_eq!(claims["operation"]["id"], id.as_str());
    assert_eq!(claims["operation"]["confirmed_by"], serde_json::json!(["val"]));
    assert_eq!(claims["htm"], "POST");
    assert_eq!(claims["target"], DELETE);
    assert_eq!(claims["operation"]["digest"], content_digest(&received.body).as_str());
    assert_eq!(claims["iat"].as_i64().unwrap(), world.now().as_secs(), "signed at dispatch");
}

#[tokio::test]
async fn hold_11_bodies_arrive_as_they_were_without_what_belongs_to_the_hop() {
    let world = World::start().await;
    let (alice, val) = (world.signed_in("alice").await, world.signed_in("val").await);
    let multipart =
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\r\n\x01\x02\r\n--b--\r\n";
    let cookies = alice.client.cookies();
    let cookie = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
    for (fields, framed, body) in [
        (
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n",
            "5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n".to_owned(),
            "hello".to_owned(),
        ),
        ("Content-Type: multipart/form-data; boundary=b\r\n", multipart.to_owned(), multipart.to_owned()),
        ("Content-Type: text/plain\r\nContent-Encoding: gzip\r\n", "not really".to_owned(), "not really".to_owned()),
        ("", String::new(), String::new()),
    ] {
        let length =
            if fields.contains("chunked") { String::new() } else { format!("Content-Length: {}\r\n", framed.len()) };
        let hop = "Connection: close, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\nProxy-Authorization: x\r\nX-Forwarded-For: 10.9.0.1\r\nX-App: kept\r\n";
        let request = format!(
            "POST {DELETE} HTTP/1.1\r\nHost: gw.test\r\nAccept: text/html\r\nSec-Fetch-Mode: navigate\r\nCookie: {cookie}; app=kept\r\n{hop}{length}{fields}\r\n{framed}"
        );
        let answer = alice.client.raw(request.as_bytes()).await;
        assert_eq!(answer.status, 303, "{fields:?}: {}", answer.text());
        let id = answer.location().split('/').nth(3).unwrap().to_owned();
        let before = world.backend.count();
        delivered(&alice, &val, &id, &val.token(&id).await).await;
        assert_eq!(world.backend.count(), before + 1);
        let received = world.backend.last();
        assert_eq!(String::from_utf8_lossy(&received.body), body);
        for gone in ["te", "x-hop", "proxy-authorization", "trailer", "x-t"] {
            assert!(received.header(gone).is_none(), "{gone}: {}", received.text());
        }
        assert_eq!(received.all("x-forwarded-for"), ["127.0.0.1"]);
        assert_eq!(received.header("x-app"), Some("kept"));
        assert_eq!(received.header("cookie"), Some("app=kept"));
        for kept in ["content-type", "content-encoding"] {
            let sent = fields.to_ascii_lowercase().contains(kept);
            assert_eq!(received.header(kept).is_some(), sent, "{kept}: {}", received.text());
        }
    }
}

#[tokio::test]
async fn hold_11_a_redirect_is_recorded_and_not_followed() {
    let world = World::start().await;
    let (alice, val, id, token) = held(&world).await;
    let inner = format!("{}/public/inner", world.backend.url());
    world.backend.answer_with(Behaviour::Normal(Reply::new(302, "").with("Location", &inner)));
    delivered(&alice, &val, &id, &token).await;
    assert_eq!(world.backend.count(), 1);
    let row = world.tools.store.operation(&id).await.unwrap().unwrap();
    assert_eq!(row.status, Some(302));
    let kept = alice.client.twin().get(&format!("/secure/operations/{id}/answer")).await;
    assert!(kept.status == 303 && kept.location() == DELETE, "{}", kept.text());
}

#[tokio::test]
async fn hold_12_a_backend_that_hangs_up_is_asked_once() {
    for method in ["PUT", "DELETE", "POST"] {
        let world = World::start().await;
        let (alice, val) = (world.signed_in("alice").await, world.signed_in("val").await);
        for _ in 0..3 {
            assert_eq!(alice.client.get("/app/x").await.status, 200, "a connection to reuse");
        }
        let id = alice.asks(method, DELETE, "{}").await;
        let token = val.token(&id).await;
        world.backend.answer_with(Behaviour::CloseAfterReading);
        assert_eq!(val.confirms(&id, &token).await.status, 303);
        let seen = alice.sees(&id, "unknown").await;
        let deliveries = world.backend.requests().iter().filter(|request| request.method == method).count();
        assert_eq!(deliveries, 1, "{method}: {seen}");
        world.tools.operations.sweep().await.unwrap();
        let deliveries = world.backend.requests().iter().filter(|request| request.method == method).count();
        assert_eq!(deliveries, 1, "{method}: never sent again by itself");
    }
}

#[tokio::test]
async fn h8_a_denied_operation_says_why_and_is_over() {
    let world = World::start().await;
    let (alice, val, id, token) = held(&world).await;
    assert_eq!(val.denies(&id, "Not before the audit").await.status, 303);
    let seen = alice.sees(&id, "denied").await;
    assert!(seen["reason"].as_str().unwrap().contains("Not before the audit"), "{seen}");
    assert!(
        val.client.post_form(&format!("/secure/operations/{id}/confirm"), &[("token", &token)]).await.status >= 400
    );
    assert_eq!(world.backend.count(), 0);
    let mail = world.inbox.wait_for(|mail| mail.channel == Channel::Mail && mail.text.contains(&id)).await.unwrap();
    assert_eq!(mail.to, "alice@gw.test");
}

#[tokio::test]
async fn h8_a_requester_cancels_their_own() {
    let world = World::start().await;
    let (alice, val, id, _token) = held(&world).await;
    let wait = format!("/secure/operations/{id}/wait");
    let answer = alice.client.fill(&wait, &format!("/secure/operations/{id}/cancel"), &[]).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    val.sees(&id, "cancelled").await;
}

#[tokio::test]
async fn h8_a_quorum_of_two_needs_two_people() {
    let world = World::builder().hold("confirmations = 2").start().await;
    let origin = world.operator();
    add(&world.tools, &origin, ("vera", &["staff"], &[Right::TokenValidator], Some("+33639980014"), true)).await;
    let (alice, val, id, token) = held(&world).await;
    assert_eq!(val.confirms(&id, &token).await.status, 303);
    assert_eq!(alice.state(&id).await["state"], "waiting");
    assert!(val.confirms_raw(&id, &token).await.status >= 400, "nobody counts twice");
    assert_eq!(world.backend.count(), 0);
    let vera = world.signed_in("vera").await;
    let phone = "+33639980014";
    let sms = world.inbox.wait_for(|sms| sms.to == phone && sms.text.contains(&id)).await.unwrap();
    let token: String = sms.text.split_once("Token: ").unwrap().1.chars().take(9).collect();
    delivered(&alice, &vera, &id, &token).await;
    assert_eq!(world.backend.count(), 1);
}

#[tokio::test]
async fn h6_every_validator_gets_the_second_sms() {
    let world = World::start().await;
    let (alice, val, id, token) = held(&world).await;
    delivered(&alice, &val, &id, &token).await;
    let text = format!("val: \"Operation on 42\" (operation {id}) was confirmed by val.");
    world.inbox.wait_for(|sms| sms.text.trim() == text).await.unwrap();
}

#[tokio::test]
async fn h9_a_browser_is_led_to_the_backends_own_answer() {
    let world = World::start().await;
    let (alice, val, id, token) = held(&world).await;
    let reply = Reply::new(200, "<a href=\"list\">Customer 42 is gone</a>")
        .with("Set-Cookie", "app=1; Path=/")
        .with("Content-Type", "text/html");
    world.backend.answer_with(Behaviour::Normal(reply));
    let wait = alice.client.get(&format!("/secure/operations/{id}/wait")).await;
    assert!(
        wait.header("refresh").is_some() || wait.text().contains("http-equiv=\"refresh\""),
        "moves on without a script"
    );
    delivered(&alice, &val, &id, &token).await;
    let moved = alice.client.get(&format!("/secure/operations/{id}/wait")).await;
    assert_eq!(moved.location(), format!("/secure/operations/{id}/answer"));
    let there = alice.client.get(&format!("/secure/operations/{id}/answer")).await;
    assert_eq!(there.location(), DELETE, "the answer is shown at the address of the request");
    let answer = alice.client.get(DELETE).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "<a href=\"list\">Customer 42 is gone</a>"));
    assert!(answer.all("set-cookie").iter().any(|cookie| cookie.starts_with("app=1")));
    assert_eq!(world.backend.count(), 1, "the backend was asked once");
    let again = alice.client.get(DELETE).await;
    assert!(!again.text().contains("Customer 42 is gone") || world.backend.count() == 2, "the ticket is used up");
}

#[tokio::test]
async fn h9_a_program_gets_202_and_then_the_answer() {
    let world = World::start().await;
    let val = world.signed_in("val").await;
    let alice = world.signed_in("alice").await;
    let program = crate::support::client::Client::new(world.gateway);
    for (name, value) in alice.client.cookies() {
        program.set_cookie(&name, &value);
    }
    let answer = program.send("DELETE", DELETE, &[], b"").await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert!(answer.header("retry-after").is_some());
    let document = answer.json();
    let id = document["operation"].as_str().unwrap().to_owned();
    assert_eq!(answer.location(), format!("/secure/operations/{id}"));
    assert_eq!(document["state"], "waiting");
    assert_eq!(document["title"], "Operation on 42");
    world.backend.answer_with(Behaviour::Normal(Reply::new(204, "")));
    val.confirms(&id, &val.token(&id).await).await;
    alice.sees(&id, "done").await;
    let path = |url: &serde_json::Value| url.as_str().unwrap().trim_start_matches("https://gw.test").to_owned();
    assert_eq!(program.get(&path(&document["answer_url"])).await.status, 204);
    assert!(world.person("carol").client.get(&path(&document["status_url"])).await.is_not_forwarded());
}

#[tokio::test]
async fn h5_an_operation_is_loaded_by_its_id_and_strangers_see_none() {
    let world = World::start().await;
    let (_alice, val, id, _token) = held(&world).await;
    let answer = val.client.get(&format!("/secure/operations?operation={id}")).await;
    assert_eq!(answer.location(), format!("/secure/operations/{id}"));
    let carol = world.signed_in("carol").await;
    let theirs = carol.client.get(&format!("/secure/operations/{id}")).await;
    let nobodys = carol.client.get("/secure/operations/00000000").await;
    assert_eq!((theirs.status, nobodys.status), (404, 404));
}

#[tokio::test]
async fn h13_redacted_fields_are_masked_and_arrive_whole() {
    let world = World::builder().hold("redact = [\"password\"]").start().await;
    let (alice, val) = (world.signed_in("alice").await, world.signed_in("val").await);
    let id = alice.asks("POST", DELETE, r#"{"user":"x","password":"correct-horse"}"#).await;
    let page = val.client.get(&format!("/secure/operations/{id}")).await.text();
    assert!(page.contains("password") && !page.contains("correct-horse"), "{page}");
    assert!(val.client.get(&format!("/secure/operations/{id}/body")).await.status >= 400);
    delivered(&alice, &val, &id, &val.token(&id).await).await;
    assert!(world.backend.last().text().contains("correct-horse"));
}

#[tokio::test]
async fn self_confirm_when_alone_asks_for_a_fresh_second_factor() {
    let world = World::builder().hold("self_confirm = \"when-alone\"").start().await;
    let origin = world.operator();
    let accounts = &world.tools.accounts;
    accounts.grant(world.user("bob").await.id, Right::TokenValidator, &origin).await.unwrap();
    accounts.disable(world.user("val").await.id, &origin).await.unwrap();
    let bob = world.signed_in("bob").await;
    let id = bob.asks("POST", DELETE, "{}").await;
    let token = bob.token(&id).await;
    world.advance(Duration::from_mins(6));
    let page = bob.client.get(&format!("/secure/operations/{id}")).await;
    let csrf = page.hidden("csrf").unwrap_or_default();
    let target = format!("/secure/operations/{id}/confirm");
    let answer = bob.client.post_form(&target, &[("csrf", &csrf), ("token", &token)]).await;
    assert!(
        answer.status == 303 && answer.location().contains("/secure/login/confirm"),
        "{} {}",
        answer.status,
        answer.text()
    );
    let code = world.next_code("bob");
    let fields = [("password", PASSWORD), ("code", code.as_str())];
    assert_eq!(bob.client.fill("/secure/login/confirm", "/secure/login/confirm", &fields).await.status, 303);
    delivered(&bob, &bob, &id, &token).await;
}
