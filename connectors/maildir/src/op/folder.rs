//! Folders: made, followed or no longer, and removed when they hold nothing.
//!
//! A folder is removed by taking away `tmp`, `new` and `cur`, in that order and each only if it is empty, which the file
//! system decides: what is delivered meanwhile finds no `tmp` and is tried again by whoever delivers, or keeps `new` or
//! `cur`, and the folder with it. Indexes and keywords go only when all three are gone.

use std::fs::File;
use std::io;
use std::path::Path;

use connector::{Effect, Error, NewFolder};
use model::{Cause, FolderPath, Scope};

use super::write::{failed_or, make_directory};
use super::{Maildir, blocking};
use crate::map::failed;
use crate::wire::keywords::COURIER_FOLDER;
use crate::wire::{folder_name, subscriptions};

/// Where items lie, in the order in which they are taken away.
const PARTS: [&str; 3] = ["tmp", "new", "cur"];

impl Maildir {
    /// Makes a folder that is not there, and follows it if that is asked for.
    pub(super) async fn create_one(&mut self, new: &NewFolder) -> Result<(), Error> {
        let directory = self.directory(&new.path)?;
        let is_there = PARTS.iter().all(|part| directory.join(part).is_dir());
        if !is_there {
            self.door.before(Effect::Create)?;
            let is_inbox = new.path.is_inbox();
            let made = blocking(move || {
                for part in PARTS {
                    make_directory(&directory.join(part))?;
                }
                if !is_inbox {
                    File::create(directory.join("maildirfolder"))?;
                }
                Ok(())
            });
            made.await.map_err(|error| refused_folder(&new.path, &error))?;
            self.door.after(Effect::Create);
        }
        if new.subscribe { self.follow(&new.path, true).await } else { Ok(()) }
    }

    /// Follows a folder, or no longer.
    pub(super) async fn follow(&mut self, path: &FolderPath, subscribed: bool) -> Result<(), Error> {
        if subscribed && !self.directory(path)?.join("cur").is_dir() {
            let what = format!("there is no folder {:?} to follow", path.to_string());
            return Err(Error::new(Cause::Missing, Scope::Folder, what));
        }
        let mut followed = subscriptions::read(&self.root);
        let is_changed = if subscribed { followed.insert(path.clone()) } else { followed.remove(path) };
        if !is_changed {
            return Ok(());
        }
        let mut files = vec![(subscriptions::FILE, subscriptions::text(&followed))];
        // What Courier follows is read, too, so it is taken off there as well.
        let courier = if subscribed { None } else { subscriptions::courier_without(&self.root, path) };
        files.extend(courier.map(|text| (subscriptions::COURIER_FILE, text)));
        for (file, text) in files {
            let replaced = self.replace(&self.root.clone(), file, text, Effect::Subscribe).await;
            replaced.map_err(|error| failed_or(error, "write its subscription", path))?;
        }
        Ok(())
    }

    /// Removes a folder that holds nothing; false where it may hold something.
    pub(super) async fn remove_if_empty(&mut self, path: &FolderPath) -> Result<bool, Error> {
        if path.is_inbox() {
            return Ok(false);
        }
        let directory = self.directory(path)?;
        let looked = blocking({
            let (root, directory, path) = (self.root.clone(), directory.clone(), path.clone());
            move || Ok(may_hold_nothing(&root, &path)? && (!is_there(&directory) || is_empty(&directory)?))
        });
        if !looked.await.map_err(|error| failed(Scope::Folder, "look for what is left", path, &error))? {
            return Ok(false);
        }
        if is_there(&directory) {
            self.door.before(Effect::RemoveFolder)?;
            let removed = blocking(move || remove(&directory)).await;
            self.door.after(Effect::RemoveFolder);
            if !removed.map_err(|error| failed(Scope::Folder, "remove it", path, &error))? {
                return Ok(false);
            }
        }
        self.follow(path, false).await?;
        Ok(true)
    }
}

