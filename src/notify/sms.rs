//! SMS drivers.
use super::Sent;
use async_trait::async_trait;
/// A way to send an SMS.
#[async_trait]
pub trait Sms: Send + Sync + std::fmt::Debug {
    /// Sends `text` to `to` (E.164), within 10 s.
    async fn send(&self, to: &str, text: &str) -> Sent;
}
