//! What the ledger holds, as plain values: folders, facts, items, failures, removals and exceptions.

use model::{Cause, Digest, Fate, Flags, FolderPath, FolderState, ItemId, ItemKind};

/// A folder of a source under one validity, and where its items go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderRow {
    /// Its number.
    pub folder: i64,
    /// The endpoint of the source.
    pub endpoint: i64,
    /// The kind of its items.
    pub kind: ItemKind,
    /// Where it is on the source.
    pub path: FolderPath,
    /// The validity its ids are of.
    pub validity: u64,
    /// The state up to which it was read completely; none before the first complete reading.
    pub source: Option<FolderState>,
    /// To read on from.
    pub cursor: Option<Box<[u8]>>,
    /// Where its items go.
    pub target_path: FolderPath,
    /// The state of the target folder up to which everything in it is accounted for; none before.
    pub target: Option<FolderState>,
    /// Since when the source does not list it any more, or has it under another validity (milliseconds since 1970).
    pub gone_at: Option<i64>,
    /// Was it followed at the source when that was last read?
    pub subscribed: Option<bool>,
    /// It was about to be followed on the target, and it is not known whether that was done.
    pub is_following_begun: bool,
    /// Was the folder of the target made by us?
    pub made: bool,
    /// It was about to be made by us when last heard of: whether it was is not known.
    pub is_making_begun: bool,
    /// The next id and the number of items of the target folder when its ids were last compared with those known.
    pub compared: (u64, u64),
}

impl FolderRow {
    /// Does the source not list it any more, or under another validity?
    pub fn is_gone(&self) -> bool {
        self.gone_at.is_some()
    }
}

/// What the policy made of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum How {
    /// It travels with notes in place of what is banned.
    Replaced,
    /// It travels written otherwise, since the target could not hold it as it was.
    Repaired,
    /// It does not travel.
    Left,
    /// It travels as it is, and something could not be looked into, or is let through.
    Noted,
}

impl How {
    const EVERY: [Self; 4] = [Self::Replaced, Self::Repaired, Self::Left, Self::Noted];

    /// Its name, as the ledger and reports have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Replaced => "replaced",
            Self::Repaired => "repaired",
            Self::Left => "left",
            Self::Noted => "noted",
        }
    }

    /// Does it travel, but not as it was?
    pub fn is_rewritten(self) -> bool {
        matches!(self, Self::Replaced | Self::Repaired)
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|how| how.name() == name)
    }
}

/// What the policy made of an item, by which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Treatment {
    /// What the source folder calls the item.
    pub source_id: ItemId,
    /// What was made of it.
    pub how: How,
    /// The rule that decided it.
    pub rule: String,
    /// The policy that the rule is of.
    pub policy: String,
    /// Digest of the bytes that the source holds, where they were read.
    pub original: Option<Digest>,
    /// How many those are.
    pub original_size_bytes: u64,
    /// The files that it is about, as JSON.
    pub detail: String,
    /// When the source says that it was received (seconds since 1970), where it travels with another date.
    pub source_received: Option<i64>,
}

/// A date that an item could not keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateGiven {
    /// Digest of the bytes that travelled.
    pub exact: Digest,
    /// When the source says that it was received (seconds since 1970).
    pub source_received: i64,
    /// With which date it travelled.
    pub received: i64,
}

/// A treatment with its place and what became of the item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreatmentRow {
    /// The folder, by number.
    pub folder: i64,
    /// Where that is on the source.
    pub path: FolderPath,
    /// What became of the item.
    pub fate: Fate,
    /// When it was received (seconds since 1970).
    pub received: Option<i64>,
    /// The treatment.
    pub treatment: Treatment,
}

/// A copy of ours on the target that is not what the source holds, of a folder that the source has numbered anew or has no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerReplaced {
    /// What the target calls it.
    pub target_id: ItemId,
    /// When it was received (seconds since 1970).
    pub received: Option<i64>,
    /// Its treatment, with the digest of what the source holds.
    pub treatment: Treatment,
}

