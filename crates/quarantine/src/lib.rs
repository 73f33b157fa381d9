//! The quarantine: originals that did not travel as they were, since a rule took something out of them or left them
//! behind.
//!
//! A folder of files, one for each original, encrypted and found by the original's digest. What a rule changes is kept
//! here *first*, so that nothing is ever lost to a rule. Invariants:
//! * Without the key nobody learns what is kept: neither the bytes nor, from names, whether some known content is there
//!   (`key.rs`). Lengths can be seen.
//! * [`Quarantine::keep`] says yes only once the file is whole and durable under its name. A stop leaves at most a file
//!   that is not finished, which no one takes for an item.
//! * [`Quarantine::export`] writes only what is proved to be, byte for byte, what was kept (`form.rs`).
//! * A key is never made for a folder that is in use.
//! * Nothing is removed unless [`Quarantine::forget`] is asked to.
//!
//! It knows nothing of rules, mailboxes or the ledger: who keeps what and why is written down elsewhere, by digest.

mod files;
mod form;
mod key;

use std::io::{self, ErrorKind, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use connector::{Body, Error};
use files::Entry;
use form::{Flaw, Opened, Sealing};
use key::{Keys, Name};
use model::{Cause, Digest, Scope};
use tempfile::NamedTempFile;

/// A file that is not finished and was not written to for this long has no writer any more.
const UNFINISHED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// How many items are tried before a key counts as another one, where the folder does not say which is its key.
const TRIED_MAX: usize = 100;
/// How many files a check names; it counts all.
const NAMED_MAX: usize = 100;

/// A quarantine. Clones are the same one. Several processes may use one folder at a time.
#[derive(Clone, Debug)]
pub struct Quarantine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    keys: Keys,
}

/// What [`Quarantine::check`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Items that are byte for byte what was kept.
    pub good: u64,
    /// Items that can't be read back.
    pub damaged: Files,
    /// What lies in the folder and is none of ours.
    pub foreign: Files,
}

/// Some files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// How many.
    pub count: u64,
    /// The first hundred.
    pub first: Vec<PathBuf>,
}

impl Files {
    fn add(&mut self, path: PathBuf) {
        self.count += 1;
        if self.first.len() < NAMED_MAX {
            self.first.push(path);
        }
    }
}

impl Quarantine {
    /// Opens the quarantine in this folder, under the key in this file. The folder and the key are made on first use; the
    /// folder that the key is to lie in must be there. Removes what stopped writers left unfinished a day ago or more.
    pub async fn open(folder: &Path, key_file: &Path) -> Result<Self, Error> {
        let (folder, key_file) = (folder.to_owned(), key_file.to_owned());
        blocking(move || Inner::open(folder, &key_file)).await.map(|inner| Self(Arc::new(inner)))
    }

    /// Opens the quarantine that somebody else began in this folder, under its key: where several machines work, all of them keep
    /// what they take out in one place. Where the folder is not there, or was begun with another key, it is refused: a folder of this
    /// machine alone would be of no use to anybody.
    pub async fn join(folder: &Path, key: &[u8]) -> Result<Self, Error> {
        let (folder, key) = (folder.to_owned(), <[u8; keyfile::KEY_BYTES]>::try_from(key));
        blocking(move || {
            let key = key.map_err(|_| refused("the key of the quarantine is damaged".to_owned()))?;
            let inner = Inner { folder, keys: Keys::of(key) };
            match std::fs::read_to_string(inner.folder.join(files::KEY_ID)) {
                Ok(id) if id.trim_end() == inner.keys.id() => Ok(Self(Arc::new(inner))),
                Ok(_) => Err(refused(format!("{} was begun with another key", inner.folder.display()))),
                Err(error) => Err(refused(format!(
                    "the quarantine {} can't be reached from here: {error}; mount it at this path",
                    inner.folder.display()
                ))),
            }
        })
        .await
    }

