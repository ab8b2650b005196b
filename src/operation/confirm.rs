//! Confirming: every check in its order. Two tries are reserved before a token is looked at, one of the operation and one of
//! the validator over all operations; a right token gives back the first and clears the second.
//!
//! ```text
//! concerned? ▸ may confirm? ▸ second factor? ▸ waiting? ▸ in time? ▸ another person than the earlier ones? ▸ try of the validator ▸ try of the operation
//!            ▸ token right? ▸ seal whole? ▸ still standing? ▸ stored, and with the quorum: on its way
//! ```

use std::time::Duration;

use super::involved::Involved;
use super::leave::Exit;
use super::rights::{Capacity, has_fresh_second_factor};
use super::standing::Standing;
use super::{Cause, ConfirmError, MayNot, OperationError, Operations, State, leave, seal};
use crate::account::lockout::{Attempt, Locked, Subject};
use crate::audit::Origin;
use crate::identity::SignedIn;
use crate::notify::{Notice, Times};
use crate::secret::{OperationToken, SecretText};
use crate::store::StoreError;
use crate::store::operations::{Confirmed, NewConfirmation, OperationRow, TokenRow};
use crate::store::outbox::NewOutbox;
use crate::test_points;
use crate::time::Timestamp;

/// A validator who passed every check but the token's.
struct Candidate {
    involved: Involved,
    token: TokenRow,
    now: Timestamp,
}

/// How long the SMS that says it was confirmed is worth sending.
const SMS_DEADLINE: Duration = Duration::from_hours(1);
/// How long another process may take over the tries it holds.
const OTHERS_TAKE: Duration = Duration::from_secs(2);

// === impl Operations ===

impl Operations {
    /// Confirms with a token; on quorum the delivery starts as a task of its own.
    pub async fn confirm(
        &self,
        id: &str,
        validator: &SignedIn,
        token: &SecretText,
        origin: &Origin,
    ) -> Result<State, ConfirmError> {
        let _turn = self.parts.hub.turn(validator.user.id, id).await;
        let candidate = self.candidate(id, validator, origin).await?;
        self.spend_a_try(&candidate, token, origin).await?;
        let row = &candidate.involved.row;
        if candidate.now >= candidate.token.expires_at {
            return Err(OperationError::NotAllowed(MayNot::TokenExpired).into());
        }
        let standing = self.whole_and_standing(row, candidate.now, origin).await?;
        self.store_confirmation(&candidate, &standing, origin).await
    }

    /// Everything up to the token.
    async fn candidate(&self, id: &str, validator: &SignedIn, origin: &Origin) -> Result<Candidate, ConfirmError> {
        let involved = self.involved(id, validator).await?;
        let capacity = self.capacity(&involved).await?.map_err(OperationError::NotAllowed)?;
        self.second_factor_given(&involved, validator).map_err(OperationError::NotAllowed)?;
        let now = involved.now;
        if capacity == Capacity::OwnOperation && !has_fresh_second_factor(validator, now) {
            return Err(ConfirmError::NeedsFreshSecondFactor);
        }
        self.waiting_in_time(&involved.row, now, origin).await?;
        self.not_confirmed_by_them(&involved).await?.map_err(OperationError::NotAllowed)?;
        let token = self.store().operation_token(id, validator.user.id).await?;
        let token = token.ok_or(OperationError::NotAllowed(MayNot::NoToken))?;
        Ok(Candidate { involved, token, now })
    }

    /// Whether it waits, and its time is not over: by the clock, whether or not the sweep has seen it. A clock that was set
    /// back before the asking counts as over: it would let the operation wait longer than it may.
    pub(super) async fn waiting_in_time(
        &self,
        row: &OperationRow,
        now: Timestamp,
        origin: &Origin,
    ) -> Result<(), OperationError> {
        if row.state != State::Waiting {
            return Err(OperationError::NotWaiting(row.state));
        }
        match super::sweep::over(row, now) {
            None => Ok(()),
            Some(cause) => {
                self.leave(row, Exit::told(State::Expired, cause), origin).await?;
                Err(OperationError::NotWaiting(State::Expired))
            }
        }
    }

    /// Reserves a try of the validator and one of the operation, then compares.
    async fn spend_a_try(
        &self,
        candidate: &Candidate,
        typed: &SecretText,
        origin: &Origin,
    ) -> Result<(), ConfirmError> {
        let security = self.parts.policy.load().security.clone();
        let validator = candidate.token.validator;
        let attempt =
            Attempt::reserve(self.store(), Subject::validator(validator), security.lockout, candidate.now).await?;
        let (attempt, last) = match attempt {
            Ok(attempt) => attempt,
            Err(Locked { .. }) => return Err(ConfirmError::ValidatorLocked),
        };
        let row = &candidate.involved.row;
        let limit = security.holding.token_attempts;
        let number = match self.reserve(row, limit, origin).await {
            Ok(number) => number,
            Err(error) => {
                // Nothing was compared.
                attempt.give_back(self.store()).await?;
                return Err(error);
            }
        };
        if self.is_right(&row.id, &candidate.token, typed) {
            return Ok(self.store().settle_token_try(&row.id, &attempt.cleared()).await?);
        }
        attempt.spend();
        self.wrong(candidate, (number, limit), last, origin).await
    }

