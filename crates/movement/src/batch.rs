//! Batches: sending items, and learning what became of them.
//!
//! The order is always the same. The batch's intent goes to the ledger while its bytes go to the target; the command is
//! ended only when the intent is durable; the facts follow when the answer has come. An answer that is a refusal or no
//! answer at all is not believed: what appeared on the target is looked at, and only then is anything sent again.

use std::collections::HashMap;

use connector::{Batch, BatchItem, Error, ItemOutcome, Outcome, Removal, ready};
use model::{Cause, Fate, FolderState, ItemId, Scope, Side};
use store::{Fact, IntentItem};

use crate::failure::{Failure, OnSide};
use crate::matching::{Candidate, Pool, Wanted};
use crate::pass::{Flight, Pass, Planned, exception};
use crate::reading::{Arrival, next};
use crate::traits;

impl Pass<'_> {
    /// Sends what is planned for a folder.
    pub(crate) async fn send(&mut self, index: usize) -> Result<(), Failure> {
        loop {
            let items = self.take_batch(index);
            if items.is_empty() {
                return Ok(());
            }
            let to_prove = self.to_prove(&items);
            if to_prove == 0 {
                while self.flights.len() >= self.target.batches_in_flight_max().max(1) {
                    self.settle_one().await?;
                }
                return self.submit(index, items, 0).await;
            }
            // Of a trait that targets change one item shows it: the others wait, so that no more of them are changed.
            let (items, waiting) = one_of_each_trait(items, to_prove);
            let work = &mut self.folders[index];
            work.batch_bytes = waiting.iter().map(|planned| planned.found.size_bytes).sum();
            work.batch = waiting;
            // To read it back nothing else may be on its way.
            self.drain().await?;
            self.submit(index, items, to_prove).await?;
            self.drain().await?;
        }
    }

    /// What is planned for a folder, without what the target was seen to change since.
    fn take_batch(&mut self, index: usize) -> Vec<Planned> {
        let items = std::mem::take(&mut self.folders[index].batch);
        self.folders[index].batch_bytes = 0;
        let not_kept = self.not_kept;
        let (changed, items) = items.into_iter().partition(|planned| planned.is & not_kept != 0);
        let changed: Vec<Planned> = changed;
        for planned in changed {
            self.fail_changed(index, &planned, planned.is & not_kept, true);
        }
        items
    }

    /// Traits of these items that the target has not been seen to keep.
    fn to_prove(&self, items: &[Planned]) -> u8 {
        items.iter().fold(0, |all, item| all | item.is) & !(self.kept & !traits::EACH_ITS_OWN)
    }

    /// Sends what is planned for every folder, and waits for all outcomes.
    pub(crate) async fn send_all(&mut self) -> Result<(), Failure> {
        for index in 0..self.folders.len() {
            self.send(index).await?;
        }
        self.drain().await
    }

    /// Waits for the outcomes of all batches on their way.
    pub(crate) async fn drain(&mut self) -> Result<(), Failure> {
        while !self.flights.is_empty() {
            self.settle_one().await?;
        }
        Ok(())
    }

    /// Where the target folder stood before the oldest batch that is on its way to it.
    pub(crate) fn mark(&self, index: usize) -> FolderState {
        self.there(index).now.unwrap_or_default()
    }

    async fn submit(&mut self, index: usize, items: Vec<Planned>, to_prove: u8) -> Result<(), Failure> {
        self.write_treatments(index).await?;
        let number = self.next_number;
        self.next_number += 1;
        let row = &self.folders[index].row;
        let intents: Vec<IntentItem> = items
            .iter()
            .map(|item| IntentItem {
                source_id: item.id.clone(),
                exact: item.found.exact,
                canonical: item.found.canonical,
                size_bytes: item.found.size_bytes,
                received: item.received_seconds(),
                flags: item.flags.clone(),
                hint: item.found.hint,
            })
            .collect();
        let (signal, ready) = ready();
        let batch = Batch {
            folder: row.target_path.clone(),
            items: items
                .iter()
                .map(|item| BatchItem {
                    kind: item.kind,
                    flags: item.flags.clone(),
                    received: item.received,
                    body: item.body.clone(),
                })
                .collect(),
            ready,
        };
        let (store, lease, folder, mark) = (&self.work.store, &self.work.lease, row.folder, self.mark(index));
        let record = async {
            let mut tx = store.write(lease).await?;
            tx.open_intent(number, folder, &mark, &intents).await?;
            tx.commit().await?;
            // Nobody is waiting any more only when the sending has failed; the intent then is found open.
            let _ = signal.send(());
            Ok::<(), Failure>(())
        };
        let (recorded, submitted) = tokio::join!(record, self.target.submit(batch));
        recorded?;
        submitted.on_target()?;
        self.folders[index].flights += 1;
        self.flights.push_back(Flight { folder: index, number, items, to_prove });
        Ok(())
    }

    /// Learns the outcome of the oldest batch on its way, and records it.
    pub(crate) async fn settle_one(&mut self) -> Result<(), Failure> {
        let Some(flight) = self.flights.pop_front() else { return Ok(()) };
        let outcome = self.target.outcome().await.on_target()?;
        if let Some(error) = doubt(&outcome) {
            return Err(Failure { side: Some(Side::Target), error });
        }
        if refusal(&outcome).is_none() {
            return self.stored(flight, outcome).await;
        }
        // The others on their way first: nothing else may be asked of the target before. The cursor stays before what was
        // refused until that has a fate.
        let mut refused = vec![(flight, outcome)];
        while let Some(mut flight) = self.flights.pop_front() {
            if refused.iter().any(|(earlier, _)| earlier.folder == flight.folder) {
                flight.items.iter_mut().for_each(|item| item.then = None);
            }
            let outcome = self.target.outcome().await.on_target()?;
            if let Some(error) = doubt(&outcome) {
                return Err(Failure { side: Some(Side::Target), error });
            }
            if refusal(&outcome).is_some() {
                refused.push((flight, outcome));
            } else {
                self.stored(flight, outcome).await?;
            }
        }
        for (flight, outcome) in refused {
            self.refused(flight, outcome).await?;
        }
        Ok(())
    }

    /// Every item of a batch is on the target.
    async fn stored(&mut self, flight: Flight, outcome: Outcome) -> Result<(), Failure> {
        if let Some(validity) = outcome.validity {
            self.require_same_target(flight.folder, validity)?;
        }
        let ids: Vec<Option<ItemId>> = outcome
            .items
            .into_iter()
            .map(|item| match item {
                ItemOutcome::Stored(id) => id,
                ItemOutcome::Refused(_) | ItemOutcome::InDoubt(_) => None,
            })
            .collect();
        let index = flight.folder;
        self.folders[index].flights -= 1;
        let altered = self.take_stored(&flight, outcome.validity, ids).await?;
        let then = flight.items.iter().rev().find_map(|item| item.then.clone());
        let work = &mut self.folders[index];
        if !work.is_put_off() && then.is_some() {
            work.cursor = then;
        }
        self.commit(index, &[flight.number]).await?;
        self.refuse_altered(index, altered.as_ref())?;
        self.finish_if_simple(index).await
    }

    /// A target that changes a plain item gets no more.
    fn refuse_altered(&self, index: usize, altered: Option<&ItemId>) -> Result<(), Failure> {
        let Some(id) = altered else { return Ok(()) };
        let row = &self.folders[index].row;
        let what = format!(
            "the target gives back other bytes or another date than it was given: item {id} of {:?} was read back from {:?} and \
             was not as sent",
            row.path.to_string(),
            row.target_path.to_string()
        );
        let error = Error::new(Cause::Altered, Scope::Mailbox, what);
        Err(Failure { side: Some(Side::Target), error })
    }

    fn copied(&mut self, index: usize, planned: &Planned, id: Option<ItemId>) {
        let work = &mut self.folders[index];
        self.report.copied += 1;
        self.report.bytes += planned.found.size_bytes;
        work.without_id += u64::from(id.is_none());
        work.fates += u64::from(!planned.failed_before);
        if planned.failed_before {
            work.cleared.push(planned.id.clone());
        }
        work.facts.push(copied_fact(planned, id));
    }

    /// Writes what is pending for a folder, and closes these batches.
    pub(crate) async fn commit(&mut self, index: usize, close: &[i64]) -> Result<(), Failure> {
        let work = &mut self.folders[index];
        // A cursor says that everything before it is dealt with: flags, removals and items put off as well.
        let is_clear = work.deferred.is_empty()
            && work.arrived.is_empty()
            && work.flag_changes.is_empty()
            && work.flags_later.is_empty()
            && work.gone.is_empty()
            && work.gone_later.is_empty()
            && work.seen.is_empty()
            && work.read_again.is_empty();
        let cursor = work.cursor.take().filter(|_| is_clear);
        let (facts, failures) = (std::mem::take(&mut work.facts), std::mem::take(&mut work.failures));
        let (cleared, exceptions) = (std::mem::take(&mut work.cleared), std::mem::take(&mut work.exceptions));
        let held = std::mem::take(&mut work.held);
        let (treatments, untreated) = (std::mem::take(&mut work.treatments), std::mem::take(&mut work.untreated));
        let is_empty = facts.is_empty() && failures.is_empty() && exceptions.is_empty() && close.is_empty();
        let is_empty = is_empty && treatments.is_empty() && untreated.is_empty();
        if (is_empty && cursor.is_none()) || self.work.dry_run {
            return Ok(());
        }
        let mut tx = self.work.store.write(&self.work.lease).await?;
        tx.drop_treatments(work.row.folder, &untreated).await?;
        tx.add_treatments(work.row.folder, &treatments).await?;
        tx.add_facts(&work.row, &facts).await?;
        tx.clear_failures(work.row.folder, &cleared).await?;
        tx.drop_removals(work.row.folder, &std::mem::take(&mut work.taken_back)).await?;
        tx.add_failures(work.row.folder, &failures).await?;
        tx.hold_items(work.row.folder, &held).await?;
        let answered = facts.iter().filter(|fact| work.another.contains(&fact.source_id));
        let answered: Vec<ItemId> = answered.map(|fact| fact.source_id.clone()).collect();
        tx.release_items(work.row.folder, &answered).await?;
        for exception in &exceptions {
            tx.add_exception(exception).await?;
        }
        if (self.kept, self.not_kept) != self.recorded_proved {
            tx.set_bytes_proved(self.kept, self.not_kept).await?;
            self.recorded_proved = (self.kept, self.not_kept);
        }
        if let Some(cursor) = &cursor {
            tx.set_cursor(work.row.folder, &cursor.0).await?;
            work.row.cursor = Some(cursor.0.clone());
        }
        if let Some(target) = self.target_folders[work.goes_to].to_record(work.row.target) {
            tx.set_target_state(work.row.folder, &target).await?;
            work.row.target = Some(target);
        }
        for number in close {
            tx.close_intent(self.work.lease.fence, *number).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// A batch, or items of it, were refused: look, keep what arrived, and send the rest in halves until each culprit is
    /// alone.
    async fn refused(&mut self, flight: Flight, outcome: Outcome) -> Result<(), Failure> {
        let index = flight.folder;
        if let Some(validity) = outcome.validity {
            self.require_same_target(index, validity)?;
        }
        self.folders[index].flights -= 1;
        let (mut stored, mut refused) = (Vec::new(), Vec::new());
        let mut error = None;
        for (planned, item) in flight.items.into_iter().zip(outcome.items) {
            match item {
                ItemOutcome::Stored(id) => stored.push((planned, id)),
                ItemOutcome::Refused(refusal) | ItemOutcome::InDoubt(refusal) => {
                    refused.push((planned, refusal.clone()));
                    error.get_or_insert(refusal);
                }
            }
        }
        let Some(error) = error else { return Ok(()) };
        let one_by_one = !stored.is_empty() || !self.target.offers().batches_whole;
        let (items, ids): (Vec<Planned>, Vec<Option<ItemId>>) = stored.into_iter().unzip();
        let stored = Flight { items, ..flight };
        let altered = self.take_stored(&stored, outcome.validity, ids).await?;
        let rest = self.look_for_refused(index, refused).await?;
        if stops_all(&error) {
            return self.give_up(index, stored.number, error).await;
        }
        if one_by_one {
            // Each item had its own answer.
            for (planned, refusal) in rest {
                self.fail_or_repair(index, &planned, &refusal);
            }
            self.commit(index, &[stored.number]).await?;
            self.refuse_altered(index, altered.as_ref())?;
            return self.finish_if_simple(index).await;
        }
        self.commit(index, &[stored.number]).await?;
        let mut parts = halve(rest);
        while let Some(part) = parts.pop() {
            let kept = part.clone();
            let to_prove = self.to_prove(&part);
            self.submit(index, part, to_prove).await?;
            let Some(flight) = self.flights.pop_front() else { continue };
            let outcome = self.target.outcome().await.on_target()?;
            if let Some(error) = doubt(&outcome) {
                return Err(Failure { side: Some(Side::Target), error });
            }
            let Some(error) = refusal(&outcome) else {
                self.stored(flight, outcome).await?;
                continue;
            };
            self.folders[index].flights -= 1;
            let refused = kept.into_iter().map(|planned| (planned, error.clone())).collect();
            let rest = self.look_for_refused(index, refused).await?;
            if stops_all(&error) {
                return self.give_up(index, flight.number, error).await;
            }
            if let [(planned, error)] = rest.as_slice() {
                self.fail_or_repair(index, planned, error);
                self.commit(index, &[flight.number]).await?;
            } else {
                self.commit(index, &[flight.number]).await?;
                parts.extend(halve(rest));
            }
        }
        self.finish_if_simple(index).await
    }

    /// Nothing more can be sent to this mailbox now: what was sent is recorded, the rest has no fate yet.
    async fn give_up(&mut self, index: usize, number: i64, error: Error) -> Result<(), Failure> {
        self.commit(index, &[number]).await?;
        let error = if error.ends_session() { error } else { error.reaching(Scope::Mailbox) };
        Err(Failure { side: Some(Side::Target), error })
    }

    /// Looks whether refused items are on the target all the same. Those that are not come back.
    async fn look_for_refused(
        &mut self,
        index: usize,
        refused: Vec<(Planned, Error)>,
    ) -> Result<Vec<(Planned, Error)>, Failure> {
        let path = self.folders[index].row.target_path.clone();
        let before = self.mark(index);
        let state = match self.target.state(&path).await {
            Ok(state) => state,
            // Without the folder there is nothing in it.
            Err(error) if error.cause == Cause::Missing => return Ok(refused),
            Err(error) => return Err(error).on_target(),
        };
        if state.has_same_items(&before) {
            return Ok(refused);
        }
        let mut pool = Pool::new(self.unknown_items(index, &before).await?);
        let may_be: Vec<_> =
            refused.iter().map(|(planned, _)| (planned.found.exact, planned.received_seconds())).collect();
        let alike = self.match_stored_without_id(index, &state, may_be, &mut pool).await?;
        let mut rest = Vec::new();
        for (planned, error) in refused {
            match pool.find_same(&wanted(&planned)) {
                Some(candidate) => {
                    self.copied(index, &planned, Some(candidate.id));
                    // It may as well be its person's own, put there at the same time.
                    if let Some(fact) = self.folders[index].facts.last_mut() {
                        fact.fate = alike.fate(fact.exact, fact.received, fact.fate);
                    }
                }
                None => rest.push((planned, error)),
            }
        }
        Ok(rest)
    }

    /// Takes what is on the target for copied, unless it is read back and is seen to be changed. Returns a plain item that was.
    async fn take_stored(
        &mut self,
        flight: &Flight,
        validity: Option<u64>,
        ids: Vec<Option<ItemId>>,
    ) -> Result<Option<ItemId>, Failure> {
        let index = flight.folder;
        let is_to_prove = flight.to_prove != 0 && !flight.items.is_empty();
        let changed = if is_to_prove { self.changed_items(flight, &ids).await? } else { HashMap::new() };
        let there = self.there_mut(index);
        there.added(validity, &ids);
        there.is_unsure |= !changed.is_empty();
        let (mut items, mut bytes, mut altered) = (0, 0, None);
        for (planned, id) in flight.items.iter().zip(ids) {
            if let Some(changed) = changed.get(&planned.id) {
                self.fail_changed(index, planned, changed.traits, changed.is_removed);
                altered = altered.or_else(|| (changed.traits & traits::PLAIN != 0).then(|| planned.id.clone()));
                continue;
            }
            if planned.knew & !self.not_kept != 0 {
                // Refused as it was, and stored repaired.
                self.learn(planned.knew);
            }
            items += 1;
            bytes += planned.found.size_bytes;
            self.copied(index, planned, id);
        }
        self.work.progress.add(self.work.mailbox.mailbox, items, bytes, 0);
        Ok(altered)
    }

    /// An item was refused: it fails, unless the policy may have it repaired and tried again.
    fn fail_or_repair(&mut self, index: usize, planned: &Planned, error: &Error) {
        self.give_room(planned.found.size_bytes);
        let (kind, received) = (planned.kind, planned.received_seconds());
        let to_try = self.work.travel.to_try(kind, &planned.found, received, planned.knew);
        if error.cause == Cause::Refused && to_try != 0 {
            self.read_repaired(index, &planned.id, planned.knew | to_try);
        } else {
            self.fail_planned(index, planned, error);
        }
    }

    /// An item is read again and repaired, as if the target were known to change or refuse this.
    pub(crate) fn read_repaired(&mut self, index: usize, id: &ItemId, traits: u8) {
        let work = &mut self.folders[index];
        work.trials.insert(id.clone(), traits);
        work.read_again.push(id.clone());
    }

    /// The same, only to see whether it lies on the target as that.
    pub(crate) fn look_repaired(&mut self, index: usize, id: &ItemId, knew: u8, traits: u8) {
        self.folders[index].looking.insert(id.clone(), traits);
        self.read_repaired(index, id, knew | traits);
    }

    /// It does not, when it is repaired for this: it is read again as it is.
    pub(crate) fn looked_repaired(&mut self, index: usize, id: ItemId, traits: u8) {
        let work = &mut self.folders[index];
        *work.looked.entry(id.clone()).or_default() |= traits;
        work.read_again.push(id);
    }

    fn fail_planned(&mut self, index: usize, planned: &Planned, error: &Error) {
        let row = &self.folders[index].row;
        let (from, to) = (row.path.to_string(), row.target_path.to_string());
        let what = format!("cannot copy item {} of {from:?} to {to:?}: {}", planned.id, error.what);
        let fact = failed_fact(planned);
        let cause = match error.cause {
            Cause::Refused if planned.is & (traits::DATE_OUT_OF_RANGE | traits::DATE_ZERO) != 0 => {
                Cause::DateOutOfRange
            }
            Cause::Refused if planned.found.broken_header => Cause::BrokenHeader,
            Cause::InDoubt => Cause::Refused,
            other => other,
        };
        self.fail(index, fact, cause, what, error.server.clone(), None);
    }

    /// The first batch of a mailbox is read back, and so is an item of each trait that a target may change: a target that changes
    /// bytes is found before much is there, and before anything of it counts as copied. Returns the items that were changed;
    /// their copies are taken away again where that can be done without touching anything else.
    async fn changed_items(
        &mut self,
        flight: &Flight,
        ids: &[Option<ItemId>],
    ) -> Result<HashMap<ItemId, Changed>, Failure> {
        let (index, path) = (flight.folder, self.folders[flight.folder].row.target_path.clone());
        let is_to_prove = |planned: &Planned| planned.is & flight.to_prove != 0;
        let sent = || flight.items.iter().zip(ids).filter(|(planned, _)| is_to_prove(planned));
        let mut there: Vec<ItemId> = sent().filter_map(|(_, id)| id.clone()).collect();
        if there.len() < sent().count() {
            let listed = self.target.since(&path, &self.mark(index)).await.on_target()?;
            there = listed.into_iter().map(|(id, _)| id).collect();
        }
        let read = self.read_target(&path, &there).await?;
        let by_id: HashMap<&ItemId, &Candidate> = read.iter().map(|candidate| (&candidate.id, candidate)).collect();
        let mut pool = Pool::new(read.clone());
        let mut changed: Vec<(&Planned, &Option<ItemId>, u8)> = Vec::new();
        for (planned, id) in sent() {
            let traits = match id.as_ref().map(|id| by_id.get(id)) {
                Some(Some(candidate)) => {
                    let bytes = candidate.found.exact != planned.found.exact;
                    traits::changed(planned.is, bytes, candidate.received != planned.received_seconds())
                }
                // Its person or a filter took it away since: that shows nothing.
                Some(None) => continue,
                None if pool.find_same(&wanted(planned)).is_some() => 0,
                None => planned.is,
            };
            if traits == 0 {
                self.kept |= planned.is & !traits::EACH_ITS_OWN;
            } else {
                changed.push((planned, id, traits));
            }
        }
        let not_kept = changed.iter().fold(0, |all, (_, _, traits)| all | traits);
        self.kept &= !not_kept;
        self.learn(not_kept & !traits::PLAIN);
        let may_remove = !self.work.setting.in_use && self.target.offers().removes_exactly;
        let mut found = HashMap::new();
        for (planned, id, traits) in changed {
            // Whose id was not told: nothing else was on its way.
            let lies_as = id.clone().or_else(|| pool.find_altered(&planned.found).map(|candidate| candidate.id));
            let is_removed = match id {
                Some(id) if may_remove => {
                    let removed = self
                        .target
                        .remove(self.known(index, &path), std::slice::from_ref(id), None)
                        .await
                        .on_target()?;
                    matches!(removed.first(), Some(Removal::Gone))
                }
                _ => false,
            };
            if !is_removed {
                let row = &self.folders[index].row;
                let what = format!(
                    "item {} of {:?} lies in {:?} with other bytes or another date, which the target has changed",
                    planned.id,
                    row.path.to_string(),
                    path.to_string()
                );
                let exception = exception(Cause::Altered, row, Some(planned.id.clone()), lies_as, what);
                self.folders[index].exceptions.push(exception);
            }
            found.insert(planned.id.clone(), Changed { traits, is_removed });
        }
        Ok(found)
    }

    /// An item that the target keeps with other bytes or another date is no copy. It is repaired where the policy says so, unless
    /// what was changed still lies there: then it would be there twice.
    fn fail_changed(&mut self, index: usize, planned: &Planned, traits: u8, is_removed: bool) {
        if is_removed {
            self.give_room(planned.found.size_bytes);
        }
        let (kind, received) = (planned.kind, planned.received_seconds());
        let to_try = traits & self.work.travel.may_try(kind, &planned.found, received, planned.knew);
        if is_removed && to_try != 0 {
            self.read_repaired(index, &planned.id, planned.knew | to_try);
            return;
        }
        let cause = traits::cause(traits);
        let from = self.folders[index].row.path.to_string();
        let changes = if traits & traits::DATES != 0 { "date" } else { "bytes" };
        let what = format!("cannot copy item {} of {from:?}: the target changes its {changes}", planned.id);
        let fact = failed_fact(planned);
        self.fail(index, fact, cause, what, None, None);
    }

    /// Reads items of a folder of the target, whole, and keeps what their bytes show.
    pub(crate) async fn read_target(
        &mut self,
        path: &model::FolderPath,
        ids: &[ItemId],
    ) -> Result<Vec<Candidate>, Failure> {
        let mut candidates = Vec::new();
        if ids.is_empty() {
            return Ok(candidates);
        }
        let mut reading = self.target.items(path, ids, &self.work.look_holds).await.on_target()?;
        loop {
            let arrivals = next(reading.as_mut(), None).await.on_target()?;
            if arrivals.is_empty() {
                return Ok(candidates);
            }
            for arrival in arrivals {
                if let Arrival::Item(examined) = arrival {
                    candidates.push(Candidate {
                        id: examined.item.id,
                        found: examined.found,
                        received: examined.item.received.map(|at| at.unix_seconds),
                        flags: examined.item.flags,
                    });
                }
            }
        }
    }
}

pub(crate) fn wanted(planned: &Planned) -> Wanted<'_> {
    Wanted { found: &planned.found, received: planned.received_seconds(), flags: &planned.flags }
}

