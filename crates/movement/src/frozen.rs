//! A source that is being left, from the beginning of a switch on until it is undone.
//!
//! Only what is new there is followed: late mail. What its person still removes, moves or marks there counts no more, and on the
//! target they are at home. So that nothing is lost or doubled all the same:
//!
//! * **Removed at the source**: the copy stays. It gives up its fate and becomes a removal that is *kept*, by a rule of its own, so
//!   that fates still add up and the ledger knows the copy. The same becomes of removals that were still to be made.
//! * **Moved at the source**: no second copy. The copy is *kept* so where it lies, with the place where the source has its item now,
//!   which there counts as *withdrawn*. A move is proved by bytes and date, and by asking the source whether the item that was
//!   known is gone, whatever order folders are read in.
//! * **How the target stood** when that began is written down first, folder by folder: what is carried back is what came since.
//!
//! When the source rules again (the switch was reversed or undone) the first complete pass *thaws*: what was kept is held for a
//! person's word; what was moved is read again, and moved on the target as any other move; flags are compared item by item.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use connector::{FlagChange, Folder, Known, Source};
use model::{Cause, Digest, Fate, Flags, FolderPath, FolderState, ItemId};
use store::{Fact, FolderRow, Freeze, HeldRemoval, LedgerItem, RemovalState};

use crate::departed::{DepartedItem, Place};
use crate::failure::{Failure, OnSide};
use crate::follow::rule;
use crate::matching::Candidate;
use crate::pass::{Deferred, Pass};
use crate::reading::{Examined, Task};
use crate::there::stands_lower;

