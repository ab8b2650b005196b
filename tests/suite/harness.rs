//! The tests' own tools are tested first: a harness that sees nothing would let everything pass.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;
use vantail::demo::{Inbox, LegacyApp, people};

use crate::support::backend::{Backend, Behaviour, Reply};
use crate::support::browser::{Browser, Setup, TELEPHONE};
use crate::support::html::Document;
use crate::support::person::{Person, Ways};
use crate::support::postgres::PostgresServer;
use crate::support::python::{self, Expected};
use crate::support::raw::Raw;
use crate::support::raw_h2::{Outcome, RawH2};
use crate::support::{ANY_PORT, install_crypto};

#[tokio::test]
async fn the_backend_keeps_every_byte_and_tells_requests_apart() {
    let backend = Backend::start().await;
    let mut client = Raw::connect(backend.addr()).await;
    let first = "POST /a HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n";
    let second = "PUT /b HTTP/1.1\r\nHost: b\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\nhi";
    client.send(format!("{first}{second}")).await;
    assert_eq!(client.answer().await.unwrap().text(), "ok");
    assert_eq!(client.answer().await.unwrap().header("content-length"), Some("2"));
    let requests = backend.wait_for(2).await;
    assert_eq!((requests[0].text().as_str(), requests[0].body.as_slice()), (first, b"abc".as_slice()));
    assert_eq!((requests[1].method.as_str(), requests[1].target.as_str()), ("PUT", "/b"));
    assert_eq!(requests[1].all("X-A"), ["1", "2"]);
    assert_eq!(backend.bytes(), [format!("{first}{second}").into_bytes()]);
}

#[tokio::test]
async fn an_unfinished_request_counts_as_received() {
    let backend = Backend::start().await;
    let mut client = Raw::connect(backend.addr()).await;
    client.send("POST /half HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc").await;
    let requests = backend.wait_for(1).await;
    assert!(!requests[0].complete);
    assert_eq!((backend.count(), backend.last().body), (1, b"abc".to_vec()));
}

#[tokio::test]
async fn the_backend_misbehaves_as_it_is_told() {
    let backend = Backend::start().await;
    let get = "GET / HTTP/1.1\r\nHost: b\r\n\r\n";
    for silent in [Behaviour::CloseAfterReading, Behaviour::Reset, Behaviour::HalfAnswer(Reply::ok("0123456789"))] {
        backend.answer_with(silent.clone());
        assert_eq!(Raw::connect(backend.addr()).await.ask(get).await, None, "{silent:?}");
    }
    backend.answer_with(Behaviour::WrongLength(Reply::ok("short")));
    assert_eq!(Raw::connect(backend.addr()).await.ask(get).await, None);
    backend.answer_with(Behaviour::Bytes(b"HTTP/1.1 418 Teapot\r\n\r\nhot".to_vec()));
    assert_eq!(Raw::connect(backend.addr()).await.ask(get).await.unwrap().text(), "hot");
    backend.answer_with(Behaviour::Slow(Duration::from_millis(20), Reply::new(201, "late").with("X-Late", "yes")));
    let late = Raw::connect(backend.addr()).await.ask(get).await.unwrap();
    assert_eq!((late.status, late.header("x-late")), (201, Some("yes")));
    backend.answer_with(Behaviour::Echo(b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec()));
    let mut tunnel = Raw::connect(backend.addr()).await;
    assert_eq!(tunnel.ask(get).await.unwrap().status, 101);
    tunnel.send("ping").await;
    assert_eq!(tunnel.exactly(4).await.unwrap(), b"ping");
    backend.answer_with(Behaviour::Hang);
    let mut waiting = Raw::connect(backend.addr()).await;
    waiting.send(get).await;
    backend.wait_for(8).await;
    assert!(tokio::time::timeout(Duration::from_millis(50), waiting.answer_to("HEAD")).await.is_err());
}

#[tokio::test]
async fn the_backend_comes_back_where_it_was() {
    let backend = Backend::start().await;
    let (addr, url) = (backend.addr(), backend.url());
    backend.stop().await;
    let backend = Backend::start_on(addr).await;
    assert_eq!(url, format!("http://{addr}"));
    assert_eq!(Person::at(&backend.url()).open("/").await.body, "ok");
}

