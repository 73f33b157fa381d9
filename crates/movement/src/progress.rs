//! Progress: numbers that grow while the work goes on, for whoever shows them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Numbers of one mailbox that is being worked on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailboxProgress {
    /// Items the source lists in all its folders, as far as known.
    pub items_listed: u64,
    /// Items that have a fate, of this pass and earlier ones.
    pub items_done: u64,
    /// The folder at hand.
    pub folder: String,
}

/// Numbers of a run.
#[derive(Debug, Default)]
pub struct Progress {
    items: AtomicU64,
    bytes: AtomicU64,
    failed: AtomicU64,
    mailboxes: Mutex<BTreeMap<i64, MailboxProgress>>,
}

impl Progress {
    /// Items copied or adopted in this run.
    pub fn items(&self) -> u64 {
        self.items.load(Ordering::Relaxed)
    }

    /// Their bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Items that failed in this run.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Mailboxes being worked on, by number.
    pub fn running(&self) -> BTreeMap<i64, MailboxProgress> {
        self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn add(&self, mailbox: i64, items: u64, bytes: u64, failed: u64) {
        self.items.fetch_add(items, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.failed.fetch_add(failed, Ordering::Relaxed);
        self.with(mailbox, |progress| progress.items_done += items + failed);
    }

    pub(crate) fn with(&self, mailbox: i64, change: impl FnOnce(&mut MailboxProgress)) {
        let mut mailboxes = self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner);
        change(mailboxes.entry(mailbox).or_default());
    }

    pub(crate) fn end(&self, mailbox: i64) {
        self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner).remove(&mailbox);
    }
}
