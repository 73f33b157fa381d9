//! Reports that are sent every day, and those that somebody sends now.
//!
//! A report is on record, with the Message-ID of each of its letters, before the first one leaves; that a letter was taken is on record
//! after that. Who is stopped in between sends the same letter again: it has the same Message-ID, so that mail programs show it once,
//! and its numbers are those of the later moment. While nobody takes letters each is tried again, with growing waits, for three days.

use std::fmt::Write as _;

use jiff::{Timestamp, ToSpan};
use mailer::{Enclosure, Letter, Mailer};
use report::{Document, Sentence, Weight};
use serde::Serialize;
use serde_json::json;
use store::{DayRow, LetterRow, NewReport, ReportRow};

use super::hours::{self, Due};
use super::{FailedItemsReport, Heading, OverallReport};
use crate::config::{FILE, MailEntry, ReportKind, ReportsEntry};
use crate::secret::Environment;
use crate::usecase::telling::{kept, now, plain, try_again_at};
use crate::{Error, Exit, Project, Selection};

/// A letter that was not taken for so long is not tried any more.
const TRIED_MS_MAX: i64 = 3 * 86_400_000;
/// A report that is sent so long after its hour says why.
const LATE_MS: i64 = 15 * 60_000;
/// So many reports are looked at for letters that wait: three kinds, for more days than letters are tried, and some that were asked for.
pub(crate) const REPORTS_MAX: u32 = 100;

/// Reports with their letters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SentReports {
    /// Each, the newest first.
    pub reports: Vec<SentReport>,
}

/// A report that was sent, or is being sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SentReport {
    /// Which.
    pub kind: String,
    /// The whole day that it is about, as 2026-11-26.
    pub day: String,
    /// When it was owed (seconds since 1970); none: somebody asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<i64>,
    /// When it was made.
    pub made: i64,
    /// Its letters.
    pub letters: Vec<SentLetter>,
}

/// A letter with a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SentLetter {
    /// Who gets it.
    pub to: String,
    /// When it was taken (seconds since 1970).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent: Option<i64>,
    /// How often it was tried.
    pub tries: u64,
    /// When it is tried again; none: it was sent, or is given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
    /// Why the last try failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

impl SentReports {
    fn of(rows: Vec<ReportRow>, now: Timestamp) -> Self {
        let letter = |row: &ReportRow, letter: LetterRow| SentLetter {
            next: (letter.sent_at.is_none() && !is_given_up(row, now)).then_some(letter.try_at / 1000),
            to: letter.whom,
            sent: letter.sent_at.map(|at| at / 1000),
            tries: letter.tries,
            said: letter.said,
        };
        let report = |mut row: ReportRow| {
            let letters = std::mem::take(&mut row.letters);
            SentReport {
                letters: letters.into_iter().map(|it| letter(&row, it)).collect(),
                kind: row.kind,
                day: row.day,
                due: row.due_at.map(|at| at / 1000),
                made: row.made_at / 1000,
            }
        };
        Self { reports: rows.into_iter().map(report).collect() }
    }

    /// How it ended, for other programs.
    pub fn exit(&self) -> Exit {
        let all_sent = self.reports.iter().flat_map(|report| &report.letters).all(|letter| letter.sent.is_some());
        if all_sent { Exit::Done } else { Exit::WithFailures }
    }
}

fn is_given_up(row: &ReportRow, now: Timestamp) -> bool {
    now.as_millisecond() - row.made_at > TRIED_MS_MAX
}

/// Counts the day that has ended, puts the reports down that are owed, and sends what waits. May be stopped anywhere, and run twice.
/// Without somebody who takes letters it counts the day.
pub(crate) async fn tend_reports(project: &Project, now: Timestamp, mailer: Option<&dyn Mailer>) -> Result<(), Error> {
    project.count_day(now).await?;
    let entry = project.config.file.reports.as_ref();
    for kind in ReportKind::EVERY {
        match entry.filter(|entry| entry.which.contains(&kind)) {
            Some(entry) => project.owe(entry, kind, now).await?,
            None => project.store.end_report(project.key, kind.name()).await?,
        }
    }
    let Some(mailer) = mailer else { return Ok(()) };
    project.send_waiting(now, mailer).await
}

