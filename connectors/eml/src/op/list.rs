//! Listing: folders, where they are, and the items of one.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use connector::Folder;
use model::{Flags, FolderPath, ItemId, ItemKind, ReceivedAt};

use crate::map::state;
use crate::wire::{folder_name, side_file};

/// What an item's file ends in, in any case.
const EML: &str = ".eml";
/// Directories within directories.
const DEPTH_MAX: usize = 64;

/// An item as a folder lists it.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) id: ItemId,
    pub(crate) flags: Flags,
    /// As the side file says.
    pub(crate) received: Option<ReceivedAt>,
    /// Its bytes are as they travel.
    pub(crate) is_wire: bool,
    /// Its file, in the folder.
    pub(crate) file: String,
}

/// What is in a directory.
#[derive(Debug, Default)]
pub(super) struct Inside {
    pub(super) items: Vec<String>,
    pub(super) directories: Vec<(String, PathBuf)>,
    /// Neither of these, nor ours.
    pub(super) others: bool,
    pub(super) has_side_file: bool,
}

impl Inside {
    /// Is it a folder of items, or are there only folders in it?
    pub(super) fn holds_items(&self) -> bool {
        self.has_side_file || !self.items.is_empty() || self.directories.is_empty()
    }
}

pub(super) fn look(directory: &Path) -> io::Result<Inside> {
    let mut inside = Inside::default();
    for entry in std::fs::read_dir(directory)? {
        let (path, name) = {
            let entry = entry?;
            (entry.path(), entry.file_name())
        };
        let Some(name) = name.to_str() else {
            return Err(io::Error::other(format!("the name of {} is not UTF-8: rename it", path.display())));
        };
        if name.starts_with('.') {
            inside.has_side_file |= name == side_file::ITEMS;
            inside.others |= !name.starts_with(super::OURS);
            continue;
        }
        let facts = match std::fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue, // gone meanwhile, or a link to nothing
            facts => facts?,
        };
        let is_eml = name.len() > EML.len()
            && name.get(name.len() - EML.len()..).is_some_and(|end| end.eq_ignore_ascii_case(EML));
        if facts.is_dir() {
            inside.directories.push((name.to_owned(), path));
        } else if is_eml && facts.is_file() {
            inside.items.push(name.to_owned());
        } else {
            inside.others = true;
        }
    }
    Ok(inside)
}

/// Every folder with its directory, and whether it holds items. Nothing when there is no directory.
pub(super) fn places(root: &Path) -> io::Result<BTreeMap<FolderPath, (PathBuf, bool)>> {
    let mut places = BTreeMap::new();
    match look(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        inside => {
            let inside = inside?;
            // Files that lie in no folder are those of the INBOX.
            if !inside.items.is_empty() || inside.has_side_file {
                places.insert(FolderPath::inbox(), (root.to_owned(), true));
            }
            walk(inside, &mut Vec::new(), &mut places)?;
        }
    }
    Ok(places)
}

fn walk(inside: Inside, names: &mut Vec<String>, places: &mut BTreeMap<FolderPath, (PathBuf, bool)>) -> io::Result<()> {
    for (name, directory) in inside.directories {
        if names.len() > DEPTH_MAX {
            return Err(io::Error::other(format!("{} lies too deep, or a link leads back", directory.display())));
        }
        names.push(folder_name::decode(&name));
        let inside = look(&directory)?;
        let path = FolderPath::new(names.iter().cloned());
        if let Some((known, _)) = places.insert(path, (directory.clone(), inside.holds_items())) {
            let what =
                format!("{} and {} are one and the same folder: rename one", known.display(), directory.display());
            return Err(io::Error::other(what));
        }
        walk(inside, names, places)?;
        names.pop();
    }
    Ok(())
}

/// The directory of a folder, whether it is there or not; an error of the kind `InvalidFilename` where it can't be.
pub(super) fn place(root: &Path, path: &FolderPath) -> io::Result<PathBuf> {
    if path.is_inbox() && !root.join("INBOX").is_dir() {
        match look(root) {
            Ok(inside) if !inside.items.is_empty() || inside.has_side_file => return Ok(root.to_owned()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let mut place = root.to_owned();
    for (depth, name) in path.names().iter().enumerate() {
        let encoded = folder_name::encode(name).map_err(|why| io::Error::new(io::ErrorKind::InvalidFilename, why))?;
        let usual = place.join(encoded);
        place = if usual.is_dir() { usual } else { otherwise(&place, &path.names()[..=depth])?.unwrap_or(usual) };
    }
    Ok(place)
}

/// A directory that another program made: its name may be written otherwise than we would.
fn otherwise(above: &Path, names: &[String]) -> io::Result<Option<PathBuf>> {
    let entries = match std::fs::read_dir(above) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    let wanted = FolderPath::new(names.iter().cloned());
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || !entry.path().is_dir() {
            continue;
        }
        let mut names = names.to_vec();
        if let Some(last) = names.last_mut() {
            *last = folder_name::decode(&name);
        }
        if FolderPath::new(names) == wanted {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// The folders of a tree. None when it is not there.
pub(super) fn folders(root: &Path) -> io::Result<Vec<Folder>> {
    let about = side_file::folders(root)?;
    let one = |(path, (directory, holds_items)): (FolderPath, (PathBuf, bool))| {
        let listed = if holds_items { scan(&directory)? } else { Vec::new() };
        let known = about.as_ref().map(|about| about.get(&path).copied().unwrap_or_default());
        // Of files that may be converted, only who reads them knows how long they become.
        let size = |item: &Listed| {
            item.is_wire.then(|| directory.join(&item.file).metadata().ok()).flatten().map(|facts| facts.len())
        };
        let sizes = listed.iter().map(size);
        Ok(Folder {
            kind: ItemKind::Message,
            holds_items,
            special_use: known.and_then(|known| known.special_use),
            subscribed: known.is_none_or(|known| known.subscribed),
            state: holds_items.then(|| state(&listed)),
            size_bytes: sizes.sum(),
            path,
        })
    };
    places(root)?.into_iter().map(one).collect()
}

/// The items of a folder, in the order of ids.
pub(super) fn scan(directory: &Path) -> io::Result<Vec<Listed>> {
    let inside = look(directory)?;
    if !inside.holds_items() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "there are only folders in it"));
    }
    // After the files: what is said of an item is there before it is.
    let (mut known, _) = side_file::items(directory)?;
    let one = |file: String| {
        let line = known.remove(&file);
        Listed {
            id: ItemId::new(file.as_bytes()),
            flags: line.as_ref().map(side_file::ItemLine::all_flags).unwrap_or_default(),
            received: line.as_ref().and_then(side_file::ItemLine::received_at),
            is_wire: line.is_some_and(|line| line.wire),
            file,
        }
    };
    let mut listed: Vec<Listed> = inside.items.into_iter().map(one).collect();
    listed.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    Ok(listed)
}
