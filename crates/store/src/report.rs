//! Reports that are sent: which are owed, who gets them, and what the days did.
//!
//! A report is a row before its first letter leaves, and each letter has its Message-ID from then on: what is sent again after a stop
//! is the same letter. Times are told by whoever calls, since days and hours are those of an organisation.

use crate::sql::{Alone, Durability, Row, values};
use crate::{Error, ProjectKey, Store};

/// Numbers of a project at one moment. What grows is counted from the project's beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Items copied by all runs so far.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Milliseconds of the runs that copied them.
    pub worked_ms: u64,
    /// Changes of the source that were made on the target so far.
    pub followed: u64,
    /// Items that are failed now.
    pub failed: u64,
    /// Mailboxes on the roster now.
    pub mailboxes: u64,
    /// Of these: in step now, or turned over.
    pub in_step: u64,
    /// Of these: turned over.
    pub turned_over: u64,
}

/// The numbers when a local day had ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayRow {
    /// The day, as 2026-11-26.
    pub day: String,
    /// When they were taken (milliseconds since 1970).
    pub taken_at: i64,
    /// They.
    pub figures: Figures,
}

/// A report that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReport {
    /// Which: `overall`, `failed` or `schedule`.
    pub kind: String,
    /// The whole local day that it is about.
    pub day: String,
    /// When it was owed (milliseconds since 1970); none: somebody asked for it.
    pub due_at: Option<i64>,
    /// Who had it made.
    pub made_by: String,
    /// Who gets it, and the Message-ID of the letter.
    pub letters: Vec<(String, String)>,
}

/// A report that was sent, or is being sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRow {
    /// Its number.
    pub report: i64,
    /// Which.
    pub kind: String,
    /// The day that it is about.
    pub day: String,
    /// When it was owed; none: somebody asked for it.
    pub due_at: Option<i64>,
    /// When it was made.
    pub made_at: i64,
    /// Its letters.
    pub letters: Vec<LetterRow>,
}

/// A letter with a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterRow {
    /// Who gets it.
    pub whom: String,
    /// Its Message-ID.
    pub message_id: String,
    /// When it was last about to be sent.
    pub begun_at: Option<i64>,
    /// When it was taken.
    pub sent_at: Option<i64>,
    /// How often it was tried.
    pub tries: u64,
    /// When it is tried next.
    pub try_at: i64,
    /// Why the last try failed.
    pub said: Option<String>,
}

fn figures(row: &Row, first: usize) -> Figures {
    let number = |column: usize| row.int(first + column).unsigned_abs();
    Figures {
        items: number(0),
        bytes: number(1),
        worked_ms: number(2),
        followed: number(3),
        failed: number(4),
        mailboxes: number(5),
        in_step: number(6),
        turned_over: number(7),
    }
}

impl Store {
    /// Where the project stands now.
    pub async fn figures(&self, key: ProjectKey) -> Result<Figures, Error> {
        let select = "SELECT CAST(coalesce(sum(worked_items), 0) AS BIGINT), CAST(coalesce(sum(worked_bytes), 0) AS BIGINT), \
            CAST(coalesce(sum(worked_ms), 0) AS BIGINT), CAST(coalesce(sum(followed), 0) AS BIGINT), \
            (SELECT count(*) FROM failure WHERE organisation = $1 AND project = $2), \
            CAST(coalesce(sum(listed), 0) AS BIGINT), \
            CAST(coalesce(sum(CASE WHEN listed = 1 AND phase IN ('in-step', 'switching', 'switched', 'settled') THEN 1 ELSE 0 END), 0) \
                AS BIGINT), \
            CAST(coalesce(sum(CASE WHEN listed = 1 AND phase IN ('switched', 'settled') THEN 1 ELSE 0 END), 0) AS BIGINT) \
            FROM mailbox WHERE organisation = $1 AND project = $2";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        Ok(rows.first().map(|row| figures(row, 0)).unwrap_or_default())
    }

