//! Time, passed in.
//!
//! Nothing in the domain asks the operating system what time it is: a [`Clock`] is handed down from `app.rs`, so that a
//! test owns every second. A [`Timestamp`] is what the store keeps.

use std::fmt;
use std::time::Duration;

/// A moment in UTC, in whole milliseconds since 1970-01-01T00:00:00Z. The store keeps it as an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// Where "now" comes from.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present moment. It may go backwards when an operator sets the machine's clock.
    fn now(&self) -> Timestamp;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

// === impl Timestamp ===

impl Timestamp {
    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From seconds since the epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs * 1000)
    }

    /// A moment (`2027-01-31T08:00:00Z`), or the beginning of a day in UTC (`2027-01-31`), as people write it.
    pub fn parse(text: &str) -> Option<Self> {
        let moment = text.parse::<jiff::Timestamp>().or_else(|_| format!("{text}T00:00:00Z").parse());
        moment.ok().map(|moment| Self(moment.as_millisecond()))
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down (JWT's NumericDate, RFC 7519 section 2).
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This moment and `by` more; stops at the end of time instead of wrapping.
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This moment less `by`; stops at the beginning of time instead of wrapping.
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// RFC 3339 in UTC with whole seconds: `2026-03-01T12:00:00Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.as_secs()) {
            Ok(moment) => write!(f, "{moment}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

// === impl SystemClock ===

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the machine's clock is read")]
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_millisecond())
    }
}

/// A clock that a test sets. Not part of a release build.
#[cfg(feature = "testing")]
#[derive(Debug)]
pub struct SettableClock(std::sync::atomic::AtomicI64);

#[cfg(feature = "testing")]
impl SettableClock {
    /// A clock that stands at `now` until moved.
    pub fn at(now: Timestamp) -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self(std::sync::atomic::AtomicI64::new(now.0)))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).expect("a test moves the clock by less than an age");
        self.0.fetch_add(millis, std::sync::atomic::Ordering::SeqCst);
    }

    /// Sets the clock, backwards too.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, std::sync::atomic::Ordering::SeqCst);
    }
}

#[cfg(feature = "testing")]
impl Clock for SettableClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_shows_as_rfc_3339() {
        assert_eq!(Timestamp::from_secs(1_772_366_400).to_string(), "2026-03-01T12:00:00Z");
    }

    #[test]
    fn a_moment_is_read_as_people_write_it() {
        let day = Timestamp::from_secs(1_801_353_600);
        assert_eq!(Timestamp::parse("2027-01-31"), Some(day));
        assert_eq!(Timestamp::parse("2027-01-31T01:00:00+01:00"), Some(day));
        for wrong in ["", "31/01/2027", "2027-02-30", "none"] {
            assert_eq!(Timestamp::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn since_never_goes_below_zero() {
        let early = Timestamp::from_secs(10);
        let late = Timestamp::from_secs(12);
        assert_eq!(late.since(early), Duration::from_secs(2));
        assert_eq!(early.since(late), Duration::ZERO);
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp::from_millis(i64::MAX).plus(Duration::from_secs(1)).as_millis(), i64::MAX);
        assert_eq!(Timestamp::from_millis(i64::MIN).minus(Duration::from_secs(1)).as_millis(), i64::MIN);
    }
}
