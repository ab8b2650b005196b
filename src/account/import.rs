//! Users from the files of other programs: CSV, htpasswd, shadow, LDIF.
//!
//! * A **row** is what a file says of one person, as it says it. A **newcomer** is that person checked: ready to be added.
//! * A **fault** is what is wrong, with its line and what to do about it. One is enough that nobody is added, so all are told
//!   at once.
//! * What is **passed over** is no person: the accounts of a system's services, the folders of a directory.
//!
//! Reading and checking know nothing of who is in the store, and hash nothing: that comes with
//! [`Accounts::import`](super::Accounts::import). A file is a stranger's word: its length, its lines and everything in it are
//! bounded, and what it says of passwords is told nobody.

mod check;
mod csv;
mod htpasswd;
mod ldif;
mod shadow;

use std::fmt;
use std::path::Path;

use super::password::Foreign;
use super::phone::Phone;
use crate::identity::{Right, UserState};
use crate::time::Timestamp;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Comma-separated values under a line of column names.
    Csv,
    /// Apache's password file: name:hash.
    Htpasswd,
    /// The system's password file, /etc/shadow.
    Shadow,
    /// A directory's export (RFC 2849).
    Ldif,
}

/// Which attribute of a directory's entry names groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum GroupsFrom {
    /// memberOf: the first part of each group's name.
    #[value(name = "memberOf")]
    MemberOf,
    /// ou.
    Ou,
}

/// What a file does not say by itself.
#[derive(Debug, Default)]
pub struct Options {
    /// `name@domain` is the address of who has none.
    pub email_domain: Option<String>,
    /// `/etc/passwd`, beside a shadow file.
    pub passwd: Option<Vec<u8>>,
    /// Where an LDIF names groups; none: nowhere.
    pub groups_from: Option<GroupsFrom>,
    /// Who has an unusable hash comes without a password, instead of being a fault.
    pub drop_unusable: bool,
}

/// What is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which line, from 1.
    pub line: usize,
    what: String,
}

/// What a file came to.
#[derive(Debug, Default)]
pub struct Found {
    /// Who may be added, in the file's order.
    pub newcomers: Vec<Newcomer>,
    /// What is wrong, in the file's order.
    pub faults: Vec<Fault>,
    /// Whose hash cannot be used, with `drop_unusable`.
    pub dropped: Vec<Fault>,
    /// Entries that are no person.
    pub passed_over: usize,
}

/// Somebody to be added; everything is checked, but not whether they are there already.
#[expect(missing_docs, reason = "plain parts")]
pub struct Newcomer {
    /// Where they stand.
    pub line: usize,
    pub name: String,
    pub email: String,
    pub full_name: String,
    pub phone: Option<Phone>,
    pub language: Option<String>,
    pub groups: Vec<String>,
    pub rights: Vec<Right>,
    pub state: UserState,
    pub valid_from: Option<Timestamp>,
    pub valid_until: Option<Timestamp>,
    /// None: no sign-in by password.
    pub password: Option<Foreign>,
    /// Must be changed before anything else.
    pub password_must_change: bool,
}

/// What a file says of one person.
#[derive(Default)]
struct Row {
    line: usize,
    name: String,
    /// Empty: made of name and domain.
    email: String,
    /// Empty: the name.
    full_name: String,
    phone: String,
    language: String,
    groups: Vec<String>,
    rights: Vec<String>,
    state: String,
    valid_from: String,
    valid_until: String,
    hash: String,
    must_change: bool,
}

/// What a reader made of a file.
#[derive(Default)]
struct Rows {
    people: Vec<Row>,
    faults: Vec<Fault>,
    passed_over: usize,
}

/// How long a file may be, bytes.
pub const LONGEST_FILE: usize = 64 << 20;

/// How long a line may be, bytes; a directory's photographs are folded.
const LONGEST_LINE: usize = 64 << 10;

/// How many people a file may hold.
const MOST_PEOPLE: usize = 100_000;

