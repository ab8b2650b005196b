//! The acts on operations.
use std::sync::Arc;
use std::time::Duration;
use super::{Answer, CapturedRequest, Deliver, State, View};
use crate::account::Accounts;
use crate::audit::Origin;
use crate::identity::SignedIn;
use crate::notify::Notices;
use crate::policy::{Policy, Rule, Site};
use crate::secret::SecretText;
use crate::store::StoreError;
/// The service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Operations {}
/// A request to hold.
#[derive(Debug)]
#[expect(missing_docs, reason = "plain")]
pub struct Ask { pub site: Arc<Site>, pub rule: Arc<Rule>, pub requester: Arc<SignedIn>, pub request: CapturedRequest, pub title_en: String, pub title_fr: String, /// The backend chosen when asked.
    pub backend: String }
/// What was stored.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "plain")]
pub struct Asked { pub id: String, pub title_en: String, pub title_fr: String, pub expires_at: crate::time::Timestamp }
/// Why not.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum OperationError { /// No such operation, or not this person's business: the same 404.
    #[error("there is no such operation")] NotFound, #[error("the operation is not waiting any more: {0:?}")] NotWaiting(State), #[error("not allowed: {0}")] NotAllowed(&'static str), #[error("a new token can be asked for in {0:?}")] TooSoon(Duration), #[error("the record was changed: it is dead")] SealBroken, #[error(transparent)] Store(#[from] StoreError) }
/// Why a confirmation was not taken.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ConfirmError { #[error(transparent)] Operation(#[from] OperationError), #[error("the token is not right; {left} tries are left")] WrongToken { left: u32 }, #[error("too many wrong tokens: the operation is cancelled")] Dead, #[error("too many wrong tokens by this validator: try again later")] ValidatorLocked, #[error("a second factor no older than 5 minutes is needed")] NeedsFreshSecondFactor }
impl Operations {
    /// Built once. `policy` gives the policy of the moment. Delivery is bound later (`bind`), as the edge is built after.
    pub fn new(accounts: Accounts, notices: Notices, policy: Arc<arc_swap::ArcSwap<Policy>>, clock: Arc<dyn crate::time::Clock>) -> Self { let _ = (accounts, notices, policy, clock); todo!() }
    /// Binds the way out and takes up what an earlier process left: `confirmed` is delivered, `sending` becomes `unknown`.
    pub async fn start(&self, deliver: Arc<dyn Deliver>) -> Result<(), StoreError> { let _ = deliver; todo!() }
    /// Holds a request: record, tokens and notices in one transaction, before anything is answered.
    pub async fn ask(&self, ask: Ask, origin: &Origin) -> Result<Asked, OperationError> { let _ = (ask, origin); todo!() }
    /// As `viewer` may see it: the requester, or whoever may validate it; else `NotFound`.
    pub async fn view(&self, id: &str, viewer: &SignedIn) -> Result<View, OperationError> { let _ = (id, viewer); todo!() }
    /// The body as it will be sent, for download by a validator (redacted rules: `NotAllowed`).
    pub async fn body(&self, id: &str, viewer: &SignedIn) -> Result<Vec<u8>, OperationError> { let _ = (id, viewer); todo!() }
    /// What waits for `validator`, newest first (titles, requester, when; not the bodies).
    pub async fn waiting_for(&self, validator: &SignedIn) -> Result<Vec<View>, OperationError> { let _ = validator; todo!() }
    /// The state alone, for the requester (polling; wait page; status URL).
    pub async fn state(&self, id: &str, viewer: &SignedIn) -> Result<(State, Option<String>, crate::time::Timestamp), OperationError> { let _ = (id, viewer); todo!() }
    /// Confirms with a token; on quorum the delivery starts as a task of its own.
    pub async fn confirm(&self, id: &str, validator: &SignedIn, token: &SecretText, origin: &Origin) -> Result<State, ConfirmError> { let _ = (id, validator, token, origin); todo!() }
    /// A new token for this validator, at most every 60 s.
    pub async fn new_token(&self, id: &str, validator: &SignedIn, origin: &Origin) -> Result<(), OperationError> { let _ = (id, validator, origin); todo!() }
    /// Denies, with a reason.
    pub async fn deny(&self, id: &str, validator: &SignedIn, reason: &str, origin: &Origin) -> Result<(), OperationError> { let _ = (id, validator, reason, origin); todo!() }
    /// Cancelled by the requester, or by an administrator through the command line (`by` none).
    pub async fn cancel(&self, id: &str, by: Option<&SignedIn>, origin: &Origin) -> Result<(), OperationError> { let _ = (id, by, origin); todo!() }
    /// Waits until the operation has reached a final state or `most` is over; the state then.
    pub async fn wait(&self, id: &str, viewer: &SignedIn, most: Duration) -> Result<State, OperationError> { let _ = (id, viewer, most); todo!() }
    /// The kept answer, for the requester alone.
    pub async fn answer(&self, id: &str, viewer: &SignedIn) -> Result<Option<Answer>, OperationError> { let _ = (id, viewer); todo!() }
    /// Makes a one-use ticket for showing the answer at the address of the original request: (cookie value, path and query).
    pub async fn answer_ticket(&self, id: &str, viewer: &SignedIn) -> Result<(String, String), OperationError> { let _ = (id, viewer); todo!() }
    /// Uses a ticket presented with a GET of `target`: the kept answer, once.
    pub async fn redeem_ticket(&self, ticket: &str, target: &str, viewer: &SignedIn) -> Result<Option<Answer>, OperationError> { let _ = (ticket, target, viewer); todo!() }
    /// A change mark said this operation moved (another process): wakes those who wait.
    pub fn moved(&self, id: &str) { let _ = id; }
    /// A session ended by logout or time-out: withdraws what needs it.
    pub async fn session_ended(&self, session: crate::identity::SessionId) -> Result<(), StoreError> { let _ = session; todo!() }
    /// Expires what is over, withdraws what lost its rights, drops old answers. Called every second.
    pub async fn sweep(&self) -> Result<(), StoreError> { todo!() }
}
