//! The `vantail` program: arguments → run → exit code.

use std::process::ExitCode;

/// 16 % fewer user instructions per proxied request than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    vantail::cli::main()
}
