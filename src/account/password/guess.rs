//! How easily a password is guessed: zxcvbn's estimate over its lists of tens of thousands of passwords, words and names, its
//! keyboard rows, sequences, repetitions and dates.
//!
//! Its cost grows with the square of the length, and with every combination of letters that signs like `@` and `1` may stand
//! for: a hundred characters chosen for it take it three seconds. So it is given **windows** of a few characters each, with no
//! more such signs than make a few combinations, which takes a millisecond, and for the worst there is some tens of them. A
//! password is easy when every window is; one that is a part over and over is as easy as that part.

use zxcvbn::{Score, zxcvbn};

/// Characters of one window.
const WINDOW: usize = 40;

/// So many windows are looked at. A password as long as all of them is hard if anything in it is.
const WINDOWS: usize = 4;

/// More combinations than this are not tried.
const MOST_COMBINATIONS: usize = 64;

/// The signs that zxcvbn takes for each of the letters `a b c e g i l o s t x z`.
const STANDS_FOR: [&str; 12] = ["4@", "8", "({[<", "3", "69", "1!|", "1|7", "0", "$5", "+7", "%", "2"];

/// Takes the place of a sign too many: it stands for no letter.
const PLAIN: char = '_';

/// Whether so many guesses as an attacker can make without a stolen hash would find it (a score below 3: 10^8).
pub(super) fn is_easy(password: &str, words: &[String]) -> bool {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let letters: Vec<char> = password.chars().collect();
    let mut windows = repeated(&letters).chunks(WINDOW).take(WINDOWS);
    windows.all(|window| zxcvbn(&bounded(window), &words).score() < Score::Three)
}

/// The part that a text is, over and over; the whole of any other text.
fn repeated(letters: &[char]) -> &[char] {
    let is_period = |period: &usize| letters[*period..] == letters[..letters.len() - *period];
    (1..=letters.len() / 2).find(is_period).map_or(letters, |period| &letters[..period])
}

/// The window, with as many signs that may be letters as make few combinations. Digits stay: most of what is easy has them.
fn bounded(window: &[char]) -> String {
    let mut kept: Vec<char> = window.iter().copied().filter(char::is_ascii_digit).collect();
    let mut text = String::with_capacity(window.len());
    for sign in window {
        if STANDS_FOR.iter().any(|signs| signs.contains(*sign)) && !kept.contains(sign) {
            kept.push(*sign);
            if combinations(&kept) > MOST_COMBINATIONS {
                kept.pop();
                text.push(PLAIN);
                continue;
            }
        }
        text.push(*sign);
    }
    text
}

/// At most so many combinations are tried of a text with these signs: a sign that may be either of two letters counts twice.
fn combinations(kept: &[char]) -> usize {
    let shared = |sign: char| STANDS_FOR.iter().filter(|signs| signs.contains(sign)).count() > 1;
    let of_letter = |signs: &&str| {
        let present = signs.chars().filter(|sign| kept.contains(sign));
        present.map(|sign| if shared(sign) { 2 } else { 1 }).sum::<usize>().max(1)
    };
    STANDS_FOR.iter().map(of_letter).product()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    fn text(window: &str) -> String {
        bounded(&window.chars().collect::<Vec<_>>())
    }

    #[test]
    fn pwd_5_listed_words_rows_sequences_and_repetitions_are_easy() {
        for easy in [
            "password",
            "Passw0rd2026",
            "password1234",
            "qwertyuiop123",
            "123456789012",
            "abcdefghijkl",
            "aaaaaaaaaaaaaaaaaaaa",
            "letmeinletmein",
            "P@ssw0rd!P@ssw0rd!",
            &"password".repeat(40),
            &"1234567890!@".repeat(14),
            "qwerty123456qwerty123456qwer",
            &"a".repeat(1024),
        ] {
            assert!(is_easy(easy, &[]), "{easy:?}");
        }
    }

    #[test]
    fn a_few_words_and_what_chance_makes_are_not() {
        for hard in ["seven swans by the lock gate", "correct horse battery", "gH7#kq9!vZp2", "Zürich-im-Nebel-42"] {
            assert!(!is_easy(hard, &[]), "{hard:?}");
        }
        assert!(!is_easy(&("a".repeat(50) + "seven swans by the lock gate"), &[]), "hard anywhere is hard");
    }

    #[test]
    fn what_is_known_of_the_owner_is_easy() {
        let words = ["Sigismondo".to_owned(), "Ravensbrook".to_owned()];
        assert!(!is_easy("sigismondoravensbrook", &[]));
        assert!(is_easy("sigismondoravensbrook", &words));
        assert!(is_easy("ravensbrook1987", &words));
    }

    #[test]
    fn signs_too_many_to_try_become_plain_ones_and_digits_stay() {
        assert_eq!(text("p@ssw0rd!"), "p@ssw0rd!");
        assert_eq!(text("1234567890"), "1234567890");
        let every = "@({[<!|$+%4869310572";
        assert!(combinations(&every.chars().collect::<Vec<_>>()) > 1_000);
        let bounded = text(every);
        assert!(combinations(&bounded.chars().collect::<Vec<_>>()) <= MOST_COMBINATIONS, "{bounded}");
        assert_eq!(bounded.len(), every.len());
    }

    /// The worst there is of each kind: signs, words, repetitions, and letters outside the first plane.
    #[test]
    fn pwd_5_a_password_chosen_to_be_costly_is_not() {
        is_easy("the lists are read at the first use", &[]);
        for costly in [
            "@({[<!|$+%4869310572".repeat(8),
            "a4@b8c({[<e3g69i1!|l1|7o0s$5t+7x%z2".repeat(5),
            "thisisaverylongphrasemadeofshortwordsinarow".repeat(4),
            "abcabcabdabcabcabd".repeat(9),
            "𐰊𐰂𐰄𐰀𐰁".repeat(32),
            "1!|7".repeat(40),
        ] {
            let begun = Instant::now();
            is_easy(&costly, &["alice".into(), "martin".into(), "gate.example.org".into()]);
            assert!(begun.elapsed() < Duration::from_secs(2), "{costly:?} took {:?}", begun.elapsed());
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_judged(typed in "\\PC{0,60}") {
            is_easy(&typed, &["alice".to_owned()]);
        }

        #[test]
        fn what_is_given_to_the_estimate_is_bounded(window in "[@(\\[<!|$+%0-9a-z{]{0,40}") {
            let bounded = text(&window);
            prop_assert_eq!(bounded.chars().count(), window.chars().count());
            prop_assert!(combinations(&bounded.chars().collect::<Vec<_>>()) <= MOST_COMBINATIONS);
        }
    }
}
