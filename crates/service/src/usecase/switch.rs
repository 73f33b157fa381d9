//! `switch`, `signoff`, `forwarder`, `routing`: turning people over, and what must be so before.

mod directory;
pub(crate) mod driver;
mod marks;
mod orders;
mod routes;
mod rules;
#[cfg(test)]
mod script_tests;
mod scripts;
mod signed;
mod subject;
mod task;
#[cfg(test)]
mod tests;

pub use marks::{MarkLine, MarksReport};
pub use orders::{RulesOfMailbox, SwitchLine, SwitchReport, SwitchRules, SwitchTaskLine};
pub use routes::{
    ForwardersReport, GuardianWord, OtherForwarder, OurForwarder, RoutingFault, RoutingReport, UnreadForwarders,
};
pub use scripts::{ScriptLine, ScriptNote, ScriptsReport, UnwrittenScripts};
pub use signed::{RuleSignoff, RuleSignoffs};
