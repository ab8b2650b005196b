//! Recovery codes, by digest. One that was used is gone.

use super::sql::Tx;
use super::{Store, StoreError};
use crate::identity::UserId;
use crate::secret::RecoveryDigest;

// === impl Store ===

impl Store {
    /// How many a user has left.
    pub async fn recovery_codes_left(&self, user: UserId) -> Result<u64, StoreError> {
        let query = sqlx::query("SELECT COUNT(*) AS left_over FROM recovery_codes WHERE user_id = $1");
        let row = self.row(query.bind(user.to_string())).await?;
        let left: i64 = row.map_or(Ok(0), |row| row.get("left_over"))?;
        u64::try_from(left).map_err(|_| StoreError::unreadable("recovery_codes"))
    }

    /// Whether a user has this one. Using it is another matter: it is used by the session it opens.
    pub async fn has_recovery_code(&self, user: UserId, digest: RecoveryDigest) -> Result<bool, StoreError> {
        let query = sqlx::query("SELECT user_id FROM recovery_codes WHERE user_id = $1 AND digest = $2");
        Ok(self.row(query.bind(user.to_string()).bind(digest.as_bytes().to_vec())).await?.is_some())
    }
}

// === impl Tx ===

impl Tx<'_> {
    /// Whether this is the one use of the code.
    pub(super) async fn spend_recovery_code(
        &mut self,
        user: UserId,
        digest: RecoveryDigest,
    ) -> Result<bool, StoreError> {
        let spend = sqlx::query("DELETE FROM recovery_codes WHERE user_id = $1 AND digest = $2");
        Ok(self.execute(spend.bind(user.to_string()).bind(digest.as_bytes().to_vec())).await? > 0)
    }

    /// These in the place of all earlier ones.
    pub(super) async fn put_recovery_codes(
        &mut self,
        user: UserId,
        digests: &[RecoveryDigest],
    ) -> Result<(), StoreError> {
        self.drop_recovery_codes(user).await?;
        for digest in digests {
            let put = sqlx::query("INSERT INTO recovery_codes (user_id, digest) VALUES ($1, $2)");
            self.execute(put.bind(user.to_string()).bind(digest.as_bytes().to_vec())).await?;
        }
        Ok(())
    }

    /// All of a user's are dead.
    pub(super) async fn drop_recovery_codes(&mut self, user: UserId) -> Result<(), StoreError> {
        let drop_them = sqlx::query("DELETE FROM recovery_codes WHERE user_id = $1").bind(user.to_string());
        self.execute(drop_them).await.map(drop)
    }
}
