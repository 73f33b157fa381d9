//! The words of a migration, as plain values and pure rules.
//!
//! Everything here can be built, compared and printed without a clock, a file or a connection, so every other room may
//! use it and it uses none of them. A word means one thing in the whole project: `docs/glossary.md` says which, and
//! what each platform calls it.

mod actor;
mod cause;
mod digest;
mod directory;
mod fate;
mod flags;
mod folder;
mod item;
mod loss;
mod mailbox;
mod organisation;
mod policy;
mod time;

pub use actor::{Actor, Role};
pub use cause::{Cause, Owner, Scope, Side};
pub use digest::{CANONICAL_VERSION, Digest, Examiner, Findings};
pub use directory::{
    AccountState, Address, AddressKind, Entry, EntryKind, Grant, Letters, Names, Reference, Right, mail_key, x500_key,
};
pub use fate::{Fate, Tally};
pub use flags::{Flags, SystemFlag};
pub use folder::{FolderPath, FolderState, INBOX, SpecialUse};
pub use item::{ItemId, ItemKind};
pub use loss::{Loss, LossTable};
pub use mailbox::{Condition, MailboxKind, Phase};
pub use organisation::{CodeError, Organisation, OrganisationCode};
pub use policy::{Following, Verdict};
pub use time::ReceivedAt;
