//! `switch`, `signoff`, `forwarder`, `routing`: their commands, and what they say.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Args, Subcommand};
use movement::state::counted;
use report::harmless;
use service::{
    AutoAnswersReport, Error, Exit, ForwardedAccount, ForwardedReport, ForwarderForm, ForwardersReport, GuardianWord,
    LegacyReport, LegacySender, MarksReport, MissingForwarder, MxReport, MxWord, Project, RoutingReport, RuleSignoffs,
    Said, SwitchReport, SwitchRules,
};

use crate::args::{Chosen, SaidBy};
use crate::scripts::{ScriptOf, script};
use crate::show::table;
use crate::{print, print_json, stop_on_interrupt, using};

#[derive(Debug, Subcommand)]
pub(crate) enum SwitchOf {
    /// Turn people over to the target now: refused with what is missing, else done to its end. Broken off, it is gone on with
    Now {
        #[command(flatten)]
        selection: Chosen,
        #[command(flatten)]
        said: SaidBy,
    },
    /// Turn people over at a date and time, or as soon after it as they are in step
    Schedule {
        #[command(flatten)]
        selection: Chosen,
        /// The date and time; none: as their collection says again
        #[arg(long, value_name = "WHEN")]
        at: String,
        #[command(flatten)]
        said: SaidBy,
    },
    /// Take people back to the source, with all that they got and did on the target
    Undo {
        #[command(flatten)]
        selection: Chosen,
        #[command(flatten)]
        said: SaidBy,
        /// Take that back, where the way back has not begun
        #[arg(long, conflicts_with = "reason")]
        withdraw: bool,
    },
    /// Let people switch who do not meet a rule, in somebody's name and for a reason
    Allow {
        #[command(flatten)]
        selection: Chosen,
        /// The rule: account-activated, for example
        #[arg(long)]
        rule: String,
        /// In whose name
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Why, or where that is to be found
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Say which rules people meet, and what is missing; changes nothing
    Check {
        #[command(flatten)]
        selection: Chosen,
    },
    /// How each switch stands: the task that it is at, since when, and what it waits for
    List {
        #[command(flatten)]
        selection: Chosen,
    },
    /// The same, with what was done and seen at every task
    Show {
        #[command(flatten)]
        selection: Chosen,
    },
    /// What the source is to answer by itself to mail of people who are switched, and until when
    Answer {
        #[command(flatten)]
        selection: Chosen,
    },
    /// The marks that lead people's clients to the target
    #[command(subcommand)]
    Mark(MarkOf),
    /// The scripts that a person runs at a site where nobody lets the program in
    #[command(subcommand)]
    Script(ScriptOf),
}

#[derive(Debug, Subcommand)]
pub(crate) enum MarkOf {
    /// Every mark, and whether it was cleared
    List {
        #[command(flatten)]
        selection: Chosen,
    },
    /// Clear marks: these people's clients were led to the target
    Clear {
        #[command(flatten)]
        selection: Chosen,
        /// Who did that; whoever runs the program, when left out
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SignoffOf {
    /// Record that somebody has signed for a rule: for everybody, a collection, or mailboxes
    Record {
        /// The rule: go, sharing-in-place, address-books, account-activated, calendar-coexistence, …
        rule: String,
        /// Who signed
        #[arg(long, value_name = "NAME")]
        by: String,
        /// The file with it, of which the digest is kept; or where it is to be found
        #[arg(long, value_name = "FILE")]
        evidence: String,
        #[command(flatten)]
        selection: Chosen,
    },
    /// Every sign-off, and whether it was taken back
    List,
    /// Take one back
    Withdraw {
        /// Its number
        number: i64,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ForwarderOf {
    /// Have new accounts forward to the source until their people are switched
    Add {
        #[command(flatten)]
        selection: Chosen,
        #[command(flatten)]
        word: GuardianArguments,
    },
    /// Ask both sides what sends people's mail on, whose it is, and whether a copy stays
    Find {
        #[command(flatten)]
        selection: Chosen,
    },
    /// What is on record: ours, and what was last found of others; and live new accounts that lack one
    List {
        #[command(flatten)]
        selection: Chosen,
        /// Only live new accounts with neither a forwarder that is on nor a recorded reason
        #[arg(long)]
        missing: bool,
    },
    /// Print what the Caldicott guardian signs before all mail of accounts in use is forwarded, with the likely duration by schedule
    Form {
        #[command(flatten)]
        selection: Chosen,
    },
}

/// Who allowed it on an account that was there before.
#[derive(Debug, Args)]
pub(crate) struct GuardianArguments {
    /// For accounts that their people had before: the Caldicott guardian who signs for it
    #[arg(long, value_name = "NAME")]
    guardian: Option<String>,
    /// The date of their word, as 2026-12-05
    #[arg(long, value_name = "DATE")]
    date: Option<String>,
    /// The file with it, of which the digest is kept; or where it is to be found, in words
    #[arg(long, value_name = "FILE")]
    evidence: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RoutingOf {
    /// Whether every address of both sides reaches one mailbox that its person follows: no circle, no black hole, no refusal
    Check {
        /// Ask nobody: with what was last found
        #[arg(long)]
        recorded: bool,
        /// As if the MX records of the source's domains led to the target already
        #[arg(long)]
        mx_moved: bool,
    },
}

async fn open(folder: &Path) -> Result<Project, Error> {
    let environment = |name: &str| std::env::var(name).ok();
    Project::open(folder, &environment).await
}

pub(crate) async fn switch(which: SwitchOf, folder: &Path, json: bool) -> Result<Exit, Error> {
    using(open(folder).await, async |project| Box::pin(switched(which, project, json)).await).await
}

async fn switched(which: SwitchOf, project: &Project, json: bool) -> Result<Exit, Error> {
    let environment = |name: &str| std::env::var(name).ok();
    let (report, exit) = match which {
        SwitchOf::Now { selection, said } => {
            let (selection, said): (_, Said) = (selection.into(), said.into());
            let stop = stop_on_interrupt();
            let report = project.switch_now(&selection, false, &said, &environment, stop).await?;
            let exit = report.exit(false);
            (report, exit)
        }
        SwitchOf::Undo { selection, withdraw: true, .. } => {
            (project.withdraw_undo(&selection.into()).await?, Exit::Done)
        }
        SwitchOf::Undo { selection, said, withdraw: false } => {
            let (selection, said): (_, Said) = (selection.into(), said.into());
            let stop = stop_on_interrupt();
            let report = project.switch_now(&selection, true, &said, &environment, stop).await?;
            let exit = report.exit(true);
            (report, exit)
        }
        SwitchOf::Schedule { selection, at, said } => {
            (project.schedule_switch(&selection.into(), &at, &said.into()).await?, Exit::Done)
        }
        SwitchOf::List { selection } => (project.switches(&selection.into(), false).await?, Exit::Done),
        SwitchOf::Show { selection } => (project.switches(&selection.into(), true).await?, Exit::Done),
        SwitchOf::Allow { selection, rule, by, reason } => {
            let report = project.allow_switch(&rule, &selection.into(), &by, &reason).await?;
            give(json, "signoffs", &report, signoffs);
            return Ok(Exit::Done);
        }
        SwitchOf::Check { selection } => {
            let report = project.switch_rules(&selection.into(), &environment).await?;
            give(json, "switch-rules", &report, rules);
            return Ok(report.exit());
        }
        SwitchOf::Answer { selection } => {
            give(json, "switch-answers", &project.answers(&selection.into()).await?, answers);
            return Ok(Exit::Done);
        }
        SwitchOf::Script(which) => return script(which, project, json).await,
        SwitchOf::Mark(MarkOf::List { selection }) => {
            give(json, "client-marks", &project.client_marks(&selection.into()).await?, marks);
            return Ok(Exit::Done);
        }
        SwitchOf::Mark(MarkOf::Clear { selection, by }) => {
            let report = project.clear_client_marks(&selection.into(), by.as_deref()).await?;
            give(json, "client-marks", &report, marks);
            return Ok(Exit::Done);
        }
    };
    give(json, "switches", &report, switches);
    Ok(exit)
}

pub(crate) async fn signoff(which: SignoffOf, folder: &Path, json: bool) -> Result<Exit, Error> {
    let work = async |project: &Project| match which {
        SignoffOf::Record { rule, by, evidence, selection } => {
            project.sign_rule(&rule, &selection.into(), &by, &evidence).await
        }
        SignoffOf::List => project.rule_signoffs().await,
        SignoffOf::Withdraw { number } => project.withdraw_rule_signoff(number).await,
    };
    let report = using(open(folder).await, work).await?;
    give(json, "signoffs", &report, signoffs);
    Ok(Exit::Done)
}

pub(crate) async fn forwarder(which: ForwarderOf, folder: &Path, json: bool) -> Result<Exit, Error> {
    let environment = |name: &str| std::env::var(name).ok();
    if let ForwarderOf::Form { selection } = which {
        let work = async |project: &Project| project.forwarder_form(&selection.into()).await;
        give(json, "forwarder-form", &using(open(folder).await, work).await?, form);
        return Ok(Exit::Done);
    }
    let only_missing = matches!(which, ForwarderOf::List { missing: true, .. });
    let work = async |project: &Project| match which {
        ForwarderOf::Add { selection, word } => {
            let word = GuardianWord { guardian: word.guardian, on: word.date, evidence: word.evidence };
            project.add_forwarders(&selection.into(), &word, &environment).await
        }
        ForwarderOf::Find { selection } => project.find_forwarders(&selection.into(), &environment).await,
        // The form was printed above.
        ForwarderOf::List { selection, .. } | ForwarderOf::Form { selection } => {
            project.forwarders(&selection.into()).await
        }
    };
    let report = using(open(folder).await, async |project| Box::pin(work(project)).await).await?;
    if only_missing {
        let is_well = report.missing.is_empty();
        give(json, "forwarders-missing", &ForwardedReport { missing: report.missing }, |report| {
            lacking(&report.missing)
        });
        return Ok(if is_well { Exit::Done } else { Exit::WithFailures });
    }
    give(json, "forwarders", &report, forwarders);
    Ok(Exit::Done)
}

fn answers(report: &AutoAnswersReport) -> String {
    let mut text = String::new();
    for answer in &report.answers {
        let over = if answer.is_over { ", which is over: have it taken off" } else { "" };
        let (mailbox, said) = (harmless(&answer.mailbox), harmless(&answer.text));
        let _ = writeln!(text, "{mailbox}, until {}{over}\n    {said}", answer.until);
    }
    for mailbox in &report.not_switched {
        let _ = writeln!(text, "{}: not switched, so nothing is answered", harmless(mailbox));
    }
    text.truncate(text.trim_end().len());
    text
}

fn form(form: &ForwarderForm) -> String {
    let mut text = format!(
        "Forwarding of mail from accounts that are in use\n\n{} ({}), project {}\n",
        harmless(&form.organisation),
        harmless(&form.code),
        harmless(&form.project)
    );
    for sentence in &form.statement {
        let _ = writeln!(text, "\n{}", harmless(sentence));
    }
    let row = |one: &ForwardedAccount| {
        let lasts = format!("{} w {} d", one.weeks, one.days);
        let basis = if one.has_date { "its date" } else { "as usual" };
        [&one.source, &one.target, &one.until, &lasts, &basis.to_owned()].map(|text| harmless(text)).to_vec()
    };
    let rows: Vec<Vec<String>> = form.accounts.iter().map(row).collect();
    let _ = writeln!(text, "\n{}", table(&["local mailbox", "central account", "until", "lasts", "by"], &rows));
    text.push_str(
        "\nCaldicott guardian: ______________________   Date: ____________   Signature: ______________________\n",
    );
    let _ = writeln!(text, "\nOnce it is signed: {}", harmless(&form.record));
    text
}

fn lacking(missing: &[MissingForwarder]) -> String {
    let row = |one: &MissingForwarder| {
        let mailbox = one.mailbox.clone().unwrap_or_default();
        [&one.id, &one.name, &mailbox, &one.why].map(|text| harmless(text)).to_vec()
    };
    let rows: Vec<Vec<String>> = missing.iter().map(row).collect();
    if rows.is_empty() {
        return "Every live new account has a forwarder to the source, or a recorded reason.".to_owned();
    }
    table(&["made for", "name", "mailbox", "why it has no forwarder"], &rows)
}

pub(crate) async fn routing(which: RoutingOf, folder: &Path, json: bool) -> Result<Exit, Error> {
    let environment = |name: &str| std::env::var(name).ok();
    let RoutingOf::Check { recorded, mx_moved } = which;
    let work = async |project: &Project| Box::pin(project.check_routing(recorded, mx_moved, &environment)).await;
    let report = using(open(folder).await, work).await?;
    give(json, "routing", &report, routes);
    Ok(report.exit())
}

fn give<R: serde::Serialize>(json: bool, name: &str, report: &R, text: impl Fn(&R) -> String) {
    if json {
        print_json(name, report);
    } else {
        print(text(report).trim_end());
    }
}

fn switches(report: &SwitchReport) -> String {
    if report.mailboxes.is_empty() {
        return "No mailbox is chosen.".to_owned();
    }
    let mut rows = Vec::new();
    for line in &report.mailboxes {
        let at = line.task.clone().map(|task| format!("{task}, {}", line.since_text.clone().unwrap_or_default()));
        let ended = line.ended.clone().zip(line.ended_on).map(|(at, on)| format!("{at} on the {on}"));
        rows.push(vec![
            harmless(&line.source),
            harmless(&line.target),
            line.phase.name().to_owned(),
            at.unwrap_or_default(),
            ended.unwrap_or_default(),
            harmless(&line.ordered.clone().unwrap_or_default()),
            harmless(&line.waits.clone().unwrap_or_default()),
        ]);
    }
    let mut text = table(&["source", "target", "phase", "at", "ended", "said", "waits for"], &rows);
    let has_more = |line: &&service::SwitchLine| !line.tasks.is_empty() || line.at_source.is_some();
    for line in report.mailboxes.iter().filter(has_more) {
        let _ = write!(text, "\n\n{}", harmless(&line.source));
        for task in &line.tasks {
            let ended = match (&task.ended, task.seconds) {
                (Some(ended), Some(seconds)) => format!("{ended} after {seconds} s"),
                _ => "under way".to_owned(),
            };
            let _ = write!(text, "\n  {}  {:<14} {ended}", task.begun, task.task);
            for evidence in task.evidence.lines() {
                let _ = write!(text, "\n      {}", harmless(evidence));
            }
        }
        if let Some(counts) = line.counts.as_ref().filter(|_| !line.tasks.is_empty()) {
            let _ = write!(text, "\n  {counts}");
        }
        if let Some(at_source) = &line.at_source {
            let _ = write!(text, "\n  the mailbox at the source: {}", harmless(at_source));
        }
        if let Some(until) = &line.forwards_until {
            let _ = write!(text, "\n  the source forwards, and answers by itself, until {until}");
        }
        for one in &line.old_addresses {
            let why = one.why.as_ref().map(|why| format!(": {}", harmless(why))).unwrap_or_default();
            let _ = write!(text, "\n  {:<32} {}{why}", harmless(&one.address), one.state);
        }
    }
    text
}

fn rules(report: &SwitchRules) -> String {
    let mut text = String::new();
    for mailbox in &report.mailboxes {
        let may = if mailbox.may_switch { "may be switched" } else { "MAY NOT BE SWITCHED" };
        let _ = writeln!(text, "{} ({}): {may}", harmless(&mailbox.source), mailbox.phase.name());
        for verdict in &mailbox.rules {
            let mark = if verdict.is_met { "ok    " } else { "MISSING" };
            let _ = writeln!(text, "  {mark:<7} {:<20} {}", verdict.rule.name(), harmless(&verdict.evidence));
        }
    }
    if text.is_empty() { "No mailbox is chosen.".to_owned() } else { text }
}

fn signoffs(report: &RuleSignoffs) -> String {
    let row = |one: &service::RuleSignoff| {
        let withdrawn = one.withdrawn.clone().unwrap_or_default();
        let cells = [&one.rule, &one.scope, &one.by, &one.evidence, &one.recorded, &withdrawn];
        std::iter::once(one.signoff.to_string()).chain(cells.into_iter().map(|text| harmless(text))).collect()
    };
    let rows: Vec<Vec<String>> = report.signoffs.iter().map(row).collect();
    if rows.is_empty() {
        return "Nobody has signed for a rule yet.".to_owned();
    }
    table(&[">no", "rule", "for", "signed by", "evidence", "recorded", "taken back"], &rows)
}

fn forwarders(report: &ForwardersReport) -> String {
    let mut text = String::new();
    if report.ours.is_empty() {
        text.push_str("No account forwards to the source.\n");
    } else {
        let rows: Vec<Vec<String>> = report
            .ours
            .iter()
            .map(|one| {
                let since = one.since.clone().unwrap_or_default();
                let allowed = one.allowed.clone().unwrap_or_default();
                let cells = [&one.mailbox, &one.leads_to, &one.state.to_owned(), &since, &one.ends, &allowed];
                cells.map(|text| harmless(text)).to_vec()
            })
            .collect();
        text.push_str(&table(&["mailbox", "forwards to", "state", "since", "until", "allowed by"], &rows));
        text.push('\n');
    }
    text.push('\n');
    if report.others.is_empty() {
        text.push_str("Nothing else was found to send mail on.\n");
    } else {
        let rows: Vec<Vec<String>> = report
            .others
            .iter()
            .map(|one| {
                let cells = [
                    word(&one.owner),
                    one.mailbox.clone(),
                    one.side.to_string(),
                    one.to.clone(),
                    word(&one.copy),
                    word(&one.force),
                    one.place.clone(),
                ];
                cells.map(|text| harmless(&text)).to_vec()
            })
            .collect();
        text.push_str(&table(&["owner", "mailbox", "side", "to", "copy", "in force", "where"], &rows));
        text.push('\n');
    }
    for one in &report.unread {
        let _ = writeln!(text, "not known: {} ({}): {}", harmless(&one.mailbox), one.side, harmless(&one.what));
    }
    if !report.missing.is_empty() {
        let _ = writeln!(
            text,
            "\nLive, with neither a forwarder that is on nor a recorded reason:\n{}",
            lacking(&report.missing)
        );
    }
    text
}

/// The name of a value, as its JSON has it.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::json!(value).as_str().unwrap_or_default().to_owned()
}

fn routes(report: &RoutingReport) -> String {
    let mut text = format!("{} looked at.\n", counted(report.addresses as u64, "address"));
    for fault in &report.faults {
        let (name, requirement) = (fault.fault, fault.requirement);
        let _ = writeln!(text, "\n{name} ({requirement})  {}\n{}", harmless(&fault.address), indented(&fault.what));
    }
    for what in &report.unread {
        let _ = writeln!(text, "not known: {}", harmless(what));
    }
    if report.not_live > 0 {
        let _ = writeln!(
            text,
            "{} of accounts without a forwarder: nobody is to have been told of them yet.",
            counted(report.not_live as u64, "address")
        );
    }
    text.push_str(match (report.faults.len(), report.unread.len()) {
        (0, 0) => "Every address reaches one mailbox that its person follows.",
        (0, _) => "No fault was found in what is known.",
        _ => "See above what is wrong.",
    });
    text
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {}", harmless(line))).collect::<Vec<_>>().join("\n")
}

fn marks(report: &MarksReport) -> String {
    let row = |one: &service::MarkLine| {
        let address = one.address.clone().unwrap_or_default();
        let state = if one.is_marked { "to be led".to_owned() } else { one.cleared.clone().unwrap_or_default() };
        [&one.source, &one.target, &address, &one.phase.name().to_owned(), &state].map(|text| harmless(text)).to_vec()
    };
    let rows: Vec<Vec<String>> = report.marks.iter().map(row).collect();
    if rows.is_empty() {
        return "No client is to be led to the target.".to_owned();
    }
    table(&["source", "target", "address", "phase", "client"], &rows)
}

#[derive(Debug, Subcommand)]
pub(crate) enum MxOf {
    /// What the DNS says of legacy domains: at each resolver, and at the zone's own servers. Each look is kept
    Check {
        /// Only this domain
        domain: Option<String>,
    },
    /// The same, and what has to change in which order, what may be done now, and what keeps it from being done
    Plan {
        /// Only this domain
        domain: Option<String>,
    },
    /// Who still writes to legacy addresses, as the logs of the local servers tell (mx.logs)
    Arrivals {
        /// Only this domain
        domain: Option<String>,
        /// In so many days
        #[arg(long, default_value_t = 30)]
        days: u16,
    },
    /// Record what somebody decided about a legacy domain
    Record(MxRecorded),
}

/// What was decided about a legacy domain.
#[derive(Debug, Args)]
pub(crate) struct MxRecorded {
    /// The domain
    domain: String,
    /// The request for the change of its MX records was approved on this date, as 2026-12-05
    #[arg(long, value_name = "DATE", conflicts_with_all = ["months", "not_used"])]
    approved: Option<String>,
    /// Its addresses receive for so many months after the last switch, in all
    #[arg(long, value_name = "MONTHS", conflicts_with = "not_used")]
    months: Option<u8>,
    /// Its addresses are not used from this date on
    #[arg(long, value_name = "DATE")]
    not_used: Option<String>,
    /// Who decided it
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Its number, or where it stands
    #[arg(long, value_name = "TEXT")]
    reference: String,
}

pub(crate) async fn mx(which: MxOf, folder: &Path, json: bool) -> Result<Exit, Error> {
    let (domain, plan) = match which {
        MxOf::Arrivals { domain, days } => {
            let work = async |project: &Project| project.legacy_arrivals(domain.as_deref(), days).await;
            let report = using(open(folder).await, work).await?;
            give(json, "legacy-arrivals", &report, arrivals);
            let has_problem = report.logs.iter().any(|log| log.problem.is_some());
            return Ok(if has_problem { Exit::WithFailures } else { Exit::Done });
        }
        MxOf::Check { domain } => (domain, false),
        MxOf::Plan { domain } => (domain, true),
        MxOf::Record(said) => {
            let word = match (said.approved, said.months, said.not_used) {
                (Some(date), ..) => MxWord::Rfc(date),
                (_, Some(months), _) => MxWord::Longer(months),
                (.., Some(date)) => MxWord::NotUsed(date),
                _ => {
                    return Err(Error::usage("nothing was decided").advise("give --approved, --months or --not-used"));
                }
            };
            let record = async |project: &Project| {
                project.record_mx(&said.domain, &word, &said.by, &said.reference).await?;
                project.rule_signoffs().await
            };
            give(json, "signoffs", &using(open(folder).await, record).await?, signoffs);
            return Ok(Exit::Done);
        }
    };
    let environment = |name: &str| std::env::var(name).ok();
    let work = async |project: &Project| Box::pin(project.mx(domain.as_deref(), plan, &environment)).await;
    let report = using(open(folder).await, work).await?;
    give(json, "mx", &report, domains);
    Ok(report.exit())
}

fn arrivals(report: &LegacyReport) -> String {
    let mut text = String::new();
    for log in &report.logs {
        let since = log
            .watched_since
            .as_deref()
            .map_or("without a line yet".to_owned(), |at| format!("without a gap since {at}"));
        let _ = match (&log.problem, &log.read_at) {
            (Some(problem), _) => writeln!(text, "{}: NOT READ: {}", harmless(&log.log), harmless(problem)),
            (None, Some(at)) => writeln!(text, "{}: read on {at}, {since}", harmless(&log.log)),
            (None, None) => writeln!(text, "{}: never read", harmless(&log.log)),
        };
    }
    if report.arrivals.is_empty() {
        let _ = writeln!(text, "Nobody has written to a legacy address since {}.", report.since);
        return text;
    }
    let row = |one: &LegacySender| {
        let from = if one.sender.is_empty() { "(a bounce)" } else { &one.sender };
        let mailbox = one.mailbox.as_deref().unwrap_or_default();
        [&one.messages.to_string(), &one.last, &one.address, from, mailbox].map(harmless).to_vec()
    };
    let rows: Vec<Vec<String>> = report.arrivals.iter().map(row).collect();
    text.push_str(&table(&["messages", "last", "legacy address", "from", "mailbox"], &rows));
    text.push('\n');
    text
}

fn domains(report: &MxReport) -> String {
    let mut text = String::new();
    for domain in &report.domains {
        let _ = writeln!(text, "{}: {}", harmless(&domain.domain), domain.receives);
        for says in &domain.says {
            let differs = if says.agrees { "" } else { "  (not all say the same)" };
            let _ = writeln!(text, "  {}{differs}", says.subject);
            for line in &says.lines {
                let _ = writeln!(text, "      {}", harmless(line));
            }
        }
        for (number, step) in domain.steps.iter().enumerate() {
            let _ = writeln!(text, "  {}. {}: {}", number + 1, step.what, step.state);
            let _ = writeln!(text, "      from {} to {}", harmless(&step.from), harmless(&step.to));
            let _ = writeln!(text, "      {} ({})", step.why, step.source);
            for because in &step.because {
                let _ = writeln!(text, "      – {}", harmless(because));
            }
        }
        for why in &domain.unwatched {
            let _ = writeln!(text, "  what the local server still takes is not known: {}", harmless(why));
        }
        for alarm in &domain.alarms {
            let _ = writeln!(text, "  LOOK AT THIS NOW: {}", harmless(alarm));
        }
        text.push('\n');
    }
    text
}
