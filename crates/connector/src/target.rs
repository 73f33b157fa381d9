//! Writing a mailbox. A [`Target`] reads like a [`Source`] too: to look at what is there, and to read back.

use async_trait::async_trait;
use model::{Cause, Flags, FolderPath, ItemId, ItemKind, ReceivedAt, Scope, SpecialUse};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::{Body, Error, FolderState, Retry, Source};

/// A folder to make if it is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewFolder {
    /// Where.
    pub path: FolderPath,
    /// The kind of its items.
    pub kind: ItemKind,
    /// What it is for; left off where the target can't set it.
    pub special_use: Option<SpecialUse>,
    /// Follow it?
    pub subscribe: bool,
}

/// An item to add.
#[derive(Clone, Debug)]
pub struct BatchItem {
    /// What it is.
    pub kind: ItemKind,
    /// Its flags.
    pub flags: Flags,
    /// When it was received.
    pub received: Option<ReceivedAt>,
    /// Its bytes.
    pub body: Body,
}

/// Items to add to one folder, in this order.
#[derive(Debug)]
pub struct Batch {
    /// The folder.
    pub folder: FolderPath,
    /// The items.
    pub items: Vec<BatchItem>,
    /// Says when the intent is durable: to be awaited before anything takes effect.
    pub ready: Ready,
}

/// Says when a batch may take effect.
#[derive(Debug)]
pub struct Ready(Option<oneshot::Receiver<()>>);

/// A signal and the [`Ready`] that waits for it. A signal dropped unsent means no.
pub fn ready() -> (oneshot::Sender<()>, Ready) {
    let (sender, receiver) = oneshot::channel();
    (sender, Ready(Some(receiver)))
}

impl Ready {
    /// Waits until the batch may take effect; at once when it has been waited for before. On an error it must not take
    /// effect: the connector breaks the connection.
    pub async fn wait(&mut self) -> Result<(), Error> {
        let Some(receiver) = &mut self.0 else { return Ok(()) };
        receiver.await.map_err(|_| {
            let what = "the intent of a batch could not be recorded, so it was not sent";
            Error::new(Cause::Database, Scope::Mailbox, what)
        })?;
        self.0 = None;
        Ok(())
    }
}

/// What became of an item of a batch, as far as the target says.
#[derive(Clone, Debug)]
pub enum ItemOutcome {
    /// It is there, under this id if the target says.
    Stored(Option<ItemId>),
    /// The target refused it, or the whole batch with it. To be looked for all the same.
    Refused(Error),
    /// No answer came.
    InDoubt(Error),
}

/// What became of a batch.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Of each item, in the batch's order.
    pub items: Vec<ItemOutcome>,
    /// The folder's validity as the answer gave it.
    pub validity: Option<u64>,
}

/// A change of one item's flags. Only these flags; the others stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlagChange {
    /// Which item.
    pub id: ItemId,
    /// Flags to add.
    pub add: Flags,
    /// Flags to take off.
    pub take: Flags,
}

/// What became of an item that was to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Removal {
    /// It is gone.
    Gone,
    /// It was changed since, so it stays.
    Changed,
    /// The target can't remove one item alone: it stays, marked to be removed where the target has such a mark.
    Unsupported,
}

/// What became of an item that was to be moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Moved {
    /// It lies in the other folder, under this id if the target says.
    There(Option<ItemId>),
    /// It was not there to be moved.
    Gone,
}

/// A folder whose ids are known under this validity. Where it has another by the time something is asked or done, it was made
/// anew and its ids are those of other items: then nothing is done, and the error says so ([`Cause::TargetRenumbered`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known<'p> {
    /// Where.
    pub path: &'p FolderPath,
    /// Under which validity.
    pub validity: u64,
}

impl<'p> Known<'p> {
    /// The folder at this place, as it stands there.
    pub fn at(path: &'p FolderPath, state: &FolderState) -> Self {
        Self { path, validity: state.validity }
    }

    /// Nothing, where the folder still has that validity.
    pub fn require(&self, now: u64) -> Result<(), Error> {
        if self.validity == now {
            return Ok(());
        }
        let what = format!(
            "the folder {:?} of the target was made anew since Whimbrel last wrote to it; nothing more was written",
            self.path.to_string()
        );
        // The next pass finds out which item is which.
        Err(Error::new(Cause::TargetRenumbered, Scope::Mailbox, what).retry(Retry::Now))
    }
}

/// A person's mailbox, to write.
#[async_trait]
pub trait Target: Source {
    /// Makes the folders that are not there; each with its own result. Repeatable.
    async fn create(&mut self, folders: &[NewFolder]) -> Result<Vec<Result<(), Error>>, Error>;

    /// Sends a batch. Returns once it is sent; what became of it comes with [`Self::outcome`]. An error means that
    /// nothing of this batch took effect or that its effect is in doubt: the session is over either way.
    async fn submit(&mut self, batch: Batch) -> Result<(), Error>;

    /// What became of the oldest batch sent whose outcome was not yet asked for. Lost answers are
    /// [`ItemOutcome::InDoubt`].
    async fn outcome(&mut self) -> Result<Outcome, Error>;

    /// How many batches may be sent before the first outcome is asked for.
    fn batches_in_flight_max(&self) -> usize;

    /// Every item that may have appeared in the folder since it stood at `mark`, with its flags, in the order of ids. Older
    /// ones may be among them; all of them are when the validity is another now.
    async fn since(&mut self, folder: &FolderPath, mark: &FolderState) -> Result<Vec<(ItemId, Flags)>, Error>;

    /// Changes flags, and reads them back where the target tells: the flags of each item as they are now, none where it
    /// is gone or not told.
    async fn change_flags(&mut self, folder: Known<'_>, changes: &[FlagChange]) -> Result<Vec<Option<Flags>>, Error>;

    /// The flags of these items as they are now; none where one is gone.
    async fn flags(&mut self, folder: Known<'_>, ids: &[ItemId]) -> Result<Vec<Option<Flags>>, Error>;

    /// Moves items to another folder, each as it is: bytes, date and flags. Only where [`crate::Offers::moves`] says so. An
    /// answer that did not come is an error of the cause [`Cause::InDoubt`]: each item then lies in the one folder or in the
    /// other.
    async fn move_items(&mut self, from: Known<'_>, to: &FolderPath, ids: &[ItemId]) -> Result<Vec<Moved>, Error>;

    /// Follows a folder, or no longer. Repeatable.
    async fn subscribe(&mut self, folder: &FolderPath, subscribed: bool) -> Result<(), Error>;

    /// Removes a folder that holds no item and has no folder below it, and its subscription. False, and nothing is changed,
    /// where it holds any or the platform can't tell; true where it is not there, too.
    async fn remove_folder(&mut self, folder: &FolderPath) -> Result<bool, Error>;

    /// Removes items, never others, and only where nothing changed since `unchanged_since` (a [`FolderState::change`])
    /// if that is given and the target can tell.
    async fn remove(
        &mut self,
        folder: Known<'_>,
        ids: &[ItemId],
        unchanged_since: Option<u64>,
    ) -> Result<Vec<Removal>, Error>;
}
