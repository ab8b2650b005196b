//! The second factor: given, given again, enrolled.
//!
//! It is given as a **code** of one of the user's authenticators, or as a **recovery code** in its place; both are guessed
//! at the cost of the same try. Of a recovery code that was used the owner is told by mail.

use uuid::Uuid;

use crate::account::recovery::{self, RecoveryCodes};
use crate::account::totp::{Enrolment, Unusable, matching_step};
use crate::audit::NewEvent;
use crate::identity::{Amr, User, UserId};
use crate::notify::{FactorNews, News};
use crate::secret::{SecretText, framed, sha256};
use crate::session::login::act::{Act, Try};
use crate::session::login::progress::{PENDING, Proven, With, next_stage};
use crate::session::{Enrolled, Given, LoginError, Step};
use crate::store::outbox::NewOutbox;
use crate::store::second_factors::{Code, FactorChange, SecondFactorRow};
use crate::store::sessions::{SessionRow, Stage};
use crate::store::users::UserRow;
use crate::time::Timestamp;

/// How many authenticators a user may have enrolled.
pub const MOST_AUTHENTICATORS: usize = 2;

/// What proves the second factor: found right, and still to be the only use of itself.
pub(super) struct Right {
    code: Code,
    /// What is told when it is used.
    told: Option<(NewEvent, NewOutbox)>,
}

/// The id of the enrolment a session asks for. It is made of the session and of its last proof, so that nobody confirms a
/// seed that another browser was shown: somebody else who knows the password may have been. The `authenticators` the user
/// has already count too: what is added after one is not that one again.
fn enrolment_id(session: &SessionRow, authenticators: usize) -> Uuid {
    let (proven, authenticators) = (session.auth_time.as_millis().to_be_bytes(), authenticators.to_be_bytes());
    let digest = sha256(&framed(&[b"enrolment", session.id.0.as_bytes(), &proven, &authenticators]));
    let (half, _) = digest.split_first_chunk::<16>().expect("SHA-256 has 32 bytes");
    uuid::Builder::from_custom_bytes(*half).into_uuid()
}

fn is_young(row: &SecondFactorRow, now: Timestamp) -> bool {
    now.since(row.created_at) < PENDING
}

