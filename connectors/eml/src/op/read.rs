//! Reading items: files, brought into wire form.

use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use connector::{Body, Error, Event, Holds, Item, ListedItem, ReadFolder, Reading, maildate};
use model::{Cause, FolderPath, FolderState, ItemId, ItemKind, ReceivedAt, Scope};

use super::list::Listed;
use super::{Tree, blocking};
use crate::map::{covered, cursor, failed, state};
use crate::wire::line_ends::{LineEnds, to_wire};

/// A file larger than this is read in pieces.
const WHOLE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Files read before the first of them is handed over: at most so many bytes, and so many files.
const GROUP_BYTES: u64 = 1024 * 1024;
const GROUP_FILES: usize = 64;
/// So much of a large file is looked through for a date.
const HEADER_BYTES_MAX: usize = 256 * 1024;
/// A large file is read in pieces of this size.
const PIECE_BYTES: usize = 256 * 1024;

/// A file as it was found.
enum Loaded {
    /// Its bytes in wire form, and when it was received.
    Whole(Vec<u8>, ReceivedAt),
    /// Too large to be read at once.
    Large(Arc<File>, u64, ReceivedAt),
    /// It is not there any more.
    Gone,
    /// It can't be read.
    Failed(io::Error),
}

/// When an item was received: as the side file says; else as its header says, since a file's time is often that of a copy;
/// else the file's time of change.
fn received(item: &Listed, begin: &[u8], facts: &Metadata) -> ReceivedAt {
    let said = item.received.or_else(|| maildate::of_header(begin));
    said.unwrap_or_else(|| ReceivedAt::utc(facts.mtime()))
}

/// What is known of an item without keeping its bytes. None when it is gone or can't be read: that is said when it is read.
pub(super) fn measure(directory: &Path, item: &Listed) -> Option<ListedItem> {
    let file = File::open(directory.join(&item.file)).ok()?;
    let facts = file.metadata().ok()?;
    let size_bytes = if item.is_wire {
        facts.len()
    } else {
        let ends = line_ends(&file, facts.len()).ok()?;
        facts.len() + if ends.is_lf_only() { ends.lf } else { 0 }
    };
    let mut begin = vec![0; if item.received.is_some() { 0 } else { HEADER_BYTES_MAX.min(facts.len() as usize) }];
    file.read_exact_at(&mut begin, 0).ok()?;
    let received = Some(received(item, &begin, &facts));
    Some(ListedItem { id: item.id.clone(), size_bytes, received, flags: item.flags.clone() })
}

/// How the lines of a file end, read in pieces.
fn line_ends(file: &File, size: u64) -> io::Result<LineEnds> {
    let (mut ends, mut offset) = (LineEnds::default(), 0);
    let mut piece = vec![0; PIECE_BYTES.min(size as usize)];
    while offset < size {
        let wanted = PIECE_BYTES.min((size - offset) as usize);
        file.read_exact_at(&mut piece[..wanted], offset)?;
        ends.count(&piece[..wanted]);
        offset += wanted as u64;
    }
    Ok(ends)
}

fn load(directory: &Path, item: &Listed) -> Loaded {
    let load = || -> io::Result<Loaded> {
        let file = match File::open(directory.join(&item.file)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Loaded::Gone),
            file => file?,
        };
        let facts = file.metadata()?;
        let is_large = facts.len() > WHOLE_BYTES_MAX;
        let mut bytes = vec![0; if is_large { HEADER_BYTES_MAX } else { facts.len() as usize }];
        file.read_exact_at(&mut bytes, 0)?;
        let received = received(item, &bytes, &facts);
        if is_large {
            return Ok(Loaded::Large(Arc::new(file), facts.len(), received));
        }
        let ends = LineEnds::of(&bytes);
        if item.is_wire || !ends.is_lf_only() {
            return Ok(Loaded::Whole(bytes, received));
        }
        let mut wire = Vec::with_capacity(bytes.len() + ends.lf as usize);
        to_wire(&bytes, &mut wire);
        Ok(Loaded::Whole(wire, received))
    };
    load().unwrap_or_else(Loaded::Failed)
}

/// Brings a large file into wire form, piece by piece.
async fn hold_large(file: Arc<File>, size: u64, is_wire: bool, holds: &Holds) -> Result<Body, Error> {
    let unreadable = |error: io::Error| {
        Error::new(Cause::Unreadable, Scope::Item, format!("a large item's file cannot be read: {error}"))
    };
    let counted = {
        let file = file.clone();
        blocking(move || line_ends(&file, size))
    };
    let ends = counted.await.map_err(unreadable)?;
    let converts = !is_wire && ends.is_lf_only();
    let mut holding = holds.reserve(if converts { size + ends.lf } else { size }).await?;
    let mut offset = 0;
    while offset < size {
        let wanted = PIECE_BYTES.min((size - offset) as usize);
        let file = file.clone();
        let piece = blocking(move || {
            let mut piece = vec![0; wanted];
            file.read_exact_at(&mut piece, offset)?;
            Ok(piece)
        });
        let piece = piece.await.map_err(unreadable)?;
        if converts {
            let mut wire = Vec::with_capacity(piece.len() + piece.len() / 32);
            to_wire(&piece, &mut wire);
            holding.write(&wire).await?;
        } else {
            holding.write(&piece).await?;
        }
        offset += wanted as u64;
    }
    holding.finish().await
}

/// Items of one folder, in groups.
struct Items {
    path: FolderPath,
    directory: PathBuf,
    left: VecDeque<Listed>,
}

