//! Who may connect, and how.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::raw_h2::{Outcome, RawH2};
use crate::support::soon;
use crate::world::{Builder, World, connect_from, request};

const FRIEND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 5);

/// What the gateway says to a request from `from`: nothing when it hangs up without a byte.
async fn said_to(world: &World, from: Ipv4Addr, bytes: &str) -> String {
    let mut stream = connect_from(from, world.http).await;
    let _ = stream.write_all(bytes.as_bytes()).await;
    let mut said = Vec::new();
    let _ = soon("an answer or an end", stream.read_to_end(&mut said)).await;
    String::from_utf8_lossy(&said).into_owned()
}

fn closing(line: &str) -> String {
    request(&format!("{line}\r\nConnection: close"), "")
}

#[tokio::test]
async fn strangers_are_dropped_without_a_page_where_that_is_asked_for() {
    let networks = "friends = [\"127.0.0.5/32\"]\n";
    let world = Builder { listen: "drop_strangers = true", networks, ..Builder::default() }.start().await;
    assert_eq!(said_to(&world, Ipv4Addr::LOCALHOST, &closing("GET /x HTTP/1.1")).await, "");
    assert!(said_to(&world, FRIEND, &closing("GET /x HTTP/1.1")).await.starts_with("HTTP/1.1 200"));
    assert_eq!(world.backend.count(), 1);
}

#[tokio::test]
async fn strangers_behind_a_trusted_proxy_are_dropped_too() {
    let networks = "friends = [\"192.0.2.0/24\"]\n";
    let listen = "drop_strangers = true\nproxy_protocol = true\ntrusted_proxies = [\"127.0.0.5/32\"]";
    let world = Builder { listen, networks, ..Builder::default() }.start().await;
    let announced = |client: &str| format!("PROXY TCP4 {client} 127.0.0.1 4711 80\r\n{}", closing("GET /x HTTP/1.1"));
    assert_eq!(said_to(&world, FRIEND, &announced("203.0.113.7")).await, "", "announced, and in no network");
    assert!(said_to(&world, FRIEND, &announced("192.0.2.7")).await.starts_with("HTTP/1.1 200"));
    assert!(said_to(&world, FRIEND, &announced("127.0.0.5")).await.starts_with("HTTP/1.1 200"), "the proxy itself");
    assert_eq!(world.backend.count(), 2);
}

#[tokio::test]
async fn a_trusted_proxy_is_no_stranger() {
    let networks = "friends = [\"192.0.2.0/24\"]\n";
    let listen = "drop_strangers = true\ntrusted_proxies = [\"127.0.0.5/32\"]";
    let world = Builder { listen, networks, ..Builder::default() }.start().await;
    assert_eq!(said_to(&world, Ipv4Addr::LOCALHOST, &closing("GET /x HTTP/1.1")).await, "");
    assert!(said_to(&world, FRIEND, &closing("GET /x HTTP/1.1")).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn the_proxy_protocol_is_believed_of_trusted_proxies_alone() {
    let listen = "proxy_protocol = true\ntrusted_proxies = [\"127.0.0.5/32\"]";
    let world = Builder { listen, ..Builder::default() }.start().await;
    let spoken = format!("PROXY TCP4 203.0.113.7 127.0.0.1 4711 80\r\n{}", closing("GET /x HTTP/1.1"));
    assert_eq!(said_to(&world, Ipv4Addr::LOCALHOST, &spoken).await, "", "not from a stranger");
    assert_eq!(said_to(&world, FRIEND, &closing("GET /x HTTP/1.1")).await, "", "not without its line");
    assert!(said_to(&world, FRIEND, &spoken).await.starts_with("HTTP/1.1 200"));
    assert_eq!(world.backend.last().header("x-forwarded-for"), Some("203.0.113.7"));
}

#[tokio::test]
async fn the_proxy_protocol_comes_before_tls() {
    let listen = "proxy_protocol = true\ntrusted_proxies = [\"127.0.0.5/32\"]";
    let world = Builder { listen, ..Builder::default() }.start().await;
    let mut stream = connect_from(FRIEND, world.https).await;
    stream.write_all(b"PROXY TCP4 203.0.113.7 127.0.0.1 4711 443\r\n").await.unwrap();
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls_pem(&world.trusted()) {
        roots.add(certificate).unwrap();
    }
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let mut stream = soon("shaking hands", connector.connect("gw.test".try_into().unwrap(), stream)).await.unwrap();
    stream.write_all(closing("GET /x HTTP/1.1").as_bytes()).await.unwrap();
    let mut said = Vec::new();
    let _ = soon("an answer", stream.read_to_end(&mut said)).await;
    assert!(said.starts_with(b"HTTP/1.1 200"));
    let received = world.backend.last();
    assert_eq!(received.header("x-forwarded-for"), Some("203.0.113.7"));
    assert_eq!(received.header("x-forwarded-proto"), Some("https"));
}

fn rustls_pem(text: &str) -> Vec<rustls::pki_types::CertificateDer<'static>> {
    use rustls::pki_types::pem::PemObject as _;
    rustls::pki_types::CertificateDer::pem_slice_iter(text.as_bytes()).map(Result::unwrap).collect()
}

#[tokio::test]
async fn http_2_serves_bodies_and_pages() {
    let world = World::start().await;
    let trusted = world.trusted();
    let fields = |method, path| [(":method", method), (":scheme", "https"), (":authority", "gw.test"), (":path", path)];
    let mut client = RawH2::connect(world.https, "gw.test", &trusted).await;
    assert_eq!(client.ask(&fields("POST", "/x"), Some(b"hello")).await, Outcome::Answered(200));
    let received = world.backend.last();
    assert_eq!((received.body.as_slice(), received.header("host")), (&b"hello"[..], Some("gw.test")));
    assert_eq!(client.ask(&fields("GET", "/app/x"), None).await, Outcome::Answered(401));
    assert_eq!(client.ask(&fields("FOO", "/x"), None).await, Outcome::Answered(501));
    assert_eq!(client.ask(&fields("POST", "/judged"), Some(b"[]")).await, Outcome::Answered(415));
    assert_eq!(world.backend.count(), 1);
}
