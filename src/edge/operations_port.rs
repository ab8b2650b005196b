//! The operations port: `/livez`, `/readyz` and `/metrics`, for the machine room and nobody else.

use std::sync::Arc;

use async_trait::async_trait;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{Method, Response, StatusCode};
use pingora::apps::http_app::ServeHttp;
use pingora::protocols::http::ServerSession;
use tokio::sync::watch;

use super::Metrics;

/// Says whether the gateway can do its work, or why not.
pub type Readiness = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// The three pages.
pub(super) struct OperationsPort {
    pub metrics: Metrics,
    pub ready: Readiness,
    /// True once the gateway is stopping: no new work, please.
    pub stopping: watch::Receiver<bool>,
}

const TEXT: &str = "text/plain; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[async_trait]
impl ServeHttp for OperationsPort {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        // One request per connection: its deadlines are those of a head.
        session.set_keepalive(None);
        let request = session.req_header();
        if !matches!(request.method, Method::GET | Method::HEAD) {
            let mut response = page(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n".into());
            response.headers_mut().insert(ALLOW, http::HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match request.uri.path() {
            "/livez" => page(StatusCode::OK, TEXT, "alive\n".into()),
            "/readyz" => self.readiness(),
            "/metrics" => match self.metrics.text() {
                Ok(text) => page(StatusCode::OK, OPEN_METRICS, text),
                Err(error) => page(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
            },
            _ => page(StatusCode::NOT_FOUND, TEXT, "/livez /readyz /metrics\n".into()),
        }
    }
}

// === impl OperationsPort ===

impl OperationsPort {
    fn readiness(&self) -> Response<Vec<u8>> {
        if *self.stopping.borrow() {
            return page(StatusCode::SERVICE_UNAVAILABLE, TEXT, "stopping\n".into());
        }
        match (self.ready)() {
            Ok(()) => page(StatusCode::OK, TEXT, "ready\n".into()),
            Err(why) => page(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n")),
        }
    }
}

fn page(status: StatusCode, kind: &'static str, text: String) -> Response<Vec<u8>> {
    let mut response = Response::new(text.into_bytes());
    *response.status_mut() = status;
    let length = response.body().len().into();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, http::HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_LENGTH, length);
    response
}
