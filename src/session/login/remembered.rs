//! A remembered browser comes back: its value is replaced, and a session begins without a password.
//!
//! * The **value** that is presented is current, or it **was** and somebody has used it since.
//! * A current one is **replaced**, in the same step in which the session begins: of however many requests present it, one
//!   gets another.
//! * Requests that the same browser sent at the same time come too late with the value it had then. For ten seconds they
//!   **join** the session that the first one got, without a value of their own; its token is kept sealed for so long.
//! * Any other use of a value that was replaced is a **reuse**: the browser's copy or somebody else's is stolen, and nobody can
//!   tell which. The device and its sessions end, and the owner is told (SESS-4).
//!
//! What is remembered is that somebody signed in from this browser once: the first factor, never the second, and never
//! freshly (L8). Who must have a second factor gives it before anything opens; who must set one up, or choose a password,
//! signs in from the start, so that a stolen value changes nothing that proves its owner.

use std::time::Duration;

use super::act::Act;
use super::progress::{ANOTHER_SIGN_IN, Proven};
use crate::audit::NewEvent;
use crate::identity::{Amr, DeviceId, SessionId, UserId};
use crate::notify::News;
use crate::policy::security::Sessions;
use crate::secret::{Place, RememberToken, Sealed, SessionToken};
use crate::session::{Agent, LoginError, Step};
use crate::store::devices::{DeviceRow, Forgetting, Returned, SessionText};
use crate::store::entering::Entry;
use crate::store::outbox::NewOutbox;
use crate::store::sessions::{Memory, SessionRow, Stage, kept_user_agent};
use crate::store::users::UserRow;
use crate::time::Timestamp;

/// How long requests of the same browser may join a return that was a moment quicker.
pub const JOINING: Duration = Duration::from_secs(10);

/// What a browser is remembered by.
#[derive(Debug, Clone)]
pub struct Remember {
    /// The value it is to hold.
    pub token: RememberToken,
    /// For so long at most.
    pub lasts: Duration,
}

/// What a remembered browser's value came to.
#[derive(Debug)]
pub enum Return {
    /// Known: what comes next, and the value that takes the place of the one presented.
    Known(Step, Remember),
    /// The same browser was quicker with another request: the session that one got, and no value.
    Joined(Step),
    /// Nothing was begun, and the value stays: a sign-in from the start is needed first.
    SignIn,
    /// The value is worth nothing.
    Worthless,
    /// It was used before: device and sessions have ended, these.
    Reused(UserId, Vec<SessionId>),
}

/// Whether a device is within its times, by what it was made with and by the settings of today.
pub fn still_remembered(device: &DeviceRow, limits: &Sessions, now: Timestamp) -> bool {
    now < device.expires_at
        && limits.remember.is_some_and(|longest| now.since(device.created_at) < longest)
        && limits.remembered_idle.is_none_or(|idle| now.since(device.last_seen) < idle)
}

/// A device whose value may be worth something, and its user.
struct Known {
    device: DeviceRow,
    row: UserRow,
}

