//! The backends of sites: which of them gets a request, and which of them live.
//!
//! A backend is *asked* every few seconds whether it takes a connection. Two failures make it *down*, one success *up*
//! again; a request that cannot connect counts as a failure too. Requests go round robin over those that are up; when all
//! are down, all are tried, because a gateway that is wrong about its backends must not make them unreachable.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use pingora::upstreams::peer::HttpPeer;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::Deadlines;
use crate::policy::{Backend, Policy, Site};

/// All backends known so far. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Backends {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// By host name: few backends share one.
    known: RwLock<HashMap<String, Vec<Arc<Target>>, RandomState>>,
    turn: AtomicUsize,
}

/// One backend and how it does.
#[derive(Debug)]
pub(super) struct Target {
    backend: Backend,
    url: String,
    /// What its name stands for; empty before the first look-up.
    addresses: ArcSwap<Vec<SocketAddr>>,
    /// Which of them is used: moves on when one cannot be reached.
    at: AtomicUsize,
    failures: AtomicU32,
}

/// Failures in a row that make a backend down.
const DOWN_AFTER: u32 = 2;
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// A backend as sites and operations write it: `http://10.0.0.5:8000`.
pub(super) fn url(backend: &Backend) -> String {
    format!("{}://{}:{}", if backend.tls { "https" } else { "http" }, backend.host, backend.port)
}

// === impl Backends ===

impl Backends {
    /// The backend whose turn it is, leaving out those in `tried` while there are others.
    pub(super) fn choose(&self, site: &Site, tried: &[Arc<Target>]) -> Option<Arc<Target>> {
        if let [only] = site.backends.as_slice() {
            return Some(self.target(only));
        }
        let count = site.backends.len();
        let turn = self.inner.turn.fetch_add(1, Ordering::Relaxed);
        let round = (0..count).map(|step| self.target(&site.backends[(turn + step) % count]));
        let rank = |target: &Arc<Target>| (tried.iter().any(|earlier| Arc::ptr_eq(earlier, target)), !target.is_up());
        round.min_by_key(rank)
    }

    /// How one backend does.
    pub(super) fn target(&self, backend: &Backend) -> Arc<Target> {
        let same = |target: &&Arc<Target>| target.backend == *backend;
        let known = self.inner.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(target) = known.get(&backend.host).and_then(|targets| targets.iter().find(same)) {
            return Arc::clone(target);
        }
        drop(known);
        let mut known = self.inner.known.write().unwrap_or_else(PoisonError::into_inner);
        let targets = known.entry(backend.host.clone()).or_default();
        if let Some(target) = targets.iter().find(same) {
            return Arc::clone(target);
        }
        let target = Arc::new(Target::new(backend));
        targets.push(Arc::clone(&target));
        target
    }

    /// Whether every site has a backend that is up. What is not, is named.
    pub fn down_sites(&self, policy: &Policy) -> Vec<String> {
        let is_down = |site: &&Arc<Site>| !site.backends.iter().any(|backend| self.target(backend).is_up());
        policy.sites.iter().filter(is_down).map(|site| site.name.clone()).collect()
    }

    /// Each backend once, however many sites it serves: one failure must not count as several.
    fn targets_of(&self, policy: &Policy) -> Vec<Arc<Target>> {
        let mut targets: Vec<_> =
            policy.sites.iter().flat_map(|site| &site.backends).map(|backend| self.target(backend)).collect();
        targets.sort_unstable_by_key(Arc::as_ptr);
        targets.dedup_by(|one, other| Arc::ptr_eq(one, other));
        targets
    }

    /// Asks every backend of the policy in force, again and again. Never ends by itself.
    pub(super) async fn watch(self, policy: Arc<ArcSwap<Policy>>, deadlines: Deadlines) {
        let mut ticks = tokio::time::interval(CHECK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let policy = policy.load_full();
            let targets = self.targets_of(&policy);
            futures_util::future::join_all(targets.iter().map(|target| target.check(&deadlines))).await;
        }
    }
}

// === impl Target ===

impl Target {
    fn new(backend: &Backend) -> Self {
        let known = backend.host.trim_matches(['[', ']']).parse().map(|ip| SocketAddr::new(ip, backend.port));
        Self {
            backend: backend.clone(),
            url: url(backend),
            addresses: ArcSwap::from_pointee(known.into_iter().collect()),
            at: AtomicUsize::new(0),
            failures: AtomicU32::new(0),
        }
    }

    /// As sites and operations write it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether its name stands for more than one address.
    pub fn has_more_addresses(&self) -> bool {
        self.addresses.load().len() > 1
    }

    /// A peer for pingora. An error says why there is none.
    pub async fn peer(&self, deadlines: &Deadlines) -> Result<Box<HttpPeer>, String> {
        let address = self.address(deadlines).await?;
        let mut peer = Box::new(HttpPeer::new(address, self.backend.tls, self.backend.host.clone()));
        peer.options.connection_timeout = Some(deadlines.connect);
        peer.options.total_connection_timeout = Some(deadlines.connect);
        peer.options.read_timeout = Some(deadlines.answer);
        peer.options.write_timeout = Some(deadlines.write);
        // Shorter than the minute many servers keep: a connection they close is not one we are about to use.
        peer.options.idle_timeout = Some(Duration::from_secs(50));
        Ok(peer)
    }

