//! Compares a value with a JSON schema, as far as the schemas of this program go: objects, maps, lists, texts, numbers, words.

use serde_json::{Map, Value, json};

/// Something that does not fit its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub pointer: String,
    pub what: String,
    pub remedy: String,
}

/// Everything in `value` that does not fit; each is taken out, or replaced by something neutral.
pub(super) fn check(schema: &Value, value: &mut Value) -> Vec<Wrong> {
    let mut found = Vec::new();
    visit(schema, value, "", &mut found);
    found
}

/// Whether the value may stay.
fn visit(schema: &Value, value: &mut Value, pointer: &str, found: &mut Vec<Wrong>) -> bool {
    let Some(schema) = alternative(schema, value) else {
        found.push(wrong_kind(schema, value, pointer));
        return false;
    };
    match value {
        Value::Object(_) => visit_object(schema, value, pointer, found),
        Value::Array(items) => {
            let Some(of) = schema.get("items") else { return true };
            for (index, item) in items.iter_mut().enumerate() {
                if !visit(of, item, &super::document::child(pointer, index), found) {
                    *item = neutral(of);
                }
            }
        }
        Value::Number(number) => return in_range(schema, number, pointer, found),
        Value::String(text) => return is_known_word(schema, text, pointer, found),
        _ => {}
    }
    true
}

fn visit_object(schema: &Value, value: &mut Value, pointer: &str, found: &mut Vec<Wrong>) {
    let Some(object) = value.as_object_mut() else { return };
    let none = Map::new();
    let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    let of_any = schema.get("additionalProperties").filter(|any| any.is_object());
    object.retain(|key, value| {
        let place = super::document::child(pointer, key);
        if let Some(schema) = known.get(key).or(of_any) {
            return visit(schema, value, &place, found);
        }
        found.push(unknown_key(key, known.keys().map(String::as_str), place));
        false
    });
    add_missing(schema, object, pointer, found);
}

/// Tells what is required and missing, and puts something neutral there.
fn add_missing(schema: &Value, object: &mut Map<String, Value>, pointer: &str, found: &mut Vec<Wrong>) {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    for key in required {
        if !object.contains_key(key) {
            let of = schema.get("properties").and_then(|known| known.get(key));
            let place = super::document::child(pointer, key);
            if !found.iter().any(|wrong| wrong.pointer == place) {
                found.push(Wrong {
                    pointer: place,
                    what: format!("`{key}` is missing"),
                    remedy: format!("add `{key}`{}", described(of)),
                });
            }
            object.insert(key.to_owned(), of.map_or(Value::Null, neutral));
        }
    }
}

/// The schema that fits the kind of `value`: itself, or one of its alternatives.
fn alternative<'s>(schema: &'s Value, value: &Value) -> Option<&'s Value> {
    for key in ["anyOf", "oneOf"] {
        if let Some(options) = schema.get(key).and_then(Value::as_array) {
            if options.iter().any(|option| option.get("const").is_some()) {
                return value.is_string().then_some(schema);
            }
            return options.iter().find_map(|option| alternative(option, value));
        }
    }
    kinds(schema).any(|kind| kind_fits(kind, value)).then_some(schema)
}

fn kinds(schema: &Value) -> impl Iterator<Item = &str> {
    let kind = schema.get("type");
    let several = kind.and_then(Value::as_array).into_iter().flatten();
    several.chain(kind).filter_map(Value::as_str)
}

