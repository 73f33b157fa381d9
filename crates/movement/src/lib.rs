//! The sync engine: keeps each person's mailbox an exact, proven copy on the target.
//!
//! ```text
//! source.read(cursor) ──► decide(source, ledger, target) ──► apply(batch) ──► record(facts)
//!      stream                 pure                              target          ledger + cursor, one commit
//! ```
//!
//! It knows connectors by their contract, the database by its store, and no platform by name. Where to read first:
//! [`decide`] (what is done with an item, as a table), [`state`] (where a mailbox stands), `pass` (one pass over one
//! mailbox), `look` (what keeps a stop at any point from losing or doubling anything).

mod afresh;
mod back;
mod batch;
mod comparing;
mod consent;
mod dates;
pub mod decide;
mod departed;
mod failure;
mod finish;
mod flags;
mod folders;
mod follow;
mod forecast;
mod frozen;
mod hold;
mod inventory;
mod listed;
mod look;
mod matching;
mod pass;
mod places;
mod prepare;
mod progress;
mod quota;
mod reach;
mod reading;
mod report;
mod run;
mod sample;
mod sides;
pub mod state;
mod subjects;
mod there;
mod traits;
mod travel;
mod turn;
mod turnover;
mod vanished;
mod verify;
mod work;

pub use afresh::{Afresh, FolderNow, ItemNow};
pub use back::CarriedBack;
pub use consent::Consent;
pub use failure::Failure;
pub use forecast::{Becomes, Forecast, Kept, Pace, rates};
pub use hold::{Holder, Moment, NoProbe, Probe};
pub use inventory::Inventory;
pub use progress::{Finished, MailboxProgress, Progress};
pub use quota::{Counted, Limit, Load, QuotaOf, QuotaVerdict};
pub use report::{Report, Tuning, WouldDo};
pub use run::{Engine, MailboxOutcome, Person, RunEnd, Taken, Turn};
pub use sides::Endpoint;
pub use travel::{Quarantine, Scanner};
pub use turnover::{Held, Ready, Turnover, waits_for_a_word};
pub use verify::{Difference, Kind as DifferenceKind, Verification};
