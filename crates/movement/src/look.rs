//! Looking: what is on the target that the ledger does not know.
//!
//! Before the first item is sent to a folder under a new lease, everything that appeared there since it was last
//! accounted for is read and matched: against batches whose outcome is not known (found: *ours*), against copies that a
//! late worker made twice (removed only under all the conditions of *Late writers*), and then kept as candidates for
//! items of the source that have no fate yet (found: *adopted*). This does not depend on an open intent, since the last
//! commits of a ledger may be lost in a power cut.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use connector::{Known, Removal};
use model::{Cause, Digest, Fate, Findings, FolderPath, FolderState, ItemId};
use store::{Fact, FormerReplaced, Intent, IntentItem, IntentState, ItemThere, LedgerItem};

use crate::failure::{Failure, OnSide};
use crate::finish::known_as;
use crate::follow::bases;
use crate::matching::{Alike, Candidate, Pool, is_altered};
use crate::pass::{Pass, exception};

impl Pass<'_> {
    /// Looks at the target folder, once a pass, before anything is sent to it.
    pub(crate) async fn look(&mut self, index: usize) -> Result<(), Failure> {
        self.make_again(index).await?;
        if self.there(index).now.is_some() {
            return Ok(());
        }
        let together = self.together(index);
        let has_open = self.intents_of(&together).any(|intent| intent.state == IntentState::Open);
        if !has_open {
            let listed = self.folders[index].listed;
            let now = match listed {
                Some(state) => state,
                None => {
                    self.drain().await?;
                    let path = self.folders[index].row.target_path.clone();
                    match self.target.state(&path).await {
                        Ok(state) => state,
                        Err(error) if error.cause == Cause::Missing && self.work.dry_run => FolderState::default(),
                        Err(error) => return Err(error).on_target(),
                    }
                }
            };
            let is_accounted = |index: &usize| {
                self.folders[*index].row.target.map_or(now.count == 0, |recorded| now.has_same_items(&recorded))
            };
            if together.iter().all(is_accounted) {
                self.there_mut(index).now = Some(now);
                return Ok(());
            }
        }
        self.drain().await?;
        self.wait_for_last_bytes(&together).await?;
        self.match_unknown(index).await
    }

    /// Batches of these folders whose outcome is not known, or that are looked for again.
    fn intents_of<'s>(&'s self, together: &[usize]) -> impl Iterator<Item = &'s Intent> + use<'s> {
        let folders: HashSet<i64> = together.iter().map(|index| self.folders[*index].row.folder).collect();
        self.intents.iter().filter(move |intent| folders.contains(&intent.folder))
    }

    /// At the end of a pass: batches resolved after a lapsed lease are looked for again, in case their sender was only
    /// frozen; and batches still open in folders that were not written to.
    pub(crate) async fn look_for_late_ones(&mut self) -> Result<(), Failure> {
        if self.work.dry_run || self.intents.is_empty() {
            return Ok(());
        }
        let now = self.work.store.now().await?;
        let gap = self.work.tuning.late_look_gap.as_millis() as i64;
        for index in 0..self.folders.len() {
            let folder = self.folders[index].row.folder;
            let is_due = |state: IntentState| match state {
                IntentState::Open => true,
                IntentState::Watched { looked_at, .. } => looked_at + gap <= now,
            };
            if self.intents.iter().any(|intent| intent.folder == folder && is_due(intent.state))
                && self.folders[index].is_looked_at()
            {
                self.wait_for_last_bytes(&self.together(index)).await?;
                match self.match_unknown(index).await {
                    // Without the folder there is nothing in it.
                    Err(failure) if failure.error.cause == Cause::Missing && self.folders[index].row.is_gone() => {
                        let known = self.folders[index].row.target.unwrap_or_default();
                        self.record_look(&[index], known).await?;
                    }
                    matched => matched?,
                }
            }
        }
        Ok(())
    }

    /// A batch whose sender is gone may still be on its way, or being written by the server.
    async fn wait_for_last_bytes(&mut self, together: &[usize]) -> Result<(), Failure> {
        let open = self.intents_of(together).filter(|intent| intent.state == IntentState::Open);
        let Some(latest) = open.map(|intent| intent.opened_at).max() else { return Ok(()) };
        let settle = self.work.tuning.settle.as_millis() as i64;
        let left = latest + settle - self.work.store.now().await?;
        if left > 0 {
            tokio::time::sleep(Duration::from_millis(left.unsigned_abs())).await;
        }
        Ok(())
    }

    /// Items in the target folder that the ledger does not know, read whole.
    pub(crate) async fn unknown_items(&mut self, index: usize, mark: &FolderState) -> Result<Vec<Candidate>, Failure> {
        Ok(self.unknown_since(index, mark).await?.0)
    }

    /// The same, and the ids of all that came since the mark.
    async fn unknown_since(
        &mut self,
        index: usize,
        mark: &FolderState,
    ) -> Result<(Vec<Candidate>, Vec<ItemId>), Failure> {
        let facts = self.there(index).of.iter().flat_map(|index| &self.folders[*index].facts);
        let mut known: Vec<ItemId> = facts.filter_map(|fact| fact.target_id.clone()).collect();
        let work = &self.folders[index];
        let (path, is_gone) = (work.row.target_path.clone(), work.row.is_gone());
        let (key, mailbox) = (self.work.key, self.work.mailbox.mailbox);
        if is_gone {
            // Nobody takes them over in this look: it is only for batches.
            let former = self.work.store.former_copies(key, mailbox, &path, mark.validity).await?;
            known.extend(former.into_iter().map(|copy| copy.target_id));
        } else {
            // What folders that are gone have there goes with them, or with what has moved from them: see `know_departed`.
            let vanished: HashSet<i64> = self.vanished_rows().iter().map(|row| row.folder).collect();
            let left = self.work.store.items_left(key, mailbox, &path, mark.validity).await?;
            known.extend(left.into_iter().filter(|copy| vanished.contains(&copy.folder)).map(|copy| copy.target_id));
        }
        self.since_less(&path, mark, &known).await
    }

    /// The same of any folder of the target, less these.
    pub(crate) async fn unknown_at(
        &mut self,
        path: &FolderPath,
        mark: &FolderState,
        less: &[ItemId],
    ) -> Result<Vec<Candidate>, Failure> {
        Ok(self.since_less(path, mark, less).await?.0)
    }

    async fn since_less(
        &mut self,
        path: &FolderPath,
        mark: &FolderState,
        less: &[ItemId],
    ) -> Result<(Vec<Candidate>, Vec<ItemId>), Failure> {
        let listed = self.target.since(path, mark).await.on_target()?;
        if listed.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let listed: Vec<ItemId> = listed.into_iter().map(|(id, _)| id).collect();
        let (key, mailbox) = (self.work.key, self.work.mailbox.mailbox);
        let mut known = self.work.store.target_ids(key, mailbox, path, mark.validity).await?;
        known.extend(less.iter().cloned());
        let unknown: Vec<_> = listed.iter().filter(|id| !known.contains(id)).cloned().collect();
        Ok((self.read_target(path, &unknown).await?, listed))
    }

    /// Reads what the ledger does not know of the target folder and matches it.
    async fn match_unknown(&mut self, index: usize) -> Result<(), Failure> {
        let path = self.folders[index].row.target_path.clone();
        let now = self.target.state(&path).await.on_target()?;
        if self.folders[index].row.is_gone() {
            self.follow_gone_folder_there(index, now).await?;
        }
        let together = self.together(index);
        let from_start = FolderState::beginning(now.validity);
        let mut recorded = Vec::new();
        for index in &together {
            self.require_same_target(*index, now.validity)?;
            recorded.push(self.folders[*index].row.target.unwrap_or(from_start));
        }
        let mut mark = recorded.iter().copied().min_by_key(|state| state.next).unwrap_or(from_start);
        let last = recorded.into_iter().max_by_key(|state| state.next).unwrap_or(from_start);
        for intent in self.intents_of(&together) {
            if intent.mark.validity == mark.validity && intent.mark.next < mark.next {
                mark = intent.mark;
            }
        }
        let (mut candidates, came) = self.unknown_since(index, &mark).await?;
        if !candidates.is_empty() {
            let altered = self.altered_copies(&together).await?;
            candidates.retain(|candidate| altered.get(&candidate.id) != Some(&candidate.found.exact));
        }
        let now = now.as_if_none_went(&last, came.iter());
        if !candidates.is_empty() {
            let (key, mailbox) = (self.work.key, self.work.mailbox.mailbox);
            let former = self.work.store.former_copies(key, mailbox, &path, now.validity).await?;
            self.there_mut(index).ours = former.into_iter().map(|copy| (copy.target_id.clone(), copy)).collect();
            let replaced = self.work.store.former_replaced(key, mailbox, &path, now.validity).await?;
            let mut formers: HashMap<(Digest, Option<i64>), Vec<FormerReplaced>> = HashMap::new();
            for copy in replaced {
                if let Some(original) = copy.treatment.original {
                    formers.entry((original, copy.received)).or_default().push(copy);
                }
            }
            self.there_mut(index).formers = formers;
        }
        let mut pool = Pool::new(candidates);
        let alike = self.match_stored_without_id(index, &now, Vec::new(), &mut pool).await?;
        self.match_open_intents(index, &now, &alike, &mut pool).await?;
        self.match_late_copies(index, &now, &mut pool).await?;
        let there = self.there_mut(index);
        there.now = Some(now);
        there.pool = pool;
        if !self.work.dry_run {
            self.record_look(&together, now).await?;
        }
        Ok(())
    }

    /// The target folder must be the one whose ids the ledger holds: in another one they are those of other items.
    pub(crate) fn require_same_target(&self, index: usize, validity: u64) -> Result<(), Failure> {
        let work = &self.folders[index];
        let Some(known) = work.row.target.or(self.there(index).now) else { return Ok(()) };
        Known::at(&work.row.target_path, &known).require(validity).on_target()
    }

    /// The target folder at this place, under the validity that its ids in the ledger have.
    pub(crate) fn known<'p>(&self, index: usize, path: &'p FolderPath) -> Known<'p> {
        Known::at(path, &self.folders[index].row.target.or(self.there(index).now).unwrap_or_default())
    }

    /// Items that the target stored without telling their ids: what lies there of them is not there for others. `refused` may be
    /// there, too. Returns what there is more of than all of these.
    pub(crate) async fn match_stored_without_id(
        &mut self,
        index: usize,
        now: &FolderState,
        refused: Vec<(Digest, Option<i64>)>,
        pool: &mut Pool,
    ) -> Result<Alike, Failure> {
        if pool.is_empty() {
            return Ok(Alike::default());
        }
        let together = self.together(index);
        let mut stored = self.stored_without_id(&together).await?;
        // What is about to be written to the ledger replaces what is there.
        stored.retain(|(index, item)| self.folders[*index].facts.iter().all(|fact| fact.source_id != item.source_id));
        let alike = self.alike(&together, &stored, refused, now, pool);
        for index in together {
            for fact in self.folders[index].facts.iter_mut().filter(|fact| is_to_learn(fact)) {
                if let Some(candidate) = fact.exact.and_then(|exact| pool.find_digest(exact, fact.received)) {
                    fact.fate = alike.fate(fact.exact, fact.received, fact.fate);
                    fact.target_id = Some(candidate.id);
                    fact.target_flags = Some(candidate.flags);
                }
            }
        }
        for (index, item) in stored {
            if let Some(candidate) = item.exact.and_then(|exact| pool.find_digest(exact, item.received)) {
                self.folders[index].facts.push(known_as(item, candidate, &alike));
            }
        }
        Ok(alike)
    }

    /// Items of these folders that the ledger knows to be stored under ids that nobody told.
    pub(crate) async fn stored_without_id(&mut self, together: &[usize]) -> Result<Vec<(usize, LedgerItem)>, Failure> {
        let mut stored = Vec::new();
        for index in together {
            let items = self.work.store.items_without_target_id(self.work.key, &self.folders[*index].row).await?;
            stored.extend(items.into_iter().map(|item| (*index, item)));
        }
        Ok(stored)
    }

    /// What there is more of on the target than we put there: known to be stored, by whatever ids, or perhaps stored by batches
    /// whose outcome is not known, some of it perhaps twice by a late writer.
    pub(crate) fn alike(
        &self,
        together: &[usize],
        stored: &[(usize, LedgerItem)],
        refused: Vec<(Digest, Option<i64>)>,
        now: &FolderState,
        pool: &Pool,
    ) -> Alike {
        let anywhere = FolderState::default();
        let facts = together.iter().flat_map(|index| &self.folders[*index].facts);
        let new = facts.filter(|fact| is_to_learn(fact));
        let new = new.filter_map(|fact| Some((anywhere, fact.exact?, fact.received)));
        let refused = refused.into_iter().map(|(exact, received)| (anywhere, exact, received));
        let stored = stored.iter().filter_map(|(_, item)| Some((anywhere, item.exact?, item.received)));
        let sent = self
            .intents_of(together)
            .flat_map(|intent| intent.items.iter().map(|item| (mark_in(&intent.mark, now), item)));
        pool.alike(new.chain(stored).chain(refused).chain(sent.map(|(mark, item)| (mark, item.exact, item.received))))
    }

    /// Items of batches whose outcome is not known.
    async fn match_open_intents(
        &mut self,
        index: usize,
        now: &FolderState,
        alike: &Alike,
        pool: &mut Pool,
    ) -> Result<(), Failure> {
        for (index, mark, item) in self.sent(index, now, |state| state == IntentState::Open) {
            let has_fate = self.has_copy(index, &item).await?;
            if has_fate {
                continue; // Sent again since, or recorded: another copy of it is a late one.
            }
            let Some(candidate) = pool.find_since(&mark, item.exact, item.received) else { continue };
            let work = &mut self.folders[index];
            let fate = alike.fate(Some(item.exact), item.received, Fate::Copied);
            self.report.copied += u64::from(fate == Fate::Copied);
            self.report.adopted += u64::from(fate == Fate::Adopted);
            self.report.bytes += item.size_bytes;
            work.cleared.push(item.source_id.clone());
            work.facts.push(Fact {
                source_id: item.source_id,
                fate,
                size_bytes: item.size_bytes,
                received: item.received,
                exact: Some(item.exact),
                canonical: Some(item.canonical),
                source_flags: item.flags,
                target_id: Some(candidate.id),
                target_flags: Some(candidate.flags),
                read_back: None,
            });
        }
        Ok(())
    }

    /// Items of batches in these states to the folder of the target that this one goes to: each with its folder and the mark.
    fn sent(
        &self,
        index: usize,
        now: &FolderState,
        is_wanted: impl Fn(IntentState) -> bool,
    ) -> Vec<(usize, FolderState, IntentItem)> {
        let mut sent = Vec::new();
        for index in self.together(index) {
            for intent in self.intents_of(&[index]).filter(|intent| is_wanted(intent.state)) {
                let mark = mark_in(&intent.mark, now);
                sent.extend(intent.items.iter().map(|item| (index, mark, item.clone())));
            }
        }
        sent
    }

    /// Does the ledger, or what is about to be written to it, hold a copy of this item?
    async fn has_copy(&mut self, index: usize, item: &IntentItem) -> Result<bool, Failure> {
        let work = &self.folders[index];
        let is_copy = |fate| matches!(fate, Fate::Copied | Fate::Adopted);
        if work.facts.iter().any(|fact| fact.source_id == item.source_id && is_copy(fact.fate)) {
            return Ok(true);
        }
        let id = &item.source_id;
        let known = self.work.store.items_between(self.work.key, &work.row, id, id).await?;
        Ok(known.iter().any(|known| is_copy(known.fate)))
    }

    /// Copies that a worker made after its lease had lapsed: listed, and removed only if the ledger holds another copy,
    /// nothing of it was changed, and nobody uses the target yet.
    async fn match_late_copies(&mut self, index: usize, now: &FolderState, pool: &mut Pool) -> Result<(), Failure> {
        if pool.is_empty() {
            return Ok(());
        }
        for (index, mark, item) in self.sent(index, now, |_| true) {
            if !self.has_copy(index, &item).await? {
                continue;
            }
            while let Some(candidate) = pool.find_since(&mark, item.exact, item.received) {
                self.late_copy(index, &item, &candidate).await?;
            }
        }
        Ok(())
    }

    async fn late_copy(&mut self, index: usize, item: &IntentItem, candidate: &Candidate) -> Result<(), Failure> {
        let (path, row) = (self.folders[index].row.target_path.clone(), self.folders[index].row.clone());
        let named = format!("a second copy of item {} of {:?}", item.source_id, row.path.to_string());
        let may_remove = candidate.flags == item.flags
            && !self.work.setting.in_use
            && self.target.offers().removes_exactly
            && !row.is_gone()
            && !self.work.dry_run;
        let other = self.copy_in_ledger(index, item).await?;
        if other.as_ref() == Some(&candidate.id) {
            return Ok(()); // It is the only one.
        }
        let removed = if may_remove && self.is_whole(index, item, other).await? {
            let ids = [candidate.id.clone()];
            let removed = self.target.remove(self.known(index, &path), &ids, None).await.on_target()?;
            matches!(removed.first(), Some(Removal::Gone))
        } else {
            false
        };
        let what = if removed {
            format!("{named}, made by a worker whose lease had lapsed, was removed from {:?}", path.to_string())
        } else {
            format!(
                "{named}, made by a worker whose lease had lapsed, lies in {:?} as item {}: compare and remove one",
                path.to_string(),
                candidate.id
            )
        };
        tracing::warn!(mailbox = self.work.mailbox.mailbox, removed, "a late worker's second copy was found");
        let (source_id, target_id) = (Some(item.source_id.clone()), Some(candidate.id.clone()));
        self.folders[index].exceptions.push(exception(Cause::LeaseLapsed, &row, source_id, target_id, what));
        Ok(())
    }

    /// Copies of failed items of these folders that the target has altered, with the digests of what they were sent as: nobody's.
    async fn altered_copies(&mut self, together: &[usize]) -> Result<HashMap<ItemId, Digest>, Failure> {
        let mut copies = HashMap::new();
        for index in together {
            let row = &self.folders[*index].row;
            let of_it = self.altered.iter().filter(|((path, _), _)| *path == row.path);
            let of_it: HashMap<ItemId, Vec<ItemId>> =
                of_it.map(|((_, source_id), copies)| (source_id.clone(), copies.clone())).collect();
            let ids: Vec<ItemId> = of_it.keys().cloned().collect();
            let known = self.work.store.items_of(self.work.key, row, &ids).await?;
            for item in known.into_iter().filter(|item| item.fate == Fate::Failed) {
                let Some((exact, ids)) = item.exact.zip(of_it.get(&item.source_id)) else { continue };
                copies.extend(ids.iter().map(|id| (id.clone(), exact)));
            }
        }
        Ok(copies)
    }

    /// Does a copy of this item lie on the target that it has altered?
    pub(crate) async fn lies_altered(&mut self, index: usize, id: &ItemId, found: &Findings) -> Result<bool, Failure> {
        let row = &self.folders[index].row;
        let Some(copies) = self.altered.get(&(row.path.clone(), id.clone())).cloned() else { return Ok(false) };
        let path = row.target_path.clone();
        self.drain().await?;
        let there = self.read_target(&path, &copies).await?;
        Ok(there.iter().any(|copy| is_altered(found, &copy.found)))
    }

    /// The copy of an item that the source had no more and lists again: it lies there still, and is not copied again.
    pub(crate) async fn take_back(
        &mut self,
        index: usize,
        id: &ItemId,
        found: &Findings,
    ) -> Result<Option<Candidate>, Failure> {
        let folder = self.folders[index].row.folder;
        let held = self.removals.get(&(folder, id.clone())).filter(|held| held.exact == Some(found.exact));
        let held = held.and_then(|held| Some((held.target_id.clone()?, bases(held))));
        let Some(held) = held else { return Ok(None) };
        self.drain().await?;
        let path = self.folders[index].row.target_path.clone();
        let there = self.read_target(&path, std::slice::from_ref(&held.0)).await?.pop();
        let there = there.filter(|copy| copy.found.exact == found.exact);
        if let Some(copy) = &there {
            let work = &mut self.folders[index];
            let (source_flags, target_flags) = held.1;
            let (source_id, target_id) = (id.clone(), copy.id.clone());
            let ours = ItemThere { target_id, folder, source_id, source_flags, target_flags };
            work.taken_back.push(id.clone());
            self.there_mut(index).ours.insert(copy.id.clone(), ours);
            self.departed.forget(found.exact, folder, id);
        }
        Ok(there)
    }

    /// The id of the copy that the ledger holds of this item, or is about to.
    async fn copy_in_ledger(&mut self, index: usize, item: &IntentItem) -> Result<Option<ItemId>, Failure> {
        let work = &self.folders[index];
        let pending = work.facts.iter().find(|fact| fact.source_id == item.source_id);
        if let Some(id) = pending.and_then(|fact| fact.target_id.clone()) {
            return Ok(Some(id));
        }
        let id = &item.source_id;
        let known = self.work.store.items_between(self.work.key, &work.row, id, id).await?;
        Ok(known.into_iter().find_map(|known| known.target_id))
    }

    /// Is this copy there, with all the bytes of the item?
    async fn is_whole(&mut self, index: usize, item: &IntentItem, copy: Option<ItemId>) -> Result<bool, Failure> {
        let path = self.folders[index].row.target_path.clone();
        let Some(copy) = copy else { return Ok(false) };
        let copy = self.read_target(&path, &[copy]).await?;
        Ok(copy.iter().any(|copy| copy.found.exact == item.exact))
    }

    /// Records what was found, and what became of the batches looked for.
    async fn record_look(&mut self, together: &[usize], now: FolderState) -> Result<(), Failure> {
        let looked_at = self.work.store.now().await?;
        let mut tx = self.work.store.write(&self.work.lease).await?;
        let (mut folders, mut found) = (HashSet::new(), 0);
        for index in together {
            let work = &mut self.folders[*index];
            let folder = work.row.folder;
            folders.insert(folder);
            tx.drop_treatments(folder, &std::mem::take(&mut work.untreated)).await?;
            tx.add_treatments(folder, &std::mem::take(&mut work.treatments)).await?;
            let facts = std::mem::take(&mut work.facts);
            tx.add_facts(&work.row, &facts).await?;
            tx.clear_failures(folder, &std::mem::take(&mut work.cleared)).await?;
            for exception in std::mem::take(&mut work.exceptions) {
                tx.add_exception(&exception).await?;
            }
            // What is left may be items of the source that have not been read yet: until the folder is complete, a stop must
            // find it unaccounted for.
            let accounted = match work.row.target {
                _ if self.target_folders[work.goes_to].pool.is_empty() => now,
                Some(recorded) => recorded,
                // Nothing is, but whose ids these are is known.
                None => FolderState::beginning(now.validity),
            };
            tx.set_target_state(folder, &accounted).await?;
            work.row.target = Some(accounted);
            if !facts.is_empty() {
                work.is_fresh = false;
            }
            found += facts.len();
        }
        let mut kept = Vec::new();
        for mut intent in std::mem::take(&mut self.intents) {
            if folders.contains(&intent.folder) {
                let looks_left = match intent.state {
                    IntentState::Open => self.work.tuning.late_looks,
                    IntentState::Watched { looks_left, .. } => looks_left - 1,
                };
                if looks_left <= 0 {
                    tx.close_intent(intent.fence, intent.number).await?;
                    continue;
                }
                tx.watch_intent(intent.fence, intent.number, looks_left).await?;
                intent.state = IntentState::Watched { looks_left, looked_at };
            }
            kept.push(intent);
        }
        self.intents = kept;
        tx.commit().await?;
        tracing::debug!(mailbox = self.work.mailbox.mailbox, found, "looked at a folder");
        Ok(())
    }
}

/// Was this item stored under an id that nobody told?
fn is_to_learn(fact: &Fact) -> bool {
    fact.fate == Fate::Copied && fact.target_id.is_none()
}

/// Where a mark stands in a folder as it is now: at its beginning if the folder was numbered anew since.
fn mark_in(mark: &FolderState, now: &FolderState) -> FolderState {
    if mark.validity == now.validity { *mark } else { FolderState::beginning(now.validity) }
}
