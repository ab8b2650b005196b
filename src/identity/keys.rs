//! Signing keys: sealed in the store, held in process, published as a key set, rotated with overlap.
use std::sync::Arc;
use crate::audit::Origin;
use crate::secret::{Keyring, Random};
use crate::store::{Store, StoreError};
use crate::time::Timestamp;
/// No key signs: nothing may be forwarded with identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no signing key")]
pub struct NoKey;
/// The keys in use (swapped whole on rotation). Cheap to clone.
#[derive(Debug, Clone)]
pub struct KeyRing {}
impl KeyRing {
    /// Loads the keys; makes the first one when there is none.
    pub async fn load(store: &Store, keyring: &Keyring, random: &dyn Random, now: Timestamp) -> Result<Self, StoreError> { let _ = (store, keyring, random, now); todo!() }
    /// Reads them again (a change mark said so).
    pub async fn reload(&self, store: &Store, keyring: &Keyring, now: Timestamp) -> Result<(), StoreError> { let _ = (store, keyring, now); todo!() }
    /// The key set, RFC 7517 JSON.
    pub fn jwks(&self, now: Timestamp) -> Arc<str> { let _ = now; todo!() }
}
/// Makes a new key; it is published at once, signs after `PUBLISHED_BEFORE_USE`, the old stay published for a day after. The new key's id.
pub async fn rotate(store: &Store, keyring: &Keyring, random: &dyn Random, origin: &Origin) -> Result<String, StoreError> { let _ = (store, keyring, random, origin); todo!() }
