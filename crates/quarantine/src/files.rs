//! Files and folders of a quarantine: made durable, made once, and walked through.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

pub(crate) use keyfile::{folder_of, make_once};
use tempfile::NamedTempFile;

use crate::key::{Name, hex_digit};

const FOLDER_MODE: u32 = 0o700;
/// How the name of a file begins that is being written.
const UNFINISHED: &str = ".keeping-";
/// The file that says which key the folder was begun with.
pub(crate) const KEY_ID: &str = "key-id";

/// Makes a folder's entries durable.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes a folder, and those above it that are missing, durably.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
    let missing: Vec<&Path> = folder.ancestors().take_while(is_missing).collect();
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
    missing.into_iter().try_for_each(|made| sync(folder_of(made)))
}

/// A file to write an item to, in the quarantine's folder.
pub(crate) fn unfinished_in(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)
}

/// Where the item of this name lies.
pub(crate) fn path_of(folder: &Path, name: &Name) -> PathBuf {
    let name = name.to_string();
    let (subfolder, rest) = name.split_at(2);
    folder.join(subfolder).join(rest)
}

/// What lies in a quarantine's folder.
pub(crate) enum Entry {
    Item(Name, PathBuf),
    Unfinished(PathBuf),
    /// None of ours. Foreign folders are not looked into.
    Foreign(PathBuf),
}

/// Shows what lies in a quarantine's folder, until told to stop.
pub(crate) fn walk(folder: &Path, mut visit: impl FnMut(Entry) -> ControlFlow<()>) -> io::Result<()> {
    let mut subfolders = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (name, path) = (entry.file_name(), entry.path());
        let kind = match entry.file_type() {
            Ok(kind) => kind,
            // Some file systems must be asked for it, and a writer may have finished in between.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let name = name.to_str().unwrap_or_default();
        let found = match (kind.is_file(), kind.is_dir()) {
            (true, _) if name == KEY_ID => continue,
            (true, _) if name.starts_with(UNFINISHED) => Entry::Unfinished(path),
            (_, true) if name.len() == 2 && name.bytes().all(|digit| hex_digit(digit).is_some()) => {
                subfolders.push((name.to_owned(), path));
                continue;
            }
            _ => Entry::Foreign(path),
        };
        if visit(found).is_break() {
            return Ok(());
        }
    }
    for (start, subfolder) in subfolders {
        for entry in fs::read_dir(subfolder)? {
            let entry = entry?;
            let (is_file, rest, path) = (entry.file_type()?.is_file(), entry.file_name(), entry.path());
            let name = rest.to_str().and_then(|rest| Name::from_hex(&format!("{start}{rest}")));
            let found = match name {
                Some(name) if is_file => Entry::Item(name, path),
                _ => Entry::Foreign(path),
            };
            if visit(found).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}
