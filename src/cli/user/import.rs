//! `vantail user import`: the users of another program's file.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::super::Failure;
use super::super::console::Console;
use crate::account::Accounts;
use crate::account::import::{self, Fault, Format, Found, GroupsFrom, LONGEST_FILE, Newcomer, Options};
use crate::account::names;
use crate::audit::Origin;
use crate::identity::Right;

/// A file of users, and what it does not say itself.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(in crate::cli) struct ImportArguments {
    /// The file, or "-" for standard input.
    file: PathBuf,
    /// How it is written; else its name or its first line tells.
    #[arg(long)]
    format: Option<Format>,
    /// Who has no mail address gets NAME@DOMAIN.
    #[arg(long, value_name = "DOMAIN")]
    email_domain: Option<String>,
    /// The passwd file beside a shadow file: full names, and who is a person.
    #[arg(long, value_name = "FILE")]
    passwd: Option<PathBuf>,
    /// Which attribute of an LDIF names groups; none are taken over otherwise.
    #[arg(long, value_name = "ATTRIBUTE")]
    groups_from: Option<GroupsFrom>,
    /// Leave users as they are whose name or address is there already, instead of refusing the file.
    #[arg(long)]
    skip_existing: bool,
    /// Add users whose password hash cannot be used without a password, instead of refusing the file.
    #[arg(long)]
    drop_unusable: bool,
    /// Check everything and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// What an import did, or would do.
#[derive(Default)]
struct Report {
    added: usize,
    without_password: usize,
    /// Hashes that are replaced at the next sign-in, by algorithm.
    weak: BTreeMap<&'static str, usize>,
    /// Who gets which right.
    rights: BTreeMap<Right, Vec<String>>,
    skipped: Vec<String>,
    dropped: Vec<Fault>,
    passed_over: usize,
}

/// Names shown of a long list.
const SHOWN: usize = 20;

/// Checks the whole file, then adds everybody in it, or nobody.
pub(super) async fn run(
    arguments: ImportArguments,
    accounts: &Accounts,
    origin: &Origin,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    let Found { mut newcomers, mut faults, dropped, passed_over } = read(&arguments, console)?;
    let known = accounts.set_apart_known(&mut newcomers).await?;
    let (skipped, known) = if arguments.skip_existing { (known, Vec::new()) } else { (Vec::new(), known) };
    faults.extend(known.into_iter().map(|(_, fault)| fault));
    if !faults.is_empty() {
        return Err(refused(&arguments.file, faults));
    }
    let mut report = Report { dropped, passed_over, ..Report::of(&newcomers, accounts) };
    report.skipped = skipped.into_iter().map(|(newcomer, _)| newcomer.name).collect();
    if !arguments.dry_run {
        let mut progress = Progress::of(newcomers.len());
        accounts.import(newcomers, origin, &mut |made| progress.tell(made)).await?;
        progress.end();
    }
    if arguments.json { console.json(&report.json(arguments.dry_run)) } else { report.say(arguments.dry_run, console) }
}

fn read(arguments: &ImportArguments, console: &mut Console<'_>) -> Result<Found, Failure> {
    let domain = arguments.email_domain.as_deref();
    if domain.is_some_and(|domain| names::check_email(&format!("a@{domain}")).is_err()) {
        return Err(Failure::wrong("--email-domain is no domain: write it like example.org"));
    }
    let is_input = arguments.file == Path::new("-");
    let file = if is_input { console.bytes(LONGEST_FILE)? } else { content(&arguments.file)? };
    let name = (!is_input).then_some(arguments.file.as_path());
    let format = arguments.format.or_else(|| import::guess(name, &file)).ok_or_else(|| {
        Failure::wrong("the file does not tell how it is written: say it with --format csv, htpasswd, shadow or ldif")
    })?;
    let options = Options {
        email_domain: arguments.email_domain.clone(),
        passwd: arguments.passwd.as_deref().map(content).transpose()?,
        groups_from: arguments.groups_from,
        drop_unusable: arguments.drop_unusable,
    };
    check_use(format, &options)?;
    Ok(import::read(format, &file, &options))
}

