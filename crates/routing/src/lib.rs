//! Where mail goes: the model of both sides' mail routing, and the check that every address reaches exactly one followed
//! mailbox (R-083, R-086, R-328; ruling A-05).
//!
//! A [`Directory`] says what each site does with each address, where the MX records point, who follows which mailbox and whom
//! each address is to reach. [`check()`] tells what is wrong with it and what it looked at, over every combination of old and
//! new of the changes that were not read back, without trying them out: old and new stand side by side in one graph.
//!
//! What is modelled, and how:
//! - A *place* is a site with a message for an address. It does one thing with it; while a change is pending, the old or the new,
//!   the same for all messages of one combination, whatever other places do. Each look-up of an MX chooses in the same way, and
//!   so does a rule that hangs on the message.
//! - Most forwarders hang on a mailbox, not on an address: the mailbox is a place of its own, to which its addresses lead.
//! - A site asks its entries first, for mail from its own people and routers in any domain, then the rule of the domain, if it
//!   accepts that. Other addresses go out by MX when they come from inside. From other servers a site takes domains that it
//!   accepts, and refuses others whatever entries it has.
//! - Mail that is sent on is taken as a third party's, in domains that ask for refusal by SPF and DMARC, some of it signed and
//!   some not. Where a site refuses some of it, the rest goes its way, so what lies behind is judged as well. What happens to the
//!   sender is decided by the last router before a hop: the forwarder, the relay, or for aliases and lists the site.
//! - Mail that is written at a site has a sender of one of our domains; whether that site may send for it is said by
//!   [`Site::sends_for`].
//! - Each site is one system: an MX gateway before it, with checks and trust of its own, is not modelled. Where there is one, say
//!   of the site what the stricter of both does.
//! - A message for a list goes once to each recipient that the site's own aliases and lists come to. What is then sent on is
//!   another message, and another site does not know that it had one already.
//!
//! Nothing here reads a server: it is pure, and knows no platform.

mod address;
mod build;
mod check;
mod cycles;
mod directory;
mod finding;
mod graph;
mod judge;
mod recipients;
mod report;
mod spread;
mod text;
mod twice;

pub use address::{Domain, MailAddress, NotAnAddress, PersonId};
pub use check::check;
pub use directory::{
    Directory, DomainRule, Followed, ForwarderKind, MailboxRule, Mx, Owner, Pending, Policy, Route, Sender, Site,
    Taken, Unchecked,
};
pub use finding::{Entry, Fault, Finding, Hop, Place, Refusal, Step, Witness};
pub use report::Report;
