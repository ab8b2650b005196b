//! What is wrong with a policy, where, and what to do.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::config::document::{Mistake, Place};

/// An error at load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which file.
    pub file: PathBuf,
    /// Which line, from 1; 0 when the file as a whole.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// Not an error, but somebody should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning(pub Fault);

// === impl Fault ===

impl Fault {
    pub(super) fn new(file: &Path, line: usize, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, what: what.into(), remedy: remedy.into() }
    }

    pub(super) fn of(file: &Path, mistake: Mistake) -> Self {
        let line = if let Place::Line(line) = mistake.place { line } else { 0 };
        Self { file: file.to_owned(), line, what: mistake.what, remedy: mistake.remedy }
    }
}

/// One line: `policies/sites/crm.toml:12: what; remedy`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}; {}", self.what, self.remedy)
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
