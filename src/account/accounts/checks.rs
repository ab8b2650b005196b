//! What may be stored of a user, and the temporary passwords made for them.

use super::{AccountError, Addition, invalid};
use crate::account::names;
use crate::account::phone::Phone;
use crate::secret::{Random, SecretText, random_bytes};

/// Of a full name or a group, characters.
const LONGEST_TEXT: usize = 100;

/// Letters and digits nobody takes for one another, in lower case: no `i l o u 0 1`.
const ALPHABET: &[u8; 30] = b"abcdefghjkmnpqrstvwxyz23456789";

/// All but the password, which the rules judge.
pub(super) fn check_addition(addition: &Addition) -> Result<(), AccountError> {
    names::check_user_name(&addition.name).map_err(invalid)?;
    names::check_email(&addition.email).map_err(invalid)?;
    check_full_name(&addition.full_name)?;
    check_groups(&addition.groups)?;
    check_language(addition.language.as_deref())?;
    if addition.phone.as_deref().is_some_and(|typed| Phone::parse(typed).is_none()) {
        return Err(invalid("a phone number is written +33612345678"));
    }
    if addition.temporary && addition.password.is_some() {
        return Err(invalid("give a password or have a temporary one made, not both"));
    }
    Ok(())
}

pub(in crate::account) fn check_full_name(full_name: &str) -> Result<(), AccountError> {
    check_text("a full name", full_name)
}

/// Groups reach backends in one comma-separated header.
pub(in crate::account) fn check_groups(groups: &[String]) -> Result<(), AccountError> {
    for group in groups {
        check_text("a group", group)?;
        if group.contains(',') || group.trim() != group {
            return Err(invalid("a group has no comma, and no space at its ends"));
        }
    }
    Ok(())
}

pub(in crate::account) fn check_language(language: Option<&str>) -> Result<(), AccountError> {
    match language {
        None | Some("en" | "fr") => Ok(()),
        Some(_) => Err(invalid("a language is en or fr")),
    }
}

fn check_text(what: &str, text: &str) -> Result<(), AccountError> {
    let length = text.chars().count();
    if length == 0 || length > LONGEST_TEXT || text.chars().any(names::deceives) {
        return Err(invalid(format_args!("{what} has 1 to {LONGEST_TEXT} characters, all of them printable")));
    }
    Ok(())
}

/// Five groups of five, 122 bits: longer than any minimum length that makes sense, and easy to read out.
pub(super) fn temporary_password(random: &dyn Random) -> SecretText {
    let mut password = String::with_capacity(29);
    let mut letters = 0;
    while letters < 25 {
        let [byte] = random_bytes::<1>(random);
        // 240 is the largest multiple of 30 in a byte: the rest would favour the first letters.
        if byte >= 240 {
            continue;
        }
        if letters > 0 && letters % 5 == 0 {
            password.push('-');
        }
        password.push(char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
        letters += 1;
    }
    SecretText::new(password)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SystemRandom;

    fn addition() -> Addition {
        Addition {
            name: "alice".into(),
            full_name: "Alice Martin".into(),
            email: "alice@example.org".into(),
            phone: Some("+33 6 12 34 56 78".into()),
            language: Some("fr".into()),
            groups: vec!["staff".into()],
            rights: Vec::new(),
            password: Some(SecretText::new("correct horse")),
            temporary: false,
        }
    }

    #[test]
    fn a_user_with_all_in_order_is_taken() {
        assert!(check_addition(&addition()).is_ok());
    }

    #[test]
    fn what_is_not_in_order_is_refused() {
        let wrong = [
            Addition { name: "a b".into(), ..addition() },
            Addition { email: "alice".into(), ..addition() },
            Addition { full_name: "Alice\r\nRemote-User: root".into(), ..addition() },
            Addition { full_name: String::new(), ..addition() },
            Addition { full_name: "Alice \u{202e}nitraM".into(), ..addition() },
            Addition { groups: vec!["sta\u{200b}ff".into()], ..addition() },
            Addition { phone: Some("0612".into()), ..addition() },
            Addition { language: Some("de".into()), ..addition() },
            Addition { groups: vec!["staff,admins".into()], ..addition() },
            Addition { temporary: true, ..addition() },
        ];
        for addition in wrong {
            assert!(check_addition(&addition).is_err(), "{addition:?} was taken");
        }
    }

    #[test]
    fn temporary_passwords_are_long_and_differ() {
        let [one, other] = [0, 1].map(|_| temporary_password(&SystemRandom).expose().to_owned());
        assert_ne!(one, other);
        assert_eq!(one.len(), 29);
        assert!(one.split('-').all(|group| group.len() == 5));
        assert!(one.bytes().all(|byte| byte == b'-' || ALPHABET.contains(&byte)));
    }
}
