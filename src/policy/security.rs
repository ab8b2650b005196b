//! `security.toml`, as it is meant. Values of later features join the block they belong to.

use std::time::Duration;

use crate::identity::{Right, User};

/// Passwords, lockout, sessions, second factor, holding.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// `[lockout]`
    pub lockout: Lockout,
    /// `[sessions]`
    pub sessions: Sessions,
    /// `[second_factor]`
    pub second_factor: SecondFactor,
    /// `[holding]`
    pub holding: Holding,
    /// `[passwords]`
    pub passwords: Passwords,
}

/// `[passwords]`: what this version applies.
#[derive(Debug, Clone)]
pub struct Passwords {
    /// Characters, at least.
    pub minimum_length: usize,
}

/// `[lockout]`. `attempts` 0: off.
#[derive(Debug, Clone, Copy)]
pub struct Lockout {
    /// Failed tries before the lock; 0: no lock.
    pub attempts: u32,
    /// How long the lock lasts.
    pub duration: Duration,
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

// === defaults, as docs/policies.md states them ===

impl Default for Passwords {
    fn default() -> Self {
        Self { minimum_length: 12 }
    }
}

impl Default for Lockout {
    fn default() -> Self {
        Self { attempts: 5, duration: Duration::from_mins(30) }
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
