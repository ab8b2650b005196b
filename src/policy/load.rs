//! From files to a checked policy.
use std::path::Path;
use super::{Fault, Policy, Warning};
/// Reads and checks `directory`. All faults at once, or a policy with its warnings.
pub fn load(directory: &Path) -> Result<(Policy, Vec<Warning>), Vec<Fault>> { let _ = directory; todo!() }
