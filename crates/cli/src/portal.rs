//! `people results`: what a platform's portal said of the files that left to it.

use std::path::PathBuf;

use clap::Args;
use movement::state::counted;
use report::harmless;
use service::{Error, Exit, LostReport, MailedResultsReport, PeopleProject, ResultLine, ResultsReport, UploadsReport};

use crate::people::{SHOWN, give, more, put};

#[derive(Debug, Args)]
pub(crate) struct ResultsOf {
    /// The result file; what became of each file is said when it is left out
    #[arg(conflicts_with_all = ["mailed", "lost"])]
    file: Option<PathBuf>,
    /// Look once into the mailbox that results come to
    #[arg(long, conflicts_with = "lost")]
    mailed: bool,
    /// Say that the portal never took this submission: what of it has no result is in the next one
    #[arg(long, value_name = "NUMBER", requires = "by", requires = "evidence")]
    lost: Option<i64>,
    /// Who reads it, or says so
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// What that rests on
    #[arg(long, value_name = "TEXT", requires = "lost")]
    evidence: Option<String>,
    /// Of which submission it is the result, where that can't be told
    #[arg(long, value_name = "NUMBER", requires = "file")]
    of: Option<i64>,
    /// Say what it says; keep nothing
    #[arg(long, conflicts_with = "lost")]
    dry_run: bool,
}

pub(crate) async fn results(which: ResultsOf, people: &PeopleProject, json: bool) -> Result<Exit, Error> {
    let ResultsOf { file, mailed, lost, by, evidence, of, dry_run } = which;
    let by = by.unwrap_or_default();
    if let Some(number) = lost {
        let report = people.lost(number, &by, &evidence.unwrap_or_default()).await?;
        give(json, "people-submission-lost", &report, said_lost);
        return Ok(Exit::Done);
    }
    if mailed {
        let environment = |name: &str| std::env::var(name).ok();
        let report = people.results_mailed(dry_run, &environment).await?;
        give(json, "people-results-mailed", &report, from_mail);
        return Ok(if report.is_well() { Exit::Done } else { Exit::WithFailures });
    }
    let Some(file) = file else {
        let report = people.uploads().await?;
        give(json, "people-submissions", &report, uploads);
        let is_overdue = report.submissions.iter().any(|line| line.overdue);
        return Ok(if is_overdue { Exit::WithFailures } else { Exit::Done });
    };
    let report = people.results(&file, &by, of, dry_run).await?;
    give(json, "people-results", &report, read);
    Ok(if report.is_well() { Exit::Done } else { Exit::WithFailures })
}

fn lines(text: &mut String, word: &str, lines: &[ResultLine]) {
    for line in lines.iter().take(SHOWN) {
        let said = if line.said.is_empty() { "" } else { ": " };
        put!(text, "{word:9} {}: {}{said}{}", line.id, line.what, line.said);
    }
    more(text, lines.len(), lines.len().min(SHOWN));
}

fn read(report: &ResultsReport) -> String {
    let mut text = String::new();
    lines(&mut text, "FAILED", &report.failed);
    lines(&mut text, "UNCLEAR", &report.unclear);
    lines(&mut text, "UNSAID", &report.unreported);
    lines(&mut text, "LOOK", &report.contradicted);
    for note in report.notes.iter().take(SHOWN) {
        put!(text, "{note}");
    }
    more(&mut text, report.notes.len(), report.notes.len().min(SHOWN));
    if report.known {
        return text;
    }
    put!(
        text,
        "Submission {} to the portal: {} of {} done, {} failed, {} unclear, {} without a word.",
        report.submission,
        report.done,
        counted(report.rows as u64, "row"),
        report.failed.len(),
        report.unclear.len(),
        report.unreported.len()
    );
    if !report.unclear.is_empty() {
        text.push_str(
            "What its words mean is said by done and failed in the platform's table; then read the file again.\n",
        );
    }
    match (report.dry_run, report.ended, report.failed.is_empty()) {
        (true, ..) => text.push_str("Nothing was kept: this was a dry run.\n"),
        (false, false, _) => text.push_str("No other file leaves before every row has a result.\n"),
        (false, true, false) => text.push_str("What failed is in the next file: whimbrel people apply\n"),
        (false, true, true) => text.push_str("Fetch the report of users from the portal: whimbrel people sync\n"),
    }
    text
}

fn from_mail(report: &MailedResultsReport) -> String {
    let mut text = String::new();
    for note in &report.notes {
        put!(text, "LOOK     {note}");
    }
    for line in report.refused.iter().take(SHOWN) {
        let from = line.from.as_deref().unwrap_or("nobody that can be told");
        put!(text, "REFUSED  a message from {from}: {}; nothing was done", line.why);
    }
    more(&mut text, report.refused.len(), report.refused.len().min(SHOWN));
    report.results.iter().for_each(|result| text.push_str(&read(result)));
    if text.is_empty() {
        text.push_str("No result has come.\n");
    }
    text
}

fn said_lost(report: &LostReport) -> String {
    let mut text = String::new();
    put!(
        text,
        "Submission {} to the portal is lost, says {}: {} without a result are in the next file, once the report of users is younger than this word.",
        report.submission,
        report.by,
        counted(report.rows as u64, "row")
    );
    text
}

fn uploads(report: &UploadsReport) -> String {
    let mut text = String::new();
    for line in &report.submissions {
        put!(
            text,
            "{}  made {}  {}",
            line.sentence(),
            report::moment(line.made),
            &line.digest[..12.min(line.digest.len())]
        );
    }
    if text.is_empty() {
        text.push_str("No file has left to the portal yet.\n");
    }
    text
}
