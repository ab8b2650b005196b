//! Held operations. Every arrow is one conditional update whose row count is checked.

use super::audit::NewEvent;
use super::changes::Change;
use super::operation_rows::{select, select_slim};
use super::outbox::NewOutbox;
use super::sql::{Tx, without_nul};
use super::{Store, StoreError};
use crate::identity::{SessionId, UserId};
use crate::secret::{OperationTokenDigest, Sealed};
use crate::time::Timestamp;

words! {
    /// Where an operation stands. `waiting → confirmed → sending → done`; side exits `denied expired cancelled withdrawn
    /// unknown`. In the order an operation may walk them.
    pub enum State {
        /// For its confirmations.
        Waiting = "waiting",
        /// It has them, and is about to be sent.
        Confirmed = "confirmed",
        /// Bytes may have left.
        Sending = "sending",
        /// The backend answered.
        Done = "done",
        /// A validator said no.
        Denied = "denied",
        /// Nobody confirmed in time.
        Expired = "expired",
        /// By its requester, a command, or too many wrong tokens.
        Cancelled = "cancelled",
        /// What it stood on is gone.
        Withdrawn = "withdrawn",
        /// It may or may not have arrived.
        Unknown = "unknown",
    }
}

/// The captured request, encoded by `operation::capture`, sealed.
#[derive(Debug)]
pub struct Captured;
/// The backend's answer, encoded by `operation::answer`, sealed.
#[derive(Debug)]
pub struct KeptAnswer;

/// An operation as stored.
#[derive(Debug, Clone)]
pub struct OperationRow {
    /// 8 digits.
    pub id: String,
    /// Goes up by one with every arrow; part of nothing sealed.
    pub version: i64,
    /// Where it stands.
    pub state: State,
    /// Why it stands there: a stable word (`expired`, `requester-disabled`, `rule-changed`, `seal-broken`…) or the denier's words.
    pub reason: Option<String>,
    /// Who asked.
    pub requester: UserId,
    /// In which session.
    pub session: SessionId,
    /// The requester's `users.epoch` when asked.
    pub requester_epoch: i64,
    /// Which site.
    pub site: String,
    /// Which rule.
    pub rule: String,
    /// Its version when asked.
    pub rule_version: String,
    /// Which backend, `http://10.0.0.5:8000`.
    pub backend: String,
    /// Method, for lists (the sealed copy is what counts).
    pub method: String,
    /// Readable names.
    pub title_en: String,
    /// Readable names.
    pub title_fr: String,
    /// How many must confirm.
    pub quorum: i64,
    /// When asked.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Wrong tokens so far.
    pub tries: i64,
    /// The captured request (Place "operations", "captured", id); emptied when it may no longer be needed.
    pub captured: Option<Sealed<Captured>>,
    /// MAC over all that must not change (Purpose::OperationSeal).
    pub seal: Vec<u8>,
    /// RFC 9530 digest of the body, as shown.
    pub digest: String,
    /// When the state was last changed.
    pub changed_at: Timestamp,
    /// The backend's status, when done.
    pub status: Option<i64>,
    /// The kept answer (Place "operations", "answer", id).
    pub answer: Option<Sealed<KeptAnswer>>,
    /// Until when it is kept.
    pub answer_until: Option<Timestamp>,
}

/// A validator's own token for an operation.
#[derive(Debug, Clone)]
pub struct TokenRow {
    /// Whose.
    pub validator: UserId,
    /// What is kept of it.
    pub digest: OperationTokenDigest,
    /// When made.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A confirmation given.
#[derive(Debug, Clone)]
pub struct Confirmation {
    /// By whom.
    pub validator: UserId,
    /// When.
    pub at: Timestamp,
    /// What says that the gateway itself stored it (Purpose::OperationSeal).
    pub mac: Vec<u8>,
}

/// A confirmation to be stored.
#[derive(Debug)]
pub struct NewConfirmation<'a> {
    /// Which operation.
    pub operation: &'a str,
    /// Who confirms.
    pub validator: UserId,
    /// The digest that was compared: stored only if it is still that validator's token (used up by it).
    pub token: OperationTokenDigest,
    /// Now.
    pub at: Timestamp,
    /// What says that the gateway itself stored it (Purpose::OperationSeal).
    pub mac: [u8; 32],
}

/// What storing an operation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// Stored, with all that belongs to it.
    Stored,
    /// Its id is taken: try another.
    IdTaken,
    /// [`MOST_WAITING`] of its requester wait already.
    TooMany,
}

