//! Finding items again by what they are: which item of the target is which item of the source.
//!
//! Used when ids can't tell: after an answer was lost, when another tool was here before, when ids were renumbered.
//! Items are matched as multisets, so that two identical messages stay two, in tiers: exact bytes, canonical form,
//! canonical form without what tools add. Within a tier, those with the same date first, then the same flags, then in
//! the order of ids. Message-ID is never a key; it only tells what *may* be the same.

use std::collections::{HashMap, HashSet, VecDeque};

use model::{Digest, Fate, Findings, Flags, FolderState, ItemId};

/// An item of the target that may be one of ours.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) id: ItemId,
    pub(crate) found: Findings,
    pub(crate) received: Option<i64>,
    pub(crate) flags: Flags,
}

/// An item of the source that is looked for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<'f> {
    pub(crate) found: &'f Findings,
    pub(crate) received: Option<i64>,
    pub(crate) flags: &'f Flags,
}

/// Candidates, each of which is given away once.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    candidates: Vec<Option<Candidate>>,
    left: usize,
    by_exact: Places<Digest>,
    by_canonical: Places<Digest>,
    by_stripped: Places<Digest>,
    by_hint: Places<u64>,
}

/// The places of candidates that are left, by what they are. They are mostly taken from the front.
type Places<K> = HashMap<K, VecDeque<usize>>;

fn without<K: std::hash::Hash + Eq>(places: &mut Places<K>, key: &K, index: usize) {
    if let Some(places) = places.get_mut(key)
        && let Some(position) = places.iter().position(|place| *place == index)
    {
        places.remove(position);
    }
}

/// What the pool has for an item.
#[derive(Debug)]
pub(crate) enum Found {
    /// This one: the same bytes and the same date.
    Same(Candidate),
    /// Something here may be it, but may fit another item better: to be decided once all of them are known.
    Later,
    /// Nothing.
    Nothing,
}

/// Bytes and dates of which there are more on the target than we put there.
#[derive(Debug, Default)]
pub(crate) struct Alike(HashSet<(Digest, Option<i64>)>);

impl Alike {
    /// The fate of an item with a copy there: ours, unless that may as well be somebody else's.
    pub(crate) fn fate(&self, exact: Option<Digest>, received: Option<i64>, fate: Fate) -> Fate {
        let is_alike = exact.is_some_and(|exact| self.0.contains(&(exact, received)));
        if is_alike && fate == Fate::Copied { Fate::Adopted } else { fate }
    }

    /// May what lies there with these bytes and this date be somebody else's?
    pub(crate) fn holds(&self, exact: Digest, received: Option<i64>) -> bool {
        self.0.contains(&(exact, received))
    }
}

/// May something with the second findings be an item with the first ones as a target has altered it, in its bytes or its date?
pub(crate) fn is_altered(item: &Findings, there: &Findings) -> bool {
    let is_one = item.exact == there.exact || item.canonical == there.canonical || item.stripped == there.stripped;
    is_one || (item.hint.is_some() && item.hint == there.hint)
}

impl Pool {
    /// A pool of these candidates, in the order of ids.
    pub(crate) fn new(candidates: Vec<Candidate>) -> Self {
        let mut pool = Self::default();
        for candidate in candidates {
            let index = pool.candidates.len();
            pool.by_exact.entry(candidate.found.exact).or_default().push_back(index);
            pool.by_canonical.entry(candidate.found.canonical).or_default().push_back(index);
            pool.by_stripped.entry(candidate.found.stripped).or_default().push_back(index);
            if let Some(hint) = candidate.found.hint {
                pool.by_hint.entry(hint).or_default().push_back(index);
            }
            pool.candidates.push(Some(candidate));
            pool.left += 1;
        }
        pool
    }

