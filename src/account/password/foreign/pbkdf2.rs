//! PBKDF2 with SHA-256 or SHA-512, as Django, passlib and OpenLDAP write it.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::{Unusable, strip_scheme};

/// As many rounds as take about a second.
const MOST_WITH_SHA256: u32 = 1_500_000;
const MOST_WITH_SHA512: u32 = 700_000;

/// Bytes of salt.
const SALTS: std::ops::RangeInclusive<usize> = 1..=64;

#[derive(Clone, Copy)]
enum Hash {
    Sha256,
    Sha512,
}

#[derive(Clone)]
pub(super) struct Pbkdf2 {
    hash: Hash,
    rounds: NonZeroU32,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl Pbkdf2 {
    pub(super) fn read(text: &str) -> Option<Result<Self, Unusable>> {
        if let Some(rest) = text.strip_prefix("pbkdf2_sha256$") {
            // Django: the salt is its own letters, the hash base64 with its padding.
            return Some(Self::of(
                Hash::Sha256,
                rest,
                |salt| Some(salt.as_bytes().to_vec()),
                |hash| STANDARD.decode(hash).ok(),
            ));
        }
        let (hash, rest) = [
            (Hash::Sha256, text.strip_prefix("$pbkdf2-sha256$")),
            (Hash::Sha512, text.strip_prefix("$pbkdf2-sha512$")),
            (Hash::Sha256, strip_scheme(text, "{pbkdf2-sha256}")),
            (Hash::Sha512, strip_scheme(text, "{pbkdf2-sha512}")),
        ]
        .into_iter()
        .find_map(|(hash, rest)| Some((hash, rest?)))?;
        Some(Self::of(hash, rest, adapted, adapted))
    }

    fn of(
        hash: Hash,
        rest: &str,
        read_salt: impl Fn(&str) -> Option<Vec<u8>>,
        read_output: impl Fn(&str) -> Option<Vec<u8>>,
    ) -> Result<Self, Unusable> {
        let damaged = Unusable::Damaged(hash.name());
        let mut fields = rest.split('$');
        let mut field = || fields.next().ok_or(damaged);
        let (rounds, salt, output) = (field()?, field()?, field()?);
        let (salt, output) = (read_salt(salt).ok_or(damaged)?, read_output(output).ok_or(damaged)?);
        if fields.next().is_some() || !SALTS.contains(&salt.len()) || output.len() != hash.length() {
            return Err(damaged);
        }
        let rounds: u64 = rounds.parse().map_err(|_| damaged)?;
        if rounds > u64::from(hash.most()) {
            return Err(Unusable::TooCostly(hash.name()));
        }
        let rounds = u32::try_from(rounds).ok().and_then(NonZeroU32::new).ok_or(damaged)?;
        Ok(Self { hash, rounds, salt, output })
    }

    pub(super) fn algorithm(&self) -> &'static str {
        self.hash.name()
    }

    pub(super) fn is_made_of(&self, password: &[u8]) -> bool {
        pbkdf2::verify(self.hash.with_hmac(), self.rounds, &self.salt, password, &self.output).is_ok()
    }
}

impl Hash {
    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "pbkdf2-sha256",
            Self::Sha512 => "pbkdf2-sha512",
        }
    }

    /// Bytes of output. A longer one would cost as many times more, and none of these programs makes another.
    fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    fn most(self) -> u32 {
        match self {
            Self::Sha256 => MOST_WITH_SHA256,
            Self::Sha512 => MOST_WITH_SHA512,
        }
    }

    fn with_hmac(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }
}

/// passlib's base64: `.` in the place of `+`, no padding.
fn adapted(text: &str) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text.trim_end_matches('=').replace('.', "+")).ok()
}
