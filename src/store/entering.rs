//! Sessions that begin, and sessions that rise to another level: each in one step with what must still be true for it.
//!
//! * The **epoch** is the user's as it was read before anything was proven. Whoever raised it since (a reset, a lost right)
//!   has taken away what the proof was worth: nothing is stored.
//! * A **device** is made by the session that goes live, never before; and a device's **value** begins a session by being
//!   replaced: of however many who present it, one begins one.
//!
//! * **Room** is a limit on a user's live sessions. The oldest end for the one that enters, and the trail says so.
//!
//! * A temporary password is **spent** by the session it begins: it begins one, of however many that are tried at once.
//!
//! * A **code** is used by the session it opens, and tries are **settled** with it: no code is gone, and no try is counted
//!   differently, without a session to show for it. (Where the commit itself is not answered in time, nobody knows whether
//!   all of it happened or nothing: the browser was not given the session then.)
//!
//! * A **change of factors** ends all other sessions, and what is **told** of anything is stored with it.
//!
//! Every method holds the user's row first. Of two sign-ins of one user the second therefore sees what the first did: no
//! limit is ever passed, and no new password is put over one that somebody else has set meanwhile.

use super::audit::NewEvent;
use super::changes::Change;
use super::devices::DeviceRow;
use super::lockouts::Settled;
use super::outbox::NewOutbox;
use super::second_factors::{Code, FactorChange};
use super::sessions::{SessionRow, Stage, ids};
use super::sql::Tx;
use super::{Store, StoreError};
use crate::identity::{SessionId, UserId};
use crate::secret::{BrowserDigest, RememberDigest, SessionDigest};
use crate::time::Timestamp;

/// A limit on a user's live sessions.
#[derive(Debug, Clone)]
pub struct Room {
    /// So many, the one that enters among them; it stays, whatever its age.
    pub maximum: u32,
    /// What the trail says of each that ends; the store adds which.
    pub ended: NewEvent,
}

/// A session that enters, and what must be true and becomes true with it, or not at all.
#[derive(Debug)]
pub struct Entry<'a> {
    /// As it is stored.
    pub session: &'a SessionRow,
    /// The user's as it was read.
    pub epoch: i64,
    /// The limit, when there is one.
    pub room: Option<Room>,
    /// The code it was proven with.
    pub code: Option<Code>,
    /// What changes of the user's second factor with it.
    pub change: Option<FactorChange>,
    /// What is told of it.
    pub outbox: &'a [NewOutbox],
    /// What becomes of the user's tries.
    pub tries: Option<Settled>,
    /// When the sign-in is whole with it: since now.
    pub signed_in_at: Option<Timestamp>,
    /// The browser it is in: known from now on, when everything was proven in it.
    pub browser: Option<BrowserDigest>,
    /// The device that is made with it.
    pub device: Option<DeviceRow>,
}

/// Whether a session entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a session that did not enter is nobody's"]
pub enum Entered {
    /// It did, with all that belongs to it.
    In,
    /// Nothing was stored: the code was used before, or its enrolment is gone.
    CodeUsed,
    /// Nothing was stored: see the method.
    Overtaken,
}

/// What else ended: the marks and the events of it.
pub(super) type Ended = (Vec<Change>, Vec<NewEvent>);

// === impl Store ===

impl Store {
    /// Stores a new session, begun by a password; a temporary one is spent by it. Overtaken: the password was temporary and
    /// is spent, or the epoch was raised, or a second factor was enrolled that a live session does not have, or the user is
    /// gone.
    pub async fn insert_session(&self, entry: &Entry<'_>, events: &[NewEvent]) -> Result<Entered, StoreError> {
        let mut tx = self.begin().await?;
        if !tx.spend_password(entry.session.user, entry.epoch).await? || !tx.has_every_factor(entry.session).await? {
            return Ok(Entered::Overtaken);
        }
        tx.enter(entry, Ended::default(), events).await
    }

