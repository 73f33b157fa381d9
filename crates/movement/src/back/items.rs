//! Items that came to a folder of the target: added at the source, unless they lie there or have moved from elsewhere.

use std::collections::HashSet;

use connector::{Batch, BatchItem, Event, ItemOutcome, Known, Outcome, Source, Target, ready};
use model::{Cause, Fate, FolderState, ItemId, Scope, Side};
use store::{Fact, FolderRow, IntentItem};

use super::flags::{Compared, Lost};
use super::moves::Came;
use super::settle::read_whole;
use super::{Back, Sides, Spot, known_ids, state_of};
use crate::batch::{doubt, stops_all};
use crate::failure::{Failure, OnSide};
use crate::matching::{Candidate, Pool, Wanted};
use crate::reading::{Arrival, Examined, next};

/// A folder of the source, as it was looked at before anything is added.
pub(super) struct Here {
    /// How it stood then.
    pub(super) mark: FolderState,
    /// What lay there then, or was seen to come since.
    pub(super) seen: HashSet<ItemId>,
    /// Of that, what the ledger does not know.
    pool: Pool,
}

/// An item on its way to the source.
struct Planned {
    target_id: ItemId,
    examined: Box<Examined>,
}

impl Planned {
    fn received(&self) -> Option<i64> {
        self.examined.item.received.map(|at| at.unix_seconds)
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted { found: &self.examined.found, received: self.received(), flags: &self.examined.item.flags }
    }
}

