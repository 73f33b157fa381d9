//! Mailboxes at the source that are closed to their people after the switch.

use crate::sql::{Row, values};
use crate::{Error, LedgerTx, ProjectKey, Store};

/// A mailbox at the source that is closed to its person, or about to be. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosingRow {
    /// The mailbox.
    pub mailbox: i64,
    /// What it is closed for.
    pub why: String,
    /// When that was written down, before anything was done.
    pub begun_at: i64,
    /// When it was read back. None: nobody knows.
    pub closed_at: Option<i64>,
    /// Why the last try failed.
    pub waits: Option<String>,
    /// How often it was tried in vain.
    pub tries: u32,
    /// When.
    pub tried_at: Option<i64>,
}

/// A statement with the columns that [`row`] reads.
macro_rules! closings {
    ($rest:literal) => {
        concat!(
            "SELECT mailbox, why, begun_at, closed_at, waits, tries, tried_at FROM closing ",
            "WHERE organisation = $1 AND project = $2 ",
            $rest
        )
    };
}

fn row(row: &Row) -> ClosingRow {
    ClosingRow {
        mailbox: row.int(0),
        why: row.text(1),
        begun_at: row.int(2),
        closed_at: row.int_or_null(3),
        waits: row.text_or_null(4),
        tries: row.int(5) as u32,
        tried_at: row.int_or_null(6),
    }
}

impl Store {
    /// Every mailbox that is closed to its person, or about to be.
    pub async fn closings(&self, key: ProjectKey) -> Result<Vec<ClosingRow>, Error> {
        let select = closings!("ORDER BY mailbox");
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        Ok(rows.iter().map(row).collect())
    }

    /// Whether a mailbox is closed to its person, or about to be.
    pub async fn closing(&self, key: ProjectKey, mailbox: i64) -> Result<Option<ClosingRow>, Error> {
        let select = closings!("AND mailbox = $3");
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        Ok(rows.first().map(row))
    }
}

impl LedgerTx<'_> {
    /// The mailbox is about to be closed to its person, for this. What is on record of it stays.
    pub async fn begin_closing(&mut self, why: &str) -> Result<(), Error> {
        let key = self.lease.key;
        let insert = "INSERT INTO closing (organisation, project, mailbox, why, begun_at, tries) \
            VALUES ($1, $2, $3, $4, {now}, 0) ON CONFLICT (organisation, project, mailbox) DO NOTHING";
        self.tx.execute(insert, values![key.organisation, key.project, self.lease.mailbox, why]).await.map(|_| ())
    }

    /// It was read back that the mailbox is closed.
    pub async fn set_closed(&mut self) -> Result<(), Error> {
        let key = self.lease.key;
        let update = "UPDATE closing SET closed_at = coalesce(closed_at, {now}), waits = NULL, tries = 0, tried_at = NULL \
            WHERE organisation = $1 AND project = $2 AND mailbox = $3";
        self.tx.execute(update, values![key.organisation, key.project, self.lease.mailbox]).await.map(|_| ())
    }

    /// It could not be closed: why. Whether it is nobody knows.
    pub async fn closing_waits(&mut self, waits: &str) -> Result<(), Error> {
        let key = self.lease.key;
        let update = "UPDATE closing SET closed_at = NULL, waits = $4, tries = tries + 1, tried_at = {now} \
            WHERE organisation = $1 AND project = $2 AND mailbox = $3";
        self.tx.execute(update, values![key.organisation, key.project, self.lease.mailbox, waits]).await.map(|_| ())
    }

    /// A person is to do something first, which is no failure: what. Whether it is closed nobody knows.
    pub async fn closing_is_awaited(&mut self, waits: &str) -> Result<(), Error> {
        let key = self.lease.key;
        let update = "UPDATE closing SET closed_at = NULL, waits = $4, tries = 0, tried_at = NULL \
            WHERE organisation = $1 AND project = $2 AND mailbox = $3";
        self.tx.execute(update, values![key.organisation, key.project, self.lease.mailbox, waits]).await.map(|_| ())
    }

    /// It was read back that nothing of ours closes the mailbox.
    pub async fn set_opened(&mut self) -> Result<(), Error> {
        let key = self.lease.key;
        let delete = "DELETE FROM closing WHERE organisation = $1 AND project = $2 AND mailbox = $3";
        self.tx.execute(delete, values![key.organisation, key.project, self.lease.mailbox]).await.map(|_| ())
    }
}
