//! Every attack case has a test that carries its id, and no door opens without the tests that were put off until it did.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// `tests/cases.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    required: Vec<String>,
    door: Vec<Door>,
    later: Vec<Later>,
}

/// Something not built yet, and how to see that it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Door {
    name: String,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    texts: Vec<String>,
}

/// A part of a case that waits for a door.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Later {
    case: String,
    door: String,
    part: String,
    test: String,
    reason: String,
}

/// A source tree.
struct Tree(PathBuf);

#[test]
fn every_required_case_has_a_test() {
    let missing = missing_tests(&cases(), &Tree::ours());
    assert!(missing.is_empty(), "no test's name carries the id of: {}", missing.join(", "));
}

#[test]
fn no_door_opens_without_its_tests() {
    let untested = open_and_untested(&cases(), &Tree::ours());
    assert!(untested.is_empty(), "these doors are there, their tests are not:\n{}", untested.join("\n"));
}

#[test]
fn what_is_put_off_has_a_case_a_door_and_a_reason() {
    let cases = cases();
    for later in &cases.later {
        assert!(cases.required.contains(&later.case), "{} is not required", later.case);
        assert!(cases.door.iter().any(|door| door.name == later.door), "no door {}", later.door);
        assert!(later.test.starts_with(&fragment(&later.case)), "{} does not carry {}", later.test, later.case);
        assert!(!later.reason.is_empty() && !later.part.is_empty());
    }
    let used: BTreeSet<_> = cases.later.iter().map(|later| later.door.as_str()).collect();
    assert!(cases.door.iter().all(|door| used.contains(door.name.as_str())), "a door nothing waits for");
}

#[test]
fn a_missing_test_and_an_open_door_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let file = folder.path().join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    let (cases, tree) = (sample(), Tree(folder.path().to_owned()));
    write("src/lib.rs", "#[test]\nfn path_1_dots() {}\nfn path_2_not_a_test() {}\n");
    write("tests/a.rs", "#[test]\n#[ignore = \"slow\"]\nfn path_2_ignored() {}\n#[test]\nfn path_20_other() {}\n");
    assert_eq!(missing_tests(&cases, &tree), ["PATH-2"]);
    assert!(open_and_untested(&cases, &tree).is_empty());
    write("src/pages/login.html", "<input name=\"remember\">");
    write("src/fleet/redis.rs", "");
    assert_eq!(open_and_untested(&cases, &tree).len(), 2);
    write("tests/b/c.rs", "#[tokio::test(flavor = \"multi_thread\")]\nasync fn path_2_remember_too() {}\n");
    write("tests/b/d.rs", "    #[test]\n    fn it_is_path_1_two_gateways() {}\n");
    assert!(missing_tests(&cases, &tree).is_empty());
    assert!(open_and_untested(&cases, &tree).is_empty());
}

fn sample() -> Cases {
    let later =
        |case, door, test| format!("[[later]]\ncase='{case}'\ndoor='{door}'\ntest='{test}'\npart='p'\nreason='r'\n");
    let doors =
        "[[door]]\nname='remember'\ntexts=['name=\"remember\"']\n[[door]]\nname='two'\npaths=['src/fleet/redis.rs']\n";
    let parts = later("PATH-2", "remember", "path_2_remember") + &later("PATH-1", "two", "path_1_two_gateways");
    toml::from_str(&format!("required = ['PATH-1', 'PATH-2']\n{doors}{parts}")).expect("a sample in order")
}

fn cases() -> Cases {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases.toml");
    toml::from_str(&std::fs::read_to_string(file).expect("tests/cases.toml")).expect("its form")
}

/// `path_1_` for `PATH-1`.
fn fragment(case: &str) -> String {
    format!("{}_", case.to_ascii_lowercase().replace('-', "_"))
}

fn missing_tests(cases: &Cases, tree: &Tree) -> Vec<String> {
    let tests = tree.tests();
    let is_tested = |case: &&String| tests.iter().any(|test| carries(test, &fragment(case)));
    cases.required.iter().filter(|case| !is_tested(case)).cloned().collect()
}

fn open_and_untested(cases: &Cases, tree: &Tree) -> Vec<String> {
    let (tests, sources) = (tree.tests(), tree.sources());
    let open: Vec<_> = cases.door.iter().filter(|door| door.is_open(tree, &sources)).map(|door| &door.name).collect();
    let waiting = cases.later.iter().filter(|later| open.contains(&&later.door));
    let untested = waiting.filter(|later| !tests.iter().any(|test| carries(test, &later.test)));
    untested.map(|later| format!("{}: {} ({}; name it {}…)", later.door, later.case, later.part, later.test)).collect()
}

/// Whether `test` carries `fragment` as words of its own.
fn carries(test: &str, fragment: &str) -> bool {
    test.starts_with(fragment) || test.contains(&format!("_{fragment}"))
}

// === impl Door ===

impl Door {
    fn is_open(&self, tree: &Tree, sources: &[String]) -> bool {
        let exists = self.paths.iter().any(|path| tree.0.join(path).exists());
        exists || self.texts.iter().any(|text| sources.iter().any(|source| source.contains(text)))
    }
}

// === impl Tree ===

impl Tree {
    fn ours() -> Self {
        Self(PathBuf::from(env!("CARGO_MANIFEST_DIR")))
    }

    /// Every text under `src/`.
    fn sources(&self) -> Vec<String> {
        files(&self.0.join("src")).iter().filter_map(|file| std::fs::read_to_string(file).ok()).collect()
    }

    /// The names of all tests that run.
    fn tests(&self) -> Vec<String> {
        let files = ["src", "tests"].into_iter().flat_map(|folder| files(&self.0.join(folder)));
        let rust = files.filter(|file| file.extension().is_some_and(|extension| extension == "rs"));
        rust.flat_map(|file| tests_in(&std::fs::read_to_string(file).unwrap_or_default())).collect()
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The functions that have a test attribute and are not ignored.
fn tests_in(source: &str) -> Vec<String> {
    let (mut tests, mut is_test, mut is_ignored) = (Vec::new(), false, false);
    for line in source.lines().map(str::trim) {
        is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        is_ignored |= line.starts_with("#[ignore");
        if let Some(name) = function(line) {
            if is_test && !is_ignored {
                tests.push(name.to_owned());
            }
            (is_test, is_ignored) = (false, false);
        }
    }
    tests
}

/// The function that begins on this line.
fn function(line: &str) -> Option<&str> {
    let after = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
    after.split(['(', '<']).next()
}
