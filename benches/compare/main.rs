//! `benches/run`: this gateway, bare pingora and nginx on the same work, interleaved in one run.
//!
//! Prints CPU time per request (median of the rounds), user instructions per request (callgrind; the difference between
//! a long and a short run, so that start-up does not count) and memory per idle connection, each also as a ratio to bare
//! pingora. One worker each, the target alone on core 0, load and backend on core 1.

#![expect(clippy::print_stdout, reason = "a comparison is printed")]

mod bare;
mod load;
mod meter;
mod targets;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use load::Client;
use targets::{Kind, Place, Running};

/// How long and how often.
struct Effort {
    rounds: usize,
    seconds: u32,
    /// Requests of the short and of the long run under callgrind.
    short: u64,
    long: u64,
    idle: u64,
}

const EFFORT: Effort = Effort { rounds: 5, seconds: 3, short: 500, long: 2500, idle: 1000 };

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, mode, listen, backend] = arguments.as_slice()
        && mode == "bare"
    {
        let address = |text: &str| text.parse().expect("an address");
        bare::serve(address(listen), address(backend));
    }
    let Some(vantail) = std::env::var_os("VANTAIL_COMPARE") else {
        println!("compare: run benches/run, which builds the gateway and installs nginx, wrk and valgrind");
        return ExitCode::SUCCESS;
    };
    match compare(PathBuf::from(vantail)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(vantail: PathBuf) -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let place = Place { folder: folder.path().to_owned(), vantail };
    let backend_address = targets::free_address()?;
    let _backend = Running::start(&targets::backend(&place, backend_address)?, Some(1), backend_address)?;

    println!("CPU time per request, {} rounds of {} s, 64 connections:", EFFORT.rounds, EFFORT.seconds);
    cpu(&place, backend_address)?;
    println!("\nUser instructions per request (callgrind, {} requests):", EFFORT.long - EFFORT.short);
    instructions(&place, backend_address)?;
    println!("\nMemory per idle connection, {} connections after one request each:", EFFORT.idle);
    idle(&place, backend_address)
}

fn cpu(place: &Place, backend: SocketAddr) -> io::Result<()> {
    let mut running = Vec::new();
    for kind in Kind::ALL {
        let address = targets::free_address()?;
        let target = Running::start(&kind.command(place, address, backend)?, Some(0), address)?;
        let cookie = cookie(kind, address)?;
        load::wrk(address, kind.path(), &cookie, 1)?;
        running.push((kind, target, cookie, Vec::new()));
    }
    for round in 1..=EFFORT.rounds {
        eprintln!("round {round} of {}", EFFORT.rounds);
        for (kind, target, cookie, figures) in &mut running {
            let before = meter::cpu_time(&target.pids())?;
            let requests = load::wrk(target.address, kind.path(), cookie, EFFORT.seconds)?;
            let used = meter::cpu_time(&target.pids())?.saturating_sub(before);
            figures.push(per_request(used, requests));
        }
    }
    let rows = running.into_iter().map(|(kind, _, _, figures)| (kind, median(figures))).collect::<Vec<_>>();
    print(&rows, "µs");
    Ok(())
}

fn instructions(place: &Place, backend: SocketAddr) -> io::Result<()> {
    let mut rows = Vec::new();
    for kind in Kind::ALL {
        eprintln!("callgrind: {}", kind.name());
        let short = instructions_of(place, kind, backend, EFFORT.short)?;
        let long = instructions_of(place, kind, backend, EFFORT.long)?;
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        rows.push((kind, long.saturating_sub(short) as f64 / (EFFORT.long - EFFORT.short) as f64));
    }
    print(&rows, "instructions");
    Ok(())
}

fn instructions_of(place: &Place, kind: Kind, backend: SocketAddr, requests: u64) -> io::Result<u64> {
    let address = targets::free_address()?;
    let served = kind.command(place, address, backend)?;
    let pattern = place.folder.join(format!("callgrind-{}-%p", address.port()));
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--trace-children=yes"]);
    command.arg(format!("--callgrind-out-file={}", pattern.display()));
    command.arg(served.get_program()).args(served.get_args());
    if let Some(folder) = served.get_current_dir() {
        command.current_dir(folder);
    }
    let target = Running::start(&command, None, address)?;
    let mut client = Client::connect(address, kind.path(), &cookie(kind, address)?)?;
    for _ in 0..requests {
        client.exchange()?;
    }
    drop(client);
    target.end()?;
    let prefix = format!("callgrind-{}-", address.port());
    let mut total = 0;
    for entry in std::fs::read_dir(&place.folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            total += meter::instructions(&entry.path())?;
        }
    }
    Ok(total)
}

fn idle(place: &Place, backend: SocketAddr) -> io::Result<()> {
    let mut rows = Vec::new();
    for kind in Kind::ALL {
        let address = targets::free_address()?;
        let target = Running::start(&kind.command(place, address, backend)?, Some(0), address)?;
        let cookie = cookie(kind, address)?;
        load::wrk(address, kind.path(), &cookie, 1)?;
        let resident = |target: &Running| -> io::Result<u64> {
            target.pids().into_iter().map(meter::resident).sum::<io::Result<u64>>()
        };
        let before = resident(&target)?;
        let mut connections = Vec::new();
        for _ in 0..EFFORT.idle {
            let mut client = Client::connect(address, kind.path(), &cookie)?;
            client.exchange()?;
            connections.push(client);
        }
        let grown = resident(&target)?.saturating_sub(before);
        #[expect(clippy::cast_precision_loss, reason = "bytes far below 2^52")]
        rows.push((kind, grown as f64 / 1024.0 / EFFORT.idle as f64));
        eprintln!("{}: pid {} done", kind.name(), target.pid());
    }
    print(&rows, "KiB");
    Ok(())
}

fn cookie(kind: Kind, address: SocketAddr) -> io::Result<String> {
    match kind {
        Kind::Open | Kind::SignedIn => load::sign_in(address),
        Kind::Bare | Kind::Nginx | Kind::NginxAuthRequest => Ok(format!("vantail=vs_{}", "x".repeat(43))),
    }
}

fn per_request(used: Duration, requests: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let requests = requests.max(1) as f64;
    used.as_secs_f64() * 1e6 / requests
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn print(rows: &[(Kind, f64)], unit: &str) {
    let bare = rows.iter().find(|(kind, _)| *kind == Kind::Bare).map_or(1.0, |(_, figure)| *figure);
    for (kind, figure) in rows {
        println!("  {:<22} {figure:>10.1} {unit:<13} {:>5.2} x bare", kind.name(), figure / bare);
    }
}
