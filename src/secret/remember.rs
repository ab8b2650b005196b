//! What a remembered browser's cookie carries, and what is kept of it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Keyring, Purpose, Random, random_bytes, sha256};

/// The device's id, 16 random bytes and a MAC over both.
const LENGTH: usize = 16 + 16 + 32;

/// What a remembered browser's cookie carries: which device it is, random bytes, and a MAC by which every value that this
/// installation ever made is known again, also those that were replaced long ago. Written `vr_` and 86 letters, so that a
/// leaked one can be scanned for.
///
/// Only the device's current value is worth anything, and that one is known by its [`RememberDigest`] alone: whoever has the
/// installation's keys can make values, but none that opens a door.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct RememberToken([u8; LENGTH]);

/// SHA-256 of a [`RememberToken`]: what the store keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RememberDigest([u8; 32]);

// === impl RememberToken ===

impl RememberToken {
    /// What every such token begins with.
    pub const PREFIX: &'static str = "vr_";

    /// A new token of `device`.
    pub fn generate(keyring: &Keyring, random: &dyn Random, device: Uuid) -> Self {
        let nonce = random_bytes::<16>(random);
        let mac = keyring.mac(Purpose::RememberedDevice, &[device.as_bytes(), &nonce]);
        let mut bytes = [0; LENGTH];
        for (place, byte) in bytes.iter_mut().zip(device.as_bytes().iter().chain(&nonce).chain(&mac)) {
            *place = *byte;
        }
        Self(bytes)
    }

    /// Reads a cookie's value; nothing when this installation has not made it.
    pub fn parse(keyring: &Keyring, text: &str) -> Option<Self> {
        let mut bytes = [0; LENGTH];
        let written = URL_SAFE_NO_PAD.decode_slice(text.strip_prefix(Self::PREFIX)?, &mut bytes).ok()?;
        let (device, rest) = bytes.split_at(16);
        let (nonce, mac) = rest.split_at(16);
        let genuine = written == LENGTH && keyring.verify(Purpose::RememberedDevice, &[device, nonce], mac);
        genuine.then_some(Self(bytes))
    }

    /// Which device it is of.
    pub fn device(&self) -> Uuid {
        let (device, _) = self.0.split_first_chunk::<16>().expect("a token is longer than an id");
        Uuid::from_bytes(*device)
    }

    /// The cookie's value.
    pub fn expose(&self) -> String {
        format!("{}{}", Self::PREFIX, URL_SAFE_NO_PAD.encode(self.0))
    }

    /// What the store keeps.
    pub fn digest(&self) -> RememberDigest {
        RememberDigest(sha256(&self.0))
    }
}

impl fmt::Debug for RememberToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RememberToken(…)")
    }
}

// === impl RememberDigest ===

impl RememberDigest {
    /// From the store's bytes; nothing when there are not 32 of them.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// For the store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for RememberDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RememberDigest(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SystemRandom;

    const DEVICE: Uuid = Uuid::from_u128(7);

    fn keyring() -> Keyring {
        Keyring::new(&[7; 32])
    }

    #[test]
    fn a_remember_token_survives_its_cookie_and_says_whose_it_is() {
        let token = RememberToken::generate(&keyring(), &SystemRandom, DEVICE);
        let read = RememberToken::parse(&keyring(), &token.expose()).unwrap();
        assert_eq!((read.digest(), read.device()), (token.digest(), DEVICE));
        assert_ne!(token.digest(), RememberToken::generate(&keyring(), &SystemRandom, DEVICE).digest());
    }

    #[test]
    fn sess_4_a_value_nobody_here_has_made_is_none() {
        let text = RememberToken::generate(&keyring(), &SystemRandom, DEVICE).expose();
        assert!(RememberToken::parse(&Keyring::new(&[8; 32]), &text).is_none(), "of another installation");
        let mut bytes = URL_SAFE_NO_PAD.decode(&text[3..]).unwrap();
        for index in 0..LENGTH {
            bytes[index] ^= 1;
            let changed = format!("vr_{}", URL_SAFE_NO_PAD.encode(&bytes));
            assert!(RememberToken::parse(&keyring(), &changed).is_none(), "byte {index} was changed");
            bytes[index] ^= 1;
        }
        let session = text.replacen("vr_", "vs_", 1);
        for wrong in ["", "vr_", "vr_short", &text[..text.len() - 1], &text[3..], &session] {
            assert!(RememberToken::parse(&keyring(), wrong).is_none(), "{wrong}");
        }
    }
}
