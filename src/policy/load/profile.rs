//! `profile = "…"`: whose values stand in the place of the defaults.
//!
//! A **profile** is a `security.toml` of its own. Three are shipped in the program; a file of the same name in the folder
//! `profiles/` takes a shipped one's place, and one of another name is another profile.

use std::path::PathBuf;

use serde_json::Value;

use crate::policy::file::SecurityFile;

/// The shipped ones: what `policies/profiles/` of this repository holds.
const SHIPPED: [(&str, &str); 3] = [
    ("asvs", include_str!("../../../policies/profiles/asvs.toml")),
    ("hds", include_str!("../../../policies/profiles/hds.toml")),
    ("pci-dss", include_str!("../../../policies/profiles/pci-dss.toml")),
];

/// The file and the text of the profile `name`; the installation's `own` first.
pub(super) fn called<'a>(name: &str, own: &'a [(PathBuf, String)]) -> Option<(PathBuf, &'a str)> {
    let of_own = own.iter().find(|(file, _)| is_called(file, name)).map(|(file, text)| (file.clone(), text.as_str()));
    let shipped = || SHIPPED.iter().find(|(shipped, _)| *shipped == name);
    of_own.or_else(|| shipped().map(|(name, text)| (PathBuf::from(format!("profiles/{name}.toml")), *text)))
}

/// Every profile there is.
pub(super) fn names(own: &[(PathBuf, String)]) -> Vec<String> {
    let own = own.iter().filter_map(|(file, _)| Some(file.file_stem()?.to_str()?.to_owned()));
    let mut names: Vec<_> = own.chain(SHIPPED.iter().map(|(name, _)| (*name).to_owned())).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What `own` says, and what `profile` says where it says nothing. Done on the documents, so that no key is forgotten.
pub(super) fn beneath(own: &SecurityFile, profile: &SecurityFile) -> SecurityFile {
    let value = |file| serde_json::to_value(file).expect("texts, numbers and lists are JSON");
    let mut merged = value(profile);
    lay_over(&mut merged, value(own));
    serde_json::from_value(merged).expect("each of its values is one of two that were read")
}

fn lay_over(under: &mut Value, over: Value) {
    match (under, over) {
        (_, Value::Null) => {}
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                lay_over(under.entry(key).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

fn is_called(file: &std::path::Path, name: &str) -> bool {
    file.file_stem().is_some_and(|stem| stem == name)
}
