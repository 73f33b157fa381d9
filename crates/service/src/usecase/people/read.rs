//! `people sync`: what the directories say is read, whole or by what changed, and every object is put into its class
//!

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use connector::{Directory, DirectoryCursor, DirectoryRead, EntryEvent};
use model::{Digest, Entry};
use serde::Serialize;
use serde_json::json;
use store::{DirectoryRole, EntryRow, FaultRow, NewEntry, PeopleLease};

use super::apply::Held;
use super::{PeopleProject, counts, read_entry};
use crate::{Error, Exit};

/// Faults told in a report; all are in the database.
const FAULTS_TOLD: usize = 50;
const DAY_MS: i64 = 86_400_000;

/// What was read.
#[derive(Clone, Debug, Serialize)]
pub struct PeopleSyncReport {
    /// Nothing was kept.
    pub dry_run: bool,
    /// Directory by directory.
    pub directories: Vec<DirectoryReport>,
    /// How many objects each class has now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<BTreeMap<&'static str, usize>>,
    /// Live new accounts with neither a forwarder to the source that is on nor a recorded reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<crate::MissingForwarder>,
}

/// What was read of a directory.
#[derive(Clone, Debug, Serialize)]
pub struct DirectoryReport {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// It was read whole; else what changed.
    pub whole: bool,
    /// Entries that were not there before.
    pub new: usize,
    /// Entries that are another than before.
    pub changed: usize,
    /// Entries that are gone.
    pub gone: usize,
    /// What can't be read as an entry: place, what is wrong.
    pub faults: Vec<(String, String)>,
    /// How many faults there are.
    pub faults_count: usize,
    /// Entries that the server sent.
    pub received: u64,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// When the report that was read was written (seconds since 1970), where the directory is a platform that has only that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<i64>,
}

/// A reading, before anything of it is kept.
struct Reading {
    seen: Vec<NewEntry>,
    gone: Vec<String>,
    faults: Vec<FaultRow>,
    read: DirectoryRead,
}

impl Reading {
    /// What it did not tell is gone: it was whole, and of nothing that it could not read the key is unknown.
    fn tells_gone(&self) -> bool {
        self.read.is_whole && self.faults.iter().all(|fault| fault.key.is_some())
    }
}

impl PeopleProject {
    /// Reads every directory; with `accept_gone` also where much is gone at once. A dry run keeps nothing.
    pub async fn sync(&self, dry_run: bool, accept_gone: bool, whole: bool) -> Result<PeopleSyncReport, Error> {
        if !dry_run {
            self.may_change()?;
        }
        if dry_run {
            let directories = self.read_all(None, accept_gone, whole).await?;
            return Ok(PeopleSyncReport { dry_run, directories, classes: None, missing: Vec::new() });
        }
        let lease = self.hold().await?;
        let read = self.while_held(&lease, self.read_all(Some(&lease), accept_gone, whole)).await;
        let directories = self.leave(&lease, read).await?;
        self.note_switched_on().await?;
        let classes = Some(counts(&self.known().await?.reconciliation));
        Ok(PeopleSyncReport { dry_run, directories, classes, missing: Vec::new() })
    }

    async fn read_all(
        &self,
        lease: Option<&PeopleLease>,
        accept_gone: bool,
        whole: bool,
    ) -> Result<Vec<DirectoryReport>, Error> {
        let mut reports = Vec::new();
        let sources = self.sources.iter().map(|(name, opened)| (name, opened.directory(), DirectoryRole::Source));
        let platform =
            self.platform.iter().map(|(name, platform)| (name, platform.directory(), DirectoryRole::Platform));
        for (name, directory, role) in sources.chain(platform) {
            reports.push(self.read_one(lease, (name, role), directory, (accept_gone, whole)).await?);
        }
        if let Some(lease) = lease {
            self.find_made(lease).await?;
        }
        Ok(reports)
    }

