//! Headers, identity, client address: HDR-1 to HDR-8.

use std::net::IpAddr;

use crate::support::backend::Behaviour;
use crate::world::World;

/// Every header the gateway sets, in the spellings by which legacy backends read them alike.
const FORGED: [(&str, &str); 22] = [
    ("Remote-User", "root"),
    ("remote-user", "root"),
    ("Remote_User", "root"),
    ("REMOTE.USER", "root"),
    ("Remote-Name", "root"),
    ("Remote-Email", "root@gw.test"),
    ("Remote-Groups", "forged"),
    ("Remote_Groups", "forged"),
    ("RemoteGroups", "forged"),
    ("Remote-Groups", ""),
    ("X-Vantail-Assertion", "forged"),
    ("X_Vantail_Assertion", "forged"),
    ("x.vantail.assertion", "forged"),
    ("X-VantailAssertion", "forged"),
    ("X-Vantail-Operation", "forged"),
    ("X_Vantail-Operation", "forged"),
    ("X-Forwarded-Host", "forged"),
    ("X_Forwarded_For", "10.9.0.1"),
    ("X-Request-Id", "forged"),
    ("X-Original-URL", "/forged"),
    ("X-Rewrite-URL", "/forged"),
    ("Forwarded", "for=10.9.0.1;host=forged"),
];

/// No header of `request` whose letters and digits are those of a managed one has a forged value.
fn carries_nothing_forged(request: &crate::support::received::Received) {
    for (name, value) in request.headers.iter() {
        let forged = ["root", "forged", "/forged", "10.9.0.1"].iter().any(|forged| value.contains(forged));
        assert!(!forged, "{name}: {value}\n{}", request.text());
    }
}

