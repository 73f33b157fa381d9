//! Verify: is the copy exact? Both sides are read in full and compared; the ledger is not believed.
//!
//! From the ledger come only what people decided or did (withdrawals, failures that are listed) and the names of folders
//! that the target refused; all else is what the two sides say now. Items are compared as multisets of folder, SHA-256 of
//! the bytes, date and flags. What changed after the verification began is *moving*, not a difference.

use std::collections::{BTreeMap, HashMap, HashSet};

use connector::{Holds, Source, losses_between};
use model::{Cause, Fate, Flags, FolderPath, ItemId};
use store::{FailureRow, FolderRow, HeldRemoval, LedgerItem, MailboxRow, Treatment};

use crate::comparing::{Entry, Held, Rules, compare, is_altered, read_folders, rewritten};
use crate::dates;
use crate::failure::{Failure, OnSide};
use crate::follow::rule;
use crate::places::without_case;
use crate::prepare::listed_as;
use crate::run::Engine;
use crate::travel::{Lane, Travel};

mod verdict;

use verdict::DIFFERENCES_MAX;
pub use verdict::{Difference, Kind, Verification};

/// Folders are read in groups of about this many items, and at most this many folders.
const GROUP_ITEMS: u64 = 20_000;
const GROUP_FOLDERS: usize = 500;

/// What is compared of a folder.
pub(crate) struct Pair {
    pub(crate) path: FolderPath,
    pub(crate) target_path: FolderPath,
    pub(crate) row: Option<FolderRow>,
    pub(crate) count: u64,
    /// What rules say of it as a whole.
    pub(crate) lane: Lane,
}

impl Engine {
    /// Compares a mailbox on both sides in full; with `sample`, about so many items of it: see [`crate::sample`].
    pub async fn verify(&self, mailbox: &MailboxRow, sample: Option<u64>) -> Result<Verification, Failure> {
        let sides = self.sides(mailbox)?;
        let (source_is, target_is) = sides.declarations();
        let (source, target, _seats) = sides.open_to_read().await?;
        let (losses, kinds) = (losses_between(&source_is, &target_is), target_is.kinds);
        let dates = self.dates(mailbox.mailbox).await?;
        let policy = self.policy_of(mailbox.mailbox);
        let travel = Travel::new(policy, None, None, losses.clone(), dates, mailbox.bytes_not_kept);
        let treatments = self.store.treatments(self.key, mailbox.mailbox).await?;
        let treatments =
            treatments.into_iter().map(|row| ((row.folder, row.treatment.source_id.clone()), row.treatment));
        let treatments = treatments.collect();
        let failures = self.store.failures(self.key, Some(mailbox.mailbox)).await?;
        let removals = self.store.held_removals(self.key, mailbox.mailbox).await?;
        let altered = self.store.altered_copies(self.key, mailbox.mailbox).await?;
        let result = Verification::default();
        let rows = self.store.folders(self.key, mailbox.mailbox).await?;
        let target_paths = rows.into_iter().map(|row| (row.folder, row.target_path)).collect();
        let mut verifier = Verifier {
            engine: self,
            mailbox,
            source,
            target,
            failures,
            removals,
            altered,
            target_paths,
            travel,
            losses,
            treatments,
            result,
        };
        let pairs = verifier.pairs(&kinds).await?;
        verifier.result.folders += pairs.len() as u64;
        let already = verifier.result.items;
        let in_full = match sample {
            Some(sample) => verifier.compare_sample(pairs, sample).await?,
            None => pairs,
        };
        verifier.compare_all(in_full).await?;
        verifier.result.sampled = sample.map(|_| verifier.result.items - already);
        verifier.source.close().await;
        verifier.target.close().await;
        Ok(verifier.result)
    }
}

pub(crate) struct Verifier<'e> {
    pub(crate) engine: &'e Engine,
    pub(crate) mailbox: &'e MailboxRow,
    pub(crate) source: Box<dyn Source>,
    pub(crate) target: Box<dyn Source>,
    failures: Vec<FailureRow>,
    removals: Vec<HeldRemoval>,
    /// Copies that the target has altered and that stay there, by the folder and the id of their item at the source.
    altered: HashMap<(FolderPath, ItemId), Vec<ItemId>>,
    /// Where the items of each folder of the ledger go.
    target_paths: HashMap<i64, FolderPath>,
    pub(crate) travel: Travel,
    pub(crate) losses: model::LossTable,
    /// What the policy made of items when they travelled.
    treatments: HashMap<(i64, ItemId), Treatment>,
    pub(crate) result: Verification,
}

