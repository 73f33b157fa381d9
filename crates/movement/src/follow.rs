//! Moves and removals: decided for the whole mailbox, after every folder of a pass was read.
//!
//! An item that is gone from one folder and new in another has moved when its bytes and its date say so; it is then moved on
//! the target, too, with what its person did to it there. What is gone and did not move is removed from the target, if it is
//! ours, nobody has changed it there, and it is not too much at once: then, and after every renumbering, the removals wait
//! for a person's word.

use std::collections::{BTreeMap, HashMap, HashSet};

use connector::{FlagChange, Known, Moved, Removal, Source};
use model::{Cause, Digest, Fate, Flags, FolderPath, FolderState, ItemId, Side};
use store::{Fact, FolderRow, HeldRemoval, IntentItem, LedgerItem, RemovalState};

use crate::decide::{
    AboutToGo, AtSource, CHANGED_ON_TARGET, Going, InLedger, Intent, OnTarget, decide, decide_removal,
};
use crate::departed::{DepartedItem, Place};
use crate::failure::{Failure, OnSide};
use crate::flags::FlagWork;
use crate::matching::Pool;
use crate::pass::{Deferred, FolderWork, Pass};
use crate::there::stands_lower;

/// Items are moved or removed, and that is recorded, this many at a time.
const AT_ONCE: usize = 500;
/// So many ids at most are looked up in the ledger by themselves; more by reading it through.
const LOOKED_UP: usize = 500;
/// Of so many items at a time it is known beforehand that they may leave their folders, the smallest folders first: what moves out
/// of another one that is read later is copied.
const DEPARTING_MAX: usize = 100_000;

/// The rules by which removals are made or wait.
pub(crate) mod rule {
    pub(crate) const REMOVED_AT_SOURCE: &str = "removed-at-source";
    pub(crate) const FOLDER_REMOVED: &str = "folder-removed-at-source";
    pub(crate) const MASS: &str = "mass-disappearance";
    pub(crate) const DAILY_MAXIMUM: &str = "daily-maximum";
    pub(crate) const RENUMBERED: &str = "renumbered-at-source";
    pub(crate) const NAMED_ONLY: &str = "listed-but-not-there";
    pub(crate) const CANNOT_REMOVE: &str = "cannot-remove-singly";
    pub(crate) const ALIKE: &str = "alike-on-target";
    pub(crate) const FROZEN: &str = "source-left";
}

