//! Password hashes made by another program: checked until their owner signs in, then replaced by one of our own.
//!
//! * A **foreign hash** is read from the text another program kept. What is **unusable** (locked, too weak, of an unknown kind,
//!   damaged) is never checked, whatever password is given.
//! * Each kind is **bounded**, when it is imported and whenever it is read: none occupies a hashing thread for more than
//!   about two seconds. Whoever can write the store must not be able to stop the gateway with it.
//! * Other programs hashed a password as it was typed. So it is tried **as typed**, and in Unicode's **composed** form where that
//!   is another one: somebody may have changed keyboards since.
//!
//! An imported Argon2id hash is kept as `{ARGON2}$argon2id$…`, as OpenLDAP writes it: without that mark it would be taken for
//! one of our own, which is made of composed passwords only.

mod argon;
mod bcrypt;
mod pbkdf2;
mod salted;
mod sha_crypt;

use self::argon::Argon;
use self::bcrypt::Bcrypt;
use self::pbkdf2::Pbkdf2;
use self::salted::Salted;
use self::sha_crypt::Crypted;
use super::Typed;
use super::threads::Bench;

/// A hash made elsewhere, with all that is needed to check it.
#[derive(Clone)]
pub struct Foreign {
    /// As the store keeps it.
    stored: String,
    kind: Kind,
}

