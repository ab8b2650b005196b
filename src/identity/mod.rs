//! Who is asking: people, their rights, and how surely we know them.
//!
//! * A **user** is a person with an account; a [`UserId`] is theirs for ever, names and addresses may change.
//! * A **right** is what the gateway lets a user do to itself. **Groups** are the organisation's own words and mean
//!   nothing here beyond the policy.
//! * A **caller** is whoever sent the request at hand: nobody we know, or a user in a live session.
//! * **Factors** count how a session was proven; **freshness** is how long ago. A **remembered** device stands for the first
//!   factor and is never fresh.

pub mod assertion;
pub mod keys;
pub mod plain;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::time::Timestamp;
use crate::words::UnknownWord;

/// A user's id: a UUID (version 7), stable for life. The `sub` of every assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub Uuid);

/// A session's public id: shown in lists and in the `sid` claim, of no use for signing in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub Uuid);

/// A remembered device's public id: shown in lists, of no use for signing in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceId(pub Uuid);

/// What a user may do to the gateway itself. A right includes no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// Users, groups, rights, locks, sessions; grants every right.
    Administrator,
    /// Settings and messages pages, not users.
    Settings,
    /// Sees, confirms and denies operations; resets passwords.
    TokenValidator,
    /// Makes personal clients.
    ClientCreator,
    /// Lists and revokes everybody's clients; grants `client-creator`.
    ClientManager,
    /// Reads every page, changes nothing.
    Auditor,
}

words! {
    /// How a session was proven, as in the `amr` claim (RFC 8176 where it has a name for it).
    pub enum Amr {
        /// A password.
        Pwd = "pwd",
        /// A one-time code.
        Otp = "otp",
        /// A remembered device, in the place of the password: somebody proved it from this browser, once.
        Rmb = "rmb",
    }
}

words! {
    /// How surely a session is its user's.
    pub enum Level {
        /// The browser is a remembered one; nobody has proven anything in this session.
        Remembered = "remembered",
        /// A password.
        Password = "password",
        /// A second factor, beside a password or a remembered device.
        TwoFactors = "two-factors",
    }
}

/// What is known of a user wherever they act. A snapshot: whoever decides reads it fresh, or from a cache that is told
/// of every change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// For ever theirs.
    pub id: UserId,
    /// The user name, as they write it.
    pub name: String,
    /// First and last name.
    pub full_name: String,
    /// The mail address, as they write it.
    pub email: String,
    /// `en` or `fr`, when chosen.
    pub language: Option<String>,
    /// The organisation's own words, sorted.
    pub groups: Vec<String>,
    /// What they may do to the gateway, sorted.
    pub rights: Vec<Right>,
    /// Whether they may act at all.
    pub state: UserState,
    /// Nobody before this moment.
    pub valid_from: Option<Timestamp>,
    /// Nobody from this moment on.
    pub valid_until: Option<Timestamp>,
}

words! {
    /// Whether a user may act.
    pub enum UserState {
        /// May sign in.
        Active = "active",
        /// Switched off by an administrator.
        Disabled = "disabled",
    }
}

/// A user in a live session.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The session's public id.
    pub session: SessionId,
    /// Who.
    pub user: Arc<User>,
    /// How they proved it, in order.
    pub amr: Vec<Amr>,
    /// When they last proved it from the start: in a session that a remembered device opened, before it began. Whoever asks
    /// how fresh a proof is asks [`SignedIn::proven_at`].
    pub auth_time: Timestamp,
    /// When they last gave a second factor in this session.
    pub second_factor_at: Option<Timestamp>,
}

/// Whoever sent the request at hand.
#[derive(Debug, Clone)]
pub enum Caller {
    /// Nobody we know.
    Anonymous,
    /// A user in a live session.
    User(Arc<SignedIn>),
}

// === impl User ===

impl User {
    /// Whether they may act now: active, and inside their dates.
    pub fn may_act(&self, now: Timestamp) -> bool {
        self.state == UserState::Active
            && self.valid_from.is_none_or(|from| now >= from)
            && self.valid_until.is_none_or(|until| now < until)
    }

    /// Whether they hold `right`.
    pub fn has(&self, right: Right) -> bool {
        self.rights.contains(&right)
    }

    /// Whether they are in `group`.
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|own| own == group)
    }
}

// === impl SignedIn ===

impl SignedIn {
    /// 1 with a password alone, 2 with a second factor.
    pub fn factors(&self) -> u8 {
        if self.second_factor_at.is_some() { 2 } else { 1 }
    }

    /// When somebody signed in from the start in this very session: never, where a remembered device did so for them. That
    /// is why *remembered* is never fresh, however lately the device was made.
    pub fn proven_at(&self) -> Option<Timestamp> {
        (!self.amr.contains(&Amr::Rmb)).then_some(self.auth_time)
    }
}

// === impl Level ===

impl Level {
    /// Of a session with these proofs.
    pub fn of(amr: &[Amr], second_factor_at: Option<Timestamp>) -> Self {
        if second_factor_at.is_some() {
            Self::TwoFactors
        } else if amr.contains(&Amr::Rmb) {
            Self::Remembered
        } else {
            Self::Password
        }
    }
}

// === impl Caller ===

impl Caller {
    /// The user, when there is one.
    pub fn user(&self) -> Option<&User> {
        match self {
            Self::Anonymous => None,
            Self::User(signed_in) => Some(&signed_in.user),
        }
    }
}

// === impl ids and rights ===

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for UserId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SessionId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for DeviceId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl Right {
    /// As policies, commands and the store write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Settings => "settings",
            Self::TokenValidator => "token-validator",
            Self::ClientCreator => "client-creator",
            Self::ClientManager => "client-manager",
            Self::Auditor => "auditor",
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Right {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        <Self as clap::ValueEnum>::from_str(text, false).map_err(|_| UnknownWord)
    }
}
