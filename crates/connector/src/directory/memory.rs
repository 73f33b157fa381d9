//! A directory in memory: for rehearsals, and the measure that the suite of directories is tried on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use model::{AccountState, Cause, Entry, Scope, mail_key};

use crate::directory::{
    Change, ChangeOutcome, Directory, DirectoryCursor, DirectoryDeclaration, DirectoryRead, DirectoryTarget,
    EntryEvent, EntrySink, PlannedChange,
};
use crate::{Door, Effect, Error, Finding, Topic};

/// Entries told at once.
const PORTION: usize = 500;

#[derive(Default)]
struct State {
    /// Every entry with the number of its last change.
    entries: BTreeMap<String, (u64, Entry)>,
    /// Keys of what was removed, with the number of that change.
    gone: BTreeMap<String, u64>,
    changes: u64,
    made: u64,
}

impl State {
    fn put(&mut self, entry: Entry) {
        self.changes += 1;
        self.gone.remove(&entry.key);
        self.entries.insert(entry.key.clone(), (self.changes, entry));
    }

    fn remove(&mut self, key: &str) {
        self.changes += 1;
        if self.entries.remove(key).is_some() {
            self.gone.insert(key.to_owned(), self.changes);
        }
    }
}

/// A directory in memory. Clones share it.
#[derive(Clone, Default)]
pub struct DirectoryInMemory {
    state: Arc<Mutex<State>>,
}

impl DirectoryInMemory {
    /// A directory of these entries.
    pub fn with(entries: impl IntoIterator<Item = Entry>) -> Self {
        let directory = Self::default();
        for entry in entries {
            directory.put(entry);
        }
        directory
    }

    /// Puts an entry there, in place of the one of its key.
    pub fn put(&self, entry: Entry) {
        let number = entry.key.strip_prefix("made-").and_then(|number| number.parse().ok());
        let mut state = self.state();
        state.made = state.made.max(number.unwrap_or(0));
        state.put(entry);
    }

    /// Takes an entry away.
    pub fn remove(&self, key: &str) {
        self.state().remove(key);
    }

    /// Takes an entry away and tells nobody who follows the changes, as some servers do when much changes at the same time.
    pub fn lose(&self, key: &str) {
        self.state().entries.remove(key);
    }

    /// Every entry, in the order of keys.
    pub fn all(&self) -> Vec<Entry> {
        self.state().entries.values().map(|(_, entry)| entry.clone()).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self, change: &Change) -> ChangeOutcome {
        let mut state = self.state();
        match change {
            Change::Create { entry, .. } => {
                let is_it = |other: &&(u64, Entry)| entry.origin.is_some() && other.1.origin == entry.origin;
                if let Some((_, there)) = state.entries.values().find(is_it) {
                    return ChangeOutcome::Unchanged { key: there.key.clone() };
                }
                let taken = entry
                    .mail_keys()
                    .into_iter()
                    .find(|key| state.entries.values().any(|(_, other)| other.mail_keys().contains(key)));
                if let Some(address) = taken {
                    return ChangeOutcome::Refused(refused(format!("the address {address} is taken")));
                }
                state.made += 1;
                let mut entry = (**entry).clone();
                entry.key = format!("made-{}", state.made);
                let key = entry.key.clone();
                state.put(entry);
                ChangeOutcome::Done { key }
            }
            Change::Update { before, after } => {
                let Some((_, current)) = state.entries.get(&before.key) else {
                    return ChangeOutcome::Conflict(format!("there is no entry {}", before.key));
                };
                let new = match changed(before, after, current) {
                    Ok(new) if new == *current => return ChangeOutcome::Unchanged { key: after.key.clone() },
                    Ok(new) => new,
                    Err(fields) => {
                        let fields = fields.join(", ");
                        return ChangeOutcome::Conflict(format!("{} is not as it was: {fields}", before.label()));
                    }
                };
                let key = after.key.clone();
                state.put(new);
                ChangeOutcome::Done { key }
            }
            Change::Remove { before } => {
                let key = before.key.clone();
                match state.entries.get(&key) {
                    None => return ChangeOutcome::Unchanged { key },
                    Some((_, current)) if current.origin.is_none() || current.origin != before.origin => {
                        let what = format!("{} does not bear the mark of what this program made", before.label());
                        return ChangeOutcome::Refused(refused(what));
                    }
                    Some((_, current)) if current != &**before => {
                        return ChangeOutcome::Conflict(format!("{} is not as it was", before.label()));
                    }
                    Some(_) => {}
                }
                state.remove(&key);
                ChangeOutcome::Done { key }
            }
        }
    }
}

