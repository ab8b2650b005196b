//! The code that stands in for a lost second factor, and what is kept of it.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Keyring, Purpose, Random, crockford};

/// One recovery code: 10 characters of Crockford base 32, 50 bits, shown as `K7QF2-M9XAB`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct RecoveryCode([u8; 10]);

/// What the store keeps of a [`RecoveryCode`]: an HMAC over code and user under the installation's key, because 50 bits alone
/// could be searched, and one user's code must be nothing to another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RecoveryDigest([u8; 32]);

// === impl RecoveryCode ===

impl RecoveryCode {
    /// A new code.
    pub fn generate(random: &dyn Random) -> Self {
        Self(crockford::generate(random))
    }

    /// Reads what a person typed: case, spaces and hyphens do not matter, `O` is `0`, `I` and `L` are `1`.
    pub fn parse(typed: &str) -> Option<Self> {
        crockford::parse(typed).map(Self)
    }

    /// As it is shown: `K7QF2-M9XAB`.
    pub fn expose(&self) -> String {
        crockford::halves(&self.0)
    }

    /// What the store keeps, bound to the user.
    pub fn digest(&self, keyring: &Keyring, user: &str) -> RecoveryDigest {
        RecoveryDigest(keyring.mac(Purpose::RecoveryCode, &[user.as_bytes(), &self.0]))
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

// === impl RecoveryDigest ===

impl RecoveryDigest {
    /// For the store, which finds a code by it and never reads one back.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for RecoveryDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryDigest(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SystemRandom;

    #[test]
    fn a_recovery_code_is_read_as_people_write_it() {
        let code = RecoveryCode::parse("k7qf2-m9xab").unwrap();
        assert_eq!(code.expose(), "K7QF2-M9XAB");
        assert_eq!(RecoveryCode::parse(" K7QF 2M9X-AB ").unwrap().expose(), "K7QF2-M9XAB");
        assert_eq!(RecoveryCode::parse("oOiIlL0011").unwrap().expose(), "00111-10011");
        for wrong in ["", "K7QF2-M9XA", "K7QF2-M9XABC", "K7QF2-M9XAU", "٤٤٤٤٤٤٤٤٤٤", "K7QF2-M9XAß"] {
            assert!(RecoveryCode::parse(wrong).is_none(), "{wrong:?} was read as a code");
        }
    }

    #[test]
    fn a_recovery_digest_belongs_to_one_user_and_one_installation() {
        let (keyring, code) = (Keyring::new(&[7; 32]), RecoveryCode::generate(&SystemRandom));
        let digest = code.digest(&keyring, "alice");
        assert_eq!(digest, code.digest(&keyring, "alice"));
        assert_ne!(digest, code.digest(&keyring, "bob"));
        assert_ne!(digest, code.digest(&Keyring::new(&[8; 32]), "alice"));
        assert_eq!(format!("{code:?} {digest:?}"), "RecoveryCode(…) RecoveryDigest(…)");
    }
}
