//! Users, their groups and rights.

use super::audit::NewEvent;
use super::changes::Change;
use super::sql::Tx;
use super::user_rows::{collect, select};
use super::{Store, StoreError};
use crate::identity::{Right, User, UserId, UserState};
use crate::secret::Sealed;
use crate::time::Timestamp;

/// A phone number, E.164, sealed in `users.phone`.
#[derive(Debug)]
pub struct PhoneText;

/// A user as stored.
#[derive(Debug, Clone)]
pub struct UserRow {
    /// What is known of them everywhere.
    pub user: User,
    /// Sealed phone number (Place table "users", column "phone", row = id).
    pub phone: Option<Sealed<PhoneText>>,
    /// MAC (Purpose::Phone) of the E.164 number: equal for people who share it.
    pub phone_mac: Option<Vec<u8>>,
    /// PHC string; none: cannot sign in by password.
    pub password_hash: Option<String>,
    /// When it was set.
    pub password_set_at: Option<Timestamp>,
    /// Must be changed before anything else.
    pub password_must_change: bool,
    /// It was temporary and has begun a sign-in: it begins no other.
    pub password_spent: bool,
    /// When made.
    pub created_at: Timestamp,
    /// Last full sign-in.
    pub last_login_at: Option<Timestamp>,
    /// Goes up with everything that takes away what a waiting operation was asked with: disable, end date, group or right taken, password reset, second factor reset.
    pub epoch: i64,
}

/// A user to be made. `user.name` and `user.email` are unique after folding; `name_folded`/`email_folded` are given by the account module, and no name may equal another's address.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The row.
    pub row: UserRow,
    /// Folded user name.
    pub name_folded: String,
    /// Folded address.
    pub email_folded: String,
}

/// What is edited: `None` leaves as it is. `Some(None)` empties.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the fields are those of UserRow")]
pub struct UserChange {
    pub full_name: Option<String>,
    /// As written, and folded.
    pub email: Option<(String, String)>,
    pub phone: Option<Option<(Sealed<PhoneText>, Vec<u8>)>>,
    pub language: Option<Option<String>>,
    pub state: Option<UserState>,
    pub valid_from: Option<Option<Timestamp>>,
    pub valid_until: Option<Option<Timestamp>>,
    pub add_groups: Vec<String>,
    pub remove_groups: Vec<String>,
    pub grant: Vec<Right>,
    pub revoke: Vec<Right>,
    /// Ends every session of theirs in the same transaction.
    pub end_sessions: bool,
    /// Raises `epoch`.
    pub raise_epoch: bool,
}

// === impl Store ===

impl Store {
    /// Makes a user. `Taken("user name" | "mail address")`.
    pub async fn insert_user(&self, new: &NewUser, events: &[NewEvent]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.make_user(new).await?;
        tx.commit(events, &[Change::User(new.row.user.id)]).await
    }

    /// By id.
    pub async fn user(&self, id: UserId) -> Result<Option<UserRow>, StoreError> {
        let query = sqlx::query(select!("WHERE u.id = $1")).bind(id.to_string());
        Ok(collect(&self.rows(query).await?)?.pop())
    }

    /// By folded user name or folded address.
    pub async fn user_by_login(&self, folded: &str) -> Result<Option<UserRow>, StoreError> {
        // PostgreSQL refuses a NUL in a text, and nobody is called so.
        if folded.contains('\0') {
            return Ok(None);
        }
        let query = sqlx::query(select!("WHERE u.id = (SELECT l.user_id FROM user_logins l WHERE l.folded = $1)"));
        Ok(collect(&self.rows(query.bind(folded)).await?)?.pop())
    }

    /// Everybody, by name.
    pub async fn users(&self) -> Result<Vec<UserRow>, StoreError> {
        collect(&self.rows(sqlx::query(select!("ORDER BY u.name_folded, u.id"))).await?)
    }

    /// Whoever holds `right`, by name.
    pub async fn holders(&self, right: Right) -> Result<Vec<UserRow>, StoreError> {
        let query = sqlx::query(select!(
            "WHERE u.id IN (SELECT h.user_id FROM user_rights h WHERE h.held_right = $1) ORDER BY u.name_folded, u.id"
        ));
        collect(&self.rows(query.bind(right.as_str())).await?)
    }

    /// How many users there are.
    pub async fn count_users(&self) -> Result<i64, StoreError> {
        let row = self.row(sqlx::query("SELECT COUNT(*) AS users FROM users")).await?;
        row.map_or(Ok(0), |row| row.get("users"))
    }

