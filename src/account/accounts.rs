//! Acts on users: the same functions for commands and pages.
//!
//! Every act is one store method with its audit event; what takes something away from a user raises the user's epoch, so
//! that what they asked for before is looked at again.

pub(super) mod checks;
mod newcomers;
mod passwords;

use std::fmt;
use std::sync::Arc;

use self::checks::{check_addition, check_full_name, check_groups, check_language, temporary_password};
pub use self::passwords::PasswordError;
use super::lockout::Subject;
use super::password::rules::PasswordFaults;
use super::phone::Phone;
use super::{Busy, HashPool, names, new_id};
use crate::audit::{NewEvent, Origin};
use crate::identity::{Right, User, UserId, UserState};
use crate::policy::Security;
use crate::secret::{Keyring, Random, Sealed, SecretText};
use crate::store::outbox::NewOutbox;
use crate::store::passwords::NewPassword;
use crate::store::users::{NewUser, PhoneText, UserChange, UserRow};
use crate::store::{Store, StoreError};
use crate::time::Timestamp;

/// The service. Cheap to clone.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "plain parts")]
pub struct Accounts {
    pub store: Store,
    pub keyring: Arc<Keyring>,
    pub random: Arc<dyn Random>,
    pub hashing: HashPool,
}

/// Why not.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum AccountError {
    #[error("there is no user {0}; see: vantail user list")]
    NoSuchUser(String),
    #[error("{0}")]
    Invalid(String),
    #[error(transparent)]
    Password(#[from] PasswordFaults),
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    LastOne(String),
}

/// A user to be added.
#[derive(Debug)]
#[expect(missing_docs, reason = "plain parts")]
pub struct Addition {
    pub name: String,
    pub full_name: String,
    pub email: String,
    pub phone: Option<String>,
    pub language: Option<String>,
    pub groups: Vec<String>,
    pub rights: Vec<Right>,
    pub password: Option<SecretText>,
    /// Makes one, to be changed at first login.
    pub temporary: bool,
}

/// What is edited; `None` leaves as it is, `Some(None)` empties. See [`UserChange`].
#[derive(Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "plain parts")]
pub struct Edit {
    pub full_name: Option<String>,
    pub email: Option<String>,
    pub phone: Option<Option<String>>,
    pub language: Option<Option<String>>,
    pub valid_from: Option<Option<Timestamp>>,
    pub valid_until: Option<Option<Timestamp>>,
    pub add_groups: Vec<String>,
    pub remove_groups: Vec<String>,
}

/// A phone as it is stored: sealed, and its MAC.
type StoredPhone = (Sealed<PhoneText>, Vec<u8>);

// === impl Accounts ===

impl Accounts {
    /// Adds; the temporary password when one was made.
    pub async fn add(
        &self,
        security: &Security,
        mut addition: Addition,
        origin: &Origin,
    ) -> Result<(User, Option<SecretText>), AccountError> {
        check_addition(&addition)?;
        let temporary = addition.temporary.then(|| temporary_password(&*self.random));
        let id = UserId(new_id(&*self.random, origin.now));
        let phone = addition.phone.as_deref().map(|typed| self.sealed_phone(id, typed)).transpose()?;
        let given = addition.password.take();
        let user = new_user(id, addition);
        let password_hash = match (&temporary, given) {
            (Some(made), _) => Some(self.hashing.hash(made.clone()).await?),
            (None, Some(given)) => Some(self.hash_first_password(security, &user, given).await?),
            (None, None) => None,
        };
        let event = origin.event("user.added", "ok").about(id).with("groups", user.groups.clone());
        let event = event.with("rights", words(&user.rights)).with("temporary_password", temporary.is_some());
        let new = new_row(user.clone(), phone, password_hash, temporary.is_some(), origin.now);
        self.store.insert_user(&new, &[event]).await?;
        Ok((user, temporary))
    }

    /// By user name or mail address, any spelling.
    pub async fn find(&self, name: &str) -> Result<UserRow, AccountError> {
        let found = self.store.user_by_login(&names::fold(name)).await?;
        found.ok_or_else(|| AccountError::NoSuchUser(shown(name)))
    }

    /// Edits.
    pub async fn edit(&self, id: UserId, edit: Edit, origin: &Origin) -> Result<(), AccountError> {
        let mut event = origin.event("user.edited", "ok").about(id);
        for (key, value) in changed(&edit) {
            event = event.with(key, value);
        }
        let change = self.change(id, edit, origin.now)?;
        self.apply(id, &change, origin.now, event).await
    }

