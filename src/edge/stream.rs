//! Streams of HTTP/2, each handled beside a watch over it: an upload that stops coming ends it (`upload`), and so does the
//! end of the session that it is in (`live`).
//!
//! The stream's handling is then dropped, which resets that stream (RFC 9113 section 5.4.2) and no other.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream};
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::H2Options;
use pingora::proxy::HttpProxy;
use pingora::server::ShutdownWatch;

use super::live::Line;
use super::upload::Upload;
use super::{Deadlines, Gateway};

tokio::task_local! {
    static CURRENT: Arc<Stream>;
}

/// One stream, as its request and its watch know it.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// The body on its way through.
    pub upload: Upload,
    /// Where its request goes.
    pub line: Arc<Line>,
}

/// The proxy for HTTP/2, with a watch over each stream.
pub(super) struct Watched {
    proxy: Arc<HttpProxy<Gateway>>,
    silence: Duration,
}

// === impl Stream ===

impl Stream {
    /// The one that the current task handles; none on HTTP/1.1.
    pub fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    async fn given_up(&self, silence: Duration) {
        tokio::select! {
            () = self.upload.stops(silence) => {}
            () = self.line.until_cut() => {}
        }
    }
}

// === impl Watched ===

impl Watched {
    pub fn new(proxy: Arc<HttpProxy<Gateway>>, deadlines: &Deadlines) -> Self {
        // A piece is read only when the backend took the one before, which has a bound of its own.
        Self { proxy, silence: deadlines.body + deadlines.write }
    }

    /// The proxy for HTTP/1.1, where the connection is what is watched.
    pub fn unwatched(&self) -> &Arc<HttpProxy<Gateway>> {
        &self.proxy
    }
}

#[async_trait]
impl HttpServerApp for Watched {
    async fn process_new_http(
        self: &Arc<Self>,
        session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        let stream = Arc::<Stream>::default();
        let handled = CURRENT.scope(Arc::clone(&stream), self.proxy.process_new_http(session, shutdown));
        unless(stream.given_up(self.silence), handled).await
    }

    fn h2_options(&self) -> Option<H2Options> {
        self.proxy.h2_options()
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        self.proxy.server_options()
    }

    async fn http_cleanup(&self) {
        self.proxy.http_cleanup().await;
    }
}

/// What `handled` comes to; nothing when `given_up` resolves first.
pub(super) async fn unless<T>(
    given_up: impl Future<Output = ()>,
    handled: impl Future<Output = Option<T>>,
) -> Option<T> {
    tokio::select! {
        biased;
        done = handled => done,
        () = given_up => None,
    }
}