impl Pass<'_> {
    /// How the target stands when its source begins to be left.
    pub(crate) async fn freeze(&mut self, there: &BTreeMap<FolderPath, Folder>) -> Result<(), Failure> {
        if !self.work.setting.is_frozen || self.work.dry_run {
            return Ok(());
        }
        if self.work.mailbox.freeze == Freeze::Frozen {
            self.freeze_marks = self.work.store.freeze_marks(self.work.key, self.work.mailbox.mailbox).await?;
            return Ok(());
        }
        let mut marks: Vec<(FolderPath, FolderState)> = Vec::new();
        for folder in there.values().filter(|folder| folder.holds_items) {
            let state = match folder.state {
                Some(state) => Ok(state),
                None => self.target.state(&folder.path).await,
            };
            match state {
                Ok(state) => marks.push((folder.path.clone(), state)),
                // Nothing lies in a name without a folder.
                Err(error) if error.cause == Cause::Missing => {}
                Err(error) => return Err(error).on_target(),
            }
        }
        let mut tx = self.work.store.write_for_good(&self.work.lease).await?;
        tx.set_freeze_marks(&marks).await?;
        tx.set_freeze(Freeze::Frozen).await?;
        tx.commit().await?;
        self.freeze_marks = marks.into_iter().collect();
        Ok(())
    }

    /// Another copy than the ledger knew, of the same item: bases of its flags are those of the one before, where that is known.
    pub(crate) fn adopt_frozen(&mut self, index: usize, fact: &mut Fact, candidate: &Candidate) {
        if !self.came_since_freeze(index, candidate, fact) {
            return;
        }
        // The same came to both sides, or was moved on both: from an undo on it follows the source like what is carried back.
        fact.fate = Fate::Copied;
        let from = fact.exact.and_then(|exact| self.departed.take_same(exact, fact.received));
        if let Some(from) = from {
            (fact.source_flags, fact.target_flags) = (from.source_flags, Some(from.target_flags));
        }
    }

    /// Came this copy to the target, as it is, since its source began to be left?
    fn came_since_freeze(&self, index: usize, candidate: &Candidate, fact: &Fact) -> bool {
        let is_same = (Some(candidate.found.exact), candidate.received) == (fact.exact, fact.received);
        let row = &self.folders[index].row;
        let validity = self.there(index).now.or(row.target).map_or(0, |state| state.validity);
        let mark = self.freeze_marks.get(&row.target_path).filter(|mark| validity == 0 || mark.validity == validity);
        let is_after = |mark: &FolderState| candidate.id.as_u32().is_none_or(|id| u64::from(id) >= mark.next);
        is_same && mark.is_none_or(is_after)
    }

    /// Removals that were to be made, or waited for a word, when the source began to be left: what they are about stays.
    pub(crate) async fn keep_what_was_to_go(&mut self) -> Result<(), Failure> {
        if !self.work.setting.is_frozen {
            return Ok(());
        }
        let is_marked = |held: &HeldRemoval| held.state.is_begun() || held.rule == rule::CANNOT_REMOVE;
        let is_to_go = |held: &HeldRemoval| held.state != RemovalState::Kept || is_marked(held);
        let to_go: Vec<HeldRemoval> = self.removals.values().filter(|held| is_to_go(held)).cloned().collect();
        if to_go.is_empty() {
            return Ok(());
        }
        for held in to_go.iter().filter(|held| is_marked(held)) {
            self.unmark(held).await?;
        }
        let mut tx = self.work.store.write(&self.work.lease).await?;
        for held in &to_go {
            // What is to stay, as somebody has said, stays for that.
            let rule = if held.state == RemovalState::Kept { rule::REMOVED_AT_SOURCE } else { rule::FROZEN };
            let ids = std::slice::from_ref(&held.source_id);
            tx.set_removals(held.folder, ids, RemovalState::Kept, rule).await?;
            if let Some(known) = self.removals.get_mut(&(held.folder, held.source_id.clone())) {
                (known.state, known.rule) = (RemovalState::Kept, rule.to_owned());
            }
        }
        tx.commit().await?;
        self.report.left += to_go.len() as u64;
        Ok(())
    }

    /// Takes the mark of our own removal off what stays: the next client that expunges would take it along.
    async fn unmark(&mut self, held: &HeldRemoval) -> Result<(), Failure> {
        let known = self.row(held.folder).and_then(|row| Some((row.target_path.clone(), row.target?)));
        let (Some((path, known)), Some(id)) = (known, held.target_id.clone()) else { return Ok(()) };
        let Ok(state) = self.target.state(&path).await else { return Ok(()) };
        if state.validity != known.validity || stands_lower(&known, &state) {
            return Ok(());
        }
        let folder = Known::at(&path, &known);
        let deleted = Flags::NONE.with(model::SystemFlag::Deleted).without(&held.target_flags);
        let now = self.target.flags(folder, std::slice::from_ref(&id)).await.on_target()?.pop().flatten();
        let take = now.map_or(Flags::NONE, |now| deleted.intersection(&now));
        if !take.is_empty() {
            let change = FlagChange { id, add: Flags::NONE, take };
            self.target.change_flags(folder, &[change]).await.on_target()?;
        }
        Ok(())
    }

    /// Items that the source has no more at their place: their copies stay.
    pub(crate) async fn keep_copies(&mut self, row: &FolderRow, items: Vec<LedgerItem>) -> Result<(), Failure> {
        if items.is_empty() || self.work.dry_run {
            return Ok(());
        }
        self.report.left += items.len() as u64;
        let ids: Vec<ItemId> = items.iter().map(|item| item.source_id.clone()).collect();
        let mut tx = self.work.store.write(&self.work.lease).await?;
        tx.part_with(row, &ids, RemovalState::Kept, rule::FROZEN).await?;
        tx.commit().await?;
        for item in items {
            self.depart(row, item, Place::Removal, true);
        }
        Ok(())
    }

    /// Items that the source has no more at their place and whose copies their person has removed or moved on the target: they may
    /// turn up elsewhere, and are known until then.
    pub(crate) fn depart_withdrawn(&mut self, index: usize, items: Vec<LedgerItem>) {
        let row = self.folders[index].row.clone();
        self.report.gone += items.len() as u64;
        for item in items {
            self.folders[index].gone_later.push(item.source_id.clone());
            self.depart(&row, item, Place::Withdrawn, true);
        }
    }

    /// What the ledger has of the bytes of new items: they may have moved, whatever was read of the folder they come from.
    pub(crate) async fn know_twins(
        &mut self,
        items: &[Examined],
        known: &HashMap<ItemId, LedgerItem>,
    ) -> Result<(), Failure> {
        self.twins.clear();
        if !self.work.setting.is_frozen || self.departed.is_over || self.work.dry_run {
            return Ok(());
        }
        let new = items.iter().filter(|examined| !known.contains_key(&examined.item.id));
        let digests: Vec<Digest> = new.map(|examined| examined.found.exact).collect();
        let (key, mailbox) = (self.work.key, self.work.mailbox.mailbox);
        for (folder, id, exact) in self.work.store.items_like(key, mailbox, &digests).await? {
            self.twins.entry(exact).or_default().push((folder, id));
        }
        Ok(())
    }

    /// New items of a folder that may have moved there: those that did leave their copies where they are. The others are read again,
    /// to be copied.
    pub(crate) async fn leave_where_it_lies(
        &mut self,
        index: usize,
        arrived: Vec<Deferred>,
        source: &mut dyn Source,
    ) -> Result<(), Failure> {
        let (mut moved, mut others) = (Vec::new(), Vec::new());
        for item in arrived {
            match self.departed.take(&item, |_| true) {
                Some(from) => moved.push((item, from)),
                None => others.push(item),
            }
        }
        if !others.is_empty() {
            self.find_moved_meanwhile(others, source, &mut moved, index).await?;
        }
        self.record_left(index, moved).await
    }

    /// Of items that are new here, those whose twins elsewhere are gone from there by now.
    async fn find_moved_meanwhile(
        &mut self,
        items: Vec<Deferred>,
        source: &mut dyn Source,
        moved: &mut Vec<(Deferred, DepartedItem)>,
        index: usize,
    ) -> Result<(), Failure> {
        let (key, mailbox) = (self.work.key, self.work.mailbox.mailbox);
        let digests: Vec<Digest> = items.iter().map(|item| item.found.exact).collect();
        let mut twins: HashMap<Digest, Vec<(i64, ItemId)>> = HashMap::new();
        for (folder, id, exact) in self.work.store.items_like(key, mailbox, &digests).await? {
            twins.entry(exact).or_default().push((folder, id));
        }
        let mut listed: HashMap<i64, HashSet<ItemId>> = HashMap::new();
        for item in items {
            let received = item.received.map(|at| at.unix_seconds);
            let mut from = None;
            for (folder, id) in twins.get(&item.found.exact).cloned().unwrap_or_default() {
                let Some(row) = self.rows().find(|row| row.folder == folder && !row.is_gone()).cloned() else {
                    continue;
                };
                let there = match listed.entry(folder) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(unknown) => unknown.insert(still_there(source, &row).await?),
                };
                if there.contains(&id) {
                    continue;
                }
                let known = self.work.store.items_of(key, &row, std::slice::from_ref(&id)).await?.pop();
                if let Some(known) = known.filter(|known| known.received == received) {
                    from = Some((row, known));
                    break;
                }
            }
            match from {
                Some((row, known)) if known.fate == Fate::Withdrawn => {
                    self.depart(&row, known, Place::Withdrawn, true);
                    moved.extend(self.departed.take(&item, |_| true).map(|from| (item, from)));
                }
                Some((row, known)) => {
                    self.keep_copies(&row, vec![known]).await?;
                    match self.departed.take(&item, |_| true) {
                        Some(from) => moved.push((item, from)),
                        None => self.folders[index].read_again.push(item.id),
                    }
                }
                None => self.folders[index].read_again.push(item.id),
            }
        }
        Ok(())
    }

    /// Items that the source has moved here: the ledger knows it, and nothing on the target changes.
    async fn record_left(&mut self, index: usize, moved: Vec<(Deferred, DepartedItem)>) -> Result<(), Failure> {
        if moved.is_empty() {
            return Ok(());
        }
        let row = self.folders[index].row.clone();
        let mut tx = self.work.store.write(&self.work.lease).await?;
        for (item, from) in &moved {
            let came_from = self.rows().find(|row| row.folder == from.folder).cloned();
            // Put back, or into another folder that goes to the same place: its copy lies where it should.
            let is_withdrawn = from.place == Place::Withdrawn;
            let is_at_home = came_from.as_ref().filter(|_| !is_withdrawn).is_some_and(|came_from| {
                came_from.target_path == row.target_path
                    && came_from.target.zip(row.target).is_some_and(|(its, here)| its.validity == here.validity)
            });
            let fact = Fact {
                source_id: item.id.clone(),
                fate: if is_at_home { from.fate } else { Fate::Withdrawn },
                size_bytes: item.found.size_bytes,
                received: item.received.map(|at| at.unix_seconds),
                exact: Some(item.found.exact),
                canonical: Some(item.found.canonical),
                source_flags: from.source_flags.clone(),
                target_id: is_at_home.then(|| from.target_id.clone()),
                target_flags: Some(from.target_flags.clone()),
                read_back: from.read_back,
            };
            let ids = std::slice::from_ref(&from.source_id);
            if let (Place::Item, Some(came_from)) = (from.place, &came_from) {
                tx.part_with(came_from, ids, RemovalState::Kept, rule::FROZEN).await?;
            }
            if let (Place::Withdrawn, Some(came_from)) = (from.place, &came_from) {
                tx.forget_items(came_from, ids).await?;
            } else if is_at_home {
                tx.drop_removals(from.folder, ids).await?;
            } else {
                tx.set_moved_to(from.folder, &from.source_id, (row.folder, &item.id)).await?;
            }
            tx.add_facts(&row, std::slice::from_ref(&fact)).await?;
            if item.failed_before {
                tx.clear_failures(row.folder, std::slice::from_ref(&item.id)).await?;
            }
        }
        tx.commit().await?;
        self.report.left += moved.len() as u64;
        self.folders[index].is_fresh = false;
        Ok(())
    }

    /// The source rules again. What it lost meanwhile waits for a word; what it moved is read again as if it were new, and what
    /// was kept of it is known to have gone from its place.
    pub(crate) async fn thaw(&mut self) -> Result<(), Failure> {
        if !self.thaws {
            return Ok(());
        }
        // A target that can't move would get a second copy where the source has it now: there it stays where it lies.
        let moves = self.target.offers().moves;
        let may_thaw = |held: &HeldRemoval| held.rule == rule::FROZEN && (moves || held.moved_to.is_none());
        // Those held by a pass that was stopped before it was over, too: what was moved is to be read first still.
        let is_kept =
            |held: &&HeldRemoval| may_thaw(held) && (held.state == RemovalState::Kept || held.moved_to.is_some());
        let kept: Vec<HeldRemoval> = self.removals.values().filter(is_kept).cloned().collect();
        if kept.is_empty() {
            return Ok(());
        }
        let key = self.work.key;
        let mut by_folder: BTreeMap<usize, Vec<ItemId>> = BTreeMap::new();
        for (folder, id) in kept.iter().filter_map(|held| held.moved_to.clone()) {
            let Some(index) = self.folders.iter().position(|work| work.row.folder == folder) else { continue };
            let known = self.work.store.items_of(key, &self.folders[index].row, std::slice::from_ref(&id)).await?;
            if known.iter().all(|known| known.fate == Fate::Withdrawn) {
                by_folder.entry(index).or_default().push(id);
            }
        }
        let mut tx = self.work.store.write(&self.work.lease).await?;
        for held in kept.iter().filter(|held| held.state == RemovalState::Kept) {
            tx.hold_what_was_kept(held.folder, &held.source_id).await?;
        }
        for (index, ids) in &by_folder {
            let row = &mut self.folders[*index].row;
            tx.forget_items(row, ids).await?;
            tx.forget_source_state(row.folder).await?;
            row.source = None;
        }
        tx.commit().await?;
        for held in kept.into_iter().filter(|held| held.state == RemovalState::Kept) {
            self.report.held_removals += 1;
            if let Some(known) = self.removals.get_mut(&(held.folder, held.source_id)) {
                known.state = RemovalState::Held;
            }
        }
        self.thawed = by_folder.into_iter().collect();
        Ok(())
    }

    /// Reads what the source had moved while it was left, before moves are made.
    pub(crate) async fn read_thawed(&mut self, mut source: Box<dyn Source>) -> Result<Box<dyn Source>, Failure> {
        for (index, ids) in std::mem::take(&mut self.thawed) {
            let path = self.folders[index].row.path.clone();
            self.expect(Some(index));
            source = self.read(source, Task::Items(path, ids), &[]).await?;
            self.expect(None);
        }
        Ok(source)
    }

    /// Flags that changed at the source while it was left: nobody tells of them a second time, so all are compared.
    pub(crate) async fn follow_flags_again(&mut self, index: usize, source: &mut dyn Source) -> Result<(), Failure> {
        let row = self.folders[index].row.clone();
        if !self.thaws || self.folders[index].is_fresh || self.folders[index].end.is_none() {
            return Ok(());
        }
        let state = source.state(&row.path).await.on_source()?;
        let listed = source.list(&row.path).await.on_source()?;
        if state.validity != row.validity {
            self.report.again = true;
            return Ok(());
        }
        self.take_flags(index, listed).await?;
        self.folders[index].seen.clear();
        Ok(())
    }
}

/// The items of a folder of the source that are there now. Of one that can't be asked nothing is known to be gone.
async fn still_there(source: &mut dyn Source, row: &FolderRow) -> Result<HashSet<ItemId>, Failure> {
    let state = match source.state(&row.path).await {
        Ok(state) => state,
        Err(error) if error.cause == Cause::Missing => return Ok(HashSet::new()),
        Err(error) => return Err(error).on_source(),
    };
    let listed = source.list(&row.path).await.on_source()?;
    if state.validity != row.validity || listed.len() as u64 != state.count {
        let what = "a folder changed while it was asked what it holds";
        let error = connector::Error::new(Cause::Unavailable, model::Scope::Mailbox, what);
        return Err(error.retry(connector::Retry::Now)).on_source();
    }
    Ok(listed.into_iter().map(|(id, _)| id).collect())
}
