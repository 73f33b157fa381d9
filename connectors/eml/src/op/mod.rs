//! What is done with a tree of `.eml` files, an operation a file.

mod folder;
mod list;
mod read;
mod write;

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use connector::{
    Batch, Clock, Door, Error, FlagChange, Folder, Holds, Known, ListedItem, Moved, NewFolder, Offers, Outcome, Quota,
    ReadFolder, Reading, Removal, Source, StoreProof, Target,
};
use model::{Cause, Flags, FolderPath, FolderState, ItemId, Scope};

pub(crate) use self::list::Listed;
use crate::map::{covered, failed, state};

/// Names for new files: seconds and a number, rising.
#[derive(Debug, Default)]
pub(crate) struct Names(Mutex<(i64, u32)>);

/// What the files begin with that are ours and no items.
pub(crate) const OURS: &str = ".whimbrel-";
/// Numbers in one second: six digits, as other programs write microseconds.
const NAMES_A_SECOND: u32 = 1_000_000;

impl Names {
    /// The next second and number, given the time.
    fn next(&self, now: i64) -> (i64, u32) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = match *last {
            (second, _) if second < now => (now, 0),
            (second, number) if number + 1 < NAMES_A_SECOND => (second, number + 1),
            (second, _) => (second + 1, 0),
        };
        *last
    }
}

/// An opened tree.
pub(crate) struct Tree {
    root: PathBuf,
    door: Arc<dyn Door>,
    clock: Arc<dyn Clock>,
    names: Arc<Names>,
    unique: String,
    offers: Offers,
    proof: StoreProof,
    outcomes: VecDeque<Outcome>,
    /// Directories in which nothing is left of processes that were stopped.
    swept: HashSet<PathBuf>,
}

impl Tree {
    pub(crate) fn new(
        root: PathBuf,
        name: &str,
        door: Arc<dyn Door>,
        clock: Arc<dyn Clock>,
        names: Arc<Names>,
        unique: String,
    ) -> Self {
        let store = root.canonicalize().unwrap_or_else(|_| root.clone());
        let proof = StoreProof {
            evidence: format!("the project says that {} is the tree of {name}", root.display()),
            store_id: Some(store.to_string_lossy().into_owned()),
        };
        let offers = Offers { ids_on_append: true, removes_exactly: true, special_use: true, ..Offers::default() };
        Self { root, door, clock, names, unique, offers, proof, outcomes: VecDeque::new(), swept: HashSet::new() }
    }

    /// The directory of a folder, whether it is there or not.
    async fn directory(&self, path: &FolderPath) -> Result<PathBuf, Error> {
        let (root, wanted) = (self.root.clone(), path.clone());
        let place = blocking(move || list::place(&root, &wanted)).await;
        place.map_err(|error| failed(Scope::Folder, "find its directory", path, &error))
    }

    /// What lies in a folder, in the order of ids.
    async fn scan(&self, path: &FolderPath) -> Result<Vec<Listed>, Error> {
        let directory = self.directory(path).await.map_err(missing)?;
        let listed = blocking(move || list::scan(&directory)).await;
        listed.map_err(|error| failed(Scope::Folder, "list the items", path, &error))
    }
}

/// A name that can't be is that of a folder that is not there.
fn missing(error: Error) -> Error {
    Error { cause: if error.cause == Cause::FolderRefused { Cause::Missing } else { error.cause }, ..error }
}

/// Runs work on files apart from the other tasks.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(std::io::Error::other("the file task was stopped")))
}

#[async_trait]
impl Source for Tree {
    fn offers(&self) -> &Offers {
        &self.offers
    }

    fn proof(&self) -> &StoreProof {
        &self.proof
    }

    async fn folders(&mut self) -> Result<Vec<Folder>, Error> {
        let root = self.root.clone();
        let listed = blocking(move || list::folders(&root)).await;
        listed.map_err(|error| failed(Scope::Mailbox, "list the folders", &FolderPath::inbox(), &error))
    }

