//! A gateway made of its parts, with deadlines of the test's own, in front of the recording backend. One open site.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use vantail::app::{Means, Tools};
use vantail::config::Config;
use vantail::edge::tls::Certificate;
use vantail::edge::{self, Backends, Deadlines, Listeners, Metrics, Parts, Readiness};
use vantail::identity::assertion::Assertions;
use vantail::identity::keys::KeyRing;
use vantail::portal::{self, Language, Portal};

use crate::support::answer::Answer;
use crate::support::backend::Backend;
use crate::support::files::{Configuration, write, write_certificate};
use crate::support::raw::Raw;
use crate::support::{ANY_PORT, install_crypto, soon};

/// The gateway and what is behind it.
pub struct World {
    pub backend: Backend,
    pub http: SocketAddr,
    pub https: SocketAddr,
    pub operations: SocketAddr,
    pub folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<()>>,
}

/// How a world differs from the usual one.
pub struct Builder {
    pub deadlines: Deadlines,
    pub listen: &'static str,
    pub networks: &'static str,
    pub site: String,
    pub security: &'static str,
    /// Routes of the portal's instead of the real ones.
    pub router: Option<axum::Router>,
    /// What `/readyz` is told instead of *ready*.
    pub ready: Option<Readiness>,
}

impl Default for Builder {
    fn default() -> Self {
        let site = String::new();
        Self {
            deadlines: Deadlines::default(),
            listen: "",
            networks: "",
            site,
            security: "",
            router: None,
            ready: None,
        }
    }
}

impl Builder {
    pub async fn start(self) -> World {
        install_crypto();
        let folder = tempfile::tempdir().unwrap();
        let backend = Backend::start().await;
        write_certificate(folder.path(), "gw.test");
        self.write_files(folder.path(), &backend);
        let config = Config::load(Some(&folder.path().join("vantail.toml"))).unwrap();
        let means = Means::of(&config).unwrap();
        let tools = Tools::open(config, means).await.unwrap();

        let listeners = listeners(folder.path()).await;
        let (http, https) = (listeners.http_addresses()[0], listeners.https_addresses()[0]);
        let operations = listeners.operations.as_ref().unwrap().local_addr().unwrap();
        let parts = self.parts(&tools).await;
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(async move {
            edge::serve(parts, listeners, async { drop(stopped.await) }).await;
            drop(tools);
        });
        World { backend, http, https, operations, folder, stop: Some(stop), served: Some(served) }
    }

    fn write_files(&self, folder: &Path, backend: &Backend) {
        let configuration = Configuration::at("https://gw.test").listen("http = [\"127.0.0.1:0\"]").listen(self.listen);
        write(folder, "vantail.toml", &configuration.text());
        write(folder, "policies/networks.toml", self.networks);
        write(folder, "policies/security.toml", self.security);
        let backends =
            if self.site.contains("backends") { String::new() } else { format!("backends = [\"{}\"]", backend.url()) };
        let site = format!("name = \"gw\"\nhosts = [\"gw.test\"]\n{backends}\n{}\n{RULES}", self.site);
        write(folder, "policies/sites/gw.toml", &site);
    }

    async fn parts(self, tools: &Tools) -> Parts {
        let now = tools.means.clock.now();
        let keys = KeyRing::load(&tools.store, &tools.keyring, &*tools.means.random, now).await.unwrap();
        let portal = Portal {
            login: tools.login.clone(),
            operations: tools.operations.clone(),
            keys: keys.clone(),
            policy: tools.policy.clone(),
            keyring: tools.keyring.clone(),
            random: tools.means.random.clone(),
            clock: tools.means.clock.clone(),
            url: tools.portal_url.clone(),
            language: Language::En,
        };
        Parts {
            router: self.router.unwrap_or_else(|| portal::router(portal.clone())),
            portal,
            config: tools.config.clone(),
            assertions: Assertions::new("https://gw.test".to_owned(), keys, tools.means.random.clone()),
            backends: Backends::default(),
            metrics: Metrics::default(),
            ready: self.ready.unwrap_or_else(|| Arc::new(|| Ok(()))),
            deadlines: self.deadlines,
        }
    }
}

const RULES: &str = r#"
[[rule]]
name = "reads are judged by their body"
paths = ["/judged"]
json = { act = "read" }
access = "open"

[[rule]]
name = "other acts"
paths = ["/judged"]
access = "denied"

[[rule]]
name = "signed-in"
paths = ["/app/**"]
access = "signed-in"

[[rule]]
name = "everything else"
paths = ["/**"]
access = "open"
"#;

async fn listeners(folder: &Path) -> Listeners {
    let certificate = Certificate::load(&folder.join("certificate.pem"), &folder.join("key.pem")).unwrap();
    Listeners {
        http: vec![TcpListener::bind(ANY_PORT).await.unwrap()],
        https: vec![(TcpListener::bind(ANY_PORT).await.unwrap(), certificate)],
        operations: Some(TcpListener::bind(ANY_PORT).await.unwrap()),
    }
}

impl World {
    pub async fn start() -> Self {
        Builder::default().start().await
    }

    /// A plain connection.
    pub async fn connect(&self) -> Raw {
        Raw::connect(self.http).await
    }

    /// One request on a connection of its own: `lines` are the request line and fields.
    pub async fn ask(&self, lines: &str, body: &str) -> Option<Answer> {
        self.connect().await.ask(request(lines, body)).await
    }

    /// What `/metrics` says.
    pub async fn metrics(&self) -> String {
        let answer = Raw::connect(self.operations).await.ask(request("GET /metrics HTTP/1.1", "")).await;
        answer.unwrap().text()
    }

    /// The certificate to trust.
    pub fn trusted(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("certificate.pem")).unwrap()
    }

    /// Asks the gateway to stop.
    pub fn begin_to_stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until it has.
    pub async fn stopped(&mut self) {
        soon("stopping", self.served.take().unwrap()).await.unwrap();
    }
}

/// A request for `gw.test`.
pub fn request(lines: &str, body: &str) -> String {
    format!("{lines}\r\nHost: gw.test\r\n\r\n{body}")
}

/// A connection from another address of this machine.
pub async fn connect_from(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    soon("connecting", socket.connect(to)).await.unwrap()
}
