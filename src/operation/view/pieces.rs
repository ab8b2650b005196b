//! Text, cut into what is shown as it is and what is not.

use super::Piece;
use super::confusable::{is_disguised, is_hidden, is_mark, looks_like_ascii};

/// Blanks in a row that are still shown as such.
const BLANKS_SHOWN: usize = 8;
/// Marks over one letter that are still shown as such.
const MARKS_SHOWN: usize = 2;

/// Gathers letters into pieces.
#[derive(Default)]
struct Collector {
    units: Vec<Unit>,
    text: String,
}

/// A piece, and how many bytes it was made from.
struct Unit {
    piece: Piece,
    bytes: usize,
}

/// What a piece that is no text counts for, in bytes shown.
const SIGN: usize = 8;

/// `bytes` in pieces; those that are no UTF-8 one by one. Where more than `limit` bytes would be shown, the middle is left
/// out, so that the end is seen too.
pub(super) fn of_bytes(bytes: &[u8], limit: usize) -> Vec<Piece> {
    let mut collector = Collector::default();
    for chunk in bytes.utf8_chunks() {
        collector.text(chunk.valid());
        for byte in chunk.invalid() {
            collector.push(Piece::CodePoint(format!("0x{byte:02X}")), 1);
        }
    }
    joined(cut(collector.finish(), limit))
}

/// `text` in pieces, likewise.
pub(super) fn of_text(text: &str, limit: usize) -> Vec<Piece> {
    of_bytes(text.as_bytes(), limit)
}

/// Three quarters of what is shown from the beginning, one from the end, and between them how many bytes are not shown.
fn cut(units: Vec<Unit>, limit: usize) -> Vec<Unit> {
    if units.iter().map(Unit::shown).sum::<usize>() <= limit {
        return units;
    }
    let mut middle: std::collections::VecDeque<Unit> = units.into();
    let mut head = Vec::new();
    let mut room = limit / 4 * 3;
    while let Some(unit) = middle.pop_front() {
        let (taken, left) = unit.split(room, Side::Front);
        room -= taken.as_ref().map_or(0, Unit::shown);
        head.extend(taken);
        if let Some(left) = left {
            middle.push_front(left);
            break;
        }
    }
    let mut tail = Vec::new();
    let mut room = limit / 4;
    while let Some(unit) = middle.pop_back() {
        let (taken, left) = unit.split(room, Side::Back);
        room -= taken.as_ref().map_or(0, Unit::shown);
        tail.extend(taken);
        if let Some(left) = left {
            middle.push_back(left);
            break;
        }
    }
    let bytes = middle.iter().map(|unit| unit.bytes).sum();
    head.push(Unit { piece: Piece::Cut(bytes), bytes });
    head.extend(tail.into_iter().rev());
    head
}

/// Texts beside each other become one.
fn joined(units: Vec<Unit>) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::with_capacity(units.len());
    for unit in units {
        match (pieces.last_mut(), unit.piece) {
            (Some(Piece::Text(before)), Piece::Text(text)) => before.push_str(&text),
            (_, piece) => pieces.push(piece),
        }
    }
    pieces
}

/// From which side of a unit is taken.
#[derive(Clone, Copy)]
enum Side {
    Front,
    Back,
}

// === impl Unit ===

impl Unit {
    fn shown(&self) -> usize {
        match &self.piece {
            Piece::Text(text) => text.len(),
            Piece::CodePoint(_) | Piece::Blanks(_) | Piece::Cut(_) | Piece::Masked => SIGN,
        }
    }

    /// What of it fits into `room`, and what does not.
    fn split(self, room: usize, side: Side) -> (Option<Self>, Option<Self>) {
        if self.shown() <= room {
            return (Some(self), None);
        }
        // Only a text made of as many bytes can be divided: a line's end is one sign of two bytes.
        let Piece::Text(text) = &self.piece else { return (None, Some(self)) };
        if room == 0 || text.len() != self.bytes {
            return (None, Some(self));
        }
        let (front, back) = match side {
            Side::Front => text.split_at(text.floor_char_boundary(room)),
            Side::Back => text.split_at(text.ceil_char_boundary(text.len() - room)),
        };
        let [front, back] = [front, back]
            .map(|text| (!text.is_empty()).then(|| Self { piece: Piece::Text(text.to_owned()), bytes: text.len() }));
        match side {
            Side::Front => (front, back),
            Side::Back => (back, front),
        }
    }
}

// === impl Collector ===

