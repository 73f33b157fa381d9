//! Texts and decisions: pure, no file and no server.

pub(crate) mod address;
pub(crate) mod aliases;
pub(crate) mod mark;
pub(crate) mod plan;
pub(crate) mod table;
pub(crate) mod targets;
