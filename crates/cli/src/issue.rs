//! `issue`: its commands, and what they say.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Args, Subcommand};
use movement::state::counted;
use report::harmless;
use service::{ClosedReport, Closing, Error, Exit, IssueChanged, IssueChoice, Project, Reported};

use crate::args::Shown;
use crate::{print, print_json, report_to, using};

#[derive(Debug, Subcommand)]
pub(crate) enum IssueOf {
    /// List issues that are not closed: who has to act about what. What fails opens one by itself
    List {
        /// In this state: open, in-progress, closed or all
        #[arg(long)]
        state: Option<String>,
        /// Of mailboxes that stand still until a person acts
        #[arg(long)]
        parked: bool,
        /// Left for the mop-up
        #[arg(long)]
        mop_up: bool,
        /// For this side to act: organisation, provider or both
        #[arg(long)]
        owner: Option<String>,
        /// Of this type: the class of a failure, or a word of whoever opened it
        #[arg(long, value_name = "TYPE")]
        cause: Option<String>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Show one with all that was said about it
    Show {
        /// Its number
        number: i64,
        #[command(flatten)]
        shown: Shown,
    },
    /// Open one that somebody reports
    Open {
        /// A word for what it is
        #[arg(long = "type", value_name = "TYPE")]
        kind: String,
        /// What happened
        #[arg(long, value_name = "TEXT")]
        what: String,
        /// The mailbox it is about, by its name at the source or the target
        #[arg(long, value_name = "NAME")]
        mailbox: Option<String>,
        /// Who has to act: organisation, provider or both
        #[arg(long)]
        owner: Option<String>,
        /// What to do about it
        #[arg(long, value_name = "TEXT")]
        action: Option<String>,
        /// Who reports it; whoever runs the program, when left out
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
    /// Put one into somebody's hands
    Assign {
        /// Its number
        number: i64,
        /// Whose
        #[arg(long, value_name = "NAME")]
        to: String,
    },
    /// Say something about one
    Note {
        /// Its number
        number: i64,
        /// What
        text: String,
        /// Who says it; whoever runs the program, when left out
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
    /// Close one or many, with one approval: resolved, or with a disposition
    Close(CloseArguments),
    /// Take a mailbox up again that was left for the mop-up or said not to move
    TakeUp {
        /// The mailbox, by its name at the source or the target
        mailbox: String,
        /// Why
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
        /// Who decided; whoever runs the program, when left out
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
}

/// Which are closed, and how.
#[derive(Debug, Args)]
pub(crate) struct CloseArguments {
    /// Their numbers
    numbers: Vec<i64>,
    /// Those of this type
    #[arg(long, value_name = "TYPE")]
    cause: Option<String>,
    /// All that are not closed
    #[arg(long)]
    all: bool,
    /// How they were cured
    #[arg(long, value_name = "TEXT")]
    resolution: Option<String>,
    /// What becomes of what was not cured: accepted (the loss of items), mop-up or not-moving
    #[arg(long)]
    disposition: Option<String>,
    /// In whose name
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl From<CloseArguments> for Closing {
    fn from(close: CloseArguments) -> Self {
        Self {
            issues: close.numbers,
            cause: close.cause,
            all: close.all,
            resolution: close.resolution,
            disposition: close.disposition,
            by: close.by,
            reason: close.reason,
        }
    }
}

pub(crate) async fn run(which: IssueOf, folder: &Path, json: bool) -> Result<Exit, Error> {
    let environment = |name: &str| std::env::var(name).ok();
    let project = Project::open(folder, &environment).await;
    using(project, async |project| Box::pin(work(which, project, json)).await).await
}

async fn work(which: IssueOf, project: &Project, json: bool) -> Result<Exit, Error> {
    let done = match which {
        IssueOf::List { state, parked, mop_up, owner, cause, shown } => {
            let report = project.issues(&IssueChoice { state, parked, mop_up, owner, cause }).await?;
            report_to::give("issues", &report, &report.document(), &shown, json)?;
            return Ok(Exit::Done);
        }
        IssueOf::Show { number, shown } => {
            let report = project.issue(number).await?;
            report_to::give("issue", &report, &report.document(), &shown, json)?;
            return Ok(Exit::Done);
        }
        IssueOf::Close(close) => {
            let report = project.close_issues(&close.into()).await?;
            if json {
                print_json("issues-closed", &report);
            } else {
                print(&closed(&report));
            }
            let is_whole = report.closed == report.issues.len() as u64;
            return Ok(if is_whole { Exit::Done } else { Exit::WithFailures });
        }
        IssueOf::Open { kind, what, mailbox, owner, action, by } => {
            project.open_issue(&Reported { kind, what, mailbox, owner, action, by }).await?
        }
        IssueOf::Assign { number, to } => project.assign_issue(number, &to).await?,
        IssueOf::Note { number, text, by } => project.note_issue(number, &text, by.as_deref()).await?,
        IssueOf::TakeUp { mailbox, reason, by } => project.take_up(&mailbox, by.as_deref(), &reason).await?,
    };
    if json {
        print_json("issue-changed", &done);
    } else {
        print(&changed(&done));
    }
    Ok(Exit::Done)
}

fn changed(report: &IssueChanged) -> String {
    let mut text = harmless(&report.done);
    if let Some(first) = text.get(..1).map(str::to_uppercase) {
        text.replace_range(..1, &first);
    }
    format!("{text}.")
}

fn closed(report: &ClosedReport) -> String {
    let mut text = match (&report.resolution, report.disposition) {
        (_, Some(disposition)) => format!("{} closed as {}", counted(report.closed, "issue"), disposition.name()),
        (Some(resolution), None) => format!("{} closed: {resolution}", counted(report.closed, "issue")),
        (None, None) => format!("{} closed", counted(report.closed, "issue")),
    };
    if report.items > 0 {
        let _ = write!(text, "; {} with it", counted(report.items, "failed item"));
    }
    let late = report.issues.len() as u64 - report.closed;
    if late > 0 {
        let _ = write!(text, "; {} had been closed by then", counted(late, "issue"));
    }
    harmless(&format!("{text}."))
}