impl Pass<'_> {
    /// What earlier passes knew to be gone, and what lies in folders that are no longer listed.
    pub(crate) async fn know_departed(&mut self) -> Result<(), Failure> {
        if self.work.dry_run {
            return Ok(());
        }
        let (moves, is_frozen) = (self.target.offers().moves, self.work.setting.is_frozen);
        for held in self.removals.values() {
            // What waits for a word, too: found elsewhere, it was not removed. What is to stay, as somebody has said, stays
            // where it is; where the source has it in that folder again it is its copy.
            let may_come_back = !held.state.is_approved();
            if let Some(target_id) = held.target_id.clone().filter(|_| may_come_back) {
                let (source_flags, target_flags) = bases(held);
                let item = DepartedItem {
                    place: Place::Removal,
                    folder: held.folder,
                    source_id: held.source_id.clone(),
                    fate: Fate::Copied,
                    received: held.received,
                    target_id,
                    source_flags,
                    target_flags,
                    read_back: held.read_back,
                    // Nothing is moved there from a source that is being left: it is only known where that has it now.
                    stays: if is_frozen {
                        held.rule != rule::FROZEN
                    } else {
                        !moves || held.state == RemovalState::Kept
                    },
                };
                self.departed.add(held.exact, item);
            }
        }
        // A folder was renamed only if there is a new one. But it may have been emptied into another that goes where it went.
        let is_any_new = self.folders.iter().any(|work| work.is_fresh || work.row.source.is_none());
        let may_leave = (moves || is_frozen) && is_any_new;
        let rows = self.vanished_rows().into_iter().filter(|row| self.may_have_a_new_name(row));
        let rows: Vec<(FolderRow, bool)> =
            rows.map(|row| (!self.going_to(&row.target_path).is_empty(), row)).map(|(is, row)| (row, is)).collect();
        for (row, is_shared) in rows.into_iter().filter(|(_, is_shared)| may_leave || *is_shared) {
            let mut items = self.work.store.items(self.work.key, &row);
            loop {
                let page = items.next().await?;
                if page.is_empty() {
                    break;
                }
                // What another tool left there is not taken elsewhere.
                let may_go = |item: &LedgerItem| match item.fate {
                    Fate::Copied => true,
                    Fate::Adopted => is_shared || is_frozen,
                    Fate::Withdrawn => is_frozen,
                    _ => false,
                };
                for item in page.into_iter().filter(may_go) {
                    let place = if item.fate == Fate::Withdrawn { Place::Withdrawn } else { Place::Item };
                    self.depart(&row, item, place, may_leave);
                }
            }
        }
        Ok(())
    }

    /// What may have left folders that are read after this one: items that moved both ways between two folders are moved then,
    /// whichever is read first.
    pub(crate) async fn know_departing(&mut self, index: usize) -> Result<(), Failure> {
        let is_frozen = self.work.setting.is_frozen;
        if self.work.dry_run || self.departed.is_over || !(self.target.offers().moves || is_frozen) {
            return Ok(());
        }
        let is_unread = |at: usize, work: &FolderWork| at != index && work.has_lost && work.end.is_none();
        let is_known = |work: &FolderWork| self.departed.departing.contains_key(&work.row.folder);
        let unread = self.folders.iter().enumerate().filter(|(at, work)| is_unread(*at, work));
        let unread = unread.filter(|(_, work)| !is_known(work)).filter_map(|(_, work)| {
            let count = usize::try_from(work.row.source?.count).unwrap_or(usize::MAX);
            Some((count, work.row.clone()))
        });
        let mut unread: Vec<(usize, FolderRow)> = unread.collect();
        unread.sort_by_key(|(count, _)| *count);
        let mut room = DEPARTING_MAX.saturating_sub(self.departed.departing.values().map(HashSet::len).sum());
        let are_theirs = self.work.setting.adopted_follow || is_frozen;
        for (count, row) in unread {
            let Some(left) = room.checked_sub(count) else { break };
            room = left;
            let mut departing = HashSet::new();
            let mut items = self.work.store.items(self.work.key, &row);
            loop {
                let page = items.next().await?;
                if page.is_empty() {
                    break;
                }
                let is_ours = |item: &&LedgerItem| match item.fate {
                    Fate::Copied => true,
                    Fate::Adopted => are_theirs,
                    Fate::Withdrawn => is_frozen,
                    _ => false,
                };
                let copied = page.iter().filter(is_ours);
                departing.extend(copied.filter_map(|item| Some((item.exact?, item.received))));
            }
            self.departed.departing.insert(row.folder, departing);
        }
        Ok(())
    }

    /// An item may have moved: from its folder on the target only where it may leave that, and is ours.
    pub(crate) fn depart(&mut self, row: &FolderRow, item: LedgerItem, place: Place, may_leave: bool) {
        let is_theirs = item.fate != Fate::Copied && !self.work.setting.is_frozen;
        let target_id = item.target_id.or_else(|| (place == Place::Withdrawn).then(|| ItemId::new(&[])));
        let Some(target_id) = target_id else { return };
        let departed = DepartedItem {
            place,
            folder: row.folder,
            source_id: item.source_id,
            fate: item.fate,
            received: item.received,
            target_id,
            source_flags: item.source_flags,
            target_flags: item.target_flags,
            read_back: item.read_back,
            stays: !may_leave || is_theirs,
        };
        self.departed.add(item.exact, departed);
    }

    /// May a folder that is not listed, or not there, have another name now?
    fn may_have_a_new_name(&self, row: &FolderRow) -> bool {
        // A folder keeps its validity under a new name; one that is named still would have two.
        let is_new = |work: &FolderWork| work.is_fresh && work.row.validity == row.validity;
        !self.may_be_there.contains(&row.path)
            && (!self.named_only.contains(&row.path) || self.folders.iter().any(is_new))
    }

    /// Folders that the source does not list any more, under any validity.
    pub(crate) fn vanished_rows(&self) -> Vec<FolderRow> {
        let is_listed =
            |row: &FolderRow| self.folders.iter().any(|work| work.row.path == row.path && !work.row.is_gone());
        self.rows_gone.iter().filter(|row| !is_listed(row)).cloned().collect()
    }

    /// Items of a folder that the source has no more: their fates are given up, what is ours on the target is to go.
    pub(crate) async fn settle_gone(&mut self, index: usize) -> Result<(), Failure> {
        let work = &mut self.folders[index];
        let mut gone: HashSet<ItemId> = std::mem::take(&mut work.gone).into_iter().collect();
        let seen = std::mem::take(&mut work.seen);
        let (key, row) = (self.work.key, work.row.clone());
        if work.end.as_ref().is_some_and(|end| end.listed_all) {
            let mut items = self.work.store.items(key, &row);
            loop {
                let page = items.next().await?;
                if page.is_empty() {
                    break;
                }
                // What was read in this pass lies beyond the cursor, so it is not in the list.
                let read = &self.folders[index].read_ids;
                let ids = page.into_iter().map(|item| item.source_id);
                gone.extend(ids.filter(|id| !seen.contains(id) && !read.contains(id)));
            }
        }
        self.drop_gone(index, gone).await
    }

    /// Decides about items that the source has no more, and records it.
    pub(crate) async fn drop_gone(&mut self, index: usize, gone: HashSet<ItemId>) -> Result<(), Failure> {
        if gone.is_empty() {
            return Ok(());
        }
        let (key, row) = (self.work.key, self.folders[index].row.clone());
        let mut known: Vec<LedgerItem> = Vec::new();
        if gone.len() <= LOOKED_UP {
            let gone: Vec<ItemId> = gone.into_iter().collect();
            known = self.work.store.items_of(key, &row, &gone).await?;
        } else {
            let mut items = self.work.store.items(key, &row);
            loop {
                let page = items.next().await?;
                if page.is_empty() {
                    break;
                }
                known.extend(page.into_iter().filter(|item| gone.contains(&item.source_id)));
            }
        }
        let may_turn_up = self.going_to(&row.target_path).len() > 1 && !self.departed.is_over;
        let (mut remove, mut forget, mut theirs, mut keep) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut withdrawn = Vec::new();
        for item in known {
            let ledger = InLedger::Known { fate: item.fate, source_flags: &item.source_flags };
            match decide(&AtSource::Gone, &ledger, OnTarget::Unknown, self.work.setting) {
                Intent::Remove => remove.push(item),
                Intent::Keep => keep.push(item),
                _ if item.fate == Fate::Withdrawn && self.work.setting.is_frozen && !self.departed.is_over => {
                    withdrawn.push(item);
                }
                // It may turn up in another folder that goes where it lies, and is known there until then.
                _ if item.fate == Fate::Adopted && may_turn_up => theirs.push(item),
                _ => forget.push(item.source_id),
            }
        }
        self.keep_copies(&row, keep).await?;
        self.depart_withdrawn(index, withdrawn);
        self.folders[index].would.gone += remove.len() as u64;
        if (remove.is_empty() && forget.is_empty() && theirs.is_empty()) || self.work.dry_run {
            return Ok(());
        }
        self.report.gone += (remove.len() + forget.len() + theirs.len()) as u64;
        for item in theirs {
            self.folders[index].gone_later.push(item.source_id.clone());
            self.depart(&row, item, Place::Item, false);
        }
        if remove.is_empty() && forget.is_empty() {
            return Ok(());
        }
        let ids: Vec<ItemId> = remove.iter().map(|item| item.source_id.clone()).collect();
        let mut tx = self.work.store.write(&self.work.lease).await?;
        tx.part_with(&row, &ids, RemovalState::Due, rule::REMOVED_AT_SOURCE).await?;
        tx.forget_items(&row, &forget).await?;
        tx.commit().await?;
        // Where folders come together an item may have moved without any change on the target.
        let moves = self.target.offers().moves;
        if moves || self.going_to(&row.target_path).len() > 1 {
            for item in remove {
                // What is to go is ours, or counts as such.
                self.depart(&row, LedgerItem { fate: Fate::Copied, ..item }, Place::Removal, moves);
            }
        }
        Ok(())
    }

    /// What another tool left on the target, is gone at the source and has not moved where it lies: it stays, and is its person's
    /// own.
    async fn forget_gone(&mut self) -> Result<(), Failure> {
        for index in 0..self.folders.len() {
            let gone = std::mem::take(&mut self.folders[index].gone_later);
            if !gone.is_empty() {
                let mut tx = self.work.store.write(&self.work.lease).await?;
                tx.forget_items(&self.folders[index].row, &gone).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }

    /// Moves on the target what has moved on the source. What can't be moved is read again, to be copied.
    pub(crate) async fn make_moves(&mut self, source: &mut dyn Source) -> Result<(), Failure> {
        for index in 0..self.folders.len() {
            let arrived = std::mem::take(&mut self.folders[index].arrived);
            if arrived.is_empty() {
                continue;
            }
            if self.work.setting.is_frozen {
                Box::pin(self.leave_where_it_lies(index, arrived, source)).await?;
                continue;
            }
            self.look(index).await?;
            let here = &self.folders[index].row.target_path;
            let at_home: HashSet<i64> =
                self.rows().filter(|row| row.target_path == *here).map(|row| row.folder).collect();
            let mut groups: BTreeMap<FolderPath, Vec<(Deferred, DepartedItem)>> = BTreeMap::new();
            for item in arrived {
                let from = self.departed.take(&item, |folder| at_home.contains(&folder));
                let row = from.as_ref().and_then(|from| self.row(from.folder));
                match (from, row) {
                    (Some(from), Some(row)) => groups.entry(row.target_path.clone()).or_default().push((item, from)),
                    _ => self.folders[index].read_again.push(item.id),
                }
            }
            for (from, group) in groups {
                let mut group = group.into_iter();
                loop {
                    let part: Vec<(Deferred, DepartedItem)> = group.by_ref().take(AT_ONCE).collect();
                    if part.is_empty() {
                        break;
                    }
                    self.move_part(index, &from, part).await?;
                }
            }
        }
        self.departed.is_over = true;
        self.forget_gone().await
    }

    /// The row of a folder, whether the source still has it or not.
    pub(crate) fn row(&self, folder: i64) -> Option<&FolderRow> {
        self.rows().find(|row| row.folder == folder)
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &FolderRow> {
        self.folders.iter().map(|work| &work.row).chain(&self.rows_gone)
    }

    async fn move_part(
        &mut self,
        index: usize,
        from: &FolderPath,
        part: Vec<(Deferred, DepartedItem)>,
    ) -> Result<(), Failure> {
        let state = match self.target.state(from).await {
            Ok(state) => Some(state),
            Err(error) if error.cause == Cause::Missing => None,
            Err(error) => return Err(error).on_target(),
        };
        // Ids from before the folder was made anew or brought back are those of other items: those are copied.
        let (part, others): (Vec<_>, Vec<_>) = part.into_iter().partition(|(_, departed)| {
            let known = self.row(departed.folder).and_then(|row| row.target).zip(state);
            known.is_some_and(|(known, now)| known.validity == now.validity && !stands_lower(&known, &now))
        });
        self.folders[index].read_again.extend(others.into_iter().map(|(item, _)| item.id));
        if part.is_empty() {
            return Ok(());
        }
        let row = self.folders[index].row.clone();
        let (mut moved, number) = (Vec::new(), self.next_number);
        let known = Known::at(from, &state.unwrap_or_default());
        if *from == row.target_path {
            // Put back, or into a folder made anew under the same name: its copy lies where it should.
            let ids: Vec<ItemId> = part.iter().map(|(_, departed)| departed.target_id.clone()).collect();
            let there = self.target.flags(known, &ids).await.on_target()?;
            moved.extend(ids.into_iter().zip(there).map(|(id, there)| match there {
                Some(_) => Moved::There(Some(id)),
                None => Moved::Gone,
            }));
        } else {
            self.next_number += 1;
            let intents: Vec<IntentItem> = part
                .iter()
                .map(|(item, departed)| IntentItem {
                    source_id: item.id.clone(),
                    exact: item.found.exact,
                    canonical: item.found.canonical,
                    size_bytes: item.found.size_bytes,
                    received: departed.received,
                    // As they were when they were last read: what the source changed with the move is seen as new then.
                    flags: departed.source_flags.clone(),
                    hint: item.found.hint,
                })
                .collect();
            let mut tx = self.work.store.write(&self.work.lease).await?;
            tx.open_intent(number, row.folder, &self.mark(index), &intents).await?;
            tx.commit().await?;
            let ids: Vec<ItemId> = part.iter().map(|(_, departed)| departed.target_id.clone()).collect();
            moved.extend(self.target.move_items(known, &row.target_path, &ids).await.on_target()?);
        }
        self.record_moves(index, from, number, part, moved).await
    }

    async fn record_moves(
        &mut self,
        index: usize,
        from: &FolderPath,
        number: i64,
        part: Vec<(Deferred, DepartedItem)>,
        moved: Vec<Moved>,
    ) -> Result<(), Failure> {
        let row = self.folders[index].row.clone();
        let (mut facts, mut gone, mut new_ids) = (Vec::new(), Vec::new(), Vec::new());
        let mut left: Vec<(Place, i64, ItemId)> = Vec::new();
        for ((item, departed), moved) in part.into_iter().zip(moved) {
            left.push((departed.place, departed.folder, departed.source_id));
            let mut fact = Fact {
                source_id: item.id.clone(),
                fate: departed.fate,
                size_bytes: item.found.size_bytes,
                received: item.received.map(|at| at.unix_seconds),
                exact: Some(item.found.exact),
                canonical: Some(item.found.canonical),
                source_flags: departed.source_flags.clone(),
                target_id: None,
                target_flags: Some(departed.target_flags.clone()),
                read_back: departed.read_back,
            };
            let work = &mut self.folders[index];
            if item.failed_before {
                work.cleared.push(item.id.clone());
            }
            match moved {
                Moved::There(id) => {
                    let add = item.flags.without(&departed.source_flags);
                    let is_ours = departed.fate == Fate::Copied || self.work.setting.adopted_follow;
                    let take = if is_ours { departed.source_flags.without(&item.flags) } else { Flags::NONE };
                    new_ids.push(id.clone());
                    self.report.moved += 1;
                    if !add.is_empty() || !take.is_empty() {
                        match &id {
                            Some(id) => work.flag_changes.push(FlagWork {
                                source_id: item.id.clone(),
                                source_flags: item.flags,
                                target_id: id.clone(),
                                base: departed.target_flags,
                                add,
                                take,
                            }),
                            None => work.flags_later.push((item.id.clone(), item.flags)),
                        }
                    }
                    work.without_id += u64::from(id.is_none());
                    fact.target_id = id;
                    facts.push(fact);
                }
                // Whoever took it, it is not there: it is copied.
                Moved::Gone => gone.push(item.id),
            }
        }
        let work = &mut self.folders[index];
        work.is_fresh = false;
        work.read_again.extend(gone);
        let is_elsewhere = *from != row.target_path;
        let mut tx = self.work.store.write(&self.work.lease).await?;
        tx.add_facts(&row, &facts).await?;
        if let Some(target) = self.there(index).to_record(row.target) {
            // From before the move: should this pass be stopped, what then vanishes from here is noticed.
            tx.set_target_state(row.folder, &target).await?;
        }
        let moved_away = left.len() as u64;
        let mut by_place: BTreeMap<(Place, i64), Vec<ItemId>> = BTreeMap::new();
        for (place, folder, id) in left {
            self.removals.remove(&(folder, id.clone()));
            by_place.entry((place, folder)).or_default().push(id);
        }
        for ((place, folder), ids) in by_place {
            match (place, self.row(folder)) {
                (Place::Item, Some(row)) => tx.forget_items(row, &ids).await?,
                _ => tx.drop_removals(folder, &ids).await?,
            }
        }
        if is_elsewhere {
            tx.close_intent(self.work.lease.fence, number).await?;
        }
        tx.commit().await?;
        if is_elsewhere {
            self.there_mut(index).added(None, &new_ids);
            self.know_state_after(from, moved_away).await?;
        }
        Ok(())
    }

    /// So many items were taken out of a folder of the target: how it stands now, if nobody else touched it between.
    async fn know_state_after(&mut self, path: &FolderPath, taken: u64) -> Result<(), Failure> {
        let state = self.target.state(path).await.on_target()?;
        for work in self.folders.iter_mut().filter(|work| work.row.target_path == *path) {
            let now = &mut self.target_folders[work.goes_to].now;
            for known in [now, &mut work.row.target].into_iter().flatten() {
                if known.validity == state.validity && known.count == state.count + taken {
                    known.count = state.count;
                }
            }
        }
        Ok(())
    }

    /// Removes from the target what is due.
    pub(crate) async fn make_removals(&mut self) -> Result<(), Failure> {
        let (key, mailbox) = (self.work.key, self.work.mailbox.mailbox);
        let all = self.work.store.held_removals(key, mailbox).await?;
        self.unmark_kept(&all).await?;
        let is_due = |held: &&HeldRemoval| matches!(held.state, RemovalState::Due | RemovalState::Doing);
        let due = all.iter().filter(is_due).count() as u64;
        let day = self.work.store.now().await? / 86_400_000;
        let following = self.work.policy.following;
        let held_by = if due == 0 {
            None
        } else if following.is_mass(due, self.work.store.count_there(key, mailbox).await? + due) {
            Some(rule::MASS)
        } else if self.work.store.removed_on(key, mailbox, day).await? + due > following.removals_a_day_max {
            Some(rule::DAILY_MAXIMUM)
        } else {
            None
        };
        let mut by_path: BTreeMap<FolderPath, Vec<HeldRemoval>> = BTreeMap::new();
        for held in all {
            if !held.state.may_be_made() {
                continue;
            }
            match self.row(held.folder) {
                Some(row) => by_path.entry(row.target_path.clone()).or_default().push(held),
                None => tracing::warn!(mailbox, folder = held.folder, "a removal of an unknown folder"),
            }
        }
        for (path, removals) in by_path {
            for part in removals.chunks(AT_ONCE) {
                let changed = self.remove_part(&path, part, held_by, day, true).await?;
                // It may have been the mark of a worker of ours that had begun, come late: what is there now tells.
                if !changed.is_empty() {
                    self.remove_part(&path, &changed, held_by, day, false).await?;
                }
            }
        }
        Ok(())
    }

    /// Items that are to stay, as somebody has said, and that could only be marked: the mark comes off.
    async fn unmark_kept(&mut self, all: &[HeldRemoval]) -> Result<(), Failure> {
        for held in all.iter().filter(|held| held.state == RemovalState::Kept && held.rule == rule::CANNOT_REMOVE) {
            let known = self.row(held.folder).and_then(|row| Some((row.target_path.clone(), row.target?)));
            if let (Some((path, known)), Some(id)) = (known, held.target_id.clone())
                && let Ok(state) = self.target.state(&path).await
                && state.validity == known.validity
                && !stands_lower(&known, &state)
            {
                let take = Flags::NONE.with(model::SystemFlag::Deleted).without(&held.target_flags);
                let change = FlagChange { id, add: Flags::NONE, take };
                self.target.change_flags(Known::at(&path, &known), &[change]).await.on_target()?;
            }
            let mut tx = self.work.store.write(&self.work.lease).await?;
            let ids = std::slice::from_ref(&held.source_id);
            tx.set_removals(held.folder, ids, RemovalState::Kept, rule::REMOVED_AT_SOURCE).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Removes what may go of these from one folder. On the `first` look, what was begun before and has changed between is given
    /// back, to be looked at once more: then only what has our mark, and is as it was else, goes. All other that changed waits for a word.
    async fn remove_part(
        &mut self,
        path: &FolderPath,
        part: &[HeldRemoval],
        held_by: Option<&str>,
        day: i64,
        first: bool,
    ) -> Result<Vec<HeldRemoval>, Failure> {
        let state = match self.target.state(path).await {
            Ok(state) => Some(state),
            Err(error) if error.cause == Cause::Missing => None,
            Err(error) => return Err(error).on_target(),
        };
        let mut part = part.to_vec();
        self.learn_removal_ids(path, &mut part).await?;
        // Ids from before the folder was made anew are those of other items.
        let known: HashMap<i64, u64> = {
            let validity = |held: &HeldRemoval| self.row(held.folder)?.target.map(|target| target.validity);
            part.iter().filter_map(|held| Some((held.folder, validity(held)?))).collect()
        };
        let is_valid = |held: &HeldRemoval| {
            state.is_some_and(|state| known.get(&held.folder).is_none_or(|known| *known == state.validity))
        };
        let ids: Vec<ItemId> = part.iter().filter_map(|held| held.target_id.clone()).collect();
        let folder = Known::at(path, &state.unwrap_or_default());
        let flags = if state.is_some() { self.target.flags(folder, &ids).await.on_target()? } else { Vec::new() };
        let there: HashMap<ItemId, Flags> =
            ids.into_iter().zip(flags).filter_map(|(id, flags)| Some((id, flags?))).collect();
        // A word may be old, and overrides what flags tell: the item must be the one it was about.
        // And nobody compares what folders that are gone at the source hold on the target.
        let gone_rows: HashSet<i64> = self.rows_gone.iter().map(|row| row.folder).collect();
        let is_to_prove = |held: &HeldRemoval| held.state.is_approved() || gone_rows.contains(&held.folder);
        let to_prove: Vec<ItemId> =
            part.iter().filter(|held| is_to_prove(held)).filter_map(|held| held.target_id.clone()).collect();
        let to_prove: Vec<ItemId> = to_prove.into_iter().filter(|id| there.contains_key(id)).collect();
        let read: HashMap<ItemId, (Digest, Digest)> = self
            .read_target(path, &to_prove)
            .await?
            .into_iter()
            .map(|copy| (copy.id, (copy.found.exact, copy.found.canonical)))
            .collect();
        let is_it = |held: &HeldRemoval| {
            let read = held.target_id.as_ref().and_then(|id| read.get(id));
            !is_to_prove(held)
                || read
                    .is_some_and(|(exact, canonical)| held.exact == Some(*exact) || held.canonical == Some(*canonical))
        };
        let (mut gone, mut remove, mut hold) = (Vec::new(), Vec::new(), Vec::new());
        for held in &part {
            let now = held.target_id.as_ref().and_then(|id| there.get(id));
            let now = now.filter(|_| is_valid(held) && is_it(held));
            let is_doing = held.state.is_begun();
            let about = AboutToGo {
                is_approved: held.state.is_approved(),
                is_as_left: now.map(|now| is_as_left(&held.target_flags, now, is_doing)),
                held_by: if held.state == RemovalState::Held { Some(rule::ALIKE) } else { held_by },
            };
            match decide_removal(&about) {
                Going::Remove if !first && !now.is_some_and(|now| is_marked_only(&held.target_flags, now)) => {
                    hold.push((held, CHANGED_ON_TARGET));
                }
                Going::IsGone => gone.push(held),
                Going::Remove => remove.push(held),
                Going::Hold(rule) => hold.push((held, rule)),
            }
        }
        // Our own mark does not stay on what stays: the next client that expunges would take it along.
        let deleted = Flags::NONE.with(model::SystemFlag::Deleted);
        let is_marked = |held: &HeldRemoval| held.state.is_begun() && !deleted.without(&held.target_flags).is_empty();
        let marked = hold.iter().filter(|(held, _)| is_marked(held)).filter_map(|(held, _)| held.target_id.clone());
        let unmark: Vec<FlagChange> =
            marked.map(|id| FlagChange { id, add: Flags::NONE, take: deleted.clone() }).collect();
        if !unmark.is_empty() {
            self.target.change_flags(folder, &unmark).await.on_target()?;
        }
        let mut tx = self.work.store.write(&self.work.lease).await?;
        for ((folder, ()), ids) in alike(gone.iter().map(|held| (*held, ()))) {
            tx.drop_removals(folder, &ids).await?;
        }
        for ((folder, rule), ids) in alike(hold.iter().copied()) {
            tx.set_removals(folder, &ids, RemovalState::Held, rule).await?;
        }
        // Somebody may have said meanwhile that one of them is to stay.
        let begun = tx.begin_removals(&remove).await?;
        tx.commit().await?;
        remove.retain(|held| begun.contains(&(held.folder, held.source_id.clone())));
        self.report.held_removals += hold.len() as u64;
        if remove.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<ItemId> = remove.iter().filter_map(|held| held.target_id.clone()).collect();
        let unchanged_since = state.map(|state| state.change).filter(|change| *change != 0);
        let results = match self.target.remove(folder, &ids, unchanged_since).await {
            Err(error) if !error.ends_session() && error.cause != Cause::InDoubt => {
                self.removals_refused(folder, &remove, &error).await?;
                return Ok(Vec::new());
            }
            results => results.on_target()?,
        };
        let is_changed =
            |held: &HeldRemoval, result: &Removal| first && held.state.is_begun() && *result == Removal::Changed;
        let (changed, ended): (Vec<_>, Vec<_>) =
            remove.iter().copied().zip(results).partition(|(held, result)| is_changed(held, result));
        let changed: Vec<HeldRemoval> = changed.into_iter().map(|(held, _)| held.clone()).collect();
        let mut removed = 0;
        let mut tx = self.work.store.write(&self.work.lease).await?;
        let held_by = |result| match result {
            Removal::Gone => None,
            Removal::Changed => Some(CHANGED_ON_TARGET),
            Removal::Unsupported => Some(rule::CANNOT_REMOVE),
        };
        for ((folder, held_by), ids) in alike(ended.into_iter().map(|(held, result)| (held, held_by(result)))) {
            if let Some(rule) = held_by {
                self.report.held_removals += ids.len() as u64;
                tx.set_removals(folder, &ids, RemovalState::Held, rule).await?;
            } else {
                removed += ids.len() as u64;
                tx.drop_removals(folder, &ids).await?;
            }
        }
        tx.add_removed(day, removed).await?;
        tx.commit().await?;
        self.report.removed += removed;
        self.know_state_after(path, removed).await?;
        self.record_target_states(path).await?;
        Ok(changed)
    }

    /// The target keeps what was to go: its person may say otherwise by now, and the rest of the mailbox goes on.
    async fn removals_refused(
        &mut self,
        folder: Known<'_>,
        refused: &[&HeldRemoval],
        error: &connector::Error,
    ) -> Result<(), Failure> {
        // A word may still keep them: our mark does not stay on what stays.
        let ids: Vec<ItemId> = refused.iter().filter_map(|held| held.target_id.clone()).collect();
        let there: HashMap<ItemId, Flags> = match self.target.flags(folder, &ids).await {
            Ok(flags) => ids.into_iter().zip(flags).filter_map(|(id, flags)| Some((id, flags?))).collect(),
            Err(error) if error.ends_session() => return Err(error).on_target(),
            Err(_) => HashMap::new(),
        };
        let deleted = Flags::NONE.with(model::SystemFlag::Deleted);
        let is_ours =
            |held: &HeldRemoval, now: &Flags| !deleted.intersection(now).without(&held.target_flags).is_empty();
        let marked = refused.iter().filter_map(|held| Some((held, held.target_id.clone()?)));
        let marked = marked.filter(|(held, id)| there.get(id).is_some_and(|now| is_ours(held, now)));
        let unmark: Vec<FlagChange> =
            marked.map(|(_, id)| FlagChange { id, add: Flags::NONE, take: deleted.clone() }).collect();
        if !unmark.is_empty() {
            self.target.change_flags(folder, &unmark).await.on_target()?;
        }
        let path = folder.path;
        let mut tx = self.work.store.write(&self.work.lease).await?;
        for held in refused.iter().filter(|held| held.state.is_approved()) {
            let ids = std::slice::from_ref(&held.source_id);
            tx.set_removals(held.folder, ids, RemovalState::Approved, &held.rule).await?;
        }
        tx.commit().await?;
        let what = format!("what the source removed stays in {:?} on the target: {error}", path.to_string());
        self.report.blocked(error.cause, Some(Side::Target), what);
        Ok(())
    }

    /// Removals of items whose id on the target was never told: they are found by their bytes and date.
    async fn learn_removal_ids(&mut self, path: &FolderPath, part: &mut [HeldRemoval]) -> Result<(), Failure> {
        if part.iter().all(|held| held.target_id.is_some()) {
            return Ok(());
        }
        let Ok(state) = self.target.state(path).await else { return Ok(()) };
        let mut pool = Pool::new(self.unknown_at(path, &FolderState::beginning(state.validity), &[]).await?);
        let unknown = part.iter().filter(|held| held.target_id.is_none());
        let unknown = unknown.filter_map(|held| Some((FolderState::default(), held.exact?, held.received)));
        let alike = pool.alike(unknown);
        let mut tx = self.work.store.write(&self.work.lease).await?;
        for held in part.iter_mut().filter(|held| held.target_id.is_none()) {
            // Which of several is ours can't be told: that is for a person to say.
            let is_alike = held.exact.is_some_and(|exact| alike.holds(exact, held.received));
            if is_alike && !held.state.is_approved() {
                held.state = RemovalState::Held;
            }
            if let Some(candidate) = held.exact.and_then(|exact| pool.find_digest(exact, held.received)) {
                tx.set_removal_target(held.folder, &held.source_id, Some(&candidate.id)).await?;
                held.target_id = Some(candidate.id);
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// Records how the target folder stands after what we did to it.
    async fn record_target_states(&mut self, path: &FolderPath) -> Result<(), Failure> {
        let mut tx = self.work.store.write(&self.work.lease).await?;
        for work in self.folders.iter().filter(|work| work.row.target_path == *path) {
            if let Some(target) = &work.row.target {
                tx.set_target_state(work.row.folder, target).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Ids of removals by folder and by what is to become of them.
fn alike<'h, T: Ord>(removals: impl Iterator<Item = (&'h HeldRemoval, T)>) -> BTreeMap<(i64, T), Vec<ItemId>> {
    let mut alike: BTreeMap<(i64, T), Vec<ItemId>> = BTreeMap::new();
    for (held, what) in removals {
        alike.entry((held.folder, what)).or_default().push(held.source_id.clone());
    }
    alike
}

/// The flags of an item that was to be removed, as both sides were left: a mark that we may have put on it is ours to take
/// off, should it stay after all.
pub(crate) fn bases(held: &HeldRemoval) -> (Flags, Flags) {
    let is_marked = held.state.is_begun() || held.rule == rule::CANNOT_REMOVE;
    let mark = if is_marked { Flags::NONE.with(model::SystemFlag::Deleted) } else { Flags::NONE };
    (held.source_flags.union(&mark), held.target_flags.union(&mark))
}

/// Is an item on the target as we left it but for the mark of a removal?
fn is_marked_only(base: &Flags, now: &Flags) -> bool {
    base != now && base.union(&Flags::NONE.with(model::SystemFlag::Deleted)) == *now
}

/// Is an item on the target as we left it? The mark of our own removal, begun and broken off, is no change.
fn is_as_left(base: &Flags, now: &Flags, is_doing: bool) -> bool {
    let deleted = Flags::NONE.with(model::SystemFlag::Deleted);
    base == now || (is_doing && base.union(&deleted) == *now)
}