    async fn address(&self, deadlines: &Deadlines) -> Result<SocketAddr, String> {
        if self.addresses.load().is_empty() {
            Box::pin(self.look_up(deadlines)).await?;
        }
        let addresses = self.addresses.load();
        addresses
            .get(self.at.load(Ordering::Relaxed) % addresses.len().max(1))
            .copied()
            .ok_or_else(|| format!("{} has no address", self.backend.host))
    }

    async fn look_up(&self, deadlines: &Deadlines) -> Result<(), String> {
        let name = (self.backend.host.as_str(), self.backend.port);
        let found = timeout(deadlines.connect, lookup_host(name))
            .await
            .map_err(|_| format!("{}: the name was not answered in time", self.backend.host))?
            .map_err(|error| format!("{}: {error}", self.backend.host))?;
        let mut found: Vec<_> = found.collect();
        found.sort_unstable();
        if **self.addresses.load() != found {
            self.addresses.store(Arc::new(found));
        }
        Ok(())
    }

    fn is_up(&self) -> bool {
        self.failures.load(Ordering::Relaxed) < DOWN_AFTER
    }

    /// It took a connection.
    pub fn connected(&self) {
        if self.failures.load(Ordering::Relaxed) > 0 && self.failures.swap(0, Ordering::Relaxed) >= DOWN_AFTER {
            tracing::info!(backend = %self.url(), "the backend is up again");
        }
    }

    /// It took none. The next try goes to its name's next address.
    pub fn failed(&self) {
        self.at.fetch_add(1, Ordering::Relaxed);
        let addresses = u32::try_from(self.addresses.load().len()).unwrap_or(1).max(1);
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures == DOWN_AFTER.max(addresses) {
            tracing::warn!(backend = %self.url(), "the backend takes no connections");
        }
    }

    async fn check(&self, deadlines: &Deadlines) {
        let is_name = self.backend.host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_err();
        if is_name && self.look_up(deadlines).await.is_err() {
            return self.failed();
        }
        for _ in 0..self.addresses.load().len().max(1) {
            let Ok(address) = self.address(deadlines).await else { return self.failed() };
            if matches!(timeout(deadlines.connect, TcpStream::connect(address)).await, Ok(Ok(_))) {
                return self.connected();
            }
            self.failed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::testing;
    use crate::policy::load::{Texts, check};

    fn backend(port: u16) -> Backend {
        Backend { tls: false, host: "127.0.0.1".into(), port }
    }

    fn site(ports: &[u16]) -> Arc<Site> {
        let urls: Vec<_> = ports.iter().map(|port| format!("\"http://127.0.0.1:{port}\"")).collect();
        testing::site(&format!("name = \"crm\"\nhosts = [\"crm.test\"]\nbackends = [{}]\n", urls.join(", ")))
    }

    fn turns(backends: &Backends, site: &Site, count: usize) -> Vec<u16> {
        (0..count).map(|_| backends.choose(site, &[]).unwrap().backend.port).collect()
    }

    #[test]
    fn requests_go_round_and_leave_out_what_is_down() {
        let (backends, site) = (Backends::default(), site(&[1, 2, 3]));
        assert_eq!(turns(&backends, &site, 6), [1, 2, 3, 1, 2, 3]);
        let second = backends.target(&backend(2));
        second.failed();
        assert_eq!(turns(&backends, &site, 3), [1, 2, 3], "one failure is no verdict");
        second.failed();
        assert!(!turns(&backends, &site, 6).contains(&2));
        second.connected();
        assert!(turns(&backends, &site, 3).contains(&2));
    }

    #[test]
    fn when_all_are_down_all_are_tried() {
        let (backends, site) = (Backends::default(), site(&[1, 2]));
        for port in [1, 2] {
            let target = backends.target(&backend(port));
            target.failed();
            target.failed();
        }
        let mut tried = turns(&backends, &site, 2);
        tried.sort_unstable();
        assert_eq!(tried, [1, 2]);
    }

    #[test]
    fn a_second_try_goes_elsewhere() {
        let (backends, site) = (Backends::default(), site(&[1, 2]));
        let first = backends.choose(&site, &[]).unwrap();
        for _ in 0..4 {
            let second = backends.choose(&site, std::slice::from_ref(&first)).unwrap();
            assert_ne!(first.backend.port, second.backend.port);
        }
    }

    #[test]
    fn a_backend_of_several_sites_is_asked_once() {
        let site = |name: &str, port: u16| {
            let text = format!(
                "name = \"{name}\"\nhosts = [\"{name}.test\"]\nbackends = [\"http://127.0.0.1:{port}\"]\n[[rule]]\nname = \"all\"\naccess = \"open\"\n"
            );
            (format!("{name}.toml").into(), text)
        };
        let texts = Texts { sites: vec![site("a", 1), site("b", 2), site("c", 1)], ..Texts::default() };
        let (policy, _) = check(&texts).unwrap();
        let mut ports: Vec<_> =
            Backends::default().targets_of(&policy).iter().map(|target| target.backend.port).collect();
        ports.sort_unstable();
        assert_eq!(ports, [1, 2]);
    }

    #[tokio::test]
    async fn a_check_finds_out_who_listens() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let backends = Backends::default();
        let target = backends.target(&backend(port));
        let deadlines = Deadlines::default();
        target.check(&deadlines).await;
        assert!(target.is_up());
        drop(listener);
        target.check(&deadlines).await;
        target.check(&deadlines).await;
        assert!(!target.is_up());
    }
}
