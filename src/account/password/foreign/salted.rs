//! `{SSHA}`, `{SSHA256}`, `{SSHA512}`: one digest of the password and a salt that follows it.

use aws_lc_rs::digest::{self, Context};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::{Unusable, strip_scheme};
use crate::secret::equal;

/// Bytes of salt. Without one it would be `{SHA}`.
const SALTS: std::ops::RangeInclusive<usize> = 1..=64;

#[derive(Clone, Copy)]
enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

#[derive(Clone)]
pub(super) struct Salted {
    hash: Hash,
    output: Vec<u8>,
    salt: Vec<u8>,
}

impl Salted {
    pub(super) fn read(text: &str) -> Option<Result<Self, Unusable>> {
        let (hash, rest) = [(Hash::Sha1, "{ssha}"), (Hash::Sha256, "{ssha256}"), (Hash::Sha512, "{ssha512}")]
            .into_iter()
            .find_map(|(hash, scheme)| Some((hash, strip_scheme(text, scheme)?)))?;
        Some(Self::of(hash, rest).ok_or(Unusable::Damaged(hash.name())))
    }

    fn of(hash: Hash, rest: &str) -> Option<Self> {
        let mut output = STANDARD_NO_PAD.decode(rest.trim_end_matches('=')).ok()?;
        let length = hash.of_digest().output_len();
        let salt = (output.len() > length).then(|| output.split_off(length))?;
        SALTS.contains(&salt.len()).then_some(Self { hash, output, salt })
    }

    pub(super) fn algorithm(&self) -> &'static str {
        self.hash.name()
    }

    pub(super) fn is_made_of(&self, password: &[u8]) -> bool {
        let mut context = Context::new(self.hash.of_digest());
        context.update(password);
        context.update(&self.salt);
        equal(context.finish().as_ref(), &self.output)
    }
}

impl Hash {
    fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "ssha",
            Self::Sha256 => "ssha256",
            Self::Sha512 => "ssha512",
        }
    }

    fn of_digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        }
    }
}
