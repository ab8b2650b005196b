//! `vantail demo`: gateway, application, telephone and mailbox in one process.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::config::print_json;
use super::output::Failure;
use super::serve;
use crate::app::{App, BoundTo, Means, Tools};
use crate::config::Config;
use crate::demo::LegacyApp;
use crate::demo::files::{self, Addresses};
use crate::demo::inbox::Inbox;
use crate::demo::seed::seed;
use crate::secret::{SystemRandom, random_bytes};

/// Where the demo keeps its files and listens.
#[derive(Debug, Args)]
pub(super) struct DemoArguments {
    /// Keep the demo's data in this folder; default: a fresh one, gone at the end.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the gateway listens.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where the telephone and mailbox are shown.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8025")]
    inbox: SocketAddr,
    /// Tell the addresses and the accounts as JSON.
    #[arg(long)]
    json: bool,
}

/// The demo's folder: kept, or gone when dropped.
enum Folder {
    Kept(PathBuf),
    Fresh(TemporaryFolder),
}

struct TemporaryFolder(PathBuf);

/// What whoever tries the demo needs to know.
struct Told {
    gateway: SocketAddr,
    inbox: SocketAddr,
    configuration: PathBuf,
}

pub(super) async fn run(arguments: DemoArguments) -> Result<(), Failure> {
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let inbox = Inbox::start(any_port, arguments.inbox)
        .await
        .map_err(|error| taken("telephone and mailbox", arguments.inbox, "--inbox", &error))?;
    let application = LegacyApp::start(any_port)
        .await
        .map_err(|error| Failure::failed(format!("the demo's application cannot listen on loopback: {error}")))?;
    let listeners = BoundTo::http(arguments.listen)
        .await
        .map_err(|error| taken("gateway", arguments.listen, "--listen", &error))?;
    let gateway = listeners.first_address().unwrap_or(arguments.listen);

    let folder = Folder::of(arguments.data)?;
    let config = write_files(
        folder.path(),
        &Addresses { gateway, smtp: inbox.smtp_addr(), sms: inbox.http_addr() },
        application.addr(),
    )?;
    let tools = Tools::open(config.clone(), Means::of(&config).map_err(serve::start_failure)?)
        .await
        .map_err(serve::start_failure)?;
    seed(&tools.accounts, &tools.policy.load().security, &inbox, tools.means.clock.now())
        .await
        .map_err(|error| Failure::failed(format!("the demo's users cannot be made: {error}")))?;
    let app = App::build(tools).await.map_err(serve::start_failure)?;
    let told = Told { gateway, inbox: inbox.http_addr(), configuration: folder.path().join(files::CONFIGURATION) };
    if arguments.json {
        told.as_json()?;
    } else {
        told.in_words()?;
    }
    app.serve(listeners, serve::asked_to_stop()).await.map_err(serve::start_failure)
}

fn write_files(folder: &Path, addresses: &Addresses, backend: SocketAddr) -> Result<Config, Failure> {
    files::write_configuration(folder, addresses)
        .and_then(|()| files::write_policies(&folder.join("policies"), backend))
        .map_err(|error| Failure::failed(format!("{}: the demo cannot write there: {error}", folder.display())))?;
    Config::load(Some(&folder.join(files::CONFIGURATION))).map_err(Failure::faults)
}

fn taken(what: &str, address: SocketAddr, option: &str, error: &io::Error) -> Failure {
    Failure::failed(format!("{address}: the {what} cannot listen there ({error}); choose another with {option} ADDR"))
}

// === impl Told ===

impl Told {
    fn addresses(&self) -> [String; 2] {
        [self.gateway, self.inbox].map(|address| format!("http://localhost:{}/", address.port()))
    }

    fn in_words(&self) -> Result<(), Failure> {
        let [gateway, inbox] = self.addresses();
        let mut out = io::stdout().lock();
        writeln!(out, "Vantail demo\n")?;
        writeln!(out, "  application behind the gateway   {gateway}")?;
        writeln!(out, "  telephone and mailbox            {inbox}")?;
        writeln!(
            out,
            "  commands on this demo            vantail user list --config {}\n",
            self.configuration.display()
        )?;
        for person in crate::demo::people() {
            writeln!(out, "  {:<6} {:<20} {}", person.name, person.password, person.part)?;
        }
        if !self.gateway.ip().is_loopback() || !self.inbox.ip().is_loopback() {
            writeln!(out, "\n  Anybody who reaches these addresses can sign in: the passwords are public.")?;
        }
        writeln!(out, "\nTo see a request held: sign in as alice, delete a customer on the administration page,")?;
        writeln!(out, "read bob's SMS, sign in as bob in another browser, and confirm. Stop with Ctrl-C.")?;
        Ok(out.flush()?)
    }

    fn as_json(&self) -> Result<(), Failure> {
        let [gateway, inbox] = self.addresses();
        let accounts: Vec<_> = crate::demo::people()
            .iter()
            .map(|person| json!({ "name": person.name, "password": person.password, "part": person.part }))
            .collect();
        let configuration = &self.configuration;
        print_json(&json!({ "gateway": gateway, "inbox": inbox, "config": configuration, "accounts": accounts }))
    }
}

// === impl Folder ===

impl Folder {
    fn of(kept: Option<PathBuf>) -> Result<Self, Failure> {
        if let Some(folder) = kept {
            let absolute = std::path::absolute(&folder)?;
            return Ok(Self::Kept(absolute));
        }
        // Nobody can guess the name, and a folder that is there already is not taken.
        let name = format!("vantail-demo-{}", hex::encode(random_bytes::<8>(&SystemRandom)));
        let folder = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .map_err(|error| Failure::failed(format!("{}: no demo folder can be made: {error}", folder.display())))?;
        Ok(Self::Fresh(TemporaryFolder(folder)))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(folder) => folder,
            Self::Fresh(folder) => &folder.0,
        }
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // What cannot be removed is in the machine's folder for temporary files, which cleans itself.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
