//! Folders of the target, what came to them, and where each has its place at the source.

use std::collections::{BTreeSet, HashMap, HashSet};

use connector::{NewFolder, Source, Target};
use model::{Cause, FolderPath, FolderState, ItemId};
use store::FolderRow;

use super::{Back, Spot};
use crate::failure::{Failure, OnSide};
use crate::folders::{moved_below, other_path};

/// How often a folder that the source refuses is tried under another name.
const NAMES_MAX: usize = 3;

impl Back<'_> {
    /// The folders of the target, each with what came to it since its source began to be left and no row knows.
    pub(super) async fn spots(&mut self, target: &mut dyn Source) -> Result<Vec<Spot>, Failure> {
        let (key, mailbox) = (self.work.key, self.work.mailbox.mailbox);
        let marks = self.work.store.freeze_marks(key, mailbox).await?;
        // Copies of ours that the target has altered, or that came late, are nobody's; what may be an item that waits is at the
        // source already.
        let ours = self.work.store.listed_copies(key, mailbox, &[Cause::Altered, Cause::LeaseLapsed]).await?;
        let held = self.work.store.held_items(key, mailbox).await?;
        let held: HashSet<(i64, ItemId)> =
            held.into_iter().filter_map(|held| Some((held.folder, held.target_id?))).collect();
        let mut spots = Vec::new();
        for folder in target.folders().await.on_target()?.into_iter().filter(|folder| folder.holds_items) {
            self.go_on()?;
            let state = match target.state(&folder.path).await {
                Ok(state) => state,
                Err(error) if error.cause == Cause::Missing => continue,
                Err(error) => return Err(error).on_target(),
            };
            for (_, row) in self.rows_at(&folder.path) {
                if let Some(known) = row.target {
                    connector::Known::at(&folder.path, &known).require(state.validity).on_target()?;
                }
            }
            let listed = target.list(&folder.path).await.on_target()?;
            let mut known = self.work.store.target_ids(key, mailbox, &folder.path, state.validity).await?;
            let left = self.work.store.items_left(key, mailbox, &folder.path, state.validity).await?;
            known.extend(left.into_iter().map(|copy| copy.target_id));
            for (_, row) in self.rows_at(&folder.path) {
                known.extend(ours.iter().filter(|(path, _)| *path == row.path).map(|(_, id)| id.clone()));
                known.extend(held.iter().filter(|(folder, _)| *folder == row.folder).map(|(_, id)| id.clone()));
            }
            let mark = marks.get(&folder.path).filter(|mark| mark.validity == state.validity);
            let came_since =
                |id: &ItemId| mark.is_none_or(|mark| id.as_u32().is_none_or(|number| u64::from(number) >= mark.next));
            let new = |id: &ItemId| !known.contains(id) && came_since(id);
            let new: Vec<ItemId> = listed.iter().map(|(id, _)| id).filter(|id| new(id)).cloned().collect();
            let home = self.home(&folder.path);
            if home.is_none() && new.is_empty() && mark.is_some() {
                continue; // It was there before, and nothing came.
            }
            let first = new.first().and_then(ItemId::as_u32).map_or(1, u64::from);
            let below = listed.iter().filter(|(id, _)| id.as_u32().is_some_and(|id| u64::from(id) < first)).count();
            let before_new = FolderState { next: first, count: below as u64, ..FolderState::beginning(state.validity) };
            let (path, kind, special_use) = (folder.path, folder.kind, folder.special_use);
            let subscribed = folder.subscribed;
            spots.push(Spot { path, kind, special_use, subscribed, state, new, before_new, home });
        }
        Ok(spots)
    }

    /// The row whose folder of the source takes what came to a folder of the target: the one of the same name, else the first.
    fn home(&self, path: &FolderPath) -> Option<usize> {
        let (first, _) = self.rows_at(path).next()?;
        let same = self.rows_at(path).find(|(_, row)| row.path == *path);
        Some(same.map_or(first, |(index, _)| index))
    }

    /// Where a folder of the target has its place at the source: below the folder that goes to what it lies in.
    fn place(&self, path: &FolderPath) -> FolderPath {
        let above = self
            .rows
            .iter()
            .filter_map(|row| Some((row.target_path.names().len(), moved_below(path, &row.target_path, &row.path)?)));
        above.max_by_key(|(depth, _)| *depth).map_or_else(|| path.clone(), |(_, place)| place)
    }

    /// Makes at the source the folders that only the target has.
    pub(super) async fn make_folders(&mut self, source: &mut dyn Target, spots: &mut [Spot]) -> Result<(), Failure> {
        if spots.iter().all(|spot| spot.home.is_some()) {
            return Ok(());
        }
        let here = source.folders().await.on_source()?;
        let mut there: HashMap<FolderPath, bool> =
            here.iter().map(|folder| (folder.path.clone(), folder.holds_items)).collect();
        // Those above first.
        let mut order: Vec<usize> = (0..spots.len()).filter(|spot| spots[*spot].home.is_none()).collect();
        order.sort_by_key(|spot| spots[*spot].path.names().len());
        for at in order {
            let spot = &spots[at];
            // A folder of that name that goes elsewhere is another.
            let is_anothers = |path: &FolderPath| self.rows.iter().any(|row| row.path == *path);
            let mut taken: BTreeSet<FolderPath> = there.keys().cloned().collect();
            let mut place = self.place(&spot.path);
            if is_anothers(&place) {
                place = other_path(&place, &taken);
            }
            let may_use = |use_| here.iter().all(|folder| folder.special_use != Some(use_));
            let special_use = spot.special_use.filter(|is| source.offers().special_use && may_use(*is));
            let mut made = self.kinds.contains(&spot.kind);
            let mut why = format!("the source holds no {}s", spot.kind.name());
            for _ in 0..NAMES_MAX {
                if !made || there.get(&place).is_some_and(|holds_items| *holds_items) {
                    break;
                }
                let new = NewFolder { path: place.clone(), kind: spot.kind, special_use, subscribe: spot.subscribed };
                match source.create(&[new]).await.on_source()?.pop() {
                    Some(Err(error)) if error.cause == Cause::FolderRefused => {
                        taken.insert(place.clone());
                        place = other_path(&place, &taken);
                        (made, why) = (true, error.to_string());
                        continue;
                    }
                    Some(Err(error)) if error.ends_session() => return Err(error).on_source(),
                    Some(Err(error)) => (made, why) = (false, error.to_string()),
                    Some(Ok(())) | None => {
                        self.done.folders += 1;
                        there.insert(place.clone(), true);
                    }
                }
                break;
            }
            if !made || !there.get(&place).is_some_and(|holds_items| *holds_items) {
                let what = format!("the folder {:?} could not be made at the source: {why}", spot.path.to_string());
                self.done.failed += spot.new.len() as u64;
                self.list(&spot.path.clone(), vec![(None, Cause::FolderRefused, what)]).await?;
                continue;
            }
            let home = self.know_folder(source, spot, place).await?;
            spots[at].home = Some(home);
        }
        Ok(())
    }

    /// From now on a folder of the source goes to the one that it was made for.
    async fn know_folder(&mut self, source: &mut dyn Target, spot: &Spot, path: FolderPath) -> Result<usize, Failure> {
        let validity = source.state(&path).await.on_source()?.validity;
        let endpoint = self.work.mailbox.roster.source_endpoint;
        let target_path = spot.path.clone();
        let new = store::NewFolder { endpoint, kind: spot.kind, path, validity, target_path };
        let known = FolderState::beginning(spot.state.validity);
        let mut tx = self.work.store.write_for_good(&self.work.lease).await?;
        let folder = tx.add_folder(&new).await?;
        // It lies there, whatever a policy would say of its name.
        tx.set_target_state(folder, &known).await?;
        tx.set_subscribed(folder, spot.subscribed).await?;
        tx.commit().await?;
        self.rows.push(FolderRow {
            folder,
            endpoint,
            kind: new.kind,
            path: new.path,
            validity,
            source: None,
            cursor: None,
            target_path: new.target_path,
            target: Some(known),
            gone_at: None,
            subscribed: Some(spot.subscribed),
            is_following_begun: false,
            made: false,
            is_making_begun: false,
            compared: (0, 0),
        });
        Ok(self.rows.len() - 1)
    }
}
