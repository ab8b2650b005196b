//! Mail drivers.
use super::Sent;
use async_trait::async_trait;
/// A mail to be sent.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[expect(missing_docs, reason = "plain")]
pub struct Letter { pub to: String, pub to_name: String, pub subject: String, pub text: String, pub html: Option<String> }
/// A way to send a mail.
#[async_trait]
pub trait Mail: Send + Sync + std::fmt::Debug {
    /// Sends, within 20 s.
    async fn send(&self, letter: &Letter) -> Sent;
}
