//! Before reading: which folders there are on both sides, which rows of the ledger they are, and the folders to be made
//! on the target.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use connector::{Folder, NewFolder, Source};
use model::{Cause, FolderPath, FolderState, ItemKind, Side};
use store::FolderRow;

use crate::failure::{Failure, OnSide};
use crate::folders::{moved_below, other_path};
use crate::matching::Pool;
use crate::pass::{FolderWork, Pass, WouldDo, exception};

/// How often refused folders are tried under other names: once for a refused parent, once for the folders below it that
/// were refused with it, once more for a name that both halves of a pair took.
const ROUNDS: usize = 3;

impl Pass<'_> {
    /// Lists both sides, makes missing folders, and says which folders have to be read (by their place in `folders`).
    pub(crate) async fn prepare(&mut self, source: &mut dyn Source) -> Result<Vec<usize>, Failure> {
        let (listed, there) = tokio::try_join!(async { source.folders().await.on_source() }, async {
            self.target.folders().await.on_target()
        })?;
        let mut held = Vec::new();
        for folder in listed.into_iter().filter(|folder| folder.holds_items) {
            let state = match folder.state {
                Some(state) => Ok(state),
                None => source.state(&folder.path).await,
            };
            match state {
                Ok(state) => held.push((folder, state)),
                Err(error) if error.ends_session() => return Err(error).on_source(),
                Err(error) => {
                    let what = format!("the folder {:?} could not be opened: {error}", folder.path.to_string());
                    self.report.again |= error.cause == Cause::Missing;
                    self.report.blocked(error.cause, Some(Side::Source), what);
                }
            }
        }
        let items = held.iter().map(|(_, state)| state.count).sum();
        self.work.progress.with(self.work.mailbox.mailbox, |progress| {
            progress.items_listed = items;
            progress.items_done = 0;
        });
        let uses = self.know_folders(held).await?;
        self.make_folders(there, &uses).await?;
        let to_read = self.folders_to_read().await?;
        // Batches to folders that the source has no more: nothing is read there, but their outcome is looked for.
        for row in std::mem::take(&mut self.left_behind) {
            let mut work = folder_work(row, false, FolderState::default());
            work.is_done = true;
            self.folders.push(work);
        }
        Ok(to_read)
    }

    /// Finds or makes the ledger's row of each folder. Returns what each folder is for and whether it is followed.
    async fn know_folders(&mut self, held: Vec<(Folder, FolderState)>) -> Result<Vec<Folder>, Failure> {
        let key = self.work.key;
        let rows = self.work.store.folders(key, self.work.mailbox.mailbox).await?;
        let endpoint = self.work.mailbox.roster.source_endpoint;
        let mut known: BTreeMap<(FolderPath, ItemKind, u64), FolderRow> = rows
            .into_iter()
            .filter(|row| row.endpoint == endpoint)
            .map(|row| ((row.path.clone(), row.kind, row.validity), row))
            .collect();
        let mut tx = if self.work.dry_run { None } else { Some(self.work.store.write(&self.work.lease).await?) };
        let mut uses = Vec::new();
        let mut changed = false;
        for (folder, state) in held {
            let old = known.remove(&(folder.path.clone(), folder.kind, state.validity));
            let is_fresh = old.is_none();
            let row = if let Some(mut row) = old {
                if row.is_gone
                    && let Some(tx) = &mut tx
                {
                    tx.set_gone(row.folder, false).await?;
                    changed = true;
                }
                row.is_gone = false;
                row
            } else {
                // A folder that the source has numbered anew goes on where it is on the target, under whatever name.
                let before =
                    known.range((folder.path.clone(), folder.kind, 0)..=(folder.path.clone(), folder.kind, u64::MAX));
                let before = before.map(|(_, row)| row).max_by_key(|row| row.folder);
                let new = store::NewFolder {
                    endpoint,
                    kind: folder.kind,
                    path: folder.path.clone(),
                    validity: state.validity,
                    target_path: before.map_or_else(|| folder.path.clone(), |row| row.target_path.clone()),
                };
                let number = match &mut tx {
                    Some(tx) => tx.add_folder(&new).await?,
                    None => 0,
                };
                changed = true;
                FolderRow {
                    folder: number,
                    endpoint,
                    kind: new.kind,
                    path: new.path,
                    validity: new.validity,
                    source: None,
                    cursor: None,
                    target_path: new.target_path,
                    target: None,
                    is_gone: false,
                }
            };
            self.folders.push(folder_work(row, is_fresh, state));
            uses.push(folder);
        }
        // What is left is not listed any more, or has another validity now.
        for mut row in known.into_values() {
            if let Some(tx) = &mut tx
                && !row.is_gone
            {
                tx.set_gone(row.folder, true).await?;
                changed = true;
                row.is_gone = true;
            }
            if self.intents.iter().any(|intent| intent.folder == row.folder) {
                self.left_behind.push(row);
            }
        }
        if let Some(tx) = tx
            && changed
        {
            tx.commit().await?;
        }
        Ok(uses)
    }

    /// Makes the folders that the target lacks, under other names where it refuses theirs.
    async fn make_folders(&mut self, there: Vec<Folder>, uses: &[Folder]) -> Result<(), Failure> {
        let mut there: BTreeMap<FolderPath, Folder> = there.into_iter().map(|f| (f.path.clone(), f)).collect();
        let mut made = BTreeSet::new();
        let mut taken: BTreeSet<FolderPath> = there.keys().cloned().collect();
        taken.extend(self.folders.iter().map(|work| work.row.target_path.clone()));
        for work in &mut self.folders {
            if !self.work.target_kinds.contains(&work.row.kind) {
                let what = format!("the target holds no {}s", work.row.kind.name());
                work.unusable = Some(connector::Error::new(Cause::Unsupported, model::Scope::Folder, what));
            }
        }
        for _ in 0..ROUNDS {
            let needed = self.folders_needed(&there, &made, uses);
            if self.work.dry_run {
                for (index, _) in needed {
                    let work = &mut self.folders[index];
                    work.would.make = !there.contains_key(&work.row.target_path);
                }
                break;
            }
            if needed.is_empty() {
                break;
            }
            let new: Vec<NewFolder> = needed.iter().map(|(_, new)| new.clone()).collect();
            let results = self.target.create(&new).await.on_target()?;
            let mut refused = Vec::new();
            for ((index, new), result) in needed.into_iter().zip(results) {
                match result {
                    Ok(()) => {
                        self.report.folders_made += u64::from(!there.contains_key(&new.path));
                        made.insert(new.path);
                    }
                    Err(error) if error.cause == Cause::FolderRefused => refused.push((index, new.path, error)),
                    Err(error) => self.folders[index].unusable = Some(error),
                }
            }
            if refused.is_empty() {
                break;
            }
            self.rename_refused(refused, &mut taken).await?;
        }
        for (index, _) in self.folders_needed(&there, &made, uses) {
            if self.work.dry_run || there.contains_key(&self.folders[index].row.target_path) {
                continue;
            }
            let work = &mut self.folders[index];
            let what = format!("the target made no folder {:?}", work.row.target_path.to_string());
            work.unusable.get_or_insert(connector::Error::new(Cause::FolderRefused, model::Scope::Folder, what));
        }
        for work in &mut self.folders {
            if let Some(error) = &work.unusable {
                let path = work.row.target_path.to_string();
                let what = format!("the folder {path:?} could not be made on the target: {error}");
                work.exceptions.push(exception(error.cause, &work.row, None, None, what));
            }
        }
        if !made.is_empty() {
            there = self.target.folders().await.on_target()?.into_iter().map(|f| (f.path.clone(), f)).collect();
        }
        for work in &mut self.folders {
            work.listed = there.get(&work.row.target_path).and_then(|folder| folder.state);
        }
        // Said at once: otherwise a folder that did not change at the source would be in step with one that lost its items.
        for index in 0..self.folders.len() {
            if let Some(listed) = self.folders[index].listed {
                self.require_same_target(index, listed.validity)?;
            }
        }
        Ok(())
    }

    /// Folders that the target lacks, or that are followed on the source and not there.
    fn folders_needed(
        &self,
        there: &BTreeMap<FolderPath, Folder>,
        made: &BTreeSet<FolderPath>,
        uses: &[Folder],
    ) -> Vec<(usize, NewFolder)> {
        let mut needed = Vec::new();
        for (index, (work, used)) in self.folders.iter().zip(uses).enumerate() {
            let path = &work.row.target_path;
            let is_there =
                there.get(path).is_some_and(|folder| folder.holds_items && (folder.subscribed || !used.subscribed));
            if work.unusable.is_some() || is_there || made.contains(path) {
                continue;
            }
            let special_use = used.special_use.filter(|special_use| {
                self.target.offers().special_use && there.values().all(|f| f.special_use != Some(*special_use))
            });
            let new = NewFolder { path: path.clone(), kind: work.row.kind, special_use, subscribe: used.subscribed };
            needed.push((index, new));
        }
        needed
    }

    /// Gives refused folders, and those below them, other names.
    async fn rename_refused(
        &mut self,
        mut refused: Vec<(usize, FolderPath, connector::Error)>,
        taken: &mut BTreeSet<FolderPath>,
    ) -> Result<(), Failure> {
        refused.sort_by_key(|(_, path, _)| path.names().len());
        let mut tx = self.work.store.write(&self.work.lease).await?;
        let mut renamed: BTreeSet<usize> = BTreeSet::new();
        for (index, path, error) in refused {
            if self.folders[index].row.target_path != path {
                continue; // Its parent has another name by now: it is tried there first.
            }
            let other = other_path(&path, taken);
            taken.insert(other.clone());
            for (below, work) in self.folders.iter_mut().enumerate() {
                if let Some(moved) = moved_below(&work.row.target_path, &path, &other) {
                    work.row.target_path = moved;
                    renamed.insert(below);
                }
            }
            let work = &self.folders[index];
            let what = format!(
                "the folder {:?} is {:?} on the target, which refused its name: {error}",
                work.row.path.to_string(),
                other.to_string()
            );
            tx.add_exception(&exception(Cause::FolderRefused, &work.row, None, None, what)).await?;
        }
        for index in renamed {
            let row = &self.folders[index].row;
            tx.set_target_path(row.folder, &row.target_path).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The folders that may hold anything new: all but those that are proved to stand as they were last read.
    async fn folders_to_read(&mut self) -> Result<Vec<usize>, Failure> {
        let mut to_read = Vec::new();
        for index in 0..self.folders.len() {
            let work = &self.folders[index];
            let has_intents = self.intents.iter().any(|intent| intent.folder == work.row.folder);
            let unchanged = work.row.source.is_some_and(|read| work.state.proves_unchanged(&read));
            if unchanged && !has_intents {
                let count = work.state.count;
                self.work.progress.with(self.work.mailbox.mailbox, |progress| progress.items_done += count);
                if self.work.setting.retry_failed {
                    let failed = self.work.store.failed_ids(self.work.key, work.row.folder, &crate::pass::LASTING);
                    let failed = failed.await?;
                    self.folders[index].read_again = failed;
                }
                self.folders[index].is_done = true;
            } else {
                to_read.push(index);
            }
        }
        Ok(to_read)
    }
}

fn folder_work(row: FolderRow, is_fresh: bool, state: FolderState) -> FolderWork {
    let would =
        WouldDo { folder: row.path.to_string(), target_folder: row.target_path.to_string(), ..WouldDo::default() };
    FolderWork {
        row,
        is_fresh,
        unusable: None,
        listed: None,
        now: None,
        pool: Pool::default(),
        ours: HashSet::new(),
        deferred: Vec::new(),
        batch: Vec::new(),
        batch_bytes: 0,
        flights: 0,
        facts: Vec::new(),
        failures: Vec::new(),
        cleared: Vec::new(),
        taken_back: Vec::new(),
        exceptions: Vec::new(),
        cursor: None,
        flag_changes: Vec::new(),
        gone: Vec::new(),
        seen: HashSet::new(),
        read_ids: HashSet::new(),
        read_again: Vec::new(),
        not_there: HashSet::new(),
        without_id: 0,
        is_unsure: false,
        fates: 0,
        state,
        end: None,
        is_done: false,
        would,
    }
}
