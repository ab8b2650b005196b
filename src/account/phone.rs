//! Phone numbers, E.164.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::identity::UserId;
use crate::secret::{DoesNotOpen, Keyring, Place, Purpose, Random, Sealed};
use crate::store::users::PhoneText;

/// A phone number: `+` and 8 to 15 digits.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Phone(String);

// === impl Phone ===

impl Phone {
    /// Reads what a person typed: spaces, dots, hyphens and a leading `00` are put right.
    pub fn parse(typed: &str) -> Option<Self> {
        let plain: String =
            typed.chars().filter(|letter| !letter.is_whitespace() && !matches!(letter, '.' | '-')).collect();
        let digits = plain.strip_prefix('+').or_else(|| plain.strip_prefix("00"))?;
        let is_number = (8..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        is_number.then(|| Self(format!("+{digits}")))
    }

    /// E.164.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `+33 ••• •• 78`, for pages and logs of those concerned.
    pub fn masked(&self) -> String {
        format!("{} ••• •• {}", &self.0[..3], &self.0[self.0.len() - 2..])
    }

    /// Sealed for the user's row, and the MAC by which a shared number is seen.
    pub fn seal(&self, keyring: &Keyring, random: &dyn Random, user: UserId) -> (Sealed<PhoneText>, Vec<u8>) {
        let sealed = keyring.seal(random, place(&user.to_string()), self.0.as_bytes());
        (sealed, keyring.mac(Purpose::Phone, &[self.0.as_bytes()]).to_vec())
    }

    /// Opens a user's.
    pub fn open(keyring: &Keyring, user: UserId, sealed: &Sealed<PhoneText>) -> Result<Self, DoesNotOpen> {
        let bytes = keyring.open(place(&user.to_string()), sealed)?;
        String::from_utf8(bytes).map(Self).map_err(|_| DoesNotOpen)
    }
}

fn place(row: &str) -> Place<'_> {
    Place { table: "users", column: "phone", row }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(…)")
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::secret::SystemRandom;

    #[test]
    fn a_number_is_read_as_people_write_it() {
        for typed in ["+33612345678", "+33 6 12 34 56 78", "0033 6.12.34.56.78", " +33-612-345-678 "] {
            assert_eq!(Phone::parse(typed).unwrap().as_str(), "+33612345678", "{typed:?}");
        }
        for wrong in
            ["", "0612345678", "+0612345678", "+33", "+3361234567890123", "+33 (0)6 12 34 56 78", "+33٦12345678"]
        {
            assert!(Phone::parse(wrong).is_none(), "{wrong:?} was read as a number");
        }
    }

    #[test]
    fn a_masked_number_shows_country_and_end() {
        assert_eq!(Phone::parse("+33612345678").unwrap().masked(), "+33 ••• •• 78");
    }

    #[test]
    fn a_sealed_number_opens_for_its_own_user_alone() {
        let keyring = Keyring::new(&[1; 32]);
        let (alice, bob) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let phone = Phone::parse("+33612345678").unwrap();
        let (sealed, mac) = phone.seal(&keyring, &SystemRandom, alice);
        assert_eq!(Phone::open(&keyring, alice, &sealed).unwrap(), phone);
        assert_eq!(Phone::open(&keyring, bob, &sealed), Err(DoesNotOpen));
        assert_eq!(mac, phone.seal(&keyring, &SystemRandom, bob).1, "a shared number is seen as shared");
    }

    #[test]
    fn a_number_is_not_printed() {
        assert_eq!(format!("{:?}", Phone::parse("+33612345678").unwrap()), "Phone(…)");
    }
}