impl Act<'_> {
    /// What to show while enrolling: makes the seed, or shows this session's unconfirmed one again. For a pending session
    /// of stage `Enrol`, or for a live one after `reauthenticate`. A seed belongs to the session that asked for it: what
    /// one browser was shown is never shown to, nor confirmed by, another. A second authenticator needs a code of the first
    /// in the last ten minutes, else `Over`.
    pub async fn enrolment(&self, session: &SessionRow, issuer: &str) -> Result<Enrolment, LoginError> {
        let accounts = &self.login.accounts;
        let user = accounts.store.user(session.user).await?.ok_or(LoginError::Over)?.user;
        let rows = accounts.store.second_factors(user.id).await?;
        let authenticators = rows.iter().filter(|row| row.confirmed_at.is_some()).count();
        self.check_may_enrol(session, &user, authenticators)?;
        let (id, now) = (enrolment_id(session, authenticators), self.now());
        if let Some(row) = rows.into_iter().find(|row| row.id == id && is_young(row, now)) {
            return Ok(Enrolment::reopen(&accounts.keyring, row, &user.name, issuer)?);
        }
        let shown = Enrolment::generate(&accounts.keyring, &*accounts.random, (id, user.id), &user.name, issuer, now);
        accounts.store.put_second_factor(&shown.row).await?;
        Ok(shown)
    }

    /// What the session must have proven to enrol, `authenticators` being those of the user already.
    fn check_may_enrol(&self, session: &SessionRow, user: &User, authenticators: usize) -> Result<(), LoginError> {
        let factor_is_fresh = session.second_factor_at.is_some_and(|at| self.now().since(at) < PENDING);
        if !self.security.second_factor.is_offered(user) {
            Err(LoginError::NotOffered)
        } else if authenticators >= MOST_AUTHENTICATORS || (authenticators > 0 && session.stage != Stage::Live) {
            Err(LoginError::AlreadyEnrolled)
        } else if authenticators > 0 && !factor_is_fresh {
            Err(LoginError::Over)
        } else {
            Ok(())
        }
    }

    /// The code, for a pending session. Wrong or locked: `Refused` (the pending session stays until its 10 minutes are
    /// over). `Over` where a remembered device began it and the password must be changed meanwhile: whoever chooses one has
    /// given the one before.
    pub async fn second_factor(&self, pending: &SessionRow, given: impl Into<Given>) -> Result<Step, LoginError> {
        let row = self.user_of(pending, &[Stage::SecondFactor]).await?;
        if pending.is_remembered() && self.must_change(&row).is_some() {
            return Err(LoginError::Over);
        }
        let reserved = self.reserve(row.user.id).await?;
        let Some(right) = self.right_code(&row.user, &given.into()).await? else {
            return self.refuse(reserved, WRONG_CODE).await;
        };
        let proven = Proven { amr: with_otp(&pending.amr), second_factor_at: Some(self.now()) };
        let stage = next_stage(&row, self.security, self.now(), true, &proven);
        let event = self.event("login.second-factor", "ok", row.user.id).on(pending.id.to_string());
        // Behind a remembered device this is no whole sign-in: what was counted before stays counted.
        let tries = if pending.is_remembered() { reserved.given_back() } else { reserved.settled(stage) };
        let with = right.with().settling(tries).telling(event);
        self.advance_or_refuse(reserved, pending, &row, |next| proven.enter(stage, next), with).await
    }

    /// A code alone, in a live session with one factor or a stale one: it proves the factor, not the whole sign-in, so that
    /// other tries stay counted.
    pub async fn step_up(&self, session: &SessionRow, given: impl Into<Given>) -> Result<Step, LoginError> {
        let row = self.user_of(session, &[Stage::Live]).await?;
        let reserved = self.reserve(row.user.id).await?;
        let Some(right) = self.right_code(&row.user, &given.into()).await? else {
            return self.refuse(reserved, WRONG_CODE).await;
        };
        let proven = Proven { amr: with_otp(&session.amr), second_factor_at: Some(self.now()) };
        let event = self.event("login.step-up", "ok", row.user.id).on(session.id.to_string());
        let with = right.with().settling(reserved.given_back()).telling(event);
        self.advance_or_refuse(reserved, session, &row, |next| proven.enter(Stage::Live, next), with).await
    }

    /// The first right code: active from now on. A pending session becomes live; a live one gets its second factor. All
    /// other sessions of the user end, the owner is told by mail. With the first authenticator come recovery codes. A live
    /// session must have proven itself within the last ten minutes, else `Over`. Takes no try: a code guesses nothing, the
    /// seed is on the screen of whoever types it.
    pub async fn confirm_enrolment(&self, session: &SessionRow, code: &str) -> Result<Enrolled, LoginError> {
        let row = self.user_of(session, &[Stage::Enrol, Stage::Live]).await?;
        if !self.is_fresh(session) {
            return Err(LoginError::Over);
        }
        let authenticators = self.authenticators(row.user.id).await?.len();
        self.check_may_enrol(session, &row.user, authenticators)?;
        let Some((factor, step)) = self.first_code(session, authenticators, code).await? else {
            return Err(LoginError::Refused);
        };
        let recovery = self.recovery_codes_for(row.user.id, authenticators).await?;
        let news = if authenticators == 0 { FactorNews::Enrolled } else { FactorNews::Added };
        let proven = Proven { amr: with_otp(&session.amr), second_factor_at: Some(self.now()) };
        let with = With::code(Code::Enrols { factor: factor.id, step, at: self.now() })
            .changing(recovery.as_ref().map(|codes| self.stored(codes, row.user.id)))
            .settling((session.stage == Stage::Enrol).then(|| self.settled_without_try(&row)))
            .telling(self.event("second-factor.enrolled", "ok", row.user.id).on(factor.id.to_string()))
            .telling(self.all_others_ended(&row.user, ENROLLED))
            .writing(self.login.notices.mail_to_owner(&row.user, News::FactorChanged(news), &self.origin));
        let enters = |next: &mut SessionRow| {
            proven.enter(Stage::Live, next);
            // Its device is forgotten with all others: it was made when one factor was enough.
            next.memory = next.memory.without_device();
        };
        let entered = self.advance(session, &row, enters, with).await?;
        self.login.sessions.forget_user(row.user.id);
        Ok(Enrolled { step: entered.ok_or(LoginError::Over)?, recovery })
    }

    /// New recovery codes for whoever has none, with their first authenticator above all.
    async fn recovery_codes_for(
        &self,
        user: UserId,
        authenticators: usize,
    ) -> Result<Option<RecoveryCodes>, LoginError> {
        let has_some = authenticators > 0 && self.store().recovery_codes_left(user).await? > 0;
        Ok((!has_some).then(|| self.new_codes()))
    }

    pub(super) fn new_codes(&self) -> RecoveryCodes {
        RecoveryCodes::generate(&*self.login.accounts.random)
    }

    /// What is stored of recovery codes.
    pub(super) fn stored(&self, codes: &RecoveryCodes, user: UserId) -> FactorChange {
        FactorChange::Recovery(codes.digests(&self.login.accounts.keyring, user))
    }

    /// What the trail says when the user's other sessions end.
    pub(super) fn all_others_ended(&self, user: &User, reason: &'static str) -> NewEvent {
        self.event("session.ended", "ok", user.id).on("all others").with("reason", reason)
    }

    /// The user's confirmed authenticators, oldest first.
    pub(super) async fn authenticators(&self, user: UserId) -> Result<Vec<SecondFactorRow>, LoginError> {
        let rows = self.store().second_factors(user).await?;
        Ok(rows.into_iter().filter(|row| row.confirmed_at.is_some()).collect())
    }

    /// This session's unconfirmed enrolment and the step the code is right for.
    async fn first_code(
        &self,
        session: &SessionRow,
        authenticators: usize,
        code: &str,
    ) -> Result<Option<(SecondFactorRow, i64)>, LoginError> {
        let rows = self.store().second_factors(session.user).await?;
        let asked =
            |row: &SecondFactorRow| row.confirmed_at.is_none() && row.id == enrolment_id(session, authenticators);
        let Some(row) = rows.into_iter().find(|row| asked(row) && is_young(row, self.now())) else {
            return Err(LoginError::Over);
        };
        let step = matching_step(&self.login.accounts.keyring, &row, code, self.now())?;
        Ok(step.map(|step| (row, step)))
    }

    /// The use of what is given: it is used by the session it opens, once for all who hold it. Nothing when it is wrong or used.
    pub(super) async fn right_code(&self, user: &User, given: &Given) -> Result<Option<Right>, LoginError> {
        match given {
            Given::Code(code) => self.code_of_an_authenticator(user.id, code).await,
            Given::Recovery(typed) => self.recovery_code(user, typed).await,
        }
    }

    /// An authenticator that cannot be used is a fault and no wrong code, unless another one's is right.
    async fn code_of_an_authenticator(&self, user: UserId, code: &SecretText) -> Result<Option<Right>, LoginError> {
        let mut fault: Option<Unusable> = None;
        for authenticator in self.authenticators(user).await? {
            match matching_step(&self.login.accounts.keyring, &authenticator, code.expose(), self.now()) {
                Ok(Some(step)) => {
                    return Ok(Some(Right { code: Code::Used { factor: authenticator.id, step }, told: None }));
                }
                Ok(None) => {}
                Err(unusable) => fault = Some(unusable),
            }
        }
        fault.map_or(Ok(None), |fault| Err(fault.into()))
    }

    async fn recovery_code(&self, user: &User, typed: &SecretText) -> Result<Option<Right>, LoginError> {
        let Some(digest) = recovery::digest_of(&self.login.accounts.keyring, user.id, typed.expose()) else {
            return Ok(None);
        };
        if !self.store().has_recovery_code(user.id, digest).await? {
            return Ok(None);
        }
        let left = self.store().recovery_codes_left(user.id).await?.saturating_sub(1);
        let event = self.event("second-factor.recovery-code-used", "ok", user.id).with("left", left);
        let mail = self.login.notices.mail_to_owner(user, News::RecoveryCodeUsed { left }, &self.origin);
        Ok(Some(Right { code: Code::Recovery(digest), told: Some((event, mail)) }))
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

// === impl Right ===

impl Right {
    /// What goes with the session it opens.
    pub(super) fn with(self) -> With {
        let with = With::code(self.code);
        match self.told {
            Some((event, mail)) => with.telling(event).writing(mail),
            None => with,
        }
    }

    /// The same in its parts: the code, what the trail says of its use, and the mail about it.
    pub(super) fn into_parts(self) -> (Code, Option<(NewEvent, NewOutbox)>) {
        (self.code, self.told)
    }
}

/// What the trail says of a code that opened nothing.
pub(super) const WRONG_CODE: &str = "wrong or used code";

/// What the trail says of the sessions that end with an enrolment.
const ENROLLED: &str = "a second factor was enrolled";

/// The proofs, the code among them. A recovery code is a one-time password too: RFC 8176 has no word of its own for it.
pub(super) fn with_otp(amr: &[Amr]) -> Vec<Amr> {
    let before = amr.iter().copied().filter(|proof| *proof != Amr::Otp);
    before.chain([Amr::Otp]).collect()
}
