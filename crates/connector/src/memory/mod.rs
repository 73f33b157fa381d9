//! The in-memory platform: a whole mail server in a value, of every kind of item.
//!
//! It is the platform of rehearsals, of the demo and of most tests. What it offers is a setting ([`Traits`]), so
//! one suite runs on a rich and on a poor server. The connector talks to it over a [`Wire`]: a direct call, or (in the
//! stop-everywhere tests) a socket to another process, where the platform outlives whoever is stopped; or a wire that
//! loses answers.

mod connector;
mod platform;
mod wire;

pub use connector::MemoryConnector;
pub use platform::{Backup, MemoryItem, Platform, Traits};
pub use wire::{Dial, DirectWire, FaultyDial, PutItem, Request, Response, Session, Wire};
