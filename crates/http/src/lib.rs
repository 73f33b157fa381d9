//! HTTP for the clients of this program: where a server is, a connection to it that is made private, one request and its answer.
//!
//! What is said over it – SCIM, alerts – is for whoever uses this room. TLS is always verified; every answer is within limits.

mod base;
mod connect;
mod exchange;

pub use base::Base;
pub use connect::{Reach, connect};
pub use exchange::{Answer, Limits, NoAnswer, Stream, exchange, is_spent};