    /// Grants a right.
    pub async fn grant(&self, id: UserId, right: Right, origin: &Origin) -> Result<(), AccountError> {
        let change = UserChange { grant: vec![right], ..UserChange::default() };
        let event = origin.event("right.granted", "ok").about(id).with("right", right.as_str());
        self.apply(id, &change, origin.now, event).await
    }

    /// Takes a right; never the last active administrator's or the last token validator's.
    pub async fn revoke(&self, id: UserId, right: Right, origin: &Origin) -> Result<(), AccountError> {
        if right == Right::TokenValidator {
            self.refuse_last_validator(id, origin.now).await?;
        }
        let change = UserChange { revoke: vec![right], raise_epoch: true, ..UserChange::default() };
        let event = origin.event("right.revoked", "ok").about(id).with("right", right.as_str());
        self.apply(id, &change, origin.now, event).await
    }

    /// Switches off: sessions end.
    pub async fn disable(&self, id: UserId, origin: &Origin) -> Result<(), AccountError> {
        let change = UserChange {
            state: Some(UserState::Disabled),
            end_sessions: true,
            raise_epoch: true,
            ..UserChange::default()
        };
        self.apply(id, &change, origin.now, origin.event("user.disabled", "ok").about(id)).await
    }

    /// Switches on.
    pub async fn enable(&self, id: UserId, origin: &Origin) -> Result<(), AccountError> {
        let change = UserChange { state: Some(UserState::Active), ..UserChange::default() };
        self.apply(id, &change, origin.now, origin.event("user.enabled", "ok").about(id)).await
    }

    /// A temporary password: it begins one sign-in, which must change it, unless the policy lets it stay. Sessions end.
    pub async fn reset_password(
        &self,
        security: &Security,
        id: UserId,
        origin: &Origin,
    ) -> Result<SecretText, AccountError> {
        let password = temporary_password(&*self.random);
        let hash = self.hashing.hash(password.clone()).await?;
        let must_change = security.passwords.force_change_after_reset;
        let event = origin.event("password.reset", "ok").about(id).with("must_change", must_change);
        let remembered = security.advanced.remembered;
        let new = NewPassword { must_change, remembered, ..NewPassword::of(&hash, origin.now) };
        let found = self.store.set_password(id, &new, &[event]).await?;
        if found { Ok(password) } else { Err(AccountError::NoSuchUser(id.to_string())) }
    }

    /// Removes the second factor and the recovery codes; sessions end, and the owner is told by the mail that `told` makes.
    pub async fn reset_second_factor(
        &self,
        id: UserId,
        told: impl FnOnce(&User) -> NewOutbox,
        origin: &Origin,
    ) -> Result<(), AccountError> {
        if self.store.second_factors(id).await?.iter().all(|own| own.confirmed_at.is_none()) {
            return Err(AccountError::Invalid("this user has no second factor: there is nothing to reset".into()));
        }
        let row = self.store.user(id).await?.ok_or_else(|| AccountError::NoSuchUser(id.to_string()))?;
        let event = origin.event("second-factor.reset", "ok").about(id);
        self.store.remove_second_factors(id, &[told(&row.user)], &[event]).await?;
        Ok(())
    }

    /// Ends a lock; false when there was none. The sign-in's, in known browsers too, and that of wrong operation tokens.
    pub async fn unlock(&self, id: UserId, origin: &Origin) -> Result<bool, AccountError> {
        let mut was_locked = false;
        let mut counters = self.store.browser_lockouts(id).await?;
        for subject in [Subject::user(id), Subject::validator(id)] {
            counters.extend(self.store.lockout(subject.as_str()).await?);
        }
        for counter in counters {
            let locked = counter.locked_until.is_some_and(|until| origin.now < until);
            let event = origin.event("lockout.unlocked", "ok").about(id).with("tries", counter.tries);
            self.store.clear_tries(&counter.subject, &[event.with("was_locked", locked)]).await?;
            was_locked |= locked;
        }
        Ok(was_locked)
    }

    /// A user's phone, opened.
    pub fn phone(&self, row: &UserRow) -> Result<Option<Phone>, AccountError> {
        let opened = row.phone.as_ref().map(|sealed| Phone::open(&self.keyring, row.user.id, sealed)).transpose();
        opened.map_err(|error| StoreError::Damaged(format!("the phone of user {}: {error}", row.user.id)).into())
    }

    // --- how ---

