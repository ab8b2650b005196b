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
use super::phc::{Cost, Phc};

/// The way to the threads.
pub(super) struct Queue {
    jobs: SyncSender<Job>,
    places: usize,
    threads: usize,
}

/// What a thread does for one who asks.
type Job = Box<dyn FnOnce(&mut Bench) + Send>;

/// What a thread hashes with: its memory is taken at the first hash and kept.
pub(super) struct Bench {
    memory: Vec<Block>,
    /// How many blocks of it are kept.
    kept: usize,
    meter: Arc<Meter>,
}

/// How many hashes there were and how long one takes.
pub(super) struct Meter {
    computed: AtomicU64,
    usual_nanos: AtomicU64,
    beside_nanos: AtomicU64,
}

// === impl Queue ===

impl Queue {
    pub(super) fn start(threads: usize, places: usize, usual: Strength, meter: &Arc<Meter>) -> std::io::Result<Self> {
        let (jobs, receiver) = sync_channel(places);
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..threads {
            let (receiver, bench) = (Arc::clone(&receiver), Bench::new(usual, Arc::clone(meter)));
            thread::Builder::new().name(format!("hash-{number}")).spawn(move || work(&receiver, bench))?;
        }
        Ok(Self { jobs, places, threads })
    }

    /// Puts work into the queue; nothing when the queue is full.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Bench) -> T + Send + 'static,
    ) -> Option<oneshot::Receiver<T>> {
        let (answer, receiver) = oneshot::channel();
        let job = move |bench: &mut Bench| {
            // Whoever asked has gone: the try they reserved stays counted, the work need not be done.
            if !answer.is_closed() {
                // Gone in the meantime: nobody is waiting.
                let _ = answer.send(work(bench));
            }
        };
        self.jobs.try_send(Box::new(job)).ok().map(|()| receiver)
    }

    /// How long a full queue takes, when one hash takes `usual`.
    pub(super) fn drained_in(&self, usual: Duration) -> Duration {
        let rounds = self.places.div_ceil(self.threads);
        usual.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX))
    }
}

/// One thread's life: it ends when the queue does.
fn work(jobs: &Mutex<Receiver<Job>>, mut bench: Bench) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        // What others wrote may panic: their answer is not given then, and the thread lives on.
        if catch_unwind(AssertUnwindSafe(|| job(&mut bench))).is_err() {
            tracing::error!("a password could not be looked at");
        }
        bench.tidy();
    }
}

// === impl Bench ===

impl Bench {
    pub(super) fn new(usual: Strength, meter: Arc<Meter>) -> Self {
        Self { memory: Vec::new(), kept: usize::try_from(usual.memory).unwrap_or(usize::MAX), meter }
    }

    /// The usual work: Argon2id of version 19, counted.
    pub(super) fn argon2id(&mut self, password: &[u8], salt: &[u8], cost: Cost, length: usize) -> Zeroizing<Vec<u8>> {
        self.meter.computed.fetch_add(1, Ordering::Relaxed);
        self.compute((Algorithm::Argon2id, Version::V0x13), password, salt, (cost, length))
    }

    /// What the password makes with the salt and cost of a hash of another program, or of other parameters.
    pub(super) fn argon2(&mut self, how: (Algorithm, Version), password: &[u8], hash: &Phc) -> Zeroizing<Vec<u8>> {
        self.compute(how, password, &hash.salt, (hash.cost, hash.output.len()))
    }

    fn compute(
        &mut self,
        (algorithm, version): (Algorithm, Version),
        password: &[u8],
        salt: &[u8],
        (cost, length): (Cost, usize),
    ) -> Zeroizing<Vec<u8>> {
        let params =
            Params::new(cost.memory, cost.passes, cost.lanes, Some(length)).expect("a cost is checked when read");
        let blocks = params.block_count();
        if self.memory.len() < blocks {
            self.memory.resize(blocks, Block::default());
        }
        let mut output = Zeroizing::new(vec![0; length]);
        Argon2::new(algorithm, version, params)
            .hash_password_into_with_memory(password, salt, &mut output, &mut self.memory)
            .expect("password, salt and output are within Argon2's bounds, and there is memory enough");
        output
    }

    /// An import's hash may need more memory than our own: that is not kept.
    fn tidy(&mut self) {
        self.memory.truncate(self.kept);
        self.memory.shrink_to_fit();
    }
}

// === impl Meter ===

impl Meter {
    pub(super) fn new() -> Self {
        Self { computed: AtomicU64::new(0), usual_nanos: AtomicU64::new(0), beside_nanos: AtomicU64::new(0) }
    }

    /// The first measure of what is usual; what it computed counts for nothing.
    pub(super) fn begin(&self, first: Duration) {
        self.computed.store(0, Ordering::Relaxed);
        self.usual_nanos.store(nanos(first), Ordering::Relaxed);
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

    /// What the check of an older or foreign hash takes beside the usual work: the longest, slowly forgotten over shorter
    /// ones since.
    pub(super) fn beside(&self) -> Duration {
        Duration::from_nanos(self.beside_nanos.load(Ordering::Relaxed))
    }

    /// One more took so long beside.
    pub(super) fn took_beside(&self, time: Duration) {
        let longest = |before: u64| Some(nanos(time).max(before - before / 64));
        // The closure always gives a value, so the update cannot fail.
        let _ = self.beside_nanos.fetch_update(Ordering::Relaxed, Ordering::Relaxed, longest);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 2)
}
