//! What the source has no more at its place, by its bytes: it may have moved.

use std::collections::{HashMap, HashSet, VecDeque};

use model::{Digest, Fate, Flags, ItemId};

use crate::pass::Deferred;

/// So many new items of a folder wait at most until it is known whether they have moved there; more are copied.
pub(crate) const ARRIVED_MAX: usize = 20_000;

/// Where the ledger holds an item that the source has no more at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Among the removals.
    Removal,
    /// Among the items of a folder that the source does not list any more.
    Item,
    /// Nowhere on the target, as far as is known: its person has removed or moved it there. Its source is being left.
    Withdrawn,
}

/// An item that the source has no more at its place, and that may have moved.
#[derive(Clone, Debug)]
pub(crate) struct DepartedItem {
    pub(crate) place: Place,
    pub(crate) folder: i64,
    pub(crate) source_id: ItemId,
    /// Whose its copy is.
    pub(crate) fate: Fate,
    pub(crate) received: Option<i64>,
    pub(crate) target_id: ItemId,
    pub(crate) source_flags: Flags,
    pub(crate) target_flags: Flags,
    /// What the target gave back, where that is not what was sent.
    pub(crate) read_back: Option<Digest>,
    /// It stays in its folder on the target: what turns up elsewhere is not it.
    pub(crate) stays: bool,
}

/// Items that may have moved, by their bytes.
#[derive(Debug, Default)]
pub(crate) struct Departed {
    by_exact: HashMap<Digest, VecDeque<DepartedItem>>,
    /// What folders hold that have lost items, while it is not read which, by the folder.
    pub(crate) departing: HashMap<i64, HashSet<(Digest, Option<i64>)>>,
    /// All moves were made: nothing more is put off for them.
    pub(crate) is_over: bool,
}

impl Departed {
    pub(crate) fn add(&mut self, exact: Option<Digest>, item: DepartedItem) {
        if let Some(exact) = exact {
            self.by_exact.entry(exact).or_default().push_back(item);
        }
    }

    /// May an item with these bytes and this date have come from somewhere?
    pub(crate) fn holds(&self, exact: Digest, received: Option<i64>) -> bool {
        let items = self.by_exact.get(&exact).filter(|_| !self.is_over);
        items.is_some_and(|items| items.iter().any(|item| item.received == received))
    }

    /// The same, also where it is still to be read whether it is gone from its folder.
    pub(crate) fn may_hold(&self, exact: Digest, received: Option<i64>) -> bool {
        let is_departing = || self.departing.values().any(|items| items.contains(&(exact, received)));
        self.holds(exact, received) || (!self.is_over && is_departing())
    }

    /// It is read what a folder has lost.
    pub(crate) fn is_read(&mut self, folder: i64) {
        self.departing.remove(&folder);
    }

    /// This copy is where it belongs: nothing has come from there.
    pub(crate) fn forget(&mut self, exact: Digest, folder: i64, source_id: &ItemId) {
        if let Some(items) = self.by_exact.get_mut(&exact) {
            items.retain(|item| (item.folder, &item.source_id) != (folder, source_id));
        }
    }

    /// An item with these bytes and this date that is gone from its place, whatever became of its copy.
    pub(crate) fn take_same(&mut self, exact: Digest, received: Option<i64>) -> Option<DepartedItem> {
        let items = self.by_exact.get_mut(&exact)?;
        let position = items.iter().position(|item| item.received == received)?;
        items.remove(position)
    }

    /// The item that it came from: one with the same flags first, then one that lies there already.
    pub(crate) fn take(&mut self, wanted: &Deferred, is_at_home: impl Fn(i64) -> bool) -> Option<DepartedItem> {
        let items = self.by_exact.get_mut(&wanted.found.exact)?;
        let received = wanted.received.map(|at| at.unix_seconds);
        let may_be = |item: &DepartedItem| item.received == received && (!item.stays || is_at_home(item.folder));
        let all = items.iter().enumerate().filter(|(_, item)| may_be(item));
        // The last of the best: so from behind.
        let best = all.rev().max_by_key(|(_, item)| (item.source_flags == wanted.flags, is_at_home(item.folder)));
        let position = best?.0;
        items.remove(position)
    }
}
