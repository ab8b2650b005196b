//! Users and what proves them: names, passwords, second factors, tries.
//!
//! * [`names::fold`] makes one spelling of all spellings of a name.
//! * The **hashing pool** ([`HashPool`]) computes Argon2id on threads of its own behind a bounded queue.
//! * A new password is **fit** when it keeps the rules ([`password::rules`]), and is then compared with those before it.
//! * A **try** is reserved before a credential is looked at ([`lockout`]); [`strangers`] are counted over all accounts too.
//! * An **import** reads who other programs' files tell of ([`import`]).
//! * [`Accounts`] are the administrator's acts: the same for commands and, later, pages.

pub mod accounts;
pub mod import;
pub mod lockout;
pub mod names;
pub mod password;
pub mod phone;
pub mod recovery;
pub mod strangers;
pub mod totp;

use uuid::Uuid;

pub use accounts::{AccountError, Accounts, Addition, Edit, PasswordError};
pub use password::rules::{PasswordFault, PasswordFaults};
pub use password::{Busy, HashPool, Strength};

use crate::secret::{Random, random_bytes};
use crate::time::Timestamp;

/// A new id: a UUID (version 7, RFC 9562) of the moment and 74 random bits.
pub(crate) fn new_id(random: &dyn Random, now: Timestamp) -> Uuid {
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random_bytes::<10>(random)).into_uuid()
}
