//! Apache's password file: `name:hash`, one a line.

use super::{Row, Rows, lines};

pub(super) fn read(text: &str) -> Rows {
    let mut rows = Rows::default();
    for (line, entry) in lines(text) {
        match entry.split_once(':') {
            Some((name, hash)) => {
                rows.people.push(Row { line, name: name.to_owned(), hash: hash.to_owned(), ..Row::default() });
            }
            None => rows.fault(line, "this is not name:hash; is this an htpasswd file?"),
        }
    }
    rows
}
