//! What is done with mbox files, an operation a file. Nothing here writes.

mod index;
mod list;
mod read;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use connector::{Clock, Error, Folder, Holds, ListedItem, Offers, Quota, ReadFolder, Reading, Source, StoreProof};
use model::{Cause, Flags, FolderPath, FolderState, ItemId, ItemKind, Scope};

pub(crate) use self::index::{Index, Indexes};
use self::list::Tree;
pub(crate) use self::list::begins_as_mbox;
use crate::config::{Layout, Manner, MboxConfig};
use crate::map::{covered, failed};

/// An opened mailbox of mbox files.
pub(crate) struct Mbox {
    root: PathBuf,
    inbox: Option<PathBuf>,
    config: MboxConfig,
    clock: Arc<dyn Clock>,
    indexes: Arc<Indexes>,
    /// As it was last looked through.
    tree: Mutex<Option<Arc<Tree>>>,
    offers: Offers,
    proof: StoreProof,
}

impl Mbox {
    pub(crate) fn new(
        root: PathBuf,
        inbox: Option<PathBuf>,
        name: &str,
        config: MboxConfig,
        clock: Arc<dyn Clock>,
        indexes: Arc<Indexes>,
    ) -> Self {
        let store = root.canonicalize().unwrap_or_else(|_| root.clone());
        let proof = StoreProof {
            evidence: format!("the project says that {} is the mail of {name}", root.display()),
            store_id: Some(store.to_string_lossy().into_owned()),
        };
        let offers = Offers::default();
        Self { root, inbox, config, clock, indexes, tree: Mutex::default(), offers, proof }
    }

    /// How a file is read.
    fn manner(&self, place: &Path) -> Manner {
        let mut index = place.as_os_str().to_owned();
        index.push(".msf");
        let is_thunderbirds = self.config.layout == Layout::Thunderbird
            || (self.config.layout == Layout::Auto && Path::new(&index).exists());
        Manner { dialect: self.config.dialect, is_thunderbirds }
    }

    /// Looks through the directories.
    pub(crate) async fn walk(&self) -> Result<Vec<(FolderPath, Option<PathBuf>)>, Error> {
        let tree = self.tree_now().await?;
        Ok(tree.folders.iter().map(|(path, file)| (path.clone(), file.clone())).collect())
    }

    async fn tree_now(&self) -> Result<Arc<Tree>, Error> {
        let (root, inbox) = (self.root.clone(), self.inbox.clone());
        let (layout, leave_out) = (self.config.layout, self.config.leave_out.clone());
        let tree = blocking(move || list::tree(&root, inbox.as_deref(), layout, &leave_out)).await;
        let tree = tree.map_err(|error| failed(Scope::Mailbox, "list the folders", &FolderPath::inbox(), &error))?;
        let tree = Arc::new(tree);
        *self.tree.lock().unwrap_or_else(PoisonError::into_inner) = Some(tree.clone());
        Ok(tree)
    }

    /// The file of a folder.
    async fn place(&self, path: &FolderPath) -> Result<PathBuf, Error> {
        let known = self.tree.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let of = |tree: &Tree| tree.folders.get(path).cloned().flatten().filter(|file| file.exists());
        if let Some(place) = known.as_deref().and_then(of) {
            return Ok(place);
        }
        let now = self.tree_now().await?;
        of(&now).ok_or_else(|| {
            Error::new(Cause::Missing, Scope::Folder, format!("there is no folder {:?}", path.to_string()))
        })
    }

    /// What lies in this file now.
    pub(crate) async fn index_of(&self, place: &Path, path: &FolderPath) -> Result<Arc<Index>, Error> {
        let (indexes, clock, manner) = (self.indexes.clone(), self.clock.clone(), self.manner(place));
        let place = place.to_owned();
        let index = blocking(move || indexes.of(&place, manner, clock.as_ref())).await;
        index.map_err(|error| failed(Scope::Folder, "list the messages", path, &error))
    }

    /// The file of a folder, and what lies in it now.
    async fn index(&self, path: &FolderPath) -> Result<(PathBuf, Arc<Index>), Error> {
        let place = self.place(path).await?;
        let index = self.index_of(&place, path).await?;
        Ok((place, index))
    }
}

/// Runs work on files apart from the other tasks.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(std::io::Error::other("the file task was stopped")))
}

#[async_trait]
impl Source for Mbox {
    fn offers(&self) -> &Offers {
        &self.offers
    }

    fn proof(&self) -> &StoreProof {
        &self.proof
    }

    async fn folders(&mut self) -> Result<Vec<Folder>, Error> {
        let tree = self.tree_now().await?;
        let mut folders = Vec::new();
        for (path, file) in &tree.folders {
            let index = match file {
                // What can't be read now is listed all the same, and says why when it is read.
                Some(file) => self.index_of(file, path).await.ok(),
                None => None,
            };
            folders.push(Folder {
                path: path.clone(),
                kind: ItemKind::Message,
                holds_items: file.is_some(),
                special_use: None,
                subscribed: tree.is_followed(path),
                state: index.as_ref().map(|index| index.state),
                size_bytes: index.map(|index| index.listed.iter().map(|item| item.wire_bytes).sum()),
            });
        }
        Ok(folders)
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
        let (place, index) = self.index(folder).await?;
        let mut wanted = ids.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let listed = wanted.iter().filter_map(|id| index.find(id)).cloned().collect();
        Ok(Box::new(read::ItemReading::new(self, folder.clone(), place, listed, holds.clone())))
    }

    async fn state(&mut self, folder: &FolderPath) -> Result<FolderState, Error> {
        Ok(self.index(folder).await?.1.state)
    }

    async fn list(&mut self, folder: &FolderPath) -> Result<Vec<(ItemId, Flags)>, Error> {
        let (_, index) = self.index(folder).await?;
        Ok(index.listed.iter().map(|item| (item.id.clone(), item.flags.clone())).collect())
    }

    async fn sizes(&mut self, folder: &ReadFolder) -> Result<Vec<ListedItem>, Error> {
        let (_, index) = self.index(&folder.path).await?;
        let since = folder.since.as_ref().and_then(covered);
        let new = index.listed.iter().filter(|item| since.as_ref().is_none_or(|since| item.id > *since));
        let one = |item: &index::Listed| ListedItem {
            id: item.id.clone(),
            size_bytes: item.wire_bytes,
            received: Some(item.received),
            flags: item.flags.clone(),
        };
        Ok(new.map(one).collect())
    }

    async fn quota(&mut self) -> Result<Quota, Error> {
        Ok(Quota::default())
    }

    async fn close(&mut self) {}
}
