//! Uploads over HTTP/2 that stop coming.
//!
//! Between two pieces of a body pingora keeps the deadline on HTTP/1.1 alone; a stream of HTTP/2 may be silent for ever. Each
//! stream is therefore handled beside a watch over its **upload** (`stream`): the part of its body that is forwarded as it
//! arrives.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// A body on its way through.
#[derive(Debug, Default)]
pub(super) struct Upload {
    /// When its last piece came, while there is more to come.
    last: Mutex<Option<Instant>>,
    begun: Notify,
    stopped: AtomicBool,
}

// === impl Upload ===

impl Upload {
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
    pub async fn stops(&self, silence: Duration) {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

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
