//! Two folders compared as multisets of what their items are: read in full, kept small, paired in three rounds. What is left
//! on both sides may be one item with other bytes.

use std::collections::{HashMap, HashSet, VecDeque};

use connector::{Event, Holds, ReadFolder, Source};
use model::{Cause, Digest, Flags, FolderPath, FolderState, ItemId, LossTable};
use store::How;

use crate::reading::{Arrival, Examined, next};
use crate::travel::{self, Lane, Travel};
use crate::verify::Kind;

/// An item as one side has it: about a hundred bytes, as a folder may hold hundreds of thousands.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: ItemId,
    /// Its folder, among those of the source that are compared with one of the target.
    pub(crate) of: u32,
    pub(crate) exact: Digest,
    pub(crate) hint: Option<u64>,
    /// The beginning of its digest without what known tools add.
    pub(crate) stripped: u64,
    /// Why the target can't hold it, if so.
    pub(crate) barred: Option<Cause>,
    /// What the policy makes of it, if anything special.
    pub(crate) treated: Option<Box<Treated>>,
    pub(crate) received: Option<i64>,
    /// When its side says that it was received: it may have to travel with another date.
    pub(crate) source_received: Option<i64>,
    pub(crate) flags: Flags,
}

/// What the policy makes of an item.
#[derive(Clone, Debug)]
pub(crate) struct Treated {
    pub(crate) rule: String,
    pub(crate) how: How,
    /// Digest of what the source holds.
    pub(crate) original: Digest,
}

impl Entry {
    /// The rule that leaves it behind, if one does.
    pub(crate) fn left_by(&self) -> Option<&str> {
        self.treated.as_ref().filter(|treated| treated.how == How::Left).map(|treated| treated.rule.as_str())
    }

    /// How it is written otherwise than the source has it, and by which rule, if it is.
    pub(crate) fn rewritten_by(&self) -> Option<(How, &str)> {
        let treated = self.treated.as_ref().filter(|treated| treated.how.is_rewritten());
        treated.map(|treated| (treated.how, treated.rule.as_str()))
    }

    /// Digest of what the source holds.
    pub(crate) fn original(&self) -> Digest {
        self.treated.as_ref().map_or(self.exact, |treated| treated.original)
    }
}

/// How items of the source are read for a comparison: as they travel.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'r> {
    pub(crate) travel: &'r Travel,
    /// What rules say of each folder read.
    pub(crate) lanes: &'r [Lane],
    pub(crate) losses: &'r LossTable,
}

/// A folder as one side has it.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) entries: Vec<Entry>,
    pub(crate) unreadable: Vec<ItemId>,
    pub(crate) state: FolderState,
    pub(crate) missing: bool,
}

/// How two folders compare, by the places of their items.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    /// Pairs that are the same in everything.
    pub(crate) same: u64,
    /// Items of the source that are there with the date that they could not be expected to keep.
    pub(crate) kept_date: Vec<usize>,
    /// Pairs with the same bytes, and how they differ.
    pub(crate) changed: Vec<(usize, usize, Kind)>,
    /// Items of the source that are left.
    pub(crate) missing: Vec<usize>,
    /// Items of the target that are left.
    pub(crate) left: Vec<usize>,
    /// Of their digests: those that items of the source have too.
    pub(crate) doubled: HashSet<Digest>,
}

/// Pairs the items of two folders: the same in everything first, then all but the flags, then the bytes. An item that
/// would get another date now may lie there with its own. Those that are `apart`, of both sides, are of no pair: nobody's is the
/// one, missing is the other.
pub(crate) fn compare(here: &[Entry], there: &[Entry], apart: &[(usize, usize)]) -> Compared {
    let (sources, targets): (HashSet<usize>, HashSet<usize>) = apart.iter().copied().unzip();
    let mut compared = Compared {
        missing: (0..here.len()).filter(|source| !sources.contains(source)).collect(),
        left: (0..there.len()).filter(|target| !targets.contains(target)).collect(),
        ..Compared::default()
    };
    let same = compared.pair(here, there, |entry| (entry.exact, entry.received, Some(&entry.flags)));
    let own = compared.pair(here, there, |entry| (entry.exact, entry.source_received, Some(&entry.flags)));
    compared.same = (same.len() + own.len()) as u64;
    let flags = compared.pair(here, there, |entry| (entry.exact, entry.received, None));
    let own_flags = compared.pair(here, there, |entry| (entry.exact, entry.source_received, None));
    compared.kept_date = own.iter().chain(&own_flags).map(|(source, _)| *source).collect();
    let rounds = [
        (Kind::ChangedFlags, flags),
        (Kind::ChangedFlags, own_flags),
        (Kind::ChangedDate, compared.pair(here, there, |entry| (entry.exact, None, None))),
    ];
    for (kind, pairs) in rounds {
        compared.changed.extend(pairs.into_iter().map(|(source, target)| (source, target, kind)));
    }
    let left: HashSet<Digest> = compared.left.iter().map(|target| there[*target].exact).collect();
    compared.missing.extend(sources);
    compared.missing.sort_unstable();
    compared.doubled = here.iter().map(|entry| entry.exact).filter(|exact| left.contains(exact)).collect();
    compared
}

