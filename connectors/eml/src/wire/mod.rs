//! The bytes on disk: names of folders and the files beside items. No policy.

pub(crate) mod folder_name;
pub(crate) mod line_ends;
pub(crate) mod side_file;
