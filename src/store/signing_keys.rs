//! Signing keys of assertions.

use super::audit::NewEvent;
use super::changes::Change;
use super::sql::Row;
use super::{Store, StoreError};
use crate::secret::Sealed;
use crate::time::Timestamp;

/// PKCS#8 of an ECDSA P-256 key.
#[derive(Debug)]
pub struct Pkcs8;

/// A signing key.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "plain")]
pub struct SigningKeyRow {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// Place "signing_keys", "private", kid.
    pub private: Sealed<Pkcs8>,
    /// The public JWK, JSON.
    pub public_jwk: String,
    pub created_at: Timestamp,
    /// Signs from then on (the newest such one does).
    pub signs_from: Timestamp,
    /// Published until then; none: still in use.
    pub published_until: Option<Timestamp>,
}

// === impl Store ===

impl Store {
    /// All that are published at `now`, newest first.
    pub async fn signing_keys(&self, now: Timestamp) -> Result<Vec<SigningKeyRow>, StoreError> {
        let query = sqlx::query(
            "SELECT kid, private, public_jwk, created_at, signs_from, published_until FROM signing_keys \
             WHERE published_until IS NULL OR published_until > $1 ORDER BY signs_from DESC, created_at DESC, kid",
        );
        self.rows(query.bind(now.as_millis())).await?.iter().map(SigningKeyRow::read).collect()
    }

    /// Adds one; the others stay published until `others_until`. Writes a `keys` change mark. With `only_if_none`, does nothing (false) when a key exists (first start of several processes).
    pub async fn add_signing_key(
        &self,
        key: &SigningKeyRow,
        others_until: Timestamp,
        only_if_none: bool,
        events: &[NewEvent],
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        tx.take_turn().await?;
        if only_if_none && tx.row(sqlx::query("SELECT kid FROM signing_keys LIMIT 1")).await?.is_some() {
            return Ok(false);
        }
        let retire = sqlx::query("UPDATE signing_keys SET published_until = $1 WHERE published_until IS NULL");
        tx.execute(retire.bind(others_until.as_millis())).await?;
        let insert = sqlx::query(
            "INSERT INTO signing_keys (kid, private, public_jwk, created_at, signs_from, published_until) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(key.kid.clone())
        .bind(key.private.as_bytes().to_vec())
        .bind(key.public_jwk.clone())
        .bind(key.created_at.as_millis())
        .bind(key.signs_from.as_millis())
        .bind(key.published_until.map(Timestamp::as_millis));
        tx.execute(insert).await?;
        tx.commit(events, &[Change::Keys]).await?;
        Ok(true)
    }
}

// === impl SigningKeyRow ===

impl SigningKeyRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            kid: row.get("kid")?,
            private: Sealed::from_stored(row.get("private")?),
            public_jwk: row.get("public_jwk")?,
            created_at: row.time("created_at")?,
            signs_from: row.time("signs_from")?,
            published_until: row.maybe_time("published_until")?,
        })
    }
}
