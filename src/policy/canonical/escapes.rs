//! Escapes: which are undone, which stay, and which have no one reading.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::NotCanonical;

/// What an escape in a path becomes.
enum Escape {
    /// It was not needed: the character itself.
    Plain(u8),
    /// It stays, in upper case.
    Kept(u8),
}

/// The path, where it has but one spelling and one reading: no escape, no `;`, and no segment that is empty or begins with a
/// dot. Most have, and are seen to in one pass.
pub(super) fn canonical_already(path: &[u8]) -> Option<&str> {
    let mut before = 0;
    let is_canonical = path.iter().all(|&byte| {
        let behind_slash = std::mem::replace(&mut before, byte) == b'/';
        SINGLE[usize::from(byte)] && !(behind_slash && matches!(byte, b'/' | b'.'))
    });
    if is_canonical { std::str::from_utf8(path).ok() } else { None }
}

/// Characters of a path that are only themselves.
const SINGLE: [bool; 256] = {
    let mut single = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        single[byte as usize] = is_path_character(byte) && byte != b';';
        byte += 1;
    }
    single
};

/// Undoes the escapes that were not needed, escapes what must be, refuses what is read differently by different readers.
pub(super) fn unescape(path: &[u8]) -> Result<String, NotCanonical> {
    let mut clean = String::with_capacity(path.len() + 1);
    let mut decoded = Vec::with_capacity(path.len());
    let mut at = 0;
    while let Some(&byte) = path.get(at) {
        at += 1;
        match byte {
            b'\\' => return Err(NotCanonical("the path holds a backslash")),
            b'%' => {
                let value = escape(path.get(at..at + 2)).ok_or(NotCanonical("the path holds a malformed escape"))?;
                at += 2;
                decoded.push(value);
                match judge_escape(value)? {
                    Escape::Plain(value) => clean.push(char::from(value)),
                    Escape::Kept(value) => push_escaped(&mut clean, value),
                }
            }
            plain if is_path_character(plain) => {
                decoded.push(plain);
                clean.push(char::from(plain));
            }
            other => {
                decoded.push(other);
                push_escaped(&mut clean, other);
            }
        }
    }
    if has_overlong(&decoded) {
        return Err(NotCanonical("the path holds an overlong UTF-8 sequence"));
    }
    Ok(clean)
}

fn judge_escape(value: u8) -> Result<Escape, NotCanonical> {
    match value {
        b'\\' => Err(NotCanonical("the path holds an encoded backslash")),
        0..0x20 | 0x7f => Err(NotCanonical("the path holds an encoded control character")),
        value if is_unreserved(value) => Ok(Escape::Plain(value)),
        value => Ok(Escape::Kept(value)),
    }
}

fn escape(digits: Option<&[u8]>) -> Option<u8> {
    let digits = digits?;
    let high = char::from(digits[0]).to_digit(16)?;
    let low = char::from(digits[1]).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

fn push_escaped(text: &mut String, byte: u8) {
    write!(text, "%{byte:02X}").expect("writing to a string does not fail");
}

/// RFC 3986 section 2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// `pchar` of RFC 3986 section 3.3, or the separator.
const fn is_path_character(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'/' | b':' | b'@' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
        )
}

/// Whether the bytes hold a UTF-8 sequence longer than needed (`C0 AF` for `/`), which lenient decoders still read.
fn has_overlong(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| {
        matches!((pair[0], pair[1]), (0xc0 | 0xc1, 0x80..=0xbf) | (0xe0, 0x80..=0x9f) | (0xf0, 0x80..=0x8f))
    })
}

/// Whether `escape` stands in `path`. Most paths have no escape at all, which is quickly seen.
pub(super) fn has_escape(path: &str, escape: &str) -> bool {
    path.contains('%') && path.contains(escape)
}

/// Decodes all escapes but `%25` and `%2F`, which would read as something else, and those that are not UTF-8.
pub(super) fn decoded(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let bytes = path.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let value = if byte == b'%' { escape(bytes.get(at + 1..at + 3)) } else { None };
        match value {
            Some(value) if !matches!(value, b'%' | b'/') => {
                plain.push(value);
                at += 3;
            }
            _ => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    let mut text = String::with_capacity(plain.len());
    for chunk in plain.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            push_escaped(&mut text, *byte);
        }
    }
    Cow::Owned(text)
}

pub(super) fn ascii_query(query: &[u8]) -> String {
    let mut text = String::with_capacity(query.len());
    for byte in query {
        if byte.is_ascii() { text.push(char::from(*byte)) } else { push_escaped(&mut text, *byte) }
    }
    text
}
