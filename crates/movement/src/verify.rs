//! Verify: is the copy exact? Both sides are read in full and compared; the ledger is not believed.
//!
//! From the ledger come only what people decided or did (withdrawals, failures that are listed) and the names of folders
//! that the target refused; all else is what the two sides say now. Items are compared as multisets of folder, SHA-256 of
//! the bytes, date and flags. What changed after the verification began is *moving*, not a difference.

use std::collections::{BTreeMap, HashMap, HashSet};

use connector::{Holds, Source, losses_between};
use model::{Cause, Fate, Flags, FolderPath, ItemId};
use serde::Serialize;
use store::{FailureRow, FolderRow, HeldRemoval, How, LedgerItem, MailboxRow, Treatment};

use crate::comparing::{Compared, Entry, Held, Rules, compare, read_folders, rewritten};
use crate::failure::{Failure, OnSide};
use crate::prepare::{listed_as, without_case};
use crate::run::Engine;
use crate::state::counted;
use crate::travel::{Lane, Travel};

/// Folders are read in groups of about this many items, and at most this many folders.
const GROUP_ITEMS: u64 = 20_000;
const GROUP_FOLDERS: usize = 500;
/// Differences are kept by name up to this number a mailbox; beyond it they are only counted.
const DIFFERENCES_MAX: usize = 1_000;

/// How an item or a folder differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// On the source, not on the target.
    Missing,
    /// On the target more often than on the source.
    Doubled,
    /// On both, with other bytes.
    ChangedBytes,
    /// On both, with another date.
    ChangedDate,
    /// On both, with another date, put there by another tool.
    AdoptedDate,
    /// On both, with other flags.
    ChangedFlags,
    /// A folder that is on the source only.
    MissingFolder,
    /// A folder that is followed on the source only.
    NotSubscribed,
}

impl Kind {
    /// Its name, as reports have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Doubled => "doubled",
            Self::ChangedBytes => "changed-bytes",
            Self::ChangedDate => "changed-date",
            Self::AdoptedDate => "adopted-date",
            Self::ChangedFlags => "changed-flags",
            Self::MissingFolder => "missing-folder",
            Self::NotSubscribed => "not-subscribed",
        }
    }
}

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// How it differs.
    pub kind: Kind,
    /// The folder on the source.
    pub folder: String,
    /// The item there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_item: Option<String>,
    /// The item on the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_item: Option<String>,
    /// SHA-256 of the source's bytes, or of the target's where the source has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What was expected and what was found.
    pub what: String,
}

/// What a verification found of one mailbox, or of several together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Folders of the source.
    pub folders: u64,
    /// Items of the source that were compared.
    pub items: u64,
    /// Of these: on the target.
    pub on_target: u64,
    /// Of these: can't be held by the target or failed otherwise, by cause.
    pub failed: BTreeMap<Cause, u64>,
    /// Of these: failed, and somebody has accepted their loss, by cause.
    pub accepted: BTreeMap<Cause, u64>,
    /// Of these: excluded, by rule.
    pub excluded: BTreeMap<String, u64>,
    /// Of those on the target: with notes in place of what is banned, by rule.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub replaced: BTreeMap<String, u64>,
    /// Of those on the target: written so that the target takes them, by rule.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub repaired: BTreeMap<String, u64>,
    /// Of those on the target: as earlier rules had them travel.
    pub by_earlier_rules: u64,
    /// Of these: waiting for a person's word.
    pub held: u64,
    /// Of these: removed on the target by their person.
    pub withdrawn: u64,
    /// Of these: changed while the verification went on.
    pub moving: u64,
    /// Items with flags that their person changed on the target.
    pub own_flags: u64,
    /// Items on the target that are not of the source: its person's own.
    pub others_on_target: u64,
    /// Items on the target that the source has no more and whose removal waits for a word.
    pub removals_held: u64,
    /// Items that differ and that nothing explains.
    pub unexplained: u64,
    /// The differences, up to a number.
    pub differences: Vec<Difference>,
    /// Not everything was compared: so many items were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampled: Option<u64>,
}

impl Verification {
    /// Is the copy exact, and is nothing left behind?
    pub fn is_exact(&self) -> bool {
        self.unexplained == 0 && self.differences.is_empty() && self.failed.is_empty() && self.held == 0
    }

