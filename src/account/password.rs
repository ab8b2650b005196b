//! Password hashing: Argon2id, on bounded threads of its own with memory kept between hashes.
use std::sync::Arc;
use crate::secret::{Random, SecretText};
/// Argon2id parameters; the default is m = 19 MiB, t = 2, p = 1 (OWASP Password Storage).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strength { /// KiB.
    pub memory: u32, /// Passes.
    pub passes: u32 }
/// The queue is full: answer 503 with this `Retry-After`, seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many sign-ins at once; try again in {retry_after} s")]
pub struct Busy { /// Seconds.
    pub retry_after: u32 }
/// The pool.
#[derive(Debug, Clone)]
pub struct HashPool { inner: Arc<Inner> }
#[derive(Debug)]
struct Inner {}
impl HashPool {
    /// Starts `threads` threads with a queue of `queue` places.
    pub fn start(threads: usize, queue: usize, strength: Strength, random: Arc<dyn Random>) -> std::io::Result<Self> { let _ = (threads, queue, strength, random); todo!() }
    /// Compares. Without a hash (unknown user, no password) the same work is done on a hash nobody knows, and the answer is no. Passwords are NFC-normalised; over 1024 bytes: no, unhashed.
    pub async fn verify(&self, password: SecretText, hash: Option<String>) -> Result<bool, Busy> { let _ = (password, hash); todo!() }
    /// A new PHC string.
    pub async fn hash(&self, password: SecretText) -> Result<String, Busy> { let _ = password; todo!() }
    /// Whether `hash` is weaker than what the pool makes now.
    pub fn is_outdated(&self, hash: &str) -> bool { let _ = hash; todo!() }
    /// How many hashes were computed (for the metric, and for tests of exactness).
    pub fn computed(&self) -> u64 { todo!() }
    /// What a hash takes now (moving mean): how long a locked name's answer is kept back, so that its time tells nothing.
    pub fn usual(&self) -> std::time::Duration { todo!() }
}
