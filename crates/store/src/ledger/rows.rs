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
    /// The source does not list it any more, or has it under another validity.
    pub is_gone: bool,
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
    /// How often it was tried.
    pub tries: i64,
}

/// A removal that waits: the source has the item no more, the target still has it.
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
    /// Why it waits.
    pub why: String,
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
