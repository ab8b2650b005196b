//! The second factor: given, given again, enrolled.

use uuid::Uuid;

use crate::account::totp::{Enrolment, matching_step};
use crate::identity::Amr;
use crate::secret::{framed, sha256};
use crate::session::login::act::{Act, Try};
use crate::session::login::progress::{PENDING, Proven, next_stage};
use crate::session::{LoginError, Step};
use crate::store::second_factors::SecondFactorRow;
use crate::store::sessions::{SessionRow, Stage};
use crate::time::Timestamp;

/// The id of the enrolment a session asks for. It is made of the session and of its last proof, so that nobody confirms a
/// seed that another browser was shown: somebody else who knows the password may have been.
fn enrolment_id(session: &SessionRow) -> Uuid {
    let digest =
        sha256(&framed(&[b"enrolment", session.id.0.as_bytes(), &session.auth_time.as_millis().to_be_bytes()]));
    let (half, _) = digest.split_first_chunk::<16>().expect("SHA-256 has 32 bytes");
    uuid::Builder::from_custom_bytes(*half).into_uuid()
}

fn is_young(row: &SecondFactorRow, now: Timestamp) -> bool {
    now.since(row.created_at) < PENDING
}

impl Act<'_> {
    /// What to show while enrolling: makes the seed, or shows this session's unconfirmed one again. For a pending session of
    /// stage `Enrol`, or for a live one after `reauthenticate`. A seed belongs to the session that asked for it: what one
    /// browser was shown is never shown to, nor confirmed by, another.
    pub async fn enrolment(&self, session: &SessionRow, issuer: &str) -> Result<Enrolment, LoginError> {
        let accounts = &self.login.accounts;
        let user = accounts.store.user(session.user).await?.ok_or(LoginError::Over)?.user;
        let rows = accounts.store.second_factors(user.id).await?;
        if rows.iter().any(|row| row.confirmed_at.is_some()) {
            return Err(LoginError::AlreadyEnrolled);
        }
        let (id, now) = (enrolment_id(session), self.now());
        if let Some(row) = rows.into_iter().find(|row| row.id == id && is_young(row, now)) {
            return Ok(Enrolment::reopen(&accounts.keyring, row, &user.name, issuer)?);
        }
        let shown = Enrolment::generate(&accounts.keyring, &*accounts.random, (id, user.id), &user.name, issuer, now);
        accounts.store.put_second_factor(&shown.row).await?;
        Ok(shown)
    }

    /// The code, for a pending session. Wrong or locked: `Refused` (the pending session stays until its 10 minutes are
    /// over).
    pub async fn second_factor(&self, pending: &SessionRow, code: &str) -> Result<Step, LoginError> {
        let row = self.user_of(pending, &[Stage::SecondFactor]).await?;
        let reserved = self.reserve(row.user.id).await?;
        let reserved = self.code_used(reserved, pending, code).await?;
        let proven = Proven { amr: with_otp(&pending.amr), second_factor_at: Some(self.now()) };
        let stage = next_stage(&row, self.security, true, &proven);
        let event = self.event("login.second-factor", "ok", row.user.id).on(pending.id.to_string());
        let step = self.advance(pending, &row, |next| proven.enter(stage, next), vec![event]).await?;
        self.settle(&row, stage, reserved).await?;
        Ok(step)
    }

    /// A code alone, in a live session with one factor or a stale one: it proves the factor, not the whole sign-in, so that
    /// other tries stay counted.
    pub async fn step_up(&self, session: &SessionRow, code: &str) -> Result<Step, LoginError> {
        let row = self.user_of(session, &[Stage::Live]).await?;
        let reserved = self.reserve(row.user.id).await?;
        let reserved = self.code_used(reserved, session, code).await?;
        let proven = Proven { amr: with_otp(&session.amr), second_factor_at: Some(self.now()) };
        let event = self.event("login.step-up", "ok", row.user.id).on(session.id.to_string());
        let step = self.advance(session, &row, |next| proven.enter(Stage::Live, next), vec![event]).await?;
        reserved.give_back(self.store()).await?;
        Ok(step)
    }

    /// The first right code: active from now on. A pending session becomes live; a live one gets its second factor. All
    /// other sessions of the user end. A live session must have proven itself within the last ten minutes, else `Over`.
    /// Takes no try: a code guesses nothing, the seed is on the screen of whoever types it.
    pub async fn confirm_enrolment(&self, session: &SessionRow, code: &str) -> Result<Step, LoginError> {
        let row = self.user_of(session, &[Stage::Enrol, Stage::Live]).await?;
        if !self.is_fresh(session) {
            return Err(LoginError::Over);
        }
        let Some((factor, step)) = self.first_code(session, code).await? else { return Err(LoginError::Refused) };
        let event = self.event("second-factor.enrolled", "ok", row.user.id).on(factor.id.to_string());
        if !self.store().confirm_second_factor(factor.id, step, self.now(), &[event]).await? {
            return Err(LoginError::Over);
        }
        self.end_others(session, "a second factor was enrolled").await?;
        let proven = Proven { amr: with_otp(&session.amr), second_factor_at: Some(self.now()) };
        let entered = self.advance(session, &row, |next| proven.enter(Stage::Live, next), Vec::new()).await?;
        if session.stage == Stage::Enrol {
            self.arrived(&row).await?;
        }
        Ok(entered)
    }

    /// This session's unconfirmed enrolment and the step the code is right for.
    async fn first_code(&self, session: &SessionRow, code: &str) -> Result<Option<(SecondFactorRow, i64)>, LoginError> {
        let rows = self.store().second_factors(session.user).await?;
        let asked = |row: &SecondFactorRow| row.confirmed_at.is_none() && row.id == enrolment_id(session);
        let Some(row) = rows.into_iter().find(|row| asked(row) && is_young(row, self.now())) else {
            return Err(LoginError::Over);
        };
        let step = matching_step(&self.login.accounts.keyring, &row, code, self.now())?;
        Ok(step.map(|step| (row, step)))
    }

    /// Uses the code of a confirmed factor, once for all who hold it (RFC 6238 section 5.2); wrong or used: refused.
    pub(super) async fn code_used(&self, reserved: Try, session: &SessionRow, code: &str) -> Result<Try, LoginError> {
        for row in self.store().second_factors(session.user).await? {
            if row.confirmed_at.is_none() {
                continue;
            }
            if let Some(step) = matching_step(&self.login.accounts.keyring, &row, code, self.now())?
                && self.store().use_step(row.id, step).await?
            {
                return Ok(reserved);
            }
        }
        self.refuse(reserved, "wrong or used code").await
    }

    /// Ends all other sessions of the user.
    pub(super) async fn end_others(&self, session: &SessionRow, reason: &'static str) -> Result<(), LoginError> {
        let event = self.event("session.ended", "ok", session.user).on("all others").with("reason", reason);
        self.store().end_sessions_of(session.user, Some(session.id), &[event]).await?;
        self.login.sessions.forget_user(session.user);
        Ok(())
    }
}

/// The proofs, the code among them.
pub(super) fn with_otp(amr: &[Amr]) -> Vec<Amr> {
    let before = amr.iter().copied().filter(|proof| *proof != Amr::Otp);
    before.chain([Amr::Otp]).collect()
}
