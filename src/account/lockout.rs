//! Tries, reserved before the check, consumed by their outcome.
//!
//! One counter per **subject**: a user, whatever the spelling and the door; a browser from which that user has fully signed
//! in before, so that strangers cannot lock its owner out; a name that belongs to nobody, counted alike
//! under a MAC of the folded name, so that no list of what people mistyped is kept.
//!
//! ```text
//!            reserve                      reserve (the limit's)
//! 0 tries ──────────────→ 1 … limit-1 ─────────────────────────→ locked, until a fixed end
//!    ↑                        │ │                                   │
//!    ├── signed in ───────────┘ └─ give back: right, more to come   │
//!    └── the end is reached, or an administrator unlocks ───────────┘
//! ```
//!
//! A try that is dropped stays counted: whoever hangs up in the middle has guessed.

use crate::identity::UserId;
use crate::policy::security::Lockout;
use crate::secret::{BrowserDigest, Keyring, Purpose};
use crate::store::lockouts::{Reserved, Settled};
use crate::store::{Store, StoreError};
use crate::time::Timestamp;

/// Whose tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject(String);

/// A reserved try. It stays counted unless it is given back, or settled by the session it opens.
#[derive(Debug)]
#[must_use = "a reserved try is consumed by its outcome"]
pub struct Attempt {
    subject: Subject,
    /// False where `lockout.attempts` is 0: nothing is counted, so nothing is given back.
    counted: bool,
}

/// Locked: nothing is checked until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locked {
    /// The lock's end.
    pub until: Timestamp,
}

// === impl Subject ===

impl Subject {
    /// A user's sign-in tries.
    pub fn user(id: UserId) -> Self {
        Self(format!("user:{id}"))
    }

    /// A user's tries in a browser known to them.
    pub fn browser(id: UserId, browser: BrowserDigest) -> Self {
        let (half, _) = browser.as_bytes().split_at(16);
        Self(format!("browser:{id}:{}", hex::encode(half)))
    }

    /// A stranger's name.
    pub fn unknown(keyring: &Keyring, folded: &str) -> Self {
        Self(format!("unknown:{}", hex::encode(keyring.mac(Purpose::UnknownName, &[folded.as_bytes()]))))
    }

    /// A validator's wrong operation tokens, over all operations.
    pub fn validator(id: UserId) -> Self {
        Self(format!("validator:{id}"))
    }

    /// As stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// === impl Attempt ===

impl Attempt {
    /// Reserves a try; true beside it when it is the last before the lock, which is then already set. The audit event of
    /// the lock (`lockout.locked`) is written by the caller when the last one fails.
    pub async fn reserve(
        store: &Store,
        subject: Subject,
        policy: Lockout,
        now: Timestamp,
    ) -> Result<Result<(Self, bool), Locked>, StoreError> {
        if policy.attempts == 0 {
            return Ok(Ok((Self { subject, counted: false }, false)));
        }
        // A lock in force is seen by a read: a flood of guesses does not queue up for the database's one writer.
        let counter = store.lockout(subject.as_str()).await?;
        if let Some(until) = counter.and_then(|counter| counter.locked_until).filter(|until| now < *until) {
            return Ok(Err(Locked { until }));
        }
        match store.reserve_try(subject.as_str(), policy.attempts, policy.duration, now).await? {
            Reserved::Try { last, .. } => Ok(Ok((Self { subject, counted: true }, last))),
            Reserved::Locked { until } => Ok(Err(Locked { until })),
        }
    }

    /// Nothing was looked at, or what was given is right and begins nothing: this try is given back, earlier ones stay.
    pub async fn give_back(self, store: &Store) -> Result<(), StoreError> {
        if self.counted { store.give_back_try(self.subject.as_str()).await } else { Ok(()) }
    }

    /// The credential was right, and nothing more is to come: the counter goes with what it opens. Also where nothing is
    /// counted any more: what was counted before is of the past.
    pub fn cleared(&self) -> Settled {
        Settled::Clear(self.subject.0.clone())
    }

    /// The credential was right, with more to come: this try goes with what it opens, earlier ones stay.
    pub fn given_back(&self) -> Option<Settled> {
        self.counted.then(|| Settled::GiveBack(self.subject.0.clone()))
    }

    /// Signed in by a step that took no try: the counter goes, but for a lock in force, which has its fixed end.
    pub fn settled_without(subject: Subject, now: Timestamp) -> Settled {
        Settled::ClearUnlocked(subject.0, now)
    }

    /// Wrong: the try stays counted.
    pub fn spend(self) {}
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn subjects_of_different_kinds_never_meet() {
        let id = UserId(Uuid::from_u128(7));
        assert_ne!(Subject::user(id), Subject::validator(id));
    }

    #[test]
    fn a_strangers_name_is_counted_without_being_readable() {
        let keyring = Keyring::new(&[1; 32]);
        let subject = Subject::unknown(&keyring, "hunter2");
        assert!(!subject.as_str().contains("hunter2"));
        assert_eq!(subject, Subject::unknown(&keyring, "hunter2"));
        assert_ne!(subject, Subject::unknown(&Keyring::new(&[2; 32]), "hunter2"));
    }
}
