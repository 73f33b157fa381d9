//! The door: the one place every effect passes, so that a worker whose lease is over can be held back at the last moment
//! and a test can stop a process at each effect.

use model::{Cause, Scope};

use crate::Error;

/// Something that may change a target, a database or a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// Bytes of an item that have no effect before an [`Self::Append`].
    Literal,
    /// The end of a command that adds items.
    Append,
    /// A folder is made.
    Create,
    /// A folder is subscribed to.
    Subscribe,
    /// Flags change.
    Flags,
    /// Items are removed.
    Remove,
    /// Items are moved.
    Move,
    /// A folder is removed.
    RemoveFolder,
    /// An entry of a directory is made.
    CreateEntry,
    /// An entry of a directory changes.
    ChangeEntry,
    /// An entry of a directory is removed.
    RemoveEntry,
    /// Somebody gains a right to a folder.
    Grant,
    /// Where a person's mail goes changes, or what is needed for that.
    Route,
    /// Whether a person may log in changes.
    Access,
    /// A file is written.
    FileWrite,
    /// A file comes to its final name.
    FileRename,
    /// A transaction is committed.
    Commit,
}

impl Effect {
    /// Its name, as tests print it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Literal => "literal",
            Self::Append => "append",
            Self::Create => "create",
            Self::Subscribe => "subscribe",
            Self::Flags => "flags",
            Self::Remove => "remove",
            Self::Move => "move",
            Self::RemoveFolder => "remove-folder",
            Self::CreateEntry => "create-entry",
            Self::ChangeEntry => "change-entry",
            Self::RemoveEntry => "remove-entry",
            Self::Grant => "grant",
            Self::Route => "route",
            Self::Access => "access",
            Self::FileWrite => "file-write",
            Self::FileRename => "file-rename",
            Self::Commit => "commit",
        }
    }
}

/// Lets effects pass, or not.
pub trait Door: Send + Sync {
    /// Called right before the byte that makes the effect happen. On an error that byte must not leave, and what
    /// precedes it must not take effect either: a connector breaks the connection.
    fn before(&self, effect: Effect) -> Result<(), Error>;

    /// Called right after that byte has left, before anything is heard of it.
    fn after(&self, effect: Effect);
}

/// Lets everything pass: for what has no lease, such as `check` and tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenDoor;

impl Door for OpenDoor {
    fn before(&self, _: Effect) -> Result<(), Error> {
        Ok(())
    }

    fn after(&self, _: Effect) {}
}

/// Lets nothing pass: for who opens a target only to look at it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ShutDoor;

impl Door for ShutDoor {
    fn before(&self, effect: Effect) -> Result<(), Error> {
        let what = format!("nothing is written here, so there is no {}", effect.name());
        Err(Error::new(Cause::Internal, Scope::Mailbox, what))
    }

    fn after(&self, _: Effect) {}
}
