//! How the connector talks to the platform: one request, one answer; answers can get lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use model::{Cause, Flags, FolderPath, ItemId, ItemKind, ReceivedAt, Scope};
use serde::{Deserialize, Serialize};

use super::platform::{MemoryItem, Platform};
use crate::{Error, FlagChange, Folder, FolderState, Known, ListedItem, NewFolder, Offers, Quota, Removal};

/// What the connector asks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Opens the mailbox of this name. The first request of a session.
    Open(String),
    /// Lists the folders.
    Folders,
    /// Where a folder stands.
    State(FolderPath),
    /// Items from this id up, at most so many.
    Items(FolderPath, u32, usize),
    /// All ids with flags.
    List(FolderPath),
    /// Sizes and dates of items from this id up; of all where the validity is another than this.
    Sizes(FolderPath, Option<(u64, u32)>),
    /// What the mailbox may hold.
    Quota,
    /// Flags changed and items gone since this change.
    Changes(FolderPath, u64),
    /// Makes a folder.
    Create(NewFolder),
    /// Brings an item; no effect yet.
    Stage(PutItem),
    /// Adds what was staged to this folder.
    Append(FolderPath),
    /// Changes flags.
    ChangeFlags(FolderPath, u64, Vec<FlagChange>),
    /// Moves items from one folder to another.
    Move(FolderPath, u64, FolderPath, Vec<ItemId>),
    /// Follows a folder, or no longer.
    Subscribe(FolderPath, bool),
    /// Removes a folder that is empty.
    RemoveFolder(FolderPath),
    /// Removes items.
    Remove(FolderPath, u64, Vec<ItemId>, Option<u64>),
}

/// An item on its way in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PutItem {
    /// What it is.
    pub kind: ItemKind,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its flags.
    pub flags: Flags,
    /// When it was received.
    pub received: Option<ReceivedAt>,
}

impl PutItem {
    pub(super) fn into_item(self) -> MemoryItem {
        let received = self.received.unwrap_or_else(|| ReceivedAt::utc(0));
        MemoryItem { kind: self.kind, bytes: self.bytes, flags: self.flags, received }
    }
}

/// What the platform answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Response {
    /// The mailbox is open.
    Opened(Offers),
    /// The folders.
    Folders(Vec<Folder>),
    /// The state.
    State(FolderState),
    /// The items.
    Items(Vec<(u32, MemoryItem)>),
    /// Ids with flags.
    List(Vec<(u32, Flags)>),
    /// Items with sizes and dates.
    Sizes(Vec<ListedItem>),
    /// What the mailbox may hold.
    Quota(Quota),
    /// Flags changed; items gone, if the platform tells.
    Changes(Vec<(u32, Flags)>, Option<Vec<u32>>),
    /// It was done.
    Done,
    /// Validity, and the id or refusal of each item.
    Appended(u64, Vec<Result<u32, Error>>),
    /// Flags now.
    Flags(Vec<Option<Flags>>),
    /// The new id of each item that was there.
    Moved(Vec<Option<u32>>),
    /// Whether the folder is gone.
    FolderRemoved(bool),
    /// What became of each.
    Removed(Vec<Removal>),
    /// It was not done.
    Failed(Error),
}

/// The platform's side of one connection.
#[derive(Debug)]
pub struct Session {
    platform: Platform,
    mailbox: String,
    staged: Vec<PutItem>,
}

impl Session {
    /// A connection to this platform.
    pub fn new(platform: Platform) -> Self {
        Self { platform, mailbox: String::new(), staged: Vec::new() }
    }

    /// Does what is asked.
    pub fn answer(&mut self, request: Request) -> Response {
        self.try_answer(request).unwrap_or_else(Response::Failed)
    }

