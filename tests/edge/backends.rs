//! Backends that fail, and what is tried again.

use std::time::Duration;

use axum::Router;
use axum::routing::get;

use crate::support::backend::{Backend, Behaviour, Reply};
use crate::world::{Builder, World, request};

#[tokio::test]
async fn hold_12_nothing_but_a_safe_request_is_ever_sent_again() {
    let world = World::start().await;
    for method in ["DELETE", "PUT", "POST", "PATCH"] {
        world.backend.answer_with(Behaviour::Normal(Reply::ok("ok")));
        assert_eq!(world.ask("GET /warm HTTP/1.1", "").await.unwrap().status, 200, "a connection is kept");
        world.backend.answer_with(Behaviour::CloseAfterReading);
        let before = world.backend.count();
        let line = format!("{method} /x HTTP/1.1\r\nContent-Length: 0");
        assert_eq!(world.ask(&line, "").await.unwrap().status, 502, "{method}");
        assert_eq!(world.backend.count() - before, 1, "{method}");
    }
}

#[tokio::test]
async fn a_safe_request_survives_a_connection_that_was_closed_meanwhile() {
    let world = World::start().await;
    for _ in 0..20 {
        world.backend.answer_with(Behaviour::Bytes(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok".to_vec(),
        ));
        assert_eq!(world.ask("GET /x HTTP/1.1", "").await.unwrap().text(), "ok", "its connections never last");
    }
}

#[tokio::test]
async fn a_request_that_could_not_be_sent_goes_to_another_backend_whatever_its_method() {
    let second = Backend::start().await;
    let site = format!("backends = [\"http://127.0.0.1:1\", \"{}\"]", second.url());
    let world = Builder { site, ..Builder::default() }.start().await;
    for _ in 0..6 {
        let answer = world.ask("POST /x HTTP/1.1\r\nContent-Length: 2", "hi").await.unwrap();
        assert_eq!(answer.status, 200);
    }
    assert_eq!(second.count(), 6);
    assert!(second.requests().iter().all(|request| request.body == b"hi"));
}

#[tokio::test]
async fn a_backend_that_comes_back_is_used_again() {
    let (first, second) = (Backend::start().await, Backend::start().await);
    let site = format!("backends = [\"{}\", \"{}\"]", first.url(), second.url());
    let world = Builder { site, ..Builder::default() }.start().await;
    let addr = first.addr();
    first.stop().await;
    for _ in 0..4 {
        assert_eq!(world.ask("GET /x HTTP/1.1", "").await.unwrap().status, 200);
    }
    let first = Backend::start_on(addr).await;
    let back = async {
        while first.count() == 0 {
            assert_eq!(world.ask("GET /x HTTP/1.1", "").await.unwrap().status, 200);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    crate::support::soon("coming back", back).await;
}

#[tokio::test]
async fn a_backend_may_be_named() {
    let backend = Backend::start().await;
    let site = format!("backends = [\"http://localhost:{}\"]", backend.addr().port());
    let world = Builder { site, ..Builder::default() }.start().await;
    assert_eq!(world.ask("GET /x HTTP/1.1", "").await.unwrap().status, 200);
    assert_eq!(backend.last().header("host"), Some("gw.test"));
}

async fn falls() -> &'static str {
    panic!("a handler that falls")
}

#[tokio::test]
async fn flt_7_a_panic_costs_one_request() {
    let router = Router::new().route("/secure/falls", get(falls)).route("/secure/stands", get(async || "standing"));
    let world = Builder { router: Some(router), ..Builder::default() }.start().await;
    let mut client = world.connect().await;
    assert_eq!(client.ask(request("GET /secure/falls HTTP/1.1", "")).await.unwrap().status, 500);
    assert_eq!(client.ask(request("GET /secure/stands HTTP/1.1", "")).await.unwrap().text(), "standing");
    assert_eq!(world.ask("GET /x HTTP/1.1", "").await.unwrap().status, 200);
}
