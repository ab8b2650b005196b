//! From one stage to the next: which it is, the token that goes with it, and what ends on the way.

use std::sync::Arc;
use std::time::Duration;

use crate::account::lockout::{Attempt, Subject};
use crate::account::new_id;
use crate::audit::{NewEvent, Origin};
use crate::identity::{Amr, SessionId, User};
use crate::policy::Security;
use crate::secret::{BrowserToken, SessionToken};
use crate::session::login::act::{Act, Try};
use crate::session::login::password::Forced;
use crate::session::{Login, LoginError, Step, signed_in};
use crate::store::StoreError;
use crate::store::entering::{Entered, Entry, Room};
use crate::store::lockouts::Settled;
use crate::store::outbox::NewOutbox;
use crate::store::second_factors::{Code, FactorChange};
use crate::store::sessions::{SessionRow, Stage};
use crate::store::users::UserRow;
use crate::time::Timestamp;

/// How long a sign-in may be on its way.
pub(super) const PENDING: Duration = Duration::from_mins(10);

/// Of a browser's own words, characters kept.
const LONGEST_USER_AGENT: usize = 200;

/// What a session has proven.
pub(super) struct Proven {
    pub(super) amr: Vec<Amr>,
    pub(super) second_factor_at: Option<Timestamp>,
}

/// What goes with a session that rises: all of it becomes true with that session, or none.
#[derive(Default)]
pub(super) struct With {
    code: Option<Code>,
    change: Option<FactorChange>,
    tries: Option<Settled>,
    events: Vec<NewEvent>,
    mails: Vec<NewOutbox>,
}

/// What is still missing, the most urgent first: a thief of a temporary password gets no further than its owner's second
/// factor.
pub(super) fn next_stage(row: &UserRow, security: &Security, now: Timestamp, enrolled: bool, proven: &Proven) -> Stage {
    if enrolled && proven.second_factor_at.is_none() {
        Stage::SecondFactor
    } else if Forced::of(row, security, now).is_some() {
        Stage::ChangePassword
    } else if !enrolled && security.second_factor.is_required(&row.user) {
        Stage::Enrol
    } else {
        Stage::Live
    }
}

/// Ends one session and says why.
pub(super) async fn end(
    login: &Login,
    row: &SessionRow,
    reason: &'static str,
    origin: &Origin,
) -> Result<(), StoreError> {
    let event = origin.event("session.ended", "ok").about(row.user).on(row.id.to_string()).with("reason", reason);
    login.accounts.store.end_session(row.id, &[event]).await?;
    login.sessions.forget(row.id);
    Ok(())
}

