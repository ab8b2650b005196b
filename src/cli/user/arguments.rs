//! What is typed after `vantail user …`.

use std::path::PathBuf;

use clap::Args;

use super::super::Failure;
use crate::account::Edit;
use crate::identity::Right;
use crate::time::Timestamp;

/// Whom.
#[derive(Debug, Args)]
pub(in crate::cli) struct Named {
    /// User name or mail address.
    pub(super) user: String,
    /// As JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// A user to add.
#[derive(Debug, Args)]
pub(in crate::cli) struct AddArguments {
    /// User name: letters, digits, '.', '_' and '-'.
    pub(super) user: String,
    /// Mail address.
    #[arg(long)]
    pub(super) email: String,
    /// First and last name.
    #[arg(long)]
    pub(super) name: String,
    /// Phone number for SMS: +33612345678.
    #[arg(long)]
    pub(super) phone: Option<String>,
    /// Language of mails, SMS and pages: en or fr.
    #[arg(long)]
    pub(super) language: Option<String>,
    /// A group, the organisation's own word; may be given several times.
    #[arg(long = "group", value_name = "GROUP")]
    pub(super) groups: Vec<String>,
    /// A right; may be given several times.
    #[arg(long = "right", value_name = "RIGHT")]
    pub(super) rights: Vec<Right>,
    /// Read the password from this file.
    #[arg(long, value_name = "FILE", conflicts_with = "temporary")]
    pub(super) password_file: Option<PathBuf>,
    /// Make a password and print it. It works once, and that sign-in must change it.
    #[arg(long)]
    pub(super) temporary: bool,
    /// As JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// What to change. What is not named stays.
#[derive(Debug, Args)]
pub(in crate::cli) struct EditArguments {
    /// User name or mail address.
    pub(super) user: String,
    /// Mail address.
    #[arg(long)]
    email: Option<String>,
    /// First and last name.
    #[arg(long)]
    name: Option<String>,
    /// Phone number, or "none".
    #[arg(long)]
    phone: Option<String>,
    /// en, fr, or "none".
    #[arg(long)]
    language: Option<String>,
    /// Nobody before this moment: 2027-01-31, 2027-01-31T08:00:00Z, or "none".
    #[arg(long, value_name = "DATE")]
    valid_from: Option<String>,
    /// Nobody from this moment on: 2027-01-31, 2027-01-31T08:00:00Z, or "none".
    #[arg(long, value_name = "DATE")]
    valid_until: Option<String>,
    /// Into this group; may be given several times.
    #[arg(long, value_name = "GROUP")]
    add_group: Vec<String>,
    /// Out of this group; may be given several times.
    #[arg(long, value_name = "GROUP")]
    remove_group: Vec<String>,
    /// As JSON: the user as they are then.
    #[arg(long)]
    pub(super) json: bool,
}

/// Whose rights, and which.
#[derive(Debug, Args)]
pub(in crate::cli) struct RightArguments {
    /// User name or mail address.
    pub(super) user: String,
    /// One or several rights.
    #[arg(required = true, value_name = "RIGHT")]
    pub(super) rights: Vec<Right>,
    /// As JSON: the user as they are then.
    #[arg(long)]
    pub(super) json: bool,
}

// === impl EditArguments ===

impl EditArguments {
    /// What they ask to change; at least something.
    pub(super) fn edit(self) -> Result<Edit, Failure> {
        let edit = Edit {
            full_name: self.name,
            email: self.email,
            phone: self.phone.map(unless_none),
            language: self.language.map(unless_none),
            valid_from: self.valid_from.map(|text| date(&text)).transpose()?,
            valid_until: self.valid_until.map(|text| date(&text)).transpose()?,
            add_groups: self.add_group,
            remove_groups: self.remove_group,
        };
        if edit == Edit::default() {
            return Err(Failure::wrong("nothing to change: name what to change, see vantail user edit --help"));
        }
        Ok(edit)
    }
}

fn unless_none(text: String) -> Option<String> {
    (text != "none").then_some(text)
}

/// A moment, or the beginning of a day in UTC.
fn date(text: &str) -> Result<Option<Timestamp>, Failure> {
    if text == "none" {
        return Ok(None);
    }
    let wrong = || Failure::wrong(format!("{text:?} is no date: write 2027-01-31 or 2027-01-31T08:00:00Z"));
    Timestamp::parse(text).map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_days_or_moments_in_utc() {
        let day = Timestamp::from_secs(1_801_353_600);
        assert_eq!(date("2027-01-31").unwrap(), Some(day));
        assert_eq!(date("2027-01-31T01:00:00+01:00").unwrap(), Some(day));
        assert_eq!(date("none").unwrap(), None);
        assert!(date("31/01/2027").is_err());
    }
}
