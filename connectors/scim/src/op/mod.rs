//! What is done with a platform, a file for each.

pub(crate) mod apply;
pub(crate) mod check;
pub(crate) mod discover;
pub(crate) mod find;
pub(crate) mod read;
