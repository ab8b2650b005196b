//! Sessions, by digest. How they begin and rise: [`entering`](super::entering).

use std::net::IpAddr;

use super::audit::NewEvent;
use super::changes::Change;
use super::sql::{Row, Tx, without_nul};
use super::{Store, StoreError};
use crate::identity::{Amr, DeviceId, Level, SessionId, UserId, UserState};
use crate::secret::SessionDigest;
use crate::time::Timestamp;
use crate::words::UnknownWord;

words! {
    /// How far a sign-in has come.
    pub enum Stage {
        /// Password given, second factor still to come: opens nothing but its own page.
        SecondFactor = "second-factor",
        /// Password given, must enrol a second factor first.
        Enrol = "enrol",
        /// Proven, but the password is a temporary one: it must be changed first.
        ChangePassword = "change-password",
        /// Signed in.
        Live = "live",
    }
}

/// What a session has to do with its browser's being remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Nothing.
    None,
    /// Its user wishes it: the device is made when the sign-in is whole, and not before.
    Wished,
    /// It belongs to this device: made with it, or opened by it. They end together.
    Of(DeviceId),
}

/// A session as stored.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// What the cookie digests to.
    pub digest: SessionDigest,
    /// Public id; stays the same when the token is rotated.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// How far.
    pub stage: Stage,
    /// Proofs, in order.
    pub amr: Vec<Amr>,
    /// When proven from the start.
    pub auth_time: Timestamp,
    /// Second factor's moment.
    pub second_factor_at: Option<Timestamp>,
    /// Made.
    pub created_at: Timestamp,
    /// Last use that counts (kept by `touch_sessions`, in batches).
    pub last_seen: Timestamp,
    /// Ends then, whatever happens.
    pub expires_at: Timestamp,
    /// Whether its browser is remembered.
    pub memory: Memory,
    /// From where it was made.
    pub address: Option<IpAddr>,
    /// The browser's own words, cut to 200 characters.
    pub user_agent: String,
}

/// How much of a browser's own words is kept, in characters.
const USER_AGENT: usize = 200;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT digest, id, user_id, stage, amr, auth_time, second_factor_at, created_at, last_seen, expires_at, ",
            "device_id, remember, address, user_agent FROM sessions ",
            $rest
        )
    };
}

// === impl Store ===

impl Store {
    /// By digest.
    pub async fn session(&self, digest: SessionDigest) -> Result<Option<SessionRow>, StoreError> {
        let query = sqlx::query(select!("WHERE digest = $1")).bind(digest.as_bytes().to_vec());
        self.row(query).await?.as_ref().map(SessionRow::read).transpose()
    }

    /// By public id.
    pub async fn session_by_id(&self, id: SessionId) -> Result<Option<SessionRow>, StoreError> {
        let query = sqlx::query(select!("WHERE id = $1")).bind(id.to_string());
        self.row(query).await?.as_ref().map(SessionRow::read).transpose()
    }

    /// A user's, newest first; everybody's when none is named.
    pub async fn sessions(&self, user: Option<UserId>) -> Result<Vec<SessionRow>, StoreError> {
        let query = match user {
            Some(user) => {
                sqlx::query(select!("WHERE user_id = $1 ORDER BY created_at DESC, id DESC")).bind(user.to_string())
            }
            None => sqlx::query(select!("ORDER BY created_at DESC, id DESC")),
        };
        self.rows(query).await?.iter().map(SessionRow::read).collect()
    }

