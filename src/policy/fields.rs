//! Fields of a request, wherever they stand: query, form, JSON, headers; and what a rule wants of one.
//!
//! Frameworks disagree about names (`Action`, `action[]`, ` action`) and about which of several values counts. So a
//! condition has three answers: it *hits*, it *misses*, or *either* may be true depending on who reads. Whoever judges takes
//! an either both ways and lets the stricter answer win.

use std::borrow::Cow;

use globset::{GlobBuilder, GlobMatcher};

/// Field → glob, compiled.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    name: String,
    folded: String,
    glob: GlobMatcher,
}

/// All fields of one part of a request.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    all: Vec<Field>,
}

/// One field.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name; in JSON the keys on the way to it with dots between, list positions left out.
    pub name: String,
    /// Its value, as text.
    pub value: String,
    /// Whether every reader sees this value under this name; not so for a file in a form, or one of several readings.
    pub certain: bool,
    folded: String,
}

/// A condition's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Every reader agrees that it is met.
    Hit,
    /// Every reader agrees that it is not.
    Miss,
    /// Readers may disagree.
    Either,
}

// === impl Condition ===

impl Condition {
    /// Compiles. The glob's `*` stands for any characters, `?` for one, `{a,b}` for either.
    pub(super) fn new(name: &str, glob: &str) -> Result<Self, globset::Error> {
        let glob = GlobBuilder::new(glob).literal_separator(false).build()?.compile_matcher();
        Ok(Self { name: name.to_owned(), folded: fold(name).into_owned(), glob })
    }

    /// What the field must look like.
    pub(super) fn glob(&self) -> &str {
        self.glob.glob().glob()
    }

    /// Whether `fields` meet it.
    pub(super) fn look(&self, fields: &Fields) -> Answer {
        let (mut certain, mut hits, mut misses) = (false, false, false);
        for field in fields.all.iter().filter(|field| field.folded == self.folded) {
            certain |= field.certain && field.name == self.name;
            let hit = self.glob.is_match(&field.value);
            hits |= hit;
            misses |= !hit;
        }
        match (certain, hits, misses) {
            (_, false, _) => Answer::Miss,
            (true, true, false) => Answer::Hit,
            _ => Answer::Either,
        }
    }

    /// What `body` says, where a backend may read `query` in its stead: a query field of that name that says otherwise makes
    /// it either.
    pub(super) fn look_beside(&self, body: &Fields, query: &Fields) -> Answer {
        match (self.look(body), self.look(query)) {
            (Answer::Miss, Answer::Miss) => Answer::Miss,
            (Answer::Hit, Answer::Hit) => Answer::Hit,
            (Answer::Hit, Answer::Miss) if !self.is_named(query) => Answer::Hit,
            _ => Answer::Either,
        }
    }

    fn is_named(&self, fields: &Fields) -> bool {
        fields.all.iter().any(|field| field.folded == self.folded)
    }

    /// Whether the field is given more than once with different values.
    pub(super) fn is_doubled(&self, fields: &Fields) -> bool {
        let mut values = fields.all.iter().filter(|field| field.name == self.name).map(|field| field.value.as_str());
        let first = values.next();
        values.any(|value| Some(value) != first)
    }
}

/// Same field, same demand.
impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.glob() == other.glob()
    }
}

// === impl Fields ===

impl Fields {
    /// Adds one.
    pub(super) fn push(&mut self, name: String, value: String, certain: bool) {
        let folded = fold(&name).into_owned();
        self.all.push(Field { name, value, certain, folded });
    }

    /// In the order they came.
    pub fn iter(&self) -> impl Iterator<Item = &Field> {
        self.all.iter()
    }

