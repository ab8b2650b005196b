//! What is still open in a session when it ends (L12, SESS-5).
//!
//! * A **line** carries one request at a time: a connection of HTTP/1.1, or a stream of HTTP/2.
//! * A request is **entered** on its line while it is in somebody's session, and leaves when it is over, however it ends.
//! * One that **lasts** is **followed**: the end of its session is its own, and what goes on in it can be use (`usage`).
//! * A **cut** ends what the line carries at once, whatever it waits for: the connection, or that stream and no other.
//!
//! Nearly every request is over before anybody looks. Entering one is therefore a note on its own line, under a lock that
//! hardly anybody else wants. Lines are looked through once a second, and only what lasts gets a task; no request has a
//! timer, whatever kind of answer it gets.
//!
//! What the portal does is done whole, so that who signs out is told so: its requests are entered while their form comes in
//! and while their answer goes out, not in between (`bridge`).

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use futures_util::task::AtomicWaker;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::identity::SessionId;
use crate::policy::Policy;
use crate::session::{Presented, Sessions};
use crate::time::Timestamp;

/// The lines on which somebody's requests go. One for a gateway.
#[derive(Debug, Default)]
pub(super) struct Live {
    lines: Mutex<Vec<Weak<Line>>>,
}

/// Where one request at a time goes.
#[derive(Debug, Default)]
pub(super) struct Line {
    state: Mutex<State>,
    is_followed: AtomicBool,
    /// The last use that is not noted yet, in milliseconds; 0: none.
    last_use: AtomicI64,
    is_cut: AtomicBool,
    /// Whoever handles what the line carries.
    handler: AtomicWaker,
}

#[derive(Debug, Default)]
struct State {
    request: Option<Request>,
    /// Whether [`Live`] knows the line.
    is_listed: bool,
}

#[derive(Debug)]
struct Request {
    session: SessionId,
    since: Instant,
    follower: Option<AbortHandle>,
}

/// A request's time on its line. Dropped when the request is over.
#[derive(Debug)]
pub(super) struct Entered {
    line: Arc<Line>,
}

/// Follows what lasts. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Follower {
    /// Whose ends count.
    pub sessions: Sessions,
    /// Says when they are idle.
    pub policy: Arc<ArcSwap<Policy>>,
}

/// How often what lasts is looked for.
const LOOK: Duration = Duration::from_secs(1);
/// What has gone on for so long lasts.
const LASTS: Duration = Duration::from_secs(1);
/// How often use is noted at most; more often where sessions are idle within minutes.
const NOTED: Duration = Duration::from_mins(1);

// === impl Live ===

impl Live {
    /// The request on `line`, begun at `since`, is in the session that was presented; nothing when none was.
    pub fn enter(&self, line: &Arc<Line>, presented: &Presented, since: Instant) -> Option<Entered> {
        let Presented::Live(signed_in) = presented else { return None };
        if line.begin(signed_in.session, since) {
            self.lines().push(Arc::downgrade(line));
        }
        Some(Entered { line: Arc::clone(line) })
    }

