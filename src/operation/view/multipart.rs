//! Multipart forms (RFC 7578), taken apart strictly: what two programs could read differently is not taken apart at all.

/// One part.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RawPart<'a> {
    pub(super) name: &'a str,
    pub(super) file_name: Option<&'a str>,
    pub(super) content_type: Option<&'a str>,
    pub(super) content: &'a [u8],
}

/// The parts of `body`; nothing when it is not exactly what RFC 7578 says a browser sends.
pub(super) fn parts<'a>(body: &'a [u8], content_type: &str) -> Option<Vec<RawPart<'a>>> {
    let delimiter = [b"\r\n--", boundary(content_type)?.as_bytes()].concat();
    let mut rest = body.strip_prefix(&delimiter[2..])?;
    let mut parts = Vec::new();
    loop {
        if let Some(end) = rest.strip_prefix(b"--") {
            return (end.is_empty() || end == b"\r\n").then_some(parts);
        }
        rest = rest.strip_prefix(b"\r\n")?;
        let length = find(rest, &delimiter)?;
        parts.push(part(&rest[..length])?);
        rest = &rest[length + delimiter.len()..];
    }
}

/// The boundary a content type names, once.
fn boundary(content_type: &str) -> Option<&str> {
    let mut named = content_type.split(';').skip(1).filter_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then_some(value)
    });
    let value = named.next()?;
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    let plain = !value.is_empty() && value.len() <= 70 && !value.contains(['"', '\\']);
    (plain && named.next().is_none()).then_some(value)
}

fn part(bytes: &[u8]) -> Option<RawPart<'_>> {
    let end = find(bytes, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut disposition = None;
    let mut content_type = None;
    for line in head.split("\r\n") {
        let (name, value) = line.split_once(':')?;
        let place = match name.to_ascii_lowercase().as_str() {
            "content-disposition" => &mut disposition,
            "content-type" => &mut content_type,
            // A coding of the content, or anything else, is read by some programs and not by others.
            _ => return None,
        };
        if place.replace(value.trim()).is_some() {
            return None;
        }
    }
    let (name, file_name) = names(disposition?)?;
    Some(RawPart { name, file_name, content_type, content: &bytes[end + 4..] })
}

/// `form-data; name="…"; filename="…"`, and nothing else.
fn names(disposition: &str) -> Option<(&str, Option<&str>)> {
    let rest = disposition.strip_prefix("form-data;")?.trim_start();
    let (name, rest) = quoted(rest.strip_prefix("name=")?)?;
    if rest.is_empty() {
        return Some((name, None));
    }
    let (file_name, rest) = quoted(rest.strip_prefix(';')?.trim_start().strip_prefix("filename=")?)?;
    rest.is_empty().then_some((name, Some(file_name)))
}

/// A quoted text and what follows. A backslash is read as an escape by some programs and not by others.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let (value, rest) = text.strip_prefix('"')?.split_once('"')?;
    (!value.contains('\\')).then_some((value, rest))
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=xyz";
    const BODY: &[u8] = b"--xyz\r\nContent-Disposition: form-data; name=\"reason\"\r\n\r\nasked for\r\n\
        --xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\
        Content-Type: application/octet-stream\r\n\r\n\x00\xff\r\n--xyz--\r\n";

    #[test]
    fn parts_come_with_name_type_and_content() {
        let file = RawPart {
            name: "file",
            file_name: Some("a.bin"),
            content_type: Some("application/octet-stream"),
            content: b"\x00\xff",
        };
        let reason = RawPart { name: "reason", file_name: None, content_type: None, content: b"asked for" };
        assert_eq!(parts(BODY, TYPE), Some(vec![reason, file]));
        assert_eq!(parts(BODY, "multipart/form-data; boundary=\"xyz\"").map(|parts| parts.len()), Some(2));
    }

    #[test]
    fn what_could_be_read_differently_is_not_taken_apart() {
        let with = |from: &str, to: &str| String::from_utf8_lossy(BODY).replace(from, to).into_bytes();
        for body in [
            with("name=\"reason\"", "name=\"reason\"; name=\"other\""),
            with("name=\"file\"", "name=\"file\"; filename*=utf-8''b.bin"),
            with("name=\"reason\"", "name=\"rea\\\"son\""),
            with("name=\"reason\"\r\n", "name=\"reason\"\r\nContent-Transfer-Encoding: base64\r\n"),
            with("--xyz--\r\n", "--xyz--\r\nafterwards"),
            with("--xyz\r\nContent", "before\r\n--xyz\r\nContent"),
            with("--xyz--", "--xyz"),
        ] {
            assert_eq!(parts(&body, TYPE), None, "{}", String::from_utf8_lossy(&body));
        }
        assert_eq!(parts(BODY, "multipart/form-data; boundary=xyz; boundary=abc"), None);
        assert_eq!(parts(BODY, "multipart/form-data"), None);
    }
}
