//! Instructions as callgrind counts them: the process's own, without the kernel's.
//!
//! A long and a short run on the same work, equally long by the clock: their difference is what requests cost, without
//! start-up, sign-in, and what a server does every second whether it is asked or not.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::load::{self, Clients};
use crate::process::Running;
use crate::table::Table;
use crate::targets::{Kind, Place, free_address};

/// How often all connections ask, in the short run and in the long one.
pub(crate) struct Effort {
    short: usize,
    long: usize,
}

pub(crate) const EFFORT: Effort = Effort { short: 8, long: 72 };

pub(crate) fn measure(place: &Place) -> io::Result<Table> {
    let mut table = Table::default();
    for kind in Kind::ALL {
        eprintln!("callgrind: {}", kind.name());
        let (long, lasted) = run(place, kind, EFFORT.long, Duration::ZERO)?;
        let (short, _) = run(place, kind, EFFORT.short, lasted)?;
        if long <= short {
            return Err(io::Error::other(format!("{}: callgrind did not see the requests", kind.name())));
        }
        table.add(kind, (long - short) / count(EFFORT.requests()));
    }
    Ok(table)
}

/// Instructions of a whole life with so many turns of requests, and how long these lasted; at least for `lasting`.
fn run(place: &Place, kind: Kind, turns: usize, lasting: Duration) -> io::Result<(f64, Duration)> {
    let address = free_address()?;
    let served = place.command(kind, address)?;
    let prefix = format!("callgrind-{}-", address.port());
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--trace-children=yes"]);
    command.arg(format!("--callgrind-out-file={}%p", place.folder.join(&prefix).display()));
    command.arg(served.get_program()).args(served.get_args());
    let target = Running::start(&command, Some(0), address)?;
    let mut clients = Clients::connect(address, kind.path(), &load::cookie(kind, address)?)?;
    let began = Instant::now();
    for _ in 0..turns {
        clients.all_ask()?;
    }
    sleep(lasting.saturating_sub(began.elapsed()));
    let lasted = began.elapsed();
    drop(clients);
    target.end()?;
    let mut total = 0.0;
    for entry in fs::read_dir(&place.folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            total += instructions(&entry.path())?;
        }
    }
    Ok((total, lasted))
}

/// The total of a callgrind output file.
fn instructions(file: &Path) -> io::Result<f64> {
    let text = fs::read_to_string(file)?;
    text.lines()
        .rev()
        .find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| io::Error::other(format!("{}: no totals", file.display())))
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn count(requests: usize) -> f64 {
    requests as f64
}

// === impl Effort ===

impl Effort {
    fn requests(&self) -> usize {
        (self.long - self.short) * load::CONNECTIONS
    }
}

impl fmt::Display for Effort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests over {} connections", self.requests(), load::CONNECTIONS)
    }
}
