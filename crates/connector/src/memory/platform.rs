//! The mailboxes themselves, and what a person's own client does with them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{Cause, Flags, FolderPath, ItemId, ItemKind, Loss, LossTable, ReceivedAt, Scope, SpecialUse, SystemFlag};
use serde::{Deserialize, Serialize};

use super::wire::{PutItem, Response};
use crate::{Allowance, Error, FlagChange, Folder, FolderState, Known, ListedItem, NewFolder, Offers, Quota, Removal};

/// What a platform offers and refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traits {
    /// Kinds of items it holds.
    pub kinds: Vec<ItemKind>,
    /// Says which ids a batch was given.
    pub ids_on_append: bool,
    /// A batch takes effect whole or not at all.
    pub batches_whole: bool,
    /// Folders can be made with a special use.
    pub special_use: bool,
    /// Can remove one item without touching others marked for removal.
    pub removes_exactly: bool,
    /// Can move items from folder to folder.
    pub moves: bool,
    /// Counts changes, so that a delta can be asked for.
    pub tells_changes: bool,
    /// Tells which items are gone, too.
    pub tells_gone: bool,
    /// Largest item.
    pub item_bytes_max: Option<u64>,
    /// Bytes a mailbox may hold.
    pub quota_bytes: Option<u64>,
    /// Says how much a mailbox may hold, and how much of that is used.
    pub tells_quota: bool,
    /// Says the size of each folder in its list.
    pub tells_sizes: bool,
    /// What it refuses in an item's bytes.
    pub refuses: Vec<Loss>,
    /// Makes an `X` of each byte above 127 in a header, as Cyrus does by default.
    pub changes_eight_bit_headers: bool,
    /// Writes a header field of its own into every message.
    pub adds_a_field: bool,
}

impl Default for Traits {
    /// A rich server.
    fn default() -> Self {
        Self {
            kinds: ItemKind::EVERY.to_vec(),
            ids_on_append: true,
            batches_whole: true,
            special_use: true,
            removes_exactly: true,
            moves: true,
            tells_changes: true,
            tells_gone: true,
            item_bytes_max: None,
            quota_bytes: None,
            tells_quota: true,
            tells_sizes: true,
            refuses: Vec::new(),
            changes_eight_bit_headers: false,
            adds_a_field: false,
        }
    }
}

impl Traits {
    /// A server that offers nothing.
    pub fn poor() -> Self {
        Self {
            ids_on_append: false,
            batches_whole: false,
            special_use: false,
            removes_exactly: false,
            moves: false,
            tells_changes: false,
            tells_gone: false,
            tells_quota: false,
            tells_sizes: false,
            ..Self::default()
        }
    }

    pub(super) fn offers(&self) -> Offers {
        Offers {
            item_bytes_max: self.item_bytes_max,
            ids_on_append: self.ids_on_append,
            batches_whole: self.batches_whole,
            special_use: self.special_use,
            removes_exactly: self.removes_exactly,
            moves: self.moves,
            numbers_rise: true,
            tells_changes: self.tells_changes,
        }
    }
}

/// An item as it lies there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryItem {
    /// What it is.
    pub kind: ItemKind,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its flags.
    pub flags: Flags,
    /// When it was received.
    pub received: ReceivedAt,
}

impl MemoryItem {
    /// A message of these bytes, unflagged, received at this second.
    pub fn message(bytes: impl Into<Vec<u8>>, unix_seconds: i64) -> Self {
        let received = ReceivedAt::utc(unix_seconds);
        Self { kind: ItemKind::Message, bytes: bytes.into(), flags: Flags::NONE, received }
    }
}

#[derive(Clone, Debug)]
struct Stored {
    item: MemoryItem,
    change: u64,
}

#[derive(Clone, Debug)]
struct StoredFolder {
    kind: ItemKind,
    special_use: Option<SpecialUse>,
    subscribed: bool,
    validity: u64,
    next: u32,
    change: u64,
    items: BTreeMap<u32, Stored>,
    gone: Vec<(u32, u64)>,
}

impl StoredFolder {
    fn state(&self, traits: &Traits) -> FolderState {
        FolderState {
            validity: self.validity,
            next: u64::from(self.next),
            count: self.items.len() as u64,
            change: if traits.tells_changes { self.change } else { 0 },
        }
    }