/// Why a hash is never checked. Says nothing of the hash itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// There is none.
    #[error("there is no password hash")]
    Absent,
    /// Nobody signs in with it, by its owner's will.
    #[error("the password is locked")]
    Locked,
    /// Guessed as fast as a machine can count.
    #[error("a hash of the kind {0} is too weak to be trusted")]
    TooWeak(&'static str),
    /// Not among those that are checked here.
    #[error("hashes of the kind {0} cannot be checked here")]
    Unsupported(&'static str),
    /// Beyond its bounds.
    #[error("this {0} hash would take too long to check")]
    TooCostly(&'static str),
    /// Cut off, or not what it seems.
    #[error("this {0} hash is damaged")]
    Damaged(&'static str),
    /// A plain password, or something else.
    #[error("this is no password hash of a known kind")]
    Unknown,
}

#[derive(Clone)]
enum Kind {
    Bcrypt(Bcrypt),
    Pbkdf2(Pbkdf2),
    ShaCrypt(Crypted),
    Salted(Salted),
    Argon(Argon),
}

/// Prefixes of what is known by name and never checked.
const REFUSED: [(&str, Unusable); 18] = [
    ("$1$", Unusable::TooWeak("MD5-crypt")),
    ("$apr1$", Unusable::TooWeak("apr1 (MD5)")),
    ("$md5", Unusable::TooWeak("Sun MD5")),
    ("$3$", Unusable::TooWeak("NT")),
    ("$sha1$", Unusable::TooWeak("SHA1-crypt")),
    ("{sha}", Unusable::TooWeak("SHA-1 without salt")),
    ("{md5}", Unusable::TooWeak("MD5")),
    ("{smd5}", Unusable::TooWeak("salted MD5")),
    ("{cleartext}", Unusable::TooWeak("plain text")),
    ("_", Unusable::TooWeak("BSDi DES-crypt")),
    ("{pbkdf2}", Unusable::Unsupported("PBKDF2 with SHA-1")),
    ("$pbkdf2$", Unusable::Unsupported("PBKDF2 with SHA-1")),
    ("pbkdf2_sha1$", Unusable::Unsupported("PBKDF2 with SHA-1")),
    ("bcrypt_sha256$", Unusable::Unsupported("bcrypt over SHA-256")),
    ("$2x$", Unusable::Unsupported("bcrypt 2x")),
    ("$y$", Unusable::Unsupported("yescrypt")),
    ("$gy$", Unusable::Unsupported("gost-yescrypt")),
    ("$7$", Unusable::Unsupported("scrypt")),
];

/// The longest text that is looked at, bytes.
const LONGEST: usize = 512;

// === impl Foreign ===

impl Foreign {
    /// Reads what another program kept.
    pub fn read(text: &str) -> Result<Self, Unusable> {
        let text = crypt(text)?;
        if text.len() > LONGEST {
            return Err(Unusable::Unknown);
        }
        let kind = Kind::read(text)?;
        let stored = if text.starts_with("$argon2") { format!("{}{text}", argon::MARK) } else { text.to_owned() };
        Ok(Self { stored, kind })
    }

    /// As the store keeps it: read again, it is the same.
    pub fn stored(&self) -> &str {
        &self.stored
    }

    /// The algorithm, for lists and counts.
    pub fn algorithm(&self) -> &'static str {
        match &self.kind {
            Kind::Bcrypt(_) => "bcrypt",
            Kind::Pbkdf2(hash) => hash.algorithm(),
            Kind::ShaCrypt(hash) => hash.algorithm(),
            Kind::Salted(hash) => hash.algorithm(),
            Kind::Argon(hash) => hash.algorithm(),
        }
    }

    /// Whether it was made of this password, as typed or composed.
    pub(super) fn is_of(&self, password: &Typed, bench: &mut Bench) -> bool {
        self.is_made_of(&password.typed, bench)
            || (password.composed != password.typed && self.is_made_of(&password.composed, bench))
    }

    fn is_made_of(&self, password: &[u8], bench: &mut Bench) -> bool {
        match &self.kind {
            Kind::Bcrypt(hash) => hash.is_made_of(password),
            Kind::Pbkdf2(hash) => hash.is_made_of(password),
            Kind::ShaCrypt(hash) => hash.is_made_of(password),
            Kind::Salted(hash) => hash.is_made_of(password),
            Kind::Argon(hash) => hash.is_made_of(password, bench),
        }
    }
}

// === impl Kind ===

impl Kind {
    fn read(text: &str) -> Result<Self, Unusable> {
        // What Django keeps begins with the algorithm's name.
        let own = text.strip_prefix("argon2$").map(|rest| format!("${rest}"));
        let text = own.as_deref().or_else(|| text.strip_prefix("bcrypt$")).unwrap_or(text);
        if let Some(bcrypt) = Bcrypt::read(text) {
            return bcrypt.map(Self::Bcrypt);
        }
        if let Some(sha_crypt) = Crypted::read(text) {
            return sha_crypt.map(Self::ShaCrypt);
        }
        if let Some(pbkdf2) = Pbkdf2::read(text) {
            return pbkdf2.map(Self::Pbkdf2);
        }
        if let Some(salted) = Salted::read(text) {
            return salted.map(Self::Salted);
        }
        if let Some(argon) = Argon::read(text) {
            return argon.map(Self::Argon);
        }
        Err(refused(text))
    }
}

/// What stands in `{CRYPT}…`, or the text itself; locked or absent, it is no hash.
fn crypt(text: &str) -> Result<&str, Unusable> {
    let text = strip_scheme(text.trim(), "{crypt}").unwrap_or(text.trim());
    match text.as_bytes() {
        [] => Err(Unusable::Absent),
        [b'!' | b'*', ..] | [b'x'] => Err(Unusable::Locked),
        _ => Ok(text),
    }
}

fn refused(text: &str) -> Unusable {
    let lower = text.to_ascii_lowercase();
    if let Some((_, why)) = REFUSED.iter().find(|(prefix, _)| lower.starts_with(prefix)) {
        return *why;
    }
    let is_crypt = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'.' | b'/');
    if text.len() == 13 && text.bytes().all(is_crypt) {
        return Unusable::TooWeak("DES-crypt");
    }
    if text.len() == 32 && text.bytes().all(|letter| letter.is_ascii_hexdigit()) {
        return Unusable::TooWeak("MD5 or NT");
    }
    Unusable::Unknown
}

/// What follows a `{SCHEME}`, written in any case.
fn strip_scheme<'t>(text: &'t str, scheme: &str) -> Option<&'t str> {
    let (head, rest) = text.split_at_checked(scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then_some(rest)
}

#[cfg(test)]
mod tests;
