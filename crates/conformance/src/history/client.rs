//! One person's mailbox on one side, as their own client sees and changes it; here in memory, in [`super::imap`] on a real
//! server.

use std::collections::BTreeMap;

use connector::memory::{Backup, MemoryItem, Platform, Request, Response, Session};
use model::{Flags, FolderPath, ItemId};

use super::step::{Op, Serial, Which};

/// A message as it lies in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lying {
    /// The number in its body, if there is one.
    pub serial: Option<Serial>,
    /// Its bytes are those of a message of that number.
    pub whole: bool,
    /// When it was received.
    pub received: i64,
    /// Its flags.
    pub flags: Flags,
}

impl Lying {
    /// What these bytes are.
    pub fn of(bytes: &[u8], received: i64, flags: Flags) -> Self {
        let serial = Serial::of(bytes);
        Self { serial, whole: serial.is_some_and(|serial| serial.bytes() == bytes), received, flags }
    }
}

/// A folder, and what lies in it in the order of its ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shelf {
    /// Its messages.
    pub items: Vec<Lying>,
    /// Is it followed?
    pub subscribed: bool,
}

/// A whole mailbox.
pub type View = BTreeMap<FolderPath, Shelf>;

/// A person's client on one side.
pub trait Client: Send {
    /// The messages of a folder; none where it is not there.
    fn folder(&mut self, path: &FolderPath) -> Option<Vec<Lying>>;

    /// Does this. False, and nothing was changed, where it can't be done.
    fn act(&mut self, op: &Op) -> bool;

    /// The whole mailbox.
    fn view(&mut self) -> View;

    /// A text that changes whenever anything is written.
    fn stands(&mut self) -> String;

    /// How often the engine has written here; 0 where that can't be told.
    fn effects(&self) -> u64 {
        0
    }

    /// The folder gets another validity. False where servers can't be told to.
    fn renumber(&mut self, _folder: &FolderPath) -> bool {
        false
    }

    /// The mailbox is backed up. False where that can't be done.
    fn back_up(&mut self) -> bool {
        false
    }

    /// The mailbox is as it was when it was backed up last. False where it never was.
    fn restore(&mut self) -> bool {
        false
    }
}

/// The place of the nth message of this number.
pub(super) fn place(serials: impl Iterator<Item = Option<Serial>>, which: Which) -> Option<usize> {
    serials.enumerate().filter(|(_, serial)| *serial == Some(which.serial)).nth(which.nth).map(|(place, _)| place)
}

/// A client of a platform in memory.
pub struct MemoryClient {
    platform: Platform,
    name: String,
    backup: Option<Backup>,
}

impl MemoryClient {
    /// The client of this person.
    pub fn new(platform: &Platform, name: &str) -> Self {
        Self { platform: platform.clone(), name: name.to_owned(), backup: None }
    }

    fn is_there(&self, path: &FolderPath) -> bool {
        self.platform.dump(&self.name).contains_key(path)
    }

    fn find(&self, path: &FolderPath, which: Which) -> Option<(ItemId, MemoryItem)> {
        let mut items: Vec<_> = self.platform.dump(&self.name).remove(path)?.into_iter().collect();
        let place = place(items.iter().map(|(_, item)| Serial::of(&item.bytes)), which)?;
        let (id, item) = items.swap_remove(place);
        Some((ItemId::from_u32(id), item))
    }

    fn try_act(&self, op: &Op) -> Option<bool> {
        let (platform, name) = (&self.platform, self.name.as_str());
        match op {
            Op::Deliver(serial, folder, flags) => {
                if !self.is_there(folder) {
                    return None;
                }
                let item = MemoryItem::message(serial.bytes(), serial.received());
                platform.deliver(name, folder, MemoryItem { flags: flags.clone(), ..item });
            }
            Op::Flag(which, folder, add, take) => {
                let (id, item) = self.find(folder, *which)?;
                platform.set_flags(name, folder, &id, &item.flags.without(take).union(add));
            }
            Op::Move(which, from, to) => {
                let (id, _) = self.find(from, *which).filter(|_| self.is_there(to))?;
                platform.relocate(name, from, to, &id)?;
            }
            Op::Copy(which, from, to) => {
                let (_, item) = self.find(from, *which).filter(|_| self.is_there(to))?;
                platform.deliver(name, to, item);
            }
            Op::Expunge(which, folder) => {
                let (id, _) = self.find(folder, *which)?;
                platform.expunge(name, folder, &id);
            }
            Op::Create(folder) => {
                if self.is_there(folder) {
                    return None;
                }
                platform.add_folder(name, folder);
            }
            Op::Rename(from, to) => return Some(platform.rename_folder(name, from, to)),
            Op::Delete(folder) => {
                if !self.is_there(folder) || folder.is_inbox() {
                    return None;
                }
                platform.remove_folder(name, folder);
            }
            Op::Subscribe(folder, subscribed) => {
                if !self.is_there(folder) {
                    return None;
                }
                platform.set_subscribed(name, folder, *subscribed);
            }
        }
        Some(true)
    }
}

impl Client for MemoryClient {
    fn folder(&mut self, path: &FolderPath) -> Option<Vec<Lying>> {
        let items = self.platform.dump(&self.name).remove(path)?;
        Some(items.into_values().map(|item| Lying::of(&item.bytes, item.received.unix_seconds, item.flags)).collect())
    }

    fn act(&mut self, op: &Op) -> bool {
        self.try_act(op).unwrap_or(false)
    }

    fn view(&mut self) -> View {
        let mut session = Session::new(self.platform.clone());
        session.answer(Request::Open(self.name.clone()));
        let Response::Folders(folders) = session.answer(Request::Folders) else { panic!("the platform lists folders") };
        let of = |folder: connector::Folder| {
            let items = self.folder(&folder.path).unwrap_or_default();
            (folder.path, Shelf { items, subscribed: folder.subscribed })
        };
        folders.into_iter().map(of).collect()
    }

    fn stands(&mut self) -> String {
        self.platform.effects().to_string()
    }

    fn effects(&self) -> u64 {
        self.platform.effects()
    }

    fn renumber(&mut self, folder: &FolderPath) -> bool {
        let is_there = self.is_there(folder);
        self.platform.renumber(&self.name, folder);
        is_there
    }

    fn back_up(&mut self) -> bool {
        self.backup = Some(self.platform.back_up(&self.name));
        true
    }

    fn restore(&mut self) -> bool {
        let Some(backup) = &self.backup else { return false };
        self.platform.restore(&self.name, backup);
        true
    }
}
