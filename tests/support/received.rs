//! What a backend received: the exact bytes, and where a request ends in them.

use std::ops::Deref;

use super::fields::Fields;

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Received {
    /// On which connection, counted from 0.
    pub connection: usize,
    /// Every byte of it, framing included.
    pub raw: Vec<u8>,
    /// Its method.
    pub method: String,
    /// Its target, as written.
    pub target: String,
    /// Its fields.
    pub headers: Fields,
    /// Without its framing.
    pub body: Vec<u8>,
    /// Whether it came to its end.
    pub complete: bool,
}

// === impl Received ===

/// Its fields are asked of it.
impl Deref for Received {
    type Target = Fields;

    fn deref(&self) -> &Fields {
        &self.headers
    }
}

impl Received {
    /// Reads a request from the beginning of `bytes`: the request, and how many bytes it took. Nothing while its head is
    /// not there; not `complete` while its body is not.
    pub fn read(connection: usize, bytes: &[u8]) -> Option<(Self, usize)> {
        let head_length = find(bytes, b"\r\n\r\n")? + 4;
        let mut request = Self::from_head(connection, &bytes[..head_length]);
        let (body, taken) = request.body_in(&bytes[head_length..]);
        request.complete = taken.is_some();
        request.body = body;
        let length = taken.map_or(bytes.len(), |taken| head_length + taken);
        request.raw = bytes[..length].to_vec();
        Some((request, length))
    }

    fn from_head(connection: usize, head: &[u8]) -> Self {
        let (line, headers) = Fields::read(head);
        let mut words = line.splitn(3, ' ').map(ToOwned::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        Self { connection, method, target, headers, ..Self::default() }
    }

    /// The body at the beginning of `bytes`, and how many bytes it took; nothing of the latter while it is not whole.
    fn body_in(&self, bytes: &[u8]) -> (Vec<u8>, Option<usize>) {
        if self.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return dechunk(bytes);
        }
        let length = self.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let whole = bytes.len() >= length;
        (bytes[..length.min(bytes.len())].to_vec(), whole.then_some(length))
    }

    /// Every byte, as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }
}

/// The content of the chunks at the beginning of `bytes`, and how many bytes they took with their end and trailers.
fn dechunk(bytes: &[u8]) -> (Vec<u8>, Option<usize>) {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let Some(line_end) = find(&bytes[at..], b"\r\n") else { return (body, None) };
        let line = String::from_utf8_lossy(&bytes[at..at + line_end]);
        let size = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16).unwrap_or(0);
        let chunk = at + line_end + 2;
        if size == 0 {
            return (body, trailers_end(bytes, at + line_end));
        }
        if bytes.len() < chunk + size + 2 {
            return (body, None);
        }
        body.extend_from_slice(&bytes[chunk..chunk + size]);
        at = chunk + size + 2;
    }
}

/// Where the blank line after the last chunk and its trailers ends; `from` is where the last chunk's line ends.
fn trailers_end(bytes: &[u8], from: usize) -> Option<usize> {
    find(&bytes[from..], b"\r\n\r\n").map(|end| from + end + 4)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
