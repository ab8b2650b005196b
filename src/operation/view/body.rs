//! The body, shown by what it is.

use std::fmt::Write as _;

use percent_encoding::percent_decode;

use super::pieces::{of_bytes, of_text};
use super::redact::Redaction;
use super::{Body, Part, Piece, json, multipart};
use crate::operation::capture::{CapturedRequest, digest_of};

/// Bytes of a text that are shown.
const TEXT_SHOWN: usize = 16 * 1024;
/// Bytes of one field that are shown.
const FIELD_SHOWN: usize = 4 * 1024;
/// Fields that are shown.
const FIELDS_SHOWN: usize = 500;
/// Bytes that are shown in hexadecimal.
const HEX_SHOWN: usize = 512;

/// The body of `request` and what must be said beside it.
pub(in crate::operation) fn body(request: &CapturedRequest, redaction: &Redaction) -> (Body, Option<&'static str>) {
    if request.body.is_empty() {
        return (Body::Empty, None);
    }
    if is_coded(request) {
        let shown = if redaction.masks() { masked() } else { Body::Binary(hex_lines(&request.body)) };
        return (shown, Some("compressed"));
    }
    let taken_apart = match media_type(request) {
        MediaType::Json => fields_of_json(&request.body, redaction),
        MediaType::Form => Some(fields_of_form(&request.body, redaction)),
        MediaType::Multipart(content_type) => parts(&request.body, content_type, redaction),
        MediaType::Other => None,
    };
    let whole = || if redaction.masks() { masked() } else { as_it_is(&request.body) };
    (taken_apart.unwrap_or_else(whole), None)
}

/// What the body is declared to be.
enum MediaType<'a> {
    Json,
    Form,
    Multipart(&'a str),
    Other,
}

/// One content type, in a character set that is read as UTF-8; anything else is text or bytes.
fn media_type(request: &CapturedRequest) -> MediaType<'_> {
    let mut declared = request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let (Some((_, value)), None) = (declared.next(), declared.next()) else { return MediaType::Other };
    let Ok(content_type) = std::str::from_utf8(value) else { return MediaType::Other };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !is_utf_8(content_type) {
        return MediaType::Other;
    }
    match essence.as_str() {
        "application/x-www-form-urlencoded" => MediaType::Form,
        "multipart/form-data" => MediaType::Multipart(content_type),
        "application/json" => MediaType::Json,
        other if other.ends_with("+json") => MediaType::Json,
        _ => MediaType::Other,
    }
}

fn is_utf_8(content_type: &str) -> bool {
    let lower = content_type.to_ascii_lowercase();
    lower.split_once("charset=").is_none_or(|(_, set)| {
        ["utf-8", "us-ascii"].contains(&set.split(';').next().unwrap_or(set).trim().trim_matches('"'))
    })
}

fn is_coded(request: &CapturedRequest) -> bool {
    request.headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("content-encoding") && !value.trim_ascii().eq_ignore_ascii_case(b"identity")
    })
}

fn masked() -> Body {
    Body::Text(vec![Piece::Masked])
}

fn as_it_is(bytes: &[u8]) -> Body {
    if is_text(bytes) { Body::Text(of_bytes(bytes, TEXT_SHOWN)) } else { Body::Binary(hex_lines(bytes)) }
}

fn is_text(bytes: &[u8]) -> bool {
    !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok()
}

fn fields_of_json(bytes: &[u8], redaction: &Redaction) -> Option<Body> {
    let fields = json::flatten(std::str::from_utf8(bytes).ok()?)?;
    Some(fields_shown(fields.into_iter().map(|field| {
        let value = (!redaction.hits_path(&field.members)).then(|| field.value.into_bytes());
        (field.path.into_bytes(), value)
    })))
}

fn fields_of_form(bytes: &[u8], redaction: &Redaction) -> Body {
    let pairs = bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    fields_shown(pairs.map(|pair| {
        let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(index) => (&pair[..index], &pair[index + 1..]),
            None => (pair, &pair[..0]),
        };
        let name = form_decoded(name);
        let hit = redaction.hits(&String::from_utf8_lossy(&name));
        (name, (!hit).then(|| form_decoded(value)))
    }))
}

/// Names and values in pieces, a masked value where there is none; beyond [`FIELDS_SHOWN`] only how much there is.
fn fields_shown(fields: impl Iterator<Item = (Vec<u8>, Option<Vec<u8>>)>) -> Body {
    let mut shown = Vec::new();
    let mut left_out = 0;
    for (name, value) in fields {
        if shown.len() == FIELDS_SHOWN {
            left_out += name.len() + value.map_or(0, |value| value.len());
            continue;
        }
        let value = value.map_or_else(|| vec![Piece::Masked], |value| of_bytes(&value, FIELD_SHOWN));
        shown.push((of_bytes(&name, FIELD_SHOWN), value));
    }
    if left_out > 0 {
        shown.push((vec![Piece::Cut(left_out)], Vec::new()));
    }
    Body::Fields(shown)
}

/// A form's own coding (WHATWG URL 5.1): `+` is a blank, `%XX` a byte, anything else itself.
pub(super) fn form_decoded(coded: &[u8]) -> Vec<u8> {
    let blanks: Vec<u8> = coded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&blanks).collect()
}

fn parts(bytes: &[u8], content_type: &str, redaction: &Redaction) -> Option<Body> {
    let parts = multipart::parts(bytes, content_type)?;
    Some(Body::Parts(parts.iter().map(|part| shown_part(part, redaction)).collect()))
}