impl Project {
    /// Keeps where the project stood when the last local day had ended.
    async fn count_day(&self, now: Timestamp) -> Result<(), Error> {
        let Some(day) = hours::day_before(now, &self.config.time_zone()) else { return Ok(()) };
        let day = day.to_string();
        if self.store.days(self.key, 1).await?.last().is_some_and(|last| last.day >= day) {
            return Ok(());
        }
        let figures = self.store.figures(self.key).await?;
        self.store.add_day(self.key, &DayRow { day, taken_at: now.as_millisecond(), figures }).await?;
        Ok(())
    }

    /// Puts the reports of a kind down that are owed by now.
    async fn owe(&self, entry: &ReportsEntry, kind: ReportKind, now: Timestamp) -> Result<(), Error> {
        let since = self.store.report_since(self.key, kind.name(), now.as_millisecond()).await?;
        let since = Timestamp::from_millisecond(since).unwrap_or(now);
        let Some(hour) = entry.hour() else { return Ok(()) };
        let days: Vec<_> = entry.days.iter().map(|day| day.of()).collect();
        for due in hours::due(hour, &days, &self.config.time_zone(), since, now) {
            self.put_down(entry, kind, Some(due), now).await?;
        }
        Ok(())
    }

    /// Puts a report down; its number, unless it is there.
    async fn put_down(
        &self,
        entry: &ReportsEntry,
        kind: ReportKind,
        due: Option<Due>,
        now: Timestamp,
    ) -> Result<Option<i64>, Error> {
        let about = due.map(|due| due.about).or_else(|| hours::day_before(now, &self.config.time_zone()));
        let day = about.map(|day| day.to_string()).unwrap_or_default();
        let letter = |(place, whom): (usize, &String)| {
            let id = self.message_id(&format!("report.{}.{day}.{place}", kind.name()))?;
            Ok((whom.clone(), id))
        };
        let new = NewReport {
            kind: kind.name().to_owned(),
            letters: entry.to.iter().enumerate().map(letter).collect::<Result<_, Error>>()?,
            day: day.clone(),
            due_at: due.map(|due| due.at.as_millisecond()),
            made_by: self.actor.name.clone(),
        };
        let report = self.store.add_report(self.key, &new, now.as_millisecond()).await?;
        if report.is_some() {
            let detail = json!({ "report": kind, "day": day, "to": entry.to, "asked": due.is_none() });
            self.store.audit(self.key, &self.actor, "report.made", &detail).await?;
        }
        Ok(report)
    }

    /// Sends the letters that wait, those of the oldest report first. Where nobody takes letters the others wait, too.
    async fn send_waiting(&self, now: Timestamp, mailer: &dyn Mailer) -> Result<(), Error> {
        let reports = self.store.reports(self.key, REPORTS_MAX).await?;
        for report in reports.iter().rev().filter(|report| !is_given_up(report, now)) {
            if !self.send_report_letters(report, now, mailer).await? {
                break;
            }
        }
        Ok(())
    }

