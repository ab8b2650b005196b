//! What somebody does about a second factor of their own that is on: an authenticator less, other recovery codes. (An
//! authenticator more is an enrolment: `factor.rs`.)
//!
//! Each asks for the password and a code (or a recovery code) in one step with the act: one try for all. The code is used, the
//! factors are changed, all other sessions end, this one gets another token, the trail and the owner are told; or nothing of it
//! happens. Who has no authenticator left has one factor from then on, in this session too.

use uuid::Uuid;

use crate::audit::NewEvent;
use crate::identity::Amr;
use crate::notify::{FactorNews, News};
use crate::session::login::act::Act;
use crate::session::login::factor::with_otp;
use crate::session::{Enrolled, LoginError, Proof, Step};
use crate::store::second_factors::FactorChange;
use crate::store::sessions::{SessionRow, Stage};
use crate::store::users::UserRow;

/// What is to be changed, and what is said of it.
struct Planned {
    change: FactorChange,
    event: NewEvent,
    news: FactorNews,
    /// Whether an authenticator is left.
    stays_on: bool,
}

impl Act<'_> {
    /// Removes one of the user's authenticators; the last one as [`Self::switch_off`] does. `NotEnrolled` when it is none
    /// of theirs.
    pub async fn remove_authenticator(
        &self,
        session: &SessionRow,
        authenticator: Uuid,
        proof: &Proof,
    ) -> Result<Step, LoginError> {
        let row = self.user_of(session, &[Stage::Live]).await?;
        let authenticators = self.authenticators(row.user.id).await?;
        if !authenticators.iter().any(|own| own.id == authenticator) {
            return Err(LoginError::NotEnrolled);
        }
        if authenticators.len() == 1 {
            return self.switch_off(session, proof).await;
        }
        let event = self.event("second-factor.removed", "ok", row.user.id).on(authenticator.to_string());
        let (change, news) = (FactorChange::Remove(authenticator), FactorNews::Removed);
        self.change_factor(session, &row, proof, Planned { change, event, news, stays_on: true }).await
    }

    /// Removes all authenticators and the recovery codes. `FactorRequired`, before anything is looked at, where the policy
    /// asks this user for a second factor.
    pub async fn switch_off(&self, session: &SessionRow, proof: &Proof) -> Result<Step, LoginError> {
        let row = self.user_of(session, &[Stage::Live]).await?;
        if self.security.second_factor.is_required(&row.user) {
            return Err(LoginError::FactorRequired);
        }
        let event = self.event("second-factor.switched-off", "ok", row.user.id);
        let (change, news) = (FactorChange::RemoveAll, FactorNews::SwitchedOff);
        self.change_factor(session, &row, proof, Planned { change, event, news, stays_on: false }).await
    }

    /// Other recovery codes in the place of those before, which are dead from that moment on.
    pub async fn renew_recovery_codes(&self, session: &SessionRow, proof: &Proof) -> Result<Enrolled, LoginError> {
        let row = self.user_of(session, &[Stage::Live]).await?;
        let codes = self.new_codes();
        let event = self.event("second-factor.recovery-codes-renewed", "ok", row.user.id);
        let (change, news) = (self.stored(&codes, row.user.id), FactorNews::RecoveryRenewed);
        let step = self.change_factor(session, &row, proof, Planned { change, event, news, stays_on: true }).await?;
        Ok(Enrolled { step, recovery: Some(codes) })
    }

    async fn change_factor(
        &self,
        session: &SessionRow,
        row: &UserRow,
        proof: &Proof,
        planned: Planned,
    ) -> Result<Step, LoginError> {
        let (reserved, right) = self.prove(row, proof).await?;
        let Some(right) = right else {
            reserved.give_back(self.store()).await?;
            return Err(LoginError::NotEnrolled);
        };
        let Planned { change, event, news, stays_on } = planned;
        let with = right
            .with()
            .changing(Some(change))
            .settling(Some(reserved.cleared()))
            .telling(event)
            .telling(self.all_others_ended(&row.user, CHANGED))
            .writing(self.login.notices.mail_to_owner(&row.user, News::FactorChanged(news), &self.origin));
        let (id, now) = (self.another_id(), self.now());
        let proven = |next: &mut SessionRow| {
            (next.id, next.auth_time) = (id, now);
            next.memory = next.memory.without_device();
            next.amr = if stays_on { with_otp(&[Amr::Pwd]) } else { vec![Amr::Pwd] };
            next.second_factor_at = stays_on.then_some(now);
        };
        let step = self.advance_or_refuse(reserved, session, row, proven, with).await?;
        self.login.sessions.forget_user(row.user.id);
        Ok(step)
    }
}

/// What the trail says of the sessions that end with it.
const CHANGED: &str = "the second factor was changed";
