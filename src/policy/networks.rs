//! Named networks, and sets of them.
//!
//! A **network** is a named list of prefixes from `networks.toml`. A [`NetworkSet`] is what a site or a rule makes of the
//! names it lists: one trie per address family, so that a look-up costs the same among one prefix and 100,000.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixSet;

/// All named networks. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Networks {
    named: Arc<BTreeMap<String, NetworkSet>>,
}

/// A set of prefixes, looked up in constant time whatever its size. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct NetworkSet {
    tries: Arc<Tries>,
}

#[derive(Debug, Clone, Default)]
struct Tries {
    v4: PrefixSet<Ipv4Net>,
    v6: PrefixSet<Ipv6Net>,
}

// === impl Networks ===

impl Networks {
    /// From names and their prefixes.
    pub fn new(named: BTreeMap<String, NetworkSet>) -> Self {
        Self { named: Arc::new(named) }
    }

    /// The networks called `names`, as one set; the unknown name otherwise.
    pub fn resolve(&self, names: &[String]) -> Result<NetworkSet, String> {
        if let [name] = names {
            return self.named.get(name).cloned().ok_or_else(|| name.clone());
        }
        let mut together = Tries::default();
        for name in names {
            together.add(&self.named.get(name).ok_or_else(|| name.clone())?.tries);
        }
        Ok(NetworkSet { tries: Arc::new(together) })
    }

    /// Every named network, as one set: who is not in it is a stranger everywhere.
    pub fn everywhere(&self) -> NetworkSet {
        let mut together = Tries::default();
        for set in self.named.values() {
            together.add(&set.tries);
        }
        NetworkSet { tries: Arc::new(together) }
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.named.keys().map(String::as_str)
    }
}

// === impl NetworkSet ===

impl NetworkSet {
    /// Whether `address` (an IPv4-mapped IPv6 address counts as IPv4) is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => self.tries.v4.get_lpm(&Ipv4Net::from(address)).is_some(),
            IpAddr::V6(address) => self.tries.v6.get_lpm(&Ipv6Net::from(address)).is_some(),
        }
    }

    /// Whether it holds no address at all.
    pub fn is_empty(&self) -> bool {
        self.tries.v4.is_empty() && self.tries.v6.is_empty()
    }

    /// Whether some address is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        meet(&self.tries.v4, &other.tries.v4) || meet(&self.tries.v6, &other.tries.v6)
    }

    /// Some address in it: policy tests that name none come from there.
    pub fn some_address(&self) -> Option<IpAddr> {
        let v4 = self.tries.v4.iter().next().and_then(|net| net.hosts().next()).map(IpAddr::V4);
        v4.or_else(|| self.tries.v6.iter().next().and_then(|net| net.hosts().next()).map(IpAddr::V6))
    }
}

impl FromIterator<IpNet> for NetworkSet {
    fn from_iter<I: IntoIterator<Item = IpNet>>(prefixes: I) -> Self {
        let mut tries = Tries::default();
        for prefix in prefixes {
            match prefix {
                IpNet::V4(prefix) => tries.v4.insert(prefix.trunc()),
                IpNet::V6(prefix) => tries.v6.insert(prefix.trunc()),
            };
        }
        Self { tries: Arc::new(tries) }
    }
}

impl Tries {
    fn add(&mut self, other: &Self) {
        for prefix in &other.v4 {
            self.v4.insert(prefix);
        }
        for prefix in &other.v6 {
            self.v6.insert(prefix);
        }
    }
}

fn meet<P: prefix_trie::Prefix>(one: &PrefixSet<P>, other: &PrefixSet<P>) -> bool {
    let (small, large) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    small.iter().any(|prefix| large.get_lpm(&prefix).is_some() || large.children(&prefix).next().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(prefixes: &[&str]) -> NetworkSet {
        prefixes.iter().map(|prefix| prefix.parse::<IpNet>().unwrap()).collect()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn hdr_7_an_ipv4_client_on_a_dual_stack_listener_is_judged_as_ipv4() {
        let office = set(&["10.9.0.0/16"]);
        assert!(office.contains(ip("::ffff:10.9.0.1")));
        assert!(!office.contains(ip("::ffff:203.0.113.1")));
    }

    #[test]
    fn an_address_of_one_family_is_never_in_a_prefix_of_the_other() {
        assert!(!set(&["0.0.0.0/0"]).contains(ip("2001:db8::1")));
        assert!(!set(&["::/0"]).contains(ip("192.0.2.1")));
    }

    #[test]
    fn several_names_make_one_set_and_an_unknown_one_is_told() {
        let networks = Networks::new(BTreeMap::from([
            ("office".to_owned(), set(&["192.0.2.0/24"])),
            ("home".to_owned(), set(&["2001:db8::/32"])),
        ]));
        let both = networks.resolve(&["office".to_owned(), "home".to_owned()]).unwrap();
        assert!(both.contains(ip("192.0.2.9")) && both.contains(ip("2001:db8::9")));
        assert_eq!(networks.resolve(&["offce".to_owned()]).unwrap_err(), "offce");
        assert!(networks.everywhere().contains(ip("192.0.2.9")));
    }

    #[test]
    fn sets_overlap_when_one_prefix_holds_another() {
        assert!(set(&["10.0.0.0/8"]).overlaps(&set(&["192.0.2.0/24", "10.1.0.0/16"])));
        assert!(set(&["10.1.0.0/16", "192.0.2.0/24"]).overlaps(&set(&["10.0.0.0/8"])));
        assert!(!set(&["10.0.0.0/8"]).overlaps(&set(&["192.0.2.0/24", "2001:db8::/32"])));
    }

    #[test]
    fn a_hundred_thousand_prefixes_answer_as_one_does() {
        let many: NetworkSet =
            (0..100_000u32).map(|n| IpNet::V4(Ipv4Net::new((0x0a00_0000 + n * 4).into(), 31).unwrap())).collect();
        assert!(many.contains(ip("10.0.0.5")) && !many.contains(ip("10.0.0.6")));
    }
}
