//! Hands outbox rows to the drivers.
use std::sync::Arc;
use crate::secret::Keyring;
use crate::store::Store;
use crate::time::Clock;
/// The worker.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "plain parts")]
pub struct Worker { pub store: Store, pub keyring: Arc<Keyring>, pub clock: Arc<dyn Clock>, pub sms: Option<Arc<dyn super::sms::Sms>>, pub mail: Option<Arc<dyn super::mail::Mail>>, /// Told when something was queued.
    pub wake: Arc<tokio::sync::Notify> }
impl Worker {
    /// Works until `stop` resolves: on every wake and at least each second; several messages at once, bounded.
    pub async fn run(self, stop: impl std::future::Future<Output = ()> + Send) { let _ = stop; todo!() }
}
