//! `vantail user`: people, their rights and what proves them.

mod arguments;
mod import;
mod show;

use clap::Subcommand;
use serde_json::json;

use self::arguments::{AddArguments, EditArguments, Named, RightArguments};
use self::import::ImportArguments;
use super::Failure;
use super::console::Console;
use super::password;
use crate::account::{AccountError, Accounts, Addition};
use crate::audit::Origin;
use crate::identity::UserId;
use crate::notify::Notices;
use crate::policy::Security;
use crate::secret::SecretText;

/// What to do with users. A USER is a user name or a mail address, in any spelling.
#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add a user. The password is read from standard input, unless one of the options says otherwise.
    Add(AddArguments),
    /// Add the users of a file: CSV, htpasswd, shadow or LDIF, with the hashes of their passwords. All of them, or none.
    Import(ImportArguments),
    /// List all users.
    List {
        /// Those alone whose password hash is weak: made by another program, or with less than passwords.hashing asks for.
        #[arg(long)]
        weak: bool,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one user, phone number and second factor included.
    Show(Named),
    /// Change what is known of a user.
    Edit(EditArguments),
    /// Give rights.
    Grant(RightArguments),
    /// Take rights away.
    Revoke(RightArguments),
    /// Switch a user off: no sign-in, and their sessions end.
    Disable(Named),
    /// Switch a user on again.
    Enable(Named),
    /// Make a temporary password. It works once, and that sign-in must change it, unless security.toml says otherwise. Their
    /// sessions end.
    ResetPassword(Named),
    /// Remove the second factor and the recovery codes: verify first that it is really them who asks. Their sessions end.
    ResetSecondFactor(Named),
    /// End a lock after too many failed tries.
    Unlock(Named),
}

/// Runs `command`.
pub(super) async fn run(
    command: UserCommand,
    (accounts, notices): (&Accounts, &Notices),
    security: &Security,
    origin: &Origin,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let (user, json) = match command {
        UserCommand::Add(arguments) => return add(arguments, accounts, security, origin, console).await,
        UserCommand::Import(arguments) => return import::run(arguments, accounts, origin, console).await,
        UserCommand::List { weak, json } => return show::list(accounts, weak, json, origin.now, console).await,
        UserCommand::Show(Named { user, json }) => return show::one(accounts, &user, json, origin.now, console).await,
        UserCommand::ResetPassword(named) => return reset(&named, accounts, security, origin, console).await,
        UserCommand::Unlock(named) => return unlock(&named, accounts, origin, console).await,
        UserCommand::Edit(arguments) => edit(arguments, accounts, origin).await?,
        UserCommand::Grant(RightArguments { user, rights, json }) => {
            let id = id_of(accounts, &user).await?;
            for right in rights {
                accounts.grant(id, right, origin).await?;
            }
            (user, json)
        }
        UserCommand::Revoke(RightArguments { user, rights, json }) => {
            let id = id_of(accounts, &user).await?;
            for right in rights {
                accounts.revoke(id, right, origin).await?;
            }
            (user, json)
        }
        UserCommand::Disable(Named { user, json }) => {
            accounts.disable(id_of(accounts, &user).await?, origin).await?;
            (user, json)
        }
        UserCommand::Enable(Named { user, json }) => {
            accounts.enable(id_of(accounts, &user).await?, origin).await?;
            (user, json)
        }
        UserCommand::ResetSecondFactor(Named { user, json }) => {
            let id = id_of(accounts, &user).await?;
            accounts.reset_second_factor(id, notices.factor_reset(origin), origin).await?;
            (user, json)
        }
    };
    if json { show::after_act(accounts, &user, console).await } else { console.say("done") }
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
        let mut shown = json!({ "id": user.id, "name": user.name });
        if let Some(password) = &temporary {
            shown["temporary_password"] = password.expose().into();
        }
        return console.json(&shown);
    }
    console.say(format_args!("added {} ({})", user.name, user.id))?;
    temporary.map_or(Ok(()), |password| hand_over(&password, true, console))
}

/// Whom to show then, and whether as JSON: a new address is how they are found.
async fn edit(arguments: EditArguments, accounts: &Accounts, origin: &Origin) -> Result<(String, bool), Failure> {
    let (row, json) = (accounts.find(&arguments.user).await?, arguments.json);
    accounts.edit(row.user.id, arguments.edit()?, origin).await?;
    Ok((row.user.name, json))
}

async fn reset(
    named: &Named,
    accounts: &Accounts,
    security: &Security,
    origin: &Origin,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let password = accounts.reset_password(security, id_of(accounts, &named.user).await?, origin).await?;
    if named.json {
        return console.json(&json!({ "temporary_password": password.expose() }));
    }
    hand_over(&password, security.passwords.force_change_after_reset, console)
}

async fn unlock(named: &Named, accounts: &Accounts, origin: &Origin, console: &mut Console<'_>) -> Result<(), Failure> {
    let was_locked = accounts.unlock(id_of(accounts, &named.user).await?, origin).await?;
    if named.json {
        return console.json(&json!({ "was_locked": was_locked }));
    }
    console.say(if was_locked { "unlocked" } else { "was not locked; the count of tries is back to none" })
}

fn hand_over(password: &SecretText, must_change: bool, console: &mut Console<'_>) -> Result<(), Failure> {
    console.say(format_args!("temporary password: {}", password.expose()))?;
    let stays =
        if must_change { "It works once: that sign-in must change it." } else { "It works until it is changed." };
    console.say(format_args!("Shown this once. Pass it on by a safe channel, not by mail. {stays}"))
}

async fn id_of(accounts: &Accounts, user: &str) -> Result<UserId, Failure> {
    Ok(accounts.find(user).await?.user.id)
}

impl From<AccountError> for Failure {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Invalid(_) | AccountError::Password(_) => Self::wrong(error.to_string()),
            _ => Self::failed(error.to_string()),
        }
    }
}
