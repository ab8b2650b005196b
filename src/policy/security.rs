//! `security.toml`, as it is meant. Values of later features join the block they belong to.

use std::time::Duration;

use crate::identity::{Right, User};
use crate::time::Timestamp;

/// Passwords, lockout, sessions, second factor, holding.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// `[lockout]`
    pub lockout: Lockout,
    /// `[lockout]`: strangers, over all accounts.
    pub strangers: Strangers,
    /// `[sessions]`
    pub sessions: Sessions,
    /// `[second_factor]`
    pub second_factor: SecondFactor,
    /// `[holding]`
    pub holding: Holding,
    /// `[passwords]`
    pub passwords: Passwords,
    /// `[advanced]`
    pub advanced: Advanced,
}

/// `[passwords]`
#[derive(Debug, Clone)]
pub struct Passwords {
    /// Characters, at least.
    pub minimum_length: usize,
    /// A small letter, a capital, a digit and another sign, each at least once.
    pub require_all_classes: bool,
    /// Nothing that is easily guessed, and nothing that is mostly a name of the person or of the installation.
    pub refuse_known_bad: bool,
    /// A password that an administrator's reset made must be changed by the sign-in it begins.
    pub force_change_after_reset: bool,
    /// What the installation is called: its sites' names and hosts. No setting: the policy fills it in.
    pub installation: Vec<String>,
    /// `[passwords.hashing]`
    pub hashing: Strength,
}

/// `[advanced]`. All of it is off where the block is switched off.
#[derive(Debug, Clone, Copy)]
pub struct Advanced {
    /// How long a password is good for; none: for ever.
    pub validity: Option<Duration>,
    /// So many passwords before the present one cannot be chosen again.
    pub remembered: u32,
    /// How often people may change their own password; none: as often as they like.
    pub changes: Option<Changes>,
}

/// A limit on how often people change their own password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changes {
    /// So often,
    pub allowed: u32,
    /// in any stretch of this length.
    pub period: Duration,
}

/// `[passwords.hashing]`: Argon2id parameters. The default is m = 19 MiB, t = 2, p = 1 (OWASP Password Storage Cheat Sheet).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strength {
    /// KiB.
    pub memory: u32,
    /// Passes.
    pub passes: u32,
    /// Lanes; they are computed one after the other.
    pub lanes: u32,
}

/// KiB one hash may take: whoever can write the store must not be able to stop the gateway with it.
pub const MOST_MEMORY: u32 = 262_144;
/// Passes one hash may take.
pub const MOST_PASSES: u32 = 32;
/// Lanes one hash may have.
pub const MOST_LANES: u32 = 16;
/// Memory (KiB) times passes: about a second.
pub const MOST_WORK: u64 = 1 << 20;

/// KiB that OWASP asks for with one, two, three, four, five and more passes.
const LEAST_MEMORY: [u32; 5] = [47_104, 19_456, 12_288, 9_216, 7_168];

/// `[lockout]`. `attempts` 0: off.
#[derive(Debug, Clone, Copy)]
pub struct Lockout {
    /// Failed tries before the lock; 0: no lock.
    pub attempts: u32,
    /// How long the lock lasts.
    pub duration: Duration,
}

/// `[lockout]`: what strangers may do wrong, over all accounts.
#[derive(Debug, Clone, Copy)]
pub struct Strangers {
    /// Wrong sign-ins of one address; 0: any number.
    pub attempts: u32,
    /// How long they count.
    pub duration: Duration,
    /// So many names that fail within ten minutes are credential stuffing; 0: not looked for.
    pub stuffing_names: u32,
}

/// `[sessions]`
#[derive(Debug, Clone, Copy)]
pub struct Sessions {
    /// Ends after so long without use; none: off.
    pub idle: Option<Duration>,
    /// Ends so long after sign-in.
    pub lifetime: Duration,
    /// A browser is remembered for so long at most; none: no browser is.
    pub remember: Option<Duration>,
    /// A remembered browser unused for so long is forgotten; none: off.
    pub remembered_idle: Option<Duration>,
    /// At most so many per user (the oldest ends); none: any number.
    pub maximum_per_user: Option<u32>,
}

/// `[second_factor]`
#[derive(Debug, Clone)]
pub struct SecondFactor {
    /// Who must have one.
    pub required: Vec<Who>,
    /// Who is not offered one.
    pub hidden: Vec<Who>,
}

