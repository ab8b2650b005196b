//! Users, as a table or as JSON.

use serde_json::{Value, json};

use super::super::Failure;
use super::super::console::Console;
use crate::account::lockout::Subject;
use crate::account::{AccountError, Accounts};
use crate::identity::UserState;
use crate::store::users::UserRow;
use crate::time::Timestamp;

/// A user with what other tables know of them.
struct Shown {
    row: UserRow,
    phone: Option<String>,
    second_factor: bool,
    locked_until: Option<Timestamp>,
    /// The algorithm of a hash that is replaced when its password is next given.
    weak_hash: Option<&'static str>,
}

/// Everybody, or those with a weak hash. Phone numbers are masked: the list is read over shoulders.
pub(super) async fn list(
    accounts: &Accounts,
    weak: bool,
    json: bool,
    now: Timestamp,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let mut users = Vec::new();
    let everybody = accounts.store.users().await.map_err(AccountError::from)?;
    for row in everybody.into_iter().filter(|row| !weak || weak_hash(accounts, row).is_some()) {
        let phone = accounts.phone(&row)?.map(|phone| phone.masked());
        users.push(shown(accounts, row, phone, now).await?);
    }
    if json {
        return console.json(&users.iter().map(Shown::json).collect());
    }
    if weak {
        let rows: Vec<_> = users.iter().map(|user| user.weak_line(now)).collect();
        return console.table(["NAME", "MAIL", "HASH", "LAST LOGIN", "STATE"], &rows);
    }
    let rows: Vec<_> = users.iter().map(|user| user.line(now)).collect();
    console
        .table(["NAME", "FULL NAME", "MAIL", "PHONE", "GROUPS", "RIGHTS", "2ND FACTOR", "LAST LOGIN", "STATE"], &rows)
}

/// One user, with the whole phone number.
pub(super) async fn one(
    accounts: &Accounts,
    user: &str,
    json: bool,
    now: Timestamp,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let row = accounts.find(user).await?;
    let phone = accounts.phone(&row)?.map(|phone| phone.as_str().to_owned());
    let user = shown(accounts, row, phone, now).await?.json();
    if json {
        return console.json(&user);
    }
    let fields = user.as_object().into_iter().flatten();
    let rows: Vec<_> = fields.map(|(name, value)| [name.replace('_', " "), text(value)]).collect();
    console.table(["FIELD", "VALUE"], &rows)
}

/// What an act on a user came to. Scripts keep what they are told in logs: no number, no address, no dates.
pub(super) async fn after_act(accounts: &Accounts, user: &str, console: &mut Console<'_>) -> Result<(), Failure> {
    let user = accounts.find(user).await?.user;
    console.json(&json!({
        "id": user.id,
        "name": user.name,
        "groups": user.groups,
        "rights": user.rights,
        "state": user.state,
    }))
}

async fn shown(
    accounts: &Accounts,
    row: UserRow,
    phone: Option<String>,
    now: Timestamp,
) -> Result<Shown, AccountError> {
    let factors = accounts.store.second_factors(row.user.id).await?;
    let counter = accounts.store.lockout(Subject::user(row.user.id).as_str()).await?;
    Ok(Shown {
        weak_hash: weak_hash(accounts, &row),
        row,
        phone,
        second_factor: factors.iter().any(|own| own.confirmed_at.is_some()),
        locked_until: counter.and_then(|counter| counter.locked_until).filter(|until| now < *until),
    })
}

fn weak_hash(accounts: &Accounts, row: &UserRow) -> Option<&'static str> {
    row.password_hash.as_deref().and_then(|hash| accounts.hashing.outdated(hash))
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}

// === impl Shown ===

impl Shown {
    fn json(&self) -> Value {
        let user = &self.row.user;
        let moment = |moment: Option<Timestamp>| moment.map(|moment| moment.to_string());
        json!({
            "id": user.id,
            "name": user.name,
            "full_name": user.full_name,
            "email": user.email,
            "phone": self.phone,
            "language": user.language,
            "groups": user.groups,
            "rights": user.rights,
            "state": user.state,
            "valid_from": moment(user.valid_from),
            "valid_until": moment(user.valid_until),
            "second_factor": self.second_factor,
            "password": self.row.password_hash.is_some(),
            "weak_hash": self.weak_hash,
            "password_must_change": self.row.password_must_change,
            "password_spent": self.row.password_spent,
            "locked_until": moment(self.locked_until),
            "created_at": self.row.created_at.to_string(),
            "last_login_at": moment(self.row.last_login_at),
        })
    }

    fn line(&self, now: Timestamp) -> [String; 9] {
        let user = &self.row.user;
        [
            user.name.clone(),
            user.full_name.clone(),
            user.email.clone(),
            self.phone.clone().unwrap_or_else(|| "-".into()),
            user.groups.join(", "),
            user.rights.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            if self.second_factor { "yes" } else { "no" }.to_owned(),
            self.last_login(),
            self.state(now).to_owned(),
        ]
    }

    fn weak_line(&self, now: Timestamp) -> [String; 5] {
        let user = &self.row.user;
        let hash = self.weak_hash.unwrap_or("-").to_owned();
        [user.name.clone(), user.email.clone(), hash, self.last_login(), self.state(now).to_owned()]
    }

    fn last_login(&self) -> String {
        self.row.last_login_at.map_or_else(|| "never".into(), |at| at.to_string())
    }

    fn state(&self, now: Timestamp) -> &'static str {
        if self.row.user.state == UserState::Disabled {
            "disabled"
        } else if !self.row.user.may_act(now) {
            "outside its dates"
        } else if self.locked_until.is_some() {
            "locked"
        } else {
            "active"
        }
    }
}
