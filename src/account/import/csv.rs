//! CSV (RFC 4180) under a line of column names, in any order.

use csv::{ReaderBuilder, StringRecord};

use super::{Row, Rows, shown};

/// The columns there may be. The first two are needed.
const COLUMNS: [&str; 11] = [
    "name",
    "email",
    "full_name",
    "phone",
    "language",
    "groups",
    "rights",
    "password_hash",
    "valid_from",
    "valid_until",
    "state",
];

/// Of one cell, bytes. A longer one lacks its closing quote.
const LONGEST_CELL: usize = 4096;

/// Counts lines up to where it was asked last.
struct Lines<'t> {
    text: &'t str,
    line: usize,
    offset: usize,
}

pub(super) fn read(text: &str) -> Rows {
    let mut rows = Rows::default();
    let reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut lines = Lines { text, line: 1, offset: 0 };
    let mut records = reader.into_records();
    let Some(Ok(header)) = records.next() else {
        return Rows::of_fault(1, "the file is empty; its first line names the columns: name,email,…");
    };
    let columns: Vec<String> = header.iter().map(|column| column.trim().to_lowercase()).collect();
    check_header(&columns, &mut rows);
    if !rows.faults.is_empty() {
        return rows;
    }
    for record in records {
        match record {
            Ok(record) => row(&columns, lines.of(&record), &record, &mut rows),
            Err(_) => rows.fault(1, "this is not CSV; export it again"),
        }
    }
    rows
}

fn check_header(columns: &[String], rows: &mut Rows) {
    for (index, column) in columns.iter().enumerate() {
        if !COLUMNS.contains(&column.as_str()) {
            let known = COLUMNS.join(", ");
            rows.fault(1, format!("there is no column {}; remove it, known are: {known}", shown(column)));
        } else if columns[..index].contains(column) {
            rows.fault(1, format!("the column {} is there twice; remove one", shown(column)));
        }
    }
    for needed in &COLUMNS[..2] {
        if !columns.iter().any(|column| column == needed) {
            rows.fault(1, format!("the column “{needed}” is missing; the first line names the columns, with commas"));
        }
    }
}

fn row(columns: &[String], line: usize, record: &StringRecord, rows: &mut Rows) {
    if record.iter().any(|cell| cell.len() > LONGEST_CELL) {
        return rows.fault(line, "a cell is longer than 4 KiB; is a closing quote missing?");
    }
    if record.len() != columns.len() {
        let (cells, columns) = (record.len(), columns.len());
        return rows.fault(line, format!("there are {cells} cells under {columns} columns; put quotes around a comma"));
    }
    let cell = |name: &str| {
        let index = columns.iter().position(|column| column == name);
        index.and_then(|index| record.get(index)).unwrap_or_default().trim().to_owned()
    };
    rows.people.push(Row {
        line,
        name: cell("name"),
        email: cell("email"),
        full_name: cell("full_name"),
        phone: cell("phone"),
        language: cell("language"),
        groups: list(&cell("groups")),
        rights: list(&cell("rights")),
        state: cell("state"),
        valid_from: cell("valid_from"),
        valid_until: cell("valid_until"),
        hash: cell("password_hash"),
        must_change: false,
    });
}

impl Lines<'_> {
    /// The line on which a record begins. (The reader counts, too, but takes the line break before a record, and empty lines,
    /// for the record's own.) Records come in order.
    fn of(&mut self, record: &StringRecord) -> usize {
        let begin = record.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(usize::MAX));
        let rest = self.text.as_bytes().get(begin..).unwrap_or_default();
        let breaks = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let passed = self.text.as_bytes().get(self.offset..begin + breaks).unwrap_or_default();
        self.line += memchr::memchr_iter(b'\n', passed).count();
        self.offset = begin + breaks;
        self.line
    }
}

/// What stands between semicolons.
fn list(cell: &str) -> Vec<String> {
    cell.split(';').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
