//! Signing keys: sealed in the store, held in process, published as a key set, rotated with overlap.
//!
//! A new key is **published** at once and **signs** only after [`PUBLISHED_BEFORE_USE`], so that a backend that keeps the
//! key set for a while knows it before it meets it. The keys before it stay published for [`KEPT_AFTER_USE`], longer than
//! anything they signed is valid.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::rand::SystemRandom as AwsRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use zeroize::Zeroizing;

use crate::audit::Origin;
use crate::secret::{Keyring, Place, Random, sha256};
use crate::store::signing_keys::{Pkcs8, SigningKeyRow};
use crate::store::{Store, StoreError};
use crate::time::Timestamp;

/// How long a key is published before it signs.
pub const PUBLISHED_BEFORE_USE: Duration = Duration::from_mins(10);
/// How long a key stays published after another one signs.
pub const KEPT_AFTER_USE: Duration = Duration::from_hours(24);

/// No key signs: nothing may be forwarded with identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no signing key")]
pub struct NoKey;

/// The keys in use (swapped whole on rotation). Cheap to clone.
#[derive(Clone)]
pub struct KeyRing {
    keys: Arc<ArcSwap<Vec<SigningKey>>>,
}

/// A key, parsed once: signing parses nothing.
pub(super) struct SigningKey {
    pub(super) kid: String,
    pair: EcdsaKeyPair,
    /// The JWT header and the dot behind it, encoded.
    pub(super) header: String,
    public_jwk: serde_json::Value,
    signs_from: Timestamp,
    published_until: Option<Timestamp>,
}

/// A signing key just made, not stored yet.
struct Made {
    kid: String,
    pkcs8: Zeroizing<Vec<u8>>,
    public_jwk: String,
}

// === impl KeyRing ===

impl KeyRing {
    /// Loads the keys; makes the first one when there is none.
    pub async fn load(
        store: &Store,
        keyring: &Keyring,
        random: &dyn Random,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let ring = Self { keys: Arc::default() };
        ring.reload(store, keyring, now).await?;
        if ring.keys.load().is_empty() {
            let first = Made::generate().sealed(keyring, random, now, now);
            let gateway = Origin { now, actor: None, door: "gateway", address: None, request_id: None };
            let event = gateway.event("key.made", "ok").on(&first.kid);
            // Another process may make the first one at the same moment: whoever comes second takes that one.
            store.add_signing_key(&first, now, true, &[event]).await?;
            ring.reload(store, keyring, now).await?;
        }
        Ok(ring)
    }

    /// Reads them again (a change mark said so).
    pub async fn reload(&self, store: &Store, keyring: &Keyring, now: Timestamp) -> Result<(), StoreError> {
        let rows = store.signing_keys(now).await?;
        let keys = rows.iter().map(|row| SigningKey::open(row, keyring)).collect::<Result<_, _>>()?;
        self.keys.store(Arc::new(keys));
        Ok(())
    }

    /// The key set, RFC 7517 JSON.
    pub fn jwks(&self, now: Timestamp) -> Arc<str> {
        let keys = self.keys.load();
        let published: Vec<_> = keys.iter().filter(|key| key.is_published(now)).map(|key| &key.public_jwk).collect();
        json!({ "keys": published }).to_string().into()
    }

    /// Signs with the newest key whose time has come. A clock set back before the first key's time leaves that one to
    /// sign.
    pub(super) fn with_signer<T>(&self, now: Timestamp, sign: impl FnOnce(&SigningKey) -> T) -> Result<T, NoKey> {
        let keys = self.keys.load();
        let published = || keys.iter().filter(|key| key.is_published(now));
        published()
            .filter(|key| key.signs_from <= now)
            .max_by_key(|key| key.signs_from)
            .or_else(|| published().min_by_key(|key| key.signs_from))
            .map(sign)
            .ok_or(NoKey)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.load().iter().map(|key| key.kid.clone())).finish()
    }
}

/// Makes a new key; it is published at once, signs after [`PUBLISHED_BEFORE_USE`], the old stay published for a day after.
/// The new key's id.
pub async fn rotate(
    store: &Store,
    keyring: &Keyring,
    random: &dyn Random,
    origin: &Origin,
) -> Result<String, StoreError> {
    let signs_from = origin.now.plus(PUBLISHED_BEFORE_USE);
    let new = Made::generate().sealed(keyring, random, origin.now, signs_from);
    let event = origin.event("key.rotated", "ok").on(&new.kid).with("signs_from", signs_from.to_string());
    store.add_signing_key(&new, signs_from.plus(KEPT_AFTER_USE), false, &[event]).await?;
    Ok(new.kid)
}

// === impl SigningKey ===

impl SigningKey {
    fn open(row: &SigningKeyRow, keyring: &Keyring) -> Result<Self, StoreError> {
        let damaged = |what: &str| StoreError::Damaged(format!("signing key {}: {what}", row.kid));
        let pkcs8 = keyring.open(place(&row.kid), &row.private).map_err(|error| damaged(&error.to_string()))?;
        let pkcs8 = Zeroizing::new(pkcs8);
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8)
            .map_err(|_| damaged("it is no P-256 key"))?;
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": row.kid }).to_string();
        Ok(Self {
            kid: row.kid.clone(),
            pair,
            header: URL_SAFE_NO_PAD.encode(header) + ".",
            public_jwk: serde_json::from_str(&row.public_jwk).map_err(|_| damaged("its public part is no JSON"))?,
            signs_from: row.signs_from,
            published_until: row.published_until,
        })
    }

    fn is_published(&self, now: Timestamp) -> bool {
        self.published_until.is_none_or(|until| now < until)
    }

    /// The JWS signature over `input`: r and s, 32 bytes each (RFC 7518 section 3.4).
    pub(super) fn sign(&self, input: &[u8]) -> impl AsRef<[u8]> + use<> {
        self.pair.sign(&AwsRandom::new(), input).expect("a parsed P-256 key signs whatever it is given")
    }
}

