//! Bytes and words of the protocol, in the protocol's own names. No policy: what is done with them is decided in `op`.
//!
//! From below: [`transport`] and [`tls`] make a stream of bytes; [`framer`] cuts responses out of it; [`token`] splits a
//! response into words; [`response`], [`fetch`] and [`mailbox`] type what we use of them. In the other direction
//! [`command`] writes commands and [`output`] queues them. [`connection`] holds both ends together.
//!
//! Everything up to [`connection`] is pure, so that a fuzzer can drive it.

pub mod capability;
pub mod certificate;
pub mod command;
pub mod connection;
pub mod date;
pub mod deflate;
pub mod exchange;
pub mod fetch;
pub mod framer;
mod intake;
pub mod mailbox;
pub mod output;
pub mod paced;
pub mod response;
pub mod set;
pub mod tls;
pub mod token;
pub mod transport;
