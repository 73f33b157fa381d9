//! A platform that has only a portal: what is planned leaves as a file, and what became of each row comes back as another one
//!
//!
//! A file is a state machine; each step is one transaction, and after a sudden end the next run goes on from it:
//!
//! | State | Next |
//! |---|---|
//! | on record, with its bytes; its rows are *submitted* | written or mailed, the same bytes under the same name → sent |
//! | sent | a result, or a person's word that it was never taken, of every row → ended |
//! | ended | – |
//!
//! As long as one is not ended there is no other: two at once make accounts twice. A row that was done is *done*; one that the portal
//! refused is *todo* again, with the portal's words, and is in the next file; one of which nothing is known keeps the file open.
//!
//! The portal keeps no mark of ours. An account that was made bears its mark here as long as it is recorded, and the report says of it
//! the number or the address that was sent.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use model::{AccountState, Entry, EntryKind};
use people::{ObjectId, Planned, origin};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{AccountRow, ChangeState, PeopleLease, UploadRow};
use table::portal::UploadRow as Row;

use super::{Opened, PeopleProject, read_entry};
use crate::Error;
use crate::config::PortalEntry;
use crate::portal::Portal;

mod accept;
mod fit;
mod mailed;
mod results;
mod submit;

pub use self::mailed::MailedResultsReport;
pub use self::results::{LostReport, ResultLine, ResultsReport};

const HOUR_MS: i64 = 3_600_000;
/// How the key of an account begins whose own one nobody has told yet.
pub(super) const AWAITED: &str = "awaited:";

/// A file for the portal, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UploadLine {
    /// Its number.
    pub submission: i64,
    /// The plan that its rows are of.
    pub plan: i64,
    /// How many rows it has.
    pub rows: usize,
    /// `to-send`, `waits`, `ended` or `lost`.
    pub state: &'static str,
    /// Where it is, or whom it was mailed to.
    pub sent_to: String,
    /// SHA-256 of the file.
    pub digest: String,
    /// When it was made (seconds since 1970).
    pub made: i64,
    /// Full hours that it has waited for its result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<i64>,
    /// It has waited longer than the platform takes.
    pub overdue: bool,
}

impl UploadLine {
    /// How far it has come.
    pub fn sentence(&self) -> String {
        let Self { submission, rows, sent_to, .. } = self;
        let rows = movement::state::counted(*rows as u64, "row");
        match self.hours {
            None if self.state == "to-send" => {
                format!(
                    "Submission {submission} to the portal ({rows}) may not have left yet to {sent_to}: people apply goes on with it."
                )
            }
            Some(hours) => {
                let late = if self.overdue { ", longer than the platform takes: ask its people" } else { "" };
                format!(
                    "Submission {submission} to the portal ({rows}, {sent_to}) has waited for its result for {hours} h{late}; no other leaves before."
                )
            }
            None => format!("Submission {submission} to the portal ({rows}, {sent_to}) is {}.", self.state),
        }
    }
}

/// The files for the portal.
#[derive(Clone, Debug, Serialize)]
pub struct UploadsReport {
    /// Each, the oldest first.
    pub submissions: Vec<UploadLine>,
}

/// What is kept of a file besides its bytes: what each row is, and what an account may be live on.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Detail {
    /// The rows, in the file's order.
    rows: Vec<Row>,
    /// Whether accounts are live once they are made.
    live: bool,
    /// By the number of the change, why its account may be.
    exemptions: HashMap<i64, String>,
}

impl Detail {
    fn of(row: &UploadRow) -> Result<Self, Error> {
        serde_json::from_str(&row.of.detail).map_err(|_| super::damaged("a submission to the portal"))
    }
}

/// What the portal was last sent about an object, and did.
struct LastDone {
    account: String,
    row: Row,
    leaves: bool,
    at: i64,
}

impl PeopleProject {
    /// The platform, where it has only a portal.
    pub(super) fn portal(&self) -> Option<&Arc<Portal>> {
        match &self.platform {
            Some((_, Opened::Portal(portal))) => Some(portal),
            _ => None,
        }
    }

    /// The same by the project's file alone.
    pub(super) fn portal_entry(&self) -> Option<&PortalEntry> {
        self.config.directories.get(self.entry.platform.as_ref()?)?.portal()
    }

