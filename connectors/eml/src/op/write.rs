//! Writing: items, flags, removals. Nothing is ever half there: an item's file is written under a name that is no item's and
//! made durable; then what is known of it is added to the folder's file and made durable; then it is renamed. So an item that
//! is there has its date and flags, and a line about one that is not there says nothing.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use connector::{Batch, BatchItem, Effect, Error, FlagChange, ItemOutcome, Outcome, Removal};
use model::{Cause, Flags, FolderPath, ItemId, Scope};
use rustix::fs::{FlockOperation, flock};

use super::list::look;
use super::{OURS, Tree, blocking, missing};
use crate::map::failed;
use crate::wire::side_file::{self, ITEMS, ItemLine};

/// The file that whoever changes a tree locks. The lock ends with its process.
const LOCK: &str = ".whimbrel-lock";
/// How long to wait for another process that is changing the tree.
const LOCK_WAIT: Duration = Duration::from_secs(10);
/// How often to look meanwhile.
const LOCK_POLL: Duration = Duration::from_millis(20);
/// A file with more than twice as many lines as items, and so many besides, is written anew.
const LINES_SPARE: usize = 1000;
/// New files and folders are this user's own.
pub(super) const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;

/// What a stop left behind is taken away when it is so old: whoever wrote it is gone.
const LEFT_SECONDS: i64 = 3600;

/// Where an item is written before it has its place.
fn staged_at(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{OURS}tmp-{name}.part"))
}

/// An item that is written, but not at its place.
struct Staged {
    tmp: PathBuf,
    name: String,
    line: ItemLine,
}

