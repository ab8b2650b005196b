//! `vantail session`: who is signed in, and ending it.

use std::collections::HashMap;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Failure;
use super::console::Console;
use crate::account::{AccountError, Accounts};
use crate::audit::Origin;
use crate::identity::{SessionId, UserId};
use crate::operation::Operations;
use crate::store::sessions::{SessionRow, Stage};

/// What to do with sessions.
#[derive(Debug, Subcommand)]
pub(super) enum SessionCommand {
    /// List sessions, the newest first; sign-ins on their way included.
    List {
        /// Only this user's: user name or mail address.
        #[arg(long)]
        user: Option<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// End a session, or all of a user's. A running gateway refuses them within a second.
    End(EndArguments),
}

/// Which sessions to end.
#[derive(Debug, Args)]
pub(super) struct EndArguments {
    /// The session's id, as listed.
    #[arg(required_unless_present = "user", conflicts_with = "user")]
    session: Option<SessionId>,
    /// All of this user's: user name or mail address.
    #[arg(long)]
    user: Option<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Runs `command`.
pub(super) async fn run(
    command: SessionCommand,
    accounts: &Accounts,
    operations: &Operations,
    origin: &Origin,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    match command {
        SessionCommand::List { user, json } => list(accounts, user.as_deref(), json, console).await,
        SessionCommand::End(arguments) => {
            let ended = end(&arguments, operations, origin, accounts).await?;
            if arguments.json {
                return console.json(&json!({ "ended": ended }));
            }
            console.say(format_args!("ended {ended}"))
        }
    }
}

async fn list(accounts: &Accounts, user: Option<&str>, json: bool, console: &mut Console<'_>) -> Result<(), Failure> {
    let user = match user {
        Some(user) => Some(accounts.find(user).await?.user.id),
        None => None,
    };
    let sessions = accounts.store.sessions(user).await.map_err(AccountError::from)?;
    let users = accounts.store.users().await.map_err(AccountError::from)?;
    let names: HashMap<UserId, String> = users.into_iter().map(|row| (row.user.id, row.user.name)).collect();
    let name_of = |session: &SessionRow| names.get(&session.user).cloned().unwrap_or_default();
    if json {
        return console.json(&sessions.iter().map(|session| shown(session, &name_of(session))).collect());
    }
    let rows: Vec<_> = sessions.iter().map(|session| line(session, name_of(session))).collect();
    console.table(["SESSION", "USER", "STAGE", "SINCE", "LAST SEEN", "ADDRESS", "BROWSER"], &rows)
}

/// How many ended.
async fn end(
    arguments: &EndArguments,
    operations: &Operations,
    origin: &Origin,
    accounts: &Accounts,
) -> Result<u64, Failure> {
    let user = match arguments.session {
        None => accounts.find(arguments.user.as_deref().unwrap_or_default()).await?.user.id,
        Some(session) => {
            let row = accounts.store.session_by_id(session).await.map_err(AccountError::from)?;
            row.ok_or_else(|| Failure::failed(format!("there is no session {session}; see: vantail session list")))?
                .user
        }
    };
    Ok(operations.end_sessions(user, arguments.session, origin).await.map_err(AccountError::from)?)
}

fn shown(session: &SessionRow, user: &str) -> Value {
    json!({
        "id": session.id,
        "user": user,
        "stage": session.stage,
        "amr": session.amr,
        "auth_time": session.auth_time.to_string(),
        "created_at": session.created_at.to_string(),
        "last_seen": session.last_seen.to_string(),
        "expires_at": session.expires_at.to_string(),
        "address": session.address,
        "user_agent": session.user_agent,
    })
}

fn line(session: &SessionRow, user: String) -> [String; 7] {
    let stage = match session.stage {
        Stage::SecondFactor => "second factor missing",
        Stage::Enrol => "enrolment missing",
        Stage::ChangePassword => "new password missing",
        Stage::Live => "live",
    };
    [
        session.id.to_string(),
        user,
        stage.to_owned(),
        session.created_at.to_string(),
        session.last_seen.to_string(),
        session.address.map_or_else(|| "-".into(), |address| address.to_string()),
        session.user_agent.clone(),
    ]
}