    /// Keeps an original. Once this returns it is whole and durable. False if it was there already; one that is seen to
    /// be damaged is written anew.
    pub async fn keep(&self, original: Digest, body: &Body) -> Result<bool, Error> {
        let inner = self.0.clone();
        let Some(mut sealing) = blocking(move || inner.begin(&original)).await? else { return Ok(false) };
        let mut reader = body.reader();
        while let Some(piece) = reader.next().await? {
            let inner = self.0.clone();
            sealing = blocking(move || match sealing.write(&piece) {
                Ok(()) => Ok(sealing),
                Err(error) => Err(inner.cannot_keep(&original, &error)),
            })
            .await?;
        }
        let inner = self.0.clone();
        blocking(move || inner.end(sealing, &original)).await.map(|()| true)
    }

    /// Writes an original out again. Nothing is written unless all of it is what was kept.
    pub async fn export(&self, original: &Digest, out: &mut (impl Write + Send)) -> Result<(), Error> {
        let (inner, original) = (self.0.clone(), *original);
        let item = blocking(move || inner.whole(&original)).await?;
        let item = Arc::new(item);
        let unwritable = |error: io::Error| {
            let what =
                format!("the original {original} cannot be written out: {error}; what came out of it is not whole");
            Error::new(Cause::LocalFile, Scope::Item, what)
        };
        for number in 0..item.frames() {
            let (inner, item) = (self.0.clone(), item.clone());
            let frame =
                blocking(move || item.frame(number).map_err(|flaw| inner.cannot_read(&original, &flaw))).await?;
            out.write_all(&frame).map_err(unwritable)?;
        }
        out.flush().map_err(unwritable)
    }

    /// Is this original kept? One that is seen to be damaged is not. This reads little; [`Self::check`] reads all.
    pub async fn holds(&self, original: &Digest) -> Result<bool, Error> {
        let (inner, original) = (self.0.clone(), *original);
        blocking(move || match inner.opened(&original).and_then(|item| item.prove_end()) {
            Ok(()) => Ok(true),
            Err(Flaw::Io(error)) if error.kind() != ErrorKind::NotFound => {
                Err(inner.cannot_read(&original, &Flaw::Io(error)))
            }
            Err(_) => Ok(false),
        })
        .await
    }

    /// Reads all that is kept and says what is good, what is damaged and what is not ours.
    pub async fn check(&self) -> Result<Checked, Error> {
        let inner = self.0.clone();
        blocking(move || inner.check()).await
    }

    /// Removes an original for good. False if it was not there. Not while anyone may be keeping the same one.
    pub async fn forget(&self, original: &Digest) -> Result<bool, Error> {
        let (inner, original) = (self.0.clone(), *original);
        blocking(move || {
            let path = inner.path_of(&original);
            let removed = match std::fs::remove_file(&path) {
                Ok(()) => files::sync(files::folder_of(&path)).map(|()| true),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
                Err(error) => Err(error),
            };
            removed.map_err(|error| {
                let what = format!("the original {original} cannot be removed from {}: {error}", path.display());
                Error::new(Cause::LocalFile, Scope::Item, what)
            })
        })
        .await
    }
}

impl Inner {
    fn open(folder: PathBuf, key_file: &Path) -> Result<Self, Error> {
        let unusable = |error: io::Error| {
            refused(format!("the folder of the quarantine, {}, cannot be used: {error}", folder.display()))
        };
        files::make_folder(&folder).map_err(unusable)?;
        let key_folder = files::folder_of(key_file);
        if let Ok(key_folder) = key_folder.canonicalize()
            && key_folder.starts_with(folder.canonicalize().map_err(unusable)?)
        {
            return Err(refused(format!(
                "the key {} would lie in the quarantine {} that it locks, and be in every copy of it: put it elsewhere",
                key_file.display(),
                folder.display()
            )));
        }
        let keys = match Keys::read(key_file)? {
            Some(keys) => keys,
            None if is_in_use(&folder).map_err(unusable)? => {
                // Perhaps another process began the quarantine in between, and made the key.
                Keys::read(key_file)?.ok_or_else(|| {
                    refused(format!(
                        "the key {} is missing, and the quarantine {} is in use: without this very key nothing in it can \
                         be read. No new one was made. Bring the key back from its backup, or give the right path",
                        key_file.display(),
                        folder.display()
                    ))
                })?
            }
            None => Keys::make(key_file)?,
        };
        let inner = Self { folder, keys };
        inner.prove_key(key_file)?;
        inner.remove_unfinished().map_err(|error| inner.cannot_list(&error))?;
        Ok(inner)
    }

