//! What a new password must be.
//!
//! * A **fault** is one thing wrong with it. All that can be seen without a hash are told together ([`PasswordFaults`]).
//! * A [`Fit`] password has none of those; only [`Rules::check`] makes one. What it must not be a repetition of is looked at
//!   afterwards, by whoever holds the hashes.
//! * The **words** about a password are what everybody can know: the owner's names, the installation's, the product's. What is
//!   made of them for the most part is refused, and the rest is judged by whoever knows them.
//!
//! Everything is looked at as it will be hashed: composed (NFC), so that lengths are the same from every keyboard.

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;

use super::{Busy, HashPool, LONGEST};
use crate::identity::User;
use crate::policy::security::Passwords;
use crate::secret::SecretText;
use crate::time::Timestamp;

/// A new password as the rules want it.
#[derive(Debug, Clone)]
pub struct Fit(SecretText);

/// The rules, for one person.
#[derive(Debug)]
pub struct Rules<'a> {
    passwords: &'a Passwords,
    words: Vec<String>,
}

words! {
    /// A kind of signs.
    pub enum Class {
        /// a
        Small = "small",
        /// A
        Capital = "capital",
        /// 1
        Digit = "digit",
        /// Neither a letter nor a digit.
        Other = "other",
    }
}

/// One thing that is wrong with a new password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    /// Fewer characters than `passwords.minimum_length`.
    #[error("the password is too short: it needs at least {minimum} characters")]
    TooShort {
        /// Characters, at least.
        minimum: usize,
    },
    /// More than 1024 bytes.
    #[error("the password is too long: at most 1024 bytes")]
    TooLong,
    /// No sign of this kind is in it.
    #[error("the password has {}", .0.missing())]
    Missing(Class),
    /// For the most part names of the person or of the installation.
    #[error("the password is mostly the user's own name, address or this installation's name: choose something else")]
    Own,
    /// Easily guessed.
    #[error("the password is too easy to guess: take several words that do not belong together, or make it longer")]
    Known,
    /// The present one.
    #[error("the password is the one there is already: choose another")]
    Unchanged,
    /// One of those before.
    #[error("the password is one of the last {count}: choose another")]
    Remembered {
        /// So many are remembered.
        count: u32,
    },
    /// It was changed as often as may be.
    #[error("the password was changed as often as it may be; it can be changed again from {until} on")]
    TooManyChanges {
        /// When the next change is possible.
        until: Timestamp,
    },
}

/// All that is wrong with a new password; at least one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordFaults(Vec<PasswordFault>);

/// The product's own name.
const PRODUCT: &str = "vantail";

/// Shorter parts of names are in too many good passwords.
const SHORTEST_WORD: usize = 3;

// === impl Rules ===

impl<'a> Rules<'a> {
    /// What holds for `user`'s passwords.
    pub fn of(passwords: &'a Passwords, user: &User) -> Self {
        Self { passwords, words: words_about(user, &passwords.installation) }
    }

    /// Takes a new password, or says all that is wrong with it by itself. Nothing is hashed.
    pub async fn check(&self, hashing: &HashPool, new: SecretText) -> Result<Result<Fit, PasswordFaults>, Busy> {
        let Some(new) = composed(&new) else { return Ok(Err(PasswordFault::TooLong.into())) };
        let mut faults = self.faults(new.expose());
        // What is too short is easy for that alone: the next one typed will be longer.
        let estimated = self.passwords.refuse_known_bad && !self.is_too_short(new.expose());
        if estimated && hashing.is_easily_guessed(new.clone(), self.words.clone()).await? {
            faults.push(PasswordFault::Known);
        }
        Ok(if faults.is_empty() { Ok(Fit(new)) } else { Err(PasswordFaults(faults)) })
    }

