//! JSON, flattened: one line per value, named by its path.
//!
//! Doubled members are all there, in their order: which of them the backend takes is not for us to guess. Strings are shown
//! in quotes, so that `"1"` is not `1`, with escapes undone, so that what they hide is seen.

use std::fmt::Write as _;

use serde::de::IgnoredAny;

/// One value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// `customer.tags[0]`; members that are no plain words in quotes: `["a.b"]`; `$` for a value that stands alone.
    pub(super) path: String,
    /// The names of the members on the way, outermost first.
    pub(super) members: Vec<String>,
    /// As written, but strings with escapes undone.
    pub(super) value: String,
}

/// Nesting beyond this is shown as text.
const DEEPEST: usize = 64;

/// The values of a JSON text in their order; nothing when it is not JSON, or nested too deeply.
pub(super) fn flatten(text: &str) -> Option<Vec<Field>> {
    // The grammar is checked by a parser that many programs use; the scanner below only has to take it apart.
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut scanner = Scanner { rest: text, path: String::new(), members: Vec::new(), fields: Vec::new() };
    scanner.value(0)?;
    Some(scanner.fields)
}

/// Takes apart a text that is known to be JSON.
struct Scanner<'a> {
    rest: &'a str,
    path: String,
    members: Vec<String>,
    fields: Vec<Field>,
}

// === impl Scanner ===

impl Scanner<'_> {
    fn value(&mut self, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        match self.peek()? {
            '{' => self.list('}', depth, Self::member),
            '[' => self.list(']', depth, Self::element),
            '"' => {
                let text = self.string()?;
                self.field(format!("\"{}\"", escaped(&text)));
                Some(())
            }
            _ => {
                let end = self.rest.find([',', '}', ']', ' ', '\t', '\r', '\n']).unwrap_or(self.rest.len());
                let (literal, rest) = self.rest.split_at(end);
                self.rest = rest;
                self.field(literal.to_owned());
                Some(())
            }
        }
    }

    /// Members or elements up to `close`; an empty list is a value of its own.
    fn list(&mut self, close: char, depth: usize, item: fn(&mut Self, usize, usize) -> Option<()>) -> Option<()> {
        let open = self.peek()?;
        self.take(open)?;
        if self.peek()? == close {
            self.field(format!("{open}{close}"));
            return self.take(close);
        }
        for index in 0.. {
            item(self, index, depth + 1)?;
            if self.peek()? == close {
                break;
            }
            self.take(',')?;
        }
        self.take(close)
    }

    fn member(&mut self, _index: usize, depth: usize) -> Option<()> {
        self.peek()?;
        let name = self.string()?;
        self.peek()?;
        self.take(':')?;
        let length = self.path.len();
        self.push_member(&name);
        self.members.push(name);
        self.value(depth)?;
        self.members.pop();
        self.path.truncate(length);
        Some(())
    }

    fn element(&mut self, index: usize, depth: usize) -> Option<()> {
        let length = self.path.len();
        write!(self.path, "[{index}]").ok()?;
        self.value(depth)?;
        self.path.truncate(length);
        Some(())
    }

    /// A plain word after a dot; anything else in quotes, so that no two paths look the same.
    fn push_member(&mut self, name: &str) {
        let plain =
            !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-".contains(letter));
        if !plain {
            let _ = write!(self.path, "[\"{}\"]", escaped(name));
        } else if self.path.is_empty() {
            self.path.push_str(name);
        } else {
            let _ = write!(self.path, ".{name}");
        }
    }

    fn field(&mut self, value: String) {
        let path = if self.path.is_empty() { "$".to_owned() } else { self.path.clone() };
        self.fields.push(Field { path, members: self.members.clone(), value });
    }

    /// The next character that is no blank; it stays.
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.rest.chars().next()
    }

    fn take(&mut self, expected: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(expected)?;
        Some(())
    }

    /// A string with its escapes undone. Halves of surrogate pairs stay as written: they are no characters.
    fn string(&mut self) -> Option<String> {
        self.take('"')?;
        let mut text = String::new();
        loop {
            let end = self.rest.find(['"', '\\'])?;
            text.push_str(&self.rest[..end]);
            let quote = self.rest[end..].starts_with('"');
            self.rest = &self.rest[end + 1..];
            if quote {
                return Some(text);
            }
            self.escape(&mut text)?;
        }
    }

    fn escape(&mut self, text: &mut String) -> Option<()> {
        let kind = self.rest.chars().next()?;
        self.rest = &self.rest[kind.len_utf8()..];
        match kind {
            'n' => text.push('\n'),
            't' => text.push('\t'),
            'r' => text.push('\r'),
            'b' => text.push('\u{8}'),
            'f' => text.push('\u{c}'),
            'u' => self.unicode(text)?,
            other => text.push(other),
        }
        Some(())
    }

    fn unicode(&mut self, text: &mut String) -> Option<()> {
        let first = self.hex()?;
        if let Some(letter) = char::from_u32(first) {
            text.push(letter);
            return Some(());
        }
        let pair = self.rest.strip_prefix("\\u").and_then(|rest| u32::from_str_radix(rest.get(..4)?, 16).ok());
        match pair {
            Some(second) if (0xd800..0xdc00).contains(&first) && (0xdc00..0xe000).contains(&second) => {
                self.rest = &self.rest[6..];
                text.push(char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))?);
            }
            _ => write!(text, "\u{fffd}U+{first:04X}").ok()?,
        }
        Some(())
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.rest.get(..4)?;
        self.rest = &self.rest[4..];
        u32::from_str_radix(digits, 16).ok()
    }
}

