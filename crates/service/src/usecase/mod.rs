//! The use cases, one a file.

pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod discover;
pub(crate) mod doctor;
pub(crate) mod each;
pub(crate) mod init;
pub(crate) mod losses;
pub(crate) mod manifest;
pub(crate) mod preflight;
pub(crate) mod report;
pub(crate) mod rules;
pub(crate) mod status;
pub(crate) mod sync;
pub(crate) mod verify;
pub(crate) mod words;