    /// Puts a session in the place of the one with the digest `old`. Overtaken: that is gone, or
    /// [`Self::insert_session`] would not store the new one.
    pub async fn rotate_session(
        &self,
        old: SessionDigest,
        entry: &Entry<'_>,
        events: &[NewEvent],
    ) -> Result<Entered, StoreError> {
        let mut tx = self.begin().await?;
        if !tx.hold_user_at(entry.session.user, entry.epoch).await? {
            return Ok(Entered::Overtaken);
        }
        let Some(was) = tx.take_place(old, entry).await? else { return Ok(Entered::Overtaken) };
        tx.enter(entry, (vec![Change::Session(was)], Vec::new()), events).await
    }

    /// Stores a session that a device opens: `device` as it is from now on, with another value in the place of the one that
    /// digests to `old`. The device's earlier sessions end, `ended` tells of each. Overtaken: the value was replaced by
    /// another, or the device is gone, or the epoch was raised.
    ///
    /// That a second factor is enrolled keeps nobody out: such a session never counts for more than the first.
    pub async fn begin_by_device(
        &self,
        old: RememberDigest,
        device: &DeviceRow,
        entry: &Entry<'_>,
        ended: &NewEvent,
        events: &[NewEvent],
    ) -> Result<Entered, StoreError> {
        let mut tx = self.begin().await?;
        if !tx.hold_user_at(entry.session.user, entry.epoch).await?
            || !tx.rotate_value(old, device, entry.epoch).await?
        {
            return Ok(Entered::Overtaken);
        }
        let earlier = tx.end_sessions_of_device(device.id).await?;
        let told = earlier.iter().map(|session| ended.clone().on(session.to_string())).collect();
        tx.enter(entry, (earlier.into_iter().map(Change::Session).collect(), told), events).await
    }
}

// === impl Entry ===

impl<'a> Entry<'a> {
    /// `session` with nothing beside it.
    pub fn of(session: &'a SessionRow, epoch: i64) -> Self {
        let (room, code, change, tries, signed_in_at, browser) = (None, None, None, None, None, None);
        Self { session, epoch, room, code, change, outbox: &[], tries, signed_in_at, browser, device: None }
    }
}

impl Entry<'_> {
    /// Everything was proven in it just now, or it alone stays of all the user's sessions. A device that opens one proves
    /// nothing.
    fn makes_its_browser_known(&self) -> bool {
        let session = self.session;
        let is_proven_now = session.proven_at().is_some_and(|at| at >= session.last_seen);
        session.stage == Stage::Live && (is_proven_now || self.changes_factors())
    }

    fn changes_factors(&self) -> bool {
        self.change.is_some() || matches!(self.code, Some(Code::Enrols { .. }))
    }
}

// === impl Entered ===

impl Entered {
    /// Whether the session is stored.
    pub fn is_in(self) -> bool {
        self == Self::In
    }
}

// === impl Tx ===

