//! Password hashing: Argon2id, on bounded threads of its own with memory kept between hashes.
//!
//! A caller's password goes through a bounded queue to one of a few threads; a full queue is [`Busy`], at once, instead of
//! a wait without end. What is stored is a PHC string ([`phc`]), or, until its owner signs in, what another program made
//! ([`foreign`]).
//!
//! * The **usual work** is one Argon2id of the parameters in force. It is done for every password that is looked at, and
//!   counted. A name that belongs to nobody is checked against a hash nobody knows the password of, so that its answer costs
//!   what every other answer costs.
//! * Hashes of other parameters and foreign ones are checked **beside** it, on the same thread. What that takes is told to
//!   nobody: once one was met, every *no* is kept back until as much time has passed.

pub mod foreign;
mod guess;
mod phc;
pub mod rules;
mod threads;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

pub use self::foreign::{Foreign, Unusable};
use self::phc::{Cost, Phc};
use self::threads::{Bench, Meter, Queue};
pub use crate::policy::security::Strength;
use crate::secret::{Random, SecretText, equal, random_bytes};

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

/// A password as it was typed, and as it is hashed. The same password typed on two keyboards may be two sequences of code
/// points: NFC makes them one (NIST SP 800-63B 5.1.1.2).
struct Typed {
    typed: Zeroizing<Vec<u8>>,
    composed: Zeroizing<Vec<u8>>,
}

/// What a password is checked against.
enum Stored {
    /// A hash with the parameters in force.
    Usual(Phc),
    /// One with others, or of another program.
    Other(Foreign),
    /// There is none.
    Nothing,
}

/// What a check found.
struct Checked {
    right: bool,
    /// What the check took beside the usual work.
    beside: Duration,
}

/// The longest password that is hashed, bytes: more is no password, and hashing it would be work for free.
pub const LONGEST: usize = 1024;

const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

// === impl HashPool ===

impl HashPool {
    /// Starts `threads` threads with a queue of `queue` places.
    pub fn start(threads: usize, queue: usize, strength: Strength, random: Arc<dyn Random>) -> std::io::Result<Self> {
        let meter = Arc::new(Meter::new());
        let begun = Instant::now();
        let nobody = nobody(&mut Bench::new(strength, Arc::clone(&meter)), strength, &*random);
        meter.begin(begun.elapsed());
        let queue = Queue::start(threads.max(1), queue, strength, &meter)?;
        Ok(Self { inner: Arc::new(Inner { queue, meter, strength, random, nobody }) })
    }

    /// Compares. Without a hash (unknown user, no password) the same work is done on a hash nobody knows, and the answer
    /// is no. Passwords are NFC-normalised; over 1024 bytes: no, unhashed.
    pub async fn verify(&self, password: SecretText, hash: Option<String>) -> Result<bool, Busy> {
        let Some(password) = Typed::of(&password) else { return Ok(false) };
        let stored = self.stored(hash.as_deref());
        let nobody = self.inner.nobody.clone();
        let asked = Instant::now();
        let Checked { right, beside } = self.ask(move |bench| stored.check(&password, &nobody, bench)).await?;
        self.inner.meter.took(asked.elapsed().saturating_sub(beside));
        if !beside.is_zero() {
            self.inner.meter.took_beside(beside);
        }
        if !right {
            // Comes when the slowest would.
            tokio::time::sleep(self.inner.meter.beside().saturating_sub(beside)).await;
        }
        Ok(right)
    }

    /// A new PHC string. A password over 1024 bytes is refused by the caller; what comes here longer is cut nowhere and
    /// could never sign in.
    pub async fn hash(&self, password: SecretText) -> Result<String, Busy> {
        let password = composed(&password);
        let salt = random_bytes::<SALT_BYTES>(&*self.inner.random).to_vec();
        let cost = self.cost();
        let asked = Instant::now();
        let hash = self.ask(move |bench| {
            let output = bench.argon2id(&password, &salt, cost, HASH_BYTES).to_vec();
            Phc { cost, salt, output }.to_string()
        });
        let hash = hash.await?;
        self.inner.meter.took(asked.elapsed());
        Ok(hash)
    }

    /// Whether `password` is easily guessed by whoever knows `words` about its owner. As bounded as a hash, since the answer
    /// may cost as much.
    pub async fn is_easily_guessed(&self, password: SecretText, words: Vec<String>) -> Result<bool, Busy> {
        self.ask(move |_| guess::is_easy(password.expose(), &words)).await
    }

