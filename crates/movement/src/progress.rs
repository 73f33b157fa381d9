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

/// A mailbox whose work has ended in this run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The mailbox.
    pub mailbox: i64,
    /// Items copied or found there.
    pub items: u64,
    /// Bytes copied.
    pub bytes: u64,
    /// What kept it from being complete.
    pub in_the_way: Option<String>,
}

/// Numbers of a run.
#[derive(Debug, Default)]
pub struct Progress {
    items: AtomicU64,
    bytes: AtomicU64,
    failed: AtomicU64,
    mailboxes: Mutex<BTreeMap<i64, MailboxProgress>>,
    finished: Mutex<Vec<Finished>>,
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

    /// Mailboxes whose work has ended, in that order, from this place in it on.
    pub fn finished_since(&self, place: usize) -> Vec<Finished> {
        let finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        finished.get(place..).unwrap_or_default().to_vec()
    }

    pub(crate) fn end(&self, finished: Finished) {
        self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner).remove(&finished.mailbox);
        self.finished.lock().unwrap_or_else(PoisonError::into_inner).push(finished);
    }
}