    fn portal_or_refuse(&self) -> Result<&Arc<Portal>, Error> {
        self.portal().ok_or_else(|| {
            Error::usage("the platform is none that has only a portal")
                .advise("results are read where people.platform names a directory with kind = \"portal\"")
        })
    }

    /// The file that has no end.
    async fn open_upload(&self) -> Result<Option<UploadRow>, Error> {
        Ok(self.store.uploads(self.key).await?.into_iter().find(|row| row.ended_at.is_none()))
    }

    /// The file that has no end, for people.
    pub(super) async fn awaited_upload(&self) -> Result<Option<UploadLine>, Error> {
        if self.portal_entry().is_none() {
            return Ok(None);
        }
        let now = self.store.now().await?;
        Ok(self.open_upload().await?.map(|row| self.upload_line(&row, now)))
    }

    /// The files for the portal.
    pub async fn uploads(&self) -> Result<UploadsReport, Error> {
        self.portal_or_refuse()?;
        let now = self.store.now().await?;
        let rows = self.store.uploads(self.key).await?;
        Ok(UploadsReport { submissions: rows.iter().map(|row| self.upload_line(row, now)).collect() })
    }

    fn upload_line(&self, row: &UploadRow, now: i64) -> UploadLine {
        let state = match (row.ended_at, &row.lost_by, row.sent_at) {
            (Some(_), Some(_), _) => "lost",
            (Some(_), None, _) => "ended",
            (None, _, Some(_)) => "waits",
            (None, _, None) => "to-send",
        };
        let waited = row.sent_at.filter(|_| row.ended_at.is_none()).map(|at| (now - at).max(0));
        let max = i64::from(self.rules.pending_hours_max) * HOUR_MS;
        UploadLine {
            submission: row.of.upload,
            plan: row.of.plan,
            rows: row.of.changes.len(),
            state,
            sent_to: self.portal().map_or_else(|| row.of.sent_to.clone(), |portal| portal.shown(&row.of)),
            digest: row.of.digest.to_string(),
            made: row.made_at / 1000,
            hours: waited.map(|waited| waited / HOUR_MS),
            overdue: waited.is_some_and(|waited| waited > max),
        }
    }

    /// What the portal was last sent about each object, and did.
    async fn last_done(&self) -> Result<HashMap<ObjectId, LastDone>, Error> {
        let made = self.made().await?;
        let mut last = HashMap::new();
        for upload in self.store.uploads(self.key).await? {
            let rows = Detail::of(&upload)?.rows;
            let changes = self.store.changes(self.key, upload.of.plan).await?;
            let by_number: HashMap<i64, &store::ChangeRow> = changes.iter().map(|row| (row.change, row)).collect();
            for (number, row) in upload.of.changes.iter().zip(rows) {
                let Some(change) = by_number.get(number).filter(|change| change.state == ChangeState::Done) else {
                    continue;
                };
                let id = ObjectId::new(&change.directory, &change.key);
                let planned: Planned =
                    serde_json::from_str(&change.what).map_err(|_| super::damaged("a planned change"))?;
                let account = match &planned {
                    Planned::Create { .. } => made.get(&id).map(|row| row.made.account.clone()),
                    Planned::Update { before, .. } | Planned::Leave { before, .. } => Some(before.key.clone()),
                };
                let leaves = matches!(planned, Planned::Leave { .. });
                let at = change.at.unwrap_or_default();
                last.insert(id, LastDone { account: account.unwrap_or_default(), row, leaves, at });
            }
        }
        Ok(last)
    }

    /// Is the account under the organisation's own code?
    fn is_ours(&self, account: &Entry) -> bool {
        match &account.organisation {
            Some(code) => code.eq_ignore_ascii_case(self.config.code.as_str()),
            None => self.entry.platform_is_ours_alone,
        }
    }

    /// Does the report say of an account what was sent to have it made? A key alone says nothing: portals give them again.
    fn speaks(&self, sent: &Entry, account: &Entry) -> bool {
        let number =
            |entry: &Entry| entry.local_id.as_deref().map(|id| id.trim().to_lowercase()).filter(|id| !id.is_empty());
        let has_number = number(sent).is_some() && number(sent) == number(account) && self.is_ours(account);
        let mail = sent.mail.as_deref().map(model::mail_key);
        let is_sort = (sent.kind == EntryKind::Person) == (account.kind == EntryKind::Person);
        is_sort && (has_number || mail.is_some_and(|mail| account.mail_keys().contains(&mail)))
    }

