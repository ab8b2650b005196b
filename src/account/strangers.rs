//! Wrong sign-ins by strangers, over all accounts: how many one address may make, and how many names fail at once.
//!
//! * A **network** is what one stranger has: an IPv4 address, or the 64 bits of an IPv6 prefix.
//! * A **slot** is room for one more wrong sign-in of a network, taken before the check. A wrong one **spends** it; one that is
//!   dropped otherwise is given back. So of any number that come at once no more are checked than the limit says.
//! * **Stuffing** is what it looks like when leaked names and passwords are tried one after the other: few tries per name,
//!   so that no account is ever locked, and very many names that fail. While it goes on, a network has a fifth of its slots.
//!
//! Whoever signs in from a browser known to them is no stranger and is never counted here. All of it is in process: an account's own
//! counter, which is exact, is in the store.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::identity::UserId;
use crate::policy::security::Strangers as Limits;
use crate::time::Timestamp;

/// What is known of strangers. One for a process; cheap to clone.
#[derive(Clone, Default)]
pub struct Strangers {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    seen: Mutex<Seen>,
    hasher: RandomState,
}

#[derive(Default)]
struct Seen {
    networks: HashMap<Network, Window>,
    names: Names,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Network {
    V4(u32),
    V6(u64),
}

/// The wrong sign-ins of one network, from the first of them on.
#[derive(Debug, Clone, Copy)]
struct Window {
    since: Timestamp,
    taken: u32,
}

/// The names that failed, from the first of them on.
#[derive(Default)]
struct Names {
    since: Option<Timestamp>,
    failed: HashSet<u64>,
    signed_in: HashSet<u64>,
    is_stuffing: bool,
}

/// Room for one wrong sign-in. Given back when dropped.
#[must_use = "a slot is spent by a wrong sign-in"]
#[derive(Debug)]
pub struct Slot {
    strangers: Strangers,
    /// None where nothing is counted.
    network: Option<Network>,
}

/// Too many wrong sign-ins from one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many wrong sign-ins from this network; again in {retry_after} s")]
pub struct TooMany {
    /// Seconds.
    pub retry_after: u32,
}

/// How long names that fail are remembered.
const NAMES_KEPT: Duration = Duration::from_mins(10);
/// Networks remembered at once. Beyond it, those whose window is the oldest are forgotten first.
const NETWORKS: usize = 100_000;
/// Names told apart at once: beyond it there is no doubt any more.
const NAMES: usize = 100_000;
/// Of a network's slots while stuffing goes on: one in so many.
const SHARE: u32 = 5;
/// So many names fail for one that signs in, at least, where it is stuffing: on the first day of a new password rule many people
/// fail, but not four in five.
const FAILING: usize = 4;

// === impl Strangers ===

impl Strangers {
    /// Takes a slot for a stranger at `address`. Without an address (a command, a test) nothing is counted.
    pub fn take(&self, address: Option<IpAddr>, limits: Limits, now: Timestamp) -> Result<Slot, TooMany> {
        let network = address.map(Network::of).filter(|_| limits.attempts > 0);
        if let Some(network) = network {
            self.seen().take(network, limits, now)?;
        }
        Ok(Slot { strangers: self.clone(), network })
    }

    /// Whether a network has no slot left: told before anything else is done for it.
    pub fn check(&self, address: Option<IpAddr>, limits: Limits, now: Timestamp) -> Result<(), TooMany> {
        let Some(network) = address.map(Network::of).filter(|_| limits.attempts > 0) else { return Ok(()) };
        let mut seen = self.seen();
        seen.names.roll(now);
        let allowed = seen.allowed(limits);
        match seen.networks.get(&network) {
            Some(window) if !window.is_over(limits, now) && window.taken >= allowed => {
                Err(window.too_many(limits, now))
            }
            _ => Ok(()),
        }
    }

    /// A name failed. True at the moment when it is stuffing, once.
    pub fn failed(&self, name: &str, limits: Limits, now: Timestamp) -> bool {
        let hash = self.inner.hasher.hash_one(name);
        self.seen().names.failed(hash, limits, now)
    }