/// Reads and checks `file`.
pub fn read(format: Format, file: &[u8], options: &Options) -> Found {
    let text = match text_of(file) {
        Ok(text) => text,
        Err(faults) => return Found { faults, ..Found::default() },
    };
    let rows = match format {
        Format::Csv => csv::read(text),
        Format::Htpasswd => htpasswd::read(text),
        Format::Shadow => match options.passwd.as_deref().map(text_of).transpose() {
            Ok(passwd) => shadow::read(text, passwd),
            Err(_) => Rows::of_fault(1, "the passwd file beside it is no text; name the one that belongs to it"),
        },
        Format::Ldif => ldif::read(text, options.groups_from),
    };
    if rows.people.len() > MOST_PEOPLE {
        let what = format!("there are more than {MOST_PEOPLE} people in it; import them in parts");
        return Found { faults: vec![Fault::new(rows.people[MOST_PEOPLE].line, what)], ..Found::default() };
    }
    check::check(rows, options)
}

/// The format that a file's name or its first line tells.
pub fn guess(name: Option<&Path>, file: &[u8]) -> Option<Format> {
    let name = name.and_then(Path::file_name).map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let is_called = |end: &str| name == end || name.ends_with(&format!(".{end}"));
    let by_name =
        [("csv", Format::Csv), ("ldif", Format::Ldif), ("htpasswd", Format::Htpasswd), ("shadow", Format::Shadow)];
    by_name.into_iter().find(|(end, _)| is_called(end)).map(|(_, format)| format).or_else(|| guess_by_content(file))
}

fn guess_by_content(file: &[u8]) -> Option<Format> {
    let head = String::from_utf8_lossy(&file[..file.len().min(LONGEST_LINE)]).to_lowercase();
    let line =
        head.trim_start_matches('\u{feff}').lines().find(|line| !line.trim().is_empty() && !line.starts_with('#'))?;
    match line.matches(':').count() {
        _ if line.starts_with("dn:") || line.starts_with("version:") => Some(Format::Ldif),
        0 if line.split(',').any(|column| column.trim().trim_matches('"') == "name") => Some(Format::Csv),
        8 => Some(Format::Shadow),
        1 => Some(Format::Htpasswd),
        _ => None,
    }
}

/// The file as text without its mark of byte order, when all of it is fit to be read.
fn text_of(file: &[u8]) -> Result<&str, Vec<Fault>> {
    if file.len() > LONGEST_FILE {
        let what = format!("the file is longer than {} MiB; import it in parts", LONGEST_FILE >> 20);
        return Err(vec![Fault::new(1, what)]);
    }
    let faults: Vec<_> = file
        .split(|byte| *byte == b'\n')
        .enumerate()
        .filter_map(|(index, line)| Some(Fault::new(index + 1, unfit(line)?)))
        .collect();
    let text = std::str::from_utf8(file).map_err(|_| faults.clone())?;
    if faults.is_empty() { Ok(text.trim_start_matches('\u{feff}')) } else { Err(faults) }
}

fn unfit(line: &[u8]) -> Option<String> {
    if line.len() > LONGEST_LINE {
        return Some(format!("the line is longer than {} KiB; is this the right file?", LONGEST_LINE >> 10));
    }
    if line.contains(&0) {
        return Some("there is a NUL byte in it; is this a text file?".to_owned());
    }
    std::str::from_utf8(line).is_err().then(|| "this is not UTF-8; convert the file".to_owned())
}

/// The lines that say something, numbered, without their ends.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    numbered.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
}

// === impl Fault ===

impl Fault {
    pub(super) fn new(line: usize, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }
}

/// `line 12: what; what to do`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

// === impl Newcomer ===

/// Without number and hash.
impl fmt::Debug for Newcomer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Newcomer").field("line", &self.line).field("name", &self.name).finish_non_exhaustive()
    }
}

// === impl Rows ===

impl Rows {
    fn of_fault(line: usize, what: impl Into<String>) -> Self {
        Self { faults: vec![Fault::new(line, what)], ..Self::default() }
    }

    fn fault(&mut self, line: usize, what: impl Into<String>) {
        self.faults.push(Fault::new(line, what));
    }
}

/// A word of a file, fit for one line of a terminal.
fn shown(word: &str) -> String {
    let shown: String = word.chars().filter(|letter| !super::names::deceives(*letter)).take(80).collect();
    format!("“{shown}”")
}

#[cfg(test)]
mod tests;