/// What items are paired by in a round.
type Key<'e> = (Digest, Option<i64>, Option<&'e Flags>);

impl Compared {
    /// Pairs items with the same key, in their order, and takes them out of what is left.
    fn pair<'e>(
        &mut self,
        here: &'e [Entry],
        there: &'e [Entry],
        key: impl Fn(&'e Entry) -> Key<'e>,
    ) -> Vec<(usize, usize)> {
        self.missing.sort_by_key(|place| (key(&here[*place]), *place));
        self.left.sort_by_key(|place| (key(&there[*place]), *place));
        let (missing, left) = (std::mem::take(&mut self.missing), std::mem::take(&mut self.left));
        let (mut sources, mut targets) = (missing.into_iter().peekable(), left.into_iter().peekable());
        let mut pairs = Vec::new();
        while let (Some(source), Some(target)) = (sources.peek(), targets.peek()) {
            match key(&here[*source]).cmp(&key(&there[*target])) {
                std::cmp::Ordering::Less => self.missing.extend(sources.next()),
                std::cmp::Ordering::Greater => self.left.extend(targets.next()),
                std::cmp::Ordering::Equal => pairs.extend(sources.next().zip(targets.next())),
            }
        }
        self.missing.extend(sources);
        self.left.extend(targets);
        self.missing.sort_unstable();
        self.left.sort_unstable();
        pairs
    }
}

/// Pairs what is missing with what is left on the target: one item, whose bytes somebody changed there. First those that
/// differ in what known tools add, then those with one Message-ID (or From and Date), both of one date; then those that lost
/// their date, too. Gives the pairs, and what is left of both.
pub(crate) fn rewritten(missing: Vec<Entry>, left: Vec<&Entry>) -> (Vec<(Entry, &Entry)>, Vec<Entry>, Vec<&Entry>) {
    type Key = (u64, Option<Option<i64>>);
    let rounds: [fn(&Entry) -> Option<Key>; 3] = [
        |entry| Some((entry.stripped, Some(entry.received))),
        |entry| Some((entry.hint?, Some(entry.received))),
        |entry| Some((entry.stripped, None)),
    ];
    let (mut missing, mut left, mut pairs) = (missing, left, Vec::new());
    for key in rounds {
        let mut by_key: HashMap<Key, VecDeque<usize>> = HashMap::new();
        for (place, entry) in missing.iter().enumerate() {
            if let Some(key) = key(entry) {
                by_key.entry(key).or_default().push_back(place);
            }
        }
        let mut taken: HashMap<usize, &Entry> = HashMap::new();
        left.retain(|entry| {
            let place = key(entry).and_then(|key| by_key.get_mut(&key)?.pop_front());
            place.map(|place| taken.insert(place, entry)).is_none()
        });
        let mut kept = Vec::new();
        for (place, entry) in missing.into_iter().enumerate() {
            match taken.get(&place) {
                Some(target) => pairs.push((entry, *target)),
                None => kept.push(entry),
            }
        }
        missing = kept;
    }
    (pairs, missing, left)
}

fn beginning(digest: Digest) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest.as_bytes()[..8]);
    u64::from_be_bytes(bytes)
}

/// May the second one be the first one as a target has altered it, in its bytes or its date?
pub(crate) fn is_altered(item: &Entry, there: &Entry) -> bool {
    let is_one = [item.exact, item.original()].contains(&there.exact) || item.stripped == there.stripped;
    is_one || (item.hint.is_some() && item.hint == there.hint)
}

/// How two items that are the same item differ, if they do.
pub(crate) fn difference(source: &Entry, target: &Entry) -> Option<Kind> {
    if source.exact != target.exact {
        Some(Kind::ChangedBytes)
    } else if source.received != target.received {
        Some(Kind::ChangedDate)
    } else if source.flags != target.flags {
        Some(Kind::ChangedFlags)
    } else {
        None
    }
}

/// Reads folders in full: the source's by rules.
pub(crate) async fn read_folders(
    source: &mut dyn Source,
    paths: Vec<FolderPath>,
    holds: &Holds,
    rules: Option<Rules<'_>>,
) -> Result<Vec<Held>, connector::Error> {
    let mut all: Vec<Held> = paths.iter().map(|_| Held::default()).collect();
    let plan = paths.into_iter().map(|path| ReadFolder { path, since: None }).collect();
    let mut reading = source.read(plan, holds).await?;
    let mut current = 0;
    loop {
        let arrivals = next(reading.as_mut(), rules.map(|rules| (rules.travel, holds))).await?;
        if arrivals.is_empty() {
            return Ok(all);
        }
        for arrival in arrivals {
            match arrival {
                Arrival::Item(examined) => {
                    let rules = rules.map(|rules| (rules, &rules.lanes[current]));
                    all[current].entries.push(entry(*examined, rules));
                }
                Arrival::Event(Event::Begin { folder, state }) => {
                    current = folder;
                    all[current].state = state;
                }
                Arrival::Event(Event::Unreadable { id, .. }) => all[current].unreadable.push(id),
                Arrival::Event(Event::Skipped { error }) if error.cause == Cause::Missing => {
                    all[current].missing = true;
                }
                Arrival::Event(Event::Skipped { error }) => return Err(error),
                Arrival::Event(_) => {}
            }
        }
    }
}

