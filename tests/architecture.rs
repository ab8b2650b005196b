//! The direction of the modules, read off their `use` lines: what ARCHITECTURE.md says is what the code does.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Which of our own modules a module may name. `main` names `cli`; everybody may name `words`, and many
/// `time`, `secret` and `identity`'s vocabulary.
const MAY_NAME: [(&str, &[&str]); 17] = [
    ("words", &[]),
    ("time", &[]),
    ("secret", &[]),
    ("test_points", &[]),
    ("store", &["secret", "time", "identity"]),
    ("identity", &["audit", "secret", "store", "time"]),
    ("audit", &["identity", "store", "time", "secret"]),
    ("policy", &["identity", "time", "config", "secret"]),
    ("config", &["policy", "secret", "time"]),
    ("account", &["audit", "identity", "policy", "secret", "store", "time"]),
    ("session", &["account", "audit", "identity", "notify", "policy", "secret", "store", "time"]),
    ("notify", &["account", "audit", "config", "identity", "secret", "store", "time", "test_points"]),
    (
        "operation",
        &["account", "audit", "identity", "notify", "policy", "secret", "store", "time", "test_points", "session"],
    ),
    (
        "portal",
        &[
            "account",
            "audit",
            "config",
            "identity",
            "notify",
            "operation",
            "policy",
            "secret",
            "session",
            "store",
            "time",
        ],
    ),
    (
        "edge",
        &[
            "account",
            "audit",
            "config",
            "identity",
            "operation",
            "policy",
            "portal",
            "secret",
            "session",
            "store",
            "time",
            "test_points",
        ],
    ),
    ("demo", &["account", "audit", "config", "identity", "policy", "secret", "store", "time"]),
    (
        "app",
        &[
            "account",
            "audit",
            "config",
            "edge",
            "identity",
            "notify",
            "operation",
            "policy",
            "portal",
            "secret",
            "session",
            "store",
            "time",
        ],
    ),
];

/// Which folders may name a framework.
const FRAMEWORKS: [(&str, &[&str]); 3] =
    [("pingora", &["edge"]), ("axum", &["portal", "demo", "edge"]), ("sqlx", &["store"])];

fn sources(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push(path);
        }
    }
}

/// Our modules' sources: module name → (file, code without its unit tests).
fn modules() -> BTreeMap<String, Vec<(PathBuf, String)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut modules = BTreeMap::<String, Vec<_>>::new();
    for file in files {
        let relative = file.strip_prefix(&root).unwrap().to_owned();
        let first =
            relative.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
        let is_test =
            relative.components().any(|part| part.as_os_str().to_string_lossy().trim_end_matches(".rs") == "tests");
        if is_test {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
        modules.entry(first).or_default().push((relative, code));
    }
    modules
}

/// The modules that `code` names by `crate::…`.
fn named(code: &str) -> Vec<String> {
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines
        .flat_map(|line| {
            line.match_indices("crate::").map(move |(at, _)| &line[at + "crate::".len()..]).collect::<Vec<_>>()
        })
        .map(|rest| rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect())
        .filter(|name: &String| !name.is_empty())
        .collect()
}

#[test]
fn no_module_names_one_above_it() {
    let modules = modules();
    let mut wrong = Vec::new();
    for (module, allowed) in MAY_NAME {
        for (file, code) in modules.get(module).map(Vec::as_slice).unwrap_or_default() {
            for name in named(code) {
                let is_elsewhere = name != module && name != "words";
                if is_elsewhere && modules.contains_key(&name) && !allowed.contains(&name.as_str()) {
                    wrong.push(format!("{} names {name}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_module_is_known_to_this_test() {
    let known: Vec<_> = MAY_NAME.iter().map(|(module, _)| *module).chain(["main", "lib", "cli"]).collect();
    let unknown: Vec<_> = modules().into_keys().filter(|module| !known.contains(&module.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn frameworks_stay_in_their_folders() {
    let mut wrong = Vec::new();
    for (module, files) in modules() {
        for (file, code) in files {
            for (framework, allowed) in FRAMEWORKS {
                let names = code.lines().any(|line| {
                    let line = line.trim_start();
                    !line.starts_with("//")
                        && (line.contains(&format!("{framework}::")) || line.starts_with(&format!("use {framework}")))
                });
                if names && !allowed.contains(&module.as_str()) {
                    wrong.push(format!("{} names {framework}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
