//! What a validator does besides confirming, and what a requester does: new token, deny, cancel.

use std::time::Duration;

use super::involved::Involved;
use super::leave::Exit;
use super::{Cause, MayNot, OperationError, Operations, State};
use crate::audit::Origin;
use crate::identity::SignedIn;

/// Between two tokens for one validator.
const TOKEN_EVERY: Duration = Duration::from_mins(1);
/// Characters of a denier's reason that are kept.
const REASON_LENGTH: usize = 500;

// === impl Operations ===

impl Operations {
    /// A new token for this validator, at most every 60 s: it ends the old one, where there is one (who became a validator
    /// after the asking has none), and keeps the count of tries.
    pub async fn new_token(&self, id: &str, validator: &SignedIn, origin: &Origin) -> Result<(), OperationError> {
        let involved = self.may_act(id, validator, origin).await?;
        let Involved { row, me, now, .. } = &involved;
        self.not_confirmed_by_them(&involved).await?.map_err(OperationError::NotAllowed)?;
        let recipient = self.recipient(me).ok_or(OperationError::NotAllowed(MayNot::NoPhone))?;
        let requester = involved.requester.as_ref().ok_or(OperationError::NotFound)?;
        let lifetime = involved.rule.as_ref().and_then(|today| today.hold()).map(|hold| hold.token_lifetime);
        let lifetime = lifetime.ok_or(OperationError::NotAllowed(MayNot::RuleChanged))?;
        let (token, sms) = self.invitation(row, &requester.user, &recipient, lifetime);
        let event = origin.event("operation.token-renewed", "ok").about(me.user.id).on(row.id.clone());
        let not_before = now.minus(TOKEN_EVERY);
        if self.store().replace_token(id, &token, not_before, &[sms], &[event]).await? {
            self.parts.notices.queued();
            return Ok(());
        }
        Err(self.why_no_token(id, validator, origin).await?)
    }

    /// Denies, with a reason. One denial is final.
    pub async fn deny(
        &self,
        id: &str,
        validator: &SignedIn,
        reason: &str,
        origin: &Origin,
    ) -> Result<(), OperationError> {
        let involved = self.may_act(id, validator, origin).await?;
        let reason = one_line(reason).ok_or(OperationError::NotAllowed(MayNot::ReasonMissing))?;
        let denied = self.leave(&involved.row, Exit::denied(&reason), origin).await?;
        self.moved_or_handled(id, denied).await
    }

    /// Cancelled by the requester, or by an administrator through the command line (`by` none).
    pub async fn cancel(&self, id: &str, by: Option<&SignedIn>, origin: &Origin) -> Result<(), OperationError> {
        let (row, exit) = match by {
            None => {
                let row = self.store().operation(id).await?.ok_or(OperationError::NotFound)?;
                (row, Exit::told(State::Cancelled, Cause::ByCommand))
            }
            Some(requester) => {
                let involved = self.involved(id, requester).await?;
                if !involved.is_requester() {
                    return Err(OperationError::NotAllowed(MayNot::NotTheRequester));
                }
                (involved.row, Exit::untold(State::Cancelled, Some(Cause::Cancelled)))
            }
        };
        self.waiting_in_time(&row, self.now(), origin).await?;
        let cancelled = self.leave(&row, exit, origin).await?;
        self.moved_or_handled(id, cancelled).await
    }

    /// Whoever may confirm it may also deny it and ask for a token; the freshness of a second factor apart.
    async fn may_act(&self, id: &str, validator: &SignedIn, origin: &Origin) -> Result<Involved, OperationError> {
        let involved = self.involved(id, validator).await?;
        self.capacity(&involved).await?.map_err(OperationError::NotAllowed)?;
        self.second_factor_given(&involved, validator).map_err(OperationError::NotAllowed)?;
        self.waiting_in_time(&involved.row, involved.now, origin).await?;
        Ok(involved)
    }

    async fn moved_or_handled(&self, id: &str, moved: bool) -> Result<(), OperationError> {
        if moved {
            return Ok(());
        }
        let row = self.store().operation(id).await?.ok_or(OperationError::NotFound)?;
        Err(OperationError::NotWaiting(row.state))
    }

    /// What a second look says: handled, over or confirmed meanwhile, else too soon after the last one.
    async fn why_no_token(
        &self,
        id: &str,
        validator: &SignedIn,
        origin: &Origin,
    ) -> Result<OperationError, OperationError> {
        let involved = self.may_act(id, validator, origin).await?;
        self.not_confirmed_by_them(&involved).await?.map_err(OperationError::NotAllowed)?;
        let Some(last) = self.store().operation_token(id, involved.me.user.id).await? else {
            return Ok(OperationError::NotAllowed(MayNot::NoToken));
        };
        Ok(OperationError::TooSoon(TOKEN_EVERY.saturating_sub(involved.now.since(last.issued_at))))
    }
}

/// A reason as one line of bounded length; nothing when it says nothing.
fn one_line(reason: &str) -> Option<String> {
    let words = reason.split(|letter: char| letter.is_whitespace() || letter.is_control());
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    (!line.is_empty()).then(|| line.chars().take(REASON_LENGTH).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_that_says_something() {
        assert_eq!(one_line(" not\r\n\u{1b} this\tone "), Some("not this one".to_owned()));
        assert_eq!(one_line(" \r\n"), None);
        assert_eq!(one_line(&"x".repeat(9_999)).map(|line| line.len()), Some(REASON_LENGTH));
    }
}