#[test]
fn forms_are_read_as_a_browser_would_send_them() {
    let page = Document::read(
        r#"<title>Page &amp; title</title><style>p { color: red }</style>
        <form action="/go?a=1&amp;b=2" method="post"><input type=hidden name=csrf value="x&quot;y">
        <input name=username> <input type=checkbox name=remember> <input type=checkbox name=ticked checked>
        <select name=language><option value=en>English<option value=fr selected>French</select>
        <textarea name=reason>one <b>two</textarea><button name=act value=deny>Deny</button></form>
        <p>Some   text <a href="/link">link</a></p><script>if (1 < 2) alert("<form>")</script>
        <meta http-equiv=refresh content="2; url=/next"><form></form>"#,
    );
    let form = page.form_with("username").unwrap().clone();
    assert_eq!((form.action.as_str(), form.method.as_str(), &form.enctype), ("/go?a=1&b=2", "POST", &None));
    assert_eq!(form.value("csrf"), Some("x\"y"));
    assert_eq!(form.value("remember"), None);
    assert_eq!((form.value("ticked"), form.value("language")), (Some("on"), Some("fr")));
    assert_eq!(form.value("reason"), Some("one <b>two"));
    let sent = form.fill("username", "bob").fill("remember", "on").press("act", "deny");
    assert_eq!(sent.fields.len(), 7);
    assert_eq!(
        (page.links.as_slice(), page.refresh.as_deref()),
        (["/link".to_owned()].as_slice(), Some("2; url=/next"))
    );
    assert_eq!(page.forms.len(), 2);
    assert_eq!(page.text, "Page & title English French Deny Some text link");
}

#[tokio::test]
async fn a_person_fills_in_a_form_and_keeps_cookies() {
    let app = LegacyApp::start(ANY_PORT).await.unwrap();
    let ways =
        Ways { language: Some("fr".to_owned()), hosts: vec![("app.test".to_owned(), app.addr())], trusted: None };
    let person = Person::coming(&format!("http://app.test:{}", app.addr().port()), &ways);
    let page = person.open("/admin").await;
    let form = page.form_to("/admin/customers/42/delete").fill("reason", "asked for");
    let answer = person.submit(&page, &form).await;
    assert!(answer.text().contains("Customer 42 deleted"), "{}", answer.text());
    assert_eq!(answer.document().links.last().map(String::as_str), Some("../../"));
    assert_eq!(person.cookie("legacy-last-deleted").as_deref(), Some("42"));
    person.take_cookie("stolen", "yes");
    let headers = person.send(person.request(reqwest::Method::GET, "/headers")).await;
    assert!(headers.body.contains("stolen=yes") && headers.body.contains("accept-language: fr"), "{}", headers.body);
    let json = person.send(person.request(reqwest::Method::GET, "/api/customers/17")).await.json();
    assert_eq!(json["city"], "Lyon");
}

#[tokio::test]
async fn a_person_goes_where_pages_lead() {
    let backend = Backend::start().await;
    backend.answer_with(Behaviour::Normal(Reply::new(303, "").with("Location", "/loop")));
    let person = Person::at(&backend.url());
    let page = person.open("/").await;
    assert_eq!((page.location().as_deref(), page.header("content-length").as_deref()), (Some("/loop"), Some("0")));
    backend.answer_with(Behaviour::Normal(Reply::ok("<input name=q form=x><form><input name=q></form>")));
    let page = person.open_and_follow("/").await;
    let found = person.submit(&page, &page.form_with("q").fill("q", "a b")).await;
    assert_eq!(found.url.query(), Some("q=a+b"));
}

#[tokio::test]
async fn raw_h2_tells_answers_resets_and_ends_apart() {
    let (certified, config) = certificate(b"h2");
    let listener = TcpListener::bind(ANY_PORT).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let mut connection = h2::server::handshake(accept(&listener, config).await).await.unwrap();
        for status in [403, 200, 0] {
            let (request, mut respond) = connection.accept().await.unwrap().unwrap();
            assert_eq!(request.headers()["x-long"].len(), 300);
            match status {
                0 => respond.send_reset(h2::Reason::ENHANCE_YOUR_CALM),
                _ => drop(
                    respond.send_response(http::Response::builder().status(status).body(()).unwrap(), true).unwrap(),
                ),
            }
        }
        // Goes on until the client breaks the protocol.
        while let Some(Ok(_)) = connection.accept().await {}
    });
    let mut client = RawH2::connect(addr, "gw.test", &certified).await;
    let long = "x".repeat(300);
    let fields = [(":method", "GET"), (":path", "/"), (":scheme", "https"), ("x-long", long.as_str())];
    let pieces = client.begin(&fields).await;
    client.piece(pieces, b"bo", false).await;
    client.piece(pieces, b"dy", true).await;
    assert_eq!(client.outcome(pieces).await, Outcome::Answered(403));
    assert_eq!(client.ask(&fields, None).await, Outcome::Answered(200));
    assert_eq!(client.ask(&fields, None).await, Outcome::Reset(0xb));
    let forbidden = [(":method", "GET"), (":path", "/"), (":scheme", "https"), ("connection", "close")];
    assert_eq!(client.ask(&forbidden, None).await, Outcome::Reset(1));
    server.abort();
    assert_eq!(client.ask(&fields, None).await, Outcome::ConnectionEnded(None));
}

#[tokio::test]
async fn raw_bytes_go_over_tls_too() {
    let (certified, config) = certificate(b"http/1.1");
    let listener = TcpListener::bind(ANY_PORT).await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut stream = accept(&listener, config).await;
        stream.read_exact(&mut [0; 18]).await.unwrap();
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 None\r\n\r\n").await.unwrap();
        stream.shutdown().await.unwrap();
    });
    let mut client = Raw::connect_tls(addr, "gw.test", &certified, &[b"http/1.1"]).await;
    assert_eq!(client.ask("GET / HTTP/1.1\r\n\r\n").await.unwrap().status, 204);
    assert!(client.rest().await.is_empty());
}

