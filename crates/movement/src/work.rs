//! What a pass works with: the mailbox, its folders, and what is on its way.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use connector::{Body, Holds};
use model::{Findings, Flags, FolderState, ItemId, ItemKind, LossTable, ReceivedAt, Verdict};
use profile::Policy;
use store::{Fact, FolderRow, HeldItem, Lease, MailboxRow, NewException, NewFailure, ProjectKey, Store, Treatment};

use crate::decide::Setting;
use crate::flags::FlagWork;
use crate::progress::Progress;
use crate::quota::QuotaOf;
use crate::report::{Tuning, WouldDo};
use crate::travel::{Lane, Travel};

/// What a pass works with.
pub(crate) struct Work {
    pub(crate) store: Store,
    pub(crate) key: ProjectKey,
    pub(crate) lease: Lease,
    pub(crate) mailbox: MailboxRow,
    pub(crate) policy: Arc<Policy>,
    pub(crate) travel: Travel,
    pub(crate) losses: LossTable,
    pub(crate) target_kinds: Vec<ItemKind>,
    /// The project's quota for this mailbox.
    pub(crate) quota: Option<(QuotaOf, u64)>,
    pub(crate) holds: Holds,
    /// Room for what is read back from the target: of its own, so that looking never waits for copying.
    pub(crate) look_holds: Holds,
    pub(crate) progress: Arc<Progress>,
    pub(crate) stop: tokio::sync::watch::Receiver<bool>,
    pub(crate) tuning: Tuning,
    pub(crate) setting: Setting,
    pub(crate) dry_run: bool,
}

/// An item that is to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) id: ItemId,
    pub(crate) kind: ItemKind,
    pub(crate) found: Findings,
    pub(crate) flags: Flags,
    pub(crate) received: Option<ReceivedAt>,
    /// When the source says that it was received (seconds since 1970).
    pub(crate) source_received: Option<i64>,
    pub(crate) body: Body,
    pub(crate) then: Option<connector::Cursor>,
    /// It failed before: its failure is cleared when it succeeds.
    pub(crate) failed_before: bool,
    /// What is special about it: its [`traits`](crate::traits).
    pub(crate) is: u8,
    /// What the target was known to change or refuse when it was read.
    pub(crate) knew: u8,
}

impl Planned {
    pub(crate) fn received_seconds(&self) -> Option<i64> {
        self.received.map(|at| at.unix_seconds)
    }
}

/// An item that waits until all candidates are known.
pub(crate) struct Deferred {
    pub(crate) id: ItemId,
    pub(crate) found: Findings,
    pub(crate) flags: Flags,
    pub(crate) received: Option<ReceivedAt>,
    pub(crate) failed_before: bool,
    pub(crate) verdict: Verdict,
    /// What the target was known to change or refuse when it was read.
    pub(crate) knew: u8,
}

