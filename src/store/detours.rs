//! Requests laid aside while whoever sent them proves more.
//!
//! Each belongs to one session, by its public id, which stays when the token is rotated. It is **used** once: the update that
//! says so empties it, before anything of it leaves. What is used stays without its request until its time is over, so that
//! whoever asks again learns what happened to it.

use std::time::Duration;

use super::audit::NewEvent;
use super::sql::{Row, Tx};
use super::{Store, StoreError};
use crate::identity::{SessionId, UserId};
use crate::secret::Sealed;
use crate::time::Timestamp;

/// Path and query, sealed.
#[derive(Debug)]
pub struct DetourTarget;
/// The request, encoded by `operation::detour`, sealed.
#[derive(Debug)]
pub struct DetourRequest;

/// A request laid aside, without the request.
#[derive(Debug, Clone)]
pub struct DetourRow {
    /// 16 random bytes as text: known to the browser that sent it alone.
    pub id: String,
    /// Whose.
    pub user: UserId,
    /// In which session.
    pub session: SessionId,
    /// For which site.
    pub site: String,
    /// What was asked for: so many factors at least.
    pub factors: u8,
    /// What was asked for: a proof no older than this.
    pub fresh: Option<Duration>,
    /// Path and query (Place "detours", "target", id).
    pub target: Sealed<DetourTarget>,
    /// Bytes of the sealed request; 0 when it was used.
    pub length: i64,
    /// When it was used.
    pub used_at: Option<Timestamp>,
    /// When it was laid aside.
    pub created_at: Timestamp,
    /// Until when it may be used.
    pub expires_at: Timestamp,
}

/// How much may lie aside at once.
#[derive(Debug, Clone, Copy)]
pub struct Shelf {
    /// Requests of one user.
    pub requests_of_one: i64,
    /// Bytes of one user.
    pub bytes_of_one: i64,
    /// Bytes of everybody.
    pub bytes_of_all: i64,
}

/// Whose, and in which session: nobody else's is ever found.
#[derive(Debug, Clone, Copy)]
pub struct Whose {
    /// Who.
    pub user: UserId,
    /// In which session.
    pub session: SessionId,
    /// Now.
    pub now: Timestamp,
}

const OF_ONE: &str = "SELECT COUNT(*) AS found, CAST(COALESCE(SUM(length), 0) AS BIGINT) AS bytes FROM detours \
     WHERE user_id = $1 AND used_at IS NULL AND expires_at > $2";
const OF_ALL: &str =
    "SELECT CAST(COALESCE(SUM(length), 0) AS BIGINT) AS bytes FROM detours WHERE used_at IS NULL AND expires_at > $1";

// === impl Store ===

impl Store {
    /// Lays a request aside; false when there is no room on the `shelf`.
    pub async fn insert_detour(
        &self,
        row: &DetourRow,
        request: &Sealed<DetourRequest>,
        shelf: Shelf,
        events: &[NewEvent],
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        // Those that are laid aside at once are counted one after the other.
        tx.take_turn().await?;
        if !tx.has_room(row, shelf).await? {
            return Ok(false);
        }
        let insert = sqlx::query(
            "INSERT INTO detours (id, user_id, session_id, site, factors, fresh_millis, target, request, length, \
             created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(row.id.clone())
        .bind(row.user.to_string())
        .bind(row.session.to_string())
        .bind(row.site.clone())
        .bind(i64::from(row.factors))
        .bind(row.fresh.map(millis))
        .bind(row.target.as_bytes().to_vec())
        .bind(request.as_bytes().to_vec())
        .bind(row.length)
        .bind(row.created_at.as_millis())
        .bind(row.expires_at.as_millis());
        tx.execute(insert).await?;
        tx.commit(events, &[]).await?;
        Ok(true)
    }

    /// How many of `user` lie aside.
    pub async fn count_detours(&self, user: UserId, now: Timestamp) -> Result<i64, StoreError> {
        let count = sqlx::query(OF_ONE).bind(user.to_string()).bind(now.as_millis());
        self.row(count).await?.map_or(Ok(0), |row| row.get("found"))
    }

    /// One of `whose`, used or not, while its time lasts.
    pub async fn detour(&self, id: &str, whose: Whose) -> Result<Option<DetourRow>, StoreError> {
        let query = sqlx::query(
            "SELECT id, user_id, session_id, site, factors, fresh_millis, target, length, used_at, created_at, \
             expires_at FROM detours WHERE id = $1 AND user_id = $2 AND session_id = $3 AND expires_at > $4",
        );
        self.row(whose.bound(id, query)).await?.as_ref().map(DetourRow::read).transpose()
    }

    /// Its request; nothing when it was used.
    pub async fn detour_request(&self, id: &str, whose: Whose) -> Result<Option<Sealed<DetourRequest>>, StoreError> {
        let query = sqlx::query(
            "SELECT request FROM detours WHERE id = $1 AND user_id = $2 AND session_id = $3 AND expires_at > $4 \
             AND used_at IS NULL",
        );
        let row = self.row(whose.bound(id, query)).await?;
        let request = row.map(|row| row.get::<Option<Vec<u8>>>("request")).transpose()?.flatten();
        Ok(request.map(Sealed::from_stored))
    }

    /// Uses it: true for exactly one caller, and only while its session lives. The request is gone with it.
    pub async fn use_detour(&self, id: &str, whose: Whose, events: &[NewEvent]) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let query = sqlx::query(
            "UPDATE detours SET used_at = $4, request = NULL, length = 0 WHERE id = $1 AND user_id = $2 \
             AND session_id = $3 AND expires_at > $4 AND used_at IS NULL \
             AND EXISTS (SELECT 1 FROM sessions WHERE sessions.id = detours.session_id AND stage = 'live')",
        );
        if tx.execute(whose.bound(id, query)).await? == 0 {
            return Ok(false);
        }
        tx.commit(events, &[]).await?;
        Ok(true)
    }

