//! What changed on the target of items that rows know: their flags, and whether they are still where they lay.

use std::collections::{BTreeMap, HashMap};

use connector::{FlagChange, Known, Source, Target};
use model::{Cause, Digest, Fate, Flags, FolderPath, ItemId};
use store::{FlagFact, FlagIntent, LedgerItem};

use super::{Back, Spot};
use crate::decide::three_way;
use crate::failure::{Failure, OnSide};
use crate::flags::{FLAG_CHANGES, left};

/// An item whose flags its person has changed on the target.
#[derive(Clone, Debug)]
pub(super) struct Changed {
    pub(super) source_id: ItemId,
    /// At the source, and on the target, as they were left.
    pub(super) source_base: Flags,
    pub(super) target_base: Flags,
    /// On the target, now.
    pub(super) now: Flags,
}

/// An item of the source that lies on the target no more where its row has it.
#[derive(Clone, Debug)]
pub(super) struct Lost {
    /// Its row, by place.
    pub(super) row: usize,
    pub(super) item: LedgerItem,
}

/// How the target compares with the rows.
#[derive(Default)]
pub(super) struct Compared {
    /// Flags to be carried back, by the place of the row.
    pub(super) flags: BTreeMap<usize, Vec<Changed>>,
    /// What may lie elsewhere, by its bytes on the target and its date.
    pub(super) lost: HashMap<(Digest, Option<i64>), Vec<Lost>>,
}

