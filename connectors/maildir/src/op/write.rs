//! Writing: items, flags, removals. Nothing is ever half there: a file is written in `tmp`, made durable, and
//! renamed.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use connector::{Batch, BatchItem, Body, Effect, Error, FlagChange, ItemOutcome, Outcome, Removal};
use model::{Cause, Flags, FolderPath, ItemId, Scope};

use super::list::scan;
use super::{Maildir, blocking};
use crate::config::Keywords;
use crate::map::failed;
use crate::wire::item_name;
use crate::wire::keywords::{COURIER_FOLDER, DOVECOT_FILE, Letters};
use crate::wire::line_ends::{LineEnds, to_file};

/// How long to wait for another program that is changing the same small file.
const LOCK_WAIT: Duration = Duration::from_secs(10);
/// How often to look meanwhile.
const LOCK_POLL: Duration = Duration::from_millis(20);
/// New files and folders are this user's own.
const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;

/// An item that lies in `tmp`.
struct Staged {
    tmp: PathBuf,
    id: String,
    flags: Flags,
}

impl Maildir {
    /// Writes a small file in place of the one there, under the lock that Dovecot uses for it.
    pub(super) async fn replace(
        &self,
        folder: &Path,
        name: &str,
        text: String,
        effect: Effect,
    ) -> Result<(), Replaced> {
        let (lock, path) = (folder.join(format!("{name}.lock")), folder.join(name));
        let began = self.clock.since_boot();
        let mut file = loop {
            let opened = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&lock);
            match opened {
                Ok(file) => break file,
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(Replaced::Failed(error)),
                Err(error) if self.clock.since_boot() - began > LOCK_WAIT => return Err(Replaced::Failed(error)),
                Err(_) => tokio::time::sleep(LOCK_POLL).await,
            }
        };
        if let Err(error) = self.door.before(effect) {
            let _ = std::fs::remove_file(&lock);
            return Err(Replaced::Shut(error));
        }
        let written = blocking({
            let lock = lock.clone();
            move || {
                file.write_all(text.as_bytes())?;
                file.sync_data()?;
                std::fs::rename(&lock, &path)
            }
        });
        if let Err(error) = written.await {
            let _ = std::fs::remove_file(&lock);
            return Err(Replaced::Failed(error));
        }
        self.door.after(effect);
        Ok(())
    }

    /// Writes a batch: all items to `tmp`, to the disk, then each to its place.
    pub(super) async fn write(&mut self, mut batch: Batch) -> Result<Outcome, Error> {
        let path = batch.folder.clone();
        let directory = self.directory(&path)?;
        let refused =
            |error: Error, count: usize| Outcome { items: vec![ItemOutcome::Refused(error); count], validity: None };
        if !directory.join("tmp").is_dir() {
            let what = format!("there is no folder {:?}", path.to_string());
            return Ok(refused(Error::new(Cause::Missing, Scope::Folder, what), batch.items.len()));
        }
        let letters = match self.know_keywords(&directory, &path, &batch.items).await {
            Ok(letters) => letters,
            Err(error) if error.ends_session() => return Err(error),
            Err(error) => return Ok(refused(error, batch.items.len())),
        };
        let mut staged = Vec::new();
        for item in &batch.items {
            self.door.before(Effect::FileWrite)?;
            staged.push(self.stage(&directory, &path, item).await);
            self.door.after(Effect::FileWrite);
        }
        let synced = sync(&directory.join("tmp")).await;
        batch.ready.wait().await.inspect_err(|_| discard(&staged))?;
        let mut items = Vec::new();
        for entry in staged {
            items.push(match (&synced, entry) {
                (_, Err(error)) => ItemOutcome::Refused(error),
                (Err(error), Ok(staged)) => {
                    let _ = std::fs::remove_file(&staged.tmp);
                    ItemOutcome::Refused(failed(Scope::Item, "write an item to the disk", &path, error))
                }
                (Ok(()), Ok(staged)) => self.place(&directory, &path, &letters, staged).await?,
            });
        }
        if let Err(error) = sync(&directory.join("cur")).await {
            return Err(failed(Scope::Mailbox, "write to the disk", &path, &error));
        }
        Ok(Outcome { items, validity: None })
    }

    /// Gives letters to the keywords of these items, as far as there are letters.
    async fn know_keywords(&self, directory: &Path, path: &FolderPath, items: &[BatchItem]) -> Result<Letters, Error> {
        let flags = items.iter().map(|item| &item.flags);
        self.know(directory, path, flags).await
    }

    async fn know<'f>(
        &self,
        directory: &Path,
        path: &FolderPath,
        flags: impl Iterator<Item = &'f Flags>,
    ) -> Result<Letters, Error> {
        let mut letters = Letters::read(directory);
        if self.keywords == Keywords::Courier {
            return Ok(letters);
        }
        let mut is_new = false;
        for keyword in flags.flat_map(Flags::keywords) {
            is_new |= letters.add(keyword);
        }
        if is_new {
            let replaced = self.replace(directory, DOVECOT_FILE, letters.text(), Effect::FileRename).await;
            replaced.map_err(|error| failed_or(error, "write the keywords", path))?;
        }
        Ok(letters)
    }

    /// Writes an item to `tmp`.
    async fn stage(&self, directory: &Path, path: &FolderPath, item: &BatchItem) -> Result<Staged, Error> {
        let (second, number) = self.names.next(self.clock.unix_seconds());
        let name = format!("{second}.M{number:06}P{}_{}.whimbrel", std::process::id(), self.unique);
        let tmp = directory.join("tmp").join(&name);
        let wire_size = item.body.size_bytes();
        let written = self.write_body(&tmp, item).await;
        let file_size = match written {
            Ok(size) => size,
            Err(error) => {
                let _ = std::fs::remove_file(&tmp);
                return Err(failed_or(error, "write an item", path));
            }
        };
        let id = format!("{name},S={file_size},W={wire_size}");
        Ok(Staged { tmp, id, flags: item.flags.clone() })
    }

    /// Writes a body to a new file, in the form of files, with its date. The size of the file.
    async fn write_body(&self, tmp: &Path, item: &BatchItem) -> Result<u64, Replaced> {
        let received = item.received.map(|at| at.unix_seconds);
        let tmp = tmp.to_owned();
        let create = move || OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(tmp);
        if let Some(bytes) = item.body.in_memory() {
            let bytes = bytes.clone();
            let write = blocking(move || {
                let mut file = create()?;
                if LineEnds::of(&bytes).is_crlf_only() {
                    let (mut out, mut held) = (Vec::with_capacity(bytes.len()), false);
                    to_file(&bytes, &mut held, &mut out);
                    file.write_all(&out)?;
                } else {
                    file.write_all(&bytes)?;
                }
                finish(&file, received)
            });
            return write.await.map_err(Replaced::Failed);
        }
        let converts = line_ends(&item.body).await.map_err(Replaced::Shut)?.is_crlf_only();
        let mut file = blocking(create).await.map_err(Replaced::Failed)?;
        let (mut reader, mut held) = (item.body.reader(), false);
        while let Some(piece) = reader.next().await.map_err(Replaced::Shut)? {
            let written = blocking(move || {
                let mut held = held;
                if converts {
                    let mut out = Vec::with_capacity(piece.len());
                    to_file(&piece, &mut held, &mut out);
                    file.write_all(&out)?;
                } else {
                    file.write_all(&piece)?;
                }
                Ok((file, held))
            });
            (file, held) = written.await.map_err(Replaced::Failed)?;
        }
        blocking(move || finish(&file, received)).await.map_err(Replaced::Failed)
    }

    /// Gives a staged item its place.
    async fn place(
        &self,
        directory: &Path,
        path: &FolderPath,
        letters: &Letters,
        staged: Staged,
    ) -> Result<ItemOutcome, Error> {
        let number = |keyword: &str| match self.keywords {
            Keywords::Dovecot => letters.number(keyword),
            Keywords::Courier => None,
        };
        let name = format!("{}:2,{}", staged.id, item_name::letters(&staged.flags, number));
        if self.keywords == Keywords::Courier && !staged.flags.keywords().is_empty() {
            let written = self.write_courier(directory, &staged.id, &staged.flags).await;
            if let Err(error) = written {
                let error = failed_or(error, "write the keywords", path);
                return if error.ends_session() { Err(error) } else { Ok(ItemOutcome::Refused(error)) };
            }
        }
        self.door.before(Effect::FileRename)?;
        let (from, to) = (staged.tmp.clone(), directory.join("cur").join(name));
        let renamed = blocking(move || std::fs::rename(from, to)).await;
        self.door.after(Effect::FileRename);
        Ok(match renamed {
            Ok(()) => ItemOutcome::Stored(Some(ItemId::new(staged.id.as_bytes()))),
            Err(error) => {
                let _ = std::fs::remove_file(&staged.tmp);
                ItemOutcome::Refused(failed(Scope::Item, "place an item", path, &error))
            }
        })
    }

    /// Writes an item's keywords in Courier's way: a file of its own, a keyword a line.
    async fn write_courier(&self, directory: &Path, id: &str, flags: &Flags) -> Result<(), Replaced> {
        let (tmp, folder) = (directory.join("tmp").join(format!("{id}.keywords")), directory.join(COURIER_FOLDER));
        let text: String = flags.keywords().iter().map(|keyword| format!("{keyword}\n")).collect();
        let place = folder.join(id);
        self.door.before(Effect::FileRename).map_err(Replaced::Shut)?;
        let written = blocking(move || {
            make_directory(&folder)?;
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(&tmp)?;
            file.write_all(text.as_bytes())?;
            file.sync_data()?;
            std::fs::rename(tmp, place)
        });
        written.await.map_err(Replaced::Failed)?;
        self.door.after(Effect::FileRename);
        Ok(())
    }

    pub(super) async fn write_flags(
        &mut self,
        path: &FolderPath,
        changes: &[FlagChange],
    ) -> Result<Vec<Option<Flags>>, Error> {
        let directory = self.directory(path)?;
        let letters = self.know(&directory, path, changes.iter().map(|change| &change.add)).await?;
        let listed = self.scan(path).await?;
        let mut results = Vec::new();
        for change in changes {
            let Ok(place) = listed.binary_search_by(|item| item.id.cmp(&change.id)) else {
                results.push(None);
                continue;
            };
            let item = &listed[place];
            let flags = item.flags.without(&change.take).union(&change.add);
            let id = String::from_utf8_lossy(item.id.as_bytes()).into_owned();
            if self.keywords == Keywords::Courier && flags.keywords() != item.flags.keywords() {
                let written = self.write_courier(&directory, &id, &flags).await;
                written.map_err(|error| failed_or(error, "write the keywords", path))?;
            }
            let number = |keyword: &str| match self.keywords {
                Keywords::Dovecot => letters.number(keyword),
                Keywords::Courier => None,
            };
            let to = directory.join("cur").join(format!("{id}:2,{}", item_name::letters(&flags, number)));
            let from = directory.join(&item.file);
            self.door.before(Effect::Flags)?;
            let renamed = blocking(move || if from == to { Ok(()) } else { std::fs::rename(from, to) }).await;
            self.door.after(Effect::Flags);
            match renamed {
                Ok(()) => results.push(Some(flags)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => results.push(None),
                Err(error) => return Err(failed(Scope::Mailbox, "change flags", path, &error)),
            }
        }
        Ok(results)
    }

    pub(super) async fn unlink(&mut self, path: &FolderPath, ids: &[ItemId]) -> Result<Vec<Removal>, Error> {
        let directory = self.directory(path)?;
        let mut results = Vec::new();
        for id in ids {
            self.door.before(Effect::Remove)?;
            let (directory, id) = (directory.clone(), id.clone());
            let removed = blocking(move || {
                let Some(item) = scan(&directory)?.into_iter().find(|item| item.id == id) else { return Ok(()) };
                std::fs::remove_file(directory.join(item.file))
            });
            removed.await.map_err(|error| failed(Scope::Mailbox, "remove an item", path, &error))?;
            self.door.after(Effect::Remove);
            results.push(Removal::Gone);
        }
        Ok(results)
    }
}

