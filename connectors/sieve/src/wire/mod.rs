//! ManageSieve (RFC 5804): bytes and words of the protocol, within limits, and no policy.

pub(crate) mod answer;
pub(crate) mod capability;
pub(crate) mod command;
pub(crate) mod connection;