/// A folder to be known from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFolder {
    /// The endpoint of the source.
    pub endpoint: i64,
    /// The kind of its items.
    pub kind: ItemKind,
    /// Where it is on the source.
    pub path: FolderPath,
    /// The validity its ids are of.
    pub validity: u64,
    /// Where its items go.
    pub target_path: FolderPath,
}

/// The fate of an item, to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What the source folder calls it.
    pub source_id: ItemId,
    /// What became of it.
    pub fate: Fate,
    /// How many bytes.
    pub size_bytes: u64,
    /// When it was received (seconds since 1970).
    pub received: Option<i64>,
    /// Digest of its bytes, where they came.
    pub exact: Option<Digest>,
    /// Digest of its canonical form.
    pub canonical: Option<Digest>,
    /// Its flags as last read.
    pub source_flags: Flags,
    /// What the target folder calls it.
    pub target_id: Option<ItemId>,
    /// Its flags there as last read back; none: as on the source.
    pub target_flags: Option<Flags>,
    /// Digest of what the target gave back, where it differs from what was sent.
    pub read_back: Option<Digest>,
}

/// New flags of an item, to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagFact {
    /// Which item.
    pub source_id: ItemId,
    /// Its flags as last read.
    pub source_flags: Flags,
    /// Its flags on the target as last read back; none: as on the source.
    pub target_flags: Option<Flags>,
}

/// An item as the ledger knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerItem {
    /// What the source folder calls it.
    pub source_id: ItemId,
    /// What became of it.
    pub fate: Fate,
    /// How many bytes.
    pub size_bytes: u64,
    /// When it was received (seconds since 1970).
    pub received: Option<i64>,
    /// Digest of its bytes, where they came.
    pub exact: Option<Digest>,
    /// Digest of its canonical form.
    pub canonical: Option<Digest>,
    /// Its flags as last read.
    pub source_flags: Flags,
    /// What the target folder calls it, where known.
    pub target_id: Option<ItemId>,
    /// Its flags there as last read back.
    pub target_flags: Flags,
    /// Digest of what the target holds, where it is known to be other than what travelled.
    pub read_back: Option<Digest>,
}

/// Why an item failed, to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFailure {
    /// Which item.
    pub source_id: ItemId,
    /// The class.
    pub cause: Cause,
    /// What was tried and why it failed.
    pub what: String,
    /// The server's words.
    pub server: Option<String>,
    /// The policy that judged it: profile, its version and the policy's.
    pub policy: String,
}

/// Why an item failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureRow {
    /// The mailbox.
    pub mailbox: i64,
    /// The folder, by number.
    pub folder: i64,
    /// The folder on the source.
    pub path: FolderPath,
    /// What the folder calls it.
    pub source_id: ItemId,
    /// The class.
    pub cause: Cause,
    /// What was tried and why it failed.
    pub what: String,
    /// The server's words.
    pub server: Option<String>,
    /// How many bytes.
    pub size_bytes: u64,
    /// When it was received (seconds since 1970).
    pub received: Option<i64>,
    /// How often it was tried.
    pub tries: i64,
    /// Who has accepted its loss.
    pub accepted_by: Option<String>,
    /// Why.
    pub accepted_why: Option<String>,
}

/// Where a removal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RemovalState {
    /// Decided: to be done once every folder of a pass was read.
    Due,
    /// Under way.
    Doing,
    /// Waits for a person's word.
    Held,
    /// A person has said yes.
    Approved,
    /// A person has said yes, and it is under way.
    Obeying,
    /// A person has said no: the item stays on the target.
    Kept,
}

impl RemovalState {
    const EVERY: [Self; 6] = [Self::Due, Self::Doing, Self::Held, Self::Approved, Self::Obeying, Self::Kept];

