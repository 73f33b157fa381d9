//! What one person's mailbox holds, and what may happen to it. No protocol here.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;

use super::{date::Date, names};

/// The system flags, in the order of their bits.
const SYSTEM: [&str; 5] = ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"];

/// The flags of a message, `\Recent` apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    system: u8,
    keywords: Vec<Arc<str>>,
}

impl Flags {
    pub(super) fn of<S: AsRef<str>>(names: &[S]) -> Self {
        let mut flags = Self::default();
        for name in names {
            flags.set(name.as_ref(), true);
        }
        flags
    }

    /// Sets a flag or takes it off. Unknown system flags are no flags.
    fn set(&mut self, name: &str, on: bool) {
        if let Some(bit) = SYSTEM.iter().position(|known| known.eq_ignore_ascii_case(name)) {
            self.system = if on { self.system | 1 << bit } else { self.system & !(1 << bit) };
        } else if !name.starts_with('\\') {
            let place = self.keywords.iter().position(|known| known.eq_ignore_ascii_case(name));
            match (place, on) {
                (None, true) => self.keywords.push(name.into()),
                (Some(place), false) => drop(self.keywords.remove(place)),
                _ => {}
            }
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        match SYSTEM.iter().position(|known| known.eq_ignore_ascii_case(name)) {
            Some(bit) => self.system & 1 << bit != 0,
            None => self.keywords.iter().any(|known| known.eq_ignore_ascii_case(name)),
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let system = SYSTEM.iter().enumerate().filter(|(bit, _)| self.system & 1 << bit != 0).map(|(_, name)| *name);
        system.chain(self.keywords.iter().map(AsRef::as_ref))
    }

    fn changed(&self, how: FlagChange, given: &Self) -> Self {
        let mut flags = if how == FlagChange::Replace { Self::default() } else { self.clone() };
        for name in given.names() {
            flags.set(name, how != FlagChange::Take);
        }
        flags
    }
}

/// What STORE does with the flags given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlagChange {
    Replace,
    Add,
    Take,
}

#[derive(Clone)]
pub(super) struct Message {
    pub(super) uid: u32,
    pub(super) modseq: u64,
    pub(super) flags: Flags,
    pub(super) date: Date,
    /// When it came into this folder.
    pub(super) saved: i64,
    pub(super) body: Bytes,
    /// The same for all copies of a message.
    pub(super) email_id: u64,
}

/// A message on its way in.
pub(super) struct NewMessage {
    pub(super) flags: Flags,
    pub(super) date: Date,
    pub(super) body: Bytes,
}

#[derive(Clone)]
pub(super) struct Folder {
    pub(super) id: u64,
    pub(super) uid_validity: u32,
    pub(super) uid_next: u32,
    /// The HIGHESTMODSEQ.
    pub(super) modseq: u64,
    /// Doesn't count changes: NOMODSEQ.
    pub(super) no_modseq: bool,
    /// In the order of their UIDs.
    pub(super) messages: Vec<Message>,
    /// Each message's UID behind the number of its last change.
    changes: BTreeSet<(u64, u32)>,
    /// The UIDs of removed messages behind the number of the removal.
    removed: Vec<(u64, u32)>,
    /// The number below which removals are not remembered.
    pub(super) removals_known_since: u64,
    /// How many messages were ever removed.
    pub(super) removals: u64,
    /// From this UID on no session has seen the messages yet.
    pub(super) recent_from: u32,
    pub(super) special_use: Vec<String>,
    pub(super) annotations: BTreeMap<String, Bytes>,
}

impl Folder {
    pub(super) fn message(&self, uid: u32) -> Option<&Message> {
        self.place(uid).ok().map(|place| &self.messages[place])
    }

    fn place(&self, uid: u32) -> Result<usize, usize> {
        self.messages.binary_search_by_key(&uid, |message| message.uid)
    }