    /// Somebody signed in. However often they do, they are one.
    pub fn signed_in(&self, user: UserId, now: Timestamp) {
        let hash = self.inner.hasher.hash_one(user);
        let mut seen = self.seen();
        seen.names.roll(now);
        if seen.names.signed_in.len() < NAMES {
            seen.names.signed_in.insert(hash);
        }
    }

    /// Whether stuffing goes on.
    pub fn is_stuffing(&self, now: Timestamp) -> bool {
        let mut seen = self.seen();
        seen.names.roll(now);
        seen.names.is_stuffing
    }

    fn give_back(&self, network: Network) {
        if let Some(window) = self.seen().networks.get_mut(&network) {
            window.taken = window.taken.saturating_sub(1);
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows no address.
impl fmt::Debug for Strangers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Strangers").field("networks", &self.seen().networks.len()).finish_non_exhaustive()
    }
}

// === impl Seen ===

impl Seen {
    fn take(&mut self, network: Network, limits: Limits, now: Timestamp) -> Result<(), TooMany> {
        self.names.roll(now);
        let allowed = self.allowed(limits);
        self.make_room(limits, now);
        let window = self.networks.entry(network).or_insert(Window { since: now, taken: 0 });
        if window.is_over(limits, now) {
            *window = Window { since: now, taken: 0 };
        }
        if window.taken >= allowed {
            return Err(window.too_many(limits, now));
        }
        window.taken += 1;
        Ok(())
    }

    fn allowed(&self, limits: Limits) -> u32 {
        if self.names.is_stuffing { (limits.attempts / SHARE).max(1) } else { limits.attempts }
    }

    fn make_room(&mut self, limits: Limits, now: Timestamp) {
        if self.networks.len() < NETWORKS {
            return;
        }
        self.networks.retain(|_, window| !window.is_over(limits, now) && window.taken > 0);
        if self.networks.len() >= NETWORKS {
            let mut begun: Vec<_> = self.networks.values().map(|window| window.since).collect();
            let (_, middle, _) = begun.select_nth_unstable(NETWORKS / 2);
            let middle = *middle;
            // Where all began at once, all go: a flood of addresses must not take the memory.
            self.networks.retain(|_, window| window.since > middle);
        }
    }
}

// === impl Network ===

impl Network {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => {
                Self::V6(address.octets().first_chunk::<8>().map_or(0, |prefix| u64::from_be_bytes(*prefix)))
            }
        }
    }
}

// === impl Window ===

impl Window {
    fn is_over(&self, limits: Limits, now: Timestamp) -> bool {
        // A clock that was set back begins anew, too.
        now < self.since || now.since(self.since) >= limits.duration
    }

    fn too_many(&self, limits: Limits, now: Timestamp) -> TooMany {
        let left = limits.duration.saturating_sub(now.since(self.since));
        TooMany { retry_after: u32::try_from(left.as_secs()).unwrap_or(u32::MAX).max(1) }
    }
}

// === impl Names ===

impl Names {
    fn failed(&mut self, name: u64, limits: Limits, now: Timestamp) -> bool {
        self.roll(now);
        if limits.stuffing_names == 0 || self.is_stuffing {
            return false;
        }
        if self.failed.len() < NAMES {
            self.failed.insert(name);
        }
        let enough = self.failed.len() >= limits.stuffing_names as usize;
        self.is_stuffing = enough && self.failed.len() >= self.signed_in.len().saturating_mul(FAILING);
        self.is_stuffing
    }

    /// What is older than [`NAMES_KEPT`] is of the past.
    fn roll(&mut self, now: Timestamp) {
        let is_over = self.since.is_none_or(|since| now < since || now.since(since) >= NAMES_KEPT);
        if is_over {
            *self = Self { since: Some(now), ..Self::default() };
        }
    }
}

// === impl Slot ===