impl Verifier<'_> {
    /// The folders of the source and those of the target that they are to equal.
    async fn pairs(&mut self, kinds: &[model::ItemKind]) -> Result<Vec<Pair>, Failure> {
        let (here, there) = tokio::try_join!(async { self.source.folders().await.on_source() }, async {
            self.target.folders().await.on_target()
        })?;
        let there: BTreeMap<FolderPath, connector::Folder> =
            there.into_iter().filter(|folder| folder.holds_items).map(|f| (f.path.clone(), f)).collect();
        let rows = self.engine.store.folders(self.engine.key, self.mailbox.mailbox).await?;
        let mut pairs = Vec::new();
        let mut here = here;
        here.extend(self.not_listed(&here, &rows).await?);
        let trash = Travel::trash(here.iter());
        for folder in here.into_iter().filter(|folder| folder.holds_items) {
            let row = rows.iter().find(|row| row.path == folder.path && row.kind == folder.kind && !row.is_gone());
            let state = match folder.state {
                Some(state) => state,
                None => match self.source.state(&folder.path).await {
                    Ok(state) => state,
                    Err(error) if error.cause == Cause::Missing => {
                        self.named_only(&folder.path, &rows).await?;
                        continue;
                    }
                    Err(error) => return Err(error).on_source(),
                },
            };
            if !kinds.contains(&folder.kind) {
                self.result.folders += 1;
                self.result.items += state.count;
                if state.count > 0 {
                    *self.result.failed.entry(Cause::Unsupported).or_default() += state.count;
                }
                continue;
            }
            // Where the policy puts it, unless the target refused that, or another folder goes there.
            let place = self.travel.place(&folder.path);
            let is_anothers =
                rows.iter().any(|other| other.path != folder.path && !other.is_gone() && other.target_path == place);
            // Where it was put by earlier rules it stays.
            let lies_there = |row: &&FolderRow| row.target.is_some() && there.contains_key(&row.target_path);
            let mapped = row.filter(lies_there).or_else(|| row.filter(|_| is_anothers || !there.contains_key(&place)));
            let target_path = mapped.map_or(place, |row| row.target_path.clone());
            let name = folder.path.to_string();
            let lane = self.travel.lane(&folder.path, &trash);
            if let Some(rule) = lane.left_by
                && row.is_none_or(|row| row.target.is_none())
            {
                // Nothing of it has ever gone anywhere.
                self.result.folders += 1;
                self.result.items += state.count;
                if state.count > 0 {
                    *self.result.excluded.entry(rule.to_owned()).or_default() += state.count;
                }
                continue;
            }
            match there.get(&target_path) {
                _ if lane.left_by.is_some() => {}
                None => {
                    let what = format!("the folder {:?} is not on the target", target_path.to_string());
                    self.folder_differs(Kind::MissingFolder, &name, what);
                }
                // What its person follows on the target is theirs to say, once the source is left.
                Some(is) if folder.subscribed && !is.subscribed && !self.mailbox.is_frozen() => {
                    let what = "the folder is followed on the source and not on the target".to_owned();
                    self.folder_differs(Kind::NotSubscribed, &name, what);
                }
                Some(_) => {}
            }
            pairs.push(Pair { path: folder.path, target_path, row: row.cloned(), count: state.count, lane });
        }
        Ok(pairs)
    }

    /// Folders that were read before and that the source leaves out of its list, but has.
    async fn not_listed(
        &mut self,
        listed: &[connector::Folder],
        rows: &[FolderRow],
    ) -> Result<Vec<connector::Folder>, Failure> {
        let names: HashSet<Vec<String>> = listed.iter().map(|folder| without_case(&folder.path)).collect();
        let endpoint = self.mailbox.roster.source_endpoint;
        let mut folders = Vec::new();
        for row in rows.iter().filter(|row| row.endpoint == endpoint && !row.is_gone()) {
            if names.contains(&without_case(&row.path)) {
                continue;
            }
            match self.source.state(&row.path).await {
                Ok(state) => folders.push(listed_as(row, state)),
                Err(error) if error.ends_session() => return Err(error).on_source(),
                Err(_) => {}
            }
        }
        Ok(folders)
    }

    /// A name without a folder: a difference where items of it are on the target, as the source may have lost them.
    async fn named_only(&mut self, path: &FolderPath, rows: &[FolderRow]) -> Result<(), Failure> {
        let mut items = 0;
        for row in rows.iter().filter(|row| row.path == *path) {
            items += self.engine.store.count_items(self.engine.key, row).await?;
        }
        if items > 0 {
            let what =
                format!("the source lists the folder and says that it is not there; {items} of its items were read");
            self.folder_differs(Kind::MissingFolder, &path.to_string(), what);
        }
        Ok(())
    }

    fn folder_differs(&mut self, kind: Kind, folder: &str, what: String) {
        let folder = folder.to_owned();
        let difference = Difference { kind, folder, source_item: None, target_item: None, sha256: None, what };
        if self.result.differences.len() < DIFFERENCES_MAX {
            self.result.differences.push(difference);
        }
    }

    /// Compares folders in full.
    async fn compare_all(&mut self, pairs: Vec<Pair>) -> Result<(), Failure> {
        let (mut group, mut items, mut folders): (Vec<Vec<Pair>>, u64, usize) = (Vec::new(), 0, 0);
        for pairs in together(pairs) {
            self.go_on()?;
            items += pairs.iter().map(|pair| pair.count).sum::<u64>();
            folders += pairs.len();
            group.push(pairs);
            if items >= GROUP_ITEMS || folders >= GROUP_FOLDERS {
                self.compare_group(std::mem::take(&mut group)).await?;
                (items, folders) = (0, 0);
            }
        }
        self.compare_group(group).await
    }

    pub(crate) fn go_on(&self) -> Result<(), Failure> {
        if *self.engine.stop.borrow() { Err(Failure::stopped()) } else { Ok(()) }
    }

    async fn compare_group(&mut self, group: Vec<Vec<Pair>>) -> Result<(), Failure> {
        if group.is_empty() {
            return Ok(());
        }
        let pairs = || group.iter().flatten();
        let sources: Vec<FolderPath> = pairs().map(|pair| pair.path.clone()).collect();
        let targets: Vec<FolderPath> =
            group.iter().filter_map(|pairs| Some(pairs.first()?.target_path.clone())).collect();
        let (source, target) = (self.source.as_mut(), self.target.as_mut());
        let (source_holds, target_holds) = (holds(self.engine), holds(self.engine));
        let lanes: Vec<Lane> = pairs().map(|pair| pair.lane.clone()).collect();
        let rules = Rules { travel: &self.travel, lanes: &lanes, losses: &self.losses };
        let (here, there) = tokio::try_join!(
            async { read_folders(source, sources, &source_holds, Some(rules)).await.on_source() },
            async { read_folders(target, targets, &target_holds, None).await.on_target() }
        )?;
        let mut here = here.into_iter();
        for (pairs, there) in group.into_iter().zip(there) {
            let here: Vec<Held> = here.by_ref().take(pairs.len()).collect();
            self.compare(&pairs, here, there).await?;
        }
        Ok(())
    }

    /// Compares folders of the source with the one of the target that they go to.
    async fn compare(&mut self, pairs: &[Pair], mut held: Vec<Held>, there: Held) -> Result<(), Failure> {
        let mut here: Vec<Entry> = Vec::new();
        for (of, held) in (0..).zip(&mut held) {
            here.extend(std::mem::take(&mut held.entries).into_iter().map(|entry| Entry { of, ..entry }));
        }
        let mut fates = Vec::new();
        for pair in pairs {
            fates.push(self.fates_but_copied(pair).await?);
        }
        let altered = self.altered_copies(pairs, &here, &fates, &there);
        self.result.altered_on_target += altered.len() as u64;
        let mut found = compare(&here, &there.entries, &altered);
        let mut unexplained = Vec::new();
        for by in here.iter().filter_map(Entry::rewritten_by) {
            *self.result.rewritten(by) += 1;
        }
        let kept_date = found.kept_date.iter().filter_map(|index| here[*index].rewritten_by());
        for by in kept_date.filter(|(_, rule)| *rule == dates::RULE) {
            *self.result.rewritten(by) -= 1;
        }
        let missing = std::mem::take(&mut found.missing);
        let mut known = Vec::new();
        for (of, ((pair, held), fates)) in (0..).zip(pairs.iter().zip(&held).zip(fates)) {
            let missing: Vec<&Entry> =
                missing.iter().map(|index| &here[*index]).filter(|entry| entry.of == of).collect();
            self.explain(pair, held, missing, &there, &fates, &mut found.left, &mut unexplained).await?;
            known.push((fates, self.moved_since(pair, held, &there).await?));
        }
        self.result.replaced.retain(|_, count| *count > 0);
        self.result.repaired.retain(|_, count| *count > 0);
        self.result.items += here.len() as u64;
        let folder = |of: u32| pairs.get(of as usize).map(|pair| pair.path.to_string()).unwrap_or_default();
        for (source, target, kind) in std::mem::take(&mut found.changed) {
            let (source, target) = (&here[source], &there.entries[target]);
            let (fates, moved) = &known[source.of as usize];
            let is_adopted = fates.get(&source.id) == Some(&Fate::Adopted);
            self.result.on_target += 1;
            match kind {
                Kind::ChangedFlags if self.mailbox.is_in_use() => self.result.own_flags += 1,
                _ if moved.contains(source, target) => self.result.moving += 1,
                _ => {
                    let kind = if kind == Kind::ChangedDate && is_adopted { Kind::AdoptedDate } else { kind };
                    self.result.differ(changed(kind, &folder(source.of), source, target));
                }
            }
        }
        self.result.on_target += found.same;

        // What is left on the target: another form of what is missing, a second copy, or its person's own.
        let mut left: Vec<&Entry> = found.left.iter().map(|index| &there.entries[*index]).collect();
        for (is_kept, count) in [(false, &mut self.result.removals_held), (true, &mut self.result.kept_on_target)] {
            let of_it = self.removals.iter().filter(|removal| {
                let its_path = self.target_paths.get(&removal.folder);
                its_path == pairs.first().map(|pair| &pair.target_path) && (removal.rule == rule::FROZEN) == is_kept
            });
            let removals: HashSet<&ItemId> = of_it.filter_map(|removal| removal.target_id.as_ref()).collect();
            let before = left.len();
            left.retain(|entry| !removals.contains(&entry.id));
            *count += (before - left.len()) as u64;
        }
        for (pair, held) in pairs.iter().zip(&held) {
            let lost = self.lost_since(pair, &here, held).await?;
            let before = left.len();
            left.retain(|entry| !lost.contains(&entry.id));
            self.result.kept_on_target += (before - left.len()) as u64;
        }
        let (changed_bytes, unexplained, left) = rewritten(unexplained, left);
        for (source, target) in changed_bytes {
            self.result.differ(changed(Kind::ChangedBytes, &folder(source.of), &source, target));
        }
        for entry in left {
            if found.doubled.contains(&entry.exact) {
                let what = format!("item {} of the target is one copy more than the source has", entry.id);
                self.result.differ(Difference {
                    kind: Kind::Doubled,
                    folder: doubled(&here, entry).map_or_else(|| folder(0), |source| folder(source.of)),
                    source_item: None,
                    target_item: Some(entry.id.to_string()),
                    sha256: Some(entry.exact.to_string()),
                    what,
                });
            } else {
                self.result.others_on_target += 1;
            }
        }
        for entry in unexplained {
            if known[entry.of as usize].1.source_has_moved(&entry) {
                self.result.moving += 1;
                continue;
            }
            let what = format!("item {} of the source is not on the target", entry.id);
            self.result.differ(Difference {
                kind: Kind::Missing,
                folder: folder(entry.of),
                source_item: Some(entry.id.to_string()),
                target_item: None,
                sha256: Some(entry.exact.to_string()),
                what,
            });
        }
        Ok(())
    }

    /// Explains what of a folder is not on the target as it is at the source, as far as it can be explained.
    #[expect(clippy::too_many_arguments, reason = "one step of a comparison")]
    async fn explain(
        &mut self,
        pair: &Pair,
        held: &Held,
        missing: Vec<&Entry>,
        there: &Held,
        fates: &HashMap<ItemId, Fate>,
        left: &mut Vec<usize>,
        unexplained: &mut Vec<Entry>,
    ) -> Result<(), Failure> {
        let failures = self.failures_of(pair);
        let withdrawn = self.withdrawn_since(pair, there).await?;
        let earlier = self.copies_by_earlier_rules(pair, &missing, there, left).await?;
        let travelled = self.travelled(pair, &missing).await?;
        left.retain(|index| !earlier.values().any(|target| target == index));
        for entry in missing {
            if let Some(by) = entry.rewritten_by() {
                *self.result.rewritten(by) -= 1;
            }
            if earlier.contains_key(&entry.id) {
                self.result.on_target += 1;
                self.result.by_earlier_rules += 1;
                continue;
            }
            if let Some(rule) = entry.left_by().filter(|_| !travelled.contains(&entry.id)) {
                *self.result.excluded.entry(rule.to_owned()).or_default() += 1;
                continue;
            }
            match (entry.barred, fates.get(&entry.id), failures.get(&entry.id)) {
                (_, Some(Fate::Failed), Some(&(cause, true))) => *self.result.accepted.entry(cause).or_default() += 1,
                (Some(cause), _, _) | (_, Some(Fate::Failed), Some(&(cause, false))) => {
                    *self.result.failed.entry(cause).or_default() += 1;
                }
                (_, Some(Fate::Withdrawn), _) if self.was_moved(pair, &entry.id) => self.result.moved_at_source += 1,
                (_, Some(Fate::Withdrawn), _) => self.result.withdrawn += 1,
                (_, Some(Fate::Held), _) => self.result.held += 1,
                _ if withdrawn.contains(&entry.id) => self.result.withdrawn += 1,
                _ => unexplained.push(entry.clone()),
            }
        }
        for id in &held.unreadable {
            let (cause, is_accepted) = failures.get(id).copied().unwrap_or((Cause::Unreadable, false));
            let count = if is_accepted { &mut self.result.accepted } else { &mut self.result.failed };
            *count.entry(cause).or_default() += 1;
        }
        self.result.items += held.unreadable.len() as u64;
        Ok(())
    }

    /// Failed items and the copies of them that the target has altered and that stay there, by their places on both sides.
    fn altered_copies(
        &self,
        pairs: &[Pair],
        here: &[Entry],
        fates: &[HashMap<ItemId, Fate>],
        there: &Held,
    ) -> Vec<(usize, usize)> {
        let (mut copies, mut taken) = (Vec::new(), HashSet::new());
        if self.altered.is_empty() {
            return copies;
        }
        let places: HashMap<&ItemId, usize> =
            there.entries.iter().enumerate().map(|(place, entry)| (&entry.id, place)).collect();
        for (source, entry) in here.iter().enumerate() {
            let of = entry.of as usize;
            if fates[of].get(&entry.id) != Some(&Fate::Failed) {
                continue;
            }
            let ids = self.altered.get(&(pairs[of].path.clone(), entry.id.clone())).into_iter().flatten();
            // Ids may be from before the folder was numbered anew: then they are those of other items.
            let its = ids.filter_map(|id| places.get(id)).copied().filter(|at| is_altered(entry, &there.entries[*at]));
            copies.extend(its.filter(|target| taken.insert(*target)).map(|target| (source, target)));
        }
        copies
    }

    /// Items that rules would leave behind now, and that have travelled or wait for a word: where they are missing, that is no rule's
    /// doing.
    async fn travelled(&mut self, pair: &Pair, missing: &[&Entry]) -> Result<HashSet<ItemId>, Failure> {
        let Some(row) = &pair.row else { return Ok(HashSet::new()) };
        let left: Vec<ItemId> =
            missing.iter().filter(|entry| entry.left_by().is_some()).map(|entry| entry.id.clone()).collect();
        let known = self.engine.store.items_of(self.engine.key, row, &left).await?;
        let travelled = known.into_iter().filter(|item| !matches!(item.fate, Fate::Excluded | Fate::Failed));
        Ok(travelled.map(|item| item.source_id).collect())
    }

    /// Items that lie on the target as earlier rules had them travel, or whole since they were there before: each with the place of
    /// its copy.
    async fn copies_by_earlier_rules(
        &mut self,
        pair: &Pair,
        missing: &[&Entry],
        there: &Held,
        left: &[usize],
    ) -> Result<HashMap<ItemId, usize>, Failure> {
        let mut copies = HashMap::new();
        let Some(row) = &pair.row else { return Ok(copies) };
        let left: HashMap<&ItemId, usize> = left.iter().map(|index| (&there.entries[*index].id, *index)).collect();
        let ids: Vec<ItemId> = missing.iter().map(|entry| entry.id.clone()).collect();
        if left.is_empty() || ids.is_empty() {
            return Ok(copies);
        }
        let known = self.engine.store.items_of(self.engine.key, row, &ids).await?;
        let known: HashMap<ItemId, LedgerItem> = known.into_iter().map(|item| (item.source_id.clone(), item)).collect();
        for entry in missing {
            let item = known.get(&entry.id).filter(|item| matches!(item.fate, Fate::Copied | Fate::Adopted));
            let Some((item, target)) = item.and_then(|item| Some((item, *left.get(item.target_id.as_ref()?)?))) else {
                continue;
            };
            let treatment = self.treatments.get(&(row.folder, entry.id.clone()));
            let was = treatment.and_then(|treatment| treatment.original).or(item.exact);
            let is_as_it_was = was == Some(entry.original()) && item.exact == Some(there.entries[target].exact);
            // Where rules are the same and nothing is special about it, it is a difference.
            if is_as_it_was && (treatment.is_some() || entry.treated.is_some()) {
                copies.insert(entry.id.clone(), target);
            }
        }
        Ok(copies)
    }

    /// Why items of a folder failed, and whether somebody has accepted that.
    pub(crate) fn failures_of(&self, pair: &Pair) -> HashMap<ItemId, (Cause, bool)> {
        let of_it = |failure: &&FailureRow| pair.row.as_ref().is_some_and(|row| row.folder == failure.folder);
        let why = |failure: &FailureRow| (failure.cause, failure.accepted_by.is_some());
        self.failures.iter().filter(of_it).map(|failure| (failure.source_id.clone(), why(failure))).collect()
    }

    /// What the ledger says became of a folder's items, of those that were not copied.
    async fn fates_but_copied(&mut self, pair: &Pair) -> Result<HashMap<ItemId, Fate>, Failure> {
        let mut fates = HashMap::new();
        let Some(row) = &pair.row else { return Ok(fates) };
        let mut items = self.engine.store.items(self.engine.key, row);
        loop {
            let page = items.next().await?;
            if page.is_empty() {
                return Ok(fates);
            }
            let others = page.into_iter().filter(|item| item.fate != Fate::Copied);
            fates.extend(others.map(|item| (item.source_id, item.fate)));
        }
    }

    /// Items that their person has removed on a target in use since the last pass: the ledger knows where they were.
    async fn withdrawn_since(&mut self, pair: &Pair, there: &Held) -> Result<HashSet<ItemId>, Failure> {
        let mut withdrawn = HashSet::new();
        let Some(row) = pair.row.as_ref().filter(|_| self.mailbox.is_in_use()) else { return Ok(withdrawn) };
        let listed: HashSet<&ItemId> = there.entries.iter().map(|entry| &entry.id).collect();
        let mut items = self.engine.store.items(self.engine.key, row);
        loop {
            let page = items.next().await?;
            if page.is_empty() {
                return Ok(withdrawn);
            }
            let gone = page.into_iter().filter(|item| item.target_id.as_ref().is_some_and(|id| !listed.contains(id)));
            withdrawn.extend(gone.map(|item| item.source_id));
        }
    }

    /// Was an item moved there at the source since that is left? Its copy lies elsewhere.
    fn was_moved(&self, pair: &Pair, id: &ItemId) -> bool {
        let at = |folder: i64, at: &ItemId| pair.row.as_ref().is_some_and(|row| row.folder == folder) && at == id;
        self.removals.iter().any(|removal| removal.moved_to.as_ref().is_some_and(|(folder, id)| at(*folder, id)))
    }

    /// Copies of what the source had when the last pass read it and has no more, where it is being left: they stay.
    async fn lost_since(&mut self, pair: &Pair, here: &[Entry], held: &Held) -> Result<HashSet<ItemId>, Failure> {
        let mut lost = HashSet::new();
        let Some(row) = pair.row.as_ref().filter(|_| self.mailbox.is_frozen()) else { return Ok(lost) };
        let there: HashSet<&ItemId> = here.iter().map(|entry| &entry.id).chain(&held.unreadable).collect();
        let mut items = self.engine.store.items(self.engine.key, row);
        loop {
            let page = items.next().await?;
            if page.is_empty() {
                return Ok(lost);
            }
            lost.extend(
                page.into_iter().filter(|item| !there.contains(&item.source_id)).filter_map(|item| item.target_id),
            );
        }
    }

    /// What has changed since the two folders were read, where they did.
    async fn moved_since(&mut self, pair: &Pair, here: &Held, there: &Held) -> Result<Moved, Failure> {
        let mut moved = Moved::default();
        if here.missing || there.missing {
            return Ok(moved);
        }
        let now = self.source.state(&pair.path).await.on_source()?;
        if now != here.state {
            let list = self.source.list(&pair.path).await.on_source()?;
            moved.source = Some(list.into_iter().collect());
        }
        let now = self.target.state(&pair.target_path).await.on_target()?;
        if now != there.state {
            let list = self.target.list(&pair.target_path).await.on_target()?;
            moved.target = Some(list.into_iter().collect());
        }
        Ok(moved)
    }
}

