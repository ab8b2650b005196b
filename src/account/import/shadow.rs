//! `/etc/shadow`, with `/etc/passwd` for full names and for telling people from services.
//!
//! A **service** is an account nobody signs in to: by its number in passwd (people are 1000 to 60000), or, without passwd,
//! `root` and whoever never had a password.

use std::collections::HashMap;

use super::{Row, Rows, lines, shown};
use crate::time::Timestamp;

/// Numbers of people (`UID_MIN` and `UID_MAX` of login.defs).
const PEOPLE: std::ops::RangeInclusive<u32> = 1000..=60_000;

/// What stands where there never was a password.
const NEVER_ANY: [&str; 6] = ["*", "!", "!!", "!*", "*LK*", "x"];

const SECONDS_A_DAY: i64 = 86_400;

/// What passwd knows of an account.
struct Known<'t> {
    number: u32,
    full_name: &'t str,
}

pub(super) fn read(text: &str, passwd: Option<&str>) -> Rows {
    let known = passwd.map(read_passwd);
    let mut rows = Rows::default();
    for (line, entry) in lines(text) {
        match row(line, entry, known.as_ref()) {
            Ok(Some(row)) => rows.people.push(row),
            Ok(None) => rows.passed_over += 1,
            Err(what) => rows.fault(line, what),
        }
    }
    rows
}

fn row(line: usize, entry: &str, known: Option<&HashMap<&str, Known<'_>>>) -> Result<Option<Row>, String> {
    let fields: Vec<&str> = entry.split(':').collect();
    let [name, hash, changed, _, _, _, _, expires, _] = fields[..] else {
        return Err("a line of shadow has nine fields; is this a shadow file?".to_owned());
    };
    // `+` and `-` take in, or leave out, what a network directory says.
    if name.starts_with(['+', '-']) {
        return Ok(None);
    }
    let full_name = match known.map(|known| known.get(name)) {
        Some(Some(own)) if PEOPLE.contains(&own.number) => own.full_name,
        Some(Some(_)) => return Ok(None),
        Some(None) => {
            return Err(format!("{} is not in the passwd file; name the one that belongs to it", shown(name)));
        }
        None if name == "root" || NEVER_ANY.contains(&hash) => return Ok(None),
        None => "",
    };
    Ok(Some(Row {
        line,
        name: name.to_owned(),
        full_name: full_name.to_owned(),
        hash: hash.to_owned(),
        valid_until: last_day(expires)
            .ok_or("the day it expires is no number; correct the eighth field, or empty it")?,
        must_change: changed == "0",
        ..Row::default()
    }))
}

fn read_passwd(text: &str) -> HashMap<&str, Known<'_>> {
    let known = lines(text).filter_map(|(_, entry)| {
        let mut fields = entry.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?.parse().ok()?);
        // What follows the first comma is rooms and telephones.
        let full_name = fields.nth(1)?.split(',').next()?.trim();
        Some((name, Known { number, full_name }))
    });
    known.collect()
}

/// Days since 1970, as a moment in text; empty when there is no end.
fn last_day(days: &str) -> Option<String> {
    if days.is_empty() {
        return Some(String::new());
    }
    let days: i64 = days.parse::<u32>().ok()?.into();
    Some(Timestamp::from_secs(days * SECONDS_A_DAY).to_string())
}
