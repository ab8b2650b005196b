//! The threads that hash, the queue before them, and what is measured of both.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::Strength;
use super::phc::Cost;

/// The way to the threads.
pub(super) struct Queue {
    jobs: SyncSender<Job>,
    places: usize,
    threads: usize,
}

/// What a thread does next.
enum Job {
    Hash(Hash),
    /// Other work about passwords that takes as long, and must be as bounded.
    Other(Box<dyn FnOnce() + Send>),
}

/// One hash to compute.
struct Hash {
    password: Zeroizing<Vec<u8>>,
    salt: Vec<u8>,
    cost: Cost,
    length: usize,
    answer: oneshot::Sender<Zeroizing<Vec<u8>>>,
}

/// How many hashes there were and how long one takes.
pub(super) struct Meter {
    computed: AtomicU64,
    usual_nanos: AtomicU64,
}

// === impl Queue ===

impl Queue {
    pub(super) fn start(threads: usize, places: usize, usual: Strength, meter: &Arc<Meter>) -> std::io::Result<Self> {
        let (jobs, receiver) = sync_channel(places);
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..threads {
            let (receiver, meter) = (Arc::clone(&receiver), Arc::clone(meter));
            thread::Builder::new().name(format!("hash-{number}")).spawn(move || work(&receiver, usual, &meter))?;
        }
        Ok(Self { jobs, places, threads })
    }

    /// Puts a hash into the queue; nothing when the queue is full.
    pub(super) fn ask(
        &self,
        password: Zeroizing<Vec<u8>>,
        salt: Vec<u8>,
        cost: Cost,
        length: usize,
    ) -> Option<oneshot::Receiver<Zeroizing<Vec<u8>>>> {
        let (answer, receiver) = oneshot::channel();
        let hash = Hash { password, salt, cost, length, answer };
        self.jobs.try_send(Job::Hash(hash)).ok().map(|()| receiver)
    }

    /// Puts other work into the queue; nothing when the queue is full.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<oneshot::Receiver<T>> {
        let (answer, receiver) = oneshot::channel();
        let work = move || {
            if !answer.is_closed() {
                // Gone in the meantime: nobody is waiting.
                let _ = answer.send(work());
            }
        };
        self.jobs.try_send(Job::Other(Box::new(work))).ok().map(|()| receiver)
    }

    /// How long a full queue takes, when one hash takes `usual`.
    pub(super) fn drained_in(&self, usual: Duration) -> Duration {
        let rounds = self.places.div_ceil(self.threads);
        usual.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX))
    }
}

/// One thread's life: it ends when the queue does. Its memory is taken at the first hash and kept.
fn work(jobs: &Mutex<Receiver<Job>>, usual: Strength, meter: &Meter) {
    let mut memory = Vec::new();
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(Job::Hash(hash)) => hash_one(hash, &mut memory, usual, meter),
            Ok(Job::Other(work)) => {
                // What others wrote may panic: their answer is not given then, and the thread lives on.
                if catch_unwind(AssertUnwindSafe(work)).is_err() {
                    tracing::error!("a password could not be judged");
                }
            }
            Err(_) => return,
        }
    }
}

fn hash_one(hash: Hash, memory: &mut Vec<Block>, usual: Strength, meter: &Meter) {
    let Hash { password, salt, cost, length, answer } = hash;
    // Whoever asked has gone: the try they reserved stays counted, the work need not be done.
    if answer.is_closed() {
        return;
    }
    let output = compute(memory, &password, &salt, cost, length);
    meter.computed.fetch_add(1, Ordering::Relaxed);
    // An import's hash may need more memory than our own: that is not kept.
    memory.truncate(usize::try_from(usual.memory).unwrap_or(usize::MAX));
    memory.shrink_to_fit();
    // Gone in the meantime: nobody is waiting.
    let _ = answer.send(output);
}

/// Argon2id of version 19 in `memory`, which grows as needed.
pub(super) fn compute(
    memory: &mut Vec<Block>,
    password: &[u8],
    salt: &[u8],
    cost: Cost,
    length: usize,
) -> Zeroizing<Vec<u8>> {
    let params = Params::new(cost.memory, cost.passes, cost.lanes, Some(length)).expect("a cost is checked when read");
    let blocks = params.block_count();
    if memory.len() < blocks {
        memory.resize(blocks, Block::default());
    }
    let mut output = Zeroizing::new(vec![0; length]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password, salt, &mut output, &mut *memory)
        .expect("password, salt and output are within Argon2's bounds, and there is memory enough");
    output
}

// === impl Meter ===

impl Meter {
    pub(super) fn new(first: Duration) -> Self {
        Self { computed: AtomicU64::new(0), usual_nanos: AtomicU64::new(nanos(first)) }
    }

    pub(super) fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    pub(super) fn usual(&self) -> Duration {
        Duration::from_nanos(self.usual_nanos.load(Ordering::Relaxed))
    }

    /// One more took so long: an eighth of the mean is new.
    pub(super) fn took(&self, time: Duration) {
        let mix = |usual: u64| Some(usual - usual / 8 + nanos(time) / 8);
        // The closure always gives a value, so the update cannot fail.
        let _ = self.usual_nanos.fetch_update(Ordering::Relaxed, Ordering::Relaxed, mix);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 2)
}
