//! The demo's *legacy application*: what a protected backend looks like from the gateway's side.
//!
//! It knows nothing of sessions, factors or held requests. It believes the identity headers it is sent, as old
//! applications behind a gateway do, keeps its customers in memory, and answers in every way a gateway must carry: pages
//! with relative links, cookies of its own, JSON, a WebSocket, an event stream, long downloads and uploads.

mod api;
mod customers;
mod pages;
mod streams;
mod visitor;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get, post};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use customers::Customer;
use customers::Customers;

/// The running application. It stops when this is dropped.
#[derive(Debug)]
pub struct LegacyApp {
    addr: SocketAddr,
    customers: Arc<Customers>,
    _serving: JoinSet<()>,
}

// === impl LegacyApp ===

impl LegacyApp {
    /// Starts it on `addr`; port 0 takes any free port.
    pub async fn start(addr: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let customers = Arc::new(Customers::default());
        let router = router(Arc::clone(&customers));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            // Serving ends only when accepting fails for good; the gateway then says that the backend is away.
            let _ended = axum::serve(listener, router).await;
        });
        Ok(Self { addr, customers, _serving: serving })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The customers it still has, by number.
    pub fn customers(&self) -> Vec<Customer> {
        self.customers.all()
    }
}

fn router(customers: Arc<Customers>) -> Router {
    Router::new()
        .route("/", get(pages::front))
        .route("/staff", get(pages::staff))
        .route("/orders", get(pages::orders))
        .route("/admin", get(pages::admin))
        .route("/admin/", get(pages::admin))
        .route("/admin/customers/{id}/delete", post(pages::delete))
        .route("/echo", get(pages::echo))
        .route("/headers", any(pages::headers))
        .route("/static/{file}", get(pages::asset))
        .route("/favicon.ico", get(pages::favicon))
        .route("/api/customers", get(api::list))
        .route("/api/customers/{id}", get(api::show).delete(api::delete))
        .route("/ws", any(streams::echo))
        .route("/events", get(streams::events))
        .route("/download", get(streams::download))
        .route("/upload", post(streams::upload).put(streams::upload))
        .fallback(pages::not_found)
        .layer(DefaultBodyLimit::disable())
        .with_state(customers)
}

#[cfg(test)]
mod tests;
