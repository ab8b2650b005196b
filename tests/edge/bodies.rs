//! Bodies: judged, streamed, refused.

use std::net::Ipv4Addr;

use crate::support::backend::{Behaviour, Reply};
use crate::support::raw::Raw;
use crate::world::{Builder, World, request};

fn json(act: &str, padding: usize) -> String {
    format!("{{\"act\":\"{act}\",\"padding\":\"{}\"}}", "p".repeat(padding))
}

fn judged(body: &str) -> String {
    request(
        &format!("POST /judged?q=1 HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {}", body.len()),
        body,
    )
}

#[tokio::test]
async fn a_body_a_rule_looks_into_arrives_whole_whatever_its_length() {
    let world = World::start().await;
    for padding in [0, 60 * 1024, 70 * 1024, 900 * 1024] {
        let body = json("read", padding);
        let mut client = world.connect().await;
        let before = world.backend.count();
        assert_eq!(client.ask(judged(&body)).await.unwrap().text(), "ok", "{padding}");
        let received = world.backend.last();
        assert_eq!(world.backend.count(), before + 1);
        assert!(received.body == body.as_bytes(), "{padding}");
        assert_eq!((received.target.as_str(), received.all("content-length").len()), ("/judged?q=1", 1));
        assert_eq!(received.header("host"), Some("gw.test"));
        assert_eq!(received.header("x-forwarded-for"), Some("127.0.0.1"));
        assert_eq!(client.ask(request("GET /next HTTP/1.1", "")).await.unwrap().status, 200, "the connection goes on");
    }
}

#[tokio::test]
async fn a_judged_body_in_chunks_is_judged_by_its_content() {
    let world = World::start().await;
    for (act, status) in [("read", 200), ("write", 403)] {
        let body = json(act, 100_000);
        let (one, two) = body.split_at(50_000);
        let chunks = format!("{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\nX-Trailer: 1\r\n\r\n", one.len(), two.len());
        let head = "POST /judged HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked";
        assert_eq!(world.ask(head, &chunks).await.unwrap().status, status, "{act}");
    }
    assert_eq!(world.backend.count(), 1);
    let received = world.backend.last();
    assert!(received.body == json("read", 100_000).as_bytes());
    assert_eq!((received.header("transfer-encoding"), received.header("x-trailer")), (None, None));
}