fn copied_fact(planned: &Planned, id: Option<ItemId>) -> Fact {
    Fact {
        source_id: planned.id.clone(),
        fate: Fate::Copied,
        size_bytes: planned.found.size_bytes,
        received: planned.received_seconds(),
        exact: Some(planned.found.exact),
        canonical: Some(planned.found.canonical),
        source_flags: planned.flags.clone(),
        target_id: id,
        target_flags: None,
        read_back: None,
    }
}

fn failed_fact(planned: &Planned) -> Fact {
    Fact { fate: Fate::Failed, received: planned.source_received, ..copied_fact(planned, None) }
}

/// The error of an outcome that was not heard of.
pub(crate) fn doubt(outcome: &Outcome) -> Option<Error> {
    outcome.items.iter().find_map(|item| match item {
        ItemOutcome::InDoubt(error) => Some(error.clone()),
        _ => None,
    })
}

fn refusal(outcome: &Outcome) -> Option<Error> {
    outcome.items.iter().find_map(|item| match item {
        ItemOutcome::Refused(error) => Some(error.clone()),
        _ => None,
    })
}

/// Does a refusal mean that sending more is of no use now? No room, no right, or not just now.
pub(crate) fn stops_all(error: &Error) -> bool {
    matches!(error.cause, Cause::OverQuota | Cause::Permission | Cause::Missing)
        || matches!(error.retry, connector::Retry::Now | connector::Retry::Later(_))
        || error.ends_session()
}

