//! Moments, spans, sizes and pieces of captured text, as pages show them.

use std::time::Duration;

use askama::Template;
use jiff::tz::TimeZone;

use super::Language;
use super::texts::Texts;
use crate::operation::view::Piece;
use crate::time::Timestamp;

/// A moment: for machines and for people (in UTC; the page's script, where it runs, shows local time).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// RFC 3339.
    pub iso: String,
    /// In words.
    pub text: String,
}

/// Captured text, ready to be put into a page: escaped, invisible characters as code points.
#[derive(Debug, Clone, Template)]
#[template(path = "pieces.html")]
pub struct Pieces {
    hint: &'static str,
    stretches: Vec<Stretch>,
}

/// One stretch of it.
#[derive(Debug, Clone)]
enum Stretch {
    /// As it is.
    Text(String),
    /// One character by its number.
    CodePoint(String),
    /// Our own words in the place of something.
    Mark(String),
}

// === impl Moment ===

impl Moment {
    /// `at` in `texts`' language.
    pub fn of(at: Timestamp, texts: Texts) -> Self {
        let iso = at.to_string();
        let text = in_words(at, texts).unwrap_or_else(|| iso.clone());
        Self { iso, text }
    }
}

/// `1 March 2026, 12:00:05 UTC`, `1er mars 2026 à 12:00:05 UTC`.
fn in_words(at: Timestamp, texts: Texts) -> Option<String> {
    let moment = jiff::Timestamp::from_second(at.as_secs()).ok()?.to_zoned(TimeZone::UTC);
    let month = texts.of("month", &moment.month().to_string())?;
    let clock = format!("{:02}:{:02}:{:02} UTC", moment.hour(), moment.minute(), moment.second());
    let (day, year) = (moment.day(), moment.year());
    Some(match texts.language() {
        Language::En => format!("{day} {month} {year}, {clock}"),
        Language::Fr if day == 1 => format!("1er {month} {year} à {clock}"),
        Language::Fr => format!("{day} {month} {year} à {clock}"),
    })
}

/// `1 h 05 min`, `14 min`, `45 s`: the same in both languages, with no-break spaces.
pub fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds}\u{a0}s"),
        (0, minutes) => format!("{minutes}\u{a0}min"),
        (hours, minutes) => format!("{hours}\u{a0}h\u{a0}{minutes:02}\u{a0}min"),
    }
}

/// `30 days`, `12 hours`, in people's words; what is neither whole days nor hours as [`span`] says it.
pub fn lasting(length: Duration, texts: Texts) -> String {
    const HOUR: u64 = 3600;
    const DAY: u64 = 24 * HOUR;
    let whole = |unit: u64| length.as_secs().is_multiple_of(unit).then_some(length.as_secs() / unit);
    match (whole(DAY), whole(HOUR)) {
        (Some(1), _) => texts.say("time.day").to_owned(),
        (Some(days @ 2..), _) => texts.say_with("time.days", &[("n", &days.to_string())]),
        (_, Some(1)) => texts.say("time.hour").to_owned(),
        (_, Some(hours @ 2..)) => texts.say_with("time.hours", &[("n", &hours.to_string())]),
        _ => span(length),
    }
}

/// `512 bytes`, `1.5 KiB`, `1 MiB`; in French `512 octets`, `1,5 Kio`, `1 Mio`.
pub fn size(bytes: usize, texts: Texts) -> String {
    let (unit, scale) = match bytes {
        0..1024 => return texts.say_with("size.bytes", &[("n", &bytes.to_string())]),
        1024..1_048_576 => (texts.say("size.kib"), 1024),
        _ => (texts.say("size.mib"), 1_048_576),
    };
    let tenths = bytes.saturating_mul(10) / scale;
    let comma = if texts.language() == Language::Fr { "," } else { "." };
    let fraction = if tenths.is_multiple_of(10) { String::new() } else { format!("{comma}{}", tenths % 10) };
    format!("{}{fraction}\u{a0}{unit}", tenths / 10)
}

// === impl Pieces ===

impl Pieces {
    /// `pieces` with the words for what is left out in `t`'s language.
    pub fn new(t: Texts, pieces: Vec<Piece>) -> Self {
        Self {
            hint: t.say("piece.code-point"),
            stretches: pieces.into_iter().map(|piece| Stretch::of(piece, t)).collect(),
        }
    }
}

// === impl Stretch ===

impl Stretch {
    fn of(piece: Piece, t: Texts) -> Self {
        match piece {
            Piece::Text(text) => Self::Text(text),
            Piece::CodePoint(point) => Self::CodePoint(point),
            Piece::Blanks(count) => Self::Mark(t.say_with("piece.blanks", &[("n", &count.to_string())])),
            Piece::Cut(bytes) => Self::Mark(t.say_with("piece.cut", &[("size", &size(bytes, t))])),
            Piece::Masked => Self::Mark(t.say("piece.masked").to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EN: Texts = Texts::of_language(Language::En);
    const FR: Texts = Texts::of_language(Language::Fr);

    #[test]
    fn moments_are_said_in_both_languages() {
        let at = Timestamp::from_secs(1_772_366_405);
        assert_eq!(Moment::of(at, EN).text, "1 March 2026, 12:00:05 UTC");
        assert_eq!(Moment::of(at, FR).text, "1er mars 2026 à 12:00:05 UTC");
        assert_eq!(Moment::of(at, FR).iso, "2026-03-01T12:00:05Z");
    }

    #[test]
    fn spans_and_sizes_are_short() {
        assert_eq!(span(Duration::from_secs(45)), "45\u{a0}s");
        assert_eq!(span(Duration::from_secs(899)), "14\u{a0}min");
        assert_eq!(span(Duration::from_mins(65)), "1\u{a0}h\u{a0}05\u{a0}min");
        assert_eq!(lasting(Duration::from_hours(720), EN), "30 days");
        assert_eq!(lasting(Duration::from_hours(24), FR), "1 jour");
        assert_eq!(lasting(Duration::from_hours(36), FR), "36 heures");
        assert_eq!(lasting(Duration::from_mins(90), EN), "1\u{a0}h\u{a0}30\u{a0}min");
        assert_eq!(size(1536, EN), "1.5\u{a0}KiB");
        assert_eq!(size(1536, FR), "1,5\u{a0}Kio");
        assert_eq!(size(1_048_576, EN), "1\u{a0}MiB");
    }

    #[test]
    fn hold_2_what_was_captured_is_text_and_never_markup() {
        let pieces = vec![
            Piece::Text("<script>alert(1)</script>&\"'".into()),
            Piece::CodePoint("U+202E".into()),
            Piece::Blanks(10_000),
            Piece::Cut(2048),
            Piece::Masked,
        ];
        let shown = Pieces::new(EN, pieces).to_string();
        assert!(!shown.contains("<script"), "{shown}");
        for wanted in ["&#60;script&#62;", "U+202E", "10000 blanks", "2\u{a0}KiB left out", "masked"] {
            assert!(shown.contains(wanted), "{wanted} is missing in {shown}");
        }
    }
}
