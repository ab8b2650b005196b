//! The delivery of a confirmed operation: a task of its own, which outlives requester and validator.
//!
//! 1. Everything is looked at again: seal, quorum, requester, rights, rule, and everybody who confirmed.
//!    Anything gone: withdrawn. Sent before, whatever its state says: dead.
//! 2. `sending` is committed. Whoever does not get that update sends nothing.
//! 3. The request leaves, once.
//! 4. What became of it is committed, with the answer and the mail to the requester. Until the store takes it, it is tried
//!    again; a process that ends before leaves `sending`, which the next one calls `unknown`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::answer::Kept;
use super::dispatch::{Deliver, Delivered};
use super::leave::Exit;
use super::rights::{self, Kinship};
use super::standing::Standing;
use super::{Answer, CapturedRequest, Cause, Operations, State, leave, seal, ticket};
use crate::identity::Right;
use crate::identity::assertion::OperationClaim;
use crate::policy::Permit;
use crate::secret::Sealed;
use crate::store::StoreError;
use crate::store::operations::{Confirmation, KeptAnswer, OperationRow, Outcome};
use crate::store::users::UserRow;
use crate::test_points;
use crate::time::Timestamp;

/// A confirmed operation about which everything was found right.
struct Ready {
    permit: Permit,
    request: CapturedRequest,
    claim: OperationClaim,
    backend: String,
}

/// Why a confirmed operation is not sent.
enum NotReady {
    /// Its standing is gone.
    Withdrawn(Cause),
    /// Its record was changed.
    SealBroken,
    /// The store does not say: it stays confirmed, and is looked at again.
    Store(StoreError),
}

/// Between two tries to record an outcome.
const RECORD_EVERY: Duration = Duration::from_secs(1);
/// Most operations taken up at once at start.
const TAKEN_UP: i64 = 10_000;

// === impl Operations ===

impl Operations {
    /// Binds the way out and takes up what an earlier process left: `confirmed` is delivered, `sending` becomes `unknown`.
    pub async fn start(&self, deliver: Arc<dyn Deliver>) -> Result<(), StoreError> {
        // A second way out would be a mistake of whoever builds the application; the first one stays.
        let _ = self.parts.deliver.set(deliver);
        let origin = self.own_origin();
        for row in self.store().operations(&[State::Sending], TAKEN_UP).await? {
            tracing::error!(event = "operation.unknown", operation = %row.id, "interrupted while it was being sent");
            self.leave(&row, Exit::told(State::Unknown, Cause::Interrupted), &origin).await?;
        }
        self.resume().await
    }

    /// Starts the delivery of whatever is confirmed and not on its way.
    pub(super) async fn resume(&self) -> Result<(), StoreError> {
        if self.parts.deliver.get().is_none() {
            return Ok(());
        }
        for row in self.store().operations(&[State::Confirmed], TAKEN_UP).await? {
            self.start_delivery(&row.id);
        }
        Ok(())
    }

    /// Delivers in a task of its own. A process without a way out (a command) leaves it to the one that serves.
    pub(super) fn start_delivery(&self, id: &str) {
        let Some(deliver) = self.parts.deliver.get().cloned() else { return };
        let operations = self.clone();
        let id = id.to_owned();
        tokio::spawn(async move {
            let Some(_delivering) = operations.parts.hub.deliver(&id) else { return };
            if let Err(error) = operations.deliver_confirmed(&id, &deliver).await {
                tracing::warn!(event = "operation.delayed", operation = %id, %error, "confirmed; sent when the database is back");
            }
        });
    }

    async fn deliver_confirmed(&self, id: &str, deliver: &Arc<dyn Deliver>) -> Result<(), StoreError> {
        let Some(row) = self.store().operation(id).await?.filter(|row| row.state == State::Confirmed) else {
            return Ok(());
        };
        let origin = self.own_origin();
        let ready = match self.ready(&row).await {
            Ok(ready) => ready,
            Err(NotReady::Store(error)) => return Err(error),
            Err(NotReady::Withdrawn(why)) => return self.withdraw(&row, why, &origin).await.map(drop),
            Err(NotReady::SealBroken) => return self.bury(&row, &origin).await.map(drop),
        };
        if !self.leave(&row, Exit::untold(State::Sending, None), &origin).await? {
            return Ok(());
        }
        test_points::reach("before-dispatch");
        let target = ready.request.target.clone();
        let delivered = self.send_once(ready, deliver.clone()).await;
        test_points::reach("answer-before-recording");
        let sending = OperationRow { state: State::Sending, ..row };
        self.record(&sending, &target, delivered).await;
        Ok(())
    }

    /// Looks at everything again, as if nothing had been looked at before.
    async fn ready(&self, row: &OperationRow) -> Result<Ready, NotReady> {
        let now = self.now();
        let Ok(Some(request)) = seal::open(&self.parts.accounts.keyring, row) else { return Err(NotReady::SealBroken) };
        // Whoever sets a state back in the database does not have it sent twice.
        if self.store().has_event(leave::SENT, &row.id).await? {
            return Err(NotReady::SealBroken);
        }
        let confirmations = self.own_confirmations(row).await?;
        if is_short(row, confirmations.len()) {
            return Err(NotReady::SealBroken);
        }
        let standing = self.standing(row, now).await?.map_err(NotReady::Withdrawn)?;
        let permit = standing.permit(row, &request, now).map_err(NotReady::Withdrawn)?;
        self.confirmers_stand(row, &confirmations, &standing, now).await?.map_err(NotReady::Withdrawn)?;
        let confirmed_at = confirmations.iter().map(|given| given.at).max().unwrap_or(now);
        let claim = OperationClaim {
            id: row.id.clone(),
            digest: request.digest(),
            requested_at: row.created_at.as_secs(),
            confirmed_by: self.names(confirmations.iter().map(|given| given.validator)).await?,
            confirmed_at: confirmed_at.as_secs(),
        };
        Ok(Ready { permit, request, claim, backend: row.backend.clone() })
    }