    /// Sends the letters of a report that wait. False: nobody takes letters now.
    async fn send_report_letters(
        &self,
        report: &ReportRow,
        now: Timestamp,
        mailer: &dyn Mailer,
    ) -> Result<bool, Error> {
        let waits = |letter: &&LetterRow| letter.sent_at.is_none() && letter.try_at <= now.as_millisecond();
        let mut waiting = report.letters.iter().filter(waits).peekable();
        let file = &self.config.file;
        let (Some(_), Some(mail), Some(kind)) = (waiting.peek(), &file.mail, ReportKind::from_name(&report.kind))
        else {
            return Ok(true);
        };
        let made = self.made(kind, report, mail, now).await?;
        for row in waiting {
            let try_at = try_again_at(now, row.tries);
            let at = now.as_millisecond();
            if !self.store.begin_letter(self.key, report.report, &row.whom, at, try_at).await? {
                continue;
            }
            let letter = Letter { to: row.whom.clone(), message_id: row.message_id.clone(), ..made.clone() };
            let sent = mailer.send(&letter).await;
            let said = sent.as_ref().err().map(|error| kept(&error.to_string()));
            self.store.end_letter(self.key, report.report, &row.whom, at, said.as_deref()).await?;
            if let Err(error) = sent {
                tracing::warn!(report = kind.name(), day = %report.day, error = %error, "a report could not be sent");
                if !matches!(error.cause, model::Cause::Refused | model::Cause::Unsupported) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// A letter with a report as it is now, to nobody yet.
    async fn made(
        &self,
        kind: ReportKind,
        report: &ReportRow,
        mail: &MailEntry,
        now: Timestamp,
    ) -> Result<Letter, Error> {
        let mut document = self.document(kind, now).await?;
        let zone = &self.config.file.organisation.time_zone;
        document.facts.insert(0, ("About", format!("{}, the whole day ({zone})", report.day)));
        if let Some(due_at) = report.due_at.filter(|due_at| now.as_millisecond() - due_at > LATE_MS) {
            let text = format!(
                "This report was due at {} and could not be sent then. Its numbers are those of now.",
                self.local(due_at)
            );
            document.sentences.insert(0, Sentence { weight: Weight::Attention, text });
        }
        let forms = self.config.file.reports.as_ref().map(|entry| entry.formats.clone()).unwrap_or_default();
        let mut enclosures = Vec::new();
        let begin = format!("{}-{}-{}", self.config.code, plain(&self.config.file.project), kind.name());
        for form in forms {
            let (form, ending, mime) = form.file();
            let mut bytes = Vec::new();
            document.write(form, None, &mut bytes).map_err(|error| Error {
                exit: Exit::Internal,
                rule: None,
                what: format!("cannot write the report {}: {error}", kind.name()),
                advice: None,
            })?;
            enclosures.push(Enclosure { name: format!("{begin}-{}.{ending}", report.day), mime, bytes });
        }
        let (title, tables) = (document.title.clone(), std::mem::take(&mut document.tables));
        let mut text = document.text();
        let names: Vec<String> = tables.iter().map(|table| table.title.clone()).collect();
        let _ = write!(text, "\nEnclosed, table by table: {}.\n", names.join("; "));
        Ok(Letter {
            from: mail.from.clone(),
            to: String::new(),
            subject: format!("{title}, {}", report.day),
            message_id: String::new(),
            is_automatic: true,
            in_reply_to: None,
            at: now.as_second(),
            text,
            enclosures,
        })
    }

    /// A report as it is now, for everybody.
    async fn document(&self, kind: ReportKind, now: Timestamp) -> Result<Document, Error> {
        let (everybody, at) = (Selection::default(), now.as_second());
        Ok(match kind {
            ReportKind::Overall => {
                let report = self.report_overall(&everybody).await?;
                OverallReport { heading: Heading { at, ..report.heading.clone() }, ..report }.document()
            }
            ReportKind::Failed => {
                let report = self.report_failed(&everybody, None).await?;
                FailedItemsReport { heading: Heading { at, ..report.heading.clone() }, ..report }.document()
            }
            ReportKind::Schedule => self.report_schedule_at(&everybody, now).await?.document(),
        })
    }

    /// Sends a report now, to those who get it every day; or, where none is named, those that are owed and those that wait.
    pub async fn send_reports(
        &self,
        kind: Option<ReportKind>,
        environment: Environment<'_>,
    ) -> Result<SentReports, Error> {
        let mailer = self.mailer(environment)?;
        self.send_reports_by(kind, now(), mailer.as_deref()).await
    }

    pub(crate) async fn send_reports_by(
        &self,
        kind: Option<ReportKind>,
        now: Timestamp,
        mailer: Option<&dyn Mailer>,
    ) -> Result<SentReports, Error> {
        self.may_migrate()?;
        let (Some(entry), Some(mailer)) = (&self.config.file.reports, mailer) else {
            return Err(Error::usage(format!("{FILE} has no [reports]: nobody gets any"))
                .advise("write reports.to, mail.from and mail.smtp; or use report overall, failed or schedule"));
        };
        let Some(kind) = kind else {
            tend_reports(self, now, Some(mailer)).await?;
            let day_ago = (now - 24.hours()).as_millisecond();
            let mut rows = self.store.reports(self.key, REPORTS_MAX).await?;
            rows.retain(|row| {
                let is_new = |letter: &LetterRow| letter.sent_at.is_none_or(|at| at >= day_ago);
                !is_given_up(row, now) && row.letters.iter().any(is_new)
            });
            return Ok(SentReports::of(rows, now));
        };
        let number = self.put_down(entry, kind, None, now).await?;
        let find = async || -> Result<Vec<ReportRow>, Error> {
            let mut rows = self.store.reports(self.key, REPORTS_MAX).await?;
            rows.retain(|row| Some(row.report) == number);
            Ok(rows)
        };
        for report in find().await? {
            self.send_report_letters(&report, now, mailer).await?;
        }
        Ok(SentReports::of(find().await?, now))
    }

    /// The reports that were sent last, and those that wait.
    pub async fn reports_sent(&self) -> Result<SentReports, Error> {
        Ok(SentReports::of(self.store.reports(self.key, REPORTS_MAX).await?, now()))
    }
}

#[cfg(test)]
pub(crate) mod tests;