impl Items {
    /// The next events; empty when all items were read.
    async fn next(&mut self, holds: &Holds) -> Result<Vec<Event>, Error> {
        let mut events = Vec::new();
        while events.is_empty() && !self.left.is_empty() {
            let directory = self.directory.clone();
            let group: Vec<Listed> = self.left.drain(..self.left.len().min(GROUP_FILES)).collect();
            let work = blocking(move || {
                let (mut loaded, mut bytes) = (Vec::new(), 0);
                let mut group = group.into_iter();
                for item in group.by_ref() {
                    let file = load(&directory, &item);
                    if let Loaded::Whole(whole, _) = &file {
                        bytes += whole.len() as u64;
                    }
                    loaded.push((item, file));
                    if bytes >= GROUP_BYTES {
                        break;
                    }
                }
                Ok((loaded, group.collect::<Vec<Listed>>()))
            });
            let (loaded, rest) = work.await.map_err(|error| failed(Scope::Folder, "read items", &self.path, &error))?;
            for item in rest.into_iter().rev() {
                self.left.push_front(item);
            }
            for (item, file) in loaded {
                if let Some(event) = self.event(item, file, holds).await {
                    events.push(event);
                }
            }
        }
        Ok(events)
    }

    async fn event(&self, listed: Listed, file: Loaded, holds: &Holds) -> Option<Event> {
        let (body, received) = match file {
            Loaded::Gone => return None,
            Loaded::Failed(error) => {
                let what = format!("read item {}", listed.id);
                let error = failed(Scope::Item, &what, &self.path, &error);
                let error = Error { cause: Cause::Unreadable, ..error };
                return Some(Event::Unreadable { id: listed.id, error });
            }
            Loaded::Whole(bytes, received) => {
                let bytes = Bytes::from(bytes);
                let held = async {
                    let mut holding = holds.reserve(bytes.len() as u64).await?;
                    if holding.in_memory() {
                        return Ok(holding.whole(bytes));
                    }
                    holding.write(&bytes).await?;
                    holding.finish().await
                };
                (held.await, received)
            }
            Loaded::Large(file, size, received) => (hold_large(file, size, listed.is_wire, holds).await, received),
        };
        Some(match body {
            Ok(body) => Event::Item(Item {
                then: Some(cursor(Some(&listed.id))),
                id: listed.id,
                kind: ItemKind::Message,
                flags: listed.flags,
                received: Some(received),
                body,
            }),
            Err(error) => Event::Unreadable { id: listed.id, error },
        })
    }
}

/// A folder being read.
struct Current {
    items: Items,
    state: FolderState,
    last: Option<ItemId>,
    listed_all: bool,
}

/// Reads folders one after the other.
pub(super) struct FolderReading<'m> {
    tree: &'m Tree,
    plan: VecDeque<(usize, ReadFolder)>,
    holds: Holds,
    current: Option<Current>,
}

impl<'m> FolderReading<'m> {
    pub(super) fn new(tree: &'m Tree, plan: Vec<ReadFolder>, holds: Holds) -> Self {
        Self { tree, plan: plan.into_iter().enumerate().collect(), holds, current: None }
    }

    async fn begin(&mut self, index: usize, folder: ReadFolder) -> Vec<Event> {
        let listed = match self.tree.scan(&folder.path).await {
            Ok(listed) => listed,
            Err(error) => {
                let begin = Event::Begin { folder: index, state: FolderState::default() };
                return vec![begin, Event::Skipped { error }];
            }
        };
        let state = state(&listed);
        let mut events = vec![Event::Begin { folder: index, state }];
        let last = listed.last().map(|item| item.id.clone());
        let since = folder.since.as_ref().and_then(covered);
        let (known, new): (VecDeque<Listed>, VecDeque<Listed>) =
            listed.into_iter().partition(|item| since.as_ref().is_some_and(|since| item.id <= *since));
        let listed_all = since.is_some();
        let last = last.max(since);
        if listed_all {
            events.push(Event::Flags(known.into_iter().map(|item| (item.id, item.flags)).collect()));
        }
        let directory = self.tree.directory(&folder.path).await.unwrap_or_default();
        let items = Items { path: folder.path, directory, left: new };
        self.current = Some(Current { items, state, last, listed_all });
        events
    }
}

#[async_trait]
impl Reading for FolderReading<'_> {
    async fn next(&mut self) -> Result<Vec<Event>, Error> {
        if let Some(current) = &mut self.current {
            let events = current.items.next(&self.holds).await?;
            if !events.is_empty() {
                return Ok(events);
            }
            let cursor = cursor(current.last.as_ref());
            let end = Event::End { cursor, state: current.state, listed_all: current.listed_all };
            self.current = None;
            return Ok(vec![end]);
        }
        match self.plan.pop_front() {
            Some((index, folder)) => Ok(self.begin(index, folder).await),
            None => Ok(Vec::new()),
        }
    }
}

/// Reads items of one folder.
pub(super) struct ItemReading {
    items: Items,
    holds: Holds,
}

impl ItemReading {
    pub(super) fn new(directory: PathBuf, path: FolderPath, listed: Vec<Listed>, holds: Holds) -> Self {
        Self { items: Items { path, directory, left: listed.into() }, holds }
    }
}

#[async_trait]
impl Reading for ItemReading {
    async fn next(&mut self) -> Result<Vec<Event>, Error> {
        self.items.next(&self.holds).await
    }
}
