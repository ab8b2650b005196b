//! SMS and mails to be sent: rows of the same transaction as the change they tell of.
//!
//! `queued → sending → sent | failed | uncertain`, and back to `queued` when the provider plainly did not take it. What
//! carries a token is dropped, unsent, as soon as that token is worth nothing.

use uuid::Uuid;

use super::changes::Change;
use super::failure::Failure;
use super::sql::{Row, Tx};
use super::{Store, StoreError};
use crate::identity::UserId;
use crate::secret::Sealed;
use crate::time::Timestamp;

/// The encoded message with its address, sealed (Place "outbox", "message", id).
#[derive(Debug)]
pub struct Message;

words! {
    /// By which channel.
    pub enum Channel {
        /// To a telephone.
        Sms = "sms",
        /// To a mailbox.
        Mail = "mail",
    }
}

words! {
    /// Where a message stands.
    pub enum OutboxState {
        /// To be sent at `next_at`.
        Queued = "queued",
        /// Handed to the provider, no word yet; found so at start-up: uncertain.
        Sending = "sending",
        /// The provider accepted it.
        Sent = "sent",
        /// Given up: refused, or its time is over.
        Failed = "failed",
        /// May or may not have been accepted; never sent again by itself.
        Uncertain = "uncertain",
    }
}

/// A message to be stored.
#[derive(Debug, Clone)]
pub struct NewOutbox {
    /// UUID v7, text form is the row of the seal.
    pub id: Uuid,
    /// Channel.
    pub channel: Channel,
    /// Which message: `operation-asked`, `operation-confirmed`…
    pub kind: &'static str,
    /// To whom.
    pub user: UserId,
    /// About which operation.
    pub operation: Option<String>,
    /// Whether it carries a token (dropped when the operation leaves `waiting` or the token is replaced).
    pub carries_token: bool,
    /// Sealed.
    pub message: Sealed<Message>,
    /// Now.
    pub created_at: Timestamp,
    /// Not sent after.
    pub deadline: Timestamp,
}

/// A stored message. `message` is emptied once it is final.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "as in NewOutbox")]
pub struct OutboxRow {
    pub id: Uuid,
    pub channel: Channel,
    pub kind: String,
    pub user: UserId,
    pub operation: Option<String>,
    pub carries_token: bool,
    pub message: Option<Sealed<Message>>,
    pub state: OutboxState,
    pub attempts: i64,
    pub next_at: Timestamp,
    pub deadline: Timestamp,
    pub created_at: Timestamp,
    /// The last failure.
    pub error: Option<Failure>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, channel, kind, user_id, operation, carries_token, message, state, attempts, next_at, deadline, ",
            "created_at, error FROM outbox ",
            $rest
        )
    };
}

// === impl Store ===

impl Store {
    /// Stores messages that belong to no other change.
    pub async fn queue_messages(&self, messages: &[NewOutbox]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let marks: Vec<Change> = tx.queue(messages).await?.into_iter().collect();
        tx.commit(&[], &marks).await
    }

    /// Queued and due, oldest first.
    pub async fn due_messages(&self, now: Timestamp, limit: i64) -> Result<Vec<OutboxRow>, StoreError> {
        let query = sqlx::query(select!("WHERE state = 'queued' AND next_at <= $1 ORDER BY created_at, id LIMIT $2"));
        self.rows(query.bind(now.as_millis()).bind(limit)).await?.iter().map(OutboxRow::read).collect()
    }

    /// `queued → sending`; true for exactly one caller. Counts the attempt, begun `at`.
    pub async fn claim_message(&self, id: Uuid, at: Timestamp) -> Result<bool, StoreError> {
        let query = sqlx::query(
            "UPDATE outbox SET state = 'sending', attempts = attempts + 1, next_at = $2 WHERE id = $1 AND state = 'queued'",
        );
        Ok(self.execute(query.bind(id.to_string()).bind(at.as_millis())).await? > 0)
    }

    /// From `sending` to wherever it ended; `next_at` matters for `Queued` (a retry) only. Final states empty the message.
    /// What carries a token that was used or replaced meanwhile is not queued again but dropped.
    pub async fn settle_message(
        &self,
        id: Uuid,
        state: OutboxState,
        next_at: Timestamp,
        error: Option<Failure>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let settle = sqlx::query(
            "UPDATE outbox SET state = $2, error = $4, next_at = CASE WHEN $2 = 'queued' THEN $3 ELSE next_at END, \
             message = CASE WHEN $5 = 1 THEN NULL ELSE message END WHERE id = $1 AND state = 'sending'",
        )
        .bind(id.to_string())
        .bind(state.as_str())
        .bind(next_at.as_millis())
        .bind(error.map(Failure::as_str))
        .bind(i64::from(state.is_final()));
        tx.execute(settle).await?;
        tx.drop_if_worthless(id).await?;
        tx.commit(&[], &[]).await
    }

