//! A mailbox read afresh at one endpoint: what lies there now, by what it is. Neither the ledger nor any rule has a say.

use connector::{Account, Event, Folder, Holds, ReadFolder, Source};
use model::{Cause, Digest, Flags, FolderPath, ItemId, Side};

use crate::failure::Failure;
use crate::reading::{Arrival, next};
use crate::run::Engine;
use crate::verify::holds;

/// A mailbox, opened to be read and nothing else.
pub struct Afresh {
    source: Box<dyn Source>,
    holds: Holds,
    side: Side,
    _seat: tokio::sync::OwnedSemaphorePermit,
}

/// A folder as it is now.
#[derive(Clone, Debug, Default)]
pub struct FolderNow {
    /// Under which validity its ids are meant.
    pub validity: u64,
    /// Its items.
    pub items: Vec<ItemNow>,
    /// Items that are listed and can't be read.
    pub unreadable: Vec<ItemId>,
    /// It is not there.
    pub is_missing: bool,
}

/// An item as it is now.
#[derive(Clone, Debug)]
pub struct ItemNow {
    /// What the folder calls it.
    pub id: ItemId,
    /// Digest of its bytes.
    pub exact: Digest,
    /// Digest of their canonical form.
    pub canonical: Digest,
    /// When it was received (seconds since 1970).
    pub received: Option<i64>,
    /// Its flags.
    pub flags: Flags,
}

impl Engine {
    /// Opens a person's mailbox at an endpoint, by its number. `side` is what that endpoint is taken for.
    pub async fn afresh(&self, endpoint: i64, account: &Account, side: Side) -> Result<Afresh, Failure> {
        let known = self.endpoints.get(&endpoint);
        let endpoint = known.ok_or_else(|| Failure::internal("an endpoint that the project does not have"))?;
        let seat = endpoint.seats(1).await?;
        let on_side = |error| Failure { side: Some(side), error };
        let now = || self.clock.since_boot();
        endpoint.reach.may_try(&endpoint.name, now()).map_err(on_side)?;
        let opened = endpoint.connector.source(account).await;
        let source = endpoint.reach.tried(opened, now()).map_err(on_side)?;
        Ok(Afresh { source, holds: holds(self), side, _seat: seat })
    }
}

impl Afresh {
    /// The folders that hold items, each with how many as far as is told.
    pub async fn folders(&mut self) -> Result<Vec<(FolderPath, u64)>, Failure> {
        let folders = self.source.folders().await;
        let folders = folders.map_err(|error| Failure { side: Some(self.side), error })?;
        let count = |folder: &Folder| folder.state.map_or(0, |state| state.count);
        let with_items = folders.into_iter().filter(|folder| folder.holds_items);
        Ok(with_items.map(|folder| (folder.path.clone(), count(&folder))).collect())
    }

    /// Is this folder there, though it is not listed?
    pub async fn has(&mut self, path: &FolderPath) -> Result<bool, Failure> {
        match self.source.state(path).await {
            Ok(_) => Ok(true),
            Err(error) if error.ends_session() => Err(Failure { side: Some(self.side), error }),
            Err(_) => Ok(false),
        }
    }

    /// Reads these folders in full.
    pub async fn read(&mut self, paths: Vec<FolderPath>) -> Result<Vec<FolderNow>, Failure> {
        let side = self.side;
        self.read_folders(paths).await.map_err(|error| Failure { side: Some(side), error })
    }

    async fn read_folders(&mut self, paths: Vec<FolderPath>) -> Result<Vec<FolderNow>, connector::Error> {
        let mut all: Vec<FolderNow> = paths.iter().map(|_| FolderNow::default()).collect();
        let plan = paths.into_iter().map(|path| ReadFolder { path, since: None }).collect();
        let mut reading = self.source.read(plan, &self.holds).await?;
        let mut current = 0;
        loop {
            let arrivals = next(reading.as_mut(), None).await?;
            if arrivals.is_empty() {
                return Ok(all);
            }
            for arrival in arrivals {
                match arrival {
                    Arrival::Item(examined) => all[current].items.push(ItemNow {
                        id: examined.item.id,
                        exact: examined.found.exact,
                        canonical: examined.found.canonical,
                        received: examined.item.received.map(|at| at.unix_seconds),
                        flags: examined.item.flags,
                    }),
                    Arrival::Event(Event::Begin { folder, state }) => {
                        current = folder;
                        all[current].validity = state.validity;
                    }
                    Arrival::Event(Event::Unreadable { id, .. }) => all[current].unreadable.push(id),
                    Arrival::Event(Event::Skipped { error }) if error.cause == Cause::Missing => {
                        all[current].is_missing = true;
                    }
                    Arrival::Event(Event::Skipped { error }) => return Err(error),
                    Arrival::Event(_) => {}
                }
            }
        }
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        self.source.close().await;
    }
}
