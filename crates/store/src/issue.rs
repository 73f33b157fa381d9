//! The log of issues: what failed or was reported, who has to act, and how it ended.
//!
//! At most one issue of a mailbox and type is not closed. A closed one is never opened again: what comes back is a new one that
//! cites it.

use crate::sql::{Alone, Durability, Row, values};
use crate::{Error, ProjectKey, Store};

/// Where an issue stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssueState {
    /// Nobody has taken it yet.
    Open,
    /// Somebody has.
    InProgress,
    /// It ended.
    Closed,
}

impl IssueState {
    /// Every state.
    pub const EVERY: [Self; 3] = [Self::Open, Self::InProgress, Self::Closed];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::InProgress => "in-progress",
            Self::Closed => "closed",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|state| state.name() == name)
    }
}

/// What becomes of what an issue is about, where it is not cured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disposition {
    /// The loss is accepted.
    Accepted,
    /// It is left for the mop-up.
    MopUp,
    /// It does not move.
    NotMoving,
}

impl Disposition {
    /// Every disposition.
    pub const EVERY: [Self; 3] = [Self::Accepted, Self::MopUp, Self::NotMoving];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::MopUp => "mop-up",
            Self::NotMoving => "not-moving",
        }
    }

    /// The disposition with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|disposition| disposition.name() == name)
    }
}

/// An issue that is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIssue {
    /// The mailbox it is about, if it is about one.
    pub mailbox: Option<i64>,
    /// The code of a cause, or a word of whoever opens it.
    pub kind: String,
    /// It is about items of the mailbox, not the mailbox itself.
    pub is_of_items: bool,
    /// Who has to act: `organisation`, `provider` or `both`.
    pub owner: String,
    /// What happened.
    pub what: String,
    /// What to do about it.
    pub action: String,
    /// The closed issue that has come back.
    pub follows: Option<i64>,
    /// When it was last seen (milliseconds since 1970).
    pub seen_at: i64,
}

/// How an issue ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueEnd {
    /// In whose name.
    pub by: String,
    /// How it was cured.
    pub resolution: Option<String>,
    /// What becomes of it, where it was not.
    pub disposition: Option<Disposition>,
    /// Why.
    pub reason: Option<String>,
}

/// An issue. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueRow {
    /// Its number.
    pub issue: i64,
    /// What it was opened with.
    pub is: NewIssue,
    /// Where it stands.
    pub state: IssueState,
    /// Who has taken it.
    pub assigned_to: Option<String>,
    /// How often it was seen.
    pub seen: u64,
    /// Who opened it.
    pub opened_by: String,
    /// When.
    pub opened_at: i64,
    /// When it last changed.
    pub changed_at: i64,
    /// How and when it ended.
    pub end: Option<(IssueEnd, i64)>,
}

/// Something said about an issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueNote {
    /// What.
    pub what: String,
    /// By whom.
    pub said_by: String,
    /// When (milliseconds since 1970).
    pub at: i64,
}

/// Items of a mailbox that failed for one cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedCause {
    /// The mailbox.
    pub mailbox: i64,
    /// The code of the cause.
    pub cause: String,
    /// How many nobody has said anything about.
    pub open: u64,
    /// How many somebody has accepted.
    pub accepted: u64,
    /// When one was last tried (milliseconds since 1970).
    pub last_at: i64,
}

fn issue_row(row: &Row) -> Result<IssueRow, Error> {
    let state = IssueState::from_name(&row.text(8)).ok_or_else(|| Error::damaged("an issue's state"))?;
    let disposition = match row.text_or_null(19) {
        None => None,
        Some(name) => Some(Disposition::from_name(&name).ok_or_else(|| Error::damaged("an issue's disposition"))?),
    };
    let end = row.int_or_null(17).map(|at| {
        let end =
            IssueEnd { by: row.text(16), resolution: row.text_or_null(18), disposition, reason: row.text_or_null(20) };
        (end, at)
    });
    Ok(IssueRow {
        issue: row.int(0),
        is: NewIssue {
            mailbox: row.int_or_null(1),
            kind: row.text(2),
            is_of_items: row.bool(3),
            owner: row.text(4),
            what: row.text(5),
            action: row.text(6),
            follows: row.int_or_null(7),
            seen_at: row.int(11),
        },
        state,
        assigned_to: row.text_or_null(9),
        seen: row.int(10) as u64,
        opened_by: row.text(12),
        opened_at: row.int(13),
        changed_at: row.int(14),
        end,
    })
}