fn refused_folder(path: &FolderPath, error: &io::Error) -> Error {
    let error = failed(Scope::Folder, "make it", path, error);
    // A name that the file system does not take; anything else is not the name's fault.
    let is_name = matches!(error.cause, Cause::LocalFile);
    Error { cause: if is_name { Cause::FolderRefused } else { error.cause }, ..error }
}

/// Is no folder below this one, and is it at no other directory than where we look?
fn may_hold_nothing(root: &Path, path: &FolderPath) -> io::Result<bool> {
    let ours = folder_name::directory(path).ok().flatten();
    let entries = match std::fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        entries => entries?,
    };
    for entry in entries {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        let is_ours = ours.as_deref() == Some(name.as_ref());
        if !is_ours && folder_name::folder(&name).is_some_and(|other| other.names().starts_with(path.names())) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Is anything at this path, be it a link that leads nowhere?
fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Is nothing in this directory but indexes and keywords?
fn is_empty(directory: &Path) -> io::Result<bool> {
    if !directory.symlink_metadata()?.is_dir() {
        return Ok(false);
    }
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_part = PARTS.iter().any(|part| name == *part);
        if is_part && !(entry.file_type()?.is_dir() && std::fs::read_dir(entry.path())?.next().is_none()) {
            return Ok(false);
        }
        // A directory that we know nothing of may hold anything.
        if !is_part && entry.file_type()?.is_dir() && name != COURIER_FOLDER {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes a folder; false, and all is as it was, where something came into it.
fn remove(directory: &Path) -> io::Result<bool> {
    for (count, part) in PARTS.iter().enumerate() {
        match std::fs::remove_dir(directory.join(part)) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                for part in &PARTS[..count] {
                    make_directory(&directory.join(part))?;
                }
                return Ok(false);
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    std::fs::remove_dir_all(directory)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "test code")]

    use super::*;

    #[test]
    fn a_folder_into_which_something_comes_stays() {
        for part in PARTS {
            let folder = tempfile::tempdir().unwrap();
            let directory = folder.path().join(".a");
            for part in PARTS {
                make_directory(&directory.join(part)).unwrap();
            }
            std::fs::write(directory.join("dovecot-uidlist"), "3").unwrap();
            assert!(is_empty(&directory).unwrap());
            std::fs::write(directory.join(part).join("1.x"), "a: b\n\n").unwrap();
            assert!(!is_empty(&directory).unwrap());
            assert!(!remove(&directory).unwrap(), "it came after we looked");
            assert!(
                PARTS.iter().all(|part| directory.join(part).is_dir()) && directory.join("dovecot-uidlist").exists()
            );
            std::fs::remove_file(directory.join(part).join("1.x")).unwrap();
            // What was left of a removal that was stopped is removed, too.
            std::fs::remove_dir(directory.join("tmp")).unwrap();
            assert!(is_empty(&directory).unwrap() && remove(&directory).unwrap() && !directory.exists());
        }
    }

    #[test]
    fn what_may_be_something_else_keeps_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = FolderPath::new(["a&b"]);
        assert!(may_hold_nothing(folder.path(), &path).unwrap());
        assert!(may_hold_nothing(&folder.path().join("nothing there"), &path).unwrap());
        for name in [".a&-b", ".a&-b c", ".x", "a&-b"] {
            make_directory(&folder.path().join(name)).unwrap();
        }
        assert!(may_hold_nothing(folder.path(), &path).unwrap());
        for name in [".a&-b.c", ".a&b"] {
            make_directory(&folder.path().join(name)).unwrap();
            assert!(!may_hold_nothing(folder.path(), &path).unwrap(), "{name}");
            std::fs::remove_dir(folder.path().join(name)).unwrap();
        }
        make_directory(&folder.path().join(".x/private")).unwrap();
        assert!(!is_empty(&folder.path().join(".x")).unwrap());
        std::os::unix::fs::symlink(folder.path().join(".a&-b"), folder.path().join(".link")).unwrap();
        assert!(!is_empty(&folder.path().join(".link")).unwrap());
    }
}
