//! Between files and the model: ids, states, cursors, errors.
//!
//! **Ids.** A file has no ids of its own: places in it shift when a message before them goes, X-UID is written by some
//! programs only and numbered anew by them. So an id is made of what a message is: when its `From ` line says it came, a
//! digest of that line and of the message's own lines, and the how manieth of equal ones it is. It is the same for as long as
//! the message is, wherever in the file it comes to lie, and whatever its program notes in it (flags, length). Of equal
//! messages the last one seems gone when any is: they are equal but for their flags. The date stands first, so that the
//! order of ids is about that of the folder; mail that comes with an older date is found all the same, since what a cursor
//! covers is listed in full.

use connector::{Cursor, Error};
use model::{Cause, Flags, FolderPath, FolderState, ItemId, Scope};

use crate::wire::split::Message;

/// Ids mean the same messages for ever: one validity for all folders.
const VALIDITY: u64 = 1;
/// Version of the cursor's form: it, then the greatest id that was read.
const CURSOR_VERSION: u8 = 1;
/// Added to seconds since 1970, so that dates from the year 0 to 9999 sort as text of twelve digits.
const SECONDS_BEFORE: i64 = 100_000_000_000;

/// The id of a message that is the nth (from 0) of equal ones.
pub(crate) fn id(message: &Message, nth: u32) -> ItemId {
    use std::fmt::Write;
    let seconds = message.delivered.map_or(0, |at| at.unix_seconds + SECONDS_BEFORE);
    let mut id = format!("{seconds:012}.");
    for byte in message.digest {
        let _ = write!(id, "{byte:02x}");
    }
    if nth > 0 {
        let _ = write!(id, ".{nth:010}");
    }
    ItemId::new(id.as_bytes())
}

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

/// Where a folder with these items stands.
pub(crate) fn state<'i>(items: impl ExactSizeIterator<Item = (&'i ItemId, &'i Flags)> + Clone) -> FolderState {
    let flagged = |(id, flags): (&ItemId, &Flags)| {
        let mut bytes = id.as_bytes().to_vec();
        bytes.push(0);
        bytes.extend(flags.to_string().to_ascii_lowercase().bytes());
        hash(&bytes)
    };
    FolderState {
        validity: VALIDITY,
        next: sum(items.clone().map(|(id, _)| hash(id.as_bytes()))),
        count: items.len() as u64,
        change: sum(items.map(flagged)),
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
        std::io::ErrorKind::PermissionDenied => Cause::Permission,
        std::io::ErrorKind::WouldBlock => Cause::Unavailable,
        std::io::ErrorKind::InvalidData => Cause::Unreadable,
        _ => Cause::LocalFile,
    };
    Error::new(cause, scope, format!("cannot {what} in the folder {:?}: {error}", folder.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_tell_every_change_and_no_order() {
        let (a, b) = (ItemId::new(b"a"), ItemId::new(b"b"));
        let (none, seen) = (Flags::NONE, Flags::of(["\\Seen"]));
        let before = state([(&a, &none), (&b, &seen)].into_iter());
        assert_eq!(state([(&b, &Flags::of(["\\SEEN"])), (&a, &none)].into_iter()), before);
        let flagged = state([(&a, &seen), (&b, &seen)].into_iter());
        assert!(flagged.has_same_items(&before) && flagged != before);
        assert!(!state([(&a, &none)].into_iter()).has_same_items(&before));
        assert_ne!(state([].into_iter()).next, 0);
    }

    #[test]
    fn cursors_read_back() {
        assert_eq!(covered(&cursor(Some(&ItemId::new(b"x")))), Some(ItemId::new(b"x")));
        assert_eq!(covered(&cursor(None)), Some(ItemId::new(b"")));
        assert_eq!(covered(&Cursor(Box::from([9, 1]))), None);
    }
}
