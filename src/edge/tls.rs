//! Certificates of TLS listeners, read once at start: a renewed one is taken with a restart.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pingora_rustls::{ClientHello, ResolvesServerCert, TlsAcceptor, sign::CertifiedKey};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate and its key.
#[derive(Debug)]
pub struct Certificate(Arc<CertifiedKey>);

/// A certificate that cannot be used. Says which file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// It cannot be read, or holds no PEM of the kind expected.
    #[error("{}: {why}; name a PEM file that the gateway may read, under https of [listen]", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Key and certificate do not belong together, or the key is of an unknown kind.
    #[error(
        "{}: the key does not fit the certificate {}: {why}; name the key that the certificate was made for",
        key.display(), chain.display()
    )]
    Mismatch {
        /// The certificate's file.
        chain: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What the library says.
        why: String,
    },
}

// === impl Certificate ===

impl Certificate {
    /// Reads both files.
    pub fn load(chain: &Path, key: &Path) -> Result<Arc<Self>, CertificateError> {
        read(chain, key).map(|certified| Arc::new(Self(Arc::new(certified))))
    }

    /// An acceptor of TLS 1.2 and 1.3 with this certificate, for HTTP/2 and HTTP/1.1.
    pub(super) fn acceptor(self: &Arc<Self>) -> TlsAcceptor {
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("aws-lc-rs has suites for both versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn read(chain: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&bytes(chain)?)
        .collect::<Result<_, _>>()
        .map_err(|error| faulty(chain, &error))?;
    if certificates.is_empty() {
        return Err(CertificateError::File { path: chain.to_owned(), why: "it holds no PEM certificate".into() });
    }
    let private = PrivateKeyDer::from_pem_slice(&bytes(key)?).map_err(|error| faulty(key, &error))?;
    CertifiedKey::from_der(certificates, private, &rustls::crypto::aws_lc_rs::default_provider()).map_err(|error| {
        CertificateError::Mismatch { chain: chain.to_owned(), key: key.to_owned(), why: error.to_string() }
    })
}

fn bytes(path: &Path) -> Result<Vec<u8>, CertificateError> {
    std::fs::read(path).map_err(|error: io::Error| faulty(path, &error))
}

fn faulty(path: &Path, error: &dyn std::fmt::Display) -> CertificateError {
    CertificateError::File { path: path.to_owned(), why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_or_no_key_of_it_is_told_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            file
        };
        let [one, other] = [1, 2].map(|_| rcgen::generate_simple_self_signed(["gw.test".to_owned()]).unwrap());
        let chain = write("chain.pem", &one.cert.pem());
        let key = write("key.pem", &one.signing_key.serialize_pem());
        let foreign = write("foreign.pem", &other.signing_key.serialize_pem());
        let nothing = write("nothing.pem", "no PEM");
        Certificate::load(&chain, &key).unwrap();
        for (chain, key, named, remedy) in [
            (&chain, &foreign, "foreign.pem", "name the key that the certificate was made for"),
            (&chain, &nothing, "nothing.pem", "name a PEM file"),
            (&nothing, &key, "nothing.pem", "name a PEM file"),
            (&folder.path().join("absent.pem"), &key, "absent.pem", "name a PEM file"),
        ] {
            let told = Certificate::load(chain, key).unwrap_err().to_string();
            assert!(told.contains(named) && told.contains(remedy), "{told}");
        }
    }
}
