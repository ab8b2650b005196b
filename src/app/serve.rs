//! A serving gateway: portal, edge and the tasks beside them, on sockets that came from outside.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::{error, info};

use super::{StartError, Tools, tasks};
use crate::config;
use crate::edge::{self, Backends, Deadlines, Delivery, Listeners, Metrics, Parts};
use crate::identity::assertion::Assertions;
use crate::identity::keys::KeyRing;
use crate::notify::Worker;
use crate::operation::State;
use crate::policy::lint;
use crate::portal::{self, Language, Portal};
use crate::store::lease::Lease;

/// Sockets, bound before anything is started.
#[derive(Debug, Default)]
pub struct BoundTo(Listeners);

/// A gateway, built and not yet serving. It holds the store's lease.
pub struct App {
    tools: Tools,
    keys: KeyRing,
    parts: Parts,
    worker: Worker,
    pulse: Arc<Pulse>,
    lease: Lease,
}

/// What is known of the store from asking it every second: for readiness and metrics.
#[derive(Debug)]
struct Pulse {
    answers: AtomicBool,
    waiting: AtomicI64,
}

/// How often the store is asked whether it answers.
const PULSE: Duration = Duration::from_secs(1);

// === impl BoundTo ===

impl BoundTo {
    /// Everything `[listen]` names.
    pub async fn configured(listen: &config::Listen) -> Result<Self, StartError> {
        Listeners::bind(listen).await.map(Self).map_err(StartError::Listen)
    }

    /// One plain listener.
    pub async fn http(address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self(Listeners { http: vec![listener], ..Listeners::default() }))
    }

    /// Where plain HTTP is spoken first.
    pub fn first_address(&self) -> Option<SocketAddr> {
        self.0.http_addresses().first().copied()
    }

    /// Where TLS is spoken first.
    pub fn first_tls_address(&self) -> Option<SocketAddr> {
        self.0.https_addresses().first().copied()
    }

    /// Where `/livez`, `/readyz` and `/metrics` are, when they are asked for.
    pub fn operations_address(&self) -> Option<SocketAddr> {
        self.0.operations.as_ref().and_then(|listener| listener.local_addr().ok())
    }
}

// === impl App ===

impl App {
    /// Takes the lease, loads the signing keys, takes up what an earlier process left. Serves nothing yet.
    pub async fn build(tools: Tools) -> Result<Self, StartError> {
        let now = tools.means.clock.now();
        let lease = tools.store.take_lease(now).await?;
        let keys = KeyRing::load(&tools.store, &tools.keyring, tools.means.random.as_ref(), now).await?;
        warn_of_holds_nobody_could_confirm(&tools).await?;
        let assertions = Assertions::new(tools.portal_url.to_string(), keys.clone(), tools.means.random.clone());
        let (backends, deadlines) = (Backends::default(), Deadlines::default());
        let deliver = Delivery::new(backends.clone(), assertions.clone(), tools.means.clock.clone(), deadlines);
        let pulse = Arc::new(Pulse { answers: AtomicBool::new(true), waiting: AtomicI64::new(0) });
        let worker = worker(&tools);
        tools.operations.start(Arc::new(deliver)).await?;
        let portal = portal_of(&tools, &keys);
        let parts = Parts {
            router: portal::router(portal.clone()),
            portal,
            config: tools.config.clone(),
            assertions,
            metrics: metrics(&tools, &pulse),
            ready: readiness(&tools, &backends, &pulse),
            backends,
            deadlines,
        };
        Ok(Self { tools, keys, parts, worker, pulse, lease })
    }

