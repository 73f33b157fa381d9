//! Reading messages: each from its place in the file, brought into wire form.
//!
//! No lock is held while the target takes its time. What is read is proved instead: its digest must be that of the message
//! listed. Where it is not, the file was written since; then it is looked through again, and the message read from where it
//! lies now.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use connector::{Body, Error, Event, Holds, Item, ReadFolder, Reading};
use model::{Cause, FolderPath, FolderState, ItemId, ItemKind, Scope};

use super::index::{Index, Listed};
use super::{Mbox, blocking};
use crate::config::Manner;
use crate::map::{covered, cursor, failed};
use crate::wire::line_ends::to_wire;
use crate::wire::lines::Lines;
use crate::wire::message::{Line, Sieve};
use crate::wire::split::Digest;

/// A message larger than this is read in pieces.
const WHOLE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Messages read before the first of them is handed over: at most so many bytes, and so many messages.
const GROUP_BYTES: u64 = 1024 * 1024;
const GROUP_MESSAGES: usize = 64;
/// A large message is handed on in pieces of about this size.
const PIECE_BYTES: usize = 256 * 1024;
/// How often a message is looked for again in a file that is being written.
const TRIES: usize = 3;

/// A message on its way out of the file.
struct Passage {
    listed: Listed,
    file: Arc<File>,
    sieve: Sieve,
    digest: Option<Digest>,
    offset: u64,
    is_begin: bool,
}

impl Passage {
    fn begin(listed: &Listed, file: Arc<File>, manner: Manner) -> io::Result<Self> {
        let from_line = Lines::new(&file).at(listed.begin)?.to_vec();
        let (digest, sieve) = (Some(Digest::new(&from_line)), Sieve::new(manner, &from_line));
        Ok(Self { offset: listed.header, listed: listed.clone(), file, sieve, digest, is_begin: true })
    }

    /// The next bytes in wire form; nothing at the end.
    fn next(&mut self, wanted: usize) -> io::Result<Vec<u8>> {
        let (file, mut out) = (self.file.clone(), Vec::new());
        let end = self.listed.end;
        let mut bytes = vec![0; ((end - self.offset) as usize).min(wanted)];
        file.read_exact_at(&mut bytes, self.offset)?;
        // In whole lines, or where one is longer, as it comes.
        if self.offset + (bytes.len() as u64) < end
            && let Some(last) = memchr::memrchr(b'\n', &bytes)
        {
            bytes.truncate(last + 1);
        }
        self.offset += bytes.len() as u64;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let kept = match self.sieve.next(piece, self.is_begin) {
                Line::Own(own) => {
                    if let Some(digest) = &mut self.digest {
                        digest.update(piece);
                    }
                    own
                }
                Line::Aside(own) => own,
                Line::Length(length) if self.listed.keeps_length => length,
                Line::Length(_) | Line::Noted => &[],
            };
            self.is_begin = piece.ends_with(b"\n");
            if self.listed.converts {
                to_wire(kept, &mut out);
            } else {
                out.extend_from_slice(kept);
            }
        }
        Ok(out)
    }

    fn is_at_end(&self) -> bool {
        self.offset >= self.listed.end
    }

    /// Was it the message that was listed?
    fn is_proved(&mut self) -> bool {
        self.digest.take().is_some_and(|digest| digest.finish() == self.listed.digest)
    }
}

/// A whole message; none where the file holds something else at that place.
fn whole(listed: &Listed, file: &Arc<File>, manner: Manner) -> io::Result<Option<Vec<u8>>> {
    let read = || -> io::Result<Option<Vec<u8>>> {
        let mut passage = Passage::begin(listed, file.clone(), manner)?;
        let mut bytes = Vec::new();
        while !passage.is_at_end() {
            bytes.extend(passage.next((listed.end - listed.header) as usize)?);
        }
        Ok((passage.is_proved() && bytes.len() as u64 == listed.wire_bytes).then_some(bytes))
    };
    or_none(read())
}

/// A file that ends too early holds something else, too.
fn or_none<T>(read: io::Result<Option<T>>) -> io::Result<Option<T>> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        read => read,
    }
}

fn unreadable(error: &io::Error) -> Error {
    Error::new(Cause::Unreadable, Scope::Item, format!("a message cannot be read from its file: {error}"))
}

