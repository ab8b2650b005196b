//! Multipart forms (RFC 7578), strictly: what lenient parsers are known to read differently is refused.

use super::BodyFault;
use crate::policy::fields::Fields;

/// What a part's headers say.
struct PartHead {
    name: String,
    file: bool,
}

/// Reads `body`. A part that is a file counts as a field that only some readers take for one.
pub(super) fn read(body: &[u8], boundary: &str) -> Result<Fields, BodyFault> {
    let first = format!("--{boundary}");
    let between = format!("\r\n--{boundary}");
    let mut rest = body.strip_prefix(first.as_bytes()).ok_or(MALFORMED)?;
    let mut fields = Fields::default();
    loop {
        if let Some(end) = rest.strip_prefix(b"--") {
            return if end.trim_ascii().is_empty() { Ok(fields) } else { Err(MALFORMED) };
        }
        rest = rest.strip_prefix(b"\r\n").ok_or(MALFORMED)?;
        let (part, after) = split_once(rest, between.as_bytes()).ok_or(MALFORMED)?;
        let (head, value) = split_once(part, b"\r\n\r\n").ok_or(MALFORMED)?;
        let head = PartHead::parse(head)?;
        fields.push(head.name, String::from_utf8_lossy(value).into_owned(), !head.file);
        rest = after;
    }
}

const MALFORMED: BodyFault = BodyFault::Unreadable("the multipart form is malformed");

fn split_once<'a>(bytes: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = memmem(bytes, separator)?;
    Some((&bytes[..at], &bytes[at + separator.len()..]))
}

/// The first place of `needle`. Looks for its second byte's line feed only where a carriage return stands.
fn memmem(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    while let Some(step) = bytes[from..].iter().position(|byte| *byte == first) {
        let at = from + step;
        if bytes[at..].starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

// === impl PartHead ===

impl PartHead {
    fn parse(head: &[u8]) -> Result<Self, BodyFault> {
        let head = std::str::from_utf8(head).map_err(|_| MALFORMED)?;
        let mut disposition = None;
        for line in head.split("\r\n") {
            let (name, value) = line.split_once(':').ok_or(MALFORMED)?;
            if line.contains(['\r', '\n', '\0']) || name.is_empty() || name.contains([' ', '\t']) {
                return Err(MALFORMED);
            }
            match name.to_ascii_lowercase().as_str() {
                "content-disposition" if disposition.is_some() => return Err(MALFORMED),
                "content-disposition" => disposition = Some(value.trim()),
                "content-transfer-encoding" => refuse_coding(value.trim())?,
                _ => {}
            }
        }
        Self::from_disposition(disposition.ok_or(MALFORMED)?)
    }

    fn from_disposition(value: &str) -> Result<Self, BodyFault> {
        let (kind, mut rest) = value.split_once(';').ok_or(MALFORMED)?;
        if !kind.trim().eq_ignore_ascii_case("form-data") {
            return Err(MALFORMED);
        }
        let (mut name, mut file) = (None, false);
        loop {
            let (key, value, after) = parameter(rest)?;
            match key.as_str() {
                "name" if name.is_some() => return Err(MALFORMED),
                "name" => name = Some(value),
                "filename" | "filename*" => file = true,
                // RFC 7578 section 4.2 knows no other; some readers do.
                other if other.starts_with("name") => return Err(MALFORMED),
                _ => {}
            }
            match after {
                Some(after) => rest = after,
                None => break,
            }
        }
        let name = name.ok_or(MALFORMED)?.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n");
        Ok(Self { name, file })
    }
}

fn refuse_coding(value: &str) -> Result<(), BodyFault> {
    if ["7bit", "8bit", "binary"].iter().any(|plain| value.eq_ignore_ascii_case(plain)) {
        Ok(())
    } else {
        Err(BodyFault::Unsupported("a part of the form is encoded, and a rule must look into it"))
    }
}

/// One `key="value"` or `key=value`: key in lower case, value, and what follows the next `;`.
fn parameter(text: &str) -> Result<(String, String, Option<&str>), BodyFault> {
    let (key, rest) = text.trim_start().split_once('=').ok_or(MALFORMED)?;
    let key = key.trim_end().to_ascii_lowercase();
    let (value, rest) = match rest.strip_prefix('"') {
        Some(quoted) => {
            let (value, rest) = quoted.split_once('"').ok_or(MALFORMED)?;
            // `\"` is read by some as a quote and by others as a backslash and the end.
            if value.ends_with('\\') {
                return Err(MALFORMED);
            }
            (value, rest.trim_start())
        }
        None => rest.split_at(rest.find(';').unwrap_or(rest.len())),
    };
    match rest.strip_prefix(';') {
        Some(after) => Ok((key, value.to_owned(), Some(after))),
        None if rest.is_empty() => Ok((key, value.trim_end().to_owned(), None)),
        None => Err(MALFORMED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(parts: &[(&str, &str)]) -> String {
        let parts: Vec<_> = parts.iter().map(|(head, value)| format!("--b1\r\n{head}\r\n\r\n{value}\r\n")).collect();
        parts.concat() + "--b1--\r\n"
    }

    #[test]
    fn fields_and_files_are_read() {
        let body = form(&[
            ("Content-Disposition: form-data; name=\"action\"", "delete"),
            (
                "Content-Disposition: form-data; name=\"f\"; filename=\"C:\\x.txt\"\r\nContent-Type: text/plain",
                "a\r\nb",
            ),
            ("content-disposition: form-data; name=plain", ""),
        ]);
        let fields = read(body.as_bytes(), "b1").unwrap();
        let found: Vec<_> = fields.iter().map(|f| (f.name.as_str(), f.value.as_str(), f.certain)).collect();
        assert_eq!(found, [("action", "delete", true), ("f", "a\r\nb", false), ("plain", "", true)]);
    }

    #[test]
    fn what_lenient_parsers_read_differently_is_refused() {
        let heads = [
            "Content-Disposition: form-data; name=\"a\"; name=\"b\"",
            "Content-Disposition: form-data; name*=utf-8''a",
            "Content-Disposition: form-data; name=\"a\\\"; filename=\"b\"",
            "Content-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"b\"",
            "Content-Disposition: attachment; name=\"a\"",
            "Content-Disposition : form-data; name=\"a\"",
            "Content-Disposition: form-data; name=\"a\"\n",
            "Content-Type: text/plain",
            "Content-Disposition: form-data; name=\"a\"\r\nContent-Transfer-Encoding: base64",
        ];
        for head in heads {
            assert!(read(form(&[(head, "x")]).as_bytes(), "b1").is_err(), "{head}");
        }
    }

    #[test]
    fn a_form_without_its_end_or_with_text_around_it_is_refused() {
        let whole = form(&[("Content-Disposition: form-data; name=\"a\"", "x")]);
        assert!(read(whole.as_bytes(), "b1").is_ok());
        for body in [whole.trim_end_matches("--b1--\r\n").to_owned(), format!("x\r\n{whole}"), format!("{whole}x")] {
            assert!(read(body.as_bytes(), "b1").is_err(), "{body:?}");
        }
    }
}
