//! `networks.toml`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Findings, Reading};
use crate::config::document::child;
use crate::config::units;
use crate::policy::Networks;
use crate::policy::file::NetworksFile;

/// The named networks.
pub(super) fn check(text: Option<&(PathBuf, String)>, findings: &mut Findings) -> Networks {
    let Some((file, text)) = text else { return Networks::default() };
    let mut reading = Reading::<NetworksFile>::of(file, text, findings);
    let mut named = BTreeMap::new();
    for (name, prefixes) in std::mem::take(&mut reading.content) {
        let at = child("", &name);
        let mut set = Vec::with_capacity(prefixes.len());
        for (index, prefix) in prefixes.iter().enumerate() {
            let at = child(&at, index);
            if let Some(prefix) = reading.value(&at, units::network(prefix)) {
                if prefix.prefix_len() == 0 {
                    let what = format!("`{name}` holds {prefix}: every address there is");
                    reading.warn(
                        &at,
                        what,
                        "leave `networks` out where anybody may come, or name the networks you mean",
                    );
                }
                set.push(prefix);
            }
        }
        named.insert(name, set.into_iter().collect());
    }
    Networks::new(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hdr_7_every_address_there_is_is_warned_about() {
        let text =
            (PathBuf::from("networks.toml"), "all = [\"0.0.0.0/0\", \"::/0\"]\nbad = [\"10.9.0.1/8\"]\n".to_owned());
        let mut findings = Findings::default();
        check(Some(&text), &mut findings);
        assert_eq!(findings.warnings.len(), 2);
        assert_eq!(findings.faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [2]);
    }
}
