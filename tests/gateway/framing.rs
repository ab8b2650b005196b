//! Request framing and parsing: HTTP-1 to HTTP-9. Raw bytes, and what the backend got of them.

use crate::support::answer::Answer;
use crate::support::backend::{Behaviour, Reply};
use crate::support::raw::Raw;
use crate::support::raw_h2::Outcome;
use crate::world::{Person, World};

/// A signed-in person's head: request line, host, cookie, then whatever a case adds.
fn head(person: &Person<'_>, line: &str, fields: &str) -> String {
    let cookies = person.client.cookies();
    let cookies = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
    format!("{line}\r\nHost: gw.test\r\nCookie: {cookies}\r\n{fields}")
}

async fn raw(person: &Person<'_>, line: &str, fields: &str, body: &str) -> Answer {
    person.client.raw(format!("{}\r\n{body}", head(person, line, fields)).as_bytes()).await
}

/// Whatever reached the backend, each was one well-framed request and nothing was left over.
fn nothing_is_left_over(world: &World) {
    for request in world.backend.requests() {
        assert!(request.complete, "{}", request.text());
        assert!(
            request.all("content-length").len() + request.all("transfer-encoding").len() <= 1,
            "{}",
            request.text()
        );
    }
    let received: usize = world.backend.requests().iter().map(|request| request.raw.len()).sum();
    let bytes: usize = world.backend.bytes().iter().map(Vec::len).sum();
    assert_eq!(received, bytes, "stray bytes: {:?}", world.backend.bytes());
}

#[tokio::test]
async fn http_1_length_and_chunks_together_leave_no_stray_byte() {
    let world = World::start().await;
    let carol = world.signed_in("carol").await;
    let fields = "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n";
    let answer = raw(&carol, "POST /app/x HTTP/1.1", fields, "0\r\n\r\nX").await;
    assert!(answer.status == 400 || answer.status == 200, "{}", answer.status);
    assert!(world.backend.count() <= 1);
    nothing_is_left_over(&world);
}

