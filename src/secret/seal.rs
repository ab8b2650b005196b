//! The installation's keys, and what they do: sealing data at rest, and MACs.
//!
//! What must be read again (TOTP seeds, phone numbers, held requests) is *sealed*: AES-256-GCM under a key derived from the
//! installation's sealing key, bound to its table, column and row, so that a sealed value copied to another row does not
//! open. What must only be proven unchanged, or found again without being readable, gets a *MAC* under the key of its
//! *purpose*.

use std::fmt;
use std::marker::PhantomData;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};

use super::{Random, framed, random_bytes};

/// A value sealed at rest. The type says what is inside; only [`Keyring::open`] with the same [`Place`] gives it back.
pub struct Sealed<T> {
    bytes: Vec<u8>,
    holds: PhantomData<fn() -> T>,
}

/// Where a sealed value lives. It opens nowhere else.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The table's name.
    pub table: &'static str,
    /// The column's name.
    pub column: &'static str,
    /// The row's primary key, as text.
    pub row: &'a str,
}

/// What a MAC is for. Each purpose has a key of its own, so that one purpose's value is worthless for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Anti-forgery values in forms.
    AntiForgery,
    /// Digests of operation tokens.
    OperationToken,
    /// The seal over an operation's record.
    OperationSeal,
    /// The audit trail's chain.
    AuditChain,
    /// Digests of phone numbers, to see that two people share one without opening either.
    Phone,
    /// Names that belong to nobody, as they are counted by the lockout and shown in the audit trail.
    UnknownName,
    /// The values by which a browser is remembered.
    RememberedDevice,
    /// Tickets for kept answers.
    AnswerTicket,
    /// Digests of recovery codes.
    RecoveryCode,
    /// Tickets for requests that go on after a step-up.
    ResumeTicket,
    /// The sealing key's own check value, stored beside the data it seals.
    KeyCheck,
}

/// The installation's keys, all derived (HKDF-SHA-256) from one 32-byte sealing key.
pub struct Keyring {
    sealing: LessSafeKey,
    master: hkdf::Prk,
}

/// A sealed value that did not open: another key, another place, or changed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open: it was changed, moved, or sealed with another key")]
pub struct DoesNotOpen;

// === impl Sealed ===

impl<T> Sealed<T> {
    /// From the store's bytes. They are checked when opened.
    pub fn from_stored(bytes: Vec<u8>) -> Self {
        Self { bytes, holds: PhantomData }
    }

    /// For the store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// For the store, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl<T> Clone for Sealed<T> {
    fn clone(&self) -> Self {
        Self::from_stored(self.bytes.clone())
    }
}

impl<T> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.bytes.len())
    }
}

// === impl Place ===

impl Place<'_> {
    /// What is authenticated beside the ciphertext. Lengths go first, so that no two places share one encoding.
    fn associated_data(&self) -> Vec<u8> {
        framed(&[self.table.as_bytes(), self.column.as_bytes(), self.row.as_bytes()])
    }
}

// === impl Purpose ===

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::AntiForgery => b"vantail anti-forgery",
            Self::OperationToken => b"vantail operation token",
            Self::OperationSeal => b"vantail operation seal",
            Self::AuditChain => b"vantail audit chain",
            Self::Phone => b"vantail phone",
            Self::UnknownName => b"vantail unknown name",
            Self::RememberedDevice => b"vantail remembered device",
            Self::AnswerTicket => b"vantail answer ticket",
            Self::RecoveryCode => b"vantail recovery code",
            Self::ResumeTicket => b"vantail resume ticket",
            Self::KeyCheck => b"vantail key check",
        }
    }
}

// === impl Keyring ===

impl Keyring {
    /// The keys that `sealing_key` leads to.
    pub fn new(sealing_key: &[u8; 32]) -> Self {
        let master = hkdf::Salt::new(hkdf::HKDF_SHA256, b"vantail").extract(sealing_key);
        let sealing = LessSafeKey::new(
            UnboundKey::new(&AES_256_GCM, &derived(&master, b"vantail sealing")).expect("the key has 32 bytes"),
        );
        Self { sealing, master }
    }

