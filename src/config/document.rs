//! A TOML file with its lines, read against its schema: every mistake at once, each where it stands.
//!
//! A **document** is the parsed file. Reading it into a type checks it against that type's JSON schema first, so that
//! unknown keys, missing keys and values of the wrong kind are all told, with their lines and the nearest known key; what is
//! wrong is replaced by something neutral, so that the rest can be checked too. **Pointers** name places as in RFC 6901.

use std::collections::{HashMap, HashSet};

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use toml::de::{DeTable, DeValue};

use super::schema_check;

/// A parsed file. Not `Debug`: it may hold secrets.
#[derive(Clone)]
pub struct Document {
    value: Value,
    lines: HashMap<String, usize>,
    variables: HashMap<String, String>,
    broken: HashSet<String>,
    /// Lines that are not TOML: what was made of them is nobody's fault but theirs.
    unparsed: HashSet<usize>,
}

/// Something wrong in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the file, at this line from 1; 0 for the file as a whole.
    Line(usize),
    /// In this environment variable.
    Variable(String),
}

/// The JSON schema of `T`, with everything in place rather than by reference.
pub fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

// === impl Place ===

impl Place {
    /// For telling mistakes in order: variables, then the file from its top.
    pub(super) fn order(&self) -> usize {
        if let Self::Line(line) = self { *line } else { 0 }
    }
}

// === impl Document ===

impl Document {
    /// Parses `text`, as far as it can be parsed.
    pub fn parse(text: &str) -> (Self, Vec<Mistake>) {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut reader = Reader { newlines: newlines(text), lines: HashMap::new() };
        let value = reader.table(table.get_ref(), "");
        let mistakes = errors.iter().map(|error| Mistake {
            place: Place::Line(error.span().map_or(0, |span| reader.line(span.start))),
            what: format!("this is not TOML: {}", error.message()),
            remedy: "correct it; strings stand in quotes, a key is given once".to_owned(),
        });
        let mistakes: Vec<_> = mistakes.collect();
        let unparsed = mistakes.iter().map(|mistake| mistake.place.order()).collect();
        let (variables, broken) = (HashMap::new(), HashSet::new());
        (Self { value, lines: reader.lines, variables, broken, unparsed }, mistakes)
    }

    /// Sets the value at `path`, as the environment variable `variable` says.
    pub fn set(&mut self, path: &[&str], value: Value, variable: &str) {
        let mut pointer = String::new();
        let mut here = &mut self.value;
        for key in path {
            pointer = child(&pointer, key);
            if !here.is_object() {
                *here = json!({});
            }
            let Some(table) = here.as_object_mut() else { return };
            here = table.entry(*key).or_insert(Value::Null);
        }
        *here = value;
        self.variables.insert(pointer, variable.to_owned());
    }

    /// Reads it as `T`, with every mistake. What is wrong has a neutral value in `T`, and [`Self::fault`] says nothing more
    /// about it.
    pub fn read<T: JsonSchema + DeserializeOwned + Default>(&mut self) -> (T, Vec<Mistake>) {
        let mut value = self.value.clone();
        let found = schema_check::check(&schema_of::<T>(), &mut value);
        let mut mistakes: Vec<Mistake> = found
            .into_iter()
            .map(|wrong| {
                let mistake = self.mistake(&wrong.pointer, wrong.what, wrong.remedy);
                self.broken.insert(wrong.pointer);
                mistake
            })
            .collect();
        mistakes.retain(|mistake| !matches!(mistake.place, Place::Line(line) if self.unparsed.contains(&line)));
        mistakes.sort_by_key(|mistake| mistake.place.order());
        let read = serde_json::from_value(value).unwrap_or_else(|error| {
            mistakes.push(self.mistake("", format!("the file cannot be read: {error}"), "correct it".to_owned()));
            T::default()
        });
        (read, mistakes)
    }

    /// A mistake at `pointer`, unless one was told there already.
    pub fn fault(&self, pointer: &str, what: impl Into<String>, remedy: impl Into<String>) -> Option<Mistake> {
        let known = ancestors(pointer).any(|place| !place.is_empty() && self.broken.contains(place));
        (!known).then(|| self.mistake(pointer, what.into(), remedy.into()))
    }

    /// The line of `pointer`, or of what holds it; 0 when the file says nothing of it.
    pub fn line(&self, pointer: &str) -> usize {
        ancestors(pointer).find_map(|place| self.lines.get(place)).copied().unwrap_or(0)
    }

