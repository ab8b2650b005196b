//! Users and what proves them: names, passwords, second factors, tries.
//!
//! * [`names::fold`] makes one spelling of all spellings of a name. * The **hashing pool** computes Argon2id on threads of
//! its own behind a bounded queue. * A **try** is reserved before a credential is looked at ([`lockout`]).
//! * [`Accounts`] are the administrator's acts: the same for commands and, later, pages.
pub mod accounts;
pub mod lockout;
pub mod names;
pub mod password;
pub mod phone;
pub mod totp;
pub use accounts::{AccountError, Accounts, Addition, Edit};
pub use password::{Busy, HashPool, Strength};
