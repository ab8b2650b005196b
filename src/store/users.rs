//! Users, their groups and rights.
use super::{Store, StoreError, audit::NewEvent};
use crate::identity::{Right, User, UserId};
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
    /// When made.
    pub created_at: Timestamp,
    /// Last full sign-in.
    pub last_login_at: Option<Timestamp>,
    /// Goes up with everything that takes away what a waiting operation was asked with: disable, end date, group or right taken, password reset, second factor reset.
    pub epoch: i64,
}

/// A user to be made. `user.name` and `user.email` are unique after folding; `name_folded`/`email_folded` are given by the account module, and no name may equal another's address.
#[derive(Debug, Clone)]
pub struct NewUser { /// The row.
    pub row: UserRow, /// Folded user name.
    pub name_folded: String, /// Folded address.
    pub email_folded: String }

/// What is edited: `None` leaves as it is. `Some(None)` empties.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the fields are those of UserRow")]
pub struct UserChange {
    pub full_name: Option<String>,
    pub email: Option<(String, String)>,
    pub phone: Option<Option<(Sealed<PhoneText>, Vec<u8>)>>,
    pub language: Option<Option<String>>,
    pub state: Option<crate::identity::UserState>,
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

impl Store {
    /// Makes a user. `Taken("user name" | "mail address")`.
    pub async fn insert_user(&self, new: &NewUser, events: &[NewEvent]) -> Result<(), StoreError> { let _ = (new, events); todo!() }
    /// By id.
    pub async fn user(&self, id: UserId) -> Result<Option<UserRow>, StoreError> { let _ = id; todo!() }
    /// By folded user name or folded address.
    pub async fn user_by_login(&self, folded: &str) -> Result<Option<UserRow>, StoreError> { let _ = folded; todo!() }
    /// Everybody, by name.
    pub async fn users(&self) -> Result<Vec<UserRow>, StoreError> { todo!() }
    /// Whoever holds `right`, by name.
    pub async fn holders(&self, right: Right) -> Result<Vec<UserRow>, StoreError> { let _ = right; todo!() }
    /// How many users there are.
    pub async fn count_users(&self) -> Result<i64, StoreError> { todo!() }
    /// Edits; false when there is no such user. Writes a `user` change mark.
    /// Refuses (`Missing`) when it would leave no active administrator (taking the right away, disabling) – checked in the same transaction.
    pub async fn change_user(&self, id: UserId, change: &UserChange, at: Timestamp, events: &[NewEvent]) -> Result<bool, StoreError> { let _ = (id, change, at, events); todo!() }
    /// Sets a password hash, raises the epoch, ends all sessions but `keep`.
    pub async fn set_password(&self, id: UserId, hash: &str, must_change: bool, at: Timestamp, keep: Option<crate::identity::SessionId>, events: &[NewEvent]) -> Result<bool, StoreError> { let _ = (id, hash, must_change, at, keep, events); todo!() }
    /// Replaces a hash by a stronger one of the same password, if it is still `old`.
    pub async fn rehash_password(&self, id: UserId, old: &str, new: &str) -> Result<bool, StoreError> { let _ = (id, old, new); todo!() }
    /// Marks a full sign-in.
    pub async fn mark_login(&self, id: UserId, at: Timestamp) -> Result<(), StoreError> { let _ = (id, at); todo!() }
}