impl Tx<'_> {
    /// Holds a user's row until the commit, if nothing was taken from them since they were read at `epoch`.
    pub(super) async fn hold_user_at(&mut self, user: UserId, epoch: i64) -> Result<bool, StoreError> {
        let hold = sqlx::query("UPDATE users SET epoch = epoch WHERE id = $1 AND epoch = $2");
        Ok(self.execute(hold.bind(user.to_string()).bind(epoch)).await? > 0)
    }

    /// The same, and a temporary password has begun its one sign-in.
    async fn spend_password(&mut self, user: UserId, epoch: i64) -> Result<bool, StoreError> {
        let spend = sqlx::query(
            "UPDATE users SET password_spent = password_must_change WHERE id = $1 AND epoch = $2 AND password_spent = 0",
        );
        Ok(self.execute(spend.bind(user.to_string()).bind(epoch)).await? > 0)
    }

    /// A live session of somebody with a second factor has it: nobody gets past one that was enrolled meanwhile (MFA-4).
    async fn has_every_factor(&mut self, row: &SessionRow) -> Result<bool, StoreError> {
        if row.stage != Stage::Live || row.second_factor_at.is_some() {
            return Ok(true);
        }
        Ok(!self.has_second_factor(row.user).await?)
    }

    /// Deletes the earlier session, if the new one may take its place.
    pub(super) async fn take_place(
        &mut self,
        old: SessionDigest,
        entry: &Entry<'_>,
    ) -> Result<Option<SessionId>, StoreError> {
        // Where factors change with it, what counts is what is left of them: see `change_with`.
        if entry.change.is_none() && !self.has_every_factor(entry.session).await? {
            return Ok(None);
        }
        let gone = sqlx::query("DELETE FROM sessions WHERE digest = $1 RETURNING id");
        let gone = self.row(gone.bind(old.as_bytes().to_vec())).await?;
        gone.map(|row| row.uuid("id").map(SessionId)).transpose()
    }

    /// Uses the code, changes the factors, stores the session, makes room for a live one, settles the tries, and makes it all
    /// happen.
    pub(super) async fn enter(
        mut self,
        entry: &Entry<'_>,
        ended: Ended,
        events: &[NewEvent],
    ) -> Result<Entered, StoreError> {
        let (mut marks, mut told) = ended;
        if let Some(code) = entry.code
            && !self.use_code(entry.session.user, code).await?
        {
            return Ok(Entered::CodeUsed);
        }
        if !self.change_with(entry).await? {
            return Ok(Entered::Overtaken);
        }
        if entry.changes_factors() {
            marks.extend(self.end_sessions(entry.session.user, None).await?);
            marks.push(Change::User(entry.session.user));
        }
        if let Some(device) = &entry.device {
            self.put_device(device).await?;
        }
        self.put_session(entry.session).await?;
        if entry.session.stage == Stage::Live {
            let (ended, events) = self.make_room(entry).await?;
            marks.extend(ended);
            told.extend(events);
        }
        if let Some(settled) = &entry.tries {
            self.settle(settled).await?;
        }
        if let Some(at) = entry.signed_in_at {
            self.mark_login(entry.session.user, at).await?;
        }
        if let Some(browser) = entry.browser.filter(|_| entry.makes_its_browser_known()) {
            self.know_browser(entry.session.user, browser, entry.session.last_seen).await?;
        }
        marks.extend(self.queue(entry.outbox).await?);
        self.commit(&[events, &told].concat(), &marks).await?;
        Ok(Entered::In)
    }

    /// Changes the factors, if that is still to be done and the session has every one that is left.
    async fn change_with(&mut self, entry: &Entry<'_>) -> Result<bool, StoreError> {
        let Some(change) = &entry.change else { return Ok(true) };
        Ok(self.change_factors(entry.session.user, change).await? && self.has_every_factor(entry.session).await?)
    }

    async fn mark_login(&mut self, user: UserId, at: Timestamp) -> Result<(), StoreError> {
        let mark = sqlx::query("UPDATE users SET last_login_at = $2 WHERE id = $1");
        self.execute(mark.bind(user.to_string()).bind(at.as_millis())).await.map(drop)
    }

    /// The oldest sessions end for the one that enters.
    async fn make_room(&mut self, entry: &Entry<'_>) -> Result<Ended, StoreError> {
        let (Some(room), session) = (&entry.room, entry.session) else { return Ok(Ended::default()) };
        let end = sqlx::query(
            "DELETE FROM sessions WHERE user_id = $1 AND stage = 'live' AND id <> $2 AND id NOT IN \
             (SELECT id FROM sessions WHERE user_id = $1 AND stage = 'live' AND id <> $2 \
             ORDER BY created_at DESC, id DESC LIMIT $3) RETURNING id",
        )
        .bind(session.user.to_string())
        .bind(session.id.to_string())
        .bind(i64::from(room.maximum.saturating_sub(1)));
        let ended = ids(&self.rows(end).await?)?;
        let events = ended.iter().map(|id| room.ended.clone().on(id.to_string())).collect();
        Ok((ended.into_iter().map(Change::Session).collect(), events))
    }
}
