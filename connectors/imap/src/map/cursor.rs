//! How far a folder has been read.

use connector::{Cursor, FolderState};

/// The first byte of a cursor: the version of its form.
const VERSION: u8 = 1;

/// How far a folder has been read: the UIDs below `next` are covered, with their flags as of `change`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The folder's UIDVALIDITY.
    pub(crate) validity: u32,
    /// The first UID that is not covered.
    pub(crate) next: u64,
    /// The HIGHESTMODSEQ up to which flags are known; 0 when the server has none.
    pub(crate) change: u64,
    /// How many messages had a UID below `next`: tells without a listing whether any of them is gone.
    pub(crate) count: u32,
}

impl Place {
    /// The cursor for this place.
    pub(crate) fn cursor(self) -> Cursor {
        let mut bytes = Vec::with_capacity(25);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.validity.to_be_bytes());
        bytes.extend_from_slice(&self.next.to_be_bytes());
        bytes.extend_from_slice(&self.change.to_be_bytes());
        bytes.extend_from_slice(&self.count.to_be_bytes());
        Cursor(bytes.into())
    }

    /// The place of a cursor; none when it was made by something else, so that the folder is read from its beginning.
    pub(crate) fn of(cursor: &Cursor) -> Option<Self> {
        let (&[VERSION], rest) = cursor.0.split_first_chunk()? else { return None };
        let (validity, rest) = rest.split_first_chunk()?;
        let (next, rest) = rest.split_first_chunk()?;
        let (change, count) = rest.split_first_chunk()?;
        Some(Self {
            validity: u32::from_be_bytes(*validity),
            next: u64::from_be_bytes(*next),
            change: u64::from_be_bytes(*change),
            count: u32::from_be_bytes(count.try_into().ok()?),
        })
    }

    /// Does the folder stand lower than it did: a restored backup, whose UIDs and MODSEQs may have been given twice?
    pub(crate) fn is_ahead_of(&self, state: &FolderState) -> bool {
        let lower_next = state.next != 0 && state.next < self.next;
        lower_next || (self.change != 0 && state.change != 0 && state.change < self.change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_a_foreign_one_does_not() {
        let place = Place { validity: u32::MAX, next: 1 << 32, change: u64::MAX - 1, count: 7 };
        assert_eq!(Place::of(&place.cursor()), Some(place));
        let bytes = place.cursor().0.to_vec();
        for length in 0..bytes.len() {
            assert_eq!(Place::of(&Cursor(bytes[..length].into())), None);
        }
        let mut other = bytes.clone();
        other[0] = 2;
        assert_eq!(Place::of(&Cursor(other.into())), None);
        assert_eq!(Place::of(&Cursor([bytes, vec![0]].concat().into())), None);
    }

    #[test]
    fn a_folder_that_stands_lower_is_noticed() {
        let place = Place { validity: 1, next: 10, change: 5, count: 3 };
        let state = |next, change| FolderState { validity: 1, next, count: 3, change };
        assert!(place.is_ahead_of(&state(9, 5)) && place.is_ahead_of(&state(10, 4)));
        assert!(!place.is_ahead_of(&state(10, 5)) && !place.is_ahead_of(&state(11, 0)));
        assert!(!place.is_ahead_of(&state(0, 6)), "a UIDNEXT that was not said is not lower");
    }
}
