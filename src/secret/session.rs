//! What a browser's session cookie carries, and what is kept of it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Random, random_bytes, sha256};

/// What the browser's session cookie carries: 32 random bytes, written `vs_` and 43 letters, so that a leaked one can be
/// scanned for.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SessionToken([u8; 32]);

/// SHA-256 of a [`SessionToken`]: what the store keeps and the cache is keyed by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionDigest([u8; 32]);

// === impl SessionToken ===

impl SessionToken {
    /// What every session token begins with.
    pub const PREFIX: &'static str = "vs_";

    /// A new token.
    pub fn generate(random: &dyn Random) -> Self {
        Self(random_bytes(random))
    }

    /// Reads a cookie's value; nothing when it is not one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let written = URL_SAFE_NO_PAD.decode_slice(text.strip_prefix(Self::PREFIX)?, &mut bytes).ok()?;
        (written == 32).then_some(Self(bytes))
    }

    /// The cookie's value.
    pub fn expose(&self) -> String {
        format!("{}{}", Self::PREFIX, URL_SAFE_NO_PAD.encode(self.0))
    }

    /// What the store keeps.
    pub fn digest(&self) -> SessionDigest {
        SessionDigest(sha256(&self.0))
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(…)")
    }
}

// === impl SessionDigest ===

impl SessionDigest {
    /// From the store's bytes; nothing when there are not 32 of them.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// For the store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SessionDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionDigest(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SystemRandom;

    #[test]
    fn a_session_token_survives_its_cookie() {
        let token = SessionToken::generate(&SystemRandom);
        assert_eq!(SessionToken::parse(&token.expose()).unwrap().digest(), token.digest());
        assert!(SessionToken::parse("vs_short").is_none());
        assert!(SessionToken::parse(&token.expose()[3..]).is_none());
    }
}
