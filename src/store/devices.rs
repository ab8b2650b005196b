//! Remembered devices, by id. How one is made and how it opens a session: [`entering`](super::entering).
//!
//! * A device and the sessions it opened **end together** whenever somebody ends either. A session that only comes to its
//!   idle or absolute end leaves its device.
//! * Whatever ends all sessions of a user forgets their devices ([`Tx::end_sessions`]).
//! * A device is worth nothing once its user's **epoch** is another than when it was made.
//!
//! Rows are held in one order everywhere: the user's, the device's, the session's.

use std::net::IpAddr;

use super::audit::NewEvent;
use super::changes::Change;
use super::outbox::NewOutbox;
use super::sessions::{ids, kept_user_agent};
use super::sql::{Row, Tx};
use super::{Store, StoreError};
use crate::identity::{DeviceId, SessionId, UserId};
use crate::secret::{RememberDigest, Sealed};
use crate::time::Timestamp;

/// A session token's text, sealed in `devices.session` (row = the device's id).
#[derive(Debug)]
pub struct SessionText;

/// A device as stored.
#[derive(Debug, Clone)]
pub struct DeviceRow {
    /// Public id.
    pub id: DeviceId,
    /// Whose.
    pub user: UserId,
    /// The user's, when it was made.
    pub epoch: i64,
    /// Of the value its browser holds.
    pub digest: RememberDigest,
    /// When its user last signed in from the start in this browser.
    pub auth_time: Timestamp,
    /// Made.
    pub created_at: Timestamp,
    /// Last use, also of the sessions it opened.
    pub last_seen: Timestamp,
    /// Forgotten then, whatever happens.
    pub expires_at: Timestamp,
    /// From where it was last presented.
    pub address: Option<IpAddr>,
    /// The browser's own words, cut to 200 characters.
    pub user_agent: String,
    /// The last return, while others may join it.
    pub returned: Option<Returned>,
}

/// A return that others may join for a moment: requests that the same browser had sent at the same time.
#[derive(Debug, Clone)]
pub struct Returned {
    /// Of the value that was presented.
    pub previous: RememberDigest,
    /// The token of the session that was begun.
    pub session: Sealed<SessionText>,
    /// Until then.
    pub until: Timestamp,
}

/// What ends a device, for whoever tells of it.
#[derive(Debug)]
pub struct Forgetting<'a> {
    /// About the device.
    pub forgotten: &'a [NewEvent],
    /// About each of its sessions that ends with it; the store adds which.
    pub ended: NewEvent,
    /// Mails about it.
    pub outbox: &'a [NewOutbox],
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT d.id, d.user_id, d.epoch, d.digest, d.auth_time, d.created_at, d.last_seen, d.expires_at, d.address, ",
            "d.user_agent, d.previous, d.session, d.joined_until, ",
            "(SELECT MAX(s.last_seen) FROM sessions s WHERE s.device_id = d.id) AS session_seen FROM devices d ",
            $rest
        )
    };
}

// === impl Store ===

impl Store {
    /// By id.
    pub async fn device(&self, id: DeviceId) -> Result<Option<DeviceRow>, StoreError> {
        let query = sqlx::query(select!("WHERE d.id = $1")).bind(id.to_string());
        self.row(query).await?.as_ref().map(DeviceRow::read).transpose()
    }

    /// A user's that are worth something at `now`, newest first; everybody's when none is named.
    pub async fn devices(&self, user: Option<UserId>, now: Timestamp) -> Result<Vec<DeviceRow>, StoreError> {
        let query = sqlx::query(select!(
            "JOIN users u ON u.id = d.user_id AND u.epoch = d.epoch \
             WHERE ($1 IS NULL OR d.user_id = $1) AND d.expires_at > $2 ORDER BY d.created_at DESC, d.id DESC"
        ));
        let query = query.bind(user.map(|user| user.to_string())).bind(now.as_millis());
        self.rows(query).await?.iter().map(DeviceRow::read).collect()
    }