#[tokio::test]
async fn http_2_chunks_on_http_1_0_are_refused() {
    let world = World::start().await;
    let carol = world.signed_in("carol").await;
    let answer = raw(&carol, "POST /app/x HTTP/1.0", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n").await;
    assert!(answer.status == 400 || answer.status == 0, "{}", answer.status);
    assert_eq!(world.backend.count(), 0);
}

#[tokio::test]
async fn http_3_a_request_behind_a_refused_upgrade_is_judged_or_dropped() {
    for protocol in ["foo", "websocket"] {
        let world = World::start().await;
        let carol = world.signed_in("carol").await;
        world.backend.answer_with(Behaviour::Normal(Reply::ok("no upgrade here")));
        let first = head(&carol, "GET /app/x HTTP/1.1", &format!("Connection: Upgrade\r\nUpgrade: {protocol}\r\n"));
        let second = "GET /admin/ops HTTP/1.1\r\nHost: gw.test\r\n\r\n";
        carol.client.raw(format!("{first}\r\n{second}").as_bytes()).await;
        for bytes in world.backend.bytes() {
            assert!(!String::from_utf8_lossy(&bytes).contains("/admin/ops"), "smuggled past the decision");
        }
    }
}

#[tokio::test]
async fn http_4_only_one_plain_length_is_a_length() {
    let world = World::start().await;
    let carol = world.signed_in("carol").await;
    for value in ["+5", "-1", "0x5", "5 5", "", "18446744073709551616", "5, 6", "abc", "5;"] {
        let answer = raw(&carol, "POST /app/x HTTP/1.1", &format!("Content-Length: {value}\r\n"), "hello").await;
        assert!(answer.status == 400 || answer.status == 0, "{value:?}: {}", answer.status);
    }
    let answer = raw(&carol, "POST /app/x HTTP/1.1", "Content-Length: 5\r\nContent-Length: 6\r\n", "hello!").await;
    assert!(answer.status == 400 || answer.status == 0, "two lengths: {}", answer.status);
    assert_eq!(world.backend.count(), 0, "{:?}", world.backend.requests());
    for equal in ["Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: 5, 5\r\n"] {
        raw(&carol, "POST /app/x HTTP/1.1", equal, "hello").await;
    }
    for request in world.backend.requests() {
        assert_eq!(request.all("content-length"), ["5"], "{}", request.text());
    }
    nothing_is_left_over(&world);
}

#[tokio::test]
async fn http_5_no_transfer_coding_is_dropped_in_silence() {
    let world = World::start().await;
    let carol = world.signed_in("carol").await;
    for fields in [
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    ] {
        let answer = raw(&carol, "POST /app/x HTTP/1.1", fields, "5\r\nhello\r\n0\r\n\r\n").await;
        assert!(matches!(answer.status, 0 | 400 | 501), "{fields:?}: {}", answer.status);
    }
    assert_eq!(world.backend.count(), 0, "{:?}", world.backend.requests());
}

#[tokio::test]
async fn http_6_no_line_end_makes_a_new_header() {
    let world = World::start().await;
    let carol = world.signed_in("carol").await;
    for fields in [
        "X-A: 1\rX-Gate-Role: root\r\n",
        "X-A: 1\r\n X-Gate-Role: root\r\n",
        "X-A: 1\nX-Gate-Role: root\r\n",
        "X-A: 1\0\r\n",
    ] {
        raw(&carol, "GET /app/x HTTP/1.1", fields, "").await;
    }
    for request in world.backend.requests() {
        // A bare LF ends a line (RFC 9112 2.2 lets a recipient see it so): then it is a header of its own from the start.
        let lines = request.text().split("\r\n").filter(|line| line.contains('\r') || line.contains('\n')).count();
        assert_eq!(lines, 0, "{}", request.text());
        assert!(!request.text().contains("\r\n X-Gate-Role"), "{}", request.text());
    }
}

#[tokio::test]
async fn http_7_a_refused_body_is_never_read_as_a_request() {
    let world = World::start().await;
    let inner = "GET /public/inner HTTP/1.1\r\nHost: gw.test\r\n\r\n";
    let refused =
        format!("POST /admin/ops/1 HTTP/1.1\r\nHost: gw.test\r\nContent-Length: {}\r\n\r\n{inner}", inner.len());
    let real = "GET /public/real HTTP/1.1\r\nHost: gw.test\r\nConnection: close\r\n\r\n";
    let mut connection = Raw::connect(world.gateway).await;
    let first = connection.ask(format!("{refused}{real}")).await.expect("an answer to the refused request");
    assert!(first.status == 401 || first.status == 303, "{}", first.status);
    if let Some(second) = connection.answer().await {
        assert_eq!(second.status, 200, "the second answer is the real request's");
    }
    for request in world.backend.requests() {
        assert_eq!(request.target, "/public/real", "the body was read as a request");
    }
}

#[tokio::test]
async fn http_8_malformed_http_2_reaches_nothing() {
    let world = World::builder().tls().start().await;
    let plain: [(&str, &str); 4] =
        [(":method", "GET"), (":scheme", "https"), (":authority", "gw.test"), (":path", "/public/x")];
    assert_eq!(world.h2().await.ask(&plain, None).await, Outcome::Answered(200));
    assert_eq!(world.backend.count(), 1);
    let with = |index: usize, field: (&'static str, &'static str)| {
        let mut fields = plain.to_vec();
        if index < fields.len() {
            fields[index] = field;
        } else {
            fields.push(field);
        }
        fields
    };
    for (fields, body) in [
        (with(9, ("transfer-encoding", "chunked")), None),
        (with(9, ("content-length", "3")), Some(&b"hello"[..])),
        (with(9, ("x-a", "1\r\nx-b: 2")), None),
        (with(9, ("connection", "close")), None),
        (with(3, (":path", "/public/a b")), None),
        (with(3, (":path", "public/x")), None),
        (with(9, ("host", "other.test")), None),
    ] {
        let outcome = world.h2().await.ask(&fields, body).await;
        let refused = match outcome {
            Outcome::Answered(status) => (400..500).contains(&status),
            Outcome::Reset(_) | Outcome::ConnectionEnded(_) => true,
        };
        assert!(refused, "{fields:?}: {outcome:?}");
    }
    let whole = world.backend.requests().iter().filter(|request| request.complete).count();
    assert_eq!(whole, 1, "{:?}", world.backend.requests());
}

#[tokio::test]
async fn http_9_hosts_and_methods_are_what_they_must_be() {
    let world = World::start().await;
    let carol = world.signed_in("carol").await;
    for (request, status) in [
        ("GET /public/x HTTP/1.1\r\n\r\n", 400),
        ("GET /public/x HTTP/1.1\r\nHost: gw.test\r\nHost: gw.test\r\n\r\n", 400),
        ("GET /public/x HTTP/1.1\r\nHost: gw.test\r\nHost: other.test\r\n\r\n", 400),
        ("GET /public/x HTTP/1.1\r\nHost: gw.test/../x\r\n\r\n", 400),
        ("GET /public/x HTTP/1.1\r\nHost: nobody.test\r\n\r\n", 421),
    ] {
        let answer = world.stranger().raw(request.as_bytes()).await;
        assert_eq!(answer.status, status, "{request:?}");
    }
    for (line, status) in [("TRACE /app/x HTTP/1.1", 405), ("get /app/x HTTP/1.1", 501), ("FOO /app/x HTTP/1.1", 501)] {
        assert_eq!(raw(&carol, line, "", "").await.status, status, "{line}");
    }
    let connect = raw(&carol, "CONNECT b:22 HTTP/1.1", "", "").await;
    assert!(matches!(connect.status, 400 | 405), "{}", connect.status);
    assert_eq!(world.backend.count(), 0, "{:?}", world.backend.requests());
}
