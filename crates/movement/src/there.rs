//! What happened on the target since Whimbrel was last there: items that vanished, folders that were numbered anew.
//!
//! On a target that its person uses, a vanished item is *withdrawn*: they removed or moved it. On one that nobody uses yet it
//! is copied again. Much at once is neither: the mailbox is parked before anything is written, until a person has said what
//! it means.

use std::collections::{BTreeMap, HashMap, HashSet};

use connector::{Error, Folder, Retry};
use model::{Cause, Digest, Fate, FolderPath, FolderState, ItemId, Scope, Side};
use store::{Fact, FolderRow, LedgerItem, LedgerTx};

use crate::failure::{Failure, OnSide};
use crate::finish::known_as;
use crate::matching::{Alike, Pool};
use crate::pass::Pass;
use crate::state::counted;

/// By what an item is found again, the surest first: each takes what those before left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tier {
    /// Bytes, date, and flags as we left them.
    Flags,
    /// Bytes and date.
    Exact,
    /// Canonical form and date.
    Canonical,
}

/// What was found of one folder of the source on the target.
#[derive(Default)]
struct Found {
    /// Items that the ledger knows to be there, and are not.
    vanished: Vec<ItemId>,
    /// Items that waited for a word because of one that is there no more.
    released: Vec<ItemId>,
    /// Removals of what is there no more.
    removed: Vec<ItemId>,
    /// Items found again under other ids.
    again: Vec<Fact>,
    /// Removals found again under other ids.
    removals: Vec<(ItemId, ItemId)>,
    /// How many of the items are left that were there when the folder was last accounted for.
    left: Option<u64>,
    /// How the target folder stands; none: it is not there.
    state: Option<FolderState>,
    /// Its ids are others than those that were known, or may be.
    is_renumbered: bool,
}

/// How a folder of the source stands on the target.
enum Compared {
    /// Nothing can be missing.
    Same,
    /// This was found.
    Differs(Found),
    /// Its ids there are those of other items, or may be.
    Renumbered { state: FolderState, is_restored: bool },
}