impl Store {
    /// Every issue of the project, in the order in which they were opened.
    pub async fn issues(&self, key: ProjectKey) -> Result<Vec<IssueRow>, Error> {
        let select = "SELECT issue, mailbox, type, is_of_items, owner, what, action, follows, state, assigned_to, seen, \
            seen_at, opened_by, opened_at, changed_at, 0, closed_by, closed_at, resolution, disposition, reason \
            FROM issue WHERE organisation = $1 AND project = $2 ORDER BY issue";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        rows.iter().map(issue_row).collect()
    }

    /// Opens an issue; its number. None when one of the mailbox and the type is not closed.
    pub async fn open_issue(&self, key: ProjectKey, new: &NewIssue, by: &str) -> Result<Option<i64>, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::Issues).await?;
        let open = "SELECT 1 FROM issue WHERE organisation = $1 AND project = $2 AND mailbox = $3 AND type = $4 \
            AND state <> 'closed'";
        let same = values![key.organisation, key.project, new.mailbox, new.kind.as_str()];
        if new.mailbox.is_some() && !tx.query(open, same).await?.is_empty() {
            return Ok(None);
        }
        let max = "SELECT max(issue) FROM issue WHERE organisation = $1 AND project = $2";
        let number = crate::project::next(&mut tx, max, values![key.organisation, key.project]).await?;
        let insert = "INSERT INTO issue (organisation, project, issue, mailbox, type, is_of_items, owner, what, action, state, \
            follows, seen, seen_at, opened_by, opened_at, changed_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'open', $10, 1, $11, $12, {now}, {now})";
        let row = values![
            key.organisation,
            key.project,
            number,
            new.mailbox,
            new.kind.as_str(),
            new.is_of_items,
            new.owner.as_str(),
            new.what.as_str(),
            new.action.as_str(),
            new.follows,
            new.seen_at,
            by
        ];
        tx.execute(insert, row).await?;
        tx.commit().await?;
        Ok(Some(number))
    }

    /// An issue that is not closed was seen again, at this time; once for each time. True when it was not known of that time.
    pub async fn see_issue(&self, key: ProjectKey, issue: i64, what: &str, at: i64) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::Relaxed).await?;
        let update = "UPDATE issue SET seen = seen + 1, seen_at = $4, what = $5, changed_at = {now} \
            WHERE organisation = $1 AND project = $2 AND issue = $3 AND state <> 'closed' AND seen_at < $4";
        let touched = tx.execute(update, values![key.organisation, key.project, issue, at, what]).await?;
        tx.commit().await?;
        Ok(touched == 1)
    }

    /// Ends issues that are not closed, all in one; how many. What is left for the mop-up or does not move is worked on no more:
    /// its mailbox is set aside, where the issue is about the mailbox itself. Whose switch has begun is followed all the same.
    pub async fn close_issues(&self, key: ProjectKey, issues: &[i64], end: &IssueEnd) -> Result<u64, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::Issues).await?;
        let aside = end.disposition.filter(|disposition| *disposition != Disposition::Accepted);
        let mut closed = 0;
        for issue in issues {
            let update = "UPDATE issue SET state = 'closed', closed_by = $4, closed_at = {now}, changed_at = {now}, \
                resolution = $5, disposition = $6, reason = $7 \
                WHERE organisation = $1 AND project = $2 AND issue = $3 AND state <> 'closed'";
            let row = values![
                key.organisation,
                key.project,
                *issue,
                end.by.as_str(),
                end.resolution.as_deref(),
                end.disposition.map(Disposition::name),
                end.reason.as_deref()
            ];
            let touched = tx.execute(update, row).await?;
            closed += touched;
            if let Some(aside) = aside.filter(|_| touched == 1) {
                let set = "UPDATE mailbox SET set_aside = $4, due_at = CASE WHEN holder IS NULL THEN NULL ELSE due_at END \
                    WHERE organisation = $1 AND project = $2 AND mailbox = (SELECT i.mailbox FROM issue i \
                        WHERE i.organisation = $1 AND i.project = $2 AND i.issue = $3 AND i.is_of_items = 0) \
                    AND phase NOT IN ('switching', 'switched', 'settled')";
                tx.execute(set, values![key.organisation, key.project, *issue, aside.name()]).await?;
            }
        }
        tx.commit().await?;
        Ok(closed)
    }

    /// Takes a mailbox up again that was set aside. False when it was not.
    pub async fn take_up(&self, key: ProjectKey, mailbox: i64) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let update = "UPDATE mailbox SET set_aside = NULL WHERE organisation = $1 AND project = $2 AND mailbox = $3 \
            AND set_aside IS NOT NULL";
        let touched = tx.execute(update, values![key.organisation, key.project, mailbox]).await?;
        tx.commit().await?;
        Ok(touched == 1)
    }

    /// Somebody takes an issue that is not closed. False when it is.
    pub async fn assign_issue(&self, key: ProjectKey, issue: i64, to: &str) -> Result<bool, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let update = "UPDATE issue SET state = 'in-progress', assigned_to = $4, changed_at = {now} \
            WHERE organisation = $1 AND project = $2 AND issue = $3 AND state <> 'closed'";
        let touched = tx.execute(update, values![key.organisation, key.project, issue, to]).await?;
        tx.commit().await?;
        Ok(touched == 1)
    }

    /// Says something about an issue.
    pub async fn note_issue(&self, key: ProjectKey, issue: i64, what: &str, by: &str) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::Issues).await?;
        let max = "SELECT max(note) FROM issue_note WHERE organisation = $1 AND project = $2 AND issue = $3";
        let number = crate::project::next(&mut tx, max, values![key.organisation, key.project, issue]).await?;
        let insert = "INSERT INTO issue_note (organisation, project, issue, note, what, said_by, at) \
            VALUES ($1, $2, $3, $4, $5, $6, {now})";
        tx.execute(insert, values![key.organisation, key.project, issue, number, what, by]).await?;
        let update = "UPDATE issue SET changed_at = {now} WHERE organisation = $1 AND project = $2 AND issue = $3";
        tx.execute(update, values![key.organisation, key.project, issue]).await?;
        tx.commit().await
    }

    /// What was said about an issue, in its order.
    pub async fn issue_notes(&self, key: ProjectKey, issue: i64) -> Result<Vec<IssueNote>, Error> {
        let select = "SELECT what, said_by, at FROM issue_note WHERE organisation = $1 AND project = $2 AND issue = $3 \
            ORDER BY note";
        let rows = self.database.query(select, values![key.organisation, key.project, issue]).await?;
        Ok(rows.iter().map(|row| IssueNote { what: row.text(0), said_by: row.text(1), at: row.int(2) }).collect())
    }

    /// Items that failed, by mailbox and cause.
    pub async fn failed_causes(&self, key: ProjectKey) -> Result<Vec<FailedCause>, Error> {
        let select = "SELECT f.mailbox, x.cause, \
            CAST(sum(CASE WHEN x.accepted_by IS NULL THEN 1 ELSE 0 END) AS BIGINT), count(*), max(x.last_at) \
            FROM failure x JOIN folder f ON f.organisation = x.organisation AND f.project = x.project \
            AND f.folder = x.folder WHERE x.organisation = $1 AND x.project = $2 GROUP BY f.mailbox, x.cause \
            ORDER BY f.mailbox, x.cause";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        let row = |row: &Row| FailedCause {
            mailbox: row.int(0),
            cause: row.text(1),
            open: row.int(2) as u64,
            accepted: (row.int(3) - row.int(2)) as u64,
            last_at: row.int(4),
        };
        Ok(rows.iter().map(row).collect())
    }
}
