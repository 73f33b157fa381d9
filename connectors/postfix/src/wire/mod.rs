//! Programs, databases and files: what is asked and answered, and no policy.

pub(crate) mod command;
pub(crate) mod database;
pub(crate) mod file;
pub(crate) mod programs;
