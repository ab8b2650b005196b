//! An HTTP/2 client that sends the frames it is given: a proper library would refuse to send what the attack cases ask for.
//!
//! Header fields are written as literals without indexing (RFC 7541 6.2.2), without Huffman coding.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::{raw, soon};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// One connection.
pub struct RawH2 {
    stream: TlsStream<TcpStream>,
    /// The id of the next request: odd (RFC 9113 5.1.1).
    next_stream: u32,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered with this status.
    Answered(u16),
    /// Its stream was reset with this error code.
    Reset(u32),
    /// The connection was ended, with an error code where one was given.
    ConnectionEnded(Option<u32>),
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

// === impl RawH2 ===

impl RawH2 {
    /// Connects with TLS as `host`, trusting the PEM certificate `trusted`.
    pub async fn connect(addr: SocketAddr, host: &str, trusted: &str) -> Self {
        let mut client = Self { stream: raw::tls(addr, host, trusted, &[b"h2"]).await, next_stream: 1 };
        client.write(PREFACE).await;
        client.frame(SETTINGS, 0, 0, &[]).await;
        client
    }

    /// Sends a request of exactly these fields (`:method` and so on among them) and this body.
    pub async fn ask(&mut self, fields: &[(&str, &str)], body: Option<&[u8]>) -> Outcome {
        let Some(body) = body else {
            let stream = self.open(fields, END_STREAM).await;
            return self.outcome(stream).await;
        };
        let stream = self.open(fields, 0).await;
        self.piece(stream, body, true).await;
        self.outcome(stream).await
    }

    /// Begins a request whose body follows in pieces; the id of its stream.
    pub async fn begin(&mut self, fields: &[(&str, &str)]) -> u32 {
        self.open(fields, 0).await
    }

    /// A piece of the body of `stream`, and whether it is the last.
    pub async fn piece(&mut self, stream: u32, bytes: &[u8], is_last: bool) {
        self.frame(DATA, if is_last { END_STREAM } else { 0 }, stream, bytes).await;
    }

    /// What became of the request on `stream`.
    pub async fn outcome(&mut self, stream: u32) -> Outcome {
        while let Some(frame) = self.read().await {
            match frame.kind {
                SETTINGS if frame.flags & ACK == 0 => self.frame(SETTINGS, ACK, 0, &[]).await,
                HEADERS if frame.stream == stream => return Outcome::Answered(status(&frame.payload)),
                RST_STREAM if frame.stream == stream => return Outcome::Reset(number(&frame.payload)),
                GOAWAY => return Outcome::ConnectionEnded(Some(number(&frame.payload[4..]))),
                _ => {}
            }
        }
        Outcome::ConnectionEnded(None)
    }

    /// The next piece of the answer on `stream`; nothing when it ends without one.
    pub async fn answer_piece(&mut self, stream: u32) -> Option<Vec<u8>> {
        while let Some(frame) = self.read().await {
            match frame.kind {
                SETTINGS if frame.flags & ACK == 0 => self.frame(SETTINGS, ACK, 0, &[]).await,
                DATA if frame.stream == stream => return Some(frame.payload),
                RST_STREAM if frame.stream == stream => return None,
                GOAWAY => return None,
                _ => {}
            }
        }
        None
    }

    /// Waits for the end of each of `streams`, whatever is still said on them: the code with which it was reset, if it was.
    pub async fn resets(&mut self, streams: &[u32]) -> Vec<Option<u32>> {
        let mut ends = vec![None; streams.len()];
        let mut open = streams.len();
        while open > 0 {
            let Some(frame) = self.read().await else { break };
            let place = streams.iter().position(|stream| *stream == frame.stream);
            match (frame.kind, place) {
                (SETTINGS, _) if frame.flags & ACK == 0 => self.frame(SETTINGS, ACK, 0, &[]).await,
                (GOAWAY, _) => break,
                (RST_STREAM, Some(place)) => {
                    ends[place] = Some(number(&frame.payload));
                    open -= 1;
                }
                (DATA, Some(_)) if frame.flags & END_STREAM != 0 => open -= 1,
                _ => {}
            }
        }
        ends
    }

