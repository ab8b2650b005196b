//! Requests that nobody sent: for `explain`, policy tests and lints.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Uri};
use uuid::Uuid;

use super::canonical::{CanonicalTarget, NotCanonical};
use super::decide::{BodyFacts, Facts};
use super::{Policy, Site};
use crate::identity::{Amr, Caller, SessionId, SignedIn, User, UserId, UserState};
use crate::time::Timestamp;

/// A request that nobody sent.
#[derive(Debug, Clone)]
pub struct Probe {
    /// To this site.
    pub site: Arc<Site>,
    /// With this method.
    pub method: Method,
    /// To this target.
    pub target: CanonicalTarget,
    /// From this address.
    pub client: IpAddr,
    /// With these headers.
    pub headers: HeaderMap,
    /// With this body.
    pub body: Vec<u8>,
}

/// Why there is no such request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoProbe {
    /// No site of this name, or no site for the host of the address, or neither given.
    #[error("{0}")]
    Site(String),
    /// The method is none.
    #[error("`{0}` is not a method")]
    Method(String),
    /// The target is refused before any rule is asked.
    #[error("{0}")]
    Target(#[from] NotCanonical),
}

// === impl Probe ===

impl Probe {
    /// A request without headers and body, from an address the site lets in. `url` is a path or a whole address, whose host
    /// then finds the site when `site` does not name it.
    pub fn new(policy: &Policy, site: Option<&str>, method: &str, url: &str) -> Result<Self, NoProbe> {
        let site = Arc::clone(find_site(policy, site, url)?);
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| NoProbe::Method(method.to_owned()))?;
        let target = CanonicalTarget::parse(url.as_bytes(), |path| site.allows_encoded_slash(path))?;
        let client = site.networks.as_ref().and_then(super::NetworkSet::some_address);
        let client = client.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Ok(Self { site, method, target, client, headers: HeaderMap::new(), body: Vec::new() })
    }

    /// What it says.
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            method: &self.method,
            target: &self.target,
            client: self.client,
            headers: &self.headers,
            body: BodyFacts::Read(&self.body),
        }
    }
}

/// A person of this name and these groups.
pub fn person(name: &str, groups: &[String]) -> User {
    User {
        id: UserId(Uuid::nil()),
        name: name.to_owned(),
        full_name: name.to_owned(),
        email: String::new(),
        language: None,
        groups: groups.to_vec(),
        rights: Vec::new(),
        state: UserState::Active,
        valid_from: None,
        valid_until: None,
    }
}

/// `user` signed in with so many factors, `age` ago; nobody: anonymous.
pub fn caller(user: Option<User>, factors: u8, age: Duration, now: Timestamp) -> Caller {
    let Some(user) = user else { return Caller::Anonymous };
    let proven = now.minus(age);
    Caller::User(Arc::new(SignedIn {
        session: SessionId(Uuid::nil()),
        user: Arc::new(user),
        amr: if factors >= 2 { vec![Amr::Pwd, Amr::Otp] } else { vec![Amr::Pwd] },
        auth_time: proven,
        second_factor_at: (factors >= 2).then_some(proven),
    }))
}

fn find_site<'p>(policy: &'p Policy, name: Option<&str>, url: &str) -> Result<&'p Arc<Site>, NoProbe> {
    let all = || policy.sites.iter().map(|site| site.name.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(name) = name {
        let unknown = || NoProbe::Site(format!("there is no site `{name}`; there are: {}", all()));
        return policy.site(name).ok_or_else(unknown);
    }
    let uri = url.parse::<Uri>().ok();
    match uri.as_ref().and_then(Uri::host) {
        Some(host) => {
            let unknown = || NoProbe::Site(format!("no site answers to the host `{host}`"));
            policy.site_for_host(&host.to_lowercase()).ok_or_else(unknown)
        }
        None => Err(NoProbe::Site(format!("name a site ({}), or give a whole address", all()))),
    }
}