    /// The UIDs that changed or came after this number, in the order of UIDs.
    pub(super) fn changed_since(&self, modseq: u64) -> Vec<u32> {
        let mut uids: Vec<u32> = self.changes.range((modseq + 1, 0)..).map(|(_, uid)| *uid).collect();
        uids.sort_unstable();
        uids
    }

    /// The UIDs removed after this number. None when that is no longer known.
    pub(super) fn removed_since(&self, modseq: u64) -> Option<Vec<u32>> {
        if modseq < self.removals_known_since {
            return None;
        }
        let from = self.removed.partition_point(|(when, _)| *when <= modseq);
        let mut uids: Vec<u32> = self.removed[from..].iter().map(|(_, uid)| *uid).collect();
        uids.sort_unstable();
        Some(uids)
    }

    /// The UIDs from this one on of messages that no session has seen yet.
    pub(super) fn recent(&self, from: u32) -> Vec<u32> {
        let place = self.messages.partition_point(|message| message.uid < from.max(self.recent_from));
        self.messages[place..].iter().map(|message| message.uid).collect()
    }

    /// All the keywords that any message has.
    pub(super) fn keywords(&self) -> Vec<String> {
        let mut keywords: BTreeMap<String, String> = BTreeMap::new();
        for message in &self.messages {
            for name in &message.flags.keywords {
                keywords.entry(name.to_ascii_lowercase()).or_insert_with(|| name.to_string());
            }
        }
        keywords.into_values().collect()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.messages.iter().map(|message| message.body.len() as u64).sum()
    }

    /// Changes a message's flags. True when they are others now.
    pub(super) fn change_flags(&mut self, uid: u32, how: FlagChange, given: &Flags) -> bool {
        let Ok(place) = self.place(uid) else { return false };
        let flags = self.messages[place].flags.changed(how, given);
        if flags == self.messages[place].flags {
            return false;
        }
        self.modseq += 1;
        let message = &mut self.messages[place];
        self.changes.remove(&(message.modseq, uid));
        message.flags = flags;
        message.modseq = self.modseq;
        self.changes.insert((self.modseq, uid));
        true
    }

    fn add(&mut self, new: NewMessage, email_id: u64, now: i64) -> u32 {
        let uid = self.uid_next;
        self.uid_next += 1;
        self.modseq += 1;
        let NewMessage { flags, date, body } = new;
        self.messages.push(Message { uid, modseq: self.modseq, flags, date, saved: now, body, email_id });
        self.changes.insert((self.modseq, uid));
        uid
    }

    /// Removes the messages that this holds for. They all get the same number.
    fn remove(&mut self, which: impl Fn(&Message) -> bool) -> Vec<Message> {
        let (gone, kept): (Vec<Message>, Vec<Message>) =
            std::mem::take(&mut self.messages).into_iter().partition(which);
        self.messages = kept;
        if !gone.is_empty() {
            self.modseq += 1;
        }
        for message in &gone {
            self.changes.remove(&(message.modseq, message.uid));
            self.removed.push((self.modseq, message.uid));
        }
        self.removals += gone.len() as u64;
        gone
    }

    /// Gives all messages new UIDs under a new UIDVALIDITY.
    pub(super) fn renumber(&mut self, uid_validity: u32) {
        self.uid_validity = uid_validity;
        self.forget_removals();
        self.changes.clear();
        for (number, message) in (1..).zip(&mut self.messages) {
            message.uid = number;
            self.changes.insert((message.modseq, number));
        }
        self.uid_next = self.messages.len() as u32 + 1;
        self.removals += 1;
    }