impl Collector {
    fn text(&mut self, text: &str) {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let of_kind: fn(char) -> bool = if is_blank(first) { is_blank } else { is_not_blank };
            let length = rest.find(|letter| !of_kind(letter)).unwrap_or(rest.len());
            let (run, after) = rest.split_at(length);
            if is_blank(first) {
                self.blanks(run);
            } else {
                self.letters(run);
            }
            rest = after;
        }
    }

    /// A run of blanks: shown while short. A line that returns without a feed would write over what was shown.
    fn blanks(&mut self, run: &str) {
        let mut rest = run;
        let count = run.chars().count() - run.matches("\r\n").count();
        if count > BLANKS_SHOWN {
            return self.push(Piece::Blanks(count), run.len());
        }
        while let Some(letter) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix("\r\n") {
                self.push(Piece::Text("\n".to_owned()), 2);
                rest = after;
                continue;
            }
            if letter == '\r' {
                self.push(Piece::CodePoint(code_point(letter)), 1);
            } else {
                self.text.push(letter);
            }
            rest = &rest[1..];
        }
    }

    /// A run without blanks, word by word: a letter is a look-alike by the company it keeps.
    fn letters(&mut self, run: &str) {
        let mut rest = run;
        while let Some(first) = rest.chars().next() {
            let length = if is_of_word(first) {
                rest.find(|letter| !is_of_word(letter)).unwrap_or(rest.len())
            } else {
                first.len_utf8()
            };
            let (word, after) = rest.split_at(length);
            self.word(word);
            rest = after;
        }
    }

    fn word(&mut self, word: &str) {
        let suspicious = is_mixed(word);
        let mut marks = if self.text.is_empty() { MARKS_SHOWN } else { 0 };
        for letter in word.chars() {
            marks = if is_mark(letter) { marks + 1 } else { 0 };
            let shown_as_code = is_hidden(letter)
                || is_disguised(letter)
                || (suspicious && looks_like_ascii(letter))
                || marks > MARKS_SHOWN;
            if shown_as_code {
                self.push(Piece::CodePoint(code_point(letter)), letter.len_utf8());
            } else {
                self.text.push(letter);
            }
        }
    }

    fn push(&mut self, piece: Piece, bytes: usize) {
        self.flush();
        self.units.push(Unit { piece, bytes });
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            let text = std::mem::take(&mut self.text);
            self.units.push(Unit { bytes: text.len(), piece: Piece::Text(text) });
        }
    }

    fn finish(mut self) -> Vec<Unit> {
        self.flush();
        self.units
    }
}

/// Whether a word mixes look-alikes with the letters they look like, or is made of look-alikes alone.
fn is_mixed(word: &str) -> bool {
    let has_ascii = word.chars().any(|letter| letter.is_ascii_alphabetic());
    has_ascii || word.chars().all(|letter| looks_like_ascii(letter) || letter.is_ascii_digit())
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || is_mark(letter)
}

fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r')
}

fn is_not_blank(letter: char) -> bool {
    !is_blank(letter)
}

fn code_point(letter: char) -> String {
    format!("U+{:04X}", u32::from(letter))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Piece::{Blanks, CodePoint, Cut, Text};
    use proptest::prelude::*;

    fn pieces(text: &str) -> Vec<Piece> {
        of_text(text, 4096)
    }

    fn code(code: &str) -> Piece {
        CodePoint(code.to_owned())
    }

    fn plain(text: &str) -> Piece {
        Text(text.to_owned())
    }

    #[test]
    fn plain_text_is_one_piece() {
        assert_eq!(pieces("Delete customer 42, s'il vous plaît"), [plain("Delete customer 42, s'il vous plaît")]);
        assert_eq!(pieces("Удалить клиента"), [plain("Удалить клиента")]);
        assert_eq!(pieces("<script>alert(1)</script>"), [plain("<script>alert(1)</script>")]);
    }

    #[test]
    fn hold_2_what_cannot_be_seen_is_shown_as_its_code_point() {
        assert_eq!(pieces("a\u{202e}b\u{200b}"), [plain("a"), code("U+202E"), plain("b"), code("U+200B")]);
        assert_eq!(pieces("\u{1b}[31mred"), [code("U+001B"), plain("[31mred")]);
        assert_eq!(pieces("over\rwritten"), [plain("over"), code("U+000D"), plain("written")]);
        assert_eq!(of_bytes(b"a\xffb", 10), [plain("a"), code("0xFF"), plain("b")]);
    }

    #[test]
    fn hold_2_look_alikes_among_ascii_letters_are_shown_as_code_points() {
        assert_eq!(pieces("p\u{430}ypal"), [plain("p"), code("U+0430"), plain("ypal")]);
        assert_eq!(pieces("\u{441}\u{43e}"), [code("U+0441"), code("U+043E")]);
        assert_eq!(pieces("a\u{2215}b"), [plain("a"), code("U+2215"), plain("b")]);
    }

    #[test]
    fn hold_2_blanks_are_collapsed_and_counted() {
        assert_eq!(pieces(&format!("a{}b", " ".repeat(10_000))), [plain("a"), Blanks(10_000), plain("b")]);
        assert_eq!(pieces(&format!("a{}b", "\r\n".repeat(50))), [plain("a"), Blanks(50), plain("b")]);
        assert_eq!(pieces("a\r\n  b"), [plain("a\n  b")]);
    }

    #[test]
    fn hold_2_a_long_text_shows_its_beginning_and_its_end() {
        let text = format!("{}payload", "x".repeat(1_000_000));
        let shown = of_text(&text, 400);
        assert_eq!(shown.len(), 3);
        assert_eq!(shown[1], Cut(1_000_007 - 400));
        assert!(matches!(&shown[2], Text(end) if end.ends_with("payload")));
    }

    #[test]
    fn towers_of_marks_are_not_built() {
        assert_eq!(pieces("e\u{301}"), [plain("e\u{301}")]);
        let tower = format!("e{}", "\u{301}".repeat(4));
        assert_eq!(pieces(&tower), [plain("e\u{301}\u{301}"), code("U+0301"), code("U+0301")]);
        assert_eq!(pieces("\u{301}"), [code("U+0301")]);
    }

    #[test]
    fn hold_2_what_is_left_out_is_counted_to_the_byte() {
        let shown = of_text(&format!("{}\r\n{}", "é".repeat(50), "x".repeat(50)), 40);
        assert_eq!(shown, [plain(&"é".repeat(15)), Cut(152 - 40), plain(&"x".repeat(10))]);
    }

    proptest! {
        #[test]
        fn nothing_is_shown_that_cannot_be_seen(bytes: Vec<u8>, limit in 8_usize..64) {
            for piece in of_bytes(&bytes, limit) {
                if let Text(text) = piece {
                    prop_assert!(!text.chars().any(is_hidden), "{text:?}");
                }
            }
        }
    }
}