    fn size_bytes(&self) -> u64 {
        self.items.values().map(|stored| stored.item.bytes.len() as u64).sum()
    }

    fn add(&mut self, item: MemoryItem) -> u32 {
        let id = self.next;
        self.next += 1;
        self.change += 1;
        self.items.insert(id, Stored { item, change: self.change });
        id
    }

    fn remove(&mut self, id: u32) -> Option<MemoryItem> {
        let stored = self.items.remove(&id)?;
        self.change += 1;
        self.gone.push((id, self.change));
        Some(stored.item)
    }
}

#[derive(Clone, Debug, Default)]
struct Mailbox {
    folders: BTreeMap<FolderPath, StoredFolder>,
    locked: bool,
}

#[derive(Debug)]
struct Mailboxes {
    by_name: BTreeMap<String, Mailbox>,
    validity: u64,
    effects: u64,
    quota_bytes: Option<u64>,
    time: Option<i64>,
}

/// A mailbox as it was at some time.
#[derive(Clone, Debug)]
pub struct Backup(Mailbox);

/// A platform in memory. Clones are the same platform.
#[derive(Clone, Debug)]
pub struct Platform {
    traits: Arc<Traits>,
    inner: Arc<Mutex<Mailboxes>>,
}

fn deleted() -> Flags {
    Flags::NONE.with(SystemFlag::Deleted)
}

fn missing(what: impl std::fmt::Display) -> Error {
    Error::new(Cause::Missing, Scope::Folder, format!("there is no folder {what}"))
}

impl Platform {
    /// An empty platform.
    pub fn new(traits: Traits) -> Self {
        let quota_bytes = traits.quota_bytes;
        let inner = Mailboxes { by_name: BTreeMap::new(), validity: 1000, effects: 0, quota_bytes, time: None };
        Self { traits: Arc::new(traits), inner: Arc::new(Mutex::new(inner)) }
    }

    /// What it offers.
    pub fn traits(&self) -> &Traits {
        &self.traits
    }

