//! `status`: where every mailbox stands, and that the sums hold.

use model::{Phase, Tally};
use serde::Serialize;
use store::RemovalState;

use super::collection::{CollectionStatus, Wait};
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
    /// Fates over those that go to the archive, which are not among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive: Option<Tally>,
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
    /// It goes to the archive, not to the target.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub archive: bool,
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
    /// What it waits for, in plain words, and since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<Wait>,
    /// Its person is a VIP.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub vip: bool,
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

/// Where collections stand at a moment: a line for each.
#[derive(Clone, Debug, Serialize)]
pub struct Glance {
    /// When, for people.
    pub at: String,
    /// The collections; where there is none, and besides where somebody is in none, everybody together.
    pub collections: Vec<CollectionStatus>,
    /// The mailboxes, where they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mailboxes: Vec<MailboxGlance>,
}

/// Where a mailbox stands at a moment.
#[derive(Clone, Debug, Serialize)]
pub struct MailboxGlance {
    /// Its name at the source.
    pub source: String,
    /// The collection that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// How far it is.
    pub phase: Phase,
    /// A worker holds it right now.
    pub is_held: bool,
    /// Items that were copied.
    pub items: u64,
    /// What it waits for, and since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<Wait>,
}

impl Project {
    /// Where the collections stand now, and on request the mailboxes chosen: cheap enough to be asked every second or two.
    pub async fn glance(&self, selection: &Selection, with_mailboxes: bool) -> Result<Glance, Error> {
        // Says what is wrong with a name.
        self.select(selection).await?;
        let standing = self.standing(false).await?;
        let is_chosen = |name: &str| selection.collection.as_ref().is_none_or(|chosen| chosen == name);
        let of = standing.collections.iter().filter(|row| is_chosen(&row.is.name));
        let mut collections: Vec<CollectionStatus> = of.map(|row| standing.status(row)).collect();
        if selection.collection.is_none() {
            if collections.is_empty() {
                collections.push(standing.status_of_all("everyone"));
            } else if standing.mailboxes_of(None).next().is_some() {
                collections.push(standing.status_of_all("all, with those in no collection"));
            }
        }
        let mut mailboxes = Vec::new();
        if with_mailboxes {
            for row in self.select(selection).await? {
                mailboxes.push(MailboxGlance {
                    source: row.roster.source_name.clone(),
                    collection: row.roster.collection.clone(),
                    phase: row.state.phase,
                    is_held: row.is_held,
                    items: standing.facts(row.mailbox).worked_items,
                    waits: standing.wait(&row),
                });
            }
        }
        Ok(Glance { at: standing.shown(standing.now_ms()), collections, mailboxes })
    }

    /// Where the mailboxes chosen stand.
    pub async fn status(&self, selection: &Selection) -> Result<StatusReport, Error> {
        let mut report = StatusReport {
            organisation: self.config.file.organisation.name.clone(),
            code: self.config.code.to_string(),
            mailboxes: Vec::new(),
            all: Tally::default(),
            archive: None,
            unaccounted: 0,
        };
        let standing = self.standing(false).await?;
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
            let archive = self.is_archived(&row);
            if archive {
                *report.archive.get_or_insert_default() += items;
            } else {
                report.all += items;
            }
            let removals = self.store.held_removals(self.key, row.mailbox).await?;
            report.mailboxes.push(MailboxStatus {
                source: row.roster.source_name.clone(),
                target: row.roster.target_name.clone(),
                archive,
                name: row.roster.name.clone(),
                collection: row.roster.collection.clone(),
                phase: row.state.phase,
                condition: row.state.condition.name().to_owned(),
                reason: row.state.condition.reason().map(str::to_owned),
                waits: standing.wait(&row),
                vip: standing.is_vip(row.mailbox),
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