/// Why a small file was not replaced, or an item not written.
pub(super) enum Replaced {
    Failed(io::Error),
    Shut(Error),
}

pub(super) fn failed_or(error: Replaced, what: &str, path: &FolderPath) -> Error {
    match error {
        Replaced::Failed(error) => failed(Scope::Item, what, path, &error),
        Replaced::Shut(error) => error,
    }
}

/// Makes a directory and those above it that are not there.
pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path)
}

/// Takes staged items away again.
fn discard(staged: &[Result<Staged, Error>]) {
    for staged in staged.iter().flatten() {
        let _ = std::fs::remove_file(&staged.tmp);
    }
}

/// The date of a new file, and its size.
fn finish(file: &File, received: Option<i64>) -> io::Result<u64> {
    if let Some(seconds) = received {
        let age = Duration::from_secs(seconds.unsigned_abs());
        let epoch = SystemTime::UNIX_EPOCH;
        let at = if seconds < 0 { epoch.checked_sub(age) } else { epoch.checked_add(age) };
        file.set_modified(at.ok_or_else(|| io::Error::other("the date is out of range"))?)?;
    }
    Ok(file.metadata()?.len())
}

async fn line_ends(body: &Body) -> Result<LineEnds, Error> {
    let (mut ends, mut reader) = (LineEnds::default(), body.reader());
    while let Some(piece) = reader.next().await? {
        ends.count(&piece);
    }
    Ok(ends)
}

/// Makes what was written below a directory durable: one call for a whole batch.
async fn sync(directory: &Path) -> io::Result<()> {
    let directory = directory.to_owned();
    blocking(move || {
        let directory = File::open(directory)?;
        rustix::fs::syncfs(&directory)?;
        Ok(())
    })
    .await
}
