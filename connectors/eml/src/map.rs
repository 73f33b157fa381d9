//! Between files and the model: states, cursors, errors.

use connector::{Cursor, Error};
use model::{Cause, FolderPath, FolderState, ItemId, Scope};

use crate::op::Listed;

/// Ids are names of files, which mean the same items for ever: one validity for all folders.
const VALIDITY: u64 = 1;
/// Version of the cursor's form: it, then the greatest id that was read.
const CURSOR_VERSION: u8 = 1;

/// A number that does not depend on the order and changes with every name.
fn sum(names: impl Iterator<Item = u64>) -> u64 {
    // Never 0, and small enough for every database's numbers.
    names.fold(0u64, u64::wrapping_add) >> 2 | 1
}

/// FNV-1a with a last mix: spreads well enough that two different listings have one sum by chance only.
fn hash(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Where a folder with this listing stands.
pub(crate) fn state(listed: &[Listed]) -> FolderState {
    let flagged = |item: &Listed| {
        let mut bytes = item.id.as_bytes().to_vec();
        bytes.push(0);
        bytes.extend(item.flags.to_string().to_ascii_lowercase().bytes());
        hash(&bytes)
    };
    FolderState {
        validity: VALIDITY,
        next: sum(listed.iter().map(|item| hash(item.id.as_bytes()))),
        count: listed.len() as u64,
        change: sum(listed.iter().map(flagged)),
    }
}

/// The cursor of a folder that was read up to this id.
pub(crate) fn cursor(id: Option<&ItemId>) -> Cursor {
    let mut bytes = vec![CURSOR_VERSION];
    bytes.extend_from_slice(id.map_or(&[], ItemId::as_bytes));
    Cursor(bytes.into())
}

/// The greatest id that a cursor covers; none when it covers none or is not ours.
pub(crate) fn covered(cursor: &Cursor) -> Option<ItemId> {
    let (version, id) = cursor.0.split_first()?;
    (*version == CURSOR_VERSION).then(|| ItemId::new(id))
}

/// A failure of a file or folder.
pub(crate) fn failed(scope: Scope, what: &str, folder: &FolderPath, error: &std::io::Error) -> Error {
    let cause = match error.kind() {
        std::io::ErrorKind::NotFound => Cause::Missing,
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => Cause::Permission,
        std::io::ErrorKind::InvalidFilename => Cause::FolderRefused,
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Cause::OverQuota,
        _ => Cause::LocalFile,
    };
    Error::new(cause, scope, format!("cannot {what} in the folder {:?}: {error}", folder.to_string()))
}

#[cfg(test)]
mod tests {
    use model::Flags;

    use super::*;

    fn listed(names: &[(&str, &str)]) -> Vec<Listed> {
        let one = |(id, flags): &(&str, &str)| Listed {
            id: ItemId::new(id.as_bytes()),
            flags: Flags::of(flags.split(' ')),
            file: String::new(),
            received: None,
            is_wire: true,
        };
        names.iter().map(one).collect()
    }

    #[test]
    fn states_tell_every_change_and_no_order() {
        let before = state(&listed(&[("a", ""), ("b", "\\Seen")]));
        assert_eq!(state(&listed(&[("b", "\\SEEN"), ("a", "")])), before);
        let flagged = state(&listed(&[("a", "Work"), ("b", "\\Seen")]));
        assert!(flagged.has_same_items(&before) && flagged != before);
        assert!(!state(&listed(&[("a", ""), ("c", "\\Seen")])).has_same_items(&before));
        assert_ne!(state(&[]).next, 0);
        assert_ne!(state(&[]).change, 0);
    }

    #[test]
    fn cursors_read_back() {
        assert_eq!(covered(&cursor(Some(&ItemId::new(b"x")))), Some(ItemId::new(b"x")));
        assert_eq!(covered(&cursor(None)), Some(ItemId::new(b"")));
        assert_eq!(covered(&Cursor(Box::from([9, 1]))), None);
    }
}
