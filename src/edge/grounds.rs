//! What the edge looks up for every request, worked out once per policy: the portal's networks, and everybody's.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::policy::{NetworkSet, Policy, Site};

/// A policy and what follows from it.
#[derive(Debug)]
pub(super) struct Grounds {
    /// The policy itself.
    pub policy: Arc<Policy>,
    portal: Option<NetworkSet>,
    everywhere: NetworkSet,
}

/// The grounds of the policy in force. A reload swaps the policy; the next request works them out anew.
#[derive(Debug)]
pub(super) struct CurrentGrounds {
    policy: Arc<ArcSwap<Policy>>,
    portal_networks: Option<Vec<String>>,
    current: ArcSwap<Grounds>,
}

// === impl Grounds ===

impl Grounds {
    fn of(policy: Arc<Policy>, portal_networks: Option<&[String]>) -> Self {
        let portal = portal_networks.map(|names| {
            policy.networks.resolve(names).unwrap_or_else(|unknown| {
                tracing::error!(network = %unknown, "portal.networks names a network that networks.toml does not: nobody sees the portal");
                NetworkSet::default()
            })
        });
        Self { portal, everywhere: policy.networks.everywhere(), policy }
    }

    /// Whether `client` may see the portal: by the portal's own networks, else by those of the site it is asked on (H4).
    pub fn shows_portal_to(&self, client: IpAddr, site: Option<&Site>) -> bool {
        let networks = self.portal.as_ref().or_else(|| site.and_then(|site| site.networks.as_ref()));
        networks.is_none_or(|networks| networks.contains(client))
    }

    /// Whether `peer` is in none of the networks that are named anywhere.
    pub fn is_stranger(&self, peer: IpAddr) -> bool {
        !self.everywhere.contains(peer)
    }
}

// === impl CurrentGrounds ===

impl CurrentGrounds {
    pub fn new(policy: Arc<ArcSwap<Policy>>, portal_networks: Option<Vec<String>>) -> Self {
        let current = ArcSwap::from_pointee(Grounds::of(policy.load_full(), portal_networks.as_deref()));
        Self { policy, portal_networks, current }
    }

    /// Those of this moment.
    pub fn load(&self) -> Arc<Grounds> {
        let current = self.current.load_full();
        let policy = self.policy.load();
        if Arc::ptr_eq(&current.policy, &policy) {
            return current;
        }
        let fresh = Arc::new(Grounds::of(Arc::clone(&policy), self.portal_networks.as_deref()));
        self.current.store(Arc::clone(&fresh));
        fresh
    }
}