    /// Seals `plaintext` for `place` under a fresh random nonce: nonce, ciphertext and tag, 28 bytes more than the text.
    pub fn seal<T>(&self, random: &dyn Random, place: Place<'_>, plaintext: &[u8]) -> Sealed<T> {
        let nonce = random_bytes::<NONCE_LEN>(random);
        let mut bytes = Vec::with_capacity(NONCE_LEN + plaintext.len() + 16);
        bytes.extend_from_slice(plaintext);
        self.sealing
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.associated_data()),
                &mut bytes,
            )
            .expect("sealing fails only beyond 64 GiB");
        bytes.splice(0..0, nonce);
        Sealed::from_stored(bytes)
    }

    /// Opens what was sealed for `place`.
    pub fn open<T>(&self, place: Place<'_>, sealed: &Sealed<T>) -> Result<Vec<u8>, DoesNotOpen> {
        let (nonce, ciphertext) = sealed.bytes.split_first_chunk::<NONCE_LEN>().ok_or(DoesNotOpen)?;
        let mut bytes = ciphertext.to_vec();
        let length = self
            .sealing
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(place.associated_data()), &mut bytes)
            .map_err(|_| DoesNotOpen)?
            .len();
        bytes.truncate(length);
        Ok(bytes)
    }

    /// HMAC-SHA-256 over `parts`, each framed by its length, under the key of `purpose`.
    pub fn mac(&self, purpose: Purpose, parts: &[&[u8]]) -> [u8; 32] {
        let tag = hmac::sign(&self.mac_key(purpose), &framed(parts));
        tag.as_ref().try_into().expect("HMAC-SHA-256 is 32 bytes")
    }

    /// Whether `mac` is the one over `parts`; in constant time.
    pub fn verify(&self, purpose: Purpose, parts: &[&[u8]], mac: &[u8]) -> bool {
        hmac::verify(&self.mac_key(purpose), &framed(parts), mac).is_ok()
    }

    /// The MAC key of a purpose, for whoever signs often.
    pub fn mac_key(&self, purpose: Purpose) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &derived(&self.master, purpose.label()))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring(…)")
    }
}

fn derived(master: &hkdf::Prk, label: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    master
        .expand(&[label], hkdf::HKDF_SHA256)
        .and_then(|expanded| expanded.fill(&mut key))
        .expect("32 bytes is a length HKDF-SHA-256 gives");
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SystemRandom;

    fn keyring() -> Keyring {
        Keyring::new(&[7; 32])
    }

    const HERE: Place<'static> = Place { table: "users", column: "phone", row: "1" };

    #[test]
    fn what_is_sealed_opens_in_its_place() {
        let sealed: Sealed<String> = keyring().seal(&SystemRandom, HERE, b"+33612345678");
        assert_eq!(keyring().open(HERE, &sealed).unwrap(), b"+33612345678");
    }

    #[test]
    fn what_is_sealed_opens_in_no_other_row_and_with_no_other_key() {
        let sealed: Sealed<String> = keyring().seal(&SystemRandom, HERE, b"+33612345678");
        assert_eq!(keyring().open(Place { row: "2", ..HERE }, &sealed), Err(DoesNotOpen));
        assert_eq!(Keyring::new(&[8; 32]).open(HERE, &sealed), Err(DoesNotOpen));
    }

    #[test]
    fn one_changed_bit_does_not_open() {
        let sealed: Sealed<String> = keyring().seal(&SystemRandom, HERE, b"seed");
        for index in 0..sealed.as_bytes().len() {
            let mut bytes = sealed.as_bytes().to_vec();
            bytes[index] ^= 1;
            assert_eq!(keyring().open(HERE, &Sealed::<String>::from_stored(bytes)), Err(DoesNotOpen));
        }
    }

    #[test]
    fn purposes_do_not_share_a_key() {
        assert_ne!(keyring().mac(Purpose::Phone, &[b"x"]), keyring().mac(Purpose::AntiForgery, &[b"x"]));
        assert_ne!(keyring().mac(Purpose::Phone, &[b"ab", b"c"]), keyring().mac(Purpose::Phone, &[b"a", b"bc"]));
    }
}
