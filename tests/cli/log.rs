//! What a running gateway writes on standard output.

use std::fs::File;

use crate::installation::Installation;

/// What the log says of a head that was broken off, followed by a whole request.
fn logged(filter: Option<&str>) -> String {
    let here = Installation::with_a_user();
    let file = here.file("serve.log");
    let mut command = here.command(&["serve"]);
    command.env_remove("RUST_LOG").stdout(File::create(&file).unwrap());
    let gateway = here.serve_by(filter.iter().fold(&mut command, |command, filter| command.env("RUST_LOG", filter)));
    gateway.breaks_off_after("GET /begun HTT");
    gateway.status("/whole", "");
    drop(gateway);
    std::fs::read_to_string(file).unwrap()
}

#[test]
fn what_strangers_break_off_fills_no_log_unless_it_is_asked_for() {
    let usual = logged(None);
    assert!(usual.contains("/whole"), "{usual}");
    assert!(!usual.contains("pingora"), "{usual}");
    let asked = logged(Some("info"));
    assert!(asked.contains("/whole") && asked.contains("pingora_proxy"), "{asked}");
}