impl Tree {
    /// Keeps other processes from changing the files beside items.
    pub(super) async fn lock(&self) -> io::Result<File> {
        let (root, clock) = (self.root.clone(), self.clock.clone());
        blocking(move || {
            make_directory(&root)?;
            let lock = OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(root.join(LOCK))?;
            let began = clock.since_boot();
            loop {
                match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                    Ok(()) => return Ok(lock),
                    Err(rustix::io::Errno::WOULDBLOCK) if clock.since_boot() - began < LOCK_WAIT => {}
                    Err(error) => return Err(error.into()),
                }
                std::thread::sleep(LOCK_POLL);
            }
        })
        .await
    }

    /// Adds lines about items to a folder's file.
    async fn note(&self, directory: &Path, lines: Vec<ItemLine>, effect: Effect) -> Result<(), Noted> {
        let lock = self.lock().await.map_err(Noted::Failed)?;
        self.door.before(effect).map_err(Noted::Shut)?;
        let directory = directory.to_owned();
        blocking(move || append(&directory, lines)).await.map_err(Noted::Failed)?;
        self.door.after(effect);
        drop(lock);
        Ok(())
    }

    /// Writes a batch: all items to the disk, what is known of them, then each to its place.
    pub(super) async fn write(&mut self, mut batch: Batch) -> Result<Outcome, Error> {
        let path = batch.folder.clone();
        let directory = self.directory(&path).await.map_err(missing)?;
        let refused =
            |error: Error, count: usize| Outcome { items: vec![ItemOutcome::Refused(error); count], validity: None };
        if !look(&directory).is_ok_and(|inside| inside.holds_items()) {
            let what = format!("there is no folder {:?}", path.to_string());
            return Ok(refused(Error::new(Cause::Missing, Scope::Folder, what), batch.items.len()));
        }
        if self.swept.insert(directory.clone()) {
            let (directory, now) = (directory.clone(), self.clock.unix_seconds());
            let swept = blocking(move || sweep(&directory, now)).await;
            swept.map_err(|error| failed(Scope::Folder, "take away what a stop left behind", &path, &error))?;
        }
        let mut staged = Vec::new();
        for item in &batch.items {
            self.door.before(Effect::FileWrite).inspect_err(|_| discard(&staged))?;
            staged.push(self.stage(&directory, &path, item).await);
            self.door.after(Effect::FileWrite);
        }
        let synced = sync(&directory).await;
        batch.ready.wait().await.inspect_err(|_| discard(&staged))?;
        let lines = staged.iter().flatten().map(|staged| staged.line.clone()).collect();
        let noted = match synced {
            Ok(()) => self.note(&directory, lines, Effect::FileWrite).await,
            Err(error) => Err(Noted::Failed(error)),
        };
        let noted = match noted {
            Err(Noted::Shut(error)) => {
                discard(&staged);
                return Err(error);
            }
            Err(Noted::Failed(error)) => Err(failed(Scope::Item, "write items to the disk", &path, &error)),
            Ok(()) => Ok(()),
        };
        let mut items = Vec::new();
        for entry in &staged {
            items.push(match (&noted, entry) {
                (_, Err(error)) => ItemOutcome::Refused(error.clone()),
                (Err(error), Ok(_)) => ItemOutcome::Refused(error.clone()),
                (Ok(()), Ok(one)) => self.place(&directory, &path, one).await.inspect_err(|_| discard(&staged))?,
            });
        }
        if noted.is_err() {
            discard(&staged);
        }
        if let Err(error) = sync(&directory).await {
            return Err(failed(Scope::Mailbox, "write to the disk", &path, &error));
        }
        Ok(Outcome { items, validity: None })
    }

    /// Writes an item under a name that is no item's.
    async fn stage(&self, directory: &Path, path: &FolderPath, item: &BatchItem) -> Result<Staged, Error> {
        let (second, number) = self.names.next(self.clock.unix_seconds());
        let name = format!("{second}.M{number:06}P{}_{}.eml", std::process::id(), self.unique);
        let tmp = staged_at(directory, &name);
        if let Err(error) = write_body(&tmp, item).await {
            let _ = std::fs::remove_file(&tmp);
            return Err(failed_or(error, "write an item", path));
        }
        let line = ItemLine::new(&name, item.received, &item.flags, true);
        Ok(Staged { tmp, name, line })
    }

    /// Gives a staged item its place.
    async fn place(&self, directory: &Path, path: &FolderPath, staged: &Staged) -> Result<ItemOutcome, Error> {
        self.door.before(Effect::FileRename)?;
        let (from, to) = (staged.tmp.clone(), directory.join(&staged.name));
        let renamed = blocking(move || {
            // Names are ours alone; should one come again, what has it stays.
            if to.symlink_metadata().is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            std::fs::rename(from, to)
        });
        let renamed = renamed.await;
        self.door.after(Effect::FileRename);
        Ok(match renamed {
            Ok(()) => ItemOutcome::Stored(Some(ItemId::new(staged.name.as_bytes()))),
            Err(error) => {
                let _ = std::fs::remove_file(&staged.tmp);
                ItemOutcome::Refused(failed(Scope::Item, "place an item", path, &error))
            }
        })
    }

    pub(super) async fn write_flags(
        &mut self,
        path: &FolderPath,
        changes: &[FlagChange],
    ) -> Result<Vec<Option<Flags>>, Error> {
        let directory = self.directory(path).await.map_err(missing)?;
        let listed = self.scan(path).await?;
        let (mut results, mut lines) = (Vec::new(), Vec::new());
        let mut now: std::collections::HashMap<&ItemId, Flags> = std::collections::HashMap::new();
        for change in changes {
            let Ok(place) = listed.binary_search_by(|item| item.id.cmp(&change.id)) else {
                results.push(None);
                continue;
            };
            let item = &listed[place];
            let flags = now.entry(&item.id).or_insert_with(|| item.flags.clone());
            let before = flags.clone();
            *flags = flags.without(&change.take).union(&change.add);
            if *flags != before {
                lines.push(ItemLine::new(&item.file, item.received, flags, item.is_wire));
            }
            results.push(Some(flags.clone()));
        }
        if !lines.is_empty() {
            let noted = self.note(&directory, lines, Effect::Flags).await;
            noted.map_err(|error| failed_or(error, "change flags", path).reaching(Scope::Mailbox))?;
        }
        Ok(results)
    }

    pub(super) async fn unlink(&mut self, path: &FolderPath, ids: &[ItemId]) -> Result<Vec<Removal>, Error> {
        let directory = self.directory(path).await.map_err(missing)?;
        let listed = self.scan(path).await?;
        let mut results = Vec::new();
        for id in ids {
            self.door.before(Effect::Remove)?;
            // Only what is listed: an id is a name, and must not lead elsewhere.
            if let Some(item) = listed.iter().find(|item| item.id == *id) {
                let file = directory.join(&item.file);
                let removed = blocking(move || match std::fs::remove_file(file) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    removed => removed,
                });
                removed.await.map_err(|error| failed(Scope::Mailbox, "remove an item", path, &error))?;
            }
            self.door.after(Effect::Remove);
            results.push(Removal::Gone);
        }
        Ok(results)
    }
}

/// Why nothing was noted, or an item not written.
pub(super) enum Noted {
    Failed(io::Error),
    Shut(Error),
}

pub(super) fn failed_or(error: Noted, what: &str, path: &FolderPath) -> Error {
    match error {
        Noted::Failed(error) => failed(Scope::Item, what, path, &error),
        Noted::Shut(error) => error,
    }
}

/// Writes a body to a new file as it travels, with its date.
async fn write_body(tmp: &Path, item: &BatchItem) -> Result<(), Noted> {
    let received = item.received.map(|at| at.unix_seconds);
    let tmp = tmp.to_owned();
    let create = move || OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(tmp);
    let mut file = blocking(create).await.map_err(Noted::Failed)?;
    let mut reader = item.body.reader();
    while let Some(piece) = reader.next().await.map_err(Noted::Shut)? {
        let written = blocking(move || file.write_all(&piece).map(|()| file));
        file = written.await.map_err(Noted::Failed)?;
    }
    blocking(move || finish(&file, received)).await.map_err(Noted::Failed)
}

