//! The readable name of an operation: `Delete customer {id}` with the request's own parts.
//!
//! What a request puts into its own name is shown to validators and sent by SMS, so it is made harmless first: no control or
//! bidirectional characters, no address a telephone would make a link of, at most 40 characters. A field with several values
//! shows them all (`1 / 42`), or that there are more: which of them the backend takes is not known here. For the same reason
//! a field of the body shows what the query says under its name too.

use super::body;
use super::decide::{BodyFacts, Facts};
use super::fields::Fields;
use super::pattern::{PathPattern, Wrong, segments_of};

/// The longest value a request contributes, in characters.
const LONGEST: usize = 40;

/// So many different values of one field are shown.
const MOST_VALUES: usize = 3;

/// Stands where the request has nothing to say.
const NOTHING: &str = "?";

/// A placeholder of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placeholder<'t> {
    /// `{name}`: a segment of the path.
    Path(&'t str),
    /// `{query.x}`
    Query(&'t str),
    /// `{form.x}`
    Form(&'t str),
    /// `{json.x}`
    Json(&'t str),
}

enum Part<'t> {
    Text(&'t str),
    Value(Placeholder<'t>),
}

/// The placeholders of `template`, or what is wrong with it.
pub(super) fn placeholders(template: &str) -> Result<Vec<Placeholder<'_>>, Wrong> {
    let values = parts(template)?.into_iter().filter_map(|part| match part {
        Part::Text(_) => None,
        Part::Value(value) => Some(value),
    });
    Ok(values.collect())
}

/// Fills `template` in.
pub(super) fn render(template: &str, paths: &[PathPattern], facts: &Facts<'_>) -> String {
    // A checked policy holds no template that cannot be taken apart; its text is the next best name.
    let Ok(parts) = parts(template) else { return template.to_owned() };
    let mut source = Source { paths, facts, body: None };
    let mut title = String::new();
    for part in parts {
        match part {
            Part::Text(text) => title.push_str(text),
            Part::Value(value) => title.push_str(&shown(&source.values(value))),
        }
    }
    title
}

/// One value whole; of several different ones the first few, each in its share of the room.
fn shown(values: &[String]) -> String {
    match values {
        [] => NOTHING.to_owned(),
        [only] => harmless(only),
        several => {
            let room = LONGEST / several.len().min(MOST_VALUES);
            let mut all: Vec<String> =
                several.iter().take(MOST_VALUES).map(|value| harmless_within(value, room)).collect();
            if several.len() > MOST_VALUES {
                all.push("…".to_owned());
            }
            all.join(" / ")
        }
    }
}

/// `value`, made fit for a title.
pub fn harmless(value: &str) -> String {
    harmless_within(value, LONGEST)
}

fn harmless_within(value: &str, longest: usize) -> String {
    let visible: String =
        value.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !is_hidden(*c)).collect();
    let defused = defuse(visible.split_whitespace().collect::<Vec<_>>().join(" ").as_str());
    if defused.is_empty() {
        return NOTHING.to_owned();
    }
    if defused.chars().count() <= longest {
        return defused;
    }
    defused.chars().take(longest - 1).chain(std::iter::once('…')).collect()
}

struct Source<'a> {
    paths: &'a [PathPattern],
    facts: &'a Facts<'a>,
    body: Option<Fields>,
}

// === impl Source ===

impl Source<'_> {
    /// Every value it may have, each once.
    fn values(&mut self, placeholder: Placeholder<'_>) -> Vec<String> {
        let query = || Fields::from_urlencoded(self.facts.target.query().unwrap_or_default().as_bytes());
        match placeholder {
            Placeholder::Path(name) => self.segment(name).into_iter().collect(),
            Placeholder::Query(name) => distinct(query().alike(name)),
            Placeholder::Form(name) | Placeholder::Json(name) => {
                let query = query();
                distinct(self.body().alike(name).chain(query.alike(name)))
            }
        }
    }

    fn segment(&self, name: &str) -> Option<String> {
        self.facts.target.keys().find_map(|key| {
            let folded = key.to_lowercase();
            let captured = |pattern: &PathPattern| {
                let named = pattern.capture(key).or_else(|| pattern.capture(&folded))?;
                named.iter().find(|(own, _)| *own == name).map(|(_, at)| *at)
            };
            let at = self.paths.iter().find_map(captured)?;
            segments_of(key).nth(at).map(str::to_owned)
        })
    }

    fn body(&mut self) -> &Fields {
        let facts = self.facts;
        self.body.get_or_insert_with(|| match facts.body {
            BodyFacts::Read(bytes) => body::read(facts.headers, bytes).map(|body| body.fields).unwrap_or_default(),
            BodyFacts::Unread => Fields::default(),
        })
    }
}

fn distinct<'v>(values: impl Iterator<Item = &'v str>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for value in values {
        // One more than is shown tells that there are more.
        if found.len() <= MOST_VALUES && found.iter().all(|known| known != value) {
            found.push(value.to_owned());
        }
    }
    found
}

