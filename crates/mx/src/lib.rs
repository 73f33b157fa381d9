//! The end of a legacy domain's mail at the local server (R-236 to; rulings ).
//!
//! - [`dns`] asks servers of the DNS.
//! - [`standing`] tells what they say of a legacy domain: to each resolver, and at the zone's own servers.
//! - [`history`] keeps of each look what later looks need: what may still be in somebody's cache.
//! - [`plan()`] says what has to change, in which order, and what may be done now. It is pure.
//! - [`clocks`] says when receiving at legacy addresses and forwarding end. It is pure.
//!
//! Nothing here changes the DNS. Who owns the zone does, by what the plan says.

pub mod clocks;
pub mod dns;
pub mod history;
pub mod plan;
pub mod standing;

pub use dns::{Name, NotAName};
pub use plan::plan;
pub use standing::{Look, Standing, Wanted, look};