/// A folder being worked on.
pub(crate) struct FolderWork {
    pub(crate) row: FolderRow,
    /// Nothing of it is in the ledger yet.
    pub(crate) is_fresh: bool,
    /// Its items can't go anywhere, because of this.
    pub(crate) unusable: Option<connector::Error>,
    /// The folder of the target where its items go, by its place among those of the pass.
    pub(crate) goes_to: usize,
    /// What rules say of it as a whole.
    pub(crate) lane: Lane,
    /// It was written to before, and is there.
    pub(crate) was_written_to: bool,
    /// What the policy made of items, to be written before anything of them is sent.
    pub(crate) treatments: Vec<Treatment>,
    /// Items of which it makes nothing special after all.
    pub(crate) untreated: Vec<ItemId>,
    /// The target folder as listed when the pass began or when it was made.
    pub(crate) listed: Option<FolderState>,
    /// Items to be read again that are repaired then, as if the target were known to change or refuse this of them.
    pub(crate) trials: HashMap<ItemId, u8>,
    /// Of these: items that are read so only to see whether they lie on the target as that, by what they are repaired for.
    pub(crate) looking: HashMap<ItemId, u8>,
    /// Items that don't lie there as they are when they are repaired for this.
    pub(crate) looked: HashMap<ItemId, u8>,
    pub(crate) deferred: Vec<Deferred>,
    /// New items that may have come from another folder.
    pub(crate) arrived: Vec<Deferred>,
    /// Items of which somebody has said that they are others than what lies on the target.
    pub(crate) another: HashSet<ItemId>,
    /// Items that are to wait for a word.
    pub(crate) held: Vec<HeldItem>,
    /// Its person has removed the folder on the target: it is made again only for something new.
    pub(crate) is_withdrawn: bool,
    pub(crate) batch: Vec<Planned>,
    pub(crate) batch_bytes: u64,
    /// Batches on their way.
    pub(crate) flights: usize,
    /// Facts, failures and exceptions to be written with the next commit.
    pub(crate) facts: Vec<Fact>,
    pub(crate) failures: Vec<NewFailure>,
    pub(crate) cleared: Vec<ItemId>,
    /// Of these items the removal does not wait any more.
    pub(crate) taken_back: Vec<ItemId>,
    pub(crate) exceptions: Vec<NewException>,
    /// Read this far, as of the facts above.
    pub(crate) cursor: Option<connector::Cursor>,
    pub(crate) flag_changes: Vec<FlagWork>,
    /// Items whose flags are to be these once it is known what the target calls them.
    pub(crate) flags_later: Vec<(ItemId, Flags)>,
    pub(crate) gone: Vec<ItemId>,
    /// Of those that are gone: copies of another tool's, which may turn up where they lie. Forgotten once that is known.
    pub(crate) gone_later: Vec<ItemId>,
    /// Items that the cursor covers and the source has listed.
    pub(crate) seen: HashSet<ItemId>,
    /// Items read in this pass, in a folder that was read before.
    pub(crate) read_ids: HashSet<ItemId>,
    /// Items whose bytes are wanted after all.
    pub(crate) read_again: Vec<ItemId>,
    /// Of these: items that are known not to be on the target.
    pub(crate) not_there: HashSet<ItemId>,
    /// Items stored under ids that the target did not tell.
    pub(crate) without_id: u64,
    /// Items with a fate, for a fresh folder.
    pub(crate) fates: u64,
    pub(crate) state: FolderState,
    pub(crate) end: Option<End>,
    /// The source has fewer items of it than it would have, had none gone.
    pub(crate) has_lost: bool,
    pub(crate) is_done: bool,
    /// Items of it were not copied, so that room is made first.
    pub(crate) waits_for_room: bool,
    pub(crate) would: WouldDo,
}

impl FolderWork {
    /// Does anything go there?
    pub(crate) fn is_written_to(&self) -> bool {
        self.unusable.is_none() && self.lane.left_by.is_none()
    }

    /// Is anything of what was read still to be done? Then the cursor stays before it: the source tells of changes only once.
    pub(crate) fn is_put_off(&self) -> bool {
        !(self.deferred.is_empty()
            && self.arrived.is_empty()
            && self.flag_changes.is_empty()
            && self.flags_later.is_empty()
            && self.read_again.is_empty()
            && self.gone_later.is_empty()
            && !self.waits_for_room)
    }

    /// Is the target folder looked at? Where something lies that we know of, also if nothing goes there any more.
    pub(crate) fn is_looked_at(&self) -> bool {
        self.unusable.is_none() && (self.lane.left_by.is_none() || self.was_written_to)
    }

    /// This is what the policy made of an item; nothing special, if none.
    pub(crate) fn treat(&mut self, id: &ItemId, treatment: Option<Treatment>) {
        match treatment {
            Some(treatment) => self.treatments.push(Treatment { source_id: id.clone(), ..treatment }),
            None if self.is_fresh => {}
            None => self.untreated.push(id.clone()),
        }
    }
}

/// How the reading of a folder ended.
pub(crate) struct End {
    pub(crate) cursor: connector::Cursor,
    pub(crate) state: FolderState,
    pub(crate) listed_all: bool,
}

/// A batch on its way.
pub(crate) struct Flight {
    pub(crate) folder: usize,
    pub(crate) number: i64,
    pub(crate) items: Vec<Planned>,
    /// Traits of items that have to be read back before they count as copied.
    pub(crate) to_prove: u8,
}
