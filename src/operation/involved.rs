//! Somebody and the operation that is their business: everything an act on it needs to know, read again for each act.

use super::rights::{self, Capacity, Kinship, is_validator};
use super::standing::RuleToday;
use super::view::Redaction;
use super::{MayNot, OperationError, Operations};
use crate::identity::{Right, SignedIn, UserId};
use crate::store::StoreError;
use crate::store::operations::{Confirmation, OperationRow};
use crate::store::users::UserRow;
use crate::time::Timestamp;

/// Somebody, and the operation that is their business.
#[derive(Debug)]
pub(super) struct Involved {
    pub(super) row: OperationRow,
    /// As they are now, whatever their session remembers.
    pub(super) me: UserRow,
    pub(super) requester: Option<UserRow>,
    pub(super) rule: Option<RuleToday>,
    pub(super) confirmations: Vec<Confirmation>,
    pub(super) now: Timestamp,
}

// === impl Involved ===

impl Involved {
    pub(super) fn is_requester(&self) -> bool {
        self.row.requester == self.me.user.id
    }

    pub(super) fn confirmed_by(&self, validator: UserId) -> bool {
        self.confirmations.iter().any(|given| given.validator == validator)
    }

    /// Whether it is their business: they asked, they are a validator of it, or they confirmed it.
    fn is_concerned(&self) -> bool {
        let hold = self.rule.as_ref().and_then(RuleToday::hold);
        self.is_requester()
            || hold.is_some_and(|hold| is_validator(&self.me, hold, self.now))
            || self.confirmed_by(self.me.user.id)
    }

    pub(super) fn redaction(&self) -> Redaction {
        redaction(self.rule.as_ref())
    }

    /// In what capacity they may confirm, `holders` being all holders of the right; else why not.
    pub(super) fn capacity(&self, holders: &[UserRow]) -> Result<Capacity, MayNot> {
        let hold = self.rule.as_ref().and_then(RuleToday::hold).ok_or(MayNot::RuleChanged)?;
        let requester = self.requester.as_ref().ok_or(MayNot::RequesterGone)?;
        rights::capacity(&self.me, requester, hold, holders, self.now)
    }
}

/// What is masked: what the rule that held it says. Another rule of that name says nothing about it.
pub(super) fn redaction(rule: Option<&RuleToday>) -> Redaction {
    match rule {
        Some(today) if today.same => {
            today.hold().map_or_else(Redaction::everything, |hold| Redaction::of(&hold.redact))
        }
        _ => Redaction::everything(),
    }
}

// === impl Operations ===

impl Operations {
    /// The operation, when it is the business of `viewer`.
    pub(super) async fn involved(&self, id: &str, viewer: &SignedIn) -> Result<Involved, OperationError> {
        if id.len() != 8 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(OperationError::NotFound);
        }
        let me = self.person(viewer).await?;
        let row = self.store().operation(id).await?.ok_or(OperationError::NotFound)?;
        let involved = Involved {
            me,
            requester: self.store().user(row.requester).await?,
            rule: self.rule_today(&row),
            confirmations: self.store().confirmations(id).await?,
            now: self.now(),
            row,
        };
        if involved.is_concerned() { Ok(involved) } else { Err(OperationError::NotFound) }
    }

    /// In what capacity they may confirm; else why not.
    pub(super) async fn capacity(&self, involved: &Involved) -> Result<Result<Capacity, MayNot>, StoreError> {
        Ok(involved.capacity(&self.store().holders(Right::TokenValidator).await?))
    }

    /// Whether neither they nor anybody who is the same person, as far as anybody can tell, has confirmed it already.
    pub(super) async fn not_confirmed_by_them(&self, involved: &Involved) -> Result<Result<(), MayNot>, StoreError> {
        if involved.confirmed_by(involved.me.user.id) {
            return Ok(Err(MayNot::AlreadyConfirmed));
        }
        for given in &involved.confirmations {
            let earlier = self.store().user(given.validator).await?;
            if earlier.is_some_and(|earlier| rights::kinship(&involved.me, &earlier) != Kinship::Stranger) {
                return Ok(Err(MayNot::KinConfirmed));
            }
        }
        Ok(Ok(()))
    }

    /// Whether the session has the second factor that the policy asks of such a person.
    pub(super) fn second_factor_given(&self, involved: &Involved, session: &SignedIn) -> Result<(), MayNot> {
        let required = self.parts.policy.load().security.second_factor.is_required(&involved.me.user);
        if required && session.factors() < 2 {
            return Err(MayNot::NeedsSecondFactor);
        }
        Ok(())
    }

    /// The user names of `people`, in their order; those whose account is gone are left out.
    pub(super) async fn names(&self, people: impl Iterator<Item = UserId>) -> Result<Vec<String>, StoreError> {
        let mut names = Vec::new();
        for person in people {
            names.extend(self.store().user(person).await?.map(|row| row.user.name));
        }
        Ok(names)
    }

    pub(super) async fn person(&self, viewer: &SignedIn) -> Result<UserRow, OperationError> {
        self.store().user(viewer.user.id).await?.ok_or(OperationError::NotFound)
    }

    pub(super) fn rule_today(&self, row: &OperationRow) -> Option<RuleToday> {
        RuleToday::of(&self.parts.policy.load(), row)
    }
}
