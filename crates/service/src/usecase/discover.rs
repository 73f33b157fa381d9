//! `discover`: the inventory of what there is to move.

mod shown;

use std::sync::Arc;

use connector::ListedItem;
use model::{Cause, FolderPath, MailboxKind};
use movement::Progress;
use serde::Serialize;
use store::MailboxRow;
use tokio::sync::watch;

use super::each::each;
use super::report::Heading;
use crate::error::Exit;
use crate::secret::Environment;
use crate::{Error, Project, Selection};

/// The inventory.
#[derive(Clone, Debug, Serialize)]
pub struct DiscoverReport {
    /// What it is about.
    #[serde(flatten)]
    pub heading: Heading,
    /// The mailboxes.
    pub mailboxes: Vec<MailboxFound>,
    /// Folders of all of them.
    pub folders: u64,
    /// Items of all of them.
    pub items: u64,
    /// Bytes of all of them, as far as the servers say.
    pub bytes: u64,
    /// Mailboxes that could not be looked at.
    pub failed: u64,
    /// Show each folder?
    #[serde(skip)]
    pub by_folder: bool,
}

/// A mailbox.
#[derive(Clone, Debug, Serialize)]
pub struct MailboxFound {
    /// Its name at the source.
    pub source: String,
    /// Its name at the target.
    pub target: String,
    /// What its person is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whose mailbox it is.
    pub kind: MailboxKind,
    /// The endpoint it is on.
    pub endpoint: String,
    /// What lies in it.
    #[serde(flatten)]
    pub found: Found,
    /// Its folders.
    pub folders: Vec<FolderFound>,
    /// Folders that could not be opened, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub closed: Vec<String>,
    /// Why it could not be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The class of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

/// What lies in a folder, or in all folders of a mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// How many items.
    pub items: u64,
    /// How many bytes.
    pub bytes: u64,
    /// Bytes of the largest item.
    pub largest: u64,
    /// When the oldest item was received (seconds since 1970).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<i64>,
    /// When the newest item was received (seconds since 1970).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<i64>,
}

impl Found {
    fn of(items: &[ListedItem]) -> Self {
        let received = || items.iter().filter_map(|item| item.received).map(|at| at.unix_seconds);
        Self {
            items: items.len() as u64,
            bytes: items.iter().fold(0, |sum, item| item.size_bytes.saturating_add(sum)),
            largest: items.iter().map(|item| item.size_bytes).max().unwrap_or_default(),
            oldest: received().min(),
            newest: received().max(),
        }
    }

    fn add(&mut self, other: &Self) {
        self.items = self.items.saturating_add(other.items);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.largest = self.largest.max(other.largest);
        self.oldest = self.oldest.into_iter().chain(other.oldest).min();
        self.newest = self.newest.max(other.newest);
    }
}

/// A folder.
#[derive(Clone, Debug, Serialize)]
pub struct FolderFound {
    /// Its path.
    pub path: FolderPath,
    /// What lies in it.
    #[serde(flatten)]
    pub found: Found,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub special_use: Option<model::SpecialUse>,
}

impl DiscoverReport {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        let is_closed = self.mailboxes.iter().any(|mailbox| !mailbox.closed.is_empty());
        if self.failed == 0 && !is_closed { Exit::Done } else { Exit::WithFailures }
    }
}

impl Project {
    /// Looks at the source mailboxes chosen. Changes nothing, and reads no body.
    pub async fn discover(
        &self,
        selection: &Selection,
        by_folder: bool,
        environment: Environment<'_>,
        stop: watch::Receiver<bool>,
    ) -> Result<DiscoverReport, Error> {
        let engine = self.engine(environment, Arc::new(Progress::default()), stop.clone(), true)?;
        let heading = self.report_heading(selection);
        let mut report =
            DiscoverReport { heading, mailboxes: Vec::new(), folders: 0, items: 0, bytes: 0, failed: 0, by_folder };
        let rows = self.select(selection).await?;
        let look = |row: MailboxRow| {
            let engine = engine.clone();
            async move { look(&engine, &row).await }
        };
        let looked = each(engine.people_at_once, rows.clone(), &stop, look).await?;
        for (row, looked) in rows.into_iter().zip(looked) {
            let mut found = MailboxFound {
                source: row.roster.source_name.clone(),
                target: row.roster.target_name.clone(),
                name: row.roster.name.clone(),
                kind: row.roster.kind,
                endpoint: self.endpoint_name(row.roster.source_endpoint).to_owned(),
                found: Found::default(),
                folders: Vec::new(),
                closed: Vec::new(),
                error: None,
                cause: None,
            };
            match looked {
                Ok((folders, closed)) => (found.folders, found.closed) = (folders, closed),
                Err(failure) => {
                    found.error = Some(failure.error.to_string());
                    found.cause = Some(failure.error.cause);
                    report.failed += 1;
                }
            }
            for folder in &found.folders {
                found.found.add(&folder.found);
            }
            report.folders += found.folders.len() as u64;
            report.items += found.found.items;
            report.bytes = report.bytes.saturating_add(found.found.bytes);
            report.mailboxes.push(found);
        }
        Ok(report)
    }
}

async fn look(
    engine: &movement::Engine,
    row: &MailboxRow,
) -> Result<(Vec<FolderFound>, Vec<String>), movement::Failure> {
    let inventory = engine.inventory(row).await?;
    let folder = |(folder, items): (connector::Folder, Vec<ListedItem>)| FolderFound {
        path: folder.path,
        found: Found::of(&items),
        special_use: folder.special_use,
    };
    let closed = |(path, error): (FolderPath, connector::Error)| format!("{path}: {error}");
    Ok((inventory.folders.into_iter().map(folder).collect(), inventory.closed.into_iter().map(closed).collect()))
}

#[cfg(test)]
mod tests {
    use model::{Flags, ItemId, ReceivedAt};

    use super::*;

    #[test]
    fn what_is_found_adds_up() {
        let item = |id, size_bytes, received: Option<i64>| ListedItem {
            id: ItemId::from_u32(id),
            size_bytes,
            received: received.map(ReceivedAt::utc),
            flags: Flags::NONE,
        };
        let mut all = Found::of(&[item(1, 10, Some(500)), item(2, 30, None)]);
        all.add(&Found::of(&[]));
        all.add(&Found::of(&[item(1, 20, Some(-5))]));
        assert_eq!(all, Found { items: 3, bytes: 60, largest: 30, oldest: Some(-5), newest: Some(500) });
    }
}