    /// Its name, as the ledger has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Doing => "doing",
            Self::Held => "held",
            Self::Approved => "approved",
            Self::Obeying => "obeying",
            Self::Kept => "kept",
        }
    }

    /// Where it stands once it is begun.
    #[must_use]
    pub fn begun(self) -> Self {
        match self {
            Self::Due | Self::Doing => Self::Doing,
            Self::Approved | Self::Obeying => Self::Obeying,
            waiting @ (Self::Held | Self::Kept) => waiting,
        }
    }

    /// May it be made, as far as it stands?
    pub fn may_be_made(self) -> bool {
        self.begun() != self || matches!(self, Self::Doing | Self::Obeying)
    }

    /// Has a person said yes?
    pub fn is_approved(self) -> bool {
        matches!(self, Self::Approved | Self::Obeying)
    }

    /// Is it under way, or was it when its worker was stopped?
    pub fn is_begun(self) -> bool {
        matches!(self, Self::Doing | Self::Obeying)
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|state| state.name() == name)
    }
}

/// A removal: the source has the item no more, the target still has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRemoval {
    /// The folder, by number.
    pub folder: i64,
    /// What the source called it.
    pub source_id: ItemId,
    /// What the target calls it.
    pub target_id: Option<ItemId>,
    /// Digest of its bytes.
    pub exact: Option<Digest>,
    /// Digest of its canonical form.
    pub canonical: Option<Digest>,
    /// How many bytes.
    pub size_bytes: u64,
    /// When it was received (seconds since 1970).
    pub received: Option<i64>,
    /// Its flags at the source as last read.
    pub source_flags: Flags,
    /// Its flags on the target as last read back.
    pub target_flags: Flags,
    /// Where it stands.
    pub state: RemovalState,
    /// The rule by which it waits, or was decided.
    pub rule: String,
    /// What had become of the item: copied or adopted.
    pub fate: Fate,
    /// Digest of what the target gave back, where that differs from what was sent.
    pub read_back: Option<Digest>,
    /// When the source said that it was received (seconds since 1970), where it travelled with another date.
    pub source_received: Option<i64>,
    /// Where the source has the item now, where that is known and the copy stays: the folder, by number, and its id there.
    pub moved_to: Option<(i64, ItemId)>,
}

/// An item of the source that waits for a word, because an item of the target may be the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldItem {
    /// The folder, by number.
    pub folder: i64,
    /// What the source calls it.
    pub source_id: ItemId,
    /// The item of the target that may be the same.
    pub target_id: Option<ItemId>,
    /// What it is about, in a sentence.
    pub what: String,
    /// A person's word: it is another item (true), or the same (false).
    pub is_another: Option<bool>,
}

/// A change of an item's flags that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagIntent {
    /// The folder, by number.
    pub folder: i64,
    /// What the source calls it.
    pub source_id: ItemId,
    /// Flags to be added.
    pub add: Flags,
    /// Flags to be taken off.
    pub take: Flags,
}

/// An item that the ledger knows to be on the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemThere {
    /// What the target folder calls it.
    pub target_id: ItemId,
    /// The folder, by number.
    pub folder: i64,
    /// What the source folder calls it.
    pub source_id: ItemId,
    /// Its flags at the source as last read.
    pub source_flags: Flags,
    /// Its flags on the target as last read back.
    pub target_flags: Flags,
}

/// Something that no one may overlook, to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewException {
    /// Its class.
    pub class: Cause,
    /// The folder on the source.
    pub path: FolderPath,
    /// The item there, if it is about one.
    pub source_id: Option<ItemId>,
    /// The item on the target, if it is about one.
    pub target_id: Option<ItemId>,
    /// What it is, in a sentence.
    pub what: String,
}

/// Something that no one may overlook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionRow {
    /// The mailbox.
    pub mailbox: i64,
    /// What it is.
    pub exception: NewException,
    /// Still so at the last pass?
    pub is_open: bool,
}
