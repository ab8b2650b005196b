//! The log: one JSON object per line on standard output.
//!
//! Every proxied request writes a line, and through the general formatter that line alone cost a quarter of all
//! instructions that bare pingora spends on a request. This layer knows one form and writes it straight into one buffer.
//!
//! A line is `timestamp`, `level`, the event's fields in their order, `target`. Whatever a text holds, it stays one line:
//! what is neither plain ASCII nor a letter or digit of another script is written as `\u` and four digits.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use crate::time::{Clock, SystemClock, Timestamp};

/// Writes each event as a line of JSON, and hands the line to `sink`.
struct JsonLines<F> {
    sink: F,
}

/// A line in the making.
struct Line<'a> {
    text: &'a mut String,
    /// Where the event says it comes from, when it was made by the `log` crate's macros.
    target: Option<String>,
}

/// Text inside a JSON string.
struct Escaped<'a>(&'a mut String);

/// A second, as text.
struct Second {
    number: i64,
    text: String,
}

/// What is logged when `RUST_LOG` says nothing. Whatever pingora has to tell of a request is in the request's own line, and
/// of what is no request yet strangers could have it tell as much as they like.
const USUAL: &str = "info,sqlx=warn,pingora=off";
/// Larger buffers are given back.
const KEPT: usize = 64 * 1024;

thread_local! {
    static BUFFER: Cell<String> = const { Cell::new(String::new()) };
    static SECOND: RefCell<Second> = const { RefCell::new(Second { number: i64::MIN, text: String::new() }) };
}

/// Logs from now on. `RUST_LOG` narrows or widens what is told.
pub(super) fn to_standard_output() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(USUAL));
    let sink = |line: &str| {
        // Nobody is left to be told that nobody reads this.
        let _ = io::stdout().lock().write_all(line.as_bytes());
    };
    // A second subscriber in one process is a programming error that the first one survives.
    let _ = tracing_subscriber::registry().with(filter).with(JsonLines { sink }).try_init();
}

// === impl JsonLines ===

impl<S: Subscriber, F: Fn(&str) + 'static> Layer<S> for JsonLines<F> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // Taken, not borrowed: what is logged while a value is being written gets a buffer of its own.
        let mut text = BUFFER.take();
        text.clear();
        write_event(&mut text, event, SystemClock.now());
        (self.sink)(&text);
        if text.capacity() <= KEPT {
            BUFFER.set(text);
        }
    }
}

fn write_event(text: &mut String, event: &Event<'_>, now: Timestamp) {
    text.push_str("{\"timestamp\":\"");
    write_time(text, now);
    text.push_str("\",\"level\":\"");
    text.push_str(event.metadata().level().as_str());
    text.push('"');
    let mut line = Line { text, target: None };
    event.record(&mut line);
    let Line { text, target } = line;
    text.push_str(",\"target\":\"");
    escape(text, target.as_deref().unwrap_or(event.metadata().target()));
    text.push_str("\"}\n");
}

/// RFC 3339 with milliseconds. The second's text is kept: most lines share it with the one before.
fn write_time(text: &mut String, now: Timestamp) {
    SECOND.with_borrow_mut(|second| {
        if second.number != now.as_secs() {
            *second = Second { number: now.as_secs(), text: now.to_string() };
        }
        text.push_str(second.text.trim_end_matches('Z'));
    });
    // A thousand more, so that there are three digits behind the first.
    let millis = 1000 + now.as_millis().rem_euclid(1000);
    text.push('.');
    text.push_str(&itoa::Buffer::new().format(millis)[1..]);
    text.push('Z');
}

// === impl Line ===

impl Line<'_> {
    fn name(&mut self, field: &Field) {
        self.text.push_str(",\"");
        self.text.push_str(field.name());
        self.text.push_str("\":");
    }

    fn plain(&mut self, field: &Field, value: impl fmt::Display) {
        self.name(field);
        let _ = write!(self.text, "{value}");
    }
}

impl Visit for Line<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            // Facts about an event of the `log` crate, which has no other place for them.
            "log.target" => self.target = Some(value.to_owned()),
            "log.module_path" | "log.file" => {}
            _ => {
                self.name(field);
                self.text.push('"');
                escape(self.text, value);
                self.text.push('"');
            }
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() != "log.line" {
            self.name(field);
            self.text.push_str(itoa::Buffer::new().format(value));
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.name(field);
        self.text.push('"');
        let _ = write!(Escaped(self.text), "{value:?}");
        self.text.push('"');
    }
}

