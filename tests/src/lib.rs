//! Journeys: the tests that need real servers, and what they share. They are in `tests/`; `./test` at the top runs them with
//! all others.

#![allow(clippy::expect_used, reason = "this is test code: what goes wrong here fails the test")]

pub mod estate;
pub mod histories;
pub mod judge;
pub mod mail;
pub mod organisation;
pub mod pair;
pub mod project;
pub mod service;
pub mod sites;
pub mod soak;
pub mod stopped;
pub mod store;
