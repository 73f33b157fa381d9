//! An organisation of Exchange in memory, and a shell that runs scripts against it.
//!
//! The scripts are parsed by an independent grammar of PowerShell (tree-sitter); what it does not take for a script is not run. The shell knows the
//! few statements and cmdlets that scripts of Whimbrel use, as Microsoft's documents describe them, and stops at all else. It is no PowerShell: see
//! the *Limits* of docs/routing.md.

mod organisation;
mod shell;
mod value;

pub use organisation::{Accident, Came, Contact, InboxRule, Mailbox, Organisation};
pub use shell::{Ran, parses, run};
