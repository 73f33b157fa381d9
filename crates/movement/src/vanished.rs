//! Folders that the source does not have any more, or has numbered anew: what becomes of their items, and when they go.

use std::collections::HashSet;

use connector::Source;
use model::{Cause, Fate, FolderPath, FolderState, ItemId};
use store::{FolderRow, RemovalState};

use crate::decide::{AtSource, InLedger, Intent, OnTarget, decide};
use crate::failure::{Failure, OnSide};
use crate::follow::rule;
use crate::matching::Pool;
use crate::pass::Pass;

impl Pass<'_> {
    /// Folders that the source does not have any more are followed when two passes, far enough apart, have found them gone,
    /// and nothing else is.
    pub(crate) async fn follow_vanished_folders(
        &mut self,
        source: &mut dyn Source,
        began_at: i64,
    ) -> Result<(), Failure> {
        let following = self.work.policy.following;
        let settle = i64::from(following.deletion_settle_hours) * 3_600_000;
        let rest_lists = self.folders.iter().any(|work| !work.is_fresh);
        let (key, mailbox) = (self.work.key, self.work.mailbox.mailbox);
        let mut settled = Vec::new();
        for row in self.vanished_rows() {
            match source.state(&row.path).await {
                Err(error) if error.cause == Cause::Missing => {}
                Err(error) if error.ends_session() => return Err(error).on_source(),
                _ => continue, // It is there, only not listed.
            }
            let since = row.gone_at.unwrap_or(i64::MAX);
            if !rest_lists || since >= began_at || began_at - since < settle {
                self.report.again |= rest_lists && since >= began_at && settle == 0;
                continue;
            }
            let mut ids: (Vec<ItemId>, Vec<ItemId>) = (Vec::new(), Vec::new());
            // A copy that is another item's by now stays.
            let validity = row.target.unwrap_or_default().validity;
            let taken = self.work.store.target_ids(key, mailbox, &row.target_path, validity).await?;
            let mut items = self.work.store.items(key, &row);
            loop {
                let page = items.next().await?;
                if page.is_empty() {
                    break;
                }
                for item in page {
                    let ledger = InLedger::Known { fate: item.fate, source_flags: &item.source_flags };
                    match decide(&AtSource::Gone, &ledger, OnTarget::Unknown, self.work.setting) {
                        Intent::Remove if item.target_id.as_ref().is_none_or(|id| !taken.contains(id)) => {
                            ids.0.push(item.source_id);
                        }
                        _ => ids.1.push(item.source_id),
                    }
                }
            }
            let (remove, forget) = ids;
            let there = self.work.store.count_there(key, mailbox).await?;
            let (state, rule) = if following.is_mass(remove.len() as u64, there) {
                (RemovalState::Held, rule::MASS)
            } else if self.named_only.contains(&row.path) {
                // Its list and its answer disagree: the source may have lost what it still names.
                (RemovalState::Held, rule::NAMED_ONLY)
            } else {
                (RemovalState::Due, rule::FOLDER_REMOVED)
            };
            self.report.gone += (remove.len() + forget.len()) as u64;
            self.report.held_removals += if state == RemovalState::Held { remove.len() as u64 } else { 0 };
            let mut tx = self.work.store.write(&self.work.lease).await?;
            tx.part_with(&row, &remove, state, rule).await?;
            tx.forget_items(&row, &forget).await?;
            tx.commit().await?;
            settled.push(row);
        }
        self.settled_rows = settled;
        Ok(())
    }

    /// What is left of folders that were numbered anew, once every item of the new ones has a fate: the source has it no
    /// more, or not as it was.
    pub(crate) async fn hold_what_renumbering_left(&mut self) -> Result<(), Failure> {
        let (key, mailbox) = (self.work.key, self.work.mailbox.mailbox);
        for row in self.rows_gone.clone() {
            let is_new = |work: &&crate::pass::FolderWork| work.row.path == row.path && work.row.kind == row.kind;
            let Some(new) = self.folders.iter().find(is_new).filter(|work| work.is_done && !work.row.is_gone()) else {
                continue;
            };
            let mut known: Option<HashSet<ItemId>> = None;
            let (mut hold, mut forget, mut unlearnt) = (Vec::new(), Vec::new(), Vec::new());
            let target_path = new.row.target_path.clone();
            let now = self.target_folders[new.goes_to].now;
            let validity = now.or(new.row.target).or(new.listed).map_or(0, |target| target.validity);
            // Ids from before the target was numbered anew, too, say nothing.
            let is_valid = row.target.is_some_and(|target| target.validity == validity);
            let mut items = self.work.store.items(key, &row);
            loop {
                let page = items.next().await?;
                if page.is_empty() {
                    break;
                }
                if known.is_none() {
                    known = Some(self.work.store.target_ids(key, mailbox, &target_path, validity).await?);
                }
                for item in page {
                    let is_taken = |id: &ItemId| known.as_ref().is_some_and(|known| known.contains(id));
                    let is_ours = item.fate == Fate::Copied && is_valid;
                    match &item.target_id {
                        Some(id) if is_ours && !is_taken(id) => hold.push((item.source_id, None)),
                        None if item.fate == Fate::Copied => unlearnt.push(item),
                        _ => forget.push(item.source_id),
                    }
                }
            }
            if !unlearnt.is_empty() {
                let mut pool = Pool::new(self.unknown_at(&target_path, &FolderState::beginning(validity), &[]).await?);
                for item in unlearnt {
                    match item.exact.and_then(|exact| pool.find_digest(exact, item.received)) {
                        Some(candidate) => hold.push((item.source_id, Some(candidate.id))),
                        None => forget.push(item.source_id),
                    }
                }
            }
            if !hold.is_empty() || !forget.is_empty() {
                self.report.held_removals += hold.len() as u64;
                let ids: Vec<ItemId> = hold.iter().map(|(id, _)| id.clone()).collect();
                let mut tx = self.work.store.write(&self.work.lease).await?;
                tx.part_with(&row, &ids, RemovalState::Held, rule::RENUMBERED).await?;
                let learnt = hold.into_iter().filter_map(|(id, target_id)| Some((id, target_id?)));
                tx.set_removal_targets(row.folder, &learnt.collect::<Vec<_>>()).await?;
                tx.forget_items(&row, &forget).await?;
                tx.commit().await?;
            }
            self.settled_rows.push(row);
        }
        Ok(())
    }

    /// Folders of which nothing is left: removed from the target where they were ours alone, and forgotten.
    pub(crate) async fn clean_up(&mut self) -> Result<(), Failure> {
        let mut rows = std::mem::take(&mut self.settled_rows);
        if rows.is_empty() {
            return Ok(());
        }
        // Those below first.
        rows.sort_by_key(|row| std::cmp::Reverse(row.target_path.names().len()));
        let (key, mailbox) = (self.work.key, self.work.mailbox.mailbox);
        let removals = self.work.store.held_removals(key, mailbox).await?;
        let mut left: Vec<FolderRow> =
            self.folders.iter().map(|work| &work.row).chain(&self.rows_gone).cloned().collect();
        let mut handed_on: HashSet<i64> = HashSet::new();
        for row in rows {
            let has_removals = removals.iter().any(|held| held.folder == row.folder);
            let has_intents = self.intents.iter().any(|intent| intent.folder == row.folder);
            if has_removals || has_intents || self.work.store.count_items(key, &row).await? > 0 {
                continue;
            }
            let is_made = row.made || handed_on.contains(&row.folder);
            let is_other = |other: &&FolderRow| other.folder != row.folder && other.target_path == row.target_path;
            let other = left.iter().find(is_other).map(|other| other.folder);
            if is_made && other.is_none() && !self.work.setting.in_use {
                let is_below =
                    |path: &FolderPath| *path != row.target_path && path.names().starts_with(row.target_path.names());
                if self.on_target.iter().any(is_below) {
                    continue; // It goes once those below it are gone.
                }
                match self.target.remove_folder(&row.target_path).await {
                    Ok(removed) => {
                        self.report.folders_removed += u64::from(removed);
                        if removed {
                            self.on_target.remove(&row.target_path);
                        }
                    }
                    Err(error) if error.ends_session() => return Err(error).on_target(),
                    Err(error) => tracing::info!(mailbox, %error, "a folder stays on the target"),
                }
            }
            let mut tx = self.work.store.write(&self.work.lease).await?;
            // Whoever goes there last may remove what we made.
            if let Some(other) = other.filter(|_| is_made) {
                tx.set_made(other).await?;
                handed_on.insert(other);
            }
            tx.drop_folder(row.folder).await?;
            tx.commit().await?;
            left.retain(|other| other.folder != row.folder);
        }
        Ok(())
    }
}
