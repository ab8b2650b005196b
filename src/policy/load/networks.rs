//! `networks.toml`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use super::{Findings, Reading};
use crate::config::document::child;
use crate::policy::Networks;
use crate::policy::file::NetworksFile;

/// What is wrong with a prefix, and the remedy.
type Wrong = (String, String);

/// The named networks.
pub(super) fn check(text: Option<&(PathBuf, String)>, findings: &mut Findings) -> Networks {
    let Some((file, text)) = text else { return Networks::default() };
    let mut reading = Reading::<NetworksFile>::of(file, text, findings);
    let mut named = BTreeMap::new();
    for (name, prefixes) in std::mem::take(&mut reading.content) {
        let at = child("", &name);
        let mut set = Vec::with_capacity(prefixes.len());
        for (index, prefix) in prefixes.iter().enumerate() {
            let at = child(&at, index);
            if let Some(prefix) = reading.value(&at, parse(prefix)) {
                if prefix.prefix_len() == 0 {
                    let what = format!("`{name}` holds {prefix}: every address there is");
                    reading.warn(
                        &at,
                        what,
                        "leave `networks` out where anybody may come, or name the networks you mean",
                    );
                }
                set.push(prefix);
            }
        }
        named.insert(name, set.into_iter().collect());
    }
    Networks::new(named)
}

/// A prefix, or a lone address as the prefix that holds it alone.
fn parse(text: &str) -> Result<IpNet, Wrong> {
    let malformed = || {
        (format!("`{text}` is not a network"), "write a prefix like \"192.0.2.0/24\" or \"2001:db8::/32\"".to_owned())
    };
    let prefix = match text.parse::<IpNet>() {
        Ok(prefix) => prefix,
        Err(_) => IpNet::from(text.parse::<IpAddr>().map_err(|_| malformed())?),
    };
    if let IpAddr::V6(address) = prefix.addr()
        && let Some(v4) = address.to_ipv4_mapped()
    {
        let remedy = format!("write the IPv4 network, like \"{v4}/{}\"", prefix.prefix_len().saturating_sub(96).max(8));
        return Err((format!("`{text}` is an IPv4 network written as IPv6, and would match nothing"), remedy));
    }
    if prefix.trunc() != prefix {
        let what = format!("`{text}` has bits beyond its prefix: is one address meant, or the whole network?");
        return Err((what, format!("write \"{}\" or \"{}\"", prefix.trunc(), IpNet::from(prefix.addr()))));
    }
    Ok(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hdr_7_networks_that_do_not_mean_what_they_say_are_refused() {
        for text in
            ["::ffff:10.0.0.0/8", "::ffff:10.0.0.0/104", "10.9.0.1/8", "2001:db8::1/32", "10.0.0.0/33", "office", ""]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse("10.9.0.1/8").unwrap_err().1, "write \"10.0.0.0/8\" or \"10.9.0.1/32\"");
    }

    #[test]
    fn prefixes_and_lone_addresses_are_networks() {
        for (text, prefix) in
            [("10.0.0.0/8", "10.0.0.0/8"), ("10.9.0.1", "10.9.0.1/32"), ("2001:db8::/32", "2001:db8::/32")]
        {
            assert_eq!(parse(text).unwrap().to_string(), prefix);
        }
    }

    #[test]
    fn hdr_7_every_address_there_is_is_warned_about() {
        let text =
            (PathBuf::from("networks.toml"), "all = [\"0.0.0.0/0\", \"::/0\"]\nbad = [\"10.9.0.1/8\"]\n".to_owned());
        let mut findings = Findings::default();
        check(Some(&text), &mut findings);
        assert_eq!(findings.warnings.len(), 2);
        assert_eq!(findings.faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [2]);
    }
}
