//! Operations as rows: their columns, and their states as words.

use super::StoreError;
use super::operations::{OperationRow, State};
use super::sql::{Row, Tx};
use crate::secret::Sealed;
use crate::time::Timestamp;

/// Every column, the large ones as they are.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, version, state, reason, requester, session_id, requester_epoch, site, rule_name, rule_version, ",
            "backend, method, title_en, title_fr, quorum, created_at, expires_at, tries, captured, seal, digest, ",
            "changed_at, status, answer, answer_until FROM operations ",
            $rest
        )
    };
}

/// Every column, the large ones left out: for lists.
macro_rules! select_slim {
    ($rest:literal) => {
        concat!(
            "SELECT id, version, state, reason, requester, session_id, requester_epoch, site, rule_name, rule_version, ",
            "backend, method, title_en, title_fr, quorum, created_at, expires_at, tries, CAST(NULL AS BYTEA) AS captured, ",
            "seal, digest, changed_at, status, CAST(NULL AS BYTEA) AS answer, answer_until FROM operations ",
            $rest
        )
    };
}
pub(super) use {select, select_slim};

// === impl Tx ===

impl Tx<'_> {
    /// Inserts the row; false when its id is taken.
    pub(super) async fn insert_operation(&mut self, row: &OperationRow) -> Result<bool, StoreError> {
        let insert = sqlx::query(
            "INSERT INTO operations (id, version, state, reason, requester, session_id, requester_epoch, site, \
             rule_name, rule_version, backend, method, title_en, title_fr, quorum, created_at, expires_at, tries, \
             captured, seal, digest, changed_at, status, answer, answer_until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, \
             $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25) \
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(row.id.clone())
        .bind(row.version)
        .bind(row.state.as_str())
        .bind(row.reason.clone())
        .bind(row.requester.to_string())
        .bind(row.session.to_string())
        .bind(row.requester_epoch)
        .bind(row.site.clone())
        .bind(row.rule.clone())
        .bind(row.rule_version.clone())
        .bind(row.backend.clone())
        .bind(row.method.clone())
        .bind(row.title_en.clone())
        .bind(row.title_fr.clone())
        .bind(row.quorum)
        .bind(row.created_at.as_millis())
        .bind(row.expires_at.as_millis())
        .bind(row.tries)
        .bind(row.captured.as_ref().map(|captured| captured.as_bytes().to_vec()))
        .bind(row.seal.clone())
        .bind(row.digest.clone())
        .bind(row.changed_at.as_millis())
        .bind(row.status)
        .bind(row.answer.as_ref().map(|answer| answer.as_bytes().to_vec()))
        .bind(row.answer_until.map(Timestamp::as_millis));
        Ok(self.execute(insert).await? > 0)
    }
}

// === impl State ===

impl State {
    /// Whether no arrow leads away from it.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Waiting | Self::Confirmed | Self::Sending)
    }
}

// === impl OperationRow ===

impl OperationRow {
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            version: row.get("version")?,
            state: row.word("state")?,
            reason: row.get("reason")?,
            requester: row.word("requester")?,
            session: row.word("session_id")?,
            requester_epoch: row.get("requester_epoch")?,
            site: row.get("site")?,
            rule: row.get("rule_name")?,
            rule_version: row.get("rule_version")?,
            backend: row.get("backend")?,
            method: row.get("method")?,
            title_en: row.get("title_en")?,
            title_fr: row.get("title_fr")?,
            quorum: row.get("quorum")?,
            created_at: row.time("created_at")?,
            expires_at: row.time("expires_at")?,
            tries: row.get("tries")?,
            captured: row.get::<Option<Vec<u8>>>("captured")?.map(Sealed::from_stored),
            seal: row.get("seal")?,
            digest: row.get("digest")?,
            changed_at: row.time("changed_at")?,
            status: row.get("status")?,
            answer: row.get::<Option<Vec<u8>>>("answer")?.map(Sealed::from_stored),
            answer_until: row.maybe_time("answer_until")?,
        })
    }
}
