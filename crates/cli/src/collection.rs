//! `collection`: its commands, and what they say.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use movement::state::counted;
use report::harmless;
use service::{Choice, CollectionChanged, CollectionPlan, Error, Exit, PlacedReport, Project, VipReport};

use crate::args::Shown;
use crate::{print, print_json, report_to, using};

#[derive(Debug, Subcommand)]
pub(crate) enum CollectionOf {
    /// Make a collection: people and lists that move at the same time
    Create {
        /// Its name
        name: String,
        #[command(flatten)]
        plan: PlanArguments,
    },
    /// Change when it starts, how and when it switches, or what it is
    Change {
        /// Its name
        name: String,
        #[command(flatten)]
        plan: PlanArguments,
    },
    /// Put people and lists that are in no collection into it: all of them or none
    Add {
        /// Its name
        name: String,
        #[command(flatten)]
        who: Who,
        /// Everybody in scope who is in no collection
        #[arg(long)]
        rest: bool,
        /// VIPs may be in the collection that starts first
        #[arg(long, requires = "reason")]
        even_first: bool,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Move people and lists from one collection to another, for a reason: all of them or none
    Move {
        #[command(flatten)]
        who: Who,
        /// The collection that they are in
        #[arg(long, value_name = "NAME")]
        from: String,
        /// The one that they are to be in
        #[arg(long, value_name = "NAME")]
        to: String,
        /// Why
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
        /// Who decided; whoever runs the program, when left out
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// VIPs may be in the collection that starts first
        #[arg(long)]
        even_first: bool,
    },
    /// Give members of a collection a date of their own
    Date {
        /// Its name
        name: String,
        #[command(flatten)]
        who: Who,
        /// The date and time; none: the collection's again
        #[arg(long, value_name = "WHEN")]
        at: String,
    },
    /// Every collection: how much is done, how fast, until when, and whether that is in time; who is in none
    List {
        #[command(flatten)]
        shown: Shown,
    },
    /// One collection with its members, what each waits for and since when
    Show {
        /// Its name
        name: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Who is to be watched closely, and never moves first
    #[command(subcommand)]
    Vip(VipOf),
}

#[derive(Debug, Subcommand)]
pub(crate) enum VipOf {
    /// Name VIPs, for a reason
    Add {
        /// Mailboxes, by name at the source or the target
        #[arg(required = true)]
        mailboxes: Vec<String>,
        /// Who says so; whoever runs the program, when left out
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Why
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Take it back
    Remove {
        /// Mailboxes, by name at the source or the target
        #[arg(required = true)]
        mailboxes: Vec<String>,
        /// Who says so
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Every VIP, where they stand, and whether they will be in time
    List {
        #[command(flatten)]
        shown: Shown,
    },
}

/// What is said of a collection.
#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    /// From when its mailboxes are kept in step: now, or a date and time such as "2026-12-05 19:00"; none: it waits
    #[arg(long, value_name = "WHEN")]
    start: Option<String>,
    /// How its mailboxes switch: auto (each when it is in step), by-hand, or at=WHEN
    #[arg(long, value_name = "HOW")]
    switch: Option<String>,
    /// The date planned for that, where they switch by themselves or by hand; none: no date
    #[arg(long, value_name = "WHEN")]
    date: Option<String>,
    /// What it is
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// VIPs may be in the collection that starts first
    #[arg(long, requires = "reason")]
    even_first: bool,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl From<PlanArguments> for CollectionPlan {
    fn from(plan: PlanArguments) -> Self {
        Self {
            description: plan.description,
            start: plan.start,
            switch: plan.switch,
            date: plan.date,
            even_first: plan.even_first,
            reason: plan.reason,
        }
    }
}

/// Who is meant; what is given is added up.
#[derive(Debug, Args)]
pub(crate) struct Who {
    /// This mailbox, by its name at the source or the target; may be given several times
    #[arg(long = "mailbox", value_name = "NAME")]
    mailboxes: Vec<String>,
    /// This distribution list, by its address or name; may be given several times
    #[arg(long = "list", value_name = "ADDRESS")]
    lists: Vec<String>,
    /// Everybody of this department; * stands for anything
    #[arg(long, value_name = "NAME")]
    department: Option<String>,
    /// Everybody whom this filter fits: field=value, several joined by &, or as LDAP writes it. Fields: kind, state, place, group,
    /// department, mail, idle_days, or an attribute's own name
    #[arg(long, value_name = "FILTER")]
    filter: Option<String>,
    /// Everybody named in this file: one name a line, or a table with a column of them
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Who {
    fn choice(self, rest: bool) -> Choice {
        Choice {
            mailboxes: self.mailboxes,
            lists: self.lists,
            department: self.department,
            filter: self.filter,
            file: self.file,
            rest,
        }
    }
}

pub(crate) async fn run(which: CollectionOf, folder: &Path, json: bool) -> Result<Exit, Error> {
    let environment = |name: &str| std::env::var(name).ok();
    let project = Project::open(folder, &environment).await;
    let result = using(project, async |project| Box::pin(work(which, project, json)).await).await;
    result.map_err(|error| Error { what: harmless_lines(&error.what), ..error })
}

/// Names in a mistake come from files; its lines are ours.
fn harmless_lines(text: &str) -> String {
    text.lines().map(harmless).collect::<Vec<_>>().join("\n")
}

async fn work(which: CollectionOf, project: &Project, json: bool) -> Result<Exit, Error> {
    match which {
        CollectionOf::Create { name, plan } => {
            let report = project.create_collection(&name, &plan.into()).await?;
            give(json, "collection-changed", &report, changed);
        }
        CollectionOf::Change { name, plan } => {
            let report = project.change_collection(&name, &plan.into()).await?;
            give(json, "collection-changed", &report, changed);
        }
        CollectionOf::Add { name, who, rest, even_first, reason } => {
            let report = project.add_to_collection(&name, &who.choice(rest), even_first, reason.as_deref()).await?;
            give(json, "collection-placed", &report, placed);
        }
        CollectionOf::Move { who, from, to, reason, by, even_first } => {
            let (pair, said) = ((from.as_str(), to.as_str()), (by.as_deref(), reason.as_str()));
            let report = project.move_collection(&who.choice(false), pair, said, even_first).await?;
            give(json, "collection-placed", &report, placed);
        }
        CollectionOf::Date { name, who, at } => {
            let report = project.date_members(&name, &who.choice(false), &at).await?;
            give(json, "collection-placed", &report, placed);
        }
        CollectionOf::List { shown } => {
            let report = project.collections().await?;
            report_to::give("collections", &report, &report.document(), &shown, json)?;
        }
        CollectionOf::Show { name, shown } => {
            let report = project.collection(&name).await?;
            report_to::give("collection", &report, &report.document(), &shown, json)?;
        }
        CollectionOf::Vip(VipOf::Add { mailboxes, by, reason }) => {
            let report = project.add_vips(&mailboxes, by.as_deref(), &reason).await?;
            give(json, "vip", &report, named);
        }
        CollectionOf::Vip(VipOf::Remove { mailboxes, by, reason }) => {
            let report = project.remove_vips(&mailboxes, by.as_deref(), reason.as_deref()).await?;
            give(json, "vip", &report, named);
        }
        CollectionOf::Vip(VipOf::List { shown }) => {
            let report = project.vips().await?;
            report_to::give("vips", &report, &report.document(), &shown, json)?;
        }
    }
    Ok(Exit::Done)
}

fn give<R: serde::Serialize>(json: bool, name: &str, report: &R, text: fn(&R) -> String) {
    if json {
        print_json(name, report);
    } else {
        print(text(report).trim_end());
    }
}

fn changed(report: &CollectionChanged) -> String {
    let (name, status) = (harmless(&report.collection.name), &report.collection);
    let mut text = format!("{name} {}: {}; it switches {}.\n", report.done, report.start_text, report.switch_text);
    if status.mailboxes > 0 {
        let _ = writeln!(text, "{}", harmless(&status.line()));
    }
    text
}

fn placed(report: &PlacedReport) -> String {
    let count = counted(report.placed, "member");
    let mut text = match report.done {
        "dated" => format!("{count} of {} dated", report.collection),
        done => format!("{count} {done} to {}", report.collection),
    };
    if report.already > 0 {
        let _ = write!(text, "; {} there already", report.already);
    }
    text.push_str(".\n");
    if !report.not_on_roster.is_empty() {
        let names = report.not_on_roster.join(", ");
        let _ = writeln!(text, "Not on the roster yet, and in no collection: {names}.");
    }
    harmless_lines(&text)
}

fn named(report: &VipReport) -> String {
    let mut text = format!("{} {}.", counted(report.count, "VIP"), report.done);
    if !report.first.is_empty() {
        let _ = write!(
            text,
            "\nIn the collection that starts first: {}. Move them to a later one: whimbrel collection move.",
            report.first.join(", ")
        );
    }
    harmless_lines(&text)
}
