//! `security.toml`, as it is meant. Values of later features join the block they belong to.
use std::time::Duration;
use crate::identity::User;
/// Passwords, lockout, sessions, second factor, holding.
#[derive(Debug, Clone)]
pub struct Security { /// `[lockout]`
    pub lockout: Lockout, /// `[sessions]`
    pub sessions: Sessions, /// `[second_factor]`
    pub second_factor: SecondFactor, /// `[holding]`
    pub holding: Holding, /// `[passwords]`
    pub passwords: Passwords }
/// `[passwords]`: what this version applies.
#[derive(Debug, Clone)]
pub struct Passwords { /// Characters, at least.
    pub minimum_length: usize }
/// `[lockout]`. `attempts` 0: off.
#[derive(Debug, Clone, Copy)]
pub struct Lockout { /// Failed tries before the lock; 0: no lock.
    pub attempts: u32, /// How long the lock lasts.
    pub duration: Duration }
/// `[sessions]`
#[derive(Debug, Clone, Copy)]
pub struct Sessions { /// Ends after so long without use; none: off.
    pub idle: Option<Duration>, /// Ends so long after sign-in.
    pub lifetime: Duration, /// At most so many per user (the oldest ends); none: any number.
    pub maximum_per_user: Option<u32> }
/// `[second_factor]`
#[derive(Debug, Clone, Default)]
pub struct SecondFactor { /// Who must have one.
    pub required: Vec<Who>, /// Who is not offered one.
    pub hidden: Vec<Who> }
/// `right:administrator`, `group:customers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who { /// Holders of a right.
    Right(crate::identity::Right), /// Members of a group.
    Group(String) }
/// `[holding]`
#[derive(Debug, Clone, Copy)]
pub struct Holding { /// For rules that say none.
    pub expires: Duration, /// For rules that say none.
    pub token_lifetime: Duration, /// Wrong tokens before the operation is dead.
    pub token_attempts: u32, /// Largest body held or looked into, bytes.
    pub body_limit: usize, /// Largest answer kept, bytes.
    pub answer_limit: usize, /// How long an answer is kept.
    pub keep_answer: Duration }
impl SecondFactor {
    /// Whether `user` must have a second factor.
    pub fn is_required(&self, user: &User) -> bool { let _ = user; todo!() }
    /// Whether `user` is offered one.
    pub fn is_offered(&self, user: &User) -> bool { let _ = user; todo!() }
}
impl Default for Security { fn default() -> Self { todo!() } }