impl Back<'_> {
    /// Carries back what came to a folder of the target.
    pub(super) async fn carry_items(
        &mut self,
        sides: &mut Sides,
        spot: &Spot,
        compared: &mut Compared,
    ) -> Result<(), Failure> {
        let Some(home) = spot.home.filter(|_| !spot.new.is_empty()) else { return Ok(()) };
        let row = self.rows[home].clone();
        let Sides { source, target } = sides;
        let mut here = self.look(source.as_mut(), &row).await?;
        let max = source.offers().item_bytes_max;
        let (mut batch, mut bytes, mut moves) = (Vec::new(), 0, Vec::new());
        let (mut found, mut failed) = (Vec::new(), Vec::new());
        let mut reading = target.items(&spot.path, &spot.new, &self.work.holds).await.on_target()?;
        loop {
            self.go_on()?;
            let arrivals = next(reading.as_mut(), None).await.on_target()?;
            if arrivals.is_empty() {
                break;
            }
            for arrival in arrivals {
                let examined = match arrival {
                    Arrival::Item(examined) => examined,
                    Arrival::Event(Event::Unreadable { id, error }) => {
                        failed.push((Some(id.clone()), error.cause, cannot(&row, &id, &error.what)));
                        continue;
                    }
                    Arrival::Event(_) => continue,
                };
                let planned = Planned { target_id: examined.item.id.clone(), examined };
                let (exact, size) = (planned.examined.found.exact, planned.examined.found.size_bytes);
                if let Some(lost) = compared.take_lost(exact, planned.received(), home) {
                    let flags = planned.examined.item.flags;
                    moves.push((lost, Came { target_id: planned.target_id, flags }));
                } else if let Some(candidate) = here.pool.find_same(&planned.wanted()) {
                    found.push(fact(&planned, candidate));
                } else if max.is_some_and(|max| size > max) {
                    let why = format!("it is {size} bytes, the source takes {}", max.unwrap_or_default());
                    let what = cannot(&row, &planned.target_id, &why);
                    failed.push((Some(planned.target_id), Cause::TooLarge, what));
                } else {
                    bytes += size;
                    batch.push(planned);
                    if bytes >= self.work.tuning.batch_bytes || batch.len() >= self.work.tuning.batch_items {
                        bytes = 0;
                        self.send(source.as_mut(), &row, &mut here, std::mem::take(&mut batch)).await?;
                    }
                }
            }
        }
        drop(reading);
        self.send(source.as_mut(), &row, &mut here, batch).await?;
        self.done.failed += failed.len() as u64;
        self.list(&row.path, failed).await?;
        if !found.is_empty() {
            self.done.found += found.len() as u64;
            let mut tx = self.work.store.write(&self.work.lease).await?;
            tx.add_facts(&row, &found).await?;
            tx.commit().await?;
        }
        self.make_moves(source.as_mut(), home, moves, &mut here, compared).await
    }

    /// Looks at a folder of the source: what lies there that the ledger does not know.
    async fn look(&mut self, source: &mut dyn Source, row: &FolderRow) -> Result<Here, Failure> {
        let mark = state_of(source, row).await?;
        let listed = source.list(&row.path).await.on_source()?;
        let known = known_ids(self.work, row).await?;
        let seen: HashSet<ItemId> = listed.into_iter().map(|(id, _)| id).collect();
        let mut unknown: Vec<ItemId> = seen.difference(&known).cloned().collect();
        unknown.sort_unstable();
        let pool = Pool::new(read_whole(source, &row.path, &unknown, &self.work.look_holds).await?);
        Ok(Here { mark, seen, pool })
    }

    /// What came to a folder of the source since it was looked at, read whole.
    pub(super) async fn look_again(
        &mut self,
        source: &mut dyn Target,
        row: &FolderRow,
        here: &mut Here,
    ) -> Result<Vec<Candidate>, Failure> {
        let listed = source.since(&row.path, &here.mark).await.on_source()?;
        let new: Vec<ItemId> = listed.into_iter().map(|(id, _)| id).filter(|id| !here.seen.contains(id)).collect();
        here.seen.extend(new.iter().cloned());
        read_whole(source, &row.path, &new, &self.work.look_holds).await
    }

    /// Adds items to a folder of the source. What is refused is looked for, and sent again in halves until each culprit is alone.
    async fn send(
        &mut self,
        source: &mut dyn Target,
        row: &FolderRow,
        here: &mut Here,
        batch: Vec<Planned>,
    ) -> Result<(), Failure> {
        let mut parts = vec![batch];
        while let Some(part) = parts.pop().filter(|part| !part.is_empty()) {
            self.go_on()?;
            let number = self.next_number;
            let outcome = self.submit(source, row, here, &part).await?;
            if let Some(validity) = outcome.validity {
                Known { path: &row.path, validity: row.validity }.require(validity).on_source()?;
            }
            let mut there = Pool::new(self.look_again(source, row, here).await?);
            let (mut facts, mut listed, mut rest, mut stored) = (Vec::new(), Vec::new(), Vec::new(), 0);
            for (planned, outcome) in part.into_iter().zip(outcome.items) {
                let candidate = match &outcome {
                    ItemOutcome::Stored(Some(id)) => there.take_id(id),
                    _ => None,
                };
                let candidate = candidate.or_else(|| there.find_same(&planned.wanted()));
                let candidate = match (candidate, outcome) {
                    (None, ItemOutcome::Refused(error) | ItemOutcome::InDoubt(error)) => {
                        rest.push((planned, error));
                        continue;
                    }
                    (None, ItemOutcome::Stored(_)) => there.find_altered(&planned.examined.found),
                    (candidate, _) => candidate,
                };
                stored += 1;
                let Some(candidate) = candidate else {
                    // Its person took it away since: that they have it not is their doing.
                    self.done.again = true;
                    continue;
                };
                if (candidate.found.exact, candidate.received) != (planned.examined.found.exact, planned.received()) {
                    let what = format!(
                        "item {} of the target was carried back to {:?}, and the source keeps it with other bytes or another date",
                        planned.target_id,
                        row.path.to_string()
                    );
                    listed.push((Some(planned.target_id.clone()), Cause::Altered, what));
                }
                self.done.added += 1;
                self.done.bytes += planned.examined.found.size_bytes;
                facts.push(fact(&planned, candidate));
            }
            let mut tx = self.work.store.write(&self.work.lease).await?;
            tx.add_facts(row, &facts).await?;
            tx.close_back_intent(self.work.lease.fence, number, 0).await?;
            tx.commit().await?;
            self.list(&row.path, listed).await?;
            let Some((_, error)) = rest.first() else { continue };
            if stops_all(error) {
                let error = error.clone();
                let error = if error.ends_session() { error } else { error.reaching(Scope::Mailbox) };
                return Err(Failure { side: Some(Side::Source), error });
            }
            // Each had its own answer, or it is alone.
            if stored > 0 || rest.len() == 1 || !source.offers().batches_whole {
                let failed = rest.into_iter().map(|(planned, error)| {
                    let what = cannot(row, &planned.target_id, &error.what);
                    (Some(planned.target_id), error.cause, what)
                });
                let failed: Vec<_> = failed.collect();
                self.done.failed += failed.len() as u64;
                self.list(&row.path, failed).await?;
            } else {
                let second = rest.split_off(rest.len() / 2);
                parts.extend([second, rest].map(|half| half.into_iter().map(|(planned, _)| planned).collect()));
            }
        }
        Ok(())
    }

    /// Sends a batch: its last byte leaves once its intent is on the disk.
    async fn submit(
        &mut self,
        source: &mut dyn Target,
        row: &FolderRow,
        here: &Here,
        part: &[Planned],
    ) -> Result<Outcome, Failure> {
        let number = self.next_number;
        self.next_number += 1;
        let intents: Vec<IntentItem> = part.iter().map(intent).collect();
        let (signal, ready) = ready();
        let items = part.iter().map(|planned| BatchItem {
            kind: planned.examined.item.kind,
            flags: planned.examined.item.flags.clone(),
            received: planned.examined.item.received,
            body: planned.examined.item.body.clone(),
        });
        let batch = Batch { folder: row.path.clone(), items: items.collect(), ready };
        let (store, lease, mark) = (&self.work.store, &self.work.lease, here.mark);
        let record = async {
            let mut tx = store.write_for_good(lease).await?;
            tx.open_back_intent(number, row, &mark, &intents, None).await?;
            tx.commit().await?;
            // Nobody is waiting any more only when the sending has failed; the intent then is found open.
            let _ = signal.send(());
            Ok::<(), Failure>(())
        };
        let (recorded, submitted) = tokio::join!(record, source.submit(batch));
        recorded?;
        submitted.on_source()?;
        let outcome = source.outcome().await.on_source()?;
        match doubt(&outcome) {
            Some(error) => Err(error).on_source(),
            None => Ok(outcome),
        }
    }
}

