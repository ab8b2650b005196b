//! What is for tests alone is not in the program that is shipped.
#![cfg(feature = "testing")]

use std::path::{Path, PathBuf};
use std::process::Command;

use vantail::time::{SettableClock, Timestamp};

/// The variable that arms an abort point.
const ABORT_POINTS: &str = "VANTAIL_ABORT_AT";

#[test]
fn the_release_binary_has_no_abort_points() {
    let testing = Path::new(env!("CARGO_BIN_EXE_vantail"));
    assert!(contains(testing, ABORT_POINTS), "the search does not find what is in {}", testing.display());
    assert!(!contains(&release_binary(), ABORT_POINTS));
}

#[test]
fn the_release_binary_has_no_settable_clock() {
    // This test itself uses the clock, so that its name is in this program, and the search must find it here.
    let clock = format!("{:?}", SettableClock::at(Timestamp::from_secs(1)));
    let name = clock.split('(').next().expect("a name before the time");
    let this = std::env::current_exe().expect("a running program has a path");
    assert!(contains(&this, name), "the search does not find {name} in {}", this.display());
    assert!(!contains(&release_binary(), name));
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