    /// Those that the gateway itself stored, each validator once.
    async fn own_confirmations(&self, row: &OperationRow) -> Result<Vec<Confirmation>, StoreError> {
        let mut seen = HashSet::new();
        let mut confirmations = self.store().confirmations(&row.id).await?;
        confirmations.retain(|given| {
            seal::is_confirmed(&self.parts.accounts.keyring, row, given) && seen.insert(given.validator)
        });
        Ok(confirmations)
    }

    /// Whether everybody who confirmed still may, and enough of them are different people; else why not.
    async fn confirmers_stand(
        &self,
        row: &OperationRow,
        confirmations: &[Confirmation],
        standing: &Standing,
        now: Timestamp,
    ) -> Result<Result<(), Cause>, StoreError> {
        let Some(hold) = standing.rule.hold.as_ref() else { return Ok(Err(Cause::RuleChanged)) };
        let holders = self.store().holders(Right::TokenValidator).await?;
        let mut people: Vec<&UserRow> = Vec::new();
        for given in confirmations {
            let holder = holders.iter().find(|holder| holder.user.id == given.validator);
            let able = |holder: &&UserRow| rights::capacity(holder, &standing.requester, hold, &holders, now).is_ok();
            let Some(confirmer) = holder.filter(able) else { return Ok(Err(Cause::ValidatorLostRight)) };
            if people.iter().all(|other| rights::kinship(confirmer, other) == Kinship::Stranger) {
                people.push(confirmer);
            }
        }
        Ok(if is_short(row, people.len()) { Err(Cause::ValidatorsAreOne) } else { Ok(()) })
    }

    /// In a task of its own: should it panic, nobody knows how far it came.
    async fn send_once(&self, ready: Ready, deliver: Arc<dyn Deliver>) -> Delivered {
        let limit = self.parts.policy.load().security.holding.answer_limit;
        let sending = tokio::spawn(async move {
            let Ready { permit, request, claim, backend } = ready;
            deliver.deliver(permit, &request, &claim, &backend, limit).await
        });
        sending.await.unwrap_or_else(|_| Delivered::Unknown("the delivery broke off".to_owned()))
    }

    /// Commits what became of it, as often as it takes.
    async fn record(&self, row: &OperationRow, target: &str, delivered: Delivered) {
        let kept = match &delivered {
            Delivered::Answered(answer) => Some(self.sealed_answer(row, target, answer)),
            Delivered::NotSent(_) | Delivered::Unknown(_) => None,
        };
        loop {
            let recorded = match (&delivered, &kept) {
                (Delivered::Answered(answer), Some(kept)) => self.record_answer(row, answer.status, kept).await,
                (Delivered::NotSent(why), _) => self.record_failure(row, State::Withdrawn, Cause::NotSent, why).await,
                (Delivered::Unknown(why), _) => self.record_failure(row, State::Unknown, Cause::NoAnswer, why).await,
                (Delivered::Answered(_), None) => unreachable!("an answer was sealed above"),
            };
            match recorded {
                Ok(true) => return,
                Ok(false) => {
                    tracing::error!(event = "operation.unrecorded", operation = %row.id, "somebody else says how it ended");
                    return;
                }
                Err(error) => {
                    tracing::error!(event = "operation.unrecorded", operation = %row.id, %error, "tried again");
                }
            }
            tokio::time::sleep(RECORD_EVERY).await;
        }
    }

    fn sealed_answer(&self, row: &OperationRow, target: &str, answer: &Answer) -> Sealed<KeptAnswer> {
        let accounts = &self.parts.accounts;
        let kept = Kept { target: target.to_owned(), answer: answer.clone() };
        accounts.keyring.seal(accounts.random.as_ref(), ticket::place(&row.id), &kept.encode())
    }

    async fn record_answer(
        &self,
        row: &OperationRow,
        status: u16,
        kept: &Sealed<KeptAnswer>,
    ) -> Result<bool, StoreError> {
        let requester = self.store().user(row.requester).await?;
        let mail: Vec<_> =
            requester.iter().map(|requester| self.ended_mail(&requester.user, row, State::Done, None)).collect();
        let event = leave::event(&self.own_origin(), State::Done, row).with("status", status);
        let keep = self.parts.policy.load().security.holding.keep_answer;
        let now = self.now();
        let outcome = Outcome {
            operation: &row.id,
            status: i64::from(status),
            answer: Some(kept),
            answer_until: now.plus(keep),
            at: now,
            outbox: &mail,
            events: &[event],
        };
        let recorded = self.store().finish_operation(&outcome).await?;
        if recorded {
            self.parts.hub.moved(&row.id);
            self.parts.notices.queued();
        }
        Ok(recorded)
    }

    /// Surely nothing was sent: withdrawn. Otherwise: unknown.
    async fn record_failure(&self, row: &OperationRow, to: State, cause: Cause, why: &str) -> Result<bool, StoreError> {
        tracing::error!(event = "operation.undelivered", operation = %row.id, reason = cause.as_str(), why);
        self.leave(row, Exit::told(to, cause), &self.own_origin()).await
    }
}

/// Whether so many are too few for the quorum.
fn is_short(row: &OperationRow, given: usize) -> bool {
    i64::try_from(given).unwrap_or(i64::MAX) < row.quorum
}

// === impl NotReady ===

impl From<StoreError> for NotReady {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
