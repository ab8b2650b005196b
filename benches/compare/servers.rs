//! The settings of the servers that are started: backend, nginx, and a gateway with everything on.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::load::{BODY, USER};
use crate::targets::{Place, free_address};

/// Sites of the gateway's policy, ten rules each.
const SITES: u32 = 100;
/// Networks on its allowlist.
const NETWORKS: u32 = 100_000;
/// Connections kept to a backend, by all who are told how many.
const KEPT: u32 = 64;

// === nginx ===

/// The backend: nginx answering from memory.
pub(crate) fn backend(place: &Place) -> io::Result<Command> {
    nginx(place, place.backend, &format!("location / {{ return 200 '{BODY}'; }}"), "")
}

pub(crate) fn plain(place: &Place, listen: SocketAddr) -> io::Result<Command> {
    nginx(place, listen, &format!("location / {{ {} }}", pass("backend")), &upstream("backend", place.backend))
}

/// Asks a stub for leave; the stub, in the same process, does nothing but give it.
pub(crate) fn auth_request(place: &Place, listen: SocketAddr) -> io::Result<Command> {
    let stub = free_address()?;
    let locations = format!(
        "location / {{ auth_request /auth; {} }}
         location = /auth {{ internal; proxy_pass_request_body off; proxy_set_header Content-Length ''; {} }}",
        pass("backend"),
        pass("stub")
    );
    let beside = format!(
        "{} {} server {{ listen {stub}; location / {{ return 204; }} }}",
        upstream("backend", place.backend),
        upstream("stub", stub)
    );
    nginx(place, listen, &locations, &beside)
}

fn upstream(name: &str, address: SocketAddr) -> String {
    format!("upstream {name} {{ server {address}; keepalive {KEPT}; keepalive_requests 100000000; }}")
}

fn pass(upstream: &str) -> String {
    format!(
        "proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host $http_host; proxy_pass http://{upstream};"
    )
}

fn nginx(place: &Place, listen: SocketAddr, locations: &str, beside: &str) -> io::Result<Command> {
    let folder = place.folder.join(format!("nginx-{}", listen.port()));
    fs::create_dir_all(&folder)?;
    let conf = folder.join("nginx.conf");
    fs::write(
        &conf,
        format!(
            // Started by root, a worker would become somebody who cannot write callgrind's file.
            "user root; daemon off; worker_processes 1; pid {0}/pid; error_log {0}/error.log;
             events {{ worker_connections 8192; }}
             http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 600;
               client_body_temp_path {0}; proxy_temp_path {0}; fastcgi_temp_path {0}; uwsgi_temp_path {0}; scgi_temp_path {0};
               {beside} server {{ listen {listen}; {locations} }} }}",
            folder.display()
        ),
    )?;
    let mut command = Command::new("nginx");
    command.arg("-c").arg(conf).arg("-p").arg(folder);
    Ok(command)
}

// === the gateway ===

pub(crate) fn vantail(place: &Place, listen: SocketAddr) -> io::Result<Command> {
    let folder = place.folder.join(format!("vantail-{}", listen.port()));
    let sites = folder.join("policies/sites");
    fs::create_dir_all(&sites)?;
    fs::write(folder.join("policies/networks.toml"), networks())?;
    fs::write(folder.join("policies/security.toml"), "[second_factor]\nrequired = []\n")?;
    for number in 0..SITES {
        fs::write(sites.join(format!("s{number}.toml")), site(number, place.backend))?;
    }
    let config = folder.join("vantail.toml");
    fs::write(&config, configuration(&folder, listen))?;
    add_user(place, &config)?;
    let mut command = Command::new(&place.vantail);
    command.arg("serve").arg("--config").arg(config);
    Ok(command)
}

fn configuration(folder: &Path, listen: SocketAddr) -> String {
    format!(
        "[listen]\nhttp = [\"{listen}\"]\n[portal]\nurl = \"http://localhost:{port}\"\n[store]\ndatabase = \"sqlite:{0}/vantail.db\"\n[keys]\ndirectory = \"{0}/keys\"\n[policies]\ndirectory = \"{0}/policies\"\n",
        folder.display(),
        port = listen.port(),
    )
}

/// Every second /31 from 10.0.0.0 on, so that none joins its neighbour; and this machine.
fn networks() -> String {
    let mut text = String::from("office = [\"127.0.0.0/8\"");
    for number in 1..NETWORKS {
        let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 0, 0)) + number * 4);
        let _ = write!(text, ", \"{address}/31\"");
    }
    text.push_str("]\n");
    text
}

/// The last site is the one that is asked, and in it the last two rules are those that match.
fn site(number: u32, backend: SocketAddr) -> String {
    let hosts =
        if number + 1 == SITES { "\"localhost\", \"127.0.0.1\"".to_owned() } else { format!("\"s{number}.test\"") };
    let mut text = format!(
        "name = \"s{number}\"\nhosts = [{hosts}]\nbackends = [\"http://{backend}\"]\nnetworks = [\"office\"]\n"
    );
    for rule in 0..8 {
        let paths = format!("[\"/part{rule}/**\", \"/customers/{{id}}/{rule}\"]");
        let _ = write!(text, "[[rule]]\nname = \"r{rule}\"\npaths = {paths}\naccess = \"signed-in\"\n");
    }
    text.push_str("[[rule]]\nname = \"open\"\npaths = [\"/open/**\"]\naccess = \"open\"\n");
    text.push_str("[[rule]]\nname = \"signed in\"\npaths = [\"/desk/**\"]\naccess = \"signed-in\"\n");
    text
}

fn add_user(place: &Place, config: &Path) -> io::Result<()> {
    let mut child = Command::new(&place.vantail)
        .args(["user", "add", USER.0, "--email", "alice@example.org", "--name", "Alice", "--config"])
        .arg(config)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        writeln!(stdin, "{}", USER.1)?;
    }
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("vantail user add: {status}"))) }
}
