//! Recovery codes: for the day the authenticator is lost.
//!
//! A **set** of eight is made when a user's second factor becomes active, and whenever its owner asks for another; it ends the
//! set before. It is shown once, and only its digests are stored. A code works once, and where a code of the authenticator
//! would: guesses at either share one count.

use crate::identity::UserId;
use crate::secret::{Keyring, Random, RecoveryCode, RecoveryDigest};

/// How many are in a set.
pub const COUNT: usize = 8;

/// So many or fewer are few: their owner is told.
pub const FEW: u64 = 2;

/// A new set, on its way to its owner.
#[derive(Debug)]
pub struct RecoveryCodes(Vec<RecoveryCode>);

// === impl RecoveryCodes ===

impl RecoveryCodes {
    /// A new set.
    pub fn generate(random: &dyn Random) -> Self {
        Self((0..COUNT).map(|_| RecoveryCode::generate(random)).collect())
    }

    /// What the store keeps of it for `user`.
    pub fn digests(&self, keyring: &Keyring, user: UserId) -> Vec<RecoveryDigest> {
        self.0.iter().map(|code| code.digest(keyring, &user.to_string())).collect()
    }

    /// As its owner is shown it.
    pub fn expose(&self) -> Vec<String> {
        self.0.iter().map(RecoveryCode::expose).collect()
    }
}

/// What the store would keep of the code that `typed` is for `user`; nothing when it is none.
pub fn digest_of(keyring: &Keyring, user: UserId, typed: &str) -> Option<RecoveryDigest> {
    RecoveryCode::parse(typed).map(|code| code.digest(keyring, &user.to_string()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;

    use super::*;
    use crate::secret::SystemRandom;

    #[test]
    fn a_set_is_eight_different_codes_that_are_found_by_their_digests() {
        let (keyring, alice) = (Keyring::new(&[1; 32]), UserId(Uuid::from_u128(1)));
        let set = RecoveryCodes::generate(&SystemRandom);
        let shown = set.expose();
        assert_eq!(shown.iter().collect::<BTreeSet<_>>().len(), COUNT);
        let digests = set.digests(&keyring, alice);
        for (code, digest) in shown.iter().zip(&digests) {
            assert_eq!(digest_of(&keyring, alice, &code.to_lowercase()), Some(*digest));
            assert!(code.len() == 11 && !format!("{set:?}").contains(code), "{code}");
        }
        assert_eq!(digest_of(&keyring, alice, "123456"), None);
    }
}
