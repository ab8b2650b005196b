//! Uploads over HTTP/2 that stop coming.
//!
//! Between two pieces of a body pingora keeps the deadline on HTTP/1.1 alone; a stream of HTTP/2 may be silent for ever. Each
//! stream is therefore handled beside a watch over its **upload**: the part of its body that is forwarded as it arrives. Where
//! that stops coming, the stream's handling is dropped, which resets that stream (RFC 9113 section 5.4.2) and no other.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream};
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::H2Options;
use pingora::proxy::HttpProxy;
use pingora::server::ShutdownWatch;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::{Deadlines, Gateway};

tokio::task_local! {
    static CURRENT: Arc<Upload>;
}

/// A body on its way through.
#[derive(Debug, Default)]
pub(super) struct Upload {
    /// When its last piece came, while there is more to come.
    last: Mutex<Option<Instant>>,
    begun: Notify,
    stopped: AtomicBool,
}

/// The proxy for HTTP/2, with a watch over the upload of each stream.
pub(super) struct Watched {
    proxy: Arc<HttpProxy<Gateway>>,
    silence: Duration,
}

// === impl Upload ===

impl Upload {
    /// Of the request that the current task handles; none on HTTP/1.1.
    pub fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// More is to come from now on.
    pub fn begins(&self) {
        self.set(Some(Instant::now()));
        self.begun.notify_one();
    }

    /// A piece came; whether it was the last.
    pub fn goes_on(&self, is_over: bool) {
        self.set((!is_over).then(Instant::now));
    }

    /// Whether it was cut off because nothing came any more.
    pub fn has_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Resolves once nothing came for `silence`.
    async fn stops(&self, silence: Duration) {
        loop {
            match self.last() {
                None => self.begun.notified().await,
                Some(last) if last + silence <= Instant::now() => {
                    self.stopped.store(true, Ordering::Relaxed);
                    return;
                }
                Some(last) => sleep_until(last + silence).await,
            }
        }
    }

    fn set(&self, last: Option<Instant>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = last;
    }

    fn last(&self) -> Option<Instant> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Watched ===

impl Watched {
    pub fn new(proxy: Arc<HttpProxy<Gateway>>, deadlines: &Deadlines) -> Self {
        // A piece is read only when the backend took the one before, which has a bound of its own.
        Self { proxy, silence: deadlines.body + deadlines.write }
    }

    /// The proxy for HTTP/1.1, where nothing needs to be watched.
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
        let upload = Arc::<Upload>::default();
        let handled = CURRENT.scope(Arc::clone(&upload), self.proxy.process_new_http(session, shutdown));
        unless(upload.stops(self.silence), handled).await
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

/// What `handled` comes to; nothing when `stops` resolves first.
async fn unless<T>(stops: impl Future<Output = ()>, handled: impl Future<Output = Option<T>>) -> Option<T> {
    tokio::select! {
        biased;
        done = handled => done,
        () = stops => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn an_upload_stops_when_nothing_came_for_so_long_and_not_before() {
        let upload = Arc::new(Upload::default());
        let began = Instant::now();
        let watch = tokio::spawn({
            let upload = Arc::clone(&upload);
            async move { upload.stops(SILENCE).await }
        });
        upload.begins();
        for _ in 0..10 {
            tokio::time::advance(SILENCE / 2).await;
            upload.goes_on(false);
        }
        assert!(!upload.has_stopped());
        watch.await.unwrap();
        assert!(upload.has_stopped());
        assert_eq!(began.elapsed().as_secs(), SILENCE.as_secs() * 6);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_come_whole_or_never_began_does_not_stop() {
        let upload = Upload::default();
        let long = Duration::from_hours(24);
        assert!(tokio::time::timeout(long, upload.stops(SILENCE)).await.is_err());
        upload.begins();
        upload.goes_on(true);
        assert!(tokio::time::timeout(long, upload.stops(SILENCE)).await.is_err());
    }
}
