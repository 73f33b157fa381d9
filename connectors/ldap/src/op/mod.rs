//! A file for each thing that is done with a directory.

pub(crate) mod below;
pub(crate) mod check;
pub(crate) mod compare;
pub(crate) mod dirsync;
pub(crate) mod find;
pub(crate) mod group;
pub(crate) mod pages;
pub(crate) mod ranges;
pub(crate) mod read;
pub(crate) mod root;
pub(crate) mod scope;
pub(crate) mod sync;
pub(crate) mod tell;
pub(crate) mod timestamp;
pub(crate) mod usn;
pub(crate) mod write;
