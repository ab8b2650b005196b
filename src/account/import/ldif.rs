//! LDIF (RFC 2849): the people of a directory.
//!
//! An **entry** is the lines up to an empty one. A line that begins with a space goes on with the line before it. An entry
//! is a person when its `objectClass` says so, or when it has none and a `uid`. What is known of a person: `uid`,
//! `displayName` or `cn`, `mail`, `mobile` or `telephoneNumber`, `userPassword`, and groups where they are asked for.
//! Attributes with options (`cn;lang-fr`) are passed over.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{GroupsFrom, Row, Rows};

/// Object classes of people.
const PEOPLE: [&str; 4] = ["person", "organizationalperson", "inetorgperson", "posixaccount"];

/// Of one value that is looked at, bytes.
const LONGEST_VALUE: usize = 4096;

/// The lines of one entry, put together.
#[derive(Default)]
struct Entry {
    attributes: Vec<Attribute>,
    /// The last line was a comment: what goes on with it, does too.
    in_comment: bool,
}

struct Attribute {
    line: usize,
    /// In lower case.
    name: String,
    /// With the colons that say how it is written.
    written: String,
}

pub(super) fn read(text: &str, groups_from: Option<GroupsFrom>) -> Rows {
    let mut rows = Rows::default();
    let mut entry = Entry::default();
    for (index, line) in text.lines().chain([""]).enumerate() {
        let line = line.trim_end_matches('\r');
        if line.is_empty() {
            std::mem::take(&mut entry).end(groups_from, &mut rows);
        } else {
            entry.take(index + 1, line, &mut rows);
        }
    }
    rows
}

impl Entry {
    fn take(&mut self, number: usize, line: &str, rows: &mut Rows) {
        if let Some(rest) = line.strip_prefix(' ') {
            match self.attributes.last_mut() {
                _ if self.in_comment => {}
                Some(attribute) => attribute.written.push_str(rest),
                None => rows.fault(number, "a line begins with a space and goes on with nothing; remove the space"),
            }
            return;
        }
        self.in_comment = line.starts_with('#');
        if self.in_comment {
            return;
        }
        match line.split_once(':') {
            Some((name, written)) => {
                let (name, written) = (name.trim().to_ascii_lowercase(), written.to_owned());
                self.attributes.push(Attribute { line: number, name, written });
            }
            None => rows.fault(number, "this is not attribute: value; is this an LDIF file?"),
        }
    }

    fn end(mut self, groups_from: Option<GroupsFrom>, rows: &mut Rows) {
        self.attributes.retain(|attribute| attribute.name != "version");
        let Some(first) = self.attributes.first() else { return };
        let line = first.line;
        match first.name.as_str() {
            "dn" => {}
            // How ldapsearch ends.
            "search" | "result" => return,
            _ => return rows.fault(line, "an entry begins with dn: …; is an empty line missing, or too many?"),
        }
        match self.person(line, groups_from) {
            Ok(Some(row)) => rows.people.push(row),
            Ok(None) => rows.passed_over += 1,
            Err((line, what)) => rows.fault(line, what),
        }
    }

    fn person(&self, line: usize, groups_from: Option<GroupsFrom>) -> Result<Option<Row>, (usize, String)> {
        if self.values("changetype")?.iter().any(|change| change != "add") {
            return Err((
                line,
                "this changes an entry instead of telling one; export the entries themselves".to_owned(),
            ));
        }
        let classes = self.values("objectclass")?;
        let is_person = classes.iter().any(|class| PEOPLE.contains(&class.to_ascii_lowercase().as_str()));
        let has_name = self.has("uid");
        if !is_person && !classes.is_empty() || classes.is_empty() && !has_name {
            return Ok(None);
        }
        if !has_name {
            return Err((
                line,
                "this person has no uid, which is the user name; add one, or remove the entry".to_owned(),
            ));
        }
        let passwords = self.values("userpassword")?;
        if passwords.len() > 1 {
            return Err((line, "this person has several values of userPassword; leave one".to_owned()));
        }
        let groups = match groups_from {
            None => Vec::new(),
            Some(GroupsFrom::Ou) => self.values("ou")?,
            Some(GroupsFrom::MemberOf) => self.values("memberof")?.iter().map(|name| first_part(name)).collect(),
        };
        Ok(Some(Row {
            line,
            name: self.first(&["uid"])?,
            email: self.first(&["mail"])?,
            full_name: self.first(&["displayname", "cn"])?,
            phone: self.first(&["mobile", "telephonenumber"])?,
            groups,
            hash: passwords.into_iter().next().unwrap_or_default(),
            ..Row::default()
        }))
    }

    fn has(&self, name: &str) -> bool {
        self.attributes.iter().any(|attribute| attribute.name == name)
    }

    /// The first value of the first of `names` that has one.
    fn first(&self, names: &[&str]) -> Result<String, (usize, String)> {
        for name in names {
            if let Some(value) = self.values(name)?.into_iter().find(|value| !value.is_empty()) {
                return Ok(value);
            }
        }
        Ok(String::new())
    }

    fn values(&self, name: &str) -> Result<Vec<String>, (usize, String)> {
        let own = self.attributes.iter().filter(|attribute| attribute.name == name);
        own.map(|attribute| attribute.value().map_err(|what| (attribute.line, what.to_owned()))).collect()
    }
}

impl Attribute {
    /// `: plain`, `:: base64`; `:< file` is somebody else's file, and not read.
    fn value(&self) -> Result<String, &'static str> {
        if self.written.len() > LONGEST_VALUE {
            return Err("the value is longer than 4 KiB; shorten it");
        }
        if self.written.starts_with('<') {
            return Err("the value stands in another file, which is not read; put it here");
        }
        let Some(encoded) = self.written.strip_prefix(':') else { return Ok(self.written.trim().to_owned()) };
        let decoded = STANDARD.decode(encoded.trim()).map_err(|_| "the value is not base64; correct it")?;
        let text = String::from_utf8(decoded).map_err(|_| "the value is not UTF-8; correct it")?;
        if text.contains('\0') {
            Err("there is a NUL byte in the value; remove it")
        } else {
            Ok(text.trim().to_owned())
        }
    }
}

/// The value of a distinguished name's first part (RFC 4514): `staff` of `cn=staff,ou=groups,dc=example`.
fn first_part(name: &str) -> String {
    let value = name.split_once('=').map_or(name, |(_, value)| value);
    let (mut part, mut letters) = (Vec::new(), value.bytes().peekable());
    while let Some(letter) = letters.next() {
        match letter {
            b',' | b'+' => break,
            b'\\' => {
                let Some(escaped) = letters.next() else { break };
                let hex = |letter: u8| char::from(letter).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                match (hex(escaped), letters.peek().copied().and_then(hex)) {
                    (Some(high), Some(low)) => {
                        letters.next();
                        part.push(high << 4 | low);
                    }
                    _ => part.push(escaped),
                }
            }
            letter => part.push(letter),
        }
    }
    String::from_utf8_lossy(&part).trim().to_owned()
}