    /// The value at `pointer`, as the file (or a variable) says it.
    pub fn get(&self, pointer: &str) -> Option<&Value> {
        self.value.pointer(pointer)
    }

    fn mistake(&self, pointer: &str, what: String, remedy: String) -> Mistake {
        let variable = ancestors(pointer).find_map(|place| self.variables.get(place));
        let place = variable.map_or_else(|| Place::Line(self.line(pointer)), |name| Place::Variable(name.clone()));
        Mistake { place, what, remedy }
    }
}

/// The pointer of `key` under `parent`.
pub fn child(parent: &str, key: impl std::fmt::Display) -> String {
    format!("{parent}/{}", key.to_string().replace('~', "~0").replace('/', "~1"))
}

/// `pointer` and everything that holds it.
fn ancestors(pointer: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(pointer), |place| place.rfind('/').map(|at| &place[..at]))
}

fn newlines(text: &str) -> Vec<usize> {
    text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect()
}

struct Reader {
    newlines: Vec<usize>,
    lines: HashMap<String, usize>,
}

// === impl Reader ===

impl Reader {
    fn line(&self, offset: usize) -> usize {
        self.newlines.partition_point(|newline| *newline < offset) + 1
    }

    fn table(&mut self, table: &DeTable<'_>, pointer: &str) -> Value {
        let mut object = Map::new();
        for (key, value) in table {
            let place = child(pointer, key.get_ref());
            let line = self.line(key.span().start);
            let value = self.value(value.get_ref(), &place);
            self.lines.insert(place, line);
            object.insert(key.get_ref().to_string(), value);
        }
        Value::Object(object)
    }

    fn value(&mut self, value: &DeValue<'_>, pointer: &str) -> Value {
        match value {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(value) => Value::Bool(*value),
            DeValue::Datetime(moment) => Value::String(moment.to_string()),
            DeValue::Integer(number) => {
                i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Null, Value::from)
            }
            DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Value::Null, Value::from),
            DeValue::Table(table) => self.table(table, pointer),
            DeValue::Array(list) => {
                let items = list.iter().enumerate().map(|(index, item)| {
                    let place = child(pointer, index);
                    let line = self.line(item.span().start);
                    let value = self.value(item.get_ref(), &place);
                    self.lines.insert(place, line);
                    value
                });
                Value::Array(items.collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Sample {
        name: String,
        count: Option<u8>,
        rule: Vec<Inner>,
    }

    #[derive(Debug, Default, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        paths: Vec<String>,
    }

    fn mistakes(text: &str) -> Vec<(usize, String)> {
        let (mut document, mut all) = Document::parse(text);
        all.extend(document.read::<Sample>().1);
        let line = |place: &Place| if let Place::Line(line) = place { *line } else { 0 };
        all.iter().map(|mistake| (line(&mistake.place), mistake.what.clone())).collect()
    }

    #[test]
    fn a_good_file_is_read_and_knows_its_lines() {
        let (mut document, mistakes) =
            Document::parse("name = \"a\"\n\n[[rule]]\npaths = [\n  \"/a\",\n  \"/b\",\n]\n");
        let (sample, more) = document.read::<Sample>();
        assert_eq!((mistakes, more), (vec![], vec![]));
        assert_eq!((sample.name.as_str(), sample.rule[0].paths.len()), ("a", 2));
        assert_eq!(document.line("/rule/0/paths/1"), 6);
        assert_eq!(document.line("/rule/0/nothing"), 3);
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let found = mistakes("name = 5\ncuont = 1\ncount = 300\n[[rule]]\npath = []\n");
        let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 2, 3, 4, 5], "{found:?}");
    }

    #[test]
    fn what_is_not_toml_is_told_with_its_line() {
        let found = mistakes("name = \"a\"\nname = \"b\"\n");
        assert_eq!(found[0].0, 2, "{found:?}");
    }

    #[test]
    fn a_variable_is_named_as_the_place() {
        let (mut document, _) = Document::parse("name = \"a\"\n");
        document.set(&["count"], json!("many"), "VANTAIL_COUNT");
        let (_, found) = document.read::<Sample>();
        assert_eq!(found[0].place, Place::Variable("VANTAIL_COUNT".to_owned()));
    }
}
