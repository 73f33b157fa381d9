//! The contract between the engine and the platforms that mail comes from and goes to, the directories that say who
//! there is, the [`router`]s that say where their mail goes, and the [`access`] that says who may log in.
//!
//! A [`Connector`] is one endpoint: a server, or a folder of files. It opens a [`Source`] (which can only read) or a
//! [`Target`] on one person's mailbox. What every platform can do is in these traits; what only some can is *declared*
//! ([`Declaration`] for the platform, [`Offers`] for the opened mailbox) and has a fallback in the engine.
//!
//! Rules that the conformance suite holds every connector to:
//! * A source changes nothing, not even a flag.
//! * Every effect passes the [`Door`] right before its last byte leaves: the door says no once the worker's lease is over,
//!   and the connector then breaks the connection without that byte.
//! * A batch takes effect only after its [`Ready`] says that its intent is durable. Bytes that have no effect yet may go
//!   before.
//! * An answer that did not come is [`ItemOutcome::InDoubt`], never a failure and never a success. A connector repeats
//!   nothing that has an effect, create-if-absent and adding or taking flags apart.
//! * Bodies are in wire form (CRLF line ends where the platform's items are text with lines), whole, and held within the
//!   [`Holds`] given: in memory up to a size, above it in an unlinked temporary file.
//! * Anything the platform says that is not understood is ignored or reported as an [`Error`], never a panic.

pub mod access;
mod body;
mod clock;
mod declaration;
mod directory;
mod door;
mod error;
pub mod maildate;
pub mod memory;
pub mod mutf7;
mod pace;
mod rights;
pub mod router;
mod source;
mod target;
mod watcher;

pub use access::{Access, AccessChanged, LoginState};
pub use body::{Body, BodyReader, Holding, Holds, HoldsLimits};
pub use clock::{Clock, SystemClock};
pub use declaration::{Allowance, Declaration, Finding, Offers, Quota, StoreProof, Topic, losses_between};
pub use directory::{
    Change, ChangeOutcome, Directory, DirectoryCursor, DirectoryDeclaration, DirectoryInMemory, DirectoryRead,
    DirectoryTarget, EntryEvent, EntrySink, PlannedChange,
};
pub use door::{Door, Effect, OpenDoor, ShutDoor};
pub use error::{Error, Retry};
pub use model::FolderState;
pub use pace::Pace;
pub use rights::{FolderRight, Granted, Holder, NewRight, Rights, RightsRead};
pub use router::{Recipient, Rerouted, Router, RouterOffers, Routing};
pub use source::{Cursor, Event, Folder, Item, ListedItem, ReadFolder, Reading, Source, Usage, usage};
pub use target::{
    Batch, BatchItem, FlagChange, ItemOutcome, Known, Moved, NewFolder, Outcome, Ready, Removal, Target, ready,
};
pub use watcher::Watcher;

use std::sync::Arc;

/// A password or token. It is shown nowhere: neither by `Debug` nor in an error.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret of this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

/// Whose mailbox to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name the person has on that side.
    pub name: String,
    /// The name the person has at the source.
    pub source_name: String,
    /// The name the person has at the target.
    pub target_name: String,
    /// The person's own password on that side, if the project has it.
    pub password: Option<Secret>,
}

impl Account {
    /// The account of this name on both sides, without a password of its own.
    pub fn named(name: impl Into<String>) -> Self {
        let name = name.into();
        Self { source_name: name.clone(), target_name: name.clone(), name, password: None }
    }
}

/// One endpoint: what opens mailboxes on a platform.
#[async_trait::async_trait]
pub trait Connector: Send + Sync {
    /// What the platform can hold and do, known without asking a server.
    fn declaration(&self) -> Declaration;

    /// Opens a person's mailbox to read.
    ///
    /// Fails with `not-their-store` when it can't be shown that the login reached this person's store.
    async fn source(&self, account: &Account) -> Result<Box<dyn Source>, Error>;

    /// Opens a person's mailbox to write. Every effect goes through the door.
    ///
    /// Fails with `not-their-store` when it can't be shown that the login reached this person's store.
    async fn target(&self, account: &Account, door: Arc<dyn Door>) -> Result<Box<dyn Target>, Error>;

    /// Opens the rights of a person's mailbox: to read them, and with a door to give more. None where the platform, or this
    /// server of its kind, keeps no rights of folders.
    ///
    /// Fails with `not-their-store` as the others do.
    async fn rights(&self, account: &Account, door: Option<Arc<dyn Door>>) -> Result<Option<Box<dyn Rights>>, Error> {
        let _ = (account, door);
        Ok(None)
    }

    /// Opens a person's mailbox to be told when something changes there. None where the platform, or this server of its kind, tells
    /// nobody.
    ///
    /// Fails with `not-their-store` as the others do.
    async fn watch(&self, account: &Account) -> Result<Option<Box<dyn Watcher>>, Error> {
        let _ = account;
        Ok(None)
    }

    /// Looks whether the endpoint is reachable and set up well, for `check`; with an account, whether that person's
    /// mailbox opens. Changes nothing. Stops at the first topic that fails.
    async fn check(&self, account: Option<&Account>) -> Vec<Finding>;
}
