//! Secrets: what is made at random, what is kept of it, and how data at rest is sealed.
//!
//! A *secret* is what a person or browser holds; a *digest* is what the store keeps of it. They are different types, and
//! no way leads back. `Debug` prints neither. What must be read again (TOTP seeds, phone numbers, held requests) is
//! *sealed*: AES-256-GCM under a key derived from the installation's sealing key, bound to its table, column and row, so
//! that a sealed value copied to another row does not open.

use std::fmt;
use std::marker::PhantomData;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{digest, hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Where randomness comes from. Tests bring their own.
pub trait Random: Send + Sync + fmt::Debug {
    /// Fills `buffer` with bytes nobody can guess.
    fn fill(&self, buffer: &mut [u8]);
}

/// The operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

/// Text that must not be shown or logged: a password, a code, a token as it was typed. Wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop, serde::Deserialize)]
#[serde(transparent)]
pub struct SecretText(String);

/// What the browser's session cookie carries: 32 random bytes, written `vs_` and 43 letters, so that a leaked one can be
/// scanned for.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SessionToken([u8; 32]);

/// SHA-256 of a [`SessionToken`]: what the store keeps and the cache is keyed by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionDigest([u8; 32]);

/// The one-time token of one operation for one validator: 8 characters of Crockford base 32, shown as `K7QF-2M9X`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct OperationToken([u8; 8]);

/// What the store keeps of an [`OperationToken`]: an HMAC over token, operation and validator under the installation's
/// key, because 40 bits alone could be searched.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OperationTokenDigest([u8; 32]);

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
    /// Tickets for kept answers.
    AnswerTicket,
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

/// Crockford's base 32 alphabet: no I, L, O, U.
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

// === impl Random ===

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) {
        // The generator is seeded by the kernel and reports an error only when the kernel cannot give randomness at all;
        // going on without would be worse than stopping.
        aws_lc_rs::rand::fill(buffer).expect("the operating system gives randomness");
    }
}

/// `N` random bytes.
pub fn random_bytes<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}

/// `count` random decimal digits, each equally likely.
pub fn random_digits(random: &dyn Random, count: usize) -> String {
    let mut digits = String::with_capacity(count);
    while digits.len() < count {
        let [byte] = random_bytes::<1>(random);
        // 250 is the largest multiple of ten in a byte: the rest would favour small digits.
        if byte < 250 {
            digits.push(char::from(b'0' + byte % 10));
        }
    }
    digits
}

/// SHA-256 of `data`.
pub fn sha256(data: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, data).as_ref().try_into().expect("SHA-256 is 32 bytes")
}

/// Whether two byte strings are equal, in time that depends on their length alone.
pub fn equal(one: &[u8], other: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one, other).is_ok()
}

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

// === impl OperationToken ===

impl OperationToken {
    /// A new token.
    pub fn generate(random: &dyn Random) -> Self {
        let bytes = random_bytes::<8>(random);
        Self(bytes.map(|byte| CROCKFORD[usize::from(byte & 31)]))
    }

    /// Reads what a person typed: case, spaces and hyphens do not matter, `O` is `0`, `I` and `L` are `1`.
    pub fn parse(typed: &str) -> Option<Self> {
        let mut token = [0; 8];
        let mut length = 0;
        for letter in typed.chars().filter(|letter| !letter.is_whitespace() && *letter != '-') {
            let letter = match letter.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            let byte = u8::try_from(letter).ok().filter(|byte| CROCKFORD.contains(byte))?;
            *token.get_mut(length)? = byte;
            length += 1;
        }
        (length == 8).then_some(Self(token))
    }

    /// As it is sent: `K7QF-2M9X`.
    pub fn expose(&self) -> String {
        let text = std::str::from_utf8(&self.0).expect("the alphabet is ASCII");
        format!("{}-{}", &text[..4], &text[4..])
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

/// Joins parts so that no two lists of parts give the same bytes: each part behind its length.
pub fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
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
            Self::AnswerTicket => b"vantail answer ticket",
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
        let token = OperationToken::generate(&SystemRandom);
        let digest = token.digest(&keyring(), "48271935", "val");
        assert!(digest.matches(&token.digest(&keyring(), "48271935", "val")));
        assert!(!digest.matches(&token.digest(&keyring(), "48271936", "val")));
        assert!(!digest.matches(&token.digest(&keyring(), "48271935", "bob")));
    }

    #[test]
    fn a_session_token_survives_its_cookie() {
        let token = SessionToken::generate(&SystemRandom);
        assert_eq!(SessionToken::parse(&token.expose()).unwrap().digest(), token.digest());
        assert!(SessionToken::parse("vs_short").is_none());
        assert!(SessionToken::parse(&token.expose()[3..]).is_none());
    }

    #[test]
    fn purposes_do_not_share_a_key() {
        assert_ne!(keyring().mac(Purpose::Phone, &[b"x"]), keyring().mac(Purpose::AntiForgery, &[b"x"]));
        assert_ne!(keyring().mac(Purpose::Phone, &[b"ab", b"c"]), keyring().mac(Purpose::Phone, &[b"a", b"bc"]));
    }

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

    #[test]
    fn random_digits_are_digits() {
        let digits = random_digits(&SystemRandom, 64);
        assert_eq!(digits.len(), 64);
        assert!(digits.bytes().all(|byte| byte.is_ascii_digit()));
    }
}
