//! Templates and notices.
use std::sync::Arc;
use crate::identity::{User, UserId};
use crate::account::phone::Phone;
use crate::secret::{Keyring, Random};
use crate::store::outbox::NewOutbox;
use crate::time::Timestamp;
/// One notice about an operation.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "plain")]
pub enum Notice<'a> {
    /// SMS to a validator, with their token.
    OperationAsked { operation: &'a str, title: &'a str, requester: &'a str, token: &'a crate::secret::OperationToken, minutes: u64 },
    /// SMS to every validator.
    OperationConfirmed { operation: &'a str, title: &'a str, confirmed_by: &'a str },
    /// Mail to the requester: what became of it. `state` is the stable word.
    OperationEnded { operation: &'a str, title: &'a str, state: &'a str, reason: Option<&'a str> },
}
/// Makes outbox rows. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Notices {}
impl Notices {
    /// With links to `portal_url`, messages replaced by `policies/messages/{en,fr}/*` where present, default language `language`.
    pub fn new(keyring: Arc<Keyring>, random: Arc<dyn Random>, portal_url: String, language: String) -> Self { let _ = (keyring, random, portal_url, language); todo!() }
    /// An SMS row for `to`.
    pub fn sms(&self, to: &User, phone: &Phone, notice: &Notice<'_>, now: Timestamp, deadline: Timestamp) -> NewOutbox { let _ = (to, phone, notice, now, deadline); todo!() }
    /// A mail row for `to`.
    pub fn mail(&self, to: &User, notice: &Notice<'_>, now: Timestamp, deadline: Timestamp) -> NewOutbox { let _ = (to, notice, now, deadline, Option::<UserId>::None); todo!() }
}