    /// Forgets a device of `user` and ends its sessions: which. Nothing when it was gone, or is somebody else's.
    pub async fn forget_device(
        &self,
        user: UserId,
        id: DeviceId,
        forgetting: &Forgetting<'_>,
    ) -> Result<Option<Vec<SessionId>>, StoreError> {
        let mut tx = self.begin().await?;
        tx.hold_user(user).await?;
        let forget = sqlx::query("DELETE FROM devices WHERE id = $1 AND user_id = $2");
        if tx.execute(forget.bind(id.to_string()).bind(user.to_string())).await? == 0 {
            return Ok(None);
        }
        let ended = tx.end_sessions_of_device(id).await?;
        tx.finish(forgetting, &ended).await?;
        Ok(Some(ended))
    }

    /// Forgets a user's devices, all but `keep`, and ends their sessions: how many were forgotten.
    pub async fn forget_devices_of(
        &self,
        user: UserId,
        keep: Option<DeviceId>,
        forgetting: &Forgetting<'_>,
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        tx.hold_user(user).await?;
        let forget = sqlx::query("DELETE FROM devices WHERE user_id = $1 AND ($2 IS NULL OR id <> $2) RETURNING id");
        let forget = forget.bind(user.to_string()).bind(keep.map(|keep| keep.to_string()));
        let forgotten = tx.rows(forget).await?;
        let mut ended = Vec::new();
        for row in &forgotten {
            ended.extend(tx.end_sessions_of_device(row.word("id")?).await?);
        }
        tx.finish(forgetting, &ended).await?;
        Ok(forgotten.len() as u64)
    }

    /// Deletes devices past `expires_at`, unused since `idle_since`, or of users who may not act any more: how many.
    pub async fn forget_dead_devices(&self, now: Timestamp, idle_since: Option<Timestamp>) -> Result<u64, StoreError> {
        let forget = sqlx::query(
            "DELETE FROM devices WHERE expires_at <= $1 \
             OR (last_seen < $2 AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.device_id = devices.id)) \
             OR user_id IN (SELECT id FROM users WHERE state <> 'active' OR valid_until <= $1)",
        );
        self.execute(forget.bind(now.as_millis()).bind(idle_since.map(Timestamp::as_millis))).await
    }

    /// Wipes the sessions of returns that nobody may join any more: how many.
    pub async fn wipe_returns(&self, now: Timestamp) -> Result<u64, StoreError> {
        let wipe = sqlx::query(
            "UPDATE devices SET previous = NULL, session = NULL, joined_until = NULL WHERE joined_until <= $1",
        );
        self.execute(wipe.bind(now.as_millis())).await
    }
}

// === impl Tx ===