    fn try_answer(&mut self, request: Request) -> Result<Response, Error> {
        let (platform, name) = (&self.platform, self.mailbox.as_str());
        Ok(match request {
            Request::Open(name) => {
                platform.open(&name)?;
                self.mailbox = name;
                Response::Opened(self.platform.traits().offers())
            }
            Request::Folders => Response::Folders(platform.folders(name)?),
            Request::State(path) => Response::State(platform.state(name, &path)?),
            Request::Items(path, from, limit) => Response::Items(platform.items(name, &path, from, limit)?),
            Request::List(path) => Response::List(platform.list(name, &path)?),
            Request::Sizes(path, since) => Response::Sizes(platform.sizes(name, &path, since)?),
            Request::Quota => Response::Quota(platform.quota(name)?),
            Request::Changes(path, since) => platform.changes(name, &path, since)?,
            Request::Create(new) => platform.create(name, &new).map(|()| Response::Done)?,
            Request::Stage(item) => {
                self.staged.push(item);
                Response::Done
            }
            Request::Append(path) => {
                let (validity, results) = platform.put(name, &path, std::mem::take(&mut self.staged))?;
                Response::Appended(validity, results)
            }
            Request::ChangeFlags(path, validity, changes) => {
                platform.require(name, Known { path: &path, validity })?;
                Response::Flags(platform.change_flags(name, &path, &changes)?)
            }
            Request::Move(from, validity, to, ids) => {
                platform.require(name, Known { path: &from, validity })?;
                Response::Moved(platform.move_items(name, &from, &to, &ids)?)
            }
            Request::Subscribe(path, subscribed) => {
                platform.subscribe(name, &path, subscribed).map(|()| Response::Done)?
            }
            Request::RemoveFolder(path) => Response::FolderRemoved(platform.remove_if_empty(name, &path)?),
            Request::Remove(path, validity, ids, unchanged_since) => {
                platform.require(name, Known { path: &path, validity })?;
                Response::Removed(platform.remove(name, &path, &ids, unchanged_since)?)
            }
        })
    }
}

/// One connection, from the connector's side.
#[async_trait]
pub trait Wire: Send {
    /// Sends a request.
    async fn send(&mut self, request: Request) -> Result<(), Error>;

    /// Receives the answer to the request sent.
    async fn receive(&mut self) -> Result<Response, Error>;
}

/// Opens connections.
#[async_trait]
pub trait Dial: Send + Sync {
    /// A new connection.
    async fn dial(&self) -> Result<Box<dyn Wire>, Error>;
}

/// A connection within the process.
pub struct DirectWire {
    session: Session,
    answer: Option<Response>,
}

#[async_trait]
impl Wire for DirectWire {
    async fn send(&mut self, request: Request) -> Result<(), Error> {
        self.answer = Some(self.session.answer(request));
        Ok(())
    }

    async fn receive(&mut self) -> Result<Response, Error> {
        self.answer.take().ok_or_else(|| broken("nothing was asked"))
    }
}

#[async_trait]
impl Dial for Platform {
    async fn dial(&self) -> Result<Box<dyn Wire>, Error> {
        Ok(Box::new(DirectWire { session: Session::new(self.clone()), answer: None }))
    }
}

fn broken(what: &str) -> Error {
    Error::new(Cause::Connection, Scope::Connection, format!("the connection broke: {what}"))
}

/// Breaks one connection at one moment: before the nth request is sent, or after it was obeyed and before its answer
/// came.
#[derive(Clone)]
pub struct FaultyDial {
    inner: Arc<dyn Dial>,
    /// Counts moments; two a request.
    moments: Arc<AtomicU64>,
    break_at: u64,
}

impl FaultyDial {
    /// Breaks at the moment of this number, from 1; never for 0.
    pub fn new(inner: Arc<dyn Dial>, break_at: u64) -> Self {
        Self { inner, moments: Arc::new(AtomicU64::new(0)), break_at }
    }

    /// How many moments there have been.
    pub fn moments(&self) -> u64 {
        self.moments.load(Ordering::SeqCst)
    }
}

struct FaultyWire {
    wire: Box<dyn Wire>,
    moments: Arc<AtomicU64>,
    break_at: u64,
    is_broken: bool,
}

impl FaultyWire {
    fn moment(&mut self, what: &str) -> Result<(), Error> {
        let now = self.moments.fetch_add(1, Ordering::SeqCst) + 1;
        self.is_broken |= now == self.break_at;
        if self.is_broken { Err(broken(what)) } else { Ok(()) }
    }
}

#[async_trait]
impl Wire for FaultyWire {
    async fn send(&mut self, request: Request) -> Result<(), Error> {
        self.moment("a fault before the request")?;
        self.wire.send(request).await
    }

    async fn receive(&mut self) -> Result<Response, Error> {
        self.moment("a fault before the answer")?;
        self.wire.receive().await
    }
}

#[async_trait]
impl Dial for FaultyDial {
    async fn dial(&self) -> Result<Box<dyn Wire>, Error> {
        let wire = self.inner.dial().await?;
        Ok(Box::new(FaultyWire { wire, moments: self.moments.clone(), break_at: self.break_at, is_broken: false }))
    }
}
