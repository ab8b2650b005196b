//! `vantail user`: people, their rights and what proves them.

mod show;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Failure;
use super::console::Console;
use super::password;
use crate::account::{AccountError, Accounts, Addition, Edit};
use crate::audit::Origin;
use crate::identity::{Right, UserId};
use crate::policy::Security;
use crate::secret::SecretText;
use crate::time::Timestamp;

/// What to do with users. A USER is a user name or a mail address, in any spelling.
#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add a user. The password is read from standard input, unless one of the options says otherwise.
    Add(AddArguments),
    /// List all users.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one user, phone number and second factor included.
    Show {
        /// User name or mail address.
        user: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Change what is known of a user.
    Edit(EditArguments),
    /// Give rights.
    Grant(RightArguments),
    /// Take rights away.
    Revoke(RightArguments),
    /// Switch a user off: no sign-in, and their sessions end.
    Disable {
        /// User name or mail address.
        user: String,
    },
    /// Switch a user on again.
    Enable {
        /// User name or mail address.
        user: String,
    },
    /// Make a temporary password, to be changed at the next sign-in. Their sessions end.
    ResetPassword {
        /// User name or mail address.
        user: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Remove the second factor: verify first that it is really them who asks. Their sessions end.
    ResetSecondFactor {
        /// User name or mail address.
        user: String,
    },
    /// End a lock after too many failed tries.
    Unlock {
        /// User name or mail address.
        user: String,
    },
}

/// A user to add.
#[derive(Debug, Args)]
pub(super) struct AddArguments {
    /// User name: letters, digits, '.', '_' and '-'.
    user: String,
    /// Mail address.
    #[arg(long)]
    email: String,
    /// First and last name.
    #[arg(long)]
    name: String,
    /// Phone number for SMS: +33612345678.
    #[arg(long)]
    phone: Option<String>,
    /// Language of mails, SMS and pages: en or fr.
    #[arg(long)]
    language: Option<String>,
    /// A group, the organisation's own word; may be given several times.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// A right; may be given several times.
    #[arg(long = "right", value_name = "RIGHT")]
    rights: Vec<Right>,
    /// Read the password from this file.
    #[arg(long, value_name = "FILE", conflicts_with = "temporary")]
    password_file: Option<PathBuf>,
    /// Make a password and print it; it must be changed at the first sign-in.
    #[arg(long)]
    temporary: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// What to change. What is not named stays.
#[derive(Debug, Args)]
pub(super) struct EditArguments {
    /// User name or mail address.
    user: String,
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
}

/// Whose rights, and which.
#[derive(Debug, Args)]
pub(super) struct RightArguments {
    /// User name or mail address.
    user: String,
    /// One or several rights.
    #[arg(required = true, value_name = "RIGHT")]
    rights: Vec<Right>,
}

/// Runs `command`.
pub(super) async fn run(
    command: UserCommand,
    accounts: &Accounts,
    security: &Security,
    origin: &Origin,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    match command {
        UserCommand::Add(arguments) => return add(arguments, accounts, security, origin, console).await,
        UserCommand::List { json } => return show::list(accounts, json, origin.now, console).await,
        UserCommand::Show { user, json } => return show::one(accounts, &user, json, origin.now, console).await,
        UserCommand::ResetPassword { user, json } => return reset(&user, json, accounts, origin, console).await,
        UserCommand::Edit(arguments) => {
            let id = id_of(accounts, &arguments.user).await?;
            accounts.edit(id, edit(arguments)?, origin).await?;
        }
        UserCommand::Grant(RightArguments { user, rights }) => {
            let id = id_of(accounts, &user).await?;
            for right in rights {
                accounts.grant(id, right, origin).await?;
            }
        }
        UserCommand::Revoke(RightArguments { user, rights }) => {
            let id = id_of(accounts, &user).await?;
            for right in rights {
                accounts.revoke(id, right, origin).await?;
            }
        }
        UserCommand::Disable { user } => accounts.disable(id_of(accounts, &user).await?, origin).await?,
        UserCommand::Enable { user } => accounts.enable(id_of(accounts, &user).await?, origin).await?,
        UserCommand::ResetSecondFactor { user } => {
            accounts.reset_second_factor(id_of(accounts, &user).await?, origin).await?;
        }
        UserCommand::Unlock { user } => return unlock(&user, accounts, origin, console).await,
    }
    console.say("done")
}

async fn add(
    arguments: AddArguments,
    accounts: &Accounts,
    security: &Security,
    origin: &Origin,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let AddArguments { user, email, name, phone, language, groups, rights, password_file, temporary, json } = arguments;
    let password = if temporary { None } else { Some(password::read(password_file.as_deref(), console)?) };
    let addition =
        Addition { name: user, full_name: name, email, phone, language, groups, rights, password, temporary };
    let (user, temporary) = accounts.add(security, addition, origin).await?;
    if json {
        let mut shown = serde_json::json!({ "id": user.id, "name": user.name });
        if let Some(password) = &temporary {
            shown["temporary_password"] = password.expose().into();
        }
        return console.json(&shown);
    }
    console.say(format_args!("added {} ({})", user.name, user.id))?;
    temporary.map_or(Ok(()), |password| hand_over(&password, console))
}

async fn reset(
    user: &str,
    json: bool,
    accounts: &Accounts,
    origin: &Origin,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let password = accounts.reset_password(id_of(accounts, user).await?, origin).await?;
    if json {
        return console.json(&serde_json::json!({ "temporary_password": password.expose() }));
    }
    hand_over(&password, console)
}

async fn unlock(user: &str, accounts: &Accounts, origin: &Origin, console: &mut Console<'_>) -> Result<(), Failure> {
    let was_locked = accounts.unlock(id_of(accounts, user).await?, origin).await?;
    console.say(if was_locked { "unlocked" } else { "was not locked; the count of tries is back to none" })
}

fn hand_over(password: &SecretText, console: &mut Console<'_>) -> Result<(), Failure> {
    console.say(format_args!("temporary password: {}", password.expose()))?;
    console.say("Shown this once. Pass it on by a safe channel, not by mail; it must be changed at the next sign-in.")
}

fn edit(arguments: EditArguments) -> Result<Edit, Failure> {
    let edit = Edit {
        full_name: arguments.name,
        email: arguments.email,
        phone: arguments.phone.map(unless_none),
        language: arguments.language.map(unless_none),
        valid_from: arguments.valid_from.map(|text| date(&text)).transpose()?,
        valid_until: arguments.valid_until.map(|text| date(&text)).transpose()?,
        add_groups: arguments.add_group,
        remove_groups: arguments.remove_group,
    };
    if edit == Edit::default() {
        return Err(Failure::wrong("nothing to change: name what to change, see vantail user edit --help"));
    }
    Ok(edit)
}

fn unless_none(text: String) -> Option<String> {
    (text != "none").then_some(text)
}

/// A moment, or the beginning of a day in UTC.
fn date(text: &str) -> Result<Option<Timestamp>, Failure> {
    if text == "none" {
        return Ok(None);
    }
    let midnight = || format!("{text}T00:00:00Z").parse::<jiff::Timestamp>();
    let moment = text.parse::<jiff::Timestamp>().or_else(|_| midnight());
    let moment =
        moment.map_err(|_| Failure::wrong(format!("{text:?} is no date: write 2027-01-31 or 2027-01-31T08:00:00Z")))?;
    Ok(Some(Timestamp::from_millis(moment.as_millisecond())))
}

async fn id_of(accounts: &Accounts, user: &str) -> Result<UserId, Failure> {
    Ok(accounts.find(user).await?.user.id)
}

impl From<AccountError> for Failure {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Invalid(_) => Self::wrong(error.to_string()),
            _ => Self::failed(error.to_string()),
        }
    }
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