    async fn apply(
        &self,
        id: UserId,
        change: &UserChange,
        now: Timestamp,
        event: NewEvent,
    ) -> Result<(), AccountError> {
        match self.store.change_user(id, change, now, &[event]).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(AccountError::NoSuchUser(id.to_string())),
            // The one thing the store finds missing here is an administrator who would be left.
            Err(StoreError::Missing(what)) => Err(AccountError::LastOne(what)),
            Err(error) => Err(error.into()),
        }
    }

    fn change(&self, id: UserId, edit: Edit, now: Timestamp) -> Result<UserChange, AccountError> {
        if let Some(full_name) = &edit.full_name {
            check_full_name(full_name)?;
        }
        check_groups(&edit.add_groups)?;
        check_language(edit.language.as_ref().and_then(Option::as_deref))?;
        if let Some(email) = &edit.email {
            names::check_email(email).map_err(invalid)?;
        }
        let shut_out = edit.valid_until.flatten().is_some_and(|until| until <= now)
            || edit.valid_from.flatten().is_some_and(|from| now < from);
        let phone = edit.phone.map(|typed| typed.map(|typed| self.sealed_phone(id, &typed)).transpose());
        Ok(UserChange {
            raise_epoch: !edit.remove_groups.is_empty() || edit.valid_until.flatten().is_some() || shut_out,
            end_sessions: shut_out,
            full_name: edit.full_name,
            email: edit.email.map(|email| (email.clone(), names::fold(&email))),
            phone: phone.transpose()?,
            language: edit.language,
            valid_from: edit.valid_from,
            valid_until: edit.valid_until,
            add_groups: edit.add_groups,
            remove_groups: edit.remove_groups,
            ..UserChange::default()
        })
    }

    fn sealed_phone(&self, id: UserId, typed: &str) -> Result<StoredPhone, AccountError> {
        let phone = Phone::parse(typed).ok_or_else(|| invalid("a phone number is written +33612345678"))?;
        Ok(phone.seal(&self.keyring, &*self.random, id))
    }

    async fn refuse_last_validator(&self, id: UserId, now: Timestamp) -> Result<(), AccountError> {
        let holders = self.store.holders(Right::TokenValidator).await?;
        let other = holders.iter().any(|row| row.user.id != id && row.user.may_act(now));
        if other || holders.iter().all(|row| row.user.id != id) {
            return Ok(());
        }
        Err(AccountError::LastOne("this is the last token validator: grant the right to somebody else first".into()))
    }
}

fn new_user(id: UserId, addition: Addition) -> User {
    let Addition { name, full_name, email, language, mut groups, mut rights, .. } = addition;
    groups.sort_unstable();
    groups.dedup();
    rights.sort_unstable();
    rights.dedup();
    let state = UserState::Active;
    User { id, name, full_name, email, language, groups, rights, state, valid_from: None, valid_until: None }
}

fn new_row(
    user: User,
    phone: Option<StoredPhone>,
    password_hash: Option<String>,
    password_must_change: bool,
    now: Timestamp,
) -> NewUser {
    let (phone, phone_mac) = phone.unzip();
    NewUser {
        name_folded: names::fold(&user.name),
        email_folded: names::fold(&user.email),
        row: UserRow {
            user,
            phone,
            phone_mac,
            password_set_at: password_hash.is_some().then_some(now),
            password_hash,
            password_must_change,
            password_spent: false,
            created_at: now,
            last_login_at: None,
            epoch: 0,
        },
    }
}

/// What an edit touches, for the trail: which fields, and of what is not personal the new value.
fn changed(edit: &Edit) -> Vec<(&'static str, serde_json::Value)> {
    let date = |date: Option<Timestamp>| date.map_or("none".to_owned(), |date| date.to_string()).into();
    let mut changed: Vec<(&'static str, serde_json::Value)> = Vec::new();
    let personal = [
        (edit.full_name.is_some(), "full_name"),
        (edit.email.is_some(), "email"),
        (edit.phone.is_some(), "phone"),
        (edit.language.is_some(), "language"),
    ];
    changed.extend(personal.iter().filter(|(touched, _)| *touched).map(|(_, field)| (*field, "changed".into())));
    changed.extend(edit.valid_from.map(|from| ("valid_from", date(from))));
    changed.extend(edit.valid_until.map(|until| ("valid_until", date(until))));
    let lists = [("added_groups", &edit.add_groups), ("removed_groups", &edit.remove_groups)];
    changed
        .extend(lists.into_iter().filter(|(_, list)| !list.is_empty()).map(|(key, list)| (key, list.clone().into())));
    changed
}

fn words(rights: &[Right]) -> Vec<&'static str> {
    rights.iter().map(|right| right.as_str()).collect()
}

fn invalid(what: impl fmt::Display) -> AccountError {
    AccountError::Invalid(what.to_string())
}

/// A name nobody has, fit for one line of a terminal.
fn shown(name: &str) -> String {
    let shown: String = name.chars().filter(|letter| !letter.is_control()).take(80).collect();
    format!("“{shown}”")
}