    /// The verdict, in one sentence.
    pub fn sentence(&self) -> String {
        let mut parts = vec![format!("{} on the target", plain(self.on_target))];
        for (rule, count) in &self.replaced {
            parts.push(format!("{} of them without what rule {rule} bans", plain(*count)));
        }
        for (rule, count) in &self.repaired {
            parts.push(format!("{} of them as rule {rule} had to write them", plain(*count)));
        }
        if self.by_earlier_rules > 0 {
            parts.push(format!("{} of them by earlier rules", plain(self.by_earlier_rules)));
        }
        for (rule, count) in &self.excluded {
            parts.push(format!("{} excluded by rule {rule}", plain(*count)));
        }
        for (by_cause, verb) in [(&self.failed, "failed"), (&self.accepted, "left behind with somebody's word")] {
            let count: u64 = by_cause.values().sum();
            if count > 0 {
                let causes: Vec<String> =
                    by_cause.iter().map(|(cause, count)| format!("{} {cause}", plain(*count))).collect();
                parts.push(format!("{} {verb} ({})", plain(count), causes.join(", ")));
            }
        }
        if self.held > 0 {
            parts.push(format!("{} held for a word", plain(self.held)));
        }
        if self.withdrawn > 0 {
            parts.push(format!("{} withdrawn by their person", plain(self.withdrawn)));
        }
        if self.moving > 0 {
            parts.push(format!("{} moving", plain(self.moving)));
        }
        parts.push(format!("{} unexplained", plain(self.unexplained)));
        let items = counted(self.items, if self.sampled.is_some() { "sampled item" } else { "item" });
        format!("{items} of {}: {}.", counted(self.folders, "folder"), parts.join(", "))
    }

    /// Adds what was found of another mailbox.
    pub fn add(&mut self, other: Self) {
        self.folders += other.folders;
        self.items += other.items;
        self.on_target += other.on_target;
        for (cause, count) in other.failed {
            *self.failed.entry(cause).or_default() += count;
        }
        for (cause, count) in other.accepted {
            *self.accepted.entry(cause).or_default() += count;
        }
        self.held += other.held;
        for (rule, count) in other.excluded {
            *self.excluded.entry(rule).or_default() += count;
        }
        for (rule, count) in other.replaced {
            *self.replaced.entry(rule).or_default() += count;
        }
        for (rule, count) in other.repaired {
            *self.repaired.entry(rule).or_default() += count;
        }
        self.by_earlier_rules += other.by_earlier_rules;
        self.withdrawn += other.withdrawn;
        self.moving += other.moving;
        self.own_flags += other.own_flags;
        self.others_on_target += other.others_on_target;
        self.removals_held += other.removals_held;
        self.unexplained += other.unexplained;
        self.differences.extend(other.differences);
        self.sampled = match (self.sampled, other.sampled) {
            (None, None) => None,
            (one, other) => Some(one.unwrap_or_default() + other.unwrap_or_default()),
        };
    }

    /// How many are written otherwise than the source has them, by this rule.
    fn rewritten(&mut self, (how, rule): (How, &str)) -> &mut u64 {
        let by_rule = if how == How::Repaired { &mut self.repaired } else { &mut self.replaced };
        by_rule.entry(rule.to_owned()).or_default()
    }

    pub(crate) fn differ(&mut self, difference: Difference) {
        self.unexplained += 1;
        if self.differences.len() < DIFFERENCES_MAX {
            self.differences.push(difference);
        }
    }
}