    /// Has what lasts followed, for ever.
    pub async fn look_after(self: Arc<Self>, follower: Follower) {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look(|line| line.follow_if_it_lasts(&follower));
        }
    }

    /// Lines are looked through without the lock: those that begin meanwhile are not kept waiting.
    fn look(&self, see: impl Fn(&Arc<Line>)) {
        let mut lines = std::mem::take(&mut *self.lines());
        lines.retain(|line| line.upgrade().inspect(&see).is_some());
        self.lines().append(&mut lines);
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Weak<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Line ===

impl Line {
    /// Resolves when what the line carries is to end at once.
    pub async fn until_cut(&self) {
        poll_fn(|cx| {
            self.handler.register(cx.waker());
            // After registering: a cut in between would wake nobody.
            if self.is_cut() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Whether it came to that.
    pub fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Acquire)
    }

    /// True when the line is to be listed.
    fn begin(&self, session: SessionId, since: Instant) -> bool {
        let mut state = self.state();
        state.request = Some(Request { session, since, follower: None });
        !std::mem::replace(&mut state.is_listed, true)
    }

    fn end(&self) {
        if let Some(Request { follower: Some(follower), .. }) = self.state().request.take() {
            follower.abort();
            self.is_followed.store(false, Ordering::Relaxed);
            self.last_use.store(0, Ordering::Relaxed);
        }
    }

    fn follow_if_it_lasts(self: &Arc<Self>, follower: &Follower) {
        let mut state = self.state();
        let Some(request) = &mut state.request else { return };
        if request.follower.is_some() || request.since.elapsed() < LASTS {
            return;
        }
        let following = follower.clone().follow(Arc::clone(self), request.session);
        request.follower = Some(tokio::spawn(following).abort_handle());
        self.is_followed.store(true, Ordering::Relaxed);
    }

    /// Ends what goes on in `session`. By now the line may carry somebody else's request.
    fn cut(&self, session: SessionId) {
        // Held until it is cut, so that no other request begins in between.
        let state = self.state();
        if state.request.as_ref().is_some_and(|request| request.session == session) {
            self.is_cut.store(true, Ordering::Release);
            self.handler.wake();
        }
    }

    fn take_use(&self) -> Option<Timestamp> {
        Some(self.last_use.swap(0, Ordering::Relaxed)).filter(|at| *at != 0).map(Timestamp::from_millis)
    }

    fn put_use(&self, at: Timestamp) {
        self.last_use.fetch_max(at.as_millis(), Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Entered ===

impl Entered {
    /// Used now, as `clock` says. Of a request that does not last yet, its own beginning was use enough.
    pub fn used(&self, clock: impl FnOnce() -> Timestamp) {
        if self.line.is_followed.load(Ordering::Relaxed) {
            self.line.put_use(clock());
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.line.end();
    }
}

// === impl Follower ===

impl Follower {
    async fn follow(self, line: Arc<Line>, session: SessionId) {
        tokio::select! {
            () = self.sessions.ended(session) => line.cut(session),
            () = self.note_use(&line, session) => {}
        }
    }

    /// Notes now and then what was use, for ever.
    async fn note_use(&self, line: &Line, session: SessionId) {
        loop {
            let limits = self.policy.load().security.sessions;
            sleep(limits.idle.map_or(NOTED, |idle| (idle / 4).clamp(LOOK, NOTED))).await;
            let Some(at) = line.take_use() else { continue };
            if self.sessions.note_use(session, &limits, at).await.is_err() {
                line.put_use(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use uuid::Uuid;

    use super::*;

    fn session(number: u128) -> SessionId {
        SessionId(Uuid::from_u128(number))
    }

    fn entered(line: &Arc<Line>, number: u128) -> Entered {
        line.begin(session(number), Instant::now());
        Entered { line: Arc::clone(line) }
    }

    #[tokio::test]
    async fn a_cut_ends_what_goes_on_in_that_session_and_nothing_else() {
        let line = Arc::new(Line::default());
        let mut cut = Box::pin(line.until_cut());
        assert!(futures_util::poll!(&mut cut).is_pending());
        line.cut(session(1));
        assert!(!line.is_cut(), "nothing goes on");
        let first = entered(&line, 1);
        drop(first);
        let _second = entered(&line, 2);
        line.cut(session(1));
        assert!(futures_util::poll!(&mut cut).is_pending(), "somebody else's request by now");
        line.cut(session(2));
        assert!(futures_util::poll!(&mut cut).is_ready());
    }

    #[test]
    fn a_request_leaves_its_line_when_it_panics_and_a_line_is_listed_once() {
        let line = Arc::new(Line::default());
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _entered = entered(&line, 1);
            panic!("on the request's path");
        }));
        assert!(panicked.is_err());
        assert!(line.state().request.is_none());
        assert!(!line.begin(session(1), Instant::now()), "listed by then");
    }

    #[test]
    fn what_does_not_last_is_used_without_a_look_at_the_clock() {
        let line = Arc::new(Line::default());
        let request = entered(&line, 1);
        request.used(|| panic!("its beginning was use enough"));
        line.is_followed.store(true, Ordering::Relaxed);
        request.used(|| Timestamp::from_millis(20));
        request.used(|| Timestamp::from_millis(10));
        assert_eq!(line.take_use(), Some(Timestamp::from_millis(20)), "the latest");
        assert_eq!(line.take_use(), None, "noted once");
    }

    #[test]
    fn lines_that_are_gone_are_not_looked_at_for_ever() {
        let live = Live::default();
        let (kept, gone) = (Arc::new(Line::default()), Arc::new(Line::default()));
        live.lines().extend([Arc::downgrade(&kept), Arc::downgrade(&gone)]);
        drop(gone);
        for _ in 0..2 {
            let seen = AtomicI64::new(0);
            live.look(|line| {
                assert!(Arc::ptr_eq(line, &kept));
                seen.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!((seen.into_inner(), live.lines().len()), (1, 1));
        }
    }
}
