//! Stopping loses no request.

use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use vantail::edge::Deadlines;

use crate::support::backend::{Behaviour, Reply};
use crate::world::{Builder, World, request};

#[tokio::test]
async fn a_request_in_flight_is_finished_and_nothing_new_is_taken() {
    let mut world = World::start().await;
    let mut idle = world.connect().await;
    assert_eq!(idle.ask(request("GET /x HTTP/1.1", "")).await.unwrap().status, 200);
    world.backend.answer_with(Behaviour::Slow(Duration::from_millis(500), Reply::ok("finished")));
    let mut busy = world.connect().await;
    busy.send(request("GET /slow HTTP/1.1", "")).await;
    world.backend.wait_for(2).await;

    let begin = Instant::now();
    world.begin_to_stop();
    assert_eq!(idle.rest().await, b"", "an idle connection ends at once");
    assert!(begin.elapsed() < Duration::from_millis(400), "{:?}", begin.elapsed());
    let answer = busy.answer().await.unwrap();
    assert_eq!((answer.text().as_str(), answer.header("connection")), ("finished", Some("close")));
    world.stopped().await;
    assert!(begin.elapsed() < Duration::from_secs(10), "drained, it does not wait on: {:?}", begin.elapsed());
    assert!(TcpStream::connect(world.http).await.is_err());
}

#[tokio::test]
async fn what_never_ends_is_not_waited_for_for_ever() {
    let deadlines = Deadlines { drain: Duration::from_millis(300), ..Deadlines::default() };
    let mut world = Builder { deadlines, ..Builder::default() }.start().await;
    world.backend.answer_with(Behaviour::Hang);
    let mut busy = world.connect().await;
    busy.send(request("GET /hangs HTTP/1.1", "")).await;
    world.backend.wait_for(1).await;
    world.begin_to_stop();
    world.stopped().await;
}
