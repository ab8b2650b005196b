//! Instructions as the processor counts them, by `perf stat`. In virtual machines it often has no counters to give.

use std::io;
use std::process::Command;

use crate::load::Wrk;

/// The processor's counters for what runs in the process and, where this user may see them, for the kernel's work for it.
const EVENTS: &str = "instructions:u,instructions:k";

/// Whether `perf stat` really counts instructions here.
pub(crate) fn counts_instructions() -> bool {
    let output = Command::new("perf").args(["stat", "-x", ";", "-e", EVENTS, "--", "true"]).output();
    output.is_ok_and(|output| sum(&String::from_utf8_lossy(&output.stderr)).is_some())
}

/// Runs `load` while the instructions of `pids` are counted; requests and instructions.
pub(crate) fn count(pids: &[u32], load: Wrk) -> io::Result<(f64, f64)> {
    let pids = pids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let mut perf = Command::new("perf");
    perf.args(["stat", "-x", ";", "-e", EVENTS, "-p", &pids, "--"]);
    let output = load.under(perf)?;
    let told = String::from_utf8_lossy(&output.stderr);
    let instructions = sum(&told).ok_or_else(|| io::Error::other(format!("perf stat said:\n{told}")))?;
    Ok((Wrk::requests(&output)?, instructions))
}

/// `1234;;instructions:u;…` by line: what was counted, at least in the process itself.
fn sum(told: &str) -> Option<f64> {
    let counted = |event: &str| {
        let lines = told.lines().map(|line| line.split(';').collect::<Vec<_>>());
        lines.filter(|fields| fields.get(2) == Some(&event)).find_map(|fields| fields[0].parse::<f64>().ok())
    };
    Some(counted("instructions:u")? + counted("instructions:k").unwrap_or(0.0)).filter(|sum| *sum > 0.0)
}
