//! Rights that were found, and what was decided about them.

use crate::sql::{Alone, Durability, Row, values};
use crate::{Error, ProjectKey, Store};

/// The rights of a mailbox as they were last read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharingRow {
    /// Where they were read: an endpoint, or the file.
    pub origin: String,
    /// Of which mailbox, by its name there.
    pub mailbox: String,
    /// The rights, as JSON.
    pub found: String,
    /// When (milliseconds since 1970); given by the database.
    pub read_at: i64,
}

/// What was decided about a right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharingWord {
    /// Which.
    pub row: String,
    /// What, as JSON.
    pub what: String,
    /// On what evidence.
    pub evidence: String,
    /// Who decided.
    pub said_by: String,
    /// When; given by the database.
    pub at: i64,
}

impl Store {
    /// Keeps what was read of these mailboxes, in place of what was read of them before; with `is_whole` in place of all that was
    /// read there. On the disk for good when this returns.
    pub async fn put_sharing(
        &self,
        key: ProjectKey,
        origin: &str,
        mailboxes: &[(String, String)],
        is_whole: bool,
    ) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Full).await?;
        if is_whole {
            let delete = "DELETE FROM sharing_read WHERE organisation = $1 AND project = $2 AND origin = $3";
            tx.execute(delete, values![key.organisation, key.project, origin]).await?;
        }
        let now = tx.query("SELECT {now}", Vec::new()).await?[0].int(0);
        let row = |(mailbox, found): &(String, String)| {
            values![key.organisation, key.project, origin, mailbox.as_str(), found.as_str(), now]
        };
        let insert = "INSERT INTO sharing_read (organisation, project, origin, mailbox, found, read_at) VALUES";
        let conflict = "ON CONFLICT (organisation, project, origin, mailbox) DO UPDATE SET found = excluded.found, \
            read_at = excluded.read_at";
        tx.insert_many(insert, conflict, mailboxes.iter().map(row).collect()).await?;
        tx.commit().await
    }

    /// All that was read.
    pub async fn sharing(&self, key: ProjectKey) -> Result<Vec<SharingRow>, Error> {
        let select = "SELECT origin, mailbox, found, read_at FROM sharing_read WHERE organisation = $1 AND project = $2 \
            ORDER BY origin, mailbox";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        let row = |row: &Row| SharingRow {
            origin: row.text(0),
            mailbox: row.text(1),
            found: row.text(2),
            read_at: row.int(3),
        };
        Ok(rows.iter().map(row).collect())
    }

    /// Adds decisions. On the disk for good when this returns.
    pub async fn add_sharing_words(&self, key: ProjectKey, words: &[SharingWord]) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Full).await?;
        tx.alone(Alone::People).await?;
        let last = "SELECT coalesce(max(word), 0), {now} FROM sharing_word WHERE organisation = $1 AND project = $2";
        let last = tx.query(last, values![key.organisation, key.project]).await?;
        let (last, now) = (last[0].int(0), last[0].int(1));
        let row = |(number, word): (usize, &SharingWord)| {
            let SharingWord { row, what, evidence, said_by, .. } = word;
            let number = last + 1 + number as i64;
            values![
                key.organisation,
                key.project,
                number,
                row.as_str(),
                what.as_str(),
                evidence.as_str(),
                said_by.as_str(),
                now
            ]
        };
        let insert =
            "INSERT INTO sharing_word (organisation, project, word, row_id, what, evidence, said_by, at) VALUES";
        tx.insert_many(insert, "", words.iter().enumerate().map(row).collect()).await?;
        tx.commit().await
    }

    /// Every decision, in the order in which they were made.
    pub async fn sharing_words(&self, key: ProjectKey) -> Result<Vec<SharingWord>, Error> {
        let select = "SELECT row_id, what, evidence, said_by, at FROM sharing_word \
            WHERE organisation = $1 AND project = $2 ORDER BY word";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        let row = |row: &Row| SharingWord {
            row: row.text(0),
            what: row.text(1),
            evidence: row.text(2),
            said_by: row.text(3),
            at: row.int(4),
        };
        Ok(rows.iter().map(row).collect())
    }
}