    fn take(&mut self, index: usize) -> Option<Candidate> {
        let candidate = self.candidates[index].take()?;
        self.left -= 1;
        without(&mut self.by_exact, &candidate.found.exact, index);
        without(&mut self.by_canonical, &candidate.found.canonical, index);
        without(&mut self.by_stripped, &candidate.found.stripped, index);
        if let Some(hint) = candidate.found.hint {
            without(&mut self.by_hint, &hint, index);
        }
        Some(candidate)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Candidates that nobody has taken.
    pub(crate) fn left(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates.iter().flatten()
    }

    /// The candidate for this item, if there can be no better use for it.
    pub(crate) fn find(&mut self, wanted: &Wanted<'_>) -> Found {
        if let Some(same) = self.find_same(wanted) {
            return Found::Same(same);
        }
        let looser = [
            (&self.by_exact, wanted.found.exact),
            (&self.by_canonical, wanted.found.canonical),
            (&self.by_stripped, wanted.found.stripped),
        ];
        if looser.into_iter().any(|(tier, digest)| self.best(tier, digest, wanted, false).is_some()) {
            return Found::Later;
        }
        if self.may_be(wanted).is_some() { Found::Later } else { Found::Nothing }
    }

    /// The candidate with the same bytes and the same date, if there is one left.
    pub(crate) fn find_same(&mut self, wanted: &Wanted<'_>) -> Option<Candidate> {
        let index = self.best(&self.by_exact, wanted.found.exact, wanted, true)?;
        self.take(index)
    }

    /// The candidate with these exact bytes and this date, if there is one left.
    pub(crate) fn find_digest(&mut self, exact: Digest, received: Option<i64>) -> Option<Candidate> {
        let at = |index: &&usize| self.candidates[**index].as_ref().is_some_and(|c| c.received == received);
        let index = *self.by_exact.get(&exact)?.iter().find(at)?;
        self.take(index)
    }

    /// The candidate with these exact bytes, this date and these flags, if there is one left.
    pub(crate) fn find_flagged(&mut self, exact: Digest, received: Option<i64>, flags: &Flags) -> Option<Candidate> {
        let is_it = |candidate: &Candidate| candidate.received == received && candidate.flags == *flags;
        let at = |index: &&usize| self.candidates[**index].as_ref().is_some_and(is_it);
        let index = *self.by_exact.get(&exact)?.iter().find(at)?;
        self.take(index)
    }

    /// The candidate with these exact bytes and whatever date, if there is one left.
    pub(crate) fn find_bytes(&mut self, exact: Digest) -> Option<Candidate> {
        let index = *self.by_exact.get(&exact)?.front()?;
        self.take(index)
    }

    /// The candidate that may be this item as somebody has altered it, if there is one left.
    pub(crate) fn find_altered(&mut self, found: &Findings) -> Option<Candidate> {
        let index =
            self.left().find(|candidate| is_altered(found, &candidate.found)).map(|candidate| candidate.id.clone());
        self.take_id(&index?)
    }

    /// The candidate with this id, if it is left.
    pub(crate) fn take_id(&mut self, id: &ItemId) -> Option<Candidate> {
        let index = self.candidates.iter().position(|candidate| candidate.as_ref().is_some_and(|one| one.id == *id))?;
        self.take(index)
    }

    /// Is there a candidate with these exact bytes and this date?
    pub(crate) fn holds(&self, exact: Digest, received: Option<i64>) -> bool {
        let mut places = self.by_exact.get(&exact).into_iter().flatten();
        places.any(|index| self.candidates[*index].as_ref().is_some_and(|one| one.received == received))
    }

    /// Is there a candidate with these exact bytes, of whatever date?
    pub(crate) fn holds_bytes(&self, exact: Digest) -> bool {
        self.by_exact.get(&exact).is_some_and(|places| !places.is_empty())
    }

    /// The candidate with this canonical form and this date, if there is one left.
    pub(crate) fn find_canonical(&mut self, canonical: Digest, received: Option<i64>) -> Option<Candidate> {
        let at = |index: &&usize| self.candidates[**index].as_ref().is_some_and(|c| c.received == received);
        let index = *self.by_canonical.get(&canonical)?.iter().find(at)?;
        self.take(index)
    }

    /// The same, among those that came since the folder stood at this mark: a batch sent after it put nothing else there.
    /// Ids that are no numbers don't tell.
    pub(crate) fn find_since(&mut self, mark: &FolderState, exact: Digest, received: Option<i64>) -> Option<Candidate> {
        let at = |index: &&usize| {
            self.candidates[**index].as_ref().is_some_and(|candidate| {
                let is_since = candidate.id.as_u32().is_none_or(|id| u64::from(id) >= mark.next);
                candidate.received == received && is_since
            })
        };
        let index = *self.by_exact.get(&exact)?.iter().find(at)?;
        self.take(index)
    }

    /// Bytes and dates that more of what is left has than these items that lie there under ids nobody told, each with the mark
    /// since when: whose is which can't be told.
    pub(crate) fn alike(&self, ours: impl Iterator<Item = (FolderState, Digest, Option<i64>)>) -> Alike {
        let mut of_ours: HashMap<(Digest, Option<i64>), (usize, u64)> = HashMap::new();
        for (mark, exact, received) in ours {
            let (count, since) = of_ours.entry((exact, received)).or_insert((0, mark.next));
            (*count, *since) = (*count + 1, mark.next.min(*since));
        }
        let is_more = |exact: &Digest, received: Option<i64>, count: usize, since: u64| {
            let candidates =
                self.by_exact.get(exact).into_iter().flatten().filter_map(|at| self.candidates[*at].as_ref());
            let is_it =
                |one: &&Candidate| one.received == received && one.id.as_u32().is_none_or(|id| u64::from(id) >= since);
            candidates.filter(is_it).nth(count).is_some()
        };
        let alike =
            of_ours.into_iter().filter(|((exact, received), (count, since))| is_more(exact, *received, *count, *since));
        Alike(alike.map(|(key, _)| key).collect())
    }

    /// An item left with the same date and the same Message-ID (or From and Date), but other bytes: it may be this item
    /// rewritten, or another one. To be asked after [`Self::settle`].
    pub(crate) fn may_be(&self, wanted: &Wanted<'_>) -> Option<&Candidate> {
        let may_be = self.by_hint.get(&wanted.found.hint?)?;
        let left = may_be.iter().filter_map(|index| self.candidates[*index].as_ref());
        left.into_iter().find(|candidate| candidate.received == wanted.received)
    }

    /// Gives what is left to these items, tier by tier. In their order: the candidate of each, if any.
    pub(crate) fn settle(&mut self, wanted: &[Wanted<'_>]) -> Vec<Option<Candidate>> {
        let mut given: Vec<Option<Candidate>> = vec![None; wanted.len()];
        for tier in 0..3 {
            for same_date in [true, false] {
                for (index, wanted) in wanted.iter().enumerate() {
                    if given[index].is_some() {
                        continue;
                    }
                    let (map, digest) = match tier {
                        0 => (&self.by_exact, wanted.found.exact),
                        1 => (&self.by_canonical, wanted.found.canonical),
                        _ => (&self.by_stripped, wanted.found.stripped),
                    };
                    if let Some(best) = self.best(map, digest, wanted, same_date) {
                        given[index] = self.take(best);
                    }
                }
            }
        }
        given
    }

    /// The best candidate with this digest: the same flags first, then the lowest id.
    fn best(&self, tier: &Places<Digest>, digest: Digest, wanted: &Wanted<'_>, same_date: bool) -> Option<usize> {
        let mut first = None;
        for index in tier.get(&digest)? {
            let Some(candidate) = &self.candidates[*index] else { continue };
            if same_date && candidate.received != wanted.received {
                continue;
            }
            if candidate.flags == *wanted.flags {
                return Some(*index);
            }
            first = first.or(Some(*index));
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use model::{Examiner, ItemKind};
    use proptest::prelude::*;

    use super::*;

    static NONE: Flags = Flags::NONE;

    fn candidate(id: u32, bytes: &[u8], received: i64, flags: &str) -> Candidate {
        Candidate {
            id: ItemId::from_u32(id),
            found: Examiner::examine(ItemKind::Message, bytes),
            received: Some(received),
            flags: Flags::of(flags.split(' ')),
        }
    }

    #[test]
    fn a_hundred_thousand_identical_items_are_given_away_in_no_time() {
        let one = candidate(1, b"same", 5, "");
        let many = (0..100_000).map(|id| Candidate { id: ItemId::from_u32(id), ..one.clone() }).collect();
        let mut pool = Pool::new(many);
        let wanted = Wanted { found: &one.found, received: Some(5), flags: &one.flags };
        for id in 0..100_000 {
            assert!(!pool.is_empty());
            let Found::Same(same) = pool.find(&wanted) else { panic!("{id}") };
            assert_eq!(same.id, ItemId::from_u32(id));
        }
        assert!(pool.is_empty() && matches!(pool.find(&wanted), Found::Nothing));
    }

    fn found(bytes: &[u8]) -> Findings {
        Examiner::examine(ItemKind::Message, bytes)
    }

    fn id(found: &Found) -> Option<u32> {
        if let Found::Same(candidate) = found { candidate.id.as_u32() } else { None }
    }

    #[test]
    fn two_identical_items_are_two() {
        let mut pool = Pool::new(vec![candidate(1, b"a", 5, ""), candidate(2, b"a", 5, "\\Seen")]);
        let (bytes, seen) = (found(b"a"), Flags::of(["\\Seen"]));
        let wanted = Wanted { found: &bytes, received: Some(5), flags: &seen };
        assert_eq!(id(&pool.find(&wanted)), Some(2), "the same flags first");
        assert_eq!(id(&pool.find(&wanted)), Some(1));
        assert!(matches!(pool.find(&wanted), Found::Nothing));
    }

    #[test]
    fn another_date_waits_until_all_are_known() {
        let mut pool = Pool::new(vec![candidate(1, b"a", 5, ""), candidate(2, b"a", 6, "")]);
        let bytes = found(b"a");
        let at = |received| Wanted { found: &bytes, received: Some(received), flags: &NONE };
        assert!(matches!(pool.find(&at(7)), Found::Later));
        assert_eq!(id(&pool.find(&at(5))), Some(1));
        let settled = pool.settle(&[at(7), at(6)]);
        assert_eq!(settled[1].as_ref().and_then(|c| c.id.as_u32()), Some(2), "its own date before another's");
        assert!(settled[0].is_none());
    }

    #[test]
    fn what_a_tool_changed_is_found_in_a_later_tier() {
        let with_tool = b"X-TUID: q\r\nMessage-ID: <1@x>\r\nSubject: s\r\n\r\nb\r\n";
        let with_lf = b"Message-ID: <2@x>\nSubject: s\n\nb\n";
        let mut pool = Pool::new(vec![candidate(1, with_tool, 5, ""), candidate(2, with_lf, 5, "")]);
        let first = found(b"Message-ID: <1@x>\r\nSubject: s\r\n\r\nb\r\n");
        let second = found(b"Message-ID: <2@x>\r\nSubject: s\r\n\r\nb\r\n");
        let want = |found| Wanted { found, received: Some(5), flags: &NONE };
        assert!(matches!(pool.find(&want(&first)), Found::Later));
        let settled = pool.settle(&[want(&first), want(&second)]);
        let ids: Vec<_> = settled.iter().map(|c| c.as_ref().and_then(|c| c.id.as_u32())).collect();
        assert_eq!(ids, [Some(1), Some(2)]);
        assert!(pool.is_empty());
    }

    #[test]
    fn the_same_id_and_date_with_other_bytes_only_may_be_it() {
        let mut pool = Pool::new(vec![candidate(9, b"Message-ID: <1@x>\r\n\r\nrewritten\r\n", 5, "")]);
        let bytes = found(b"Message-ID: <1@x>\r\n\r\noriginal\r\n");
        let at = |received| Wanted { found: &bytes, received: Some(received), flags: &NONE };
        assert!(matches!(pool.find(&at(5)), Found::Later));
        assert_eq!(pool.may_be(&at(5)).and_then(|c| c.id.as_u32()), Some(9));
        assert!(matches!(pool.find(&at(6)), Found::Nothing), "another date: another message with the same id");
    }

    #[test]
    fn two_messages_with_one_id_are_not_taken_for_one() {
        let (one, other) = (b"Message-ID: <1@x>\r\n\r\none\r\n", b"Message-ID: <1@x>\r\n\r\nother\r\n");
        let mut pool = Pool::new(vec![candidate(9, one, 5, "")]);
        let (one, other) = (found(one), found(other));
        let want = |found| Wanted { found, received: Some(5), flags: &NONE };
        assert!(matches!(pool.find(&want(&other)), Found::Later), "read first, but the candidate is not for it");
        assert_eq!(id(&pool.find(&want(&one))), Some(9));
        assert!(pool.settle(&[want(&other)])[0].is_none());
        assert!(pool.may_be(&want(&other)).is_none(), "so it is copied");
    }

    proptest! {
        /// Whatever lies on both sides: no candidate is given twice, a pair always agrees in its tier, and nothing is left
        /// on both sides that agrees.
        #[test]
        fn settling_is_a_matching_that_cannot_be_improved(
            there in proptest::collection::vec((0u8..4, 0i64..3, 0u8..2), 0..12),
            here in proptest::collection::vec((0u8..4, 0i64..3, 0u8..2), 0..12),
        ) {
            let body = |b: u8| vec![b'a' + b];
            let flag = |f: u8| if f == 0 { "" } else { "\\Seen" };
            let candidates: Vec<_> =
                there.iter().enumerate().map(|(n, (b, d, f))| candidate(n as u32, &body(*b), *d, flag(*f))).collect();
            let facts: Vec<_> = here.iter().map(|(b, d, f)| (found(&body(*b)), *d, Flags::of([flag(*f)]))).collect();
            let wanted: Vec<_> =
                facts.iter().map(|(found, d, flags)| Wanted { found, received: Some(*d), flags }).collect();
            let mut pool = Pool::new(candidates);
            let mut pairs: Vec<Option<Candidate>> = vec![None; wanted.len()];
            let mut later = Vec::new();
            for (n, want) in wanted.iter().enumerate() {
                match pool.find(want) {
                    Found::Same(candidate) => pairs[n] = Some(candidate),
                    Found::Later => later.push(n),
                    _ => {}
                }
            }
            let rest: Vec<_> = later.iter().map(|n| wanted[*n].clone()).collect();
            for (n, given) in later.iter().zip(pool.settle(&rest)) {
                pairs[*n] = given;
            }
            let mut given: Vec<u32> = pairs.iter().flatten().filter_map(|c| c.id.as_u32()).collect();
            given.sort_unstable();
            let count = given.len();
            given.dedup();
            prop_assert_eq!(given.len(), count);
            for (want, pair) in wanted.iter().zip(&pairs) {
                if let Some(pair) = pair {
                    prop_assert_eq!(pair.found.exact, want.found.exact);
                } else {
                    prop_assert!(pool.left().all(|c| c.found.exact != want.found.exact));
                }
            }
        }
    }
}