    /// Gives accounts that were made for somebody, and of which the report says so, their marks.
    pub(super) async fn give_marks(
        &self,
        accounts: &mut [Entry],
        made: &HashMap<ObjectId, AccountRow>,
    ) -> Result<(), Error> {
        if made.is_empty() {
            return Ok(());
        }
        let last = self.last_done().await?;
        let by_key: HashMap<&str, (&ObjectId, &LastDone)> =
            made.iter().filter_map(|(id, row)| Some((row.made.account.as_str(), (id, last.get(id)?)))).collect();
        for account in accounts.iter_mut().filter(|account| account.origin.is_none()) {
            if let Some((id, done)) = by_key.get(account.key.as_str())
                && self.speaks(&done.row.entry, account)
            {
                account.origin = Some(origin(self.config.code.as_str(), &self.config.file.project, id));
            }
        }
        Ok(())
    }

    /// Looks which accounts of the report are those that were made, and which of these are live by now.
    pub(super) async fn find_made(&self, lease: &PeopleLease) -> Result<(), Error> {
        if self.portal().is_none() {
            return Ok(());
        }
        let made = self.made().await?;
        let accounts = self.platform_entries().await?;
        let there: HashMap<&str, &Entry> = accounts.iter().map(|entry| (entry.key.as_str(), entry)).collect();
        let taken: HashSet<&str> = made.values().map(|row| row.made.account.as_str()).collect();
        let last = if made.is_empty() { HashMap::new() } else { self.last_done().await? };
        let (mut found, mut live) = (Vec::new(), Vec::new());
        for (id, row) in &made {
            let Some(done) = last.get(id) else { continue };
            let mut account = there.get(row.made.account.as_str()).copied();
            if account.is_none() {
                // Where the portal told its number, and the report is by such numbers, no other account is it.
                let may_be = |account: &&Entry| {
                    row.made.account.starts_with(AWAITED) || account.local_id.as_ref() == Some(&account.key)
                };
                let mut fits = accounts
                    .iter()
                    .filter(may_be)
                    .filter(|account| !taken.contains(account.key.as_str()) && self.speaks(&done.row.entry, account));
                account = fits.next().filter(|_| fits.next().is_none());
                found.extend(account.map(|account| (id, row, account.key.as_str())));
            }
            let account = account.filter(|account| self.speaks(&done.row.entry, account));
            let is_live = account.is_some_and(|account| account.state == AccountState::Active);
            if is_live && row.exemption.is_some() && row.live_at.is_none() {
                live.push(id);
            }
        }
        // Two that fit one account fit none.
        let mut keys: HashMap<&str, usize> = HashMap::new();
        for (_, _, key) in &found {
            *keys.entry(key).or_default() += 1;
        }
        found.retain(|(_, _, key)| keys[key] == 1);
        if found.is_empty() && live.is_empty() {
            return Ok(());
        }
        for (id, row, key) in &found {
            let detail = json!({ "object": id.to_string(), "account": key, "was": row.made.account });
            self.store.audit(self.key, &self.actor, "people.account-found", &detail).await?;
        }
        let mut tx = self.store.write_people(lease).await?;
        for (id, _, key) in found {
            tx.account_is(&id.directory, &id.key, key).await?;
        }
        for id in live {
            tx.set_live(&id.directory, &id.key).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// What the report says by now.
    async fn platform_entries(&self) -> Result<Vec<Entry>, Error> {
        let name = self.entry.platform.as_deref().unwrap_or_default();
        let directories = self.store.directories(self.key).await?;
        let Some(row) = directories.iter().find(|row| row.name == name) else { return Ok(Vec::new()) };
        let rows = self.store.directory_entries(self.key, row.directory, false).await?;
        rows.iter().map(read_entry).collect()
    }
}

/// Keys of accounts that were made after the report was written, and are not in it.
pub(super) fn awaited(accounts: &[Entry], made: &HashMap<ObjectId, AccountRow>, as_of: Option<i64>) -> HashSet<String> {
    let there: HashSet<&str> = accounts.iter().map(|account| account.key.as_str()).collect();
    let is_awaited = |row: &&AccountRow| {
        !there.contains(row.made.account.as_str()) && as_of.is_none_or(|as_of| as_of <= row.made_at)
    };
    made.values().filter(is_awaited).map(|row| row.made.account.clone()).collect()
}

#[cfg(test)]
mod tests;
