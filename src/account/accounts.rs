//! Acts on users: the same functions for commands and pages.
use std::sync::Arc;
use super::{Busy, HashPool, phone::Phone};
use crate::audit::Origin;
use crate::identity::{Right, User, UserId};
use crate::policy::Security;
use crate::secret::{Keyring, Random, SecretText};
use crate::store::{Store, StoreError};
/// The service. Cheap to clone.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "plain parts")]
pub struct Accounts { pub store: Store, pub keyring: Arc<Keyring>, pub random: Arc<dyn Random>, pub hashing: HashPool }
/// Why not.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum AccountError {
    #[error("there is no user {0}")] NoSuchUser(String),
    #[error("{0}")] Invalid(String),
    #[error(transparent)] Busy(#[from] Busy),
    #[error(transparent)] Store(#[from] StoreError),
    #[error("{0}")] LastOne(String),
}
/// A user to be added.
#[derive(Debug)]
#[expect(missing_docs, reason = "plain parts")]
pub struct Addition { pub name: String, pub full_name: String, pub email: String, pub phone: Option<String>, pub language: Option<String>, pub groups: Vec<String>, pub rights: Vec<Right>, pub password: Option<SecretText>, /// Makes one, to be changed at first login.
    pub temporary: bool }
/// What is edited; see `store::users::UserChange`.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "plain parts")]
pub struct Edit { pub full_name: Option<String>, pub email: Option<String>, pub phone: Option<Option<String>>, pub language: Option<Option<String>>, pub valid_from: Option<Option<crate::time::Timestamp>>, pub valid_until: Option<Option<crate::time::Timestamp>>, pub add_groups: Vec<String>, pub remove_groups: Vec<String> }
impl Accounts {
    /// Adds; the temporary password when one was made.
    pub async fn add(&self, security: &Security, addition: Addition, origin: &Origin) -> Result<(User, Option<SecretText>), AccountError> { let _ = (security, addition, origin); todo!() }
    /// By user name or mail address, any spelling.
    pub async fn find(&self, name: &str) -> Result<crate::store::users::UserRow, AccountError> { let _ = name; todo!() }
    /// Edits.
    pub async fn edit(&self, id: UserId, edit: Edit, origin: &Origin) -> Result<(), AccountError> { let _ = (id, edit, origin); todo!() }
    /// Grants a right.
    pub async fn grant(&self, id: UserId, right: Right, origin: &Origin) -> Result<(), AccountError> { let _ = (id, right, origin); todo!() }
    /// Takes a right; never the last active administrator's or the last token validator's.
    pub async fn revoke(&self, id: UserId, right: Right, origin: &Origin) -> Result<(), AccountError> { let _ = (id, right, origin); todo!() }
    /// Switches off: sessions end.
    pub async fn disable(&self, id: UserId, origin: &Origin) -> Result<(), AccountError> { let _ = (id, origin); todo!() }
    /// Switches on.
    pub async fn enable(&self, id: UserId, origin: &Origin) -> Result<(), AccountError> { let _ = (id, origin); todo!() }
    /// A temporary password, to be changed at next login; sessions end.
    pub async fn reset_password(&self, id: UserId, origin: &Origin) -> Result<SecretText, AccountError> { let _ = (id, origin); todo!() }
    /// Removes the second factor; sessions end.
    pub async fn reset_second_factor(&self, id: UserId, origin: &Origin) -> Result<(), AccountError> { let _ = (id, origin); todo!() }
    /// Ends a lock; false when there was none.
    pub async fn unlock(&self, id: UserId, origin: &Origin) -> Result<bool, AccountError> { let _ = (id, origin); todo!() }
    /// A user's phone, opened.
    pub fn phone(&self, row: &crate::store::users::UserRow) -> Result<Option<Phone>, AccountError> { let _ = row; todo!() }
}
