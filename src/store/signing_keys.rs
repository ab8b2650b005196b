//! Signing keys of assertions.
use super::{Store, StoreError, audit::NewEvent};
use crate::secret::Sealed;
use crate::time::Timestamp;
/// PKCS#8 of an ECDSA P-256 key.
#[derive(Debug)]
pub struct Pkcs8;
/// A signing key.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "plain")]
pub struct SigningKeyRow { /// RFC 7638 thumbprint.
    pub kid: String, /// Place "signing_keys", "private", kid.
    pub private: Sealed<Pkcs8>, /// The public JWK, JSON.
    pub public_jwk: String, pub created_at: Timestamp, /// Signs from then on (the newest such one does).
    pub signs_from: Timestamp, /// Published until then; none: still in use.
    pub published_until: Option<Timestamp> }
impl Store {
    /// All that are published at `now`, newest first.
    pub async fn signing_keys(&self, now: Timestamp) -> Result<Vec<SigningKeyRow>, StoreError> { let _ = now; todo!() }
    /// Adds one; the others stay published until `others_until`. Writes a `keys` change mark. With `only_if_none`, does nothing (false) when a key exists (first start of several processes).
    pub async fn add_signing_key(&self, key: &SigningKeyRow, others_until: Timestamp, only_if_none: bool, events: &[NewEvent]) -> Result<bool, StoreError> { let _ = (key, others_until, only_if_none, events); todo!() }
}
