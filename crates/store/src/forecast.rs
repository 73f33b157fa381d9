//! Predictions: what was said of a mailbox before it was copied, to be compared with what came of it.

use model::{FolderPath, ItemId};

use crate::sql::{Durability, Row, values};
use crate::{Error, LedgerTx, ProjectKey, Store, path_from, path_text};

/// A prediction about a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForecastRow {
    /// When it was made (milliseconds since 1970); given by the database.
    pub at: i64,
    /// By which policy.
    pub policy: String,
    /// Every item was read.
    pub is_read: bool,
    /// Something of the mailbox had been copied by then.
    pub is_begun: bool,
    /// The numbers, as JSON.
    pub detail: String,
    /// The items that do not travel, or not as they are.
    pub items: Vec<ForecastItem>,
}

/// An item of which something is predicted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ForecastItem {
    /// Its folder at the source.
    pub path: FolderPath,
    /// What the folder calls it.
    pub source_id: ItemId,
    /// What is to become of it.
    pub how: String,
    /// The rule or class by which.
    pub rule: String,
}

/// How long it took to copy something of a mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worked {
    /// The mailbox.
    pub mailbox: i64,
    /// The endpoint of its source.
    pub source_endpoint: i64,
    /// The endpoint of its target.
    pub target_endpoint: i64,
    /// Milliseconds of runs that copied something.
    pub ms: u64,
    /// Items that they copied.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
}

fn worked(row: &Row) -> Worked {
    Worked {
        mailbox: row.int(0),
        source_endpoint: row.int(1),
        target_endpoint: row.int(2),
        ms: row.int(3) as u64,
        items: row.int(4) as u64,
        bytes: row.int(5) as u64,
    }
}

impl Store {
    /// Keeps a prediction, in place of an earlier one of its sort. Its time is the database's.
    pub async fn add_forecast(&self, key: ProjectKey, mailbox: i64, forecast: &ForecastRow) -> Result<(), Error> {
        let mut tx = self.begin(Durability::Full).await?;
        let of = || values![key.organisation, key.project, mailbox, forecast.is_begun];
        for delete in [
            "DELETE FROM forecast_item WHERE organisation = $1 AND project = $2 AND mailbox = $3 AND begun = $4",
            "DELETE FROM forecast WHERE organisation = $1 AND project = $2 AND mailbox = $3 AND begun = $4",
        ] {
            tx.execute(delete, of()).await?;
        }
        let insert = "INSERT INTO forecast (organisation, project, mailbox, begun, at, policy, is_read, detail) \
            VALUES ($1, $2, $3, $4, {now}, $5, $6, $7)";
        let mut row = of();
        row.extend(values![forecast.policy.as_str(), forecast.is_read, forecast.detail.as_str()]);
        tx.execute(insert, row).await?;
        for item in &forecast.items {
            let insert = "INSERT INTO forecast_item (organisation, project, mailbox, begun, path, source_id, how, rule) \
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
            let mut row = of();
            let (how, rule) = (item.how.as_str(), item.rule.as_str());
            row.extend(values![path_text(&item.path), item.source_id.as_bytes(), how, rule]);
            tx.execute(insert, row).await?;
        }
        tx.commit().await
    }

    /// The prediction about a mailbox that says most: the last one before anything was copied, else the last one.
    pub async fn forecast(&self, key: ProjectKey, mailbox: i64) -> Result<Option<ForecastRow>, Error> {
        let select = "SELECT begun, at, policy, is_read, detail FROM forecast \
            WHERE organisation = $1 AND project = $2 AND mailbox = $3 ORDER BY begun";
        let rows = self.database.query(select, values![key.organisation, key.project, mailbox]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let select = "SELECT path, source_id, how, rule FROM forecast_item WHERE organisation = $1 AND project = $2 \
            AND mailbox = $3 AND begun = $4 ORDER BY path, source_id";
        let items = self.database.query(select, values![key.organisation, key.project, mailbox, row.int(0)]).await?;
        let item = |row: &Row| {
            let (path, source_id) = (path_from(&row.text(0))?, ItemId::new(row.blob(1)));
            Ok(ForecastItem { path, source_id, how: row.text(2), rule: row.text(3) })
        };
        Ok(Some(ForecastRow {
            is_begun: row.bool(0),
            at: row.int(1),
            policy: row.text(2),
            is_read: row.bool(3),
            detail: row.text(4),
            items: items.iter().map(item).collect::<Result<_, Error>>()?,
        }))
    }

    /// How long it took to copy what was copied of each mailbox of the project.
    pub async fn worked(&self, key: ProjectKey) -> Result<Vec<Worked>, Error> {
        let select = "SELECT mailbox, source_endpoint, target_endpoint, worked_ms, worked_items, worked_bytes \
            FROM mailbox WHERE organisation = $1 AND project = $2 AND worked_items > 0 ORDER BY mailbox";
        let rows = self.database.query(select, values![key.organisation, key.project]).await?;
        Ok(rows.iter().map(worked).collect())
    }
}

impl LedgerTx<'_> {
    /// A run worked so long on the mailbox, until now, and copied so much: counted for the mailbox, and for its collection in
    /// the hours in which it was done.
    pub async fn add_work(&mut self, ms: u64, items: u64, bytes: u64) -> Result<(), Error> {
        let (lease, update) = (
            self.lease,
            "UPDATE mailbox SET worked_ms = worked_ms + $4, worked_items = worked_items + $5, \
            worked_bytes = worked_bytes + $6 WHERE organisation = $1 AND project = $2 AND mailbox = $3",
        );
        let key = lease.key;
        let row = values![key.organisation, key.project, lease.mailbox, ms as i64, items as i64, bytes as i64];
        self.tx.execute(update, row).await?;
        crate::rate::add_work(&mut self.tx, lease, ms, items, bytes).await
    }

    /// So many changes of the source were made on the target.
    pub async fn add_followed(&mut self, changes: u64) -> Result<(), Error> {
        let (key, mailbox) = (self.lease.key, self.lease.mailbox);
        let update =
            "UPDATE mailbox SET followed = followed + $4 WHERE organisation = $1 AND project = $2 AND mailbox = $3";
        self.tx.execute(update, values![key.organisation, key.project, mailbox, changes as i64]).await.map(|_| ())
    }
}
