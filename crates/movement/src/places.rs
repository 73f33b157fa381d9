//! Places on the target: where each folder of the source goes, and what is known of a folder there. Folders that the policy
//! merges go to one place. What is there is then looked at once for all of them, and each item of it is taken by one of their
//! items at most.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use connector::Folder;
use model::{Digest, Findings, FolderPath, FolderState, ItemId};
use store::{FormerReplaced, ItemThere, Treatment};

use crate::batch::after_append;
use crate::folders::other_path;
use crate::matching::{Candidate, Pool};
use crate::pass::{FolderWork, Pass};
use crate::travel::Travel;

/// The names of a path without regard to case: a server that does not tell cases apart answers for a folder under any.
pub(crate) fn without_case(path: &FolderPath) -> Vec<String> {
    path.names().iter().map(|name| name.to_lowercase()).collect()
}

/// Places that are taken on the target: as they are written, and without regard to case.
#[derive(Default)]
pub(crate) struct Places {
    taken: BTreeSet<FolderPath>,
    names: HashMap<Vec<String>, FolderPath>,
    /// Places whose names the target refused, and where those went that come together there.
    instead: BTreeMap<FolderPath, FolderPath>,
}

impl Places {
    /// A folder of the source has its place there.
    pub(crate) fn settle(&mut self, travel: &Travel, path: &FolderPath, target_path: &FolderPath) {
        self.insert(target_path);
        let place = travel.place(path);
        if travel.merges(&place) && other_path(&place, &BTreeSet::new()) == *target_path {
            self.instead.insert(place, target_path.clone());
        }
    }

    pub(crate) fn insert(&mut self, path: &FolderPath) {
        self.taken.insert(path.clone());
        self.names.entry(without_case(path)).or_insert_with(|| path.clone());
    }

    /// Where a new folder goes: to the place that the policy gives it, beside what goes there already, or into it where the
    /// policy merges them.
    pub(crate) fn free(&self, travel: &Travel, path: &FolderPath) -> FolderPath {
        let mut place = travel.place(path);
        if travel.merges(&place) {
            let other = self.instead.get(&place).or_else(|| self.names.get(&without_case(&place)));
            return other.filter(|_| !self.taken.contains(&place)).cloned().unwrap_or(place);
        }
        // A folder that keeps its name has it, whatever else there is but for case: the target says if it can't hold both.
        let is_renamed = place != *path;
        while self.taken.contains(&place) || (is_renamed && self.names.contains_key(&without_case(&place))) {
            place = other_path(&place, &self.taken);
        }
        place
    }
}

/// A folder of the target, as a pass knows it.
#[derive(Default)]
pub(crate) struct TargetFolder {
    /// The folders of the source that go there.
    pub(crate) of: Vec<usize>,
    /// How it stands as far as all in it is accounted for; none before anybody looked.
    pub(crate) now: Option<FolderState>,
    /// How it stands can't be told from the answers.
    pub(crate) is_unsure: bool,
    /// What lies there and the ledger does not know.
    pub(crate) pool: Pool,
    /// Of the candidates: copies that are ours, from before the source numbered the folder anew.
    pub(crate) ours: HashMap<ItemId, ItemThere>,
    /// Of the candidates: copies of ours that are not what the source holds, by what it held.
    pub(crate) formers: HashMap<(Digest, Option<i64>), Vec<FormerReplaced>>,
}

impl TargetFolder {
    /// These ids were added to it: where it stands now, if nobody else has added any between.
    pub(crate) fn added(&mut self, validity: Option<u64>, ids: &[Option<ItemId>]) {
        match self.now.and_then(|now| after_append(&now, validity, ids)) {
            Some(now) if !self.is_unsure => self.now = Some(now),
            _ => self.is_unsure = true,
        }
    }

    /// How far it is accounted for, where the ledger has this for one of its folders and it is not so. While there are candidates
    /// left, whether they are items of the source that were not read yet is not known; but it is known whose ids these are.
    pub(crate) fn to_record(&self, recorded: Option<FolderState>) -> Option<FolderState> {
        let now = self.now?;
        let target =
            if self.pool.is_empty() { now } else { recorded.unwrap_or_else(|| FolderState::beginning(now.validity)) };
        (recorded != Some(target)).then_some(target)
    }

    /// A copy of an item that lies there in another form than it would travel in now, and what was made of it.
    pub(crate) fn earlier_copy(
        &mut self,
        found: &Findings,
        original: Digest,
        received: Option<i64>,
    ) -> Option<(Candidate, Option<Treatment>)> {
        if let Some(formers) = self.formers.get_mut(&(original, received)) {
            while let Some(former) = formers.pop() {
                if let Some(candidate) = self.pool.take_id(&former.target_id) {
                    return Some((candidate, Some(former.treatment)));
                }
            }
        }
        if found.exact == original || self.pool.holds(found.exact, received) {
            return None;
        }
        // Another tool may have put the whole there, and lost its date.
        let whole = self.pool.find_digest(original, received).or_else(|| self.pool.find_bytes(original));
        Some((whole?, None))
    }
}

impl Pass<'_> {
    /// The folder of the target that a folder goes to.
    pub(crate) fn there(&self, index: usize) -> &TargetFolder {
        &self.target_folders[self.folders[index].goes_to]
    }

    pub(crate) fn there_mut(&mut self, index: usize) -> &mut TargetFolder {
        &mut self.target_folders[self.folders[index].goes_to]
    }

    /// The folders of the source that go where this one goes, itself among them: those of which anything lies there or may come.
    pub(crate) fn together(&self, index: usize) -> Vec<usize> {
        let is_in = |other: &usize| *other == index || self.folders[*other].is_looked_at();
        self.there(index).of.iter().copied().filter(is_in).collect()
    }

    /// Adds a folder of the source; it has a folder of the target to itself until others come to it.
    pub(crate) fn add_folder(&mut self, mut work: FolderWork) {
        work.goes_to = self.target_folders.len();
        self.target_folders.push(TargetFolder { of: vec![self.folders.len()], ..TargetFolder::default() });
        self.folders.push(work);
    }

    /// Folders that go to one place have one folder of the target.
    pub(crate) fn bring_together(&mut self) {
        let mut first: BTreeMap<FolderPath, usize> = BTreeMap::new();
        for index in 0..self.folders.len() {
            let own = self.folders[index].goes_to;
            let to = *first.entry(self.folders[index].row.target_path.clone()).or_insert(own);
            if to != own {
                self.target_folders[own].of.clear();
                self.target_folders[to].of.push(index);
                self.folders[index].goes_to = to;
            }
        }
    }

    /// The places of the folders that go to this folder of the target.
    pub(crate) fn going_to(&self, path: &FolderPath) -> Vec<usize> {
        (0..self.folders.len()).filter(|index| self.folders[*index].row.target_path == *path).collect()
    }

    /// What is used in any of the folders that come together is so where they do: it is followed if one of them is, and is for
    /// what the first of them is for.
    pub(crate) fn use_together(&self, uses: &mut [Folder]) {
        let mut all: BTreeMap<&FolderPath, Vec<usize>> = BTreeMap::new();
        for (index, work) in self.folders.iter().enumerate().filter(|(_, work)| work.is_written_to()) {
            all.entry(&work.row.target_path).or_default().push(index);
        }
        for indexes in all.into_values().filter(|indexes| indexes.len() > 1) {
            let subscribed = indexes.iter().any(|index| uses[*index].subscribed);
            let special_use = indexes.iter().find_map(|index| uses[*index].special_use);
            for index in indexes {
                uses[index] = Folder { subscribed, special_use, ..uses[index].clone() };
            }
        }
    }
}
