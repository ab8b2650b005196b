//! Memory at rest and per idle connection, and the time from start to the first connection taken.
//!
//! Connections are opened in two lots and only the second is counted, so that neither start-up nor what the allocator has
//! at hand shows.

use std::fmt;
use std::io;

use crate::load::{self, Client};
use crate::process::{Running, resident};
use crate::table::Table;
use crate::targets::{Kind, Place};

/// How many connections there are before, and how many more are measured.
pub(crate) struct Effort {
    before: u32,
    more: u32,
}

pub(crate) const EFFORT: Effort = Effort { before: 500, more: 2000 };

/// Figures by target.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// KiB per idle connection.
    pub(crate) idle: Table,
    /// MiB before any load.
    pub(crate) at_rest: Table,
    /// Milliseconds.
    pub(crate) ready: Table,
}

pub(crate) fn measure(place: &Place) -> io::Result<Memory> {
    let mut memory = Memory::default();
    for kind in Kind::ALL {
        eprintln!("memory: {}", kind.name());
        let target = place.start(kind)?;
        memory.ready.add(kind, target.ready_after.as_secs_f64() * 1e3);
        let cookie = load::cookie(kind, target.address)?;
        memory.at_rest.add(kind, kibibytes(&target)? / 1024.0);
        load::wrk(target.address, kind.path(), &cookie, 1).run()?;
        let _before = idle(&target, kind, &cookie, EFFORT.before)?;
        let before = kibibytes(&target)?;
        let _more = idle(&target, kind, &cookie, EFFORT.more)?;
        memory.idle.add(kind, (kibibytes(&target)? - before) / f64::from(EFFORT.more));
    }
    Ok(memory)
}

/// Connections that have asked once and ask no more.
fn idle(target: &Running, kind: Kind, cookie: &str, count: u32) -> io::Result<Vec<Client>> {
    let connect = |_| {
        let mut client = Client::connect(target.address, kind.path(), cookie)?;
        client.ask()?;
        client.hear()?;
        Ok(client)
    };
    (0..count).map(connect).collect()
}

fn kibibytes(target: &Running) -> io::Result<f64> {
    target.pids().into_iter().map(resident).sum()
}

// === impl Effort ===

impl fmt::Display for Effort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "growth by {} connections after one request each", self.more)
    }
}
