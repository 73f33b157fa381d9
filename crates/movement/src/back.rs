//! Carrying back: the source is made to hold what a person got or made on the target while their switch was under way or done
//! . It is the one case in which anything is written at the source; nothing is ever removed there, and nothing at all is
//! written on the target.
//!
//! The same ledger rows are used as by a pass, from the other side. A row says that an item of the source and one of the target
//! are the same message, whichever was first; so a pass afterwards copies nothing a second time, and after an undo what was carried
//! back follows the source like everything else.
//!
//! * **Additions**: items that came to the target since its source began to be left and that no row knows, in any folder. New
//!   folders are made at the source. Rules of the policy say what may travel *to* the target; on the way back all travels as it is.
//!   A copy that differs from its original by policy has a row, and its original is at the source.
//! * **Moves**: an item of which a row says that it is on the target, and that lies in another folder there now, is moved at the
//!   source. Where the source can't move it stays where it is, is listed, and its copy is known: a second copy at the source would be
//!   one more than the person has.
//! * **Flags**: what the person changed on the target, three-way, less what was changed at the source since.
//!
//! What keeps a stop at any point, or a lost answer, from losing or doubling anything is what keeps a pass from it, with the sides
//! exchanged. A batch's intent is on the disk before its last byte leaves, its outcome is looked for before anything is read of the
//! source or sent to it again (`settle`), and what lies in a folder of the source that the ledger does not know is matched before
//! anything is added. Besides, the target counts as accounted for only up to what is about to be carried back, until it is: so
//! what the ledger forgot is found by the next look of a pass.

mod flags;
mod folders;
mod items;
mod moves;
mod settle;

use std::collections::{HashMap, HashSet};

use connector::{Source, Target};
use model::{Cause, FolderPath, FolderState, ItemId, ItemKind, Scope, Side, SpecialUse};
use store::{FolderRow, IntentState, NewException, Treatment};

use crate::failure::{Failure, OnSide};
use crate::report::Report;
use crate::work::Work;

pub(crate) use settle::settle;

/// What was carried back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarriedBack {
    /// What the pass before it did.
    pub forward: Report,
    /// Items added at the source.
    pub added: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Items that came to both sides by themselves.
    pub found: u64,
    /// Items moved at the source.
    pub moved: u64,
    /// Items whose flags were changed at the source.
    pub flags: u64,
    /// Folders made at the source.
    pub folders: u64,
    /// Items moved on the target that stay where they are at the source, since that can't move them. Each is listed once.
    pub stayed: u64,
    /// Items that the source does not take. Each is listed, and is tried again each time.
    pub failed: u64,
    /// Something changed while it was read: there may be more at once.
    pub again: bool,
}

impl CarriedBack {
    /// Was there nothing to carry back that was not tried before?
    pub fn is_nothing_new(&self) -> bool {
        self.added + self.found + self.moved + self.flags + self.folders + self.stayed == 0 && !self.again
    }
}

/// Both sides, opened the other way round.
struct Sides {
    source: Box<dyn Target>,
    target: Box<dyn Source>,
}

/// A folder of the target.
struct Spot {
    path: FolderPath,
    kind: ItemKind,
    special_use: Option<SpecialUse>,
    subscribed: bool,
    /// How it stood when it was listed.
    state: FolderState,
    /// What came there since the source began to be left, and no row knows.
    new: Vec<ItemId>,
    /// How it stands up to the first of them.
    before_new: FolderState,
    /// The row whose folder of the source takes what came there.
    home: Option<usize>,
}

/// A carrying back.
struct Back<'w> {
    work: &'w Work,
    /// The kinds of items that the source holds.
    kinds: &'w [ItemKind],
    /// Folders that the source has.
    rows: Vec<FolderRow>,
    /// What the policy made of items, by folder and id.
    treatments: HashMap<(i64, ItemId), Treatment>,
    next_number: i64,
    done: CarriedBack,
}

/// Carries back. `forward` is what the pass before it did.
pub(crate) async fn carry_back(
    work: &Work,
    kinds: &[ItemKind],
    source: Box<dyn Target>,
    target: Box<dyn Source>,
    forward: Report,
) -> Result<CarriedBack, Failure> {
    let (key, mailbox) = (work.key, work.mailbox.mailbox);
    let rows = work.store.folders(key, mailbox).await?;
    let treatments = work.store.every_treatment(key, mailbox).await?;
    let treatments = treatments.into_iter().map(|row| ((row.folder, row.treatment.source_id.clone()), row.treatment));
    let mut back = Back {
        work,
        kinds,
        rows: rows.into_iter().filter(|row| !row.is_gone()).collect(),
        treatments: treatments.collect(),
        next_number: 1,
        done: CarriedBack { forward, ..CarriedBack::default() },
    };
    let mut sides = Sides { source, target };
    let result = back.run(&mut sides).await;
    sides.source.close().await;
    sides.target.close().await;
    result.map(|()| back.done)
}