    /// Whether `hash` is to be replaced when its password is given next: it is foreign, or weaker than what the pool makes
    /// now. A hash that is stronger stays, whatever the configuration says since.
    pub fn is_outdated(&self, hash: &str) -> bool {
        self.outdated(hash).is_some()
    }

    /// The algorithm of a hash that is to be replaced.
    pub fn outdated(&self, hash: &str) -> Option<&'static str> {
        match Phc::parse(hash) {
            Some(own) => {
                let is_short = own.output.len() < HASH_BYTES || own.salt.len() < SALT_BYTES;
                (is_short || own.cost.gives_way_to(self.cost())).then_some("argon2id")
            }
            None => Some(Foreign::read(hash).map_or("unreadable", |foreign| foreign.algorithm())),
        }
    }

    /// How many hashes were computed (for the metric, and for tests of exactness).
    pub fn computed(&self) -> u64 {
        self.inner.meter.computed()
    }

    /// What a *no* takes now, the wait in the queue included (moving mean): how long a locked name's answer is kept back,
    /// so that its time tells nothing.
    pub fn usual(&self) -> Duration {
        self.inner.meter.usual().saturating_add(self.inner.meter.beside())
    }

    fn cost(&self) -> Cost {
        Cost::from(self.inner.strength)
    }

    fn stored(&self, hash: Option<&str>) -> Stored {
        let Some(hash) = hash else { return Stored::Nothing };
        if let Some(usual) = Phc::parse(hash).filter(|own| own.cost == self.cost()) {
            return Stored::Usual(usual);
        }
        Foreign::read(hash).map_or_else(
            |_| {
                tracing::error!("a stored password hash cannot be read: reset that user's password");
                Stored::Nothing
            },
            Stored::Other,
        )
    }

    async fn ask<T: Send + 'static>(&self, work: impl FnOnce(&mut Bench) -> T + Send + 'static) -> Result<T, Busy> {
        let answer = self.inner.queue.ask(work).ok_or_else(|| self.busy())?;
        answer.await.map_err(|_| self.busy())
    }

    fn busy(&self) -> Busy {
        let drained = self.inner.queue.drained_in(self.inner.meter.usual());
        Busy { retry_after: u32::try_from(drained.as_secs()).unwrap_or(u32::MAX).saturating_add(1) }
    }
}

impl fmt::Debug for HashPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashPool").field("strength", &self.inner.strength).finish_non_exhaustive()
    }
}

// === impl Typed ===

impl Typed {
    /// Nothing when it is too long to be a password.
    fn of(password: &SecretText) -> Option<Self> {
        let typed = password.expose();
        (typed.len() <= LONGEST)
            .then(|| Self { typed: Zeroizing::new(typed.as_bytes().to_vec()), composed: composed(password) })
    }
}

fn composed(password: &SecretText) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(password.expose().nfc().collect::<String>().into_bytes())
}

// === impl Stored ===

impl Stored {
    /// The usual work, whatever is stored, and beside it what that needs.
    fn check(&self, password: &Typed, nobody: &Phc, bench: &mut Bench) -> Checked {
        let begun = Instant::now();
        let other = match self {
            Self::Other(foreign) => foreign.is_of(password, bench),
            Self::Usual(_) | Self::Nothing => false,
        };
        let beside = if let Self::Other(_) = self { begun.elapsed() } else { Duration::ZERO };
        let Phc { cost, salt, output } = if let Self::Usual(own) = self { own } else { nobody };
        let same = equal(&bench.argon2id(&password.composed, salt, *cost, output.len()), output);
        Checked { right: other | (same & matches!(self, Self::Usual(_))), beside }
    }
}

/// A hash of 32 random bytes, computed here and now: its time is the first measure of what is usual.
fn nobody(bench: &mut Bench, strength: Strength, random: &dyn Random) -> Phc {
    let password = Zeroizing::new(random_bytes::<32>(random));
    let salt = random_bytes::<SALT_BYTES>(random).to_vec();
    let cost = Cost::from(strength);
    let output = bench.argon2id(&password[..], &salt, cost, HASH_BYTES).to_vec();
    Phc { cost, salt, output }
}

#[cfg(test)]
mod tests;
