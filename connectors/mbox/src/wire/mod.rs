//! The bytes in files: lines, messages, what programs wrote among them. No policy.

pub(crate) mod from_line;
pub(crate) mod line_ends;
pub(crate) mod lines;
pub(crate) mod message;
pub(crate) mod split;