    /// Proves that the key is the one that the folder was begun with, or begins the folder with it.
    fn prove_key(&self, key_file: &Path) -> Result<(), Error> {
        let path = self.folder.join(files::KEY_ID);
        let said = || std::fs::read_to_string(&path);
        let mut found = said();
        if found.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            // A new folder, or one of which the items alone were brought back.
            if self.opens_none().map_err(|error| self.cannot_list(&error))? {
                return Err(self.another_key(key_file));
            }
            let made = files::make_once(&path, format!("{}\n", self.keys.id()).as_bytes());
            made.map_err(|error| refused(format!("{} cannot be written: {error}", path.display())))?;
            found = said();
        }
        match found {
            Ok(id) if id.trim_end() == self.keys.id() => Ok(()),
            Ok(_) => Err(self.another_key(key_file)),
            Err(error) if error.kind() == ErrorKind::InvalidData => Err(self.another_key(key_file)),
            Err(error) => Err(refused(format!("{} cannot be read: {error}", path.display()))),
        }
    }

    fn another_key(&self, key_file: &Path) -> Error {
        refused(format!(
            "{} is not the key of the quarantine {}: nothing was read or written. Give the file with the right key. If it \
             is the right one, {} in that folder is damaged: remove it, and it is made anew once an item opens",
            key_file.display(),
            self.folder.display(),
            files::KEY_ID
        ))
    }

    /// Are there items, none of which opens? A few are tried, since some may be damaged.
    fn opens_none(&self) -> io::Result<bool> {
        let (mut tried, mut opened) = (0, false);
        files::walk(&self.folder, |entry| {
            if let Entry::Item(name, path) = entry {
                tried += 1;
                opened = Opened::open(&path, &self.keys, name).and_then(|item| item.prove_end()).is_ok();
            }
            if opened || tried == TRIED_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(tried > 0 && !opened)
    }

    fn remove_unfinished(&self) -> io::Result<()> {
        let mut left = Vec::new();
        files::walk(&self.folder, |entry| {
            // They lie beside the subfolders and are shown first.
            match entry {
                Entry::Unfinished(path) => left.push(path),
                Entry::Foreign(_) => {}
                Entry::Item(..) => return ControlFlow::Break(()),
            }
            ControlFlow::Continue(())
        })?;
        for path in left {
            let is_old = |modified: SystemTime| modified.elapsed().is_ok_and(|age| age >= UNFINISHED_FOR);
            match path.metadata().and_then(|facts| facts.modified()) {
                Ok(modified) if is_old(modified) => std::fs::remove_file(&path).or_else(gone_is_fine)?,
                Ok(_) => {}
                Err(error) => gone_is_fine(error)?,
            }
        }
        Ok(())
    }

    fn path_of(&self, original: &Digest) -> PathBuf {
        files::path_of(&self.folder, &self.keys.name(original))
    }

    fn opened(&self, original: &Digest) -> Result<Opened, Flaw> {
        Opened::open(&self.path_of(original), &self.keys, self.keys.name(original))
    }

    fn whole(&self, original: &Digest) -> Result<Opened, Error> {
        let proved = self.opened(original).and_then(|item| item.prove_all(&self.keys).map(|()| item));
        proved.map_err(|flaw| self.cannot_read(original, &flaw))
    }

    /// Begins to keep an original; none if it is there.
    fn begin(&self, original: &Digest) -> Result<Option<Sealing<NamedTempFile>>, Error> {
        let path = self.path_of(original);
        let begun = || {
            if self.opened(original).and_then(|item| item.prove_end()).is_ok() {
                // Whoever wrote it may not have come to make its name durable.
                self.sync(&path)?;
                return Ok(None);
            }
            let file = files::unfinished_in(&self.folder)?;
            Sealing::begin(file, &self.keys, self.keys.name(original)).map(Some)
        };
        begun().map_err(|error| self.cannot_keep(original, &error))
    }

    fn end(&self, sealing: Sealing<NamedTempFile>, original: &Digest) -> Result<(), Error> {
        let path = self.path_of(original);
        let cannot = |error: &io::Error| self.cannot_keep(original, error);
        let (file, digest) = sealing.finish().map_err(|error| cannot(&error))?;
        if digest != *original {
            let what = format!("an item that was to be kept as {original} is {digest}: it was not kept");
            return Err(Error::new(Cause::Internal, Scope::Item, what));
        }
        let ended = || {
            file.as_file().sync_all()?;
            files::make_folder(files::folder_of(&path))?;
            file.persist(&path).map_err(|failed| failed.error)?;
            self.sync(&path)
        };
        ended().map_err(|error| cannot(&error))
    }

    /// Makes the name of an item durable, and that of its subfolder.
    fn sync(&self, path: &Path) -> io::Result<()> {
        files::sync(files::folder_of(path))?;
        files::sync(&self.folder)
    }

    fn check(&self) -> Result<Checked, Error> {
        let mut checked = Checked::default();
        let walked = files::walk(&self.folder, |entry| {
            match entry {
                Entry::Item(name, path) => match self.prove(name, &path) {
                    Ok(()) => checked.good += 1,
                    // It was removed in between.
                    Err(Flaw::Io(error)) if error.kind() == ErrorKind::NotFound => {}
                    Err(_) => checked.damaged.add(path),
                },
                Entry::Unfinished(_) => {}
                Entry::Foreign(path) => checked.foreign.add(path),
            }
            ControlFlow::Continue(())
        });
        walked.map(|()| checked).map_err(|error| self.cannot_list(&error))
    }

    fn prove(&self, name: Name, path: &Path) -> Result<(), Flaw> {
        Opened::open(path, &self.keys, name)?.prove_all(&self.keys)
    }

    fn cannot_list(&self, error: &io::Error) -> Error {
        refused(format!("the folder of the quarantine, {}, cannot be read: {error}", self.folder.display()))
    }

    fn cannot_keep(&self, original: &Digest, error: &io::Error) -> Error {
        let folder = self.folder.display();
        let what = format!(
            "the original {original} cannot be kept in the quarantine {folder}: {error}. Make room there, or give the \
             right to write"
        );
        Error::new(Cause::LocalFile, Scope::Item, what)
    }

    fn cannot_read(&self, original: &Digest, flaw: &Flaw) -> Error {
        let what = match flaw {
            Flaw::Io(error) if error.kind() == ErrorKind::NotFound => format!(
                "the original {original} is not in the quarantine {}: compare the digest with the report's",
                self.folder.display()
            ),
            _ => format!(
                "the original {original} cannot be read back from {}: {flaw}. Bring that file back from a backup, or take \
                 the item from its source",
                self.path_of(original).display()
            ),
        };
        Error::new(Cause::LocalFile, Scope::Item, what)
    }
}

/// Does the folder belong to a key already?
fn is_in_use(folder: &Path) -> io::Result<bool> {
    let mut in_use = folder.join(files::KEY_ID).exists();
    files::walk(folder, |entry| {
        in_use |= matches!(entry, Entry::Item(..));
        if in_use { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(in_use)
}

fn gone_is_fine(error: io::Error) -> io::Result<()> {
    if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn refused(what: String) -> Error {
    Error::new(Cause::LocalFile, Scope::Run, what)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    let stopped = |_| Error::new(Cause::Internal, Scope::Item, "the work on a file of the quarantine was stopped");
    tokio::task::spawn_blocking(work).await.map_err(stopped)?
}