#[test]
fn every_test_of_the_store_has_a_database_of_its_own() {
    let server = PostgresServer::shared();
    let (one, other) = (server.new_database(), server.new_database());
    assert_ne!(one, other);
    assert!(Arc::ptr_eq(&server, &PostgresServer::shared()));
}

#[tokio::test]
async fn pyjwt_is_there_and_refuses_what_it_cannot_verify() {
    let backend = Backend::start().await;
    backend.answer_with(Behaviour::Normal(Reply::ok(r#"{"keys":[]}"#)));
    let keys = backend.url();
    let expected = Expected { keys: &keys, audience: "demo", issuer: "http://localhost" };
    let refused = python::verify("e30.e30.e30", expected).await;
    assert!(refused.unwrap_err().contains("Error"));
    assert_eq!(python::python("print(6 * 7)", &[]).await.unwrap().trim(), "42");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inbox_can_be_read_on_a_telephone() {
    let inbox = Inbox::start(ANY_PORT, ANY_PORT).await.unwrap();
    for person in people() {
        let addresses: Vec<&str> = person.phone.into_iter().chain([person.email]).collect();
        inbox.introduce(person.name, &addresses);
        if let Some(seed) = person.seed {
            inbox.show_authenticator(person.name, seed);
        }
    }
    let sender = Person::at(&format!("http://{}", inbox.http_addr()));
    let text = "bob: confirm \"Delete customer 42\" (operation 48271935, asked by alice). Token: K7QF-2M9X, valid 15 min. \
        http://localhost:8080/secure/operations/48271935\n\n@localhost #K7QF-2M9X";
    for to in ["+33639980002", "+33639980001"] {
        let sms = serde_json::json!({ "to": to, "text": text });
        sender.send(sender.request(reqwest::Method::POST, "/send").json(&sms)).await;
    }
    let browser = Browser::start(Setup { window: TELEPHONE, dark: true, ..Setup::default() }).await;
    browser.open(&format!("http://{}/?refresh=off", inbox.http_addr())).await;
    assert!(browser.text(".phone .bubble").await.contains("Token: K7QF-2M9X"));
    assert!(browser.page_text().await.contains("bob"));
    assert!(!browser.is_wider_than_the_window().await);
    let folder = tempfile::tempdir().unwrap();
    browser.screenshot(&folder.path().join("inbox.png")).await;
    assert!(std::fs::read(folder.path().join("inbox.png")).unwrap().starts_with(b"\x89PNG"));
    browser.click("header a").await;
    assert!(browser.address().await.ends_with('/'));
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_application_speaks_websocket_to_a_browser() {
    let app = LegacyApp::start(ANY_PORT).await.unwrap();
    let browser = Browser::start(Setup { language: "fr", ..Setup::default() }).await;
    browser.open(&format!("http://{}/headers", app.addr())).await;
    assert!(browser.page_text().await.contains("accept-language fr"));
    browser.open(&format!("http://{}/echo", app.addr())).await;
    browser.text("#state.connected").await;
    browser.fill("words", " there").await;
    assert_eq!(browser.attribute("[name='words']", "name").await, "words");
    browser.tab_to("#say button").await;
    browser.keys("\u{e007}").await;
    assert_eq!(browser.text("#answers li").await, "Ahoy there");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_is_dropped_leaves_nothing_behind() {
    let browser = Browser::start(Setup { scripts: false, ..Setup::default() }).await;
    let profile = browser.profile().to_owned();
    assert_ne!(processes_with(&profile), 0);
    drop(browser);
    assert_eq!(processes_with(&profile), 0);
    assert!(!profile.exists());
}

/// How many processes were started with `folder` among their arguments.
fn processes_with(folder: &std::path::Path) -> usize {
    let lines = std::fs::read_dir("/proc").expect("Linux").flatten().map(|entry| entry.path().join("cmdline"));
    let name = folder.to_string_lossy();
    lines
        .filter_map(|file| std::fs::read(file).ok())
        .filter(|line| String::from_utf8_lossy(line).contains(&*name))
        .count()
}

/// A certificate for `gw.test` in PEM, and a server that has it and speaks `protocol`.
fn certificate(protocol: &[u8]) -> (String, rustls::ServerConfig) {
    install_crypto();
    let certified = rcgen::generate_simple_self_signed(vec!["gw.test".to_owned()]).expect("a certificate of our own");
    let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der())
        .expect("a certificate of our own");
    let mut config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .expect("a certificate of our own");
    config.alpn_protocols = vec![protocol.to_vec()];
    (certified.cert.pem(), config)
}

async fn accept(listener: &TcpListener, config: rustls::ServerConfig) -> TlsStream<TcpStream> {
    let (stream, _) = listener.accept().await.expect("a connection");
    tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(stream).await.expect("a connection")
}