/// What storing a confirmation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmed {
    /// Not waiting any more, or the token was used or replaced in between.
    TooLate,
    /// Stored; so many of the quorum so far; still waiting.
    Counted(i64),
    /// Stored, quorum met: the operation is `confirmed` now. Whoever gets this starts the delivery.
    Quorum,
}

/// An arrow.
#[derive(Debug)]
pub struct Move<'a> {
    /// Which operation.
    pub operation: &'a str,
    /// From where.
    pub from: State,
    /// To where.
    pub to: State,
    /// Why.
    pub reason: Option<&'a str>,
    /// Now.
    pub at: Timestamp,
    /// Notices in the same transaction.
    pub outbox: &'a [NewOutbox],
    /// Audit in the same transaction.
    pub events: &'a [NewEvent],
}

/// How a delivery ended.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// Which operation.
    pub operation: &'a str,
    /// Status.
    pub status: i64,
    /// Kept answer; none when over the limit.
    pub answer: Option<&'a Sealed<KeptAnswer>>,
    /// Until when.
    pub answer_until: Timestamp,
    /// Now.
    pub at: Timestamp,
    /// Notices.
    pub outbox: &'a [NewOutbox],
    /// Audit.
    pub events: &'a [NewEvent],
}

/// Most operations of one requester that wait at once: whoever asks for more fills the database and the validators' phones
/// with what nobody will read.
pub const MOST_WAITING: i64 = 20;
const COUNT_WAITING: &str = "SELECT COUNT(*) AS found FROM operations WHERE requester = $1 AND state = 'waiting'";

// === impl Store ===

impl Store {
    /// Stores an operation with its tokens and notices.
    pub async fn insert_operation(
        &self,
        row: &OperationRow,
        tokens: &[TokenRow],
        outbox: &[NewOutbox],
        events: &[NewEvent],
    ) -> Result<Inserted, StoreError> {
        let mut tx = self.begin().await?;
        // Two of one requester at once are counted one after the other.
        tx.hold_user(row.requester).await?;
        if tx.count_waiting(row.requester).await? >= MOST_WAITING {
            return Ok(Inserted::TooMany);
        }
        if !tx.insert_operation(row).await? {
            return Ok(Inserted::IdTaken);
        }
        for token in tokens {
            tx.insert_token(&row.id, token).await?;
        }
        tx.commit_operation(&row.id, outbox, events).await?;
        Ok(Inserted::Stored)
    }

    /// How many are in `state`.
    pub async fn count_operations(&self, state: State) -> Result<i64, StoreError> {
        let query = sqlx::query("SELECT COUNT(*) AS found FROM operations WHERE state = $1");
        self.row(query.bind(state.as_str())).await?.map_or(Ok(0), |row| row.get("found"))
    }

    /// How many of `requester` wait at this moment.
    pub async fn count_waiting(&self, requester: UserId) -> Result<i64, StoreError> {
        let count = sqlx::query(COUNT_WAITING).bind(requester.to_string());
        self.row(count).await?.map_or(Ok(0), |row| row.get("found"))
    }

    /// By id.
    pub async fn operation(&self, id: &str) -> Result<Option<OperationRow>, StoreError> {
        let query = sqlx::query(select!("WHERE id = $1")).bind(id);
        self.row(query).await?.as_ref().map(OperationRow::read).transpose()
    }

    /// In any of `states` (all when empty), newest first, at most `limit`; without captured bytes and answers.
    pub async fn operations(&self, states: &[State], limit: i64) -> Result<Vec<OperationRow>, StoreError> {
        let wanted = |state: &State| states.is_empty() || states.contains(state);
        // One moment for all states: an operation that moves meanwhile is neither missed nor listed twice.
        let mut snapshot = self.snapshot().await?;
        let mut found = Vec::new();
        for state in State::ALL.iter().filter(|state| wanted(state)) {
            let query = sqlx::query(select_slim!("WHERE state = $1 ORDER BY created_at DESC, id DESC LIMIT $2"));
            let rows = snapshot.rows(query.bind(state.as_str()).bind(limit)).await?;
            for row in &rows {
                found.push(OperationRow::read(row)?);
            }
        }
        found.sort_by(|one, other| (other.created_at, &other.id).cmp(&(one.created_at, &one.id)));
        found.truncate(usize::try_from(limit).unwrap_or(0));
        Ok(found)
    }

    /// A requester's, newest first, likewise.
    pub async fn operations_of(&self, requester: UserId, limit: i64) -> Result<Vec<OperationRow>, StoreError> {
        let query = sqlx::query(select_slim!("WHERE requester = $1 ORDER BY created_at DESC, id DESC LIMIT $2"));
        self.rows(query.bind(requester.to_string()).bind(limit)).await?.iter().map(OperationRow::read).collect()
    }