/// `right:administrator`, `group:customers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Holders of a right.
    Right(Right),
    /// Members of a group.
    Group(String),
}

/// `[holding]`
#[derive(Debug, Clone, Copy)]
pub struct Holding {
    /// For rules that say none.
    pub expires: Duration,
    /// For rules that say none.
    pub token_lifetime: Duration,
    /// Wrong tokens before the operation is dead.
    pub token_attempts: u32,
    /// Largest body held or looked into, bytes.
    pub body_limit: usize,
    /// All bodies that are read for holding or to be looked into, at once, bytes.
    pub memory: usize,
    /// Largest answer kept, bytes.
    pub answer_limit: usize,
    /// How long an answer is kept.
    pub keep_answer: Duration,
}

// === impl Strength ===

impl Strength {
    /// KiB that OWASP asks for with so many passes.
    pub fn least_memory(self) -> u32 {
        let passes = usize::try_from(self.passes).unwrap_or(usize::MAX).clamp(1, LEAST_MEMORY.len());
        LEAST_MEMORY[passes - 1]
    }

    /// Whether it is below what OWASP asks for.
    pub fn is_too_weak(self) -> bool {
        self.passes == 0 || self.memory < self.least_memory()
    }

    /// Whether a hash would take more memory or time than a sign-in may.
    pub fn is_too_costly(self) -> bool {
        self.memory > MOST_MEMORY || u64::from(self.memory) * u64::from(self.passes) > MOST_WORK
    }
}

// === impl SecondFactor ===

impl SecondFactor {
    /// Whether `user` must have a second factor.
    pub fn is_required(&self, user: &User) -> bool {
        self.required.iter().any(|who| who.is(user))
    }

    /// Whether `user` is offered one. Who must have one is always offered it.
    pub fn is_offered(&self, user: &User) -> bool {
        self.is_required(user) || !self.hidden.iter().any(|who| who.is(user))
    }
}

// === impl Who ===

impl Who {
    /// Whether `user` is one of them.
    pub fn is(&self, user: &User) -> bool {
        match self {
            Self::Right(right) => user.has(*right),
            Self::Group(group) => user.is_in(group),
        }
    }
}

// === impl Advanced ===

impl Advanced {
    /// The block, switched off.
    pub const OFF: Self = Self { validity: None, remembered: 0, changes: None };

    /// Whether a password set at that moment is too old to go on with. One of unknown age is, where age counts.
    pub fn is_over(&self, set_at: Option<Timestamp>, now: Timestamp) -> bool {
        self.validity.is_some_and(|validity| set_at.is_none_or(|at| now.since(at) >= validity))
    }
}

// === defaults, as docs/policies.md states them ===

impl Default for Passwords {
    fn default() -> Self {
        Self {
            minimum_length: 12,
            require_all_classes: false,
            refuse_known_bad: true,
            force_change_after_reset: true,
            installation: Vec::new(),
            hashing: Strength::default(),
        }
    }
}

impl Default for Advanced {
    fn default() -> Self {
        Self { remembered: 4, ..Self::OFF }
    }
}

impl Default for Strength {
    fn default() -> Self {
        Self { memory: 19_456, passes: 2, lanes: 1 }
    }
}

impl Default for Lockout {
    fn default() -> Self {
        Self { attempts: 5, duration: Duration::from_mins(30) }
    }
}

impl Default for Strangers {
    fn default() -> Self {
        Self { attempts: 100, duration: Duration::from_mins(15), stuffing_names: 200 }
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            idle: Some(Duration::from_mins(15)),
            lifetime: Duration::from_hours(12),
            remember: Some(Duration::from_hours(30 * 24)),
            remembered_idle: Some(Duration::from_hours(30 * 24)),
            maximum_per_user: None,
        }
    }
}

impl Default for SecondFactor {
    fn default() -> Self {
        Self { required: vec![Who::Right(Right::Administrator), Who::Right(Right::TokenValidator)], hidden: Vec::new() }
    }
}

impl Default for Holding {
    fn default() -> Self {
        Self {
            expires: Duration::from_mins(15),
            token_lifetime: Duration::from_mins(15),
            token_attempts: 5,
            body_limit: 1 << 20,
            memory: 256 << 20,
            answer_limit: 1 << 20,
            keep_answer: Duration::from_hours(24),
        }
    }
}
