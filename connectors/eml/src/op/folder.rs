//! Folders: made, followed or no longer, and removed when they hold nothing.
//!
//! What folders are for and which are followed stands in a file that is replaced as a whole. A folder's own file of items
//! makes it a folder even while it has no items; it goes only when nothing else is in the directory, and the file system has
//! the last word on that.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use connector::{Effect, Error, NewFolder};
use model::{Cause, FolderPath, Scope};

use super::list::{look, places};
use super::write::{FILE_MODE, make_directory, replace};
use super::{OURS, Tree, blocking};
use crate::map::failed;
use crate::wire::side_file::{self, About};

impl Tree {
    /// Makes a folder that is not there, says what it is for, and follows it if that is asked for.
    pub(super) async fn create_one(&mut self, new: &NewFolder) -> Result<(), Error> {
        let directory = self.directory(&new.path).await?;
        let is_there = directory.join(side_file::ITEMS).is_file();
        if !is_there {
            // Before the first folder is made the file of folders must be there: without it all count as followed.
            self.tell(&new.path, Effect::Create, |_| {}).await?;
            self.door.before(Effect::Create)?;
            let made = blocking(move || {
                make_directory(&directory)?;
                let items = directory.join(side_file::ITEMS);
                OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(items)?;
                Ok(())
            });
            made.await.map_err(|error| refused_folder(&new.path, &error))?;
            self.door.after(Effect::Create);
        }
        if new.special_use.is_none() && !new.subscribe {
            return Ok(());
        }
        let change = |about: &mut About| {
            about.special_use = about.special_use.or(new.special_use);
            about.subscribed |= new.subscribe;
        };
        self.tell(&new.path, Effect::Subscribe, change).await
    }

    /// Changes what is known of a folder, if it changes.
    async fn tell(&self, path: &FolderPath, effect: Effect, change: impl FnOnce(&mut About)) -> Result<(), Error> {
        let unwritten = |error| failed(Scope::Folder, "write what it is for and whether it is followed", path, &error);
        let lock = self.lock().await.map_err(unwritten)?;
        let root = self.root.clone();
        let known = blocking(move || match side_file::folders(&root)? {
            Some(known) => Ok((known, true)),
            None => Ok((as_shown(&root)?, false)),
        });
        let (mut known, is_written) = known.await.map_err(unwritten)?;
        let before = known.get(path).copied().unwrap_or_default();
        let mut now = before;
        change(&mut now);
        if now == before && is_written {
            return Ok(());
        }
        known.insert(path.clone(), now);
        self.door.before(effect)?;
        let root = self.root.clone();
        let replaced = blocking(move || {
            make_directory(&root)?;
            replace(&root, side_file::FOLDERS, &side_file::folders_text(&known)?)
        });
        replaced.await.map_err(unwritten)?;
        self.door.after(effect);
        drop(lock);
        Ok(())
    }

    /// Follows a folder, or no longer.
    pub(super) async fn follow(&mut self, path: &FolderPath, subscribed: bool) -> Result<(), Error> {
        if subscribed && !self.directory(path).await?.is_dir() {
            let what = format!("there is no folder {:?} to follow", path.to_string());
            return Err(Error::new(Cause::Missing, Scope::Folder, what));
        }
        self.tell(path, Effect::Subscribe, |about| about.subscribed = subscribed).await
    }

    /// Removes a folder that holds nothing; false where it may hold something.
    pub(super) async fn remove_if_empty(&mut self, path: &FolderPath) -> Result<bool, Error> {
        let directory = self.directory(path).await?;
        if path.is_inbox() || directory == self.root {
            return Ok(false);
        }
        if directory.symlink_metadata().is_ok() {
            let looked = blocking({
                let directory = directory.clone();
                move || is_empty(&directory)
            });
            if !looked.await.map_err(|error| failed(Scope::Folder, "look for what is left", path, &error))? {
                return Ok(false);
            }
            self.door.before(Effect::RemoveFolder)?;
            let root = self.root.clone();
            let removed = blocking(move || remove(&root, &directory)).await;
            self.door.after(Effect::RemoveFolder);
            if !removed.map_err(|error| failed(Scope::Folder, "remove it", path, &error))? {
                return Ok(false);
            }
        }
        if self.root.is_dir() {
            self.tell(path, Effect::Subscribe, |about| *about = About::default()).await?;
        }
        Ok(true)
    }
}

/// Of a tree where nobody wrote it down: all folders are followed, as programs show all of them.
fn as_shown(root: &Path) -> io::Result<BTreeMap<FolderPath, About>> {
    let about = About { special_use: None, subscribed: true };
    Ok(places(root)?.into_keys().map(|path| (path, about)).collect())
}

fn refused_folder(path: &FolderPath, error: &io::Error) -> Error {
    let error = failed(Scope::Folder, "make it", path, error);
    // A name that the file system does not take; anything else is not the name's fault.
    let is_name = matches!(error.cause, Cause::LocalFile);
    Error { cause: if is_name { Cause::FolderRefused } else { error.cause }, ..error }
}

/// Is nothing in this directory but our own files?
fn is_empty(directory: &Path) -> io::Result<bool> {
    if !directory.symlink_metadata()?.is_dir() {
        return Ok(false);
    }
    let inside = look(directory)?;
    Ok(inside.items.is_empty() && inside.directories.is_empty() && !inside.others)
}

/// Removes a folder, and directories above it that are no folders and hold nothing now; false where something came into it.
fn remove(root: &Path, directory: &Path) -> io::Result<bool> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(OURS) && name != side_file::ITEMS {
            std::fs::remove_file(entry.path())?;
        }
    }
    // The file of items last, and back again where something came: it is what makes the directory a folder.
    let (items, aside) = (directory.join(side_file::ITEMS), root.join(format!("{OURS}removing.jsonl")));
    let has_items = items.is_file();
    if has_items {
        std::fs::rename(&items, &aside)?;
    }
    match std::fs::remove_dir(directory) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            if has_items {
                std::fs::rename(&aside, &items)?;
            }
            return Ok(false);
        }
        Err(error) => return Err(error),
    }
    if has_items {
        std::fs::remove_file(aside)?;
    }
    let mut above = directory.parent();
    while let Some(directory) = above.filter(|above| above.starts_with(root) && *above != root) {
        if std::fs::remove_dir(directory).is_err() {
            break;
        }
        above = directory.parent();
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "test code")]

    use super::*;

    #[test]
    fn a_folder_into_which_something_comes_stays() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("a/b");
        make_directory(&directory).unwrap();
        std::fs::write(directory.join(side_file::ITEMS), "x").unwrap();
        std::fs::write(directory.join(".whimbrel-tmp-1"), "left by a stop").unwrap();
        assert!(is_empty(&directory).unwrap());
        for name in ["1.eml", "notes.txt", ".hidden"] {
            std::fs::write(directory.join(name), "a: b\n\n").unwrap();
            assert!(!is_empty(&directory).unwrap(), "{name}");
            assert!(!remove(root.path(), &directory).unwrap(), "it came after we looked");
            assert_eq!(std::fs::read(directory.join(side_file::ITEMS)).unwrap(), b"x");
            std::fs::remove_file(directory.join(name)).unwrap();
        }
        assert!(remove(root.path(), &directory).unwrap());
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0, "what only held it goes with it");
    }
}
