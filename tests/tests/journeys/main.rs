//! Journeys: the program on real servers, as those who use it would.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by what goes wrong in it, and says what it saw"
)]

mod adoption;
mod bad_input;
mod command_line;
mod copies;
mod database;
mod files;
mod following;
mod histories;
mod idle;
mod imap_suite;
mod large;
mod login;
mod lost_answers;
mod manifest;
mod people;
mod policy;
mod preflight;
mod report;
mod rivals;
mod stops;
mod trouble;
mod words;
