//! Password hashing: Argon2id, on bounded threads of its own with memory kept between hashes.
//!
//! A caller's password goes through a bounded queue to one of a few threads; a full queue is [`Busy`], at once, instead of
//! a wait without end. What is stored is a PHC string ([`phc`]). A name that belongs to nobody is checked against a hash
//! nobody knows the password of, so that its answer costs what every other answer costs.

mod guess;
mod phc;
pub mod rules;
mod threads;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use self::phc::{Cost, Phc};
use self::threads::{Meter, Queue};
use crate::secret::{Random, SecretText, equal, random_bytes};

/// Argon2id parameters; the default is m = 19 MiB, t = 2, p = 1 (OWASP Password Storage Cheat Sheet).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strength {
    /// KiB.
    pub memory: u32,
    /// Passes.
    pub passes: u32,
}

/// The queue is full: answer 503 with this `Retry-After`, seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many sign-ins at once; try again in {retry_after} s")]
pub struct Busy {
    /// Seconds.
    pub retry_after: u32,
}

/// The pool. Cheap to clone; its threads end with the last clone.
#[derive(Clone)]
pub struct HashPool {
    inner: Arc<Inner>,
}

struct Inner {
    queue: Queue,
    meter: Arc<Meter>,
    strength: Strength,
    random: Arc<dyn Random>,
    /// The hash nobody knows the password of.
    nobody: Phc,
}

/// The longest password that is hashed, bytes: more is no password, and hashing it would be work for free.
pub const LONGEST: usize = 1024;

const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

// === impl HashPool ===

impl HashPool {
    /// Starts `threads` threads with a queue of `queue` places.
    pub fn start(threads: usize, queue: usize, strength: Strength, random: Arc<dyn Random>) -> std::io::Result<Self> {
        let begun = Instant::now();
        let nobody = nobody(strength, &*random);
        let meter = Arc::new(Meter::new(begun.elapsed()));
        let queue = Queue::start(threads.max(1), queue, strength, &meter)?;
        Ok(Self { inner: Arc::new(Inner { queue, meter, strength, random, nobody }) })
    }

    /// Compares. Without a hash (unknown user, no password) the same work is done on a hash nobody knows, and the answer
    /// is no. Passwords are NFC-normalised; over 1024 bytes: no, unhashed.
    pub async fn verify(&self, password: SecretText, hash: Option<String>) -> Result<bool, Busy> {
        let Some(password) = normalised(&password) else { return Ok(false) };
        let stored = hash.as_deref().and_then(Phc::parse);
        if hash.is_some() && stored.is_none() {
            tracing::error!("a stored password hash cannot be read: reset that user's password");
        }
        let known = stored.is_some();
        let Phc { cost, salt, output } = stored.unwrap_or_else(|| self.inner.nobody.clone());
        let computed = self.derive(password, salt, cost, output.len()).await?;
        Ok(equal(&computed, &output) & known)
    }

    /// A new PHC string. A password over 1024 bytes is refused by the caller; what comes here longer is cut nowhere and
    /// could never sign in.
    pub async fn hash(&self, password: SecretText) -> Result<String, Busy> {
        let password = Zeroizing::new(password.expose().nfc().collect::<String>().into_bytes());
        let salt = random_bytes::<SALT_BYTES>(&*self.inner.random).to_vec();
        let cost = Cost::from(self.inner.strength);
        let output = self.derive(password, salt.clone(), cost, HASH_BYTES).await?;
        Ok(Phc { cost, salt, output: output.to_vec() }.to_string())
    }

    /// Whether `password` is easily guessed by whoever knows `words` about its owner. As bounded as a hash, since the answer
    /// may cost as much.
    pub async fn is_easily_guessed(&self, password: SecretText, words: Vec<String>) -> Result<bool, Busy> {
        let work = move || guess::is_easy(password.expose(), &words);
        let answer = self.inner.queue.run(work).ok_or_else(|| self.busy())?;
        answer.await.map_err(|_| self.busy())
    }

    /// Whether `hash` is weaker than what the pool makes now.
    pub fn is_outdated(&self, hash: &str) -> bool {
        Phc::parse(hash).is_none_or(|stored| {
            stored.cost.memory < self.inner.strength.memory
                || stored.cost.passes < self.inner.strength.passes
                || stored.output.len() < HASH_BYTES
        })
    }

    /// How many hashes were computed (for the metric, and for tests of exactness).
    pub fn computed(&self) -> u64 {
        self.inner.meter.computed()
    }

    /// What a hash takes now, the wait in the queue included (moving mean): how long a locked name's answer is kept back,
    /// so that its time tells nothing.
    pub fn usual(&self) -> Duration {
        self.inner.meter.usual()
    }

    async fn derive(
        &self,
        password: Zeroizing<Vec<u8>>,
        salt: Vec<u8>,
        cost: Cost,
        length: usize,
    ) -> Result<Zeroizing<Vec<u8>>, Busy> {
        let asked = Instant::now();
        let answer = self.inner.queue.ask(password, salt, cost, length).ok_or_else(|| self.busy())?;
        let output = answer.await.map_err(|_| self.busy())?;
        self.inner.meter.took(asked.elapsed());
        Ok(output)
    }

    fn busy(&self) -> Busy {
        let drained = self.inner.queue.drained_in(self.usual());
        Busy { retry_after: u32::try_from(drained.as_secs()).unwrap_or(u32::MAX).saturating_add(1) }
    }
}

impl fmt::Debug for HashPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashPool").field("strength", &self.inner.strength).finish_non_exhaustive()
    }
}

/// The bytes that are hashed; nothing when there are too many. The same password typed on two keyboards may be two
/// sequences of code points: NFC makes them one (NIST SP 800-63B 5.1.1.2).
fn normalised(password: &SecretText) -> Option<Zeroizing<Vec<u8>>> {
    let typed = password.expose();
    (typed.len() <= LONGEST).then(|| Zeroizing::new(typed.nfc().collect::<String>().into_bytes()))
}

/// A hash of 32 random bytes, computed here and now: its time is the first measure of what is usual.
fn nobody(strength: Strength, random: &dyn Random) -> Phc {
    let password = Zeroizing::new(random_bytes::<32>(random));
    let salt = random_bytes::<SALT_BYTES>(random).to_vec();
    let cost = Cost::from(strength);
    let output = threads::compute(&mut Vec::new(), &password[..], &salt, cost, HASH_BYTES).to_vec();
    Phc { cost, salt, output }
}

// === impl Strength ===

impl Default for Strength {
    fn default() -> Self {
        Self { memory: 19_456, passes: 2 }
    }
}

#[cfg(test)]
mod tests;
