//! What goes on beside the requests: following changes, expiring, writing last uses, sending messages.
//!
//! Each task ends when `stop` is set. A task that meets a dead store says so once, keeps trying, and nobody trusts a
//! cache meanwhile.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::Tools;
use crate::identity::keys::KeyRing;
use crate::notify::Worker;
use crate::store::StoreError;
use crate::store::changes::Change;

/// How often operations are expired and withdrawn.
const SWEEP: Duration = Duration::from_secs(1);
/// How often last uses of sessions are written, and dead sessions end.
const SESSIONS: Duration = Duration::from_secs(3);
/// How often change marks, tries, known browsers and remembered devices that nobody needs any more are deleted.
const HOUSEKEEPING: Duration = Duration::from_mins(1);
/// How long change marks are kept for slow followers.
const CHANGES_KEPT: Duration = Duration::from_hours(1);
/// How long the tries on a name that belongs to nobody are kept: longer than any sensible lock.
const UNKNOWN_TRIES_KEPT: Duration = Duration::from_hours(7 * 24);
/// How long a browser stays known without a sign-in: as long as browsers keep a cookie (RFC 6265bis section 5.5).
const BROWSERS_KEPT: Duration = Duration::from_hours(400 * 24);
/// How long a dead store is left alone before it is asked again.
const PAUSE: Duration = Duration::from_millis(200);

/// Tells every task to end.
pub(super) type Stop = watch::Receiver<bool>;

/// Starts them all.
pub(super) fn start(tools: &Tools, keys: &KeyRing, worker: Worker, stop: &Stop) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(follow_changes(tools.clone(), keys.clone(), worker.wake.clone(), stop.clone()));
    tasks.spawn(every(SWEEP, stop.clone(), "operations.sweep", tools.clone(), |tools| async move {
        tools.operations.sweep().await
    }));
    tasks.spawn(every(SESSIONS, stop.clone(), "sessions.sweep", tools.clone(), sweep_sessions));
    tasks.spawn(every(HOUSEKEEPING, stop.clone(), "housekeeping", tools.clone(), housekeeping));
    let stopped = stopped(stop.clone());
    tasks.spawn(async move { worker.run(stopped).await });
    tasks
}

/// Resolves when the process is to end.
pub(super) async fn stopped(mut stop: Stop) {
    // An error means that the sender is gone, which is a stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn every<F, W>(period: Duration, stop: Stop, name: &'static str, tools: Tools, work: W)
where
    F: Future<Output = Result<(), StoreError>>,
    W: Fn(Tools) -> F,
{
    let mut failing = false;
    loop {
        tokio::select! {
            () = tokio::time::sleep(period) => {}
            () = stopped(stop.clone()) => return,
        }
        match work(tools.clone()).await {
            Ok(()) if failing => {
                failing = false;
                info!(task = name, "works again");
            }
            Ok(()) => {}
            Err(error) if failing => tracing::debug!(task = name, %error, "still fails"),
            Err(error) => {
                failing = true;
                warn!(task = name, %error, "fails; it is tried again");
            }
        }
    }
}

/// Sessions end at their idle and absolute ends, with their live connections and whatever needed them.
async fn sweep_sessions(tools: Tools) -> Result<(), StoreError> {
    let (limits, now) = (tools.policy.load().security.sessions, tools.means.clock.now());
    for session in tools.sessions.sweep(&limits, now).await? {
        tools.operations.session_ended(session).await?;
    }
    // What was laid aside in a session ends with it, whoever ended it.
    tools.store.forget_dead_detours(now).await?;
    // Nobody joins these returns any more: their sessions' tokens are not kept longer than they must be.
    tools.store.wipe_returns(now).await?;
    Ok(())
}

async fn housekeeping(tools: Tools) -> Result<(), StoreError> {
    let now = tools.means.clock.now();
    tools.store.forget_old_changes(now.minus(CHANGES_KEPT)).await?;
    tools.store.forget_old_tries(now.minus(UNKNOWN_TRIES_KEPT)).await?;
    tools.store.forget_old_browsers(now.minus(BROWSERS_KEPT)).await?;
    let idle = tools.policy.load().security.sessions.remembered_idle;
    tools.store.forget_dead_devices(now, idle.map(|idle| now.minus(idle))).await?;
    Ok(())
}

async fn follow_changes(tools: Tools, keys: KeyRing, wake: std::sync::Arc<tokio::sync::Notify>, stop: Stop) {
    loop {
        tokio::select! {
            error = follow_until_error(&tools, &keys, &wake) => {
                tools.sessions.trust(false);
                warn!(%error, "changes cannot be followed: every session is looked up in the database until they can");
            }
            () = stopped(stop.clone()) => return,
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stopped(stop.clone()) => return,
        }
    }
}

async fn follow_until_error(tools: &Tools, keys: &KeyRing, wake: &tokio::sync::Notify) -> StoreError {
    let mut changes = match tools.store.follow_changes().await {
        Ok(changes) => changes,
        Err(error) => return error,
    };
    // Marks written before this moment were missed: nothing known before it is believed, keys and outbox are looked at.
    tools.sessions.trust(true);
    if let Err(error) = keys.reload(&tools.store, &tools.keyring, tools.means.clock.now()).await {
        return error;
    }
    wake.notify_one();
    loop {
        let marks = match changes.next().await {
            Ok(marks) => marks,
            Err(error) => return error,
        };
        for mark in marks {
            if let Err(error) = take_note(tools, keys, wake, mark).await {
                return error;
            }
        }
    }
}

async fn take_note(tools: &Tools, keys: &KeyRing, wake: &tokio::sync::Notify, mark: Change) -> Result<(), StoreError> {
    match mark {
        Change::Session(session) => {
            tools.sessions.forget(session);
            if tools.store.session_by_id(session).await?.is_none() {
                tools.operations.session_ended(session).await?;
            }
        }
        Change::User(user) => tools.sessions.forget_user(user),
        Change::Operation(operation) => tools.operations.moved(&operation),
        Change::Outbox => wake.notify_one(),
        Change::Keys => keys.reload(&tools.store, &tools.keyring, tools.means.clock.now()).await?,
    }
    Ok(())
}