/// Reads these items of a folder. One that is not there, or can't be read, is not among them.
pub(crate) async fn read_items(
    source: &mut dyn Source,
    path: &FolderPath,
    ids: &[ItemId],
    holds: &Holds,
    rules: Option<Rules<'_>>,
) -> Result<HashMap<ItemId, Entry>, connector::Error> {
    let mut entries = HashMap::new();
    if ids.is_empty() {
        return Ok(entries);
    }
    let mut reading = source.items(path, ids, holds).await?;
    loop {
        let arrivals = next(reading.as_mut(), rules.map(|rules| (rules.travel, holds))).await?;
        if arrivals.is_empty() {
            return Ok(entries);
        }
        for arrival in arrivals {
            if let Arrival::Item(examined) = arrival {
                let rules = rules.and_then(|rules| Some((rules, rules.lanes.first()?)));
                entries.insert(examined.item.id.clone(), entry(*examined, rules));
            }
        }
    }
}

fn entry(
    Examined { item, found, treatment, source_received, .. }: Examined,
    rules: Option<(Rules<'_>, &Lane)>,
) -> Entry {
    let mut received = item.received.map(|at| at.unix_seconds);
    let mut treated = treatment.map(|made| {
        Box::new(Treated { rule: made.rule, how: made.how, original: made.original.unwrap_or(found.exact) })
    });
    let mut barred = None;
    if let Some((rules, lane)) = rules {
        if let Some(rule) = rules.travel.left_by(lane, source_received, &item.flags, found.size_bytes) {
            let original = treated.as_ref().map_or(found.exact, |treated| treated.original);
            treated = Some(Box::new(Treated { rule: rule.to_owned(), how: How::Left, original }));
            received = source_received;
        }
        barred = travel::barred(&found, rules.losses, None);
    }
    Entry {
        id: item.id,
        of: 0,
        treated,
        exact: found.exact,
        hint: found.hint,
        stripped: beginning(found.stripped),
        barred,
        received,
        source_received,
        flags: item.flags,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(items: &[(&str, i64, &str)]) -> Vec<Entry> {
        let one = |(place, (bytes, received, flag)): (usize, &(&str, i64, &str))| Entry {
            id: ItemId::from_u32(place as u32 + 1),
            of: 0,
            exact: Digest::of(bytes.as_bytes()),
            hint: None,
            stripped: beginning(Digest::of(bytes.trim_start_matches('+').as_bytes())),
            barred: None,
            treated: None,
            received: Some(*received),
            source_received: Some(*received),
            flags: Flags::of([*flag]),
        };
        items.iter().enumerate().map(one).collect()
    }

    #[test]
    fn the_closest_are_paired_first_and_each_once() {
        let here = items(&[("a", 1, ""), ("a", 1, "Work"), ("a", 2, ""), ("b", 1, ""), ("c", 1, "")]);
        let there =
            items(&[("a", 9, ""), ("a", 1, "work"), ("a", 1, "\\Seen"), ("b", 1, ""), ("b", 1, ""), ("d", 1, "")]);
        let compared = compare(&here, &there, &[]);
        assert_eq!(compared.same, 2);
        assert_eq!(compared.changed, [(0, 2, Kind::ChangedFlags), (2, 0, Kind::ChangedDate)]);
        assert_eq!((compared.missing, compared.left), (vec![4], vec![4, 5]));
        assert_eq!(compared.doubled, HashSet::from([Digest::of(b"b")]));
    }

    #[test]
    fn what_a_tool_changed_is_paired_with_what_it_was() {
        let here = items(&[("a", 1, ""), ("a", 2, ""), ("b", 3, ""), ("c", 4, "")]);
        let there = items(&[("+a", 2, ""), ("+a", 9, ""), ("+b", 3, ""), ("+d", 4, "")]);
        let (pairs, missing, left) = rewritten(here, there.iter().collect());
        let ids: Vec<String> = pairs.iter().map(|(source, target)| format!("{}={}", source.id, target.id)).collect();
        assert_eq!(ids, ["2=1", "3=3", "1=2"]);
        assert_eq!((missing[0].received, left[0].received), (Some(4), Some(4)));
        let many = items(&vec![("+a", 1, ""); 100_000]);
        let (pairs, ..) = rewritten(items(&vec![("a", 1, ""); 100_000]), many.iter().collect());
        assert_eq!(pairs.len(), 100_000);
    }

    #[test]
    fn a_hundred_thousand_identical_items_are_paired_in_no_time() {
        let many = items(&vec![("a", 1, ""); 100_000]);
        let compared = compare(&many, &many[1..], &[]);
        assert_eq!((compared.same, compared.missing, compared.left.len()), (99_999, vec![99_999], 0));
    }
}
