//! From rows to newcomers: every cell looked at, every fault told.

use std::collections::HashMap;

use clap::ValueEnum as _;

use super::{Fault, Found, Newcomer, Options, Row, Rows, shown};
use crate::account::AccountError;
use crate::account::accounts::checks::{check_full_name, check_groups, check_language};
use crate::account::names;
use crate::account::password::{Foreign, Unusable};
use crate::account::phone::Phone;
use crate::identity::{Right, UserState};
use crate::time::Timestamp;

/// Checks rows, one after the other, each with those before it.
struct Checker<'o> {
    options: &'o Options,
    found: Found,
    /// The line on which a folded name or address stands.
    taken: HashMap<String, usize>,
    /// Of the row at hand.
    line: usize,
}

pub(super) fn check(rows: Rows, options: &Options) -> Found {
    let Rows { people, faults, passed_over } = rows;
    let found = Found { faults, passed_over, ..Found::default() };
    let mut checker = Checker { options, found, taken: HashMap::new(), line: 0 };
    for row in people {
        checker.line = row.line;
        let newcomer = checker.newcomer(row);
        checker.found.newcomers.push(newcomer);
    }
    checker.found.faults.sort_by_key(|fault| fault.line);
    checker.found
}

impl Checker<'_> {
    /// What is made of a row with a fault is never used: a fault is enough that nobody is added.
    fn newcomer(&mut self, row: Row) -> Newcomer {
        let email = self.email(&row);
        self.passes(names::check_user_name(&row.name).map_err(|what| format!("{what}; correct {}", shown(&row.name))));
        self.take(&row.name);
        if names::fold(&email) != names::fold(&row.name) {
            self.take(&email);
        }
        let full_name = if row.full_name.is_empty() { row.name.clone() } else { row.full_name };
        self.account(check_full_name(&full_name));
        self.account(check_groups(&row.groups));
        let language = Some(row.language).filter(|language| !language.is_empty());
        self.account(check_language(language.as_deref()));
        Newcomer {
            line: row.line,
            password: self.password(&row.name, &row.hash),
            name: row.name,
            email,
            full_name,
            phone: self.phone(&row.phone),
            language,
            groups: row.groups,
            rights: row.rights.iter().filter_map(|word| self.right(word)).collect(),
            state: self.state(&row.state),
            valid_from: self.date(&row.valid_from),
            valid_until: self.date(&row.valid_until),
            password_must_change: row.must_change,
        }
    }

    fn email(&mut self, row: &Row) -> String {
        let email = match &self.options.email_domain {
            Some(domain) if row.email.is_empty() => format!("{}@{domain}", row.name),
            None if row.email.is_empty() => {
                self.fault("there is no mail address; give one, or a domain with --email-domain");
                return String::new();
            }
            _ => row.email.clone(),
        };
        self.passes(names::check_email(&email).map_err(|what| format!("{what}; correct {}", shown(&email))));
        email
    }

    /// A name or an address is one person's.
    fn take(&mut self, name: &str) {
        let folded = names::fold(name);
        if folded.is_empty() {
            return;
        }
        match self.taken.get(&folded) {
            Some(line) => self.fault(format!("{} is on line {line} already; leave one of them", shown(name))),
            None => drop(self.taken.insert(folded, self.line)),
        }
    }

    fn phone(&mut self, typed: &str) -> Option<Phone> {
        if typed.is_empty() {
            return None;
        }
        let phone = Phone::parse(typed);
        if phone.is_none() {
            self.fault("a phone number is written +33612345678; correct it, or leave it out");
        }
        phone
    }

    fn right(&mut self, word: &str) -> Option<Right> {
        let right = word.parse().ok();
        if right.is_none() {
            let known: Vec<_> = Right::value_variants().iter().map(|right| right.as_str()).collect();
            self.fault(format!("there is no right {}; known are: {}", shown(word), known.join(", ")));
        }
        right
    }

    fn state(&mut self, word: &str) -> UserState {
        let state = if word.is_empty() { Ok(UserState::Active) } else { word.parse() };
        state.unwrap_or_else(|_| {
            self.fault(format!("{} is no state; write active or disabled", shown(word)));
            UserState::Disabled
        })
    }

    fn date(&mut self, text: &str) -> Option<Timestamp> {
        let date = Timestamp::parse(text);
        if date.is_none() && !text.is_empty() {
            self.fault(format!("{} is no date; write 2027-01-31 or 2027-01-31T08:00:00Z", shown(text)));
        }
        date
    }

    fn password(&mut self, name: &str, hash: &str) -> Option<Foreign> {
        match Foreign::read(hash) {
            Ok(foreign) => Some(foreign),
            Err(Unusable::Absent | Unusable::Locked) => None,
            Err(why) if self.options.drop_unusable => {
                let what = format!("{}: {why}: without a password", shown(name));
                self.found.dropped.push(Fault::new(self.line, what));
                None
            }
            Err(why) => {
                self.fault(format!("{why}; empty it, or import such users without a password: --drop-unusable"));
                None
            }
        }
    }

    fn account(&mut self, checked: Result<(), AccountError>) {
        self.passes(checked.map_err(|error| error.to_string()));
    }

    fn passes(&mut self, checked: Result<(), String>) {
        if let Err(what) = checked {
            self.fault(what);
        }
    }

    fn fault(&mut self, what: impl Into<String>) {
        self.found.faults.push(Fault::new(self.line, what));
    }
}