impl Compared {
    /// An item of the source that this may be, which lies on the target no more where it lay: one of the same folder first.
    fn take_lost(&mut self, exact: model::Digest, received: Option<i64>, home: usize) -> Option<Lost> {
        let all = self.lost.get_mut(&(exact, received))?;
        let at = all.iter().position(|lost| lost.row == home).or((!all.is_empty()).then_some(0))?;
        Some(all.remove(at))
    }
}

fn cannot(row: &FolderRow, id: &ItemId, why: &str) -> String {
    let (from, to) = (row.target_path.to_string(), row.path.to_string());
    format!("cannot carry item {id} of {from:?} on the target back to {to:?}: {why}")
}

fn intent(planned: &Planned) -> IntentItem {
    IntentItem {
        source_id: planned.target_id.clone(),
        exact: planned.examined.found.exact,
        canonical: planned.examined.found.canonical,
        size_bytes: planned.examined.found.size_bytes,
        received: planned.received(),
        flags: planned.examined.item.flags.clone(),
        hint: planned.examined.found.hint,
    }
}

/// That an item of the target and this one of the source are the same. What it is, is what the source holds.
fn fact(planned: &Planned, candidate: Candidate) -> Fact {
    known_as(&intent(planned), candidate)
}

/// The same of an item of a batch.
pub(super) fn known_as(item: &IntentItem, candidate: Candidate) -> Fact {
    let here = candidate.found.exact;
    Fact {
        source_id: candidate.id,
        fate: Fate::Copied,
        size_bytes: candidate.found.size_bytes,
        received: candidate.received,
        exact: Some(here),
        canonical: Some(candidate.found.canonical),
        source_flags: candidate.flags,
        target_id: Some(item.source_id.clone()),
        target_flags: Some(item.flags.clone()),
        read_back: (item.exact != here).then_some(item.exact),
    }
}
