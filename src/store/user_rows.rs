//! Users read with their groups and rights: one statement, so that what is read was true together.

use std::collections::BTreeSet;

use super::StoreError;
use super::sql::Row;
use super::users::UserRow;
use crate::identity::{Right, User, UserId};
use crate::secret::Sealed;

/// A statement that gives a row for each pair of a user's group and right, one user's rows together.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT u.id, u.name, u.full_name, u.email, u.language, u.state, u.valid_from, u.valid_until, u.phone, ",
            "u.phone_mac, u.password_hash, u.password_set_at, u.password_must_change, u.password_spent, u.created_at, ",
            "u.last_login_at, u.epoch, g.group_name, r.held_right FROM users u ",
            "LEFT JOIN user_groups g ON g.user_id = u.id LEFT JOIN user_rights r ON r.user_id = u.id ",
            $rest
        )
    };
}
pub(super) use select;

/// Puts the rows of [`select`] together again.
pub(super) fn collect(rows: &[Row]) -> Result<Vec<UserRow>, StoreError> {
    let mut users = Vec::new();
    let mut rest = rows;
    while let Some(first) = rest.first() {
        let id: UserId = first.word("id")?;
        let mut groups = BTreeSet::new();
        let mut rights = BTreeSet::new();
        while let Some((row, more)) = rest.split_first() {
            if row.word::<UserId>("id")? != id {
                break;
            }
            groups.extend(row.get::<Option<String>>("group_name")?);
            rights.extend(row.maybe_word::<Right>("held_right")?);
            rest = more;
        }
        users.push(read(first, groups, rights)?);
    }
    Ok(users)
}

fn read(row: &Row, groups: BTreeSet<String>, rights: BTreeSet<Right>) -> Result<UserRow, StoreError> {
    let user = User {
        id: row.word("id")?,
        name: row.get("name")?,
        full_name: row.get("full_name")?,
        email: row.get("email")?,
        language: row.get("language")?,
        groups: groups.into_iter().collect(),
        rights: rights.into_iter().collect(),
        state: row.word("state")?,
        valid_from: row.maybe_time("valid_from")?,
        valid_until: row.maybe_time("valid_until")?,
    };
    Ok(UserRow {
        user,
        phone: row.get::<Option<Vec<u8>>>("phone")?.map(Sealed::from_stored),
        phone_mac: row.get("phone_mac")?,
        password_hash: row.get("password_hash")?,
        password_set_at: row.maybe_time("password_set_at")?,
        password_must_change: row.flag("password_must_change")?,
        password_spent: row.flag("password_spent")?,
        created_at: row.time("created_at")?,
        last_login_at: row.maybe_time("last_login_at")?,
        epoch: row.get("epoch")?,
    })
}