    /// Asks for more than it was laid aside for.
    pub async fn raise_detour(&self, id: &str, factors: u8, fresh: Option<Duration>) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE detours SET factors = $2, fresh_millis = $3 WHERE id = $1 AND used_at IS NULL");
        let query = query.bind(id.to_owned()).bind(i64::from(factors)).bind(fresh.map(millis));
        self.execute(query).await.map(drop)
    }

    /// Forgets one.
    pub async fn drop_detour(&self, id: &str) -> Result<(), StoreError> {
        self.execute(sqlx::query("DELETE FROM detours WHERE id = $1").bind(id.to_owned())).await.map(drop)
    }

    /// Forgets those whose time is over or whose session ended; how many.
    pub async fn forget_dead_detours(&self, now: Timestamp) -> Result<u64, StoreError> {
        let query = sqlx::query(
            "DELETE FROM detours WHERE expires_at <= $1 \
             OR NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.id = detours.session_id)",
        );
        self.execute(query.bind(now.as_millis())).await
    }
}

// === impl Tx ===

impl Tx<'_> {
    async fn has_room(&mut self, new: &DetourRow, shelf: Shelf) -> Result<bool, StoreError> {
        let now = new.created_at.as_millis();
        let own = self.row(sqlx::query(OF_ONE).bind(new.user.to_string()).bind(now)).await?;
        let all = self.row(sqlx::query(OF_ALL).bind(now)).await?;
        let (Some(own), Some(all)) = (own, all) else { return Err(StoreError::unreadable("detours.length")) };
        let fits = |taken: i64, most: i64| taken.saturating_add(new.length) <= most;
        Ok(own.get::<i64>("found")? < shelf.requests_of_one
            && fits(own.get("bytes")?, shelf.bytes_of_one)
            && fits(all.get("bytes")?, shelf.bytes_of_all))
    }
}

// === impl Whose ===

impl Whose {
    fn bound<'q>(self, id: &str, query: super::sql::Query<'q>) -> super::sql::Query<'q> {
        query.bind(id.to_owned()).bind(self.user.to_string()).bind(self.session.to_string()).bind(self.now.as_millis())
    }
}

// === impl DetourRow ===

impl DetourRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let factors: i64 = row.get("factors")?;
        let fresh: Option<i64> = row.get("fresh_millis")?;
        let fresh = fresh.map(|fresh| u64::try_from(fresh).map(Duration::from_millis)).transpose();
        Ok(Self {
            id: row.get("id")?,
            user: row.word("user_id")?,
            session: row.word("session_id")?,
            site: row.get("site")?,
            factors: u8::try_from(factors).map_err(|_| StoreError::unreadable("detours.factors"))?,
            fresh: fresh.map_err(|_| StoreError::unreadable("detours.fresh_millis"))?,
            target: Sealed::from_stored(row.get("target")?),
            length: row.get("length")?,
            used_at: row.maybe_time("used_at")?,
            created_at: row.time("created_at")?,
            expires_at: row.time("expires_at")?,
        })
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
