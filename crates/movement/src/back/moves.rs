//! Items that their person moved on the target: moved at the source.

use std::collections::BTreeMap;

use connector::{Known, Moved, Target};
use model::{Cause, Digest, Fate, Flags, ItemId};
use store::{BackMove, Fact, FolderRow, HeldRemoval, IntentItem, LedgerItem, RemovalState, Treatment};

use super::flags::{Changed, Compared, Lost};
use super::items::Here;
use super::{Back, state_of};
use crate::failure::{Failure, OnSide};
use crate::follow::rule;
use crate::matching::Pool;

/// So many items are moved by one intent.
const AT_ONCE: usize = 500;

/// An item as it lies on the target now.
#[derive(Clone, Debug)]
pub(super) struct Came {
    pub(super) target_id: ItemId,
    pub(super) flags: Flags,
}

/// One that has moved.
type Pair = (LedgerItem, Came);

impl Back<'_> {
    /// Moves to a folder of the source what its person has moved to where that goes.
    pub(super) async fn make_moves(
        &mut self,
        source: &mut dyn Target,
        home: usize,
        moves: Vec<(Lost, Came)>,
        here: &mut Here,
        compared: &mut Compared,
    ) -> Result<(), Failure> {
        let mut by_row: BTreeMap<usize, Vec<Pair>> = BTreeMap::new();
        for (lost, came) in moves {
            by_row.entry(lost.row).or_default().push((lost.item, came));
        }
        for (from, pairs) in by_row {
            let to_same_place = self.rows[from].target_path == self.rows[home].target_path;
            let mut pairs = pairs.into_iter();
            loop {
                let part: Vec<Pair> = pairs.by_ref().take(AT_ONCE).collect();
                if part.is_empty() {
                    break;
                }
                self.go_on()?;
                if to_same_place {
                    // Moved away and back, or its folder was made anew: at the source it lies where it should.
                    let facts = part.iter().map(|(item, came)| here_as(item, item.source_id.clone(), came)).collect();
                    self.know(from, part, facts, compared).await?;
                } else if source.offers().moves {
                    self.move_part(source, (from, home), part, here, compared).await?;
                } else {
                    self.stay(from, home, part).await?;
                }
            }
        }
        Ok(())
    }

    /// Items lie at the source as these facts say.
    async fn know(
        &mut self,
        row: usize,
        part: Vec<Pair>,
        facts: Vec<Fact>,
        compared: &mut Compared,
    ) -> Result<(), Failure> {
        let mut tx = self.work.store.write(&self.work.lease).await?;
        tx.add_facts(&self.rows[row], &facts).await?;
        tx.commit().await?;
        for ((item, came), fact) in part.into_iter().zip(facts) {
            compared.flags.entry(row).or_default().extend(changed(&item, &came, fact.source_id));
        }
        Ok(())
    }

    async fn move_part(
        &mut self,
        source: &mut dyn Target,
        (from, home): (usize, usize),
        part: Vec<Pair>,
        here: &mut Here,
        compared: &mut Compared,
    ) -> Result<(), Failure> {
        let (from_row, row) = (self.rows[from].clone(), self.rows[home].clone());
        state_of(source, &from_row).await?;
        let number = self.next_number;
        self.next_number += 1;
        let intents: Vec<IntentItem> = part.iter().map(|(item, came)| self.at_source(&from_row, item, came)).collect();
        let ids: Vec<ItemId> = part.iter().map(|(item, _)| item.source_id.clone()).collect();
        let moved = BackMove { folder: from_row.folder, ids: ids.clone() };
        let mut tx = self.work.store.write_for_good(&self.work.lease).await?;
        tx.open_back_intent(number, &row, &here.mark, &intents, Some(&moved)).await?;
        tx.commit().await?;
        let known = Known { path: &from_row.path, validity: from_row.validity };
        let results = match source.move_items(known, &row.path, &ids).await {
            Err(error) if !error.ends_session() && error.cause != Cause::InDoubt => {
                return self.moves_refused(&from_row, &row, number, part.len(), &error).await;
            }
            results => results.on_source()?,
        };
        // Whatever ids were told, what came is read: what lies there is known by more than its id.
        let mut there = Pool::new(self.look_again(source, &row, here).await?);
        let (mut facts, mut treatments, mut left, mut changes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (((item, came), intent), result) in part.into_iter().zip(&intents).zip(results) {
            let id = match result {
                Moved::There(Some(id)) => Some(id),
                Moved::There(None) => there.find_digest(intent.exact, intent.received).map(|found| found.id),
                Moved::Gone => None,
            };
            let Some(id) = id else {
                // The source has it no more. The next pass forgets it; then it is one that only the target has.
                self.done.again = true;
                continue;
            };
            if let Some(treatment) = self.treatments.remove(&(from_row.folder, item.source_id.clone())) {
                treatments.push(Treatment { source_id: id.clone(), ..treatment });
            }
            left.push(item.source_id.clone());
            changes.extend(changed(&item, &came, id.clone()));
            facts.push(here_as(&item, id, &came));
        }
        let mut tx = self.work.store.write(&self.work.lease).await?;
        tx.add_facts(&row, &facts).await?;
        tx.forget_items(&from_row, &left).await?;
        tx.add_treatments(row.folder, &treatments).await?;
        tx.close_back_intent(self.work.lease.fence, number, 0).await?;
        tx.commit().await?;
        self.done.moved += facts.len() as u64;
        compared.flags.entry(home).or_default().extend(changes);
        Ok(())
    }

    async fn moves_refused(
        &mut self,
        from: &FolderRow,
        row: &FolderRow,
        number: i64,
        count: usize,
        error: &connector::Error,
    ) -> Result<(), Failure> {
        let mut tx = self.work.store.write(&self.work.lease).await?;
        tx.close_back_intent(self.work.lease.fence, number, 0).await?;
        tx.commit().await?;
        self.done.failed += count as u64;
        let what = format!(
            "{} moved on the target stay in {:?} at the source, which does not move them to {:?}: {error}",
            crate::state::counted(count as u64, "item"),
            from.path.to_string(),
            row.path.to_string()
        );
        self.list(&row.path, vec![(None, error.cause, what)]).await
    }

    /// The source can't move: its items stay where they are, and the copies that lie elsewhere are known.
    async fn stay(&mut self, from: usize, home: usize, part: Vec<Pair>) -> Result<(), Failure> {
        let (from_row, row) = (self.rows[from].clone(), self.rows[home].clone());
        let mut listed = Vec::new();
        let mut tx = self.work.store.write(&self.work.lease).await?;
        for (item, came) in &part {
            // No folder calls an item so: it is not one of its own.
            let named = [b"\0moved:", came.target_id.as_bytes()].concat();
            let kept = HeldRemoval {
                folder: row.folder,
                source_id: ItemId::new(&named),
                target_id: Some(came.target_id.clone()),
                exact: item.exact,
                canonical: item.canonical,
                size_bytes: item.size_bytes,
                received: item.received,
                source_flags: item.source_flags.clone(),
                target_flags: item.target_flags.clone(),
                state: RemovalState::Kept,
                rule: rule::FROZEN.to_owned(),
                fate: ours(item),
                read_back: item.read_back,
                source_received: self.treatment(&from_row, item).and_then(|treatment| treatment.source_received),
                moved_to: Some((from_row.folder, item.source_id.clone())),
            };
            tx.keep_elsewhere(&kept).await?;
            let what = format!(
                "item {} of {:?} was moved on the target to {:?}, and stays where it is at the source, which can't move items",
                item.source_id,
                from_row.path.to_string(),
                row.target_path.to_string()
            );
            listed.push((Some(came.target_id.clone()), Cause::Unsupported, what));
        }
        let ids: Vec<ItemId> = part.iter().map(|(item, _)| item.source_id.clone()).collect();
        tx.withdraw(&from_row, &ids).await?;
        tx.commit().await?;
        self.done.stayed += ids.len() as u64;
        self.list(&row.path, listed).await
    }

    fn treatment(&self, row: &FolderRow, item: &LedgerItem) -> Option<&Treatment> {
        self.treatments.get(&(row.folder, item.source_id.clone()))
    }

    /// An item as the source holds it, called as the target calls it.
    fn at_source(&self, row: &FolderRow, item: &LedgerItem, came: &Came) -> IntentItem {
        let treatment = self.treatment(row, item);
        let exact = treatment.and_then(|treatment| treatment.original).or(item.exact);
        let exact = exact.unwrap_or_else(|| Digest::of(b""));
        IntentItem {
            source_id: came.target_id.clone(),
            exact,
            canonical: item.canonical.unwrap_or(exact),
            size_bytes: item.size_bytes,
            received: treatment.and_then(|treatment| treatment.source_received).or(item.received),
            flags: item.source_flags.clone(),
            hint: None,
        }
    }
}

/// What becomes of an item that was withdrawn where it lay and was found elsewhere: it is ours, whoever brought it there first.
pub(super) fn ours(item: &LedgerItem) -> Fate {
    if item.fate == Fate::Adopted { Fate::Adopted } else { Fate::Copied }
}

/// That an item of the source, called so there now, lies on the target as this.
pub(super) fn here_as(item: &LedgerItem, source_id: ItemId, came: &Came) -> Fact {
    Fact {
        source_id,
        fate: ours(item),
        size_bytes: item.size_bytes,
        received: item.received,
        exact: item.exact,
        canonical: item.canonical,
        source_flags: item.source_flags.clone(),
        target_id: Some(came.target_id.clone()),
        target_flags: Some(item.target_flags.clone()),
        read_back: item.read_back,
    }
}

/// Its flags, where its person changed them on the way.
fn changed(item: &LedgerItem, came: &Came, source_id: ItemId) -> Option<Changed> {
    let (source_base, target_base, now) = (item.source_flags.clone(), item.target_flags.clone(), came.flags.clone());
    (now != target_base).then_some(Changed { source_id, source_base, target_base, now })
}
