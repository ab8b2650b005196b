//! From files to a checked policy.
//!
//! Everything is read before anything is judged, and every fault is told: with file, line and remedy. A policy with a fault
//! is no policy.

mod networks;
mod profile;
mod rule;
mod security;
mod site;

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::{Fault, Policy, Warning};
use crate::config::document::Document;

/// The texts of a policy, with the names they are told by.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    /// `networks.toml`, where there is one.
    pub networks: Option<(PathBuf, String)>,
    /// `security.toml`, where there is one.
    pub security: Option<(PathBuf, String)>,
    /// `profiles/*.toml`: the installation's own.
    pub profiles: Vec<(PathBuf, String)>,
    /// `sites/*.toml`, in order.
    pub sites: Vec<(PathBuf, String)>,
}

/// What is wrong, collected.
#[derive(Debug, Default)]
struct Findings {
    faults: Vec<Fault>,
    warnings: Vec<Warning>,
}

/// One file, read, and where its faults go.
struct Reading<'f, T> {
    file: PathBuf,
    document: Document,
    content: T,
    findings: &'f mut Findings,
}

/// Reads and checks `directory`. All faults at once, or a policy with its warnings.
pub fn load(directory: &Path) -> Result<(Policy, Vec<Warning>), Vec<Fault>> {
    Texts::read(directory).and_then(|texts| check(&texts))
}

/// Checks `texts`. All faults at once, or a policy with its warnings.
pub fn check(texts: &Texts) -> Result<(Policy, Vec<Warning>), Vec<Fault>> {
    let mut findings = Findings::default();
    let networks = networks::check(texts.networks.as_ref(), &mut findings);
    let security = security::check(texts, &mut findings);
    let sites = site::check(&texts.sites, &networks, &security, &mut findings);
    if findings.faults.is_empty() {
        Ok((Policy::new(networks, sites, security), findings.warnings))
    } else {
        findings.faults.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        Err(findings.faults)
    }
}

// === impl Texts ===

impl Texts {
    /// Reads `directory`. A file that cannot be read is a fault.
    pub fn read(directory: &Path) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let sites = directory.join("sites");
        let files = toml_files(&sites).unwrap_or_else(|error| {
            let remedy = "make the folder, with one file per protected site; see docs/policies.md";
            faults.push(Fault::new(&sites, 0, format!("the sites cannot be read: {error}"), remedy));
            Vec::new()
        });
        // Most installations have no profiles of their own: no folder is none.
        let own = directory.join("profiles");
        let profiles = toml_files(&own).unwrap_or_else(|error| {
            if error.kind() != std::io::ErrorKind::NotFound {
                let what = format!("the profiles cannot be read: {error}");
                faults.push(Fault::new(&own, 0, what, "let the gateway's user read the folder, or take it away"));
            }
            Vec::new()
        });
        let texts = Self {
            networks: read_if_there(directory.join("networks.toml"), &mut faults),
            security: read_if_there(directory.join("security.toml"), &mut faults),
            profiles: profiles.into_iter().filter_map(|file| read_if_there(file, &mut faults)).collect(),
            sites: files.into_iter().filter_map(|file| read_if_there(file, &mut faults)).collect(),
        };
        if texts.sites.is_empty() && faults.is_empty() {
            faults.push(Fault::new(
                &sites,
                0,
                "there is no site",
                "add a file for each protected site; see docs/policies.md",
            ));
        }
        if faults.is_empty() { Ok(texts) } else { Err(faults) }
    }
}

/// The TOML files of a folder, in order.
fn toml_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files: Vec<_> = entries.collect::<Result<_, _>>()?;
    files.retain(|file| file.extension().is_some_and(|end| end == "toml"));
    files.sort();
    Ok(files)
}

/// The text of `file`; nothing when there is no such file.
pub(super) fn read_if_there(file: PathBuf, faults: &mut Vec<Fault>) -> Option<(PathBuf, String)> {
    match std::fs::read_to_string(&file) {
        Ok(text) => Some((file, text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            let what = format!("the file cannot be read: {error}");
            faults.push(Fault::new(&file, 0, what, "let the gateway's user read it, as UTF-8 text"));
            None
        }
    }
}

// === impl Reading ===

impl<'f, T: JsonSchema + DeserializeOwned + Default> Reading<'f, T> {
    /// Parses `text` and tells what does not fit.
    fn of(file: &Path, text: &str, findings: &'f mut Findings) -> Self {
        let (mut document, mut mistakes) = Document::parse(text);
        let (content, more) = document.read::<T>();
        mistakes.extend(more);
        findings.faults.extend(mistakes.into_iter().map(|mistake| Fault::of(file, mistake)));
        Self { file: file.to_owned(), document, content, findings }
    }
}

impl<T> Reading<'_, T> {
    /// Tells a fault at `pointer`.
    fn fault(&mut self, pointer: &str, what: impl Into<String>, remedy: impl Into<String>) {
        let fault = self.document.fault(pointer, what, remedy).map(|mistake| Fault::of(&self.file, mistake));
        self.findings.faults.extend(fault);
    }

    /// Tells a warning at `pointer`.
    fn warn(&mut self, pointer: &str, what: impl Into<String>, remedy: impl Into<String>) {
        let fault = self.document.fault(pointer, what, remedy).map(|mistake| Fault::of(&self.file, mistake));
        self.findings.warnings.extend(fault.map(Warning));
    }

    /// Unwraps, telling an error at `pointer`.
    fn value<V, W: Into<String>, R: Into<String>>(&mut self, pointer: &str, value: Result<V, (W, R)>) -> Option<V> {
        match value {
            Ok(value) => Some(value),
            Err((what, remedy)) => {
                self.fault(pointer, what, remedy);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
