//! `vantail operation`: what is held, what became of it, and cancelling it.

use std::collections::HashMap;

use clap::Subcommand;
use serde_json::{Value, json};

use super::Failure;
use super::console::Console;
use crate::account::{AccountError, Accounts};
use crate::audit::Origin;
use crate::identity::UserId;
use crate::operation::view::{Body, NoticeState, Part, Piece, View};
use crate::operation::{OperationError, Operations, State};
use crate::portal::failure_in_english;
use crate::store::operations::OperationRow;

/// What to do with held operations.
#[derive(Debug, Subcommand)]
pub(super) enum OperationCommand {
    /// List operations, the newest first: those that are not over.
    List {
        /// Those in this state instead; may be given several times.
        #[arg(long = "state", value_name = "STATE")]
        states: Vec<State>,
        /// Those that are over too.
        #[arg(long, conflicts_with = "states")]
        all: bool,
        /// At most so many.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(i64).range(1..=10_000))]
        limit: i64,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one: what will be sent, who was told, who confirmed.
    Show {
        /// Its id, 8 digits.
        operation: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Cancel one that waits. The requester is told by mail.
    Cancel {
        /// Its id, 8 digits.
        operation: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// The operations a command works on, and the names of the people in them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held<'a> {
    /// The operations.
    pub(super) operations: &'a Operations,
    /// The people.
    pub(super) accounts: &'a Accounts,
}

const UNDER_WAY: [State; 3] = [State::Waiting, State::Confirmed, State::Sending];

/// Runs `command`.
pub(super) async fn run(
    command: OperationCommand,
    held: Held<'_>,
    origin: &Origin,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    match command {
        OperationCommand::List { states, all, limit, json } => {
            let states = if states.is_empty() && !all { UNDER_WAY.to_vec() } else { states };
            list(held.accounts, (&states, limit), json, console).await
        }
        OperationCommand::Show { operation, json } => {
            let view = held.operations.inspect(&operation).await.map_err(|error| failure(&operation, &error))?;
            if json { console.json(&whole(&view)) } else { lines(&view, console) }
        }
        OperationCommand::Cancel { operation, json } => {
            held.operations.cancel(&operation, None, origin).await.map_err(|error| failure(&operation, &error))?;
            if json {
                return console.json(&json!({ "operation": operation, "state": State::Cancelled }));
            }
            console.say("cancelled")
        }
    }
}

async fn list(
    accounts: &Accounts,
    (states, limit): (&[State], i64),
    json: bool,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let rows = accounts.store.operations(states, limit).await.map_err(AccountError::from)?;
    let users = accounts.store.users().await.map_err(AccountError::from)?;
    let names: HashMap<UserId, String> = users.into_iter().map(|row| (row.user.id, row.user.name)).collect();
    let name_of = |row: &OperationRow| names.get(&row.requester).cloned().unwrap_or_default();
    if json {
        return console.json(&rows.iter().map(|row| listed(row, &name_of(row))).collect());
    }
    let rows: Vec<_> = rows.iter().map(|row| line(row, name_of(row))).collect();
    console.table(["OPERATION", "STATE", "REASON", "ASKED", "EXPIRES", "REQUESTER", "SITE", "TITLE"], &rows)
}

fn failure(operation: &str, error: &OperationError) -> Failure {
    Failure::failed(match error {
        OperationError::NotFound => format!("there is no operation {operation}; see: vantail operation list --all"),
        OperationError::NotWaiting(state) => {
            format!("operation {operation} is {} already; nothing was changed", state.as_str())
        }
        OperationError::SealBroken => format!(
            "the record of operation {operation} was changed by somebody else than the gateway; see: vantail audit list"
        ),
        other => other.to_string(),
    })
}

fn listed(row: &OperationRow, requester: &str) -> Value {
    json!({
        "operation": row.id,
        "state": row.state,
        "reason": row.reason,
        "title": { "en": row.title_en, "fr": row.title_fr },
        "site": row.site,
        "rule": row.rule,
        "requester": requester,
        "method": row.method,
        "asked_at": row.created_at.to_string(),
        "expires_at": row.expires_at.to_string(),
        "wrong_tokens": row.tries,
        "status": row.status,
    })
}

fn line(row: &OperationRow, requester: String) -> [String; 8] {
    [
        row.id.clone(),
        row.state.as_str().to_owned(),
        row.reason.clone().unwrap_or_else(|| "-".to_owned()),
        row.created_at.to_string(),
        row.expires_at.to_string(),
        requester,
        row.site.clone(),
        row.title_en.clone(),
    ]
}

fn whole(view: &View) -> Value {
    let confirmed = |(name, at): &(String, crate::time::Timestamp)| json!({ "by": name, "at": at.to_string() });
    json!({
        "operation": view.id,
        "state": view.state,
        "reason": view.reason,
        "title": { "en": view.title_en, "fr": view.title_fr },
        "site": view.site,
        "rule": view.rule,
        "requester": view.requester.as_ref().map(|requester| &requester.name),
        "address": view.client,
        "method": view.method,
        "host": view.host,
        "target": words(&view.target),
        "headers": view.headers.iter().map(|(name, value)| json!([name, words(value)])).collect::<Vec<_>>(),
        "body": body_lines(&view.body),
        "body_length": view.body_length,
        "digest": view.digest,
        "kept": view.kept,
        "asked_at": view.created_at.to_string(),
        "expires_at": view.expires_at.to_string(),
        "confirmations_needed": view.quorum,
        "confirmed": view.confirmed_by.iter().map(confirmed).collect::<Vec<_>>(),
        "notices": view.notices.iter().map(notice).collect::<Vec<_>>(),
        "status": view.status,
    })
}

fn notice(notice: &NoticeState) -> Value {
    json!({ "channel": notice.channel, "to": notice.to, "state": notice.state, "error": notice.error })
}

fn lines(view: &View, console: &mut Console<'_>) -> Result<(), Failure> {
    let requester = view.requester.as_ref().map_or("-", |requester| requester.name.as_str());
    let mut rows = vec![
        row("operation", &view.id),
        row("title", &view.title_en),
        row("state", view.state.as_str()),
        row("reason", view.reason.as_deref().unwrap_or("-")),
        row("requester", format!("{requester} {}", view.client)),
        row("asked", view.created_at),
        row("expires", view.expires_at),
        row("site, rule", format!("{}, {}", view.site, view.rule)),
        row("confirmations", format!("{} of {}", view.confirmed_by.len(), view.quorum)),
    ];
    rows.extend(view.confirmed_by.iter().map(|(name, at)| row("confirmed", format!("{name}, {at}"))));
    rows.extend(view.notices.iter().map(|told| row("told", told_words(told))));
    rows.extend(view.status.map(|status| row("status", status)));
    if view.kept {
        rows.push(row("request", format!("{} {}{}", view.method, view.host, words(&view.target))));
        rows.extend(view.headers.iter().map(|(name, value)| row("header", format!("{name}: {}", words(value)))));
        rows.extend(body_lines(&view.body).into_iter().map(|line| row("body", line)));
        rows.push(row("digest", if view.digest.is_empty() { "not told: fields are masked" } else { &view.digest }));
    }
    console.table(["WHAT", ""], &rows)
}

fn row(what: &str, value: impl std::fmt::Display) -> [String; 2] {
    [what.to_owned(), value.to_string()]
}

fn told_words(told: &NoticeState) -> String {
    let error = told.error.map(|failure| format!(" ({})", failure_in_english(failure))).unwrap_or_default();
    format!("{} by {}: {}{error}", told.to, told.channel, told.state.as_str())
}

fn body_lines(body: &Body) -> Vec<String> {
    match body {
        Body::Empty => Vec::new(),
        Body::Fields(fields) => {
            fields.iter().map(|(name, value)| format!("{} = {}", words(name), words(value))).collect()
        }
        Body::Parts(parts) => parts.iter().map(part_words).collect(),
        Body::Text(text) => words(text).lines().map(str::to_owned).collect(),
        Body::Binary(lines) => lines.clone(),
    }
}

fn part_words(part: &Part) -> String {
    let file = part.file_name.as_ref().map(|name| format!(" file {}", words(name))).unwrap_or_default();
    let text = part.text.as_ref().map(|text| format!(" = {}", words(text))).unwrap_or_default();
    format!("{}{file} ({} bytes {}){text}", words(&part.name), part.length, part.digest)
}

/// Pieces for a terminal: what is not shown as it is stands in brackets.
fn words(pieces: &[Piece]) -> String {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::CodePoint(code) => format!("[{code}]"),
            Piece::Blanks(count) => format!("[{count} blanks]"),
            Piece::Cut(bytes) => format!("[{bytes} bytes left out]"),
            Piece::Masked => "[masked]".to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_said_in_brackets() {
        let pieces = [
            Piece::Text("a".to_owned()),
            Piece::CodePoint("U+202E".to_owned()),
            Piece::Blanks(9),
            Piece::Cut(7),
            Piece::Masked,
        ];
        assert_eq!(words(&pieces), "a[U+202E][9 blanks][7 bytes left out][masked]");
    }

    #[test]
    fn an_unknown_operation_is_said_with_what_to_do() {
        let said = failure("48271935", &OperationError::NotFound).to_string();
        assert_eq!(said, "there is no operation 48271935; see: vantail operation list --all");
        let said = failure("48271935", &OperationError::NotWaiting(State::Done)).to_string();
        assert_eq!(said, "operation 48271935 is done already; nothing was changed");
    }
}
