//! Every text of the pages, in both languages, from `locales/*.toml`.
//!
//! A **key** is `table.name`. Templates and handlers ask with [`Texts::say`] or [`Texts::say_with`] and a literal key, or with
//! [`Texts::of`] for a **family** of stable words (states, reasons); a test reads the sources and proves that every key asked
//! for exists in both languages and that none is left over. French is typeset here, once, and not by hand in the file.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::Language;

/// The texts of one language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Texts(Language);

type Catalogue = BTreeMap<String, String>;

static ENGLISH: LazyLock<Catalogue> = LazyLock::new(|| read(include_str!("locales/en.toml"), typeset_english));
static FRENCH: LazyLock<Catalogue> = LazyLock::new(|| read(include_str!("locales/fr.toml"), typeset_french));

// === impl Texts ===

impl Texts {
    /// The texts in `language`.
    pub const fn of_language(language: Language) -> Self {
        Self(language)
    }

    /// The language.
    pub const fn language(self) -> Language {
        self.0
    }

    /// The text of a literal key.
    pub fn say(self, key: &str) -> &'static str {
        self.find(key).expect("a test proves that every literal key is in both catalogues")
    }

    /// The text of a literal key, its `{name}` places filled.
    pub fn say_with(self, key: &str, values: &[(&str, &str)]) -> String {
        fill(self.say(key), values)
    }

    /// The text of a stable word of a family; nothing when the word is none of it.
    pub fn of(self, family: &str, word: &str) -> Option<&'static str> {
        self.find(&format!("{family}.{word}"))
    }

    /// The words of a family, sorted.
    #[cfg(test)]
    pub fn words_of(self, family: &str) -> Vec<&'static str> {
        let keys = self.catalogue().keys();
        keys.filter_map(|key| key.strip_prefix(family)?.strip_prefix('.')).collect()
    }

    fn find(self, key: &str) -> Option<&'static str> {
        self.catalogue().get(key).map(String::as_str)
    }

    fn catalogue(self) -> &'static Catalogue {
        match self.0 {
            Language::En => &ENGLISH,
            Language::Fr => &FRENCH,
        }
    }
}

/// Fills `{name}` places in one pass, so that a value with braces in it is not filled again.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let (name, behind) = after.split_once('}').unwrap_or((after, ""));
        text.push_str(values.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value));
        rest = behind;
    }
    text.push_str(rest);
    text
}

fn read(toml: &str, typeset: fn(&str) -> String) -> Catalogue {
    let tables: BTreeMap<String, BTreeMap<String, String>> =
        toml::from_str(toml).expect("the catalogues are compiled in, and a test reads both");
    let flat = |(table, texts): (String, BTreeMap<String, String>)| {
        texts.into_iter().map(move |(name, text)| (format!("{table}.{name}"), typeset(&text)))
    };
    tables.into_iter().flat_map(flat).collect()
}

fn typeset_english(text: &str) -> String {
    text.replace('\'', "\u{2019}")
}

/// French puts a narrow no-break space before `;`, `!` and `?`, a no-break space before `:` and inside guillemets.
fn typeset_french(text: &str) -> String {
    let mut text =
        text.replace('\'', "\u{2019}").replace("« ", "«\u{a0}").replace(" »", "\u{a0}»").replace(" :", "\u{a0}:");
    for mark in [';', '!', '?'] {
        text = text.replace(&format!(" {mark}"), &format!("\u{202f}{mark}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Families asked for with [`Texts::of`] and a word that only a running program knows.
    fn families(source: &str) -> impl Iterator<Item = &str> {
        literals(source, ".of(\"")
    }

    fn literals<'a>(source: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
        source.split(before).skip(1).filter_map(|rest| rest.split('"').next())
    }

    fn sources() -> Vec<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/portal");
        let files =
            [folder.clone(), folder.join("pages")].into_iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
        let files = files.map(|entry| entry.unwrap().path());
        let wanted = |path: &std::path::PathBuf| {
            let extension = path.extension().and_then(|extension| extension.to_str());
            matches!(extension, Some("rs" | "html")) && !path.ends_with("texts.rs")
        };
        files.filter(wanted).map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }

    #[test]
    fn both_languages_have_the_same_keys_and_the_same_places() {
        let places = |text: &str| {
            let mut names: Vec<_> = literals_between(text).map(str::to_owned).collect();
            names.sort();
            names
        };
        let keys = |catalogue: &Catalogue| catalogue.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(keys(&ENGLISH), keys(&FRENCH));
        for (key, english) in ENGLISH.iter() {
            assert_eq!(places(english), places(&FRENCH[key]), "{key} has other places in French");
        }
    }

    fn literals_between(text: &str) -> impl Iterator<Item = &str> {
        text.split('{').skip(1).filter_map(|rest| rest.split('}').next())
    }

    #[test]
    fn every_key_asked_for_exists_and_every_key_is_asked_for() {
        let sources = sources();
        let asked: BTreeSet<&str> = sources
            .iter()
            .flat_map(|source| literals(source, ".say(\"").chain(literals(source, ".say_with(\"")))
            .collect();
        let families: BTreeSet<&str> = sources.iter().flat_map(|source| families(source)).collect();
        for key in &asked {
            assert!(ENGLISH.contains_key(*key), "{key} is asked for and in no catalogue");
        }
        for key in ENGLISH.keys() {
            let in_family =
                families.iter().any(|family| key.strip_prefix(family).is_some_and(|rest| rest.starts_with('.')));
            assert!(asked.contains(key.as_str()) || in_family, "{key} is asked for nowhere");
        }
    }

    /// The layers below name what is wrong with a request in English, for the log; a page says it in its own language.
    #[test]
    fn every_fault_of_a_request_is_said_in_both_languages() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let makers =
            ["bad_request(\"", "Unreadable(\"", "Unsupported(\"", "Body(\"", "NotCanonical(\"", "MediaType(\""];
        let mut phrases = BTreeSet::new();
        for file in ["edge", "policy"].iter().flat_map(|folder| rust_files(&root.join(folder))) {
            let source = std::fs::read_to_string(file).unwrap();
            let product = source.split("#[cfg(test)]").next().unwrap();
            phrases.extend(makers.iter().flat_map(|maker| literals(product, maker)).map(str::to_owned));
        }
        assert!(phrases.len() > 20, "only {phrases:?} were found");
        for phrase in phrases {
            assert!(ENGLISH.contains_key(&format!("bad-request.{phrase}")), "{phrase:?} is in no catalogue");
        }
    }

    fn rust_files(folder: &Path) -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
        let sources = files
            .into_iter()
            .filter(|file| file.extension().is_some_and(|end| end == "rs") && !file.ends_with("tests.rs"));
        sources.chain(folders.iter().flat_map(|folder| rust_files(folder))).collect()
    }

    #[test]
    fn french_is_typeset() {
        assert_eq!(
            typeset_french("Qui ? « Moi » : l'autre ; non !"),
            "Qui\u{202f}? «\u{a0}Moi\u{a0}»\u{a0}: l’autre\u{202f}; non\u{202f}!"
        );
    }

    #[test]
    fn a_value_is_never_filled_again() {
        assert_eq!(fill("{a} and {b}", &[("a", "{b}"), ("b", "two")]), "{b} and two");
    }
}
