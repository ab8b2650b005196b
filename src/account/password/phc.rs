//! The stored form of a password hash: a PHC string, `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::Strength;
use crate::policy::security::{MOST_LANES, MOST_MEMORY, MOST_PASSES, MOST_WORK};

/// A hash with all that is needed to compute it again.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Phc {
    pub(super) cost: Cost,
    pub(super) salt: Vec<u8>,
    pub(super) output: Vec<u8>,
}

/// What one hash costs. Bounded when read: whoever can write the store must not be able to stop the gateway with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    /// KiB.
    pub(super) memory: u32,
    pub(super) passes: u32,
    pub(super) lanes: u32,
}

// === impl Phc ===

impl Phc {
    /// Reads a stored hash; nothing when it is no Argon2id hash of version 19 within bounds.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::parse_parts(text.strip_prefix("$argon2id$v=19$")?).filter(|hash| hash.cost.is_bearable())
    }

    /// Reads what follows algorithm and version, whatever it costs.
    pub(super) fn parse_parts(text: &str) -> Option<Self> {
        let mut fields = text.split('$');
        let cost = Cost::parse(fields.next()?)?;
        let salt = STANDARD_NO_PAD.decode(fields.next()?).ok()?;
        let output = STANDARD_NO_PAD.decode(fields.next()?).ok()?;
        let fits = fields.next().is_none() && (8..=64).contains(&salt.len()) && (16..=64).contains(&output.len());
        fits.then_some(Self { cost, salt, output })
    }
}

impl fmt::Display for Phc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cost { memory, passes, lanes } = self.cost;
        let (salt, output) = (STANDARD_NO_PAD.encode(&self.salt), STANDARD_NO_PAD.encode(&self.output));
        write!(f, "$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${output}")
    }
}

// === impl Cost ===

impl Cost {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let mut number = |name: &str| parts.next()?.strip_prefix(name)?.parse::<u32>().ok();
        let cost = Self { memory: number("m=")?, passes: number("t=")?, lanes: number("p=")? };
        parts.next().is_none().then_some(cost)
    }

    /// Whether Argon2 can be computed with it, and within two seconds.
    pub(super) fn is_bearable(self) -> bool {
        (1..=MOST_LANES).contains(&self.lanes)
            && (1..=MOST_PASSES).contains(&self.passes)
            && (8 * self.lanes..=MOST_MEMORY).contains(&self.memory)
            && self.work() <= MOST_WORK
    }

    /// KiB written: what it costs to try one password.
    fn work(self) -> u64 {
        u64::from(self.memory) * u64::from(self.passes)
    }

    /// Whether a hash of this cost gives way to one of the cost `now`: that is more work, or as much in another shape that
    /// takes no less memory. So no stored hash is ever weakened by a weaker configuration.
    pub(super) fn gives_way_to(self, now: Self) -> bool {
        self.work() < now.work() || (self != now && self.work() == now.work() && self.memory <= now.memory)
    }
}

impl From<Strength> for Cost {
    fn from(strength: Strength) -> Self {
        let Strength { memory, passes, lanes } = strength;
        let lanes = lanes.clamp(1, MOST_LANES);
        Self { memory: memory.clamp(8 * lanes, MOST_MEMORY), passes: passes.clamp(1, MOST_PASSES), lanes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$XTu19IC4rYL/ERsDZr2HOZe9bcMx88ARJ/VVfT2Lb3U";

    #[test]
    fn a_hash_survives_being_stored() {
        let read = Phc::parse(HASH).unwrap();
        assert_eq!(read.cost, Cost { memory: 19_456, passes: 2, lanes: 1 });
        assert_eq!(read.salt, b"somesaltsomesalt");
        assert_eq!(read.to_string(), HASH);
    }

    #[test]
    fn what_would_cost_too_much_is_no_hash() {
        for cost in [
            "m=4294967295,t=2,p=1",
            "m=19456,t=4294967295,p=1",
            "m=19456,t=2,p=4000",
            "m=262144,t=5,p=1",
            "m=1,t=2,p=1",
            "m=8,t=0,p=1",
        ] {
            assert!(Phc::parse(&HASH.replace("m=19456,t=2,p=1", cost)).is_none(), "{cost} was taken");
        }
    }

    #[test]
    fn a_hash_gives_way_to_more_work_alone() {
        let cost = |memory, passes, lanes| Cost { memory, passes, lanes };
        let stored = cost(19_456, 2, 1);
        for stronger in [cost(19_457, 2, 1), cost(19_456, 3, 1), cost(47_104, 1, 1), cost(12_288, 4, 1)] {
            assert!(stored.gives_way_to(stronger), "{stronger:?}");
            assert!(!stronger.gives_way_to(stored), "{stronger:?}");
        }
        assert!(!stored.gives_way_to(stored));
        assert!(stored.gives_way_to(cost(19_456, 2, 4)), "as much work in other lanes");
        assert!(
            stored.gives_way_to(cost(38_912, 1, 1)) && !cost(38_912, 1, 1).gives_way_to(stored),
            "never less memory"
        );
    }

    #[test]
    fn what_is_no_hash_is_not_read() {
        for wrong in
            ["", "$", "hunter2", "$argon2i$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAA", &format!("{HASH}$x"), &HASH[..60]]
        {
            assert!(Phc::parse(wrong).is_none(), "{wrong:?} was read");
        }
    }
}
