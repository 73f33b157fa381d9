//! Before reading: which folders there are on both sides, which rows of the ledger they are, and the folders to be made
//! on the target.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use connector::{Folder, NewFolder, Source};
use model::{Cause, Fate, Flags, FolderPath, FolderState, ItemId, ItemKind, Side};
use store::{Fact, FolderRow, LedgerItem, NewException};

use crate::failure::{Failure, OnSide};
use crate::folders::{moved_below, other_path};
use crate::pass::{FolderWork, Pass, exception};
use crate::places::{Places, without_case};
use crate::report::WouldDo;
use crate::travel::{Lane, Travel};

/// How often refused folders are tried under other names: once for a refused parent, once for the folders below it that
/// were refused with it, once more for a name that both halves of a pair took.
const ROUNDS: usize = 3;

/// A folder as the source would list it, as far as the ledger knows.
pub(crate) fn listed_as(row: &FolderRow, state: FolderState) -> Folder {
    Folder {
        path: row.path.clone(),
        kind: row.kind,
        holds_items: true,
        special_use: None,
        subscribed: row.subscribed.unwrap_or(row.is_following_begun),
        state: Some(state),
        size_bytes: None,
    }
}

/// What the source lists.
struct Listed {
    held: Vec<(Folder, FolderState)>,
    /// The folders for deleted items.
    trash: Vec<FolderPath>,
    numbers_rise: bool,
}

