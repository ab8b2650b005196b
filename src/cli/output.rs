//! How a command ends: what it prints, what it returns.

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// Why a command failed: one line each, and the exit code.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    lines: Vec<String>,
    code: u8,
}

impl Failure {
    /// Refused or failed: exit 1.
    pub fn failed(line: impl Into<String>) -> Self {
        Self { lines: vec![line.into()], code: 1 }
    }

    /// Wrong use or wrong configuration: exit 2.
    pub fn wrong(line: impl Into<String>) -> Self {
        Self { lines: vec![line.into()], code: 2 }
    }

    /// Several failures: exit 1.
    pub fn all_failed(failures: impl IntoIterator<Item = impl fmt::Display>) -> Self {
        Self { lines: failures.into_iter().map(|failure| failure.to_string()).collect(), code: 1 }
    }

    /// Several faults of a configuration: exit 2.
    pub fn faults(faults: impl IntoIterator<Item = impl fmt::Display>) -> Self {
        Self { lines: faults.into_iter().map(|fault| fault.to_string()).collect(), code: 2 }
    }

    /// Writes the lines to standard error; the exit code.
    pub fn report(self) -> ExitCode {
        let mut stderr = io::stderr().lock();
        for line in &self.lines {
            // Standard error gone: there is nobody left to tell.
            let _ = writeln!(stderr, "vantail: {}", line.trim_end().replace('\n', " "));
        }
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("; "))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::failed(format!("standard output cannot be written: {error}"))
    }
}