#[tokio::test]
async fn the_answer_to_a_long_judged_body_is_passed_on_as_it_is() {
    let world = World::start().await;
    let reply = Reply::new(201, &"a".repeat(200_000)).with("X-Own", "1").with("Set-Cookie", "__Host-vantail=forged");
    world.backend.answer_with(Behaviour::Normal(reply.with("Set-Cookie", "own=1")));
    let answer = world.connect().await.ask(judged(&json("read", 100_000))).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (201, 200_000));
    assert_eq!((answer.header("x-own"), answer.all("set-cookie")), (Some("1"), vec!["own=1"]));
    world.backend.answer_with(Behaviour::WrongLength(Reply::ok("0123456789")));
    assert_eq!(world.connect().await.ask(judged(&json("read", 100_000))).await, None, "half an answer is none");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_it_is_sent() {
    let world = Builder { security: "[holding]\nbody_limit = \"64KiB\"\n", ..Builder::default() }.start().await;
    let head =
        "POST /judged HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 70000\r\nExpect: 100-continue";
    assert_eq!(world.ask(head, "").await.unwrap().status, 413);
    let body = json("read", 80_000);
    let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let head = "POST /judged HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked";
    assert_eq!(world.ask(head, &chunks).await.unwrap().status, 413);
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn bodies_that_are_read_at_once_take_no_more_memory_than_they_may() {
    let world = Builder { security: "[holding]\nmemory = \"2MiB\"\n", ..Builder::default() }.start().await;
    let whole = judged(&json("read", 1_000_000));
    let (most, rest) = whole.split_at(900_000);
    let mut uploads = Vec::new();
    for client in 1..=3 {
        let mut client = Raw::connect_from(Ipv4Addr::new(127, 0, 0, client), world.http).await;
        client.send(most).await;
        uploads.push(client);
    }
    // Together they are more than there is room for: whichever asks for too much is refused, and gives back what it had.
    let which = first_without_room(&mut uploads).await;
    uploads.remove(which);
    let mut served = 0;
    for client in &mut uploads {
        match client.ask(rest).await.unwrap().status {
            200 => served += 1,
            status => assert_eq!(status, 503, "two that ask at the same moment may both be refused"),
        }
    }
    for _ in 0..5 {
        assert_eq!(world.connect().await.ask(&whole).await.unwrap().status, 200, "the room is given back");
    }
    assert!(served > 0, "not all are refused");
    assert_eq!(world.backend.count(), 5 + served);
}

#[tokio::test]
async fn one_address_that_begins_many_bodies_leaves_room_for_the_others() {
    let world = Builder { security: "[holding]\nmemory = \"4MiB\"\n", ..Builder::default() }.start().await;
    let whole = judged(&json("read", 1_000_000));
    let from = |client| Raw::connect_from(Ipv4Addr::new(127, 0, 0, client), world.http);
    let mut stalled = Vec::new();
    for _ in 0..8 {
        let mut client = from(1).await;
        client.send(&whole.as_bytes()[..900_000]).await;
        stalled.push(client);
    }
    first_without_room(&mut stalled).await;
    for client in 2..=4 {
        assert_eq!(from(client).await.ask(&whole).await.unwrap().status, 200, "{client}");
    }
}

/// Which of `uploads` is the first to be told that there is no room for it.
async fn first_without_room(uploads: &mut [Raw]) -> usize {
    let answers = uploads.iter_mut().map(|client| Box::pin(client.answer()));
    let first = crate::support::soon("a refusal", futures_util::future::select_all(answers)).await;
    let (refused, which) = (first.0.unwrap(), first.1);
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")), "{}", refused.text());
    assert!(refused.text().contains("urn:vantail:problem:unavailable"), "{}", refused.text());
    which
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_its_body_gives_back_its_room() {
    let world = Builder { security: "[holding]\nmemory = \"1MiB\"\n", ..Builder::default() }.start().await;
    let whole = judged(&json("read", 1_000_000));
    let mut leaving = world.connect().await;
    leaving.send(&whole.as_bytes()[..900_000]).await;
    drop(leaving);
    let served = async { while world.connect().await.ask(&whole).await.unwrap().status != 200 {} };
    crate::support::soon("room for another", served).await;
}

#[tokio::test]
async fn a_client_that_waits_to_be_invited_is() {
    let world = World::start().await;
    let body = json("read", 0);
    let head = format!(
        "POST /judged HTTP/1.1\r\nHost: gw.test\r\nContent-Type: application/json\r\nContent-Length: {}\r\nExpect: \
         100-continue\r\n\r\n",
        body.len()
    );
    let mut client = world.connect().await;
    client.send(head).await;
    assert_eq!(client.exactly(25).await.unwrap(), b"HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(client.ask(body).await.unwrap().status, 200);
    assert_eq!(world.backend.last().header("expect"), None);
}

#[tokio::test]
async fn http_7_after_a_refusal_the_body_is_gone_and_the_connection_goes_on() {
    let world = World::start().await;
    let smuggled = request("GET /app/smuggled HTTP/1.1", "");
    let mut client = world.connect().await;
    let line = format!("POST /app/x HTTP/1.1\r\nContent-Length: {}", smuggled.len());
    let refused = client.ask(request(&line, &smuggled)).await.unwrap();
    assert_eq!((refused.status, refused.header("connection")), (401, Some("keep-alive")));
    assert_eq!(client.ask(request("GET /own HTTP/1.1", "")).await.unwrap().status, 200);
    assert_eq!(world.backend.count(), 1);
    assert_eq!(world.backend.last().target, "/own");
}

#[tokio::test]
async fn a_backend_cannot_set_a_cookie_of_the_gateways() {
    let world = World::start().await;
    let reply = Reply::ok("ok").with("Set-Cookie", "vantail=forged; Path=/").with("Set-Cookie", "own=1");
    world.backend.answer_with(Behaviour::Normal(reply));
    assert_eq!(world.ask("GET /x HTTP/1.1", "").await.unwrap().all("set-cookie"), ["own=1"]);
}

#[tokio::test]
async fn http_1_0_is_still_spoken() {
    let world = World::start().await;
    let mut client = world.connect().await;
    let answer = client.ask(request("GET /x HTTP/1.0", "")).await.unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    assert_eq!(client.rest().await, b"", "and the connection ends");
}
