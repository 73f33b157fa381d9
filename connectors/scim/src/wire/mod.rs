//! Bytes and words of the protocol: addresses, requests, what a server answers. No policy.

pub(crate) mod answer;
pub(crate) mod client;
pub(crate) mod url;
