//! CPU time per request, and instructions where `perf` counts them: all targets under the same load, round by round.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::process::{Running, cpu_time};
use crate::table::Table;
use crate::targets::{Kind, Place};
use crate::{load, perf};

/// How long and how often.
pub(crate) struct Effort {
    rounds: usize,
    seconds: u32,
}

pub(crate) const EFFORT: Effort = Effort { rounds: 5, seconds: 3 };

/// Medians of the rounds.
#[derive(Debug)]
pub(crate) struct Measured {
    /// Microseconds per request.
    pub(crate) cpu: Table,
    /// Requests per second.
    pub(crate) throughput: Table,
    /// Per request; none where `perf` counts none.
    pub(crate) instructions: Option<Table>,
}

/// A target and what its rounds came to.
struct Runner {
    kind: Kind,
    target: Running,
    cookie: String,
    cpu: Vec<f64>,
    throughput: Vec<f64>,
    instructions: Vec<f64>,
}

pub(crate) fn measure(place: &Place) -> io::Result<Measured> {
    let mut runners =
        Kind::ALL.into_iter().map(|kind| Runner::warmed_up(place, kind)).collect::<io::Result<Vec<_>>>()?;
    let counts = perf::counts_instructions();
    for round in 1..=EFFORT.rounds {
        eprintln!("round {round} of {}", EFFORT.rounds);
        for runner in &mut runners {
            runner.round(counts)?;
        }
    }
    let medians = |figures: fn(&Runner) -> &Vec<f64>| {
        Table::of_medians(runners.iter().map(|runner| (runner.kind, figures(runner).clone())))
    };
    Ok(Measured {
        cpu: medians(|runner| &runner.cpu),
        throughput: medians(|runner| &runner.throughput),
        instructions: counts.then(|| medians(|runner| &runner.instructions)),
    })
}

// === impl Effort ===

impl fmt::Display for Effort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "median of {} rounds of {} s, {} connections", self.rounds, self.seconds, load::CONNECTIONS)
    }
}

// === impl Runner ===

impl Runner {
    fn warmed_up(place: &Place, kind: Kind) -> io::Result<Self> {
        let target = place.start(kind)?;
        load::answers_as_the_backend_does(target.address, kind)?;
        let cookie = load::cookie(kind, target.address)?;
        load::wrk(target.address, kind.path(), &cookie, 1).run()?;
        Ok(Self { kind, target, cookie, cpu: Vec::new(), throughput: Vec::new(), instructions: Vec::new() })
    }

    fn round(&mut self, counts: bool) -> io::Result<()> {
        let pids = self.target.pids();
        let wrk = load::wrk(self.target.address, self.kind.path(), &self.cookie, EFFORT.seconds);
        let before = cpu_time(&pids)?;
        let (requests, instructions) = if counts {
            let (requests, instructions) = perf::count(&pids, wrk)?;
            (requests, Some(instructions))
        } else {
            (wrk.run()?, None)
        };
        let used = cpu_time(&pids)?.saturating_sub(before);
        self.cpu.push(used.as_secs_f64() * 1e6 / requests);
        self.throughput.push(requests / Duration::from_secs(EFFORT.seconds.into()).as_secs_f64());
        self.instructions.extend(instructions.map(|count| count / requests));
        Ok(())
    }
}
