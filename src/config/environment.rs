//! `VANTAIL_` variables: `VANTAIL_STORE__DATABASE` is `database` in `[store]`.
//!
//! What a variable holds is read as its key wants it: text is taken as it stands (a password of digits stays text), lists are
//! separated by commas or written as in TOML. Its value never appears in a message.

use serde_json::{Value, json};

use super::document::{Document, Mistake, Place};

const PREFIX: &str = "VANTAIL_";

/// Sets what the variables say in `document`. Variables without `__` are none of ours (Kubernetes makes such for services),
/// unless they spell a key with one underscore too few.
pub(super) fn overlay(
    document: &mut Document,
    schema: &Value,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    for (variable, text) in variables {
        let Some(name) = variable.strip_prefix(PREFIX) else { continue };
        let name = name.to_lowercase();
        let result = if name.contains("__") {
            set(document, schema, &variable, &name, &text)
        } else {
            check_spelling(schema, &name)
        };
        if let Err((what, remedy)) = result {
            mistakes.push(Mistake { place: Place::Variable(variable), what, remedy });
        }
    }
    mistakes
}

fn set(
    document: &mut Document,
    schema: &Value,
    variable: &str,
    name: &str,
    text: &str,
) -> Result<(), (String, String)> {
    let path: Vec<&str> = name.split("__").collect();
    let unknown = || {
        (format!("there is no key `{}`", path.join(".")), "see `vantail config schema` for those there are".to_owned())
    };
    let wanted = path.iter().try_fold(schema, |here, key| member(here, key)).ok_or_else(unknown)?;
    let value = parse(wanted, text).ok_or_else(|| (format!("`{}` cannot be read", path.join(".")), remedy(wanted)))?;
    document.set(&path, value, variable);
    Ok(())
}

fn check_spelling(schema: &Value, name: &str) -> Result<(), (String, String)> {
    let tables = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    for (table, of) in tables {
        let key = name.strip_prefix(table.as_str()).and_then(|rest| rest.strip_prefix('_'));
        if let Some(key) = key.filter(|key| member(of, key).is_some()) {
            let right = format!("{PREFIX}{}__{}", table.to_uppercase(), key.to_uppercase());
            return Err(("table and key are separated by two underscores".to_owned(), format!("write {right}")));
        }
    }
    Ok(())
}

/// The schema of `key` in a table's, through alternatives.
fn member<'s>(schema: &'s Value, key: &str) -> Option<&'s Value> {
    let own = schema.get("properties").and_then(|known| known.get(key));
    let any = || schema.get("additionalProperties").filter(|any| any.is_object());
    let options = || schema.get("anyOf")?.as_array()?.iter().find_map(|option| member(option, key));
    own.or_else(any).or_else(options)
}

fn parse(schema: &Value, text: &str) -> Option<Value> {
    if is(schema, "string") {
        return Some(json!(text));
    }
    if is(schema, "boolean") {
        return text.trim().parse::<bool>().ok().map(Value::from);
    }
    if is(schema, "integer") {
        return text.trim().parse::<i64>().ok().map(Value::from);
    }
    let written = text.trim().starts_with(['[', '{']);
    if !written && is(schema, "array") {
        return Some(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(Value::from).collect());
    }
    let table: toml::Table = toml::from_str(&format!("value = {}", text.trim())).ok()?;
    serde_json::to_value(table.get("value")?).ok()
}

fn is(schema: &Value, kind: &str) -> bool {
    let own = schema.get("type");
    let one_of_several = || own.and_then(Value::as_array).is_some_and(|kinds| kinds.iter().any(|one| one == kind));
    let among =
        |key: &str| schema.get(key).and_then(Value::as_array).is_some_and(|all| all.iter().any(|one| is(one, kind)));
    own.is_some_and(|one| one == kind) || one_of_several() || among("anyOf") || among("oneOf")
}

fn remedy(schema: &Value) -> String {
    let remedy = if is(schema, "boolean") {
        "write true or false"
    } else if is(schema, "integer") {
        "write a number"
    } else if is(schema, "array") {
        "write items separated by commas, or a list as in TOML"
    } else {
        "write a table as in TOML, like {a = \"b\"}, or one variable per key"
    };
    remedy.to_owned()
}
