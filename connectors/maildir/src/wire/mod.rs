//! The bytes on disk: names of folders and files, and the files beside them. No policy.

pub(crate) mod folder_name;
pub(crate) mod item_name;
pub(crate) mod keywords;
pub(crate) mod line_ends;
pub(crate) mod subscriptions;
