//! The stored form of a password hash: a PHC string, `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::Strength;

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

const MOST: Cost = Cost { memory: 262_144, passes: 32, lanes: 16 };

// === impl Phc ===

impl Phc {
    /// Reads a stored hash; nothing when it is no Argon2id hash of version 19 within bounds.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut fields = text.strip_prefix("$argon2id$v=19$")?.split('$');
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
        let fits = (1..=MOST.lanes).contains(&cost.lanes)
            && (1..=MOST.passes).contains(&cost.passes)
            && (8 * cost.lanes..=MOST.memory).contains(&cost.memory);
        (fits && parts.next().is_none()).then_some(cost)
    }
}

impl From<Strength> for Cost {
    fn from(strength: Strength) -> Self {
        Self { memory: strength.memory.clamp(8, MOST.memory), passes: strength.passes.clamp(1, MOST.passes), lanes: 1 }
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
        for cost in
            ["m=4294967295,t=2,p=1", "m=19456,t=4294967295,p=1", "m=19456,t=2,p=4000", "m=1,t=2,p=1", "m=8,t=0,p=1"]
        {
            assert!(Phc::parse(&HASH.replace("m=19456,t=2,p=1", cost)).is_none(), "{cost} was taken");
        }
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