    /// Ends one, with its device and what else that opened; false when it was gone. Writes change marks.
    pub async fn end_session(&self, id: SessionId, events: &[NewEvent]) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let device = tx.forget_device_of(id).await?;
        if tx.execute(sqlx::query("DELETE FROM sessions WHERE id = $1").bind(id.to_string())).await? == 0 {
            return Ok(false);
        }
        let mut marks = vec![Change::Session(id)];
        if let Some(device) = device {
            marks.extend(tx.end_sessions_of_device(device).await?.into_iter().map(Change::Session));
        }
        tx.commit(events, &marks).await?;
        Ok(true)
    }

    /// Ends a user's, all but `keep`, and forgets their devices, all but the one `keep` belongs to; how many ended.
    pub async fn end_sessions_of(
        &self,
        user: UserId,
        keep: Option<SessionId>,
        events: &[NewEvent],
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        tx.hold_user(user).await?;
        let ended = tx.end_sessions(user, keep).await?;
        tx.commit(events, &ended).await?;
        Ok(ended.len() as u64)
    }

    /// Moves `last_seen` forward (never back).
    pub async fn touch_sessions(&self, seen: &[(SessionId, Timestamp)]) -> Result<(), StoreError> {
        if seen.is_empty() {
            return Ok(());
        }
        // In one order everywhere, so that two processes never wait for each other.
        let mut seen = seen.to_vec();
        seen.sort_unstable();
        let mut tx = self.begin().await?;
        for (id, at) in seen {
            let touch = sqlx::query("UPDATE sessions SET last_seen = $2 WHERE id = $1 AND last_seen < $2");
            tx.execute(touch.bind(id.to_string()).bind(at.as_millis())).await?;
        }
        tx.commit(&[], &[]).await
    }

    /// Deletes those past `expires_at` or not seen since `idle_since`; their ids.
    pub async fn delete_dead_sessions(
        &self,
        now: Timestamp,
        idle_since: Option<Timestamp>,
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut tx = self.begin().await?;
        tx.keep_last_use(now, idle_since).await?;
        let dead = sqlx::query("DELETE FROM sessions WHERE expires_at <= $1 OR last_seen < $2 RETURNING id")
            .bind(now.as_millis())
            .bind(idle_since.map(Timestamp::as_millis));
        let dead = ids(&tx.rows(dead).await?)?;
        let marks: Vec<Change> = dead.iter().copied().map(Change::Session).collect();
        tx.commit(&[], &marks).await?;
        Ok(dead)
    }

    /// Users with sessions who may not act at `now`.
    pub async fn users_out_of_time(&self, now: Timestamp) -> Result<Vec<UserId>, StoreError> {
        let query = sqlx::query(
            "SELECT DISTINCT u.id FROM users u JOIN sessions s ON s.user_id = u.id \
             WHERE u.valid_until <= $1 OR u.valid_from > $1 OR u.state <> $2",
        )
        .bind(now.as_millis())
        .bind(UserState::Active.as_str());
        self.rows(query).await?.iter().map(|row| row.word("id")).collect()
    }
}

// === impl Tx ===

impl Tx<'_> {
    /// Holds a user's row until the commit, so that what belongs to one user is changed by one writer at a time.
    pub(super) async fn hold_user(&mut self, user: UserId) -> Result<bool, StoreError> {
        let hold = sqlx::query("UPDATE users SET epoch = epoch WHERE id = $1").bind(user.to_string());
        Ok(self.execute(hold).await? > 0)
    }

    /// Ends a user's sessions, all but `keep`: the marks to write. Forgets their devices, all but the one `keep` belongs to:
    /// what ends every session leaves no way back without a password. With all of them end the browsers known to the user.
    pub(super) async fn end_sessions(
        &mut self,
        user: UserId,
        keep: Option<SessionId>,
    ) -> Result<Vec<Change>, StoreError> {
        self.forget_devices(user, keep).await?;
        if keep.is_none() {
            self.forget_browsers(user).await?;
        }
        let end = sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND ($2 IS NULL OR id <> $2) RETURNING id")
            .bind(user.to_string())
            .bind(keep.map(|keep| keep.to_string()));
        Ok(ids(&self.rows(end).await?)?.into_iter().map(Change::Session).collect())
    }

    /// Holds the row of a session's user, and forgets the session's device: which it was.
    async fn forget_device_of(&mut self, session: SessionId) -> Result<Option<DeviceId>, StoreError> {
        let hold =
            sqlx::query("UPDATE users SET epoch = epoch WHERE id = (SELECT user_id FROM sessions WHERE id = $1)");
        self.execute(hold.bind(session.to_string())).await?;
        let find = sqlx::query("SELECT device_id FROM sessions WHERE id = $1").bind(session.to_string());
        let Some(device) = self.row(find).await?.map(|row| row.maybe_word("device_id")).transpose()?.flatten() else {
            return Ok(None);
        };
        let device: DeviceId = device;
        self.execute(sqlx::query("DELETE FROM devices WHERE id = $1").bind(device.to_string())).await?;
        Ok(Some(device))
    }

    pub(super) async fn put_session(&mut self, row: &SessionRow) -> Result<(), StoreError> {
        let amr: Vec<&str> = row.amr.iter().map(|amr| amr.as_str()).collect();
        let insert = sqlx::query(
            "INSERT INTO sessions (digest, id, user_id, stage, amr, auth_time, second_factor_at, created_at, last_seen, \
             expires_at, device_id, remember, address, user_agent) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        )
        .bind(row.digest.as_bytes().to_vec())
        .bind(row.id.to_string())
        .bind(row.user.to_string())
        .bind(row.stage.as_str())
        .bind(amr.join(" "))
        .bind(row.auth_time.as_millis())
        .bind(row.second_factor_at.map(Timestamp::as_millis))
        .bind(row.created_at.as_millis())
        .bind(row.last_seen.as_millis())
        .bind(row.expires_at.as_millis())
        .bind(row.memory.device().map(|device| device.to_string()))
        .bind(i64::from(row.memory == Memory::Wished))
        .bind(row.address.map(|address| address.to_string()))
        .bind(kept_user_agent(&row.user_agent));
        self.execute(insert).await.map(drop)
    }
}

