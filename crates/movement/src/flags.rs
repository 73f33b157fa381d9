//! Flags follow the source, but what their person did on the target stays.
//!
//! Every item has two bases: its flags at the source as last read, and on the target as we left them. Only the difference at
//! the source is sent, less what its person has touched on the target since. The base of the target takes in our own changes
//! only, read back, so that a change of the person's is never forgotten.
//!
//! A change is written down before it is made: after a stop it would not be known else whether the flags on the target are
//! ours already, and a change that the source takes back meanwhile would stay there for ever.

use std::collections::HashMap;

use connector::{FlagChange, Known};
use model::{Cause, Flags, ItemId};
use store::{FlagFact, FlagIntent, FolderRow, LedgerItem};

use crate::decide::three_way;
use crate::failure::{Failure, OnSide};
use crate::pass::Pass;

/// Flags are changed, and their changes recorded, this many items at a time.
pub(crate) const FLAG_CHANGES: usize = 1000;

/// A change of an item's flags that is to be made.
#[derive(Clone, Debug)]
pub(crate) struct FlagWork {
    pub(crate) source_id: ItemId,
    /// Its flags at the source, as read now.
    pub(crate) source_flags: Flags,
    pub(crate) target_id: ItemId,
    /// Its flags on the target, as we left them.
    pub(crate) base: Flags,
    pub(crate) add: Flags,
    pub(crate) take: Flags,
}

impl Pass<'_> {
    /// Changes flags on the target, and records what they are then.
    pub(crate) async fn send_flag_changes(&mut self, index: usize) -> Result<(), Failure> {
        let changes = std::mem::take(&mut self.folders[index].flag_changes);
        if changes.is_empty() || self.work.dry_run {
            return Ok(());
        }
        self.commit(index, &[]).await?;
        let (path, row) = (self.folders[index].row.target_path.clone(), self.folders[index].row.clone());
        let validity = self.target.state(&path).await.on_target()?.validity;
        self.require_same_target(index, validity)?;
        let folder = Known { path: &path, validity };
        for changes in changes.chunks(FLAG_CHANGES) {
            let ids: Vec<ItemId> = changes.iter().map(|change| change.target_id.clone()).collect();
            let now = self.target.flags(folder, &ids).await.on_target()?;
            let mut to_make: Vec<(&FlagWork, FlagChange)> = Vec::new();
            let mut facts = Vec::new();
            for (work, now) in changes.iter().zip(&now) {
                // One that is there no more is dealt with by whoever finds it missing.
                let Some(now) = now else { continue };
                let (add, take) = three_way(&work.add, &work.take, &work.base, now);
                if add.is_empty() && take.is_empty() {
                    // The person did the same, or the opposite, which stays.
                    let base = left(&work.base, &work.add, &work.take, now);
                    facts.push(fact(work, base));
                } else {
                    to_make.push((work, FlagChange { id: work.target_id.clone(), add, take }));
                }
            }
            if !to_make.is_empty() {
                let intents: Vec<FlagIntent> = to_make
                    .iter()
                    .map(|(work, change)| FlagIntent {
                        folder: row.folder,
                        source_id: work.source_id.clone(),
                        add: change.add.clone(),
                        take: change.take.clone(),
                    })
                    .collect();
                let mut tx = self.work.store.write(&self.work.lease).await?;
                tx.open_flag_intents(&intents).await?;
                tx.commit().await?;
                let made: Vec<FlagChange> = to_make.iter().map(|(_, change)| change.clone()).collect();
                let then = self.target.change_flags(folder, &made).await.on_target()?;
                self.report.flags_changed += made.len() as u64;
                for ((work, change), then) in to_make.into_iter().zip(then) {
                    // Not read back: as if it had been done.
                    let then = then.unwrap_or_else(|| work.base.without(&change.take).union(&change.add));
                    facts.push(fact(work, left(&work.base, &work.add, &work.take, &then)));
                }
            }
            let mut tx = self.work.store.write(&self.work.lease).await?;
            tx.set_flags(&row, &facts).await?;
            tx.close_flag_intents(row.folder).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Changes of flags whose outcome was never heard of: what is on the target tells which of them were made.
    pub(crate) async fn settle_flag_intents(&mut self) -> Result<(), Failure> {
        let mut by_folder: HashMap<i64, Vec<FlagIntent>> = HashMap::new();
        for intent in std::mem::take(&mut self.flag_intents) {
            by_folder.entry(intent.folder).or_default().push(intent);
        }
        for (folder, intents) in by_folder {
            // Also of a folder that the source does not list any more: it may be the one that has another name now, and its
            // items go on from these flags.
            let row = self.row(folder).cloned();
            let mut facts = Vec::new();
            if let Some(row) = &row {
                facts = self.flags_made(row, &intents).await?;
            }
            let mut tx = self.work.store.write(&self.work.lease).await?;
            if let Some(row) = &row {
                tx.set_flags(row, &facts).await?;
            }
            tx.close_flag_intents(folder).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn flags_made(&mut self, row: &FolderRow, intents: &[FlagIntent]) -> Result<Vec<FlagFact>, Failure> {
        let key = self.work.key;
        let Some(target) = row.target else { return Ok(Vec::new()) };
        let ids: Vec<ItemId> = intents.iter().map(|intent| intent.source_id.clone()).collect();
        let intents: HashMap<&ItemId, &FlagIntent> = intents.iter().map(|intent| (&intent.source_id, intent)).collect();
        let mut known: Vec<(LedgerItem, &FlagIntent, ItemId)> = Vec::new();
        for item in self.work.store.items_of(key, row, &ids).await? {
            if let Some(id) = item.target_id.clone()
                && let Some(intent) = intents.get(&item.source_id)
            {
                known.push((item, intent, id));
            }
        }
        let ids: Vec<ItemId> = known.iter().map(|(_, _, id)| id.clone()).collect();
        let now = match self.target.flags(Known::at(&row.target_path, &target), &ids).await {
            // The copies are there no more, or can't be told from others.
            Err(error) if matches!(error.cause, Cause::Missing | Cause::TargetRenumbered) => return Ok(Vec::new()),
            now => now.on_target()?,
        };
        let made = known.into_iter().zip(now).filter_map(|((item, intent, _), now)| {
            let now = now?;
            Some(FlagFact {
                source_flags: left(&item.source_flags, &intent.add, &intent.take, &now),
                target_flags: Some(left(&item.target_flags, &intent.add, &intent.take, &now)),
                source_id: item.source_id,
            })
        });
        Ok(made.collect())
    }
}

/// A base of flags after a change, as far as the change is seen to have been made.
pub(crate) fn left(base: &Flags, add: &Flags, take: &Flags, now: &Flags) -> Flags {
    base.union(&add.intersection(now)).without(&take.without(now))
}

fn fact(work: &FlagWork, target_flags: Flags) -> FlagFact {
    let (source_id, source_flags) = (work.source_id.clone(), work.source_flags.clone());
    FlagFact { source_id, source_flags, target_flags: Some(target_flags) }
}