fn parts(template: &str) -> Result<Vec<Part<'_>>, Wrong> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some(open) = rest.find(['{', '}']) {
        let (text, from) = rest.split_at(open);
        parts.push(Part::Text(text));
        let inside = from.strip_prefix('{').and_then(|inside| inside.split_once('}'));
        let (name, after) =
            inside.ok_or(("the title has a brace without its other half", "write {name}, or no brace"))?;
        parts.push(Part::Value(Placeholder::parse(name)?));
        rest = after;
    }
    parts.push(Part::Text(rest));
    Ok(parts)
}

// === impl Placeholder ===

impl<'t> Placeholder<'t> {
    fn parse(name: &'t str) -> Result<Self, Wrong> {
        let remedy = "use {name} from a path, {query.x}, {form.x} or {json.x}";
        match name.split_once('.') {
            _ if name.is_empty() || name.contains(['{', ' ']) => {
                Err(("the title has a placeholder without a name", remedy))
            }
            None => Ok(Self::Path(name)),
            Some(("query", field)) => Ok(Self::Query(field)),
            Some(("form", field)) => Ok(Self::Form(field)),
            Some(("json", field)) => Ok(Self::Json(field)),
            Some(_) => Err(("the title has a placeholder from nowhere", remedy)),
        }
    }
}

/// Control, formatting, bidirectional and zero-width characters, and those that print as nothing.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Breaks what a telephone or mail program would turn into a link: `evil[.]example`, `a[at]b`, `http[:]//`.
fn defuse(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let is_number = text.parse::<f64>().is_ok();
    let joins = |at: usize| {
        let side =
            |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(|c| c.is_alphanumeric() || *c == '[');
        side(at.checked_sub(1)) && side(Some(at + 1))
    };
    let mut safe = String::with_capacity(text.len());
    for (at, c) in chars.iter().enumerate() {
        match c {
            '.' | '。' | '．' | '｡' | '․' if joins(at) && !is_number => safe.push_str("[.]"),
            '@' | '＠' | '﹫' if at > 0 => safe.push_str("[at]"),
            ':' if chars.get(at + 1) == Some(&'/') => safe.push_str("[:]"),
            c => safe.push(*c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method};

    use super::*;
    use crate::policy::CanonicalTarget;

    fn title(template: &str, pattern: &str, target: &str, body: &[u8]) -> String {
        let target = CanonicalTarget::parse(target.as_bytes(), |_| false).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        let facts = Facts {
            method: &Method::POST,
            target: &target,
            client: [127, 0, 0, 1].into(),
            headers: &headers,
            body: BodyFacts::Read(body),
        };
        render(template, &[PathPattern::parse(pattern, false).unwrap()], &facts)
    }

    #[test]
    fn a_title_names_the_requests_own_parts() {
        let made = title(
            "Delete {kind} {id} of {query.site}: {json.why.text}, {form.none}",
            "/admin/{kind}/{id}/delete",
            "/admin/customer/caf%C3%A9/delete?site=a+b",
            br#"{"why":{"text":"moved"}}"#,
        );
        assert_eq!(made, "Delete customer café of a b: moved, ?");
    }

    #[test]
    fn hold_2_a_field_with_several_values_shows_them_all() {
        let of = |target: &str, body: &str| title("Pay {query.to} {json.id}", "/pay", target, body.as_bytes());
        assert_eq!(of("/pay?to=1&to=42&to=1", r#"{"id":[7,8]}"#), "Pay 1 / 42 7 / 8");
        assert_eq!(of("/pay?to=1&To[]=42", "{}"), "Pay 1 / 42 ?");
        assert_eq!(of("/pay?to=1&id=9", r#"{"id":7}"#), "Pay 1 7 / 9");
        assert_eq!(of("/pay?to=1&to=2&to=3&to=4&to=5", "{}"), "Pay 1 / 2 / 3 / … ?");
        let padded = of(&format!("/pay?to={}&to=42", "1".repeat(100)), "{}");
        assert_eq!(padded, format!("Pay {}… / 42 ?", "1".repeat(19)));
    }

    #[test]
    fn hold_2_hidden_characters_and_blanks_do_not_reach_a_title() {
        assert_eq!(harmless("a\u{202e}b\u{200b}c\r\n\td\u{1b}[31m"), "abc d[31m");
        assert_eq!(harmless(&format!("{}pay", " ".repeat(10_000))), "pay");
        assert_eq!(harmless("\u{200b}"), "?");
    }

    #[test]
    fn a_value_is_cut_to_40_characters() {
        assert_eq!(harmless(&"é".repeat(40)), "é".repeat(40));
        let long = harmless(&"é".repeat(41));
        assert_eq!(long.chars().count(), 40);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn addresses_are_defused() {
        for (value, shown) in [
            ("https://evil.example/x", "https[:]//evil[.]example/x"),
            ("see www.evil.example", "see www[.]evil[.]example"),
            ("val@example.org", "val[at]example[.]org"),
            ("10.0.0.1", "10[.]0[.]0[.]1"),
            ("1.50", "1.50"),
            ("Mr. Smith.", "Mr. Smith."),
        ] {
            assert_eq!(harmless(value), shown);
        }
    }

    #[test]
    fn broken_templates_are_told() {
        for template in ["{", "}", "{}", "a {b", "{where.x}", "{a b}"] {
            assert!(placeholders(template).is_err(), "{template}");
        }
        assert_eq!(placeholders("{id} {json.a.b}").unwrap(), [Placeholder::Path("id"), Placeholder::Json("a.b")]);
    }
}