    async fn read<'s>(&'s mut self, plan: Vec<ReadFolder>, holds: &Holds) -> Result<Box<dyn Reading + 's>, Error> {
        Ok(Box::new(read::FolderReading::new(self, plan, holds.clone())))
    }

    async fn items<'s>(
        &'s mut self,
        folder: &FolderPath,
        ids: &[ItemId],
        holds: &Holds,
    ) -> Result<Box<dyn Reading + 's>, Error> {
        let mut listed = self.scan(folder).await?;
        let mut wanted = ids.to_vec();
        wanted.sort_unstable();
        listed.retain(|item| wanted.binary_search(&item.id).is_ok());
        let directory = self.directory(folder).await?;
        Ok(Box::new(read::ItemReading::new(directory, folder.clone(), listed, holds.clone())))
    }

    async fn state(&mut self, folder: &FolderPath) -> Result<FolderState, Error> {
        Ok(state(&self.scan(folder).await?))
    }

    async fn list(&mut self, folder: &FolderPath) -> Result<Vec<(ItemId, Flags)>, Error> {
        Ok(self.scan(folder).await?.into_iter().map(|item| (item.id, item.flags)).collect())
    }

    async fn sizes(&mut self, folder: &ReadFolder) -> Result<Vec<ListedItem>, Error> {
        let mut listed = self.scan(&folder.path).await?;
        if let Some(since) = folder.since.as_ref().and_then(covered) {
            listed.retain(|item| item.id > since);
        }
        let directory = self.directory(&folder.path).await?;
        let measured = blocking(move || Ok(listed.iter().filter_map(|item| read::measure(&directory, item)).collect()));
        measured.await.map_err(|error| failed(Scope::Folder, "measure the items", &folder.path, &error))
    }

    /// Files have no quota but the disk.
    async fn quota(&mut self) -> Result<Quota, Error> {
        Ok(Quota::default())
    }

    async fn close(&mut self) {}
}

#[async_trait]
impl Target for Tree {
    async fn create(&mut self, folders: &[NewFolder]) -> Result<Vec<Result<(), Error>>, Error> {
        let mut results = Vec::new();
        for folder in folders {
            match self.create_one(folder).await {
                Err(error) if error.ends_session() => return Err(error),
                result => results.push(result),
            }
        }
        Ok(results)
    }

    async fn submit(&mut self, batch: Batch) -> Result<(), Error> {
        let outcome = self.write(batch).await?;
        self.outcomes.push_back(outcome);
        Ok(())
    }

    async fn outcome(&mut self) -> Result<Outcome, Error> {
        let nothing = || Error::new(Cause::Internal, Scope::Mailbox, "no batch is on its way");
        self.outcomes.pop_front().ok_or_else(nothing)
    }

    fn batches_in_flight_max(&self) -> usize {
        1
    }

    /// Ids say nothing about when an item came, so all are listed.
    async fn since(&mut self, folder: &FolderPath, mark: &FolderState) -> Result<Vec<(ItemId, Flags)>, Error> {
        let listed = self.scan(folder).await?;
        if state(&listed).has_same_items(mark) {
            return Ok(Vec::new());
        }
        Ok(listed.into_iter().map(|item| (item.id, item.flags)).collect())
    }

    // Ids are names of files, which never come again, also in a folder made anew.
    async fn change_flags(&mut self, folder: Known<'_>, changes: &[FlagChange]) -> Result<Vec<Option<Flags>>, Error> {
        self.write_flags(folder.path, changes).await
    }

    async fn flags(&mut self, folder: Known<'_>, ids: &[ItemId]) -> Result<Vec<Option<Flags>>, Error> {
        let listed = if ids.is_empty() { Vec::new() } else { self.scan(folder.path).await? };
        let place = |id: &ItemId| listed.binary_search_by(|item| item.id.cmp(id)).ok();
        Ok(ids.iter().map(|id| place(id).map(|place| listed[place].flags.clone())).collect())
    }

    async fn move_items(&mut self, from: Known<'_>, _: &FolderPath, _: &[ItemId]) -> Result<Vec<Moved>, Error> {
        let what =
            format!("items of the folder {:?} can't be moved: a tree of files does not do that", from.path.to_string());
        Err(Error::new(Cause::Unsupported, Scope::Folder, what))
    }

    async fn subscribe(&mut self, folder: &FolderPath, subscribed: bool) -> Result<(), Error> {
        self.follow(folder, subscribed).await
    }

    async fn remove_folder(&mut self, folder: &FolderPath) -> Result<bool, Error> {
        self.remove_if_empty(folder).await
    }

    async fn remove(
        &mut self,
        folder: Known<'_>,
        ids: &[ItemId],
        _unchanged_since: Option<u64>,
    ) -> Result<Vec<Removal>, Error> {
        self.unlink(folder.path, ids).await
    }
}