    /// At start-up: `sending → uncertain`; how many.
    pub async fn settle_interrupted_messages(&self) -> Result<u64, StoreError> {
        let query =
            sqlx::query("UPDATE outbox SET state = 'uncertain', message = NULL, error = $1 WHERE state = 'sending'");
        self.execute(query.bind(Failure::Interrupted.as_str())).await
    }

    /// About one operation, oldest first.
    pub async fn messages_of(&self, operation: &str) -> Result<Vec<OutboxRow>, StoreError> {
        let query = sqlx::query(select!("WHERE operation = $1 ORDER BY created_at, id")).bind(operation);
        self.rows(query).await?.iter().map(OutboxRow::read).collect()
    }
}

// === impl Tx ===

impl Tx<'_> {
    /// Queues messages: the mark to write, when there are any.
    pub(super) async fn queue(&mut self, messages: &[NewOutbox]) -> Result<Option<Change>, StoreError> {
        for message in messages {
            self.insert_message(message).await?;
        }
        Ok((!messages.is_empty()).then_some(Change::Outbox))
    }

    /// Drops what is queued and carries a token of this operation (of one validator, when one is named).
    pub(super) async fn drop_token_messages(
        &mut self,
        operation: &str,
        validator: Option<UserId>,
    ) -> Result<(), StoreError> {
        let drop_them = sqlx::query(
            "DELETE FROM outbox WHERE operation = $1 AND carries_token = 1 AND state = 'queued' \
             AND ($2 IS NULL OR user_id = $2)",
        );
        let validator = validator.map(|validator| validator.to_string());
        self.execute(drop_them.bind(operation).bind(validator)).await.map(drop)
    }

    async fn insert_message(&mut self, new: &NewOutbox) -> Result<(), StoreError> {
        let insert = sqlx::query(
            "INSERT INTO outbox (id, channel, kind, user_id, operation, carries_token, message, state, attempts, next_at, \
             deadline, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'queued', 0, $8, $9, $8)",
        )
        .bind(new.id.to_string())
        .bind(new.channel.as_str())
        .bind(new.kind)
        .bind(new.user.to_string())
        .bind(new.operation.clone())
        .bind(i64::from(new.carries_token))
        .bind(new.message.as_bytes().to_vec())
        .bind(new.created_at.as_millis())
        .bind(new.deadline.as_millis());
        self.execute(insert).await.map(drop)
    }

    /// A message that was being sent while its token was used or replaced must not be tried again: it belongs to the
    /// token that its validator had when it was written.
    async fn drop_if_worthless(&mut self, id: Uuid) -> Result<(), StoreError> {
        let drop_it = sqlx::query(
            "DELETE FROM outbox WHERE id = $1 AND state = 'queued' AND carries_token = 1 AND operation IS NOT NULL \
             AND NOT EXISTS (SELECT 1 FROM operation_tokens t WHERE t.operation = outbox.operation \
             AND t.validator = outbox.user_id AND t.issued_at <= outbox.created_at)",
        );
        self.execute(drop_it.bind(id.to_string())).await.map(drop)
    }
}

// === impl OutboxRow ===

impl OutboxRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.uuid("id")?,
            channel: row.word("channel")?,
            kind: row.get("kind")?,
            user: row.word("user_id")?,
            operation: row.get("operation")?,
            carries_token: row.flag("carries_token")?,
            message: row.get::<Option<Vec<u8>>>("message")?.map(Sealed::from_stored),
            state: row.word("state")?,
            attempts: row.get("attempts")?,
            next_at: row.time("next_at")?,
            deadline: row.time("deadline")?,
            created_at: row.time("created_at")?,
            // A word of a version that knows more of them is no reason to show nothing.
            error: row.get::<Option<String>>("error")?.map(|word| word.parse().unwrap_or(Failure::OtherVersion)),
        })
    }
}

// === impl OutboxState ===

impl OutboxState {
    /// Whether it is never sent (again).
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Sending)
    }
}