/// Holds a message that is read in pieces; none where the file holds something else at that place.
async fn hold_large(listed: &Listed, file: &Arc<File>, manner: Manner, holds: &Holds) -> Result<Option<Body>, Error> {
    let mut holding = holds.reserve(listed.wire_bytes).await?;
    let begun = {
        let (listed, file) = (listed.clone(), file.clone());
        blocking(move || or_none(Passage::begin(&listed, file, manner).map(Some))).await
    };
    let Some(mut passage) = begun.map_err(|error| unreadable(&error))? else { return Ok(None) };
    let mut written = 0;
    while !passage.is_at_end() {
        let step = blocking(move || {
            let bytes = or_none(passage.next(PIECE_BYTES).map(Some))?;
            Ok((passage, bytes))
        });
        let (now, bytes) = step.await.map_err(|error| unreadable(&error))?;
        passage = now;
        let Some(bytes) = bytes else { return Ok(None) };
        written += bytes.len() as u64;
        if written > listed.wire_bytes {
            return Ok(None);
        }
        holding.write(&bytes).await?;
    }
    if written != listed.wire_bytes || !passage.is_proved() {
        return Ok(None);
    }
    holding.finish().await.map(Some)
}

/// Messages of one folder, in groups.
struct Items<'m> {
    mbox: &'m Mbox,
    path: FolderPath,
    place: PathBuf,
    file: Option<Arc<File>>,
    left: VecDeque<Listed>,
}

impl Items<'_> {
    fn open(&mut self) -> io::Result<Arc<File>> {
        if self.file.is_none() {
            self.file = Some(Arc::new(File::open(&self.place)?));
        }
        self.file.clone().ok_or_else(|| io::Error::other("the file is closed"))
    }

    /// The next events; empty when all messages were read.
    async fn next(&mut self, holds: &Holds) -> Result<Vec<Event>, Error> {
        let mut events = Vec::new();
        while events.is_empty() && !self.left.is_empty() {
            let manner = self.mbox.manner(&self.place);
            let file = match self.open() {
                Ok(file) => file,
                Err(error) => {
                    let error = failed(Scope::Folder, "read messages", &self.path, &error);
                    self.left.clear();
                    return Ok(vec![Event::Skipped { error }]);
                }
            };
            let (mut bytes, mut count) = (0, 0);
            for listed in self.left.iter().take(GROUP_MESSAGES) {
                bytes += listed.wire_bytes;
                if count > 0 && bytes > GROUP_BYTES {
                    break;
                }
                count += 1;
            }
            let group: Vec<Listed> = self.left.drain(..count).collect();
            let work = blocking(move || {
                let load = |listed: Listed| {
                    let is_large = listed.wire_bytes > WHOLE_BYTES_MAX;
                    let read = if is_large { Ok(None) } else { whole(&listed, &file, manner) };
                    (listed, read)
                };
                Ok(group.into_iter().map(load).collect::<Vec<_>>())
            });
            let loaded = work.await.map_err(|error| failed(Scope::Folder, "read messages", &self.path, &error))?;
            for (listed, read) in loaded {
                if let Some(event) = self.event(listed, read, holds).await {
                    events.push(event);
                }
            }
        }
        Ok(events)
    }

    async fn event(&mut self, listed: Listed, read: io::Result<Option<Vec<u8>>>, holds: &Holds) -> Option<Event> {
        let id = listed.id.clone();
        match self.body(listed, read, holds).await {
            Ok(Some((listed, body))) => Some(Event::Item(Item {
                then: Some(cursor(Some(&listed.id))),
                id: listed.id,
                kind: ItemKind::Message,
                flags: listed.flags,
                received: Some(listed.received),
                body,
            })),
            Ok(None) => None,
            Err(error) => Some(Event::Unreadable { id, error }),
        }
    }

    /// A message's body, from where it lies now; none when it is gone.
    async fn body(
        &mut self,
        mut listed: Listed,
        read: io::Result<Option<Vec<u8>>>,
        holds: &Holds,
    ) -> Result<Option<(Listed, Body)>, Error> {
        let manner = self.mbox.manner(&self.place);
        let mut read = read.map_err(|error| unreadable(&error))?;
        for _ in 0..TRIES {
            let file = self.open().map_err(|error| unreadable(&error))?;
            if listed.wire_bytes > WHOLE_BYTES_MAX {
                if let Some(body) = hold_large(&listed, &file, manner, holds).await? {
                    return Ok(Some((listed, body)));
                }
            } else if let Some(bytes) = read.take() {
                let bytes = Bytes::from(bytes);
                let mut holding = holds.reserve(bytes.len() as u64).await?;
                if holding.in_memory() {
                    return Ok(Some((listed, holding.whole(bytes))));
                }
                holding.write(&bytes).await?;
                return Ok(Some((listed, holding.finish().await?)));
            }
            self.file = None;
            let index = self.mbox.index_of(&self.place, &self.path).await?;
            let Some(now) = index.find(&listed.id) else { return Ok(None) };
            listed = now.clone();
            let (again, file) = (listed.clone(), self.open().map_err(|error| unreadable(&error))?);
            if listed.wire_bytes <= WHOLE_BYTES_MAX {
                read = blocking(move || whole(&again, &file, manner)).await.map_err(|error| unreadable(&error))?;
            }
        }
        let what = format!("message {} is moved about in its file faster than it can be read", listed.id);
        Err(Error::new(Cause::Unavailable, Scope::Item, what))
    }
}