    /// Reads what every directory says by now.
    pub(super) async fn read_both(&self, lease: &PeopleLease) -> Result<(), Error> {
        let sources = self.sources.iter().map(|(name, opened)| (name, opened.directory(), DirectoryRole::Source));
        for (name, directory, role) in sources {
            self.read_one(Some(lease), (name, role), directory, (false, false)).await?;
        }
        self.read_platform(lease).await
    }

    /// The same, and nothing of what was known before is built on: a directory may tell of changes late, or never.
    pub(super) async fn read_both_whole(&self, lease: &PeopleLease) -> Result<(), Error> {
        self.read_all(Some(lease), false, true).await?;
        self.note_switched_on().await
    }

    /// Reads what the platform says by now.
    pub(super) async fn read_platform(&self, lease: &PeopleLease) -> Result<(), Error> {
        let Some((name, platform)) = &self.platform else { return Ok(()) };
        let role = DirectoryRole::Platform;
        self.read_one(Some(lease), (name, role), platform.directory(), (false, false)).await?;
        self.note_switched_on().await?;
        self.find_made(lease).await
    }

    /// Keeps the hold alive while something goes on.
    pub(super) fn while_held<'w, T: 'w>(
        &'w self,
        lease: &'w PeopleLease,
        work: impl Future<Output = Result<T, Error>> + 'w,
    ) -> impl Future<Output = Result<T, Error>> + 'w {
        let work = Box::pin(work);
        async move { self.while_open(lease, &Held::new(), work).await }
    }

    /// Reads a directory. Nothing is kept where nobody holds the people: that is a dry run.
    async fn read_one(
        &self,
        lease: Option<&PeopleLease>,
        (name, role): (&str, DirectoryRole),
        directory: &dyn Directory,
        (accept_gone, whole): (bool, bool),
    ) -> Result<DirectoryReport, Error> {
        let began = Instant::now();
        let row = self.store.directories(self.key).await?.into_iter().find(|row| row.name == name);
        let scope = self.scope_of(name);
        // What was read by another scope can't be read on, and what it lacks has not left.
        let is_other_scope = row.as_ref().and_then(|row| row.scope).is_some_and(|then| then != scope);
        let cursor = row.as_ref().and_then(|row| row.cursor.clone()).filter(|_| !whole && !is_other_scope);
        let since = cursor.map(|cursor| DirectoryCursor(cursor.into()));
        // Before it is read: what is written meanwhile counts as older than it is, never as newer.
        let as_of = self.portal().filter(|_| role == DirectoryRole::Platform).and_then(|portal| portal.as_of());
        let reading = self.collect(name, directory, since.as_ref()).await?;
        let stored = match &row {
            Some(row) => self.store.directory_entries(self.key, row.directory, true).await?,
            None => Vec::new(),
        };
        let before: BTreeMap<&str, &str> = stored
            .iter()
            .filter(|row| row.gone_at.is_none())
            .map(|row| (row.key.as_str(), row.entry.as_str()))
            .collect();
        let is_new = |entry: &&NewEntry| !before.contains_key(entry.key.as_str());
        let is_changed = |entry: &&NewEntry| before.get(entry.key.as_str()).is_some_and(|known| *known != entry.entry);
        let new = reading.seen.iter().filter(is_new).count();
        let changed = reading.seen.iter().filter(is_changed).count();
        let gone = gone(&reading, before.keys().copied());
        if !accept_gone && !gone.is_empty() {
            let accepted_at = row.as_ref().and_then(|row| row.gone_accepted_at);
            self.refuse_many_gone((name, role), (&gone, &stored), accepted_at, is_other_scope).await?;
        }
        let told = reading.faults.iter().take(FAULTS_TOLD).map(|fault| (fault.place.clone(), fault.what.clone()));
        let report = DirectoryReport {
            name: name.to_owned(),
            kind: directory.declaration().platform,
            whole: reading.read.is_whole,
            new,
            changed,
            gone: gone.len(),
            faults: told.collect(),
            faults_count: reading.faults.len(),
            received: reading.read.entries_received,
            ms: began.elapsed().as_millis() as u64,
            as_of: as_of.map(|at| at / 1000),
        };
        let Some(lease) = lease else { return Ok(report) };
        if accept_gone && report.gone > 0 {
            let detail = json!({ "directory": name, "gone": report.gone, "of": before.len() });
            self.store.audit(self.key, &self.actor, "people.gone-accepted", &detail).await?;
        }
        let mut tx = self.store.write_people(lease).await?;
        let row = tx.directory(name, role).await?;
        let number = tx.begin_reading(row.directory).await?;
        tx.put_entries(row.directory, number, &reading.seen).await?;
        tx.entries_gone(row.directory, &reading.gone).await?;
        tx.put_faults(row.directory, number, &reading.faults).await?;
        // What a whole reading could not say to be gone is not told by what changes after it, either.
        let cursor = Some(&reading.read.cursor.0[..]).filter(|_| !reading.read.is_whole || reading.tells_gone());
        tx.end_reading(row.directory, number, (cursor, scope), reading.tells_gone()).await?;
        if let Some(as_of) = as_of {
            tx.set_as_of(row.directory, as_of).await?;
        }
        if accept_gone && report.gone > 0 {
            tx.accept_gone(row.directory).await?;
        }
        tx.commit().await?;
        Ok(report)
    }

    /// What says how a directory is read: its table of the project's file.
    pub(super) fn scope_of(&self, name: &str) -> Digest {
        let mut table = self.config.file.directories.get(name).cloned();
        let is_portal = self.config.directories.get(name).is_some_and(|directory| directory.portal().is_some());
        if let Some(table) = table.as_mut().filter(|_| is_portal) {
            // What leaves to a portal says nothing of how its report is read.
            table.retain(|key, _| ["kind", "report", "form", "map", "strict", "may_be_empty"].contains(&key));
        }
        Digest::of(table.map(|table| table.to_string()).unwrap_or_default().as_bytes())
    }

    /// Reads a directory into memory, so that what is kept is all of a reading or nothing of it.
    async fn collect(
        &self,
        name: &str,
        directory: &dyn Directory,
        since: Option<&DirectoryCursor>,
    ) -> Result<Reading, Error> {
        let mut events: Vec<EntryEvent> = Vec::new();
        let read = directory.read(since, &mut events).await.map_err(|error| {
            let advice = error.cause.advice();
            let exit = crate::error::exit_of(error.cause);
            let exit = if exit == Exit::WithFailures { Exit::Usage } else { exit };
            Error { exit, rule: None, what: format!("directory {name}: {error}"), advice: Some(advice.to_owned()) }
        })?;
        let (mut seen, mut gone, mut faults) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        for event in events {
            match event {
                EntryEvent::Seen(entry) => {
                    let text = serde_json::to_string(&entry).map_err(|_| super::damaged("an entry"))?;
                    gone.retain(|key| *key != entry.key);
                    let kind = entry.kind.name().to_owned();
                    seen.insert(entry.key.clone(), NewEntry { key: entry.key, kind, entry: text });
                }
                EntryEvent::Gone(key) => {
                    seen.remove(&key);
                    gone.push(key);
                }
                EntryEvent::Faulty { key, place, what } => {
                    let fault = FaultRow { place: place.clone(), key, what };
                    faults.entry(place).or_insert_with(Vec::new).push(fault);
                }
            }
        }
        let faults = faults.into_values().flat_map(one_a_place).collect();
        Ok(Reading { seen: seen.into_values().collect(), gone, faults, read })
    }

    /// A directory that suddenly lacks many was read without a right, or by a wrong filter, far more often than many have
    /// left at once: and then all of them would be leavers, and on the platform all of them new.
    async fn refuse_many_gone(
        &self,
        (name, role): (&str, DirectoryRole),
        (gone, stored): (&HashSet<&str>, &[EntryRow]),
        accepted_at: Option<i64>,
        is_other_scope: bool,
    ) -> Result<(), Error> {
        // Contacts of an address book, which this program writes and removes, are nobody.
        let mut entries = Vec::new();
        for row in stored {
            let entry = read_entry(row)?;
            if !entry.origin.as_deref().is_some_and(|origin| origin.starts_with(people::BOOK_MARK)) {
                entries.push((row, entry));
            }
        }
        let since = (self.store.now().await? - DAY_MS).max(accepted_at.unwrap_or_default());
        let left_before = |row: &EntryRow| row.gone_at.is_some_and(|at| at > since);
        let tally = |counts: &dyn Fn(&Entry) -> bool| {
            let counted = entries.iter().filter(|(_, entry)| counts(entry));
            counted.fold(Tally::default(), |tally, (row, _)| Tally {
                now: tally.now + u64::from(gone.contains(row.key.as_str())),
                day: tally.day + u64::from(gone.contains(row.key.as_str()) || left_before(row)),
                of: tally.of + u64::from(row.gone_at.is_none() || left_before(row)),
            })
        };
        let all = tally(&|_| true);
        if is_other_scope && all.now > 0 {
            let what = format!(
                "directory {name}: it is read by another scope than before, and {} entries of {} are not in \
                it; nothing was changed",
                all.now, all.of
            );
            return Err(Error::refused("R-036", what).advise(
                "they would be leavers: look at [directories] in the project's file; if they have gone, add --accept-gone",
            ));
        }
        self.refuse_share(name, "entries", &all)?;
        if role == DirectoryRole::Platform && all.now > 0 {
            let known = self.known().await?;
            let matched = known.reconciliation.rows.iter().filter_map(|row| row.matched.account().map(str::to_owned));
            let made = self.store.accounts_made(self.key).await?.into_iter().map(|row| row.made.account);
            let own: HashSet<String> = matched.chain(made).collect();
            self.refuse_share(name, "accounts of the organisation's own", &tally(&|entry| own.contains(&entry.key)))?;
        }
        Ok(())
    }

    /// Are these so many of them that somebody looks before they are gone?
    pub(super) fn is_many(&self, gone: u64, of: u64) -> bool {
        let (free, share) = (self.entry.gone_free, u64::from(self.entry.gone_share_max));
        gone > 0 && (gone * 2 >= of || (gone > free && gone * 100 > of * share))
    }

    fn refuse_share(&self, name: &str, of_what: &str, tally: &Tally) -> Result<(), Error> {
        let Tally { now, day, of } = *tally;
        if now == 0 || !self.is_many(day, of) {
            return Ok(());
        }
        let what = format!("directory {name}: {day} of {of} {of_what} are gone within a day; nothing was changed");
        Err(Error::refused("R-036", what).advise(
            "look whether its login may still read them and its scope is right; if they have gone, add --accept-gone",
        ))
    }
}

