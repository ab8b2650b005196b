//! Somebody's authenticator application, as the page shows it.

use std::fmt;

use totp_rs::{Builder, Secret, Totp};

use crate::time::Timestamp;

/// One person's seed and name.
#[derive(Clone)]
pub(super) struct Authenticator {
    name: String,
    totp: Totp,
}

/// The code of a moment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Code {
    /// Six digits.
    pub(super) digits: String,
    /// For how many more seconds it is this one: 1 to 30.
    pub(super) seconds_left: u64,
}

// === impl Authenticator ===

impl Authenticator {
    pub(super) fn new(name: &str, seed: &[u8]) -> Self {
        // A demonstration shows any seed it is given, whatever RFC 4226 asks of its length.
        let totp = Builder::new().with_secret(Secret::from(seed)).build_noncompliant();
        Self { name: name.to_owned(), totp }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The code at `now`.
    pub(super) fn code(&self, now: Timestamp) -> Code {
        let seconds = u64::try_from(now.as_secs()).unwrap_or(0);
        Code { digits: self.totp.generate(seconds).to_string(), seconds_left: self.totp.next_step(seconds) - seconds }
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authenticator({}, …)", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, SHA-1: its eight digits end in our six.
    #[test]
    fn the_codes_are_those_of_rfc_6238() {
        let shown = Authenticator::new("admin", b"12345678901234567890");
        let code = shown.code(Timestamp::from_secs(59));
        assert_eq!(code, Code { digits: "287082".into(), seconds_left: 1 });
        assert_eq!(shown.code(Timestamp::from_secs(1_111_111_109)).digits, "081804");
    }

    #[test]
    fn the_seed_is_not_printed() {
        assert_eq!(format!("{:?}", Authenticator::new("bob", b"12345678901234567890")), "Authenticator(bob, …)");
    }
}
