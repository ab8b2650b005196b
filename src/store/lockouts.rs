//! Reserved tries: a try is counted before the check it is for.
//!
//! ```text
//! nothing ──reserve──▶ 1 try … limit tries + lock ──lock ends, reserve──▶ 1 try
//!    ▲                   │             │
//!    └──── clear ────────┴─────────────┘      give back: one try less, no lock
//! ```

use std::time::Duration;

use super::audit::NewEvent;
use super::sql::{Row, Tx};
use super::{Store, StoreError};
use crate::identity::UserId;
use crate::time::Timestamp;

/// What a reservation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved {
    /// Go and check; this was try number `tries`. When it was the last, the lock is already set.
    Try {
        /// Its number, from 1.
        tries: u32,
        /// Whether it was the last one.
        last: bool,
    },
    /// Locked until then: check nothing.
    Locked {
        /// When the lock ends.
        until: Timestamp,
    },
}

/// What becomes of a subject's tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// Signed in: the counter goes, with the lock that the reserved try itself may have set.
    Clear(String),
    /// Signed in by a step that took no try: the counter goes, but for a lock in force at that moment.
    ClearUnlocked(String, Timestamp),
    /// Right, with more to come: one try less.
    GiveBack(String),
}

/// A subject's counter as stored. Subjects: `user:<id>`, `browser:<id>:<digest hex>`, `unknown:<mac hex>`, `validator:<id>`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[expect(missing_docs, reason = "plain")]
pub struct LockoutRow {
    pub subject: String,
    pub tries: i64,
    pub locked_until: Option<Timestamp>,
}

/// $1 subject, $2 limit (0: none), $3 end of a lock set now, $4 now. Changes nothing, and returns nothing, while locked.
const RESERVE: &str = "INSERT INTO lockouts (subject, tries, locked_until, touched_at) \
     VALUES ($1, 1, CASE WHEN $2 = 1 THEN $3 END, $4) \
     ON CONFLICT (subject) DO UPDATE SET \
       tries = CASE WHEN lockouts.locked_until <= $4 THEN 1 ELSE lockouts.tries + 1 END, \
       locked_until = CASE WHEN $2 > 0 AND \
         CASE WHEN lockouts.locked_until <= $4 THEN 1 ELSE lockouts.tries + 1 END >= $2 THEN $3 END, \
       touched_at = $4 \
     WHERE lockouts.locked_until IS NULL OR lockouts.locked_until <= $4 \
     RETURNING tries, locked_until";

// === impl Store ===

impl Store {
    /// Reserves a try in one conditional statement: exactly `limit` reservations succeed until success, lock end or unlock,
    /// however many arrive at once. A lock that has ended starts again at 1. The lock's end is fixed when it is set.
    /// A `limit` of 0 is none: tries are counted and nothing is locked.
    pub async fn reserve_try(
        &self,
        subject: &str,
        limit: u32,
        lock: Duration,
        now: Timestamp,
    ) -> Result<Reserved, StoreError> {
        let mut tx = self.begin().await?;
        let reserve = sqlx::query(RESERVE)
            .bind(subject)
            .bind(i64::from(limit))
            .bind(now.plus(lock).as_millis())
            .bind(now.as_millis());
        let reserved = match tx.row(reserve).await? {
            Some(row) => a_try(&row)?,
            None => locked(tx.row(sqlx::query(ONE).bind(subject)).await?)?,
        };
        tx.commit(&[], &[]).await?;
        Ok(reserved)
    }

    /// Gives one try back: nothing was looked at, or what was given is right and begins nothing.
    pub async fn give_back_try(&self, subject: &str) -> Result<(), StoreError> {
        self.execute(sqlx::query(GIVE_BACK).bind(subject)).await.map(drop)
    }

