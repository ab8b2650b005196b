//! The HTTP side: an SMS provider's interface, the page, and the list for programs.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use tokio::net::TcpListener;

use super::shelf::{Answer, Arrival, Shelf};
use super::{Channel, Message, page};

/// Largest SMS request taken, in bytes.
const LARGEST_SMS: usize = 64 * 1024;

/// What a sender posts.
#[derive(Debug, Deserialize)]
struct Sms {
    to: String,
    text: String,
}

/// Receives until the task is dropped.
pub(super) async fn receive(listener: TcpListener, shelf: Arc<Shelf>) {
    let router = Router::new()
        .route("/", get(page::show))
        .route("/inbox.css", get(page::stylesheet))
        .route("/messages.json", get(list))
        .route("/send", post(take_sms))
        .layer(DefaultBodyLimit::max(LARGEST_SMS))
        .with_state(shelf);
    // Serving ends only when accepting fails for good, and then the inbox is of no use to anybody.
    let _ended = axum::serve(listener, router).await;
}

/// `GET /messages.json`: newest first, as on the page.
async fn list(State(shelf): State<Arc<Shelf>>) -> impl IntoResponse {
    let newest_first: Vec<Message> = shelf.messages().into_iter().rev().collect();
    ([(header::CACHE_CONTROL, "no-store")], Json(newest_first))
}

/// `POST /send`.
async fn take_sms(State(shelf): State<Arc<Shelf>>, Json(sms): Json<Sms>) -> StatusCode {
    let arrival = Arrival { channel: Channel::Sms, to: sms.to, from: None, subject: None, text: sms.text };
    match shelf.offer(Channel::Sms, vec![arrival]).await {
        Answer::Kept => StatusCode::ACCEPTED,
        Answer::Refused => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
