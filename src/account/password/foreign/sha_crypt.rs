//! SHA-crypt: `$5$` and `$6$`, with `rounds=N$` or the 5000 that are meant without it.

use sha_crypt::{PasswordHashRef, PasswordVerifier as _, ShaCrypt};

use super::Unusable;

/// Rounds, as crypt(3) takes them, up to what takes about a second.
const ROUNDS: std::ops::RangeInclusive<u64> = 1000..=700_000;
const USUAL_ROUNDS: u64 = 5000;

/// Each round reads the password, so a long one with many rounds takes as many times longer. Rounds times bytes, with 64 more
/// for what every round reads: the most rounds with 128 bytes.
const MOST_WORK: u64 = 700_000 * (64 + 128);

/// Letters of salt.
const SALTS: std::ops::RangeInclusive<usize> = 1..=16;

#[derive(Clone, Copy)]
enum Hash {
    Sha256,
    Sha512,
}

#[derive(Clone)]
pub(super) struct Crypted {
    hash: Hash,
    rounds: u64,
    /// The whole, as crypt(3) writes it.
    text: String,
}

impl Crypted {
    pub(super) fn read(text: &str) -> Option<Result<Self, Unusable>> {
        let hash = |hash, prefix| Some((hash, text.strip_prefix(prefix)?));
        let (hash, rest) = hash(Hash::Sha256, "$5$").or_else(|| hash(Hash::Sha512, "$6$"))?;
        Some(Self::of(hash, text, rest))
    }

    fn of(hash: Hash, text: &str, rest: &str) -> Result<Self, Unusable> {
        let damaged = Unusable::Damaged(hash.name());
        let (rounds, rest) = match rest.strip_prefix("rounds=") {
            Some(rest) => {
                let (written, rest) = rest.split_once('$').ok_or(damaged)?;
                let rounds: u64 = written.parse().map_err(|_| damaged)?;
                if rounds.to_string() != written {
                    return Err(damaged);
                }
                (rounds, rest)
            }
            None => (USUAL_ROUNDS, rest),
        };
        let (salt, output) = rest.split_once('$').ok_or(damaged)?;
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/');
        let are_whole = SALTS.contains(&salt.len()) && output.len() == hash.length() && output.bytes().all(is_letter);
        if !are_whole || PasswordHashRef::new(text).is_err() || rounds < *ROUNDS.start() {
            return Err(damaged);
        }
        if rounds > *ROUNDS.end() {
            return Err(Unusable::TooCostly(hash.name()));
        }
        Ok(Self { hash, rounds, text: text.to_owned() })
    }

    pub(super) fn algorithm(&self) -> &'static str {
        self.hash.name()
    }

    /// A password with a NUL in it is never right: crypt(3) took what stands before it.
    pub(super) fn is_made_of(&self, password: &[u8]) -> bool {
        let work = self.rounds.saturating_mul(64 + password.len() as u64);
        work <= MOST_WORK
            && !password.contains(&0)
            && ShaCrypt::default().verify_password(password, self.text.as_str()).is_ok()
    }
}

impl Hash {
    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256-crypt",
            Self::Sha512 => "sha512-crypt",
        }
    }

    /// Letters of output.
    fn length(self) -> usize {
        match self {
            Self::Sha256 => 43,
            Self::Sha512 => 86,
        }
    }
}
