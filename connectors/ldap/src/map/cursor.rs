//! How far a directory has been read: for which scope, how changes are learnt, and which entries were told.

use std::collections::{BTreeMap, BTreeSet};

use connector::DirectoryCursor;
use serde::{Deserialize, Serialize};

use crate::wire::guid;

/// The form of the cursor. One of another form leads to a whole reading.
const FORM: u8 = 3;

/// How changes are learnt, and from where on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Feed {
    /// DirSync: a cookie for each naming context.
    DirSync(Vec<(String, Vec<u8>)>),
    /// uSNChanged: the controller's invocation, and the highest number that is dealt with.
    Usn(String, u64),
    /// The time of the last change: the latest that was seen.
    Timestamp(i64),
    /// Content synchronisation.
    Sync(Synced),
    /// Nothing tells what changed.
    None,
}

/// How far content was synchronised, for each base.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Synced {
    /// A cookie of its entries.
    pub(crate) entries: Vec<(String, Vec<u8>)>,
    /// A cookie of the containers that they stand in.
    pub(crate) containers: Vec<(String, Vec<u8>)>,
    /// What tells the name of each container from others, by its key.
    pub(crate) places: Vec<BTreeMap<String, u64>>,
}

/// An entry that was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// What tells its name from others.
    pub(crate) place: u64,
    /// The base it was found under, by its number.
    pub(crate) base: u8,
    /// What tells the names from others that it has for its members, owners and delegates, where the server keeps them right
    /// without changing it.
    pub(crate) names: Box<[u64]>,
}

/// Who was called otherwise, gone or new in a reading: lists that name them may change only later, and without a word.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Movers {
    /// What tells the names from others that somebody had before and has no more.
    pub(crate) left: BTreeSet<u64>,
    /// The names of who was not told before.
    pub(crate) newcomers: Vec<String>,
}

/// How far a directory has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// What tells this server and this scope from others.
    pub(crate) scope: String,
    /// How changes are learnt.
    pub(crate) feed: Feed,
    /// Whoever names these is read again, once.
    pub(crate) movers: Movers,
    /// What was told, by key.
    pub(crate) told: BTreeMap<String, Told>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    scope: String,
    feed: Feed,
    movers: Movers,
}

impl Cursor {
    /// As the engine keeps it.
    pub(crate) fn written(&self) -> DirectoryCursor {
        let head = Head { scope: self.scope.clone(), feed: self.feed.clone(), movers: self.movers.clone() };
        let head = serde_json::to_vec(&head).unwrap_or_default();
        let mut bytes = vec![FORM];
        bytes.extend((head.len() as u32).to_be_bytes());
        bytes.extend(head);
        for (key, told) in &self.told {
            match guid::uuid_bytes(key).filter(|uuid| guid::uuid_text(*uuid) == *key) {
                Some(uuid) => {
                    bytes.extend([0, 0]);
                    bytes.extend(uuid);
                }
                // A key is the value of an attribute, which some server might let be longer than any name is.
                None => {
                    let length = key.len().min(usize::from(u16::MAX));
                    bytes.extend((length as u16).to_be_bytes());
                    bytes.extend(&key.as_bytes()[..length]);
                }
            }
            bytes.extend(told.place.to_be_bytes());
            bytes.push(told.base);
            bytes.extend((told.names.len() as u32).to_be_bytes());
            bytes.extend(told.names.iter().flat_map(|name| name.to_be_bytes()));
        }
        DirectoryCursor(bytes.into())
    }

    /// Reads one. None when it is of another form, or was damaged.
    pub(crate) fn read(cursor: &DirectoryCursor) -> Option<Self> {
        let (&form, rest) = cursor.0.split_first()?;
        if form != FORM {
            return None;
        }
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (head, mut rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        let head: Head = serde_json::from_slice(head).ok()?;
        let mut told = BTreeMap::new();
        while !rest.is_empty() {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (key, after) = if length == 0 {
                let (uuid, after) = after.split_first_chunk::<16>()?;
                (guid::uuid_text(*uuid), after)
            } else {
                let (key, after) = after.split_at_checked(length)?;
                (str::from_utf8(key).ok()?.to_owned(), after)
            };
            let (place, after) = after.split_first_chunk::<8>()?;
            let (&base, after) = after.split_first()?;
            let (count, after) = after.split_first_chunk::<4>()?;
            let (names, after) = after.split_at_checked((u32::from_be_bytes(*count) as usize).checked_mul(8)?)?;
            let names = names.chunks_exact(8).filter_map(|name| Some(u64::from_be_bytes(*name.first_chunk()?)));
            told.insert(key, Told { place: u64::from_be_bytes(*place), base, names: names.collect() });
            rest = after;
        }
        Some(Self { scope: head.scope, feed: head.feed, movers: head.movers, told })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_comes_back(
            keys in prop::collection::btree_map("[a-z0-9-]{1,40}", (any::<u64>(), any::<u8>(), prop::collection::vec(any::<u64>(), 0..4)), 0..20),
            uuids in prop::collection::vec(any::<[u8; 16]>(), 0..20),
            cookie in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut told: BTreeMap<String, Told> =
                keys.into_iter().map(|(key, (place, base, names))| (key, Told { place, base, names: names.into() })).collect();
            told.extend(uuids.into_iter().map(|uuid| (guid::uuid_text(uuid), Told::default())));
            let cookies = vec![("dc=x".to_owned(), cookie)];
            let places = vec![told.iter().map(|(key, told)| (key.clone(), told.place)).collect()];
            let movers = Movers { left: told.values().map(|told| told.place).collect(), newcomers: told.keys().cloned().collect() };
            let synced = Synced { entries: cookies.clone(), containers: cookies.clone(), places };
            for feed in [Feed::DirSync(cookies), Feed::Sync(synced)] {
                let cursor = Cursor { scope: "s".into(), feed, movers: movers.clone(), told: told.clone() };
                prop_assert_eq!(Cursor::read(&cursor.written()), Some(cursor));
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Cursor::read(&DirectoryCursor(bytes.into()));
        }
    }
}
