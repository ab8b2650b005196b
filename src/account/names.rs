//! One spelling of a name.
//!
//! A name is **folded** before it is looked up, compared or counted, so that `alice`, ` ALICE`, `alice\0` and `ａｌｉｃｅ` are
//! one name with one counter. What a person wrote is kept beside it, for showing.

use unicode_normalization::UnicodeNormalization as _;

/// How many characters of a folded name count. Longer than any name or address that may exist.
const LONGEST: usize = 256;
/// More rounds of folding than any text needs.
const ROUNDS: usize = 8;
/// Of a user name, characters.
const LONGEST_USER_NAME: usize = 64;
/// Of a mail address, bytes (RFC 5321 4.5.3.1.3: a path has 256 with its brackets).
const LONGEST_ADDRESS: usize = 254;
/// Of what stands before the `@`, bytes (RFC 5321 4.5.3.1.1).
const LONGEST_LOCAL_PART: usize = 64;
/// Of one label of a domain, bytes (RFC 1035 2.3.4).
const LONGEST_LABEL: usize = 63;

/// Folds a user name or mail address as typed: NFKC, lower case, white space, control and invisible characters removed at
/// both ends and inside; cut at 256 characters. Everything that compares, counts or looks up a name uses this.
pub fn fold(typed: &str) -> String {
    // What is typed may be a megabyte; what is looked at is not.
    let mut folded: String = typed.chars().filter(|letter| is_seen(*letter)).take(4 * LONGEST).collect();
    // NFKC can make capitals and spaces, and taking those away can leave letters that combine: a few rounds settle it.
    for _ in 0..ROUNDS {
        let again = fold_once(&folded);
        if again == folded {
            break;
        }
        folded = again;
    }
    folded
}

fn fold_once(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).filter(|letter| is_seen(*letter)).take(LONGEST).collect()
}

/// Whether `name` may be a user name: 1 to 64 letters, digits, `.`, `_`, `-`, after NFKC the same.
pub fn check_user_name(name: &str) -> Result<(), &'static str> {
    let length = name.chars().count();
    if length == 0 || length > LONGEST_USER_NAME {
        return Err("a user name has 1 to 64 characters");
    }
    if !name.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '.' | '_' | '-')) {
        return Err("a user name has letters, digits, '.', '_' and '-' only");
    }
    if !name.nfkc().eq(name.chars()) {
        return Err("a user name has no full-width, ligature or other compatibility letters: write it with plain ones");
    }
    Ok(())
}

/// Whether `address` may be a mail address: something, one `@`, a domain; printable, without spaces.
pub fn check_email(address: &str) -> Result<(), &'static str> {
    const NOT_ONE: &str = "a mail address is written name@domain";
    if address.len() > LONGEST_ADDRESS {
        return Err("a mail address has at most 254 bytes");
    }
    let (local, domain) = address.split_once('@').ok_or(NOT_ONE)?;
    let local_is_fine = (1..=LONGEST_LOCAL_PART).contains(&local.len())
        && local.chars().all(|letter| is_seen(letter) && !"<>()[],;:\\\"".contains(letter));
    if local_is_fine && domain.split('.').all(is_label) { Ok(()) } else { Err(NOT_ONE) }
}

fn is_label(label: &str) -> bool {
    (1..=LONGEST_LABEL).contains(&label.len())
        && label.chars().all(|letter| letter.is_alphanumeric() || letter == '-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Whether a letter within a text shows as something else than it is, or not at all. Joiners within words (U+200C, U+200D) are
/// letters' business.
pub fn deceives(letter: char) -> bool {
    letter.is_control() || (is_invisible(letter) && !matches!(letter, '\u{200c}' | '\u{200d}'))
}

/// Whether a letter is there for a reader: no white space, no control, nothing invisible.
fn is_seen(letter: char) -> bool {
    !letter.is_whitespace() && !letter.is_control() && !is_invisible(letter)
}

/// Unicode's default-ignorable code points (DerivedCoreProperties, `Default_Ignorable_Code_Point`) and the other format
/// characters: they change what a name is without changing how it looks.
fn is_invisible(letter: char) -> bool {
    matches!(
        letter,
        '\u{ad}'
            | '\u{34f}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn auth_2_every_spelling_of_a_name_is_one_name() {
        for spelling in
            ["alice", "Alice", " alice", "alice ", "alice\0", "ａlice", "ALICE\u{200b}", "\u{202e}alice", "a\tlice"]
        {
            assert_eq!(fold(spelling), "alice", "{spelling:?}");
        }
        assert_eq!(fold("Alice@Example.ORG"), "alice@example.org");
        assert_ne!(fold("alíce"), "alice", "an accent makes another name");
    }

    #[test]
    fn a_megabyte_is_folded_to_a_name() {
        assert_eq!(fold(&"x".repeat(1 << 20)).len(), LONGEST);
    }

    #[test]
    fn user_names_are_plain() {
        for good in ["a", "alice", "Élodie", "j.-p_2"] {
            assert_eq!(check_user_name(good), Ok(()), "{good:?}");
        }
        for wrong in ["", "a b", "a@b", "ａlice", "a\r\nb", "a,b", &"x".repeat(65)] {
            assert!(check_user_name(wrong).is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn mail_addresses_have_a_name_and_a_domain() {
        for good in ["a@b.org", "jean.dupont+gate@sub.example.org", "root@localhost"] {
            assert_eq!(check_email(good), Ok(()), "{good:?}");
        }
        for wrong in ["", "a", "@b.org", "a@", "a@b@c", "a b@c.org", "a@b..c", "a@-b.org", "a\r\n@b.org", "<a@b.org>"] {
            assert!(check_email(wrong).is_err(), "{wrong:?} was taken");
        }
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(typed in "\\PC{0,40}") {
            let once = fold(&typed);
            prop_assert_eq!(fold(&once), once);
        }
    }
}
