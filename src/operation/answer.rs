//! The backend's answer, kept for the requester.

use super::framing::{Reader, Writer};

/// Status, headers (end-to-end only) and body as the backend gave them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// In order, values as bytes.
    pub headers: Vec<(String, Vec<u8>)>,
    /// None: longer than `holding.answer_limit`, not kept.
    pub body: Option<Vec<u8>>,
}

/// What is kept of a finished operation: the answer, and the address it is shown at. The request itself is gone by then.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) target: String,
    pub(super) answer: Answer,
}

/// The first byte of the encoding.
const VERSION: u8 = 1;

// === impl Answer ===

impl Answer {
    /// Bytes to seal.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(VERSION);
        writer.number(i64::from(self.status));
        writer.headers(&self.headers);
        writer.count(usize::from(self.body.is_some()));
        self.body.iter().for_each(|body| writer.bytes(body));
        writer.finish()
    }

    /// Back from them; nothing when they are not whole or of another version.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes, VERSION)?;
        let status = u16::try_from(reader.number()?).ok()?;
        let headers = reader.headers()?;
        let body = match reader.count()? {
            0 => None,
            1 => Some(reader.bytes()?.to_vec()),
            _ => return None,
        };
        reader.end()?;
        Some(Self { status, headers, body })
    }
}

// === impl Kept ===

impl Kept {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(VERSION);
        writer.text(&self.target);
        writer.bytes(&self.answer.encode());
        writer.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes, VERSION)?;
        let target = reader.text()?;
        let answer = Answer::decode(reader.bytes()?)?;
        reader.end()?;
        Some(Self { target, answer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whatever_was_kept_comes_back(
            target: String, status: u16, headers: Vec<(String, Vec<u8>)>, body: Option<Vec<u8>>,
        ) {
            let kept = Kept { target, answer: Answer { status, headers, body } };
            prop_assert_eq!(Kept::decode(&kept.encode()), Some(kept));
        }
    }

    #[test]
    fn an_empty_body_is_not_a_body_that_was_too_long() {
        let answer = |body| Answer { status: 204, headers: Vec::new(), body };
        assert_ne!(answer(None).encode(), answer(Some(Vec::new())).encode());
    }
}
