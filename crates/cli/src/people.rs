//! `people`: its commands, and what they say.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use movement::state::counted;
use report::harmless;
use serde::Serialize;
use service::{
    ActivationReport, AddressBookReport, Decision, DecisionReport, DirectoryReport, Error, Exit, ImportReport,
    ListChoice, MissingForwarder, PeopleProject, PeopleSyncReport, PlanOf, ShowReport, SignedList, SignoffReport,
    TasksReport, classes_in_words,
};

use self::plan::{accepted, applied, lacking, planned, registrations, unlocked, withdrawn};
use crate::args::{Format, Shown};
use crate::portal::{self, ResultsOf};
use crate::{print, print_json, report_to, stop_on_interrupt};

/// Adds a line, without what would move a terminal's cursor or forge another line: names are as directories have them.
macro_rules! put {
    ($text:expr, $($what:tt)*) => {{
        $text.push_str(&harmless(&format!($($what)*)));
        $text.push('\n');
    }};
}

mod plan;

/// Lines shown; more are in the JSON.
pub(crate) const SHOWN: usize = 40;

#[derive(Debug, Subcommand)]
pub(crate) enum PeopleOf {
    /// Read the directories – what changed since the last time, where they tell – and put everybody into a class
    Sync {
        /// Read and say what changed; keep nothing
        #[arg(long)]
        dry_run: bool,
        /// Read everything, not only what changed
        #[arg(long)]
        whole: bool,
        /// Take it that many entries are gone at once: they have been looked at
        #[arg(long)]
        accept_gone: bool,
        /// Go on reading what changed every so many seconds, until Ctrl-C
        #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "60",
            value_parser = clap::value_parser!(u64).range(1..), conflicts_with_all = ["dry_run", "whole", "accept_gone"])]
        watch: Option<u64>,
    },
    /// Take a file of people – CSV or a workbook – by hand, or those that were mailed; every mistake is told, and nothing of a file
    /// with one is used
    Import {
        /// The file
        #[arg(required_unless_present = "mailed", conflicts_with = "mailed")]
        file: Option<PathBuf>,
        /// Look once into the mailbox of [people.mailed]
        #[arg(long)]
        mailed: bool,
        /// Where the result file goes; beside the file when left out
        #[arg(long, value_name = "FILE", conflicts_with = "mailed")]
        to: Option<PathBuf>,
        /// Look at it and say what is wrong; keep nothing and answer nobody
        #[arg(long)]
        dry_run: bool,
    },
    /// List everybody: class, account, and what somebody has to do about it
    List {
        /// Only this class: new, existing, excluded, archive-only or unresolved
        #[arg(long)]
        class: Option<String>,
        /// Only this kind: person, shared, room, equipment, system, list or contact
        #[arg(long)]
        kind: Option<String>,
        /// Only accounts that nobody has logged in to for so many days
        #[arg(long, value_name = "DAYS")]
        idle: Option<u32>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Show all that is known of one: its entry, its candidates with what speaks for and against each, what was decided
    Show {
        /// A mail address, account, local id or key
        who: String,
    },
    /// Say whose account is whose, where no rule can; or sign the list of who has which account
    Match {
        /// A mail address, account, local id or key
        #[arg(required_unless_present = "sign", conflicts_with = "sign")]
        who: Option<String>,
        #[command(flatten)]
        what: MatchWord,
        /// The digest that people list printed with the list, or at least its first eight characters
        #[arg(long, requires = "sign")]
        digest: Option<String>,
        /// Which list is signed
        #[arg(long, value_enum, requires = "sign", default_value_t)]
        list: ListSigned,
        #[command(flatten)]
        said: SaidOn,
    },
    /// Leave somebody out
    Exclude {
        /// A mail address, account, local id or key
        who: String,
        #[command(flatten)]
        said: SaidOn,
    },
    /// Leave people's mail to the archive alone: they get no account, and nothing goes to the target
    Archive {
        /// A mail address, account, local id or key of each
        #[arg(required = true)]
        who: Vec<String>,
        #[command(flatten)]
        said: SaidOn,
    },
    /// Take it back that somebody was left out, or left to the archive, by a word
    Include {
        /// A mail address, account, local id or key
        who: String,
        #[command(flatten)]
        said: SaidOn,
    },
    /// Let somebody in who came after the cut-off date
    Admit {
        /// A mail address, account, local id or key
        who: String,
        #[command(flatten)]
        said: SaidOn,
    },
    /// Joiners, movers and leavers: what is to be done about each
    Tasks,
    /// Ask people by mail whose an account under another organisation's code is, and record what they say
    Confirm(ConfirmOf),
    /// Say what is to be made on the platform and what it costs; approve it as it stands
    Plan {
        /// Only these, by mail address, account, local id or key; everybody, when nobody is given
        #[arg(conflicts_with_all = ["approve", "withdraw"])]
        who: Vec<String>,
        /// Only so many new accounts of those that the platform counts, in the plan's order
        #[arg(long, value_name = "NUMBER", conflicts_with_all = ["approve", "withdraw"])]
        first: Option<usize>,
        /// Say it; keep nothing
        #[arg(long)]
        dry_run: bool,
        /// Approve the plan of this number
        #[arg(long, value_name = "NUMBER", requires = "digest", requires = "by")]
        approve: Option<i64>,
        /// The digest that was printed with it, or at least its first eight characters
        #[arg(long, requires = "approve")]
        digest: Option<String>,
        /// Who approves or withdraws it
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Withdraw the plan of this number: what of it is not made yet is not made
        #[arg(long, value_name = "NUMBER", requires = "by", conflicts_with = "approve")]
        withdraw: Option<i64>,
    },
    /// Carry out the plan that is approved, or go on with it; nothing is made twice
    Apply {
        /// The plan; the one that is approved when left out
        plan: Option<i64>,
        /// Say how far it has come; change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Read back what the platform's portal says of the rows of a file; or say what became of each file
    Results(ResultsOf),
    /// Make accounts live that wait to be accepted, each with its forwarder to the source on and read back, or for a reason without
    Accept {
        /// Whose, by mail address, account, local id or key; all that wait, when nobody is given
        who: Vec<String>,
        /// Why they may be live without a forwarder to the source
        #[arg(long, value_name = "TEXT")]
        exemption: Option<String>,
        /// Say which would be; change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// The details of new accounts with their first passwords, for mail merge
    Export {
        /// Forget the first passwords once they are written: they have been handed over
        #[arg(long, requires = "to")]
        hand_over: bool,
        /// Say of whom; write nothing
        #[arg(long, conflicts_with = "hand_over")]
        dry_run: bool,
        #[command(flatten)]
        shown: Shown,
    },
    /// Who has activated their new account, and how many days the others have
    Activation,
    /// Record that the help desk has unlocked somebody's account: their days begin anew
    Unlock {
        /// A mail address, account, local id or key
        who: String,
        #[command(flatten)]
        said: SaidOn,
    },
    /// How many accounts the platform allows, and how many are made; or record that it allows another number
    Registrations {
        /// So many in all, with those that are made
        #[arg(long, value_name = "NUMBER")]
        raise: Option<u32>,
        #[command(flatten)]
        said: SaidOn,
    },
}

impl PeopleOf {
    /// Is it only to be told what would come of a decision, or be carried out?
    fn is_dry(&self) -> bool {
        match self {
            Self::Match { said, .. }
            | Self::Exclude { said, .. }
            | Self::Include { said, .. }
            | Self::Admit { said, .. }
            | Self::Archive { said, .. }
            | Self::Unlock { said, .. }
            | Self::Registrations { said, .. } => said.dry_run,
            Self::Confirm(what) => what.said.dry_run,
            Self::Plan { dry_run, .. }
            | Self::Apply { dry_run, .. }
            | Self::Accept { dry_run, .. }
            | Self::Export { dry_run, .. } => *dry_run,
            _ => false,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum BookOf {
    /// Bring both address books into step: everybody in scope stands once in each, as themselves or as a contact
    Sync {
        /// Say what would be written, by what was last read; change nothing
        #[arg(long)]
        dry_run: bool,
        /// Take it that many contacts go at once: they have been looked at
        #[arg(long, conflicts_with = "dry_run")]
        accept_removals: bool,
    },
    /// Say what both address books lack, by what was last read
    Diff,
}

/// What is said of an account.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct MatchWord {
    /// This account is theirs
    #[arg(long, value_name = "KEY")]
    account: Option<String>,
    /// This account is not theirs
    #[arg(long, value_name = "KEY")]
    different: Option<String>,
    /// They have none
    #[arg(long)]
    none: bool,
    /// Sign the whole list, as people list printed it
    #[arg(long, requires = "digest")]
    sign: bool,
}

/// Who says it, and on what evidence.
#[derive(Debug, Args)]
pub(crate) struct SaidOn {
    /// Who decided; whoever runs the program, when left out
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// What it rests on
    #[arg(long, value_name = "TEXT", default_value = "")]
    evidence: String,
    /// Check it and say what would come of it; record nothing
    #[arg(long)]
    dry_run: bool,
}

/// A list that is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListSigned {
    /// Who has which account
    #[default]
    Matching,
    /// Who moves: everybody with their class
    Scope,
}

mod confirm;

use confirm::ConfirmOf;

pub(crate) use put;

pub(crate) async fn run(which: PeopleOf, folder: &Path, json: bool) -> Result<Exit, Error> {
    let environment = |name: &str| std::env::var(name).ok();
    let is_dry = which.is_dry();
    let people = PeopleProject::open(folder, &environment).await?.dry_run(is_dry);
    if is_dry && !json {
        print("Dry run: nothing is recorded or changed. Without --dry-run:");
    }
    let result = Box::pin(work(which, &people, json)).await;
    people.close().await;
    result.map_err(|error| Error { what: harmless(&error.what), ..error })
}

/// What came of the forwarders of live new accounts; and why it broke off, if it did.
struct Forwarded {
    missing: Vec<MissingForwarder>,
    error: Option<Error>,
}

/// Puts the forwarders of live new accounts on, whatever became of what made them.
async fn forwarded(people: &PeopleProject) -> Forwarded {
    let environment = |name: &str| std::env::var(name).ok();
    match people.forward_new(&environment).await {
        Ok(report) => Forwarded { missing: report.missing, error: None },
        Err(error) => Forwarded { missing: Vec::new(), error: Some(error) },
    }
}

/// How it ends, once all that was done is told.
fn ended(exit: Exit, error: Option<Error>) -> Result<Exit, Error> {
    error.map_or(Ok(exit), Err)
}

async fn work(which: PeopleOf, people: &PeopleProject, json: bool) -> Result<Exit, Error> {
    match which {
        PeopleOf::Sync { watch: Some(seconds), .. } => watch(people, Duration::from_secs(seconds), json).await,
        PeopleOf::Sync { dry_run, whole, accept_gone, .. } => {
            let synced_now = people.sync(dry_run, accept_gone, whole).await;
            let (forwarded, mut report) = (forwarded(people).await, synced_now?);
            report.missing = forwarded.missing;
            give(json, "people-sync", &report, synced);
            let is_faulty = report.directories.iter().any(|directory| directory.faults_count > 0);
            let is_well = !is_faulty && report.missing.is_empty();
            ended(if is_well { Exit::Done } else { Exit::WithFailures }, forwarded.error)
        }
        PeopleOf::Import { file: Some(file), to, dry_run, .. } => {
            let imported = people.import_file(&file, to.as_deref(), dry_run).await;
            let (forwarded, mut report) = (forwarded(people).await, imported?);
            report.missing = forwarded.missing;
            ended(imported_as(&report, json), forwarded.error)
        }
        PeopleOf::Import { dry_run, .. } => {
            let environment = |name: &str| std::env::var(name).ok();
            let imported = people.import_mailed(dry_run, &environment).await;
            let (forwarded, mut report) = (forwarded(people).await, imported?);
            report.missing = forwarded.missing;
            ended(imported_as(&report, json), forwarded.error)
        }
        PeopleOf::List { class, kind, idle, shown } => {
            let report = people.list(&ListChoice { class, kind, idle_days: idle }).await?;
            report_to::give("people-list", &report, &report.document(), &shown, json)?;
            Ok(Exit::Done)
        }
        PeopleOf::Show { who } => {
            let report = people.show(&who).await?;
            give(json, "people-show", &report, shown_one);
            Ok(Exit::Done)
        }
        PeopleOf::Match { what: MatchWord { sign: true, .. }, digest, list, said, .. } => {
            let digest = digest.unwrap_or_default();
            let list = match list {
                ListSigned::Matching => SignedList::Matching,
                ListSigned::Scope => SignedList::Scope,
            };
            let report = people.sign(list, &digest, said.by.as_deref().unwrap_or_default(), &said.evidence).await?;
            give(json, "people-signoff", &report, signed);
            Ok(Exit::Done)
        }
        PeopleOf::Match { who, what, said, .. } => {
            let decision = match what {
                MatchWord { account: Some(key), .. } => Decision::Same(key),
                MatchWord { different: Some(key), .. } => Decision::Different(key),
                MatchWord { .. } => Decision::NoAccount,
            };
            decide(people, &who.unwrap_or_default(), decision, &said, json).await
        }
        PeopleOf::Exclude { who, said } => decide(people, &who, Decision::Exclude, &said, json).await,
        PeopleOf::Archive { who, said } => {
            for who in &who {
                decide(people, who, Decision::Archive, &said, json).await?;
            }
            Ok(Exit::Done)
        }
        PeopleOf::Include { who, said } => decide(people, &who, Decision::Include, &said, json).await,
        PeopleOf::Admit { who, said } => decide(people, &who, Decision::Admit, &said, json).await,
        PeopleOf::Tasks => {
            let report = people.tasks().await?;
            give(json, "people-tasks", &report, tasks);
            Ok(Exit::Done)
        }
        PeopleOf::Confirm(what) => confirm::run(people, what, json).await,
        PeopleOf::Plan { withdraw: Some(number), by, .. } => {
            let report = people.withdraw(number, &by.unwrap_or_default()).await?;
            give(json, "people-plan-withdrawn", &report, withdrawn);
            Ok(Exit::Done)
        }
        PeopleOf::Plan { who, first, dry_run, approve, digest, by, .. } => {
            let report = match approve {
                None => people.plan(dry_run, &PlanOf { who, first }).await?,
                Some(number) => people.approve(number, &digest.unwrap_or_default(), &by.unwrap_or_default()).await?,
            };
            give(json, "people-plan", &report, planned);
            let is_well = report.conflicts.is_empty() && report.by_hand.is_empty();
            Ok(if is_well { Exit::Done } else { Exit::WithFailures })
        }
        PeopleOf::Apply { plan, .. } => {
            // What was made before it broke off may be live as well.
            let applied_now = people.apply(plan).await;
            let (forwarded, mut report) = (forwarded(people).await, applied_now?);
            report.missing = forwarded.missing;
            give(json, "people-apply", &report, applied);
            ended(if report.is_well() { Exit::Done } else { Exit::WithFailures }, forwarded.error)
        }
        PeopleOf::Results(of) => Box::pin(portal::results(of, people, json)).await,
        PeopleOf::Accept { who, exemption, .. } => {
            let environment = |name: &str| std::env::var(name).ok();
            let report = match exemption {
                Some(exemption) => people.accept(&who, &exemption).await?,
                None => people.accept_forwarding(&who, &environment).await?,
            };
            give(json, "people-accept", &report, accepted);
            let is_well = report.refused.is_empty() && report.without.is_empty();
            Ok(if is_well { Exit::Done } else { Exit::WithFailures })
        }
        PeopleOf::Export { hand_over, dry_run, shown } => export(people, hand_over, dry_run, &shown, json).await,
        PeopleOf::Activation => {
            let report = people.activation(None).await?;
            give(json, "people-activation", &report, activation);
            Ok(Exit::Done)
        }
        PeopleOf::Unlock { who, said } => {
            let report = people.unlock(&who, said.by.as_deref().unwrap_or_default(), &said.evidence).await?;
            give(json, "people-unlock", &report, unlocked);
            Ok(Exit::Done)
        }
        PeopleOf::Registrations { raise, said } => {
            let by = said.by.as_deref().unwrap_or_default();
            let report = match raise {
                Some(max) => people.raise_registrations(max, by, &said.evidence).await?,
                None => people.registrations().await?,
            };
            give(json, "people-registrations", &report, registrations);
            Ok(Exit::Done)
        }
    }
}

pub(crate) async fn book(which: BookOf, folder: &Path, json: bool) -> Result<Exit, Error> {
    let environment = |name: &str| std::env::var(name).ok();
    let people = PeopleProject::open(folder, &environment).await?;
    let result = match which {
        BookOf::Sync { dry_run: false, accept_removals } => people.book_sync(accept_removals).await,
        BookOf::Sync { dry_run: true, .. } | BookOf::Diff => people.book_difference().await,
    };
    people.close().await;
    let report = result.map_err(|error| Error { what: harmless(&error.what), ..error })?;
    give(json, "addressbook", &report, books);
    Ok(if report.is_in_step() { Exit::Done } else { Exit::WithFailures })
}

/// Reads what changed, again and again; says something when something did, and what is in the way once, until it is another thing.
/// Nothing but the end that somebody asks for ends it.
async fn watch(people: &PeopleProject, every: Duration, json: bool) -> Result<Exit, Error> {
    let mut stop = stop_on_interrupt();
    let (mut in_the_way, mut faults, mut missing) = (None, Vec::new(), Vec::new());
    loop {
        let synced_now = people.sync(false, false, false).await;
        let forwarded = forwarded(people).await;
        let synced_now = synced_now.and_then(|report| match forwarded.error {
            None => Ok(PeopleSyncReport { missing: forwarded.missing, ..report }),
            Some(error) => Err(error),
        });
        match synced_now {
            Ok(report) => {
                let is_news = |directory: &DirectoryReport| directory.new + directory.changed + directory.gone > 0;
                let now: Vec<_> = report.directories.iter().flat_map(|directory| directory.faults.clone()).collect();
                let is_back = in_the_way.take().is_some();
                let is_other = now != faults || report.missing != missing;
                if report.directories.iter().any(is_news) || is_other || is_back {
                    give(json, "people-sync", &report, synced);
                }
                (faults, missing) = (now, report.missing);
            }
            Err(error) => {
                let what = harmless(&error.to_string());
                if in_the_way.as_ref() != Some(&what) {
                    let _ = writeln!(std::io::stderr(), "{what}; tried again every {} s", every.as_secs());
                }
                in_the_way = Some(what);
            }
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = stop.wait_for(|stop| *stop) => {
                let is_well = in_the_way.is_none() && faults.is_empty() && missing.is_empty();
                return Ok(if is_well { Exit::Done } else { Exit::WithFailures });
            }
        }
    }
}

async fn export(
    people: &PeopleProject,
    hand_over: bool,
    dry_run: bool,
    shown: &Shown,
    json: bool,
) -> Result<Exit, Error> {
    if shown.to.is_none() && !dry_run {
        return Err(Error::usage("first passwords are not shown on a terminal")
            .advise("write them to a file: --format xlsx --to FILE"));
    }
    // Whatever else would not hold every row with its password.
    if !matches!(shown.format, Format::Csv | Format::Xlsx) && !dry_run {
        return Err(Error::usage("the details of accounts are a table for mail merge")
            .advise("write it as one: --format xlsx --to FILE, or --format csv"));
    }
    let details = people.details().await?;
    // Never the passwords, which are in the file alone.
    let told = serde_json::json!({ "accounts": details.accounts, "withheld": details.withheld, "dry_run": dry_run });
    if !dry_run {
        report_to::give("people-export", &told, &details.document, shown, false)?;
    }
    if hand_over {
        people.hand_over(&details).await?;
    }
    let exit = if details.withheld.is_empty() { Exit::Done } else { Exit::WithFailures };
    if json {
        print_json("people-export", &told);
        return Ok(exit);
    }
    let mut text = String::new();
    for (id, why) in details.withheld.iter().take(SHOWN) {
        put!(text, "WITHHELD  {id}: {why}");
    }
    more(&mut text, details.withheld.len(), details.withheld.len().min(SHOWN));
    let written = if dry_run { "would be written" } else { "written" };
    put!(text, "{} {written}.", counted(details.accounts as u64, "account"));
    print(text.trim_end());
    Ok(exit)
}

async fn decide(
    people: &PeopleProject,
    who: &str,
    decision: Decision,
    said: &SaidOn,
    json: bool,
) -> Result<Exit, Error> {
    let report = people.decide(who, decision, said.by.as_deref(), &said.evidence).await?;
    give(json, "people-decision", &report, decided);
    Ok(Exit::Done)
}

pub(crate) fn give<R: Serialize>(json: bool, name: &str, report: &R, text: fn(&R) -> String) {
    if json { print_json(name, report) } else { print(text(report).trim_end()) }
}

fn imported_as(report: &ImportReport, json: bool) -> Exit {
    give(json, "people-import", report, imported);
    if report.is_well() { Exit::Done } else { Exit::WithFailures }
}

fn imported(report: &ImportReport) -> String {
    let mut text = String::new();
    for note in &report.notes {
        put!(text, "LOOK     {note}");
    }
    lacking(&mut text, &report.missing);
    for line in &report.submissions {
        let number = line.submission.map_or_else(String::new, |number| format!("Submission {number}, "));
        let sender = line.sender.as_deref().map_or_else(String::new, |sender| format!(" from {sender}"));
        put!(text, "{number}{}{sender}: {}, {}", line.file, line.state, counted(line.rows as u64, "row"));
        if let Some(said) = &line.said {
            put!(text, "  {said}");
        }
        for mistake in line.mistakes.iter().take(SHOWN) {
            put!(text, "  MISTAKE  {mistake}");
        }
        more(&mut text, line.mistakes_count as usize, line.mistakes.len().min(SHOWN));
        for (outcome, count) in &line.outcomes {
            put!(text, "  {outcome:9} {count}");
        }
        match (line.plan, &line.digest, &line.approved_by) {
            (Some(plan), Some(digest), _) => put!(
                text,
                "  Plan {plan} waits. Approve it as it stands: whimbrel people plan --approve {plan} --digest {} --by NAME; then \
                 whimbrel people apply",
                &digest[..12.min(digest.len())]
            ),
            (Some(plan), None, Some(by)) => put!(text, "  Plan {plan}, approved by {by}."),
            _ => {}
        }
        if line.answered {
            text.push_str("  Its sender is answered.\n");
        }
        if let Some(result) = &line.result {
            put!(text, "  Row by row: {}", result.display());
        }
    }
    for line in report.refused.iter().take(SHOWN) {
        let from = line.from.as_deref().unwrap_or("nobody that can be told");
        put!(text, "REFUSED  a message from {from}: {}; nothing was done, and nobody is answered", line.why);
    }
    more(&mut text, report.refused.len(), report.refused.len().min(SHOWN));
    if report.waiting > 0 {
        put!(text, "{} until the submission before it is through.", waits(report.waiting));
    }
    if text.is_empty() {
        text.push_str("Nothing was handed in.\n");
    }
    if report.dry_run {
        text.push_str("Nothing was kept: this was a dry run.\n");
    }
    text
}

fn waits(count: usize) -> String {
    if count == 1 { "1 message waits".to_owned() } else { format!("{count} messages wait") }
}

fn synced(report: &PeopleSyncReport) -> String {
    let mut text = String::new();
    for directory in &report.directories {
        let how = if directory.whole { "read whole" } else { "read what changed" };
        put!(
            text,
            "{} ({}): {how}: {} new, {} changed, {} gone; {} sent in {} ms.",
            directory.name,
            directory.kind,
            directory.new,
            directory.changed,
            directory.gone,
            entries(directory.received),
            directory.ms
        );
        if let Some(at) = directory.as_of {
            put!(text, "  The report of users was written at {}.", report::moment(at));
        }
        for (place, what) in directory.faults.iter().take(SHOWN) {
            put!(text, "  CAN'T BE READ  {place}: {what}");
        }
        more(&mut text, directory.faults_count, directory.faults.len().min(SHOWN));
    }
    if report.dry_run {
        text.push_str("Nothing was kept: this was a dry run.\n");
    }
    if let Some(classes) = &report.classes {
        put!(text, "{}", classes_in_words(classes));
    }
    lacking(&mut text, &report.missing);
    text
}

fn entries(count: u64) -> String {
    if count == 1 { "1 entry".to_owned() } else { format!("{} entries", report::grouped(count)) }
}

pub(crate) fn more(text: &mut String, all: usize, shown: usize) {
    if all > shown {
        put!(text, "  … and {} more", all - shown);
    }
}

fn shown_one(report: &ShowReport) -> String {
    let mut text = String::new();
    let line = &report.line;
    put!(text, "{} ({}, {})", line.name, line.kind, line.id);
    put!(text, "{}: {}", line.class, line.why);
    if let Some(next) = &line.next {
        put!(text, "What to do: {next}");
    }
    if !line.flags.is_empty() {
        put!(text, "The platform says: {}", line.flags.join(", "));
    }
    let names = [
        ("mail", &report.entry.mail),
        ("account", &report.entry.account),
        ("local id", &report.entry.local_id),
        ("legacyExchangeDN", &report.entry.legacy_dn),
        ("department", &report.entry.department),
        ("stands at", &report.entry.place),
    ];
    for (name, value) in names {
        if let Some(value) = value {
            put!(text, "  {name:18} {value}");
        }
    }
    for candidate in &report.candidates {
        let organisation = candidate.organisation.as_deref().unwrap_or("no organisation");
        let mail = candidate.mail.as_deref().unwrap_or("no address");
        put!(text, "Account {}: {}, {mail}, {organisation}, {}", candidate.account, candidate.name, candidate.state);
        for (rule, what) in &candidate.evidence {
            put!(text, "  for      {rule}: {what}");
        }
        for against in &candidate.against {
            put!(text, "  against  {against}");
        }
    }
    for (at, by, what, evidence) in &report.decisions {
        put!(text, "Decided {} by {by}: {what}; evidence: {evidence}", report::moment(at / 1000));
    }
    text
}

fn decided(report: &DecisionReport) -> String {
    let mut text = String::new();
    let DecisionReport { id, by, before, now, why, .. } = report;
    put!(text, "{id}: {now} (was {before}): {why}. Decided by {by}.");
    text
}

fn signed(report: &SignoffReport) -> String {
    let mut text = String::new();
    put!(
        text,
        "Sign-off {}: {} signed {}, {} of these for the first time or changed since.",
        report.signoff,
        report.by,
        counted(report.rows as u64, if report.list == "scope" { "row" } else { "match" }),
        report.newly
    );
    if report.unresolved > 0 {
        put!(text, "{} are unresolved and in no row: people list --class unresolved", report.unresolved);
    }
    put!(text, "Digest {}", report.digest);
    text
}

fn tasks(report: &TasksReport) -> String {
    let mut text = String::new();
    for task in &report.tasks {
        put!(text, "{:7} {} ({}): {}", task.task, task.name, task.local_id.as_deref().unwrap_or("?"), task.why);
        put!(text, "        what to do: {}", task.next);
    }
    put!(text, "{}.", counted(report.tasks.len() as u64, "task"));
    text
}

fn books(report: &AddressBookReport) -> String {
    let mut text = String::new();
    for book in &report.books {
        let would = if report.dry_run { "to be " } else { "" };
        put!(
            text,
            "{} ({}): {} in place; {would}added {}, {would}changed {}, {would}removed {}; left to do {}.",
            book.book,
            book.directory,
            book.in_place,
            book.added,
            book.changed,
            book.removed,
            book.to_do
        );
        for (who, what) in book.faults.iter().chain(&book.refused).take(SHOWN) {
            put!(text, "  LOOK  {who}: {what}");
        }
        let faults = book.faults.len() + book.refused.len();
        more(&mut text, faults, faults.min(SHOWN));
    }
    text
}

fn activation(report: &ActivationReport) -> String {
    let mut text = String::new();
    for line in report.waiting.iter().take(SHOWN) {
        let days = line.days_left.map_or_else(String::new, |days| format!("{days} days left"));
        let mail = line.mail.as_deref().unwrap_or_default();
        put!(text, "{:9} {:14} {}  {mail}  {}", line.state, days, line.name, line.next.unwrap_or_default());
    }
    more(&mut text, report.waiting.len(), report.waiting.len().min(SHOWN));
    let states: Vec<String> = report.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let states = if states.is_empty() { "none yet".to_owned() } else { states.join(", ") };
    put!(text, "Accounts that were made: {states}. Activated: {}.", report.activated);
    if let Some(submission) = &report.submission {
        put!(text, "{}", submission.sentence());
    }
    text
}
