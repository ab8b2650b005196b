//! `benches/run`: this gateway, bare pingora and nginx on the same work, interleaved in one run.
//!
//! * A **target** is one proxy as one process with one worker: alone on core 0, load and backend on core 1.
//! * A **round** gives every target the same load for the same time, one after the other; figures are medians of rounds.
//! * A **ratio** is to bare pingora in the same run: figures swing with the machine, ratios hardly.
//!
//! Flow: every target proves that it answers as the backend does → [`rounds`] of CPU time, with instructions where `perf`
//! counts them → else instructions under [`callgrind`] → [`memory`] of idle connections → the goals, held against the
//! figures. Ends with failure when a goal is missed.

#![expect(clippy::print_stdout, reason = "a comparison is printed")]

mod bare;
mod callgrind;
mod load;
mod memory;
mod perf;
mod process;
mod rounds;
mod servers;
mod table;
mod targets;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use process::Running;
use table::{Goal, Table};
use targets::{Kind, Place};

/// Issue: what a signed-in request may cost of what bare pingora's costs.
const INSTRUCTIONS: f64 = 1.20;
/// What an idle connection may hold, KiB.
const IDLE: f64 = 30.0;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, mode, listen, backend] = arguments.as_slice()
        && mode == "bare"
    {
        let address = |text: &str| text.parse().expect("an address");
        bare::serve(address(listen), address(backend));
    }
    let Some(vantail) = std::env::var_os("VANTAIL_COMPARE") else {
        println!("compare: run benches/run, which builds the gateway and installs what this needs");
        return ExitCode::SUCCESS;
    };
    match compare(PathBuf::from(vantail)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every goal is met.
fn compare(vantail: PathBuf) -> io::Result<bool> {
    let folder = tempfile::tempdir()?;
    let place = Place::new(folder.path().to_owned(), vantail)?;
    let _backend = Running::start(&servers::backend(&place)?, Some(1), place.backend)?;

    let measured = rounds::measure(&place)?;
    table::heading(&format!("CPU time per request: {}", rounds::EFFORT));
    measured.cpu.print("µs");
    table::heading("Requests per second in the same rounds (these swing with the machine)");
    measured.throughput.print("");

    let instructions = if let Some(counted) = measured.instructions {
        table::heading(
            "Instructions per request in the same rounds, counted by perf stat, the kernel's where it tells them",
        );
        counted
    } else {
        println!("\nperf stat counts no instructions on this machine: callgrind does.");
        table::heading(&format!("User instructions per request under callgrind: {}", callgrind::EFFORT));
        callgrind::measure(&place)?
    };
    instructions.print("");

    let memory = memory::measure(&place)?;
    table::heading(&format!("Memory per idle connection: {}", memory::EFFORT));
    memory.idle.print("KiB");
    table::heading("Memory at rest, after one sign-in");
    memory.at_rest.print("MiB");
    table::heading("From start to the first connection taken");
    memory.ready.print("ms");
    Ok(held_against(&instructions, &memory.idle))
}

fn held_against(instructions: &Table, idle: &Table) -> bool {
    table::heading("Goals");
    let goals = [
        Goal {
            what: "instructions on the signed-in route",
            figure: instructions.ratio(Kind::SignedIn),
            at_most: INSTRUCTIONS,
            unit: "x bare",
        },
        Goal { what: "idle connection, signed in", figure: idle.figure(Kind::SignedIn), at_most: IDLE, unit: "KiB" },
    ];
    goals.iter().for_each(Goal::print);
    goals.iter().all(Goal::is_met)
}
