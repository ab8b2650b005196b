//! `/livez`, `/readyz` and `/metrics`: what the machine room is told, and that nobody else is.

use crate::support::answer::Answer;
use crate::support::backend::Behaviour;
use crate::support::raw::Raw;
use crate::world::{Builder, World, request};

async fn told(world: &World, line: &str) -> Answer {
    Raw::connect(world.operations).await.ask(request(&format!("{line} HTTP/1.1"), "")).await.expect("an answer")
}

#[tokio::test]
async fn the_operations_port_says_that_it_lives_and_is_ready() {
    let world = World::start().await;
    for (path, text) in [("/livez", "alive\n"), ("/readyz", "ready\n"), ("/readyz?verbose", "ready\n")] {
        let answer = told(&world, &format!("GET {path}")).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, text), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    }
    for path in ["/", "/secure/", "/livez/", "/x"] {
        assert_eq!(told(&world, &format!("GET {path}")).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_operations_port_is_only_read() {
    let world = World::start().await;
    for path in ["/livez", "/readyz", "/metrics"] {
        let mut connection = Raw::connect(world.operations).await;
        connection.send(request(&format!("HEAD {path} HTTP/1.1"), "")).await;
        let answer = connection.answer_to("HEAD").await.unwrap();
        let length: usize = answer.header("content-length").unwrap().parse().unwrap();
        assert!(answer.status == 200 && length > 0, "{path}: {answer:?}");
        assert_eq!(connection.rest().await, b"", "{path}: a head has no body");
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let answer = told(&world, &format!("{method} {path}")).await;
            assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_operations_port_says_why_no_work_can_be_done() {
    let ready = std::sync::Arc::new(|| Err("the database does not answer".to_owned()));
    let world = Builder { ready: Some(ready), ..Builder::default() }.start().await;
    let answer = told(&world, "GET /readyz").await;
    assert_eq!((answer.status, answer.text().as_str()), (503, "the database does not answer\n"));
    assert_eq!(told(&world, "GET /livez").await.status, 200, "it lives: a restart would help nobody");
}

#[tokio::test]
async fn the_operations_port_asks_for_no_more_work_while_stopping() {
    let mut world = World::start().await;
    world.backend.answer_with(Behaviour::Hang);
    let mut busy = world.connect().await;
    busy.send(request("GET /hangs HTTP/1.1", "")).await;
    world.backend.wait_for(1).await;
    world.begin_to_stop();
    let draining = async {
        while told(&world, "GET /readyz").await.status == 200 {
            tokio::task::yield_now().await;
        }
    };
    crate::support::soon("not being ready", draining).await;
    let answer = told(&world, "GET /readyz").await;
    assert_eq!((answer.status, answer.text().as_str()), (503, "stopping\n"));
    assert_eq!(told(&world, "GET /livez").await.status, 200);
}

#[tokio::test]
async fn the_operations_pages_are_not_on_the_gateways_own_listeners() {
    let world = World::start().await;
    for path in ["/livez", "/readyz", "/metrics"] {
        let answer = world.ask(&format!("GET {path} HTTP/1.1"), "").await.unwrap();
        assert_eq!(answer.text(), "ok", "{path} is the backend's, as every path the rules open");
        let stranger = format!("GET {path} HTTP/1.1\r\nHost: elsewhere.test\r\n\r\n");
        assert_eq!(world.connect().await.ask(stranger).await.unwrap().status, 421, "{path}");
    }
}
