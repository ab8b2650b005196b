//! Places where a test lets the process die, as a power cut would: without a last word.
//!
//! With the cargo feature `testing`, `VANTAIL_ABORT_AT=point` aborts the process when it first reaches `point`, and
//! `VANTAIL_ABORT_AT=point:3` the third time. Without the feature nothing of this is in the program.
//!
//! | point | what has just happened |
//! |---|---|
//! | `operation-stored` | a held request is committed, nothing is answered yet |
//! | `sms-sent` | the provider accepted a message, its row does not say so yet |
//! | `confirm-stored` | a confirmation is committed, nothing is started yet |
//! | `before-dispatch` | `sending` is committed, no byte has left |
//! | `after-dispatch` | the request is written to the backend, no answer was read |
//! | `answer-before-recording` | the backend answered, the operation does not say so yet |

/// Reached `point`. Nothing without the feature `testing`.
#[cfg(not(feature = "testing"))]
#[inline]
pub fn reach(_point: &'static str) {}

/// Reached `point`: aborts the process when `VANTAIL_ABORT_AT` says so.
#[cfg(feature = "testing")]
pub fn reach(point: &'static str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    static TARGET: OnceLock<Option<(String, usize)>> = OnceLock::new();
    static REACHED: AtomicUsize = AtomicUsize::new(0);

    let target = TARGET.get_or_init(|| std::env::var("VANTAIL_ABORT_AT").ok().map(|text| target(&text)));
    if let Some((name, times)) = target
        && name == point
        && REACHED.fetch_add(1, Ordering::SeqCst) + 1 == *times
    {
        std::process::abort();
    }
}

/// `point` or `point:N`.
#[cfg(feature = "testing")]
fn target(text: &str) -> (String, usize) {
    match text.split_once(':') {
        Some((point, times)) => (point.to_owned(), times.parse().unwrap_or(1)),
        None => (text.to_owned(), 1),
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;

    #[test]
    fn a_point_may_name_its_turn() {
        assert_eq!(target("sms-sent"), ("sms-sent".to_owned(), 1));
        assert_eq!(target("sms-sent:3"), ("sms-sent".to_owned(), 3));
    }
}
