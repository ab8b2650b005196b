//! What is for tests alone is not in the program that is shipped.
#![cfg(feature = "testing")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Words that only the feature `testing` brings into the program: the variable that arms an abort point, and the clock
/// that can be set.
const ONLY_FOR_TESTS: [&str; 2] = ["VANTAIL_ABORT_AT", "SettableClock"];

#[test]
fn the_release_binary_has_neither_abort_points_nor_a_settable_clock() {
    let (testing, release) = (Path::new(env!("CARGO_BIN_EXE_vantail")), release_binary());
    for word in ONLY_FOR_TESTS {
        assert!(contains(testing, word), "the search does not find {word} even where it is, in {}", testing.display());
        assert!(!contains(&release, word), "{word} is in {}", release.display());
    }
}

/// The program as it is shipped: `VANTAIL_RELEASE_BINARY`, else built here and now (that takes minutes).
fn release_binary() -> PathBuf {
    if let Some(binary) = std::env::var_os("VANTAIL_RELEASE_BINARY") {
        return PathBuf::from(binary);
    }
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--release", "--locked", "--bin", "vantail", "--message-format=json-render-diagnostics"]);
    let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    executable(&String::from_utf8_lossy(&built.stdout)).expect("cargo names the program it built")
}

/// What cargo's messages call the program.
fn executable(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    messages.filter_map(|message| Some(PathBuf::from(message["executable"].as_str()?))).next_back()
}

fn contains(binary: &Path, word: &str) -> bool {
    let found = Command::new("grep").args(["-qaF", "-e", word]).arg(binary).status().expect("grep runs");
    match found.code() {
        Some(0) => true,
        Some(1) => false,
        other => panic!("grep cannot read {}: {other:?}", binary.display()),
    }
}