/// Adds lines to a folder's file, durably; writes it anew where most of it is out of date.
fn append(directory: &Path, lines: Vec<ItemLine>) -> io::Result<()> {
    let (mut known, count) = side_file::items(directory)?;
    if count > 2 * known.len() + LINES_SPARE {
        known.extend(lines.into_iter().map(|line| (line.file.clone(), line)));
        let items = look(directory)?.items;
        let is_there = |file: &String| items.contains(file) || staged_at(directory, file).exists();
        let mut kept: Vec<ItemLine> = known.into_values().filter(|line| is_there(&line.file)).collect();
        kept.sort_unstable_by(|a, b| a.file.cmp(&b.file));
        return replace(directory, ITEMS, &side_file::lines(kept)?);
    }
    let mut file =
        OpenOptions::new().read(true).append(true).create(true).mode(FILE_MODE).open(directory.join(ITEMS))?;
    let mut text = side_file::lines(lines)?;
    // What was being written when the machine stopped has no line end; what follows must not become a part of it.
    if file.seek(SeekFrom::End(0))? > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            text.insert(0, '\n');
        }
    }
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

/// Writes a small file in place of the one there. Under the lock.
pub(super) fn replace(directory: &Path, name: &str, text: &str) -> io::Result<()> {
    let tmp = directory.join(format!("{OURS}new-{name}"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(&tmp)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()?;
    std::fs::rename(tmp, directory.join(name))?;
    File::open(directory)?.sync_all()
}

/// Makes a directory and those above it that are not there.
pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path)
}

/// Takes staged items away again, as far as they are not at their place.
fn discard(staged: &[Result<Staged, Error>]) {
    for staged in staged.iter().flatten() {
        let _ = std::fs::remove_file(&staged.tmp);
    }
}

/// Takes away what a process that was stopped had not yet given a place.
fn sweep(directory: &Path, now: i64) -> io::Result<()> {
    let begin = format!("{OURS}tmp-");
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        // Not the time of change, which is the item's date already.
        if entry.file_name().to_string_lossy().starts_with(&begin) && now - entry.metadata()?.ctime() > LEFT_SECONDS {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The date of a new file.
fn finish(file: &File, received: Option<i64>) -> io::Result<()> {
    let Some(seconds) = received else { return Ok(()) };
    let age = Duration::from_secs(seconds.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    let at = if seconds < 0 { epoch.checked_sub(age) } else { epoch.checked_add(age) };
    file.set_modified(at.ok_or_else(|| io::Error::other("the date is out of range"))?)
}

/// Makes what was written to a directory durable: one call for a whole batch.
async fn sync(directory: &Path) -> io::Result<()> {
    let directory = directory.to_owned();
    blocking(move || {
        let directory = File::open(directory)?;
        rustix::fs::syncfs(&directory)?;
        Ok(())
    })
    .await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "test code")]

    use super::*;

    fn line(file: &str, flag: &str) -> ItemLine {
        ItemLine::new(file, None, &Flags::of([flag]), true)
    }

    #[test]
    fn what_a_stop_left_half_written_spoils_nothing() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(ITEMS), "{\"file\":\"a.eml\",\"fl").unwrap();
        append(folder.path(), vec![line("b.eml", "\\Seen")]).unwrap();
        append(folder.path(), vec![line("b.eml", "\\Draft")]).unwrap();
        let (known, count) = side_file::items(folder.path()).unwrap();
        assert_eq!((known.len(), count), (1, 3));
        assert_eq!(known["b.eml"].all_flags(), Flags::of(["\\Draft"]));
    }

    #[test]
    fn what_a_stop_left_behind_goes_once_it_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let left = staged_at(folder.path(), "a.eml");
        std::fs::write(&left, "").unwrap();
        let now = left.metadata().unwrap().ctime();
        sweep(folder.path(), now + LEFT_SECONDS).unwrap();
        assert!(left.exists());
        sweep(folder.path(), now + LEFT_SECONDS + 1).unwrap();
        assert!(!left.exists());
    }

    #[test]
    fn a_file_of_many_changes_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.eml", ".whimbrel-tmp-c.eml.part"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let changes = (0..1200).map(|number| line("a.eml", &format!("k{number}")));
        append(folder.path(), changes.chain([line("gone.eml", "\\Seen")]).collect()).unwrap();
        append(folder.path(), vec![line("c.eml", "\\Seen")]).unwrap();
        let (known, count) = side_file::items(folder.path()).unwrap();
        assert_eq!((known.len(), count), (2, 2), "what is on its way is kept");
        assert_eq!(known["a.eml"].all_flags(), Flags::of(["k1199"]));
    }
}
