//! Listening sockets, bound before anything is served, so that a port in use is told at start and a test can ask for
//! port 0.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::tls::{Certificate, CertificateError};
use crate::config::Listen;

/// All sockets, bound.
#[derive(Debug, Default)]
pub struct Listeners {
    /// Plain HTTP.
    pub http: Vec<TcpListener>,
    /// TLS, each with its certificate.
    pub https: Vec<(TcpListener, Arc<Certificate>)>,
    /// `/livez /readyz /metrics`.
    pub operations: Option<TcpListener>,
}

/// A listener that cannot be had. Says which and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address.
    #[error("cannot listen on {address}: {error}; {}", remedy(error))]
    Address {
        /// Which.
        address: SocketAddr,
        /// What the machine said.
        error: io::Error,
    },
    /// The certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another program has that port: stop it, or choose another port under [listen]",
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need CAP_NET_BIND_SERVICE: grant it, or choose another port"
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address: choose one it has, or 0.0.0.0",
        _ => "see [listen] in the configuration",
    }
}

// === impl Listeners ===

impl Listeners {
    /// Binds everything `[listen]` names; all faults at once.
    pub async fn bind(listen: &Listen) -> Result<Self, Vec<ListenError>> {
        let (mut bound, mut faults) = (Self::default(), Vec::new());
        for address in &listen.http {
            collect(socket(*address).await, &mut bound.http, &mut faults);
        }
        for tls in &listen.https {
            let both = match Certificate::load(&tls.certificate, &tls.key) {
                Ok(certificate) => socket(tls.address).await.map(|listener| (listener, certificate)),
                Err(error) => Err(error.into()),
            };
            collect(both, &mut bound.https, &mut faults);
        }
        if let Some(address) = listen.operations {
            let mut one = Vec::new();
            collect(socket(address).await, &mut one, &mut faults);
            bound.operations = one.pop();
        }
        if faults.is_empty() { Ok(bound) } else { Err(faults) }
    }

    /// Where plain HTTP is spoken.
    pub fn http_addresses(&self) -> Vec<SocketAddr> {
        self.http.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Where TLS is spoken.
    pub fn https_addresses(&self) -> Vec<SocketAddr> {
        self.https.iter().filter_map(|(listener, _)| listener.local_addr().ok()).collect()
    }
}

async fn socket(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|error| ListenError::Address { address, error })
}

fn collect<T>(result: Result<T, ListenError>, into: &mut Vec<T>, faults: &mut Vec<ListenError>) {
    match result {
        Ok(bound) => into.push(bound),
        Err(fault) => faults.push(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_is_told_with_what_to_do() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let listen = Listen {
            http: vec![address],
            https: Vec::new(),
            proxy_protocol: false,
            trusted_proxies: Vec::new(),
            operations: None,
            drop_strangers: false,
        };
        let faults = Listeners::bind(&listen).await.unwrap_err();
        let told = faults[0].to_string();
        assert!(told.contains(&address.to_string()) && told.contains("choose another port"), "{told}");
    }
}