impl Pass<'_> {
    /// Compares what the ledger knows to be on the target with what is there, where something may be missing.
    pub(crate) async fn follow_target(&mut self, there: &BTreeMap<FolderPath, Folder>) -> Result<(), Failure> {
        let mut found: BTreeMap<usize, Found> = BTreeMap::new();
        let mut found_again: HashSet<usize> = HashSet::new();
        for index in 0..self.folders.len() {
            let Some(recorded) = self.folders[index].row.target.filter(|_| !found_again.contains(&index)) else {
                continue;
            };
            match self.compare_target(index, &recorded, there).await? {
                Compared::Same => {}
                Compared::Differs(one) => drop(found.insert(index, one)),
                Compared::Renumbered { state, is_restored } => {
                    let together = self.numbered_before(index, &state, is_restored);
                    found.extend(self.find_again(&together, state, is_restored).await?);
                    found_again.extend(together);
                }
            }
        }
        let vanished: u64 = found.values().map(|found| found.vanished.len() as u64).sum();
        // An INBOX whose ids are others, and where nothing of ours is found again, is that of a mailbox that was made anew: no person can remove
        // theirs.
        let is_new = |(index, found): (&usize, &Found)| {
            let is_other = found.is_renumbered && found.again.is_empty() && !found.vanished.is_empty();
            is_other && self.folders[*index].row.target_path.is_inbox()
        };
        let is_made_anew = self.work.setting.in_use && found.iter().any(is_new);
        if vanished > 0 {
            self.refuse_mass(vanished, is_made_anew).await?;
        }
        if !found.is_empty() {
            // All at once: of folders that go to one place, each would be taken for another's else.
            let mut tx = self.work.store.write(&self.work.lease).await?;
            for (index, found) in found {
                self.take_target(&mut tx, index, found).await?;
            }
            if !self.work.dry_run {
                tx.commit().await?;
            }
        }
        self.withdraw_together();
        if vanished > 0 && !self.work.dry_run {
            let mut tx = self.work.store.write(&self.work.lease).await?;
            tx.spend_vanished_word().await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Parks the mailbox when much of it is gone at once, or was made anew, unless a person has said that it is as it should be.
    async fn refuse_mass(&mut self, vanished: u64, is_made_anew: bool) -> Result<(), Failure> {
        let (key, mailbox) = (self.work.key, self.work.mailbox.mailbox);
        let there = self.work.store.count_there(key, mailbox).await?;
        let is_mass = is_made_anew || self.work.policy.following.is_mass(vanished, there);
        if !is_mass || self.work.store.follows_vanished(key, mailbox).await? {
            return Ok(());
        }
        let then = if self.work.setting.in_use {
            "they then count as withdrawn by their person"
        } else {
            "they are then copied again"
        };
        let what = format!(
            "{} of the {} that were on the target are no longer there; nothing was written. If that is as it should be, say so \
             with `whimbrel held approve`: {then}",
            counted(vanished, "item"),
            counted(there, "item")
        );
        let error = Error { retry: Retry::AfterPerson, ..Error::new(Cause::MassDisappearance, Scope::Mailbox, what) };
        Err(Failure { side: Some(Side::Target), error })
    }

    /// What goes to a folder that its person has removed on the target waits for something new, as the rest of it does.
    fn withdraw_together(&mut self) {
        let withdrawn = self.folders.iter().filter(|work| work.is_withdrawn);
        let withdrawn: HashSet<FolderPath> = withdrawn.map(|work| work.row.target_path.clone()).collect();
        for work in self.folders.iter_mut().filter(|_| !withdrawn.is_empty()) {
            work.is_withdrawn |= withdrawn.contains(&work.row.target_path);
        }
    }

    /// The folders that go where this one goes, and whose ids there are from before it was numbered anew or brought back.
    fn numbered_before(&self, index: usize, state: &FolderState, is_restored: bool) -> Vec<usize> {
        let mut together = self.going_to(&self.folders[index].row.target_path);
        together.retain(|index| {
            self.folders[*index].row.target.is_some_and(|target| is_restored || target.validity != state.validity)
        });
        together
    }

    /// What became of a folder's items on the target.
    async fn compare_target(
        &mut self,
        index: usize,
        recorded: &FolderState,
        there: &BTreeMap<FolderPath, Folder>,
    ) -> Result<Compared, Failure> {
        let row = self.folders[index].row.clone();
        let path = row.target_path.clone();
        let state = match there.get(&path).filter(|folder| folder.holds_items).and_then(|folder| folder.state) {
            Some(state) => Some(state),
            None => match self.target.state(&path).await {
                Ok(state) => Some(state),
                Err(error) if error.cause == Cause::Missing => None,
                Err(error) => return Err(error).on_target(),
            },
        };
        let Some(state) = state else {
            // Nor is anything there that a removal or an item waits for: ids there will be given out again.
            let removed = self.removals.keys().filter(|(folder, _)| *folder == row.folder).map(|(_, id)| id.clone());
            let removed = removed.collect();
            let released = self.held.keys().filter(|(folder, _)| *folder == row.folder).map(|(_, id)| id.clone());
            let released = released.collect();
            let vanished = self.all_there(&row).await?;
            return Ok(Compared::Differs(Found { vanished, released, removed, ..Found::default() }));
        };
        let is_restored = stands_lower(recorded, &state) && self.ids_are_numbers(&path, state.validity).await?;
        if state.validity != recorded.validity || is_restored {
            return Ok(Compared::Renumbered { state, is_restored });
        }
        let is_compared = row.compared == (state.next, state.count) && state.next != 0;
        if is_compared || !may_have_lost(recorded, &state) {
            return Ok(Compared::Same);
        }
        let listed = self.target.list(&path).await.on_target()?;
        let listed: HashSet<ItemId> = listed.into_iter().map(|(id, _)| id).collect();
        let (key, mailbox) = (self.work.key, self.work.mailbox.mailbox);
        let known = self.work.store.items_there(key, mailbox, &path, state.validity).await?;
        let was_there = |id: &&ItemId| id.as_u32().is_some_and(|id| u64::from(id) < recorded.next);
        let left = (recorded.next > 0).then(|| listed.iter().filter(was_there).count() as u64);
        let is_missing = |id: &Option<ItemId>| id.as_ref().is_some_and(|id| !listed.contains(id));
        let vanished = known.into_iter().filter(|item| item.folder == row.folder && !listed.contains(&item.target_id));
        let released = self.held.values().filter(|held| held.folder == row.folder && is_missing(&held.target_id));
        let removed = self.removals.values().filter(|held| held.folder == row.folder && is_missing(&held.target_id));
        Ok(Compared::Differs(Found {
            vanished: vanished.map(|item| item.source_id).collect(),
            released: released.map(|held| held.source_id.clone()).collect(),
            removed: removed.map(|held| held.source_id.clone()).collect(),
            left,
            state: Some(state),
            ..Found::default()
        }))
    }

    /// Are the ids in a folder of the target numbers, given out in order? Others are never given out twice.
    async fn ids_are_numbers(&mut self, path: &FolderPath, validity: u64) -> Result<bool, Failure> {
        let (key, mailbox) = (self.work.key, self.work.mailbox.mailbox);
        let known = self.work.store.items_there(key, mailbox, path, validity).await?;
        Ok(known.iter().all(|item| item.target_id.as_u32().is_some()))
    }

    /// The items of a folder that are on the target according to the ledger.
    async fn all_there(&mut self, row: &FolderRow) -> Result<Vec<ItemId>, Failure> {
        let mut all = Vec::new();
        let mut items = self.work.store.items(self.work.key, row);
        loop {
            let page = items.next().await?;
            if page.is_empty() {
                return Ok(all);
            }
            let there = page.into_iter().filter(|item| matches!(item.fate, Fate::Copied | Fate::Adopted));
            all.extend(there.map(|item| item.source_id));
        }
    }

    /// A folder of the target was numbered or made anew, or brought back from a backup: which item is which of these folders is
    /// found out by what they are.
    async fn find_again(
        &mut self,
        together: &[usize],
        state: FolderState,
        is_restored: bool,
    ) -> Result<BTreeMap<usize, Found>, Failure> {
        let mut all: BTreeMap<usize, Found> = BTreeMap::new();
        let Some(first) = together.first() else { return Ok(all) };
        let candidates = if is_restored {
            // The ids that the ledger knows may be those of other items.
            let path = self.folders[*first].row.target_path.clone();
            let listed = self.target.list(&path).await.on_target()?;
            let ids: Vec<ItemId> = listed.into_iter().map(|(id, _)| id).collect();
            self.read_target(&path, &ids).await?
        } else {
            self.unknown_items(*first, &FolderState::beginning(state.validity)).await?
        };
        let mut pool = Pool::new(candidates);
        let mut there: HashMap<(Digest, Option<i64>), i64> = HashMap::new();
        for candidate in pool.left() {
            *there.entry((candidate.found.exact, candidate.received)).or_default() += 1;
        }
        let mut known: Vec<(usize, LedgerItem)> = Vec::new();
        for index in together {
            all.insert(*index, Found { state: Some(state), is_renumbered: true, ..Found::default() });
            let row = self.folders[*index].row.clone();
            let mut items = self.work.store.items(self.work.key, &row);
            loop {
                let page = items.next().await?;
                if page.is_empty() {
                    break;
                }
                let is_there = |item: &LedgerItem| matches!(item.fate, Fate::Copied | Fate::Adopted);
                known.extend(page.into_iter().filter(is_there).map(|item| (*index, item)));
            }
        }
        for (_, item) in &known {
            if let Some(exact) = item.exact {
                *there.entry((exact, item.received)).or_default() -= 1;
            }
        }
        for tier in [Tier::Flags, Tier::Exact, Tier::Canonical] {
            for (index, item) in std::mem::take(&mut known) {
                let candidate = match (tier, item.exact, item.canonical) {
                    (Tier::Flags, Some(exact), _) => pool.find_flagged(exact, item.received, &item.target_flags),
                    (Tier::Exact, Some(exact), _) => pool.find_digest(exact, item.received),
                    (Tier::Canonical, _, Some(canonical)) => pool.find_canonical(canonical, item.received),
                    _ => None,
                };
                let found = all.entry(index).or_default();
                match candidate {
                    Some(candidate) => {
                        // More of them than we put there: which one is ours can't be told.
                        let is_others =
                            there.get(&(candidate.found.exact, item.received)).is_some_and(|left| *left > 0);
                        let (base, fate) = (item.target_flags.clone(), item.fate);
                        let fact = known_as(item, candidate, &Alike::default());
                        let fate = if is_others { Fate::Adopted } else { fate };
                        found.again.push(Fact { fate, target_flags: Some(base), ..fact });
                    }
                    None if tier != Tier::Canonical => known.push((index, item)),
                    None => found.vanished.push(item.source_id),
                }
            }
        }
        for (index, found) in &mut all {
            let folder = self.folders[*index].row.folder;
            for held in self.removals.values().filter(|held| held.folder == folder) {
                let id = held.source_id.clone();
                match held.exact.and_then(|exact| pool.find_digest(exact, held.received)) {
                    Some(candidate) => found.removals.push((id, candidate.id)),
                    None => found.removed.push(id),
                }
            }
            // What they waited for has another id: they are compared again.
            let held = self.held.values().filter(|held| held.folder == folder);
            found.released = held.map(|held| held.source_id.clone()).collect();
        }
        Ok(all)
    }

    /// A folder that the source has no more, and whose place on the target was numbered anew: what is left of it gets its new
    /// ids, and what is on neither side any more is forgotten.
    pub(crate) async fn follow_gone_folder_there(&mut self, index: usize, now: FolderState) -> Result<(), Failure> {
        if self.folders[index].row.target.is_none_or(|recorded| recorded.validity == now.validity) {
            return Ok(());
        }
        let found = self.find_again(&[index], now, false).await?.remove(&index).unwrap_or_default();
        let row = self.folders[index].row.clone();
        let target = FolderState::beginning(now.validity);
        if !self.work.dry_run {
            let forgotten: Vec<ItemId> = found.vanished.iter().chain(&found.released).cloned().collect();
            let mut tx = self.work.store.write(&self.work.lease).await?;
            tx.add_facts(&row, &found.again).await?;
            tx.set_removal_targets(row.folder, &found.removals).await?;
            tx.drop_removals(row.folder, &found.removed).await?;
            tx.forget_items(&row, &forgotten).await?;
            tx.set_target_state(row.folder, &target).await?;
            tx.set_compared(row.folder, &FolderState::default()).await?;
            tx.commit().await?;
        }
        self.know_removals_again(row.folder, &found);
        for row in self.rows_gone.iter_mut().filter(|gone| gone.folder == row.folder) {
            row.target = Some(target);
        }
        self.folders[index].row.target = Some(target);
        Ok(())
    }

    /// Removals and waiting items of a folder, as found again.
    fn know_removals_again(&mut self, folder: i64, found: &Found) {
        for id in &found.removed {
            self.removals.remove(&(folder, id.clone()));
        }
        for (id, target_id) in &found.removals {
            if let Some(held) = self.removals.get_mut(&(folder, id.clone())) {
                held.target_id = Some(target_id.clone());
            }
        }
        for id in &found.released {
            self.held.remove(&(folder, id.clone()));
        }
    }

    /// Records what was found, and has copied again what is to be.
    async fn take_target(&mut self, tx: &mut LedgerTx<'_>, index: usize, found: Found) -> Result<(), Failure> {
        let in_use = self.work.setting.in_use;
        if self.work.dry_run {
            let work = &mut self.folders[index];
            if !in_use {
                work.would.copy += found.vanished.len() as u64;
            }
            if found.is_renumbered {
                work.row.target = None;
            }
            return Ok(());
        }
        if in_use && found.state.is_none() {
            self.folders[index].is_withdrawn = true;
            if found.vanished.is_empty() && found.removed.is_empty() && found.released.is_empty() {
                return Ok(()); // That was so before.
            }
        }
        let row = self.folders[index].row.clone();
        tx.add_facts(&row, &found.again).await?;
        tx.set_removal_targets(row.folder, &found.removals).await?;
        tx.drop_removals(row.folder, &found.removed).await?;
        let mut again = found.released.clone();
        if in_use {
            tx.withdraw(&row, &found.vanished).await?;
        } else {
            again.extend(found.vanished.iter().cloned());
        }
        tx.forget_items(&row, &again).await?;
        if !again.is_empty() {
            // Should this pass be stopped, the next one finds that they have no fate.
            tx.forget_source_state(row.folder).await?;
        }
        let recounted = row.target.zip(found.left).filter(|(recorded, left)| recorded.count != *left);
        let recounted = recounted.map(|(recorded, left)| FolderState { count: left, ..recorded });
        let target = match found.state {
            // Its person removed the folder, and it is not made again for nothing.
            None if in_use => None,
            None => Some(FolderState::default()),
            // Whose ids these are is known; what else is there is not.
            Some(state) if found.is_renumbered => Some(FolderState::beginning(state.validity)),
            Some(state) => {
                if found.vanished.is_empty() || in_use {
                    tx.set_compared(row.folder, &state).await?;
                }
                recounted
            }
        };
        if let Some(target) = &target {
            tx.set_target_state(row.folder, target).await?;
            if found.state.is_none() || found.is_renumbered {
                tx.set_compared(row.folder, &FolderState::default()).await?;
            }
        }
        self.know_removals_again(row.folder, &found);
        let work = &mut self.folders[index];
        if in_use {
            self.report.withdrawn += found.vanished.len() as u64;
        }
        if let Some(target) = target {
            work.row.target = (target != FolderState::default()).then_some(target);
        }
        if !again.is_empty() {
            work.row.source = None;
            work.read_again.extend(again);
        }
        tracing::info!(
            mailbox = self.work.mailbox.mailbox,
            vanished = found.vanished.len(),
            renumbered = found.is_renumbered,
            "the target folder is not as it was left"
        );
        Ok(())
    }
}

/// Does a folder stand lower than before, under the same validity? Then it was brought back from a backup, and ids were given
/// out twice.
pub(crate) fn stands_lower(before: &FolderState, now: &FolderState) -> bool {
    let is_lower = |now: u64, before: u64| now != 0 && now < before;
    before.validity == now.validity && (is_lower(now.next, before.next) || is_lower(now.change, before.change))
}

/// May items have gone from a folder that stood there before and stands here now? Not when there are as many more of them as
/// ids were given out.
fn may_have_lost(before: &FolderState, now: &FolderState) -> bool {
    let added = now.next.checked_sub(before.next);
    let more = now.count.checked_sub(before.count);
    before.next == 0 || added.is_none() || added != more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_missing_where_as_many_came_as_ids_were_given_out() {
        let at = |next, count| FolderState { validity: 1, next, count, change: 7 };
        assert!(!may_have_lost(&at(10, 5), &at(10, 5)));
        assert!(!may_have_lost(&at(10, 5), &at(13, 8)));
        for now in [at(10, 4), at(13, 7), at(9, 5), at(11, 5)] {
            assert!(may_have_lost(&at(10, 5), &now), "{now:?}");
        }
        assert!(may_have_lost(&at(0, 5), &at(0, 5)), "a server without such a number");
    }

    #[test]
    fn a_folder_that_stands_lower_was_brought_back() {
        let at = |next, change| FolderState { validity: 1, next, count: 5, change };
        for now in [at(9, 7), at(9, 0), at(12, 6)] {
            assert!(stands_lower(&at(10, 7), &now), "{now:?}");
        }
        for now in [at(10, 7), at(12, 7), at(12, 9), at(0, 7), at(10, 0)] {
            assert!(!stands_lower(&at(10, 7), &now), "{now:?}");
        }
        assert!(!stands_lower(&at(10, 7), &FolderState { validity: 2, ..at(1, 1) }));
    }
}
