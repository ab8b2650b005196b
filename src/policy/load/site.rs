//! `sites/*.toml`, without its rules.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use globset::GlobSet;
use http::HeaderName;

use super::rule::Surroundings;
use super::{Findings, Reading};
use crate::config::document::child;
use crate::policy::file::{PathCase, SiteFile};
use crate::policy::pattern::PathPattern;
use crate::policy::site::{PathTable, glob_set};
use crate::policy::{Backend, Fault, HeaderNames, NetworkSet, Networks, Rule, Security, Site, reach};

/// What is wrong, and the remedy.
type Wrong = (String, String);

/// All sites, in file-name order.
pub(super) fn check(
    texts: &[(PathBuf, String)],
    networks: &Networks,
    security: &Security,
    findings: &mut Findings,
) -> Vec<Arc<Site>> {
    let mut sites = Vec::new();
    let mut places = Vec::new();
    for (file, text) in texts {
        let mut reading = Reading::<SiteFile>::of(file, text, findings);
        let site = reading.site(networks, security);
        places.push((file.clone(), reading.document.line("/name"), reading.document.line("/hosts")));
        sites.extend(site.map(Arc::new));
        if sites.len() < places.len() {
            places.pop();
        }
    }
    tell_doubles(&sites, &places, findings);
    sites
}

fn tell_doubles(sites: &[Arc<Site>], places: &[(PathBuf, usize, usize)], findings: &mut Findings) {
    let mut names: HashMap<&str, &Path> = HashMap::new();
    let mut hosts: HashMap<&str, &Path> = HashMap::new();
    for (site, (file, name_line, hosts_line)) in sites.iter().zip(places) {
        if let Some(other) = names.insert(&site.name, file) {
            let what = format!("the site's name `{}` is taken by {}", site.name, other.display());
            findings.faults.push(Fault::new(file, *name_line, what, "give each site a name of its own"));
        }
        for host in &site.hosts {
            if let Some(other) = hosts.insert(host, file) {
                let what = format!("the host `{host}` is served already, by {}", other.display());
                findings.faults.push(Fault::new(file, *hosts_line, what, "list each host in one site, once"));
            }
        }
    }
}

impl Reading<'_, SiteFile> {
    /// The site; nothing when it is too broken to make one.
    fn site(&mut self, networks: &Networks, security: &Security) -> Option<Site> {
        let said = self.content.clone();
        let fold = said.path_case == PathCase::Insensitive;
        if said.name.is_empty() || said.name.chars().any(|c| c.is_control() || c.is_whitespace()) {
            self.fault("/name", "the site's name is empty or holds blanks", "give it a short name, like \"crm\"");
        }
        let hosts = self.hosts(&said.hosts);
        let backends = self.backends(&said.backends);
        let own = self.networks("/networks", said.networks.as_deref(), networks);
        let surroundings = Surroundings { site: &said, networks, own: own.as_ref(), security, fold };
        let rules: Vec<Arc<Rule>> =
            (0..said.rule.len()).filter_map(|index| self.rule(index, &surroundings)).map(Arc::new).collect();
        self.rule_faults(&said, &rules);
        let paths = PathTable::new(rules.iter().map(|rule| rule.matcher.paths.as_slice()), fold);
        let paths = self.value(
            "/rule",
            paths.map_err(|error| {
                (
                    format!("the rules' paths together are too large to compile: {error}"),
                    "split the site, or use fewer paths",
                )
            }),
        )?;
        Some(Site {
            encoded_slash: self.encoded_slash(&said.encoded_slash, fold),
            headers: self.headers(&said),
            name: said.name,
            hosts,
            backends,
            networks: own,
            rules,
            method_override: said.method_override,
            paths,
        })
    }

    fn rule_faults(&mut self, said: &SiteFile, rules: &[Arc<Rule>]) {
        if said.rule.is_empty() {
            self.fault("", "the site has no rule, so every request is refused", "add a [[rule]]");
        }
        for (index, rule) in said.rule.iter().enumerate() {
            if !rule.name.is_empty() && said.rule[..index].iter().any(|other| other.name == rule.name) {
                let what = format!("the rule's name `{}` is taken by a rule before it", rule.name);
                self.fault(&format!("/rule/{index}/name"), what, "give each rule of the site a name of its own");
            }
        }
        // Reachability speaks of whole sites: told when every rule could be read.
        if rules.len() != said.rule.len() {
            return;
        }
        for (index, finding) in reach::unreachable(rules) {
            let at = format!("/rule/{index}/paths");
            match finding {
                reach::Finding::Never { because } => self.fault(
                    &at,
                    format!("the rule `{}` can never match: {because} match everything it would", rules[index].name),
                    "move it before them, or remove it",
                ),
                reach::Finding::Partly { path, because } => self.warn(
                    &at,
                    format!("`{path}` of the rule `{}` can never match: {because} match it first", rules[index].name),
                    "move the rule before them, or remove the path",
                ),
            }
        }
    }

    fn hosts(&mut self, said: &[String]) -> Vec<String> {
        if said.is_empty() {
            self.fault("/hosts", "the site has no host", "list the names it is asked by, like \"crm.example.org\"");
        }
        let parsed: Vec<_> = said.iter().map(|text| host(text)).collect();
        parsed.into_iter().enumerate().filter_map(|(index, host)| self.value(&child("/hosts", index), host)).collect()
    }

    fn backends(&mut self, said: &[String]) -> Vec<Backend> {
        if said.is_empty() {
            self.fault("/backends", "the site has no backend", "list where requests go, like \"http://10.0.0.5:8000\"");
        }
        let parsed: Vec<_> = said.iter().map(|text| backend(text)).collect();
        parsed.into_iter().enumerate().filter_map(|(index, one)| self.value(&child("/backends", index), one)).collect()
    }

    fn encoded_slash(&mut self, said: &[String], fold: bool) -> GlobSet {
        let parsed: Vec<_> = said.iter().map(|text| PathPattern::parse(text, fold)).collect();
        let patterns: Vec<PathPattern> = parsed
            .into_iter()
            .enumerate()
            .filter_map(|(index, pattern)| self.value(&child("/encoded_slash", index), pattern))
            .collect();
        let set = glob_set(&patterns).map_err(|error| (format!("the globs cannot be compiled: {error}"), "use fewer"));
        self.value("/encoded_slash", set).unwrap_or_default()
    }

    fn headers(&mut self, said: &SiteFile) -> HeaderNames {
        let default = HeaderNames::default();
        let own = &said.headers;
        let names = HeaderNames {
            user: self.header("user", own.user.as_deref(), default.user),
            name: self.header("name", own.name.as_deref(), default.name),
            email: self.header("email", own.email.as_deref(), default.email),
            groups: self.header("groups", own.groups.as_deref(), default.groups),
            assertion: self.header("assertion", own.assertion.as_deref(), default.assertion),
            operation: self.header("operation", own.operation.as_deref(), default.operation),
        };
        let all = [&names.user, &names.name, &names.email, &names.groups, &names.assertion, &names.operation];
        if (1..all.len()).any(|at| all[..at].iter().any(|other| letters(other) == letters(all[at]))) {
            self.fault(
                "/headers",
                "two identity headers have the same name",
                "give each its own; `-` and `_` do not tell them apart",
            );
        }
        names
    }

    fn header(&mut self, key: &str, said: Option<&str>, default: HeaderName) -> HeaderName {
        let Some(text) = said else { return default };
        let at = child("/headers", key);
        match HeaderName::from_bytes(text.as_bytes()) {
            Ok(name) if is_reserved(&name) => {
                self.fault(
                    &at,
                    format!("`{name}` is a header of HTTP itself"),
                    "choose another name, like \"Remote-User\"",
                );
                default
            }
            Ok(name) if !(1..=LONGEST_NAME).contains(&letters(&name).len()) => {
                self.fault(
                    &at,
                    format!("`{name}` has no letter or digit, or more than {LONGEST_NAME}"),
                    "choose another name, like \"Remote-User\"",
                );
                default
            }
            Ok(name) => name,
            Err(_) => {
                self.fault(&at, format!("`{text}` is not a header's name"), "use letters, digits and `-`");
                default
            }
        }
    }
}

