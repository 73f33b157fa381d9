//! The ledger: folders read, the fate of every item, batches under way, failures and exceptions.
//!
//! All writing is one [`LedgerTx`] that first proves the worker's fence and locks the mailbox's row.

mod back;
mod batch;
mod read;
mod rows;
mod word;
mod write;

pub use back::{BackIntent, BackMove};
pub use batch::{Intent, IntentItem, IntentState};
pub use read::MailboxCounts;
pub use rows::{
    DateGiven, ExceptionRow, Fact, FailureRow, FlagFact, FlagIntent, FolderRow, FormerReplaced, HeldItem, HeldRemoval,
    How, ItemThere, LedgerItem, NewException, NewFailure, NewFolder, RemovalState, Treatment, TreatmentRow,
};
pub use write::LedgerTx;