impl Act<'_> {
    /// A session for a password just proven.
    pub(super) async fn begin(&self, row: &UserRow, proven: Proven, reserved: Try) -> Result<Step, LoginError> {
        let enrolled = self.store().second_factors(row.user.id).await?.iter().any(|own| own.confirmed_at.is_some());
        let stage = next_stage(row, self.security, self.now(), enrolled, &proven);
        let (token, session) = self.new_session(&row.user, stage, proven);
        let mut events = vec![self.event("login.password", "ok", row.user.id).on(session.id.to_string())];
        if stage == Stage::Live {
            events.push(self.signed_in_event(&session));
        }
        let entry = Entry {
            tries: reserved.settled(stage),
            signed_in_at: (stage == Stage::Live).then(|| self.now()),
            ..self.entry(row, &session)
        };
        if !self.store().insert_session(&entry, &events).await?.is_in() {
            return self
                .refuse(reserved, "the account was changed, or its temporary password used, during the sign-in")
                .await;
        }
        self.forget_those_that_made_room(&session);
        Ok(Step::of(token, &session, row.user.clone()))
    }

    /// Puts a session of more level, under a new token, in the place of `session`. Over when that is gone, or when the user
    /// was changed since `row` was read; nothing when its code was used by another.
    pub(super) async fn advance(
        &self,
        session: &SessionRow,
        row: &UserRow,
        change: impl FnOnce(&mut SessionRow),
        with: With,
    ) -> Result<Option<Step>, LoginError> {
        let (token, next) = self.raised(session, change);
        let With { code, change, tries, mut events, mails } = with;
        if arrives(session, &next) {
            events.push(self.signed_in_event(&next));
        }
        let signed_in_at = arrives(session, &next).then(|| self.now());
        let entry = Entry { code, change, outbox: &mails, tries, signed_in_at, ..self.entry(row, &next) };
        match self.store().rotate_session(session.digest, &entry, &events).await? {
            Entered::In => {}
            Entered::CodeUsed => return Ok(None),
            Entered::Overtaken => return Err(LoginError::Over),
        }
        self.login.sessions.forget(session.id);
        self.forget_those_that_made_room(&next);
        Ok(Some(Step::of(token, &next, row.user.clone())))
    }

    /// `session`, entering where there is room for it, with nothing else beside it.
    fn entry<'s>(&self, row: &UserRow, session: &'s SessionRow) -> Entry<'s> {
        let browser = self.browser.token.as_ref().map(BrowserToken::digest);
        Entry { room: self.room(row), browser, ..Entry::of(session, row.epoch) }
    }

    /// What `session` becomes by `change`, and the token for it. One that goes live begins now, with its whole lifetime before
    /// it: what was proven on the way to it is not proven again in it.
    pub(super) fn raised(
        &self,
        session: &SessionRow,
        change: impl FnOnce(&mut SessionRow),
    ) -> (SessionToken, SessionRow) {
        let token = SessionToken::generate(&*self.login.accounts.random);
        let mut next = SessionRow { digest: token.digest(), last_seen: self.now(), ..session.clone() };
        change(&mut next);
        if arrives(session, &next) {
            (next.created_at, next.auth_time) = (self.now(), self.now());
            next.expires_at = self.now().plus(self.security.sessions.lifetime);
        }
        (token, next)
    }

    /// For a session that alone stays of all the user's: what was opened in it before, by whoever had its cookie, ends.
    pub(super) fn another_id(&self) -> SessionId {
        SessionId(new_id(&*self.login.accounts.random, self.now()))
    }

    /// What becomes of the tries when somebody is in by a step that took none because nothing is guessed at it: the counter
    /// goes. A lock in force keeps its end (AUTH-7): it is there for guesses at the name, and those may go on.
    pub(super) fn settled_without_try(&self, row: &UserRow) -> Settled {
        Attempt::settled_without(Subject::user(row.user.id), self.now())
    }

    /// The step at which the sign-in is that a spent temporary password began, when this browser holds it: whoever sends
    /// the form again goes on. A reset ends every session, so that what is pending was begun by the present password.
    pub(super) async fn begun_here(&self, row: &UserRow) -> Result<Option<Step>, LoginError> {
        let Some(token) = &self.browser.presented else { return Ok(None) };
        let held = self.login.sessions.row(token).await?;
        let own =
            |held: &SessionRow| held.user == row.user.id && held.stage != Stage::Live && self.now() < held.expires_at;
        Ok(held.filter(own).map(|session| Step::of(token.clone(), &session, row.user.clone())))
    }

    /// Ends the session whose cookie the browser held before it signed in.
    pub(super) async fn end_presented(&self) -> Result<(), LoginError> {
        let Some(token) = &self.browser.presented else { return Ok(()) };
        if let Some(row) = self.login.sessions.row(token).await? {
            end(self.login, &row, "another sign-in in the same browser", &self.origin).await?;
        }
        Ok(())
    }

    /// Beyond `sessions.maximum_per_user` the oldest end; the new one stays.
    fn room(&self, row: &UserRow) -> Option<Room> {
        let maximum = self.security.sessions.maximum_per_user?;
        let ended = self.event("session.ended", "ok", row.user.id).with("reason", "too many sessions");
        Some(Room { maximum, ended })
    }

    /// Those that ended are not named: all of the user's are read again.
    fn forget_those_that_made_room(&self, new: &SessionRow) {
        if new.stage == Stage::Live && self.security.sessions.maximum_per_user.is_some() {
            self.login.sessions.forget_user(new.user);
        }
    }

    /// What the trail says of somebody who is in. Those who look for credential stuffing hear of it too.
    pub(super) fn signed_in_event(&self, session: &SessionRow) -> NewEvent {
        self.login.strangers.signed_in(session.user, self.now());
        let amr: Vec<_> = session.amr.iter().map(|proof| proof.as_str()).collect();
        self.event("login.signed-in", "ok", session.user).on(session.id.to_string()).with("amr", amr)
    }

    fn new_session(&self, user: &User, stage: Stage, proven: Proven) -> (SessionToken, SessionRow) {
        let random = &*self.login.accounts.random;
        let (token, now) = (SessionToken::generate(random), self.now());
        let lasts = if stage == Stage::Live { self.security.sessions.lifetime } else { PENDING };
        let row = SessionRow {
            digest: token.digest(),
            id: SessionId(new_id(random, now)),
            user: user.id,
            stage,
            amr: proven.amr,
            auth_time: now,
            second_factor_at: proven.second_factor_at,
            created_at: now,
            last_seen: now,
            expires_at: now.plus(lasts),
            address: self.origin.address,
            user_agent: self.browser.user_agent.chars().take(LONGEST_USER_AGENT).collect(),
        };
        (token, row)
    }
}

// === impl With ===

impl With {
    /// A code that is used by it.
    pub(super) fn code(code: Code) -> Self {
        Self { code: Some(code), ..Self::default() }
    }

    /// And tries that are settled.
    pub(super) fn settling(self, tries: Option<Settled>) -> Self {
        Self { tries, ..self }
    }

    /// And a change of the user's second factor; all their other sessions end with it.
    pub(super) fn changing(self, change: Option<FactorChange>) -> Self {
        Self { change, ..self }
    }

    /// And a mail.
    pub(super) fn writing(mut self, mail: NewOutbox) -> Self {
        self.mails.push(mail);
        self
    }

    /// And an event, after the others.
    pub(super) fn telling(mut self, event: NewEvent) -> Self {
        self.events.push(event);
        self
    }
}

// === impl Proven ===

impl Proven {
    /// Takes a session to `stage`, with these proofs.
    pub(super) fn enter(self, stage: Stage, session: &mut SessionRow) {
        (session.stage, session.amr, session.second_factor_at) = (stage, self.amr, self.second_factor_at);
    }
}

/// Whether the sign-in ends here: in.
fn arrives(before: &SessionRow, next: &SessionRow) -> bool {
    next.stage == Stage::Live && before.stage != Stage::Live
}

// === impl Step ===

impl Step {
    /// What comes next for a session, by its stage.
    pub(super) fn of(token: SessionToken, session: &SessionRow, user: User) -> Self {
        match session.stage {
            Stage::SecondFactor => Self::SecondFactor(token),
            Stage::ChangePassword => Self::ChangePassword(token),
            Stage::Enrol => Self::Enrol(token),
            Stage::Live => Self::SignedIn(token, Arc::new(signed_in(session, user))),
        }
    }
}
