//! Crockford's base 32: what people read from a telephone or a sheet of paper, and type.

use super::{Random, random_bytes};

/// The alphabet: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// `N` characters at random, five bits each.
pub(super) fn generate<const N: usize>(random: &dyn Random) -> [u8; N] {
    random_bytes::<N>(random).map(|byte| ALPHABET[usize::from(byte & 31)])
}

/// Reads `N` characters as a person types them: case, spaces and hyphens do not matter, `O` is `0`, `I` and `L` are `1`.
pub(super) fn parse<const N: usize>(typed: &str) -> Option<[u8; N]> {
    let mut characters = [0; N];
    let mut length = 0;
    for letter in typed.chars().filter(|letter| !letter.is_whitespace() && *letter != '-') {
        let letter = match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        let byte = u8::try_from(letter).ok().filter(|byte| ALPHABET.contains(byte))?;
        *characters.get_mut(length)? = byte;
        length += 1;
    }
    (length == N).then_some(characters)
}

/// As it is shown: in two halves, `K7QF-2M9X`.
pub(super) fn halves(characters: &[u8]) -> String {
    let text = std::str::from_utf8(characters).expect("the alphabet is ASCII");
    let (front, back) = text.split_at(text.len() / 2);
    format!("{front}-{back}")
}