/// A folder being read.
struct Current<'m> {
    items: Items<'m>,
    state: FolderState,
    last: Option<ItemId>,
    listed_all: bool,
}

/// Reads folders one after the other.
pub(super) struct FolderReading<'m> {
    mbox: &'m Mbox,
    plan: VecDeque<(usize, ReadFolder)>,
    holds: Holds,
    current: Option<Current<'m>>,
}

impl<'m> FolderReading<'m> {
    pub(super) fn new(mbox: &'m Mbox, plan: Vec<ReadFolder>, holds: Holds) -> Self {
        Self { mbox, plan: plan.into_iter().enumerate().collect(), holds, current: None }
    }

    async fn begin(&mut self, index: usize, folder: ReadFolder) -> Vec<Event> {
        let (place, listing) = match self.mbox.index(&folder.path).await {
            Ok(found) => found,
            Err(error) => {
                let begin = Event::Begin { folder: index, state: FolderState::default() };
                return vec![begin, Event::Skipped { error }];
            }
        };
        let Index { listed, state, expunged, .. } = listing.as_ref();
        if *expunged > 0 {
            tracing::info!(folder = %folder.path, count = expunged, "left out: expunged messages that are still in the file");
        }
        let mut events = vec![Event::Begin { folder: index, state: *state }];
        let last = listed.last().map(|item| item.id.clone());
        let since = folder.since.as_ref().and_then(covered);
        let known = listed.partition_point(|item| since.as_ref().is_some_and(|since| item.id <= *since));
        let listed_all = since.is_some();
        if listed_all {
            events
                .push(Event::Flags(listed[..known].iter().map(|item| (item.id.clone(), item.flags.clone())).collect()));
        }
        let left = listed[known..].to_vec().into();
        let items = Items { mbox: self.mbox, path: folder.path, place, file: None, left };
        self.current = Some(Current { items, state: *state, last: last.max(since), listed_all });
        events
    }
}

#[async_trait]
impl Reading for FolderReading<'_> {
    async fn next(&mut self) -> Result<Vec<Event>, Error> {
        if let Some(current) = &mut self.current {
            let events = current.items.next(&self.holds).await?;
            if let Some(Event::Skipped { .. }) = events.first() {
                self.current = None;
                return Ok(events);
            }
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

/// Reads messages of one folder.
pub(super) struct ItemReading<'m> {
    items: Items<'m>,
    holds: Holds,
}

impl<'m> ItemReading<'m> {
    pub(super) fn new(mbox: &'m Mbox, path: FolderPath, place: PathBuf, listed: Vec<Listed>, holds: Holds) -> Self {
        Self { items: Items { mbox, path, place, file: None, left: listed.into() }, holds }
    }
}

#[async_trait]
impl Reading for ItemReading<'_> {
    async fn next(&mut self) -> Result<Vec<Event>, Error> {
        self.items.next(&self.holds).await
    }
}
