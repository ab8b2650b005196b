//! `vantail session`: who is signed in, which browsers are remembered, and ending it.

use std::collections::HashMap;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Failure;
use super::console::Console;
use crate::account::{AccountError, Accounts};
use crate::app::Tools;
use crate::audit::Origin;
use crate::identity::{DeviceId, SessionId, UserId};
use crate::operation::Operations;
use crate::policy::security;
use crate::session::still_remembered;
use crate::store::devices::DeviceRow;
use crate::store::sessions::{SessionRow, Stage};

/// What to do with sessions.
#[derive(Debug, Subcommand)]
pub(super) enum SessionCommand {
    /// List sessions, the newest first; sign-ins on their way included. Or the browsers that are remembered.
    List(ListArguments),
    /// End a session with the device it belongs to, a remembered device with its sessions, or all of a user's. A running
    /// gateway refuses them within a second.
    End(EndArguments),
}

/// What to list.
#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// Only this user's: user name or mail address.
    #[arg(long)]
    user: Option<String>,
    /// Remembered devices instead of sessions.
    #[arg(long)]
    devices: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Which sessions to end.
#[derive(Debug, Args)]
pub(super) struct EndArguments {
    /// The session's id, as listed.
    #[arg(required_unless_present_any = ["user", "device"], conflicts_with_all = ["user", "device"])]
    session: Option<SessionId>,
    /// A remembered device, as listed with --devices, and its sessions.
    #[arg(long, value_name = "DEVICE", conflicts_with = "user")]
    device: Option<DeviceId>,
    /// All of this user's, their remembered devices included: user name or mail address.
    #[arg(long)]
    user: Option<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Everybody's user name.
struct Names(HashMap<UserId, String>);

/// Runs `command`.
pub(super) async fn run(
    command: SessionCommand,
    tools: &Tools,
    origin: &Origin,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let (accounts, operations) = (&tools.accounts, &tools.operations);
    match command {
        SessionCommand::List(arguments) if arguments.devices => {
            let limits = tools.policy.load().security.sessions;
            list_devices(accounts, &arguments, &limits, origin, console).await
        }
        SessionCommand::List(arguments) => list(accounts, &arguments, console).await,
        SessionCommand::End(arguments) => {
            let ended = end(&arguments, operations, origin, accounts).await?;
            if arguments.json {
                return console.json(&json!({ "ended": ended }));
            }
            console.say(format_args!("ended {ended}"))
        }
    }
}

async fn list(accounts: &Accounts, wanted: &ListArguments, console: &mut Console<'_>) -> Result<(), Failure> {
    let sessions = accounts.store.sessions(owner(accounts, wanted).await?).await.map_err(AccountError::from)?;
    let names = Names::of_all(accounts).await?;
    if wanted.json {
        return console.json(&sessions.iter().map(|session| shown(session, &names.of(session.user))).collect());
    }
    let rows: Vec<_> = sessions.iter().map(|session| line(session, names.of(session.user))).collect();
    console.table(["SESSION", "USER", "STAGE", "LEVEL", "SINCE", "LAST SEEN", "ADDRESS", "BROWSER"], &rows)
}

/// Those that would let their browser in now.
async fn list_devices(
    accounts: &Accounts,
    wanted: &ListArguments,
    limits: &security::Sessions,
    origin: &Origin,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let user = owner(accounts, wanted).await?;
    let mut devices = accounts.store.devices(user, origin.now).await.map_err(AccountError::from)?;
    devices.retain(|device| still_remembered(device, limits, origin.now));
    let names = Names::of_all(accounts).await?;
    if wanted.json {
        return console.json(&devices.iter().map(|device| shown_device(device, &names.of(device.user))).collect());
    }
    let rows: Vec<_> = devices.iter().map(|device| device_line(device, names.of(device.user))).collect();
    console.table(["DEVICE", "USER", "SINCE", "LAST SEEN", "UNTIL", "ADDRESS", "BROWSER"], &rows)
}

/// Whose, when only somebody's are wanted.
async fn owner(accounts: &Accounts, wanted: &ListArguments) -> Result<Option<UserId>, Failure> {
    Ok(match &wanted.user {
        Some(user) => Some(accounts.find(user).await?.user.id),
        None => None,
    })
}

/// How many ended.
async fn end(
    arguments: &EndArguments,
    operations: &Operations,
    origin: &Origin,
    accounts: &Accounts,
) -> Result<u64, Failure> {
    if let Some(device) = arguments.device {
        let found = accounts.store.device(device).await.map_err(AccountError::from)?;
        let none = || Failure::failed(format!("there is no device {device}; see: vantail session list --devices"));
        let user = found.ok_or_else(none)?.user;
        let forgotten = operations.forget_device(user, device, origin).await.map_err(AccountError::from)?;
        return Ok(u64::from(forgotten));
    }
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
        "level": session.level(),
        "amr": session.amr,
        "auth_time": session.auth_time.to_string(),
        "created_at": session.created_at.to_string(),
        "last_seen": session.last_seen.to_string(),
        "expires_at": session.expires_at.to_string(),
        "device": session.memory.device(),
        "address": session.address,
        "user_agent": session.user_agent,
    })
}

fn shown_device(device: &DeviceRow, user: &str) -> Value {
    json!({
        "id": device.id,
        "user": user,
        "auth_time": device.auth_time.to_string(),
        "created_at": device.created_at.to_string(),
        "last_seen": device.last_seen.to_string(),
        "expires_at": device.expires_at.to_string(),
        "address": device.address,
        "user_agent": device.user_agent,
    })
}

fn device_line(device: &DeviceRow, user: String) -> [String; 7] {
    [
        device.id.to_string(),
        user,
        device.created_at.to_string(),
        device.last_seen.to_string(),
        device.expires_at.to_string(),
        device.address.map_or_else(|| "-".into(), |address| address.to_string()),
        device.user_agent.clone(),
    ]
}

fn line(session: &SessionRow, user: String) -> [String; 8] {
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
        session.level().to_string(),
        session.created_at.to_string(),
        session.last_seen.to_string(),
        session.address.map_or_else(|| "-".into(), |address| address.to_string()),
        session.user_agent.clone(),
    ]
}

// === impl Names ===

impl Names {
    async fn of_all(accounts: &Accounts) -> Result<Self, Failure> {
        let names = accounts.store.user_names().await.map_err(AccountError::from)?;
        Ok(Self(names.into_iter().collect()))
    }

    fn of(&self, user: UserId) -> String {
        self.0.get(&user).cloned().unwrap_or_default()
    }
}