    /// A try of the operation. All used while it still waits: another process is comparing, or one died doing so; if it stays
    /// so, the operation is dead.
    async fn reserve(&self, row: &OperationRow, limit: u32, origin: &Origin) -> Result<u32, ConfirmError> {
        if let Some(number) = self.store().reserve_token_try(&row.id, limit).await? {
            return Ok(number);
        }
        let state = self.until_moved(&row.id, OTHERS_TAKE, |state| state != State::Waiting).await?;
        match state {
            State::Waiting => {
                if let Some(number) = self.store().reserve_token_try(&row.id, limit).await? {
                    return Ok(number);
                }
                self.kill(row, origin).await?;
                Err(ConfirmError::Dead)
            }
            other => Err(OperationError::NotWaiting(other).into()),
        }
    }

    fn is_right(&self, operation: &str, stored: &TokenRow, typed: &SecretText) -> bool {
        let validator = stored.validator.to_string();
        OperationToken::parse(typed.expose()).is_some_and(|token| {
            token.digest(&self.parts.accounts.keyring, operation, &validator).matches(&stored.digest)
        })
    }

    /// A wrong token: recorded, and with the last try the operation is dead.
    async fn wrong(
        &self,
        candidate: &Candidate,
        (number, limit): (u32, u32),
        last_of_validator: bool,
        origin: &Origin,
    ) -> Result<(), ConfirmError> {
        let row = &candidate.involved.row;
        let validator = candidate.token.validator;
        let wrong = origin.event("operation.token-wrong", "refused").about(validator).on(row.id.clone());
        let locked = last_of_validator
            .then(|| origin.event("lockout.locked", "refused").about(validator).with("tries", "operation-token"));
        let events: Vec<_> = [wrong.with("try", number)].into_iter().chain(locked).collect();
        self.store().append_events(&events).await?;
        if number >= limit {
            self.kill(row, origin).await?;
            return Err(ConfirmError::Dead);
        }
        Err(ConfirmError::WrongToken { left: limit - number })
    }

    async fn kill(&self, row: &OperationRow, origin: &Origin) -> Result<(), StoreError> {
        tracing::warn!(event = "operation.dead", operation = %row.id, "too many wrong tokens");
        self.leave(row, Exit::told(State::Cancelled, Cause::TooManyTries), origin).await.map(drop)
    }

    /// The seal, then the requester's rights, read again: broken or gone, the operation goes with them.
    async fn whole_and_standing(
        &self,
        row: &OperationRow,
        now: Timestamp,
        origin: &Origin,
    ) -> Result<Standing, OperationError> {
        let Ok(Some(request)) = seal::open(&self.parts.accounts.keyring, row) else {
            self.bury(row, origin).await?;
            return Err(OperationError::SealBroken);
        };
        let standing = match self.standing(row, now).await? {
            Ok(standing) => standing.permit(row, &request, now).map(|_| standing),
            Err(word) => Err(word),
        };
        match standing {
            Ok(standing) => Ok(standing),
            Err(word) => {
                self.withdraw(row, word, origin).await?;
                Err(OperationError::NotWaiting(State::Withdrawn))
            }
        }
    }

    async fn store_confirmation(
        &self,
        candidate: &Candidate,
        standing: &Standing,
        origin: &Origin,
    ) -> Result<State, ConfirmError> {
        let row = &candidate.involved.row;
        let (validator, at) = (candidate.token.validator, candidate.now);
        let mac = seal::confirmation(&self.parts.accounts.keyring, row, validator, at);
        let new = NewConfirmation { operation: &row.id, validator, token: candidate.token.digest, at, mac };
        let event = leave::event(origin, State::Confirmed, row).with("of", row.quorum);
        let notices = self.confirmed_notices(candidate, standing).await?;
        match self.store().confirm_operation(&new, &[event], (&notices, &[])).await? {
            Confirmed::Counted(_) => {
                self.parts.hub.moved(&row.id);
                Ok(State::Waiting)
            }
            Confirmed::Quorum => {
                test_points::reach("confirm-stored");
                self.parts.hub.moved(&row.id);
                self.parts.notices.queued();
                self.start_delivery(&row.id);
                Ok(State::Confirmed)
            }
            Confirmed::TooLate => {
                let state = self.store().operation(&row.id).await?.map_or(State::Waiting, |row| row.state);
                Err(match state {
                    State::Waiting => OperationError::NotAllowed(MayNot::TokenReplaced),
                    other => OperationError::NotWaiting(other),
                }
                .into())
            }
        }
    }

    /// The second SMS: to every validator of the operation who has a phone, whether or not they could have confirmed it.
    async fn confirmed_notices(
        &self,
        candidate: &Candidate,
        standing: &Standing,
    ) -> Result<Vec<NewOutbox>, StoreError> {
        let row = &candidate.involved.row;
        let Some(hold) = standing.rule.hold.as_ref() else { return Ok(Vec::new()) };
        let holders = self.store().holders(crate::identity::Right::TokenValidator).await?;
        let mut names = self.names(candidate.involved.confirmations.iter().map(|given| given.validator)).await?;
        names.push(candidate.involved.me.user.name.clone());
        let confirmed_by = names.join(", ");
        let times = Times { now: candidate.now, deadline: candidate.now.plus(SMS_DEADLINE) };
        let validators = holders.iter().filter(|holder| super::rights::is_validator(holder, hold, candidate.now));
        Ok(validators
            .filter_map(|holder| self.recipient(holder))
            .map(|recipient| {
                let title = self.title_for(recipient.user, row);
                let notice = Notice::OperationConfirmed { operation: &row.id, title, confirmed_by: &confirmed_by };
                self.parts.notices.sms(recipient.user, &recipient.phone, &notice, times)
            })
            .collect())
    }
}
