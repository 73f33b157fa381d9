//! What is known of mailboxes besides where they stand: what planning, waiting and predicting go by.

use std::collections::HashMap;

use crate::sql::{Row, values};
use crate::{Error, ProjectKey, Store};

/// What is known of a mailbox besides where it stands. Times are milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailboxFacts {
    /// The number of the collection it is in.
    pub member_of: Option<i64>,
    /// From when it is to be worked on.
    pub due_at: Option<i64>,
    /// When its first pass began.
    pub begun_at: Option<i64>,
    /// When it was first in step.
    pub in_step_at: Option<i64>,
    /// Since when it fails, whatever was tried in between.
    pub failing_since: Option<i64>,
    /// The disposition by which a person has set it aside: `mop-up` or `not-moving`.
    pub set_aside: Option<String>,
    /// How long runs that copied something worked on it, in milliseconds.
    pub worked_ms: u64,
    /// Items that they copied.
    pub worked_items: u64,
    /// Their bytes.
    pub worked_bytes: u64,
}

/// What was predicted of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PredictionRow {
    /// When (milliseconds since 1970).
    pub at: i64,
    /// Something of it had been copied by then.
    pub is_begun: bool,
    /// The numbers, as JSON.
    pub detail: String,
    /// Every item was read; else sizes, dates and flags were listed.
    pub is_read: bool,
}

impl Store {
    /// What is known of each mailbox of the project, by its number.
    pub async fn mailbox_facts(&self, key: ProjectKey) -> Result<HashMap<i64, MailboxFacts>, Error> {
        let select = "SELECT mailbox, member_of, due_at, begun_at, in_step_at, failing_since, set_aside, worked_ms, \
            worked_items, worked_bytes FROM mailbox WHERE organisation = $1 AND project = $2";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        let facts = |row: &Row| MailboxFacts {
            member_of: row.int_or_null(1),
            due_at: row.int_or_null(2),
            begun_at: row.int_or_null(3),
            in_step_at: row.int_or_null(4),
            failing_since: row.int_or_null(5),
            set_aside: row.text_or_null(6),
            worked_ms: row.int(7) as u64,
            worked_items: row.int(8) as u64,
            worked_bytes: row.int(9) as u64,
        };
        Ok(rows.iter().map(|row| (row.int(0), facts(row))).collect())
    }

    /// What was last predicted of each mailbox, before anything of it was copied where that is known.
    pub async fn predictions(&self, key: ProjectKey) -> Result<HashMap<i64, PredictionRow>, Error> {
        let select = "SELECT mailbox, begun, at, detail, is_read FROM forecast WHERE organisation = $1 AND project = $2 \
            ORDER BY mailbox, begun DESC";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        let row = |row: &Row| PredictionRow {
            is_begun: row.bool(1),
            at: row.int(2),
            detail: row.text(3),
            is_read: row.bool(4),
        };
        Ok(rows.iter().map(|found| (found.int(0), row(found))).collect())
    }

    /// How many items of each mailbox failed without anybody's word, and how many failed in all, by the mailbox's number.
    pub async fn failed_counts(&self, key: ProjectKey) -> Result<HashMap<i64, (u64, u64)>, Error> {
        let select = "SELECT f.mailbox, CAST(sum(CASE WHEN x.accepted_by IS NULL THEN 1 ELSE 0 END) AS BIGINT), count(*) \
            FROM failure x JOIN folder f ON f.organisation = x.organisation AND f.project = x.project \
            AND f.folder = x.folder WHERE x.organisation = $1 AND x.project = $2 GROUP BY f.mailbox";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        Ok(rows.iter().map(|row| (row.int(0), (row.int(1) as u64, row.int(2) as u64))).collect())
    }
}