/// A browser's own words as they are kept: text for either engine, and not long.
pub fn kept_user_agent(said: &str) -> String {
    without_nul(said).chars().take(USER_AGENT).collect()
}

pub(super) fn ids(rows: &[Row]) -> Result<Vec<SessionId>, StoreError> {
    rows.iter().map(|row| row.uuid("id").map(SessionId)).collect()
}

// === impl Memory ===

impl Memory {
    /// The device, when there is one.
    pub fn device(self) -> Option<DeviceId> {
        match self {
            Self::Of(device) => Some(device),
            Self::None | Self::Wished => None,
        }
    }

    /// The same when every device is forgotten. A wish stays.
    pub fn without_device(self) -> Self {
        match self {
            Self::Of(_) => Self::None,
            Self::None | Self::Wished => self,
        }
    }

    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(match row.maybe_word("device_id")? {
            Some(device) => Self::Of(device),
            None if row.flag("remember")? => Self::Wished,
            None => Self::None,
        })
    }
}

// === impl SessionRow ===

impl SessionRow {
    /// How surely it is its user's.
    pub fn level(&self) -> Level {
        Level::of(&self.amr, self.second_factor_at)
    }

    /// Whether a remembered device opened it, and nobody has signed in from the start in it since.
    pub fn is_remembered(&self) -> bool {
        self.amr.contains(&Amr::Rmb)
    }

    /// When somebody signed in from the start in it: see [`SignedIn::proven_at`](crate::identity::SignedIn::proven_at).
    pub fn proven_at(&self) -> Option<Timestamp> {
        (!self.is_remembered()).then_some(self.auth_time)
    }

    /// Whether it is signed in and neither past its end nor unused since `idle_since`.
    pub fn is_live(&self, now: Timestamp, idle_since: Option<Timestamp>) -> bool {
        self.stage == Stage::Live
            && now < self.expires_at
            && idle_since.is_none_or(|idle_since| self.last_seen > idle_since)
    }

    fn read(row: &Row) -> Result<Self, StoreError> {
        let digest: Vec<u8> = row.get("digest")?;
        let amr: String = row.get("amr")?;
        let amr: Result<_, UnknownWord> = amr.split_whitespace().map(str::parse).collect();
        Ok(Self {
            digest: SessionDigest::from_bytes(&digest).ok_or_else(|| StoreError::unreadable("sessions.digest"))?,
            id: row.word("id")?,
            user: row.word("user_id")?,
            stage: row.word("stage")?,
            amr: amr.map_err(|_| StoreError::unreadable("sessions.amr"))?,
            auth_time: row.time("auth_time")?,
            second_factor_at: row.maybe_time("second_factor_at")?,
            created_at: row.time("created_at")?,
            last_seen: row.time("last_seen")?,
            expires_at: row.time("expires_at")?,
            memory: Memory::read(row)?,
            address: row.maybe_word("address")?,
            user_agent: row.get("user_agent")?,
        })
    }
}