impl Back<'_> {
    /// Compares the target with the rows. What may lie elsewhere is asked for only where something new lies anywhere.
    pub(super) async fn compare(
        &mut self,
        target: &mut dyn Source,
        spots: &[Spot],
        has_new: bool,
    ) -> Result<Compared, Failure> {
        let mut compared = Compared::default();
        let elsewhere = self.kept_elsewhere(target).await?;
        for index in 0..self.rows.len() {
            self.go_on()?;
            let row = self.rows[index].clone();
            let is_there = spots.iter().any(|spot| spot.path == row.target_path);
            let listed: HashMap<ItemId, Flags> = if is_there {
                match target.list(&row.target_path).await {
                    Ok(listed) => listed.into_iter().collect(),
                    Err(error) if error.cause == Cause::Missing => HashMap::new(),
                    Err(error) => return Err(error).on_target(),
                }
            } else {
                HashMap::new()
            };
            let mut items = self.work.store.items(self.work.key, &row);
            loop {
                let page = items.next().await?;
                if page.is_empty() {
                    break;
                }
                for item in page {
                    let here = item.target_id.as_ref().and_then(|id| listed.get(id));
                    let now = here.or_else(|| elsewhere.get(&(row.folder, item.source_id.clone())));
                    match (item.fate, now) {
                        (Fate::Copied | Fate::Adopted | Fate::Withdrawn, Some(now)) if *now != item.target_flags => {
                            let changed = Changed {
                                source_id: item.source_id,
                                source_base: item.source_flags,
                                target_base: item.target_flags,
                                now: now.clone(),
                            };
                            compared.flags.entry(index).or_default().push(changed);
                        }
                        (_, Some(_)) => {}
                        (Fate::Copied | Fate::Adopted | Fate::Withdrawn, _) if has_new => {
                            if let Some(exact) = item.read_back.or(item.exact) {
                                let at = (exact, item.received);
                                compared.lost.entry(at).or_default().push(Lost { row: index, item });
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
        Ok(compared)
    }

    /// Flags of copies that lie where they lay while the source has moved their items, by the place of the item at the source.
    async fn kept_elsewhere(&mut self, target: &mut dyn Source) -> Result<HashMap<(i64, ItemId), Flags>, Failure> {
        let (key, mailbox) = (self.work.key, self.work.mailbox.mailbox);
        let mut by_path: BTreeMap<FolderPath, HashMap<ItemId, (i64, ItemId)>> = BTreeMap::new();
        let rows = self.work.store.folders(key, mailbox).await?;
        for kept in self.work.store.held_removals(key, mailbox).await? {
            let row = rows.iter().find(|row| row.folder == kept.folder);
            if let (Some(row), Some(id), Some(moved_to)) = (row, kept.target_id, kept.moved_to) {
                by_path.entry(row.target_path.clone()).or_default().insert(id, moved_to);
            }
        }
        let mut elsewhere = HashMap::new();
        for (path, kept) in by_path {
            let listed = match target.list(&path).await {
                Err(error) if error.cause == Cause::Missing => continue,
                listed => listed.on_target()?,
            };
            elsewhere.extend(listed.into_iter().filter_map(|(id, flags)| Some((kept.get(&id)?.clone(), flags))));
        }
        Ok(elsewhere)
    }

    /// Changes flags at the source as their person changed them on the target, but for those that were changed at the source since.
    pub(super) async fn carry_flags(
        &mut self,
        source: &mut dyn Target,
        row: usize,
        changes: Vec<Changed>,
    ) -> Result<(), Failure> {
        let row = self.rows[row].clone();
        let folder = Known { path: &row.path, validity: row.validity };
        for changes in changes.chunks(FLAG_CHANGES) {
            self.go_on()?;
            let ids: Vec<ItemId> = changes.iter().map(|change| change.source_id.clone()).collect();
            let now = match source.flags(folder, &ids).await {
                Err(error) if error.cause == Cause::Missing => return Ok(()),
                now => now.on_source()?,
            };
            let (mut to_make, mut facts) = (Vec::new(), Vec::new());
            for (change, now) in changes.iter().zip(now) {
                // What the source has no more is dealt with by the next pass.
                let Some(now) = now else { continue };
                let (add, take) = change.difference();
                let (add, take) = three_way(&add, &take, &change.source_base, &now);
                if add.is_empty() && take.is_empty() {
                    facts.extend(change.settled(&now));
                } else {
                    to_make.push((change, now, FlagChange { id: change.source_id.clone(), add, take }));
                }
            }
            if !to_make.is_empty() {
                let intents = to_make.iter().map(|(change, _, made)| FlagIntent {
                    folder: row.folder,
                    source_id: change.source_id.clone(),
                    add: made.add.clone(),
                    take: made.take.clone(),
                });
                let intents: Vec<FlagIntent> = intents.collect();
                let mut tx = self.work.store.write_for_good(&self.work.lease).await?;
                tx.open_back_flags(&intents).await?;
                tx.commit().await?;
                let made: Vec<FlagChange> = to_make.iter().map(|(_, _, made)| made.clone()).collect();
                let then = match source.change_flags(folder, &made).await {
                    Err(error) if !error.ends_session() && error.cause != Cause::InDoubt => {
                        self.flags_refused(&row.path, &to_make, &error).await?;
                        source.flags(folder, &ids_of(&made)).await.on_source()?
                    }
                    then => then.on_source()?,
                };
                for ((change, before, made), then) in to_make.into_iter().zip(then) {
                    // Not read back: as if it had been done.
                    let then = then.unwrap_or_else(|| before.without(&made.take).union(&made.add));
                    // A source that does not keep a flag says so here, each time.
                    self.done.flags += u64::from(then != before);
                    facts.extend(change.settled(&then));
                }
            }
            let mut tx = self.work.store.write(&self.work.lease).await?;
            tx.set_flags(&row, &facts).await?;
            tx.close_back_flags(row.folder).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn flags_refused(
        &mut self,
        path: &FolderPath,
        refused: &[(&Changed, Flags, FlagChange)],
        error: &connector::Error,
    ) -> Result<(), Failure> {
        self.done.failed += refused.len() as u64;
        let what = format!(
            "the source does not take what was changed on the target of {} of {:?}: {error}",
            crate::state::counted(refused.len() as u64, "item"),
            path.to_string()
        );
        self.list(path, vec![(None, error.cause, what)]).await
    }
}

fn ids_of(changes: &[FlagChange]) -> Vec<ItemId> {
    changes.iter().map(|change| change.id.clone()).collect()
}

impl Changed {
    /// What its person has put on and taken off.
    fn difference(&self) -> (Flags, Flags) {
        (self.now.without(&self.target_base), self.target_base.without(&self.now))
    }

    /// What is known of it, given how it stands at the source now. Where both sides agree that is where it was left; a flag that was
    /// changed at the source since stays the source's.
    fn settled(&self, now: &Flags) -> Option<FlagFact> {
        let (add, take) = self.difference();
        let source_flags = left(&self.source_base, &add, &take, now);
        let target_flags = left(&self.target_base, &add, &take, now);
        let is_known = (&source_flags, &target_flags) == (&self.source_base, &self.target_base);
        let source_id = self.source_id.clone();
        (!is_known).then_some(FlagFact { source_id, source_flags, target_flags: Some(target_flags) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One flag by where it is: at the source as left and now, on the target as left and now.
    #[test]
    fn a_flag_changed_on_the_target_is_carried_back_unless_the_source_changed_it_too() {
        for case in 0..16u8 {
            let f = |bit: u8| if case & (1 << bit) == 0 { Flags::NONE } else { Flags::of(["F"]) };
            let change = Changed { source_id: ItemId::from_u32(1), source_base: f(0), target_base: f(2), now: f(3) };
            let at_source = f(1);
            let (add, take) = change.difference();
            let (add, take) = three_way(&add, &take, &change.source_base, &at_source);
            let then = at_source.without(&take).union(&add);
            let is_the_persons = f(2) != f(3) && f(0) == f(1);
            assert_eq!(then, if is_the_persons { f(3) } else { f(1) }, "case {case}");
            let settled = change.settled(&then);
            let left = settled.as_ref().map_or((f(0), f(2)), |fact| {
                (fact.source_flags.clone(), fact.target_flags.clone().unwrap_or_default())
            });
            if is_the_persons {
                assert_eq!(left, (f(3), f(3)), "case {case}: both sides are left as they agree");
            }
            if f(2) == f(3) {
                assert_eq!(settled, None, "case {case}: what is as it was left is not written");
            }
            // A second carrying back finds nothing to do.
            let again = Changed { source_base: left.0, target_base: left.1, ..change.clone() };
            let (add, take) = again.difference();
            let (add, take) = three_way(&add, &take, &again.source_base, &then);
            assert!(add.is_empty() && take.is_empty(), "case {case}");
        }
    }
}
