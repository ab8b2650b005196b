//! `vantail serve`.

use std::io;
use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::output::Failure;
use crate::app::{App, BoundTo, Means, StartError, Tools};
use crate::config::Config;
use crate::edge::ListenError;

pub(super) async fn run(config: Option<&Path>) -> Result<(), Failure> {
    let config = Config::load(config).map_err(Failure::faults)?;
    log_to_standard_output();
    let means = Means::of(&config).map_err(start_failure)?;
    let listeners = BoundTo::configured(&config.listen).await.map_err(start_failure)?;
    let tools = Tools::open(config, means).await.map_err(start_failure)?;
    for warning in tools.warnings.iter() {
        tracing::warn!(policy = %warning, "policy");
    }
    if tools.store.count_users().await.map_err(|error| start_failure(error.into()))? == 0 {
        return Err(start_failure(StartError::NoUsers));
    }
    let app = App::build(tools).await.map_err(start_failure)?;
    app.serve(listeners, asked_to_stop()).await.map_err(start_failure)
}

/// Resolves on SIGTERM or SIGINT.
pub(super) async fn asked_to_stop() {
    let waits = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    if let (Ok(mut terminate), Ok(mut interrupt)) = waits {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    } else {
        // Without signals to listen to, the only end is the process's own.
        std::future::pending::<()>().await;
    }
}

/// How a failed start is told: faults of configuration and policy are wrong use (2), the rest failures (1).
pub(super) fn start_failure(error: StartError) -> Failure {
    match error {
        StartError::Policy(faults) => Failure::faults(faults),
        StartError::Misfit(faults) => Failure::faults(faults),
        StartError::Listen(faults) if faults.iter().any(|fault| matches!(fault, ListenError::Certificate(_))) => {
            Failure::faults(faults)
        }
        StartError::Listen(faults) => Failure::all_failed(faults),
        StartError::Driver(_) => Failure::wrong(error.to_string()),
        other => Failure::failed(other.to_string()),
    }
}

/// What is logged when `RUST_LOG` says nothing. Whatever pingora has to tell of a request is in the request's own line, and
/// of what is no request yet strangers could have it tell as much as they like.
const USUAL: &str = "info,sqlx=warn,pingora=off";

/// One JSON object per line on standard output; `RUST_LOG` narrows or widens it.
fn log_to_standard_output() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(USUAL));
    // A second subscriber in one process is a programming error that the first one survives.
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(io::stdout))
        .try_init();
}
