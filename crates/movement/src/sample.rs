//! A sample of a mailbox: so many items, spread evenly over its folders and over the ages in each, the same every time.
//!
//! An item is read on both sides where the ledger says that it lies. Found there as it is at the source, it is on the target,
//! whatever else its folder holds. Else nothing is said from it alone: an equal one may lie beside it, and what is missing or
//! doubled is a matter of all equal ones together. Then its folder is compared in full.

use std::collections::{HashMap, HashSet};

use model::{Cause, Digest, Fate, FolderPath, ItemId};
use store::LedgerItem;

use crate::comparing::{Entry, Rules, difference, read_items};
use crate::failure::{Failure, OnSide};
use crate::there::stands_lower;
use crate::verify::{Kind, Pair, Verification, Verifier, changed, holds, together};

/// Items are read this many at a time.
const AT_ONCE: usize = 500;

impl Verifier<'_> {
    /// Compares a sample. Returns the folders that have to be compared in full.
    pub(crate) async fn compare_sample(&mut self, pairs: Vec<Pair>, sample: u64) -> Result<Vec<Pair>, Failure> {
        let counts: Vec<u64> = pairs.iter().map(|pair| pair.count).collect();
        if sample >= counts.iter().sum() {
            return Ok(pairs);
        }
        let shares = shares(&counts, sample);
        let mut shares: HashMap<FolderPath, u64> = pairs.iter().map(|pair| pair.path.clone()).zip(shares).collect();
        let mut in_full = Vec::new();
        for pairs in together(pairs) {
            self.go_on()?;
            let mut all = Some(Vec::new());
            for pair in &pairs {
                let share = shares.remove(&pair.path).unwrap_or_default();
                if let Some(found) = all.as_mut().filter(|_| share > 0) {
                    match self.compare_some(pair, &pairs, share).await? {
                        Some(some) => found.push(some),
                        None => all = None,
                    }
                }
            }
            match all {
                Some(all) => all.into_iter().for_each(|found| self.result.add(found)),
                None => in_full.extend(pairs),
            }
        }
        Ok(in_full)
    }

    /// Compares so many items of a folder, one of those that go to the same place; none where they are not enough to tell.
    async fn compare_some(
        &mut self,
        pair: &Pair,
        together: &[Pair],
        share: u64,
    ) -> Result<Option<Verification>, Failure> {
        let Some(row) = &pair.row else { return Ok(None) };
        let lanes = [pair.lane.clone()];
        let here = match self.source.state(&pair.path).await {
            Err(error) if error.cause == Cause::Missing => return Ok(None),
            state => state.on_source()?,
        };
        let there = match self.target.state(&pair.target_path).await {
            Err(error) if error.cause == Cause::Missing => return Ok(None),
            state => state.on_target()?,
        };
        // Else the ledger's ids may be those of other items.
        let is_known = row.target_path == pair.target_path
            && here.validity == row.validity
            && row.source.is_none_or(|known| !stands_lower(&known, &here))
            && row.target.is_some_and(|known| known.validity == there.validity);
        if !is_known {
            return Ok(None);
        }
        let listed = self.source.list(&pair.path).await.on_source()?;
        let chosen: Vec<ItemId> = places(share, listed.len() as u64).map(|place| listed[place].0.clone()).collect();
        let failures = self.failures_of(pair);
        let mut found = Verification::default();
        let mut differing = Vec::new();
        for ids in chosen.chunks(AT_ONCE) {
            self.go_on()?;
            found.items += ids.len() as u64;
            let known = self.engine.store.items_of(self.engine.key, row, ids).await?;
            if known.len() < ids.len() {
                return Ok(None);
            }
            let mut to_read: Vec<(LedgerItem, ItemId)> = Vec::new();
            for item in known {
                match (item.fate, failures.get(&item.source_id), item.target_id.clone()) {
                    (Fate::Failed, Some((cause, true)), _) => *found.accepted.entry(*cause).or_default() += 1,
                    (Fate::Failed, Some((cause, false)), _) => *found.failed.entry(*cause).or_default() += 1,
                    (Fate::Held, ..) => found.held += 1,
                    (Fate::Withdrawn, ..) => found.withdrawn += 1,
                    (Fate::Copied | Fate::Adopted, _, Some(target_id)) => to_read.push((item, target_id)),
                    _ => return Ok(None),
                }
            }
            let (ids, target_ids): (Vec<ItemId>, Vec<ItemId>) =
                to_read.iter().map(|(item, target_id)| (item.source_id.clone(), target_id.clone())).unzip();
            let (source, target) = (self.source.as_mut(), self.target.as_mut());
            let rules = Rules { travel: &self.travel, lanes: &lanes, losses: &self.losses };
            let (source_holds, target_holds) = (holds(self.engine), holds(self.engine));
            let (mut sources, mut targets) = tokio::try_join!(
                async { read_items(source, &pair.path, &ids, &source_holds, Some(rules)).await.on_source() },
                async { read_items(target, &pair.target_path, &target_ids, &target_holds, None).await.on_target() }
            )?;
            for (item, target_id) in to_read {
                let both = sources.remove(&item.source_id).zip(targets.remove(&target_id));
                let Some((source, target)) = both else { return Ok(None) };
                if source.treated.is_some() {
                    return Ok(None); // Rules may have changed since: the whole folder tells.
                }
                found.on_target += 1;
                match difference(&source, &target) {
                    None => {}
                    Some(Kind::ChangedFlags) if self.mailbox.is_in_use() => found.own_flags += 1,
                    Some(Kind::ChangedBytes) if !is_rewritten(&source, &target) => return Ok(None),
                    Some(Kind::ChangedDate) if item.fate == Fate::Adopted => {
                        differing.push((Kind::AdoptedDate, source, target));
                    }
                    Some(kind) => differing.push((kind, source, target)),
                }
            }
        }
        if !differing.is_empty() {
            let is_still = self.source.state(&pair.path).await.is_ok_and(|now| now == here)
                && self.target.state(&pair.target_path).await.is_ok_and(|now| now == there);
            if !is_still || self.have_equals(pair, together, &differing).await? {
                return Ok(None);
            }
        }
        let folder = pair.path.to_string();
        for (kind, source, target) in differing {
            found.differ(changed(kind, &folder, &source, &target));
        }
        Ok(Some(found))
    }

    /// Do these folders hold others that are equal to one of these?
    async fn have_equals(
        &mut self,
        pair: &Pair,
        together: &[Pair],
        differing: &[(Kind, Entry, Entry)],
    ) -> Result<bool, Failure> {
        let these: HashSet<&ItemId> = differing.iter().map(|(_, source, _)| &source.id).collect();
        let mut digests: HashMap<Digest, usize> = HashMap::new();
        for (_, source, target) in differing {
            *digests.entry(source.exact).or_default() += 1;
            *digests.entry(target.exact).or_default() += usize::from(target.exact != source.exact);
        }
        if digests.values().any(|count| *count > 1) {
            return Ok(true);
        }
        for other in together {
            let Some(row) = &other.row else { return Ok(true) };
            let is_one = |item: &LedgerItem| other.path == pair.path && these.contains(&item.source_id);
            let is_equal = |item: &LedgerItem| item.exact.is_some_and(|exact| digests.contains_key(&exact));
            let mut items = self.engine.store.items(self.engine.key, row);
            loop {
                let page = items.next().await?;
                if page.is_empty() {
                    break;
                }
                if page.iter().any(|item| is_equal(item) && !is_one(item)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// Is it one item, whose bytes a known tool has changed?
fn is_rewritten(source: &Entry, target: &Entry) -> bool {
    source.received == target.received
        && (source.stripped == target.stripped || (source.hint.is_some() && source.hint == target.hint))
}

/// How many items of each folder a sample of so many takes: one of each that holds any, where it is large enough for that, and
/// of the rest as many as each has its part in the mailbox.
fn shares(counts: &[u64], sample: u64) -> Vec<u64> {
    let folders = counts.iter().filter(|count| **count > 0).count() as u64;
    let each = u64::from(sample >= folders);
    let (left, all) = (sample - each * folders, counts.iter().sum::<u64>() - each * folders);
    let up_to = |place: u64| (u128::from(left) * u128::from(place) / u128::from(all.max(1))) as u64;
    let mut before = 0;
    let share = |count: &u64| {
        let first = each.min(*count);
        let after = before + count - first;
        let share = first + up_to(after) - up_to(before);
        before = after;
        share
    };
    counts.iter().map(share).collect()
}

/// So many places in a list, evenly spread from its beginning to its end.
fn places(share: u64, count: u64) -> impl Iterator<Item = usize> {
    let share = share.min(count);
    (0..share).map(move |n| ((2 * u128::from(n) + 1) * u128::from(count) / (2 * u128::from(share))) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_sample_has_its_size_and_every_folder_its_part(
            counts in proptest::collection::vec(0_u64..5_000, 1..30),
            per_mille in 0_u64..1_000,
        ) {
            let all: u64 = counts.iter().sum();
            let sample = all * per_mille / 1_000;
            let shares = shares(&counts, sample);
            assert_eq!(shares.iter().sum::<u64>(), sample);
            let folders = counts.iter().filter(|count| **count > 0).count() as u64;
            for (share, count) in shares.iter().zip(&counts) {
                assert!(share <= count);
                assert!(*share > 0 || *count == 0 || sample < folders, "{shares:?} of {counts:?}");
                let exact = sample * count / all.max(1);
                assert!(*share + folders + 1 >= exact && *share <= exact + folders + 1, "{shares:?} of {counts:?}");
                let places: Vec<usize> = places(*share, *count).collect();
                assert_eq!(places.len() as u64, *share);
                assert!(places.windows(2).all(|two| two[0] < two[1]));
                assert!(places.last().is_none_or(|last| (*last as u64) < *count));
            }
        }
    }
}