/// Options that mean nothing for this format are a mistake.
fn check_use(format: Format, options: &Options) -> Result<(), Failure> {
    if options.passwd.is_some() && format != Format::Shadow {
        return Err(Failure::wrong("--passwd goes with a shadow file only: leave it out"));
    }
    if options.groups_from.is_some() && format != Format::Ldif {
        return Err(Failure::wrong("--groups-from goes with an LDIF only: leave it out"));
    }
    if options.email_domain.is_none() && matches!(format, Format::Htpasswd | Format::Shadow) {
        return Err(Failure::wrong(
            "such a file has no mail addresses, and every user needs one: add --email-domain DOMAIN",
        ));
    }
    Ok(())
}

/// A file's bytes; one more than it may have shows that it is too long.
fn content(file: &Path) -> Result<Vec<u8>, Failure> {
    let refused =
        |error| Failure::wrong(format!("{}: it cannot be read: {error}; name a file you may read", file.display()));
    let mut content = Vec::new();
    let opened = std::fs::File::open(file).map_err(refused)?;
    opened.take(LONGEST_FILE as u64 + 1).read_to_end(&mut content).map_err(refused)?;
    Ok(content)
}

/// Every fault, in the file's order; nobody was added.
fn refused(file: &Path, mut faults: Vec<Fault>) -> Failure {
    faults.sort_by_key(|fault| fault.line);
    let told = faults.iter().map(|fault| format!("{}: {fault}", file.display()));
    let last = format!("nobody was imported: {} fault(s)", faults.len());
    Failure::all_failed(told.chain([last]))
}

// === impl Report ===

impl Report {
    fn of(newcomers: &[Newcomer], accounts: &Accounts) -> Self {
        let mut report = Self { added: newcomers.len(), ..Self::default() };
        for newcomer in newcomers {
            match &newcomer.password {
                None => report.without_password += 1,
                Some(hash) => {
                    if let Some(algorithm) = accounts.hashing.outdated(hash.stored()) {
                        *report.weak.entry(algorithm).or_default() += 1;
                    }
                }
            }
            for right in &newcomer.rights {
                report.rights.entry(*right).or_default().push(newcomer.name.clone());
            }
        }
        report
    }

    fn json(&self, dry_run: bool) -> serde_json::Value {
        json!({
            "dry_run": dry_run,
            "added": self.added,
            "skipped": self.skipped,
            "passed_over": self.passed_over,
            "without_password": self.without_password,
            "dropped": self.dropped.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "weak": self.weak,
            "rights": self.rights,
        })
    }

    fn say(&self, dry_run: bool, console: &mut Console<'_>) -> Result<(), Failure> {
        let would = if dry_run { "would be " } else { "" };
        for fault in &self.dropped {
            console.say(fault)?;
        }
        console.say(format_args!("{would}added: {}", self.added))?;
        if !self.skipped.is_empty() {
            console.say(format_args!("there already, left as they are: {}", listed(&self.skipped)))?;
        }
        if self.passed_over > 0 {
            console.say(format_args!("no people, passed over: {}", self.passed_over))?;
        }
        if self.without_password > 0 {
            console.say(format_args!("without a password: {}", self.without_password))?;
        }
        for (algorithm, count) in &self.weak {
            console.say(format_args!("{algorithm}, until they sign in: {count}"))?;
        }
        self.rights.iter().try_for_each(|(right, names)| console.say(format_args!("{right}: {}", listed(names))))
    }
}

/// How many, and the first of them by name.
fn listed(names: &[String]) -> String {
    let first = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    let more = if names.len() > SHOWN { ", …" } else { "" };
    format!("{} ({first}{more})", names.len())
}

/// A line on a terminal that says how far it is; in a log it would be noise.
struct Progress {
    of: usize,
    shows: bool,
}

// === impl Progress ===

impl Progress {
    fn of(of: usize) -> Self {
        Self { of, shows: io::stderr().is_terminal() }
    }

    fn tell(&mut self, made: usize) {
        if self.shows {
            // A terminal that is gone needs no progress.
            let _ = write!(io::stderr(), "\r{made} of {}", self.of);
        }
    }

    fn end(&mut self) {
        if self.shows {
            let _ = write!(io::stderr(), "\r\u{1b}[K");
        }
    }
}