    /// What is wrong with a composed password at first sight.
    fn faults(&self, new: &str) -> Vec<PasswordFault> {
        let minimum = self.passwords.minimum_length;
        let short = self.is_too_short(new).then_some(PasswordFault::TooShort { minimum });
        let asked = if self.passwords.require_all_classes { Class::ALL } else { &[] };
        let missing = asked.iter().filter(|class| !new.chars().any(|sign| class.has(sign)));
        let own = self.passwords.refuse_known_bad && is_mostly(&self.words, new);
        let faults = short.into_iter().chain(missing.map(|class| PasswordFault::Missing(*class)));
        faults.chain(own.then_some(PasswordFault::Own)).collect()
    }

    fn is_too_short(&self, new: &str) -> bool {
        new.chars().count() < self.passwords.minimum_length
    }
}

/// In its composed form; nothing when it is longer than anything that is hashed.
fn composed(typed: &SecretText) -> Option<SecretText> {
    let typed = typed.expose();
    (typed.len() <= LONGEST).then(|| SecretText::new(typed.nfc().collect::<String>()))
}

/// Names, address and their parts; the installation's names and hosts, and their parts but for the top level.
fn words_about(user: &User, installation: &[String]) -> Vec<String> {
    let local = user.email.split('@').next().unwrap_or_default();
    let whole = [&user.name, &user.email, local, &user.full_name, PRODUCT];
    let parts = [&user.name, local, &user.full_name].into_iter().flat_map(parts);
    let own = whole.into_iter().chain(parts);
    let named = installation.iter().flat_map(|name| std::iter::once(name.as_str()).chain(below_the_top(name)));
    let mut words: Vec<String> = own.chain(named).map(str::to_lowercase).collect();
    words.retain(|word| plain(word).len() >= SHORTEST_WORD);
    words.sort_unstable();
    words.dedup();
    words
}

fn parts(name: &str) -> impl Iterator<Item = &str> {
    name.split(|sign: char| !sign.is_alphanumeric())
}

/// `crm` and `example` of `crm.example.org`; `customer` and `care` of a site called `customer-care`.
fn below_the_top(name: &str) -> impl Iterator<Item = &str> {
    let named = name.rsplit_once('.').map_or(name, |(below, _)| below);
    parts(named)
}

/// Whether half or more of the letters and digits of `password` are those of `words`.
fn is_mostly(words: &[String], password: &str) -> bool {
    let password = plain(password);
    let mut covered = vec![false; password.len()];
    for word in words.iter().map(|word| plain(word)) {
        for (at, part) in password.windows(word.len()).enumerate() {
            if part == word {
                covered[at..at + word.len()].fill(true);
            }
        }
    }
    let of_words = covered.iter().filter(|covered| **covered).count();
    of_words > 0 && 2 * of_words >= password.len()
}

/// Letters and digits alone, in one spelling.
fn plain(text: &str) -> Vec<char> {
    text.nfkc().flat_map(char::to_lowercase).filter(|sign| sign.is_alphanumeric()).collect()
}

// === impl Class ===

impl Class {
    fn has(self, sign: char) -> bool {
        match self {
            Self::Small => sign.is_lowercase(),
            Self::Capital => sign.is_uppercase(),
            Self::Digit => sign.is_numeric(),
            Self::Other => !sign.is_alphanumeric(),
        }
    }

    const fn missing(self) -> &'static str {
        match self {
            Self::Small => "no small letter: add one",
            Self::Capital => "no capital letter: add one",
            Self::Digit => "no digit: add one",
            Self::Other => "letters and digits only: add another sign",
        }
    }
}

// === impl Fit ===

impl Fit {
    /// The password itself, to be hashed.
    pub(crate) fn into_secret(self) -> SecretText {
        self.0
    }

    /// A copy to be compared with a hash.
    pub(crate) fn secret(&self) -> SecretText {
        self.0.clone()
    }
}

// === impl PasswordFaults ===

impl PasswordFaults {
    /// Each of them.
    pub fn all(&self) -> &[PasswordFault] {
        &self.0
    }
}

impl From<PasswordFault> for PasswordFaults {
    fn from(fault: PasswordFault) -> Self {
        Self(vec![fault])
    }
}

impl fmt::Display for PasswordFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, fault) in self.0.iter().enumerate() {
            write!(f, "{}{fault}", if number > 0 { "; " } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for PasswordFaults {}

#[cfg(test)]
mod tests;
