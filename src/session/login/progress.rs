//! From one stage to the next: which it is, the token that goes with it, and what ends on the way.

use std::sync::Arc;
use std::time::Duration;

use crate::account::lockout::{Attempt, Subject};
use crate::account::new_id;
use crate::audit::{NewEvent, Origin};
use crate::identity::{Amr, DeviceId, SessionId, User};
use crate::policy::Security;
use crate::secret::{BrowserToken, RememberToken, SessionToken};
use crate::session::login::act::{Act, Try};
use crate::session::login::password::Forced;
use crate::session::{Login, LoginError, Remember, Step, signed_in};
use crate::store::StoreError;
use crate::store::devices::DeviceRow;
use crate::store::entering::{Entered, Entry, Room};
use crate::store::lockouts::Settled;
use crate::store::outbox::NewOutbox;
use crate::store::second_factors::{Code, FactorChange};
use crate::store::sessions::{Memory, SessionRow, Stage, kept_user_agent};
use crate::store::users::UserRow;
use crate::time::Timestamp;

/// What the trail says of what ends because its browser begins again.
pub(super) const ANOTHER_SIGN_IN: &str = "another sign-in in the same browser";

/// How long a sign-in may be on its way.
pub(super) const PENDING: Duration = Duration::from_mins(10);

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

/// A device to be made with a session that goes live, and the value its browser gets.
pub(super) struct NewDevice {
    row: DeviceRow,
    token: RememberToken,
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
    let device = row.memory.device().map(|device| {
        origin.event("device.forgotten", "ok").about(row.user).on(device.to_string()).with("reason", reason)
    });
    let events: Vec<_> = [event].into_iter().chain(device).collect();
    login.accounts.store.end_session(row.id, &events).await?;
    login.sessions.forget(row.id);
    Ok(())
}

