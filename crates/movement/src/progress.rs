//! Progress: numbers that grow while the work goes on, for whoever shows them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Of the mailboxes whose work has ended, so many are kept: whoever follows along looks several times a second, and a service
/// goes on for weeks.
const FINISHED_KEPT: usize = 1_000;

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
    finished: Mutex<Ended>,
}

/// Mailboxes whose work has ended: the latest, and how many there were before them.
#[derive(Debug, Default)]
struct Ended {
    before: usize,
    latest: VecDeque<Finished>,
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

    /// Mailboxes whose work has ended, in that order, from this place in it on, as far back as they are kept; and the place
    /// to go on from.
    pub fn finished_since(&self, place: usize) -> (Vec<Finished>, usize) {
        let finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = finished.latest.iter().skip(place.saturating_sub(finished.before)).cloned().collect();
        (latest, finished.before + finished.latest.len())
    }

    pub(crate) fn end(&self, finished: Finished) {
        self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner).remove(&finished.mailbox);
        let mut ended = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        ended.latest.push_back(finished);
        if ended.latest.len() > FINISHED_KEPT {
            ended.latest.pop_front();
            ended.before += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_follows_along_sees_each_end_once_and_the_latest_are_kept() {
        let progress = Progress::default();
        let (mut place, mut seen) = (0, Vec::new());
        for mailbox in 0..3_500 {
            progress.end(Finished { mailbox, items: 1, bytes: 1, in_the_way: None });
            if mailbox % 700 == 0 {
                let (finished, next) = progress.finished_since(place);
                seen.extend(finished.into_iter().map(|finished| finished.mailbox));
                place = next;
            }
        }
        let (rest, next) = progress.finished_since(place);
        seen.extend(rest.into_iter().map(|finished| finished.mailbox));
        assert_eq!(seen, (0..3_500).collect::<Vec<i64>>());
        assert_eq!((next, progress.finished_since(next).0.len()), (3_500, 0));
        let (kept, _) = progress.finished_since(0);
        assert_eq!((kept.len(), kept[0].mailbox), (FINISHED_KEPT, 2_500));
    }
}