impl Back<'_> {
    async fn run(&mut self, sides: &mut Sides) -> Result<(), Failure> {
        let stores = [sides.source.proof().store_id.clone(), sides.target.proof().store_id.clone()];
        self.prove(stores).await?;
        settle(self.work, &mut *sides.source).await?;
        let (key, mailbox) = (self.work.key, self.work.mailbox.mailbox);
        let intents = self.work.store.intents(key, mailbox).await?;
        if intents.iter().any(|intent| intent.state == IntentState::Open) {
            let what = "whether batches to the target arrived is not known yet: until then what lies there can't be told from \
                what came by itself";
            let error = connector::Error::new(Cause::InDoubt, Scope::Mailbox, what);
            return Err(Failure { side: Some(Side::Target), error: error.retry(connector::Retry::Later(None)) });
        }
        let mine = self.work.store.back_intents(key, mailbox).await?;
        let mine = mine.iter().filter(|intent| intent.fence == self.work.lease.fence);
        self.next_number = mine.map(|intent| intent.number + 1).max().unwrap_or(1);
        let mut spots = self.spots(&mut *sides.target).await?;
        // Listed once more: what lay in one folder then and lies in another now is not in both.
        let has_new = spots.iter().any(|spot| !spot.new.is_empty());
        let mut compared = self.compare(&mut *sides.target, &spots, has_new).await?;
        self.make_folders(&mut *sides.source, &mut spots).await?;
        self.lower_marks(&spots).await?;
        for spot in &spots {
            self.carry_items(sides, spot, &mut compared).await?;
        }
        for (folder, changes) in std::mem::take(&mut compared.flags) {
            self.carry_flags(&mut *sides.source, folder, changes).await?;
        }
        self.raise_marks(&spots).await
    }

    /// The stores must be those that passes reach.
    async fn prove(&self, [source, target]: [Option<String>; 2]) -> Result<(), Failure> {
        let mut tx = self.work.store.write(&self.work.lease).await?;
        let other = tx.set_stores(source.as_deref(), target.as_deref()).await?;
        let is_same = (&source, &target) == (&self.work.mailbox.source_store, &self.work.mailbox.target_store);
        if other.is_none() && is_same {
            return Ok(());
        }
        let what =
            "the stores that are reached now are not those of the last pass, or another's; nothing was carried back";
        Err(Failure { side: None, error: connector::Error::new(Cause::SharedStore, Scope::Mailbox, what) })
    }

    fn go_on(&self) -> Result<(), Failure> {
        if *self.work.stop.borrow() { Err(Failure::stopped()) } else { Ok(()) }
    }

    /// The rows whose items go to this folder of the target.
    fn rows_at<'s>(&'s self, path: &'s FolderPath) -> impl Iterator<Item = (usize, &'s FolderRow)> {
        self.rows.iter().enumerate().filter(|(_, row)| row.target_path == *path)
    }

    /// What stands in the way of items, listed.
    async fn list(&mut self, path: &FolderPath, failures: Vec<(Option<ItemId>, Cause, String)>) -> Result<(), Failure> {
        if failures.is_empty() {
            return Ok(());
        }
        let mut tx = self.work.store.write(&self.work.lease).await?;
        for (target_id, class, what) in failures {
            let exception = NewException { class, path: path.clone(), source_id: None, target_id, what };
            tx.add_exception(&exception).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Until what came to a folder of the target is carried back, the ledger has it accounted for only up to there: a pass that looks
    /// finds it, whatever the ledger may have forgotten.
    async fn lower_marks(&mut self, spots: &[Spot]) -> Result<(), Failure> {
        let is_above = |row: &FolderRow, spot: &Spot| {
            row.target.is_none_or(|known| known.validity != spot.state.validity || known.next > spot.before_new.next)
        };
        let mut lowered = Vec::new();
        for spot in spots.iter().filter(|spot| !spot.new.is_empty()) {
            for row in self.rows.iter_mut().filter(|row| row.target_path == spot.path) {
                if is_above(row, spot) {
                    row.target = Some(spot.before_new);
                    lowered.push((row.folder, spot.before_new));
                }
            }
        }
        if lowered.is_empty() {
            return Ok(());
        }
        let mut tx = self.work.store.write_for_good(&self.work.lease).await?;
        for (folder, state) in lowered {
            tx.set_target_state(folder, &state).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// What came to the target is carried back, or listed: all there is accounted for, unless the pass before could not tell.
    async fn raise_marks(&mut self, spots: &[Spot]) -> Result<(), Failure> {
        if !self.done.forward.complete {
            return Ok(());
        }
        let mut tx = self.work.store.write(&self.work.lease).await?;
        let mut is_any = false;
        for spot in spots {
            for row in self.rows.iter_mut().filter(|row| row.target_path == spot.path) {
                if row.target != Some(spot.state) && (row.target.is_some() || !spot.new.is_empty()) {
                    tx.set_target_state(row.folder, &spot.state).await?;
                    row.target = Some(spot.state);
                    is_any = true;
                }
            }
        }
        if is_any {
            tx.commit().await?;
        }
        Ok(())
    }
}

/// Every item of a folder of the source that the ledger has a fate of.
async fn known_ids(work: &Work, row: &FolderRow) -> Result<HashSet<ItemId>, Failure> {
    let mut known = HashSet::new();
    let mut items = work.store.items(work.key, row);
    loop {
        let page = items.next().await?;
        if page.is_empty() {
            return Ok(known);
        }
        known.extend(page.into_iter().map(|item| item.source_id));
    }
}

/// How a folder of the source stands, which must be the one of this row.
async fn state_of(source: &mut dyn Source, row: &FolderRow) -> Result<FolderState, Failure> {
    let state = source.state(&row.path).await.on_source()?;
    connector::Known { path: &row.path, validity: row.validity }.require(state.validity).on_source()?;
    Ok(state)
}
