//! A reader of DNS: asks one server and says what it said (RFC 1035).
//!
//! - Over UDP with EDNS0 of 1232 bytes (RFC 6891), over TCP when the answer did not fit (RFC 7766).
//! - Every try has a random id and a random port. What has another id, another question or another sender is not an answer, and
//!   the wait goes on (RFC 5452 §9.1).
//! - No name (NXDOMAIN), no such record (NODATA), a server that can't say, and silence are four things.
//! - Aliases are followed, with a bound.
//!
//! It is ours and not hickory-proto's or hickory-resolver's. What the first would take off us is the form of eight record types, two
//! hundred lines that have not changed since 1987, for a package of many times that. What matters here would be ours all the same:
//! one server asked by itself, so that two may disagree; no cache, so that the time to live is what that server says; and what
//! becomes of things that are no answer. The second hides all of these.

mod exchange;
mod name;
mod record;
mod resolver;
mod servers;
mod wire;

pub use exchange::{Failure, Patience};
pub use name::{Name, NotAName};
pub use record::{Data, Record, RecordType};
pub use resolver::{Answer, Outcome, Resolver};
pub use servers::{NotAServer, from_resolv_conf, server, system_servers};