    pub(super) fn forget_removals(&mut self) {
        self.removed.clear();
        self.removals_known_since = self.modseq;
    }
}

/// Why something can't be done, with the response code that says so.
#[derive(Debug)]
pub(super) struct No(pub(super) &'static str, pub(super) &'static str);

/// One person's mailbox.
#[derive(Clone)]
pub(super) struct Store {
    pub(super) separator: Option<char>,
    pub(super) folders: BTreeMap<String, Folder>,
    pub(super) subscriptions: BTreeSet<String>,
    pub(super) annotations: BTreeMap<String, Bytes>,
    /// The most bytes and messages, where there is a most.
    pub(super) bytes_max: Option<u64>,
    pub(super) messages_max: Option<u64>,
    pub(super) bytes: u64,
    pub(super) messages: u64,
    next_id: u64,
    next_validity: u32,
}

impl Store {
    /// An empty mailbox with an INBOX, numbered from this UIDVALIDITY on.
    pub(super) fn new(separator: Option<char>, first_validity: u32) -> Self {
        let mut store = Self {
            separator,
            folders: BTreeMap::new(),
            subscriptions: BTreeSet::new(),
            annotations: BTreeMap::new(),
            bytes_max: None,
            messages_max: None,
            bytes: 0,
            messages: 0,
            next_id: 1,
            next_validity: first_validity,
        };
        store.add_folder("INBOX");
        store
    }

    fn add_folder(&mut self, name: &str) -> &mut Folder {
        let uid_validity = self.new_validity();
        self.next_id += 1;
        let folder = Folder {
            id: self.next_id,
            uid_validity,
            uid_next: 1,
            modseq: 1,
            no_modseq: false,
            messages: Vec::new(),
            changes: BTreeSet::new(),
            removed: Vec::new(),
            removals_known_since: 0,
            removals: 0,
            recent_from: 1,
            special_use: Vec::new(),
            annotations: BTreeMap::new(),
        };
        self.folders.entry(name.to_owned()).insert_entry(folder).into_mut()
    }

    pub(super) fn new_validity(&mut self) -> u32 {
        self.next_validity += 1;
        self.next_validity
    }

    pub(super) fn name_of(&self, id: u64) -> Option<&str> {
        self.folders.iter().find(|(_, folder)| folder.id == id).map(|(name, _)| name.as_str())
    }

    /// Is there a folder below this name?
    pub(super) fn has_children(&self, name: &str) -> bool {
        let Some(separator) = self.separator else { return false };
        let above = format!("{name}{separator}");
        self.folders.range(above.clone()..).next().is_some_and(|(below, _)| below.starts_with(&above))
    }

    /// Names that are no folders but have folders below them.
    pub(super) fn bare_parents(&self) -> BTreeSet<String> {
        let Some(separator) = self.separator else { return BTreeSet::new() };
        let mut parents = BTreeSet::new();
        for name in self.folders.keys() {
            for (end, _) in name.match_indices(separator) {
                if !self.folders.contains_key(&name[..end]) && end > 0 {
                    parents.insert(name[..end].to_owned());
                }
            }
        }
        parents
    }

    pub(super) fn create(&mut self, name: &str) -> Result<&mut Folder, No> {
        let name = names::normal(name, self.separator);
        if self.folders.contains_key(&name) {
            return Err(No("ALREADYEXISTS", "Mailbox already exists"));
        }
        if name.is_empty() || self.separator.is_some_and(|s| name.starts_with(s) || name.contains(&format!("{s}{s}"))) {
            return Err(No("CANNOT", "Invalid mailbox name"));
        }
        Ok(self.add_folder(&name))
    }

    pub(super) fn delete(&mut self, name: &str) -> Result<(), No> {
        let name = names::normal(name, self.separator);
        if name == "INBOX" {
            return Err(No("CANNOT", "INBOX can't be deleted"));
        }
        let Some(folder) = self.folders.remove(&name) else {
            let only_a_parent = self.has_children(&name);
            return Err(if only_a_parent {
                No("HASCHILDREN", "Mailbox has children")
            } else {
                No("NONEXISTENT", "Mailbox doesn't exist")
            });
        };
        self.bytes -= folder.bytes();
        self.messages -= folder.messages.len() as u64;
        Ok(())
    }

