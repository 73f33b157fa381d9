//! mbox: folders as files, one message after the other, as a source.
//!
//! Documents followed: RFC 4155, the mbox manual of qmail, "mbox formats" of Jamie Zawinski and of Rahul Dhesi (Content-Length),
//! what Dovecot 2.3, UW imapd, Thunderbird and Apple Mail write. A message begins with a line `From ADDRESS DATE`, which is
//! no part of it; [`wire::split`] says how such lines are told from text.
//!
//! **Dialects** ([`Dialect`]). Content-Length is obeyed where it proves right. Whether `>From ` was written `From ` can't be
//! told by what is in a file, and what is in it changes: so it is a setting, not a guess. With `mboxrd` one `>` is taken off,
//! exactly; otherwise lines travel as they stand, and that is a declared loss. `check` says what a file looks like.
//!
//! **Layouts** ([`Layout`]). One file; a tree of files; Thunderbird's `.sbd`; Apple's `.mbox` directories; Dovecot's names.
//! By default each directory is what it looks like. A file that does not begin with a message is no folder that could be read,
//! and is named rather than passed over, unless it is known to be something else (`.msf`) or named in `leave_out`.
//!
//! **What is noted in messages** by their programs (Status, X-Status, X-Keywords, X-UID, X-IMAP, X-IMAPbase, X-Mozilla-*, an
//! obeyed Content-Length) becomes flags and keywords, and does not travel. UW's note about a folder, which looks like a
//! message, is left out. Messages that Thunderbird has expunged and not yet compacted away are left out: a declared loss.
//!
//! **Dates.** Received is what the `From ` line says, in UTC where it names no zone (RFC 4155). Where it says nothing that is a
//! date: the topmost `Received` of the header, else `Date`, since those stay the same while the file changes; else the file's
//! time of change.
//!
//! **Line ends** are converted as for Maildir: a message whose lines all end in LF travels with CRLF, any other as it is.
//!
//! **Ids** are made of what a message is: see [`map`]. **Locks** (fcntl, `FILE.lock`) are respected while a file is looked
//! through; nothing is ever written, not even a lock.
//!
//! Known oddities: Thunderbird gives files other names than its folders where a name has characters that it does not trust;
//! the folder then has the file's name.

mod config;
mod map;
mod op;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use connector::{Account, Clock, Connector, Declaration, Door, Error, Finding, Source, Target, Topic};
use model::{Cause, ItemKind, Loss, Scope};

pub use config::{Dialect, Layout, MboxConfig};

use crate::op::{Indexes, Mbox};

/// Opens mbox files.
pub struct MboxConnector {
    config: MboxConfig,
    clock: Arc<dyn Clock>,
    indexes: Arc<Indexes>,
}

impl MboxConnector {
    /// A connector with this configuration.
    pub fn new(config: MboxConfig, clock: Arc<dyn Clock>) -> Self {
        Self { config, clock, indexes: Arc::default() }
    }

    fn path(&self, path: &str, account: &Account) -> Result<PathBuf, Error> {
        let mut path = path.to_owned();
        for (word, name) in [("{source}", &account.source_name), ("{target}", &account.target_name)] {
            if path.contains(word) {
                if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
                    let what = format!("{name:?} cannot be a part of a path, so there is no mail for it");
                    return Err(Error::new(Cause::Missing, Scope::Mailbox, what));
                }
                path = path.replace(word, name);
            }
        }
        Ok(self.config.base.join(path))
    }

    fn open(&self, account: &Account) -> Result<Mbox, Error> {
        let root = self.path(&self.config.path, account)?;
        let inbox = self.config.inbox.as_ref().map(|inbox| self.path(inbox, account)).transpose()?;
        if !root.exists() && !inbox.as_ref().is_some_and(|inbox| inbox.exists()) {
            let what = format!("there is no file or directory {}", root.display());
            return Err(Error::new(Cause::Missing, Scope::Mailbox, what));
        }
        let (clock, indexes) = (self.clock.clone(), self.indexes.clone());
        Ok(Mbox::new(root, inbox, &account.name, self.config.clone(), clock, indexes))
    }
}

/// What mbox files hold, read in this dialect.
pub fn declaration(dialect: Dialect) -> Declaration {
    let mut losses = vec![Loss::Expunged];
    if matches!(dialect, Dialect::Auto | Dialect::Mboxo | Dialect::Mboxcl) {
        losses.push(Loss::FromQuoting);
    }
    Declaration { platform: "mbox", kinds: vec![ItemKind::Message], writes: false, losses }
}

#[async_trait]
impl Connector for MboxConnector {
    fn declaration(&self) -> Declaration {
        declaration(self.config.dialect)
    }

    async fn source(&self, account: &Account) -> Result<Box<dyn Source>, Error> {
        Ok(Box::new(self.open(account)?))
    }

    async fn target(&self, _: &Account, _: Arc<dyn Door>) -> Result<Box<dyn Target>, Error> {
        let what = "mbox files are only read; for a target of files use kind = \"maildir\" or \"eml\"";
        Err(Error::new(Cause::Unsupported, Scope::Run, what))
    }

    async fn check(&self, account: Option<&Account>) -> Vec<Finding> {
        let Some(account) = account else {
            return vec![Finding::well(Topic::Reach, format!("mbox files at {}", self.config.path))];
        };
        let looked = async {
            let mbox = self.open(account)?;
            let mut findings = Vec::new();
            let folders = mbox.walk().await?;
            let count = folders.iter().filter(|(_, file)| file.is_some()).count();
            let shown = self.path(&self.config.path, account)?;
            findings.push(Finding::well(Topic::Reach, format!("{}: {count} files of mail", shown.display())));
            for (path, file) in folders {
                let Some(file) = file else { continue };
                let begins = op::begins_as_mbox(&file)
                    .map_err(|error| map::failed(Scope::Folder, &format!("read {}", file.display()), &path, &error))?;
                if !begins {
                    let what = format!("{} does not begin with a message", file.display());
                    findings.push(Finding::wrong(Topic::Store, &Error::new(Cause::Unreadable, Scope::Folder, what)));
                    return Ok(findings);
                }
                let index = mbox.index_of(&file, &path).await?;
                if index.requoted > 0 && self.config.dialect != Dialect::Mboxrd {
                    let what = format!(
                        "{} has {} lines of >>From : if its program quotes such lines, write dialect = \"mboxrd\"",
                        file.display(),
                        index.requoted
                    );
                    findings.push(Finding::well(Topic::Capabilities, what));
                }
            }
            Ok::<_, Error>(findings)
        };
        looked.await.unwrap_or_else(|error| vec![Finding::wrong(Topic::Reach, &error)])
    }
}
