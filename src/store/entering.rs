//! Sessions that begin, and sessions that rise to another level: each in one step with what must still be true for it.
//!
//! * The **epoch** is the user's as it was read before anything was proven. Whoever raised it since (a reset, a lost right)
//!   has taken away what the proof was worth: nothing is stored.
//! * **Room** is a limit on a user's live sessions. The oldest end for the one that enters, and the trail says so.
//!
//! * A temporary password is **spent** by the session it begins: it begins one, of however many that are tried at once.
//!
//! Every method holds the user's row first. Of two sign-ins of one user the second therefore sees what the first did: no
//! limit is ever passed, and no new password is put over one that somebody else has set meanwhile.

use super::audit::NewEvent;
use super::changes::Change;
use super::sessions::{SessionRow, Stage, ids};
use super::sql::Tx;
use super::{Store, StoreError};
use crate::identity::{SessionId, UserId};
use crate::secret::SessionDigest;
use crate::time::Timestamp;

/// A limit on a user's live sessions.
#[derive(Debug, Clone)]
pub struct Room {
    /// So many, the one that enters among them; it stays, whatever its age.
    pub maximum: u32,
    /// What the trail says of each that ends; the store adds which.
    pub ended: NewEvent,
}

/// A session to be put in the place of an earlier one.
#[derive(Debug)]
pub struct Rise<'a> {
    /// The earlier one's.
    pub old: SessionDigest,
    /// What it becomes.
    pub new: &'a SessionRow,
    /// The user's as it was read.
    pub epoch: i64,
    /// The limit, when there is one.
    pub room: Option<Room>,
}

/// What ended to make room: the marks and the events of it.
type Ended = (Vec<Change>, Vec<NewEvent>);

// === impl Store ===

impl Store {
    /// Stores a new session, begun by a password; a temporary one is spent by it. False, and nothing stored: the password
    /// was temporary and is spent, or the epoch was raised, or a second factor was enrolled that a live session does not
    /// have, or the user is gone.
    pub async fn insert_session(
        &self,
        row: &SessionRow,
        epoch: i64,
        room: Option<&Room>,
        events: &[NewEvent],
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if !tx.spend_password(row.user, epoch).await? || !tx.has_every_factor(row).await? {
            return Ok(false);
        }
        let ended = tx.enter(row, room).await?;
        tx.commit_entry(events, Vec::new(), ended).await?;
        Ok(true)
    }

    /// Puts a session in the place of an earlier one. False when that is gone, or when [`Self::insert_session`] would not
    /// store the new one.
    pub async fn rotate_session(&self, rise: &Rise<'_>, events: &[NewEvent]) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if !tx.hold_user_at(rise.new.user, rise.epoch).await? {
            return Ok(false);
        }
        let Some(was) = tx.take_place(rise).await? else { return Ok(false) };
        let ended = tx.enter(rise.new, rise.room.as_ref()).await?;
        tx.commit_entry(events, vec![Change::Session(was)], ended).await?;
        Ok(true)
    }

    /// The same with a password of the user's own in the place of a temporary one: raises the epoch and ends all other
    /// sessions. A password that was set since the user was read stays: false then, as in [`Self::rotate_session`].
    pub async fn change_password(
        &self,
        rise: &Rise<'_>,
        hash: &str,
        at: Timestamp,
        events: &[NewEvent],
    ) -> Result<bool, StoreError> {
        let user = rise.new.user;
        let mut tx = self.begin().await?;
        if !tx.replace_password(user, rise.epoch, hash, at).await? {
            return Ok(false);
        }
        let Some(was) = tx.take_place(rise).await? else { return Ok(false) };
        let mut marks = tx.end_sessions(user, None).await?;
        marks.extend([Change::Session(was), Change::User(user)]);
        let ended = tx.enter(rise.new, None).await?;
        tx.commit_entry(events, marks, ended).await?;
        Ok(true)
    }
}

// === impl Tx ===

impl Tx<'_> {
    /// Holds a user's row until the commit, if nothing was taken from them since they were read at `epoch`.
    async fn hold_user_at(&mut self, user: UserId, epoch: i64) -> Result<bool, StoreError> {
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

    async fn replace_password(
        &mut self,
        user: UserId,
        epoch: i64,
        hash: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let replace = sqlx::query(
            "UPDATE users SET password_hash = $3, password_must_change = 0, password_spent = 0, password_set_at = $4, \
             epoch = epoch + 1 WHERE id = $1 AND epoch = $2",
        )
        .bind(user.to_string())
        .bind(epoch)
        .bind(hash)
        .bind(at.as_millis());
        Ok(self.execute(replace).await? > 0)
    }

    /// A live session of somebody with a second factor has it: nobody gets past one that was enrolled meanwhile (MFA-4).
    async fn has_every_factor(&mut self, row: &SessionRow) -> Result<bool, StoreError> {
        if row.stage != Stage::Live || row.second_factor_at.is_some() {
            return Ok(true);
        }
        let factor =
            sqlx::query("SELECT id FROM second_factors WHERE user_id = $1 AND confirmed_at IS NOT NULL LIMIT 1");
        Ok(self.row(factor.bind(row.user.to_string())).await?.is_none())
    }

    /// Deletes the earlier session, if the new one may take its place.
    async fn take_place(&mut self, rise: &Rise<'_>) -> Result<Option<SessionId>, StoreError> {
        if !self.has_every_factor(rise.new).await? {
            return Ok(None);
        }
        let gone = sqlx::query("DELETE FROM sessions WHERE digest = $1 RETURNING id");
        let gone = self.row(gone.bind(rise.old.as_bytes().to_vec())).await?;
        gone.map(|row| row.uuid("id").map(SessionId)).transpose()
    }

    /// Stores the row; a live one has room made for it.
    async fn enter(&mut self, row: &SessionRow, room: Option<&Room>) -> Result<Ended, StoreError> {
        self.put_session(row).await?;
        let Some(room) = room.filter(|_| row.stage == Stage::Live) else { return Ok(Ended::default()) };
        let end = sqlx::query(
            "DELETE FROM sessions WHERE user_id = $1 AND stage = 'live' AND id <> $2 AND id NOT IN \
             (SELECT id FROM sessions WHERE user_id = $1 AND stage = 'live' AND id <> $2 \
             ORDER BY created_at DESC, id DESC LIMIT $3) RETURNING id",
        )
        .bind(row.user.to_string())
        .bind(row.id.to_string())
        .bind(i64::from(room.maximum.saturating_sub(1)));
        let ended = ids(&self.rows(end).await?)?;
        let events = ended.iter().map(|id| room.ended.clone().on(id.to_string())).collect();
        Ok((ended.into_iter().map(Change::Session).collect(), events))
    }

    async fn commit_entry(
        self,
        events: &[NewEvent],
        mut marks: Vec<Change>,
        (ended, told): Ended,
    ) -> Result<(), StoreError> {
        marks.extend(ended);
        self.commit(&[events, &told].concat(), &marks).await
    }
}
