//! The end of a pass: what was put off while folders were being read, and the proof that every item has a fate.
//!
//! A folder is complete when the ledger has a fate for exactly as many items as the source said it holds. Where the two
//! disagree nothing is assumed: the source is asked for the whole list, what lacks a fate is read, what is no longer
//! there is dealt with, and they are compared again.

use std::collections::{BTreeMap, HashMap, HashSet};

use connector::Source;
use model::{Cause, Fate, FolderState, ItemId, ItemKind, Side};
use store::{Fact, HeldItem, LedgerItem};

use crate::decide::{AtSource, InLedger, Intent, OnTarget, decide};
use crate::failure::{Failure, OnSide};
use crate::flags::FlagWork;
use crate::matching::{Alike, Candidate, Pool, Wanted};
use crate::pass::{Deferred, Pass, exception};
use crate::reading::Task;

impl Pass<'_> {
    /// Completes a folder at once when nothing of it was put off: the usual case.
    pub(crate) async fn finish_if_simple(&mut self, index: usize) -> Result<(), Failure> {
        let work = &self.folders[index];
        let Some(end) = &work.end else { return Ok(()) };
        let is_simple = work.flights == 0
            && work.batch.is_empty()
            && work.deferred.is_empty()
            && work.arrived.is_empty()
            && work.flag_changes.is_empty()
            && work.flags_later.is_empty()
            && work.gone.is_empty()
            && work.gone_later.is_empty()
            && work.seen.is_empty()
            && work.read_again.is_empty()
            && work.without_id == 0
            && !self.there(index).is_unsure
            && work.unusable.is_none()
            && !self.to_retry.contains_key(&work.row.folder)
            && !end.listed_all
            && !self.thaws;
        let state = end.state;
        if is_simple && self.fates(index).await? == state.count {
            self.complete(index, state).await?;
        }
        Ok(())
    }

    /// How many items of a folder have a fate. What is pending is written first, so that the ledger can be asked.
    async fn fates(&mut self, index: usize) -> Result<u64, Failure> {
        if self.folders[index].is_fresh {
            return Ok(self.folders[index].fates);
        }
        self.commit(index, &[]).await?;
        Ok(self.work.store.count_items(self.work.key, &self.folders[index].row).await?)
    }

    /// Everything of a folder has a fate: the cursor goes to its end.
    async fn complete(&mut self, index: usize, state: FolderState) -> Result<(), Failure> {
        let work = &mut self.folders[index];
        work.is_done = true;
        work.cursor = None;
        let Some(end) = work.end.take() else { return Ok(()) };
        self.commit(index, &[]).await?;
        let work = &mut self.folders[index];
        let target = self.target_folders[work.goes_to].now.or(work.row.target);
        let is_known = work.row.source == Some(state)
            && work.row.cursor.as_ref() == Some(&end.cursor.0)
            && work.row.target == target;
        if is_known || self.work.dry_run {
            return Ok(());
        }
        let mut tx = self.work.store.write(&self.work.lease).await?;
        tx.set_cursor(work.row.folder, &end.cursor.0).await?;
        tx.set_source_state(work.row.folder, &state).await?;
        if let Some(target) = &target {
            tx.set_target_state(work.row.folder, target).await?;
        }
        tx.commit().await?;
        work.row.cursor = Some(end.cursor.0);
        work.row.source = Some(state);
        work.row.target = target;
        self.complete_together(index).await?;
        Ok(())
    }

    /// Folders of which everything has a fate, and that go where this one goes, are accounted for as it is.
    async fn complete_together(&mut self, index: usize) -> Result<(), Failure> {
        let Some(now) = self.there(index).now else { return Ok(()) };
        let is_behind = |other: &usize| {
            let work = &self.folders[*other];
            let is_clear = work.is_done && !work.is_put_off() && work.without_id == 0;
            *other != index && is_clear && work.row.target != Some(now)
        };
        let behind: Vec<usize> = self.together(index).into_iter().filter(is_behind).collect();
        if behind.is_empty() || self.there(index).is_unsure {
            return Ok(());
        }
        let mut tx = self.work.store.write(&self.work.lease).await?;
        for other in behind {
            let row = &mut self.folders[other].row;
            tx.set_target_state(row.folder, &now).await?;
            row.target = Some(now);
        }
        tx.commit().await?;
        Ok(())
    }

    /// Does what was put off, folder by folder. The source comes back.
    pub(crate) async fn finish_folders(&mut self, mut source: Box<dyn Source>) -> Result<Box<dyn Source>, Failure> {
        for index in 0..self.folders.len() {
            if *self.work.stop.borrow() {
                return Err(Failure::stopped());
            }
            source = self.finish_folder(index, source).await?;
        }
        Ok(source)
    }

    async fn finish_folder(&mut self, index: usize, mut source: Box<dyn Source>) -> Result<Box<dyn Source>, Failure> {
        if self.folders[index].is_done && self.folders[index].read_again.is_empty() {
            return Ok(source);
        }
        self.retry_failed(index);
        self.follow_flags_again(index, source.as_mut()).await?;
        source = self.read_put_off(index, source).await?;
        self.send_flag_changes(index).await?;
        self.commit(index, &[]).await?;
        self.learn_ids(index).await?;
        self.change_flags_later(index).await?;
        let Some(end) = &self.folders[index].end else { return Ok(source) };
        let mut state = end.state;
        if self.work.dry_run || self.folders[index].waits_for_room {
            return Ok(source);
        }
        if self.fates(index).await? != state.count {
            (source, state) = self.recount(index, source).await?;
        }
        if self.fates(index).await? == state.count && self.folders[index].flags_later.is_empty() {
            self.complete(index, state).await?;
        } else {
            // The folder changed while it was being counted: the next pass goes on.
            self.report.again = true;
        }
        Ok(source)
    }

    /// Items that waited for better uses of what is on the target: now all of them are known, those of other folders that go to
    /// the same place included.
    fn settle_deferred(&mut self, index: usize) {
        let mut deferred: Vec<(usize, Deferred)> = Vec::new();
        for index in self.together(index) {
            let items = std::mem::take(&mut self.folders[index].deferred);
            deferred.extend(items.into_iter().map(|item| (index, item)));
        }
        if deferred.is_empty() {
            return;
        }
        let wanted: Vec<Wanted<'_>> = deferred
            .iter()
            .map(|(_, item)| Wanted {
                found: &item.found,
                received: item.received.map(|at| at.unix_seconds),
                flags: &item.flags,
            })
            .collect();
        let pool = &mut self.there_mut(index).pool;
        let given = pool.settle(&wanted);
        let may_be: Vec<Option<ItemId>> = wanted
            .iter()
            .zip(&given)
            .map(|(wanted, given)| match given {
                Some(_) => None,
                None => pool.may_be(wanted).map(|candidate| candidate.id.clone()),
            })
            .collect();
        drop(wanted);
        for (((index, item), given), may_be) in deferred.into_iter().zip(given).zip(may_be) {
            // Somebody has said that it is another one.
            let may_be = may_be.filter(|_| !self.folders[index].another.contains(&item.id));
            let source = AtSource::Read { flags: &item.flags, verdict: item.verdict };
            let target = match (&given, &may_be) {
                (Some(_), _) => OnTarget::Theirs,
                (None, Some(_)) => OnTarget::MayBe,
                (None, None) => OnTarget::Unknown,
            };
            let mut fact = Fact {
                source_id: item.id.clone(),
                fate: Fate::Adopted,
                size_bytes: item.found.size_bytes,
                received: item.received.map(|at| at.unix_seconds),
                exact: Some(item.found.exact),
                canonical: Some(item.found.canonical),
                source_flags: item.flags.clone(),
                target_id: None,
                target_flags: None,
                read_back: None,
            };
            match decide(&source, &InLedger::Nothing, target, self.work.setting) {
                Intent::Adopt => {
                    if let Some(candidate) = &given {
                        self.adopt(index, &mut fact, candidate);
                    }
                    self.settled(index, fact, None, item.failed_before);
                }
                Intent::Hold(_) if self.to_try(index, &item) != 0 => {
                    // What lies there may be what a repair made of it, before the ledger was lost: it is compared as that, too.
                    let to_try = self.to_try(index, &item);
                    self.look_repaired(index, &item.id, item.knew, to_try);
                }
                Intent::Hold(cause) => {
                    let row = &self.folders[index].row;
                    let what = format!(
                        "item {} of {:?} and item {} of {:?} on the target have one date and one Message-ID (or From and \
                         Date) but other bytes: they may be the same message, or not; nothing was copied",
                        item.id,
                        row.path.to_string(),
                        may_be.as_ref().map(ToString::to_string).unwrap_or_default(),
                        row.target_path.to_string()
                    );
                    let exception = exception(cause, row, Some(item.id.clone()), may_be.clone(), what.clone());
                    let (folder, source_id) = (row.folder, item.id.clone());
                    let held = HeldItem { folder, source_id, target_id: may_be, what, is_another: None };
                    self.folders[index].exceptions.push(exception);
                    self.folders[index].held.push(held);
                    let fact = Fact { fate: Fate::Held, ..fact };
                    self.settled(index, fact, None, item.failed_before);
                }
                _ => {
                    self.folders[index].not_there.insert(item.id.clone());
                    self.folders[index].read_again.push(item.id);
                }
            }
        }
    }

    fn to_try(&self, index: usize, item: &Deferred) -> u8 {
        let received = item.received.map(|at| at.unix_seconds);
        let looked = self.folders[index].looked.get(&item.id).copied().unwrap_or_default();
        self.work.travel.to_try(ItemKind::Message, &item.found, received, item.knew | looked)
    }

    /// What failed before is tried once more in the first pass of a run, unless it would fail the same way.
    fn retry_failed(&mut self, index: usize) {
        let work = &mut self.folders[index];
        let failed = self.to_retry.remove(&work.row.folder).unwrap_or_default();
        if work.unusable.is_none() && work.end.is_some() {
            // One that was read in this pass was tried.
            work.read_again.extend(failed.into_iter().filter(|id| !work.read_ids.contains(id)));
        }
    }

    /// Reads items whose bytes are wanted after all, settles those that waited for better uses of what is on the target,
    /// and reads the ones among them that have to be copied.
    async fn read_put_off(&mut self, index: usize, mut source: Box<dyn Source>) -> Result<Box<dyn Source>, Failure> {
        loop {
            let mut ids = std::mem::take(&mut self.folders[index].read_again);
            ids.sort_unstable();
            ids.dedup();
            if !ids.is_empty() {
                if self.folders[index].is_looked_at() {
                    self.look(index).await?;
                }
                let work = &mut self.folders[index];
                let path = work.row.path.clone();
                // Not before these have a fate, whatever comes behind them.
                work.cursor = None;
                let trials = std::mem::take(&mut work.trials);
                self.work.travel.try_repairs(trials);
                self.expect(Some(index));
                source = self.read(source, Task::Items(path, ids), &[]).await?;
                self.expect(None);
                self.work.travel.try_repairs(HashMap::new());
            }
            self.settle_deferred(index);
            if self.folders[index].read_again.is_empty() {
                return Ok(source);
            }
        }
    }

    /// Flags of items whose ids on the target were not known when they were to be changed.
    async fn change_flags_later(&mut self, index: usize) -> Result<(), Failure> {
        let later = std::mem::take(&mut self.folders[index].flags_later);
        if later.is_empty() || self.work.dry_run {
            return Ok(());
        }
        let row = self.folders[index].row.clone();
        let ids: Vec<ItemId> = later.iter().map(|(id, _)| id.clone()).collect();
        let known = self.work.store.items_of(self.work.key, &row, &ids).await?;
        let mut known: HashMap<ItemId, LedgerItem> =
            known.into_iter().map(|item| (item.source_id.clone(), item)).collect();
        for (id, flags) in later {
            let Some(known) = known.remove(&id) else { continue };
            let ledger = InLedger::Known { fate: known.fate, source_flags: &known.source_flags };
            let source = AtSource::Listed { flags: &flags };
            let Intent::ChangeFlags { add, take } = decide(&source, &ledger, OnTarget::Unknown, self.work.setting)
            else {
                continue;
            };
            let work = &mut self.folders[index];
            match known.target_id {
                _ if known.fate == Fate::Withdrawn => {}
                Some(target_id) => work.flag_changes.push(FlagWork {
                    source_id: id,
                    source_flags: flags,
                    target_id,
                    base: known.target_flags,
                    add,
                    take,
                }),
                None => work.flags_later.push((id, flags)),
            }
        }
        self.send_flag_changes(index).await
    }

    /// Where the target did not tell the ids of what it stored, or somebody else added items meanwhile: looks, so that
    /// the ledger knows where the folder stands.
    async fn learn_ids(&mut self, index: usize) -> Result<(), Failure> {
        let together = self.together(index);
        let lack = together.iter().any(|index| self.folders[*index].without_id > 0);
        if !(lack || self.there(index).is_unsure) || self.work.dry_run || !self.folders[index].is_looked_at() {
            return Ok(());
        }
        for index in &together {
            self.commit(*index, &[]).await?;
        }
        let path = self.folders[index].row.target_path.clone();
        let mark = self.there(index).now.unwrap_or_default();
        let state = self.target.state(&path).await.on_target()?;
        self.require_same_target(index, state.validity)?;
        let listed = self.target.since(&path, &mark).await.on_target()?;
        let known = self.work.store.target_ids(self.work.key, self.work.mailbox.mailbox, &path, state.validity).await?;
        let state = state.as_if_none_went(&mark, listed.iter().map(|(id, _)| id));
        let mut unknown: Vec<ItemId> = listed.into_iter().map(|(id, _)| id).filter(|id| !known.contains(id)).collect();
        let mut facts: Vec<(usize, Fact)> = Vec::new();
        if lack {
            let candidates = self.read_target(&path, &unknown).await?;
            let mut pool = Pool::new(candidates);
            let mut missing = Vec::new();
            let stored = self.stored_without_id(&together).await?;
            let alike = self.alike(&together, &stored, Vec::new(), &state, &pool);
            for (index, item) in stored {
                match item.exact.and_then(|exact| pool.find_digest(exact, item.received)) {
                    Some(candidate) => facts.push((index, known_as(item, candidate, &alike))),
                    None => missing.push((index, item)),
                }
            }
            unknown = pool.left().map(|candidate| candidate.id.clone()).collect();
            if !missing.is_empty() {
                self.never_learnt(index, missing, state, &mut facts).await?;
            }
        }
        let there = self.there_mut(index);
        there.is_unsure = false;
        if unknown.is_empty() {
            there.now = Some(state);
        }
        let mut by_folder: BTreeMap<usize, Vec<Fact>> = together.iter().map(|index| (*index, Vec::new())).collect();
        for (index, fact) in facts {
            by_folder.entry(index).or_default().push(fact);
        }
        let mut tx = self.work.store.write(&self.work.lease).await?;
        for (other, facts) in by_folder {
            let work = &mut self.folders[other];
            work.without_id = 0;
            tx.add_facts(&work.row, &facts).await?;
            // Of this one everything was read.
            let target =
                if other == index { Some(state) } else { self.target_folders[work.goes_to].to_record(work.row.target) };
            if let Some(target) = target.filter(|_| unknown.is_empty()) {
                tx.set_target_state(work.row.folder, &target).await?;
                work.row.target = Some(target);
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// Items that lie on the target under ids that were not told, and are not among what came last: looked for in the whole
    /// folder. What is not there was removed before anybody could learn its id.
    async fn never_learnt(
        &mut self,
        index: usize,
        missing: Vec<(usize, LedgerItem)>,
        state: FolderState,
        facts: &mut Vec<(usize, Fact)>,
    ) -> Result<(), Failure> {
        let candidates = self.unknown_items(index, &FolderState::beginning(state.validity)).await?;
        let taken: HashSet<ItemId> = facts.iter().filter_map(|(_, fact)| fact.target_id.clone()).collect();
        let mut pool = Pool::new(candidates.into_iter().filter(|candidate| !taken.contains(&candidate.id)).collect());
        let mut vanished: BTreeMap<usize, Vec<ItemId>> = BTreeMap::new();
        let alike = self.alike(&self.together(index), &missing, Vec::new(), &state, &pool);
        for (index, item) in missing {
            match item.exact.and_then(|exact| pool.find_digest(exact, item.received)) {
                Some(candidate) => facts.push((index, known_as(item, candidate, &alike))),
                None => vanished.entry(index).or_default().push(item.source_id),
            }
        }
        if vanished.is_empty() {
            return Ok(());
        }
        let mut tx = self.work.store.write(&self.work.lease).await?;
        for (index, vanished) in vanished {
            let row = &self.folders[index].row;
            if self.work.setting.in_use {
                tx.withdraw(row, &vanished).await?;
                self.report.withdrawn += vanished.len() as u64;
            } else {
                tx.forget_items(row, &vanished).await?;
                tx.forget_source_state(row.folder).await?;
                self.report.again = true;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// The ledger and the source disagree about how many items there are: the source's whole list decides.
    async fn recount(
        &mut self,
        index: usize,
        mut source: Box<dyn Source>,
    ) -> Result<(Box<dyn Source>, FolderState), Failure> {
        let path = self.folders[index].row.path.clone();
        let state = source.state(&path).await.on_source()?;
        if state.validity != self.folders[index].row.validity {
            self.report.again = true;
            return Ok((source, FolderState { count: u64::MAX, ..state }));
        }
        let listed = source.list(&path).await.on_source()?;
        let listed: HashSet<ItemId> = listed.into_iter().map(|(id, _)| id).collect();
        let is_whole = listed.len() as u64 == state.count;
        if !is_whole {
            let what = format!("the folder {:?} changed while it was being read", path.to_string());
            self.report.blocked(Cause::Unavailable, Some(Side::Source), what);
        }
        let row = self.folders[index].row.clone();
        self.commit(index, &[]).await?;
        let mut known: HashSet<ItemId> = HashSet::new();
        let mut items = self.work.store.items(self.work.key, &row);
        loop {
            let page = items.next().await?;
            if page.is_empty() {
                break;
            }
            known.extend(page.into_iter().map(|item| item.source_id));
        }
        // What a list that is not whole leaves out may be there all the same.
        let gone: HashSet<ItemId> = known.difference(&listed).filter(|_| is_whole).cloned().collect();
        self.folders[index].read_again = listed.difference(&known).cloned().collect();
        self.folders[index].is_fresh = false;
        self.drop_gone(index, gone).await?;
        source = self.read_put_off(index, source).await?;
        self.send_flag_changes(index).await?;
        self.commit(index, &[]).await?;
        self.learn_ids(index).await?;
        let end = self.folders[index].end.as_ref().map(|end| end.state).unwrap_or_default();
        Ok((source, FolderState { count: state.count, ..end }))
    }
}

/// The fact that an item lies on the target as this candidate: as ours, unless there are more alike than we put there.
pub(crate) fn known_as(item: LedgerItem, candidate: Candidate, alike: &Alike) -> Fact {
    let there = candidate.found.exact;
    Fact {
        fate: alike.fate(item.exact, item.received, item.fate),
        source_id: item.source_id,
        size_bytes: item.size_bytes,
        received: item.received,
        exact: item.exact,
        canonical: item.canonical,
        source_flags: item.source_flags,
        target_id: Some(candidate.id),
        target_flags: Some(candidate.flags),
        read_back: item.exact.is_some_and(|exact| exact != there).then_some(there),
    }
}
