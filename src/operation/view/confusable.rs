//! Characters that cannot be seen, or that are taken for others.
//!
//! After UTS #39 (Unicode Security Mechanisms), narrowed to what can be taken for ASCII: what a validator must not confuse
//! is a name, a number, an address.

use unicode_normalization::char::is_combining_mark;

/// Whether `letter` cannot be seen, changes the order of what is seen, or is a blank that is not a space.
pub(super) fn is_hidden(letter: char) -> bool {
    let code = u32::from(letter);
    let is_text_control = letter.is_control() && !matches!(letter, '\n' | '\t');
    is_text_control || in_ranges(HIDDEN, code) || (code & 0xfffe) == 0xfffe
}

/// Whether `letter` is a form of an ASCII character that no ordinary text uses.
pub(super) fn is_disguised(letter: char) -> bool {
    in_ranges(DISGUISED, u32::from(letter))
}

/// Whether `letter` looks like an ASCII letter and is none.
pub(super) fn looks_like_ascii(letter: char) -> bool {
    LOOK_ALIKES.contains(letter) || in_ranges(LOOK_ALIKE_SCRIPTS, u32::from(letter))
}

/// Whether `letter` is drawn over the one before.
pub(super) fn is_mark(letter: char) -> bool {
    is_combining_mark(letter)
}

fn in_ranges(ranges: &[(u32, u32)], code: u32) -> bool {
    ranges.iter().any(|(first, last)| (*first..=*last).contains(&code))
}

/// Default-ignorable, bidirectional, private and blank characters.
const HIDDEN: &[(u32, u32)] = &[
    (0x00a0, 0x00a0),           // no-break space
    (0x00ad, 0x00ad),           // soft hyphen
    (0x034f, 0x034f),           // combining grapheme joiner
    (0x061c, 0x061c),           // Arabic letter mark
    (0x115f, 0x1160),           // Hangul fillers
    (0x1680, 0x1680),           // Ogham space
    (0x17b4, 0x17b5),           // Khmer inherent vowels
    (0x180b, 0x180f),           // Mongolian selectors
    (0x2000, 0x200f),           // spaces of all widths, zero width, direction marks
    (0x2028, 0x202f),           // separators, direction embeddings and overrides, narrow space
    (0x205f, 0x206f),           // mathematical space, joiners, direction isolates
    (0x2800, 0x2800),           // braille blank
    (0x3000, 0x3000),           // ideographic space
    (0x3164, 0x3164),           // Hangul filler
    (0xe000, 0xf8ff),           // private use
    (0xfe00, 0xfe0f),           // variation selectors
    (0xfeff, 0xfeff),           // zero width no-break space
    (0xffa0, 0xffa0),           // half-width Hangul filler
    (0xfff0, 0xfffb),           // unassigned, interlinear annotation
    (0x1bca0, 0x1bca3),         // shorthand controls
    (0x1d173, 0x1d17a),         // musical controls
    (0x000e_0000, 0x0010_ffff), // tags, selectors, private use
];

/// Full-width and mathematical alphabets, Roman numerals, and signs that are taken for `/ . : ; -`.
const DISGUISED: &[(u32, u32)] = &[
    (0x037e, 0x037e),   // Greek question mark
    (0x0589, 0x0589),   // Armenian full stop
    (0x2010, 0x2012),   // hyphens
    (0x2024, 0x2024),   // one dot leader
    (0x2044, 0x2044),   // fraction slash
    (0x2160, 0x217f),   // Roman numerals
    (0x2215, 0x2216),   // division slash, set minus
    (0x2236, 0x2236),   // ratio
    (0x29f5, 0x29f9),   // reverse solidus operators
    (0xa789, 0xa789),   // modifier colon
    (0xfe50, 0xfe6b),   // small forms
    (0xff01, 0xff5e),   // full width
    (0x1d400, 0x1d7ff), // mathematical alphabets
];

/// Scripts whose letters were made after, or drawn like, Latin capitals.
const LOOK_ALIKE_SCRIPTS: &[(u32, u32)] = &[
    (0x13a0, 0x13fd), // Cherokee
    (0x2c80, 0x2ce4), // Coptic
    (0xa4d0, 0xa4ff), // Lisu
    (0xab70, 0xabbf), // Cherokee, small
];

/// Cyrillic, Greek, Armenian and odd Latin letters that look like ASCII.
const LOOK_ALIKES: &str = "аеіјорсухѕһԁԛԝӏАВЕЅІЈКМНОРСТУХҮԌԚԜӀЗ\
    αιγνορυϲϳΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹͿ\
    օոսցքհզՍՕԼ\
    ıɑɡɩɪɴʏʀʟɢʜꞌſƖǀ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_hidden() {
        for letter in
            ['\u{202e}', '\u{200b}', '\u{2066}', '\u{feff}', '\u{1b}', '\0', '\r', '\u{a0}', '\u{e0041}', '\u{fffe}']
        {
            assert!(is_hidden(letter), "{letter:?}");
        }
        for letter in ['a', ' ', '\n', '\t', 'é', '漢', '😀', '\u{fffd}'] {
            assert!(!is_hidden(letter), "{letter:?}");
        }
    }

    #[test]
    fn what_is_taken_for_ascii_is_known() {
        assert!(looks_like_ascii('а') && looks_like_ascii('Ο') && looks_like_ascii('օ'));
        assert!(!looks_like_ascii('a') && !looks_like_ascii('é') && !looks_like_ascii('ж'));
        assert!(is_disguised('ａ') && is_disguised('∕') && is_disguised('𝐀'));
        assert!(!LOOK_ALIKES.chars().any(|letter| letter.is_ascii()), "an ASCII letter is none of its look-alikes");
    }
}
