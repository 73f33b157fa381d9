//! What there is to move, as the source lists it.

use connector::{Error, Folder, ListedItem, ReadFolder, Source};
use model::FolderPath;
use store::MailboxRow;

use crate::failure::{Failure, OnSide};
use crate::run::Engine;

/// What a source mailbox lists.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// Its folders that hold items, and these.
    pub folders: Vec<(Folder, Vec<ListedItem>)>,
    /// Folders that could not be opened, and why.
    pub closed: Vec<(FolderPath, Error)>,
}

impl Engine {
    /// Lists a source mailbox. Reads no body.
    pub async fn inventory(&self, mailbox: &MailboxRow) -> Result<Inventory, Failure> {
        let (mut source, _seats) = self.sides(mailbox)?.open_source().await?;
        let found = list(source.as_mut()).await;
        source.close().await;
        found.on_source()
    }
}

async fn list(source: &mut dyn Source) -> Result<Inventory, Error> {
    let mut inventory = Inventory::default();
    for folder in source.folders().await?.into_iter().filter(|folder| folder.holds_items) {
        let whole = ReadFolder { path: folder.path.clone(), since: None };
        match source.sizes(&whole).await {
            Ok(items) => inventory.folders.push((folder, items)),
            Err(error) if error.ends_session() => return Err(error),
            Err(error) => inventory.closed.push((folder.path, error)),
        }
    }
    Ok(inventory)
}
