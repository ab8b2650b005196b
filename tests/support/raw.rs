//! A client that sends the bytes it is given, and nothing else.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::answer::Answer;
use super::{install_crypto, soon};

/// One connection.
pub struct Raw {
    stream: Box<dyn Duplex>,
    /// Received and not yet part of an answer.
    pending: Vec<u8>,
}

/// A TCP connection, with or without TLS.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

// === impl Raw ===

impl Raw {
    /// Connects in clear.
    pub async fn connect(addr: SocketAddr) -> Self {
        let stream = soon("connecting", TcpStream::connect(addr)).await.expect("the server listens");
        Self::over(stream)
    }

    /// On a connection that is there.
    pub fn over(stream: impl Duplex + 'static) -> Self {
        Self { stream: Box::new(stream), pending: Vec::new() }
    }

    /// Connects in clear from another address of this machine.
    pub async fn connect_from(from: Ipv4Addr, addr: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((from, 0).into()).expect("an address of this machine");
        let stream = soon("connecting", socket.connect(addr)).await.expect("the server listens");
        Self { stream: Box::new(stream), pending: Vec::new() }
    }

    /// Connects with TLS as `host`, trusting the PEM certificate `trusted`, and offering `alpn`.
    pub async fn connect_tls(addr: SocketAddr, host: &str, trusted: &str, alpn: &[&[u8]]) -> Self {
        Self::over(tls(addr, host, trusted, alpn).await)
    }

    /// Sends exactly `bytes`. A server that has hung up already is no error here: the answer tells.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _sent = self.stream.write_all(bytes.as_ref()).await;
        let _flushed = self.stream.flush().await;
    }

    /// The same; whether the server still takes them.
    pub async fn can_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok() && self.stream.flush().await.is_ok()
    }

    /// Sends `bytes` and reads the answer; nothing when the server hung up without a whole one.
    pub async fn ask(&mut self, bytes: impl AsRef<[u8]>) -> Option<Answer> {
        self.send(bytes).await;
        self.answer().await
    }

    /// Reads one final answer (interim ones are passed over); nothing when the server hung up without a whole one.
    pub async fn answer(&mut self) -> Option<Answer> {
        self.answer_to("GET").await
    }

    /// Reads one final answer to a request with `method`: to `HEAD` it has no body.
    pub async fn answer_to(&mut self, method: &str) -> Option<Answer> {
        loop {
            let head = self.head().await?;
            let mut answer = Answer::from_head(&head);
            if answer.is_interim() {
                continue;
            }
            if method != "HEAD" {
                answer.body = self.body(&answer).await?;
            }
            return Some(answer);
        }
    }

    /// Reads up to and with the blank line.
    pub async fn head(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = find(&self.pending, b"\r\n\r\n") {
                return Some(self.pending.drain(..end + 4).collect());
            }
            self.more().await?;
        }
    }

    async fn body(&mut self, answer: &Answer) -> Option<Vec<u8>> {
        if matches!(answer.status, 101 | 204 | 304) {
            return Some(Vec::new());
        }
        if answer.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return self.chunked().await;
        }
        match answer.header("content-length") {
            Some(length) => self.exactly(length.parse().expect("a number in Content-Length")).await,
            None => Some(self.rest().await),
        }
    }

    async fn chunked(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line().await?;
            let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).expect("a chunk's size");
            if size == 0 {
                while !self.line().await?.is_empty() {}
                return Some(body);
            }
            body.extend(self.exactly(size).await?);
            self.exactly(2).await?;
        }
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = find(&self.pending, b"\r\n") {
                let line: Vec<u8> = self.pending.drain(..end + 2).collect();
                return Some(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            self.more().await?;
        }
    }

    /// Exactly `length` bytes; nothing when the server hung up before.
    pub async fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.pending.len() < length {
            self.more().await?;
        }
        Some(self.pending.drain(..length).collect())
    }

    /// Everything up to the end of the connection.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.more().await.is_some() {}
        std::mem::take(&mut self.pending)
    }

    /// Reads what is there, at least a byte; nothing at the end of the connection, orderly or not.
    async fn more(&mut self) -> Option<()> {
        let mut buffer = vec![0; 16 * 1024];
        match soon("waiting for the server", self.stream.read(&mut buffer)).await {
            Ok(0) | Err(_) => None,
            Ok(length) => {
                self.pending.extend_from_slice(&buffer[..length]);
                Some(())
            }
        }
    }
}

/// A TLS connection to `addr` as `host`, trusting the PEM certificate `trusted`.
pub async fn tls(
    addr: SocketAddr,
    host: &str,
    trusted: &str,
    alpn: &[&[u8]],
) -> tokio_rustls::client::TlsStream<TcpStream> {
    install_crypto();
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls::pki_types::CertificateDer::pem_slice_iter(trusted.as_bytes()) {
        roots.add(certificate.expect("a certificate in PEM")).expect("a certificate to trust");
    }
    let mut config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    let stream = soon("connecting", TcpStream::connect(addr)).await.expect("the server listens");
    let name = ServerName::try_from(host.to_owned()).expect("a host name");
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    soon("shaking hands", connector.connect(name, stream)).await.expect("the server speaks TLS")
}

/// Where `needle` begins in `haystack`.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