impl Tx<'_> {
    /// Stores a new device, with the epoch that its user has now.
    pub(super) async fn put_device(&mut self, row: &DeviceRow) -> Result<(), StoreError> {
        let insert = sqlx::query(
            "INSERT INTO devices (id, user_id, epoch, digest, auth_time, created_at, last_seen, expires_at, address, \
             user_agent) VALUES ($1, $2, (SELECT epoch FROM users WHERE id = $2), $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(row.id.to_string())
        .bind(row.user.to_string())
        .bind(row.digest.as_bytes().to_vec())
        .bind(row.auth_time.as_millis())
        .bind(row.created_at.as_millis())
        .bind(row.last_seen.as_millis())
        .bind(row.expires_at.as_millis())
        .bind(row.address.map(|address| address.to_string()))
        .bind(kept_user_agent(&row.user_agent));
        self.execute(insert).await.map(drop)
    }

    /// Puts a new value in the place of `old`, for exactly one of all who present it, while the device is of the user's
    /// `epoch`.
    pub(super) async fn rotate_value(
        &mut self,
        old: RememberDigest,
        row: &DeviceRow,
        epoch: i64,
    ) -> Result<bool, StoreError> {
        let returned = row.returned.as_ref();
        let rotate = sqlx::query(
            "UPDATE devices SET digest = $3, last_seen = $4, address = $5, user_agent = $6, previous = $7, session = $8, \
             joined_until = $9 WHERE id = $1 AND digest = $2 AND epoch = $10",
        )
        .bind(row.id.to_string())
        .bind(old.as_bytes().to_vec())
        .bind(row.digest.as_bytes().to_vec())
        .bind(row.last_seen.as_millis())
        .bind(row.address.map(|address| address.to_string()))
        .bind(kept_user_agent(&row.user_agent))
        .bind(returned.map(|returned| returned.previous.as_bytes().to_vec()))
        .bind(returned.map(|returned| returned.session.as_bytes().to_vec()))
        .bind(returned.map(|returned| returned.until.as_millis()))
        .bind(epoch);
        Ok(self.execute(rotate).await? > 0)
    }

    /// Forgets a user's devices, all but the one that the session `keep` belongs to.
    pub(super) async fn forget_devices(&mut self, user: UserId, keep: Option<SessionId>) -> Result<(), StoreError> {
        let forget = sqlx::query(
            "DELETE FROM devices WHERE user_id = $1 AND NOT EXISTS \
             (SELECT 1 FROM sessions s WHERE s.device_id = devices.id AND s.id = $2)",
        );
        let forget = forget.bind(user.to_string()).bind(keep.map(|keep| keep.to_string()));
        self.execute(forget).await.map(drop)
    }

    /// Ends a device's sessions: which.
    pub(super) async fn end_sessions_of_device(&mut self, device: DeviceId) -> Result<Vec<SessionId>, StoreError> {
        let end = sqlx::query("DELETE FROM sessions WHERE device_id = $1 RETURNING id").bind(device.to_string());
        ids(&self.rows(end).await?)
    }

    /// Carries the last use of sessions about to be deleted as dead over to their devices.
    pub(super) async fn keep_last_use(
        &mut self,
        now: Timestamp,
        idle_since: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let keep = sqlx::query(
            "UPDATE devices SET last_seen = \
             (SELECT MAX(s.last_seen) FROM sessions s WHERE s.device_id = devices.id) \
             WHERE id IN (SELECT s.device_id FROM sessions s WHERE s.device_id IS NOT NULL \
             AND (s.expires_at <= $1 OR s.last_seen < $2)) \
             AND last_seen < (SELECT MAX(s.last_seen) FROM sessions s WHERE s.device_id = devices.id)",
        );
        let keep = keep.bind(now.as_millis()).bind(idle_since.map(Timestamp::as_millis));
        self.execute(keep).await.map(drop)
    }

    async fn finish(mut self, forgetting: &Forgetting<'_>, ended: &[SessionId]) -> Result<(), StoreError> {
        let mut marks: Vec<Change> = ended.iter().copied().map(Change::Session).collect();
        marks.extend(self.queue(forgetting.outbox).await?);
        let ended = ended.iter().map(|session| forgetting.ended.clone().on(session.to_string()));
        let events: Vec<NewEvent> = forgetting.forgotten.iter().cloned().chain(ended).collect();
        self.commit(&events, &marks).await
    }
}

// === impl DeviceRow ===

impl DeviceRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let last_seen = row.time("last_seen")?;
        Ok(Self {
            id: row.word("id")?,
            user: row.word("user_id")?,
            epoch: row.get("epoch")?,
            digest: digest(&row.get::<Vec<u8>>("digest")?)?,
            auth_time: row.time("auth_time")?,
            created_at: row.time("created_at")?,
            last_seen: row.maybe_time("session_seen")?.map_or(last_seen, |seen| seen.max(last_seen)),
            expires_at: row.time("expires_at")?,
            address: row.maybe_word("address")?,
            user_agent: row.get("user_agent")?,
            returned: Returned::read(row)?,
        })
    }
}

// === impl Returned ===

impl Returned {
    fn read(row: &Row) -> Result<Option<Self>, StoreError> {
        let previous: Option<Vec<u8>> = row.get("previous")?;
        let session: Option<Vec<u8>> = row.get("session")?;
        let (Some(previous), Some(session), Some(until)) = (previous, session, row.maybe_time("joined_until")?) else {
            return Ok(None);
        };
        Ok(Some(Self { previous: digest(&previous)?, session: Sealed::from_stored(session), until }))
    }
}

fn digest(bytes: &[u8]) -> Result<RememberDigest, StoreError> {
    RememberDigest::from_bytes(bytes).ok_or_else(|| StoreError::unreadable("devices.digest"))
}
