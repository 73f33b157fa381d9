//! VIPs: whom everybody watches closely, and who never moves first.

use crate::sql::{Durability, Row, values};
use crate::{Error, ProjectKey, Store};

/// That somebody is a VIP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VipRow {
    /// Their mailbox.
    pub mailbox: i64,
    /// Who says so.
    pub named_by: String,
    /// Why.
    pub reason: String,
    /// The file of people says so: it is taken back there.
    pub by_file: bool,
    /// When it was said (milliseconds since 1970).
    pub at: i64,
}

const INSERT: &str = "INSERT INTO vip (organisation, project, mailbox, named_by, reason, by_file, at) \
    VALUES ($1, $2, $3, $4, $5, $6, {now}) ON CONFLICT DO NOTHING";

impl Store {
    /// Every VIP of the project.
    pub async fn vips(&self, key: ProjectKey) -> Result<Vec<VipRow>, Error> {
        let select = "SELECT mailbox, named_by, reason, by_file, at FROM vip WHERE organisation = $1 AND project = $2 \
            ORDER BY mailbox";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        let row = |row: &Row| VipRow {
            mailbox: row.int(0),
            named_by: row.text(1),
            reason: row.text(2),
            by_file: row.bool(3),
            at: row.int(4),
        };
        Ok(rows.iter().map(row).collect())
    }

    /// Marks mailboxes as VIPs'. How many were not.
    pub async fn add_vips(&self, key: ProjectKey, mailboxes: &[i64], by: &str, reason: &str) -> Result<u64, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let mut added = 0;
        for mailbox in mailboxes {
            let row = values![key.organisation, key.project, *mailbox, by, reason, false];
            added += tx.execute(INSERT, row).await?;
        }
        tx.commit().await?;
        Ok(added)
    }

    /// Takes such marks away, but for those of the file. How many.
    pub async fn remove_vips(&self, key: ProjectKey, mailboxes: &[i64]) -> Result<u64, Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let mut removed = 0;
        let delete = "DELETE FROM vip WHERE organisation = $1 AND project = $2 AND mailbox = $3 AND by_file = 0";
        for mailbox in mailboxes {
            removed += tx.execute(delete, values![key.organisation, key.project, *mailbox]).await?;
        }
        tx.commit().await?;
        Ok(removed)
    }

    /// Makes the marks of the file those of these mailboxes. How many were added and removed.
    pub async fn vips_of_file(&self, key: ProjectKey, mailboxes: &[i64], file: &str) -> Result<(u64, u64), Error> {
        let known = self.vips(key).await?;
        let new: Vec<i64> =
            mailboxes.iter().filter(|mailbox| !known.iter().any(|row| row.mailbox == **mailbox)).copied().collect();
        let gone: Vec<i64> = known
            .iter()
            .filter(|row| row.by_file && !mailboxes.contains(&row.mailbox))
            .map(|row| row.mailbox)
            .collect();
        if new.is_empty() && gone.is_empty() {
            return Ok((0, 0));
        }
        let mut tx = self.begin(Durability::Full).await?;
        let (mut added, mut removed) = (0, 0);
        for mailbox in new {
            let row = values![key.organisation, key.project, mailbox, file, format!("{file} says so"), true];
            added += tx.execute(INSERT, row).await?;
        }
        let delete = "DELETE FROM vip WHERE organisation = $1 AND project = $2 AND mailbox = $3 AND by_file = 1";
        for mailbox in gone {
            removed += tx.execute(delete, values![key.organisation, key.project, mailbox]).await?;
        }
        tx.commit().await?;
        Ok((added, removed))
    }
}