fn kind_fits(kind: &str, value: &Value) -> bool {
    match kind {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

fn wrong_kind(schema: &Value, value: &Value, pointer: &str) -> Wrong {
    let key = pointer.rsplit('/').next().unwrap_or_default();
    let is = match value {
        Value::String(_) => "text",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
        Value::Null => "not a value",
    };
    let wanted = wanted(schema);
    Wrong {
        pointer: pointer.to_owned(),
        what: format!("`{key}` is {is}, and should be {wanted}"),
        remedy: format!("write {wanted}"),
    }
}

fn wanted(schema: &Value) -> String {
    let words = words(schema);
    if !words.is_empty() {
        return one_of(&words);
    }
    let options = ["anyOf", "oneOf"].iter().filter_map(|key| schema.get(*key)?.as_array()).flatten();
    let mut names: Vec<String> = kinds(schema)
        .filter_map(|kind| match kind {
            "string" => Some("text in quotes"),
            "boolean" => Some("true or false"),
            "integer" | "number" => Some("a number"),
            "array" => Some("a list, as in [\"a\", \"b\"]"),
            "object" => Some("a table"),
            _ => None,
        })
        .map(str::to_owned)
        .chain(options.map(wanted).filter(|name| !name.is_empty()))
        .collect();
    names.dedup();
    names.join(" or ")
}

fn in_range(schema: &Value, number: &serde_json::Number, pointer: &str, found: &mut Vec<Wrong>) -> bool {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let Some(value) = number.as_f64() else { return true };
    let (low, high) = (bound("minimum"), bound("maximum"));
    if low.is_none_or(|low| value >= low) && high.is_none_or(|high| value <= high) {
        return true;
    }
    let key = pointer.rsplit('/').next().unwrap_or_default();
    let remedy = match (low, high) {
        (Some(low), Some(high)) => format!("write a number from {low} to {high}"),
        (Some(low), None) => format!("write {low} or more"),
        _ => "write a smaller number".to_owned(),
    };
    found.push(Wrong { pointer: pointer.to_owned(), what: format!("`{key}` cannot be {number}"), remedy });
    false
}

fn is_known_word(schema: &Value, text: &str, pointer: &str, found: &mut Vec<Wrong>) -> bool {
    let words = words(schema);
    if words.is_empty() || words.contains(&text) {
        return true;
    }
    let key = pointer.rsplit('/').next().unwrap_or_default();
    found.push(Wrong {
        pointer: pointer.to_owned(),
        what: format!("`{key}` cannot be \"{text}\""),
        remedy: format!("write {}", one_of(&words)),
    });
    false
}

/// The words of an enumeration.
fn words(schema: &Value) -> Vec<&str> {
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let options = ["anyOf", "oneOf"].iter().filter_map(|key| schema.get(*key)?.as_array()).flatten();
    let nested = options.flat_map(words);
    listed.chain(schema.get("const").and_then(Value::as_str)).chain(nested).collect()
}

fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

fn unknown_key<'k>(key: &str, known: impl Iterator<Item = &'k str> + Clone, pointer: String) -> Wrong {
    let near =
        known.clone().map(|own| (distance(key, own), own)).min().filter(|(distance, own)| *distance * 3 <= own.len());
    let remedy = match near {
        Some((_, own)) => format!("did you mean `{own}`?"),
        None => format!("remove it; known here: {}", known.collect::<Vec<_>>().join(", ")),
    };
    Wrong { pointer, what: format!("unknown key `{key}`"), remedy }
}

/// How many letters differ (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let change = before + usize::from(a != *b);
            before = row[j + 1];
            row[j + 1] = change.min(before + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

fn described(schema: Option<&Value>) -> String {
    let text = schema.and_then(|schema| schema.get("description")).and_then(Value::as_str);
    text.map(|text| format!(": {}", text.lines().next().unwrap_or_default())).unwrap_or_default()
}

/// A value of the right kind that says nothing.
fn neutral(schema: &Value) -> Value {
    if let Some(word) = words(schema).first() {
        return json!(word);
    }
    let kind = kinds(schema).next().map(str::to_owned);
    match kind.as_deref() {
        Some("string") => json!(""),
        Some("boolean") => json!(false),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(0)),
        Some("array") => json!([]),
        Some("object") => {
            let mut empty = json!({});
            visit(schema, &mut empty, "", &mut Vec::new());
            empty
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_keys_are_offered_and_far_ones_are_not() {
        let known = ["networks", "name", "hosts"];
        assert_eq!(unknown_key("netwroks", known.into_iter(), String::new()).remedy, "did you mean `networks`?");
        assert_eq!(
            unknown_key("colour", known.into_iter(), String::new()).remedy,
            "remove it; known here: networks, name, hosts"
        );
    }

    #[test]
    fn letters_that_differ_are_counted() {
        assert_eq!((distance("", "abc"), distance("abc", "abc"), distance("kitten", "sitting")), (3, 0, 3));
    }
}
