//! What is kept of a held request: exactly what will be sent.
/// The captured request. Headers are those to be forwarded (hop-by-hop, managed headers and gateway cookies already removed by the edge).
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "plain")]
pub struct CapturedRequest { pub method: String, /// Path and query as sent.
    pub target: String, /// Scheme and host the client used: `https`, `crm.example.org`.
    pub scheme: String, pub host: String, /// In order, values as bytes.
    pub headers: Vec<(String, Vec<u8>)>, pub body: Vec<u8>, /// The client's address.
    pub client: std::net::IpAddr, /// How the requester was signed in when asking.
    pub amr: Vec<crate::identity::Amr>, pub auth_time: crate::time::Timestamp, pub second_factor_at: Option<crate::time::Timestamp>, pub request_id: String }
impl CapturedRequest {
    /// Bytes to seal.
    pub fn encode(&self) -> Vec<u8> { todo!() }
    /// Back from them.
    pub fn decode(bytes: &[u8]) -> Option<Self> { let _ = bytes; todo!() }
    /// RFC 9530 `Content-Digest` value of the body: `sha-256=:…:`.
    pub fn digest(&self) -> String { todo!() }
}
