//! TOTP enrolments.

use uuid::Uuid;

use super::audit::NewEvent;
use super::changes::Change;
use super::sql::{Row, Tx};
use super::{Store, StoreError};
use crate::identity::UserId;
use crate::secret::Sealed;
use crate::time::Timestamp;

/// A TOTP seed's bytes.
#[derive(Debug)]
pub struct Seed;

/// One enrolment. Parameters are stored with it.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "named as in RFC 6238")]
pub struct SecondFactorRow {
    pub id: Uuid,
    pub user: UserId,
    /// Place table "second_factors", column "seed", row = id.
    pub seed: Sealed<Seed>,
    pub algorithm: String,
    pub digits: i64,
    pub period_secs: i64,
    pub created_at: Timestamp,
    /// None: waiting for its first right code.
    pub confirmed_at: Option<Timestamp>,
    /// The last step a code was accepted for; never again at or before it.
    pub last_step: i64,
}

/// A code that was found right, and still has to be the only use of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Of a confirmed factor: used once for all who hold it (RFC 6238 section 5.2).
    Used {
        /// The factor.
        factor: Uuid,
        /// The step it is of.
        step: i64,
    },
    /// The first of an enrolment: the factor counts from now on, and the user's other sessions end.
    Enrols {
        /// The factor.
        factor: Uuid,
        /// The step it is of.
        step: i64,
        /// Now.
        at: Timestamp,
    },
}

// === impl Store ===

impl Store {
    /// Stores an unconfirmed enrolment, replacing an unconfirmed earlier one.
    pub async fn put_second_factor(&self, row: &SecondFactorRow) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.hold_user(row.user).await?;
        let earlier = sqlx::query("DELETE FROM second_factors WHERE user_id = $1 AND confirmed_at IS NULL");
        tx.execute(earlier.bind(row.user.to_string())).await?;
        let insert = sqlx::query(
            "INSERT INTO second_factors (id, user_id, seed, algorithm, digits, period_secs, created_at, confirmed_at, \
             last_step) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(row.id.to_string())
        .bind(row.user.to_string())
        .bind(row.seed.as_bytes().to_vec())
        .bind(row.algorithm.clone())
        .bind(row.digits)
        .bind(row.period_secs)
        .bind(row.created_at.as_millis())
        .bind(row.confirmed_at.map(Timestamp::as_millis))
        .bind(row.last_step);
        tx.execute(insert).await?;
        tx.commit(&[], &[]).await
    }

    /// Confirms it by the code of `step`, by nobody's session: for those who set people up. False when already confirmed or gone.
    pub async fn confirm_second_factor(
        &self,
        id: Uuid,
        step: i64,
        at: Timestamp,
        events: &[NewEvent],
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let Some(user) = tx.confirm_factor(id, step, at).await? else { return Ok(false) };
        tx.commit(events, &[Change::User(user)]).await?;
        Ok(true)
    }

    /// All of a user's, confirmed or not, oldest first.
    pub async fn second_factors(&self, user: UserId) -> Result<Vec<SecondFactorRow>, StoreError> {
        let query = sqlx::query(
            "SELECT id, user_id, seed, algorithm, digits, period_secs, created_at, confirmed_at, last_step \
             FROM second_factors WHERE user_id = $1 ORDER BY created_at, id",
        );
        self.rows(query.bind(user.to_string())).await?.iter().map(SecondFactorRow::read).collect()
    }

    /// Removes all, ends the user's sessions, raises the epoch; how many were confirmed.
    pub async fn remove_second_factors(&self, user: UserId, events: &[NewEvent]) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let raise = sqlx::query("UPDATE users SET epoch = epoch + 1 WHERE id = $1");
        tx.execute(raise.bind(user.to_string())).await?;
        let remove = sqlx::query("DELETE FROM second_factors WHERE user_id = $1 RETURNING confirmed_at");
        let mut confirmed = 0;
        for row in tx.rows(remove.bind(user.to_string())).await? {
            confirmed += u64::from(row.maybe_time("confirmed_at")?.is_some());
        }
        let mut marks = tx.end_sessions(user, None).await?;
        marks.push(Change::User(user));
        tx.commit(events, &marks).await?;
        Ok(confirmed)
    }
}

// === impl Tx ===

impl Tx<'_> {
    /// Whether this is the one use of the code: exactly one per step, and never of a step at or before the last used.
    pub(super) async fn use_code(&mut self, code: Code) -> Result<bool, StoreError> {
        match code {
            Code::Used { factor, step } => {
                let used = sqlx::query(
                    "UPDATE second_factors SET last_step = $2 \
                     WHERE id = $1 AND confirmed_at IS NOT NULL AND last_step < $2",
                );
                Ok(self.execute(used.bind(factor.to_string()).bind(step)).await? > 0)
            }
            Code::Enrols { factor, step, at } => Ok(self.confirm_factor(factor, step, at).await?.is_some()),
        }
    }

    /// Whose factor is confirmed by it; nobody's when it was confirmed already, or is gone.
    async fn confirm_factor(&mut self, id: Uuid, step: i64, at: Timestamp) -> Result<Option<UserId>, StoreError> {
        let confirm = sqlx::query(
            "UPDATE second_factors SET confirmed_at = $3, last_step = $2 \
             WHERE id = $1 AND confirmed_at IS NULL AND last_step < $2 RETURNING user_id",
        );
        let confirmed = self.row(confirm.bind(id.to_string()).bind(step).bind(at.as_millis())).await?;
        confirmed.map(|row| row.word("user_id")).transpose()
    }
}

// === impl SecondFactorRow ===

impl SecondFactorRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.uuid("id")?,
            user: row.word("user_id")?,
            seed: Sealed::from_stored(row.get("seed")?),
            algorithm: row.get("algorithm")?,
            digits: row.get("digits")?,
            period_secs: row.get("period_secs")?,
            created_at: row.time("created_at")?,
            confirmed_at: row.maybe_time("confirmed_at")?,
            last_step: row.get("last_step")?,
        })
    }
}
