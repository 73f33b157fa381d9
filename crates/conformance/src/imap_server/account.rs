//! People, their passwords and mailboxes, and what a test may do to them behind the protocol's back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

use super::{
    World,
    date::Date,
    names,
    store::{FlagChange, Flags, Folder, NewMessage, No, Store},
};

/// Somebody who can log in.
pub(super) struct Account {
    pub(super) name: String,
    pub(super) is_admin: bool,
    password: Mutex<String>,
    /// Why nobody gets in, as the tagged answer says it after NO.
    locked: Mutex<Option<String>>,
    store: Mutex<Store>,
    changes: watch::Sender<u64>,
}

impl Account {
    /// The MAILBOXID of a folder: no other folder of the server has it, whoever's that is.
    pub(super) fn mailbox_id(&self, folder: &Folder) -> String {
        let name: String = self.name.bytes().map(|byte| format!("{byte:02x}")).collect();
        format!("F{name}-{}", folder.id)
    }

    pub(super) fn new(name: &str, password: &str, is_admin: bool, store: Store) -> Self {
        Self {
            name: name.to_owned(),
            is_admin,
            password: Mutex::new(password.to_owned()),
            locked: Mutex::new(None),
            store: Mutex::new(store),
            changes: watch::Sender::new(0),
        }
    }

