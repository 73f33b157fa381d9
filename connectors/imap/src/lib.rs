//! The connector to IMAP servers. So far: how an endpoint is described, and what travels on the wire.

pub mod config;
#[doc(hidden)]
pub mod wire;
