//! What is done with a server: one file for each thing.

pub(crate) mod check;
pub(crate) mod connect;
pub(crate) mod login;
pub(crate) mod read;
pub(crate) mod redirect;
pub(crate) mod release;
pub(crate) mod script;
