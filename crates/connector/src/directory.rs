//! Directories: who there is. Read whole or by what changed; written entry by entry where the platform lets us.
//!
//! Rules that the conformance suite holds every directory to:
//! * Reading changes nothing.
//! * A whole reading tells every entry in scope once; one that it does not tell is gone.
//! * A reading from a cursor tells what changed since, and may tell an entry that did not change. What left the scope is
//!   [`EntryEvent::Gone`], like what was removed. A cursor that can't be used any more leads to a whole reading, never to an
//!   error, and the reading says so.
//! * Keys stay: a rename or a move is a change of the same entry.
//! * An entry that can't be read as one is told as [`EntryEvent::Faulty`] with what is wrong and where, and the reading goes
//!   on. It is not *gone*.
//! * Every effect of a [`DirectoryTarget`] passes the [`Door`]; an answer that did not come is [`ChangeOutcome::InDoubt`].
//! * A target changes what the change says and nothing else, and refuses an update whose `before` is not what is there in the
//!   fields that change. A field that is already as it is to be counts as changed, and other fields may be what they like.
//! * Nothing is made twice: where an entry with the origin of a new one is there, that one is told. Only what bears the origin
//!   of something that this program made is removed.

use async_trait::async_trait;
use model::Entry;
use serde::{Deserialize, Serialize};

use crate::{Door, Error, Finding, Secret};

mod memory;

pub use memory::DirectoryInMemory;

/// How far a directory has been read. Only the connector that made it can read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryCursor(pub Box<[u8]>);

/// What a reading tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryEvent {
    /// An entry as it is now.
    Seen(Box<Entry>),
    /// The entry of this key is removed, or no longer in scope.
    Gone(String),
    /// Something that can't be read as an entry: where it stands (a distinguished name, or line and column), and what is
    /// wrong and how to cure it. With its key where that can be told.
    Faulty {
        /// Its key, where known.
        key: Option<String>,
        /// Where it stands.
        place: String,
        /// What is wrong and how to cure it.
        what: String,
    },
}

/// How a reading ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryRead {
    /// To read on from here another time.
    pub cursor: DirectoryCursor,
    /// Everything in scope was told: what was not is gone.
    pub is_whole: bool,
    /// Entries that the server sent, for the record of what a reading costs.
    pub entries_received: u64,
}

/// Takes what a reading tells, in bounded portions. An error ends the reading.
#[async_trait]
pub trait EntrySink: Send {
    /// The next events.
    async fn take(&mut self, events: Vec<EntryEvent>) -> Result<(), Error>;
}

#[async_trait]
impl EntrySink for Vec<EntryEvent> {
    async fn take(&mut self, mut events: Vec<EntryEvent>) -> Result<(), Error> {
        self.append(&mut events);
        Ok(())
    }
}

/// What a directory is and can do, known without asking a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectoryDeclaration {
    /// The directory's kind, for people.
    pub platform: &'static str,
    /// It can be written.
    pub writes: bool,
    /// It tells what changed without being read whole.
    pub tells_changes: bool,
    /// What it makes can be used at once, without having been accepted.
    pub makes_live: bool,
    /// A first password has to be changed at the first login.
    pub changes_first_passwords: bool,
}

/// A directory, to read.
#[async_trait]
pub trait Directory: Send + Sync {
    /// What it is and can do.
    fn declaration(&self) -> DirectoryDeclaration;

    /// Reads what is in scope: all of it, or what changed since the cursor.
    async fn read(&self, since: Option<&DirectoryCursor>, sink: &mut dyn EntrySink) -> Result<DirectoryRead, Error>;

    /// Looks whether it is reachable and set up well, for `check`. Changes nothing. Stops at the first topic that fails.
    async fn check(&self) -> Vec<Finding>;
}

/// A change of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new entry. Its `origin` says what it stands for, and is written with it; its `key` is not yet known. A password is
    /// what its person first logs in with, to be changed then.
    Create {
        /// What it is to be.
        entry: Box<Entry>,
        /// What its person first logs in with.
        password: Option<Secret>,
    },
    /// Another form of an entry. Only the fields in which the two differ are written.
    Update {
        /// What it was when the change was decided.
        before: Box<Entry>,
        /// What it is to be.
        after: Box<Entry>,
    },
    /// An entry that this program made goes.
    Remove {
        /// What it was when the change was decided.
        before: Box<Entry>,
    },
}

/// A change with the name it has in its plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedChange {
    /// Tells it from every other change of the project.
    pub id: String,
    /// What is to be done.
    pub change: Change,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// It is so now.
    Done {
        /// The key of the entry.
        key: String,
    },
    /// It was so before.
    Unchanged {
        /// The key of the entry.
        key: String,
    },
    /// It was handed over; the answer comes later, under this name of the submission.
    Submitted {
        /// The submission.
        submission: String,
    },
    /// It was not made, nor any part of it: the server refuses it.
    Refused(Error),
    /// It was not made, nor any part of it: what is there is not what it was when the change was decided; in words.
    Conflict(String),
    /// Nobody knows: the answer did not come. Who asked for it looks before trying again.
    InDoubt(Error),
}

/// A directory, to write.
#[async_trait]
pub trait DirectoryTarget: Directory {
    /// Makes these changes, in this order; an outcome for each. After an outcome in doubt what follows is refused untried.
    async fn apply(&self, changes: &[PlannedChange], door: &dyn Door) -> Result<Vec<ChangeOutcome>, Error>;

    /// The entries that stand for this, by their origin: how a change in doubt is looked for.
    async fn find_origin(&self, origin: &str) -> Result<Vec<Entry>, Error>;

    /// The entries of these keys as they are now.
    async fn entries(&self, keys: &[String]) -> Result<Vec<Entry>, Error>;

    /// Whoever has one of these mail addresses, as the one to send from or as another, as it is now; in the whole directory, as far as it may
    /// be seen, and not only in the scope of readings. Addresses are compared as by [`model::mail_key`]. What has one and can't be read as
    /// an entry is told by its key, or place, and its addresses alone: that an address is taken is never passed over.
    async fn holders(&self, addresses: &[String]) -> Result<Vec<Entry>, Error>;
}