    /// The first value under exactly this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all.iter().find(|field| field.name == name).map(|field| field.value.as_str())
    }

    /// Every value under this name, in any spelling some reader takes for it.
    pub(super) fn alike(&self, name: &str) -> impl Iterator<Item = &str> {
        let folded = fold(name).into_owned();
        self.all.iter().filter(move |field| field.folded == folded).map(|field| field.value.as_str())
    }

    /// Parts between `&`, decoded as forms and queries are. A part that holds `;` is read both whole and split there, as
    /// older servers do. Malformed escapes stay as they are.
    pub(super) fn from_urlencoded(text: &[u8]) -> Self {
        let mut fields = Self::default();
        for part in text.split(|byte| *byte == b'&').filter(|part| !part.is_empty()) {
            let split = part.contains(&b';');
            fields.push_pair(part, !split);
            if split {
                part.split(|byte| *byte == b';')
                    .filter(|part| !part.is_empty())
                    .for_each(|p| fields.push_pair(p, false));
            }
        }
        fields
    }

    fn push_pair(&mut self, pair: &[u8], certain: bool) {
        for (name, value) in form_urlencoded_pairs(pair) {
            self.push(name.into_owned(), value.into_owned(), certain);
        }
    }
}

fn form_urlencoded_pairs(pair: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let cut = pair.iter().position(|byte| *byte == b'=');
    let (name, value) = cut.map_or((pair, &b""[..]), |at| (&pair[..at], &pair[at + 1..]));
    std::iter::once((decode(name), decode(value)))
}

fn decode(text: &[u8]) -> Cow<'_, str> {
    let spaced: Cow<'_, [u8]> = if text.contains(&b'+') {
        Cow::Owned(text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect())
    } else {
        Cow::Borrowed(text)
    };
    let decoded: Vec<u8> = percent_encoding::percent_decode(&spaced).collect();
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

/// What some framework or other makes of a field's name: any case, `-`, `.` and space as `_` (CGI, PHP), no blanks before,
/// nothing from `[` on. JSON paths keep their dots apart from that by being folded alike on both sides.
fn fold(name: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.chars().all(plain) {
        return Cow::Borrowed(name);
    }
    let trimmed = name.trim();
    let base = trimmed.find('[').filter(|at| *at > 0).map_or(trimmed, |at| &trimmed[..at]);
    Cow::Owned(
        base.chars().flat_map(char::to_lowercase).map(|c| if matches!(c, '.' | ' ' | '-') { '_' } else { c }).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(name: &str, glob: &str, query: &str) -> Answer {
        Condition::new(name, glob).unwrap().look(&Fields::from_urlencoded(query.as_bytes()))
    }

    #[test]
    fn one_value_under_its_own_name_is_certain() {
        assert_eq!(look("action", "delete", "a=1&action=delete"), Answer::Hit);
        assert_eq!(look("action", "delete", "%61ction=del%65te"), Answer::Hit);
        assert_eq!(look("action", "delete", "action=view"), Answer::Miss);
        assert_eq!(look("action", "*", "other=1"), Answer::Miss);
        assert_eq!(look("action", "{delete,remove}", "action=remove"), Answer::Hit);
        assert_eq!(look("note", "*x", "note=a%0Ax"), Answer::Hit);
    }

    #[test]
    fn several_values_may_be_read_either_way() {
        assert_eq!(look("action", "delete", "action=view&action=delete"), Answer::Either);
        assert_eq!(look("action", "delete", "action=delete&action=delete"), Answer::Hit);
        assert_eq!(look("action", "delete", "q=1;action=delete"), Answer::Either);
    }

    #[test]
    fn a_query_field_that_says_otherwise_than_the_body_may_be_meant() {
        let fields = |text: &str| Fields::from_urlencoded(text.as_bytes());
        let condition = Condition::new("action", "delete").unwrap();
        for (body, query, answer) in [
            ("action=delete", "x=1", Answer::Hit),
            ("action=delete", "action=delete", Answer::Hit),
            ("action=delete", "action=view", Answer::Either),
            ("action=view", "x=1", Answer::Miss),
            ("action=view", "action=delete", Answer::Either),
            ("", "Action[]=delete", Answer::Either),
            ("", "action=view", Answer::Miss),
        ] {
            assert_eq!(condition.look_beside(&fields(body), &fields(query)), answer, "{body} {query}");
        }
    }

    #[test]
    fn a_name_some_framework_reads_alike_may_be_meant() {
        for query in ["Action=delete", "action[]=delete", "+action=delete", "action[0]=delete"] {
            assert_eq!(look("action", "delete", query), Answer::Either, "{query}");
        }
        assert_eq!(look("user.action", "delete", "user_action=delete"), Answer::Either);
    }
}