    /// Walks an arrow; false when it was not in `from`. Tokens go when it leaves `waiting`; unsent notices that carry tokens are dropped too. Captured bytes go on final states.
    pub async fn move_operation(&self, arrow: &Move<'_>) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if !tx.walk(arrow).await? {
            return Ok(false);
        }
        if arrow.from == State::Waiting {
            tx.drop_tokens(arrow.operation).await?;
        }
        tx.commit_operation(arrow.operation, arrow.outbox, arrow.events).await?;
        Ok(true)
    }

    /// `sending → done`.
    pub async fn finish_operation(&self, outcome: &Outcome<'_>) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let finish = sqlx::query(
            "UPDATE operations SET state = 'done', version = version + 1, changed_at = $2, status = $3, answer = $4, \
             answer_until = $5, captured = NULL WHERE id = $1 AND state = 'sending'",
        )
        .bind(outcome.operation)
        .bind(outcome.at.as_millis())
        .bind(outcome.status)
        .bind(outcome.answer.map(|answer| answer.as_bytes().to_vec()))
        .bind(outcome.answer_until.as_millis());
        if tx.execute(finish).await? == 0 {
            return Ok(false);
        }
        tx.commit_operation(outcome.operation, outcome.outbox, outcome.events).await?;
        Ok(true)
    }

    /// Ids that wait past their time, the longest overdue first.
    pub async fn overdue_operations(&self, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let query = sqlx::query(
            "SELECT id FROM operations WHERE state = 'waiting' AND expires_at <= $1 ORDER BY expires_at, id",
        );
        self.rows(query.bind(now.as_millis())).await?.iter().map(|row| row.get("id")).collect()
    }

    /// Sets the one-use ticket for the kept answer (a MAC'd value's digest). False when there is no answer.
    pub async fn set_answer_ticket(&self, operation: &str, ticket: &[u8]) -> Result<bool, StoreError> {
        let query = sqlx::query(
            "UPDATE operations SET answer_ticket = $2 WHERE id = $1 AND state = 'done' AND answer IS NOT NULL",
        );
        Ok(self.execute(query.bind(operation).bind(ticket.to_vec())).await? > 0)
    }

    /// Uses it: true for exactly one caller.
    pub async fn use_answer_ticket(&self, operation: &str, ticket: &[u8]) -> Result<bool, StoreError> {
        let query = sqlx::query("UPDATE operations SET answer_ticket = NULL WHERE id = $1 AND answer_ticket = $2");
        Ok(self.execute(query.bind(operation).bind(ticket.to_vec())).await? > 0)
    }

    /// Drops answers kept long enough.
    pub async fn drop_old_answers(&self, now: Timestamp) -> Result<u64, StoreError> {
        let query = sqlx::query(
            "UPDATE operations SET answer = NULL, answer_ticket = NULL WHERE answer IS NOT NULL AND answer_until <= $1",
        );
        self.execute(query.bind(now.as_millis())).await
    }
}

// === impl Tx ===

impl Tx<'_> {
    async fn count_waiting(&mut self, requester: UserId) -> Result<i64, StoreError> {
        let count = sqlx::query(COUNT_WAITING).bind(requester.to_string());
        self.row(count).await?.map_or(Ok(0), |row| row.get("found"))
    }

    async fn walk(&mut self, arrow: &Move<'_>) -> Result<bool, StoreError> {
        let walk = sqlx::query(
            "UPDATE operations SET state = $3, version = version + 1, reason = $4, changed_at = $5, \
             captured = CASE WHEN $6 = 1 THEN NULL ELSE captured END WHERE id = $1 AND state = $2",
        )
        .bind(arrow.operation)
        .bind(arrow.from.as_str())
        .bind(arrow.to.as_str())
        .bind(arrow.reason.map(without_nul))
        .bind(arrow.at.as_millis())
        .bind(i64::from(arrow.to.is_final()));
        Ok(self.execute(walk).await? > 0)
    }

    /// Queues `outbox` and commits, marking that the operation moved.
    pub(super) async fn commit_operation(
        mut self,
        operation: &str,
        outbox: &[NewOutbox],
        events: &[NewEvent],
    ) -> Result<(), StoreError> {
        let mut marks = vec![Change::Operation(operation.to_owned())];
        marks.extend(self.queue(outbox).await?);
        self.commit(events, &marks).await
    }
}
