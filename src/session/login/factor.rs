//! The second factor: given, given again, enrolled.

use uuid::Uuid;

use crate::account::totp::{Enrolment, matching_step};
use crate::identity::{Amr, UserId};
use crate::secret::{framed, sha256};
use crate::session::login::act::{Act, Try};
use crate::session::login::progress::{PENDING, Proven, With, next_stage};
use crate::session::{LoginError, Step};
use crate::store::second_factors::{Code, SecondFactorRow};
use crate::store::sessions::{SessionRow, Stage};
use crate::store::users::UserRow;
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
        let Some(right) = self.right_code(pending, code).await? else { return self.refuse(reserved, WRONG_CODE).await };
        let proven = Proven { amr: with_otp(&pending.amr), second_factor_at: Some(self.now()) };
        let stage = next_stage(&row, self.security, true, &proven);
        let event = self.event("login.second-factor", "ok", row.user.id).on(pending.id.to_string());
        // Behind a remembered device this is no whole sign-in: what was counted before stays counted.
        let tries = if pending.is_remembered() { reserved.given_back() } else { reserved.settled(stage) };
        let with = With::code(right).settling(tries).telling(event);
        self.advance_or_refuse(reserved, pending, &row, |next| proven.enter(stage, next), with).await
    }

    /// A code alone, in a live session with one factor or a stale one: it proves the factor, not the whole sign-in, so that
    /// other tries stay counted.
    pub async fn step_up(&self, session: &SessionRow, code: &str) -> Result<Step, LoginError> {
        let row = self.user_of(session, &[Stage::Live]).await?;
        let reserved = self.reserve(row.user.id).await?;
        let Some(right) = self.right_code(session, code).await? else { return self.refuse(reserved, WRONG_CODE).await };
        let proven = Proven { amr: with_otp(&session.amr), second_factor_at: Some(self.now()) };
        let event = self.event("login.step-up", "ok", row.user.id).on(session.id.to_string());
        let with = With::code(right).settling(reserved.given_back()).telling(event);
        self.advance_or_refuse(reserved, session, &row, |next| proven.enter(Stage::Live, next), with).await
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
        let proven = Proven { amr: with_otp(&session.amr), second_factor_at: Some(self.now()) };
        let with = With::code(Code::Enrols { factor: factor.id, step, at: self.now() })
            .settling((session.stage == Stage::Enrol).then(|| self.settled_without_try(&row)))
            .telling(self.event("second-factor.enrolled", "ok", row.user.id).on(factor.id.to_string()))
            .telling(self.event("session.ended", "ok", row.user.id).on("all others").with("reason", ENROLLED));
        let entered = self
            .advance(
                session,
                &row,
                |next| {
                    proven.enter(Stage::Live, next);
                    // Its device is forgotten with all others: it was made when one factor was enough.
                    next.memory = next.memory.without_device();
                },
                with,
            )
            .await?;
        self.login.sessions.forget_user(row.user.id);
        entered.ok_or(LoginError::Over)
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

    /// The use of the code of a confirmed factor: it is used by the session it opens, once for all who hold it. Nothing when
    /// it is wrong or used.
    pub(super) async fn right_code(&self, session: &SessionRow, code: &str) -> Result<Option<Code>, LoginError> {
        for row in self.store().second_factors(session.user).await? {
            if row.confirmed_at.is_none() {
                continue;
            }
            let step = matching_step(&self.login.accounts.keyring, &row, code, self.now())?;
            if let Some(step) = step {
                return Ok(Some(Code::Used { factor: row.id, step }));
            }
        }
        Ok(None)
    }

    /// Puts a session of more level in the place of `session`, if the code is used by nobody else at this moment.
    pub(super) async fn advance_or_refuse(
        &self,
        reserved: Try,
        session: &SessionRow,
        row: &UserRow,
        change: impl FnOnce(&mut SessionRow),
        with: With,
    ) -> Result<Step, LoginError> {
        match self.advance(session, row, change, with).await {
            Ok(Some(step)) => Ok(step),
            Ok(None) => self.refuse(reserved, WRONG_CODE).await,
            Err(LoginError::Over) => {
                self.tell_overtaken(session.user).await?;
                Err(LoginError::Over)
            }
            Err(error) => Err(error),
        }
    }
}

impl Act<'_> {
    /// A right code whose session was gone by then: most often the same form, sent twice. Nothing was guessed; whether the
    /// try still counts, or went with the counter, is as the other one left it.
    async fn tell_overtaken(&self, user: UserId) -> Result<(), LoginError> {
        let event = self.event("login.refused", "refused", user);
        let event = event.with("reason", "the sign-in ended, or the account was changed, meanwhile");
        Ok(self.store().append_events(&[event]).await?)
    }
}

/// What the trail says of a code that opened nothing.
pub(super) const WRONG_CODE: &str = "wrong or used code";

/// What the trail says of the sessions that end with an enrolment.
const ENROLLED: &str = "a second factor was enrolled";

/// The proofs, the code among them.
pub(super) fn with_otp(amr: &[Amr]) -> Vec<Amr> {
    let before = amr.iter().copied().filter(|proof| *proof != Amr::Otp);
    before.chain([Amr::Otp]).collect()
}
