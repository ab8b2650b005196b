//! The trail for other programs: JSON lines and CSV. One event, one line, whatever it holds (LOG-2).
//!
//! Control characters, the invisible ones that turn or join text, and line separators are written as escapes, so that
//! neither a terminal nor a line reader is misled. In CSV a cell that a spreadsheet would take for a formula
//! begins with an apostrophe.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::find::{Events, Names};
use super::{EventFilter, EventRow};
use crate::store::{Store, StoreError};
use crate::time::Timestamp;

/// How to write the trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a heading (RFC 4180).
    Csv,
}

/// The trail as text, a piece at a time, so that it never stands in memory as a whole.
#[derive(Debug)]
pub struct Export<'a> {
    events: Events<'a>,
    names: Names,
    format: Format,
    /// The heading was given.
    begun: bool,
}

/// The columns, in CSV's heading and as JSON's keys.
const COLUMNS: [&str; 14] = [
    "seq",
    "at",
    "actor",
    "actor_name",
    "door",
    "act",
    "user",
    "user_name",
    "target",
    "result",
    "address",
    "request_id",
    "details",
    "link",
];

// === impl Export ===

impl<'a> Export<'a> {
    /// All events that fit `filter`, oldest first.
    pub async fn begin(store: &'a Store, filter: &'a EventFilter, format: Format) -> Result<Self, StoreError> {
        let names = Names::read(store).await?;
        Ok(Self { events: Events::matching(store, filter), names, format, begun: false })
    }

    /// The next whole lines; none at the end.
    pub async fn piece(&mut self) -> Result<Option<String>, StoreError> {
        let heading = !std::mem::replace(&mut self.begun, true) && self.format == Format::Csv;
        let mut text = if heading { csv_line(COLUMNS.iter().copied()) } else { String::new() };
        for event in self.events.page().await? {
            text.push_str(&line(&event, &self.names, self.format));
        }
        Ok((!text.is_empty()).then_some(text))
    }
}

/// One event as a line, its end included.
fn line(event: &EventRow, names: &Names, format: Format) -> String {
    match format {
        Format::Jsonl => json_line(&to_json(event, names)),
        Format::Csv => csv_line(cells(event, names).iter().map(String::as_str)),
    }
}

/// One event as JSON.
pub fn to_json(event: &EventRow, names: &Names) -> Value {
    let details = serde_json::from_str::<Map<String, Value>>(&event.details)
        .map_or_else(|_| Value::String(event.details.clone()), Value::Object);
    json!({
        "seq": event.seq,
        "at": moment(event.at),
        "actor": event.actor,
        "actor_name": names.of(event.actor),
        "door": event.door,
        "act": event.act,
        "user": event.user,
        "user_name": names.of(event.user),
        "target": event.target,
        "result": event.result,
        "address": event.address,
        "request_id": event.request_id,
        "details": details,
        "link": event.link,
    })
}

/// JSON on one line, with everything escaped that a terminal or a line reader could act upon. Outside of texts JSON has
/// none of these characters, and inside `\u` escapes are what JSON itself has for them (RFC 8259 section 7).
pub fn json_line(value: &Value) -> String {
    let text = value.to_string();
    let mut line = String::with_capacity(text.len() + 1);
    for letter in text.chars() {
        if is_harmless(letter) {
            line.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                write!(line, "\\u{unit:04x}").expect("a text grows");
            }
        }
    }
    line.push('\n');
    line
}

/// Text for a terminal: what is not harmless as `\u{…}`.
pub fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_harmless(letter) {
            shown.push(letter);
        } else {
            shown.extend(letter.escape_unicode());
        }
    }
    shown
}

/// RFC 3339 in UTC with milliseconds.
pub fn moment(at: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(at.as_millis()) {
        Ok(moment) => format!("{moment:.3}"),
        Err(_) => at.to_string(),
    }
}

fn cells(event: &EventRow, names: &Names) -> [String; COLUMNS.len()] {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    [
        event.seq.to_string(),
        moment(event.at),
        event.actor.map(|actor| actor.to_string()).unwrap_or_default(),
        text(names.of(event.actor)),
        event.door.clone(),
        event.act.clone(),
        event.user.map(|user| user.to_string()).unwrap_or_default(),
        text(names.of(event.user)),
        text(event.target.as_deref()),
        event.result.clone(),
        text(event.address.as_deref()),
        text(event.request_id.as_deref()),
        event.details.clone(),
        event.link.clone(),
    ]
}

fn csv_line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let cells: Vec<String> = cells.map(csv_cell).collect();
    format!("{}\r\n", cells.join(","))
}

/// A quoted cell. Spreadsheets take what begins with these characters for a formula, full-width ones too (OWASP "CSV
/// Injection").
fn csv_cell(text: &str) -> String {
    let formula =
        text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) || text.starts_with(['\t', '\r']);
    let apostrophe = if formula { "'" } else { "" };
    format!("\"{apostrophe}{}\"", plain(text).replace('"', "\"\""))
}

/// Neither a control character, nor a separator of lines, nor one that is invisible and changes how others are shown.
fn is_harmless(letter: char) -> bool {
    !letter.is_control()
        && !matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(target: &str) -> EventRow {
        EventRow {
            seq: 7,
            at: Timestamp::from_millis(1_772_366_400_123),
            actor: None,
            door: "page".to_owned(),
            act: "login.refused".to_owned(),
            user: None,
            target: Some(target.to_owned()),
            result: "refused".to_owned(),
            address: Some("192.0.2.7".to_owned()),
            request_id: None,
            details: r#"{"why":"password"}"#.to_owned(),
            link: "00".to_owned(),
        }
    }

    #[test]
    fn an_event_is_one_json_object() {
        insta::assert_snapshot!(
            line(&event("alice"), &Names::default(), Format::Jsonl).trim_end(),
            @r#"{"seq":7,"at":"2026-03-01T12:00:00.123Z","actor":null,"actor_name":null,"door":"page","act":"login.refused","user":null,"user_name":null,"target":"alice","result":"refused","address":"192.0.2.7","request_id":null,"details":{"why":"password"},"link":"00"}"#
        );
    }

    #[test]
    fn log_2_a_name_makes_neither_a_second_line_nor_a_colour() {
        let name = "x\r\n{\"event\":\"login_ok\"}\u{1b}[31m\u{9b}31m\u{2028}\u{202e}\u{e0041}\u{7f}";
        for format in [Format::Jsonl, Format::Csv] {
            let line = line(&event(name), &Names::default(), format);
            let inside = line.trim_end_matches(['\r', '\n']);
            assert!(inside.chars().all(is_harmless), "{inside:?}");
            assert_eq!(inside.lines().count(), 1);
        }
        let json = line(&event(name), &Names::default(), Format::Jsonl);
        let read: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["target"], name);
    }

    #[test]
    fn a_cell_is_never_a_formula() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", " =1+1", "\t=1", "\r=1", "＝1"] {
            assert!(csv_cell(formula).starts_with("\"'"), "{formula:?} is a formula: {}", csv_cell(formula));
        }
        assert_eq!(csv_cell("a \"b\", c"), r#""a ""b"", c""#);
    }
}
