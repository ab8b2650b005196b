//! What takes long: a WebSocket, events, a download of any length, an upload of any length.

use std::convert::Infallible;
use std::time::Duration;

use aws_lc_rs::digest;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt as _, stream};
use serde::Deserialize;
use serde_json::json;

/// What a download is made of.
static CHUNK: [u8; 64 * 1024] = [b'v'; 64 * 1024];

/// `?every=250`: milliseconds between events; a second when not said.
#[derive(Debug, Deserialize)]
pub(super) struct Pace {
    every: Option<u64>,
}

/// `?bytes=1048576`
#[derive(Debug, Deserialize)]
pub(super) struct Length {
    bytes: u64,
}

/// `/ws`: says back what it is told.
pub(super) async fn echo(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(say_back)
}

async fn say_back(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let is_content = matches!(message, Message::Text(_) | Message::Binary(_));
        if is_content && socket.send(message).await.is_err() {
            return;
        }
    }
}

/// `/events`: counts, for ever.
pub(super) async fn events(Query(pace): Query<Pace>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let ticks = tokio::time::interval(Duration::from_millis(pace.every.unwrap_or(1000).max(1)));
    Sse::new(stream::unfold((ticks, 1_u64), |(mut ticks, count)| async move {
        ticks.tick().await;
        let event = Event::default().event("tick").id(count.to_string()).data(count.to_string());
        Some((Ok(event), (ticks, count + 1)))
    }))
}

/// `/download?bytes=N`: exactly N bytes, a chunk at a time.
pub(super) async fn download(Query(Length { bytes }): Query<Length>) -> Response {
    let chunks = stream::unfold(bytes, |left| async move {
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK.len());
        let chunk = Bytes::from_static(&CHUNK[..length]);
        (length > 0).then(|| (Ok::<_, Infallible>(chunk), left - length as u64))
    });
    let headers =
        [(header::CONTENT_LENGTH, bytes.to_string()), (header::CONTENT_TYPE, "application/octet-stream".into())];
    (headers, Body::from_stream(chunks)).into_response()
}

/// `/upload`: how many bytes came, and their SHA-256.
pub(super) async fn upload(body: Body) -> Response {
    let mut chunks = body.into_data_stream();
    let (mut bytes, mut hash) = (0, digest::Context::new(&digest::SHA256));
    while let Some(chunk) = chunks.next().await {
        let Ok(chunk) = chunk else {
            return (StatusCode::BAD_REQUEST, "the upload broke off\n").into_response();
        };
        bytes += chunk.len() as u64;
        hash.update(&chunk);
    }
    Json(json!({ "bytes": bytes, "sha256": hex::encode(hash.finish()) })).into_response()
}