impl Act<'_> {
    /// A session for a password just proven.
    pub(super) async fn begin(&self, row: &UserRow, proven: Proven, reserved: Try) -> Result<Step, LoginError> {
        let enrolled = self.store().second_factors(row.user.id).await?.iter().any(|own| own.confirmed_at.is_some());
        let stage = next_stage(row, self.security, self.now(), enrolled, &proven);
        let (token, mut session) = self.new_session(&row.user, stage, proven);
        session.memory = if self.wish { Memory::Wished } else { Memory::None };
        let device = self.make_device(&mut session);
        let mut events = vec![self.event("login.password", "ok", row.user.id).on(session.id.to_string())];
        if stage == Stage::Live {
            events.extend(self.signed_in_events(&session, device.as_ref()));
        }
        let entry = Entry {
            device: device.as_ref().map(NewDevice::row),
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
        Ok(self.step(token, &session, row.user.clone(), device))
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
        let (token, next, device) = self.raised(session, change);
        let With { code, change, tries, mut events, mails } = with;
        if arrives(session, &next) {
            events.extend(self.signed_in_events(&next, device.as_ref()));
        }
        let signed_in_at = arrives(session, &next).then(|| self.now());
        let made = device.as_ref().map(NewDevice::row);
        let entry = Entry { code, change, outbox: &mails, tries, signed_in_at, device: made, ..self.entry(row, &next) };
        match self.store().rotate_session(session.digest, &entry, &events).await? {
            Entered::In => {}
            Entered::CodeUsed => return Ok(None),
            Entered::Overtaken => return Err(LoginError::Over),
        }
        self.login.sessions.forget(session.id);
        self.forget_those_that_made_room(&next);
        if !mails.is_empty() {
            self.login.notices.queued();
        }
        Ok(Some(self.step(token, &next, row.user.clone(), device)))
    }

    /// `session`, entering where there is room for it, with nothing else beside it.
    pub(super) fn entry<'s>(&self, row: &UserRow, session: &'s SessionRow) -> Entry<'s> {
        let browser = self.browser.token.as_ref().map(BrowserToken::digest);
        Entry { room: self.room(row), browser, ..Entry::of(session, row.epoch) }
    }

    /// What `session` becomes by `change`, the token for it, and the device made with it. One that goes live begins now, with
    /// its whole lifetime before it: what was proven on the way to it is not proven again in it. It was proven from the start
    /// just now, unless a remembered device did so.
    pub(super) fn raised(
        &self,
        session: &SessionRow,
        change: impl FnOnce(&mut SessionRow),
    ) -> (SessionToken, SessionRow, Option<NewDevice>) {
        let token = SessionToken::generate(&*self.login.accounts.random);
        let mut next = SessionRow { digest: token.digest(), last_seen: self.now(), ..session.clone() };
        change(&mut next);
        if arrives(session, &next) {
            next.created_at = self.now();
            if !next.is_remembered() {
                next.auth_time = self.now();
            }
            next.expires_at = self.now().plus(self.security.sessions.lifetime);
        }
        let device = self.make_device(&mut next);
        (token, next, device)
    }

    /// The device of a session that is live and whose user wishes its browser to be remembered: before the last factor there
    /// is none, and nothing by which to get one (MFA-4).
    fn make_device(&self, session: &mut SessionRow) -> Option<NewDevice> {
        if session.stage != Stage::Live || session.memory != Memory::Wished {
            return None;
        }
        session.memory = Memory::None;
        let lasts = self.security.sessions.remember?;
        let (accounts, now) = (&self.login.accounts, self.now());
        let id = DeviceId(new_id(&*accounts.random, now));
        session.memory = Memory::Of(id);
        let token = RememberToken::generate(&accounts.keyring, &*accounts.random, id.0);
        let row = DeviceRow {
            id,
            user: session.user,
            epoch: 0,
            digest: token.digest(),
            auth_time: session.auth_time,
            created_at: now,
            last_seen: now,
            expires_at: now.plus(lasts),
            address: self.origin.address,
            user_agent: kept_user_agent(&self.browser.user_agent),
            returned: None,
        };
        Some(NewDevice { row, token })
    }

    /// For a session that alone stays of all the user's: what was opened in it before, by whoever had its cookie, ends. So does
    /// its device ([`Memory::without_device`]), with all others.
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
        Ok(held.filter(own).map(|session| self.step(token.clone(), &session, row.user.clone(), None)))
    }

    /// Ends the session whose cookie the browser held before it signed in, and forgets the device it was: a browser is
    /// remembered for whoever signed in last, if they wished so.
    pub(super) async fn end_presented(&self) -> Result<(), LoginError> {
        if let Some(token) = &self.browser.presented
            && let Some(row) = self.login.sessions.row(token).await?
        {
            end(self.login, &row, ANOTHER_SIGN_IN, &self.origin).await?;
        }
        self.forget_presented().await
    }

    /// What the browser holds after an act.
    pub(super) fn step(
        &self,
        token: SessionToken,
        session: &SessionRow,
        user: User,
        device: Option<NewDevice>,
    ) -> Step {
        match (session.stage, device) {
            (Stage::SecondFactor, _) => Step::SecondFactor(token),
            (Stage::ChangePassword, _) => Step::ChangePassword(token),
            (Stage::Enrol, _) => Step::Enrol(token),
            (Stage::Live, None) => Step::SignedIn(token, Arc::new(signed_in(session, user))),
            (Stage::Live, Some(device)) => {
                let lasts = device.row.expires_at.since(self.now());
                let remember = Remember { token: device.token, lasts };
                Step::Remembered(token, Arc::new(signed_in(session, user)), remember)
            }
        }
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

    /// In, and, where a device was made with it, remembered.
    pub(super) fn signed_in_events(
        &self,
        session: &SessionRow,
        device: Option<&NewDevice>,
    ) -> impl Iterator<Item = NewEvent> {
        let remembered = device.map(|device| {
            let event = self.event("device.remembered", "ok", session.user).on(device.row.id.to_string());
            event.with("session", session.id.to_string()).with("until", device.row.expires_at.to_string())
        });
        [self.signed_in_event(session)].into_iter().chain(remembered)
    }

    /// What the trail says of somebody who is in. Those who look for credential stuffing hear of it too, where it was a
    /// sign-in: what a device opened was no guess that came right.
    pub(super) fn signed_in_event(&self, session: &SessionRow) -> NewEvent {
        if !session.is_remembered() {
            self.login.strangers.signed_in(session.user, self.now());
        }
        let amr: Vec<_> = session.amr.iter().map(|proof| proof.as_str()).collect();
        self.event("login.signed-in", "ok", session.user).on(session.id.to_string()).with("amr", amr)
    }

    pub(super) fn new_session(&self, user: &User, stage: Stage, proven: Proven) -> (SessionToken, SessionRow) {
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
            memory: Memory::None,
            address: self.origin.address,
            user_agent: kept_user_agent(&self.browser.user_agent),
        };
        (token, row)
    }
}

// === impl NewDevice ===

impl NewDevice {
    /// As it is stored.
    pub(super) fn row(&self) -> DeviceRow {
        self.row.clone()
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