// === impl Made ===

impl Made {
    /// A new key. P-256 keys are made by the cryptographic library's own generator: it takes no other.
    fn generate() -> Self {
        const ALWAYS: &str = "the library makes and reads its own keys";
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &AwsRandom::new()).expect(ALWAYS);
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).expect(ALWAYS);
        let (kid, public_jwk) = public_jwk(pair.public_key().as_ref());
        Self { kid, pkcs8: Zeroizing::new(pkcs8.as_ref().to_vec()), public_jwk }
    }

    fn sealed(
        self,
        keyring: &Keyring,
        random: &dyn Random,
        created_at: Timestamp,
        signs_from: Timestamp,
    ) -> SigningKeyRow {
        let private = keyring.seal::<Pkcs8>(random, place(&self.kid), &self.pkcs8);
        let (kid, public_jwk) = (self.kid, self.public_jwk);
        SigningKeyRow { kid, private, public_jwk, created_at, signs_from, published_until: None }
    }
}

/// The id and the JWK (RFC 7517) of a point in uncompressed form: 4, x, y. The id is the thumbprint (RFC 7638): SHA-256
/// over the required members in lexical order.
fn public_jwk(point: &[u8]) -> (String, String) {
    let (x, y) = point[1..].split_at(32);
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    let required = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    let kid = URL_SAFE_NO_PAD.encode(sha256(required.as_bytes()));
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "alg": "ES256", "use": "sig" });
    (kid, jwk.to_string())
}

fn place(kid: &str) -> Place<'_> {
    Place { table: "signing_keys", column: "private", row: kid }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::secret::SystemRandom;

    pub(in crate::identity) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    /// A ring of one key that signs from `NOW` on.
    pub(in crate::identity) fn ring() -> KeyRing {
        ring_of(&[(NOW, None)])
    }

    fn ring_of(times: &[(Timestamp, Option<Timestamp>)]) -> KeyRing {
        let keyring = Keyring::new(&[1; 32]);
        let made = times.iter().map(|(signs_from, published_until)| {
            let mut row = Made::generate().sealed(&keyring, &SystemRandom, NOW, *signs_from);
            row.published_until = *published_until;
            SigningKey::open(&row, &keyring).unwrap()
        });
        KeyRing { keys: Arc::new(ArcSwap::from_pointee(made.collect())) }
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(NOW.as_secs() + secs)
    }

    fn signer(ring: &KeyRing, now: Timestamp) -> String {
        ring.with_signer(now, |key| key.kid.clone()).unwrap()
    }

    fn published(ring: &KeyRing, now: Timestamp) -> Vec<String> {
        let set: serde_json::Value = serde_json::from_str(&ring.jwks(now)).unwrap();
        let kids = set["keys"].as_array().unwrap().iter();
        kids.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_key_id_is_the_thumbprint() {
        // RFC 7517 appendix A.1's P-256 key; its RFC 7638 thumbprint by an independent implementation.
        let x = URL_SAFE_NO_PAD.decode("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4").unwrap();
        let y = URL_SAFE_NO_PAD.decode("4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM").unwrap();
        let point = [&[4][..], &x, &y].concat();
        assert_eq!(public_jwk(&point).0, "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s");
    }

    #[test]
    fn the_key_set_has_public_parts_only() {
        let set: serde_json::Value = serde_json::from_str(&ring().jwks(NOW)).unwrap();
        let key = set["keys"][0].as_object().unwrap();
        let members: Vec<_> = key.keys().map(String::as_str).collect();
        assert_eq!(members, ["kty", "crv", "x", "y", "kid", "alg", "use"]);
    }

    #[test]
    fn a_new_key_is_published_before_it_signs_and_the_old_one_after_it_signed() {
        let ring = ring_of(&[(at(600), None), (NOW, Some(at(600 + 86_400)))]);
        let both = published(&ring, NOW);
        assert_eq!(both.len(), 2);
        assert_eq!(signer(&ring, at(599)), both[1]);
        assert_eq!(signer(&ring, at(600)), both[0]);
        assert_eq!(published(&ring, at(600 + 86_399)), both);
        assert_eq!(published(&ring, at(600 + 86_400)), both[..1]);
    }

    #[test]
    fn without_a_key_nothing_is_signed() {
        assert_eq!(ring_of(&[]).with_signer(NOW, |_| ()), Err(NoKey));
    }

    #[test]
    fn a_clock_set_back_leaves_the_first_key_to_sign() {
        assert!(ring().with_signer(at(-3600), |_| ()).is_ok());
    }

    #[test]
    fn a_sealed_key_under_another_id_is_damage() {
        let keyring = Keyring::new(&[1; 32]);
        let mut row = Made::generate().sealed(&keyring, &SystemRandom, NOW, NOW);
        row.kid = "another".into();
        assert!(matches!(SigningKey::open(&row, &keyring), Err(StoreError::Damaged(_))));
    }
}
