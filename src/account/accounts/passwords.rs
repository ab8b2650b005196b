//! New passwords of users: taken by the rules, unlike those before, hashed.

use super::{AccountError, Accounts};
use crate::account::password::Busy;
use crate::account::password::rules::{Fit, PasswordFault, PasswordFaults, Rules};
use crate::identity::User;
use crate::policy::Security;
use crate::secret::SecretText;
use crate::store::StoreError;
use crate::store::users::UserRow;

/// Why a new password was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// It is not what it must be.
    #[error(transparent)]
    Faults(#[from] PasswordFaults),
    /// The hashing queue is full.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// Nothing can be compared.
    #[error(transparent)]
    Store(#[from] StoreError),
}

// === impl Accounts ===

impl Accounts {
    /// Takes a new password of `user`'s if it is what the rules want. What it repeats is not looked at: nothing is hashed.
    pub async fn fit_password(&self, security: &Security, user: &User, new: SecretText) -> Result<Fit, PasswordError> {
        Ok(Rules::of(&security.passwords, user).check(&self.hashing, new).await??)
    }

    /// Its hash, if it is neither the present password nor one of those remembered.
    pub async fn hash_new_password(
        &self,
        security: &Security,
        row: &UserRow,
        new: Fit,
    ) -> Result<String, PasswordError> {
        if self.hashing.verify(new.secret(), row.password_hash.clone()).await? {
            return Err(PasswordFaults::from(PasswordFault::Unchanged).into());
        }
        let count = security.advanced.remembered;
        for earlier in self.store.earlier_passwords(row.user.id, count).await? {
            if self.hashing.verify(new.secret(), Some(earlier)).await? {
                return Err(PasswordFaults::from(PasswordFault::Remembered { count }).into());
            }
        }
        Ok(self.hashing.hash(new.into_secret()).await?)
    }

    /// The hash of somebody's very first password.
    pub(super) async fn hash_first_password(
        &self,
        security: &Security,
        user: &User,
        new: SecretText,
    ) -> Result<String, PasswordError> {
        let fit = self.fit_password(security, user, new).await?;
        Ok(self.hashing.hash(fit.into_secret()).await?)
    }
}

// === impl AccountError ===

impl From<PasswordError> for AccountError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Faults(faults) => Self::Password(faults),
            PasswordError::Busy(busy) => busy.into(),
            PasswordError::Store(error) => error.into(),
        }
    }
}