    /// Unlocked, by an administrator: the counter goes. True when there was a lock in force or tries.
    pub async fn clear_tries(&self, subject: &str, events: &[NewEvent]) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let gone = tx.row(sqlx::query("DELETE FROM lockouts WHERE subject = $1 RETURNING tries").bind(subject)).await?;
        let tries: i64 = gone.map_or(Ok(0), |row| row.get("tries"))?;
        tx.commit(events, &[]).await?;
        Ok(tries > 0)
    }

    /// The counters of a user's known browsers.
    pub async fn browser_lockouts(&self, user: UserId) -> Result<Vec<LockoutRow>, StoreError> {
        let query = sqlx::query("SELECT subject, tries, locked_until FROM lockouts WHERE subject LIKE $1");
        self.rows(query.bind(format!("browser:{user}:%"))).await?.iter().map(LockoutRow::read).collect()
    }

    /// One counter.
    pub async fn lockout(&self, subject: &str) -> Result<Option<LockoutRow>, StoreError> {
        self.row(sqlx::query(ONE).bind(subject)).await?.as_ref().map(LockoutRow::read).transpose()
    }

    /// Locks in force, the one that ends first before the others.
    pub async fn locks(&self, now: Timestamp) -> Result<Vec<LockoutRow>, StoreError> {
        let query = sqlx::query(
            "SELECT subject, tries, locked_until FROM lockouts WHERE locked_until > $1 ORDER BY locked_until, subject",
        );
        self.rows(query.bind(now.as_millis())).await?.iter().map(LockoutRow::read).collect()
    }

    /// Forgets counters of unknown names and of browsers untouched since `before`; never one whose lock ends later.
    pub async fn forget_old_tries(&self, before: Timestamp) -> Result<u64, StoreError> {
        let query = sqlx::query(
            "DELETE FROM lockouts WHERE (subject LIKE 'unknown:%' OR subject LIKE 'browser:%') AND touched_at < $1 \
             AND (locked_until IS NULL OR locked_until < $1)",
        );
        self.execute(query.bind(before.as_millis())).await
    }
}

// === impl Tx ===

impl Tx<'_> {
    /// What a session that enters makes of the tries.
    pub(super) async fn settle(&mut self, tries: &Settled) -> Result<(), StoreError> {
        let settle = match tries {
            Settled::GiveBack(subject) => sqlx::query(GIVE_BACK).bind(subject.clone()),
            Settled::Clear(subject) => sqlx::query("DELETE FROM lockouts WHERE subject = $1").bind(subject.clone()),
            Settled::ClearUnlocked(subject, now) => {
                sqlx::query("DELETE FROM lockouts WHERE subject = $1 AND (locked_until IS NULL OR locked_until <= $2)")
                    .bind(subject.clone())
                    .bind(now.as_millis())
            }
        };
        self.execute(settle).await.map(drop)
    }
}

/// One try less. A lock set by the last try goes with it: one wrong try less has been made than the limit.
const GIVE_BACK: &str = "UPDATE lockouts SET tries = tries - 1, locked_until = NULL WHERE subject = $1 AND tries > 0";

const ONE: &str = "SELECT subject, tries, locked_until FROM lockouts WHERE subject = $1";

fn a_try(row: &Row) -> Result<Reserved, StoreError> {
    let tries = u32::try_from(row.get::<i64>("tries")?).map_err(|_| StoreError::unreadable("lockouts.tries"))?;
    Ok(Reserved::Try { tries, last: row.maybe_time("locked_until")?.is_some() })
}

fn locked(row: Option<Row>) -> Result<Reserved, StoreError> {
    let until = row.map_or(Ok(None), |row| row.maybe_time("locked_until"))?;
    // The row is held since the first statement (PostgreSQL locks it even where the condition fails): it is the same.
    until.map(|until| Reserved::Locked { until }).ok_or_else(|| StoreError::unreadable("lockouts.locked_until"))
}

// === impl LockoutRow ===

impl LockoutRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            subject: row.get("subject")?,
            tries: row.get("tries")?,
            locked_until: row.maybe_time("locked_until")?,
        })
    }
}