impl Slot {
    /// It was wrong.
    pub fn spend(mut self) {
        self.network = None;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(network) = self.network.take() {
            self.strangers.give_back(network);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);
    const LIMITS: Limits = Limits { attempts: 10, duration: Duration::from_mins(15), stuffing_names: 20 };

    fn at(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    fn wrong(strangers: &Strangers, last: u8, times: u32) {
        for _ in 0..times {
            strangers.take(Some(at(last)), LIMITS, NOW).unwrap().spend();
        }
    }

    #[test]
    fn a_network_is_wrong_so_often_and_no_more_until_its_window_ends() {
        let strangers = Strangers::default();
        wrong(&strangers, 1, 10);
        let late = NOW.plus(Duration::from_mins(14));
        assert_eq!(strangers.take(Some(at(1)), LIMITS, late).unwrap_err(), TooMany { retry_after: 60 });
        assert_eq!(strangers.check(Some(at(1)), LIMITS, late).unwrap_err(), TooMany { retry_after: 60 });
        assert!(strangers.take(Some(at(2)), LIMITS, late).is_ok(), "another network");
        assert!(strangers.take(Some(at(1)), LIMITS, NOW.plus(LIMITS.duration)).is_ok());
    }

    #[test]
    fn what_was_right_is_given_back_and_what_is_on_its_way_counts() {
        let strangers = Strangers::default();
        let slots: Vec<_> = (0..10).map(|_| strangers.take(Some(at(1)), LIMITS, NOW).unwrap()).collect();
        assert!(strangers.take(Some(at(1)), LIMITS, NOW).is_err(), "all at once");
        drop(slots);
        wrong(&strangers, 1, 10);
    }

    #[test]
    fn all_addresses_of_one_ipv6_prefix_are_one_network() {
        let strangers = Strangers::default();
        for last in 0..10 {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 3, 4, 5, last);
            strangers.take(Some(address.into()), LIMITS, NOW).unwrap().spend();
        }
        let same = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0xffff, 0, 0, 1);
        let other = Ipv6Addr::new(0x2001, 0xdb8, 1, 3, 0, 0, 0, 1);
        assert!(strangers.take(Some(same.into()), LIMITS, NOW).is_err());
        assert!(strangers.take(Some(other.into()), LIMITS, NOW).is_ok());
    }

    #[test]
    fn many_names_that_fail_are_stuffing_once_and_leave_a_network_a_fifth() {
        let strangers = Strangers::default();
        let told = (0..100).filter(|name| strangers.failed(&format!("name {name}"), LIMITS, NOW)).count();
        assert_eq!(told, 1);
        wrong(&strangers, 1, 2);
        assert!(strangers.take(Some(at(1)), LIMITS, NOW).is_err());
        let after = NOW.plus(NAMES_KEPT);
        assert!(!strangers.is_stuffing(after));
        assert!(strangers.take(Some(at(1)), LIMITS, after).is_ok());
    }

    #[test]
    fn one_name_that_fails_often_and_a_busy_monday_are_no_stuffing() {
        let strangers = Strangers::default();
        assert!((0..1000).all(|_| !strangers.failed("alice", LIMITS, NOW)));
        for user in 0..20 {
            strangers.signed_in(UserId(Uuid::from_u128(user)), NOW);
        }
        assert!((0..60).all(|name| !strangers.failed(&format!("name {name}"), LIMITS, NOW)));
        assert!((0..60).any(|name| strangers.failed(&format!("other {name}"), LIMITS, NOW)), "four in five");
    }

    #[test]
    fn one_who_signs_in_again_and_again_hides_nobody_who_tries_a_list() {
        let strangers = Strangers::default();
        for _ in 0..1000 {
            strangers.signed_in(UserId(Uuid::from_u128(7)), NOW);
        }
        assert_eq!((0..20).filter(|name| strangers.failed(&format!("name {name}"), LIMITS, NOW)).count(), 1);
    }

    #[test]
    fn a_flood_of_addresses_does_not_take_the_memory() {
        let strangers = Strangers::default();
        for number in 0..u32::try_from(NETWORKS).unwrap() + 10 {
            strangers.take(Some(Ipv4Addr::from_bits(number).into()), LIMITS, NOW).unwrap().spend();
        }
        assert!(strangers.seen().networks.len() <= NETWORKS);
    }

    #[test]
    fn switched_off_nothing_is_counted() {
        let strangers = Strangers::default();
        let off = Limits { attempts: 0, stuffing_names: 0, ..LIMITS };
        for name in 0..1000 {
            strangers.take(Some(at(1)), off, NOW).unwrap().spend();
            assert!(!strangers.failed(&format!("name {name}"), off, NOW));
        }
    }
}