impl<T> Reading<'_, T> {
    /// The named networks as one set; absent: nothing. An unknown name or a set without any address is a fault.
    pub(super) fn networks(&mut self, at: &str, names: Option<&[String]>, known: &Networks) -> Option<NetworkSet> {
        let names = names?;
        let mut sound = true;
        for (index, name) in names.iter().enumerate() {
            if !known.names().any(|own| own == name) {
                let all: Vec<&str> = known.names().collect();
                let remedy = if all.is_empty() {
                    "add it to networks.toml".to_owned()
                } else {
                    format!("add it to networks.toml, or use one of: {}", all.join(", "))
                };
                self.fault(&child(at, index), format!("there is no network called `{name}`"), remedy);
                sound = false;
            }
        }
        let set = known.resolve(names).unwrap_or_default();
        if sound && set.is_empty() {
            self.fault(
                at,
                "these networks hold no address, so nobody could ever come in",
                "leave `networks` out, or name some",
            );
        }
        Some(set)
    }
}

fn letters(name: &HeaderName) -> String {
    name.as_str().chars().filter(char::is_ascii_alphanumeric).collect()
}

/// Letters and digits in the name of an identity header, at most: its spellings are removed by comparing so many.
const LONGEST_NAME: usize = 64;

/// Headers that carry the request itself or the way to it, in whatever spelling: every spelling of an identity header is
/// removed.
fn is_reserved(name: &HeaderName) -> bool {
    const RESERVED: [&str; 15] = [
        "host",
        "connection",
        "contentlength",
        "contenttype",
        "contentencoding",
        "transferencoding",
        "te",
        "trailer",
        "upgrade",
        "cookie",
        "authorization",
        "keepalive",
        "expect",
        "proxyconnection",
        "idempotencykey",
    ];
    let folded = letters(name);
    RESERVED.contains(&folded.as_str()) || folded.starts_with("xforwarded")
}

fn host(text: &str) -> Result<String, Wrong> {
    let host = text.trim_end_matches('.').to_lowercase();
    let inside = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let sound = match inside {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')),
    };
    if sound {
        return Ok(host);
    }
    let remedy = if host.is_ascii() {
        "write the name alone, without http://, port or path"
    } else {
        "write it as the browser sends it, in its xn-- form"
    };
    Err((format!("`{text}` is not a host name"), remedy.to_owned()))
}

fn backend(text: &str) -> Result<Backend, Wrong> {
    let wrong = || {
        (
            format!("`{text}` is not a backend's address"),
            "write it like \"http://10.0.0.5:8000\", without a path".to_owned(),
        )
    };
    let uri: http::Uri = text.parse().map_err(|_| wrong())?;
    let tls = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(wrong()),
    };
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?;
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() || authority.host().is_empty() {
        return Err(wrong());
    }
    let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
    if authority.port().is_some() && authority.port_u16().is_none() || port == 0 {
        return Err(wrong());
    }
    let host = authority.host();
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    Ok(Backend { tls, host: host.to_owned(), port })
}
