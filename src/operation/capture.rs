//! What is kept of a held request: exactly what will be sent.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::framing::{Reader, Writer};
use crate::identity::Amr;
use crate::secret::sha256;
use crate::time::Timestamp;

/// The captured request. Headers are those to be forwarded: hop-by-hop and managed headers and the gateway's cookies were
/// removed by the edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapturedRequest {
    /// The method.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// `http` or `https`, as the client used it.
    pub scheme: String,
    /// The host the client asked for.
    pub host: String,
    /// In order, values as bytes.
    pub headers: Vec<(String, Vec<u8>)>,
    /// As it came, content coding included.
    pub body: Vec<u8>,
    /// The client's address.
    pub client: IpAddr,
    /// How the requester was signed in when asking.
    pub amr: Vec<Amr>,
    /// Since when.
    pub auth_time: Timestamp,
    /// The second factor's moment.
    pub second_factor_at: Option<Timestamp>,
    /// The id of the request that asked, as in the log.
    pub request_id: String,
}

/// The first byte of the encoding.
const VERSION: u8 = 1;

// === impl CapturedRequest ===

impl CapturedRequest {
    /// Bytes to seal. No two requests give the same.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(VERSION);
        for text in [&self.method, &self.target, &self.scheme, &self.host, &self.request_id] {
            writer.text(text);
        }
        writer.text(&self.client.to_string());
        writer.count(self.amr.len());
        self.amr.iter().for_each(|proof| writer.text(proof.as_str()));
        writer.number(self.auth_time.as_millis());
        writer.maybe_number(self.second_factor_at.map(Timestamp::as_millis));
        writer.headers(&self.headers);
        writer.bytes(&self.body);
        writer.finish()
    }

    /// Back from them; nothing when they are not whole or of another version.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes, VERSION)?;
        let [method, target, scheme, host, request_id] =
            [reader.text()?, reader.text()?, reader.text()?, reader.text()?, reader.text()?];
        let client = reader.text()?.parse().ok()?;
        let amr = (0..reader.count()?).map(|_| reader.text()?.parse().ok()).collect::<Option<_>>()?;
        let auth_time = Timestamp::from_millis(reader.number()?);
        let second_factor_at = reader.maybe_number()?.pop().map(Timestamp::from_millis);
        let headers = reader.headers()?;
        let body = reader.bytes()?.to_vec();
        reader.end()?;
        Some(Self { method, target, scheme, host, headers, body, client, amr, auth_time, second_factor_at, request_id })
    }

    /// RFC 9530 `Content-Digest` value of the body: `sha-256=:…:`.
    pub fn digest(&self) -> String {
        digest_of(&self.body)
    }

    /// The first header called `name`, as text; nothing when absent or not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }
}

/// RFC 9530 `Content-Digest` value of `bytes`.
pub(super) fn digest_of(bytes: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(sha256(bytes)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A request as a browser would send it.
    pub(crate) fn request() -> CapturedRequest {
        CapturedRequest {
            method: "POST".to_owned(),
            target: "/admin/customers/42/delete?force=1".to_owned(),
            scheme: "https".to_owned(),
            host: "crm.example.org".to_owned(),
            headers: vec![("content-type".to_owned(), b"application/json".to_vec())],
            body: br#"{"reason":"asked for"}"#.to_vec(),
            client: "192.0.2.7".parse().unwrap(),
            amr: vec![Amr::Pwd, Amr::Otp],
            auth_time: Timestamp::from_secs(1_000),
            second_factor_at: Some(Timestamp::from_secs(1_001)),
            request_id: "r-1".to_owned(),
        }
    }

    #[test]
    fn the_digest_is_as_rfc_9530_writes_it() {
        let mut hello = request();
        hello.body = b"{\"hello\": \"world\"}\n".to_vec();
        // The value of RFC 9530 appendix B.1's example, LF included.
        assert_eq!(hello.digest(), "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:");
    }

    #[test]
    fn half_a_record_is_none() {
        let bytes = request().encode();
        for length in 0..bytes.len() {
            assert_eq!(CapturedRequest::decode(&bytes[..length]), None, "{length} bytes");
        }
        assert_eq!(CapturedRequest::decode(&[bytes, vec![0]].concat()), None);
    }

    proptest! {
        #[test]
        fn whatever_was_captured_comes_back(
            target in ".*", body: Vec<u8>, headers: Vec<(String, Vec<u8>)>, second: Option<i32>,
        ) {
            let second_factor_at = second.map(|secs| Timestamp::from_secs(i64::from(secs)));
            let captured = CapturedRequest { target, headers, body, second_factor_at, ..request() };
            prop_assert_eq!(CapturedRequest::decode(&captured.encode()), Some(captured));
        }

        #[test]
        fn no_bytes_make_reading_fail_otherwise_than_by_none(bytes: Vec<u8>) {
            let _ = CapturedRequest::decode(&[vec![VERSION], bytes].concat());
        }
    }
}
