//! The backend's answer, kept for the requester.
/// Status, headers (end-to-end only) and body as the backend gave them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "plain")]
pub struct Answer { pub status: u16, pub headers: Vec<(String, Vec<u8>)>, /// None: longer than `holding.answer_limit`, not kept.
    pub body: Option<Vec<u8>> }
impl Answer {
    /// Bytes to seal.
    pub fn encode(&self) -> Vec<u8> { todo!() }
    /// Back from them.
    pub fn decode(bytes: &[u8]) -> Option<Self> { let _ = bytes; todo!() }
}