impl Pass<'_> {
    /// Lists both sides, makes missing folders, and says which folders have to be read (by their place in `folders`).
    pub(crate) async fn prepare(&mut self, source: &mut dyn Source) -> Result<Vec<usize>, Failure> {
        let (listed, there) = tokio::try_join!(async { source.folders().await.on_source() }, async {
            self.target.folders().await.on_target()
        })?;
        let (mut held, mut missing) = (Vec::new(), Vec::new());
        let names: HashSet<Vec<String>> = listed.iter().map(|folder| without_case(&folder.path)).collect();
        let trash = Travel::trash(listed.iter());
        for folder in listed.into_iter().filter(|folder| folder.holds_items) {
            let state = match folder.state {
                Some(state) => Ok(state),
                None => source.state(&folder.path).await,
            };
            match state {
                Ok(state) => held.push((folder, state)),
                Err(error) if error.ends_session() => return Err(error).on_source(),
                Err(error) if error.cause == Cause::Missing => missing.push((folder, error)),
                Err(error) => self.cannot_open(&folder, &error),
            }
        }
        if !missing.is_empty() {
            held.extend(self.look_for_missing(source, missing).await?);
        }
        let rows = self.work.store.folders(self.work.key, self.work.mailbox.mailbox).await?;
        self.find_not_listed(source, &rows, names, &mut held).await?;
        let items = held.iter().map(|(_, state)| state.count).sum();
        self.work.progress.with(self.work.mailbox.mailbox, |progress| {
            progress.items_listed = items;
            progress.items_done = 0;
        });
        let there: BTreeMap<FolderPath, Folder> = there.into_iter().map(|f| (f.path.clone(), f)).collect();
        // Those that keep their names first: what is renamed goes beside them.
        held.sort_by_key(|(folder, _)| self.work.travel.place(&folder.path) != folder.path);
        let listed = Listed { held, trash, numbers_rise: source.offers().numbers_rise };
        self.freeze(&there).await?;
        let mut uses = self.know_folders(listed, rows, &there).await?;
        self.use_together(&mut uses);
        self.follow_target(&there).await?;
        self.check_quota(source, &there, &uses).await?;
        self.makes_room_first |= self.may_make_room().await?;
        if !self.work.dry_run {
            self.settle_flag_intents().await?;
            self.keep_what_was_to_go().await?;
            Box::pin(self.thaw()).await?;
        }
        self.make_folders(there, &uses).await?;
        self.bring_together();
        self.follow_subscriptions(&uses).await?;
        self.take_words().await?;
        self.know_departed().await?;
        let to_read = self.folders_to_read();
        // Batches to folders that the source has no more: nothing is read there, but their outcome is looked for.
        for row in std::mem::take(&mut self.left_behind) {
            let mut work = folder_work(row, false, FolderState::default());
            work.is_done = true;
            self.add_folder(work);
        }
        Ok(to_read)
    }

    fn cannot_open(&mut self, folder: &Folder, error: &connector::Error) {
        self.is_all_read = false;
        if error.cause != Cause::Missing {
            self.may_be_there.insert(folder.path.clone());
        }
        let what = format!("the folder {:?} could not be opened: {error}", folder.path.to_string());
        self.report.blocked(error.cause, Some(Side::Source), what);
    }

    /// Folders that were listed and then not there. One that is no longer listed went, or has another name, since: the next
    /// pass knows more. Some servers list, for good, what does not exist: such a name counts as not listed. Returns those that
    /// are there after all.
    async fn look_for_missing(
        &mut self,
        source: &mut dyn Source,
        missing: Vec<(Folder, connector::Error)>,
    ) -> Result<Vec<(Folder, FolderState)>, Failure> {
        let listed = source.folders().await.on_source()?;
        let (mut found, mut names) = (Vec::new(), Vec::new());
        for (folder, error) in missing {
            let is_it = |now: &&Folder| now.holds_items && (&now.path, now.kind) == (&folder.path, folder.kind);
            let Some(now) = listed.iter().find(is_it) else {
                self.report.again = true;
                self.cannot_open(&folder, &error);
                continue;
            };
            let state = match now.state {
                Some(state) => Ok(state),
                None => source.state(&folder.path).await,
            };
            match state {
                Ok(state) => found.push((folder, state)),
                Err(error) if error.ends_session() => return Err(error).on_source(),
                Err(error) if error.cause == Cause::Missing => {
                    let what =
                        format!("the source lists the folder {:?} and has none: {error}", folder.path.to_string());
                    names.push(NewException {
                        class: Cause::Missing,
                        path: folder.path,
                        source_id: None,
                        target_id: None,
                        what,
                    });
                }
                Err(error) => self.cannot_open(&folder, &error),
            }
        }
        self.named_only.extend(names.iter().map(|name| name.path.clone()));
        if !names.is_empty() && !self.work.dry_run {
            let mut tx = self.work.store.write(&self.work.lease).await?;
            for name in &names {
                tx.add_exception(name).await?;
            }
            tx.commit().await?;
        }
        Ok(found)
    }

    /// Folders that were read before and that the source leaves out of its list, but has: they are read all the same. Else their
    /// items would seem to be gone, or to have moved.
    async fn find_not_listed(
        &mut self,
        source: &mut dyn Source,
        rows: &[FolderRow],
        mut listed: HashSet<Vec<String>>,
        held: &mut Vec<(Folder, FolderState)>,
    ) -> Result<(), Failure> {
        let endpoint = self.work.mailbox.roster.source_endpoint;
        let mut unclear = Vec::new();
        let now = self.work.store.now().await?;
        let settle = i64::from(self.work.policy.following.deletion_settle_hours) * 3_600_000;
        for row in rows.iter().rev().filter(|row| row.endpoint == endpoint) {
            if !listed.insert(without_case(&row.path)) {
                continue;
            }
            let state = match source.state(&row.path).await {
                Ok(state) => state,
                Err(error) if error.ends_session() => return Err(error).on_source(),
                Err(error) if error.cause == Cause::Missing => continue,
                Err(error) => {
                    self.may_be_there.insert(row.path.clone());
                    let what = format!(
                        "the folder {:?} is not listed any more, and the source does not say that it is not there: {error}",
                        row.path.to_string()
                    );
                    if row.gone_at.is_none_or(|since| now - since < settle) {
                        // It may be so only now: nothing is removed that may lie there.
                        self.is_all_read = false;
                        self.report.blocked(error.cause, Some(Side::Source), what);
                    } else {
                        // The server has no other words, or the folder is out of reach for good: only what is in it waits.
                        unclear.push(exception(error.cause, row, None, None, what));
                    }
                    continue;
                }
            };
            // Another name of a folder that has a new one: its items have moved there.
            let is_it = |(_, other): &(Folder, FolderState)| *other == state;
            let has_row = |folder: &Folder| rows.iter().any(|row| row.path == folder.path && !row.is_gone());
            if state.count > 0 && state.change != 0 && held.iter().any(|new| is_it(new) && !has_row(&new.0)) {
                continue;
            }
            tracing::warn!(mailbox = self.work.mailbox.mailbox, "a folder is not listed by the source, and is there");
            held.push((listed_as(row, state), state));
        }
        if !unclear.is_empty() && !self.work.dry_run {
            let mut tx = self.work.store.write(&self.work.lease).await?;
            for exception in &unclear {
                tx.add_exception(exception).await?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    /// Finds or makes the ledger's row of each folder. Returns what each folder is for and whether it is followed.
    async fn know_folders(
        &mut self,
        Listed { held, trash, numbers_rise }: Listed,
        rows: Vec<FolderRow>,
        there: &BTreeMap<FolderPath, Folder>,
    ) -> Result<Vec<Folder>, Failure> {
        let endpoint = self.work.mailbox.roster.source_endpoint;
        let mut known: BTreeMap<(FolderPath, ItemKind, u64), FolderRow> = rows
            .into_iter()
            .filter(|row| row.endpoint == endpoint)
            .map(|row| ((row.path.clone(), row.kind, row.validity), row))
            .collect();
        let mut tx = if self.work.dry_run { None } else { Some(self.work.store.write(&self.work.lease).await?) };
        let mut uses = Vec::new();
        let mut changed = false;
        // Where folders go that were written to; those that are new go elsewhere.
        let was_written_to = |row: &FolderRow| row.target.is_some() || row.made || row.is_making_begun;
        let settled = known.values().filter(|row| !row.is_gone() && was_written_to(row));
        let mut places = Places::default();
        for row in settled {
            places.settle(&self.work.travel, &row.path, &row.target_path);
        }
        let mut displaced = Vec::new();
        if trash.is_empty() && self.work.travel.leaves_deleted_items() {
            let what = "no folder of the source says that it is for deleted items, so none was left behind: name it in \
                policy.folders_left";
            displaced.push(NewException {
                class: Cause::Unsupported,
                path: FolderPath::inbox(),
                source_id: None,
                target_id: None,
                what: what.to_owned(),
            });
        }
        for (folder, state) in held {
            let mut old = known.remove(&(folder.path.clone(), folder.kind, state.validity));
            if let Some(mut row) =
                old.take_if(|row| numbers_rise && row.source.is_some_and(|read| stands_lower(&state, &read)))
            {
                // A backup was restored: ids above those of the backup are given out a second time. So it is read like a
                // folder that was numbered anew, and what is known to be there is found again by its bytes.
                if let Some(tx) = &mut tx {
                    tx.retire_folder(row.folder).await?;
                    changed = true;
                }
                row.validity = row.folder.wrapping_neg() as u64;
                row.gone_at = Some(i64::MAX);
                tracing::info!(mailbox = self.work.mailbox.mailbox, "a folder of the source was restored");
                known.insert((row.path.clone(), row.kind, row.validity), row);
            }
            let is_fresh = old.is_none();
            let range = (folder.path.clone(), folder.kind, 0)..=(folder.path.clone(), folder.kind, u64::MAX);
            let was_known = known.range(range).any(|(_, row)| was_written_to(row));
            let row = if let Some(mut row) = old {
                if row.is_gone()
                    && let Some(tx) = &mut tx
                {
                    tx.set_gone(row.folder, false).await?;
                    // While it was away its items may have been moved or parted with: it is counted anew.
                    tx.forget_source_state(row.folder).await?;
                    changed = true;
                }
                if row.is_gone() {
                    row.source = None;
                }
                row.gone_at = None;
                row
            } else {
                // A folder that the source has numbered anew goes on where it is on the target, under whatever name.
                let before =
                    known.range((folder.path.clone(), folder.kind, 0)..=(folder.path.clone(), folder.kind, u64::MAX));
                let before = before.map(|(_, row)| row).max_by_key(|row| row.folder);
                let (made, subscribed) = before.map_or((false, None), |row| (row.made, row.subscribed));
                let new = store::NewFolder {
                    endpoint,
                    kind: folder.kind,
                    path: folder.path.clone(),
                    validity: state.validity,
                    target_path: before
                        .map_or_else(|| places.free(&self.work.travel, &folder.path), |row| row.target_path.clone()),
                };
                let mut number = 0;
                if let Some(tx) = &mut tx {
                    number = tx.add_folder(&new).await?;
                    if made {
                        tx.set_made(number).await?;
                    }
                    if let Some(subscribed) = subscribed {
                        tx.set_subscribed(number, subscribed).await?;
                    }
                }
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
                    gone_at: None,
                    subscribed,
                    is_following_begun: false,
                    made,
                    is_making_begun: false,
                    compared: (0, 0),
                }
            };
            let lane = self.work.travel.lane(&folder.path, &trash);
            let mut row = row;
            if lane.left_by.is_none() {
                if !was_written_to(&row) && !is_fresh {
                    // Nothing of it lies anywhere yet: it goes where it would go if it were new.
                    let place = places.free(&self.work.travel, &folder.path);
                    if place != row.target_path {
                        if let Some(tx) = &mut tx {
                            tx.set_target_path(row.folder, &place).await?;
                            changed = true;
                        }
                        row.target_path = place;
                    }
                }
                places.insert(&row.target_path);
                let wanted = self.work.travel.place(&folder.path);
                let is_together =
                    self.work.travel.merges(&wanted) && without_case(&row.target_path) == without_case(&wanted);
                if !was_written_to(&row) && row.target_path != wanted && !is_together {
                    let what = format!(
                        "the folder {:?} is {:?} on the target: another folder goes to {:?}",
                        folder.path.to_string(),
                        row.target_path.to_string(),
                        wanted.to_string()
                    );
                    displaced.push(exception(Cause::FolderCollision, &row, None, None, what));
                }
            }
            let is_there = there.contains_key(&row.target_path);
            let was_written_to = is_there && (was_written_to(&row) || was_known);
            self.add_folder(FolderWork { lane, was_written_to, ..folder_work(row, is_fresh, state) });
            uses.push(folder);
        }
        // What is left is not listed any more, or has another validity now.
        for mut row in known.into_values() {
            if let Some(tx) = &mut tx
                && !row.is_gone()
            {
                tx.set_gone(row.folder, true).await?;
                changed = true;
                row.gone_at = Some(i64::MAX);
            }
            if self.intents.iter().any(|intent| intent.folder == row.folder) {
                self.left_behind.push(row.clone());
            }
            self.rows_gone.push(row);
        }
        if let Some(mut tx) = tx
            && (changed || !displaced.is_empty())
        {
            for exception in &displaced {
                tx.add_exception(exception).await?;
            }
            tx.commit().await?;
        }
        Ok(uses)
    }

    /// Makes the folders that the target lacks, under other names where it refuses theirs.
    async fn make_folders(&mut self, mut there: BTreeMap<FolderPath, Folder>, uses: &[Folder]) -> Result<(), Failure> {
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
            // Before they are made, and after: one that is there after a stop in between may be its person's, and stays.
            let ours: Vec<usize> =
                needed.iter().filter(|(_, new)| !there.contains_key(&new.path)).map(|(index, _)| *index).collect();
            let mut tx = self.work.store.write(&self.work.lease).await?;
            for index in ours {
                let row = &mut self.folders[index].row;
                if !row.made && !row.is_making_begun {
                    row.is_making_begun = true;
                    tx.begin_making(row.folder).await?;
                }
            }
            for (index, _) in needed.iter().filter(|(_, new)| new.subscribe) {
                let row = &mut self.folders[*index].row;
                if row.subscribed != Some(true) && !row.is_following_begun {
                    row.is_following_begun = true;
                    tx.begin_following(row.folder).await?;
                }
            }
            tx.commit().await?;
            let new: Vec<NewFolder> = needed.iter().map(|(_, new)| new.clone()).collect();
            let results = self.target.create(&new).await.on_target()?;
            let (mut refused, mut ours) = (Vec::new(), Vec::new());
            for ((index, new), result) in needed.into_iter().zip(results) {
                match result {
                    Ok(()) => {
                        if !there.contains_key(&new.path) {
                            self.report.folders_made += 1;
                            ours.push(index);
                        }
                        made.insert(new.path);
                    }
                    Err(error) if error.cause == Cause::FolderRefused => refused.push((index, new.path, error)),
                    Err(error) => self.cannot_use(&new.path, &error),
                }
            }
            ours.retain(|index| !self.folders[*index].row.made);
            if !ours.is_empty() {
                let mut tx = self.work.store.write(&self.work.lease).await?;
                for index in ours {
                    let row = &mut self.folders[index].row;
                    (row.made, row.is_making_begun) = (true, false);
                    tx.set_made(row.folder).await?;
                }
                tx.commit().await?;
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
            let path = self.folders[index].row.target_path.clone();
            let what = format!("the target made no folder {:?}", path.to_string());
            self.cannot_use(&path, &connector::Error::new(Cause::FolderRefused, model::Scope::Folder, what));
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
        self.on_target = there.into_keys().collect();
        Ok(())
    }

    /// Nothing can go to this folder of the target.
    fn cannot_use(&mut self, path: &FolderPath, error: &connector::Error) {
        for index in self.going_to(path) {
            self.folders[index].unusable.get_or_insert_with(|| error.clone());
        }
    }

    /// Folders that the target lacks, each once.
    fn folders_needed(
        &self,
        there: &BTreeMap<FolderPath, Folder>,
        made: &BTreeSet<FolderPath>,
        uses: &[Folder],
    ) -> Vec<(usize, NewFolder)> {
        let mut needed = Vec::new();
        let mut paths = BTreeSet::new();
        for (index, (work, used)) in self.folders.iter().zip(uses).enumerate() {
            let path = &work.row.target_path;
            let is_there = there.get(path).is_some_and(|folder| {
                // Followed at the source, and that was not passed on yet, by whichever goes there.
                let is_told = |index: usize| self.folders[index].row.subscribed == Some(true);
                // What its person follows on the target is theirs to say, once the source is left.
                let is_to_follow =
                    used.subscribed && !self.work.setting.is_frozen && !self.going_to(path).into_iter().any(is_told);
                folder.holds_items && (folder.subscribed || !is_to_follow)
            });
            if !work.is_written_to() || is_there || work.is_withdrawn || made.contains(path) {
                continue;
            }
            if paths.insert(path) {
                needed.push((index, self.as_new(work, used, there)));
            }
        }
        needed
    }

    /// How a folder is made on the target.
    fn as_new(&self, work: &FolderWork, used: &Folder, there: &BTreeMap<FolderPath, Folder>) -> NewFolder {
        let special_use = used.special_use.filter(|special_use| {
            self.target.offers().special_use && there.values().all(|f| f.special_use != Some(*special_use))
        });
        let (path, kind) = (work.row.target_path.clone(), work.row.kind);
        NewFolder { path, kind, special_use, subscribe: used.subscribed }
    }

    /// Makes a folder again that its person removed on the target, because there is something new to be put into it.
    pub(crate) async fn make_again(&mut self, index: usize) -> Result<(), Failure> {
        if !self.folders[index].is_withdrawn {
            return Ok(());
        }
        let work = &self.folders[index];
        let (path, kind) = (work.row.target_path.clone(), work.row.kind);
        let subscribe = work.row.subscribed.unwrap_or(false);
        let new = NewFolder { path, kind, special_use: None, subscribe };
        for result in self.target.create(std::slice::from_ref(&new)).await.on_target()? {
            result.on_target()?;
        }
        let mut tx = self.work.store.write(&self.work.lease).await?;
        for index in self.going_to(&new.path) {
            let work = &mut self.folders[index];
            work.is_withdrawn = false;
            work.row.target = None;
            tx.set_target_state(work.row.folder, &FolderState::default()).await?;
        }
        tx.commit().await?;
        self.report.folders_made += 1;
        Ok(())
    }

    /// Follows what the person followed or left at the source since that was last read.
    async fn follow_subscriptions(&mut self, uses: &[Folder]) -> Result<(), Failure> {
        if self.work.dry_run {
            return Ok(());
        }
        let mut changed = Vec::new();
        for (index, used) in uses.iter().enumerate() {
            let work = &self.folders[index];
            let is_theirs = self.work.setting.is_frozen && work.row.subscribed.is_some();
            if !work.is_written_to() || work.is_withdrawn || is_theirs || work.row.subscribed == Some(used.subscribed) {
                continue;
            }
            if !used.subscribed && (work.row.subscribed == Some(true) || work.row.is_following_begun) {
                let (path, folder) = (work.row.target_path.clone(), work.row.folder);
                // Should this be broken off, it is not known whether the target follows it.
                let mut tx = self.work.store.write(&self.work.lease).await?;
                tx.begin_following(folder).await?;
                tx.commit().await?;
                self.target.subscribe(&path, false).await.on_target()?;
            }
            changed.push((index, used.subscribed));
        }
        if changed.is_empty() {
            return Ok(());
        }
        let mut tx = self.work.store.write(&self.work.lease).await?;
        for (index, subscribed) in changed {
            let row = &mut self.folders[index].row;
            tx.set_subscribed(row.folder, subscribed).await?;
            (row.subscribed, row.is_following_begun) = (Some(subscribed), false);
        }
        tx.commit().await?;
        Ok(())
    }

    /// What people have said about items that waited for their word.
    async fn take_words(&mut self) -> Result<(), Failure> {
        if self.work.dry_run {
            return Ok(());
        }
        for held in self.held.values().filter(|held| held.is_another.is_some()).cloned().collect::<Vec<_>>() {
            let Some(index) = self.folders.iter().position(|work| work.row.folder == held.folder) else { continue };
            if held.is_another == Some(true) {
                self.folders[index].another.insert(held.source_id.clone());
                self.folders[index].read_again.push(held.source_id);
                continue;
            }
            let (id, row) = (&held.source_id, self.folders[index].row.clone());
            let known = self.work.store.items_between(self.work.key, &row, id, id).await?.pop();
            let Some((known, target_id)) = known.zip(held.target_id) else { continue };
            let (key, mailbox) = (self.work.key, self.work.mailbox.mailbox);
            let validity = self.known(index, &row.target_path).validity;
            if self.work.store.target_ids(key, mailbox, &row.target_path, validity).await?.contains(&target_id) {
                // It is another item's copy since: each has its own.
                self.folders[index].another.insert(held.source_id.clone());
                self.folders[index].read_again.push(held.source_id);
                continue;
            }
            let there = self
                .target
                .flags(self.known(index, &row.target_path), std::slice::from_ref(&target_id))
                .await
                .on_target()?;
            let Some(Some(there)) = there.into_iter().next() else { continue };
            let fact = known_adopted(known, target_id, there);
            let mut tx = self.work.store.write(&self.work.lease).await?;
            tx.add_facts(&row, &[fact]).await?;
            tx.release_items(row.folder, std::slice::from_ref(id)).await?;
            tx.commit().await?;
            self.report.adopted += 1;
        }
        Ok(())
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

    /// Was there no room when the mailbox was last worked on, and has the source lost items of which copies may go?
    async fn may_make_room(&mut self) -> Result<bool, Failure> {
        let was_full = self.work.mailbox.state.cause.is_some_and(|(cause, _)| cause == Cause::OverQuota);
        if !was_full || self.work.dry_run || self.work.setting.is_frozen {
            return Ok(false);
        }
        let lost = |work: &FolderWork| work.row.source.is_some_and(|read| has_lost(&read, &work.state));
        if self.folders.iter().any(lost) || self.removals.values().any(|held| held.state.may_be_made()) {
            return Ok(true);
        }
        for row in self.vanished_now_and_later().await?.0 {
            if self.work.store.count_items(self.work.key, &row).await? > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The folders that may hold anything new: all but those that are proved to stand as they were last read.
    fn folders_to_read(&mut self) -> Vec<usize> {
        let mut to_read = Vec::new();
        for index in 0..self.folders.len() {
            let work = &self.folders[index];
            let has_intents = self.intents.iter().any(|intent| intent.folder == work.row.folder);
            let unchanged = work.row.source.is_some_and(|read| work.state.proves_unchanged(&read));
            if unchanged && !has_intents && !self.thaws {
                let count = work.state.count;
                self.work.progress.with(self.work.mailbox.mailbox, |progress| progress.items_done += count);
                let failed = self.to_retry.remove(&work.row.folder);
                self.folders[index].read_again.extend(failed.unwrap_or_default());
                self.folders[index].is_done = true;
            } else {
                to_read.push(index);
            }
        }
        // Those that have lost items first: what they lost may be found again in the others.
        for index in &to_read {
            let work = &mut self.folders[*index];
            work.has_lost = work.row.source.is_some_and(|read| has_lost(&read, &work.state));
        }
        to_read.sort_by_key(|index| !self.folders[*index].has_lost);
        to_read
    }
}

/// The fact that an item is the same as another's on the target, as somebody has said.
fn known_adopted(item: LedgerItem, target_id: ItemId, target_flags: Flags) -> Fact {
    let (source_flags, exact, canonical) = (item.source_flags, item.exact, item.canonical);
    Fact {
        source_id: item.source_id,
        fate: Fate::Adopted,
        size_bytes: item.size_bytes,
        received: item.received,
        exact,
        canonical,
        source_flags,
        target_id: Some(target_id),
        target_flags: Some(target_flags),
        read_back: None,
    }
}

/// Does a folder stand lower than it did: a restored backup, whose ids may be given out a second time?
fn stands_lower(now: &FolderState, before: &FolderState) -> bool {
    let is_lower = |now: u64, before: u64| now != 0 && before != 0 && now < before;
    is_lower(now.next, before.next) || is_lower(now.change, before.change)
}

/// Has a folder lost items between? Fewer came than ids were given out, or there are fewer of them.
fn has_lost(before: &FolderState, now: &FolderState) -> bool {
    let added = now.next.saturating_sub(before.next);
    now.count < before.count.saturating_add(added)
}

fn folder_work(row: FolderRow, is_fresh: bool, state: FolderState) -> FolderWork {
    let would =
        WouldDo { folder: row.path.to_string(), target_folder: row.target_path.to_string(), ..WouldDo::default() };
    FolderWork {
        row,
        is_fresh,
        unusable: None,
        goes_to: 0,
        lane: Lane::default(),
        was_written_to: false,
        treatments: Vec::new(),
        untreated: Vec::new(),
        listed: None,
        arrived: Vec::new(),
        another: HashSet::new(),
        trials: HashMap::new(),
        looking: HashMap::new(),
        looked: HashMap::new(),
        held: Vec::new(),
        is_withdrawn: false,
        flags_later: Vec::new(),
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
        gone_later: Vec::new(),
        seen: HashSet::new(),
        read_ids: HashSet::new(),
        read_again: Vec::new(),
        not_there: HashSet::new(),
        without_id: 0,
        fates: 0,
        state,
        end: None,
        has_lost: false,
        is_done: false,
        waits_for_room: false,
        would,
    }
}
