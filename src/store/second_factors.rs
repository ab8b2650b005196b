//! TOTP enrolments, and what changes of them with a session that enters.

use uuid::Uuid;

use super::audit::NewEvent;
use super::changes::Change;
use super::outbox::NewOutbox;
use super::sql::{Row, Tx};
use super::{Store, StoreError};
use crate::identity::UserId;
use crate::secret::{RecoveryDigest, Sealed};
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
    /// A recovery code of the user whose session it opens.
    Recovery(RecoveryDigest),
}

/// What else changes of a user's second factor with a session that enters. The user's other sessions end with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FactorChange {
    /// These recovery codes in the place of all earlier ones.
    Recovery(Vec<RecoveryDigest>),
    /// One enrolment goes, and with the last one the recovery codes. Raises the epoch.
    Remove(Uuid),
    /// All enrolments go, and the recovery codes. Raises the epoch.
    RemoveAll,
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

    /// Removes all and the recovery codes, ends the user's sessions, raises the epoch; how many were confirmed.
    pub async fn remove_second_factors(
        &self,
        user: UserId,
        outbox: &[NewOutbox],
        events: &[NewEvent],
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        tx.raise_epoch(user).await?;
        let confirmed = tx.drop_second_factors(user, None).await?;
        tx.drop_recovery_codes(user).await?;
        let mut marks = tx.end_sessions(user, None).await?;
        marks.push(Change::User(user));
        marks.extend(tx.queue(outbox).await?);
        tx.commit(events, &marks).await?;
        Ok(confirmed)
    }
}

// === impl Tx ===

impl Tx<'_> {
    /// Whether this is the one use of the code: exactly one per step, and never of a step at or before the last used; exactly
    /// one of a recovery code of `user`.
    pub(super) async fn use_code(&mut self, user: UserId, code: Code) -> Result<bool, StoreError> {
        match code {
            Code::Recovery(digest) => self.spend_recovery_code(user, digest).await,
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

    /// Changes a user's second factor; false when what was to go is gone already.
    pub(super) async fn change_factors(&mut self, user: UserId, change: &FactorChange) -> Result<bool, StoreError> {
        let removed = match change {
            FactorChange::Recovery(digests) => {
                self.put_recovery_codes(user, digests).await?;
                return Ok(true);
            }
            FactorChange::Remove(id) => self.drop_second_factors(user, Some(*id)).await?,
            FactorChange::RemoveAll => self.drop_second_factors(user, None).await?,
        };
        if !self.has_second_factor(user).await? {
            self.drop_recovery_codes(user).await?;
        }
        self.raise_epoch(user).await?;
        Ok(removed > 0)
    }

    /// Whether a user has a confirmed one.
    pub(super) async fn has_second_factor(&mut self, user: UserId) -> Result<bool, StoreError> {
        let factor =
            sqlx::query("SELECT id FROM second_factors WHERE user_id = $1 AND confirmed_at IS NOT NULL LIMIT 1");
        Ok(self.row(factor.bind(user.to_string())).await?.is_some())
    }

    /// Deletes one of a user's, or all; how many were confirmed.
    async fn drop_second_factors(&mut self, user: UserId, one: Option<Uuid>) -> Result<u64, StoreError> {
        let remove = sqlx::query(
            "DELETE FROM second_factors WHERE user_id = $1 AND ($2 IS NULL OR id = $2) RETURNING confirmed_at",
        );
        let one = one.map(|one| one.to_string());
        let mut confirmed = 0;
        for row in self.rows(remove.bind(user.to_string()).bind(one)).await? {
            confirmed += u64::from(row.maybe_time("confirmed_at")?.is_some());
        }
        Ok(confirmed)
    }

    async fn raise_epoch(&mut self, user: UserId) -> Result<(), StoreError> {
        let raise = sqlx::query("UPDATE users SET epoch = epoch + 1 WHERE id = $1");
        self.execute(raise.bind(user.to_string())).await.map(drop)
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
    /// When it was last used: the beginning of the step of that code. Nothing while it waits for its first.
    pub fn last_used(&self) -> Option<Timestamp> {
        let step = Timestamp::from_secs(self.last_step.saturating_mul(self.period_secs));
        self.confirmed_at.map(|confirmed| confirmed.max(step))
    }

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
