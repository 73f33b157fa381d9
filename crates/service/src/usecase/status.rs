//! `status`: where every mailbox stands, and that the sums hold.

use model::{Phase, Tally};
use serde::Serialize;
use store::RemovalState;

use crate::{Error, Project, Selection};

/// Where a project stands.
#[derive(Clone, Debug, Serialize)]
pub struct StatusReport {
    /// The organisation.
    pub organisation: String,
    /// Its code.
    pub code: String,
    /// The mailboxes.
    pub mailboxes: Vec<MailboxStatus>,
    /// Fates over all mailboxes.
    pub all: Tally,
    /// Something is not accounted for: the sums don't hold.
    pub unaccounted: u64,
}

/// Where a mailbox stands.
#[derive(Clone, Debug, Serialize)]
pub struct MailboxStatus {
    /// Its name at the source.
    pub source: String,
    /// Its name at the target.
    pub target: String,
    /// What people call its person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The collection it moves with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// How far it is.
    pub phase: Phase,
    /// Running, waiting or parked.
    pub condition: String,
    /// What it waits for, or why it is parked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when (seconds since 1970).
    pub since: i64,
    /// A worker holds it right now.
    pub is_held: bool,
    /// Fates of its items.
    pub items: Tally,
    /// Its folders.
    pub folders: Vec<FolderStatus>,
    /// Removals at the source that wait for a word.
    pub removals_held: u64,
}

/// Where a folder stands.
#[derive(Clone, Debug, Serialize)]
pub struct FolderStatus {
    /// Its path at the source.
    pub path: String,
    /// Its path at the target.
    pub target_path: String,
    /// Read to its end at least once.
    pub is_complete: bool,
    /// Fates of its items.
    pub items: Tally,
}

impl Project {
    /// Where the mailboxes chosen stand.
    pub async fn status(&self, selection: &Selection) -> Result<StatusReport, Error> {
        let mut report = StatusReport {
            organisation: self.config.file.organisation.name.clone(),
            code: self.config.code.to_string(),
            mailboxes: Vec::new(),
            all: Tally::default(),
            unaccounted: 0,
        };
        for row in self.select(selection).await? {
            let mut items = Tally::default();
            let mut folders = Vec::new();
            for (folder, tally) in self.store.tallies(self.key, row.mailbox).await? {
                if folder.is_gone() {
                    continue;
                }
                let is_complete = folder.source.is_some();
                if is_complete {
                    report.unaccounted += tally.source.abs_diff(tally.accounted());
                }
                items += tally;
                folders.push(FolderStatus {
                    path: folder.path.to_string(),
                    target_path: folder.target_path.to_string(),
                    is_complete,
                    items: tally,
                });
            }
            report.all += items;
            let removals = self.store.held_removals(self.key, row.mailbox).await?;
            report.mailboxes.push(MailboxStatus {
                source: row.roster.source_name.clone(),
                target: row.roster.target_name.clone(),
                name: row.roster.name.clone(),
                collection: row.roster.collection.clone(),
                phase: row.state.phase,
                condition: row.state.condition.name().to_owned(),
                reason: row.state.condition.reason().map(str::to_owned),
                since: row.since / 1000,
                is_held: row.is_held,
                items,
                folders,
                removals_held: removals.iter().filter(|removal| removal.state == RemovalState::Held).count() as u64,
            });
        }
        Ok(report)
    }
}