    /// Keeps the numbers of a day that has ended. Those that are kept of it already stay.
    pub async fn add_day(&self, key: ProjectKey, day: &DayRow) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let insert = "INSERT INTO report_day (organisation, project, day, taken_at, items, bytes, worked_ms, followed, failed, \
            mailboxes, in_step, turned_over) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING";
        let of = &day.figures;
        let numbers =
            [of.items, of.bytes, of.worked_ms, of.followed, of.failed, of.mailboxes, of.in_step, of.turned_over];
        let mut row = values![key.organisation, key.project, day.day.as_str(), day.taken_at];
        row.extend(numbers.map(|number| (number as i64).into()));
        tx.execute(insert, row).await?;
        tx.commit().await
    }

    /// The last days of which numbers are kept, the oldest first.
    pub async fn days(&self, key: ProjectKey, max: u32) -> Result<Vec<DayRow>, Error> {
        let select = "SELECT day, taken_at, items, bytes, worked_ms, followed, failed, mailboxes, in_step, turned_over \
            FROM report_day WHERE organisation = $1 AND project = $2 ORDER BY day DESC LIMIT $3";
        let rows = self.database.query(select, values![key.organisation, key.project, i64::from(max)]).await?;
        let day = |row: &Row| DayRow { day: row.text(0), taken_at: row.int(1), figures: figures(row, 2) };
        Ok(rows.iter().rev().map(day).collect())
    }

    /// Since when reports of this kind are sent every day: since now, where they were not before.
    pub async fn report_since(&self, key: ProjectKey, kind: &str, now: i64) -> Result<i64, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let insert = "INSERT INTO report_since (organisation, project, kind, since) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        tx.execute(insert, values![key.organisation, key.project, kind, now]).await?;
        let select = "SELECT since FROM report_since WHERE organisation = $1 AND project = $2 AND kind = $3";
        let since = tx.query(select, values![key.organisation, key.project, kind]).await?[0].int(0);
        tx.commit().await?;
        Ok(since)
    }

    /// Reports of this kind are not sent every day any more.
    pub async fn end_report(&self, key: ProjectKey, kind: &str) -> Result<(), Error> {
        let select = "SELECT 1 FROM report_since WHERE organisation = $1 AND project = $2 AND kind = $3";
        if self.database.query(select, values![key.organisation, key.project, kind]).await?.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin(Durability::Full).await?;
        let delete = "DELETE FROM report_since WHERE organisation = $1 AND project = $2 AND kind = $3";
        tx.execute(delete, values![key.organisation, key.project, kind]).await?;
        tx.commit().await
    }

    /// Puts a report with its letters down as to be sent; its number. None: the one that was owed is there.
    pub async fn add_report(&self, key: ProjectKey, new: &NewReport, now: i64) -> Result<Option<i64>, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::Telling).await?;
        let insert = "INSERT INTO report (organisation, project, report, kind, day, due_at, made_at, made_by) \
            SELECT $1, $2, coalesce(max(report), 0) + 1, $3, $4, CAST($5 AS BIGINT), $6, $7 FROM report \
            WHERE organisation = $1 AND project = $2 ON CONFLICT DO NOTHING RETURNING report";
        let (kind, day) = (new.kind.as_str(), new.day.as_str());
        let row = values![key.organisation, key.project, kind, day, new.due_at, now, new.made_by.as_str()];
        let rows = tx.query(insert, row).await?;
        let Some(report) = rows.first().map(|row| row.int(0)) else { return Ok(None) };
        for (whom, message_id) in &new.letters {
            let insert = "INSERT INTO report_letter (organisation, project, report, whom, message_id, tries, try_at) \
                VALUES ($1, $2, $3, $4, $5, 0, $6)";
            let row = values![key.organisation, key.project, report, whom.as_str(), message_id.as_str(), now];
            tx.execute(insert, row).await?;
        }
        tx.commit().await?;
        Ok(Some(report))
    }

    /// The reports that were made last, the newest first.
    pub async fn reports(&self, key: ProjectKey, max: u32) -> Result<Vec<ReportRow>, Error> {
        let select = "SELECT report, kind, day, due_at, made_at FROM report WHERE organisation = $1 AND project = $2 \
            ORDER BY report DESC LIMIT $3";
        let rows = self.database.query(select, values![key.organisation, key.project, i64::from(max)]).await?;
        let mut reports: Vec<ReportRow> = rows
            .iter()
            .map(|row| ReportRow {
                report: row.int(0),
                kind: row.text(1),
                day: row.text(2),
                due_at: row.int_or_null(3),
                made_at: row.int(4),
                letters: Vec::new(),
            })
            .collect();
        let Some(first) = reports.last().map(|report| report.report) else { return Ok(reports) };
        let select = "SELECT report, whom, message_id, begun_at, sent_at, tries, try_at, said FROM report_letter \
            WHERE organisation = $1 AND project = $2 AND report >= $3 ORDER BY whom";
        for row in self.database.query(select, values![key.organisation, key.project, first]).await? {
            let letter = LetterRow {
                whom: row.text(1),
                message_id: row.text(2),
                begun_at: row.int_or_null(3),
                sent_at: row.int_or_null(4),
                tries: row.int(5).unsigned_abs(),
                try_at: row.int(6),
                said: row.text_or_null(7),
            };
            if let Some(report) = reports.iter_mut().find(|report| report.report == row.int(0)) {
                report.letters.push(letter);
            }
        }
        Ok(reports)
    }

    /// A letter is about to be sent, and is not tried again before `try_at` unless it is told that it failed. False: another process
    /// sends it, or it was sent.
    pub async fn begin_letter(
        &self,
        key: ProjectKey,
        report: i64,
        whom: &str,
        now: i64,
        try_at: i64,
    ) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let update = "UPDATE report_letter SET begun_at = $5, tries = tries + 1, try_at = $6 WHERE organisation = $1 \
            AND project = $2 AND report = $3 AND whom = $4 AND sent_at IS NULL AND try_at <= $5";
        let row = values![key.organisation, key.project, report, whom, now, try_at];
        let is_ours = tx.execute(update, row).await? == 1;
        tx.commit().await?;
        Ok(is_ours)
    }

    /// What became of a letter: none, it was taken; else why not.
    pub async fn end_letter(
        &self,
        key: ProjectKey,
        report: i64,
        whom: &str,
        now: i64,
        said: Option<&str>,
    ) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let update = "UPDATE report_letter SET sent_at = CASE WHEN CAST($6 AS TEXT) IS NULL THEN CAST($5 AS BIGINT) ELSE sent_at END, \
            said = $6 WHERE organisation = $1 AND project = $2 AND report = $3 AND whom = $4 AND sent_at IS NULL";
        tx.execute(update, values![key.organisation, key.project, report, whom, now, said]).await?;
        tx.commit().await
    }
}
