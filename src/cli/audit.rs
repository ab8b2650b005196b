//! `vantail audit`: read, prove and export the audit trail.
//!
//! Reading the trail is itself an event (PCI DSS 10.2.1.3). It is appended after the reading: a trail that was tampered
//! with takes no more events, and must still be readable.

use std::net::IpAddr;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Failure;
use super::console::Console;
use crate::account::names::fold;
use crate::audit::export::{Export, Format, moment, plain, to_json};
use crate::audit::find::Names;
use crate::audit::{ChainState, EventFilter, EventRow, Origin};
use crate::identity::UserId;
use crate::store::Store;
use crate::time::Timestamp;

/// What to do with the audit trail.
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// List the last events, oldest first.
    List {
        #[command(flatten)]
        filter: FilterArguments,
        /// At most so many.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..))]
        last: i64,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Prove that no event was changed, removed, added or moved; the first broken place otherwise, and exit 1.
    Verify {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write all events to standard output, oldest first.
    Export {
        #[command(flatten)]
        filter: FilterArguments,
        /// How to write them.
        #[arg(long, value_enum, default_value_t = Format::Jsonl)]
        format: Format,
        /// As JSON lines: one object for each event.
        #[arg(long, conflicts_with = "format")]
        json: bool,
    },
}

/// Which events: all that fit everything given.
#[derive(Debug, Args)]
pub(super) struct FilterArguments {
    /// Done by this person or to them: user name, mail address or id.
    #[arg(long)]
    user: Option<String>,
    /// This act, `login.refused`, or a family of them, `login`.
    #[arg(long)]
    act: Option<String>,
    /// Not earlier: `2026-03-01` or `2026-03-01T12:00:00Z`.
    #[arg(long, value_parser = read_moment)]
    from: Option<Timestamp>,
    /// Earlier than this.
    #[arg(long, value_parser = read_moment)]
    until: Option<Timestamp>,
    /// From this address.
    #[arg(long)]
    address: Option<IpAddr>,
    /// About this operation (or session, or rule).
    #[arg(long, value_name = "ID")]
    operation: Option<String>,
    /// With this result: ok, refused or failed.
    #[arg(long)]
    result: Option<String>,
}

/// Runs `command`.
pub(super) async fn run(
    command: AuditCommand,
    store: &Store,
    origin: &Origin,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    match command {
        AuditCommand::List { filter, last, json } => {
            list(&filter.read(store).await?, last, json, store, console).await?;
            tell(store, origin, "audit.listed").await
        }
        AuditCommand::Verify { json } => verify(json, store, console).await,
        AuditCommand::Export { filter, format, json } => {
            let format = if json { Format::Jsonl } else { format };
            export(&filter.read(store).await?, format, store, console).await?;
            tell(store, origin, "audit.exported").await
        }
    }
}

async fn list(
    filter: &EventFilter,
    last: i64,
    json: bool,
    store: &Store,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let events = store.last_events(filter, last).await?;
    let names = Names::read(store).await?;
    if json {
        return console.json(&events.iter().map(|event| to_json(event, &names)).collect());
    }
    let rows: Vec<_> = events.iter().map(|event| line(event, &names)).collect();
    console.table(["EVENT", "WHEN", "WHO", "DOOR", "ACT", "RESULT", "ABOUT", "ADDRESS", "DETAILS"], &rows)
}

async fn verify(json: bool, store: &Store, console: &mut Console<'_>) -> Result<(), Failure> {
    let state = store.verify_chain().await?;
    if json {
        console.json(&state_as_json(&state))?;
    }
    match state {
        ChainState::Whole(_) if json => Ok(()),
        ChainState::Whole(events) => console.say(format_args!("the trail is whole: {events} events")),
        ChainState::Broken { seq, what } => Err(Failure::failed(format!(
            "the audit trail is broken at event {seq}: {what}; what stands before it is proven: keep this database, \
             compare it with a backup"
        ))),
    }
}

async fn export(filter: &EventFilter, format: Format, store: &Store, console: &mut Console<'_>) -> Result<(), Failure> {
    let mut export = Export::begin(store, filter, format).await?;
    while let Some(piece) = export.piece().await? {
        console.say(piece.strip_suffix('\n').unwrap_or(&piece))?;
    }
    Ok(())
}

async fn tell(store: &Store, origin: &Origin, act: &'static str) -> Result<(), Failure> {
    Ok(store.append_events(&[origin.event(act, "ok")]).await?)
}

fn state_as_json(state: &ChainState) -> Value {
    match state {
        ChainState::Whole(events) => json!({ "whole": true, "events": events }),
        ChainState::Broken { seq, what } => json!({ "whole": false, "event": seq, "what": what }),
    }
}

fn line(event: &EventRow, names: &Names) -> [String; 9] {
    let person = |id: Option<UserId>| id.map(|id| names.of(Some(id)).map_or_else(|| id.to_string(), str::to_owned));
    let about: Vec<String> = person(event.user).into_iter().chain(event.target.clone()).collect();
    let details = if event.details == "{}" { "" } else { &event.details };
    [
        event.seq.to_string(),
        moment(event.at),
        person(event.actor).unwrap_or_else(|| "-".to_owned()),
        event.door.clone(),
        event.act.clone(),
        event.result.clone(),
        about.join(" "),
        event.address.clone().unwrap_or_else(|| "-".to_owned()),
        details.to_owned(),
    ]
    .map(|cell| plain(&cell))
}

/// A day begins at midnight, UTC.
fn read_moment(text: &str) -> Result<Timestamp, String> {
    let whole = if text.parse::<jiff::civil::Date>().is_ok() && !text.contains('T') {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    let moment: jiff::Timestamp = whole.parse().map_err(|_| "write 2026-03-01 or 2026-03-01T12:00:00Z".to_owned())?;
    Ok(Timestamp::from_millis(moment.as_millisecond()))
}

// === impl FilterArguments ===

impl FilterArguments {
    async fn read(self, store: &Store) -> Result<EventFilter, Failure> {
        let person = match self.user {
            Some(user) => Some(find(&user, store).await?),
            None => None,
        };
        Ok(EventFilter {
            person,
            act: self.act,
            from: self.from,
            until: self.until,
            address: self.address,
            target: self.operation,
            result: self.result,
        })
    }
}

/// An id is taken as it is: its user may be gone, their events are not.
async fn find(user: &str, store: &Store) -> Result<UserId, Failure> {
    if let Ok(id) = user.parse() {
        return Ok(id);
    }
    let row = store.user_by_login(&fold(user)).await?;
    row.map(|row| row.user.id)
        .ok_or_else(|| Failure::failed(format!("there is no user {user}: see `vantail user list`, or give the id")))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::secret::Keyring;
    use crate::store::Open;

    #[derive(Debug, Parser)]
    struct Typed {
        #[command(subcommand)]
        command: AuditCommand,
    }

    fn origin() -> Origin {
        let now = Timestamp::from_secs(1_772_366_400);
        Origin { now, actor: None, door: "command", address: None, request_id: None }
    }

    async fn store(folder: &tempfile::TempDir) -> Store {
        let url = format!("sqlite:{}", folder.path().join("vantail.db").display());
        Store::open(&url, &Keyring::new(&[7; 32]), Open::Migrate).await.unwrap()
    }

    async fn typed(store: &Store, arguments: &[&str]) -> (String, Result<(), Failure>) {
        let typed = Typed::try_parse_from([&["audit"], arguments].concat()).unwrap();
        let mut output = Vec::new();
        let done = run(typed.command, store, &origin(), &mut Console::over(b"", &mut output)).await;
        (String::from_utf8(output).unwrap(), done)
    }

    #[test]
    fn moments_are_days_or_instants() {
        assert_eq!(read_moment("2026-03-01"), Ok(Timestamp::from_secs(1_772_323_200)));
        assert_eq!(read_moment("2026-03-01T12:00:00Z"), Ok(Timestamp::from_secs(1_772_366_400)));
        assert_eq!(read_moment("2026-03-01T13:00:00+01:00"), Ok(Timestamp::from_secs(1_772_366_400)));
        assert!(read_moment("yesterday").is_err());
    }

    #[tokio::test]
    async fn log_2_a_list_shows_no_control_characters() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        store.append_events(&[origin().event("login.refused", "refused").on("x\r\n\u{1b}[31m\u{202e}")]).await.unwrap();
        let (shown, done) = typed(&store, &["list"]).await;
        assert_eq!(done, Ok(()));
        assert!(shown.contains(r"x\u{d}\u{a}\u{1b}[31m\u{202e}"), "{shown}");
        assert_eq!(shown.lines().count(), 2);
    }

    #[tokio::test]
    async fn reading_the_trail_is_an_event() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let (listed, _) = typed(&store, &["list", "--json"]).await;
        assert_eq!(serde_json::from_str::<Value>(&listed).unwrap(), json!([]));
        let (exported, _) = typed(&store, &["export", "--act", "audit"]).await;
        assert_eq!(serde_json::from_str::<Value>(&exported).unwrap()["act"], "audit.listed");
        let (exported, _) = typed(&store, &["export", "--format", "csv", "--act", "audit.exported"]).await;
        assert_eq!(exported.lines().count(), 2);
    }

    #[tokio::test]
    async fn log_3_verifying_says_what_was_found() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        store.append_events(&[origin().event("login.ok", "ok")]).await.unwrap();
        assert_eq!(typed(&store, &["verify"]).await.0, "the trail is whole: 1 events\n");
        let (shown, done) = typed(&store, &["verify", "--json"]).await;
        assert_eq!(
            (serde_json::from_str::<Value>(&shown).unwrap(), done),
            (json!({"whole": true, "events": 1}), Ok(()))
        );
    }

    #[tokio::test]
    async fn an_unknown_person_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        let (_, done) = typed(&store, &["list", "--user", "nobody"]).await;
        assert!(done.unwrap_err().to_string().contains("there is no user nobody"));
    }
}