fn plain(number: u64) -> String {
    counted(number, "").trim_end_matches([' ', 's']).to_owned()
}

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
        let travel = Travel::new(self.policy.clone(), None, None, losses.clone(), mailbox.bytes_not_kept);
        let treatments = self.store.treatments(self.key, mailbox.mailbox).await?;
        let treatments =
            treatments.into_iter().map(|row| ((row.folder, row.treatment.source_id.clone()), row.treatment));
        let treatments = treatments.collect();
        let failures = self.store.failures(self.key, Some(mailbox.mailbox)).await?;
        let removals = self.store.held_removals(self.key, mailbox.mailbox).await?;
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
                Some(is) if folder.subscribed && !is.subscribed => {
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
        let (mut group, mut items): (Vec<Pair>, u64) = (Vec::new(), 0);
        for pair in pairs {
            self.go_on()?;
            items += pair.count;
            group.push(pair);
            if items >= GROUP_ITEMS || group.len() >= GROUP_FOLDERS {
                self.compare_group(std::mem::take(&mut group)).await?;
                items = 0;
            }
        }
        self.compare_group(group).await
    }

    pub(crate) fn go_on(&self) -> Result<(), Failure> {
        if *self.engine.stop.borrow() { Err(Failure::stopped()) } else { Ok(()) }
    }

    async fn compare_group(&mut self, group: Vec<Pair>) -> Result<(), Failure> {
        if group.is_empty() {
            return Ok(());
        }
        let (sources, targets): (Vec<FolderPath>, Vec<FolderPath>) =
            group.iter().map(|pair| (pair.path.clone(), pair.target_path.clone())).unzip();
        let (source, target) = (self.source.as_mut(), self.target.as_mut());
        let (source_holds, target_holds) = (holds(self.engine), holds(self.engine));
        let lanes: Vec<Lane> = group.iter().map(|pair| pair.lane.clone()).collect();
        let rules = Rules { travel: &self.travel, lanes: &lanes, losses: &self.losses };
        let (here, there) = tokio::try_join!(
            async { read_folders(source, sources, &source_holds, Some(rules)).await.on_source() },
            async { read_folders(target, targets, &target_holds, None).await.on_target() }
        )?;
        for ((pair, here), there) in group.into_iter().zip(here).zip(there) {
            self.compare(&pair, here, there).await?;
        }
        Ok(())
    }

    async fn compare(&mut self, pair: &Pair, here: Held, there: Held) -> Result<(), Failure> {
        let fates = self.fates_but_copied(pair).await?;
        let failures = self.failures_of(pair);
        let withdrawn = self.withdrawn_since(pair, &there).await?;
        let mut found = compare(&here.entries, &there.entries);
        let mut unexplained = Vec::new();
        for by in here.entries.iter().filter_map(Entry::rewritten_by) {
            *self.result.rewritten(by) += 1;
        }
        let earlier = self.copies_by_earlier_rules(pair, &here, &there, &found).await?;
        let travelled = self.travelled(pair, &here, &found).await?;
        found.left.retain(|index| !earlier.values().any(|target| target == index));
        for index in found.missing.drain(..).collect::<Vec<_>>() {
            let entry = &here.entries[index];
            if let Some(by) = entry.rewritten_by() {
                *self.result.rewritten(by) -= 1;
            }
            if earlier.contains_key(&index) {
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
                (_, Some(Fate::Withdrawn), _) => self.result.withdrawn += 1,
                (_, Some(Fate::Held), _) => self.result.held += 1,
                _ if withdrawn.contains(&entry.id) => self.result.withdrawn += 1,
                _ => unexplained.push(entry.clone()),
            }
        }
        for id in &here.unreadable {
            let (cause, is_accepted) = failures.get(id).copied().unwrap_or((Cause::Unreadable, false));
            let count = if is_accepted { &mut self.result.accepted } else { &mut self.result.failed };
            *count.entry(cause).or_default() += 1;
        }
        self.result.replaced.retain(|_, count| *count > 0);
        self.result.repaired.retain(|_, count| *count > 0);
        self.result.items += (here.entries.len() + here.unreadable.len()) as u64;
        let folder = pair.path.to_string();
        let moved = self.moved_since(pair, &here, &there).await?;

        for (source, target, kind) in std::mem::take(&mut found.changed) {
            let (source, target) = (&here.entries[source], &there.entries[target]);
            let is_adopted = fates.get(&source.id) == Some(&Fate::Adopted);
            self.result.on_target += 1;
            match kind {
                Kind::ChangedFlags if self.mailbox.roster.target_in_use => self.result.own_flags += 1,
                _ if moved.contains(source, target) => self.result.moving += 1,
                _ => {
                    let kind = if kind == Kind::ChangedDate && is_adopted { Kind::AdoptedDate } else { kind };
                    self.result.differ(changed(kind, &folder, source, target));
                }
            }
        }
        self.result.on_target += found.same;

        // What is left on the target: another form of what is missing, a second copy, or its person's own.
        let removals: HashSet<ItemId> = self
            .removals
            .iter()
            .filter(|removal| self.target_paths.get(&removal.folder) == Some(&pair.target_path))
            .filter_map(|removal| removal.target_id.clone())
            .collect();
        let mut left: Vec<&Entry> = found.left.iter().map(|index| &there.entries[*index]).collect();
        let before = left.len();
        left.retain(|entry| !removals.contains(&entry.id));
        self.result.removals_held += (before - left.len()) as u64;
        let (pairs, unexplained, left) = rewritten(unexplained, left);
        for (source, target) in pairs {
            self.result.differ(changed(Kind::ChangedBytes, &folder, &source, target));
        }
        for entry in left {
            if found.doubled.contains(&entry.exact) {
                let what = format!("item {} of the target is one copy more than the source has", entry.id);
                self.result.differ(Difference {
                    kind: Kind::Doubled,
                    folder: folder.clone(),
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
            if moved.source_has_moved(&entry) {
                self.result.moving += 1;
                continue;
            }
            let what = format!("item {} of the source is not on the target", entry.id);
            self.result.differ(Difference {
                kind: Kind::Missing,
                folder: folder.clone(),
                source_item: Some(entry.id.to_string()),
                target_item: None,
                sha256: Some(entry.exact.to_string()),
                what,
            });
        }
        Ok(())
    }

    /// Items that rules would leave behind now, and that have travelled or wait for a word: where they are missing, that is no rule's
    /// doing.
    async fn travelled(&mut self, pair: &Pair, here: &Held, found: &Compared) -> Result<HashSet<ItemId>, Failure> {
        let Some(row) = &pair.row else { return Ok(HashSet::new()) };
        let missing = found.missing.iter().map(|index| &here.entries[*index]);
        let left: Vec<ItemId> =
            missing.filter(|entry| entry.left_by().is_some()).map(|entry| entry.id.clone()).collect();
        let known = self.engine.store.items_of(self.engine.key, row, &left).await?;
        let travelled = known.into_iter().filter(|item| !matches!(item.fate, Fate::Excluded | Fate::Failed));
        Ok(travelled.map(|item| item.source_id).collect())
    }

    /// Items that lie on the target as earlier rules had them travel, or whole since they were there before: the places of both.
    async fn copies_by_earlier_rules(
        &mut self,
        pair: &Pair,
        here: &Held,
        there: &Held,
        found: &Compared,
    ) -> Result<HashMap<usize, usize>, Failure> {
        let mut copies = HashMap::new();
        let Some(row) = &pair.row else { return Ok(copies) };
        let left: HashMap<&ItemId, usize> =
            found.left.iter().map(|index| (&there.entries[*index].id, *index)).collect();
        let missing: Vec<ItemId> = found.missing.iter().map(|index| here.entries[*index].id.clone()).collect();
        if left.is_empty() || missing.is_empty() {
            return Ok(copies);
        }
        let known = self.engine.store.items_of(self.engine.key, row, &missing).await?;
        let known: HashMap<ItemId, LedgerItem> = known.into_iter().map(|item| (item.source_id.clone(), item)).collect();
        for index in &found.missing {
            let entry = &here.entries[*index];
            let item = known.get(&entry.id).filter(|item| matches!(item.fate, Fate::Copied | Fate::Adopted));
            let Some((item, target)) = item.and_then(|item| Some((item, *left.get(item.target_id.as_ref()?)?))) else {
                continue;
            };
            let treatment = self.treatments.get(&(row.folder, entry.id.clone()));
            let was = treatment.and_then(|treatment| treatment.original).or(item.exact);
            let is_as_it_was = was == Some(entry.original()) && item.exact == Some(there.entries[target].exact);
            // Where rules are the same and nothing is special about it, it is a difference.
            if is_as_it_was && (treatment.is_some() || entry.treated.is_some()) {
                copies.insert(*index, target);
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
        let Some(row) = pair.row.as_ref().filter(|_| self.mailbox.roster.target_in_use) else { return Ok(withdrawn) };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_is_one_sentence() {
        let mut verification = Verification { folders: 12, items: 1748, on_target: 1745, ..Verification::default() };
        verification.excluded.insert("banned-attachment".to_owned(), 3);
        assert_eq!(
            verification.sentence(),
            "1,748 items of 12 folders: 1,745 on the target, 3 excluded by rule banned-attachment, 0 unexplained."
        );
        assert!(verification.is_exact());
        verification.failed.insert(Cause::Nul, 2);
        verification.failed.insert(Cause::BareCr, 1);
        assert_eq!(
            verification.sentence(),
            "1,748 items of 12 folders: 1,745 on the target, 3 excluded by rule banned-attachment, \
             3 failed (2 nul, 1 bare-cr), 0 unexplained."
        );
        assert!(!verification.is_exact());
        verification.accepted = std::mem::take(&mut verification.failed);
        assert!(verification.is_exact(), "{}", verification.sentence());
        let one = Verification { folders: 1, items: 1, on_target: 1, ..Verification::default() };
        assert_eq!(one.sentence(), "1 item of 1 folder: 1 on the target, 0 unexplained.");
    }
}
