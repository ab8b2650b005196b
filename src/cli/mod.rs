//! The command line: arguments → what they mean → run → exit code.
//!
//! Exit 0: done. 1: refused or failed. 2: wrong use or wrong configuration. Errors go to standard error, one line each,
//! saying what to do next.

mod audit;
mod config;
mod console;
mod demo;
mod key;
mod log;
mod operation;
mod output;
mod password;
mod policy;
mod serve;
mod session;
mod store;
mod tools;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

pub use output::Failure;

/// A reverse-proxy authentication gateway that holds sensitive requests until a token validator confirms them.
#[derive(Debug, Parser)]
#[command(name = "vantail", version, max_term_width = 100)]
struct Arguments {
    /// The configuration; default config/vantail.toml, then /etc/vantail/vantail.toml.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything on one machine, to try it: gateway, application, telephone and mailbox.
    Demo(demo::DemoArguments),
    /// Serve, until SIGTERM or SIGINT.
    Serve,
    /// Check, show or describe the configuration.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Check, test or explain the policy.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Users, their rights and what proves them.
    #[command(subcommand)]
    User(user::UserCommand),
    /// Sessions: list and end them.
    #[command(subcommand)]
    Session(session::SessionCommand),
    /// Held operations: list, show, cancel.
    #[command(subcommand)]
    Operation(operation::OperationCommand),
    /// The audit trail.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// The database.
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Signing keys of the identity assertions.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Read a password from standard input, write its hash, made with the strength that is configured.
    HashPassword {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// What may be typed: every command with its options. Those that print data take `--json`.
pub fn definition() -> clap::Command {
    Arguments::command()
}

/// The program: reads the arguments, runs, says how it went.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // clap writes help to standard output and errors to standard error; a closed pipe is not worth a word.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match leave_no_core_file().and_then(|()| run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// A core file would hold every password, seed and token in memory at that moment, in clear (LOG-1).
fn leave_no_core_file() -> Result<(), Failure> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|error| {
        Failure::failed(format!("the system does not let a process keep its memory to itself: {error}"))
    })
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("no threads to work with: {error}")))?;
    let config = arguments.config.as_deref();
    let outcome = runtime.block_on(async {
        match arguments.command {
            Command::Demo(arguments) => demo::run(arguments).await,
            Command::Serve => serve::run(config).await,
            Command::Config(command) => config::run(command, config),
            Command::Policy(command) => tools::policy(command, config),
            Command::User(command) => tools::user(command, config).await,
            Command::Session(command) => tools::session(command, config).await,
            Command::Operation(command) => tools::operation(command, config).await,
            Command::Audit(command) => tools::audit(command, config).await,
            Command::Store(command) => tools::store(command, config).await,
            Command::Key(command) => tools::key(command, config).await,
            Command::HashPassword { json } => tools::hash_password(json, config).await,
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    outcome
}