impl Act<'_> {
    /// What the value by which this browser is remembered opens. To be asked only for a browser without a session.
    pub async fn return_by(&self, token: &RememberToken) -> Result<Return, LoginError> {
        let Some(known) = self.known(token).await? else { return Ok(Return::Worthless) };
        if known.device.digest != token.digest() {
            return self.come_late(token, known).await;
        }
        let Some(stage) = self.stage_of(&known.row).await? else { return Ok(Return::SignIn) };
        if let Some(returned) = self.replace_value(token, &known, stage).await? {
            return Ok(returned);
        }
        // Another request was quicker, or the device was forgotten in between.
        match self.known(token).await? {
            Some(known) if known.device.digest == token.digest() => Ok(Return::SignIn),
            Some(known) => self.come_late(token, known).await,
            None => Ok(Return::Worthless),
        }
    }

    /// The device, while it may open anything: its times, its user, and what its user has lost since.
    async fn known(&self, token: &RememberToken) -> Result<Option<Known>, LoginError> {
        let Some(device) = self.store().device(DeviceId(token.device())).await? else { return Ok(None) };
        let Some(row) = self.store().user(device.user).await? else { return Ok(None) };
        let now = self.now();
        let stands = still_remembered(&device, &self.security.sessions, now)
            && row.user.may_act(now)
            && row.epoch == device.epoch;
        Ok(stands.then_some(Known { device, row }))
    }

    /// What comes next for somebody whose first factor is remembered. Nothing: they must begin from the start, because what
    /// comes next would change what proves them.
    async fn stage_of(&self, row: &UserRow) -> Result<Option<Stage>, LoginError> {
        if self.must_change(row).is_some() {
            return Ok(None);
        }
        if !self.security.second_factor.is_required(&row.user) {
            return Ok(Some(Stage::Live));
        }
        let enrolled = !self.authenticators(row.user.id).await?.is_empty();
        Ok(enrolled.then_some(Stage::SecondFactor))
    }

    /// Puts another value in the place of `token` and begins the session that goes with it; nothing when another was quicker.
    async fn replace_value(
        &self,
        token: &RememberToken,
        known: &Known,
        stage: Stage,
    ) -> Result<Option<Return>, LoginError> {
        let accounts = &self.login.accounts;
        let (session_token, session) = self.remembered_session(known, stage);
        let new = RememberToken::generate(&accounts.keyring, &*accounts.random, known.device.id.0);
        let device = DeviceRow {
            digest: new.digest(),
            last_seen: self.now(),
            address: self.origin.address,
            user_agent: kept_user_agent(&self.browser.user_agent),
            returned: Some(Returned {
                previous: token.digest(),
                session: self.sealed(known.device.id, &session_token),
                until: self.now().plus(JOINING),
            }),
            ..known.device.clone()
        };
        let signed_in_at = (stage == Stage::Live).then(|| self.now());
        let entry = Entry { signed_in_at, ..self.entry(&known.row, &session) };
        let ended = self.event("session.ended", "ok", session.user).with("reason", ANOTHER_SIGN_IN);
        let events = self.returned_events(&device, &session);
        if !self.store().begin_by_device(token.digest(), &device, &entry, &ended, &events).await?.is_in() {
            return Ok(None);
        }
        self.login.sessions.forget_user(session.user);
        let step = self.step(session_token, &session, known.row.user.clone(), None);
        let lasts = device.expires_at.since(self.now());
        Ok(Some(Return::Known(step, Remember { token: new, lasts })))
    }

    /// A session of what is remembered: proven when its user last signed in from the start, and by nothing since.
    fn remembered_session(&self, known: &Known, stage: Stage) -> (SessionToken, SessionRow) {
        let proven = Proven { amr: vec![Amr::Rmb], second_factor_at: None };
        let (token, session) = self.new_session(&known.row.user, stage, proven);
        let memory = Memory::Of(known.device.id);
        (token, SessionRow { auth_time: known.device.auth_time, memory, ..session })
    }

    /// A value that was replaced: of this very browser a moment ago, or reused.
    async fn come_late(&self, token: &RememberToken, known: Known) -> Result<Return, LoginError> {
        match &known.device.returned {
            Some(returned) if self.may_join(token, &known.device, returned) => self.join(&known, returned).await,
            _ => self.end_reused(known).await,
        }
    }

    fn may_join(&self, token: &RememberToken, device: &DeviceRow, returned: &Returned) -> bool {
        returned.previous == token.digest()
            && self.now() < returned.until
            && device.address == self.origin.address
            && device.user_agent == kept_user_agent(&self.browser.user_agent)
    }

    /// The session that the quicker request got, where that is still the same: it may have risen or ended since.
    async fn join(&self, known: &Known, returned: &Returned) -> Result<Return, LoginError> {
        let place = Place { table: "devices", column: "session", row: &known.device.id.to_string() };
        let opened = self.login.accounts.keyring.open(place, &returned.session)?;
        let token = std::str::from_utf8(&opened).ok().and_then(SessionToken::parse);
        let Some(token) = token else { return Ok(Return::SignIn) };
        let session = self.login.sessions.row(&token).await?;
        Ok(match session.filter(|session| self.now() < session.expires_at) {
            Some(session) => Return::Joined(self.step(token, &session, known.row.user.clone(), None)),
            None => Return::SignIn,
        })
    }

    /// Ends a device one of whose old values was used, and tells its owner. Of many at once, one does so.
    async fn end_reused(&self, known: Known) -> Result<Return, LoginError> {
        let Known { device, row } = known;
        let reused = self.origin.event("device.reused", "refused").about(row.user.id).on(device.id.to_string());
        let reused = reused.with("user_agent", self.browser.user_agent.clone());
        let ended = self.origin.event("session.ended", "ok").about(row.user.id);
        let forgetting = Forgetting {
            forgotten: &[reused],
            ended: ended.with("reason", "an old value of its remembered device was used"),
            outbox: &[self.mail_of_reuse(&row)],
        };
        let Some(sessions) = self.store().forget_device(row.user.id, device.id, &forgetting).await? else {
            return Ok(Return::Worthless);
        };
        self.forget_ended(&sessions);
        self.login.notices.queued();
        Ok(Return::Reused(row.user.id, sessions))
    }

    fn mail_of_reuse(&self, row: &UserRow) -> NewOutbox {
        let browser = Agent::of(&self.browser.user_agent).to_string();
        self.login.notices.mail_to_owner(&row.user, News::DeviceReused { browser: &browser }, &self.origin)
    }

    /// Forgets the device this browser was before it signed in again, when its value is current.
    pub(super) async fn forget_presented(&self) -> Result<(), LoginError> {
        let Some(token) = &self.browser.remember else { return Ok(()) };
        let device = self.store().device(DeviceId(token.device())).await?;
        let Some(device) = device.filter(|device| device.digest == token.digest()) else { return Ok(()) };
        let about = |act| self.origin.event(act, "ok").about(device.user).with("reason", ANOTHER_SIGN_IN);
        let forgetting = Forgetting {
            forgotten: &[about("device.forgotten").on(device.id.to_string())],
            ended: about("session.ended"),
            outbox: &[],
        };
        let ended = self.store().forget_device(device.user, device.id, &forgetting).await?;
        self.forget_ended(&ended.unwrap_or_default());
        Ok(())
    }

    fn forget_ended(&self, sessions: &[SessionId]) {
        for session in sessions {
            self.login.sessions.forget(*session);
        }
    }

    fn returned_events(&self, device: &DeviceRow, session: &SessionRow) -> Vec<NewEvent> {
        let returned = self.event("device.returned", "ok", session.user).on(device.id.to_string());
        let mut events = vec![returned.with("session", session.id.to_string())];
        if session.stage == Stage::Live {
            events.push(self.signed_in_event(session));
        }
        events
    }

    fn sealed(&self, device: DeviceId, token: &SessionToken) -> Sealed<SessionText> {
        let accounts = &self.login.accounts;
        let place = Place { table: "devices", column: "session", row: &device.to_string() };
        accounts.keyring.seal(&*accounts.random, place, token.expose().as_bytes())
    }
}