    /// Renames a folder and all below it. INBOX stays: its messages go to the new name.
    pub(super) fn rename(&mut self, from: &str, to: &str, now: i64) -> Result<(), No> {
        let (from, to) = (names::normal(from, self.separator), names::normal(to, self.separator));
        let nested = self.separator.map(|separator| format!("{from}{separator}"));
        if self.folders.contains_key(&to) || nested.as_ref().is_some_and(|above| to.starts_with(above)) {
            return Err(No("ALREADYEXISTS", "The new name can't be taken"));
        }
        if from == "INBOX" {
            self.create(&to)?;
            let uids: Vec<u32> = self.folders["INBOX"].messages.iter().map(|message| message.uid).collect();
            self.copy("INBOX", &uids, &to, now)?;
            self.expunge("INBOX", |_| true);
            return Ok(());
        }
        let moving = |name: &String| *name == from || nested.as_ref().is_some_and(|above| name.starts_with(above));
        let names: Vec<String> = self.folders.keys().filter(|name| moving(name)).cloned().collect();
        if names.is_empty() {
            return Err(No("NONEXISTENT", "Mailbox doesn't exist"));
        }
        for name in names {
            if let Some(folder) = self.folders.remove(&name) {
                self.folders.insert(format!("{to}{}", &name[from.len()..]), folder);
            }
        }
        Ok(())
    }

    /// Is there room for this much more?
    pub(super) fn has_room(&self, bytes: u64, messages: u64) -> bool {
        self.bytes_max.is_none_or(|most| self.bytes + bytes <= most)
            && self.messages_max.is_none_or(|most| self.messages + messages <= most)
    }

    /// Adds messages, all or none. Gives their UIDs.
    pub(super) fn append(&mut self, folder: &str, new: Vec<NewMessage>, now: i64) -> Result<Vec<u32>, No> {
        let bytes = new.iter().map(|message| message.body.len() as u64).sum();
        if !self.folders.contains_key(folder) {
            return Err(No("TRYCREATE", "Mailbox doesn't exist"));
        }
        if !self.has_room(bytes, new.len() as u64) {
            return Err(No("OVERQUOTA", "Quota exceeded"));
        }
        self.bytes += bytes;
        self.messages += new.len() as u64;
        let first_id = self.next_id + 1;
        self.next_id += new.len() as u64;
        let folder = self.folders.get_mut(folder).ok_or(No("TRYCREATE", "Mailbox doesn't exist"))?;
        Ok((first_id..).zip(new).map(|(id, message)| folder.add(message, id, now)).collect())
    }

    /// Copies messages. Gives the UIDs of those that were there and of their copies.
    pub(super) fn copy(&mut self, from: &str, uids: &[u32], to: &str, now: i64) -> Result<Vec<(u32, u32)>, No> {
        let source = self.folders.get(from).ok_or(No("NONEXISTENT", "Mailbox doesn't exist"))?;
        let copies: Vec<Message> = uids.iter().filter_map(|uid| source.message(*uid).cloned()).collect();
        let bytes = copies.iter().map(|message| message.body.len() as u64).sum();
        if !self.has_room(bytes, copies.len() as u64) {
            return Err(No("OVERQUOTA", "Quota exceeded"));
        }
        let target = self.folders.get_mut(to).ok_or(No("TRYCREATE", "Mailbox doesn't exist"))?;
        self.bytes += bytes;
        self.messages += copies.len() as u64;
        let copy = |old: Message| {
            let Message { uid, flags, date, body, email_id, .. } = old;
            (uid, target.add(NewMessage { flags, date, body }, email_id, now))
        };
        Ok(copies.into_iter().map(copy).collect())
    }

    /// Removes the messages that this holds for, for good. Gives their UIDs.
    pub(super) fn expunge(&mut self, folder: &str, which: impl Fn(&Message) -> bool) -> Vec<u32> {
        let Some(folder) = self.folders.get_mut(folder) else { return Vec::new() };
        let gone = folder.remove(which);
        self.bytes -= gone.iter().map(|message| message.body.len() as u64).sum::<u64>();
        self.messages -= gone.len() as u64;
        gone.iter().map(|message| message.uid).collect()
    }
}
