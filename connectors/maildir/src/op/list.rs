//! Listing: folders, and the items of one.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use connector::Folder;
use model::{Flags, FolderPath, ItemId, ItemKind};

use crate::map::state;
use crate::wire::keywords::{Letters, read_courier};
use crate::wire::{folder_name, item_name, subscriptions};

/// An item as a folder lists it.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) id: ItemId,
    pub(crate) flags: Flags,
    /// Its file, below the folder.
    pub(crate) file: String,
}

/// The folders of a maildir. None when it is not there.
pub(crate) fn folders(root: &Path) -> io::Result<Vec<Folder>> {
    let mut paths = Vec::new();
    match std::fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => {
            for entry in entries? {
                let entry = entry?;
                let name = entry.file_name();
                if !entry.path().join("cur").is_dir() {
                    continue;
                }
                // Mail that no folder stands for must not be passed over in silence.
                let Some(path) = name.to_str().and_then(folder_name::folder) else {
                    let what =
                        format!("{} holds mail and is no folder of a Maildir++: rename it", entry.path().display());
                    return Err(io::Error::other(what));
                };
                paths.push((path, entry.path()));
            }
        }
    }
    if root.join("cur").is_dir() {
        paths.push((FolderPath::inbox(), root.to_owned()));
    }
    paths.sort();
    if let Some([(_, one), (_, other)]) = paths.array_windows().find(|[(a, _), (b, _)]| a == b) {
        let what = format!("{} and {} are one and the same folder: rename one", one.display(), other.display());
        return Err(io::Error::other(what));
    }
    let followed = subscriptions::read(root);
    let one = |(path, directory): (FolderPath, std::path::PathBuf)| {
        let listed = scan(&directory)?;
        Ok(Folder {
            subscribed: followed.contains(&path),
            path,
            kind: ItemKind::Message,
            holds_items: true,
            special_use: None,
            state: Some(state(&listed)),
            size_bytes: listed.iter().map(wire_bytes).sum(),
        })
    };
    paths.into_iter().map(one).collect()
}

/// Bytes of an item in wire form, if its name says.
pub(super) fn wire_bytes(item: &Listed) -> Option<u64> {
    let (id, _) = item_name::split(item.file.rsplit('/').next()?);
    id.split(',').find_map(|part| part.strip_prefix("W=")?.parse().ok())
}

/// The items of a folder, in the order of ids.
pub(crate) fn scan(directory: &Path) -> io::Result<Vec<Listed>> {
    let letters = Letters::read(directory);
    let courier = read_courier(directory);
    let mut by_id: HashMap<ItemId, Listed> = HashMap::new();
    // `cur` last: an item that is moved from `new` while we look is seen there, or in both.
    for part in ["new", "cur"] {
        let entries = match std::fs::read_dir(directory.join(part)) {
            Err(error) if part == "new" && error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') || entry.file_type()?.is_dir() {
                continue;
            }
            let (id, info) = item_name::split(&name);
            let mut flags = item_name::flags(info, |number| letters.keyword(number));
            for keyword in courier.get(id).into_iter().flatten() {
                flags.insert(keyword);
            }
            let id = ItemId::new(id.as_bytes());
            by_id.insert(id.clone(), Listed { id, flags, file: format!("{part}/{name}") });
        }
    }
    let mut listed: Vec<Listed> = by_id.into_values().collect();
    listed.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    Ok(listed)
}
