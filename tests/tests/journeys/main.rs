//! Journeys: the program on real servers, as those who use it would.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by what goes wrong in it, and says what it saw"
)]

mod address_books;
mod adoption;
mod archive;
mod backup;
mod bad_input;
mod collections;
mod command_line;
mod confirm;
mod copies;
mod daily;
mod database;
mod day_of_work;
mod documents;
mod exchange_scripts;
mod files;
mod following;
mod governed;
mod histories;
mod idle;
mod imap_server;
mod imap_suite;
mod judge;
mod large;
mod left_behind;
mod legacy;
mod login;
mod lost_answers;
mod mailed;
mod manifest;
mod merged;
mod no_blackout;
mod people;
mod people_directories;
mod policy;
mod portal;
mod preflight;
mod report;
mod rivals;
mod servers;
mod service;
mod service_killed;
mod sharing;
mod sharing_directories;
mod sharing_killed;
mod stops;
mod switching;
mod trouble;
mod words;