    fn lock(&self) -> MutexGuard<'_, Mailboxes> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mailbox<T>(&self, name: &str, work: impl FnOnce(&mut Mailbox) -> Result<T, Error>) -> Result<T, Error> {
        let mut inner = self.lock();
        let mailbox = inner
            .by_name
            .get_mut(name)
            .ok_or_else(|| Error::new(Cause::Missing, Scope::Mailbox, format!("there is no mailbox {name}")))?;
        work(mailbox)
    }

    fn folder<T>(&self, name: &str, path: &FolderPath, work: impl FnOnce(&mut StoredFolder) -> T) -> Result<T, Error> {
        self.mailbox(name, |mailbox| mailbox.folders.get_mut(path).map(work).ok_or_else(|| missing(path)))
    }

    // What an administrator and a person's own client do.

    /// Makes an empty mailbox with an INBOX.
    pub fn add_mailbox(&self, name: &str) {
        self.lock().by_name.entry(name.to_owned()).or_default();
        self.add_folder(name, &FolderPath::inbox());
    }

    /// Refuses or allows logins to a mailbox.
    pub fn set_locked(&self, name: &str, locked: bool) {
        if let Some(mailbox) = self.lock().by_name.get_mut(name) {
            mailbox.locked = locked;
        }
    }

    /// Sets the bytes that a mailbox may hold from now on.
    pub fn set_quota(&self, quota_bytes: Option<u64>) {
        self.lock().quota_bytes = quota_bytes;
    }

    /// Sets its clock: from now on it puts that time in place of a later one that it is given, as Dovecot does.
    pub fn set_time(&self, unix_seconds: i64) {
        self.lock().time = Some(unix_seconds);
    }

    /// Makes a folder of messages, if it is not there.
    pub fn add_folder(&self, name: &str, path: &FolderPath) {
        self.add_folder_of(name, path, ItemKind::Message, None, false);
    }

    /// Makes a folder, if it is not there.
    pub fn add_folder_of(
        &self,
        name: &str,
        path: &FolderPath,
        kind: ItemKind,
        special_use: Option<SpecialUse>,
        subscribed: bool,
    ) {
        let mut inner = self.lock();
        let validity = inner.validity + 1;
        let Some(mailbox) = inner.by_name.get_mut(name) else { return };
        if mailbox.folders.contains_key(path) {
            return;
        }
        let folder = StoredFolder {
            kind,
            special_use,
            subscribed,
            validity,
            next: 1,
            change: 1,
            items: BTreeMap::new(),
            gone: Vec::new(),
        };
        mailbox.folders.insert(path.clone(), folder);
        inner.validity = validity;
    }

    /// Puts an item into a folder, as a delivery or a client would. Returns its id.
    pub fn deliver(&self, name: &str, path: &FolderPath, item: MemoryItem) -> ItemId {
        self.add_folder(name, path);
        let id = self.folder(name, path, |folder| folder.add(item)).unwrap_or_default();
        ItemId::from_u32(id)
    }

    /// Sets the flags of an item.
    pub fn set_flags(&self, name: &str, path: &FolderPath, id: &ItemId, flags: &Flags) {
        let _ = self.folder(name, path, |folder| {
            folder.change += 1;
            let change = folder.change;
            if let Some(stored) = id.as_u32().and_then(|id| folder.items.get_mut(&id)) {
                stored.item.flags = flags.clone();
                stored.change = change;
            }
        });
    }

    /// Removes an item, as its person would.
    pub fn expunge(&self, name: &str, path: &FolderPath, id: &ItemId) {
        let _ = self.folder(name, path, |folder| id.as_u32().and_then(|id| folder.remove(id)));
    }

    /// Lists an item again under the id that it had, as a server does that had lost sight of it.
    pub fn put_back(&self, name: &str, path: &FolderPath, id: &ItemId, item: MemoryItem) {
        let _ = self.folder(name, path, |folder| {
            folder.change += 1;
            let change = folder.change;
            id.as_u32().map(|id| folder.items.insert(id, Stored { item, change }))
        });
    }

    /// Numbers a folder anew, as a server does that lost its indexes.
    pub fn renumber(&self, name: &str, path: &FolderPath) {
        let mut inner = self.lock();
        let validity = inner.validity + 1;
        inner.validity = validity;
        let Some(folder) = inner.by_name.get_mut(name).and_then(|mailbox| mailbox.folders.get_mut(path)) else {
            return;
        };
        folder.validity = validity;
        folder.gone.clear();
        let items = std::mem::take(&mut folder.items);
        folder.items = items.into_values().zip(1..).map(|(stored, id)| (id, stored)).collect();
        folder.next = folder.items.len() as u32 + 1;
    }

    /// Removes a folder with all that is in it.
    pub fn remove_folder(&self, name: &str, path: &FolderPath) {
        if let Some(mailbox) = self.lock().by_name.get_mut(name) {
            mailbox.folders.remove(path);
        }
    }

    /// Moves an item to another folder, as its person would. Returns its id there.
    pub fn relocate(&self, name: &str, from: &FolderPath, to: &FolderPath, id: &ItemId) -> Option<ItemId> {
        self.add_folder(name, to);
        let moved = self.shift(name, from, to, std::slice::from_ref(id)).ok()?;
        moved.first().copied().flatten().map(ItemId::from_u32)
    }

    /// Gives a folder, and those below it, another name; ids and validity stay. False where that name is taken.
    pub fn rename_folder(&self, name: &str, from: &FolderPath, to: &FolderPath) -> bool {
        let mut inner = self.lock();
        let Some(mailbox) = inner.by_name.get_mut(name) else { return false };
        if !mailbox.folders.contains_key(from) || mailbox.folders.contains_key(to) {
            return false;
        }
        let below: Vec<FolderPath> =
            mailbox.folders.keys().filter(|path| path.names().starts_with(from.names())).cloned().collect();
        for path in below {
            if let Some(folder) = mailbox.folders.remove(&path) {
                let rest = path.names()[from.names().len()..].iter();
                let renamed = FolderPath::new(to.names().iter().chain(rest).cloned());
                mailbox.folders.insert(renamed, folder);
            }
        }
        true
    }

    /// Follows a folder or no longer, as its person would.
    pub fn set_subscribed(&self, name: &str, path: &FolderPath, subscribed: bool) {
        let _ = self.folder(name, path, |folder| folder.subscribed = subscribed);
    }

    /// The folders that are followed.
    pub fn subscribed(&self, name: &str) -> Vec<FolderPath> {
        let inner = self.lock();
        let Some(mailbox) = inner.by_name.get(name) else { return Vec::new() };
        let followed = mailbox.folders.iter().filter(|(_, folder)| folder.subscribed);
        followed.map(|(path, _)| path.clone()).collect()
    }

    /// Goes back to a mailbox as it was at another time: a restored backup, the same ids and validities.
    pub fn restore(&self, name: &str, backup: &Backup) {
        self.lock().by_name.insert(name.to_owned(), backup.0.clone());
    }

    /// A mailbox as it is now, to be restored another time.
    pub fn back_up(&self, name: &str) -> Backup {
        Backup(self.lock().by_name.get(name).cloned().unwrap_or_default())
    }

    fn shift(&self, name: &str, from: &FolderPath, to: &FolderPath, ids: &[ItemId]) -> Result<Vec<Option<u32>>, Error> {
        self.mailbox(name, |mailbox| {
            if !mailbox.folders.contains_key(to) {
                return Err(missing(to));
            }
            let mut moved = Vec::new();
            for id in ids {
                let folder = mailbox.folders.get_mut(from).ok_or_else(|| missing(from))?;
                let item = id.as_u32().and_then(|id| folder.remove(id));
                let folder = mailbox.folders.get_mut(to).ok_or_else(|| missing(to))?;
                moved.push(item.map(|item| folder.add(item)));
            }
            Ok(moved)
        })
    }

    /// Every folder with its items by id: the whole mailbox, to compare.
    pub fn dump(&self, name: &str) -> BTreeMap<FolderPath, BTreeMap<u32, MemoryItem>> {
        let inner = self.lock();
        let Some(mailbox) = inner.by_name.get(name) else { return BTreeMap::new() };
        let items = |folder: &StoredFolder| folder.items.iter().map(|(id, s)| (*id, s.item.clone())).collect();
        mailbox.folders.iter().map(|(path, folder)| (path.clone(), items(folder))).collect()
    }

    /// How many effects there were through a connector.
    pub fn effects(&self) -> u64 {
        self.lock().effects
    }

    // What the protocol does.

    pub(super) fn open(&self, name: &str) -> Result<(), Error> {
        self.mailbox(name, |mailbox| {
            if mailbox.locked {
                let what = format!("the login of {name} was refused: the account is locked");
                return Err(Error::new(Cause::Login, Scope::Mailbox, what));
            }
            Ok(())
        })
    }

    pub(super) fn folders(&self, name: &str) -> Result<Vec<Folder>, Error> {
        self.mailbox(name, |mailbox| {
            let one = |(path, folder): (&FolderPath, &StoredFolder)| Folder {
                path: path.clone(),
                kind: folder.kind,
                holds_items: true,
                special_use: folder.special_use,
                subscribed: folder.subscribed,
                state: Some(folder.state(&self.traits)),
                size_bytes: self.traits.tells_sizes.then(|| folder.size_bytes()),
            };
            Ok(mailbox.folders.iter().map(one).collect())
        })
    }

    pub(super) fn state(&self, name: &str, path: &FolderPath) -> Result<FolderState, Error> {
        self.folder(name, path, |folder| folder.state(&self.traits))
    }

    pub(super) fn items(
        &self,
        name: &str,
        path: &FolderPath,
        from: u32,
        limit: usize,
    ) -> Result<Vec<(u32, MemoryItem)>, Error> {
        self.folder(name, path, |folder| {
            folder.items.range(from..).take(limit).map(|(id, stored)| (*id, stored.item.clone())).collect()
        })
    }

    pub(super) fn list(&self, name: &str, path: &FolderPath) -> Result<Vec<(u32, Flags)>, Error> {
        self.folder(name, path, |folder| {
            folder.items.iter().map(|(id, stored)| (*id, stored.item.flags.clone())).collect()
        })
    }

    pub(super) fn sizes(
        &self,
        name: &str,
        path: &FolderPath,
        since: Option<(u64, u32)>,
    ) -> Result<Vec<ListedItem>, Error> {
        self.folder(name, path, |folder| {
            let from = since.filter(|(validity, _)| *validity == folder.validity).map_or(0, |(_, next)| next);
            let one = |(id, stored): (&u32, &Stored)| ListedItem {
                id: ItemId::from_u32(*id),
                size_bytes: stored.item.bytes.len() as u64,
                received: Some(stored.item.received),
                flags: stored.item.flags.clone(),
            };
            folder.items.range(from..).map(one).collect()
        })
    }

    pub(super) fn quota(&self, name: &str) -> Result<Quota, Error> {
        let max = self.lock().quota_bytes.filter(|_| self.traits.tells_quota);
        self.mailbox(name, |mailbox| {
            let used = mailbox.folders.values().map(StoredFolder::size_bytes).sum();
            Ok(Quota {
                bytes: max.map(|max| Allowance { used, max, unit: 1 }).into_iter().collect(),
                items: Vec::new(),
            })
        })
    }

    pub(super) fn changes(&self, name: &str, path: &FolderPath, since: u64) -> Result<Response, Error> {
        let tells_gone = self.traits.tells_gone;
        self.folder(name, path, |folder| {
            let changed = folder.items.iter().filter(|(_, stored)| stored.change > since);
            let gone = folder.gone.iter().filter(|(_, change)| *change > since).map(|(id, _)| *id).collect();
            let flags = changed.map(|(id, stored)| (*id, stored.item.flags.clone())).collect();
            Response::Changes(flags, tells_gone.then_some(gone))
        })
    }

    pub(super) fn create(&self, name: &str, new: &NewFolder) -> Result<(), Error> {
        if !self.traits.kinds.contains(&new.kind) {
            let what = format!("the platform holds no folder of {}s", new.kind.name());
            return Err(Error::new(Cause::Unsupported, Scope::Folder, what));
        }
        let special_use = new.special_use.filter(|_| self.traits.special_use);
        self.mailbox(name, |_| Ok(()))?;
        self.add_folder_of(name, &new.path, new.kind, special_use, new.subscribe);
        if new.subscribe {
            self.folder(name, &new.path, |folder| folder.subscribed = true)?;
        }
        self.lock().effects += 1;
        Ok(())
    }

    /// Adds items; whole or not at all where batches are whole. The results are in the order of the items.
    pub(super) fn put(
        &self,
        name: &str,
        path: &FolderPath,
        items: Vec<PutItem>,
    ) -> Result<(u64, Vec<Result<u32, Error>>), Error> {
        let mut used: u64 = 0;
        self.mailbox(name, |mailbox| {
            used = mailbox.folders.values().map(StoredFolder::size_bytes).sum();
            Ok(())
        })?;
        let refusals: Vec<Option<Error>> = items.iter().map(|put| self.refusal(put, &mut used)).collect();
        let time = self.lock().time;
        let result = self.folder(name, path, |folder| {
            let whole = self.traits.batches_whole;
            let first = refusals.iter().flatten().next().cloned();
            let one = |(put, refusal): (PutItem, Option<Error>)| match (refusal, &first) {
                (_, Some(first)) if whole => Err(first.clone()),
                (Some(refusal), _) => Err(refusal),
                (None, _) => Ok(folder.add(self.as_kept(put.into_item(), time))),
            };
            let results = items.into_iter().zip(refusals).map(one).collect();
            (folder.validity, results)
        });
        self.lock().effects += 1;
        result
    }

    fn as_kept(&self, mut item: MemoryItem, time: Option<i64>) -> MemoryItem {
        if let Some(time) = time.filter(|time| item.received.unix_seconds > *time) {
            item.received = ReceivedAt::utc(time);
        }
        if self.traits.changes_eight_bit_headers {
            let end = item.bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(item.bytes.len());
            for byte in item.bytes[..end].iter_mut().filter(|byte| !byte.is_ascii()) {
                *byte = b'X';
            }
        }
        if self.traits.adds_a_field {
            item.bytes = [b"X-Kept-By: memory\r\n", item.bytes.as_slice()].concat();
        }
        item
    }

    fn refusal(&self, put: &PutItem, used: &mut u64) -> Option<Error> {
        let size = put.bytes.len() as u64;
        let found = model::Examiner::examine(put.kind, &put.bytes);
        let refuse = |cause, what: &str| Some(Error::new(cause, Scope::Item, what));
        if found.broken_header && self.traits.refuses.contains(&Loss::BrokenHeader) {
            return refuse(Cause::Refused, "the item has a header that is none");
        }
        let is_out = put.received.is_some_and(|at| u32::try_from(at.unix_seconds).is_err());
        if is_out && self.traits.refuses.contains(&Loss::DateOutOfRange) {
            return refuse(Cause::Refused, "the item has a date that the platform does not take");
        }
        if let Some(cause) = LossTable::new(self.traits.refuses.clone()).bars(&found) {
            return refuse(cause, "the item holds bytes that the platform does not take");
        }
        if self.traits.item_bytes_max.is_some_and(|max| size > max) {
            return refuse(Cause::TooLarge, "the item is larger than the platform takes");
        }
        if self.lock().quota_bytes.is_some_and(|quota| *used + size > quota) {
            return refuse(Cause::OverQuota, "the mailbox has no room left");
        }
        *used += size;
        None
    }

    /// The folder must be the one whose ids are meant.
    pub(super) fn require(&self, name: &str, folder: Known<'_>) -> Result<(), Error> {
        folder.require(self.state(name, folder.path)?.validity)
    }

    pub(super) fn change_flags(
        &self,
        name: &str,
        path: &FolderPath,
        changes: &[FlagChange],
    ) -> Result<Vec<Option<Flags>>, Error> {
        let result = self.folder(name, path, |folder| {
            let mut results = Vec::new();
            for change in changes {
                folder.change += 1;
                let now = folder.change;
                let stored = change.id.as_u32().and_then(|id| folder.items.get_mut(&id));
                results.push(stored.map(|stored| {
                    stored.item.flags = stored.item.flags.without(&change.take).union(&change.add);
                    stored.change = now;
                    stored.item.flags.clone()
                }));
            }
            results
        });
        self.lock().effects += 1;
        result
    }

    pub(super) fn move_items(
        &self,
        name: &str,
        from: &FolderPath,
        to: &FolderPath,
        ids: &[ItemId],
    ) -> Result<Vec<Option<u32>>, Error> {
        if !self.traits.moves {
            let what = "the platform can't move items";
            return Err(Error::new(Cause::Unsupported, Scope::Folder, what));
        }
        let result = self.shift(name, from, to, ids);
        self.lock().effects += 1;
        result
    }

    pub(super) fn subscribe(&self, name: &str, path: &FolderPath, subscribed: bool) -> Result<(), Error> {
        let result = self.folder(name, path, |folder| folder.subscribed = subscribed);
        self.lock().effects += 1;
        result
    }

    pub(super) fn remove_if_empty(&self, name: &str, path: &FolderPath) -> Result<bool, Error> {
        let result = self.mailbox(name, |mailbox| {
            let is_above = |other: &FolderPath| other != path && other.names().starts_with(path.names());
            let is_empty = mailbox.folders.get(path).is_none_or(|folder| folder.items.is_empty());
            if path.is_inbox() || !is_empty || mailbox.folders.keys().any(is_above) {
                return Ok(false);
            }
            mailbox.folders.remove(path);
            Ok(true)
        });
        self.lock().effects += 1;
        result
    }

    pub(super) fn remove(
        &self,
        name: &str,
        path: &FolderPath,
        ids: &[ItemId],
        unchanged_since: Option<u64>,
    ) -> Result<Vec<Removal>, Error> {
        if !self.traits.removes_exactly {
            let mark = |id: &ItemId| FlagChange { id: id.clone(), add: deleted(), take: Flags::NONE };
            self.change_flags(name, path, &ids.iter().map(mark).collect::<Vec<_>>())?;
            return Ok(vec![Removal::Unsupported; ids.len()]);
        }
        let result = self.folder(name, path, |folder| {
            let mut results = Vec::new();
            for id in ids {
                let id = id.as_u32().unwrap_or_default();
                let changed = |stored: &Stored| unchanged_since.is_some_and(|since| stored.change > since);
                results.push(match folder.items.get(&id) {
                    Some(stored) if changed(stored) => Removal::Changed,
                    _ => {
                        folder.remove(id);
                        Removal::Gone
                    }
                });
            }
            results
        });
        self.lock().effects += 1;
        result
    }
}
