//! `vantail config check | show | schema`

use std::io::{self, Write as _};
use std::path::Path;

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::output::Failure;
use crate::config::document::schema_of;
use crate::config::{Config, file::ConfigFile};
use crate::edge::tls::Certificate;
use crate::policy::file::{CasesFile, NetworksFile, SecurityFile, SiteFile};
use crate::policy::{self, Policy};

/// `vantail config …`
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ConfigCommand {
    /// Tell every mistake of the configuration and of the policy it names.
    Check {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Show the configuration as it is meant, defaults filled in, secrets masked.
    Show {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON schema of a file.
    Schema {
        /// Of which file.
        #[arg(value_enum, default_value_t = SchemaOf::Config)]
        of: SchemaOf,
        /// It is JSON anyway.
        #[arg(long)]
        json: bool,
    },
}

/// A file with a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// vantail.toml
    Config,
    /// policies/sites/*.toml
    Site,
    /// policies/networks.toml
    Networks,
    /// policies/security.toml
    Security,
    /// policies/tests/*.toml
    Tests,
}

/// Runs the command.
pub fn run(command: ConfigCommand, config: Option<&Path>) -> Result<(), Failure> {
    match command {
        ConfigCommand::Check { json } => check(config, json),
        ConfigCommand::Show { json } => show(config, json),
        ConfigCommand::Schema { of, .. } => print_json(&of.schema()),
    }
}

/// What is allowed, and somebody should know.
pub fn remarks(config: &Config, policy: &Policy) -> Vec<String> {
    let hosts: Vec<&str> = policy.sites.iter().flat_map(|site| site.hosts.iter().map(String::as_str)).collect();
    let mut remarks = vec![format!(
        "the portal at /secure/ shares its host with the application on {}: a script injected into that application could \
         drive the portal; let administrators and validators sign in on a host whose application you trust",
        hosts.join(", ")
    )];
    if config.portal.url.as_deref().is_some_and(|url| !hosts.iter().any(|host| host_of(url) == Some(*host))) {
        remarks.push(
            "[portal] url is on a host that no site answers to, so its links lead nowhere; use the host of a site"
                .to_owned(),
        );
    }
    if config.listen.drop_strangers && policy.sites.iter().any(|site| site.networks.is_none()) {
        remarks.push(
            "drop_strangers drops whoever is in no named network, and some site is open to everybody; \
             give every site its networks, or leave drop_strangers out"
                .to_owned(),
        );
    }
    let plain = config.listen.https.is_empty() && config.listen.trusted_proxies.is_empty();
    if plain && config.listen.http.iter().any(|address| !address.ip().is_loopback()) {
        remarks.push(
            "nobody but this machine can sign in over plain HTTP; add `https`, or name the proxy that speaks TLS in \
             `trusted_proxies`"
                .to_owned(),
        );
    }
    remarks
}

fn host_of(url: &str) -> Option<&str> {
    let authority = url.split_once("://")?.1;
    let port = authority.rfind(':').filter(|at| !authority[*at..].contains(']'));
    Some(port.map_or(authority, |at| &authority[..at]))
}

fn check(config: Option<&Path>, json: bool) -> Result<(), Failure> {
    let (faults, warnings) = findings(config);
    if json {
        print_json(&json!({ "faults": faults, "warnings": warnings }))?;
    } else {
        let mut out = io::stdout().lock();
        for warning in &warnings {
            writeln!(out, "warning: {warning}")?;
        }
        if faults.is_empty() {
            writeln!(out, "the configuration and its policy are sound")?;
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Failure::faults(faults)) }
}

fn findings(config: Option<&Path>) -> (Vec<String>, Vec<String>) {
    let config = match Config::load(config) {
        Ok(config) => config,
        Err(faults) => return (faults.iter().map(ToString::to_string).collect(), Vec::new()),
    };
    let mut faults = unusable_certificates(&config);
    match policy::load::load(&config.policies) {
        Ok((policy, warnings)) => {
            faults.extend(policy::fit::misfits(&config, &policy).iter().map(ToString::to_string));
            let warnings = warnings.iter().map(ToString::to_string).chain(remarks(&config, &policy)).collect();
            (faults, warnings)
        }
        Err(more) => {
            faults.extend(more.iter().map(ToString::to_string));
            (faults, Vec::new())
        }
    }
}

fn unusable_certificates(config: &Config) -> Vec<String> {
    let loaded = config.listen.https.iter().map(|tls| Certificate::load(&tls.certificate, &tls.key));
    loaded.filter_map(|certificate| certificate.err().map(|error| error.to_string())).collect()
}

fn show(config: Option<&Path>, json: bool) -> Result<(), Failure> {
    let shown = Config::load(config).map_err(Failure::faults)?.shown();
    if json {
        return print_json(&shown);
    }
    let text = toml::to_string(&shown)
        .map_err(|error| Failure::failed(format!("the configuration cannot be shown: {error}")))?;
    Ok(write!(io::stdout().lock(), "{text}")?)
}

pub(super) fn print_json(value: &Value) -> Result<(), Failure> {
    Ok(writeln!(io::stdout().lock(), "{value:#}")?)
}

// === impl SchemaOf ===

impl SchemaOf {
    fn schema(self) -> Value {
        match self {
            Self::Config => schema_of::<ConfigFile>(),
            Self::Site => schema_of::<SiteFile>(),
            Self::Networks => schema_of::<NetworksFile>(),
            Self::Security => schema_of::<SecurityFile>(),
            Self::Tests => schema_of::<CasesFile>(),
        }
    }
}