    /// Everybody's id and user name: what lists of events and operations show for an id.
    pub async fn user_names(&self) -> Result<Vec<(UserId, String)>, StoreError> {
        let rows = self.rows(sqlx::query("SELECT id, name FROM users")).await?;
        rows.iter().map(|row| Ok((row.word("id")?, row.get("name")?))).collect()
    }

    /// Edits; false when there is no such user. Writes a `user` change mark.
    /// Refuses (`Missing`) when it would leave no active administrator (taking the right away, disabling) – checked in the same transaction.
    pub async fn change_user(
        &self,
        id: UserId,
        change: &UserChange,
        at: Timestamp,
        events: &[NewEvent],
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        tx.take_turn().await?;
        let was_administrator = tx.is_administrator(id, at).await?;
        if tx.update_user(id, change).await? == 0 {
            return Ok(false);
        }
        if let Some((_, folded)) = &change.email {
            tx.move_email(id, folded).await?;
        }
        tx.put_groups(id, &change.add_groups, &change.remove_groups).await?;
        tx.put_rights(id, &change.grant, &change.revoke).await?;
        if was_administrator {
            tx.refuse_last_administrator(at).await?;
        }
        let mut marks = if change.end_sessions { tx.end_sessions(id, None).await? } else { Vec::new() };
        marks.push(Change::User(id));
        tx.commit(events, &marks).await?;
        Ok(true)
    }

    /// Replaces a hash by a stronger one of the same password, if it is still `old`.
    pub async fn rehash_password(&self, id: UserId, old: &str, new: &str) -> Result<bool, StoreError> {
        let query = sqlx::query("UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2");
        Ok(self.execute(query.bind(id.to_string()).bind(old).bind(new)).await? > 0)
    }
}

// === impl Tx ===

