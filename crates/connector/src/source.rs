//! Reading a mailbox.

use async_trait::async_trait;
use model::{Cause, Flags, FolderPath, FolderState, ItemId, ItemKind, ReceivedAt, SpecialUse};
use serde::{Deserialize, Serialize};

use crate::{Body, Error, Holds, Offers, Quota, StoreProof};

/// A folder of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    /// Where it is.
    pub path: FolderPath,
    /// The kind of its items.
    pub kind: ItemKind,
    /// False for a name that only has folders below it.
    pub holds_items: bool,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
    /// Does the person follow it?
    pub subscribed: bool,
    /// Where it stands, if the listing says.
    pub state: Option<FolderState>,
    /// Bytes of its items, if the listing says.
    pub size_bytes: Option<u64>,
}

/// How far a folder has been read. Only the connector that made it can read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor(pub Box<[u8]>);

/// A folder to read, and how far it was read before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadFolder {
    /// Which folder.
    pub path: FolderPath,
    /// Read what came after; from the beginning when none.
    pub since: Option<Cursor>,
}

/// An item as a source gives it.
#[derive(Clone, Debug)]
pub struct Item {
    /// What the folder calls it.
    pub id: ItemId,
    /// What it is.
    pub kind: ItemKind,
    /// Its flags.
    pub flags: Flags,
    /// When it was received, where the platform knows.
    pub received: Option<ReceivedAt>,
    /// Its bytes.
    pub body: Body,
    /// The folder is read this far once this item and all before it have a durable fate.
    pub then: Option<Cursor>,
}

/// An item as a folder lists it, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedItem {
    /// What the folder calls it.
    pub id: ItemId,
    /// How many bytes it has when it is read, as the platform says; 0 where it does not.
    pub size_bytes: u64,
    /// When it was received, where the platform knows.
    pub received: Option<ReceivedAt>,
    /// Its flags.
    pub flags: Flags,
}

/// What lies in a mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Bytes of all items, of every kind.
    pub bytes: u64,
    /// How many items there are.
    pub items: u64,
}

impl Usage {
    /// Counts so much more. What a server says may be anything: a sum that is too large stays at the most there is.
    pub fn add(&mut self, bytes: u64, items: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.items = self.items.saturating_add(items);
    }
}

impl Usage {
    /// This without so much.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        let bytes = self.bytes.saturating_sub(other.bytes);
        Self { bytes, items: self.items.saturating_sub(other.items) }
    }
}

/// What lies in these folders of a mailbox, as listed, and why one of them could not be opened, if so: then there may be more.
/// Where the listing says no size, the folder's items are asked for theirs.
pub async fn usage(source: &mut dyn Source, listed: &[Folder]) -> Result<(Usage, Option<Error>), Error> {
    let (mut usage, mut closed) = (Usage::default(), None);
    for folder in listed.iter().filter(|folder| folder.holds_items) {
        if let (Some(state), Some(size_bytes)) = (folder.state, folder.size_bytes) {
            usage.add(size_bytes, state.count);
            continue;
        }
        let whole = ReadFolder { path: folder.path.clone(), since: None };
        match source.sizes(&whole).await {
            Ok(items) => items.iter().for_each(|item| usage.add(item.size_bytes, 1)),
            Err(error) if error.ends_session() => return Err(error),
            // Some servers list what does not exist: nothing lies there.
            Err(error) if error.cause == Cause::Missing => {}
            Err(mut error) => {
                error.what =
                    format!("nobody can tell what lies in the folder {:?}: {}", folder.path.to_string(), error.what);
                closed.get_or_insert(error);
            }
        }
    }
    Ok((usage, closed))
}

/// What a reading yields. The events of a folder stand between its `Begin` and its `End` or `Skipped`.
#[derive(Debug)]
pub enum Event {
    /// The folder of this number in the plan begins; where it stands now.
    Begin {
        /// Number in the plan, from 0.
        folder: usize,
        /// Where it stands.
        state: FolderState,
    },
    /// An item that the cursor did not cover. In the order of ids.
    Item(Item),
    /// An item that is listed but can't be read.
    Unreadable {
        /// Its id.
        id: ItemId,
        /// Why.
        error: Error,
    },
    /// Items that the cursor covered, with their flags as they are now; the only ones that changed, or all of them: see
    /// `End`.
    Flags(Vec<(ItemId, Flags)>),
    /// Items that are gone, as far as the platform tells.
    Gone(Vec<ItemId>),
    /// The folder is read.
    End {
        /// To read on from here another time.
        cursor: Cursor,
        /// Where the folder stood, as far as it has been read.
        state: FolderState,
        /// The `Flags` events listed every item that the cursor covered: one not listed is gone.
        listed_all: bool,
    },
    /// The folder could not be read, or not to its end; the next one goes on.
    Skipped {
        /// Why.
        error: Error,
    },
}

/// Events as they come. An error ends the session.
#[async_trait]
pub trait Reading: Send {
    /// The next events, at least one; empty at the end.
    async fn next(&mut self) -> Result<Vec<Event>, Error>;
}

/// A person's mailbox, to read. Nothing in it changes by being read.
#[async_trait]
pub trait Source: Send {
    /// What this mailbox offers.
    fn offers(&self) -> &Offers;

    /// How it is known whose store this is.
    fn proof(&self) -> &StoreProof;

    /// Its folders: the person's own, without other people's and public ones, and without views (`\All`, `\Flagged`,
    /// `\Important`) whose items lie elsewhere too.
    async fn folders(&mut self) -> Result<Vec<Folder>, Error>;

    /// Reads these folders, one after the other.
    ///
    /// [`Event::Begin`] tells the state as it is, also where it is behind what a cursor has seen: a folder restored from an
    /// older backup, whose validity is the same and whose ids and changes may have been given twice. The connector compares
    /// everything then, and makes nothing else of it: who keeps the states notices.
    async fn read<'s>(&'s mut self, plan: Vec<ReadFolder>, holds: &Holds) -> Result<Box<dyn Reading + 's>, Error>;

    /// Reads these items of a folder, whole, in the order of ids. One that is gone is in no event.
    async fn items<'s>(
        &'s mut self,
        folder: &FolderPath,
        ids: &[ItemId],
        holds: &Holds,
    ) -> Result<Box<dyn Reading + 's>, Error>;

    /// Where a folder stands now.
    async fn state(&mut self, folder: &FolderPath) -> Result<FolderState, Error>;

    /// Every item of a folder with its flags, in the order of ids.
    async fn list(&mut self, folder: &FolderPath) -> Result<Vec<(ItemId, Flags)>, Error>;

    /// The items of a folder that the cursor does not cover, in the order of ids, with what is known of them without reading
    /// any body.
    async fn sizes(&mut self, folder: &ReadFolder) -> Result<Vec<ListedItem>, Error>;

    /// What the platform itself lets the mailbox hold, asked now. Nothing where it says nothing.
    async fn quota(&mut self) -> Result<Quota, Error>;

    /// Says goodbye.
    async fn close(&mut self);
}