fn shown_part(part: &multipart::RawPart<'_>, redaction: &Redaction) -> Part {
    let hit = redaction.hits(part.name);
    let as_text = || {
        let declared_text = part.content_type.is_none_or(|kind| kind.starts_with("text/"));
        (declared_text && is_text(part.content)).then(|| of_bytes(part.content, FIELD_SHOWN))
    };
    Part {
        name: of_text(part.name, FIELD_SHOWN),
        file_name: part.file_name.map(|name| if hit { vec![Piece::Masked] } else { of_text(name, FIELD_SHOWN) }),
        content_type: part
            .content_type
            .map(|kind| kind.chars().filter(|letter| !letter.is_control()).take(100).collect()),
        length: part.content.len(),
        digest: if hit { String::new() } else { digest_of(part.content) },
        text: if hit { Some(vec![Piece::Masked]) } else { as_text() },
    }
}

/// `00000000  50 4b 03 04 …  PK..`: sixteen bytes a line.
fn hex_lines(bytes: &[u8]) -> Vec<String> {
    let shown = &bytes[..bytes.len().min(HEX_SHOWN)];
    shown.chunks(16).enumerate().map(|(line, chunk)| hex_line(line * 16, chunk)).collect()
}

fn hex_line(offset: usize, chunk: &[u8]) -> String {
    let mut line = format!("{offset:08x} ");
    for index in 0..16 {
        match chunk.get(index) {
            Some(byte) => write!(line, " {byte:02x}").expect("a text can be written to"),
            None => line.push_str("   "),
        }
    }
    line.push_str("  ");
    line.extend(
        chunk.iter().map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' }),
    );
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::capture::tests::request;

    fn shown(content_type: &str, bytes: &[u8], redact: &[&str]) -> Body {
        let headers = vec![("content-type".to_owned(), content_type.as_bytes().to_vec())];
        let captured = CapturedRequest { headers, body: bytes.to_vec(), ..request() };
        let names: Vec<String> = redact.iter().map(|name| (*name).to_owned()).collect();
        body(&captured, &Redaction::of(&names)).0
    }

    fn field(name: &str, value: &str) -> (Vec<Piece>, Vec<Piece>) {
        (of_text(name, 100), of_text(value, 100))
    }

    const FORM: &str = "application/x-www-form-urlencoded";

    #[test]
    fn a_form_is_shown_as_fields() {
        let form = shown(FORM, b"reason=asked+for&id=4%32&id=43&flag", &[]);
        let fields = vec![field("reason", "asked for"), field("id", "42"), field("id", "43"), field("flag", "")];
        assert_eq!(form, Body::Fields(fields));
    }

    #[test]
    fn masked_fields_are_masked_in_every_form() {
        let masked = (of_text("password", 100), vec![Piece::Masked]);
        assert_eq!(
            shown(FORM, b"p%61ssword=hunter2&id=1", &["password"]),
            Body::Fields(vec![masked.clone(), field("id", "1")])
        );
        assert_eq!(
            shown("application/json", br#"{"password":"hunter2","id":1}"#, &["password"]),
            Body::Fields(vec![masked, field("id", "1")])
        );
        let multipart = b"--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nhunter2\r\n--b--\r\n";
        let printed = format!("{:?}", shown("multipart/form-data; boundary=b", multipart, &["password"]));
        assert!(!printed.contains("hunter2") && !printed.contains("sha-256"), "{printed}");
    }

    #[test]
    fn what_cannot_be_taken_apart_is_masked_whole_when_anything_is() {
        let whole = Body::Text(vec![Piece::Masked]);
        assert_eq!(shown("text/plain", b"password=hunter2", &["password"]), whole);
        assert_eq!(shown("application/json", b"{\"password\":\"hunter2\"", &["password"]), whole);
        assert_eq!(shown("application/json; charset=utf-16", b"{}", &["password"]), whole);
        assert_eq!(shown("multipart/form-data; boundary=b", b"--b\r\n", &["password"]), whole);
    }

    #[test]
    fn hold_2_a_compressed_body_is_shown_as_the_bytes_it_is() {
        let headers = vec![("content-encoding".to_owned(), b"gzip".to_vec())];
        let captured = CapturedRequest { headers, body: b"\x1f\x8b\x08".to_vec(), ..request() };
        let (shown, note) = body(&captured, &Redaction::default());
        assert_eq!(shown, Body::Binary(vec![format!("00000000  1f 8b 08{}  ...", " ".repeat(39))]));
        assert_eq!(note, Some("compressed"));
    }

    #[test]
    fn hold_2_a_binary_body_is_shown_in_hexadecimal() {
        let Body::Binary(lines) = shown("application/octet-stream", &[0; 4096], &[]) else { panic!("not binary") };
        assert_eq!(lines.len(), HEX_SHOWN / 16);
    }

    #[test]
    fn hold_2_a_long_list_of_fields_says_how_much_it_leaves_out() {
        let form = (0..600).map(|index| format!("f{index:03}=1")).collect::<Vec<_>>().join("&");
        let Body::Fields(fields) = shown(FORM, form.as_bytes(), &[]) else { panic!("no fields") };
        assert_eq!(fields.len(), FIELDS_SHOWN + 1);
        assert_eq!(fields[FIELDS_SHOWN].0, [Piece::Cut(100 * 5)]);
    }
}