    /// Serves on `listeners` until `shutdown` resolves; then drains, writes what is not written yet, and closes the store.
    pub async fn serve(
        mut self,
        listeners: BoundTo,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), StartError> {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = tasks::start(&self.tools, &self.keys, self.worker, &stopped);
        tasks.spawn(feel(self.tools.clone(), self.pulse, stopped));
        info!(portal = %self.tools.portal_url, "serving");
        let lease = &mut self.lease;
        let until = async move {
            tokio::select! {
                () = shutdown => {}
                () = lease.lost() => error!("another gateway has taken this store over: stopping"),
            }
        };
        edge::serve(self.parts, listeners.0, until).await;
        stop.send_replace(true);
        while tasks.join_next().await.is_some() {}
        if let Err(unwritten) = self.tools.sessions.write_last_seen().await {
            // Sessions then end as early as their last written use says: on the safe side.
            error!(error = %unwritten, "last uses of sessions could not be written");
        }
        drop(self.lease);
        self.tools.store.close().await;
        info!("stopped");
        Ok(())
    }
}

fn portal_of(tools: &Tools, keys: &KeyRing) -> Portal {
    Portal {
        login: tools.login.clone(),
        operations: tools.operations.clone(),
        keys: keys.clone(),
        policy: tools.policy.clone(),
        keyring: tools.keyring.clone(),
        random: tools.means.random.clone(),
        clock: tools.means.clock.clone(),
        url: tools.portal_url.clone(),
        language: if tools.config.portal.language == "fr" { Language::Fr } else { Language::En },
    }
}

fn worker(tools: &Tools) -> Worker {
    Worker {
        store: tools.store.clone(),
        keyring: tools.keyring.clone(),
        clock: tools.means.clock.clone(),
        sms: tools.means.sms.clone(),
        mail: tools.means.mail.clone(),
        wake: tools.notices.wake(),
    }
}

async fn warn_of_holds_nobody_could_confirm(tools: &Tools) -> Result<(), StartError> {
    let rows = tools.store.users().await?;
    let holders: Vec<_> = rows.into_iter().map(|row| (row.user, row.phone.is_some())).collect();
    for warning in lint::unconfirmable(&tools.policy.load(), &holders, tools.means.clock.now()) {
        tracing::warn!(policy = %warning.0, "a hold that nobody could confirm today");
    }
    Ok(())
}

fn metrics(tools: &Tools, pulse: &Arc<Pulse>) -> Metrics {
    let metrics = Metrics::default();
    let hashing = tools.accounts.hashing.clone();
    metrics.show_counter("password_hashes", "Password hashes computed", move || {
        i64::try_from(hashing.computed()).unwrap_or(i64::MAX)
    });
    let sessions = tools.sessions.clone();
    metrics.show_gauge("sessions_known", "Sessions known in process", move || {
        i64::try_from(sessions.known()).unwrap_or(i64::MAX)
    });
    let sessions = tools.sessions.clone();
    metrics.show_gauge("sessions_watched", "Sessions with requests that last", move || {
        i64::try_from(sessions.watched()).unwrap_or(i64::MAX)
    });
    let pulse = pulse.clone();
    metrics.show_gauge("operations_waiting", "Held operations that wait for a token validator", move || {
        pulse.waiting.load(Ordering::Relaxed)
    });
    metrics
}

fn readiness(tools: &Tools, backends: &Backends, pulse: &Arc<Pulse>) -> edge::Readiness {
    let (policy, backends, pulse) = (tools.policy.clone(), backends.clone(), pulse.clone());
    Arc::new(move || {
        if !pulse.answers.load(Ordering::Relaxed) {
            return Err("the database does not answer".to_owned());
        }
        match backends.down_sites(&policy.load()) {
            down if down.is_empty() => Ok(()),
            down => Err(format!("no backend answers for: {}", down.join(", "))),
        }
    })
}

/// Asks the store every second, until the end.
async fn feel(tools: Tools, pulse: Arc<Pulse>, stop: watch::Receiver<bool>) {
    loop {
        pulse.answers.store(tools.store.ping().await.is_ok(), Ordering::Relaxed);
        if let Ok(waiting) = tools.store.count_operations(State::Waiting).await {
            pulse.waiting.store(waiting, Ordering::Relaxed);
        }
        tokio::select! {
            () = tokio::time::sleep(PULSE) => {}
            () = tasks::stopped(stop.clone()) => return,
        }
    }
}