/// Faults of one place, each under a place of its own: none may take the place of another one, whose key would be gone then.
fn one_a_place(faults: Vec<FaultRow>) -> Vec<FaultRow> {
    let mut kept: Vec<FaultRow> = Vec::new();
    for fault in faults {
        match kept.iter_mut().find(|known| known.key == fault.key) {
            Some(known) if known.what.contains(&fault.what) => {}
            Some(known) => known.what = format!("{}; {}", known.what, fault.what),
            None => kept.push(fault),
        }
    }
    for (number, fault) in kept.iter_mut().enumerate().skip(1) {
        fault.place = format!("{} ({})", fault.place, number + 1);
    }
    kept
}

/// How many are gone.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// By this reading.
    now: u64,
    /// Within a day, with these.
    day: u64,
    /// Of so many.
    of: u64,
}

/// Which of these the reading says to be gone.
fn gone<'k>(reading: &Reading, before: impl Iterator<Item = &'k str>) -> HashSet<&'k str> {
    let faulty = reading.faults.iter().filter_map(|fault| fault.key.as_deref());
    let told: HashSet<&str> = reading.seen.iter().map(|entry| entry.key.as_str()).chain(faulty).collect();
    let named: HashSet<&str> = reading.gone.iter().map(String::as_str).collect();
    let is_gone = |key: &&str| named.contains(key) || (reading.tells_gone() && !told.contains(key));
    before.filter(is_gone).collect()
}
