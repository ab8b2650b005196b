//! Passwords that take the place of others.
//!
//! * The **earlier** ones are kept by hash, so many as are remembered. A temporary one is not among them: nobody chose it, and
//!   an administrator's resets must not push out what people chose.
//! * A **limit** bounds how often people change their own. It is looked at, and what counts is written, while the user's row is
//!   held: of however many changes at once, as many happen as are allowed.
//!
//! Every replacement raises the user's epoch, which therefore numbers them.

use std::time::Duration;

use super::audit::NewEvent;
use super::changes::Change;
use super::entering::{Entered, Entry};
use super::sql::{Query, Row, Tx};
use super::{Store, StoreError};
use crate::identity::UserId;
use crate::secret::SessionDigest;
use crate::time::Timestamp;

/// A password to be set.
#[derive(Debug, Clone, Copy)]
pub struct NewPassword<'a> {
    /// PHC string.
    pub hash: &'a str,
    /// Now.
    pub at: Timestamp,
    /// It is temporary: it begins one sign-in, which must change it.
    pub must_change: bool,
    /// So many earlier ones are kept, the one it replaces among them.
    pub remembered: u32,
    /// The limit on people's own changes, when this is one of them.
    pub limit: Option<ChangeLimit>,
}

/// A limit on people's own changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeLimit {
    /// So many,
    pub allowed: u32,
    /// in any stretch of this length.
    pub period: Duration,
}

/// What a change came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a change that did not happen leaves the old password"]
pub enum Changed {
    /// The session entered, or did not: the password with it.
    Session(Entered),
    /// Nothing was stored: as many changes as are allowed have been made.
    TooMany {
        /// When the next one is possible.
        until: Timestamp,
    },
}

// === impl NewPassword, Changed ===

impl<'a> NewPassword<'a> {
    /// One to keep, with nothing beside it.
    pub fn of(hash: &'a str, at: Timestamp) -> Self {
        Self { hash, at, must_change: false, remembered: 0, limit: None }
    }
}

impl Changed {
    /// Whether the password is set.
    pub fn is_in(self) -> bool {
        self == Self::Session(Entered::In)
    }
}

// === impl Store ===

impl Store {
    /// Sets a password, raises the epoch, ends all sessions; false when there is no such user.
    pub async fn set_password(
        &self,
        id: UserId,
        new: &NewPassword<'_>,
        events: &[NewEvent],
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if !tx.hold_user(id).await? {
            return Ok(false);
        }
        tx.replace_password(id, new).await?;
        let mut marks = tx.end_sessions(id, None).await?;
        marks.push(Change::User(id));
        tx.commit(events, &marks).await?;
        Ok(true)
    }

    /// A password of the user's own in the place of the one there is, with a session in the place of the one with the digest
    /// `old`: raises the epoch and ends all other sessions. A password that was set since the user was read stays: overtaken
    /// then, as in [`Self::rotate_session`].
    pub async fn change_password(
        &self,
        old: SessionDigest,
        entry: &Entry<'_>,
        new: &NewPassword<'_>,
        events: &[NewEvent],
    ) -> Result<Changed, StoreError> {
        let user = entry.session.user;
        let mut tx = self.begin().await?;
        if !tx.hold_user_at(user, entry.epoch).await? {
            return Ok(Changed::Session(Entered::Overtaken));
        }
        if let Some(limit) = new.limit {
            if let Some(until) = next_change(tx.row(counted(user, limit, new.at)).await?, limit)? {
                return Ok(Changed::TooMany { until });
            }
            tx.count_change(user, limit, new.at).await?;
        }
        tx.replace_password(user, new).await?;
        let Some(was) = tx.take_place(old, entry).await? else { return Ok(Changed::Session(Entered::Overtaken)) };
        let mut marks = tx.end_sessions(user, None).await?;
        marks.extend([Change::Session(was), Change::User(user)]);
        tx.enter(entry, (marks, Vec::new()), events).await.map(Changed::Session)
    }

    /// When a user may change their own password again; nothing where they may now.
    pub async fn next_change(
        &self,
        user: UserId,
        limit: ChangeLimit,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        next_change(self.row(counted(user, limit, now)).await?, limit)
    }

    /// The hashes of the last `count` passwords before the present one, the newest first.
    pub async fn earlier_passwords(&self, user: UserId, count: u32) -> Result<Vec<String>, StoreError> {
        let query = sqlx::query("SELECT hash FROM earlier_passwords WHERE user_id = $1 ORDER BY epoch DESC LIMIT $2");
        let rows = self.rows(query.bind(user.to_string()).bind(i64::from(count))).await?;
        rows.iter().map(|row| row.get("hash")).collect()
    }
}

// === impl Tx ===

impl Tx<'_> {
    /// The user's row is held.
    async fn replace_password(&mut self, user: UserId, new: &NewPassword<'_>) -> Result<(), StoreError> {
        self.remember_password(user, new.remembered).await?;
        let replace = sqlx::query(
            "UPDATE users SET password_hash = $2, password_must_change = $3, password_spent = 0, password_set_at = $4, \
             epoch = epoch + 1 WHERE id = $1",
        )
        .bind(user.to_string())
        .bind(new.hash)
        .bind(i64::from(new.must_change))
        .bind(new.at.as_millis());
        self.execute(replace).await.map(drop)
    }

    /// The password there is becomes an earlier one; of those, the last `remembered` stay.
    async fn remember_password(&mut self, user: UserId, remembered: u32) -> Result<(), StoreError> {
        let remember = sqlx::query(
            "INSERT INTO earlier_passwords (user_id, epoch, hash) SELECT id, epoch, password_hash FROM users \
             WHERE id = $1 AND password_hash IS NOT NULL AND password_must_change = 0",
        );
        self.execute(remember.bind(user.to_string())).await?;
        let forget = sqlx::query(
            "DELETE FROM earlier_passwords WHERE user_id = $1 AND epoch NOT IN \
             (SELECT epoch FROM earlier_passwords WHERE user_id = $1 ORDER BY epoch DESC LIMIT $2)",
        );
        self.execute(forget.bind(user.to_string()).bind(i64::from(remembered))).await.map(drop)
    }

    /// One more change of the user's own. More than are allowed need not be known.
    async fn count_change(&mut self, user: UserId, limit: ChangeLimit, at: Timestamp) -> Result<(), StoreError> {
        let count = sqlx::query(
            "INSERT INTO password_changes (user_id, epoch, at) SELECT id, epoch, $2 FROM users WHERE id = $1",
        );
        self.execute(count.bind(user.to_string()).bind(at.as_millis())).await?;
        let forget = sqlx::query(
            "DELETE FROM password_changes WHERE user_id = $1 AND epoch NOT IN \
             (SELECT epoch FROM password_changes WHERE user_id = $1 ORDER BY epoch DESC LIMIT $2)",
        );
        self.execute(forget.bind(user.to_string()).bind(i64::from(limit.allowed))).await.map(drop)
    }
}

/// The change that, being so many changes ago, forbids another.
fn counted<'q>(user: UserId, limit: ChangeLimit, now: Timestamp) -> Query<'q> {
    sqlx::query("SELECT at FROM password_changes WHERE user_id = $1 AND at > $2 ORDER BY epoch DESC LIMIT 1 OFFSET $3")
        .bind(user.to_string())
        .bind(now.minus(limit.period).as_millis())
        .bind(i64::from(limit.allowed.saturating_sub(1)))
}

fn next_change(counted: Option<Row>, limit: ChangeLimit) -> Result<Option<Timestamp>, StoreError> {
    counted.map(|row| row.time("at").map(|at| at.plus(limit.period))).transpose()
}
