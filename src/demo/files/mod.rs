//! The files the demo's gateway reads.
//!
//! They are written into the data folder once and then left as they are, so that a kept folder can be edited and tried
//! with. Only what depends on the ports of this very run is renewed: the configuration, and the site's backend.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use toml_edit::{Array, DocumentMut, value};

/// The configuration's name in the data folder.
pub const CONFIGURATION: &str = "vantail.toml";

const SECURITY: &str = include_str!("security.toml");
const SITE: &str = include_str!("site.toml");
const TESTS: &str = include_str!("tests.toml");
const NETWORKS: &str = include_str!("networks.toml");

/// Where the parts of this run listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The gateway.
    pub gateway: SocketAddr,
    /// The inbox's SMTP side.
    pub smtp: SocketAddr,
    /// The inbox's HTTP side.
    pub sms: SocketAddr,
}

/// Writes `directory/vantail.toml`, so that every command can be used on the running demo with `--config`.
pub fn write_configuration(directory: &Path, addresses: &Addresses) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    std::fs::write(directory.join(CONFIGURATION), configuration(addresses))
}

/// Writes the policy into `directory` where it is not there yet, and points the site at `backend`.
pub fn write_policies(directory: &Path, backend: SocketAddr) -> io::Result<()> {
    for folder in ["sites", "tests"] {
        std::fs::create_dir_all(directory.join(folder))?;
    }
    let site = directory.join("sites/demo.toml");
    write_if_absent(&directory.join("networks.toml"), NETWORKS)?;
    write_if_absent(&directory.join("security.toml"), SECURITY)?;
    write_if_absent(&directory.join("tests/demo.toml"), TESTS)?;
    write_if_absent(&site, SITE)?;
    let pointed = point_at(&std::fs::read_to_string(&site)?, backend).map_err(io::Error::other)?;
    std::fs::write(site, pointed)
}

fn write_if_absent(file: &Path, content: &str) -> io::Result<()> {
    if file.exists() { Ok(()) } else { std::fs::write(file, content) }
}

fn point_at(site: &str, backend: SocketAddr) -> Result<String, toml_edit::TomlError> {
    let mut site: DocumentMut = site.parse()?;
    site["backends"] = value(Array::from_iter([format!("http://{backend}")]));
    Ok(site.to_string())
}

/// Relative paths are the data folder's own.
fn configuration(addresses: &Addresses) -> String {
    let Addresses { gateway, smtp, sms } = addresses;
    format!(
        r#"# Written by `vantail demo` at each start.
[listen]
http = ["{gateway}"]

[portal]
url = "http://localhost:{port}"

[store]
database = "sqlite:vantail.db"

[keys]
directory = "keys"

[mail]
url = "smtp://{smtp}"
from = "Vantail demo <gate@example.org>"

[sms]
provider = "http"
url = "http://{sms}/send"
method = "POST"
headers = {{ Content-Type = "application/json" }}
body = '{{"to":"${{to}}","text":"${{text}}"}}'

[policies]
directory = "policies"
"#,
        port = gateway.port()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn local(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn an_edited_site_stays_as_it_is_but_for_its_backend() {
        let folder = tempfile::tempdir().unwrap();
        write_policies(folder.path(), local(5001)).unwrap();
        let file = folder.path().join("sites/demo.toml");
        let edited = std::fs::read_to_string(&file).unwrap().replace("Delete customer {id}", "Remove customer {id}");
        std::fs::write(&file, &edited).unwrap();
        write_policies(folder.path(), local(5002)).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), edited.replace("127.0.0.1:5001", "127.0.0.1:5002"));
    }

    #[test]
    fn the_configuration_is_one_the_gateway_reads() {
        let folder = tempfile::tempdir().unwrap();
        write_policies(&folder.path().join("policies"), local(5001)).unwrap();
        let addresses = Addresses { gateway: local(8080), smtp: local(1025), sms: local(8025) };
        write_configuration(folder.path(), &addresses).unwrap();
        let config = crate::config::Config::load(Some(&folder.path().join(CONFIGURATION))).unwrap();
        assert_eq!(config.listen.http, [local(8080)]);
        assert_eq!(config.policies, folder.path().join("policies"));
    }

    #[test]
    fn the_policy_does_what_its_tests_say() {
        let folder = tempfile::tempdir().unwrap();
        write_policies(folder.path(), local(5001)).unwrap();
        let (policy, _) = crate::policy::load::load(folder.path()).unwrap();
        let results = crate::policy::cases::run(&policy, folder.path(), Timestamp::from_secs(1_772_366_400)).unwrap();
        let failed: Vec<_> = results.iter().filter(|result| !result.passed).collect();
        assert!(results.len() >= 9 && failed.is_empty(), "{failed:#?}");
    }

    #[test]
    fn the_policy_is_one_the_gateway_reads_without_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        write_policies(folder.path(), local(5001)).unwrap();
        let (policy, warnings) = crate::policy::load::load(folder.path()).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        assert_eq!(policy.site_for_host("localhost").unwrap().name, "demo");
    }
}
