//! Text, cut into what is shown as it is and what is not.

use super::Piece;
use super::confusable::{is_disguised, is_hidden, is_mark, looks_like_ascii};

/// Blanks in a row that are still shown as such.
const BLANKS_SHOWN: usize = 8;
/// Marks over one letter that are still shown as such.
const MARKS_SHOWN: usize = 2;

/// `bytes` in pieces; those that are no UTF-8 one by one. Beyond `limit` bytes the middle is left out, so that the end is
/// seen too.
pub(super) fn of_bytes(bytes: &[u8], limit: usize) -> Vec<Piece> {
    if bytes.len() <= limit {
        return whole(bytes);
    }
    let head = boundary(bytes, limit / 4 * 3);
    let tail = boundary(bytes, bytes.len() - limit / 4);
    let mut pieces = whole(&bytes[..head]);
    pieces.push(Piece::Cut(tail - head));
    pieces.extend(whole(&bytes[tail..]));
    pieces
}

/// `text` in pieces, likewise.
pub(super) fn of_text(text: &str, limit: usize) -> Vec<Piece> {
    of_bytes(text.as_bytes(), limit)
}

/// The nearest place at or before `index` that is not inside a character.
fn boundary(bytes: &[u8], index: usize) -> usize {
    (index.saturating_sub(3)..=index).rev().find(|index| (bytes[*index] & 0xc0) != 0x80).unwrap_or(index)
}

fn whole(bytes: &[u8]) -> Vec<Piece> {
    let mut collector = Collector::default();
    for chunk in bytes.utf8_chunks() {
        collector.text(chunk.valid());
        for byte in chunk.invalid() {
            collector.mark(format!("0x{byte:02X}"));
        }
    }
    collector.finish()
}

/// Gathers letters into pieces.
#[derive(Default)]
struct Collector {
    pieces: Vec<Piece>,
    text: String,
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
                self.blanks(run)
            } else {
                self.letters(run)
            }
            rest = after;
        }
    }

    /// A run of blanks: shown while short. A line that returns without a feed would write over what was shown.
    fn blanks(&mut self, run: &str) {
        let run = run.replace("\r\n", "\n");
        if run.chars().count() > BLANKS_SHOWN {
            self.push(Piece::Blanks(run.chars().count()));
            return;
        }
        for letter in run.chars() {
            if letter == '\r' { self.mark(code_point(letter)) } else { self.text.push(letter) }
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
        let mut marks = usize::from(self.text.is_empty()) * MARKS_SHOWN;
        for letter in word.chars() {
            marks = if is_mark(letter) { marks + 1 } else { 0 };
            let shown_as_code = is_hidden(letter)
                || is_disguised(letter)
                || (suspicious && looks_like_ascii(letter))
                || marks > MARKS_SHOWN;
            if shown_as_code { self.mark(code_point(letter)) } else { self.text.push(letter) }
        }
    }

    fn mark(&mut self, code: String) {
        self.push(Piece::CodePoint(code));
    }

    fn push(&mut self, piece: Piece) {
        self.flush();
        self.pieces.push(piece);
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.pieces.push(Piece::Text(std::mem::take(&mut self.text)));
        }
    }

    fn finish(mut self) -> Vec<Piece> {
        self.flush();
        self.pieces
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