/// Two halves to be sent apart, the first one on top; a single item alone.
fn halve(mut items: Vec<(Planned, Error)>) -> Vec<Vec<Planned>> {
    let plain = |items: Vec<(Planned, Error)>| items.into_iter().map(|(planned, _)| planned).collect();
    let second = items.split_off(items.len() / 2);
    [second, items].into_iter().filter(|part| !part.is_empty()).map(plain).collect()
}

/// An item that the target has changed.
struct Changed {
    /// Those of its traits that explain it.
    traits: u8,
    /// The copy was taken away again.
    is_removed: bool,
}

/// Of items with traits that are to be proved one; the others wait. Those without go first, as they were.
fn one_of_each_trait(items: Vec<Planned>, to_prove: u8) -> (Vec<Planned>, Vec<Planned>) {
    let to_prove = to_prove & !traits::PLAIN;
    let (mut first, mut waiting, mut seen) = (Vec::new(), Vec::new(), 0);
    for mut planned in items {
        let of = planned.is & to_prove;
        if of != 0 && seen != 0 {
            waiting.push(planned);
            continue;
        }
        seen |= of;
        if !waiting.is_empty() {
            // The cursor stays before what waits.
            planned.then = None;
        }
        first.push(planned);
    }
    (first, waiting)
}

pub(crate) fn after_append(now: &FolderState, validity: Option<u64>, ids: &[Option<ItemId>]) -> Option<FolderState> {
    if validity.is_some_and(|validity| validity != now.validity) {
        return None;
    }
    let mut next = now.next;
    for id in ids {
        if u64::from(id.as_ref()?.as_u32()?) != next {
            return None;
        }
        next += 1;
    }
    Some(FolderState { next, count: now.count + ids.len() as u64, ..*now })
}
