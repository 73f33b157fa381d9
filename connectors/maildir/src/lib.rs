//! Maildir++: a mailbox as folders of files, as Dovecot and Courier keep it.
//!
//! Documents followed: the maildir manual of qmail, Maildir++ (Courier), README.imapkeywords of Courier-IMAP, and what
//! Dovecot 2.3 writes. The root is INBOX; every other folder is a directory below it whose name begins with a dot and
//! joins the names from the top down with dots, each in modified UTF-7. An item is a file in `cur` or `new`; the part of
//! its name before `:` is its id, what follows are its flags; its time of change is when it was received.
//!
//! Two dialects of keywords: letters `a` to `z` in the file's name with their meaning in `dovecot-keywords`, or files in
//! `courierimapkeywords`. Both are read; one is written, by configuration.
//!
//! Line ends are converted at this border: files hold LF, the wire form CRLF. A file whose line ends are all LF is read
//! with CRLF; any other file is read as it is; and an item whose line ends are not all CRLF is written as it is. So every
//! item comes back as it went in, but for one whose line ends are LF alone, which is a declared loss.
//!
//! Known oddities: a dot, a slash and control characters inside a name are written encoded, as Courier does, since a dot
//! separates names. `P` (passed) reads as `$Forwarded`. Dovecot's dialect has room for 26 keywords a folder.

mod config;
mod map;
mod op;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use connector::{Account, Clock, Connector, Declaration, Door, Error, Finding, OpenDoor, Source, Target, Topic};
use model::{Cause, ItemKind, Loss, Scope};

pub use config::{Keywords, MaildirConfig};

use crate::op::{Maildir, Names};

/// Opens maildirs.
pub struct MaildirConnector {
    config: MaildirConfig,
    clock: Arc<dyn Clock>,
    /// Tells this process's files from those of every other.
    unique: String,
    names: Arc<Names>,
}

impl MaildirConnector {
    /// A connector with this configuration. `unique` becomes a part of the names of files: a random text of letters and
    /// digits.
    pub fn new(config: MaildirConfig, clock: Arc<dyn Clock>, unique: impl Into<String>) -> Self {
        Self { config, clock, unique: unique.into(), names: Arc::default() }
    }

    fn root(&self, account: &Account) -> Result<PathBuf, Error> {
        let mut path = self.config.path.clone();
        for (word, name) in [("{source}", &account.source_name), ("{target}", &account.target_name)] {
            if path.contains(word) {
                if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
                    let what = format!("{name:?} cannot be a part of a path, so there is no maildir for it");
                    return Err(Error::new(Cause::Missing, Scope::Mailbox, what));
                }
                path = path.replace(word, name);
            }
        }
        Ok(self.config.base.join(path))
    }

    fn open(&self, root: PathBuf, account: &Account, door: Arc<dyn Door>) -> Maildir {
        let (clock, names) = (self.clock.clone(), self.names.clone());
        Maildir::new(root, &account.name, self.config.keywords, door, clock, names, self.unique.clone())
    }
}

fn is_maildir(root: &Path) -> bool {
    root.join("cur").is_dir() && root.join("new").is_dir()
}

/// What a maildir can hold and do, with keywords written this way.
pub fn declaration(keywords: Keywords) -> Declaration {
    let mut losses = vec![Loss::MixedLineEnds, Loss::FolderName, Loss::SpecialUse];
    if keywords == Keywords::Dovecot {
        losses.push(Loss::Keyword);
    }
    Declaration { platform: "Maildir++", kinds: vec![ItemKind::Message], writes: true, losses }
}

#[async_trait]
impl Connector for MaildirConnector {
    fn declaration(&self) -> Declaration {
        declaration(self.config.keywords)
    }

    async fn source(&self, account: &Account) -> Result<Box<dyn Source>, Error> {
        let root = self.root(account)?;
        if !is_maildir(&root) {
            let what = format!("there is no maildir {}", root.display());
            return Err(Error::new(Cause::Missing, Scope::Mailbox, what));
        }
        Ok(Box::new(self.open(root, account, Arc::new(OpenDoor))))
    }

    async fn target(&self, account: &Account, door: Arc<dyn Door>) -> Result<Box<dyn Target>, Error> {
        let root = self.root(account)?;
        if root.exists() && !root.is_dir() {
            let what = format!("{} is not a folder, so it can't become a maildir", root.display());
            return Err(Error::new(Cause::LocalFile, Scope::Mailbox, what));
        }
        Ok(Box::new(self.open(root, account, door)))
    }

    async fn check(&self, account: Option<&Account>) -> Vec<Finding> {
        let Some(account) = account else {
            return vec![Finding::well(Topic::Reach, format!("maildirs at {}", self.config.path))];
        };
        let root = match self.root(account) {
            Ok(root) => root,
            Err(error) => return vec![Finding::wrong(Topic::Store, &error)],
        };
        let shown = root.display();
        if is_maildir(&root) {
            let mut findings = vec![Finding::well(Topic::Reach, format!("{shown} is a maildir"))];
            let is_writable = rustix::fs::access(&root, rustix::fs::Access::WRITE_OK).is_ok();
            let rights = if is_writable { "it may be written" } else { "it may only be read" };
            findings.push(Finding::well(Topic::Rights, format!("{shown}: {rights}")));
            return findings;
        }
        if root.exists() && std::fs::read_dir(&root).is_ok_and(|mut entries| entries.next().is_some()) {
            let error = Error::new(Cause::Missing, Scope::Mailbox, format!("{shown} is there and is no maildir"));
            return vec![Finding::wrong(Topic::Reach, &error)];
        }
        vec![Finding::well(Topic::Reach, format!("{shown} is not there; as a target it is made when it is needed"))]
    }
}