/// Quotes and backslashes as JSON writes them, so that a string cannot seem to end early.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(text: &str) -> Vec<String> {
        flatten(text).unwrap().into_iter().map(|field| format!("{} = {}", field.path, field.value)).collect()
    }

    #[test]
    fn values_are_named_by_their_path() {
        insta::assert_debug_snapshot!(
            lines(r#" {"customer": {"id": 42, "tags": ["a", {"b": null}], "e": {}, "f": []}, "1": "1", "x": -1.5e3} "#), @r#"
        [
            "customer.id = 42",
            "customer.tags[0] = \"a\"",
            "customer.tags[1].b = null",
            "customer.e = {}",
            "customer.f = []",
            "1 = \"1\"",
            "x = -1.5e3",
        ]
        "#);
        assert_eq!(lines("true"), ["$ = true"]);
    }

    #[test]
    fn hold_2_doubled_members_are_all_there() {
        assert_eq!(lines(r#"{"id":1,"id":2}"#), ["id = 1", "id = 2"]);
    }

    #[test]
    fn hold_2_escapes_hide_nothing() {
        assert_eq!(lines(r#"{"a":"\u202e\n\"b\\"}"#), ["a = \"\u{202e}\n\\\"b\\\\\""]);
        assert_eq!(lines(r#"["\ud83d\ude00","\ud83d"]"#), ["[0] = \"😀\"", "[1] = \"\u{fffd}U+D83D\""]);
    }

    #[test]
    fn no_two_members_look_the_same() {
        assert_eq!(
            lines(r#"{"a.b":1,"a":{"b":2},"":3,"x\"]":4}"#),
            [r#"["a.b"] = 1"#, "a.b = 2", r#"[""] = 3"#, r#"["x\"]"] = 4"#]
        );
    }

    #[test]
    fn what_is_no_json_is_not_taken_apart() {
        for text in ["", "{", r#"{"a":1}x"#, "{'a':1}", "[1,]", "\u{feff}{}"] {
            assert_eq!(flatten(text), None, "{text}");
        }
        assert_eq!(flatten(&format!("{}{}", "[".repeat(100), "]".repeat(100))), None);
    }

    proptest! {
        #[test]
        fn every_json_text_is_taken_apart(keys in proptest::collection::vec(".*", 0..8), texts in proptest::collection::vec(".*", 0..8)) {
            let object: serde_json::Map<_, _> = keys.into_iter().map(|key| (key, serde_json::json!(texts))).collect();
            let expected: usize = object.len().max(1) * texts.len().max(1);
            let count = if object.is_empty() { 1 } else { expected };
            let text = serde_json::to_string(&object).unwrap();
            prop_assert_eq!(flatten(&text).map(|fields| fields.len()), Some(count));
        }
    }
}
