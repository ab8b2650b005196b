//! The token a validator confirms with, and what is kept of it.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Keyring, Purpose, Random, crockford, equal};

/// The one-time token of one operation for one validator: 8 characters of Crockford base 32, shown as `K7QF-2M9X`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct OperationToken([u8; 8]);

/// What the store keeps of an [`OperationToken`]: an HMAC over token, operation and validator under the installation's
/// key, because 40 bits alone could be searched.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OperationTokenDigest([u8; 32]);

// === impl OperationToken ===

impl OperationToken {
    /// A new token.
    pub fn generate(random: &dyn Random) -> Self {
        Self(crockford::generate(random))
    }

    /// Reads what a person typed: case, spaces and hyphens do not matter, `O` is `0`, `I` and `L` are `1`.
    pub fn parse(typed: &str) -> Option<Self> {
        crockford::parse(typed).map(Self)
    }

    /// As it is sent: `K7QF-2M9X`.
    pub fn expose(&self) -> String {
        crockford::halves(&self.0)
    }

    /// What the store keeps, bound to the operation and the validator.
    pub fn digest(&self, keyring: &Keyring, operation: &str, validator: &str) -> OperationTokenDigest {
        OperationTokenDigest(
            keyring.mac(Purpose::OperationToken, &[operation.as_bytes(), validator.as_bytes(), &self.0]),
        )
    }
}

impl fmt::Debug for OperationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperationToken(…)")
    }
}

// === impl OperationTokenDigest ===

impl OperationTokenDigest {
    /// From the store's bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// For the store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Compares in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        equal(&self.0, &other.0)
    }
}

impl fmt::Debug for OperationTokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperationTokenDigest(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SystemRandom;

    #[test]
    fn an_operation_token_is_read_as_people_write_it() {
        let token = OperationToken::parse("k7qf-2m9x").unwrap();
        assert_eq!(token.expose(), "K7QF-2M9X");
        assert_eq!(OperationToken::parse(" K7 QF2M9X ").unwrap().expose(), "K7QF-2M9X");
        assert_eq!(OperationToken::parse("oOiIlL00").unwrap().expose(), "0011-1100");
        for wrong in ["", "K7QF-2M9", "K7QF-2M9XX", "K7QF-2M9U", "٤٤٤٤٤٤٤٤"] {
            assert!(OperationToken::parse(wrong).is_none(), "{wrong:?} was read as a token");
        }
    }

    #[test]
    fn a_token_digest_belongs_to_one_operation_and_one_validator() {
        let (keyring, token) = (Keyring::new(&[7; 32]), OperationToken::generate(&SystemRandom));
        let digest = token.digest(&keyring, "48271935", "val");
        assert!(digest.matches(&token.digest(&keyring, "48271935", "val")));
        assert!(!digest.matches(&token.digest(&keyring, "48271936", "val")));
        assert!(!digest.matches(&token.digest(&keyring, "48271935", "bob")));
    }
}
