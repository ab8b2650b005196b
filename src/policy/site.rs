//! One protected application.
use std::sync::Arc;
use super::{NetworkSet, Rule};

/// A site, checked.
#[derive(Debug)]
pub struct Site {
    /// Its name: the `aud` of its assertions.
    pub name: String,
    /// Host names without port, lower case.
    pub hosts: Vec<String>,
    /// Where requests go; at least one.
    pub backends: Vec<Backend>,
    /// Who may see it at all; absent: from anywhere.
    pub networks: Option<NetworkSet>,
    /// In order; the first that matches decides.
    pub rules: Vec<Arc<Rule>>,
    /// Whether method-override headers and `_method` are judged and forwarded.
    pub method_override: bool,
    /// The names of the identity headers towards this site's backends.
    pub headers: HeaderNames,
}

/// A backend's address: `http://10.0.0.5:8000` or `https://…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend { /// Whether TLS is spoken to it.
    pub tls: bool, /// Host name or address.
    pub host: String, /// Port.
    pub port: u16 }

/// The names of the headers the gateway sets (configurable per site, `[headers]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderNames { /// `Remote-User`
    pub user: http::HeaderName, /// `Remote-Name`
    pub name: http::HeaderName, /// `Remote-Email`
    pub email: http::HeaderName, /// `Remote-Groups`
    pub groups: http::HeaderName, /// `X-Vantail-Assertion`
    pub assertion: http::HeaderName, /// `X-Vantail-Operation`
    pub operation: http::HeaderName }

impl Site {
    /// Whether `%2F` may stay in `path`.
    pub fn allows_encoded_slash(&self, path: &str) -> bool { let _ = path; todo!() }
}
