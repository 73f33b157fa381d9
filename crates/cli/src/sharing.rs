//! `sharing`: its commands, and what they say.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use movement::state::counted;
use report::harmless;
use serde::Serialize;
use service::{
    Error, Exit, SharingDecision, SharingDecisionReport, SharingDiscoverReport, SharingProject, SharingSignoffReport,
};

use crate::args::Shown;
use crate::{print, print_json, report_to};

/// Lines shown; more are in the JSON.
const SHOWN: usize = 40;

#[derive(Debug, Subcommand)]
pub(crate) enum SharingOf {
    /// Read who may do what: on the mail server of each source mailbox, or in a file. What directories say comes with `people
    /// sync`
    Discover {
        /// Take the rights of this file (CSV: mailbox, grantee, right, folder) in place of those of the one before
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Read and say what was found; keep nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// List every right: whose, to what, where it stands, whether it is signed off
    List {
        /// Only rights to what this one answers for: for the owner's own eyes
        #[arg(long, value_name = "WHO")]
        owner: Option<String>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Record what an owner decided about rights, row by row
    Decide {
        /// Ids of rights from the list, or at least their first six characters
        #[arg(required_unless_present = "file", conflicts_with = "file")]
        ids: Vec<String>,
        #[command(flatten)]
        what: RightWord,
        /// Who decided; whoever runs the program, when left out
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// What it rests on
        #[arg(long, value_name = "TEXT")]
        evidence: String,
        /// Say what would be recorded; record nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Record that a named person signed the list as it is; a row that changes later is void
    Signoff {
        /// Who signed
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Where the signature is to be found
        #[arg(long, value_name = "TEXT")]
        evidence: String,
        /// Only rights to what this one answers for
        #[arg(long, value_name = "WHO")]
        owner: Option<String>,
        /// The digest that sharing list printed with the list, or at least its first eight characters
        #[arg(long, required_unless_present = "dry_run")]
        digest: Option<String>,
        /// Say what would be signed; record nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Give on the platform what is signed off, besides what is there; nothing is taken away
    Inject {
        /// Say what would be given; change nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        shown: Shown,
    },
    /// Read the platform's rights and say where they differ from those of the source
    Compare {
        /// The same: comparing changes nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        shown: Shown,
    },
}

/// What is decided about a right.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct RightWord {
    /// It is given as it was found
    #[arg(long)]
    keep: bool,
    /// It is not given
    #[arg(long)]
    remove: bool,
    /// This is given in its place: full-access, send-as, send-on-behalf, or letters of RFC 4314
    #[arg(long, value_name = "RIGHT")]
    right: Option<String>,
    /// As the column `decision` of this file says, which came from the list (CSV)
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Adds a line, without what would move a terminal's cursor or forge another line: names are as servers have them.
macro_rules! put {
    ($text:expr, $($what:tt)*) => {{
        $text.push_str(&harmless(&format!($($what)*)));
        $text.push('\n');
    }};
}

pub(crate) async fn run(which: SharingOf, folder: &Path, json: bool) -> Result<Exit, Error> {
    let environment = |name: &str| std::env::var(name).ok();
    let mut sharing = SharingProject::open(folder, &environment).await?;
    let result = Box::pin(work(which, &mut sharing, json)).await;
    sharing.close().await;
    result.map_err(|error| Error { what: harmless(&error.what), ..error })
}

async fn work(which: SharingOf, sharing: &mut SharingProject, json: bool) -> Result<Exit, Error> {
    let environment = |name: &str| std::env::var(name).ok();
    match which {
        SharingOf::Discover { file, dry_run } => {
            let stop = crate::stop_on_interrupt();
            let report = sharing.discover(file.as_deref(), dry_run, &environment, stop).await?;
            give(json, "sharing-discover", &report, discovered);
            Ok(report.exit())
        }
        SharingOf::List { owner, shown } => {
            let report = sharing.list(owner.as_deref()).await?;
            report_to::give("sharing-list", &report, &report.document(), &shown, json)?;
            Ok(Exit::Done)
        }
        SharingOf::Decide { ids, what, by, evidence, dry_run } => {
            let by = by.as_deref();
            let report = match what {
                RightWord { file: Some(file), .. } => sharing.decide_file(&file, by, &evidence, dry_run).await?,
                RightWord { keep, right, .. } => {
                    let decision = match (keep, right) {
                        (true, _) => SharingDecision::Keep,
                        (false, Some(right)) => SharingDecision::Right(right),
                        (false, None) => SharingDecision::Remove,
                    };
                    sharing.decide(&ids, &decision, by, &evidence, dry_run).await?
                }
            };
            give(json, "sharing-decision", &report, decided);
            Ok(Exit::Done)
        }
        SharingOf::Signoff { by, evidence, owner, digest, dry_run } => {
            let digest = digest.unwrap_or_default();
            let report = sharing.sign(owner.as_deref(), &digest, &by, &evidence, dry_run).await?;
            give(json, "sharing-signoff", &report, signed);
            Ok(Exit::Done)
        }
        SharingOf::Inject { dry_run, shown } => {
            let stop = crate::stop_on_interrupt();
            let report = sharing.inject(dry_run, &environment, stop).await?;
            report_to::give("sharing-inject", &report, &report.document(), &shown, json)?;
            Ok(report.exit())
        }
        SharingOf::Compare { shown, .. } => {
            let stop = crate::stop_on_interrupt();
            let report = sharing.compare(&environment, stop).await?;
            report_to::give("sharing-compare", &report, &report.document(), &shown, json)?;
            Ok(report.exit())
        }
    }
}

fn give<R: Serialize>(json: bool, name: &str, report: &R, text: fn(&R) -> String) {
    if json { print_json(name, report) } else { print(text(report).trim_end()) }
}

fn discovered(report: &SharingDiscoverReport) -> String {
    let mut text = String::new();
    for (origin, count) in &report.found {
        put!(text, "{origin}: {} found.", counted(*count as u64, "right"));
    }
    let mailboxes = counted(report.mailboxes as u64, "mailbox");
    put!(text, "{mailboxes} read; {} of owners and administrators left out.", report.left_out);
    for endpoint in &report.without {
        put!(text, "{endpoint} keeps no rights of folders.");
    }
    for (mailbox, folder, why) in report.unread.iter().take(SHOWN) {
        put!(text, "CAN'T BE READ  {mailbox}, {folder}: {why}");
    }
    for (mailbox, why) in report.failed.iter().take(SHOWN) {
        put!(text, "CAN'T BE OPENED  {mailbox}: {why}");
    }
    let (all, most) = (report.unread.len() + report.failed.len(), 2 * SHOWN);
    if all > most {
        put!(text, "  … and {} more", all - most);
    }
    if report.dry_run {
        text.push_str("Nothing was kept: this was a dry run.\n");
    }
    text
}

fn decided(report: &SharingDecisionReport) -> String {
    let mut text = String::new();
    for (id, mailbox, grantee, decision) in report.decided.iter().take(SHOWN) {
        put!(text, "{id}  {mailbox}: {grantee}: {decision}");
    }
    if report.decided.len() > SHOWN {
        put!(text, "  … and {} more", report.decided.len() - SHOWN);
    }
    put!(text, "{}, by {}.", counted(report.decided.len() as u64, "decision"), report.by);
    if report.dry_run {
        text.push_str("Nothing was recorded: this was a dry run.\n");
    }
    text
}

fn signed(report: &SharingSignoffReport) -> String {
    let mut text = String::new();
    let number = report.signoff.map_or_else(|| "Dry run".to_owned(), |number| format!("Sign-off {number}"));
    put!(
        text,
        "{number}: {} signed {}, {} of these for the first time or changed since.",
        report.by,
        counted(report.rights as u64, "right"),
        report.newly
    );
    if report.waiting > 0 {
        put!(text, "{} wait until it is known whose they are; then they are given.", report.waiting);
    }
    put!(text, "Digest {}", report.digest);
    text
}
