//! What is wrong with the configuration.

use std::path::Path;

use super::document::{Mistake, Place};

/// One fault: where, which key, what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct ConfigFault {
    /// `config/vantail.toml:12` or `VANTAIL_STORE__DATABASE`.
    pub place: String,
    /// What is wrong and what to do.
    pub what: String,
}

// === impl ConfigFault ===

impl ConfigFault {
    /// Of the file as a whole.
    pub(super) fn of_file(file: &Path, what: impl Into<String>) -> Self {
        Self { place: file.display().to_string(), what: what.into() }
    }

    pub(super) fn of(file: &Path, mistake: &Mistake) -> Self {
        let place = match &mistake.place {
            Place::Line(0) => file.display().to_string(),
            Place::Line(line) => format!("{}:{line}", file.display()),
            Place::Variable(name) => name.clone(),
        };
        Self { place, what: format!("{}; {}", mistake.what, mistake.remedy) }
    }
}
