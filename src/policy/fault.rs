//! What is wrong with a policy, where, and what to do.
use std::path::PathBuf;
/// An error at load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault { /// Which file.
    pub file: PathBuf, /// Which line, from 1; 0 when the file as a whole.
    pub line: usize, /// What is wrong.
    pub what: String, /// What to do about it.
    pub remedy: String }
/// Not an error, but somebody should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning(pub Fault);
