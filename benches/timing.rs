//! Whether the time of a refused sign-in tells who exists (AUTH-4): 500 timings each of a known, an unknown, a disabled and a
//! locked name, interleaved; medians and a rank test against the known one.
//!
//! Tests compare the work, which is exact on every machine; this measures the time, which is not: run it on a quiet one.
//! `cargo bench --bench timing` prints a line a name and fails when one can be told apart.

#![expect(clippy::print_stdout, reason = "a comparison is printed")]

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vantail::account::strangers::Strangers;
use vantail::account::{Accounts, Addition, HashPool, Strength};
use vantail::audit::Origin;
use vantail::notify::Notices;
use vantail::policy::Security;
use vantail::secret::{Keyring, SecretText, SystemRandom};
use vantail::session::{Browser, Login, Sessions};
use vantail::store::{Open, Store};
use vantail::time::{Clock as _, SystemClock};

/// A sign-in service on a store of its own.
struct Gate {
    // Gone with its files when dropped.
    _folder: TempDir,
    login: Login,
    /// Nobody is ever locked.
    lenient: Security,
    /// Whoever guesses wrong is.
    strict: Security,
}

/// How one name's timings compare with those of the first.
struct Comparison {
    median: Duration,
    apart: Duration,
    /// The chance of ranks as uneven as these, were there no difference.
    p: f64,
}

const ROUNDS: usize = 500;
const NAMES: [&str; 4] = ["known", "unknown", "disabled", "locked"];
/// Medians further apart than both of these can be told apart from outside.
const APART: Duration = Duration::from_millis(5);
const APART_SHARE: f64 = 0.05;
/// Less likely ranks are no accident.
const LEAST_P: f64 = 0.01;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("there are threads");
    let timings = runtime.block_on(measure());
    println!("{:10} {:>10} {:>10} {:>8}", "name", "median", "apart", "p");
    let mut alike = true;
    for (name, own) in NAMES.iter().zip(&timings) {
        let Comparison { median, apart, p } = compare(&timings[0], own);
        let is_near = apart <= APART || apart.as_secs_f64() <= APART_SHARE * median.as_secs_f64();
        // A locked name's answer is not computed but kept back for as long: near is as good as it gets.
        let is_even = p > LEAST_P || *name == "locked";
        let verdict = if is_near && is_even { "" } else { "  can be told apart" };
        alike &= verdict.is_empty();
        println!("{name:10} {:>8.3}ms {:>8.3}ms {p:>8.4}{verdict}", millis(median), millis(apart));
    }
    if alike { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// A timing of each name a round, so that whatever slows the machine slows all of them.
async fn measure() -> [Vec<Duration>; 4] {
    let gate = Gate::new().await;
    let mut timings = [const { Vec::new() }; 4];
    for round in 0..ROUNDS {
        for which in order(round) {
            timings[which].push(gate.refused(NAMES[which]).await);
        }
    }
    timings
}

/// Every order comes as often as every other: what was asked before may tell on the next.
fn order(round: usize) -> [usize; 4] {
    let mut rest = vec![0, 1, 2, 3];
    [round % 4, round / 4 % 3, round / 12 % 2, 0].map(|place| rest.remove(place))
}

// === impl Gate ===

impl Gate {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let url = format!("sqlite:{}", folder.path().join("vantail.db").display());
        let (keyring, random) = (Arc::new(Keyring::new(&[1; 32])), Arc::new(SystemRandom));
        let store = Store::open(&url, &keyring, Open::Migrate).await.expect("a new store opens");
        let hashing =
            HashPool::start(1, 8, Strength::default(), random.clone()).expect("there is a thread to hash with");
        let (url, language) = ("https://gate.example.org".to_owned(), "en".to_owned());
        let notices = Notices::new(Arc::clone(&keyring), random.clone(), url, language, Path::new("/nonexistent"))
            .expect("the shipped messages are whole");
        let accounts = Accounts { store: store.clone(), keyring, random, hashing };
        let (strict, mut lenient) = (Security::default(), Security::default());
        lenient.lockout.attempts = 0;
        lenient.strangers.attempts = 0;
        let strangers = Strangers::default();
        let login = Login { accounts, sessions: Sessions::new(store), notices, strangers };
        let gate = Self { _folder: folder, login, lenient, strict };
        for name in ["known", "disabled", "locked"] {
            gate.add(name).await;
        }
        for _ in 0..gate.strict.lockout.attempts {
            gate.refused("locked").await;
        }
        gate
    }

    async fn add(&self, name: &str) {
        let addition = Addition {
            name: name.to_owned(),
            full_name: name.to_owned(),
            email: format!("{name}@example.org"),
            phone: None,
            language: None,
            groups: Vec::new(),
            rights: Vec::new(),
            password: Some(SecretText::new("seven swans by the lock gate")),
            temporary: false,
        };
        let accounts = &self.login.accounts;
        let (user, _) = accounts.add(&self.strict, addition, &origin()).await.expect("a user is made");
        if name == "disabled" {
            accounts.disable(user.id, &origin()).await.expect("a user is switched off");
        }
    }

    /// How long a wrong guess takes.
    async fn refused(&self, name: &str) -> Duration {
        let browser = Browser { user_agent: "bench".to_owned(), presented: None, token: None, remember: None };
        let security = if name == "locked" { &self.strict } else { &self.lenient };
        let (guess, origin) = (SecretText::new("not the password"), origin());
        let begin = Instant::now();
        let outcome = self.login.act(security, browser, origin).password(name, guess).await;
        let took = begin.elapsed();
        assert!(outcome.is_err(), "{name} came in");
        took
    }
}

fn origin() -> Origin {
    Origin { now: SystemClock.now(), actor: None, door: "page", address: None, request_id: None }
}

fn compare(first: &[Duration], other: &[Duration]) -> Comparison {
    let (expected, median) = (median(first), median(other));
    Comparison { median, apart: median.abs_diff(expected), p: rank_test(first, other) }
}

fn median(timings: &[Duration]) -> Duration {
    let mut sorted = timings.to_vec();
    sorted.sort();
    sorted[sorted.len() / 2]
}

/// The two-sided p of Mann and Whitney's test, by its normal approximation (fit for hundreds of timings).
fn rank_test(one: &[Duration], other: &[Duration]) -> f64 {
    let wins = |a: &Duration| {
        other.iter().map(|b| f64::from(u8::from(a > b)) + f64::from(u8::from(a == b)) / 2.0).sum::<f64>()
    };
    let u: f64 = one.iter().map(wins).sum();
    let [n, m] = [one, other].map(|timings| f64::from(u32::try_from(timings.len()).unwrap_or(u32::MAX)));
    let z = (u - n * m / 2.0).abs() / (n * m * (n + m + 1.0) / 12.0).sqrt();
    2.0 * upper_tail(z)
}

/// The normal distribution beyond `z` ≥ 0 (Abramowitz and Stegun 26.2.17; its error is below 1e-7).
fn upper_tail(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let terms = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let polynomial = terms.iter().rev().fold(0.0, |sum, term| (sum + term) * t);
    polynomial * (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}
