//! Secrets: what is made at random, what is kept of it, and how data at rest is sealed.
//!
//! A *secret* is what a person or browser holds; a *digest* is what the store keeps of it. They are different types, and
//! no way leads back. `Debug` prints neither. What people and browsers hold is here with its digest ([`SessionToken`],
//! [`BrowserToken`], [`RememberToken`], [`OperationToken`], [`RecoveryCode`]); what must be read again is *sealed* by the
//! [`Keyring`].

mod browser;
mod crockford;
mod operation;
mod random;
mod recovery;
mod remember;
mod seal;
mod session;

use std::fmt;

use aws_lc_rs::digest;
use zeroize::{Zeroize, ZeroizeOnDrop};

pub use browser::{BrowserDigest, BrowserToken};
pub use operation::{OperationToken, OperationTokenDigest};
pub use random::{Random, SystemRandom, random_bytes, random_digits};
pub use recovery::{RecoveryCode, RecoveryDigest};
pub use remember::{RememberDigest, RememberToken};
pub use seal::{DoesNotOpen, Keyring, Place, Purpose, Sealed};
pub use session::{SessionDigest, SessionToken};

/// Text that must not be shown or logged: a password, a code, a token as it was typed. Wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop, serde::Deserialize)]
#[serde(transparent)]
pub struct SecretText(String);

// === impl SecretText ===

impl SecretText {
    /// Takes `text` in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Every call is a place to look at when secrets leak.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

// === digests ===

/// SHA-256 of `data`.
pub fn sha256(data: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, data).as_ref().try_into().expect("SHA-256 is 32 bytes")
}

/// Whether two byte strings are equal, in time that depends on their length alone.
pub fn equal(one: &[u8], other: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one, other).is_ok()
}

/// Joins parts so that no two lists of parts give the same bytes: each part behind its length.
pub fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_printed() {
        let printed = format!(
            "{:?} {:?} {:?}",
            SecretText::new("hunter2"),
            SessionToken::generate(&SystemRandom),
            OperationToken::parse("K7QF2M9X")
        );
        assert_eq!(printed, "SecretText(…) SessionToken(…) Some(OperationToken(…))");
    }
}
