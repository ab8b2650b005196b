//! The signed identity a backend gets: a JWT (ES256), short-lived, for one site.
use std::sync::Arc;
use crate::identity::SignedIn;
use crate::time::Timestamp;
/// What a confirmed operation adds to the claims.
#[derive(Debug, Clone, serde::Serialize)]
#[expect(missing_docs, reason = "interface.md names the claims")]
pub struct OperationClaim { pub id: String, pub digest: String, pub requested_at: i64, pub confirmed_by: Vec<String>, pub confirmed_at: i64 }
/// Signs, with a cache per session and site. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Assertions {}
impl Assertions {
    /// Signing in the name of `issuer`, with the keys in `ring`.
    pub fn new(issuer: String, ring: super::keys::KeyRing, random: Arc<dyn crate::secret::Random>) -> Self { let _ = (issuer, ring, random); todo!() }
    /// The assertion for `site`; reused while more than half its life (60 s) is left, dropped when the session or its user changes.
    pub fn for_site(&self, signed_in: &SignedIn, site: &str, now: Timestamp) -> Result<Arc<str>, super::keys::NoKey> { let _ = (signed_in, site, now); todo!() }
    /// A fresh one for a confirmed operation, with `operation`, `htm` and `target`.
    pub fn for_operation(&self, signed_in: &SignedIn, site: &str, operation: &OperationClaim, htm: &str, target: &str, now: Timestamp) -> Result<String, super::keys::NoKey> { let _ = (signed_in, site, operation, htm, target, now); todo!() }
}
