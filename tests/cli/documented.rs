//! The pages name exactly the keys there are: no key is without its line, no line is about a key of another day.
//!
//! What there is, the program says (`vantail config schema`). What is documented stands in the first column of the tables,
//! and in the TOML that a section shows.

use std::collections::BTreeSet;

use serde_json::Value;
use toml::Table;

use crate::installation::Installation;

/// The sections under `headings` of a page of `docs/`, each without those below it.
fn sections(page: &str, headings: &[&str]) -> Vec<String> {
    let file = format!("{}/docs/{page}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(file).unwrap();
    let of = |heading: &&str| {
        let begin = format!("\n{heading}\n");
        let rest = text.split_once(&begin).unwrap_or_else(|| panic!("{page} has no {heading:?}")).1;
        rest.split("\n## ").next().unwrap().split("\n### ").next().unwrap().to_owned()
    };
    headings.iter().map(of).collect()
}

/// The keys in the first column of the section's tables, behind `table`; one that is a table itself names its own keys in
/// the last column.
fn in_tables(section: &str, table: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        for word in quoted(cells[0]) {
            match word.strip_prefix('[').and_then(|word| word.strip_suffix(']')) {
                Some(own) => keys.extend(quoted(cells[cells.len() - 1]).map(|key| format!("{table}{own}.{key}"))),
                None => drop(keys.insert(format!("{table}{word}"))),
            }
            // A list of tables shows its keys: `[{ address = …, … }]`.
            if let Some(shown) = quoted(row).find(|word| word.starts_with("[{")) {
                let shown: Table = toml::from_str(&format!("shown = {shown}")).unwrap();
                keys.extend(named(&shown["shown"], &format!("{table}{word}")));
            }
        }
    }
    keys
}

fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The keys of the TOML that the section shows.
fn in_examples(section: &str) -> BTreeSet<String> {
    let blocks = section.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.flat_map(|block| named(&toml::from_str::<toml::Value>(block).unwrap(), "")).collect()
}

fn named(value: &toml::Value, path: &str) -> BTreeSet<String> {
    match value {
        toml::Value::Table(table) => {
            table.iter().flat_map(|(key, value)| named(value, format!("{path}.{key}").trim_matches('.'))).collect()
        }
        toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
            items.iter().flat_map(|item| named(item, &format!("{path}[]"))).collect()
        }
        _ => [path.to_owned()].into(),
    }
}

/// The keys of a schema; `headers.*` where they are the reader's own.
fn there_are(of: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    walk(&Installation::new().json(&["config", "schema", of]), "", &mut keys);
    keys
}

fn walk(schema: &Value, path: &str, keys: &mut BTreeSet<String>) {
    let alternatives = ["anyOf", "oneOf"].iter().filter_map(|key| schema[*key].as_array()).flatten();
    alternatives.for_each(|schema| walk(schema, path, keys));
    if schema["items"].is_object() {
        walk(&schema["items"], &format!("{path}[]"), keys);
    }
    if schema["additionalProperties"].is_object() {
        keys.insert(format!("{path}.*"));
    }
    for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        let path = path.trim_matches('.');
        keys.insert(path.to_owned());
        walk(schema, path, keys);
    }
}

/// Asserts that both are the same keys. A table stands for itself where the other side names what is in it.
fn same(page: &str, documented: &BTreeSet<String>, there: &BTreeSet<String>) {
    let within = |key: &str, other: &str| other.strip_prefix(key).is_some_and(|rest| rest.starts_with(['.', '[']));
    let own = |key: &str| there.iter().filter_map(|free| free.strip_suffix(".*")).any(|free| within(free, key));
    let lacks = |from: &BTreeSet<String>, of: &BTreeSet<String>| -> Vec<String> {
        let lacking = from.iter().filter(|key| !of.iter().any(|other| other == *key || within(key, other)));
        lacking.filter(|key| !own(key)).cloned().collect()
    };
    assert_eq!(lacks(there, documented), Vec::<String>::new(), "docs/{page} does not name these keys");
    assert_eq!(lacks(documented, there), Vec::<String>::new(), "docs/{page} names keys there are not");
}

#[test]
fn the_page_of_the_configuration_names_the_keys_there_are() {
    let mut documented = BTreeSet::new();
    for (heading, table) in [
        ("## `[listen]`", "listen."),
        ("## `[portal]`", "portal."),
        ("## `[store]`, `[keys]`, `[policies]`", ""),
        ("## `[mail]`", "mail."),
        ("## `[sms]`", "sms."),
    ] {
        documented.extend(in_tables(&sections("configuration.md", &[heading])[0], table));
    }
    same("configuration.md", &documented, &there_are("config"));
}

#[test]
fn the_page_of_the_policy_names_the_keys_there_are() {
    let of = |headings: &[&str], table: &str| -> BTreeSet<String> {
        sections("policies.md", headings).iter().flat_map(|section| in_tables(section, table)).collect()
    };
    let mut site = of(&["### The site"], "");
    site.extend(of(&["### What a rule matches on", "### What a rule requires"], "rule[]."));
    site.extend(of(&["### What a rule holds"], "rule[].hold."));
    site.extend(in_examples(&sections("policies.md", &["## A rule matches, then requires"])[0]));
    same("policies.md", &site, &there_are("site"));

    for (heading, file) in [("## `security.toml`", "security"), ("## Tests", "tests")] {
        let documented = in_examples(&sections("policies.md", &[heading])[0]);
        same("policies.md", &documented, &there_are(file));
    }
}

#[test]
fn a_key_of_another_day_is_refused_with_those_there_are() {
    let here = Installation::new();
    let configuration = std::fs::read_to_string(here.file("vantail.toml")).unwrap();
    for (table, key, offered) in [
        ("[store]", "redis = \"redis://127.0.0.1:6379\"", "known here: database"),
        ("[store]", "databse = \"sqlite:x.db\"", "did you mean `database`?"),
        ("[listen]", "htpps = []", "did you mean `https`?"),
    ] {
        here.write("vantail.toml", &configuration.replace(table, &format!("{table}\n{key}")));
        let failure = here.fails(&["config", "check"], 2);
        assert!(failure.contains("unknown key") && failure.contains(offered), "{key}: {failure}");
    }
    here.write("vantail.toml", &configuration);
    here.write("policies/security.toml", "[sessions]\npersistent = \"30d\"\n[clients]\nenabled = true\n");
    let failure = here.fails(&["policy", "check"], 2);
    for offered in
        ["security.toml:2: unknown key `persistent`", "security.toml:3: unknown key `clients`", "known here: "]
    {
        assert!(failure.contains(offered), "{offered}: {failure}");
    }
}
