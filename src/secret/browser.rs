//! What a browser is known by.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Random, random_bytes, sha256};

/// What the browser's own cookie carries: 32 random bytes, written `vb_` and 43 letters. It opens nothing.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct BrowserToken([u8; 32]);

/// SHA-256 of a [`BrowserToken`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BrowserDigest([u8; 32]);

// === impl BrowserToken ===

impl BrowserToken {
    /// What every browser's token begins with.
    pub const PREFIX: &'static str = "vb_";

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
    pub fn digest(&self) -> BrowserDigest {
        BrowserDigest(sha256(&self.0))
    }
}

impl fmt::Debug for BrowserToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrowserToken(…)")
    }
}

// === impl BrowserDigest ===

impl BrowserDigest {
    /// For the store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for BrowserDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrowserDigest(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SystemRandom;

    #[test]
    fn a_browsers_token_survives_its_cookie() {
        let token = BrowserToken::generate(&SystemRandom);
        assert_eq!(BrowserToken::parse(&token.expose()).unwrap().digest(), token.digest());
        assert!(BrowserToken::parse("vb_short").is_none());
        assert!(BrowserToken::parse(&token.expose().replace("vb_", "vs_")).is_none());
    }
}