impl Tx<'_> {
    /// A user with all that is theirs.
    pub(super) async fn make_user(&mut self, new: &NewUser) -> Result<(), StoreError> {
        let id = new.row.user.id;
        self.insert_user_row(new).await?;
        self.claim_login(id, &new.name_folded, "user name").await?;
        self.claim_login(id, &new.email_folded, "mail address").await?;
        self.put_groups(id, &new.row.user.groups, &[]).await?;
        self.put_rights(id, &new.row.user.rights, &[]).await
    }

    async fn insert_user_row(&mut self, new: &NewUser) -> Result<(), StoreError> {
        let UserRow { user, .. } = &new.row;
        let insert = sqlx::query(
            "INSERT INTO users (id, name, name_folded, full_name, email, email_folded, language, state, valid_from, \
             valid_until, phone, phone_mac, password_hash, password_set_at, password_must_change, \
             password_spent, created_at, last_login_at, epoch) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
        )
        .bind(user.id.to_string())
        .bind(user.name.clone())
        .bind(new.name_folded.clone())
        .bind(user.full_name.clone())
        .bind(user.email.clone())
        .bind(new.email_folded.clone())
        .bind(user.language.clone())
        .bind(user.state.as_str())
        .bind(user.valid_from.map(Timestamp::as_millis))
        .bind(user.valid_until.map(Timestamp::as_millis))
        .bind(new.row.phone.as_ref().map(|phone| phone.as_bytes().to_vec()))
        .bind(new.row.phone_mac.clone())
        .bind(new.row.password_hash.clone())
        .bind(new.row.password_set_at.map(Timestamp::as_millis))
        .bind(i64::from(new.row.password_must_change))
        .bind(i64::from(new.row.password_spent))
        .bind(new.row.created_at.as_millis())
        .bind(new.row.last_login_at.map(Timestamp::as_millis))
        .bind(new.row.epoch);
        self.execute(insert).await.map(drop)
    }

    /// Takes `folded` out of the namespace of names and addresses. A user's own name may be their address too.
    async fn claim_login(&mut self, id: UserId, folded: &str, what: &'static str) -> Result<(), StoreError> {
        let claim =
            sqlx::query("INSERT INTO user_logins (folded, user_id) VALUES ($1, $2) ON CONFLICT (folded) DO NOTHING");
        if self.execute(claim.bind(folded).bind(id.to_string())).await? > 0 {
            return Ok(());
        }
        let owner = self.row(sqlx::query("SELECT user_id FROM user_logins WHERE folded = $1").bind(folded)).await?;
        let own = owner.map(|row| row.word::<UserId>("user_id")).transpose()? == Some(id);
        if own { Ok(()) } else { Err(StoreError::Taken(what)) }
    }

    async fn move_email(&mut self, id: UserId, folded: &str) -> Result<(), StoreError> {
        let free = sqlx::query(
            "DELETE FROM user_logins WHERE user_id = $1 AND folded <> (SELECT name_folded FROM users WHERE id = $1)",
        );
        self.execute(free.bind(id.to_string())).await?;
        self.claim_login(id, folded, "mail address").await
    }

    async fn update_user(&mut self, id: UserId, change: &UserChange) -> Result<u64, StoreError> {
        let update = sqlx::query(
            "UPDATE users SET full_name = COALESCE($2, full_name), \
             email = COALESCE($3, email), email_folded = COALESCE($4, email_folded), \
             phone = CASE WHEN $5 = 1 THEN $6 ELSE phone END, \
             phone_mac = CASE WHEN $5 = 1 THEN $7 ELSE phone_mac END, \
             language = CASE WHEN $8 = 1 THEN $9 ELSE language END, \
             state = COALESCE($10, state), \
             valid_from = CASE WHEN $11 = 1 THEN $12 ELSE valid_from END, \
             valid_until = CASE WHEN $13 = 1 THEN $14 ELSE valid_until END, \
             epoch = epoch + $15 WHERE id = $1",
        );
        let phone = change.phone.as_ref().and_then(Option::as_ref);
        let update = update
            .bind(id.to_string())
            .bind(change.full_name.clone())
            .bind(change.email.as_ref().map(|(written, _)| written.clone()))
            .bind(change.email.as_ref().map(|(_, folded)| folded.clone()))
            .bind(i64::from(change.phone.is_some()))
            .bind(phone.map(|(sealed, _)| sealed.as_bytes().to_vec()))
            .bind(phone.map(|(_, mac)| mac.clone()))
            .bind(i64::from(change.language.is_some()))
            .bind(change.language.clone().flatten())
            .bind(change.state.map(UserState::as_str))
            .bind(i64::from(change.valid_from.is_some()))
            .bind(change.valid_from.flatten().map(Timestamp::as_millis))
            .bind(i64::from(change.valid_until.is_some()))
            .bind(change.valid_until.flatten().map(Timestamp::as_millis))
            .bind(i64::from(change.raise_epoch));
        self.execute(update).await
    }

    async fn put_groups(&mut self, id: UserId, add: &[String], remove: &[String]) -> Result<(), StoreError> {
        for group in add {
            let put =
                sqlx::query("INSERT INTO user_groups (user_id, group_name) VALUES ($1, $2) ON CONFLICT DO NOTHING");
            self.execute(put.bind(id.to_string()).bind(group.clone())).await?;
        }
        for group in remove {
            let take = sqlx::query("DELETE FROM user_groups WHERE user_id = $1 AND group_name = $2");
            self.execute(take.bind(id.to_string()).bind(group.clone())).await?;
        }
        Ok(())
    }

    async fn put_rights(&mut self, id: UserId, grant: &[Right], revoke: &[Right]) -> Result<(), StoreError> {
        for right in grant {
            let put =
                sqlx::query("INSERT INTO user_rights (user_id, held_right) VALUES ($1, $2) ON CONFLICT DO NOTHING");
            self.execute(put.bind(id.to_string()).bind(right.as_str())).await?;
        }
        for right in revoke {
            let take = sqlx::query("DELETE FROM user_rights WHERE user_id = $1 AND held_right = $2");
            self.execute(take.bind(id.to_string()).bind(right.as_str())).await?;
        }
        Ok(())
    }

    async fn is_administrator(&mut self, id: UserId, at: Timestamp) -> Result<bool, StoreError> {
        Ok(self.administrators(at).await?.contains(&id))
    }

    async fn refuse_last_administrator(&mut self, at: Timestamp) -> Result<(), StoreError> {
        if self.administrators(at).await?.is_empty() {
            return Err(StoreError::Missing(
                "nobody would be left who may administer: make another user an administrator first".to_owned(),
            ));
        }
        Ok(())
    }

    /// Those who may administer at `at`.
    async fn administrators(&mut self, at: Timestamp) -> Result<Vec<UserId>, StoreError> {
        let query = sqlx::query(
            "SELECT u.id FROM users u JOIN user_rights r ON r.user_id = u.id AND r.held_right = $1 \
             WHERE u.state = $2 AND (u.valid_from IS NULL OR u.valid_from <= $3) \
             AND (u.valid_until IS NULL OR u.valid_until > $3)",
        )
        .bind(Right::Administrator.as_str())
        .bind(UserState::Active.as_str())
        .bind(at.as_millis());
        self.rows(query).await?.iter().map(|row| row.word("id")).collect()
    }
}
