//! Tokens of operations, tries at them, and confirmations.

use super::audit::NewEvent;
use super::lockouts::Settled;
use super::operations::{Confirmation, Confirmed, NewConfirmation, TokenRow};
use super::outbox::NewOutbox;
use super::sql::{Row, Tx};
use super::{Store, StoreError};
use crate::identity::UserId;
use crate::secret::OperationTokenDigest;
use crate::time::Timestamp;

// === impl Store ===

impl Store {
    /// One validator's token.
    pub async fn operation_token(&self, operation: &str, validator: UserId) -> Result<Option<TokenRow>, StoreError> {
        let query = sqlx::query(
            "SELECT validator, digest, issued_at, expires_at FROM operation_tokens WHERE operation = $1 AND validator = $2",
        );
        self.row(query.bind(operation).bind(validator.to_string())).await?.as_ref().map(TokenRow::read).transpose()
    }

    /// Confirmations given, oldest first.
    pub async fn confirmations(&self, operation: &str) -> Result<Vec<Confirmation>, StoreError> {
        let query = sqlx::query(
            "SELECT validator, at, mac FROM operation_confirmations WHERE operation = $1 ORDER BY at, validator",
        );
        self.rows(query.bind(operation)).await?.iter().map(Confirmation::read).collect()
    }

    /// Reserves a try while it waits: the number of this try, or none when it does not wait or all `limit` are used.
    pub async fn reserve_token_try(&self, operation: &str, limit: u32) -> Result<Option<u32>, StoreError> {
        let mut tx = self.begin().await?;
        let reserve = sqlx::query(
            "UPDATE operations SET tries = tries + 1 WHERE id = $1 AND state = 'waiting' AND tries < $2 RETURNING tries",
        );
        let Some(row) = tx.row(reserve.bind(operation).bind(i64::from(limit))).await? else {
            return Ok(None);
        };
        tx.commit(&[], &[]).await?;
        u32::try_from(row.get::<i64>("tries")?).map(Some).map_err(|_| StoreError::unreadable("operations.tries"))
    }

    /// The token was right: gives back the operation's try, and settles the validator's with it.
    pub async fn settle_token_try(&self, operation: &str, validators: &Settled) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let give_back = sqlx::query("UPDATE operations SET tries = tries - 1 WHERE id = $1 AND tries > 0");
        tx.execute(give_back.bind(operation)).await?;
        tx.settle(validators).await?;
        tx.commit(&[], &[]).await
    }

    /// Gives a validator a token while the operation waits, in the place of their old one if there is one (whoever became a
    /// validator later has none); keeps the count of tries. At most one per `not_before` (the last `issued_at` must be before
    /// it), and none for whoever confirmed already: false then, and when it does not wait any more.
    pub async fn replace_token(
        &self,
        operation: &str,
        token: &TokenRow,
        not_before: Timestamp,
        outbox: &[NewOutbox],
        events: &[NewEvent],
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if tx.hold_waiting(operation, token.issued_at).await?.is_none()
            || !tx.put_token(operation, token, not_before).await?
        {
            return Ok(false);
        }
        tx.drop_token_messages(operation, Some(token.validator)).await?;
        tx.commit_operation(operation, outbox, events).await?;
        Ok(true)
    }

    /// Stores a confirmation; the token row goes with it. `on_quorum` notices and events are stored only when the quorum is met by this one.
    pub async fn confirm_operation(
        &self,
        new: &NewConfirmation<'_>,
        events: &[NewEvent],
        on_quorum: (&[NewOutbox], &[NewEvent]),
    ) -> Result<Confirmed, StoreError> {
        let mut tx = self.begin().await?;
        let Some(quorum) = tx.hold_waiting(new.operation, new.at).await? else {
            return Ok(Confirmed::TooLate);
        };
        if !tx.spend_token(new).await? || !tx.insert_confirmation(new).await? {
            return Ok(Confirmed::TooLate);
        }
        let given = tx.count_confirmations(new.operation).await?;
        if given < quorum {
            tx.commit_operation(new.operation, &[], events).await?;
            return Ok(Confirmed::Counted(given));
        }
        tx.meet_quorum(new).await?;
        let events: Vec<NewEvent> = events.iter().chain(on_quorum.1).cloned().collect();
        tx.commit_operation(new.operation, on_quorum.0, &events).await?;
        Ok(Confirmed::Quorum)
    }
}

// === impl Tx ===

