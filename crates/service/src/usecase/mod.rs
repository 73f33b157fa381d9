//! The use cases, one a file.

pub(crate) mod alerts;
pub(crate) mod check;
pub(crate) mod collection;
pub(crate) mod demo;
pub(crate) mod discover;
pub(crate) mod doctor;
pub(crate) mod each;
pub(crate) mod governed;
pub(crate) mod init;
pub(crate) mod issue;
pub(crate) mod legacy;
pub(crate) mod losses;
pub(crate) mod manifest;
pub(crate) mod mx;
pub(crate) mod pause;
pub(crate) mod people;
pub(crate) mod preflight;
pub(crate) mod report;
pub(crate) mod rules;
pub(crate) mod status;
pub(crate) mod switch;
pub(crate) mod sync;
pub(crate) mod telling;
pub(crate) mod verify;
pub(crate) mod words;