// === impl Escaped ===

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape(self.0, text);
        Ok(())
    }
}

fn escape(into: &mut String, text: &str) {
    // Most texts are plain, and without a way out of the loop the compiler looks at many bytes at once.
    if text.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
        return into.push_str(text);
    }
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| !is_plain(byte)) {
        let (plain, other) = rest.split_at(at);
        into.push_str(plain);
        let mut letters = other.chars();
        match letters.next() {
            Some(quoted @ ('"' | '\\')) => into.extend(['\\', quoted]),
            Some(letter) if letter.is_alphanumeric() => into.push(letter),
            Some(letter) => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    let _ = write!(into, "\\u{unit:04x}");
                }
            }
            None => {}
        }
        rest = letters.as_str();
    }
    into.push_str(rest);
}

#[expect(clippy::needless_bitwise_bool, reason = "without branches the compiler looks at many bytes at once")]
const fn is_plain(byte: u8) -> bool {
    (byte >= b' ') & (byte <= b'~') & (byte != b'"') & (byte != b'\\')
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::*;

    /// The lines that `act` logs.
    fn lines(act: impl FnOnce()) -> Vec<String> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let sink = move |line: &str| kept.lock().unwrap().push(line.to_owned());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(JsonLines { sink }), act);
        Arc::try_unwrap(lines).unwrap().into_inner().unwrap()
    }

    #[test]
    fn an_event_is_one_object_with_its_fields_in_order() {
        let lines = lines(|| {
            let nobody: Option<&str> = None;
            tracing::info!(target: "access", status = 200, host = "crm", user = nobody, ok = true, took = -3, "served");
        });
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        let mut value: Value = serde_json::from_str(line).unwrap();
        let time = value["timestamp"].take();
        assert!(time.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{time}");
        let told = json!({
            "timestamp": null, "level": "INFO", "message": "served", "status": 200, "host": "crm", "ok": true,
            "took": -3, "target": "access",
        });
        assert_eq!(value, told);
        assert!(line.ends_with(",\"target\":\"access\"}\n"), "{line}");
    }

    #[test]
    fn log_2_whatever_a_text_holds_it_is_one_line_and_comes_back() {
        for text in [
            "plain",
            "x\r\n{\"event\":\"login_ok\"}",
            "\u{1b}[31mred\u{7f}\0",
            "a \\ and a \"",
            "déjà vu, Ελλάς, 日本",
            "\u{202e}txt.exe\u{2028}\u{9b}31m\u{1f512}\u{feff}",
        ] {
            let lines = lines(|| tracing::warn!(given = text, shown = %text, debugged = ?text));
            let line = lines[0].strip_suffix('\n').unwrap();
            assert!(
                line.chars().all(|letter| letter == ' ' || letter.is_ascii_graphic() || letter.is_alphanumeric()),
                "{line}"
            );
            let value: Value = serde_json::from_str(line).unwrap();
            assert_eq!((&value["given"], &value["shown"]), (&json!(text), &json!(text)));
            assert_eq!(value["debugged"], json!(format!("{text:?}")));
        }
    }

    #[test]
    fn a_value_that_logs_while_it_is_written_spoils_no_line() {
        struct Talkative;
        impl fmt::Debug for Talkative {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                tracing::info!("inner");
                f.write_str("outer")
            }
        }
        let lines = lines(|| tracing::info!(who = ?Talkative));
        for line in &lines {
            serde_json::from_str::<Value>(line).unwrap();
        }
        assert!(lines.iter().any(|line| line.contains("\"who\":\"outer\"")), "{lines:?}");
    }

    #[test]
    fn a_time_is_told_to_the_millisecond() {
        let told = |millis| {
            let mut text = String::new();
            write_time(&mut text, Timestamp::from_millis(millis));
            text
        };
        assert_eq!(told(1_772_366_400_007), "2026-03-01T12:00:00.007Z");
        assert_eq!(told(1_772_366_400_999), "2026-03-01T12:00:00.999Z");
        assert_eq!(told(1_772_366_401_000), "2026-03-01T12:00:01.000Z");
    }
}
