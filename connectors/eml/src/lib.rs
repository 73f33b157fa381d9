//! eml: a mailbox as a tree of directories with a file for each message, as mail programs save and open them.
//!
//! Documents followed: RFC 5322 for the files. The rest is our own, and made to be read without us: `wire/side_file.rs` says
//! how dates, flags and folders stand in lines of JSON, `wire/folder_name.rs` how names of folders become names of
//! directories. INBOX is the directory `INBOX`, or the tree's own directory where `.eml` files lie in it. A file's name is the
//! item's id; its bytes are the item's bytes as they travel (CRLF).
//!
//! **Files of other programs** are items, too: every file whose name ends in `.eml`. Without a line in the side file an item
//! has no flags; it was received when the topmost `Received` of its header says, else `Date`, else when the file was changed;
//! and if all its lines end in LF it is read with CRLF. A directory is a folder of items if there are some, if it has a side
//! file, or if there is no directory in it. Where no file of folders is, all folders count as followed.
//!
//! **Losses.** A folder whose name takes more than 255 bytes gets another one.
//!
//! Known oddities: whoever puts another message into a file under the same name changes an item behind our back. Names that
//! differ only in case are two folders, which file systems that know no case can't hold both. A file or directory whose name
//! is not UTF-8 is named, not passed over; other files are no mail, and keep their directory from being removed.

mod config;
mod map;
mod op;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use connector::{Account, Clock, Connector, Declaration, Door, Error, Finding, OpenDoor, Source, Target, Topic};
use model::{Cause, ItemKind, Loss, Scope};

pub use config::EmlConfig;

use crate::op::{Names, Tree};

/// Opens trees of `.eml` files.
pub struct EmlConnector {
    config: EmlConfig,
    clock: Arc<dyn Clock>,
    /// Tells this process's files from those of every other.
    unique: String,
    names: Arc<Names>,
}

impl EmlConnector {
    /// A connector with this configuration. `unique` becomes a part of the names of files: a random text of letters and
    /// digits.
    pub fn new(config: EmlConfig, clock: Arc<dyn Clock>, unique: impl Into<String>) -> Self {
        Self { config, clock, unique: unique.into(), names: Arc::default() }
    }

    fn root(&self, account: &Account) -> Result<PathBuf, Error> {
        let mut path = self.config.path.clone();
        for (word, name) in [("{source}", &account.source_name), ("{target}", &account.target_name)] {
            if path.contains(word) {
                if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
                    let what = format!("{name:?} cannot be a part of a path, so there is no directory for it");
                    return Err(Error::new(Cause::Missing, Scope::Mailbox, what));
                }
                path = path.replace(word, name);
            }
        }
        Ok(self.config.base.join(path))
    }

    fn open(&self, root: PathBuf, account: &Account, door: Arc<dyn Door>) -> Tree {
        Tree::new(root, &account.name, door, self.clock.clone(), self.names.clone(), self.unique.clone())
    }
}

/// What a tree of `.eml` files can hold and do.
pub fn declaration() -> Declaration {
    Declaration { platform: "eml files", kinds: vec![ItemKind::Message], writes: true, losses: vec![Loss::FolderName] }
}

#[async_trait]
impl Connector for EmlConnector {
    fn declaration(&self) -> Declaration {
        declaration()
    }

    async fn source(&self, account: &Account) -> Result<Box<dyn Source>, Error> {
        let root = self.root(account)?;
        if !root.is_dir() {
            let what = format!("there is no directory {}", root.display());
            return Err(Error::new(Cause::Missing, Scope::Mailbox, what));
        }
        Ok(Box::new(self.open(root, account, Arc::new(OpenDoor))))
    }

    async fn target(&self, account: &Account, door: Arc<dyn Door>) -> Result<Box<dyn Target>, Error> {
        let root = self.root(account)?;
        if root.exists() && !root.is_dir() {
            let what = format!("{} is not a directory, so no mail can be put there", root.display());
            return Err(Error::new(Cause::LocalFile, Scope::Mailbox, what));
        }
        Ok(Box::new(self.open(root, account, door)))
    }

    async fn check(&self, account: Option<&Account>) -> Vec<Finding> {
        let Some(account) = account else {
            return vec![Finding::well(Topic::Reach, format!("eml files at {}", self.config.path))];
        };
        let root = match self.root(account) {
            Ok(root) => root,
            Err(error) => return vec![Finding::wrong(Topic::Store, &error)],
        };
        let shown = root.display();
        if root.is_dir() {
            let mut findings = vec![Finding::well(Topic::Reach, format!("{shown} is a directory"))];
            let is_writable = rustix::fs::access(&root, rustix::fs::Access::WRITE_OK).is_ok();
            let rights = if is_writable { "it may be written" } else { "it may only be read" };
            findings.push(Finding::well(Topic::Rights, format!("{shown}: {rights}")));
            return findings;
        }
        if root.exists() {
            let error = Error::new(Cause::Missing, Scope::Mailbox, format!("{shown} is there and is no directory"));
            return vec![Finding::wrong(Topic::Reach, &error)];
        }
        vec![Finding::well(Topic::Reach, format!("{shown} is not there; as a target it is made when it is needed"))]
    }
}
