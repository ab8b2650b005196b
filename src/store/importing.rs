//! Many users at once: all of them or none.
//!
//! An import is one write, like every other; it only takes longer. On SQLite nobody else writes meanwhile, so its caller
//! bounds how many there may be.

use std::collections::HashSet;
use std::time::Duration;

use super::audit::NewEvent;
use super::changes::Change;
use super::users::NewUser;
use super::{Store, StoreError};

/// How long one user of many may take.
const EACH: Duration = Duration::from_millis(10);

/// After how many users the caller hears of them.
const TOLD_EACH: usize = 500;

impl Store {
    /// All folded names and addresses there are.
    pub async fn logins(&self) -> Result<HashSet<String>, StoreError> {
        let rows = self.rows(sqlx::query("SELECT folded FROM user_logins")).await?;
        rows.iter().map(|row| row.get("folded")).collect()
    }

    /// Makes all of `new`, with their events and change marks, or none of them. `Taken` when somebody has one of the names
    /// or addresses meanwhile. `told` hears how many are made, from time to time.
    pub async fn insert_users(
        &self,
        new: &[NewUser],
        events: &[NewEvent],
        told: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.take_longer(EACH.saturating_mul(u32::try_from(new.len()).unwrap_or(u32::MAX)));
        for (made, user) in new.iter().enumerate() {
            tx.make_user(user).await?;
            if (made + 1) % TOLD_EACH == 0 {
                told(made + 1);
            }
        }
        let marks: Vec<_> = new.iter().map(|user| Change::User(user.row.user.id)).collect();
        tx.commit(events, &marks).await
    }
}
