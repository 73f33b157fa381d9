//! What is done, a file for each.

pub(crate) mod check;
pub(crate) mod files;
pub(crate) mod find;
pub(crate) mod list;
pub(crate) mod maps;
pub(crate) mod pending;
pub(crate) mod read;
pub(crate) mod reroute;
pub(crate) mod setup;
pub(crate) mod sql;
pub(crate) mod steps;
pub(crate) mod table;
