//! Streams, and backends that misbehave: FLT-7, long transfers, WebSockets, event streams, several backends.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use vantail::demo::LegacyApp;

use crate::support::backend::{Backend, Behaviour, Reply};
use crate::support::raw::{Raw, tls};
use crate::support::raw_h2::Outcome;
use crate::support::received::Received;
use crate::world::World;

#[tokio::test]
async fn flt_7_a_backend_that_misbehaves_is_answered_for_and_asked_once() {
    let world = World::start().await;
    let carol = world.signed_in("carol").await;
    for (behaviour, statuses) in [
        (Behaviour::CloseAfterReading, &[502][..]),
        (Behaviour::Reset, &[502]),
        (Behaviour::HalfAnswer(Reply::ok("half an answer")), &[0, 200, 502]),
        (Behaviour::WrongLength(Reply::ok("short")), &[0, 200, 502]),
        (
            Behaviour::Bytes(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n".to_vec()),
            &[502],
        ),
        (Behaviour::Bytes(b"garbage\r\n\r\n".to_vec()), &[502]),
    ] {
        world.backend.answer_with(behaviour.clone());
        let before = world.backend.count();
        let answer = carol.client.post_json("/app/x", "{}").await;
        assert!(statuses.contains(&answer.status), "{behaviour:?}: {} {}", answer.status, answer.text());
        assert_eq!(world.backend.count() - before, 1, "{behaviour:?}: sent once");
    }
    world.backend.answer_with(Behaviour::Normal(Reply::ok("well again")));
    assert_eq!(carol.client.get("/app/x").await.status, 200);
}

#[tokio::test]
async fn flt_7_a_backend_that_refuses_connections_is_a_502() {
    let world = World::builder().in_front_of(std::net::SocketAddr::from(([127, 0, 0, 1], 1))).start().await;
    let begin = Instant::now();
    assert_eq!(world.stranger().get("/public/x").await.status, 502);
    assert!(begin.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn several_backends_share_the_work_and_a_dead_one_is_left_out() {
    let second = Backend::start().await;
    let text = format!("backends = [\"{}\", \"http://127.0.0.1:1\", \"{}\"]", second.url(), second.url());
    let world = World::builder().backends(&text).start().await;
    for _ in 0..20 {
        assert_eq!(world.stranger().get("/public/x").await.status, 200);
    }
    assert_eq!(second.count(), 20);
}

#[tokio::test]
async fn a_web_socket_echoes_both_ways() {
    let app = LegacyApp::start(crate::support::ANY_PORT).await.unwrap();
    let world = World::builder().in_front_of(app.addr()).site(WS_RULE).start().await;
    let carol = world.signed_in("carol").await;
    let cookie = format!("vantail={}", carol.client.cookie("vantail").unwrap());
    let mut stream = carol.client.connect().await;
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: gw.test\r\nCookie: {cookie}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    // A masked text frame "hi" (RFC 6455 5.3), its mask all zeroes; echoed unmasked.
    stream.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).await.unwrap();
    let mut echo = [0; 4];
    stream.read_exact(&mut echo).await.unwrap();
    assert_eq!(&echo, &[0x81, 2, b'h', b'i']);
}

/// Rules are in order: this one comes first.
const WS_RULE: &str = "
[[rule]]
name = \"demo\"
paths = [\"/ws\", \"/events\", \"/download\", \"/upload\", \"/headers\"]
access = \"signed-in\"
";

#[tokio::test]
async fn an_event_stream_arrives_as_it_is_written() {
    let app = LegacyApp::start(crate::support::ANY_PORT).await.unwrap();
    let world = World::builder().in_front_of(app.addr()).site(WS_RULE).start().await;
    let carol = world.signed_in("carol").await;
    let mut stream = carol.client.connect().await;
    let cookie = format!("vantail={}", carol.client.cookie("vantail").unwrap());
    let request =
        format!("GET /events HTTP/1.1\r\nHost: gw.test\r\nCookie: {cookie}\r\nAccept: text/event-stream\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    let reading = async {
        while String::from_utf8_lossy(&seen).matches("data:").count() < 2 {
            let read = stream.read(&mut buffer).await.unwrap();
            assert_ne!(read, 0, "ended: {}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&buffer[..read]);
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, reading).await.expect("events arrive while the stream is open");
}

const GIB: u64 = 1024 * 1024 * 1024;

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gibibytes_go_down_and_up_in_constant_memory() {
    let app = LegacyApp::start(crate::support::ANY_PORT).await.unwrap();
    let world = World::builder().in_front_of(app.addr()).site(WS_RULE).start().await;
    let carol = world.signed_in("carol").await;
    let cookie = format!("vantail={}", carol.client.cookie("vantail").unwrap());
    let before = resident();
    let mut most = before;

    let mut stream = carol.client.connect().await;
    let request = format!(
        "GET /download?bytes={} HTTP/1.1\r\nHost: gw.test\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n",
        2 * GIB
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut buffer = vec![0; 256 * 1024];
    let (mut received, mut reads) = (0_u64, 0_u64);
    loop {
        let read = stream.read(&mut buffer).await.unwrap();
        if read == 0 {
            break;
        }
        received += read as u64;
        reads += 1;
        if reads % 1000 == 0 {
            most = most.max(resident());
        }
    }
    assert!(received >= 2 * GIB, "{received}");

    let mut stream = carol.client.connect().await;
    let request = format!(
        "POST /upload HTTP/1.1\r\nHost: gw.test\r\nCookie: {cookie}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        2 * GIB
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let piece = vec![b'x'; 1024 * 1024];
    for index in 0..2 * GIB / piece.len() as u64 {
        stream.write_all(&piece).await.unwrap();
        if index % 100 == 0 {
            most = most.max(resident());
        }
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(&(2 * GIB).to_string()), "{answer}");
    assert!(most - before < 64 * 1024 * 1024, "memory grew by {} MiB", (most - before) / 1024 / 1024);
}

#[tokio::test]
async fn http_1_and_http_2_over_tls_serve_the_same_site_to_the_same_person() {
    let world = World::builder().tls().start().await;
    let cookie = format!("__Host-vantail={}", signed_in_over_https(&world, "carol").await);
    let request = format!("GET /app/x?y=1 HTTP/1.1\r\nHost: gw.test\r\nCookie: {cookie}; own=1\r\n\r\n");
    for offered in [&[b"http/1.1".as_slice()][..], &[]] {
        let mut connection = Raw::connect_tls(world.tls_address(), "gw.test", world.certificate(), offered).await;
        assert_eq!(connection.ask(&request).await.expect("an answer").status, 200);
    }
    let fields = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "gw.test"),
        (":path", "/app/x?y=1"),
        ("cookie", &cookie),
        ("cookie", "own=1"),
    ];
    let mut connection = world.h2().await;
    assert_eq!(connection.ask(&fields, None).await, Outcome::Answered(200));
    let nobody = connection.ask(&fields[..4], None).await;
    assert_eq!(nobody, Outcome::Answered(401), "a second request on the connection stands for itself");

    let received = world.backend.requests();
    assert_eq!(received.len(), 3);
    let seen = |request: &Received| {
        let names = ["host", "remote-user", "remote-email", "x-forwarded-proto", "x-forwarded-host", "cookie"];
        let headers = names.map(|name| request.all(name).join(", "));
        (request.method.clone(), request.target.clone(), headers)
    };
    let over_http_1 = seen(&received[0]);
    assert_eq!(over_http_1.2, ["gw.test", "carol", "carol@gw.test", "https", "gw.test", "own=1"]);
    assert!(received.iter().all(|request| seen(request) == over_http_1), "{received:?}");
    assert!(received.iter().all(|request| request.all("x-vantail-assertion").len() == 1));
}

#[tokio::test]
async fn whoever_can_speak_http_2_over_tls_does() {
    let world = World::builder().tls().start().await;
    for (offered, chosen) in [
        (&[b"h2".as_slice(), b"http/1.1"][..], Some(&b"h2"[..])),
        (&[b"http/1.1", b"h2"], Some(b"h2")),
        (&[b"http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ] {
        let stream = tls(world.tls_address(), "gw.test", world.certificate(), offered).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), chosen, "{offered:?}");
    }
}

/// The session of `name`, who signed in by https (a trusted proxy says so).
pub async fn signed_in_over_https(world: &World, name: &'static str) -> String {
    let mut person = world.person(name);
    let proxied = person.client.twin().coming_from(std::net::IpAddr::from([127, 0, 0, 9]));
    person.client = proxied.with("X-Forwarded-For", "10.9.0.1").with("X-Forwarded-Proto", "https");
    person.sign_in().await;
    person.client.cookie("__Host-vantail").unwrap()
}

#[tokio::test]
async fn the_proxy_protocol_tells_the_address_and_only_trusted_proxies_may() {
    let world = World::builder().listen("proxy_protocol = true\ntrusted_proxies = [\"127.0.0.1/32\"]").start().await;
    let mut connection = Raw::connect(world.gateway).await;
    let request = "PROXY TCP4 10.9.0.7 10.0.0.1 4000 80\r\nGET /public/x HTTP/1.1\r\nHost: gw.test\r\n\r\n";
    assert_eq!(connection.ask(request).await.expect("an answer").status, 200);
    assert_eq!(world.backend.last().all("x-forwarded-for"), ["10.9.0.7"]);

    let mut binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    binary.extend_from_slice(&[10, 9, 0, 8, 10, 0, 0, 1, 0x0f, 0xa0, 0, 80]);
    binary.extend_from_slice(b"GET /public/x HTTP/1.1\r\nHost: gw.test\r\n\r\n");
    let mut connection = Raw::connect(world.gateway).await;
    assert_eq!(connection.ask(binary).await.expect("an answer").status, 200);
    assert_eq!(world.backend.last().all("x-forwarded-for"), ["10.9.0.8"]);

    for bad in [
        "GET /public/x HTTP/1.1\r\nHost: gw.test\r\n\r\n",
        "PROXY TCP4 nonsense\r\nGET /public/x HTTP/1.1\r\nHost: gw.test\r\n\r\n",
    ] {
        assert!(Raw::connect(world.gateway).await.ask(bad).await.is_none_or(|answer| answer.status == 400), "{bad:?}");
    }
    let stranger = world.stranger().coming_from(std::net::IpAddr::from([127, 0, 0, 3]));
    let answer = stranger.raw(request.as_bytes()).await;
    assert_ne!(answer.status, 200, "an untrusted proxy was believed");
    assert_eq!(world.backend.count(), 2);
}