macro_rules! changed {
    ($($name:literal $($field:ident).+;)+) => {
        /// An entry with the fields that a change is about as they are to be. A field that is so already is left; one that is
        /// neither so nor as it was when the change was decided is told.
        fn changed(before: &Entry, after: &Entry, current: &Entry) -> Result<Entry, Vec<&'static str>> {
            let (mut new, mut odd) = (current.clone(), Vec::new());
            // One that has expired by the passing of time was so when the change was decided, and is not another since.
            let then = before.expires_at.filter(|_| before.state == AccountState::Expired);
            let current = &then.map_or_else(|| current.clone(), |end| current.clone().at(end));
            $(if before.$($field).+ != after.$($field).+ && current.$($field).+ != after.$($field).+ {
                if current.$($field).+ == before.$($field).+ {
                    new.$($field).+.clone_from(&after.$($field).+);
                } else {
                    odd.push($name);
                }
            })+
            if odd.is_empty() { Ok(new) } else { Err(odd) }
        }
    };
}

changed! {
    "kind" kind;
    "state" state;
    "expires_at" expires_at;
    "title" names.title;
    "given" names.given;
    "initials" names.initials;
    "surname" names.surname;
    "display" names.display;
    "mail" mail;
    "addresses" addresses;
    "legacy_dn" legacy_dn;
    "routed_to" routed_to;
    "account" account;
    "place" place;
    "sid" sid;
    "organisation" organisation;
    "local_id" local_id;
    "job_title" job_title;
    "department" department;
    "telephone" telephone;
    "mobile" mobile;
    "hides_mobile" hides_mobile;
    "is_hidden" is_hidden;
    "has_mailbox" has_mailbox;
    "last_logon" last_logon;
    "is_activated" is_activated;
    "quota_bytes" quota_bytes;
    "owners" owners;
    "members" members;
    "grants" grants;
    "origin" origin;
    "other" other;
}

fn refused(what: String) -> Error {
    Error::new(Cause::Refused, Scope::Item, what)
}

#[async_trait]
impl Directory for DirectoryInMemory {
    fn declaration(&self) -> DirectoryDeclaration {
        DirectoryDeclaration {
            platform: "in-memory",
            writes: true,
            tells_changes: true,
            makes_live: false,
            changes_first_passwords: true,
        }
    }

    async fn read(&self, since: Option<&DirectoryCursor>, sink: &mut dyn EntrySink) -> Result<DirectoryRead, Error> {
        let since = since.and_then(|cursor| Some(u64::from_be_bytes(cursor.0.as_ref().try_into().ok()?)));
        let (events, changes) = {
            let state = self.state();
            let since = since.filter(|since| *since <= state.changes);
            let floor = since.unwrap_or(0);
            let changed = state.entries.values().filter(|(change, _)| *change > floor);
            let mut events: Vec<EntryEvent> =
                changed.map(|(_, entry)| EntryEvent::Seen(Box::new(entry.clone()))).collect();
            if since.is_some() {
                let gone = state.gone.iter().filter(|(_, change)| **change > floor);
                events.extend(gone.map(|(key, _)| EntryEvent::Gone(key.clone())));
            }
            (events, state.changes)
        };
        let entries_received = events.len() as u64;
        for portion in events.chunks(PORTION) {
            sink.take(portion.to_vec()).await?;
        }
        let cursor = DirectoryCursor(changes.to_be_bytes().into());
        let is_whole = since.is_none_or(|since| since > changes);
        Ok(DirectoryRead { cursor, is_whole, entries_received })
    }

    async fn check(&self) -> Vec<Finding> {
        vec![Finding::well(Topic::Reach, "in memory")]
    }
}

#[async_trait]
impl DirectoryTarget for DirectoryInMemory {
    async fn apply(&self, changes: &[PlannedChange], door: &dyn Door) -> Result<Vec<ChangeOutcome>, Error> {
        let mut outcomes = Vec::with_capacity(changes.len());
        for planned in changes {
            let effect = match planned.change {
                Change::Create { .. } => Effect::CreateEntry,
                Change::Update { .. } => Effect::ChangeEntry,
                Change::Remove { .. } => Effect::RemoveEntry,
            };
            door.before(effect)?;
            outcomes.push(self.make(&planned.change));
            door.after(effect);
        }
        Ok(outcomes)
    }

    async fn find_origin(&self, origin: &str) -> Result<Vec<Entry>, Error> {
        Ok(self.all().into_iter().filter(|entry| entry.origin.as_deref() == Some(origin)).collect())
    }

    async fn entries(&self, keys: &[String]) -> Result<Vec<Entry>, Error> {
        let state = self.state();
        Ok(keys.iter().filter_map(|key| state.entries.get(key)).map(|(_, entry)| entry.clone()).collect())
    }

    async fn holders(&self, addresses: &[String]) -> Result<Vec<Entry>, Error> {
        let wanted: Vec<String> = addresses.iter().map(|address| mail_key(address)).collect();
        let has_one = |entry: &Entry| entry.mail_keys().iter().any(|key| wanted.contains(key));
        Ok(self.all().into_iter().filter(has_one).collect())
    }
}