    pub(super) fn password(&self) -> String {
        self.password.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn password_is(&self, password: &str) -> bool {
        self.password() == password
    }

    pub(super) fn locked(&self) -> Option<String> {
        self.locked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the connections that wait for changes.
    pub(super) fn changed(&self) {
        self.changes.send_modify(|number| *number += 1);
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

/// A person's mailbox as the test holds it: what the person does with a program of their own, what an administrator does
/// to the server, and a look at all that is there.
///
/// Folders are named by their full names in Unicode, with the server's separator and prefix.
#[derive(Clone)]
pub struct Person {
    world: Arc<World>,
    account: Arc<Account>,
}

/// A mailbox as it stood once, for [`Person::restore`].
#[derive(Clone)]
pub struct Snapshot(Store);

/// A folder as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderDump {
    /// Its full name.
    pub name: String,
    /// Its UIDVALIDITY.
    pub uid_validity: u32,
    /// Its UIDNEXT.
    pub uid_next: u32,
    /// Its HIGHESTMODSEQ.
    pub highest_modseq: u64,
    /// Its attributes of RFC 6154.
    pub special_use: Vec<String>,
    /// Is it subscribed to?
    pub subscribed: bool,
    /// Its messages, in the order of their UIDs.
    pub messages: Vec<MessageDump>,
}

/// A message as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageDump {
    /// Its UID.
    pub uid: u32,
    /// The number of its last change.
    pub modseq: u64,
    /// Its flags without `\Recent`, system flags first.
    pub flags: Vec<String>,
    /// Its INTERNALDATE.
    pub date: Date,
    /// The number that it shares with its copies.
    pub email_id: u64,
    /// Its bytes.
    pub body: Bytes,
}

impl Person {
    pub(super) fn new(world: Arc<World>, account: Arc<Account>) -> Self {
        Self { world, account }
    }

    /// The name they log in with.
    pub fn name(&self) -> &str {
        &self.account.name
    }

    fn change<T>(&self, deed: impl FnOnce(&mut Store) -> T) -> T {
        let result = deed(&mut self.account.store());
        self.account.changed();
        result
    }

    fn in_folder<T>(&self, name: &str, deed: impl FnOnce(&mut Folder) -> T) -> T {
        self.change(|store| {
            let name = names::normal(name, store.separator);
            deed(store.folders.get_mut(&name).unwrap_or_else(|| panic!("{} has no folder {name}", self.account.name)))
        })
    }

    fn must<T>(&self, result: Result<T, No>) -> T {
        result.unwrap_or_else(|No(code, text)| panic!("{}: {text} ({code})", self.account.name))
    }

    /// Makes a folder.
    pub fn create(&self, folder: &str) {
        self.change(|store| self.must(store.create(folder).map(drop)));
    }

    /// Removes a folder with all in it; those below it stay.
    pub fn remove_folder(&self, folder: &str) {
        self.change(|store| self.must(store.delete(folder)));
    }

    /// Renames a folder and those below it.
    pub fn rename_folder(&self, from: &str, to: &str) {
        self.change(|store| self.must(store.rename(from, to, self.world.now())));
    }

    /// Subscribes to a folder, or no longer.
    pub fn subscribe(&self, folder: &str, yes: bool) {
        self.change(|store| {
            let name = names::normal(folder, store.separator);
            if yes { store.subscriptions.insert(name) } else { store.subscriptions.remove(&name) }
        });
    }

    /// Says what a folder is for: `\Sent`.
    pub fn special_use(&self, folder: &str, attribute: &str) {
        self.in_folder(folder, |folder| folder.special_use = vec![attribute.to_owned()]);
    }

    /// A new message comes in, now and unread. Gives its UID.
    pub fn deliver(&self, folder: &str, body: impl Into<Bytes>) -> u32 {
        self.append(folder, body, &[], Date::utc(self.world.now()))
    }

    /// Puts a message into a folder. Gives its UID.
    pub fn append(&self, folder: &str, body: impl Into<Bytes>, flags: &[&str], date: Date) -> u32 {
        let message = NewMessage { flags: Flags::of(flags), date, body: body.into() };
        let now = self.world.now();
        self.change(|store| {
            let name = names::normal(folder, store.separator);
            self.must(store.append(&name, vec![message], now))[0]
        })
    }

    /// Copies a message. Gives the copy's UID.
    pub fn copy(&self, from: &str, uid: u32, to: &str) -> u32 {
        let now = self.world.now();
        self.change(|store| {
            let (from, to) = (names::normal(from, store.separator), names::normal(to, store.separator));
            self.must(store.copy(&from, &[uid], &to, now)).first().expect("the message is there").1
        })
    }

    /// Moves a message. Gives its UID there.
    pub fn move_to(&self, from: &str, uid: u32, to: &str) -> u32 {
        let copy = self.copy(from, uid, to);
        self.remove(from, uid);
        copy
    }

    /// Adds flags to a message.
    pub fn flag(&self, folder: &str, uid: u32, flags: &[&str]) {
        self.in_folder(folder, |folder| folder.change_flags(uid, FlagChange::Add, &Flags::of(flags)));
    }

    /// Takes flags off a message.
    pub fn unflag(&self, folder: &str, uid: u32, flags: &[&str]) {
        self.in_folder(folder, |folder| folder.change_flags(uid, FlagChange::Take, &Flags::of(flags)));
    }

    /// Removes a message for good.
    pub fn remove(&self, folder: &str, uid: u32) {
        let gone = self.change(|store| {
            let name = names::normal(folder, store.separator);
            store.expunge(&name, |message| message.uid == uid)
        });
        assert_eq!(gone, [uid], "{folder} of {} has no such message", self.account.name);
    }

    /// The server loses its numbering of a folder: a new UIDVALIDITY, UIDs from 1.
    pub fn renumber(&self, folder: &str) {
        self.change(|store| {
            let validity = store.new_validity();
            let name = names::normal(folder, store.separator);
            store.folders.get_mut(&name).expect("the folder is there").renumber(validity);
        });
    }

    /// Lets UIDs go on from here.
    pub fn set_uid_next(&self, folder: &str, uid_next: u32) {
        self.in_folder(folder, |folder| {
            assert!(uid_next >= folder.uid_next, "UIDs are never given twice");
            folder.uid_next = uid_next;
        });
    }

    /// The server forgets what was removed from a folder before now.
    pub fn forget_removals(&self, folder: &str) {
        self.in_folder(folder, Folder::forget_removals);
    }

    /// The server no longer counts changes in a folder: NOMODSEQ.
    pub fn stop_counting_changes(&self, folder: &str) {
        self.in_folder(folder, |folder| folder.no_modseq = true);
    }

    /// The most that the mailbox may hold.
    pub fn set_quota(&self, bytes: Option<u64>, messages: Option<u64>) {
        self.change(|store| (store.bytes_max, store.messages_max) = (bytes, messages));
    }

    /// Gives a folder, or the whole mailbox when the name is empty, an annotation.
    pub fn annotate(&self, folder: &str, entry: &str, value: impl Into<Bytes>) {
        let (entry, value) = (entry.to_ascii_lowercase(), value.into());
        if folder.is_empty() {
            self.change(|store| store.annotations.insert(entry, value));
        } else {
            self.in_folder(folder, |folder| folder.annotations.insert(entry, value));
        }
    }

    /// Another password from now on.
    pub fn set_password(&self, password: &str) {
        password.clone_into(&mut self.account.password.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Lets nobody in any more, with this as the answer after NO; lets them in again for none.
    pub fn lock(&self, why: Option<&str>) {
        *self.account.locked.lock().unwrap_or_else(PoisonError::into_inner) = why.map(str::to_owned);
    }

    /// The mailbox as it stands.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.account.store().clone())
    }

    /// Puts the mailbox back to how it stood, numbers and all, as from a backup.
    pub fn restore(&self, snapshot: &Snapshot) {
        self.change(|store| *store = snapshot.0.clone());
    }

    /// All folders and messages.
    pub fn dump(&self) -> Vec<FolderDump> {
        let store = self.account.store();
        store.folders.iter().map(|(name, folder)| dumped(name, folder, store.subscriptions.contains(name))).collect()
    }

    /// One folder.
    pub fn dump_folder(&self, folder: &str) -> Option<FolderDump> {
        let store = self.account.store();
        let name = names::normal(folder, store.separator);
        store.folders.get(&name).map(|folder| dumped(&name, folder, store.subscriptions.contains(&name)))
    }

    /// The annotations of a folder, or of the whole mailbox when the name is empty.
    pub fn annotations(&self, folder: &str) -> Vec<(String, Bytes)> {
        let store = self.account.store();
        let name = names::normal(folder, store.separator);
        let all = if folder.is_empty() {
            &store.annotations
        } else {
            &store.folders.get(&name).expect("the folder is there").annotations
        };
        all.iter().map(|(entry, value)| (entry.clone(), value.clone())).collect()
    }
}

fn dumped(name: &str, folder: &Folder, subscribed: bool) -> FolderDump {
    let messages = folder.messages.iter().map(|message| MessageDump {
        uid: message.uid,
        modseq: message.modseq,
        flags: message.flags.names().map(str::to_owned).collect(),
        date: message.date,
        email_id: message.email_id,
        body: message.body.clone(),
    });
    FolderDump {
        name: name.to_owned(),
        uid_validity: folder.uid_validity,
        uid_next: folder.uid_next,
        highest_modseq: folder.modseq,
        special_use: folder.special_use.clone(),
        subscribed,
        messages: messages.collect(),
    }
}
