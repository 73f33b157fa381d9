//! What lies in a file: read under the locks that mail programs use, and kept as long as the file stays as it is.

use std::collections::{HashMap, VecDeque};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use connector::Clock;
use model::{Flags, FolderState, ItemId, ReceivedAt};
use rustix::fs::{FlockOperation, fcntl_lock};

use crate::config::Manner;
use crate::map;
use crate::wire::split::{DIGEST_BYTES, Message, split};

/// How long to wait for a program that is writing to the file.
const LOCK_WAIT: Duration = Duration::from_secs(10);
/// How often to look meanwhile.
const LOCK_POLL: Duration = Duration::from_millis(50);
/// Whoever left a lock file so long ago is gone.
const LOCK_FILE_SECONDS_MAX: i64 = 600;
/// How often a file that changes while it is read is read again.
const TRIES: usize = 5;
/// Messages of files that are kept in mind at once, all people together.
const MESSAGES_KEPT_MAX: usize = 200_000;

/// A message as a folder lists it.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) id: ItemId,
    pub(crate) flags: Flags,
    pub(crate) received: ReceivedAt,
    pub(crate) begin: u64,
    pub(crate) header: u64,
    pub(crate) end: u64,
    pub(crate) digest: [u8; DIGEST_BYTES],
    pub(crate) wire_bytes: u64,
    pub(crate) converts: bool,
    pub(crate) keeps_length: bool,
}

/// The messages of a file, in the order of ids.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) listed: Vec<Listed>,
    pub(crate) state: FolderState,
    pub(crate) expunged: u64,
    pub(crate) requoted: u64,
}

impl Index {
    pub(crate) fn find(&self, id: &ItemId) -> Option<&Listed> {
        let place = self.listed.binary_search_by(|listed| listed.id.cmp(id)).ok()?;
        Some(&self.listed[place])
    }
}

/// A file as it was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    path: PathBuf,
    manner: Manner,
    file: (u64, u64),
    size: u64,
    changed: [(i64, i64); 2],
}

impl Seen {
    fn of(path: &Path, manner: Manner, facts: &Metadata) -> Self {
        let changed = [(facts.mtime(), facts.mtime_nsec()), (facts.ctime(), facts.ctime_nsec())];
        Self { path: path.to_owned(), manner, file: (facts.dev(), facts.ino()), size: facts.len(), changed }
    }
}

/// Indexes of files, those used last.
#[derive(Debug, Default)]
pub(crate) struct Indexes(Mutex<VecDeque<(Seen, Arc<Index>)>>);

impl Indexes {
    /// What lies in a file now.
    pub(super) fn of(&self, path: &Path, manner: Manner, clock: &dyn Clock) -> io::Result<Arc<Index>> {
        for _ in 0..TRIES {
            let file = File::open(path)?;
            let before = Seen::of(path, manner, &file.metadata()?);
            if let Some(index) = self.known(&before) {
                return Ok(index);
            }
            lock(&file, path, clock)?;
            let before = Seen::of(path, manner, &file.metadata()?);
            let index = read(&file, path, manner);
            // Not every program locks.
            let after = Seen::of(path, manner, &std::fs::metadata(path)?);
            let _ = fcntl_lock(&file, FlockOperation::NonBlockingUnlock);
            if before == after {
                let index = Arc::new(index?);
                // Two changes within one tick of the clock look like one: such a file is not kept in mind.
                if clock.unix_seconds() - after.changed[0].0.max(after.changed[1].0) > 1 {
                    self.keep(after, index.clone());
                }
                return Ok(index);
            }
            std::thread::sleep(LOCK_POLL);
        }
        Err(io::Error::new(io::ErrorKind::WouldBlock, format!("{} is being written to all the time", path.display())))
    }

    fn known(&self, seen: &Seen) -> Option<Arc<Index>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(known, _)| known == seen).map(|(_, index)| index.clone())
    }

    fn keep(&self, seen: Seen, index: Arc<Index>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(known, _)| known.path != seen.path);
        kept.push_back((seen, index));
        let messages = |kept: &VecDeque<(Seen, Arc<Index>)>| -> usize {
            // An empty file takes some room, too.
            kept.iter().map(|(_, index)| index.listed.len() + 1).sum()
        };
        while kept.len() > 1 && messages(&kept) > MESSAGES_KEPT_MAX {
            kept.pop_front();
        }
    }
}

/// Waits until nobody writes, as the lock on the file and the file beside it say. The lock lasts as long as the file is open.
fn lock(file: &File, path: &Path, clock: &dyn Clock) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let began = clock.since_boot();
    loop {
        let is_beside = std::fs::symlink_metadata(&beside)
            .is_ok_and(|facts| clock.unix_seconds() - facts.mtime() < LOCK_FILE_SECONDS_MAX);
        if !is_beside {
            match fcntl_lock(file, FlockOperation::NonBlockingLockShared) {
                // Where files can't be locked nobody does.
                Ok(()) | Err(rustix::io::Errno::NOLCK | rustix::io::Errno::NOTSUP | rustix::io::Errno::NOSYS) => {
                    return Ok(());
                }
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if clock.since_boot() - began > LOCK_WAIT {
            let what = format!("{} is locked by another program", path.display());
            return Err(io::Error::new(io::ErrorKind::WouldBlock, what));
        }
        std::thread::sleep(LOCK_POLL);
    }
}

fn read(file: &File, path: &Path, manner: Manner) -> io::Result<Index> {
    let split = split(file, manner)?;
    if split.is_foreign {
        let what = format!(
            "{} does not begin with a message: repair it, move it away, or name it in leave_out",
            path.display()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    let file_date = file.metadata()?.mtime();
    let mut equal: HashMap<(Option<i64>, [u8; DIGEST_BYTES]), u32> = HashMap::with_capacity(split.messages.len());
    let one = |message: Message| {
        let seconds = message.delivered.map(|at| at.unix_seconds);
        let nth = equal.entry((seconds, message.digest)).and_modify(|nth| *nth += 1).or_default();
        Listed {
            id: map::id(&message, *nth),
            flags: message.flags,
            received: message.received.unwrap_or(ReceivedAt::utc(file_date)),
            begin: message.begin,
            header: message.header,
            end: message.end,
            digest: message.digest,
            wire_bytes: message.wire_bytes,
            converts: message.converts,
            keeps_length: message.keeps_length,
        }
    };
    let mut listed: Vec<Listed> = split.messages.into_iter().map(one).collect();
    listed.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    let state = map::state(listed.iter().map(|item| (&item.id, &item.flags)));
    Ok(Index { listed, state, expunged: split.expunged, requoted: split.requoted })
}
