//! What the tests are made of: clients that speak raw bytes, backends that record them, real servers and browsers.
//!
//! * [`raw`], [`raw_h2`]: clients that send exactly what they are given; nothing tidies it. [`answer`] is what came back.
//! * [`client`]: a browser or a program over [`raw`], one connection per request.
//! * [`person`]: somebody with cookies who reads pages, fills in forms and sends them ([`html`]).
//! * [`browser`]: a real browser.
//! * [`backend`]: the backend B of the attack cases, which keeps every byte it got.
//! * `fields`: the fields of what was sent and what came back.
//! * `files`: configuration, policies and certificates of an installation.
//! * [`elsewhere`]: spellings of another place than our own, for return addresses.
//! * [`postgres`]: a real PostgreSQL of one's own.
//! * [`python`]: checks by an implementation that is not ours.
//!
//! The receivers of SMS and mails are the demo's own: `vantail::demo::Inbox`.

pub mod answer;
pub mod backend;
pub mod browser;
pub mod client;
pub mod elsewhere;
pub mod fields;
pub mod files;
pub mod html;
pub mod person;
pub mod postgres;
pub mod python;
pub mod raw;
pub mod raw_h2;
pub mod received;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Once;
use std::time::Duration;

/// How long anything may take before a test calls it hanging.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Any free port on this machine.
pub const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Chooses the process's TLS provider, as `main` does.
pub fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Code under test may have installed the same one first.
        let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
}

/// Waits for `future`, but not for ever: `what` says what hung.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("hangs: {what}"))
}