/// Folders that go to one folder of the target belong together.
pub(crate) fn together(pairs: Vec<Pair>) -> Vec<Vec<Pair>> {
    let (mut all, mut places): (Vec<Vec<Pair>>, HashMap<FolderPath, usize>) = (Vec::new(), HashMap::new());
    for pair in pairs {
        let place = *places.entry(pair.target_path.clone()).or_insert(all.len());
        if place == all.len() {
            all.push(Vec::new());
        }
        all[place].push(pair);
    }
    all
}

/// An item of the source of which this is one copy more.
fn doubled<'h>(here: &'h [Entry], entry: &Entry) -> Option<&'h Entry> {
    here.iter().find(|source| source.exact == entry.exact)
}

pub(crate) fn holds(engine: &Engine) -> Holds {
    Holds::new(engine.holds.clone())
}

/// Flags now, by id, on the sides that changed since they were read.
#[derive(Default)]
struct Moved {
    source: Option<HashMap<ItemId, Flags>>,
    target: Option<HashMap<ItemId, Flags>>,
}

impl Moved {
    fn has_moved(side: Option<&HashMap<ItemId, Flags>>, entry: &Entry) -> bool {
        side.is_some_and(|now| now.get(&entry.id) != Some(&entry.flags))
    }

    fn source_has_moved(&self, entry: &Entry) -> bool {
        Self::has_moved(self.source.as_ref(), entry)
    }

    fn contains(&self, source: &Entry, target: &Entry) -> bool {
        self.source_has_moved(source) || Self::has_moved(self.target.as_ref(), target)
    }
}

pub(crate) fn changed(kind: Kind, folder: &str, source: &Entry, target: &Entry) -> Difference {
    let time = |received: Option<i64>| received.map_or_else(|| "none".to_owned(), |seconds| seconds.to_string());
    let (was, is) = match kind {
        Kind::ChangedFlags => (format!("flags ({})", source.flags), format!("({})", target.flags)),
        Kind::ChangedDate | Kind::AdoptedDate => (format!("date {}", time(source.received)), time(target.received)),
        _ => (format!("SHA-256 {}", source.exact), target.exact.to_string()),
    };
    Difference {
        kind,
        folder: folder.to_owned(),
        source_item: Some(source.id.to_string()),
        target_item: Some(target.id.to_string()),
        sha256: Some(source.exact.to_string()),
        what: format!("item {} has {was} on the source, item {} has {is} on the target", source.id, target.id),
    }
}