impl Tx<'_> {
    pub(super) async fn insert_token(&mut self, operation: &str, token: &TokenRow) -> Result<(), StoreError> {
        let insert = sqlx::query(
            "INSERT INTO operation_tokens (operation, validator, digest, issued_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(operation)
        .bind(token.validator.to_string())
        .bind(token.digest.as_bytes().to_vec())
        .bind(token.issued_at.as_millis())
        .bind(token.expires_at.as_millis());
        self.execute(insert).await.map(drop)
    }

    /// A validator's only token; the row of the operation must be held, so that of two at once one is first. False when they
    /// confirmed already, or have one that was not issued before `not_before`.
    async fn put_token(
        &mut self,
        operation: &str,
        token: &TokenRow,
        not_before: Timestamp,
    ) -> Result<bool, StoreError> {
        let put = sqlx::query(
            "INSERT INTO operation_tokens (operation, validator, digest, issued_at, expires_at) \
             SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS \
             (SELECT 1 FROM operation_confirmations WHERE operation = $1 AND validator = $2) \
             ON CONFLICT (operation, validator) DO UPDATE SET digest = excluded.digest, issued_at = excluded.issued_at, \
             expires_at = excluded.expires_at WHERE operation_tokens.issued_at < $6",
        )
        .bind(operation)
        .bind(token.validator.to_string())
        .bind(token.digest.as_bytes().to_vec())
        .bind(token.issued_at.as_millis())
        .bind(token.expires_at.as_millis())
        .bind(not_before.as_millis());
        Ok(self.execute(put).await? > 0)
    }

    /// The operation leaves `waiting`: nobody's token is worth anything, and none is sent any more.
    pub(super) async fn drop_tokens(&mut self, operation: &str) -> Result<(), StoreError> {
        self.execute(sqlx::query("DELETE FROM operation_tokens WHERE operation = $1").bind(operation)).await?;
        self.drop_token_messages(operation, None).await
    }

    /// Holds the row of an operation that waits at `at`, until the commit: its quorum.
    async fn hold_waiting(&mut self, operation: &str, at: Timestamp) -> Result<Option<i64>, StoreError> {
        let hold = sqlx::query(
            "UPDATE operations SET tries = tries WHERE id = $1 AND state = 'waiting' AND expires_at > $2 RETURNING quorum",
        );
        let row = self.row(hold.bind(operation).bind(at.as_millis())).await?;
        row.map(|row| row.get("quorum")).transpose()
    }

    /// Uses the token that was compared up; false when it was used, replaced or ran out in between.
    async fn spend_token(&mut self, new: &NewConfirmation<'_>) -> Result<bool, StoreError> {
        let spend = sqlx::query(
            "DELETE FROM operation_tokens WHERE operation = $1 AND validator = $2 AND digest = $3 AND expires_at > $4",
        )
        .bind(new.operation)
        .bind(new.validator.to_string())
        .bind(new.token.as_bytes().to_vec())
        .bind(new.at.as_millis());
        Ok(self.execute(spend).await? > 0)
    }

    async fn insert_confirmation(&mut self, new: &NewConfirmation<'_>) -> Result<bool, StoreError> {
        let insert = sqlx::query(
            "INSERT INTO operation_confirmations (operation, validator, at, mac) VALUES ($1, $2, $3, $4) \
             ON CONFLICT DO NOTHING",
        )
        .bind(new.operation)
        .bind(new.validator.to_string())
        .bind(new.at.as_millis())
        .bind(new.mac.to_vec());
        Ok(self.execute(insert).await? > 0)
    }

    async fn count_confirmations(&mut self, operation: &str) -> Result<i64, StoreError> {
        let count = sqlx::query("SELECT COUNT(*) AS given FROM operation_confirmations WHERE operation = $1");
        let row = self.row(count.bind(operation)).await?;
        row.map_or(Ok(0), |row| row.get("given"))
    }

    async fn meet_quorum(&mut self, new: &NewConfirmation<'_>) -> Result<(), StoreError> {
        let confirm = sqlx::query(
            "UPDATE operations SET state = 'confirmed', version = version + 1, changed_at = $2 \
             WHERE id = $1 AND state = 'waiting'",
        );
        self.execute(confirm.bind(new.operation).bind(new.at.as_millis())).await?;
        self.drop_tokens(new.operation).await
    }
}

// === impl Confirmation ===

impl Confirmation {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { validator: row.word("validator")?, at: row.time("at")?, mac: row.get("mac")? })
    }
}

// === impl TokenRow ===

impl TokenRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let digest: Vec<u8> = row.get("digest")?;
        Ok(Self {
            validator: row.word("validator")?,
            digest: OperationTokenDigest::from_bytes(&digest)
                .ok_or_else(|| StoreError::unreadable("operation_tokens.digest"))?,
            issued_at: row.time("issued_at")?,
            expires_at: row.time("expires_at")?,
        })
    }
}