    /// Lets the server say `bytes` more on the connection; each stream keeps its own window of 65,535.
    pub async fn widen(&mut self, bytes: u32) {
        self.frame(WINDOW_UPDATE, 0, 0, &bytes.to_be_bytes()).await;
    }

    async fn open(&mut self, fields: &[(&str, &str)], end: u8) -> u32 {
        let stream = self.next_stream;
        self.next_stream += 2;
        let block: Vec<u8> = fields.iter().flat_map(|(name, value)| literal(name, value)).collect();
        self.frame(HEADERS, END_HEADERS | end, stream, &block).await;
        stream
    }

    async fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("a small frame").to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.write(&frame).await;
    }

    /// A server that has hung up already is no error here: the outcome tells.
    async fn write(&mut self, bytes: &[u8]) {
        let _sent = self.stream.write_all(bytes).await;
        let _flushed = self.stream.flush().await;
    }

    /// The next frame; nothing at the end of the connection, orderly or not.
    async fn read(&mut self) -> Option<Frame> {
        soon("waiting for a frame", async {
            let mut head = [0; 9];
            self.stream.read_exact(&mut head).await.ok()?;
            let length = number(&[0, head[0], head[1], head[2]]) as usize;
            let mut payload = vec![0; length];
            self.stream.read_exact(&mut payload).await.ok()?;
            Some(Frame { kind: head[3], flags: head[4], stream: number(&head[5..]) & 0x7fff_ffff, payload })
        })
        .await
    }
}

/// The first four bytes as a number.
fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().expect("four bytes"))
}

fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut field = vec![0];
    for text in [name, value] {
        length(&mut field, text.len());
        field.extend_from_slice(text.as_bytes());
    }
    field
}

/// A length with a prefix of seven bits (RFC 7541 5.1).
fn length(field: &mut Vec<u8>, length: usize) {
    if length < 127 {
        field.push(u8::try_from(length).expect("below 127"));
        return;
    }
    field.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        field.push(u8::try_from(rest % 128).expect("below 128") | 0x80);
        rest /= 128;
    }
    field.push(u8::try_from(rest).expect("below 128"));
}

/// The status at the beginning of a header block: `:status` is the first field (RFC 9113 8.3), and a fresh connection's
/// dynamic table is empty.
fn status(block: &[u8]) -> u16 {
    const STATIC: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    let block = skip_table_sizes(block);
    match block[0] {
        indexed @ 0x88..=0x8e => STATIC[usize::from(indexed - 0x88)],
        // A literal whose name is one of the static table's `:status` entries.
        0x48..=0x4e | 0x08..=0x0e | 0x18..=0x1e => literal_status(&block[1..]),
        other => panic!("a header block that does not begin with :status: {other:#x}"),
    }
}

/// A block may begin with changes of the table's size (RFC 7541 6.3).
fn skip_table_sizes(block: &[u8]) -> &[u8] {
    let mut rest = block;
    while rest[0] & 0xe0 == 0x20 {
        let is_long = rest[0] & 0x1f == 0x1f;
        rest = &rest[1..];
        while is_long && rest[0] & 0x80 != 0 {
            rest = &rest[1..];
        }
        if is_long {
            rest = &rest[1..];
        }
    }
    rest
}

fn literal_status(text: &[u8]) -> u16 {
    let length = usize::from(text[0] & 0x7f);
    let coded = &text[1..=length];
    let digits = if text[0] & 0x80 == 0 { String::from_utf8_lossy(coded).into_owned() } else { huffman_digits(coded) };
    digits.parse().expect("a status")
}

/// Three digits in HPACK's Huffman code (RFC 7541, appendix B): 0 to 2 have five bits, 3 to 9 have six.
fn huffman_digits(coded: &[u8]) -> String {
    let bits = coded.iter().map(|byte| format!("{byte:08b}")).collect::<Vec<_>>().concat();
    let (mut at, mut digits) = (0, String::new());
    while digits.len() < 3 {
        let short = u8::from_str_radix(&bits[at..at + 5], 2).expect("bits");
        let (digit, width) = if short < 3 {
            (short, 5)
        } else {
            (u8::from_str_radix(&bits[at..at + 6], 2).expect("bits") - 0b01_1001 + 3, 6)
        };
        digits.push(char::from(b'0' + digit));
        at += width;
    }
    digits
}
