//! Nobody holds a connection by being slow.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use vantail::edge::Deadlines;

use crate::support::backend::{Behaviour, Reply};
use crate::support::raw::{Raw, tls};
use crate::support::raw_h2::{Outcome, RawH2};
use crate::support::soon;
use crate::world::{Builder, World, request};

const SHORT: Duration = Duration::from_millis(300);
/// Long after [`SHORT`], long before any deadline of the defaults.
const LATE: Duration = Duration::from_secs(4);

async fn impatient(change: impl FnOnce(&mut Deadlines)) -> World {
    let mut deadlines = Deadlines::default();
    change(&mut deadlines);
    Builder { deadlines, ..Builder::default() }.start().await
}

/// Sends a byte of `bytes` every now and then; how long it took to be cut.
async fn trickle(stream: TcpStream, bytes: &[u8]) -> Duration {
    let begin = Instant::now();
    let (mut reading, mut writing) = stream.into_split();
    let sending = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        for byte in bytes.iter().cycle() {
            ticks.tick().await;
            if writing.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
    };
    let mut rest = Vec::new();
    soon("being cut", async {
        tokio::select! {
            () = sending => {}
            _ = reading.read_to_end(&mut rest) => {}
        }
    })
    .await;
    begin.elapsed()
}

#[tokio::test]
async fn load_1_a_head_that_comes_byte_by_byte_is_cut_in_total() {
    let world = impatient(|deadlines| deadlines.head = SHORT).await;
    let took =
        trickle(TcpStream::connect(world.http).await.unwrap(), b"GET /x HTTP/1.1\r\nX-Slow: aaaaaaaaaaaaaaaaa").await;
    assert!(SHORT <= took && took < LATE, "{took:?}");
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn load_1_a_second_head_on_a_connection_is_cut_too() {
    let world = impatient(|deadlines| deadlines.head = SHORT).await;
    let mut stream = TcpStream::connect(world.http).await.unwrap();
    stream.write_all(request("GET /x HTTP/1.1", "").as_bytes()).await.unwrap();
    world.backend.wait_for(1).await;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    let took = trickle(stream, b"GET /y HTTP/1.1\r\nX-Slow: aaaaaaaaaaaaaaaaa").await;
    assert!(took < LATE, "{took:?}");
    assert_eq!(world.backend.count(), 1);
}

#[tokio::test]
async fn load_1_a_handshake_that_does_not_end_is_cut() {
    let world = impatient(|deadlines| deadlines.handshake = SHORT).await;
    let took = trickle(TcpStream::connect(world.https).await.unwrap(), b"\x16\x03\x01\x02\x00\x01").await;
    assert!(took < LATE, "{took:?}");
}

#[tokio::test]
async fn load_1_an_http_2_preface_that_does_not_come_is_cut() {
    let world = impatient(|deadlines| deadlines.head = SHORT).await;
    let mut stream = tls(world.https, "gw.test", &world.trusted(), &[b"h2"]).await;
    let begin = Instant::now();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    let _ = soon("being cut", stream.read_to_end(&mut rest)).await;
    assert!(begin.elapsed() < LATE, "{:?}", begin.elapsed());
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_order() {
    let world = impatient(|deadlines| deadlines.keep_alive = SHORT).await;
    let mut client = world.connect().await;
    assert_eq!(client.ask(request("GET /x HTTP/1.1", "")).await.unwrap().status, 200);
    let begin = Instant::now();
    assert_eq!(client.rest().await, b"");
    assert!(begin.elapsed() < LATE, "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_connection_in_use_outlives_the_deadline_of_a_head() {
    let world = impatient(|deadlines| deadlines.head = SHORT).await;
    world.backend.answer_with(Behaviour::Slow(SHORT * 3, Reply::ok("slow")));
    let mut client = world.connect().await;
    for _ in 0..2 {
        assert_eq!(client.ask(request("GET /x HTTP/1.1", "")).await.unwrap().text(), "slow");
    }
}

#[tokio::test]
async fn flt_7_a_silent_backend_is_a_504_within_the_bound_and_asked_once() {
    let world = impatient(|deadlines| deadlines.answer = SHORT).await;
    world.backend.answer_with(Behaviour::Hang);
    for (asked, line) in
        ["POST /x HTTP/1.1\r\nContent-Length: 2", "GET /x HTTP/1.1\r\nContent-Length: 2"].iter().enumerate()
    {
        let begin = Instant::now();
        assert_eq!(world.ask(line, "hi").await.unwrap().status, 504);
        assert!(begin.elapsed() < LATE);
        assert_eq!(world.backend.count(), asked + 1);
    }
}

#[tokio::test]
async fn a_body_that_stops_coming_ends_the_request() {
    let world = impatient(|deadlines| deadlines.body = SHORT).await;
    let mut client = world.connect().await;
    let begin = Instant::now();
    client.send(request("POST /x HTTP/1.1\r\nContent-Length: 10", "abc")).await;
    assert!(client.answer().await.is_none_or(|answer| answer.status == 408));
    assert!(begin.elapsed() < LATE);
}

#[tokio::test]
async fn a_body_to_be_judged_arrives_in_total_time_or_not() {
    let world = impatient(|deadlines| deadlines.capture = SHORT).await;
    let mut stream = TcpStream::connect(world.http).await.unwrap();
    let head = request("POST /judged HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 100000", "");
    stream.write_all(head.as_bytes()).await.unwrap();
    let took = trickle(stream, b" ").await;
    assert!(took < LATE, "{took:?}");
    assert_eq!(world.backend.count(), 0);
}

/// The fields of a POST over HTTP/2, its length not promised.
const fn post(path: &str) -> [(&str, &str); 5] {
    [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "gw.test"),
        (":path", path),
        ("content-type", "application/json"),
    ]
}

#[tokio::test]
async fn over_http_2_without_a_length_a_body_to_be_judged_arrives_in_total_time_or_not() {
    let world = impatient(|deadlines| deadlines.capture = SHORT).await;
    let mut client = RawH2::connect(world.https, "gw.test", &world.trusted()).await;
    let begin = Instant::now();
    let stream = client.begin(&post("/judged")).await;
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    // Never silent for long, and for longer than the whole may take.
    while begin.elapsed() < SHORT * 2 {
        ticks.tick().await;
        client.piece(stream, b" ", false).await;
    }
    assert_eq!(client.outcome(stream).await, Outcome::Answered(408));
    assert!(begin.elapsed() < LATE, "{:?}", begin.elapsed());
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn over_http_2_an_upload_that_stops_coming_is_reset_and_its_neighbours_go_on() {
    let world = impatient(|deadlines| (deadlines.body, deadlines.write) = (SHORT / 2, SHORT / 2)).await;
    let mut client = RawH2::connect(world.https, "gw.test", &world.trusted()).await;
    let begin = Instant::now();
    let (stalled, lively) = (client.begin(&post("/stalled")).await, client.begin(&post("/lively")).await);
    client.piece(stalled, b"abc", false).await;
    let mut ticks = tokio::time::interval(SHORT / 6);
    while begin.elapsed() < SHORT * 2 {
        ticks.tick().await;
        client.piece(lively, b"abc", false).await;
    }
    client.piece(lively, b"end", true).await;
    assert!(matches!(client.outcome(stalled).await, Outcome::Reset(_)));
    assert_eq!(client.outcome(lively).await, Outcome::Answered(200), "whoever keeps sending is served");
    assert!(begin.elapsed() < LATE, "{:?}", begin.elapsed());
    let whole: Vec<_> =
        world.backend.requests().into_iter().filter(|request| request.complete).map(|request| request.target).collect();
    assert_eq!(whole, ["/lively"], "half a body is none");
    let counted = async {
        while !world.metrics().await.contains("vantail_requests_total{site=\"gw\",decision=\"forward\",status=\"none\"")
        {
            tokio::task::yield_now().await;
        }
    };
    soon("being counted", counted).await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answer_is_cut() {
    let world = impatient(|deadlines| deadlines.write = SHORT).await;
    let length = 64 * 1024 * 1024;
    world.backend.answer_with(Behaviour::Normal(Reply::ok(&"a".repeat(length))));
    let mut client = world.connect().await;
    client.send(request("GET /x HTTP/1.1", "")).await;
    let ended = async {
        while !world.metrics().await.contains("vantail_requests_total{site=\"gw\"") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("being cut", ended).await;
    assert!(client.rest().await.len() < length);
}

#[tokio::test]
async fn load_2_oversized_heads_are_refused_early() {
    let world = World::start().await;
    let fields = "X-Many: 1\r\n".repeat(300);
    let fewer = "X-Many: 1\r\n".repeat(150);
    for (name, head, statuses) in [
        ("900 KiB header", format!("GET /x HTTP/1.1\r\nX-Long: {}", "a".repeat(900 * 1024)), &[431][..]),
        ("70 KiB header", format!("GET /x HTTP/1.1\r\nX-Long: {}", "a".repeat(70 * 1024)), &[431]),
        ("300 headers", format!("GET /x HTTP/1.1\r\n{}", fields.trim_end()), &[400, 431]),
        ("150 headers", format!("GET /x HTTP/1.1\r\n{}", fewer.trim_end()), &[431]),
        ("64 KiB URL", format!("GET /{} HTTP/1.1", "a".repeat(64 * 1024)), &[400, 414]),
        ("20 KiB URL", format!("GET /{} HTTP/1.1", "a".repeat(20 * 1024)), &[414]),
        ("16 KiB cookie", format!("GET /x HTTP/1.1\r\nCookie: a={}", "a".repeat(16 * 1024)), &[431]),
    ] {
        // What is cut while it is still being written may be reset before the answer is read.
        match world.ask(&head, "").await {
            Some(answer) => assert!(statuses.contains(&answer.status), "{name}: {}", answer.status),
            None => assert_eq!(name, "900 KiB header"),
        }
    }
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn web_sockets_may_be_silent_for_long() {
    let world = impatient(|deadlines| (deadlines.body, deadlines.answer) = (SHORT, SHORT)).await;
    world.backend.answer_with(Behaviour::Echo(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".to_vec(),
    ));
    let mut client = Raw::connect(world.http).await;
    let upgrade = "GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    assert_eq!(client.ask(request(upgrade, "")).await.unwrap().status, 101);
    tokio::time::sleep(SHORT * 3).await;
    client.send("still there?").await;
    assert_eq!(client.exactly(12).await.unwrap(), b"still there?");
}
