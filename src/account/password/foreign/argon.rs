//! Argon2 PHC strings of other programs: i, d and id, of both versions.

use argon2::{Algorithm, Version};

use super::super::phc::Phc;
use super::super::threads::Bench;
use super::{Unusable, strip_scheme};
use crate::secret::equal;

/// What tells a foreign Argon2id hash from one of our own.
pub(super) const MARK: &str = "{ARGON2}";

#[derive(Clone)]
pub(super) struct Argon {
    algorithm: Algorithm,
    version: Version,
    hash: Phc,
}

impl Argon {
    pub(super) fn read(text: &str) -> Option<Result<Self, Unusable>> {
        let text = strip_scheme(text, MARK).unwrap_or(text);
        let (algorithm, rest) =
            [(Algorithm::Argon2id, "$argon2id$"), (Algorithm::Argon2i, "$argon2i$"), (Algorithm::Argon2d, "$argon2d$")]
                .into_iter()
                .find_map(|(algorithm, prefix)| Some((algorithm, text.strip_prefix(prefix)?)))?;
        Some(Self::of(algorithm, rest))
    }

    fn of(algorithm: Algorithm, rest: &str) -> Result<Self, Unusable> {
        // The first programs wrote no version: it is the first one.
        let (version, rest) = match rest.strip_prefix("v=19$") {
            Some(rest) => (Version::V0x13, rest),
            None => (Version::V0x10, rest.strip_prefix("v=16$").unwrap_or(rest)),
        };
        let hash = Phc::parse_parts(rest).ok_or(Unusable::Damaged(name(algorithm)))?;
        if hash.cost.is_bearable() {
            Ok(Self { algorithm, version, hash })
        } else {
            Err(Unusable::TooCostly(name(algorithm)))
        }
    }

    pub(super) fn algorithm(&self) -> &'static str {
        name(self.algorithm)
    }

    pub(super) fn is_made_of(&self, password: &[u8], bench: &mut Bench) -> bool {
        equal(&bench.argon2((self.algorithm, self.version), password, &self.hash), &self.hash.output)
    }
}

fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Argon2d => "argon2d",
        Algorithm::Argon2i => "argon2i",
        Algorithm::Argon2id => "argon2id",
    }
}
