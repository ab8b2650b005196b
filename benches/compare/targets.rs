//! The proxies that are compared.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::process::Running;
use crate::servers;

/// What stands between client and backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bare,
    Open,
    SignedIn,
    Nginx,
    NginxAuthRequest,
}

/// Where this comparison keeps its files, what it runs, and what all targets stand in front of.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    /// The release binary of the gateway.
    pub(crate) vantail: PathBuf,
    /// Where the backend listens.
    pub(crate) backend: SocketAddr,
}

// === impl Kind ===

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Bare, Self::Open, Self::SignedIn, Self::Nginx, Self::NginxAuthRequest];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare pingora",
            Self::Open => "vantail, open route",
            Self::SignedIn => "vantail, signed in",
            Self::Nginx => "nginx plain",
            Self::NginxAuthRequest => "nginx auth_request",
        }
    }

    /// The path that is asked for: of the same length for all.
    pub(crate) fn path(self) -> &'static str {
        if self == Self::Open { "/open/page" } else { "/desk/page" }
    }
}

// === impl Place ===

impl Place {
    pub(crate) fn new(folder: PathBuf, vantail: PathBuf) -> io::Result<Self> {
        Ok(Self { folder, vantail, backend: free_address()? })
    }

    /// Starts a target alone on core 0. What it logs goes to a file, as it would in earnest.
    pub(crate) fn start(&self, kind: Kind) -> io::Result<Running> {
        let address = free_address()?;
        let log = File::create(self.folder.join(format!("log-{}", address.port())))?;
        Running::start_into(&self.command(kind, address)?, Some(0), address, Stdio::from(log))
    }

    /// The command that serves `kind` on `listen`.
    pub(crate) fn command(&self, kind: Kind, listen: SocketAddr) -> io::Result<Command> {
        match kind {
            Kind::Bare => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["bare", &listen.to_string(), &self.backend.to_string()]);
                Ok(command)
            }
            Kind::Open | Kind::SignedIn => servers::vantail(self, listen),
            Kind::Nginx => servers::plain(self, listen),
            Kind::NginxAuthRequest => servers::auth_request(self, listen),
        }
    }
}

/// A loopback address nobody listens on.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}
