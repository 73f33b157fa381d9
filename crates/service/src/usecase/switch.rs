//! `switch`, `signoff`, `forwarder`, `routing`: turning people over, and what must be so before.

pub(crate) mod addresses;
mod answer;
mod closing;
mod directory;
pub(crate) mod driver;
pub(crate) mod exchanges;
mod form;
pub(crate) mod forward;
pub(crate) mod lists;
pub(crate) mod live;
pub(crate) mod look;
mod marks;
mod orders;
mod others;
mod routes;
mod rules;
#[cfg(test)]
mod script_tests;
mod scripts;
mod signed;
mod subject;
mod task;
#[cfg(test)]
pub(super) mod tests;

pub use answer::{AutoAnswer, AutoAnswersReport};
pub use form::{ForwardedAccount, ForwarderForm};
pub use forward::{GuardianWord, MissingForwarder};
pub use marks::{MarkLine, MarksReport};
pub use orders::{OldAddressLine, RulesOfMailbox, SwitchLine, SwitchReport, SwitchRules, SwitchTaskLine};
pub use routes::{ForwardersReport, OtherForwarder, OurForwarder, RoutingFault, RoutingReport, UnreadForwarders};
pub use scripts::{ScriptLine, ScriptNote, ScriptsReport, UnwrittenScripts};
pub use signed::{RuleSignoff, RuleSignoffs};
