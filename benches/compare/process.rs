//! A running target, and what the system says of it.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A running process, ended when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From its start to the first connection it took.
    pub(crate) ready_after: Duration,
}

// === impl Running ===

impl Running {
    /// Starts `command` on `core` and waits until it listens.
    pub(crate) fn start(command: &Command, core: Option<u32>, address: SocketAddr) -> io::Result<Self> {
        Self::start_into(command, core, address, Stdio::null())
    }

    /// The same with its standard output, where an access log goes.
    pub(crate) fn start_into(
        command: &Command,
        core: Option<u32>,
        address: SocketAddr,
        output: Stdio,
    ) -> io::Result<Self> {
        let mut pinned = Command::new("taskset");
        pinned.args(["-c", &core.map_or_else(|| "0-1".to_owned(), |core| core.to_string())]);
        pinned.arg(command.get_program()).args(command.get_args());
        let started = Instant::now();
        let child = pinned.stdin(Stdio::null()).stdout(output).stderr(Stdio::null()).spawn()?;
        let mut running = Self { child, address, ready_after: Duration::ZERO };
        running.wait_until_it_listens(command)?;
        running.ready_after = started.elapsed();
        Ok(running)
    }

    fn wait_until_it_listens(&mut self, command: &Command) -> io::Result<()> {
        let end = Instant::now() + Duration::from_mins(3);
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("{command:?} ended at once: {status}")));
            }
            if Instant::now() > end {
                return Err(io::Error::other(format!("{command:?} does not listen at {}", self.address)));
            }
            sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Its own process and its workers'.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let mut pids = vec![self.child.id()];
        pids.extend(children(self.child.id()));
        pids
    }

    /// Asks it to end and waits: callgrind writes its file then.
    pub(crate) fn end(mut self) -> io::Result<()> {
        if self.ends_within(Duration::from_mins(2))? {
            Ok(())
        } else {
            Err(io::Error::other("a target does not end when it is asked to"))
        }
    }

    fn ends_within(&mut self, patience: Duration) -> io::Result<bool> {
        signal("-INT", self.child.id());
        let end = Instant::now() + patience;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > end {
                return Ok(false);
            }
            sleep(Duration::from_millis(20));
        }
        Ok(true)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // Asked first: a master that is killed leaves its workers, and one whose worker is killed starts another.
        let workers = children(self.child.id());
        if !matches!(self.ends_within(Duration::from_secs(5)), Ok(true)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
            for pid in workers {
                signal("-KILL", pid);
            }
        }
    }
}

fn signal(which: &str, pid: u32) {
    // One that is gone already needs none.
    let _ = Command::new("kill").args([which, &pid.to_string()]).stderr(Stdio::null()).status();
}

// === what the system says ===

fn children(pid: u32) -> Vec<u32> {
    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// User and system time of processes.
pub(crate) fn cpu_time(pids: &[u32]) -> io::Result<Duration> {
    let mut ticks = 0;
    for pid in pids {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name, in parentheses, may hold spaces: fields are counted behind it. utime and stime are fields 14 and 15.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        for index in [11, 12] {
            let field = fields.get(index).and_then(|field| field.parse::<u64>().ok());
            ticks += field.ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat has no times")))?;
        }
    }
    // USER_HZ is 100 on every Linux that Rust runs on.
    Ok(Duration::from_millis(ticks * 10))
}

/// Resident memory of a process, KiB.
pub(crate) fn resident(pid: u32) -> io::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| io::Error::other(format!("/proc/{pid}/status has no VmRSS")))
}
