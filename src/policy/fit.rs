//! Whether configuration and policy fit each other.

use super::Policy;
use crate::config::{Config, ConfigFault};

/// What `config` asks of `policy` and does not find there; nothing when they fit.
pub fn misfits(config: &Config, policy: &Policy) -> Vec<ConfigFault> {
    let names = config.portal.networks.as_deref().unwrap_or_default();
    let unknown = policy.networks.resolve(names).err();
    let told = unknown.map(|name| ConfigFault {
        place: "[portal] networks".to_owned(),
        what: format!("there is no network called `{name}`; add it to networks.toml, or name another"),
    });
    told.into_iter().collect()
}