/// The names of `request` as they were written, without what differs from way to way.
fn names(request: &crate::support::received::Received) -> Vec<String> {
    let mut names: Vec<_> = request.headers.iter().map(|(name, _)| name.clone()).collect();
    names.retain(|name| !matches!(name.as_str(), "x-vantail-operation" | "idempotency-key"));
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_backend_sees_the_same_names_whether_a_request_was_held_or_not() {
    let world = World::start().await;
    let (alice, val) = (world.signed_in("alice").await, world.signed_in("val").await);
    let fields = [("Content-Type", "application/json"), ("X-MiXed", "1"), ("ACCEPT", "*/*")];
    assert_eq!(alice.client.send("POST", "/app/x", &fields, b"{}").await.status, 200);
    let forwarded = names(&world.backend.last());
    for name in ["Host", "Content-Type", "x-mixed", "accept", "remote-user", "x-request-id"] {
        assert!(forwarded.iter().any(|own| own == name), "{name} is not in {forwarded:?}");
    }
    let held = alice.client.send("POST", "/admin/ops/1", &fields, b"{}").await;
    let id = held.location().split('/').nth(3).unwrap().to_owned();
    let token = val.token(&id).await;
    crate::hold::delivered(&alice, &val, &id, &token).await;
    assert_eq!(names(&world.backend.last()), forwarded);
}

#[tokio::test]
async fn hdr_1_no_identity_comes_from_the_client_on_any_kind_of_route() {
    let world = World::start().await;
    let doubled: Vec<_> = FORGED.iter().chain(FORGED.iter()).copied().collect();
    assert_eq!(world.stranger().send("GET", "/public/x", &doubled, b"").await.status, 200);
    let open = world.backend.last();
    carries_nothing_forged(&open);
    assert!(open.header("remote-user").is_none(), "nobody is signed in: {}", open.text());
    assert!(open.header("x-vantail-assertion").is_none());

    let carol = world.signed_in("carol").await;
    assert_eq!(carol.client.send("GET", "/app/x", &doubled, b"").await.status, 200);
    let signed_in = world.backend.last();
    carries_nothing_forged(&signed_in);
    assert_eq!(signed_in.all("remote-user"), ["carol"]);
    assert_eq!(signed_in.all("remote-groups"), ["customers"]);
    assert_eq!(signed_in.all("x-vantail-assertion").len(), 1);
}

#[tokio::test]
async fn hdr_1_no_identity_comes_from_the_client_on_a_web_socket() {
    let world = World::start().await;
    let switching = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".to_vec();
    world.backend.answer_with(Behaviour::Echo(switching));
    let carol = world.signed_in("carol").await;
    let mut headers = vec![("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")];
    headers.extend_from_slice(&FORGED);
    let cookies = carol.client.cookies();
    let cookie = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
    let mut request = format!("GET /app/ws HTTP/1.1\r\nHost: gw.test\r\nCookie: {cookie}\r\n");
    for (name, value) in headers {
        request.extend([name, ": ", value, "\r\n"]);
    }
    let answer = carol.client.raw(format!("{request}\r\n").as_bytes()).await;
    assert_eq!(answer.status, 101, "{}", answer.text());
    let received = world.backend.last();
    carries_nothing_forged(&received);
    assert_eq!(received.all("remote-user"), ["carol"]);
}

#[tokio::test]
async fn hdr_1_no_identity_comes_from_the_client_on_a_held_request() {
    let world = World::start().await;
    let (alice, val) = (world.signed_in("alice").await, world.signed_in("val").await);
    let answer = alice.client.send("POST", "/admin/ops/1?name=1", &FORGED, b"{}").await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let id = answer.location().split('/').nth(3).unwrap().to_owned();
    val.confirms(&id, &val.token(&id).await).await;
    alice.sees(&id, "done").await;
    carries_nothing_forged(&world.backend.last());
    assert_eq!(world.backend.last().all("remote-user"), ["alice"]);
}

#[tokio::test]
async fn hdr_2_a_space_before_the_colon_is_refused() {
    let world = World::start().await;
    let request = "GET /public/x HTTP/1.1\r\nHost: gw.test\r\nRemote-User : root\r\nConnection: close\r\n\r\n";
    let answer = world.stranger().raw(request.as_bytes()).await;
    assert!(answer.status == 400 || answer.status == 200);
    for request in world.backend.requests() {
        carries_nothing_forged(&request);
    }
}

#[tokio::test]
async fn hdr_2_every_folded_spelling_is_removed() {
    let world = World::start().await;
    for spelling in
        ["Remote_User", "remote_user", "Remote.User", "REMOTE-USER", "R-e-m-o-t-e-User", "Remote~User", "Remote--User"]
    {
        assert_eq!(world.stranger().send("GET", "/public/x", &[(spelling, "root")], b"").await.status, 200);
        carries_nothing_forged(&world.backend.last());
    }
}

#[tokio::test]
async fn hdr_3_connection_strips_none_of_ours() {
    let world = World::start().await;
    let carol = world.signed_in("carol").await;
    for value in ["Remote-User, close", "X-Vantail-Assertion", "\"Remote-User\"", "Host", "X-Forwarded-For, Cookie"] {
        let before = world.backend.count();
        let answer = carol.client.send("GET", "/app/x", &[("Connection", value)], b"").await;
        if answer.status == 400 {
            assert_eq!(world.backend.count(), before);
            continue;
        }
        assert_eq!(answer.status, 200, "{value}");
        let received = world.backend.last();
        assert_eq!(received.all("remote-user"), ["carol"], "{value}");
        assert_eq!(received.all("x-vantail-assertion").len(), 1, "{value}");
        assert_eq!(received.all("host").len(), 1, "{value}");
        assert_eq!(received.all("x-forwarded-for").len(), 1, "{value}");
    }
}

const CLAIMS: [(&str, &str); 5] = [
    ("X-Forwarded-For", "10.9.0.1"),
    ("X-Real-IP", "10.9.0.1"),
    ("Forwarded", "for=10.9.0.1"),
    ("True-Client-IP", "10.9.0.1"),
    ("CF-Connecting-IP", "10.9.0.1"),
];

#[tokio::test]
async fn hdr_4_an_untrusted_address_cannot_say_it_is_another() {
    let world = World::start().await;
    let alice = world.signed_in("alice").await;
    let outside = alice.client.twin().coming_from(IpAddr::from([127, 0, 0, 2]));
    let answer = outside.send("GET", "/admin/x", &CLAIMS, b"").await;
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert_eq!(world.backend.count(), 0);
    assert_eq!(outside.send("GET", "/app/x", &CLAIMS, b"").await.status, 200);
    let received = world.backend.last();
    assert_eq!(received.all("x-forwarded-for"), ["127.0.0.2"]);
    assert!(!received.text().contains("10.9.0.1"), "{}", received.text());
}

#[tokio::test]
async fn hdr_5_forwarding_headers_change_no_decision_and_no_link() {
    let world = World::start().await;
    let forged = [
        ("X-Forwarded-Uri", "/public/health"),
        ("X-Original-URL", "/public/health"),
        ("X-Rewrite-URL", "/public/health"),
        ("X-Forwarded-Prefix", "/public"),
        ("X-Forwarded-Host", "evil.test"),
        ("X-Forwarded-Proto", "https"),
    ];
    let answer = world.stranger().send("GET", "/app/x", &forged, b"").await;
    assert!(answer.asks_for_sign_in());
    assert!(!answer.location().contains("evil"), "{}", answer.location());
    let login = world.stranger().send("GET", "/secure/login", &forged, b"").await;
    assert!(
        login.all("set-cookie").iter().all(|cookie| !cookie.starts_with("__Host-")),
        "an untrusted https was believed"
    );
    assert!(!login.text().contains("evil"));
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn hdr_6_the_client_is_the_right_most_untrusted_entry() {
    let world = World::start().await;
    let alice = world.signed_in("alice").await;
    let proxy = alice.client.twin().coming_from(IpAddr::from([127, 0, 0, 9]));
    for (chain, status) in [
        ("10.9.0.1, 203.0.113.5", 403),
        ("203.0.113.5, 10.9.0.1", 200),
        ("10.9.0.1", 200),
        ("10.9.0.1, 127.0.0.9", 200),
        ("::ffff:10.9.0.1", 200),
        ("10.9.0.1, unknown", 400),
        ("\"10.9.0.1\"", 400),
        ("", 400),
    ] {
        let answer = proxy.send("GET", "/admin/x", &[("X-Forwarded-For", chain)], b"").await;
        assert_eq!(answer.status, status, "{chain:?}: {}", answer.text());
    }
    let long = format!("{}, 203.0.113.5", vec!["10.9.0.1"; 499].join(", "));
    let answer = proxy.send("GET", "/admin/x", &[("X-Forwarded-For", &long)], b"").await;
    assert!(matches!(answer.status, 400 | 403 | 431), "{}", answer.status);
}

#[tokio::test]
async fn hdr_8_method_overrides_never_reach_the_backend_unjudged() {
    let world = World::start().await;
    let carol = world.signed_in("carol").await;
    let overrides = [
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-HTTP-Method", "DELETE"),
        ("X-Method-Override", "DELETE"),
        ("X_HTTP_Method_Override", "DELETE"),
    ];
    assert_eq!(carol.client.send("GET", "/app/x", &overrides, b"").await.status, 200);
    assert!(!world.backend.last().text().contains("DELETE"), "{}", world.backend.last().text());
}

#[tokio::test]
async fn hdr_8_where_overrides_are_allowed_the_strictest_answer_wins() {
    let world = World::builder().site("method_override = true").start().await;
    let alice = world.signed_in("alice").await;
    for (target, headers, body) in [
        ("/admin/ops/1", &[("X-HTTP-Method-Override", "DELETE")][..], ""),
        ("/admin/ops/1", &[("HTTP_Method-Override", "DELETE")], ""),
        ("/admin/ops/1?_method=DELETE", &[], ""),
        ("/admin/ops/1", &[("Content-Type", "application/x-www-form-urlencoded")], "_method=DELETE"),
    ] {
        let method = if body.is_empty() { "GET" } else { "POST" };
        let answer = alice.client.send(method, target, headers, body.as_bytes()).await;
        assert!(
            answer.status == 303 && answer.location().contains("/wait"),
            "{target}: {} {}",
            answer.status,
            answer.text()
        );
    }
    assert_eq!(world.backend.count(), 0);
}
