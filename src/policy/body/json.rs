//! JSON, strictly: a key given twice is refused (RFC 8259 section 4: "unpredictable"), nesting is bounded.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::BodyFault;
use crate::policy::fields::Fields;

/// Deeper than this is refused.
const DEEPEST: usize = 64;

/// What the error says when a key is given twice, to tell it from malformed JSON.
const DOUBLED: &str = "a key is given twice";
const TOO_DEEP: &str = "nested too deeply";

/// Reads one value at `path` into `fields`.
struct Into<'a> {
    fields: &'a mut Fields,
    path: String,
    depth: usize,
}

/// Reads `body`: every value that is neither list nor object becomes a field.
pub(super) fn read(body: &[u8]) -> Result<Fields, BodyFault> {
    let mut fields = Fields::default();
    let mut json = serde_json::Deserializer::from_slice(body);
    let all = Into { fields: &mut fields, path: String::new(), depth: 0 };
    all.deserialize(&mut json).and_then(|()| json.end()).map_err(|error| {
        let text = error.to_string();
        BodyFault::Unreadable(if text.starts_with(DOUBLED) {
            "the JSON gives a key twice"
        } else if text.starts_with(TOO_DEEP) {
            "the JSON is nested too deeply"
        } else {
            "the JSON is malformed"
        })
    })?;
    Ok(fields)
}

// === impl Into ===

impl Into<'_> {
    fn leaf(self, value: String) {
        self.fields.push(self.path, value, true);
    }

    fn deeper(&mut self, key: Option<&str>) -> Into<'_> {
        let path = match key {
            Some(key) if self.path.is_empty() => key.to_owned(),
            Some(key) => format!("{}.{key}", self.path),
            None => self.path.clone(),
        };
        Into { fields: self.fields, path, depth: self.depth + 1 }
    }
}

impl<'de> DeserializeSeed<'de> for Into<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.depth > DEEPEST {
            return Err(serde::de::Error::custom(TOO_DEEP));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Into<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.leaf(value.to_string());
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.leaf(value.to_string());
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.leaf(value.to_string());
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.leaf(value.to_string());
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.leaf(value.to_owned());
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.leaf("null".to_owned());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(self.deeper(None))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(Key(key)) = map.next_key()? {
            map.next_value_seed(self.deeper(Some(&key)))?;
            if !seen.insert(key) {
                return Err(serde::de::Error::custom(DOUBLED));
            }
        }
        Ok(())
    }
}

/// A key, always owned: it may be written with escapes.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_become_fields_under_their_path() {
        let fields =
            read(br#"{"customer":{"id":42,"gone":true},"items":[{"id":"a"},{"id":"b"}],"none":null}"#).unwrap();
        let found: Vec<(&str, &str)> = fields.iter().map(|field| (field.name.as_str(), field.value.as_str())).collect();
        assert_eq!(
            found,
            [("customer.id", "42"), ("customer.gone", "true"), ("items.id", "a"), ("items.id", "b"), ("none", "null")]
        );
    }

    #[test]
    fn a_key_given_twice_is_refused_at_every_depth_and_in_every_spelling() {
        for body in [r#"{"a":1,"a":2}"#, r#"{"a":1,"\u0061":2}"#, r#"{"x":[{"a":1,"a":1}]}"#] {
            assert_eq!(
                read(body.as_bytes()).unwrap_err(),
                BodyFault::Unreadable("the JSON gives a key twice"),
                "{body}"
            );
        }
    }

    #[test]
    fn malformed_and_deep_json_is_refused() {
        for body in ["{", "{} x", "{'a':1}", "NaN", "\u{feff}{}"] {
            assert_eq!(read(body.as_bytes()).unwrap_err(), BodyFault::Unreadable("the JSON is malformed"), "{body}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read(deep.as_bytes()).unwrap_err(), BodyFault::Unreadable("the JSON is nested too deeply"));
    }
}
