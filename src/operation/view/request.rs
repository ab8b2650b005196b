//! The request line and the headers, as shown.

use super::Piece;
use super::body::form_decoded;
use super::pieces::{of_bytes, of_text};
use super::redact::Redaction;
use crate::operation::capture::CapturedRequest;

/// Bytes of the target that are shown.
const TARGET_SHOWN: usize = 8 * 1024;
/// Bytes of one header that are shown.
const HEADER_SHOWN: usize = 2 * 1024;

/// Headers whose value lets whoever reads it act as the requester in the application.
const CREDENTIALS: &[&str] = &["authorization", "cookie", "proxy-authorization", "x-api-key"];

/// Path and query exactly as they will be sent, masked values apart.
pub(in crate::operation) fn target(target: &str, redaction: &Redaction) -> Vec<Piece> {
    let Some((path, query)) = target.split_once('?').filter(|_| redaction.masks()) else {
        return of_text(target, TARGET_SHOWN);
    };
    let mut pieces = of_text(path, TARGET_SHOWN);
    let mut before = "?";
    for pair in query.split('&') {
        pieces.push(Piece::Text(before.to_owned()));
        pieces.extend(query_pair(pair, redaction));
        before = "&";
    }
    pieces
}

/// Headers in their order.
pub(in crate::operation) fn headers(request: &CapturedRequest, redaction: &Redaction) -> Vec<(String, Vec<Piece>)> {
    request.headers.iter().map(|(name, value)| (name.clone(), header(name, value, redaction))).collect()
}

fn header(name: &str, value: &[u8], redaction: &Redaction) -> Vec<Piece> {
    let name = name.to_ascii_lowercase();
    match std::str::from_utf8(value) {
        _ if CREDENTIALS.contains(&name.as_str()) => vec![Piece::Masked],
        // The page a form was on may have been asked for with the same fields.
        Ok(address) if name == "referer" => target(address, redaction),
        _ => of_bytes(value, HEADER_SHOWN),
    }
}

fn query_pair(pair: &str, redaction: &Redaction) -> Vec<Piece> {
    let Some((name, _)) = pair.split_once('=') else { return of_text(pair, TARGET_SHOWN) };
    if !redaction.hits(&String::from_utf8_lossy(&form_decoded(name.as_bytes()))) {
        return of_text(pair, TARGET_SHOWN);
    }
    let mut pieces = of_text(name, TARGET_SHOWN);
    pieces.extend([Piece::Text("=".to_owned()), Piece::Masked]);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::capture::tests::request;

    fn text(pieces: &[Piece]) -> String {
        pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                other => format!("<{other:?}>"),
            })
            .collect()
    }

    #[test]
    fn the_target_is_shown_as_it_will_be_sent() {
        let shown = target("/admin/ops/1?force=1&x=%e2%80%ae", &Redaction::default());
        assert_eq!(text(&shown), "/admin/ops/1?force=1&x=%e2%80%ae");
    }

    #[test]
    fn masked_fields_are_masked_in_the_query_and_where_the_form_came_from() {
        let redaction = Redaction::of(&["password".to_owned()]);
        let shown = target("/x?p%61ssword=hunter2&id=1", &redaction);
        assert_eq!(text(&shown), "/x?p%61ssword=<Masked>&id=1");
        let referer = b"https://crm.example.org/x?password=hunter2".to_vec();
        let captured = CapturedRequest { headers: vec![("Referer".to_owned(), referer)], ..request() };
        assert_eq!(text(&headers(&captured, &redaction)[0].1), "https://crm.example.org/x?password=<Masked>");
    }

    #[test]
    fn the_applications_credentials_are_shown_to_nobody() {
        let credentials =
            vec![("Cookie".to_owned(), b"sid=1".to_vec()), ("Authorization".to_owned(), b"Basic x".to_vec())];
        let captured = CapturedRequest { headers: credentials, ..request() };
        for (_, value) in headers(&captured, &Redaction::default()) {
            assert_eq!(value, [Piece::Masked]);
        }
    }
}
