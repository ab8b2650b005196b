//! Browsers from which a user has fully signed in.
//!
//! A browser is **known** to a user from the transaction of that sign-in on. It opens nothing: wrong tries made in it are
//! counted apart from those of strangers, so that these cannot lock the owner out. Whatever ends all of a user's sessions
//! makes every browser a stranger again.

use super::sql::Tx;
use super::{Store, StoreError};
use crate::identity::UserId;
use crate::secret::BrowserDigest;
use crate::time::Timestamp;

/// How many browsers of one user are known, those seen last. Each has tries of its own, so that their number bounds how many
/// guesses can be checked.
const KNOWN: i64 = 10;

// === impl Store ===

impl Store {
    /// Whether `user` has fully signed in from this browser before.
    pub async fn knows_browser(&self, user: UserId, browser: BrowserDigest) -> Result<bool, StoreError> {
        let query = sqlx::query("SELECT seen_at FROM known_browsers WHERE digest = $1 AND user_id = $2");
        let query = query.bind(browser.as_bytes().to_vec()).bind(user.to_string());
        Ok(self.row(query).await?.is_some())
    }

    /// Forgets browsers nobody has signed in from since `before`; how many.
    pub async fn forget_old_browsers(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.execute(sqlx::query("DELETE FROM known_browsers WHERE seen_at < $1").bind(before.as_millis())).await
    }
}

// === impl Tx ===

impl Tx<'_> {
    /// Knows a browser from now on; beyond [`KNOWN`] the one seen longest ago is a stranger again.
    pub(super) async fn know_browser(
        &mut self,
        user: UserId,
        browser: BrowserDigest,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let know = sqlx::query(
            "INSERT INTO known_browsers (digest, user_id, seen_at) VALUES ($1, $2, $3) \
             ON CONFLICT (digest, user_id) DO UPDATE SET seen_at = excluded.seen_at",
        )
        .bind(browser.as_bytes().to_vec())
        .bind(user.to_string())
        .bind(at.as_millis());
        self.execute(know).await?;
        let forget = sqlx::query(
            "DELETE FROM known_browsers WHERE user_id = $1 AND digest NOT IN \
             (SELECT digest FROM known_browsers WHERE user_id = $1 ORDER BY seen_at DESC, digest LIMIT $2)",
        );
        self.execute(forget.bind(user.to_string()).bind(KNOWN)).await.map(drop)
    }

    /// All of a user's browsers are strangers again.
    pub(super) async fn forget_browsers(&mut self, user: UserId) -> Result<(), StoreError> {
        let forget = sqlx::query("DELETE FROM known_browsers WHERE user_id = $1").bind(user.to_string());
        self.execute(forget).await.map(drop)
    }
}
