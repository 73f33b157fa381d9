//! Who is who: which people, shared mailboxes, rooms, lists and contacts of an organisation are in scope, which of them have
//! an account on the platform already, and what is to be made there.
//!
//! Everything here is a pure function of what the directories say and what people have decided, so that the same input gives
//! the same list, and a list can be made again at any time. A wrong match puts somebody's mail into a stranger's mailbox:
//! where two entries are not certainly one person, a named person decides.

mod book;
mod matching;
mod names;
mod naming;
mod object;
mod plan;
mod reconcile;
mod rules;
mod scope;
pub mod sharing;
mod staff;

pub use book::{BOOK_MARK, Book, BookChange, Books, Difference, Fault};
pub use matching::{
    Candidate, Contradiction, Doubt, Evidence, Looked, Match, MatchRules, Matching, Outcome, Rule, Standing, Word,
    Words, origin,
};
pub use names::{PersonName, share_a_given_name, share_a_name};
pub use naming::{Naming, Unnamed};
pub use object::{Object, ObjectId, facts};
pub use plan::{Conflict, Cost, Line, Member, Plan, Planned, Planning, Unmapped, has_left};
pub use reconcile::{Class, Incomplete, Reconciled, Reconciliation, Settings, reconcile};
pub use rules::PeopleRules;
pub use scope::{Accounts, Aside, Filter, Pattern, Scope};
pub use staff::{StaffTask, Task, left, staff_number, staff_tasks};
