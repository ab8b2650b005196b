//! bcrypt: `$2b$12$` with 22 letters of salt and 31 of hash.
//!
//! bcrypt reads the first 72 bytes of a password with its final NUL, and so does this. A password with a NUL in it is never
//! right: C programs took what stands before it, and bcrypt repeats short passwords, so that `a` and `a\0a` would be one.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::Unusable;
use crate::secret::equal;

/// The letters that crypt(3) gives bcrypt. What 128 and 184 bits leave of a letter is not looked at.
const LETTERS: GeneralPurpose = GeneralPurpose::new(
    &alphabet::BCRYPT,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

const NAME: &str = "bcrypt";

/// 2^14 rounds take about a second; programs make 2^10 to 2^12.
const COSTS: std::ops::RangeInclusive<u32> = 4..=14;

/// What bcrypt reads of a password and its NUL.
const READ: usize = 72;

#[derive(Clone)]
pub(super) struct Bcrypt {
    cost: u32,
    salt: [u8; 16],
    output: [u8; 23],
}

impl Bcrypt {
    pub(super) fn read(text: &str) -> Option<Result<Self, Unusable>> {
        let rest = ["$2a$", "$2b$", "$2y$"].iter().find_map(|prefix| text.strip_prefix(prefix))?;
        Some(Self::read_rest(rest))
    }

    fn read_rest(rest: &str) -> Result<Self, Unusable> {
        const DAMAGED: Unusable = Unusable::Damaged(NAME);
        let (cost, letters) = rest.split_once('$').ok_or(DAMAGED)?;
        if cost.len() != 2 || letters.len() != 53 || !letters.is_ascii() {
            return Err(DAMAGED);
        }
        let cost: u32 = cost.parse().map_err(|_| DAMAGED)?;
        let (salt, output) = letters.split_at(22);
        let salt = LETTERS.decode(salt).ok().and_then(|salt| salt.try_into().ok()).ok_or(DAMAGED)?;
        let output = LETTERS.decode(output).ok().and_then(|output| output.try_into().ok()).ok_or(DAMAGED)?;
        match cost {
            cost if COSTS.contains(&cost) => Ok(Self { cost, salt, output }),
            15..=31 => Err(Unusable::TooCostly(NAME)),
            _ => Err(DAMAGED),
        }
    }

    pub(super) fn is_made_of(&self, password: &[u8]) -> bool {
        if password.contains(&0) {
            return false;
        }
        let mut read = zeroize::Zeroizing::new(Vec::with_capacity(password.len() + 1));
        read.extend_from_slice(password);
        read.push(0);
        read.truncate(READ);
        let computed = ::bcrypt::bcrypt(self.cost, self.salt, &read);
        equal(&computed[..self.output.len()], &self.output)
    }
}
